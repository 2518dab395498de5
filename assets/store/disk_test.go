//go:build unix

package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"certwright/assets/store"
	"certwright/assets/store/crashfs"

	"github.com/spf13/afero"
)

// childEnv makes the test binary a run of its own: "kill 12 3 DIR" dies before
// the 12th writing operation of scenario 3, "race DIR TAG" writes one set.
const childEnv = "CERTWRIGHT_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if args := strings.Fields(os.Getenv(childEnv)); len(args) > 0 {
		os.Exit(child(args))
	}
	os.Exit(m.Run())
}

func child(args []string) int {
	switch args[0] {
	case "kill":
		n, _ := strconv.Atoi(args[1])
		which, _ := strconv.Atoi(args[2])
		s := scenarios()[which]
		f := &hooked{FS: store.OS(), hook: countTo(n, func() {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		})}
		_, err := commit(context.Background(), f, args[3]+dest, s.force, s.files)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return store.ExitStatus(err)
	case "race":
		_, err := commit(context.Background(), store.OS(), args[1], true, raceSet(args[2]))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return store.ExitStatus(err)
	}
	return 2
}

// countTo calls back before the n-th call.
func countTo(n int, then func()) func(string) {
	var count atomic.Int64
	return func(string) {
		if count.Add(1) == int64(n) {
			then()
		}
	}
}

// hooked is the real disk with a hook before each operation that writes.
type hooked struct {
	store.FS
	hook func(op string)
}

func (h *hooked) OpenRoot(dir string) (store.Root, error) {
	r, err := h.FS.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &hookedRoot{r, h.hook}, nil
}

type hookedRoot struct {
	store.Root
	hook func(op string)
}

func (h *hookedRoot) OpenFile(name string, flag int, perm fs.FileMode) (afero.File, error) {
	if flag&os.O_CREATE != 0 {
		h.hook("create " + name)
	}
	f, err := h.Root.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &hookedFile{f, h.hook}, nil
}

func (h *hookedRoot) Open(name string) (afero.File, error) { return h.OpenFile(name, os.O_RDONLY, 0) }

func (h *hookedRoot) Mkdir(name string, perm fs.FileMode) error {
	h.hook("mkdir " + name)
	return h.Root.Mkdir(name, perm)
}

func (h *hookedRoot) Rename(from, to string) error {
	h.hook("rename " + from)
	return h.Root.Rename(from, to)
}

func (h *hookedRoot) Link(from, to string) error {
	h.hook("link " + from)
	return h.Root.Link(from, to)
}

func (h *hookedRoot) Remove(name string) error {
	h.hook("remove " + name)
	return h.Root.Remove(name)
}

func (h *hookedRoot) Chmod(name string, mode fs.FileMode) error {
	h.hook("chmod " + name)
	return h.Root.Chmod(name, mode)
}

func (h *hookedRoot) SyncDir(name string) error {
	h.hook("syncdir " + name)
	return h.Root.SyncDir(name)
}

func (h *hookedRoot) OpenRoot(dir string) (store.Root, error) {
	return (&hooked{h.Root, h.hook}).OpenRoot(dir)
}

type hookedFile struct {
	afero.File
	hook func(op string)
}

func (h *hookedFile) Write(p []byte) (int, error) { h.hook("write"); return h.File.Write(p) }
func (h *hookedFile) Sync() error                 { h.hook("sync"); return h.File.Sync() }
func (h *hookedFile) Chmod(mode fs.FileMode) error {
	h.hook("chmod")
	return h.File.(*os.File).Chmod(mode)
}

// onDisk reads a tree of the real disk.
func onDisk(t testing.TB, root string) tree {
	t.Helper()
	out := tree{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		n := crashfs.Node{Dir: d.IsDir(), Mode: uint32(info.Mode().Perm())}
		if id, ok := store.OS().Identity(info); ok {
			n.Ino = id.Ino
		}
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			n.Data = string(data)
		}
		rel, err := filepath.Rel(root, p)
		out[filepath.ToSlash(rel)] = n
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A process is killed before each of its operations, with SIGKILL, on the real
// disk; then the disk is recovered.
func TestKillAtEveryOperation(t *testing.T) {
	all := scenarios()
	several := slices.IndexFunc(all, func(s scenario) bool { return s.enter == "/tls" })
	for _, which := range []int{0, 1, several, 4}[:scale(3, 4)] {
		s := all[which]
		t.Run(s.name, func(t *testing.T) {
			if s.enter != "" {
				tryMount(t)
			}
			t.Parallel()
			killed, outcomes := 0, map[string]int{}
			for n := 1; ; n++ {
				root := t.TempDir()
				must(os.MkdirAll(root+"/etc", 0o755))
				t.Cleanup(func() { unmount(root) })
				s.world(store.OS(), root)
				before := onDisk(t, root)
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), childEnv+"="+fmt.Sprintf("kill %d %d %s", n, which, root))
				out, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
					killed++
				} else if err != nil {
					t.Fatalf("operation %d: %v %s", n, err, out)
				}
				after := killedOutcome(t, s, root, before)
				outcomes[after]++
				if after != "old" && after != "new" {
					t.Fatalf("killed before operation %d: %s", n, after)
				}
				unmount(root)
				must(os.RemoveAll(root))
				if err == nil {
					break
				}
			}
			if killed < 30 {
				t.Errorf("only %d operations were seen", killed)
			}
			t.Logf("%d processes killed, then recovered to %v", killed, outcomes)
		})
	}
}

