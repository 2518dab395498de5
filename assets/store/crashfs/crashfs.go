// Package crashfs is a file system for tests that can lose power. It keeps, of
// every file and directory, what is visible and what has reached the disk;
// States lists what a crash may leave. It fails an operation when told to, and
// honours a budget of bytes.
//
// It is more hostile than a real disk: names become durable in any order, a
// file that was not synced may be empty or torn, and a sync that failed once
// never succeeds for the same bytes. It has no symbolic links and checks no
// permissions. Directories can be mount points of devices of their own (Mount).
package crashfs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"certwright/assets/store"

	"github.com/spf13/afero"
)

// Op is one operation, numbered from 1.
type Op struct {
	N    int
	Name string // "rename"
	Path string
	To   string // of rename and link
}

// Writes says whether the operation changes the disk or its durability.
func (o Op) Writes() bool {
	switch o.Name {
	case "open", "read", "lstat", "list":
		return false
	}
	return true
}

// FS is the file system; make one with New.
type FS struct {
	// Before is asked first: an error is returned, and nothing done.
	Before func(Op) error
	// After is told what was done: an error is returned all the same.
	After func(Op) error
	// Budget is how many bytes may still be stored, a new name counting
	// NameCost; nil means any.
	Budget *int64
	Umask  fs.FileMode
	// Whole lets SyncAll work.
	Whole bool
	// NoLinks refuses second names, as vfat does.
	NoLinks bool

	// Considered counts the combinations that States has looked at.
	Considered int

	mu    sync.Mutex
	root  *inode
	inos  uint64
	devs  uint64
	n     int
	log   []*change
	seq   int
	locks map[string]bool
	dead  int // the operation before which the process dies; 0 for never
}

// NameCost is what a new name takes from the budget.
const NameCost = 32

type inode struct {
	ino   uint64
	dir   bool
	mode  fs.FileMode
	data  []byte
	kids  map[string]*inode
	links uint64
	dev   uint64 // its device
	mount bool   // the root of one that is mounted

	// What has reached the disk.
	durData []byte
	durMode fs.FileMode
	durKids map[string]*inode
	dirty   bool // data or mode differ from the durable ones
	lost    bool // a sync failed: the system has forgotten that it is dirty
}

// change is a name that has not reached the disk.
type change struct {
	seq   int
	dir   *inode
	name  string
	to    *inode // nil: the name is removed
	needs *change
	pair  bool // needs also needs this one: a directory is never in two places
	lost  bool
}

// New is an empty disk.
func New() *FS {
	f := &FS{locks: map[string]bool{}}
	f.root = f.newInode(f.devs, true, 0o755)
	return f
}

func (f *FS) newInode(dev uint64, dir bool, mode fs.FileMode) *inode {
	f.inos++
	i := &inode{ino: f.inos, dev: dev, dir: dir, mode: mode, durMode: mode, links: 1}
	if dir {
		i.kids, i.durKids = map[string]*inode{}, map[string]*inode{}
	}
	return i
}

var _ store.FS = (*FS)(nil)

// Ops is the number of operations so far.
func (f *FS) Ops() int { return f.n }

// do runs one operation between its hooks.
func (f *FS) do(op Op, body func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	op.N = f.n
	if f.dead > 0 && op.N >= f.dead {
		return wrap(op, errDead)
	}
	if f.Before != nil {
		if err := f.Before(op); err != nil {
			if op.Name == "sync" || op.Name == "syncdir" {
				f.forget(op.Path)
			}
			return wrap(op, err)
		}
	}
	if err := body(); err != nil {
		return wrap(op, err)
	}
	if f.After != nil {
		if err := f.After(op); err != nil {
			return wrap(op, err)
		}
	}
	return nil
}

var errDead = errors.New("the process is dead")

// Kill has the process die before operation n: nothing that it does from there
// on is done, and nothing that it has done is lost. Revive is the next process.
func (f *FS) Kill(n int) { f.dead = n }

// Revive starts another process on the disk as it is seen: its locks are free.
func (f *FS) Revive() { f.dead, f.locks = 0, map[string]bool{} }

// forget is what Linux does with pages whose write-back failed: the next sync
// succeeds without them.
func (f *FS) forget(name string) {
	i, err := f.find(name)
	if err != nil {
		return
	}
	i.lost = i.dirty
	for _, c := range f.log {
		if c.dir == i {
			c.lost = true
		}
	}
}

