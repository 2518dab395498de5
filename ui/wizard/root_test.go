package wizard

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/ui/theme"
)

// whole asserts what holds of every frame: exactly the rows of the window, none
// wider than it, and no control byte but our own styles.
func (d *driver) whole() {
	d.t.Helper()
	r := d.root
	view := r.View()
	if r.crash != nil {
		d.t.Fatalf("View panicked: %v", r.crash)
	}
	lines := strings.Split(view, "\n")
	if len(lines) != r.h {
		d.t.Fatalf("%dx%d at %s: %d rows", r.w, r.h, r.at, len(lines))
	}
	for i, l := range lines {
		if n := ansi.StringWidth(l); n > r.w {
			d.t.Fatalf("%dx%d at %s: row %d has %d cells: %q", r.w, r.h, r.at, i, n, l)
		}
		bare := ansi.Strip(l)
		if strings.ContainsFunc(bare, func(c rune) bool { return c < 0x20 || c >= 0x7f && c < 0xa0 }) {
			d.t.Fatalf("%dx%d at %s: row %d has a control character: %q", r.w, r.h, r.at, i, bare)
		}
	}
}

// mashed are keys that a cat on the keyboard finds.
var mashed = []string{
	"enter", "enter", "enter", "esc", "tab", "shift+tab", "up", "down", "left", "right", "home", "end", "pgup", "pgdown", "space", "backspace",
	"delete", "?", "f1", "g", "c", "b", "*", "u", "i", "n", "o", "s", "p", "t", "d", "v", "m", "f", "/", "a", "1", "2", "3", "4", "5", "6", "7",
	"ctrl+u", "ctrl+d", "ctrl+o", "ctrl+r", "ctrl+w", "ctrl+a", "ctrl+e", "ctrl+k", "alt+b", "alt+f", "j", "k", "h", "l", "y", "x",
}

func TestAnySizeAndAnyKeysDrawAWholeWindow(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	themes := []theme.Options{{Profile: theme.None}, {Profile: theme.TrueColor, Dark: true}, {Profile: theme.ANSI256, NoColor: true}, {Profile: theme.ANSI, ASCII: true}}
	for seed := range rounds {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		d := drive(t, setup{theme: themes[seed%len(themes)]})
		if seed%2 == 1 {
			d.runner.verdicts["kube/ca"] = flow.Verdict{Findings: []check.Finding{{Rule: "x", Severity: check.Error, Slot: "kube/ca", Message: strings.Repeat("a long message about something ", 8), Fix: "mend it"}}}
			d.press("enter", "enter", "down", "c", "enter")
		}
		for range 80 {
			switch rng.IntN(12) {
			case 0:
				d.size(20+rng.IntN(201), 6+rng.IntN(65))
			case 1:
				d.paste("-----BEGIN CERTIFICATE-----\r\nAAAA\r\n-----END CERTIFICATE-----\r\n")
			case 2:
				d.write("x1.example.com")
			case 3:
				d.advance()
			default:
				d.press(mashed[rng.IntN(len(mashed))])
			}
			if d.quit {
				break
			}
			d.whole()
		}
	}
}

func TestEverySizeFromSmallestToLargest(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 7
	}
	d := drive(t, setup{theme: theme.Options{Profile: theme.ANSI256, Dark: true}})
	for _, keys := range [][]string{nil, {"enter"}, {"enter"}, {"?"}, {"esc", "ctrl+c"}, {"esc", "enter"}, {"enter"}, {"enter"}} {
		d.press(keys...)
		for w := 20; w <= 220; w += step * 5 {
			for h := 6; h <= 70; h += step * 3 {
				d.size(w, h)
				d.whole()
			}
		}
	}
	d.at(flow.StepDone)
}

func TestTooSmallIsSaidAndKeysWait(t *testing.T) {
	d := drive(t, setup{width: 50, height: 14})
	d.shows("certwright needs 60 columns and 16 rows.", "This terminal has 50 and 14.")
	d.press("enter").at(flow.StepProfile)
	d.golden1("toosmall.50x14.txt")
	d.size(60, 16).hides("This terminal has").press("enter").at(flow.StepFacts)
	d.size(50, 14).press("ctrl+c")
	if !d.quit || d.root.end.how != Left {
		t.Error("ctrl+c does not leave a window that is too small")
	}
}

func TestEverythingFitsInTheSmallestWindow(t *testing.T) {
	d := drive(t, setup{width: 60, height: 16})
	for _, step := range []flow.Step{flow.StepProfile, flow.StepFacts, flow.StepModes, flow.StepTopology, flow.StepReview, flow.StepDone} {
		d.at(step).whole()
		d.press("enter")
	}
}

