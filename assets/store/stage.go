package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/afero"
)

// write stages one file.
func (tx *Tx) write(p string, data []byte, mode fs.FileMode) error {
	shown := shownIn(tx.place.dir, p)
	if err := tx.stageDirs(p, private(mode)); err != nil {
		return failed("create the directory of", shown, err)
	}
	// Neither synced nor read back here: settle does both for all files, at once
	// in less time, and what it reads is what was written as well as what this
	// would read.
	name, what := tx.stagedAt(p), made{tx.of(p), false, mode}
	if q, ok := tx.root.(direct); ok && tx.exact[what] {
		done, err := q.put(name, data, mode)
		if err != nil {
			return failed("write", shown, err)
		}
		if done {
			return nil
		}
	}
	f, err := tx.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return failed("write", shown, err)
	}
	n, err := f.Write(data)
	err = errors.Join(err, shortWrite(n, len(data)))
	if err == nil {
		err = tx.exactly(what, tx.root, f.Stat, func() error { return chmod(tx.root, f, name, mode) })
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return failed("write", shown, err)
	}
	return nil
}

// made is a kind of thing that is staged. What a new file or directory becomes
// of the mode that it is made with is up to the umask and to default ACLs, which
// are the same for all that is staged on one file system.
type made struct {
	mount string
	dir   bool
	mode  fs.FileMode
}

// exactly sets a mode where the first of its kind did not get it by itself. No
// key was open to others meanwhile: neither adds to a mode, and until the commit
// nobody else can look into the staging directory. What settle reads back must
// have its mode.
func (tx *Tx) exactly(what made, fsys FS, look func() (fs.FileInfo, error), set func() error) error {
	exact, known := tx.exact[what]
	if !known {
		info, err := look()
		if err != nil {
			return err
		}
		_, owned := fsys.Identity(info)
		exact = owned && info.Mode()&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) == what.mode
		tx.exact[what] = exact
	}
	if exact {
		return nil
	}
	return set()
}

// writeManifest stages the manifest as it is printed: that of a fleet has 12 MB.
func (tx *Tx) writeManifest(m *Manifest) (err error) {
	name := tx.stagedAt(ManifestName)
	f, err := tx.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	h := sha256.New()
	var size counter
	if err := m.write(io.MultiWriter(f, h, &size), tx.ledger.entries()); err != nil {
		return err
	}
	tx.manifest = image{size: int64(size), mode: 0o644}
	h.Sum(tx.manifest.sum[:0])
	return chmod(tx.root, f, name, tx.manifest.mode)
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

// stagedAt is the staged name of a path of the set.
func (tx *Tx) stagedAt(p string) string {
	base, rel := tx.staging(p)
	return base + "/" + rel
}

// dirState is what was done for a directory of the set.
type dirState struct{ made, holdsKey bool }

// lastDir is the directory, of the set, of the last file: the next one is often
// its neighbour.
type lastDir struct {
	dir      string
	holdsKey bool
}

// stageDirs makes the staged directories of a path. Others may look into those
// that hold no key, once the set is in its place.
func (tx *Tx) stageDirs(p string, holdsKey bool) error {
	dir := path.Dir(p)
	if tx.last.dir == dir && (tx.last.holdsKey || !holdsKey) {
		return nil
	}
	base, rel := tx.staging(p)
	if path.Dir(rel) == "." {
		tx.topKey = tx.topKey || holdsKey && base == tx.stage
	} else {
		above := len(p) - len(rel)
		for a := range ancestors(path.Dir(rel)) {
			of, key := p[:above+len(a)], holdsKey && above+len(a) == len(dir)
			d := tx.dirState(of)
			if d.made && (d.holdsKey || !key) {
				continue // without a look: the walker stays at the parent of the last one made
			}
			parent, err := tx.walk.root(tx.root, path.Dir(base+"/"+a))
			if err == nil {
				err = tx.makeStaged(parent, path.Base(a), made{tx.of(of), true, dirMode(key)}, d)
			}
			if err != nil {
				return err
			}
		}
	}
	tx.last = lastDir{dir, holdsKey}
	return nil
}

// dirState is what was done for a directory of the set, until another one comes
// in.
func (tx *Tx) dirState(dir string) *dirState {
	i := tx.ledger.dir(dir)
	if n := len(tx.ledger.dirs.list); n > len(tx.dirs) {
		tx.dirs = append(tx.dirs, make([]dirState, n-len(tx.dirs))...)
	}
	return &tx.dirs[i]
}

func dirMode(holdsKey bool) fs.FileMode {
	if holdsKey {
		return 0o700
	}
	return 0o755
}

// makeStaged makes a directory of the set below parent, or closes one that was
// made when no key was known to come into it.
func (tx *Tx) makeStaged(parent Root, name string, what made, d *dirState) error {
	set := func() error { return parent.Chmod(name, what.mode) }
	if d.made {
		if err := set(); err != nil {
			return err
		}
	} else {
		if err := parent.Mkdir(name, what.mode); err != nil {
			return err
		}
		look := func() (fs.FileInfo, error) { return parent.Lstat(name) }
		if err := tx.exactly(what, parent, look, set); err != nil {
			return err
		}
	}
	d.made, d.holdsKey = true, what.mode == dirMode(true)
	return nil
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
