package store

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/afero"
)

// Memory makes an afero file system in memory usable as a destination, for
// demos and tests. It proves nothing about durability or permissions.
func Memory(base afero.Fs) FS { return &memFS{Fs: base, locks: map[string]bool{}} }

type memFS struct {
	afero.Fs
	mu    sync.Mutex
	locks map[string]bool
}

func (m *memFS) Lstat(name string) (fs.FileInfo, error) {
	if l, ok := m.Fs.(afero.Lstater); ok {
		info, _, err := l.LstatIfPossible(name)
		return info, err
	}
	return m.Stat(name)
}

// Link copies: afero has no second names, and nothing in a transaction changes
// a file in place.
func (m *memFS) Link(oldname, newname string) error {
	info, err := m.Stat(oldname)
	if err != nil {
		return err
	}
	data, err := afero.ReadFile(m.Fs, oldname)
	if err != nil {
		return err
	}
	f, err := m.OpenFile(newname, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return m.Chmod(newname, info.Mode().Perm())
}

// Rename moves a directory file by file: afero's own leaves the entries of a
// directory that was renamed under their old names, and a listing then loses
// those that are replaced.
func (m *memFS) Rename(oldname, newname string) error {
	info, err := m.Stat(oldname)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if there, err := m.Stat(newname); err == nil {
			if there.IsDir() {
				return &fs.PathError{Op: "rename", Path: newname, Err: fs.ErrExist}
			}
			if err := m.Remove(newname); err != nil {
				return err
			}
		}
		return m.Fs.Rename(oldname, newname)
	}
	if err := m.Mkdir(newname, info.Mode().Perm()); err != nil {
		return err
	}
	infos, err := readDir(m, oldname)
	if err != nil {
		return err
	}
	for _, info := range infos {
		if err := m.Rename(filepath.Join(oldname, info.Name()), filepath.Join(newname, info.Name())); err != nil {
			return err
		}
	}
	return m.Remove(oldname)
}

// Remove refuses a directory that is not empty, as a disk does and afero's
// memory does not.
func (m *memFS) Remove(name string) error {
	if info, err := m.Stat(name); err == nil && info.IsDir() {
		infos, err := readDir(m, name)
		if err != nil {
			return err
		}
		if len(infos) > 0 {
			return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
		}
	}
	return m.Fs.Remove(name)
}

func (m *memFS) SyncDir(string) error { return nil }

func (m *memFS) Lock(path string) (func() error, error) {
	path = filepath.Clean(path)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks[path] {
		return nil, ErrLocked
	}
	m.locks[path] = true
	return func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.locks, path)
		return nil
	}, nil
}

func (m *memFS) Resolve(dir string) (string, error) { return filepath.Clean(dir), nil }

func (m *memFS) OpenRoot(dir string) (Root, error) { return Below(m, dir) }

func (m *memFS) Volume(string) (Volume, error) { return Volume{Kind: "memory", Memory: true}, nil }

func (m *memFS) MountPoint(string) (bool, error) { return false, nil }

func (m *memFS) Identity(fs.FileInfo) (Identity, bool) { return Identity{}, false }

// Below is a Root by name alone, for file systems in which nobody swaps
// directories.
func Below(base FS, dir string) (Root, error) {
	info, err := base.Lstat(dir)
	if err != nil && dir != "." {
		return nil, err
	}
	if err == nil && !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: errNotDir}
	}
	return &below{base, dir}, nil
}

type below struct {
	base FS
	dir  string
}

func (b *below) at(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

func (b *below) Name() string                           { return b.dir }
func (b *below) Create(name string) (afero.File, error) { return b.base.Create(b.at(name)) }
func (b *below) Open(name string) (afero.File, error)   { return b.base.Open(b.at(name)) }
func (b *below) OpenFile(name string, flag int, perm fs.FileMode) (afero.File, error) {
	return b.base.OpenFile(b.at(name), flag, perm)
}
func (b *below) Mkdir(name string, perm fs.FileMode) error { return b.base.Mkdir(b.at(name), perm) }
func (b *below) MkdirAll(name string, perm fs.FileMode) error {
	return b.base.MkdirAll(b.at(name), perm)
}
func (b *below) Remove(name string) error    { return b.base.Remove(b.at(name)) }
func (b *below) RemoveAll(name string) error { return b.base.RemoveAll(b.at(name)) }
func (b *below) Rename(oldname, newname string) error {
	return b.base.Rename(b.at(oldname), b.at(newname))
}

func (b *below) Link(oldname, newname string) error        { return b.base.Link(b.at(oldname), b.at(newname)) }
func (b *below) Stat(name string) (fs.FileInfo, error)     { return b.base.Stat(b.at(name)) }
func (b *below) Lstat(name string) (fs.FileInfo, error)    { return b.base.Lstat(b.at(name)) }
func (b *below) Chmod(name string, mode fs.FileMode) error { return b.base.Chmod(b.at(name), mode) }
func (b *below) Chown(name string, uid, gid int) error     { return b.base.Chown(b.at(name), uid, gid) }

func (b *below) Chtimes(name string, a, m time.Time) error { return b.base.Chtimes(b.at(name), a, m) }
func (b *below) SyncDir(dir string) error                  { return b.base.SyncDir(b.at(dir)) }
func (b *below) Lock(path string) (func() error, error)    { return b.base.Lock(b.at(path)) }
func (b *below) Resolve(dir string) (string, error)        { return filepath.Clean(dir), nil }
func (b *below) OpenRoot(dir string) (Root, error)         { return Below(b.base, b.at(dir)) }
func (b *below) Volume(dir string) (Volume, error)         { return b.base.Volume(b.at(dir)) }
func (b *below) MountPoint(name string) (bool, error)      { return b.base.MountPoint(b.at(name)) }
func (b *below) Identity(i fs.FileInfo) (Identity, bool)   { return b.base.Identity(i) }
func (b *below) Close() error                              { return nil }

// SyncAll has the base decide: in memory there is nothing to do.
func (b *below) SyncAll() error {
	if s, ok := b.base.(interface{ SyncAll(dir string) error }); ok {
		return s.SyncAll(b.dir)
	}
	if v, err := b.base.Volume(b.dir); err == nil && v.Memory {
		return nil
	}
	return ErrUnsupported
}

// readAll reads a file of at most limit bytes.
func readAll(fsys afero.Fs, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errTooBig}
	}
	return data, err
}
