package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"certwright/assets/store"
	"certwright/assets/store/crashfs"
)

var errnos = []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EACCES, syscall.EROFS, syscall.EINTR}

// afterFault judges a run that met an error: what it said must be true, and
// what it left must be recoverable to the old set or the new one.
func afterFault(o *oracle, f *crashfs.FS, err error) string {
	live := o.judge(f.Tree("/"))
	var e *store.Error
	switch {
	case err == nil:
		if live != "new" {
			return "success, but the set is " + live
		}
		return settledAs(o, f, "new")
	case !errors.As(err, &e):
		return fmt.Sprintf("an error without a kind: %v", err)
	}
	if why := wellSaid(e); why != "" {
		return why
	}
	switch e.Kind {
	case store.Failed, store.Refused:
		if live != "old" {
			return fmt.Sprintf("%v, but the set is %s", err, live)
		}
		return settledAs(o, f, "")
	case store.Pending:
		if strings.HasPrefix(e.State, "the new set is complete") && !maps.Equal(filesOf(flat(f.Tree("/"))), filesOf(o.new)) {
			return fmt.Sprintf("%v, but the set is %s", err, live)
		}
		return settledAs(o, f, "")
	}
	return fmt.Sprintf("kind %d: %v", e.Kind, err)
}

// filesOf leaves the directories out: an empty one of the old set may be left
// for the next run to remove.
func filesOf(tree map[string]string) map[string]string {
	out := maps.Clone(tree)
	maps.DeleteFunc(out, func(_, text string) bool { return strings.HasPrefix(text, "true ") })
	return out
}

// wellSaid checks that an error tells all that design section 8 asks for.
func wellSaid(e *store.Error) string {
	text := e.Error()
	for what, part := range map[string]string{"file": e.Path, "state": e.State, "next step": e.Next} {
		if part == "" {
			return fmt.Sprintf("no %s in %q", what, text)
		}
	}
	if strings.ContainsAny(text, "\n\r") || strings.Contains(text, "new key") {
		return fmt.Sprintf("not one clean line: %q", text)
	}
	return ""
}

// settledAs heals the disk, crashes it, recovers it.
func settledAs(o *oracle, f *crashfs.FS, want string) string {
	f.Before, f.After, f.Budget = nil, nil, nil
	random := rand.New(rand.NewPCG(3, 4))
	for state := range f.States(4, random) {
		got, bad := o.settled(state)
		if bad == "" && want != "" && got != want {
			bad = "after a power failure it is " + got
		}
		if bad != "" {
			return bad
		}
	}
	got, bad := o.settled(f)
	if bad == "" && want != "" && got != want {
		bad = "after recovery it is " + got
	}
	return bad
}

// Every operation of every plan fails once, in every way, before or after it
// was done; and fails from there on, as on a disk that went read-only.
func TestEveryOperationFails(t *testing.T) {
	for _, s := range scenarios() {
		if len(s.files) > 20 || s.enter != "" && !long { // where a recovery starts changes no fault
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			o := s.oracle(t)
			probe := s.start()
			before := probe.Ops()
			if _, err := s.run(probe); err != nil {
				t.Fatal(err)
			}
			runs, outcomes := 0, map[string]int{}
			for n := before + 1; n <= probe.Ops(); n++ {
				for _, errno := range errnos {
					for _, mode := range []string{"not done", "done", "for good"} {
						if (mode != "not done" || s.plain || strings.Contains(s.name, "three")) && errno != syscall.EIO && !long {
							continue // only the reason differs
						}
						f := s.start()
						var at crashfs.Op
						fail := func(op crashfs.Op) error {
							if op.N == n {
								at = op
							}
							if op.N == n || op.N > n && mode == "for good" {
								return errno
							}
							return nil
						}
						if mode == "done" {
							f.After = fail
						} else {
							f.Before = fail
						}
						_, err := s.run(f)
						runs++
						outcomes[fmt.Sprint("exit ", store.ExitStatus(err))]++
						if why := afterFault(o, f, err); why != "" {
							t.Errorf("%d %s %s %s: %v, %s: %s", n, at.Name, at.Path, at.To, errno, mode, why)
						}
						if t.Failed() {
							return
						}
					}
				}
			}
			t.Logf("%d operations, %d faults: %v", probe.Ops()-before, runs, outcomes)
		})
	}
}

// The disk fills up at every byte.
func TestEveryBudget(t *testing.T) {
	for _, s := range scenarios() {
		if len(s.files) > 20 || s.enter != "" && !long { // where a recovery starts changes no fault
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			o := s.oracle(t)
			refused := 0
			step := int64(1)
			if len(o.old) > 3 {
				step = int64(scale(16, 1))
			}
			for budget := int64(0); ; budget += step {
				f := s.start()
				left := budget
				f.Budget = &left
				_, err := s.run(f)
				if err != nil && !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("%d bytes: %v", budget, err)
				}
				if why := afterFault(o, f, err); why != "" {
					t.Fatalf("%d bytes: %s", budget, why)
				}
				if err == nil {
					t.Logf("%d budgets refused, the old state intact in each; %d bytes suffice", refused, budget)
					return
				}
				refused++
			}
		})
	}
}

