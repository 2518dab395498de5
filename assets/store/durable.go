package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"golang.org/x/sync/errgroup"
)

// bulk is the number of files, or directories, up to which each is synced by
// itself. Above it one syncfs costs less, or batches: an fsync is about 0.8 ms
// on an SSD, and a fleet of 10,000 nodes has 40,000 files.
const bulk = 16

// publishModes opens the destination of a first install, and parents of it that
// are made with it. Until here nobody else could look into the staging directory;
// the directories in it have their modes.
func (tx *Tx) publishModes() error {
	if tx.place.name == "" {
		return nil // what stands for a directory that exists is never seen
	}
	var open []string
	if !tx.topKey {
		open = append(open, tx.stage)
	}
	for dir := tx.stage; dir != tx.Tx; {
		dir = path.Dir(dir)
		open = append(open, dir)
	}
	slices.Sort(open)
	for _, dir := range open {
		if err := tx.root.Chmod(dir, 0o755); err != nil {
			return failed("set the mode of a directory of", tx.place.dir, err)
		}
	}
	return nil
}

// settle makes all that was staged durable and compares it with what was meant.
func (tx *Tx) settle() error {
	if err := tx.sync(); err != nil {
		return err
	}
	return tx.each("read back", func(name string, want image) error { return verify(tx.root, name, want) })
}

// image is what a staged file must turn out to be.
type image struct {
	sum  [sha256.Size]byte
	size int64
	mode fs.FileMode
}

// direct is a root that, for regular files, takes fewer calls of the system than
// by way of an open file of the os package.
type direct interface {
	// image is the file as it lies there, unless known is false.
	image(name string) (is image, known bool)
	// put makes a new file with these bytes, of the mode less the umask. Where
	// done is false there is no such file, and nothing was done.
	put(name string, data []byte, mode fs.FileMode) (done bool, err error)
}

// batch is how many files are looked at by one goroutine at a time.
const batch = 32

// each does something for each staged file, by its staged name, the manifest's
// last; for many of them several at a time, so that a disk that is asked to sync
// can do so for a number of files at once.
func (tx *Tx) each(op string, do func(name string, want image) error) error {
	list := tx.ledger.with(written)
	var group errgroup.Group
	group.SetLimit(1)
	if len(list) >= bulk {
		group.SetLimit(16)
	}
	one := func(p string, want image) error {
		if err := do(tx.stagedAt(p), want); err != nil {
			return failed(op, shownIn(tx.place.dir, p), err)
		}
		return nil
	}
	for some := range slices.Chunk(list, batch) {
		group.Go(func() error {
			for _, i := range some {
				l, _ := tx.ledger.line(int(i))
				if err := one(tx.ledger.path(int(i)), image{l.sum, l.size, fs.FileMode(l.mode)}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error { return one(ManifestName, tx.manifest) })
	return group.Wait()
}

func (tx *Tx) sync() error {
	many := tx.ledger.count(written) >= bulk || len(tx.undos) > bulk
	if many && len(tx.Mounts) == 0 { // it syncs one file system
		err := tx.root.SyncAll()
		if err == nil {
			return nil // names and files alike
		}
		if !errors.Is(err, ErrUnsupported) {
			return failed("sync", tx.place.dir, err)
		}
	}
	if err := tx.each("sync", func(name string, _ image) error { return syncFile(tx.root, name) }); err != nil {
		return err
	}
	dirs := append([]string{tx.Tx}, tx.topDirs()...)
	for _, m := range tx.Mounts {
		dirs = append(dirs, m, path.Join(m, tx.Tx), path.Join(m, tx.Tx, stagedName))
	}
	dirs = append(dirs, tx.undos...)
	for i, d := range tx.dirs {
		if d.made {
			dirs = append(dirs, tx.stagedAt(tx.ledger.dirs.at(tx.ledger.given, i)))
		}
	}
	slices.Sort(dirs)
	for _, dir := range slices.Backward(slices.Compact(dirs)) {
		if err := tx.syncDir(dir); err != nil {
			return failed("sync a directory of", tx.place.dir, err)
		}
	}
	return nil
}

func syncFile(root Root, name string) error {
	f, err := root.Open(name)
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
func verify(root Root, name string, want image) error {
	if q, ok := root.(direct); ok {
		if is, known := q.image(name); known && is == want {
			return nil // else the usual way says what is wrong
		}
	}
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() != want.size {
		return errOther
	}
	if _, ok := root.Identity(info); ok && info.Mode().Perm() != want.mode {
		return fmt.Errorf("the file system gave mode %s instead of %s", modeText(info.Mode()), modeText(want.mode))
	}
	sum, err := digestOf(f, want.size)
	if err == nil && sum != want.sum {
		err = errOther
	}
	return err
}
