package store

import (
	"errors"
	"io/fs"
	"iter"
	"path"
	"path/filepath"
	"time"

	"certwright/certs/untrusted"
)

var errOver = errors.New("the transaction has ended")

// Add stages one file: its bytes are on the file system when Add returns, in a
// new file of mode 0600 that nobody else has a name for, then of the exact
// mode asked for, whatever the umask. A file that lies in the destination
// already with the same bytes and mode is left alone.
func (tx *Tx) Add(f File) error {
	if tx.over {
		return failed("add", f.Path, errOver)
	}
	if err := CheckPath(f.Path); err != nil {
		return err
	}
	if f.Mode == 0 || f.Mode&^fs.ModePerm != 0 || f.Mode&0o022 != 0 {
		return invalid(f.Path, "mode %v lets others write, or is none", f.Mode)
	}
	if err := tx.ledger.add(f.Path); err != nil {
		return err
	}
	p := f.Planned()
	same, err := tx.judge(p)
	if err != nil {
		return err
	}
	becomes := kept
	if !same {
		becomes = written
		if err := tx.write(f.Path, f.Data, p.Mode); err != nil {
			return err
		}
	}
	tx.bytes += p.Size
	return tx.ledger.put(f.entry(p), becomes)
}

// entry is the file's line in a manifest.
func (f File) entry(p Planned) Entry {
	e := Entry{
		Path: f.Path, Mode: p.Mode, ModeText: modeText(p.Mode), SHA256: p.SHA256, Size: p.Size,
		Slot: f.Slot, Kind: f.Kind, Serial: f.Serial,
	}
	if !f.NotAfter.IsZero() {
		end := f.NotAfter.UTC()
		e.NotAfter = &end
	}
	return e
}

// Keep carries a file of the existing set over as it is. One that was changed
// since it was written stays too, but leaves the manifest: it is no longer ours.
func (tx *Tx) Keep(p string) error {
	if tx.over {
		return failed("keep", p, errOver)
	}
	f := tx.existing.find(p)
	if f == nil || f.Status == Missing {
		return invalid(p, "cannot be kept: %s has no such file", filepath.ToSlash(tx.place.dir))
	}
	if err := tx.ledger.add(p); err != nil {
		return err
	}
	if f.Entry != nil && f.Status == Unchanged {
		return tx.ledger.put(*f.Entry, kept|carried)
	}
	return tx.ledger.put(Entry{Path: p}, kept|carried|unlisted)
}

// judge says whether the file is in its place already, and refuses one that may
// not be put there.
func (tx *Tx) judge(p Planned) (same bool, err error) {
	if tx.place.name != "" {
		return false, nil // the directory does not exist
	}
	shown := filepath.Join(tx.place.dir, p.Path)
	switch tx.existing.what(p) {
	case Same:
		return true, nil
	case Blocked:
		return false, tx.inTheWay(p.Path)
	case Takeover:
		if !tx.o.Force {
			return false, refused(shown, "add --force to replace it (the old file is kept in a backup)", "certwright did not make this file")
		}
	case Overwrite:
		if !tx.o.Force && precious(tx.existing.Entry(p.Path)) {
			return false, refused(shown, "add --force to replace it (the old file is kept in a backup)", "holds a key or a certificate in use")
		}
	}
	// The directories must be real ones: a link inside the destination would
	// lead the file to another place than the one shown.
	for dir := path.Dir(p.Path); dir != "."; dir = path.Dir(dir) {
		info, err := tx.root.Lstat(dir)
		if err == nil && !info.IsDir() {
			return false, refused(filepath.Join(tx.place.dir, dir), "move it away", "is not a directory")
		}
		if err == nil && dir == path.Dir(p.Path) && private(p.Mode) && !private(info.Mode()) && !tx.opened[dir] {
			if _, ok := tx.root.Identity(info); ok {
				tx.opened[dir] = true
				tx.warn("%s holds keys and others may look into it: chmod 700 it", untrusted.Text(filepath.Join(tx.place.dir, dir)))
			}
		}
		if err == nil && loose(tx.fsys, info) {
			return false, refused(filepath.Join(tx.place.dir, dir), "chmod o-w "+untrusted.Text(filepath.Join(tx.place.dir, dir)).ShellArg(),
				"every user of this machine may write into it, so what is in it is not safe")
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, failed("examine", filepath.Join(tx.place.dir, dir), err)
		}
	}
	return false, tx.openPartOf(p.Path)
}

// inTheWay names what keeps a file from its place.
func (tx *Tx) inTheWay(p string) error {
	for at := range ancestors(p) {
		info, err := tx.root.Lstat(at)
		if err == nil && (at != p && !info.IsDir() || at == p && !info.Mode().IsRegular()) {
			return refused(filepath.Join(tx.place.dir, at), "move it away", "%s is in the way", typeName(info.Mode()))
		}
	}
	return refused(filepath.Join(tx.place.dir, p), "run again", "something was in the way")
}

// ancestors are the directories of a path, outermost first, and the path.
func ancestors(p string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range len(p) {
			if p[i] == '/' && !yield(p[:i]) {
				return
			}
		}
		yield(p)
	}
}

func typeName(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return "a file"
	case m.IsDir():
		return "a directory"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "a FIFO"
	}
	return "a special file"
}

// precious says whether an entry holds a key or a certificate.
func precious(e *Entry) bool {
	return e != nil && (private(e.Mode) || e.Serial != "" || e.NotAfter != nil)
}

// Abort removes every trace. It may be called after Commit, and does nothing
// then.
func (tx *Tx) Abort() error {
	if tx.over {
		return nil
	}
	defer tx.close()
	err := removeTree(tx.root, tx.Tx)
	if perr := tx.removeParts(); err == nil {
		err = perr
	}
	if err != nil {
		return &Error{
			Kind: Failed, Op: "remove", Path: filepath.Join(tx.place.anchor, tx.Tx), Err: err,
			State: unchanged, Next: "the next run removes it",
		}
	}
	return nil
}

// removeTree removes a directory of ours and what is below it. It follows no
// links.
func removeTree(root FS, name string) error {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		infos, err := readDir(root, name)
		if err != nil {
			return err
		}
		for _, info := range infos {
			if err := removeTree(root, path.Join(name, info.Name())); err != nil {
				return err
			}
		}
	}
	return root.Remove(name)
}

// backupName is where the old files of a transaction are kept, unique by its id.
func backupName(now time.Time, id string) string {
	return backupPrefix + stamp(now) + "-" + id[:8]
}

func stamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }
