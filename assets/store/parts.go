package store

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"certwright/certs/untrusted"
)

// parts say where the files of a transaction wait for their place. A rename
// cannot cross from one file system to another, so each mount below the
// destination that gets files has a staging directory of its own, and so has
// the destination itself.
type parts struct {
	Tx     string   `json:"tx"`               // name of the staging directories
	Mounts []string `json:"mounts,omitempty"` // mount points below the destination, sorted
}

// of is the innermost of the mounts that a path lies below, or ".".
func (x parts) of(p string) string {
	for _, m := range slices.Backward(x.Mounts) { // a mount in a mount sorts behind it
		if strings.HasPrefix(p, m+"/") {
			return m
		}
	}
	return "."
}

// all are the mounts and the destination's own, which comes last: it has the
// journal.
func (x parts) all() []string { return append(slices.Clone(x.Mounts), ".") }

// place says in which staging directory a path waits, and under which path there.
func (x parts) place(p string) (dir, rel string) {
	m := x.of(p)
	if m == "." {
		return x.Tx, p
	}
	return path.Join(m, x.Tx), p[len(m)+1:]
}

// staged is the name of the new file, or directory, until it is in its place.
func (x parts) staged(p string) string {
	dir, rel := x.place(p)
	return path.Join(dir, stagedName, rel)
}

// undo is the second name of the old file.
func (x parts) undo(p string) string {
	dir, rel := x.place(p)
	return path.Join(dir, undoName, rel)
}

// mounted says whether a directory of the destination is a mount point; one that
// does not exist is none.
func (tx *Tx) mounted(dir string) (bool, error) {
	known, ok := tx.mounts[dir]
	if ok {
		return known, nil
	}
	known, err := tx.root.MountPoint(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, failed("examine", shownIn(tx.place.dir, dir), err)
	}
	tx.mounts[dir] = known
	return known, nil
}

// openPartOf prepares the file system that a path lies on, when that is another
// than the destination's.
func (tx *Tx) openPartOf(p string) error {
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		mounted, err := tx.mounted(dir)
		if err != nil {
			return err
		}
		if mounted {
			return tx.openPart(dir)
		}
	}
	return nil
}

// openPart locks a mount and makes its staging directory and the pointer that
// leads from there to the journal.
func (tx *Tx) openPart(mount string) error {
	if slices.Contains(tx.Mounts, mount) {
		return nil
	}
	shown := shownIn(tx.place.dir, mount)
	v, err := tx.root.Volume(mount)
	switch {
	case err != nil:
		return failed("examine", shown, err)
	case v.Kind == "proc" || v.Kind == "sysfs":
		return refused(shown, "choose another directory with --out", "is on %s, which keeps no files", v.Kind)
	case v.Known && v.ReadOnly:
		return refused(shown, "mount it for writing, or choose another directory with --out", "read-only file system")
	case v.Network:
		tx.warn("%s is on a %s file system: its server decides whether locks and syncs hold", untrusted.Text(shown), v.Kind)
	}
	unlock, err := lock(tx.root, place{dir: shown}, mount)
	if err != nil {
		return err
	}
	tx.unlocks = append(tx.unlocks, unlock)
	infos, err := readDir(tx.root, mount)
	if err != nil {
		return failed("list", shown, err)
	}
	if slices.ContainsFunc(infos, func(i fs.FileInfo) bool { return isPending(i.Name()) }) {
		return refused(shown, "run again", "a run was interrupted in it meanwhile")
	}
	tx.Mounts = append(slices.Clip(tx.Mounts), mount) // from here on Abort cleans up
	slices.Sort(tx.Mounts)
	stage := path.Join(mount, tx.Tx)
	for _, dir := range []string{stage, path.Join(stage, stagedName)} {
		if err := makeDir(tx.root, dir); err != nil {
			if errors.Is(err, fs.ErrPermission) || isReadOnly(err) {
				return refused(shown, "choose a directory that you may write, with --out", "not writable: %w", errors.New(reason(err)))
			}
			return failed("create a directory in", shown, err)
		}
	}
	p := pointer{Format: pointerFormat, Tx: tx.Tx, Dir: tx.place.real, Mount: mount}
	if err := putFile(tx.root, path.Join(mount, pointerName), p.text(), 0o600, true); err != nil {
		return failed("write", filepath.Join(shown, pointerName), err)
	}
	return nil
}

// removeParts removes what openPart has made, the pointers last: while one is
// there, a run in its mount asks the journal.
func (tx *Tx) removeParts() error {
	for _, m := range tx.Mounts {
		if err := removeTree(tx.root, path.Join(m, tx.Tx)); err != nil {
			return err
		}
		if err := discard(tx.root, path.Join(m, pointerName)); err != nil {
			return err
		}
	}
	return nil
}
