//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const answersFile = ".local/state/certwright/answers.yaml"

// prodFacts has gone to the facts and named the cluster.
func prodFacts(t *testing.T) *terminal {
	t.Helper()
	p := attach(t, t.TempDir())
	p.see("[Profile]")
	p.through("Facts")
	p.send("\x15\b\b\b\b\x7f\x7f\x7f\x7f")
	p.send("prod")
	p.see("prod-api.example.com")
	return p
}

func TestPtyTheEndsRestoreTheTerminal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		end    func(*terminal)
		status int
		says   string // on the normal screen
		kept   bool   // the answers are in the state directory
	}{
		{"the set is written", func(p *terminal) {
			p.through("Components", "Topology", "Review")
			p.see("enter writes")
			p.through("Done")
			p.send("\r")
		}, 0, "certwright apply -f generated/certwright.yaml", false},
		{"ctrl+c twice", func(p *terminal) { p.send("\x03\x03") }, 130, "", false},
		{"ctrl+c, save", func(p *terminal) {
			p.send("\x03")
			p.see("Leave certwright?")
			p.send("s")
		}, 130, "certwright --resume", true},
		{"ctrl+c, discard", func(p *terminal) {
			p.send("\x03")
			p.see("Leave certwright?")
			p.send("d")
		}, 130, "", false},
		{"SIGTERM", func(p *terminal) { p.signal(syscall.SIGTERM) }, 143, "certwright --resume", true},
		{"SIGHUP", func(p *terminal) { p.signal(syscall.SIGHUP) }, 129, "certwright --resume", true},
		{"SIGINT", func(p *terminal) { p.signal(syscall.SIGINT) }, 130, "certwright --resume", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := prodFacts(t)
			c.end(p)
			if got := p.ended(); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			p.restored()
			if !strings.Contains(p.afterwards(), c.says) {
				t.Errorf("the normal screen has no %q: %q", c.says, p.afterwards())
			}
			if c.name == "ctrl+c, discard" {
				hasNot(t, p.home, answersFile)
			}
			if c.kept {
				holds(t, filepath.Join(p.home, answersFile), "cluster.name: prod")
			}
			if c.status == 0 {
				sound(t, p.dir, "generated")
			} else {
				hasNot(t, p.dir, "generated")
			}
		})
	}
}

// The window is closed: nobody is there to be told, but the answers are kept.
func TestPtyTheTerminalGoesAway(t *testing.T) {
	t.Parallel()
	p := prodFacts(t)
	p.slave.Close()
	p.master.Close()
	if got := p.ended(); got != 129 {
		t.Errorf("status %d, want 129", got)
	}
	holds(t, filepath.Join(p.home, answersFile), "cluster.name: prod")
	hasNot(t, p.dir, "generated")
}

// staged says when at least n files of a set are staged beside or in a directory.
func staged(dir string, n int) func() error {
	return func() error {
		for _, pattern := range []string{".generated.certwright-tx-*", "generated/.certwright-tx-*"} {
			found, _ := filepath.Glob(filepath.Join(dir, pattern)) // the pattern is good
			if len(found) == 0 {
				continue
			}
			count := 0
			_ = filepath.WalkDir(found[0], func(_ string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					count++
				}
				return nil // what goes away meanwhile is not counted
			})
			if count >= n {
				return nil
			}
		}
		return errNotYet
	}
}

// either looks for a moment that may be missed, and for what follows it.
func either(moment, after func() error) func() error {
	return func() error {
		if moment() == nil {
			return nil
		}
		return after()
	}
}

// leftovers are what a run has left behind, backups aside.
func leftovers(t *testing.T, dir string) (left []string) {
	t.Helper()
	for _, pattern := range []string{".generated.certwright-*", "generated/.certwright-tx-*", "generated/.certwright-journal*", "generated/.certwright-done-*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, found...)
	}
	return left
}

// replacing has gone to the point where Enter replaces the set that is there.
func replacing(t *testing.T, dir, home string) *terminal {
	t.Helper()
	p := attachAt(t, dir, home, "--set", "cluster.name=prod")
	p.see("[Profile]")
	p.through("Facts", "Components", "Topology", "Review")
	p.see("Type prod to replace")
	p.send("\rprod")
	p.see("enter replace")
	return p
}

