package install

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/plan"
)

// Commit writes a prepared set, all of it or nothing. Replace says that a
// person agreed to what Survey.Confirm said. Errors of the disk are *store.Error.
//
// It reads every input once more: one that changed since it was checked stops
// the write, because what was proved is no longer what lies there.
func Commit(ctx context.Context, w *World, p *flow.Prepared, replace bool, progress func(flow.Progress)) (flow.Receipt, error) {
	if progress == nil {
		progress = func(flow.Progress) {}
	}
	if err := unchanged(w, p); err != nil {
		return flow.Receipt{}, err
	}
	dir := w.path(p.Survey.Dir)
	if p.Survey.Dir == "" {
		dir = w.path(plan.DefaultDir)
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	tx, err := store.Begin(ctx, w.Write, dir, store.Options{
		Force: replace, Update: w.Earlier != nil, Before: w.Earlier.manifest(),
		Version: w.Version, Profile: p.Topology.Profile.Name, Now: w.Now(), Bytes: total(p), Files: p.Count(),
	})
	if err != nil {
		return flow.Receipt{}, err
	}
	defer tx.Abort() // does nothing after a commit
	if err := w.Earlier.still(tx.Existing()); err != nil {
		return flow.Receipt{}, err
	}
	if p.Rest != nil {
		defer spend()()
	}
	if err := stage(ctx, tx, p, progress); err != nil {
		return flow.Receipt{}, err
	}
	for _, path := range p.Carried {
		if err := tx.Keep(path); err != nil {
			return flow.Receipt{}, err
		}
	}
	if err := Orphaned(w, tx.Existing(), p.Files, tx.Staying()); err != nil {
		return flow.Receipt{}, err
	}
	progress(flow.Progress{Stage: "verify"})
	result, err := tx.Commit(ctx)
	var se *store.Error
	switch {
	case errors.As(err, &se) && se.Kind == store.Pending:
		// The new set is whole; only cleaning up is left, and the error says so.
		return flow.Receipt{Dir: p.Survey.Dir, Written: p.Count(), Notes: []string{err.Error()}}, err
	case err != nil:
		return flow.Receipt{}, err
	}
	receipt := flow.Receipt{Dir: p.Survey.Dir, Written: result.New + result.Overwritten, Unchanged: result.Same, Backup: result.Backup, Notes: result.Warnings}
	if r := result.Recovered; r != nil && r.Outcome != store.NothingToDo {
		receipt.Notes = append(receipt.Notes, r.String())
	}
	if !result.Durable && !w.Memory {
		receipt.Notes = append(receipt.Notes, "the file system gives no promise that the files outlive a power cut")
	}
	return receipt, nil
}

// stage puts all files into the transaction. Those of many nodes are made on the
// way: one that does not pass its check takes everything back.
func stage(ctx context.Context, tx *store.Tx, p *flow.Prepared, progress func(flow.Progress)) error {
	add := func(f layout.File) error { return tx.Add(storeFile(f)) }
	if r := restOf(p); r != nil {
		first := slices.Clone(p.Files)
		first = slices.DeleteFunc(first, func(f layout.File) bool { return f.Path == layout.NextStepsFile }) // comes last, when all that it counts was made
		return r.stream(ctx, first, add, progress)
	}
	for i, f := range p.Files {
		if err := add(f); err != nil {
			return err
		}
		progress(flow.Progress{Stage: "stage", Item: f.Path, Done: i + 1, Total: len(p.Files)})
	}
	return nil
}

func unchanged(w *World, p *flow.Prepared) error {
	for path, was := range p.Inputs {
		in, err := ReadInput(w.Read, w.path(path))
		if err != nil {
			return fmt.Errorf("%s was read when it was checked, and now: %w", untrusted.Text(path), err)
		}
		now := sha256.Sum256(in.Data)
		clear(in.Data)
		if !bytes.Equal(now[:], was.SHA256[:]) {
			return fmt.Errorf("%s changed since it was checked; nothing was written; check it again and write then", untrusted.Text(path))
		}
	}
	return nil
}

func total(p *flow.Prepared) int64 {
	var n int64
	for _, f := range p.Files {
		n += int64(len(f.Data))
	}
	if r := restOf(p); r != nil {
		n += r.bytes
	}
	return n
}
