package wizard

import (
	"context"
	"crypto/ed25519"
	"testing"

	"certwright/certs"
	"certwright/flow"
)

func TestEnterFromTheFirstScreenWritesTheSet(t *testing.T) {
	d := drive(t, setup{})
	for range 6 {
		if d.root.env.Flow.At() == flow.StepDone {
			break
		}
		d.press("enter")
	}
	d.at(flow.StepDone)
}

func TestFramesProfile(t *testing.T) { drive(t, setup{}).golden("profile") }
func TestFramesFacts(t *testing.T) {
	drive(t, setup{}).press("enter").at(flow.StepFacts).golden("facts")
}

func TestFramesModes(t *testing.T) {
	drive(t, setup{}).press("enter", "enter").at(flow.StepModes).golden("modes")
}

// bringing has a CA for kube and certificates for ingress.
func bringing(d *driver) *driver {
	return d.press("enter", "enter").at(flow.StepModes).press("down", "c", "down", "down", "b")
}

func TestFramesModesBring(t *testing.T) {
	bringing(drive(t, setup{})).golden("modes-bring")
	bringing(drive(t, setup{})).press("up", "up", "i").golden("modes-ca")
}

func TestFramesReview(t *testing.T) {
	drive(t, setup{}).press("enter", "enter", "enter", "enter").at(flow.StepReview).press("down", "down", "down").golden("review")
}

func TestFramesDone(t *testing.T) {
	d := drive(t, setup{}).press("enter", "enter", "enter", "enter", "enter").at(flow.StepDone)
	d.golden("done")
}

func TestFramesFactsWrong(t *testing.T) {
	d := drive(t, setup{}).press("enter").at(flow.StepFacts)
	d.press("down", "down", "ctrl+u").write("10.20.0.300")
	d.press("down", "down", "down", "ctrl+u").write("10.3.0.1/16").press("down", "down", "down").write("!")
	d.golden("facts-wrong")
}

func TestFramesReviewReplacing(t *testing.T) {
	d := drive(t, setup{})
	d.runner.prepare = func(e flow.Prepare) (*flow.Prepared, error) {
		p := prepared(e.Answers)
		p.Survey.Existing = "a set that certwright wrote on 2026-10-01"
		for i := range p.Survey.Changes {
			switch c := &p.Survey.Changes[i]; {
			case c.Slot == "kube/apiserver":
				c.What, c.OldSize, c.Modified = flow.Overwrite, 1204, true
			case c.Slot == "etcd/ca":
				c.What, c.OldSize = flow.Same, c.Size
			}
		}
		return warned(p, "kube/apiserver", "ends in 41 days", "ask your CA for a longer one"), nil
	}
	d.press("enter", "enter", "enter", "enter").at(flow.StepReview).press("n").shows("1 of 1: ends in 41 days")
	d.press("home", "n").golden("review-replacing")
	d.press("enter").at(flow.StepReview).write("dem").golden("review-confirm")
	d.press("enter").at(flow.StepReview).write("o").shows("enter replaces them")
	d.press("enter").at(flow.StepDone)
}

func TestFramesReviewDirectory(t *testing.T) {
	d := drive(t, setup{}).press("enter", "enter", "enter", "enter").at(flow.StepReview)
	d.press("o", "ctrl+u").write("/srv/pki").golden("review-directory")
	d.press("esc").shows("generated").press("o", "ctrl+u").write("/srv/pki").press("enter").shows("/srv/pki").at(flow.StepReview)
	if dir := d.root.env.Flow.Plan().Output.Dir; dir != "/srv/pki" {
		t.Errorf("the directory is %q", dir)
	}
}

func TestFramesReviewForms(t *testing.T) {
	d := drive(t, setup{}).press("enter", "enter", "enter", "enter").at(flow.StepReview)
	d.press("f").golden("review-forms")
	for range d.root.env.Flow.Profile().Layouts[1:] {
		d.press("space", "down")
	}
	d.press("space").shows("one form has to stay")
	if got := d.root.env.Flow.Plan().Output.Layouts; len(got) != 1 {
		t.Errorf("the forms are %v", got)
	}
	d.press("esc").at(flow.StepReview).shows("enter writes")
}

func TestFramesDemo(t *testing.T) {
	drive(t, setup{demo: true, noPlanPath: true}).press("enter", "enter", "enter", "enter", "enter").at(flow.StepDone).
		shows("demo: nothing touches the disk", "in memory only").hides("apply -f", "NEXT-STEPS").golden("done-demo")
}

func TestFramesDoneWithThingsToMind(t *testing.T) {
	d := drive(t, setup{})
	d.runner.prepare = func(e flow.Prepare) (*flow.Prepared, error) {
		p := prepared(e.Answers)
		p.Notes = []string{"kube/apiserver ends with its CA, on 2027-03-01"}
		return warned(p, "kube/apiserver", "the API server's certificate ends in 41 days", "renew it before 2027-01-01"), nil
	}
	d.runner.write = func(_ context.Context, e flow.Write) flow.Written {
		return flow.Written{Receipt: flow.Receipt{
			Dir: "generated", Written: 20, Unchanged: 7, Backup: "generated.old-20261121-120000",
			Notes: []string{"this file system cannot sync directories"},
		}}
	}
	d.press("enter", "enter", "enter", "enter", "enter").at(flow.StepDone).golden("done-mind")
	d.size(60, 16)
	for range 30 {
		d.press("down").whole()
	}
	d.shows("certwright status generated")
	if d.press("y"); d.copied != "certwright apply -f generated/certwright.yaml\ncertwright status generated\n" {
		t.Errorf("copied %q", d.copied)
	}
}

func TestPastedMaterialIsNamedWhereTheRunIsRepeated(t *testing.T) {
	d := drive(t, setup{}).press("enter", "enter", "down", "c")
	d.runner.verdicts["kube/ca"] = flow.Verdict{Pair: &certs.Pair{Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}}
	d.run(d.root.do(flow.SetSource{Field: flow.Field{Slot: "kube/ca", Part: flow.PartCert}, Source: flow.Source{Pasted: []byte("x")}}))
	d.run(d.root.do(flow.SetSource{Field: flow.Field{Slot: "kube/ca", Part: flow.PartKey}, Source: flow.Source{Pasted: []byte("x")}}))
	for range 5 {
		d.run(d.root.do(flow.Next{}))
	}
	d.at(flow.StepDone).shows("kube CA came by paste")
}