// kill -9 while a set replaces another: what is there is the old set or the new
// one, after recover at the latest, and nothing else is left.
func TestPtyAKillLeavesNoHalfSet(t *testing.T) {
	t.Parallel()
	dir, _ := place(t, "existing-set")
	home := t.TempDir()
	const leaf = "generated/tls/apiserver.crt"
	old := read(t, dir, leaf)
	journal := func() error {
		_, err := os.Stat(filepath.Join(dir, "generated/.certwright-journal"))
		return err
	}
	replaced := func() error {
		if b, err := os.ReadFile(filepath.Join(dir, leaf)); err != nil || string(b) == old {
			return errNotYet
		}
		return nil
	}
	for _, c := range []struct {
		when string
		look func() error
	}{
		{"staging begins", either(staged(dir, 0), replaced)},
		{"1 file is staged", either(staged(dir, 1), replaced)},
		{"30 files are staged", either(staged(dir, 30), replaced)},
		{"old and new lie side by side", either(staged(dir, 80), replaced)},
		{"the journal is there", either(journal, replaced)},
		{"the journal is there, a second time", either(journal, replaced)},
		{"the first file is replaced", replaced},
		{"the first file is replaced, a second time", replaced},
	} {
		p := replacing(t, dir, home)
		p.send("\r")
		if !p.watch(c.look) {
			t.Fatalf("the wizard ended by itself:\n%s", p.words())
		}
		p.signal(syscall.SIGKILL)
		if got := p.ended(); got != 137 {
			t.Fatalf("status %d", got)
		}
		_, said := headless(t, dir, "recover", "generated")
		if left := leftovers(t, dir); len(left) > 0 {
			t.Fatalf("killed when %s: recover leaves %v; it says %s", c.when, left, said)
		}
		now := read(t, dir, leaf)
		t.Logf("killed when %s: the new set is there: %t; recover says %s", c.when, now != old, strings.TrimSpace(said))
		old = now
		sound(t, dir, "generated")
	}
}

// The window is closed while the set is written: it is written, or nothing is.
func TestPtyTheTerminalGoesAwayDuringTheWrite(t *testing.T) {
	t.Parallel()
	for _, files := range []int{0, 20, 50} {
		dir := t.TempDir()
		p := attach(t, dir)
		p.see("[Profile]")
		p.through("Facts", "Components", "Topology", "Review")
		p.see("enter writes")
		p.send("\r")
		whole := func() error {
			_, err := os.Stat(filepath.Join(dir, "generated"))
			return err
		}
		p.watch(either(staged(dir, files), whole))
		p.slave.Close()
		p.master.Close()
		got := p.ended()
		switch _, err := os.Stat(filepath.Join(dir, "generated")); {
		case err == nil && got == 0:
			sound(t, dir, "generated")
		case err != nil && got == 129:
		default:
			t.Errorf("closed with %d files staged: status %d, the set: %v", files, got, err)
		}
		if left := leftovers(t, dir); len(left) > 0 {
			t.Errorf("closed with %d files staged: %v is left", files, left)
		}
	}
}

// Nobody reads what apply says: the set is written all the same.
func TestPtyAClosedOutputDoesNotStopTheCommit(t *testing.T) {
	t.Parallel()
	for _, more := range [][]string{nil, {"-o", "json"}} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "plan.yaml"), smallPlan)
		cmd := command(dir, t.TempDir(), slices.Concat([]string{"apply", "-f", "plan.yaml"}, more)...)
		cmd.Stdout = closedPipe(t)
		err := cmd.Run()
		t.Logf("apply %v ended with %v", more, err)
		sound(t, dir, "generated")
		if left := leftovers(t, dir); len(left) > 0 {
			t.Errorf("%v is left", left)
		}
	}
}

// Nor does anybody hear it complain, as behind "2>&1 | head": there is a whole
// set or none, after recover at the latest.
func TestPtyClosedOutputAndErrorsStopNoWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "plan.yaml"), smallPlan)
	cmd := command(dir, t.TempDir(), "apply", "-f", "plan.yaml")
	closed := closedPipe(t)
	cmd.Stdout, cmd.Stderr = closed, closed
	if err := cmd.Run(); err != nil {
		t.Errorf("apply ended with %v: a reader that has gone stops no write", err)
	}
	_, said := headless(t, dir, "recover", "generated")
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("recover leaves %v; it says %s", left, said)
	}
	sound(t, dir, "generated")
}

// closedPipe is an output that nobody reads.
func closedPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	t.Cleanup(func() { w.Close() })
	return w
}
