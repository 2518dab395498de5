package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"certwright/certs/untrusted"
)

// Options say what a transaction may do.
type Options struct {
	// Force lets the set replace what lies in the destination. The old files
	// are kept in a backup directory beside the new ones. Files that certwright
	// did not make stay unless one of the new files has their path.
	Force bool
	// Update lets the set extend an existing one of ours: files may be added,
	// and documents replaced, but without Force nothing that holds a key or a
	// certificate is replaced or removed.
	Update bool
	// Ignore names files that may lie in the destination already without making
	// it foreign: a plan that was saved there.
	Ignore []string

	// Before is the manifest of the destination, if it was read before: what has
	// not changed since is held once.
	Before *Manifest

	Version string // of certwright, for the manifest
	Profile string
	Now     time.Time
	Bytes   int64 // of the whole set if known, to compare with the free space
	Files   int   // of the set if known, so that a large one is not copied while it grows
}

// Tx is a set on its way to the disk: Begin, Add for each file, then Commit or
// Abort. It is for one goroutine.
type Tx struct {
	fsys     FS
	place    place
	o        Options
	root     Root // place.anchor, held open
	unlocks  []func() error
	existing *Existing
	recovery *Recovery

	id string
	parts
	stage    string // where the files of the set are staged, those in mounts apart
	ledger   *ledger
	dirs     []dirState      // by the ledger's numbers of directories
	topKey   bool            // stage itself holds a key
	exact    map[made]bool   // whether the file system gives this mode without being told twice
	mounts   map[string]bool // directories that were asked for; true when they are mount points
	walk     walker          // to the directory that was staged in last
	last     lastDir
	manifest image // of the new manifest.json, when it is staged
	bytes    int64
	undos    []string        // directories of the undo copies
	opened   map[string]bool // directories that were there, hold keys, and are open to others

	warnings []string
	durable  bool
	over     bool
}

// Begin checks the destination, takes its lock, settles what an earlier run
// left, and makes a staging directory. Nothing that was there is touched before
// Commit. The caller must call Commit or Abort.
func Begin(ctx context.Context, fsys FS, dir string, o Options) (*Tx, error) {
	tx := &Tx{
		fsys: fsys, o: o, durable: true, exact: map[made]bool{}, mounts: map[string]bool{}, opened: map[string]bool{},
	}
	if err := tx.begin(ctx, dir); err != nil {
		tx.close()
		return nil, err
	}
	return tx, nil
}

func (tx *Tx) begin(ctx context.Context, dir string) error {
	if err := cancelled(ctx); err != nil {
		return err
	}
	p, err := locate(tx.fsys, dir)
	if err != nil {
		return err
	}
	tx.place = p
	if err := tx.preflight(); err != nil {
		return err
	}
	if tx.root, err = tx.fsys.OpenRoot(p.anchor); err != nil {
		return failed("open", p.anchor, err)
	}
	// Opening follows a link that was put there since it was looked at.
	if err := tx.stillThere(); err != nil {
		return err
	}
	unlock, err := lock(tx.root, p, ".")
	if err != nil {
		return err
	}
	tx.unlocks = append(tx.unlocks, unlock)
	// Before the lock was ours another run may have made or removed the directory.
	again, err := locate(tx.fsys, dir)
	if err != nil {
		return err
	}
	if again != p {
		return &Error{Kind: Locked, Path: dir, Err: errors.New("another run has just made or removed it"), State: unchanged, Next: "run again"}
	}
	if err := tx.look(ctx); err != nil {
		return err
	}
	var before *ledger
	if m := tx.existing.Manifest; m != nil {
		before = m.Files.ledger()
	}
	tx.ledger = newLedger(tx.o.Files, before)
	return tx.makeStage()
}

