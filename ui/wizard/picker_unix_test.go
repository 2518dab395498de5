//go:build unix

package wizard

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/spf13/afero"

	"certwright/flow"
)

func TestReadFolderOnADisk(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip("no symbolic links here: ", err)
		}
	}
	write("real.pem")
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	link("real.pem", "to-file")
	link("sub", "to-folder")
	link("gone", "to-nothing")
	link("round-b", "round-a")
	link("round-a", "round-b")
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := readFolder(context.Background(), afero.NewOsFs(), dir)
	if l.err != nil {
		t.Fatal(l.err)
	}
	got := map[string]string{}
	for _, e := range l.entries {
		got[e.name] = fmt.Sprintf("%d|%s|%s|%d", e.kind, e.link, e.what, map[bool]int64{true: e.size}[e.kind == fileEntry])
	}
	for name, want := range map[string]string{
		"real.pem":   fmt.Sprintf("%d|||5", fileEntry),
		"sub":        fmt.Sprintf("%d|||0", dirEntry),
		"to-file":    fmt.Sprintf("%d|real.pem||5", fileEntry),
		"to-folder":  fmt.Sprintf("%d|sub||0", dirEntry),
		"to-nothing": fmt.Sprintf("%d|gone|its target does not exist|0", lostEntry),
		"round-a":    fmt.Sprintf("%d|round-b|its target leads round in a circle of symbolic links|0", lostEntry),
		"pipe":       fmt.Sprintf("%d||a FIFO (named pipe)|0", otherEntry),
	} {
		if got[name] != want {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
	if l.entries[0].name != "sub" || l.entries[1].name != "to-folder" {
		t.Errorf("folders are not first: %q %q", l.entries[0].name, l.entries[1].name)
	}
}

func TestChoosingWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.pem"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("gone", filepath.Join(dir, "zlost.pem")); err != nil {
		t.Skip(err)
	}
	d := driveSlots(t, flow.StepModes, "etcd=bring-ca", setup{}, nil)
	d.root.env.FS, d.root.env.Dir = afero.NewOsFs(), dir
	d.press("enter").at(flow.StepCA).rest().shows("a FIFO")
	d.press("enter").shows("only regular files are read")
	d.press("down", "enter").shows("cannot be chosen", "does not exist")
	if d.slots().focus != onPicker {
		t.Error("the picker closed")
	}
}