func TestLargeWindows(t *testing.T) {
	d := drive(t, setup{width: 200, height: 60})
	for _, step := range []flow.Step{flow.StepProfile, flow.StepFacts, flow.StepModes, flow.StepTopology, flow.StepReview, flow.StepDone} {
		d.at(step).whole()
		if step != flow.StepTopology {
			d.golden1(string(step) + ".200x60.txt")
		}
		d.press("enter")
	}
}

// Every key of the key line does something: it changes the window, the step, or
// ends the program.
func TestTheKeysShownDoSomething(t *testing.T) {
	ways := map[flow.Step][]string{
		flow.StepProfile: nil,
		flow.StepFacts:   {"enter", "tab", "tab"},
		flow.StepModes:   {"enter", "enter", "down", "c"},
		flow.StepReview:  {"enter", "enter", "enter", "enter", "down"},
		flow.StepDone:    {"enter", "enter", "enter", "enter", "enter"},
	}
	for step, way := range ways {
		start := func() *driver { return drive(t, setup{width: 200, height: 30}).press(way...).at(step) }
		own, always, rest := start().root.bindings()
		for _, b := range slices.Concat(own, always, rest) {
			if slices.Contains(b.Keys(), "ctrl+z") {
				continue // suspends, which no frame shows
			}
			if d := start(); !strings.Contains(d.frame(), b.Help().Key+" "+b.Help().Desc) {
				t.Errorf("%s: %q is not in the key line:\n%s", step, b.Help().Key, d.frame())
			}
			did := false
			for _, k := range b.Keys() {
				d := start()
				before := d.frame()
				d.press(k)
				did = did || d.quit || d.frame() != before || d.copied != ""
			}
			if !did {
				t.Errorf("%s: none of the keys %v does anything", step, b.Keys())
			}
		}
	}
}

// On no screen do two bindings share a key.
func TestNoTwoBindingsShareAKey(t *testing.T) {
	d := drive(t, setup{})
	for range 6 {
		own, always, rest := d.root.bindings()
		seen := map[string]string{}
		for _, b := range slices.Concat(own, always, rest) {
			for _, k := range b.Keys() {
				if other, twice := seen[k]; twice {
					t.Errorf("%s: %s means %q and %q", d.root.at, k, other, b.Help().Desc)
				}
				seen[k] = b.Help().Desc
			}
		}
		d.press("enter")
	}
}

func TestBackIsNeverBarred(t *testing.T) {
	d := drive(t, setup{})
	d.press("enter").at(flow.StepFacts)
	d.press("tab", "tab").write("!!").shows("✗")
	d.press("enter").at(flow.StepFacts)
	d.press("esc").at(flow.StepProfile)
	d.press("enter").at(flow.StepFacts).shows("!!") // and nothing typed is lost
}

func TestEscOnTheFirstScreenSaysHowToLeave(t *testing.T) {
	d := drive(t, setup{}).press("esc").at(flow.StepProfile).shows("This is the first step. ctrl+c leaves.")
	if d.quit {
		t.Error("esc ended the program")
	}
}

func TestEnterOnABlockedStepStandsOutAndGoesToTheField(t *testing.T) {
	d := drive(t, setup{theme: theme.Options{Profile: theme.ANSI256, NoColor: true}})
	d.press("enter", "tab", "tab").write("!").press("tab", "tab", "enter").at(flow.StepFacts)
	if !strings.Contains(d.root.View(), "\x1b[7m") {
		t.Error("the status line does not stand out")
	}
	if f := d.root.screen().(*factsScreen); f.fields[f.cursor].id != "api.host" {
		t.Errorf("the cursor is on %s", f.fields[f.cursor].id)
	}
	d.shows("✗ API host: ")
}

