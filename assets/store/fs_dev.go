//go:build unix

package store

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// otherDevice says whether base lies on another device than the directory that
// it is in, which tells most mounts.
func otherDevice(dir *os.File, base string) (bool, error) {
	var here, there unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &here); err != nil {
		return false, &fs.PathError{Op: "stat", Path: dir.Name(), Err: err}
	}
	err := unix.Fstatat(int(dir.Fd()), base, &there, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, &fs.PathError{Op: "stat", Path: base, Err: err}
	}
	return there.Mode&unix.S_IFMT != unix.S_IFLNK && here.Dev != there.Dev, nil
}
