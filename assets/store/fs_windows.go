package store

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

const oNonblock = 0

func flock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1})
}

// removeLocked leaves the file: Windows removes no file that is open.
func removeLocked(*os.Root, string) error { return nil }

func volumeOf(*os.File) (Volume, error) { return Volume{}, nil }

// mountedOn: a rename over a volume that is mounted in a folder fails, and is undone.
func mountedOn(*os.File, string) (bool, error) { return false, nil }

func syncAll(*os.File) error { return ErrUnsupported }

// identityOf: os.SameFile knows, but does not tell.
func identityOf(fs.FileInfo) (Identity, bool) { return Identity{}, false }

// syncDir: NTFS journals names in order; Windows has no call for a directory.
func syncDir(d *os.File) error {
	d.Close()
	return ErrUnsupported
}

// closed: only an attempt tells.
func closed(string) bool { return false }
