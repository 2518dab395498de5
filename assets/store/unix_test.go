//go:build unix

package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"certwright/assets/store"
	"certwright/assets/store/crashfs"
)

// The same operations, at random, on crashfs and on the real disk give the same
// answers and the same tree: what crashfs proves then holds for the disk.
func TestCrashfsBehavesLikeTheDisk(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	total := scale(30_000, 1_000_000)
	random := rand.New(rand.NewPCG(5, 6))
	for done := 0; done < total; {
		dir := t.TempDir()
		disk, err := store.OS().OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		f := crashfs.New()
		must(f.Mkdir("/d", 0o755))
		model, err := f.OpenRoot("/d")
		if err != nil {
			t.Fatal(err)
		}
		var history []string
		for range 300 {
			op, run := randomOp(random)
			history = append(history, op)
			a, b := run(disk), run(model)
			if a != b {
				t.Fatalf("%.200s\n disk    %s\n crashfs %s\nafter %.300s", op, a, b, strings.Join(history[max(0, len(history)-12):], "; "))
			}
			done++
		}
		want, got := onDisk(t, dir), f.Tree("/d")
		for p, n := range want {
			g := got[p]
			n.Ino, g.Ino = 0, 0
			if n != g {
				t.Fatalf("%s: disk %+v, crashfs %+v", p, n, g)
			}
		}
		if len(want) != len(got) {
			t.Fatalf("disk has %d names, crashfs %d", len(want), len(got))
		}
		disk.Close()
	}
	t.Logf("%d operations agree", total)
}

var long300 = strings.Repeat("x", 300)

// randomOp is an operation on a small tree, in which most names exist.
func randomOp(r *rand.Rand) (string, func(store.FS) string) {
	name := func() string {
		elements := []string{"a", "b", "c"}
		p := elements[r.IntN(3)]
		for r.IntN(3) == 0 {
			p = path.Join(p, elements[r.IntN(3)])
		}
		if r.IntN(200) == 0 {
			return path.Join(p, long300)
		}
		return p
	}
	a, b := name(), name()
	mode := []fs.FileMode{0o600, 0o644, 0o700, 0o755}[r.IntN(4)]
	switch r.IntN(12) {
	case 0, 1:
		return "mkdir " + a, func(f store.FS) string { return errText(f.Mkdir(a, mode|0o700)) }
	case 2, 3:
		return "rename " + a + " " + b, func(f store.FS) string { return errText(f.Rename(a, b)) }
	case 4:
		return "link " + a + " " + b, func(f store.FS) string { return errText(f.Link(a, b)) }
	case 5:
		return "remove " + a, func(f store.FS) string { return errText(f.Remove(a)) }
	case 6:
		return fmt.Sprint("chmod ", a, mode), func(f store.FS) string { return errText(f.Chmod(a, mode|0o700)) }
	case 7:
		return "lstat " + a, func(f store.FS) string {
			info, err := f.Lstat(a)
			if err != nil {
				return errText(err)
			}
			id, _ := f.Identity(info)
			size, links := info.Size(), id.Links
			if info.IsDir() {
				size, links = 0, 0 // file systems differ
			}
			return fmt.Sprint(info.Name(), info.Mode(), size, links)
		}
	case 8:
		return "list " + a, func(f store.FS) string { return list(f, a) }
	case 9:
		return "syncdir " + a, func(f store.FS) string {
			if info, err := f.Lstat(a); err != nil || !info.IsDir() {
				return "" // fsync of a file is not a directory sync; both allow it or not
			}
			return errText(f.SyncDir(a))
		}
	case 10:
		return "read " + a, func(f store.FS) string {
			h, err := f.Open(a)
			if err != nil {
				return errText(err)
			}
			defer h.Close()
			buf := make([]byte, 64)
			n, err := h.Read(buf)
			return fmt.Sprintf("%q %s", buf[:n], errText(err))
		}
	}
	flag := []int{os.O_WRONLY | os.O_CREATE | os.O_EXCL, os.O_RDWR | os.O_CREATE, os.O_WRONLY | os.O_CREATE | os.O_TRUNC, os.O_WRONLY}[r.IntN(4)]
	text := strings.Repeat("t", r.IntN(20))
	return fmt.Sprintf("write %s %x %s", a, flag, text), func(f store.FS) string {
		h, err := f.OpenFile(a, flag, mode)
		if err != nil {
			return errText(err)
		}
		n, err := h.Write([]byte(text))
		return fmt.Sprint(n, errText(err), errText(h.Sync()), errText(h.Close()))
	}
}

