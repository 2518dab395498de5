package store

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/afero"
)

// OS is the real disk.
func OS() FS { return osFS{afero.NewOsFs()} }

type osFS struct{ afero.Fs }

func (osFS) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(name) }
func (osFS) Link(oldname, newname string) error     { return os.Link(oldname, newname) }

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return syncDir(d)
}

func (osFS) Lock(path string) (func() error, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	unlock, err := lockIn(root, filepath.Base(path))
	if err != nil {
		root.Close()
		return nil, err
	}
	return func() error { defer root.Close(); return unlock() }, nil
}

func (osFS) Resolve(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	// The deepest parent that exists is resolved; the rest is only a name yet.
	rest := filepath.Base(abs)
	for parent := filepath.Dir(abs); ; parent = filepath.Dir(parent) {
		real, err := filepath.EvalSymlinks(parent)
		if err == nil {
			return filepath.Join(real, rest), nil
		}
		if _, lerr := os.Lstat(parent); lerr == nil || filepath.Dir(parent) == parent {
			return "", err // a dangling link or a loop
		}
		rest = filepath.Join(filepath.Base(parent), rest)
	}
}

func (osFS) OpenRoot(dir string) (Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return newRoot(root)
}

func (osFS) Volume(dir string) (Volume, error) {
	d, err := os.Open(dir)
	if err != nil {
		return Volume{}, err
	}
	defer d.Close()
	v, err := volumeOf(d)
	v.Closed = closed(dir)
	return v, err
}

func (osFS) MountPoint(name string) (bool, error) {
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return false, err
	}
	defer dir.Close()
	return mountedOn(dir, filepath.Base(name))
}

func (osFS) Identity(info fs.FileInfo) (Identity, bool) { return identityOf(info) }

// rootFS is a directory of the real disk, held open: every name is looked up
// from its descriptor (openat), so a path that is swapped meanwhile leads
// nowhere else.
type rootFS struct {
	root *os.Root
	// dir was opened before anything was written: syncfs reports the write-back
	// errors that came after its descriptor (syncfs(2), Linux 5.8).
	dir *os.File
}

func newRoot(root *os.Root) (Root, error) {
	dir, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	return &rootFS{root, dir}, nil
}

func (r *rootFS) Name() string { return r.root.Name() }

