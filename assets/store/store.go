// Package store is the transaction that puts a set of files on a disk: staged
// beside its place, verified from the disk, then renamed into place, or not at
// all. Start with Begin; Inspect tells what is there already.
//
// It knows files, modes and checksums, not certificates.
package store

import (
	"io/fs"
	"time"

	"github.com/spf13/afero"
)

// FS is what a transaction needs of a file system: afero's interface, and what
// afero lacks.
type FS interface {
	afero.Fs
	// SyncDir makes the names in a directory durable.
	SyncDir(dir string) error
	// Lock takes the lock file at path for this process, without waiting;
	// ErrLocked when another process holds it.
	Lock(path string) (unlock func() error, err error)
}

// Entry is one file of the manifest.
type Entry struct {
	Path     string      `json:"path"`
	Mode     fs.FileMode `json:"-"`
	ModeText string      `json:"mode"` // "0600"
	SHA256   string      `json:"sha256"`
	Size     int64       `json:"size"`
	Slot     string      `json:"slot,omitempty"`
	Kind     string      `json:"kind"`
	Serial   string      `json:"serial,omitempty"`
	NotAfter *time.Time  `json:"notAfter,omitempty"`
}

// Manifest is manifest.json: every file of a set.
type Manifest struct {
	Version string    `json:"version"` // of certwright
	Profile string    `json:"profile"`
	Created time.Time `json:"created"`
	Files   []Entry   `json:"files"`
}