func list(f store.FS, name string) string {
	h, err := f.Open(name)
	if err != nil {
		return errText(err)
	}
	defer h.Close()
	names, err := h.Readdirnames(-1)
	if err != nil {
		return errText(err)
	}
	found := map[string]bool{}
	for _, n := range names {
		found[n] = true
	}
	return fmt.Sprint(found)
}

func errText(err error) string {
	var errno syscall.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &errno):
		return errno.Error()
	}
	return err.Error()
}

// Every umask leaves the exact modes.
func TestUmasks(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	want := map[string]uint32{
		"": 0o755, "manifest.json": 0o644, "tls": 0o700, "tls/ca.crt": 0o644, "tls/server.key": 0o600,
		"auth": 0o755, "auth/kube": 0o700, "auth/kube/config": 0o600, "deep": 0o755, "deep/er": 0o755, "deep/er/x.crt": 0o644,
	}
	files := append(newSet(), file("deep/er/x.crt", "x", 0o644, "certificate"))
	step := scale(23, 1)
	tried := 0
	for mask := 0; mask < 0o1000; mask += step {
		root := t.TempDir()
		for _, made := range []bool{false, true} {
			dir := filepath.Join(root, fmt.Sprint(made))
			if made {
				must(os.Mkdir(dir, 0o755))
			}
			syscall.Umask(mask)
			_, err := commit(t.Context(), store.OS(), dir, false, files)
			syscall.Umask(0o022)
			if err != nil {
				t.Fatalf("umask %04o: %v", mask, err)
			}
			for p, mode := range want {
				info, err := os.Lstat(filepath.Join(dir, p))
				if err != nil || uint32(info.Mode().Perm()) != mode {
					t.Fatalf("umask %04o: %s: %v %v, want %04o", mask, p, info.Mode(), err, mode)
				}
			}
			tried++
		}
	}
	t.Logf("%d sets under %d umasks", tried, tried/2)
}

func kindOf(t *testing.T, err error, want store.Kind, text string) {
	t.Helper()
	var e *store.Error
	if !errors.As(err, &e) || e.Kind != want || !strings.Contains(err.Error(), text) {
		t.Fatalf("got %v, want kind %d with %q", err, want, text)
	}
	if want == store.Refused {
		if why := wellSaid(e); why != "" {
			t.Error(why)
		}
	}
}

// What is refused before anything is written, and left as it was.
func TestUnsafeDestinations(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("some cases need root")
	}
	defer syscall.Umask(syscall.Umask(0o022))
	for _, test := range []struct {
		name string
		make func(root string) (dir string)
		text string
	}{
		{"the destination is a symbolic link", func(root string) string {
			must(os.Mkdir(root+"/real", 0o755))
			must(os.Symlink("real", root+"/out"))
			return root + "/out"
		}, "symbolic link"},
		{"the destination is a dangling link", func(root string) string {
			must(os.Symlink("nowhere", root+"/out"))
			return root + "/out"
		}, "symbolic link"},
		{"the destination is a file", func(root string) string {
			must(os.WriteFile(root+"/out", nil, 0o644))
			return root + "/out"
		}, "not a directory"},
		{"a parent is a file", func(root string) string {
			must(os.WriteFile(root+"/file", nil, 0o644))
			return root + "/file/out"
		}, "not a directory"},
		{"everybody may write into the parent", func(root string) string {
			must(os.Mkdir(root+"/open", 0o777))
			must(os.Chmod(root+"/open", 0o777))
			return root + "/open/out"
		}, "every user of this machine"},
		{"everybody may write into the destination", func(root string) string {
			must(os.Mkdir(root+"/out", 0o777))
			must(os.Chmod(root+"/out", 0o777))
			return root + "/out"
		}, "every user of this machine"},
		{"a target is a symbolic link", func(root string) string {
			must(os.MkdirAll(root+"/out/tls", 0o755))
			must(os.WriteFile(root+"/victim", []byte("precious"), 0o644))
			must(os.Symlink("../../victim", root+"/out/tls/server.key"))
			return root + "/out"
		}, "symbolic link"},
		{"a target's directory is a symbolic link inside the destination", func(root string) string {
			must(os.MkdirAll(root+"/out/other", 0o755))
			must(os.Symlink("other", root+"/out/tls"))
			return root + "/out"
		}, "symbolic link"},
		{"a target's directory is a symbolic link to elsewhere", func(root string) string {
			must(os.MkdirAll(root+"/out", 0o755))
			must(os.MkdirAll(root+"/elsewhere", 0o755))
			must(os.Symlink("../elsewhere", root+"/out/tls"))
			return root + "/out"
		}, "symbolic link"},
		{"a target is a directory", func(root string) string {
			must(os.MkdirAll(root+"/out/tls/server.key/x", 0o755))
			return root + "/out"
		}, "in the way"},
		{"a target is a FIFO", func(root string) string {
			must(os.MkdirAll(root+"/out/tls", 0o755))
			must(syscall.Mkfifo(root+"/out/tls/server.key", 0o600))
			return root + "/out"
		}, "in the way"},
		{"manifest.json is a FIFO", func(root string) string {
			must(os.MkdirAll(root+"/out", 0o755))
			must(syscall.Mkfifo(root+"/out/manifest.json", 0o600))
			return root + "/out"
		}, ""},
		{"the lock is a symbolic link", func(root string) string {
			must(os.MkdirAll(root+"/out", 0o755))
			must(os.Symlink("/etc/passwd", root+"/out/.certwright.lock"))
			return root + "/out"
		}, ""},
		{"the destination is on /proc", func(string) string { return "/proc/self/out" }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			dir := test.make(root)
			before := treeWithLinks(t, root)
			if strings.HasPrefix(test.text, "every user") || strings.HasPrefix(test.name, "the destination is") {
				if _, err := store.Preflight(store.OS(), dir, store.Options{}); err == nil {
					t.Error("preflight lets it pass")
				}
			}
			_, err := commit(t.Context(), store.OS(), dir, true, newSet())
			if err == nil {
				t.Fatal("written")
			}
			var e *store.Error
			if !errors.As(err, &e) {
				t.Fatalf("%v has no kind", err)
			}
			if test.text != "" {
				kindOf(t, err, store.Refused, test.text)
			}
			t.Log(err)
			if after := treeWithLinks(t, root); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("changed: %v, was %v", after, before)
			}
		})
	}
}

