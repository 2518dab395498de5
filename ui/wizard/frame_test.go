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
