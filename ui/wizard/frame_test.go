package wizard

import (
	"testing"

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
