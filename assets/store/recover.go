package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"certwright/certs/untrusted"
)

// Outcome is what a recovery came to.
type Outcome string

// The outcomes of a recovery.
const (
	NothingToDo Outcome = "nothing"  // no run was interrupted here
	KeptOld     Outcome = "kept-old" // a run had not reached its commit: the earlier state stands, its traces are gone
	KeptNew     Outcome = "kept-new" // a run had: its set was completed
)

// Recovery is what Recover did, or with dryRun what it would do.
type Recovery struct {
	Dir     string
	Outcome Outcome
	DryRun  bool
	Paths   []string // what was renamed, removed or swept, below Dir
	Backup  string   // of the files that the completed set replaced
}

// String is a line for a person.
func (r *Recovery) String() string {
	dir := untrusted.Text(r.Dir).String()
	would := func(did, will string) string {
		if r.DryRun {
			return will
		}
		return did
	}
	switch r.Outcome {
	case KeptOld:
		return fmt.Sprintf("%s: a run that was interrupted had not committed: %s its %d unfinished files and directories; the earlier state stands",
			dir, would("removed", "would remove"), len(r.Paths))
	case KeptNew:
		kept := ""
		if r.Backup != "" {
			kept = "; what it replaced is kept in " + untrusted.Text(r.Backup).Max(1000)
		}
		return fmt.Sprintf("%s: a run was interrupted after its commit: %s its set (%d paths)%s", dir, would("completed", "would complete"), len(r.Paths), kept)
	}
	return dir + ": nothing to recover"
}

// Recover finishes or undoes what an interrupted run left in dir, under its
// lock. It is idempotent, and may itself be interrupted anywhere. With dryRun it
// changes nothing and takes no lock. An error of kind NeedsPerson says which
// files hold neither the old nor the new bytes; nothing was changed then.
func Recover(ctx context.Context, fsys FS, dir string, dryRun bool) (*Recovery, error) {
	p, err := locate(fsys, dir)
	if err != nil {
		return nil, err
	}
	root, err := fsys.OpenRoot(p.anchor)
	if err != nil {
		return nil, failed("open", p.anchor, err)
	}
	defer root.Close()
	if !dryRun {
		unlock, err := lock(root, p, ".")
		if err != nil {
			return nil, err
		}
		defer unlock()
		if p.name == "" {
			sweepLocks(fsys, p)
		}
	}
	var r *Recovery
	if p.name != "" {
		r, err = sweepStagesIf(root, p, dryRun)
	} else if r, err = settleIn(ctx, fsys, root, p, time.Now(), dryRun); err == nil {
		var stranded []string
		if stranded, err = strandedIn(root, dir); err == nil && (r == nil || !dryRun) {
			var more *Recovery
			more, err = settleMounts(ctx, fsys, root, p, stranded, time.Now(), dryRun)
			r = r.and(more)
		}
	}
	if r == nil && err == nil {
		r = &Recovery{Dir: dir, Outcome: NothingToDo, DryRun: dryRun}
	}
	return r, err
}

// sweepLocks removes the lock file that a first install leaves in a directory
// above when it is killed between its rename and its end. A lock that is held
// stays.
func sweepLocks(fsys FS, p place) {
	for at := p.real; filepath.Dir(at) != at && at != "."; at = filepath.Dir(at) {
		name := filepath.Join(filepath.Dir(at), place{name: filepath.Base(at)}.lockPath())
		if _, err := fsys.Lstat(name); err != nil {
			continue
		}
		if unlock, err := fsys.Lock(name); err == nil {
			unlock()
		}
	}
}

func sweepStages(root FS, p place) (*Recovery, error) { return sweepStagesIf(root, p, false) }

// sweepStagesIf removes the staging directories of first installs that never
// got to their rename. nil when there were none.
func sweepStagesIf(root FS, p place, dryRun bool) (*Recovery, error) {
	return sweep(root, p.dir, dryRun, func(name string) bool { return strings.HasPrefix(name, p.stagePrefix()) })
}

func sweep(root FS, dir string, dryRun bool, ours func(name string) bool) (*Recovery, error) {
	infos, err := readDir(root, ".")
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, failed("list", dir, err)
	}
	r := &Recovery{Dir: dir, Outcome: KeptOld, DryRun: dryRun}
	for _, info := range infos {
		if !ours(info.Name()) {
			continue
		}
		r.Paths = append(r.Paths, info.Name())
		if strings.HasPrefix(info.Name(), donePrefix) {
			r.Outcome = KeptNew
		}
	}
	if len(r.Paths) == 0 {
		return nil, nil
	}
	slices.Sort(r.Paths)
	if dryRun {
		return r, nil
	}
	// What was removed a moment ago, before a kill, must not come back alone.
	if err := syncNames(root, "."); err != nil {
		return nil, failed("sync", dir, err)
	}
	if err := dropPointer(root, "."); err != nil {
		return nil, failed("remove", shownIn(dir, pointerName), err)
	}
	for _, name := range r.Paths {
		if err := removeTree(root, name); err != nil {
			return nil, failed("remove", shownIn(dir, name), err)
		}
	}
	return r, nil
}

// recoverIn settles a directory by its own journal; nil when there was nothing.
func recoverIn(ctx context.Context, root Root, dir string, now time.Time, dryRun bool) (*Recovery, error) {
	if err := cancelled(ctx); err != nil {
		return nil, err
	}
	j, err := readJournal(root)
	switch {
	case errors.Is(err, errTorn):
		return tornJournal(root, dir, now, dryRun, err)
	case err != nil:
		return nil, failed("read", shownIn(dir, journalName), err)
	case j == nil:
		return sweep(root, dir, dryRun, isPending)
	}
	return j.recover(root, dir, dryRun)
}

