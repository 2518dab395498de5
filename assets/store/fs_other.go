//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly && !windows

package store

import (
	"io/fs"
	"os"
)

const oNonblock = 0

// flock: these systems share no lock call that we could use; two runs at once
// still cannot mix, because staging names are unique and renames are checked.
func flock(*os.File) error { return nil }

func removeLocked(root *os.Root, name string) error { return root.Remove(name) }

func volumeOf(*os.File) (Volume, error) { return Volume{}, nil }

func mountedOn(*os.File, string) (bool, error) { return false, nil }

func syncAll(*os.File) error { return ErrUnsupported }

func identityOf(fs.FileInfo) (Identity, bool) { return Identity{}, false }

func syncDir(d *os.File) error {
	d.Close()
	return ErrUnsupported
}

// closed: only an attempt tells.
func closed(string) bool { return false }
