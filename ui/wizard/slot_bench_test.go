package wizard

import (
	"bytes"
	"testing"

	"certwright/flow"
)

// BenchmarkSlotFrame draws the Certs step with everything brought from one folder.
func BenchmarkSlotFrame(b *testing.B) {
	files, _ := etcdFiles(b)
	d := driveSlots(b, flow.StepCerts, allCerts, setup{width: 120, height: 40}, files)
	d.press("d", "enter", "enter").rest()
	for b.Loop() {
		_ = d.root.View()
	}
}

// BenchmarkSlotFrameOfABundle draws a field that holds a thousand certificates,
// each with a finding of its own.
func BenchmarkSlotFrameOfABundle(b *testing.B) {
	files, certs := etcdFiles(b)
	files["bundle.pem"] = bytes.Repeat(certs["peer"].pem, 1000)
	d := driveSlots(b, flow.StepCerts, allCerts, setup{width: 120, height: 40}, files)
	d.press("t").write("bundle.pem").press("enter").rest()
	b.Logf("%d findings", len(d.root.env.Flow.Verdict("etcd/ca").Findings))
	for b.Loop() {
		_ = d.root.View()
	}
}
