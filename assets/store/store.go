// Package store is the transaction that puts a set of files on a disk: staged
// beside its place, verified from the disk, then renamed into place, or not at
// all. Start with Begin; Inspect tells what is there already, Recover finishes
// or undoes what a crash left.
//
// It knows files, modes and checksums, not certificates. It never writes
// through a symbolic link, never outside the destination, and never replaces a
// file without keeping the old one beside it.
package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"time"

	"github.com/spf13/afero"
)

// FS is what a transaction needs of a file system: afero's interface, and what
// afero lacks. OS is the disk, Memory is for demos and tests.
type FS interface {
	afero.Fs
	// Lstat describes a name itself, not what a symbolic link points to.
	Lstat(name string) (fs.FileInfo, error)
	// Link makes newname a second name of the file oldname.
	Link(oldname, newname string) error
	// SyncDir makes the names in a directory durable. ErrUnsupported means that
	// the file system has no such promise.
	SyncDir(dir string) error
	// Lock takes the lock file at path for this process, without waiting;
	// ErrLocked when another process holds it. The system gives the lock up when
	// the process dies; unlock removes the file.
	Lock(path string) (unlock func() error, err error)
	// Resolve is the absolute path of dir with the symbolic links of its parents
	// followed; dir itself, and any part of it that does not exist, stays.
	Resolve(dir string) (string, error)
	// OpenRoot pins an existing directory: names are taken relative to it, and
	// nothing outside it can be reached even when somebody swaps its path.
	OpenRoot(dir string) (Root, error)
	// Volume describes the file system that holds dir.
	Volume(dir string) (Volume, error)
	// MountPoint says whether another file system is mounted on name, a file or a
	// directory: nothing can be renamed over it, or across it. One that is not
	// there is none.
	MountPoint(name string) (bool, error)
	// Identity tells which file an answer of Lstat is about; false where the
	// file system does not say.
	Identity(info fs.FileInfo) (Identity, bool)
}

// Root is a directory held open, see FS.OpenRoot.
type Root interface {
	FS
	// SyncAll makes durable all that was written on this file system since the
	// root was opened, in one call, and reports any of it that failed.
	// ErrUnsupported means: sync every file by itself.
	SyncAll() error
	Close() error
}

// Volume is a file system as far as a transaction cares.
type Volume struct {
	Kind     string // "ext4", "nfs"; "" when unknown
	Free     uint64 // bytes for this user; meaningless unless Known
	Known    bool   // Free and ReadOnly are known
	ReadOnly bool
	Network  bool // locks and durability depend on a server
	Memory   bool // nothing outlives the process, there are no owners
	Closed   bool // this user may not write into the directory
}

// Identity names a file on a machine.
type Identity struct {
	Dev, Ino, Links uint64
	UID             uint32
}

// Errors that an FS returns.
var (
	ErrLocked      = errors.New("another run holds the lock")
	ErrUnsupported = errors.New("not supported by this file system")

	errNotDir = errors.New("not a directory")
	errTooBig = errors.New("larger than a file of ours can be")
)

// File is one file to be written. Data is not kept after Add.
type File struct {
	Path     string // slash-separated, relative to the destination
	Data     []byte
	Mode     fs.FileMode // permission bits; 0600 and below make its directory 0700
	Slot     string
	Kind     string
	Serial   string    // hexadecimal
	NotAfter time.Time // zero when it holds no certificate
}

// Planned is a file as the Review screen knows it: not its bytes.
type Planned struct {
	Path   string
	Mode   fs.FileMode
	Size   int64
	SHA256 string // hexadecimal
}

// Planned describes the file.
func (f File) Planned() Planned {
	return Planned{Path: f.Path, Mode: f.Mode.Perm(), Size: int64(len(f.Data)), SHA256: digest(f.Data)}
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

// Manifest is manifest.json: every file of a set but itself.
type Manifest struct {
	Version string // of certwright
	Profile string
	Created time.Time
	Files   Files
}

// private says whether a mode keeps others out, as for a key.
func private(mode fs.FileMode) bool { return mode.Perm()&0o077 == 0 }

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