func TestCtrlCAsksOnce(t *testing.T) {
	t.Run("stay", func(t *testing.T) {
		d := drive(t, setup{}).press("enter", "ctrl+c").shows("Leave certwright?", "s save and leave")
		d.golden("leave")
		if d.press("esc").hides("Leave certwright?"); d.quit {
			t.Error("esc left")
		}
	})
	t.Run("save", func(t *testing.T) {
		d := drive(t, setup{}).press("enter", "ctrl+c", "s")
		if !d.quit || d.root.end.how != SavedAnswers {
			t.Errorf("quit %v, outcome %q", d.quit, d.root.end.how)
		}
	})
	t.Run("save fails", func(t *testing.T) {
		d := drive(t, setup{})
		d.runner.save = func(flow.Save) flow.Saved { return flow.Saved{Err: errors.New("disk full")} }
		d.press("enter", "ctrl+c", "s").shows("disk full")
		if d.quit {
			t.Error("left although nothing was saved")
		}
		if d.press("d"); !d.quit || d.root.end.how != Discarded {
			t.Error("d does not leave after a failed save")
		}
	})
	t.Run("twice", func(t *testing.T) {
		d := drive(t, setup{}).press("ctrl+c", "ctrl+c")
		if !d.quit || d.root.end.how != Left {
			t.Errorf("quit %v, outcome %q", d.quit, d.root.end.how)
		}
	})
	t.Run("no place to save", func(t *testing.T) {
		drive(t, setup{noPlanPath: true}).press("ctrl+c").hides("save to").shows("d discard")
	})
}

func TestHelpNamesTheKeysAndTheStep(t *testing.T) {
	d := drive(t, setup{}).press("enter", "enter", "?").at(flow.StepModes)
	d.golden("help")
	d.press("esc").hides("close help").at(flow.StepModes)
	d.press("esc", "?").at(flow.StepFacts).hides("Keys") // in a text field ? is a letter
	d.press("f1").shows("Keys")
}

func TestCtrlCDuringTheWriteStopsIt(t *testing.T) {
	d := drive(t, setup{})
	started, stopped := make(chan struct{}), make(chan struct{})
	d.runner.write = func(ctx context.Context, e flow.Write) flow.Written {
		close(started)
		<-ctx.Done()
		close(stopped)
		return flow.Written{Err: ctx.Err()}
	}
	d.press("enter", "enter", "enter", "enter").at(flow.StepReview)
	// The write runs on its own; the command that waits for it is kept apart.
	_, cmd := d.root.Update(keyOf(t, "enter"))
	d.at(flow.StepWrite)
	<-started
	d.whole()
	d.golden("write")
	d.size(80, 24)
	for _, k := range []string{"esc", "q", "?"} {
		d.press(k).at(flow.StepWrite)
	}
	d.press("esc") // closes the help
	d.press("ctrl+c").at(flow.StepWrite).shows("stopping")
	if d.quit {
		t.Fatal("ctrl+c ended the program during the write")
	}
	<-stopped
	d.run(cmd)
	d.at(flow.StepWrite).shows("You stopped it")
	d.golden("write-stopped")
	d.press("esc").at(flow.StepReview)
	d.runner.write = nil
	d.press("enter").at(flow.StepDone)
}

func TestAFailedWriteSaysWhyAndGoesBack(t *testing.T) {
	d := drive(t, setup{})
	d.runner.write = func(context.Context, flow.Write) flow.Written {
		return flow.Written{Err: errors.New("write generated/tls/ca.crt: no space left on device; free 1 MB there, or choose another directory")}
	}
	d.press("enter", "enter", "enter", "enter", "enter").at(flow.StepWrite)
	d.golden("write-failed")
	d.press("esc").at(flow.StepReview)
}

// panicking is a runner whose every effect panics.
type panicking struct{}

func (panicking) Run(context.Context, flow.Effect, func(flow.Event)) flow.Event {
	panic("key bytes: SECRET")
}

func TestAPanicInAnEffectIsAnErrorOnScreen(t *testing.T) {
	d := drive(t, setup{})
	d.root.work.runner = panicking{}
	d.press("enter", "enter", "enter").at(flow.StepTopology)
	if _, err := d.root.env.Flow.Prepared(); !errors.Is(err, ErrBug) || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("the error is %v", err)
	}
	d.press("enter").at(flow.StepTopology).press("esc", "esc").at(flow.StepFacts)
}

func TestAPanicInAScreenEndsTheProgramWithoutASecret(t *testing.T) {
	d := drive(t, setup{})
	d.press("enter")
	d.root.screens[flow.StepFacts] = &falling{outline{Env: d.root.env, step: flow.StepFacts}}
	d.press("x")
	if !d.quit {
		t.Fatal("the program goes on")
	}
	result, err := d.root.result(Options{Runner: d.runner}, nil)
	if !errors.Is(err, ErrBug) || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("the error is %v", err)
	}
	if result.SavedTo != "certwright.yaml" {
		t.Errorf("the answers are in %q", result.SavedTo)
	}
}

type falling struct{ outline }

func (*falling) Update(tea.Msg) tea.Cmd { panic("key bytes: SECRET") }

