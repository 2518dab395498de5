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
