package wizard

import (
	"strings"
	"testing"

	"github.com/spf13/afero"

	"certwright/flow"
	"certwright/flow/plan"
)

// reviewing is the wizard on Review.
func reviewing(t *testing.T, s setup) *driver {
	return drive(t, s).press("enter", "enter", "enter", "enter").at(flow.StepReview)
}

const passphrase = "0abc-1def-2ghj-3kmn-4pqr-5stv" // the driver's

func TestKeysOfCAsAreEncryptedOnceThePassphraseIsTypedBack(t *testing.T) {
	d := reviewing(t, setup{})
	d.press("k").golden("cakeys").press("down", "enter").shows(passphrase).golden("cakeys-passphrase")
	d.press("enter").hides(passphrase).write("wrong").hides("wrong").press("enter").shows("that is not it").golden("cakeys-typed")
	if d.root.env.Flow.CAKeys() != plan.CAKeysPlain {
		t.Error("something else was typed back, and the keys are encrypted")
	}
	d.write(passphrase).hides(passphrase).press("enter").at(flow.StepReview).hides("Type it back")
	if f := d.root.env.Flow; f.CAKeys() != plan.CAKeysEncrypted || f.SealDue() || string(f.Answers().CAPassphrase) != passphrase {
		t.Errorf("the keys are %s, due %v", f.CAKeys(), f.SealDue())
	}
	d.press("k").shows("● encrypted").press("esc").press("enter").at(flow.StepDone)
}

func TestEscLeavesThePassphraseAndChangesNothing(t *testing.T) {
	d := reviewing(t, setup{}).press("k", "down", "enter").shows(passphrase).press("esc").hides(passphrase).shows("encrypted")
	d.press("enter", "enter").write("half").press("esc", "esc").at(flow.StepReview).shows("apiserver.crt")
	if d.root.env.Flow.CAKeys() != plan.CAKeysPlain {
		t.Error("the keys are no longer plain")
	}
	d.press("k", "down", "down", "enter").shows("apiserver.crt")
	if d.root.env.Flow.CAKeys() != plan.CAKeysDiscard {
		t.Error("the keys are not discarded")
	}
}

// Answers that were saved ask for encrypted keys, and hold no passphrase.
func TestAPlanWithEncryptedKeysAsksForThePassphraseBeforeTheWrite(t *testing.T) {
	d := reviewing(t, setup{plan: func(p *plan.Plan) { p.Keys.CAKeys = plan.CAKeysEncrypted }})
	d.shows("there is no passphrase for them").press("enter").at(flow.StepReview).shows("Keys of the CAs", "● encrypted")
	d.press("enter", "enter").write(passphrase).press("enter").at(flow.StepReview).press("enter").at(flow.StepDone)
}

func TestAFormIsLeftOutFromItsRow(t *testing.T) {
	d := reviewing(t, setup{})
	d.press("end", "x").shows("belongs to every set").at(flow.StepReview)
	d.press("home", "x").shows("tree is left out")
	if got := strings.Join(d.root.env.Flow.Plan().Output.Layouts, " "); strings.Contains(got, "tree") || got == "" {
		t.Errorf("the forms are %q", got)
	}
}

func TestWhatIsReplacedCanBeComparedAndIsListed(t *testing.T) {
	d := drive(t, setup{})
	d.runner.prepare = func(e flow.Prepare) (*flow.Prepared, error) {
		p := prepared(e.Answers)
		p.Survey.Backups = []string{".certwright-backup-20261001-120000"}
		for i := range p.Survey.Changes {
			if c := &p.Survey.Changes[i]; c.Slot == "kube/apiserver" {
				c.What, c.OldSize = flow.Overwrite, 1204
			}
		}
		return warned(p, "kube/apiserver", "ends in 41 days", "ask your CA for a longer one"), nil
	}
	d.press("enter", "enter", "enter", "enter").at(flow.StepReview).press("home", "d").hides("CN=kubernetes").press("n", "d")
	d.shows("CN=kubernetes", "Corp Issuing CA 3", "+ IP:10.20.0.3", "- IP:10.20.0.4").golden("review-difference")
	d.press("esc").at(flow.StepReview).hides("10.20.0.4").press("b").golden("review-backups")
	d.press("enter").at(flow.StepReview).shows("Type demo to replace")
}

func TestTheTopologyIsWrittenToAFileOfOnesChoice(t *testing.T) {
	d := drive(t, setup{}).press("enter", "enter", "enter").at(flow.StepTopology)
	d.press("e").shows("topology.svg").golden("topology-export")
	d.press("enter").shows("wrote topology.svg").hides("Export the")
	read := func(name string) string {
		data, err := afero.ReadFile(d.fs, "/home/ann/cluster/"+name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if got := read("topology.svg"); !strings.HasPrefix(got, "<svg") && !strings.HasPrefix(got, "<?xml") {
		t.Errorf("the picture begins with %.40q", got)
	}
	if err := afero.WriteFile(d.fs, "/home/ann/cluster/a.mmd", []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.press("e", "ctrl+u").write("a.mmd").press("enter").shows("is there already")
	if read("a.mmd") != "mine" {
		t.Error("a file was replaced without being asked for")
	}
	d.press("esc").at(flow.StepTopology).press("e", "ctrl+u").write("a.mmd").press("enter").write("x").press("backspace", "enter").shows("is there already")
	if d.press("enter").shows("wrote a.mmd"); !strings.Contains(read("a.mmd"), "flowchart") {
		t.Errorf("Mermaid begins with %.40q", read("a.mmd"))
	}
	d.press("e", "ctrl+u").write("a.png").press("enter").shows("no format ends so").press("esc").at(flow.StepTopology)
}

// A key that is pressed while the set is made anew is for the rows that come.
func TestTheCursorMovesWhileTheSetIsMadeAnew(t *testing.T) {
	d := reviewing(t, setup{}).press("down", "down")
	s, _ := d.root.screen().(*reviewScreen)
	at := s.cursor
	set := d.root.do(flow.SetOutput{Dir: "elsewhere"})
	d.press("down", "down", "up")
	d.run(set)
	d.shows("elsewhere")
	if s.cursor != at+1 {
		t.Errorf("the cursor is on row %d, want %d", s.cursor, at+1)
	}
	set = d.root.do(flow.SetOutput{Dir: "again"})
	d.press("end")
	d.run(set)
	d.shows("again")
	if want := len(s.rows) - 1; s.cursor != want || want < 5 {
		t.Errorf("the cursor is on row %d, want %d", s.cursor, want)
	}
}
