package store

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"
)

// do takes one step: a single call of the system, whose failure counts only if
// the step was in fact not taken.
func (s step) do(root FS, stage string) error {
	switch s.Do {
	case doFile, doDir:
		from := path.Join(stage, s.Path)
		return move(root, from, s.Path)
	case doRemove:
		if err := root.Remove(s.Path); err != nil && !gone(root, s.Path) {
			return err
		}
	}
	return nil
}

// finish makes the renames durable and removes the traces. It may be
// interrupted anywhere and begun again. It returns the backup's name.
//
// Each sync has its reason. The set must be durable before the staging
// directory gets its name as a done one, because names reach a disk in any
// order and recovery looks for new bytes only under the old name. The backup
// and that name must be durable before the journal goes, because without it
// the next run takes a staging directory for one that never came to its commit.
func finish(root Root, j *journal) (string, error) {
	dirs, err := emptied(root, j)
	if err != nil {
		return "", err
	}
	if err := syncDirs(root, dirs); err != nil {
		return "", err
	}
	done := donePrefix + strings.TrimPrefix(j.Tx, txPrefix)
	renames := [][2]string{{j.Tx, done}}
	if j.Backup != "" {
		// The last one is for a crash that kept the second rename and not the first.
		renames = [][2]string{{path.Join(j.Tx, undoName), j.Backup}, {j.Tx, done}, {path.Join(done, undoName), j.Backup}}
	}
	for _, r := range renames {
		if err := root.Rename(r[0], r[1]); err != nil && !gone(root, r[0]) {
			return "", err // else an earlier attempt has come further
		}
	}
	if err := discard(root, journalTemp); err != nil { // a crash may leave both names of the journal
		return "", err
	}
	if err := syncNames(root, "."); err != nil {
		return "", err
	}
	if err := discard(root, journalName); err != nil {
		return "", err
	}
	if err := removeTree(root, done); err != nil {
		return "", err
	}
	return j.Backup, syncNames(root, ".")
}

// syncDirs makes the names in directories durable; some may be gone. Many of
// them are synced with all else at once where that is possible.
func syncDirs(root Root, dirs []string) error {
	if len(dirs) > bulk {
		if err := root.SyncAll(); !errors.Is(err, ErrUnsupported) {
			return err
		}
	}
	for _, dir := range dirs {
		if err := syncNames(root, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// discard removes a file that may be gone.
func discard(root FS, name string) error {
	if err := root.Remove(name); err != nil && !gone(root, name) {
		return err
	}
	return nil
}

// syncNames takes a file system that has no such call as it is.
func syncNames(root FS, dir string) error {
	if err := root.SyncDir(dir); !errors.Is(err, ErrUnsupported) {
		return err
	}
	return nil
}

// emptied removes the directories that the removals left empty. It returns all
// directories whose names the journal's steps have changed.
func emptied(root FS, j *journal) ([]string, error) {
	dirs := map[string]bool{".": true}
	for _, s := range j.Steps {
		if s.Do != doInside {
			dirs[path.Dir(s.Path)] = true
		}
		if s.Do != doRemove {
			continue
		}
		for dir := path.Dir(s.Path); dir != "."; dir = path.Dir(dir) {
			dirs[path.Dir(dir)] = true
			infos, err := readDir(root, dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil && len(infos) == 0 {
				err = root.Remove(dir)
			}
			if err != nil && !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EBUSY) && !gone(root, dir) {
				return nil, err
			}
			if len(infos) > 0 || err != nil {
				break // it holds other files, or is somebody's mount point
			}
		}
	}
	return slices.Sorted(maps.Keys(dirs)), nil
}

// move renames, unless that has been done already.
func move(root FS, from, to string) error {
	err := root.Rename(from, to)
	if err != nil && gone(root, from) && !gone(root, to) {
		return nil
	}
	return err
}