// Preflight says before anything is made whether Begin would refuse the place
// itself: a link, an unsafe or read-only directory, too little space for
// o.Bytes. It writes nothing. What is returned beside a nil error are warnings.
func Preflight(fsys FS, dir string, o Options) (warnings []string, err error) {
	tx := &Tx{fsys: fsys, o: o}
	if tx.place, err = locate(fsys, dir); err != nil {
		return nil, err
	}
	err = tx.preflight()
	return tx.warnings, err
}

// preflight refuses a place where others could exchange what is written, or
// where nothing can be written.
func (tx *Tx) preflight() error {
	p := tx.place
	v, err := tx.fsys.Volume(p.anchor)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) { // "." of a memory file system without files
			return nil
		}
		return failed("examine", p.anchor, err)
	}
	switch {
	case v.Memory:
		return nil
	case v.Kind == "proc" || v.Kind == "sysfs":
		return refused(p.dir, "choose another directory with --out", "is on %s, which keeps no files", v.Kind)
	case v.Known && v.ReadOnly:
		return refused(p.dir, "choose another directory with --out", "read-only file system")
	}
	if v.Closed {
		return refused(p.dir, "choose a directory that you may write, with --out", "you may not write into %s", untrusted.Text(p.anchor))
	}
	// Staging needs the set once; the journal, the names and the undo copies where links fail need less than the rest.
	if need := 2*uint64(max(tx.o.Bytes, 0)) + 1<<20; v.Known && v.Free < need {
		e := failed("write", p.dir, fmt.Errorf("no space left on device: %s free, %s needed",
			untrusted.Size(int(v.Free)), untrusted.Size(int(need))))
		e.Next = "free some space and run again"
		return e
	}
	if v.Network {
		tx.warn("%s is on a %s file system: its server decides whether locks and syncs hold", p.dir, v.Kind)
	}
	return tx.parents()
}

// parents judges the destination and all directories above it: who may write
// into one can put another directory in the place of the next.
func (tx *Tx) parents() error {
	for at := tx.place.anchor; ; at = filepath.Dir(at) {
		info, err := tx.fsys.Lstat(at)
		if err != nil {
			return failed("examine", at, err)
		}
		if _, ok := tx.fsys.Identity(info); !ok {
			return nil // no owners and modes to judge
		}
		if !info.IsDir() {
			return refused(tx.place.dir, "run again", "somebody put %s in the place of a directory", typeName(info.Mode()))
		}
		if loose(tx.fsys, info) {
			return refused(at, "chmod o-w "+untrusted.Text(at).ShellArg(), "every user of this machine may write into it, so keys in it are not safe")
		}
		if id, _ := tx.fsys.Identity(info); id.UID != 0 && id.UID != uint32(os.Geteuid()) {
			tx.warn("%s belongs to another user (uid %d), who can exchange what is written", untrusted.Text(at), id.UID)
		}
		if at == tx.place.anchor && info.Mode().Perm()&0o020 != 0 {
			tx.warn("%s may be written by its group", untrusted.Text(at))
		}
		if filepath.Dir(at) == at {
			return nil
		}
	}
}

// loose says whether every user may exchange what is in a directory.
func loose(fsys FS, dir fs.FileInfo) bool {
	_, owned := fsys.Identity(dir)
	return owned && dir.Mode().Perm()&0o002 != 0 && dir.Mode()&fs.ModeSticky == 0
}

// look settles what was interrupted and judges what is there.
func (tx *Tx) look(ctx context.Context) error {
	if tx.place.name != "" {
		r, err := sweepStages(tx.root, tx.place)
		if err != nil {
			return err
		}
		tx.recovery = r
		tx.existing = &Existing{Dir: tx.place.dir, State: Absent}
		return cancelled(ctx)
	}
	sweepLocks(tx.fsys, tx.place)
	r, err := settleIn(ctx, tx.fsys, tx.root, tx.place, tx.o.Now, false)
	if err != nil {
		return err
	}
	if tx.existing, err = inspect(tx.root, tx.place.dir, tx.o.Before); err != nil {
		return err
	}
	if len(tx.existing.stranded) > 0 {
		more, err := settleMounts(ctx, tx.fsys, tx.root, tx.place, tx.existing.stranded, tx.o.Now, false)
		if err != nil {
			return err
		}
		r = r.and(more)
		if tx.existing, err = inspect(tx.root, tx.place.dir, tx.o.Before); err != nil {
			return err
		}
	}
	tx.recovery = r
	if err := cancelled(ctx); err != nil {
		return err
	}
	if err := tx.allowed(); err != nil {
		if tx.recovery != nil {
			err.State = tx.recovery.String()
		}
		return err
	}
	return nil
}