// tornJournal settles a journal that is not whole. The protocol never leaves
// one; a disk that loses what it confirmed may. Where every file is as the
// manifest says, nothing was renamed yet, so the old state stands and the
// journal is put aside; otherwise only a person can tell.
func tornJournal(root FS, dir string, now time.Time, dryRun bool, torn error) (*Recovery, error) {
	e, err := inspect(root, dir, nil)
	if err != nil {
		return nil, err
	}
	if e.Manifest == nil || e.count(Unchanged) != e.Manifest.Files.Len() {
		return nil, &Error{
			Kind: NeedsPerson, Path: shownIn(dir, journalName), Err: torn, State: unchanged,
			Next: "compare the files with those in " + shownIn(dir, txPrefix+"*") + " (new) and its old/ (old), then remove the journal to keep what is there",
		}
	}
	if !dryRun {
		if err := root.Rename(journalName, evidencePrefix+stamp(now)); err != nil {
			return nil, failed("put aside", shownIn(dir, journalName), err)
		}
		if err := syncNames(root, "."); err != nil {
			return nil, failed("sync", dir, err)
		}
	}
	r, err := sweep(root, dir, dryRun, isPending)
	if r == nil && err == nil {
		r = &Recovery{Dir: dir, Outcome: KeptOld, DryRun: dryRun}
	}
	return r, err
}

// needsPerson says which file holds neither what it held nor what it should.
func (j *journal) needsPerson(dir, p string, err error) *Error {
	return &Error{
		Kind: NeedsPerson, Path: shownIn(dir, p), Err: err, State: unchanged,
		Next: fmt.Sprintf("put the right one in its place (%s has the new files, %s the old ones) and run certwright recover %s, or remove %s to keep everything as it is",
			shownIn(dir, path.Join(j.of(p), j.Tx, stagedName)), shownIn(dir, path.Join(j.of(p), j.Tx, undoName)),
			untrusted.Text(dir).ShellArg(), shownIn(dir, journalName)),
	}
}

// recover completes the set of a durable journal.
func (j *journal) recover(root Root, dir string, dryRun bool) (*Recovery, error) {
	for _, m := range j.Mounts {
		if ptr, err := readPointer(root, m); err != nil || ptr == nil || ptr.Tx != j.Tx {
			return nil, &Error{
				Kind: NeedsPerson, Path: shownIn(dir, m), Err: errors.New("an interrupted run has written to the file system that was mounted here, and it is not there now"),
				State: unchanged, Next: "mount it and run certwright recover " + untrusted.Text(dir).ShellArg(),
			}
		}
	}
	r := &Recovery{Dir: dir, Outcome: KeptNew, DryRun: dryRun}
	var todo []step
	for _, s := range j.Steps {
		done, err := s.isDone(root, j.parts)
		if err != nil {
			return nil, j.needsPerson(dir, s.Path, err)
		}
		if !done {
			todo = append(todo, s)
			r.Paths = append(r.Paths, s.Path)
		}
	}
	if dryRun {
		return r, nil
	}
	// A kill may have come between the journal's name and its sync: what follows
	// must not reach the disk before it.
	if err := syncNames(root, "."); err != nil {
		return nil, pending("sync", dir, err, dir)
	}
	for _, s := range todo {
		if err := s.do(root, j.parts); err != nil {
			return nil, pending("finish", shownIn(dir, s.Path), err, dir)
		}
	}
	backups, err := finish(root, j)
	if err != nil {
		return nil, pending("clean up", dir, err, dir)
	}
	if len(backups) > 0 {
		r.Backup = filepath.Join(dir, backups[0])
	}
	return r, nil
}

// isDone says whether a step was taken before the interruption. Its error says
// that the step cannot be taken safely.
func (s step) isDone(root FS, x parts) (bool, error) {
	there, err := sumOf(root, s.Path)
	if err != nil {
		return false, err
	}
	switch s.Do {
	case doDir:
		staged, err := exists(root, x.staged(s.Path))
		if err != nil {
			return false, err
		}
		if there != "" && staged {
			return false, errors.New("something is in the way of a new directory")
		}
		return !staged, nil
	case doRemove:
		if there != "" && there != s.Old {
			return false, errors.New("was to be removed, and somebody has changed it since")
		}
		return there == "", nil
	}
	if there == s.New {
		return true, nil
	}
	staged, err := sumOf(root, x.staged(s.Path))
	if err != nil {
		return false, err
	}
	if staged != s.New {
		return false, errors.New("its new bytes are lost")
	}
	if s.Do == doInside {
		return true, nil // its directory brings it
	}
	if there != s.Old {
		return false, fmt.Errorf("holds neither its old nor its new bytes (sha256 %s; old %s, new %s)", short(there), short(s.Old), short(s.New))
	}
	return false, nil
}

// short is the part of a digest that a person compares.
func short(sum string) string {
	if sum == "" {
		return "none"
	}
	return sum[:min(12, len(sum))]
}

// sumOf is the SHA-256 of a regular file, "" when there is none, and a word for
// anything else.
func sumOf(root FS, name string) (string, error) {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return info.Mode().Type().String(), nil
	}
	return hashFile(root, name)
}
