//go:build unix

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const smallPlan = "apiVersion: certwright/v1\nprofile: tectonic\n"

// A command that is no wizard treats a terminal as it treats a pipe.
func TestPtyHeadlessCommandsSendNothingToTheTerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "plan.yaml"), smallPlan)
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"version"}, 0, "certwright"},
		{[]string{"--help"}, 0, "Usage"},
		{[]string{"apply", "-f", "plan.yaml", "--dry-run"}, 0, "generated"},
		{[]string{"apply", "-f", "plan.yaml"}, 0, "generated"},
		{[]string{"validate", "generated"}, 0, "acceptable"},
		{[]string{"status", "generated"}, 0, "tls/"},
		{[]string{"prove", "generated"}, 0, "0 failed"},
		{[]string{"recover", "generated"}, 0, ""},
		{[]string{"apply", "-f", "plan.yaml"}, 0, "holds this set already"},
		{[]string{"apply", "-f", "plan.yaml", "--anew"}, 3, "--force"},
		{[]string{"apply", "-f", "missing.yaml"}, 2, "missing.yaml"},
	} {
		p := attach(t, dir, c.args...)
		if got := p.ended(); got != c.status {
			t.Errorf("%v: status %d, want %d\n%s", c.args, got, c.status, p.text())
		}
		p.slave.Close()
		<-p.done
		if out := p.text(); strings.Contains(out, "\x1b") || !strings.Contains(out, c.says) {
			t.Errorf("%v writes %q", c.args, out)
		}
	}
}

// A terminal that never answers costs no more than a moment: the library alone
// would wait 5 s.
func TestPtyTheWizardAsksOnceAndPaintsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	limit := within(2 * time.Second)
	began := time.Now()
	p := attach(t, t.TempDir())
	p.see("[Profile]")
	if took := time.Since(began); took > limit {
		t.Errorf("the first screen took %v, want less than %v", took, limit)
	}
	p.through("Facts", "Components")
	p.send("\x03\x03")
	if got := p.ended(); got != 130 {
		t.Errorf("status %d", got)
	}
	p.restored()
	for _, q := range []struct {
		what, bytes string
		most        int
	}{
		{"background (OSC 11)", "\x1b]11;?", 1},
		{"attributes (DA1)", "\x1b[c", 1},
		{"foreground (OSC 10)", "\x1b]10;?", 0},
		{"cursor position (CPR)", "\x1b[6n", 0},
		{"version (XTVERSION)", "\x1b[>q", 0},
		{"modes (DECRQM)", "$p", 0},
	} {
		if n := strings.Count(p.text(), q.bytes); n > q.most {
			t.Errorf("the terminal was asked for its %s %d times, want at most %d", q.what, n, q.most)
		}
	}
}

// An answer is taken for an answer, whenever it comes, and never for typing.
func TestPtyAnswersOfTheTerminalAreNotTyped(t *testing.T) {
	t.Parallel()
	const answer = "\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?62;22c"
	p := attach(t, t.TempDir())
	p.see("\x1b]11;?")
	p.send(answer)
	p.see("[Profile]")
	p.through("Facts")
	p.send(answer) // one that was on its way for long
	p.send("x")
	p.see("demox-api.example.com")
	p.send("\x03\x03")
	if got := p.ended(); got != 130 {
		t.Errorf("status %d", got)
	}
	p.restored()
	if strings.Contains(p.text(), "rgb:") || strings.Contains(p.text(), "ffff/") {
		t.Error("the answer stands on the screen")
	}
}