// allowed says whether the options permit a set over what is there.
func (tx *Tx) allowed() *Error {
	e := tx.existing
	if tx.o.Force {
		return nil
	}
	next := "add --force to replace it (the old files are kept in a backup), or choose another directory with --out"
	if e.Manifest != nil {
		if tx.o.Update {
			return nil
		}
		return refused(tx.place.dir, next, "holds %s", e.Summary())
	}
	foreign := slices.DeleteFunc(e.With(Extra), func(p string) bool { return slices.Contains(tx.o.Ignore, p) })
	if e.ManifestErr != nil {
		return refused(tx.place.dir, next, "holds %s", e.Summary())
	}
	if len(foreign) > 0 {
		return refused(tx.place.dir, next, "holds %d files that certwright did not make, such as %s", len(foreign), untrusted.Text(foreign[0]))
	}
	return nil
}

func (tx *Tx) makeStage() error {
	var raw [16]byte
	rand.Read(raw[:]) // never fails (Go 1.24)
	tx.id = hex.EncodeToString(raw[:])
	tx.Tx = tx.place.stagePrefix() + tx.id
	if err := makeDir(tx.root, tx.Tx); err != nil {
		if errors.Is(err, fs.ErrPermission) || isReadOnly(err) {
			return refused(tx.place.dir, "choose a directory that you may write, with --out", "not writable: %w", errors.New(reason(err)))
		}
		return failed("create a directory in", tx.place.anchor, err)
	}
	for _, dir := range tx.topDirs() {
		if err := makeDir(tx.root, dir); err != nil {
			return failed("create", tx.place.dir, err)
		}
	}
	return nil
}

// topDirs are the directories from the staging directory down to stage. In a
// first install the staging directory itself becomes the destination, or the
// parent of it that is missing; else it has room for undo copies.
func (tx *Tx) topDirs() []string {
	below := tx.place.tail
	if tx.place.name == "" {
		below = stagedName
	}
	tx.stage = tx.Tx
	var dirs []string
	if below != "" {
		for element := range strings.SplitSeq(below, "/") {
			tx.stage = path.Join(tx.stage, element)
			dirs = append(dirs, tx.stage)
		}
	}
	return dirs
}

//go:noinline // many callers, none of them hot
func (tx *Tx) warn(format string, args ...any) {
	tx.warnings = append(tx.warnings, fmt.Sprintf(format, args...))
}

// Existing is what the destination holds, read under the lock.
func (tx *Tx) Existing() *Existing { return tx.existing }

// Staying lists the files that will lie in the destination beside those that
// were added: kept ones, and those that certwright did not make.
func (tx *Tx) Staying() []string {
	var paths []string
	for f := range tx.existing.Files() {
		if f.Status != Missing && !tx.ledger.has(f.Path) && f.Entry == nil || tx.ledger.in(f.Path, carried) {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// Recovered tells what Begin had to settle first; nil when there was nothing.
func (tx *Tx) Recovered() *Recovery { return tx.recovery }

// Warnings are what a person should know and what did not stop the run.
func (tx *Tx) Warnings() []string { return slices.Clone(tx.warnings) }

// close gives everything back, once.
func (tx *Tx) close() {
	tx.over = true
	tx.walk.closeFrom(0)
	for _, unlock := range tx.unlocks {
		unlock()
	}
	tx.unlocks = nil
	if tx.root != nil {
		tx.root.Close()
		tx.root = nil
	}
}