func (r *rootFS) Create(name string) (afero.File, error) {
	return r.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

func (r *rootFS) Open(name string) (afero.File, error) { return r.OpenFile(name, os.O_RDONLY, 0) }

func (r *rootFS) OpenFile(name string, flag int, perm fs.FileMode) (afero.File, error) {
	if r.dir != nil {
		if f := openBeneath(r.dir, name, flag|oNonblock, perm); f != nil {
			return f, nil
		}
	}
	f, err := r.root.OpenFile(name, flag|oNonblock, perm)
	if err != nil {
		return nil, err // not a nil *os.File in an interface
	}
	return f, nil
}

// image is a regular file as it lies there, when that can be had quickly.
func (r *rootFS) image(name string) (image, bool) {
	if r.dir == nil {
		return image{}, false
	}
	return imageBeneath(r.dir, name)
}

// put writes a new file, when that can be done quickly.
func (r *rootFS) put(name string, data []byte, mode fs.FileMode) (done bool, err error) {
	if r.dir == nil {
		return false, nil
	}
	return putBeneath(r.dir, name, data, mode)
}

// openDir is Open for what is a directory in all likelihood.
func (r *rootFS) openDir(name string) (afero.File, error) {
	f, err := r.root.OpenFile(name, os.O_RDONLY|oNonblock, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (r *rootFS) Mkdir(name string, perm fs.FileMode) error    { return r.root.Mkdir(name, perm) }
func (r *rootFS) MkdirAll(name string, perm fs.FileMode) error { return r.root.MkdirAll(name, perm) }
func (r *rootFS) Remove(name string) error                     { return r.root.Remove(name) }
func (r *rootFS) RemoveAll(name string) error                  { return r.root.RemoveAll(name) }
func (r *rootFS) Rename(oldname, newname string) error         { return r.root.Rename(oldname, newname) }

func (r *rootFS) Link(oldname, newname string) error        { return r.root.Link(oldname, newname) }
func (r *rootFS) Stat(name string) (fs.FileInfo, error)     { return r.root.Stat(name) }
func (r *rootFS) Lstat(name string) (fs.FileInfo, error)    { return r.root.Lstat(name) }
func (r *rootFS) Chmod(name string, mode fs.FileMode) error { return r.root.Chmod(name, mode) }
func (r *rootFS) Chown(name string, uid, gid int) error     { return r.root.Chown(name, uid, gid) }

func (r *rootFS) Chtimes(name string, a, m time.Time) error { return r.root.Chtimes(name, a, m) }

func (r *rootFS) Resolve(dir string) (string, error)              { return filepath.Clean(dir), nil }
func (r *rootFS) Identity(info fs.FileInfo) (Identity, bool)      { return identityOf(info) }
func (r *rootFS) Lock(path string) (unlock func() error, _ error) { return lockIn(r.root, path) }

// SyncAll is for a root that FS.OpenRoot has opened; a directory below one has
// no descriptor from before the writes.
func (r *rootFS) SyncAll() error {
	if r.dir == nil {
		return ErrUnsupported
	}
	return syncAll(r.dir)
}

func (r *rootFS) SyncDir(dir string) error {
	d, err := r.root.Open(dir)
	if err != nil {
		return err
	}
	return syncDir(d)
}

func (r *rootFS) MountPoint(name string) (bool, error) {
	if r.dir != nil {
		if mounted, known := mountedBeneath(r.dir, name); known {
			return mounted, nil
		}
	}
	dir, err := r.root.Open(filepath.Dir(name))
	if err != nil {
		return false, err
	}
	defer dir.Close()
	return mountedOn(dir, filepath.Base(name))
}

func (r *rootFS) OpenRoot(dir string) (Root, error) {
	root, err := r.root.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &rootFS{root, nil}, nil
}

func (r *rootFS) Volume(dir string) (Volume, error) {
	d, err := r.root.Open(dir)
	if err != nil {
		return Volume{}, err
	}
	defer d.Close()
	return volumeOf(d)
}

func (r *rootFS) Close() error {
	if r.dir != nil {
		r.dir.Close()
	}
	return r.root.Close()
}

// lockAttempts bounds the races with a holder that removes its lock file.
const lockAttempts = 32

// lockIn takes the lock file name in root. The holder removes the file when it
// is done, while it still holds the lock; whoever opened it before that finds
// out by comparing what he locked with what now has the name.
func lockIn(root *os.Root, name string) (func() error, error) {
	for range lockAttempts {
		if info, err := root.Lstat(name); err == nil && !info.Mode().IsRegular() {
			return nil, &fs.PathError{Op: "lock", Path: name, Err: fmt.Errorf("not a regular file")}
		}
		f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|oNonblock, 0o600)
		if err != nil {
			return nil, err
		}
		if err := flock(f); err != nil {
			holder := make([]byte, 256)
			n, _ := f.ReadAt(holder, 0)
			f.Close()
			return nil, &lockedError{err, string(holder[:n])}
		}
		mine, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, err
		}
		if there, err := root.Lstat(name); err != nil || !os.SameFile(mine, there) {
			f.Close()
			continue
		}
		// What the file says is only for the person who is refused.
		f.Truncate(0)
		fmt.Fprintf(f, "pid %d since %s", os.Getpid(), time.Now().UTC().Format(time.RFC3339))
		return func() error {
			err := removeLocked(root, name)
			if cerr := f.Close(); err == nil {
				err = cerr
			}
			return err
		}, nil
	}
	return nil, &lockedError{err: fmt.Errorf("the lock file comes and goes")}
}

// lockedError is ErrLocked with what the holder wrote about itself.
type lockedError struct {
	err    error
	holder string
}

func (e *lockedError) Error() string {
	if e.holder == "" {
		return ErrLocked.Error()
	}
	return ErrLocked.Error() + " (" + e.holder + ")"
}
func (e *lockedError) Is(target error) bool { return target == ErrLocked }
