package install

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"sync"

	"github.com/spf13/afero"

	"certwright/certs/check"
	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
)

// Runner runs the effects of a flow. Its methods may be called from several
// goroutines at once.
type Runner struct {
	World *World
	// SavePath is where Save keeps the answers; "" keeps none.
	SavePath string
	// Ahead makes keys while a person still answers; nil makes none ahead. It is
	// also the World's KeyMaker, and who made it closes it.
	Ahead *issue.Ahead

	mu       sync.Mutex
	checking map[topology.SlotID]running
	prepare  context.CancelFunc
	shared   *shared
	sorted   *sorted
}

// Run runs one effect to its end and returns the event that it yields, nil for
// one that yields none. progress, when not nil, gets Progressed events before
// that. A newer CheckSlot of the same slot cancels an older one, and so with
// Prepare; a cancelled one yields nil. Write is not cancelled by ctx once it has
// begun to rename: main owns it and waits for it.
func (r *Runner) Run(ctx context.Context, e flow.Effect, progress func(flow.Event)) (out flow.Event) {
	if progress == nil {
		progress = func(flow.Event) {}
	}
	defer func() {
		if p := recover(); p != nil {
			out = crashed(e, p)
		}
	}()
	switch e := e.(type) {
	case flow.CheckSlot:
		return r.check(ctx, e)
	case flow.LookAtFiles:
		return r.look(e)
	case flow.SortFolder:
		return r.sort(ctx, e)
	case flow.ReadNodes:
		nodes, stamp, err := readNodes(r.World, e.Path)
		return flow.NodesRead{Gen: e.Gen, Nodes: nodes, Stamp: stamp, Err: err}
	case flow.MakeKeys:
		if r.Ahead != nil {
			r.Ahead.Prepare(e.Algorithm, e.N)
		}
	case flow.Prepare:
		return r.prepareSet(ctx, e, progress)
	case flow.CancelPrepare:
		r.cancelPrepare()
	case flow.Write:
		if e.Prepared.Unsealed { // the flow asks for no such write
			return flow.Wrote{Written: flow.Written{Err: errors.New("the keys of CAs are not sealed yet; nothing was written")}}
		}
		receipt, err := Commit(ctx, r.World, e.Prepared, e.Force, func(p flow.Progress) { progress(flow.Progressed{Progress: p}) })
		return flow.Wrote{Written: flow.Written{Receipt: receipt, Err: err}}
	case flow.Save:
		return flow.Saved{Path: r.SavePath, Err: r.save(e)}
	}
	return nil
}

// crashed turns a panic, which is a bug of ours, into the outcome that the flow
// waits for. The value may hold input, so only its type and place are kept.
func crashed(e flow.Effect, p any) flow.Event {
	err := &Bug{What: fmt.Sprintf("%T in %T", p, e), Stack: debug.Stack()}
	switch e := e.(type) {
	case flow.CheckSlot:
		return flow.Checked{Slot: e.Slot, Gen: e.Gen, Verdict: flow.Verdict{Findings: bugFinding(e.Slot, err)}}
	case flow.SortFolder:
		return flow.Filled{Gen: e.Gen, Err: err}
	case flow.ReadNodes:
		return flow.NodesRead{Gen: e.Gen, Err: err}
	case flow.Prepare:
		return flow.PreparedSet{Gen: e.Gen, Err: err}
	case flow.Write:
		return flow.Wrote{Written: flow.Written{Err: err}}
	case flow.Save:
		return flow.Saved{Err: err}
	}
	return nil
}

func bugFinding(slot topology.SlotID, bug *Bug) []check.Finding {
	return []check.Finding{{Rule: "bug", Severity: check.Error, Slot: slot, Message: bug.Error(), Fix: "give the material in another form"}}
}

// Bug is a panic that was caught: a mistake of ours, never of the input.
type Bug struct {
	What  string
	Stack []byte
}

func (b *Bug) Error() string {
	return "certwright has a bug here (" + b.What + "); nothing was written; please report it"
}

