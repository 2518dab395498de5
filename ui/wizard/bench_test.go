package wizard

import (
	"strconv"
	"testing"

	"certwright/flow"
	"certwright/ui/theme"
)

// BenchmarkFrame is one window of each step; a frame has 8 ms at 120 a second.
func BenchmarkFrame(b *testing.B) {
	for step, keys := range map[flow.Step][]string{
		flow.StepProfile: nil,
		flow.StepFacts:   {"enter"},
		flow.StepModes:   {"enter", "enter"},
		flow.StepReview:  {"enter", "enter", "enter", "enter"},
	} {
		b.Run(string(step), func(b *testing.B) {
			d := drive(b, setup{width: 120, height: 40, theme: theme.Options{Profile: theme.TrueColor, Dark: true}}).press(keys...).at(step)
			for b.Loop() {
				d.root.View()
			}
		})
	}
}

// BenchmarkReviewOf40000Files moves through a set of ten thousand nodes.
func BenchmarkReviewOf40000Files(b *testing.B) {
	d := drive(b, setup{width: 120, height: 40})
	d.runner.prepare = func(e flow.Prepare) (*flow.Prepared, error) {
		p := prepared(e.Answers)
		for i := range 10_000 {
			for _, name := range []string{"kubelet.crt", "kubelet.key", "ca.crt", "kubelet.conf"} {
				p.Survey.Changes = append(p.Survey.Changes, flow.Change{Path: "nodes/node-" + strconv.Itoa(i) + "/" + name, What: flow.Added, Mode: 0o600, Size: 900, Slot: "kube/kubelet"})
			}
		}
		return p, nil
	}
	d.press("enter", "enter", "enter", "enter").at(flow.StepReview)
	for b.Loop() {
		d.press("down")
		d.root.View()
	}
}