func TestASignalSavesTheAnswers(t *testing.T) {
	for _, c := range []struct {
		step flow.Step
		keys []string
		want string
	}{
		{flow.StepProfile, nil, ""},
		{flow.StepModes, []string{"enter", "enter"}, "certwright.yaml"},
	} {
		d := drive(t, setup{}).press(c.keys...)
		d.msg(signalMsg{syscall.SIGHUP})
		result, err := d.root.result(Options{Runner: d.runner}, nil)
		if err != nil || !d.quit || result.Outcome != Signalled || result.Code() != 129 || result.SavedTo != c.want {
			t.Errorf("at %s: quit %v, %+v, code %d, %v", c.step, d.quit, result, result.Code(), err)
		}
	}
}

func TestNoColorAndASCIIFrames(t *testing.T) {
	d := drive(t, setup{theme: theme.Options{Profile: theme.TrueColor, NoColor: true}}).press("enter", "enter")
	if v := d.root.View(); !strings.Contains(v, "\x1b[1;7m") || strings.Contains(v, "\x1b[3") {
		t.Errorf("NO_COLOR: %q", v)
	}
	for _, keys := range [][]string{nil, {"enter"}, {"enter", "enter"}, {"enter", "enter", "enter", "enter"}} {
		d := drive(t, setup{theme: theme.Options{Profile: theme.None, ASCII: true}}).press(keys...)
		for i, l := range strings.Split(d.root.View(), "\n") {
			if strings.ContainsFunc(l, func(r rune) bool { return r > 0x7e }) {
				t.Errorf("at %s: row %d is not ASCII: %q", d.root.at, i, l)
			}
		}
		d.golden1("ascii-" + string(d.root.at) + ".80x24.txt")
	}
}

func TestDigitsJumpToStepsThatWereSeen(t *testing.T) {
	d := drive(t, setup{}).press("enter", "enter", "enter").at(flow.StepTopology)
	d.press("3").at(flow.StepModes).press("1").at(flow.StepProfile)
	d.press("5").at(flow.StepProfile) // Review was not on screen yet
	d.press("4").at(flow.StepTopology)
}

func TestResumeGoesToTheFirstOpenQuestion(t *testing.T) {
	d := drive(t, setup{})
	var other *flow.State
	d = drive(t, setup{resumable: &Resumable{Path: "/home/ann/old.yaml", Saved: testNow.Add(-125 * 60 * 1e9), Note: "tectonic, cluster old", Open: func() (*flow.State, []flow.Effect, error) {
		p := d.root.env.Flow.Plan()
		p.Facts["cluster.name"] = "old"
		c := p.Components["kube"]
		c.Mode = topology.BringCA
		p.Components["kube"] = c
		s, effects, err := flow.New(builtin{}, p)
		other = s
		return s, effects, err
	}}})
	d.press("end").shows("tectonic, cluster old, saved 2 hours ago", "~/old.yaml")
	d.golden("resume")
	d.press("enter").at(flow.StepCA)
	if d.root.env.Flow != other || !strings.Contains(d.frame(), "old") {
		t.Error("the flow is still the one before")
	}
	for range 3 { // the CA screen may have a list open
		if d.root.env.Flow.At() == flow.StepCA {
			d.press("esc")
		}
	}
	d.at(flow.StepModes)
}

func TestWhenResumingFailsTheFirstScreenSaysWhy(t *testing.T) {
	d := drive(t, setup{resumable: &Resumable{Path: "old.yaml", Open: func() (*flow.State, []flow.Effect, error) {
		return nil, nil, errors.New("old.yaml:3:1: unknown field")
	}}})
	d.press("end", "enter").at(flow.StepProfile).shows("old.yaml:3:1: unknown field")
}

// Whatever is pressed: Back goes back until the first step, and from there enter
// leads to the end once every answer is good.
func TestNobodyIsStranded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := drive(t, setup{})
		n := rapid.IntRange(0, 40).Draw(rt, "keys")
		for range n {
			k := rapid.SampledFrom(mashed).Draw(rt, "key")
			d.press(k)
			if d.quit || d.root.env.Flow.At() == flow.StepDone {
				return
			}
		}
		for range 60 {
			if d.root.env.Flow.At() == flow.StepProfile && d.root.leave == nil && d.root.help == nil {
				return
			}
			d.press("esc")
		}
		rt.Fatalf("esc does not lead back to the first step:\n%s", d.frame())
	})
}

// Every screen has its golden frames and its own screen.
func TestEveryStepHasAScreen(t *testing.T) {
	for _, step := range flow.Steps() {
		if _, ok := makers[step]; !ok {
			t.Errorf("no screen asks %s", step)
		}
		if stepHelp(step) == "" {
			t.Errorf("the help says nothing of %s", step)
		}
	}
}

