package install

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/flow"
)

// Earlier is a set that certwright wrote before, to be carried on: what its
// manifest proves unchanged, and what would be made the same today, is kept
// byte for byte, and only the rest is issued. This is how nodes are added, how
// some certificates are renewed, and how certificates that another CA signed
// come into a set:
//
//	e, err := install.OpenEarlier(w, dir)        // the set as it is
//	e.Anew = func(s *topology.Slot) bool { … }   // renew: these are made anew all the same
//	e.Handed = map[topology.SlotID]*certs.Pair{} // import: these take the place of what is there
//	w.Earlier = e
//	p, err := install.Prepare(ctx, w, answers, nil, progress)
//	receipt, err := install.Commit(ctx, w, p, force, progress)
//
// The answers are those of the plan that lies in the set (PlanOf), or changed
// ones. Afterwards p.Kept counts the slots that stayed and p.Anew lists those
// that were there and did not, with the reason. Commit without force adds files
// and replaces documents, and refuses (exit status 3) to replace or remove a
// file that holds a key or a certificate: renewing needs force. What is
// replaced is kept in a backup.
//
// The keys of CAs are looked for in the set and opened with
// World.CAKeys.Passphrase where they are sealed; they are needed only when
// something is signed with them.
type Earlier struct {
	Dir      string // as it was opened, absolute
	Manifest *store.Manifest
	// Anew says which slots are made anew though they could stay; nil: none.
	Anew func(*topology.Slot) bool
	// Handed are pairs that take the place of the earlier ones.
	Handed map[topology.SlotID]*certs.Pair
	// Excuse says which findings and failed handshakes the set has already, in
	// what stays: they are no reason to refuse the rest. Nil: none.
	Excuse *Excuse
	// Within makes certificates anew that end within it; 0: those that ended.
	Within time.Duration

	w    *World
	kept map[topology.SlotID]bool // CAs, "" being the root
}

// Excuse is what a set that is carried on may have wrong with it as before.
type Excuse struct {
	Finding   func(check.Finding) bool
	Handshake func(prove.Handshake) bool
}

// unexcused is what remains to be held against the new set.
func (e *Earlier) unexcused(failed []prove.Handshake, findings []check.Finding) ([]prove.Handshake, bool) {
	bad := func(f check.Finding) bool { return f.Severity == check.Error }
	if e == nil || e.Excuse == nil {
		return failed, slices.ContainsFunc(findings, bad)
	}
	failed = slices.DeleteFunc(slices.Clone(failed), e.Excuse.Handshake)
	return failed, slices.ContainsFunc(findings, func(f check.Finding) bool { return bad(f) && !e.Excuse.Finding(f) })
}

// still says, under the lock, whether the set is the one that was read: another
// run may have written it meanwhile, and what it issued must not be undone.
func (e *Earlier) still(now *store.Existing) error {
	if e == nil {
		return nil
	}
	same := now.Manifest != nil && now.Manifest.Created.Equal(e.Manifest.Created) &&
		now.Manifest.Files.Same(e.Manifest.Files)
	if same {
		return nil
	}
	return &store.Error{
		Kind: store.Locked, Path: e.Dir, Err: errors.New("another run has written it since it was read"),
		State: "nothing was changed", Next: "run again",
	}
}

// manifest is that of the set, nil when there is none.
func (e *Earlier) manifest() *store.Manifest {
	if e == nil {
		return nil
	}
	return e.Manifest
}

// OpenEarlier reads the manifest of the set in dir. Its error is fs.ErrNotExist
// when there is none, and a *store.Error when it cannot be read. A run that was
// stopped in it must have been settled (store.Recover): until then files and
// manifest may be of two sets.
func OpenEarlier(w *World, dir string) (*Earlier, error) {
	dir = w.path(dir)
	m, err := store.ReadManifest(w.Read, dir)
	if err != nil {
		return nil, err
	}
	return &Earlier{Dir: dir, Manifest: m, w: w}, nil
}

// Sealed says whether keys of CAs lie sealed in the set.
func (e *Earlier) Sealed() bool {
	for _, f := range e.Manifest.Files.All() {
		if strings.HasSuffix(f.Path, sealedEnding) {
			return true
		}
	}
	return false
}

// carryKeys leaves the keys of kept CAs as they lie: sealed ones are not sealed
// anew, and what was not opened is not lost. It names them in p.Carried.
func (e *Earlier) carryKeys(p *flow.Prepared) {
	p.Carried = nil
	for _, f := range e.Manifest.Files.All() {
		plain, sealed := strings.CutSuffix(f.Path, sealedEnding)
		if f.Kind != string(layout.KindCAKey) || !sealed || !e.kept[topology.SlotID(f.Slot)] {
			continue
		}
		if _, err := e.w.Read.Stat(filepath.Join(e.Dir, filepath.FromSlash(f.Path))); err != nil {
			continue
		}
		p.Carried = append(p.Carried, f.Path)
		p.Files = slices.DeleteFunc(p.Files, func(made layout.File) bool { return made.Path == plain })
	}
}

// Carry opens the set at the destination of the answers, when there is one of
// the same profile: with it in World.Earlier a run only adds. It is nil when
// there is nothing to carry on, and then the store says what it thinks of what
// lies there. A run that was stopped there is settled first.
func Carry(ctx context.Context, w *World, a *flow.Answers) (*Earlier, error) {
	_, dir := destination(w, a.Plan)
	if _, err := store.Recover(ctx, w.Write, dir, false); err != nil {
		return nil, nil //nolint:nilerr // Begin meets it too, and says it
	}
	e, err := OpenEarlier(w, dir)
	if err != nil || e.Manifest.Profile != a.Profile.Name {
		return nil, nil //nolint:nilerr // the store names what is wrong with what is there
	}
	return e, nil
}
