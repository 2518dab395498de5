package store

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"certwright/certs/untrusted"
)

// Result is what a commit did.
type Result struct {
	Dir   string
	Files int // in the destination now, by its manifest.json

	New, Overwritten, Removed, Same int // files, manifest.json not counted
	Bytes                           int64

	Backup    string // directory with the old files, "" when nothing was replaced
	Recovered *Recovery
	Warnings  []string
	// Durable is false where the file system makes no promise about power loss.
	Durable bool
}

// Commit makes the staged set the destination's: the files and directories are
// synced, read back from the file system and compared, a journal is made
// durable, and everything is renamed into place; a destination that did not
// exist appears by one rename. An error of kind Failed, Refused or Cancelled
// means that the old state is intact and every trace removed. Pending means
// that the new set stands and the next run or Recover cleans up.
//
// The context is honoured until the journal is durable. After that the commit
// finishes regardless, in milliseconds: there is no way back that is safer than
// the way on.
func (tx *Tx) Commit(ctx context.Context) (*Result, error) {
	if tx.over {
		return nil, failed("commit", "", errOver)
	}
	result, err := tx.commit(ctx)
	if err != nil {
		var e *Error
		if errors.As(err, &e) && (e.Kind == Pending || e.Kind == NeedsPerson) {
			tx.close() // the staging directory is needed to finish
			return nil, err
		}
		if aerr := tx.Abort(); aerr != nil && e != nil {
			e.Next = cmp.Or(e.Next, "run again") + "; the next run removes what this one left"
		}
		return nil, err
	}
	tx.close()
	result.Warnings, result.Durable = tx.warnings, tx.durable
	return result, nil
}

func (tx *Tx) commit(ctx context.Context) (*Result, error) {
	if err := cancelled(ctx); err != nil {
		return nil, err
	}
	result := tx.count()
	m := tx.newManifest()
	if tx.ledger.count(written) == 0 && result.Removed == 0 && tx.place.name == "" {
		if old := tx.existing.Manifest; old != nil && old.sameFiles(m, tx.ledger.entries()) {
			return result, tx.Abort() // nothing to do
		}
	}
	if err := tx.writeManifest(m); err != nil {
		return nil, failed("write", shownIn(tx.place.dir, ManifestName), err)
	}
	if err := tx.publishModes(); err != nil {
		return nil, err
	}
	tx.walk.closeFrom(0)
	if tx.place.name != "" {
		return result, tx.commitFirst(ctx)
	}
	return result, tx.commitOver(ctx, result)
}

// newManifest is the manifest of the set without its files, which the ledger has.
func (tx *Tx) newManifest() *Manifest {
	return &Manifest{Version: tx.o.Version, Profile: tx.o.Profile, Created: tx.o.Now.UTC().Truncate(time.Second)}
}

// count makes the figures.
func (tx *Tx) count() *Result {
	r := &Result{
		Dir: tx.place.dir, Recovered: tx.recovery, Bytes: tx.bytes,
		Files: len(tx.ledger.refs) - tx.ledger.count(unlisted), Same: tx.ledger.count(kept), Removed: len(tx.removals()),
	}
	if r.New = tx.ledger.count(written); tx.place.name != "" {
		return r // nothing was there
	}
	for _, i := range tx.ledger.with(written) {
		if tx.existing.there(tx.ledger.path(int(i))) {
			r.Overwritten++
		}
	}
	r.New -= r.Overwritten
	return r
}

// removals are the files of the old set that the new one does not have.
func (tx *Tx) removals() []Found {
	var gone []Found
	e := tx.existing
	for _, i := range e.numbers() {
		if e.listed[i].status != isMissing && !tx.ledger.in(e.Manifest.Files.of.path(int(i)), kept|written) {
			gone = append(gone, e.found(int(i)))
		}
	}
	return gone
}

