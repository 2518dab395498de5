//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const oNonblock = unix.O_NONBLOCK

func flock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

func removeLocked(root *os.Root, name string) error { return root.Remove(name) }

// volumeOf leaves what these systems spell differently unknown: a write that
// finds no space is undone all the same.
func volumeOf(*os.File) (Volume, error) { return Volume{}, nil }

func mountedOn(dir *os.File, base string) (bool, error) { return otherDevice(dir, base) }

func syncAll(*os.File) error { return ErrUnsupported }

func identityOf(info fs.FileInfo) (Identity, bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Identity{}, false
	}
	//nolint:unconvert // the widths differ between these systems
	return Identity{Dev: uint64(s.Dev), Ino: uint64(s.Ino), Links: uint64(s.Nlink), UID: s.Uid}, true
}

func syncDir(d *os.File) error {
	defer d.Close()
	err := d.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOTTY) {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return err
}

func closed(dir string) bool {
	return errors.Is(unix.Access(dir, unix.W_OK|unix.X_OK), unix.EACCES)
}
