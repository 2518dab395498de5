package store

import (
	"fmt"
	"maps"
	"path"
	"slices"

	"certwright/certs/untrusted"
)

// withdraw takes a journal back that may or may not have become durable, while
// nothing has been renamed yet.
func (tx *Tx) withdraw(cause *Error) error {
	if err := discard(tx.root, journalName); err != nil {
		e := pending(cause.Op, cause.Path, cause.Err, tx.place.dir)
		e.State = "nothing was changed yet, but the journal stands: the new set can be completed"
		return e
	}
	if err := tx.syncDir("."); err != nil {
		// The staging directory stays: should the journal come back after a
		// power failure, the set can still be completed.
		tx.close()
		cause.Next = "run again; the next run removes what this one left"
	}
	return cause
}

// rollBack undoes the steps that were taken when one of them fails. First every
// new file gets its staged name back, durably; then the old ones are renamed
// into place. So a recovery can go forwards from anywhere in between, until the
// journal is gone.
func (tx *Tx) rollBack(j *journal, cause *Error) error {
	if err := tx.restage(j); err != nil {
		return tx.halfway(cause)
	}
	dirs := map[string]bool{}
	for i, s := range slices.Backward(j.Steps) {
		dirs[path.Dir(s.Path)] = true
		if err := s.undo(tx.root, tx.parts, i); err != nil {
			return tx.halfway(cause)
		}
	}
	if err := syncDirs(tx.root, slices.Sorted(maps.Keys(dirs)), len(tx.Mounts) > 0); err != nil {
		e := pending("undo", cause.Path, err, tx.place.dir)
		e.State = "the old files are in place, but the disk did not confirm it; the journal has both"
		return e
	}
	return tx.withdraw(cause)
}

// halfway is the error when neither the way on nor the way back works.
func (tx *Tx) halfway(cause *Error) *Error {
	return &Error{
		Kind: Pending, Op: cause.Op, Path: cause.Path, Err: cause.Err,
		State: "some files are new and some old; the journal has both",
		Next:  "run certwright recover " + untrusted.Text(tx.place.dir).ShellArg() + " when the cause is gone",
	}
}

// restage gives the new files that are in place a name in the staging directory
// again. That they are in place must be durable first: where there are no links
// the staged name is that of an unfinished copy for a while.
func (tx *Tx) restage(j *journal) error {
	dirs := map[string]bool{}
	for _, s := range j.Steps {
		dirs[path.Dir(s.Path)] = true
	}
	if err := syncDirs(tx.root, slices.Sorted(maps.Keys(dirs)), len(tx.Mounts) > 0); err != nil {
		return err
	}
	clear(dirs)
	for _, s := range j.Steps {
		staged := tx.parts.staged(s.Path)
		if s.Do != doFile || !gone(tx.root, staged) {
			continue
		}
		if err := duplicate(tx.root, s.Path, staged, tx.undo(s.Path)); err != nil {
			return err
		}
		dirs[path.Dir(staged)] = true
	}
	return syncDirs(tx.root, slices.Sorted(maps.Keys(dirs)), len(tx.Mounts) > 0)
}

// undo takes one step back, by a rename.
func (s step) undo(root FS, x parts, i int) error {
	staged, old := x.staged(s.Path), x.undo(s.Path)
	switch s.Do {
	case doDir:
		if back, err := exists(root, staged); back || err != nil {
			return err
		}
		return root.Rename(s.Path, staged)
	case doFile, doRemove:
		there, err := sumOf(root, s.Path)
		if err != nil || there == s.Old {
			return err
		}
		if s.Old == "" {
			return root.Remove(s.Path) // its staged name remains
		}
		spare := fmt.Sprintf("%s.%d", path.Join(x.of(s.Path), x.Tx, undoName), i)
		if err := duplicate(root, old, spare, staged); err != nil {
			return err
		}
		return root.Rename(spare, s.Path)
	}
	return nil
}