// commitFirst makes a destination that does not exist appear: one rename, so a
// reader sees all of it or nothing.
func (tx *Tx) commitFirst(ctx context.Context) error {
	if err := tx.settle(); err != nil {
		return err
	}
	if err := cancelled(ctx); err != nil {
		return err
	}
	if err := tx.stillThere(); err != nil {
		return err
	}
	name := tx.place.name
	if !gone(tx.root, name) {
		return refused(tx.place.dir, "run again", "somebody made it meanwhile")
	}
	if err := tx.root.Rename(tx.Tx, name); err != nil && (!gone(tx.root, tx.Tx) || gone(tx.root, name)) {
		return failed("rename the new set to", tx.place.dir, err)
	}
	if err := tx.syncDir("."); err != nil {
		e := pending("sync the directory of", tx.place.dir, err, tx.place.dir)
		e.State += ", but the disk did not confirm it"
		e.Next = "see to the disk, then run sync"
		return e
	}
	return nil
}

//go:noinline // many callers, none of them hot
func pending(op, p string, err error, dir string) *Error {
	return &Error{
		Kind: Pending, Op: op, Path: p, Err: err, State: newIsWhole,
		Next: "run certwright recover " + untrusted.Text(dir).ShellArg(),
	}
}

// commitOver puts the set into a directory that exists, by way of a journal.
func (tx *Tx) commitOver(ctx context.Context, result *Result) error {
	j, err := tx.plan()
	if err != nil {
		return err
	}
	if err := tx.undoCopies(j); err != nil {
		return err
	}
	if err := tx.settle(); err != nil {
		return err
	}
	if err := tx.syncDir("."); err != nil {
		return failed("sync", tx.place.dir, err)
	}
	if err := tx.stillThere(); err != nil {
		return err
	}
	if err := cancelled(ctx); err != nil {
		return err
	}
	if named, err := j.install(tx.root); err != nil {
		cause := failed("write the journal in", tx.place.dir, err)
		if !named {
			return cause
		}
		return tx.withdraw(cause)
	}
	// From here on the result is the new set.
	for _, s := range j.Steps {
		if err := s.do(tx.root, tx.parts); err != nil {
			return tx.rollBack(j, failed(s.Do, shownIn(tx.place.dir, s.Path), err))
		}
	}
	backups, err := finish(tx.root, j)
	if err != nil {
		return pending("clean up", tx.place.dir, err, tx.place.dir)
	}
	for i, dir := range backups {
		at := filepath.Join(tx.place.dir, dir)
		if i == 0 {
			result.Backup = at
		} else { // on a file system of its own, as the files were
			tx.warn("what was replaced on another file system is kept in %s", untrusted.Text(at))
		}
	}
	return nil
}

// plan turns the set into steps: a directory that is new as a whole moves as one.
func (tx *Tx) plan() (*journal, error) {
	for _, f := range tx.removals() {
		if err := tx.openPartOf(f.Path); err != nil {
			return nil, err
		}
	}
	j := &journal{Format: journalFormat, parts: tx.parts}
	moved := map[string]bool{}
	byPath := map[string]Entry{}
	for _, i := range tx.ledger.with(written) {
		e := tx.ledger.entry(int(i))
		byPath[e.Path] = e
		dir, err := tx.newDir(e.Path)
		if err != nil {
			return nil, failed("examine the directory of", shownIn(tx.place.dir, e.Path), err)
		}
		if dir != "" {
			moved[dir] = true
			j.Steps = append(j.Steps, step{Do: doInside, Path: e.Path, New: e.SHA256, Mode: e.ModeText})
			continue
		}
		j.Steps = append(j.Steps, step{Do: doFile, Path: e.Path, New: e.SHA256, Mode: e.ModeText})
	}
	j.Steps = append(j.Steps, step{Do: doFile, Path: ManifestName, New: hex.EncodeToString(tx.manifest.sum[:]), Mode: "0644"})
	for _, dir := range slices.Sorted(maps.Keys(moved)) {
		j.Steps = append(j.Steps, step{Do: doDir, Path: dir})
	}
	for _, f := range tx.removals() {
		if !tx.o.Force && precious(f.Entry) {
			return nil, refused(shownIn(tx.place.dir, f.Path), "add --force to remove it (it is kept in a backup)", "holds a key or a certificate, and the new set has no such file")
		}
		j.Steps = append(j.Steps, step{Do: doRemove, Path: f.Path})
	}
	sortSteps(j.Steps, func(p string) Entry { return byPath[p] })
	return j, nil
}

