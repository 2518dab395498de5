package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"certwright/assets/store"

	"golang.org/x/sys/unix"
)

func mountMemory(at, options string) error {
	return unix.Mount("certwright-test", at, "tmpfs", 0, options)
}

// tryMount skips a test where nothing may be mounted.
func tryMount(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	if err := mountMemory(dir, ""); err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	must(unix.Unmount(dir, unix.MNT_DETACH))
}

// unmount takes away what mounts has mounted below root.
func unmount(root string) {
	for _, m := range slices.Backward(mountPoints) {
		unix.Unmount(root+dest+m, unix.MNT_DETACH)
	}
}

// A set is written over three real file systems, replaced and checked; each has
// its own backup and nothing else of the store's is left.
func TestThreeRealMounts(t *testing.T) {
	tryMount(t)
	root := t.TempDir()
	t.Cleanup(func() { unmount(root) })
	oldMounts(store.OS(), root)
	_, err := commit(t.Context(), store.OS(), root+dest, false, mountSet())
	kindOf(t, err, store.Refused, "holds a set of 8 files")
	r, err := commit(t.Context(), store.OS(), root+dest, true, mountSet())
	if err != nil {
		t.Fatal(err)
	}
	if r.New != 3 || r.Overwritten != 5 || r.Same != 1 || r.Removed != 2 || len(r.Warnings) != 2 {
		t.Errorf("%+v", r)
	}
	d, err := store.Check(store.OS(), root+dest)
	if err != nil || !d.Clean() || strings.Join(d.Extra, " ") != "tls/etcd/foreign.pem" {
		t.Errorf("%+v %v", d, err)
	}
	e, err := store.Inspect(store.OS(), root+dest)
	if err != nil || strings.Join(e.Mounts, " ") != "tls tls/etcd" || len(e.Backups) != 3 {
		t.Fatalf("%+v %v", e, err)
	}
	for i, file := range []string{"readme", "server.key", "peer.key"} {
		if _, err := os.Stat(filepath.Join(root+dest, e.Backups[i], file)); err != nil {
			t.Error(err)
		}
	}
	for p := range onDisk(t, root) {
		if strings.Contains(p, ".certwright") && !strings.Contains(p, ".certwright-backup-") {
			t.Errorf("left behind: %s", p)
		}
	}
}

// What a mount below the destination can be: each is written to, or refused
// before anything is touched.
func TestMountsBelowTheDestination(t *testing.T) {
	tryMount(t)
	for _, c := range []struct {
		why  string
		make func(dir, beside string)
		kind store.Kind
		text string
	}{
		{"a directory of the same file system, bound", func(dir, beside string) {
			must(os.Mkdir(beside+"/other", 0o755))
			must(unix.Mount(beside+"/other", dir+"/tls/etcd", "", unix.MS_BIND, ""))
		}, 0, ""},
		{"a file of the same file system, bound", func(dir, beside string) {
			must(os.WriteFile(beside+"/a", []byte("bound"), 0o600))
			must(os.WriteFile(dir+"/tls/etcd/peer.key", []byte("hidden"), 0o600))
			must(unix.Mount(beside+"/a", dir+"/tls/etcd/peer.key", "", unix.MS_BIND, ""))
		}, store.Refused, "is a mount point, and cannot be replaced"},
		{"a read-only one", func(dir, _ string) {
			must(mountMemory(dir+"/tls/etcd", ""))
			must(unix.Mount("", dir+"/tls/etcd", "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		}, store.Refused, "read-only file system"},
		{"one that is full", func(dir, _ string) {
			must(mountMemory(dir+"/tls/etcd", "size=8k"))
			must(os.WriteFile(dir+"/tls/etcd/filler", make([]byte, 8<<10), 0o600))
		}, store.Failed, "no space left"},
		{"one that every user may write to", func(dir, _ string) {
			must(mountMemory(dir+"/tls/etcd", "mode=777"))
		}, store.Refused, "every user of this machine may write into it"},
		{"a mount that nothing of the set lies on", func(dir, _ string) {
			must(os.Mkdir(dir+"/other", 0o755))
			must(mountMemory(dir+"/other", "ro"))
		}, 0, ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			root := t.TempDir()
			dir, beside := root+"/out", root+"/beside"
			must(os.MkdirAll(dir+"/tls/etcd", 0o755))
			must(os.Mkdir(beside, 0o755))
			t.Cleanup(func() {
				for _, m := range []string{"/tls/etcd/peer.key", "/tls/etcd", "/other"} {
					unix.Unmount(dir+m, unix.MNT_DETACH)
				}
			})
			c.make(dir, beside)
			before := fmt.Sprint(treeWithLinks(t, root))
			_, err := commit(t.Context(), store.OS(), dir, true, mountSet())
			if c.kind != 0 {
				kindOf(t, err, c.kind, c.text)
				if after := fmt.Sprint(treeWithLinks(t, root)); after != before {
					t.Errorf("changed: %s, was %s", after, before)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d, err := store.Check(store.OS(), dir); err != nil || !d.Clean() {
				t.Errorf("%+v %v", d, err)
			}
		})
	}
}

// A run into the mount alone finds the run that was interrupted above it, and
// one that is above finds the lock of one that is in the mount.
func TestRunsMeetAcrossMounts(t *testing.T) {
	tryMount(t)
	root := t.TempDir()
	t.Cleanup(func() { unmount(root) })
	oldMounts(store.OS(), root)
	above, err := store.Begin(t.Context(), store.OS(), root+dest, store.Options{Force: true, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	must(above.Add(mountSet()[4]))
	_, err = store.Begin(t.Context(), store.OS(), root+dest+"/tls/etcd", store.Options{Force: true, Now: now})
	kindOf(t, err, store.Locked, "pid")
	must(above.Abort())
	inside, err := store.Begin(t.Context(), store.OS(), root+dest+"/tls/etcd", store.Options{Force: true, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	must(inside.Add(file("x.key", "x", 0o600, "key")))
	_, err = commit(t.Context(), store.OS(), root+dest, true, mountSet())
	kindOf(t, err, store.Locked, "tls/etcd: another run holds the lock")
	must(inside.Abort())
	if d, err := store.Check(store.OS(), root+dest); err != nil || !d.Clean() {
		t.Errorf("%+v %v", d, err)
	}
	if left, _ := filepath.Glob(root + dest + "/tls/etcd/.certwright*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