func wrap(op Op, err error) error {
	if op.To != "" {
		return &os.LinkError{Op: op.Name, Old: op.Path, New: op.To, Err: err}
	}
	return &fs.PathError{Op: op.Name, Path: op.Path, Err: err}
}

// find walks to a path.
func (f *FS) find(name string) (*inode, error) {
	at := f.root
	for _, element := range elements(name) {
		if !at.dir {
			return nil, syscall.ENOTDIR
		}
		next, err := at.kid(element)
		if err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

// parent walks to the directory of a path.
func (f *FS) parent(name string) (*inode, string, error) {
	es := elements(name)
	if len(es) == 0 {
		return nil, "", syscall.EINVAL
	}
	base := es[len(es)-1]
	dir, err := f.find(path.Join(es[:len(es)-1]...))
	if err != nil {
		return nil, "", err
	}
	if !dir.dir {
		return nil, "", syscall.ENOTDIR
	}
	return dir, base, nil
}

// kid looks a name up in a directory.
func (i *inode) kid(name string) (*inode, error) {
	if err := badName(name); err != nil {
		return nil, err
	}
	if k := i.kids[name]; k != nil {
		return k, nil
	}
	return nil, syscall.ENOENT
}

func elements(name string) []string {
	clean := path.Clean("/" + filepath.ToSlash(name))
	if clean == "/" {
		return nil
	}
	return strings.Split(clean[1:], "/")
}

func badName(element string) error {
	if len(element) > 255 {
		return syscall.ENAMETOOLONG
	}
	if strings.ContainsRune(element, 0) {
		return syscall.EINVAL
	}
	return nil
}

// set changes a name, visibly at once and durably after a sync.
func (f *FS) set(dir *inode, name string, to *inode) *change {
	if old := dir.kids[name]; old != nil {
		old.links--
	}
	if to == nil {
		delete(dir.kids, name)
	} else {
		dir.kids[name] = to
	}
	f.seq++
	c := &change{seq: f.seq, dir: dir, name: name, to: to}
	f.log = append(f.log, c)
	return c
}

func (f *FS) charge(n int64) bool {
	if f.Budget == nil {
		return true
	}
	if *f.Budget < n {
		return false
	}
	*f.Budget -= n
	return true
}

// Name says what this is.
func (f *FS) Name() string { return "crashfs" }

// Create makes or truncates a file.
func (f *FS) Create(name string) (afero.File, error) {
	return f.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// Open opens a file or a directory for reading.
func (f *FS) Open(name string) (afero.File, error) { return f.OpenFile(name, os.O_RDONLY, 0) }

// OpenFile opens or makes a file.
func (f *FS) OpenFile(name string, flag int, perm fs.FileMode) (afero.File, error) {
	op := Op{Name: "open", Path: name}
	if flag&(os.O_CREATE|os.O_TRUNC) != 0 {
		op.Name = "create"
	}
	var h *handle
	err := f.do(op, func() error {
		i, err := f.find(name)
		if err != nil && (flag&os.O_CREATE == 0 || err != syscall.ENOENT) {
			return err
		}
		if err != nil {
			dir, base, err := f.parent(name)
			if err != nil {
				return err
			}
			if err := badName(base); err != nil {
				return err
			}
			if !f.charge(NameCost) {
				return syscall.ENOSPC
			}
			i = f.newInode(dir.dev, false, perm.Perm()&^f.Umask)
			f.set(dir, base, i)
		} else {
			if flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL {
				return syscall.EEXIST
			}
			if i.dir && flag&(os.O_WRONLY|os.O_RDWR|os.O_CREATE) != 0 {
				return syscall.EISDIR
			}
			if flag&os.O_TRUNC != 0 && len(i.data) > 0 {
				i.data, i.dirty = nil, true
			}
		}
		h = &handle{fs: f, i: i, name: name, flag: flag}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Mkdir makes one directory.
func (f *FS) Mkdir(name string, perm fs.FileMode) error {
	return f.do(Op{Name: "mkdir", Path: name}, func() error {
		if _, err := f.find(name); err == nil {
			return syscall.EEXIST
		}
		dir, base, err := f.parent(name)
		if err == nil {
			err = badName(base)
		}
		if err != nil {
			return err
		}
		if !f.charge(NameCost) {
			return syscall.ENOSPC
		}
		f.set(dir, base, f.newInode(dir.dev, true, perm.Perm()&^f.Umask))
		return nil
	})
}

// MkdirAll makes a directory and its parents.
func (f *FS) MkdirAll(name string, perm fs.FileMode) error {
	at := "/"
	for _, element := range elements(name) {
		at = path.Join(at, element)
		if info, err := f.Lstat(at); err == nil && info.IsDir() {
			continue
		}
		if err := f.Mkdir(at, perm); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes a file or an empty directory.
func (f *FS) Remove(name string) error {
	return f.do(Op{Name: "remove", Path: name}, func() error {
		dir, base, err := f.parent(name)
		if err != nil {
			return err
		}
		i, err := dir.kid(base)
		if err != nil {
			return err
		}
		if i.mount {
			return syscall.EBUSY
		}
		if len(i.kids) > 0 {
			return syscall.ENOTEMPTY
		}
		if f.Budget != nil {
			*f.Budget += NameCost
			if i.links == 1 {
				*f.Budget += int64(len(i.data))
			}
		}
		f.set(dir, base, nil)
		return nil
	})
}

// RemoveAll removes a tree, one operation for each name.
func (f *FS) RemoveAll(name string) error {
	info, err := f.Lstat(name)
	if err != nil {
		return nil
	}
	if info.IsDir() {
		d, err := f.Open(name)
		if err != nil {
			return err
		}
		names, err := d.Readdirnames(-1)
		d.Close()
		if err != nil {
			return err
		}
		for _, n := range names {
			if err := f.RemoveAll(path.Join(name, n)); err != nil {
				return err
			}
		}
	}
	return f.Remove(name)
}

// Rename renames as os.Root does: over a file, never over a directory.
func (f *FS) Rename(oldname, newname string) error {
	return f.do(Op{Name: "rename", Path: oldname, To: newname}, func() error {
		from, a, err := f.parent(oldname)
		if err != nil {
			return err
		}
		to, b, err := f.parent(newname)
		if err != nil {
			return err
		}
		i, err := from.kid(a)
		if err != nil {
			return err
		}
		old := to.kids[b]
		switch {
		case badName(b) != nil:
			return badName(b)
		case from.dev != to.dev:
			return syscall.EXDEV
		case i.mount:
			return syscall.EBUSY
		case i.dir && i.holds(to) && (old == nil || !old.dir):
			return syscall.EINVAL
		case old != nil && old.dir:
			return syscall.EEXIST // what os.Root says, even of itself and of an empty one
		case old == i:
			return nil
		case old != nil && i.dir:
			return syscall.ENOTDIR
		}
		set := f.set(to, b, i)
		i.links++
		del := f.set(from, a, nil)
		del.needs, del.pair = set, i.dir
		if i.dir {
			set.needs, set.pair = del, true
		}
		return nil
	})
}

// holds says whether d is i or lies below it.
func (i *inode) holds(d *inode) bool {
	if i == d {
		return true
	}
	for _, k := range i.kids {
		if k.dir && k.holds(d) {
			return true
		}
	}
	return false
}

// Link gives a file a second name.
func (f *FS) Link(oldname, newname string) error {
	return f.do(Op{Name: "link", Path: oldname, To: newname}, func() error {
		from, a, err := f.parent(oldname)
		if err != nil {
			return err
		}
		to, b, err := f.parent(newname)
		if err != nil {
			return err
		}
		i, err := from.kid(a)
		switch {
		case err != nil:
			return err
		case badName(b) != nil:
			return badName(b)
		case to.kids[b] != nil:
			return syscall.EEXIST
		case from.dev != to.dev:
			return syscall.EXDEV
		case i.dir || f.NoLinks:
			return syscall.EPERM
		case !f.charge(NameCost):
			return syscall.ENOSPC
		}
		i.links++
		f.set(to, b, i)
		return nil
	})
}

// Stat is Lstat: there are no symbolic links.
func (f *FS) Stat(name string) (fs.FileInfo, error) { return f.Lstat(name) }

// Lstat describes a name.
func (f *FS) Lstat(name string) (fs.FileInfo, error) {
	var out fs.FileInfo
	err := f.do(Op{Name: "lstat", Path: name}, func() error {
		i, err := f.find(name)
		if err != nil {
			return err
		}
		out = i.info(path.Base(path.Clean("/" + name)))
		return nil
	})
	return out, err
}

// Chmod sets the mode.
func (f *FS) Chmod(name string, mode fs.FileMode) error {
	return f.do(Op{Name: "chmod", Path: name}, func() error {
		i, err := f.find(name)
		if err != nil {
			return err
		}
		i.mode, i.dirty = mode.Perm(), true
		return nil
	})
}

// Chown and Chtimes do nothing.
func (f *FS) Chown(string, int, int) error { return nil }

// Chtimes does nothing.
func (f *FS) Chtimes(string, time.Time, time.Time) error { return nil }

// SyncDir makes the names in a directory durable, and its mode.
func (f *FS) SyncDir(dir string) error {
	return f.do(Op{Name: "syncdir", Path: dir}, func() error {
		i, err := f.find(dir)
		if err != nil {
			return err
		}
		if !i.dir {
			return syscall.ENOTDIR
		}
		f.syncNames(func(c *change) bool { return c.dir == i })
		i.syncMode()
		return nil
	})
}

// syncNames makes changes durable, and what they need.
func (f *FS) syncNames(which func(*change) bool) {
	durable := map[*change]bool{}
	for _, c := range f.log {
		if which(c) && !c.lost {
			durable[c] = true
			if c.needs != nil {
				durable[c.needs] = true
			}
		}
	}
	type name struct {
		dir  *inode
		name string
	}
	last := map[name]int{} // the last durable change of each name
	for _, c := range f.log {
		if durable[c] {
			last[name{c.dir, c.name}] = c.seq
			if c.to == nil {
				delete(c.dir.durKids, c.name)
			} else {
				c.dir.durKids[c.name] = c.to
			}
		}
	}
	rest := f.log[:0:0]
	for _, c := range f.log {
		if !durable[c] && c.seq > last[name{c.dir, c.name}] {
			rest = append(rest, c)
		}
	}
	f.log = rest
}

func (i *inode) syncMode() {
	if !i.lost {
		i.durMode = i.mode
	}
}

// SyncAll makes everything durable on the device of a directory.
func (f *FS) SyncAll(dir string) error {
	if !f.Whole {
		return store.ErrUnsupported
	}
	return f.do(Op{Name: "syncall", Path: dir}, func() error {
		at, err := f.find(dir)
		if err != nil {
			return err
		}
		f.syncNames(func(c *change) bool { return c.dir.dev == at.dev })
		f.root.each(map[*inode]bool{}, func(i *inode) {
			if i.dev == at.dev {
				i.sync()
			}
		})
		return nil
	})
}

func (i *inode) each(seen map[*inode]bool, visit func(*inode)) {
	if seen[i] {
		return
	}
	seen[i] = true
	visit(i)
	for _, k := range i.kids {
		k.each(seen, visit)
	}
}

func (i *inode) sync() {
	if i.lost {
		return
	}
	i.durMode, i.dirty = i.mode, false
	if !i.dir {
		i.durData = bytes.Clone(i.data)
	}
}

// Lock makes the lock file, as on the disk; the lock itself dies with a crash.
func (f *FS) Lock(name string) (func() error, error) {
	name = path.Clean(name)
	if f.locks[name] {
		return nil, store.ErrLocked
	}
	h, err := f.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	h.Close()
	f.locks[name] = true
	return func() error {
		delete(f.locks, name)
		return f.Remove(name)
	}, nil
}

// Resolve cleans the path.
func (f *FS) Resolve(dir string) (string, error) { return path.Clean(dir), nil }

// OpenRoot pins a directory by name.
func (f *FS) OpenRoot(dir string) (store.Root, error) { return store.Below(f, dir) }

// Volume is a small disk.
func (f *FS) Volume(string) (store.Volume, error) { return store.Volume{Kind: "crashfs"}, nil }

// Identity tells the inode.
func (f *FS) Identity(info fs.FileInfo) (store.Identity, bool) {
	i, ok := info.Sys().(*inode)
	if !ok {
		return store.Identity{}, false
	}
	return store.Identity{Dev: 1 + i.dev, Ino: i.ino, Links: i.links}, true
}

// Flip changes a byte of a file behind everybody's back, on the disk too. It
// may be called from a hook.
func (f *FS) Flip(name string) {
	i, err := f.find(name)
	if err != nil || len(i.data) == 0 {
		return
	}
	i.data = bytes.Clone(i.data)
	i.data[0] ^= 1
	i.durData = bytes.Clone(i.data)
}