func TestFilesAreLookedAtOnceASecondAndOneLookAtATime(t *testing.T) {
	d := drive(t, setup{}).press("enter", "enter", "down", "c", "enter").at(flow.StepCA)
	field := flow.Field{Slot: "kube/ca", Part: flow.PartCert}
	d.runner.verdicts["kube/ca"] = flow.Verdict{Pair: goodPair(), Stamps: map[string]flow.Stamp{"ca.crt": {}}}
	d.run(d.root.do(flow.SetSource{Field: field, Source: flow.Source{Path: "ca.crt"}}))
	looks := func() (n int) {
		for _, e := range d.runner.ran {
			if _, ok := e.(flow.LookAtFiles); ok {
				n++
			}
		}
		return n
	}
	d.advance().advance()
	if looks() != 2 {
		t.Fatalf("%d looks in two seconds", looks())
	}
	_, waiting := d.root.Update(lookMsg{}) // this one does not come back yet
	d.advance()
	if looks() != 2 {
		t.Errorf("%d looks while one is under way", looks())
	}
	d.runner.changed = []topology.SlotID{"kube/ca"}
	d.run(waiting)
	last := d.runner.ran[len(d.runner.ran)-1]
	if check, ok := last.(flow.CheckSlot); !ok || !check.Rechecked {
		t.Errorf("after a change on disk the last effect is %T", last)
	}
}

func TestANewerCheckCancelsTheOneBefore(t *testing.T) {
	d := drive(t, setup{})
	var contexts []context.Context
	d.root.work.wait = func(ctx context.Context, _ time.Duration) bool {
		contexts = append(contexts, ctx)
		return ctx.Err() == nil
	}
	first := d.root.work.start([]flow.Effect{flow.CheckSlot{Slot: "kube/ca", Gen: 1, Debounced: true}})
	second := d.root.work.start([]flow.Effect{flow.CheckSlot{Slot: "kube/ca", Gen: 2, Debounced: true}})
	other := d.root.work.start([]flow.Effect{flow.CheckSlot{Slot: "etcd/ca", Gen: 3, Debounced: true}})
	if msg := first(); msg != nil {
		t.Errorf("the older check went on: %v", msg)
	}
	if msg, ok := second().(judgedMsg); !ok {
		t.Errorf("a check that nobody replaced did not run: %v", msg)
	}
	if msg := other(); msg != nil { // taken with the one that waits already
		t.Errorf("another message for a second verdict: %v", msg)
	}
	if got, _ := d.root.work.verdicts(); len(got) != 2 {
		t.Errorf("verdicts %v, want two", got)
	}
	if len(contexts) != 3 {
		t.Errorf("%d checks waited for the typing to pause", len(contexts))
	}
}

func TestEnterBeforeTheKeysAreReadyWritesWhenTheyAre(t *testing.T) {
	d := drive(t, setup{}).press("enter", "enter")
	_, making := d.root.Update(keyOf(t, "enter")) // the set is not made yet
	d.at(flow.StepTopology).press("enter").at(flow.StepReview).shows("Making the set")
	d.golden("review-waiting")
	d.size(80, 24).press("enter").at(flow.StepWrite).shows("ctrl+c stop")
	d.run(making)
	d.at(flow.StepDone)
}

func TestCtrlCWhileTheKeysAreMadeGoesBackToReview(t *testing.T) {
	d := drive(t, setup{}).press("enter", "enter")
	d.root.Update(keyOf(t, "enter"))
	d.press("enter", "enter").at(flow.StepWrite).press("ctrl+c").at(flow.StepReview)
	if d.quit || d.root.leave != nil {
		t.Error("ctrl+c did more than stop")
	}
}

func TestAnswersThatCannotBeSavedAreSaidOnce(t *testing.T) {
	d := drive(t, setup{})
	d.runner.save = func(flow.Save) flow.Saved { return flow.Saved{Err: errors.New("disk full")} }
	d.press("enter").at(flow.StepFacts).shows("your answers are not saved as you go: disk full")
	d.press("down").hides("disk full")
}

func TestSOnReviewSavesAndSaysWhere(t *testing.T) {
	d := drive(t, setup{}).press("enter", "enter", "enter", "enter").at(flow.StepReview)
	d.press("s").shows("saved in certwright.yaml: certwright apply -f certwright.yaml does the same")
	d.runner.save = func(flow.Save) flow.Saved { return flow.Saved{Err: errors.New("disk full")} }
	d.press("s").shows("not saved: disk full")
}
