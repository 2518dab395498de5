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
func (s step) do(root FS, x parts) error {
	switch s.Do {
	case doFile, doDir:
		return move(root, x.staged(s.Path), s.Path)
	case doRemove:
		if err := root.Remove(s.Path); err != nil && !gone(root, s.Path) {
			return err
		}
	}
	return nil
}

// finish makes the renames durable and removes the traces. It may be
// interrupted anywhere and begun again. It returns the backups' names, one for
// each file system, the destination's own first.
//
// Each sync has its reason. The set must be durable before the staging
// directory gets its name as a done one, because names reach a disk in any
// order and recovery looks for new bytes only under the old name. The backup
// and that name must be durable before the journal goes, because without it
// the next run takes a staging directory for one that never came to its commit.
// The journal must be gone for good before a pointer goes: where there is a
// journal and no pointer, recovery takes the mount for one that is not there.
func finish(root Root, j *journal) (backups []string, err error) {
	dirs, err := emptied(root, j)
	if err != nil {
		return nil, err
	}
	if err := syncDirs(root, dirs, len(j.Mounts) > 0); err != nil {
		return nil, err
	}
	for _, part := range j.all() {
		if err := j.finishPart(root, part); err != nil {
			return nil, err
		}
	}
	if err := discard(root, journalTemp); err != nil { // a crash may leave both names of the journal
		return nil, err
	}
	for _, part := range j.all() {
		if err := syncNames(root, part); err != nil {
			return nil, err
		}
		if backup := path.Join(part, j.Backup); j.Backup != "" && !gone(root, backup) {
			backups = append(backups, backup)
		}
	}
	slices.Reverse(backups)
	if err := discard(root, journalName); err != nil {
		return nil, err
	}
	if len(j.Mounts) > 0 {
		if err := syncNames(root, "."); err != nil {
			return nil, err
		}
	}
	for _, part := range j.all() {
		if part != "." {
			if err := dropPointer(root, part); err != nil {
				return nil, err
			}
		}
		if err := removeTree(root, path.Join(part, j.done())); err != nil {
			return nil, err
		}
		if err := syncNames(root, part); err != nil {
			return nil, err
		}
	}
	return backups, nil
}

// done is what a staging directory is called after its commit.
func (j *journal) done() string { return donePrefix + strings.TrimPrefix(j.Tx, txPrefix) }

// finishPart gives the old files of one file system their name as a backup, and
// the staging directory its last.
func (j *journal) finishPart(root Root, part string) error {
	stage, done := path.Join(part, j.Tx), path.Join(part, j.done())
	renames := [][2]string{{stage, done}}
	if backup := path.Join(part, j.Backup); j.Backup != "" {
		// The last one is for a crash that kept the second rename and not the first.
		renames = [][2]string{{path.Join(stage, undoName), backup}, {stage, done}, {path.Join(done, undoName), backup}}
	}
	for _, r := range renames {
		if err := root.Rename(r[0], r[1]); err != nil && !gone(root, r[0]) {
			return err // else an earlier attempt has come further
		}
	}
	return nil
}

// syncDirs makes the names in directories durable; some may be gone. Many of
// them are synced with all else at once where that is possible, which is not
// where they lie on several file systems.
func syncDirs(root Root, dirs []string, several bool) error {
	if len(dirs) > bulk && !several {
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