// killedOutcome recovers and judges what a killed process left.
func killedOutcome(t *testing.T, s scenario, root string, before tree) string {
	t.Helper()
	if s.enter != "" {
		if _, err := store.Recover(t.Context(), store.OS(), root+dest+s.enter, false); err != nil {
			return err.Error()
		}
	}
	if _, err := store.Recover(t.Context(), store.OS(), root+dest, false); err != nil {
		return err.Error()
	}
	disk := onDisk(t, root)
	f := crashfs.New() // what is right comes from a run that nothing disturbed
	s.world(f, "")
	first := f.Tree("/")
	if _, err := s.run(f); err != nil {
		t.Fatal(err)
	}
	o := learn(first, f.Tree("/"))
	for p := range o.foreign {
		o.foreign[p] = before[p].Ino
	}
	outcome := o.judge(disk)
	if outcome == "old" || outcome == "new" {
		if why := o.leftovers(disk, outcome == "new" && len(o.backup) > 0); why != "" {
			return outcome + ", " + why
		}
	}
	return outcome
}

func raceSet(tag string) []store.File {
	var files []store.File
	for _, f := range newSet() {
		f.Data = []byte(tag + " " + f.Path)
		files = append(files, f)
	}
	return files
}

// Many processes write to one destination: each ends done or refused, and what
// is there is of one of them.
func TestManyRunsAtOnce(t *testing.T) {
	const processes = 16
	rounds := scale(6, 400)
	outcomes := map[int]int{}
	for round := range rounds {
		dir := filepath.Join(t.TempDir(), "generated")
		cmds := make([]*exec.Cmd, processes)
		for i := range cmds {
			cmds[i] = exec.Command(os.Args[0])
			cmds[i].Env = append(os.Environ(), fmt.Sprintf("%s=race %s r%di%d", childEnv, dir, round, i))
			must(cmds[i].Start())
		}
		won := 0
		for _, cmd := range cmds {
			cmd.Wait()
			code := cmd.ProcessState.ExitCode()
			outcomes[code]++
			if code == 0 {
				won++
			}
			if code != 0 && code != 4 && code != 3 && code != 5 {
				t.Errorf("round %d: exit status %d", round, code)
			}
		}
		if won == 0 {
			t.Errorf("round %d: nobody won", round)
		}
		tag := ""
		for _, f := range newSet() {
			data, err := os.ReadFile(filepath.Join(dir, f.Path))
			if err != nil {
				t.Fatal(err)
			}
			got, _, _ := strings.Cut(string(data), " ")
			if tag == "" {
				tag = got
			}
			if got != tag {
				t.Fatalf("round %d: %s is of %s, the rest of %s", round, f.Path, got, tag)
			}
		}
		if d, err := store.Check(store.OS(), dir); err != nil || !d.Clean() {
			t.Fatalf("round %d: %+v %v", round, d, err)
		}
		entries, err := os.ReadDir(filepath.Dir(dir))
		if err != nil || len(entries) != 1 {
			t.Fatalf("round %d: left behind: %v", round, entries)
		}
		must(os.RemoveAll(dir))
	}
	t.Logf("%d rounds of %d processes; exit statuses %v", rounds, processes, outcomes)
}

// noSyncAll is a disk without syncfs, such as overlayfs.
type noSyncAll struct{ store.FS }

type noSyncAllRoot struct{ store.Root }

func (n noSyncAll) OpenRoot(dir string) (store.Root, error) {
	r, err := n.FS.OpenRoot(dir)
	return noSyncAllRoot{r}, err
}

func (noSyncAllRoot) SyncAll() error { return store.ErrUnsupported }

// A fleet is written, then renewed, on the real disk.
func TestFleetOnDisk(t *testing.T) {
	for name, fsys := range map[string]store.FS{"syncfs": store.OS(), "batches": noSyncAll{store.OS()}} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			files := fleetFiles(50)
			if _, err := commit(t.Context(), fsys, dir, false, files); err != nil {
				t.Fatal(err)
			}
			for i := range files {
				files[i].Data = append([]byte("renewed "), files[i].Data...)
			}
			r, err := commit(t.Context(), fsys, dir, true, append(files, fleetFiles(60)[200:]...))
			if err != nil {
				t.Fatal(err)
			}
			if r.Overwritten != 200 || r.New != 40 || r.Files != 240 {
				t.Errorf("%+v", r)
			}
			if d, err := store.Check(fsys, dir); err != nil || !d.Clean() || len(d.Extra) > 0 {
				t.Errorf("%+v %v", d, err)
			}
			old, err := os.ReadFile(filepath.Join(r.Backup, "nodes/node-00000/kubelet.crt"))
			if err != nil || strings.HasPrefix(string(old), "renewed") {
				t.Errorf("the backup holds %.20q %v", old, err)
			}
		})
	}
}