// A context that ends at any operation before the commit leaves the old state;
// after it, the commit finishes.
func TestCancelAnywhere(t *testing.T) {
	s := scenarios()[0]
	o := s.oracle(t)
	probe := s.start()
	before := probe.Ops()
	if _, err := s.run(probe); err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]int{}
	for n := before + 1; n <= probe.Ops(); n++ {
		f := s.start()
		ctx, cancel := context.WithCancelCause(t.Context())
		f.After = func(op crashfs.Op) error {
			if op.N == n {
				cancel(errors.New("terminated"))
			}
			return nil
		}
		_, err := commit(ctx, f, dest, true, s.files)
		cancel(nil)
		live := o.judge(f.Tree("/"))
		outcomes[fmt.Sprint("exit ", store.ExitStatus(err), " ", live)]++
		if err == nil && live != "new" || err != nil && (live != "old" || store.ExitStatus(err) != 130) {
			t.Fatalf("operation %d: %v, and the set is %s", n, err, live)
		}
		if why := o.leftovers(f.Tree("/"), err == nil); why != "" {
			t.Fatalf("operation %d: %v: %s", n, err, why)
		}
	}
	t.Log(outcomes)
}

// Recovery with a failing disk changes nothing for the worse.
func TestRecoveryFails(t *testing.T) {
	s := scenarios()[0]
	o := s.oracle(t)
	var interrupted []*crashfs.FS
	f := s.start()
	f.After = func(op crashfs.Op) error {
		if slices.Contains([]string{"rename", "remove"}, op.Name) {
			interrupted = append(interrupted, f.Live())
		}
		return nil
	}
	if _, err := s.run(f); err != nil {
		t.Fatal(err)
	}
	runs := 0
	for _, disk := range interrupted {
		for n := 1; ; n++ {
			f := disk.Live()
			hit := false
			f.Before = func(op crashfs.Op) error {
				if op.N == n {
					hit = true
					return syscall.EIO
				}
				return nil
			}
			_, err := store.Recover(t.Context(), f, dest, false)
			runs++
			f.Before = nil
			if got, bad := o.settled(f); bad != "" {
				t.Fatalf("operation %d, %v: %s %s", n, err, got, bad)
			}
			if !hit {
				break
			}
		}
	}
	t.Logf("%d interrupted disks, %d recoveries with a fault", len(interrupted), runs)
}

// A disk that gives other bytes back than were written is found out before
// anything is replaced.
func TestDiskCorrupts(t *testing.T) {
	for _, s := range scenarios()[:2] {
		o := s.oracle(t)
		probe := s.start()
		var staged []int
		probe.After = func(op crashfs.Op) error {
			if (op.Name == "write" || op.Name == "sync") && strings.Contains(op.Path, ".certwright-tx-") {
				staged = append(staged, op.N)
			}
			return nil
		}
		if _, err := s.run(probe); err != nil {
			t.Fatal(err)
		}
		for _, n := range staged {
			f := s.start()
			f.After = func(op crashfs.Op) error {
				if op.N == n {
					f.Flip(op.Path)
				}
				return nil
			}
			_, err := s.run(f)
			if store.ExitStatus(err) != 5 || !strings.Contains(err.Error(), "other bytes") {
				t.Fatalf("%s, operation %d: %v", s.name, n, err)
			}
			if why := afterFault(o, f, err); why != "" {
				t.Fatalf("%s, operation %d: %s", s.name, n, why)
			}
		}
		t.Logf("%s: %d flipped bytes", s.name, len(staged))
	}
}

// A rename into place fails, the steps before it are undone, and the power goes
// at each operation of that.
func TestCrashInRollback(t *testing.T) {
	for _, noLinks := range []bool{false, true} {
		sc := scenarios()[0]
		sc.plain = noLinks
		o := sc.oracle(t)
		probe := sc.start()
		var steps []int
		committed := false
		probe.After = func(op crashfs.Op) error {
			if op.Name == "rename" && strings.HasSuffix(op.To, ".certwright-journal") {
				committed = true
			} else if committed && (op.Name == "rename" && !strings.Contains(op.To, ".certwright") ||
				op.Name == "remove" && !strings.Contains(op.Path, ".certwright")) {
				steps = append(steps, op.N)
			}
			return nil
		}
		if _, err := sc.run(probe); err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(9, 10))
		states, ended := 0, map[int]int{}
		for _, n := range steps {
			f := sc.start()
			f.Before = func(op crashfs.Op) error {
				if op.N == n {
					return syscall.EIO
				}
				return nil
			}
			f.After = func(op crashfs.Op) error {
				if op.N < n || !op.Writes() {
					return nil
				}
				for state := range f.States(scale(30, 2000), random) {
					states++
					if got, bad := o.settled(state); bad != "" {
						t.Errorf("step %d, then %s %s %s: %s %s", n, op.Name, op.Path, op.To, got, bad)
					}
				}
				return nil
			}
			_, err := sc.run(f)
			ended[store.ExitStatus(err)]++
			if why := afterFault(o, f, err); why != "" {
				t.Errorf("step %d: %s", n, why)
			}
		}
		t.Logf("%d steps failed, %d crash states while they were undone, exit statuses %v", len(steps), states, ended)
	}
}