// newDir is the topmost directory of a path that does not exist yet.
func (tx *Tx) newDir(p string) (string, error) {
	top := ""
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		there, err := exists(tx.root, dir)
		if err != nil {
			return "", err
		}
		if there {
			break
		}
		top = dir
	}
	return top, nil
}

// undoCopies gives each file that will be replaced or removed a second name in
// the staging directory, and notes what it holds. A file that may not be
// replaced (immutable) is found here, before anything has happened.
func (tx *Tx) undoCopies(j *journal) error {
	made := map[string]bool{}
	var linked []string
	for i := range j.Steps {
		s := &j.Steps[i]
		if s.Do != doFile && s.Do != doRemove {
			continue
		}
		shown := shownIn(tx.place.dir, s.Path)
		info, err := tx.root.Lstat(s.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return failed("examine", shown, err)
		case !info.Mode().IsRegular():
			return refused(shown, "move it away", "%s is in the way", typeName(info.Mode()))
		case tx.existing.find(s.Path) == nil && s.Path != ManifestName:
			return refused(shown, "run again", "appeared meanwhile, or has the name of another file in other case")
		}
		if mounted, err := tx.root.MountPoint(s.Path); err != nil {
			return failed("examine", shown, err)
		} else if mounted {
			return refused(shown, "unmount it", "is a mount point, and cannot be replaced")
		}
		if id, ok := tx.root.Identity(info); ok && id.Links > 1 {
			linked = append(linked, shown)
		}
		stage, undo := path.Join(tx.of(s.Path), tx.Tx), tx.undo(s.Path)
		for _, dir := range parentsOf(undo, stage) {
			if made[dir] {
				continue
			}
			if err := makeDir(tx.root, dir); err != nil {
				return failed("keep a copy of", shown, err)
			}
			made[dir] = true
		}
		probe := path.Join(tx.stage, ManifestName)
		if m := tx.of(s.Path); m != "." {
			probe = path.Join(m, pointerName)
		}
		if err := duplicate(tx.root, s.Path, undo, probe); err != nil {
			if errors.Is(err, syscall.EXDEV) || errors.Is(err, syscall.EBUSY) {
				return refused(shown, "see mount, and unmount it", "is a mount point, and cannot be replaced")
			}
			if errors.Is(err, fs.ErrPermission) {
				return refused(shown, "see who owns it, and lsattr", "it may not be replaced: %w", errors.New(reason(err)))
			}
			return failed("keep a copy of", shown, err)
		}
		sum, err := hashFile(tx.root, undo)
		if err != nil {
			return failed("read", shown, err)
		}
		if f := tx.existing.find(s.Path); f != nil && f.Status == Unchanged && f.Entry.SHA256 != sum {
			return refused(shown, "run again", "somebody changed it meanwhile")
		}
		s.Old = sum
	}
	if len(linked) > 0 {
		tx.warn("%d of the files that were replaced have other names (hard links), which keep the old content, such as %s", len(linked), untrusted.Text(linked[0]))
	}
	if len(made) > 0 {
		j.Backup = backupName(tx.o.Now, tx.id)
	}
	tx.undos = slices.Collect(maps.Keys(made))
	return nil
}

// stillThere says whether the path still leads to the directory that is held
// open: the destination, or for a first install the parent that exists.
func (tx *Tx) stillThere() error {
	now, err := tx.fsys.Lstat(tx.place.anchor)
	if errors.Is(err, fs.ErrNotExist) && tx.place.anchor == "." {
		return nil // a file system in memory that is empty
	}
	if err != nil {
		return refused(tx.place.dir, "run again", "somebody moved %s meanwhile", untrusted.Text(tx.place.anchor))
	}
	held, err := tx.root.Lstat(".")
	if err != nil {
		return failed("examine", tx.place.dir, err)
	}
	a, ok := tx.fsys.Identity(now)
	b, _ := tx.root.Identity(held)
	if ok && (a.Dev != b.Dev || a.Ino != b.Ino) {
		return refused(tx.place.dir, "run again", "somebody put another directory in the place of %s meanwhile", untrusted.Text(tx.place.anchor))
	}
	return nil
}
