package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/afero"
	"golang.org/x/sync/errgroup"
)

// bulk is the number of files, or directories, up to which each is synced by
// itself. Above it one syncfs costs less, or batches: an fsync is about 0.8 ms
// on an SSD, and a fleet of 10,000 nodes has 40,000 files.
const bulk = 16

// write stages one file.
func (tx *Tx) write(p string, data []byte, mode fs.FileMode) error {
	shown := shownIn(tx.place.dir, p)
	dir, err := tx.stageDir(p, private(mode))
	if err != nil {
		return failed("create the directory of", shown, err)
	}
	// Synced with all the others in settle: a disk does many at once in less time.
	if err := putFile(dir, path.Base(p), data, mode, false); err != nil {
		return failed("write", shown, err)
	}
	tx.staged = append(tx.staged, p)
	return nil
}

// writeManifest stages the manifest as it is printed: that of a fleet has 12 MB.
func (tx *Tx) writeManifest(m *Manifest) (p Planned, err error) {
	dir, err := tx.stageDir(ManifestName, false)
	if err != nil {
		return p, err
	}
	f, err := dir.OpenFile(ManifestName, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return p, err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	h := sha256.New()
	var size counter
	p = Planned{Path: ManifestName, Mode: 0o644}
	if err := m.write(io.MultiWriter(f, h, &size)); err != nil {
		return p, err
	}
	p.SHA256, p.Size = hex.EncodeToString(h.Sum(nil)), int64(size)
	tx.staged = append(tx.staged, ManifestName)
	return p, chmod(dir, f, ManifestName, p.Mode)
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// staging is where a path of the set is staged: the directory that stands for
// the destination, or for one of its mounts, and the path there.
func (tx *Tx) staging(p string) (base, rel string) {
	if m := tx.of(p); m != "." {
		return path.Join(m, tx.Tx, stagedName), p[len(m)+1:]
	}
	return tx.stage, p
}

// stageDir opens the staged directory of a path, and makes it and its parents.
func (tx *Tx) stageDir(p string, holdsKey bool) (Root, error) {
	base, rel := tx.staging(p)
	dir := path.Dir(rel)
	r, err := tx.walk.root(tx.root, base)
	if dir == "." {
		tx.dirs[base] = tx.dirs[base] || holdsKey
		return r, err
	}
	for a := range ancestors(dir) {
		if err != nil {
			return nil, err
		}
		at := path.Join(base, a)
		if _, ok := tx.dirs[at]; !ok {
			if err := makeDir(r, path.Base(at)); err != nil {
				return nil, err
			}
			tx.dirs[at] = false
		}
		r, err = tx.walk.root(tx.root, at)
	}
	tx.dirs[path.Join(base, dir)] = tx.dirs[path.Join(base, dir)] || holdsKey
	return r, err
}

// makeDir makes a directory that is ours alone, whatever the umask.
func makeDir(root FS, name string) error {
	if err := root.Mkdir(name, 0o700); err != nil {
		return err
	}
	return root.Chmod(name, 0o700)
}

// walker keeps the directories on the way to the last one open: looking a path
// up from the root costs two calls of the system for each of its elements, and
// the files of a fleet come directory by directory.
type walker struct {
	names []string
	roots []Root
}

// root opens the directory at path p below base. It stays open until another
// path is asked for, or close.
func (w *walker) root(base Root, p string) (Root, error) {
	elements := strings.Split(p, "/")
	same := 0
	for same < min(len(elements), len(w.names)) && elements[same] == w.names[same] {
		same++
	}
	w.closeFrom(same)
	at := base
	if same > 0 {
		at = w.roots[same-1]
	}
	for _, element := range elements[same:] {
		next, err := at.OpenRoot(element)
		if err != nil {
			return nil, err
		}
		w.names, w.roots = append(w.names, element), append(w.roots, next)
		at = next
	}
	return at, nil
}

func (w *walker) closeFrom(n int) {
	for _, r := range w.roots[n:] {
		r.Close()
	}
	w.names, w.roots = w.names[:n], w.roots[:n]
}

// putFile makes a new file with these bytes and this mode, and reads it back.
func putFile(fsys FS, name string, data []byte, mode fs.FileMode, sync bool) (err error) {
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	if n, err := f.Write(data); err != nil || n != len(data) {
		return errors.Join(err, shortWrite(n, len(data)))
	}
	if err := chmod(fsys, f, name, mode); err != nil {
		return err
	}
	if sync {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return readBack(f, data)
}

func shortWrite(n, want int) error {
	if n == want {
		return nil
	}
	return fmt.Errorf("%w: %d of %d bytes", io.ErrShortWrite, n, want)
}

// chmod sets the mode on the open file where that is possible: a name could be
// exchanged meanwhile.
func chmod(fsys FS, f afero.File, name string, mode fs.FileMode) error {
	if h, ok := f.(interface{ Chmod(fs.FileMode) error }); ok {
		return h.Chmod(mode)
	}
	return fsys.Chmod(name, mode)
}

var errOther = errors.New("the file system gave other bytes back than were written")

func readBack(f afero.File, data []byte) error {
	back := make([]byte, len(data)+1)
	n, err := f.ReadAt(back, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	same := bytes.Equal(back[:n], data)
	clear(back) // it may be a key
	if !same {
		return errOther
	}
	return nil
}

// publishModes opens the directories that hold no keys. Until here nobody else
// could look into the staging directory.
func (tx *Tx) publishModes() error {
	open := []string{}
	for dir, holdsKey := range tx.dirs {
		// What stands for a directory that exists is never seen.
		if !holdsKey && (tx.place.name != "" || path.Base(path.Dir(dir)) != tx.Tx) {
			open = append(open, dir)
		}
	}
	if tx.place.name != "" {
		for dir := tx.stage; dir != tx.Tx; {
			dir = path.Dir(dir)
			open = append(open, dir)
		}
	}
	slices.Sort(open)
	for _, dir := range open {
		parent, err := tx.walk.root(tx.root, path.Dir(dir))
		if err == nil {
			err = parent.Chmod(path.Base(dir), 0o755)
		}
		if err != nil {
			return failed("set the mode of a directory of", tx.place.dir, err)
		}
	}
	return nil
}

// settle makes all that was staged durable and compares it with what was meant.
func (tx *Tx) settle(manifest Planned) error {
	if err := tx.sync(); err != nil {
		return err
	}
	return tx.each(tx.staged, "read back", func(dir Root, p string) error {
		if p == manifest.Path {
			return verify(dir, manifest)
		}
		// Sorted for the manifest, which was written before.
		i, _ := slices.BinarySearchFunc(tx.entries, p, func(e Entry, p string) int { return strings.Compare(e.Path, p) })
		e := tx.entries[i]
		return verify(dir, Planned{Path: e.Path, Mode: e.Mode, Size: e.Size, SHA256: e.SHA256})
	})
}

// each does something for each staged file, directory by directory; for many
// of them several directories at a time, so that a disk that is asked to sync
// can do so for a number of files at once.
func (tx *Tx) each(paths []string, op string, do func(dir Root, p string) error) error {
	var group errgroup.Group
	group.SetLimit(1)
	if len(paths) > bulk {
		group.SetLimit(16)
	}
	for i, j := 0, 0; i < len(paths); i = j {
		// Files come directory by directory; one that comes again is opened again.
		dir := path.Dir(paths[i])
		for j = i + 1; j < len(paths) && path.Dir(paths[j]) == dir; j++ {
		}
		some := paths[i:j]
		group.Go(func() error {
			base, rel := tx.staging(some[0])
			root, err := tx.root.OpenRoot(path.Join(base, path.Dir(rel)))
			if err != nil {
				return failed(op, shownIn(tx.place.dir, dir), err)
			}
			defer root.Close()
			for _, p := range some {
				if err := do(root, p); err != nil {
					return failed(op, shownIn(tx.place.dir, p), err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (tx *Tx) sync() error {
	if many := len(tx.staged) > bulk || len(tx.undos) > bulk; many && len(tx.Mounts) == 0 { // it syncs one file system
		err := tx.root.SyncAll()
		if err == nil {
			return nil // names and files alike
		}
		if !errors.Is(err, ErrUnsupported) {
			return failed("sync", tx.place.dir, err)
		}
	}
	if err := tx.each(tx.staged, "sync", syncFile); err != nil {
		return err
	}
	dirs := append([]string{tx.Tx}, tx.stageDirs()...)
	for _, m := range tx.Mounts {
		dirs = append(dirs, m, path.Join(m, tx.Tx), path.Join(m, tx.Tx, stagedName))
	}
	dirs = append(dirs, tx.undos...)
	for dir := range tx.dirs {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	for _, dir := range slices.Backward(slices.Compact(dirs)) {
		if err := tx.syncDir(dir); err != nil {
			return failed("sync a directory of", tx.place.dir, err)
		}
	}
	return nil
}

func syncFile(dir Root, p string) error {
	f, err := dir.Open(path.Base(p))
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// syncDir takes a file system without directory syncs as it is.
func (tx *Tx) syncDir(dir string) error {
	err := tx.root.SyncDir(dir)
	if errors.Is(err, ErrUnsupported) {
		if tx.durable {
			tx.durable = false
			tx.warn("this file system cannot confirm that new names survive a power failure")
		}
		return nil
	}
	return err
}

// verify reads a staged file back by its name.
func verify(dir Root, p Planned) error {
	f, err := dir.Open(path.Base(p.Path))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() != p.Size {
		return errOther
	}
	if _, ok := dir.Identity(info); ok && info.Mode().Perm() != p.Mode {
		return fmt.Errorf("the file system gave mode %s instead of %s", modeText(info.Mode()), modeText(p.Mode))
	}
	sum, err := hashOf(f)
	if err == nil && sum != p.SHA256 {
		err = errOther
	}
	return err
}

// parentsOf lists the directories of p below top, outermost first.
func parentsOf(p, top string) []string {
	var dirs []string
	for dir := path.Dir(p); dir != top && dir != "."; dir = path.Dir(dir) {
		dirs = append(dirs, dir)
	}
	slices.Reverse(dirs)
	return dirs
}

// duplicate links, or copies and syncs where links are not to be had. probe is
// a file of ours beside to: where that can be linked and from cannot, from is
// protected (immutable, or somebody else's), and could not be replaced either.
func duplicate(root FS, from, to, probe string) error {
	err := root.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	spare := to + ".probe"
	if root.Link(probe, spare) == nil {
		return errors.Join(err, root.Remove(spare))
	}
	info, serr := root.Lstat(from)
	if serr != nil {
		return serr
	}
	data, rerr := readAll(root, from, maxManifest)
	if rerr != nil {
		return rerr
	}
	defer clear(data)
	return putFile(root, to, data, info.Mode().Perm(), true)
}
