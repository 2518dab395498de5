package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"certwright/assets/store"
	"certwright/assets/store/crashfs"
)

// mountPoints are where the scenarios of several file systems have them.
var mountPoints = []string{"/tls", "/tls/etcd"}

// mounts makes a destination of three file systems.
func mounts(f store.FS, root string) {
	for _, m := range mountPoints {
		must(f.MkdirAll(root+dest+m, 0o755))
		if model, ok := f.(*crashfs.FS); ok {
			model.Mount(root + dest + m)
		} else {
			must(mountMemory(root+dest+m, ""))
		}
		must(f.Chmod(root+dest+m, 0o700))
	}
}

func oldMounts(f store.FS, root string) {
	mounts(f, root)
	oldFilesIn(f, root)
}

func oldFilesIn(f store.FS, root string) {
	_, err := commit(context.Background(), f, root+dest, false, []store.File{
		file("tls/ca.crt", "old ca", 0o644, "ca"),
		file("tls/server.crt", "old crt", 0o644, "certificate"),
		file("tls/server.key", "old key", 0o600, "key"),
		file("tls/etcd/ca.crt", "old etcd ca", 0o644, "ca"),
		file("tls/etcd/peer.key", "old peer key", 0o600, "key"),
		file("tls/etcd/same.crt", "the same", 0o644, "certificate"),
		file("tls/etcd/gone/only.key", "to be removed", 0o600, "key"),
		file("readme", "old", 0o644, "document"),
	})
	must(err)
	put(f, root+dest+"/tls/etcd/foreign.pem", "not ours", 0o640)
}

func foreignMounts(f store.FS, root string) {
	mounts(f, root)
	put(f, root+dest+"/tls/etcd/peer.key", "somebody's key", 0o600)
	put(f, root+dest+"/tls/etcd/other.key", "somebody's other key", 0o600)
}

func mountSet() []store.File {
	return []store.File{
		file("tls/ca.crt", "new ca", 0o644, "ca"),
		file("tls/server.crt", "new crt", 0o644, "certificate"),
		file("tls/server.key", "new key", 0o600, "key"),
		file("tls/etcd/ca.crt", "new etcd ca", 0o644, "ca"),
		file("tls/etcd/peer.key", "new peer key", 0o600, "key"),
		file("tls/etcd/same.crt", "the same", 0o644, "certificate"),
		file("tls/etcd/deep/er/x.key", "new and deep", 0o600, "key"),
		file("tls/etcd/open/x.crt", "new and open", 0o644, "certificate"),
		file("auth/config", "a new directory", 0o600, "kubeconfig"),
	}
}

func mountScenario() scenario {
	all := scenarios()
	return all[slices.IndexFunc(all, func(s scenario) bool { return s.name == "over a set on three file systems" })]
}

// mountFleetSet has so many files that one call would sync them all.
func mountFleetSet() []store.File {
	files := slices.Concat(mountSet(), fleet(20)[6:])
	for i := range 20 {
		files = append(files, file(fmt.Sprintf("tls/etcd/member-%d.key", i), fmt.Sprint("member ", i), 0o600, "key"))
	}
	return files
}

// After a crash the machine comes up without one of the mounts. Recovery either
// has nothing to complete, or says what is missing and touches nothing; when the
// mount is back the set is the old one or the new one.
func TestAMountIsMissingAfterACrash(t *testing.T) {
	for _, gone := range mountPoints {
		t.Run(gone, func(t *testing.T) {
			t.Parallel()
			s := mountScenario()
			o := s.oracle(t)
			random := rand.New(rand.NewPCG(11, 12))
			f := s.start()
			waited, outcomes := 0, map[string]int{}
			try := func(at string, state *crashfs.FS) {
				again := state.Unmount(dest + gone)
				before := flat(state.Tree("/"))
				_, err := store.Recover(t.Context(), state, dest, false)
				if err != nil {
					waited++
					if store.ExitStatus(err) != 7 || !strings.Contains(err.Error(), "mount it and run certwright recover") {
						t.Errorf("%s: %v", at, err)
					}
					if fmt.Sprint(flat(state.Tree("/"))) != fmt.Sprint(before) {
						t.Errorf("%s: changed while a mount was missing", at)
					}
				}
				again()
				outcome, bad := o.settled(state)
				outcomes[outcome]++
				if bad != "" {
					t.Errorf("%s: %s", at, bad)
				}
			}
			f.After = func(op crashfs.Op) error {
				if op.Writes() {
					at := fmt.Sprintf("after %d %s %s %s", op.N, op.Name, op.Path, op.To)
					try(at, f.Live())
					for state := range f.States(scale(2, 50), random) {
						try(at, state)
					}
				}
				return nil
			}
			if _, err := s.run(f); err != nil {
				t.Fatal(err)
			}
			if waited == 0 {
				t.Error("no recovery waited for the mount")
			}
			t.Logf("%d recoveries waited for the mount; in the end %v", waited, outcomes)
		})
	}
}

// A process is killed, nothing is lost yet, the next run recovers, and the power
// goes during that.
func TestPowerFailsInTheRecoveryFromAKill(t *testing.T) {
	for _, s := range []scenario{scenarios()[0], scenarios()[1], mountScenario()} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			o := s.oracle(t)
			probe := s.start()
			before := probe.Ops()
			if _, err := s.run(probe); err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(13, 14))
			killed, states := 0, 0
			for n := before + 1; n <= probe.Ops(); n += scale(3, 1) {
				f := s.start()
				f.Kill(n)
				s.run(f)
				f.Revive()
				killed++
				f.After = func(op crashfs.Op) error {
					if !op.Writes() {
						return nil
					}
					for state := range f.States(scale(1, 20), random) {
						states++
						if _, bad := o.settled(state); bad != "" {
							t.Errorf("killed before %d, then recovery %s %s %s: %s", n, op.Name, op.Path, op.To, bad)
						}
					}
					return nil
				}
				_, err := store.Recover(t.Context(), f, dest, false)
				f.After = nil
				if err != nil {
					t.Errorf("killed before %d: %v", n, err)
				}
				if t.Failed() {
					return
				}
			}
			t.Logf("%d kills, %d crash states in the recoveries", killed, states)
		})
	}
}