// As another user, who may read the parent and not write it: found before
// anything is made, again when Begin tries.
func TestUnwritableParent(t *testing.T) {
	if os.Getuid() == 0 {
		if os.Getenv(childEnv) != "" {
			return
		}
		dir := t.TempDir()
		must(os.Chmod(dir, 0o755))
		must(os.Chmod(filepath.Dir(dir), 0o755))
		bin := filepath.Join(dir, "store.test")
		data, err := os.ReadFile(os.Args[0])
		must(err)
		must(os.WriteFile(bin, data, 0o755))
		cmd := exec.Command(bin, "-test.run=TestUnwritableParent")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "UNWRITABLE="+dir, "TMPDIR=/tmp")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v %s", err, out)
		}
		return
	}
	dir := os.Getenv("UNWRITABLE")
	if dir == "" {
		dir = t.TempDir()
		must(os.Chmod(dir, 0o555))
	}
	_, err := store.Preflight(store.OS(), dir+"/out", store.Options{})
	kindOf(t, err, store.Refused, "may not write")
	_, err = commit(t.Context(), store.OS(), dir+"/out", false, newSet())
	kindOf(t, err, store.Refused, "may not write")
}

// treeWithLinks lists names, types, inodes and link targets without opening anything.
func treeWithLinks(t *testing.T, root string) []string {
	t.Helper()
	var out []string
	must(filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		id, _ := store.OS().Identity(info)
		to, _ := os.Readlink(p)
		out = append(out, fmt.Sprint(p, info.Mode(), id.Ino, to))
		return nil
	}))
	return out
}

// A destination that is swapped for another directory between Begin and Commit
// is noticed; the other directory gets nothing.
func TestSwappedDestination(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "out")
	must(os.Mkdir(dir, 0o755))
	tx, err := store.Begin(t.Context(), store.OS(), dir, store.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	must(tx.Add(newSet()[0]))
	must(os.Rename(dir, root+"/moved"))
	must(os.Mkdir(root+"/impostor", 0o777))
	must(os.Symlink("impostor", dir))
	must(tx.Add(newSet()[2]))
	_, err = tx.Commit(t.Context())
	kindOf(t, err, store.Refused, "another directory in the place of")
	for _, d := range []string{"/impostor", "/moved"} {
		if left, err := os.ReadDir(root + d); err != nil || len(left) != 0 {
			t.Errorf("%s: %v %v", d, left, err)
		}
	}
}

