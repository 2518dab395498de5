package wizard

import (
	"bytes"
	"slices"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

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

// BenchmarkPasteOfOneMiB is what the update loop does for the largest paste; the
// judging is a command's.
func BenchmarkPasteOfOneMiB(b *testing.B) {
	ca := testCA(b, "Corp CA", nil)
	text := []rune(string(bytes.Repeat(ca.pem, maxPaste/len(ca.pem))))
	d := pasteDriver(b)
	box := d.slots().paste
	for b.Loop() {
		box.drop()
		box.press(tea.KeyMsg{Type: tea.KeyRunes, Runes: slices.Clone(text), Paste: true})
		_ = d.root.View()
	}
}
