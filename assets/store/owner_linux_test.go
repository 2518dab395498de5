package store_test

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"certwright/assets/store"

	"golang.org/x/sys/unix"
)

// nobody is a user who is not the one that runs the tests.
const nobody = 65534

// others has another user read a file.
func others(t *testing.T, file string) error {
	t.Helper()
	cmd := exec.Command("cat", file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v %s", err, out)
	}
	return err
}

func asRoot(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("it takes root to be two users")
	}
	root := t.TempDir()
	for dir := root; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		must(os.Chmod(dir, 0o755)) // another user may come this far
	}
	return root
}

// defaultACL gives a directory a default ACL by which nobody may read and write
// all that is made in it (acl(5), xattr system.posix_acl_default, version 2).
func defaultACL(dir string) error {
	raw := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{0x01, 7, 0xffffffff}, {0x02, 7, nobody}, {0x04, 5, 0xffffffff}, {0x10, 7, 0xffffffff}, {0x20, 5, 0xffffffff}} {
		raw = binary.LittleEndian.AppendUint16(raw, e.tag)
		raw = binary.LittleEndian.AppendUint16(raw, e.perm)
		raw = binary.LittleEndian.AppendUint32(raw, e.id)
	}
	return unix.Setxattr(dir, "system.posix_acl_default", raw, 0)
}

// A default ACL and a setgid directory open no key to anybody: the exact mode
// sets the ACL's mask.
func TestACLsAndSetgidOpenNoKey(t *testing.T) {
	root := asRoot(t)
	if err := defaultACL(root); err != nil {
		t.Skipf("no ACLs here: %v", err)
	}
	must(os.Chown(root, 0, nobody))
	must(os.Chmod(root, 0o755|os.ModeSetgid))
	must(os.WriteFile(root+"/plain", []byte("x"), 0o600))
	loose, err := os.OpenFile(root+"/loose", os.O_CREATE|os.O_WRONLY, 0o666)
	must(err)
	must(loose.Close())
	if err := others(t, root+"/loose"); err != nil {
		t.Fatalf("the ACL gives nothing, so this shows nothing: %v", err)
	}
	must(os.Mkdir(root+"/made", 0o755))
	for _, dir := range []string{root + "/out", root + "/made"} {
		if _, err := commit(t.Context(), store.OS(), dir, false, newSet()); err != nil {
			t.Fatal(err)
		}
		for p, mode := range map[string]os.FileMode{"tls/server.key": 0o600, "tls/added.key": 0o600, "tls": 0o700} {
			info, err := os.Stat(filepath.Join(dir, p))
			if err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s: %v %v", p, info.Mode(), err)
			}
		}
		if err := others(t, dir+"/tls/server.key"); err == nil {
			t.Errorf("%s/tls/server.key is readable to another user", dir)
		}
		must(os.Chmod(dir+"/tls", 0o755)) // and the file is not only kept by its directory
		if err := others(t, dir+"/tls/server.key"); err == nil {
			t.Errorf("%s/tls/server.key has a mode that lets another user in", dir)
		}
	}
}

// A directory that belongs to somebody else is warned of: that user can exchange
// what is written.
func TestADirectoryOfSomebodyElseIsWarnedOf(t *testing.T) {
	root := asRoot(t)
	must(os.Mkdir(root+"/theirs", 0o755))
	must(os.Chown(root+"/theirs", nobody, nobody))
	for _, dir := range []string{root + "/theirs", root + "/theirs/out"} {
		warnings, err := store.Preflight(store.OS(), dir, store.Options{})
		if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "theirs belongs to another user (uid 65534), who can exchange what is written") {
			t.Errorf("%s: %q %v", dir, warnings, err)
		}
	}
}

// A directory that is mounted into a pod shows the new files; a single file that
// is mounted goes on showing the old one, as Linux has it.
func TestWhatPodsSeeOfAReplacedSet(t *testing.T) {
	tryMount(t)
	root := t.TempDir()
	dir := root + "/out"
	if _, err := commit(t.Context(), store.OS(), dir, false, newSet()); err != nil {
		t.Fatal(err)
	}
	must(os.Mkdir(root+"/pod", 0o755))
	must(os.WriteFile(root+"/pod.key", nil, 0o600))
	must(unix.Mount(dir+"/tls", root+"/pod", "", unix.MS_BIND, ""))
	t.Cleanup(func() { unix.Unmount(root+"/pod", unix.MNT_DETACH) })
	must(unix.Mount(dir+"/tls/server.key", root+"/pod.key", "", unix.MS_BIND, ""))
	t.Cleanup(func() { unix.Unmount(root+"/pod.key", unix.MNT_DETACH) })
	files := newSet()
	for i := range files {
		files[i].Data = append([]byte("replaced "), files[i].Data...)
	}
	if _, err := commit(t.Context(), store.OS(), dir, true, files); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{"/pod/server.key": "replaced new key", "/pod/ca.crt": "replaced new ca", "/pod.key": "new key"} {
		if got, err := os.ReadFile(root + at); err != nil || string(got) != want {
			t.Errorf("%s holds %q %v, want %q", at, got, err, want)
		}
	}
}