// The destination's path is exchanged for a link to another directory, over and
// over, while sets are written: nothing ever arrives there.
func TestSwapper(t *testing.T) {
	root := t.TempDir()
	dir, impostor, moved := root+"/out", root+"/impostor", root+"/moved"
	must(os.Mkdir(dir, 0o755))
	must(os.Mkdir(impostor, 0o755))
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		swaps := 0
		for {
			select {
			case <-stop:
				stopped <- swaps
				return
			default:
			}
			if os.Rename(dir, moved) != nil {
				continue
			}
			if os.Symlink("impostor", dir) == nil {
				os.Remove(dir)
			}
			if os.Rename(moved, dir) != nil {
				os.RemoveAll(moved) // a first install has taken its place
			}
			swaps++
			runtime.Gosched()
		}
	}()
	done, refused, reasons := 0, 0, map[string]int{}
	for i := range 100_000 {
		if done == scale(2, 100) {
			break
		}
		files := newSet()
		for f := range files {
			files[f].Data = fmt.Append(nil, i, f)
		}
		_, err := commit(t.Context(), store.OS(), dir, true, files)
		switch store.ExitStatus(err) {
		case 0:
			done++
		case 3, 4, 5:
			refused++
			reasons[strings.ReplaceAll(err.Error(), root, "")]++
		default:
			t.Errorf("%v", err)
		}
	}
	close(stop)
	swaps := <-stopped
	if left, err := os.ReadDir(impostor); err != nil || len(left) != 0 {
		t.Errorf("the other directory got %v %v", left, err)
	}
	t.Logf("%d swaps, %d sets written, %d refused: %v", swaps, done, refused, reasons)
}

func TestManifestIsAFIFO(t *testing.T) {
	dir := t.TempDir()
	must(syscall.Mkfifo(dir+"/manifest.json", 0o600))
	_, err := store.ReadManifest(store.OS(), dir)
	kindOf(t, err, store.Invalid, "a FIFO")
	_, err = store.Check(store.OS(), dir)
	kindOf(t, err, store.Invalid, "not a regular file")
}

// A link among the parents is followed once, as every tool does.
func TestLinkAmongParents(t *testing.T) {
	root := t.TempDir()
	must(os.Mkdir(root+"/real", 0o755))
	must(os.Symlink("real", root+"/link"))
	if _, err := commit(t.Context(), store.OS(), root+"/link/new/out", false, newSet()); err != nil {
		t.Fatal(err)
	}
	d, err := store.Check(store.OS(), root+"/real/new/out")
	if err != nil || !d.Clean() || d.Manifest.Files.Len() != len(newSet()) {
		t.Errorf("%+v %v", d, err)
	}
}

// An immutable file is found before anything is replaced.
func TestImmutable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := commit(t.Context(), store.OS(), dir, false, newSet()); err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(dir, "tls/server.key")
	if out, err := exec.Command("chattr", "+i", p).CombinedOutput(); err != nil {
		t.Skipf("chattr: %v %s", err, out)
	}
	defer exec.Command("chattr", "-i", p).Run()
	files := newSet()
	for i := range files {
		files[i].Data = []byte("another")
	}
	before := treeWithLinks(t, dir)
	_, err := commit(t.Context(), store.OS(), dir, true, files)
	kindOf(t, err, store.Refused, "server.key: it may not be replaced")
	if after := treeWithLinks(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("changed: %v, was %v", after, before)
	}
}

// A key written over a file with a loose mode and a second name is a new file.
func TestKeyOverLooseFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	must(os.MkdirAll(dir+"/tls", 0o755))
	must(os.WriteFile(dir+"/tls/server.key", []byte("old"), 0o644))
	must(os.Link(dir+"/tls/server.key", dir+"/tls/second"))
	r, err := commit(t.Context(), store.OS(), dir, true, newSet())
	if err != nil {
		t.Fatal(err)
	}
	if w := strings.Join(r.Warnings, "\n"); !strings.Contains(w, "1 of the files that were replaced have other names (hard links)") || !strings.Contains(w, "tls/server.key") {
		t.Errorf("warnings %q", w)
	}
	info, err := os.Stat(dir + "/tls/server.key")
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if second, err := os.ReadFile(dir + "/tls/second"); err != nil || string(second) != "old" {
		t.Errorf("the file's other name holds %q %v", second, err)
	}
	if kept, err := os.ReadFile(filepath.Join(r.Backup, "tls/server.key")); err != nil || string(kept) != "old" {
		t.Errorf("the backup holds %q %v", kept, err)
	}
	if info, err := os.Stat(r.Backup); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the backup has mode %v %v", info.Mode(), err)
	}
}