// running is the newest judgement of a slot.
type running struct {
	gen    int
	cancel context.CancelFunc
}

// check judges a slot. A judgement of generation 0 is a preview: it takes no
// part in who is newest.
func (r *Runner) check(ctx context.Context, e flow.CheckSlot) flow.Event {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if e.Gen > 0 && !r.newest(e, cancel) {
		return nil
	}
	g := r.World.gatherer(e.Answers)
	g.cas = r.shares(e.Answers)
	v := g.judge(e.Slot)
	if ctx.Err() != nil {
		return nil
	}
	v.Rechecked = e.Rechecked
	return flow.Checked{Slot: e.Slot, Gen: e.Gen, Verdict: v}
}

// newest cancels an older judgement of the slot. It is false when a newer one
// began already: effects may begin in another order than they were asked for.
func (r *Runner) newest(e flow.CheckSlot, cancel context.CancelFunc) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.checking == nil {
		r.checking = map[topology.SlotID]running{}
	}
	before := r.checking[e.Slot]
	if before.gen > e.Gen {
		return false
	}
	if before.cancel != nil {
		before.cancel()
	}
	r.checking[e.Slot] = running{e.Gen, cancel}
	return true
}

func (r *Runner) look(e flow.LookAtFiles) flow.Event {
	var changed []topology.SlotID
	for id, stamps := range e.Slots {
		for path, was := range stamps {
			if differs(r.World, path, was) {
				changed = append(changed, id)
				break
			}
		}
	}
	nodes := e.Nodes != "" && differs(r.World, e.Nodes, e.NodesStamp)
	if len(changed) == 0 && !nodes {
		return nil
	}
	return flow.Looked{Changed: changed, Nodes: nodes}
}

// differs says that a file is not as it was; the zero stamp is that of one that
// could not be read.
func differs(w *World, path string, was flow.Stamp) bool {
	info, err := w.Read.Stat(w.path(path))
	gone := was == flow.Stamp{}
	if err != nil || gone {
		return (err != nil) != gone
	}
	return info.Size() != was.Size || !info.ModTime().Equal(was.ModTime) || was.Mode != 0 && info.Mode() != was.Mode
}

func (r *Runner) prepareSet(ctx context.Context, e flow.Prepare, progress func(flow.Event)) flow.Event {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.mu.Lock()
	if r.prepare != nil {
		r.prepare()
	}
	r.prepare = cancel
	r.mu.Unlock()
	p, err := Prepare(ctx, r.World, e.Answers, e.Keep, func(p flow.Progress) { progress(flow.Progressed{Gen: e.Gen, Progress: p}) })
	if ctx.Err() != nil {
		return nil
	}
	return flow.PreparedSet{Gen: e.Gen, Prepared: p, Err: err}
}

func (r *Runner) cancelPrepare() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.prepare != nil {
		r.prepare()
		r.prepare = nil
	}
}

// save keeps the answers beside the person's other state, whole or not at all.
func (r *Runner) save(e flow.Save) error {
	if r.SavePath == "" {
		return nil
	}
	// Its relative paths start from the working directory, those of a file from
	// where it lies.
	p := e.Plan.Clone()
	p.Resolve(r.World.Dir)
	data, err := p.Marshal()
	if err != nil {
		return err
	}
	return SaveFile(r.World.Write, r.SavePath, data)
}

// SaveFile replaces a small file of the person's own (saved answers), whole or
// not at all. Its directory is made when it is not there.
func SaveFile(fsys afero.Fs, path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make directory %s for the answers: %w", untrusted.Text(dir), err)
	}
	f, err := afero.TempFile(fsys, dir, ".certwright-answers-")
	if err != nil {
		return fmt.Errorf("save the answers in %s: %w", untrusted.Text(dir), err)
	}
	tmp := f.Name()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.Rename(tmp, path)
	}
	if err != nil {
		_ = fsys.Remove(tmp)
		return fmt.Errorf("save the answers to %s: %w", untrusted.Text(path), err)
	}
	return nil
}
