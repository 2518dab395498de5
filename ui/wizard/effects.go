package wizard

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/check"
	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/flow"
)

// Runner does what the flow asks for, and answers each effect with one event;
// flow/install has the real one. Run may be called from several goroutines at a
// time. A Write looks at ctx only until its commit begins.
type Runner interface {
	Run(ctx context.Context, e flow.Effect, progress func(flow.Event)) flow.Event
}

const (
	typingPause = 150 * time.Millisecond // after the last key, before a half-typed path is looked at
	lookPause   = time.Second            // between two looks at files that may have changed
	tickPause   = 50 * time.Millisecond  // between two frames of a progress bar
)

// doneMsg is the event that an effect answered with.
type doneMsg struct{ event flow.Event }

// work turns effects into commands. It is used by the root's Update only; the
// commands get copies.
type work struct {
	ctx     context.Context
	runner  Runner
	prepare context.CancelFunc
	writer  *writer
	looking bool // a look at the files has not come back yet
	mu      sync.Mutex
	checks
	// progress is the newest report of a long effect. The root looks at it on a
	// clock of its own: an effect never waits for the screen.
	progress atomic.Pointer[flow.Progressed]
	// note takes every step of a long effect, in the effect's own goroutine.
	note func(flow.Progress)
	// wait is time.Sleep that ends early with ctx, or a test's.
	wait func(ctx context.Context, d time.Duration) bool
}

func newWork(ctx context.Context, r Runner, w *writer) *work {
	k := &work{ctx: ctx, runner: r, writer: w, wait: pause}
	k.newest, k.places = map[topology.SlotID]queued{}, issue.Cores()
	return k
}

// pause waits and says whether ctx still holds.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// start makes the commands that run effects.
func (k *work) start(effects []flow.Effect) tea.Cmd {
	var cmds []tea.Cmd
	var typed []queued // with the path of a CA come all checks below it: they wait as one
	for _, e := range effects {
		if c, ok := e.(flow.CheckSlot); ok {
			if q := k.queue(c); c.Debounced {
				typed = append(typed, q)
			}
			continue
		}
		cmds = append(cmds, k.one(e))
	}
	if len(typed) > 0 {
		cmds = append(cmds, k.debounced(typed))
	}
	return tea.Batch(append(cmds, k.checkers()...)...)
}

func (k *work) one(e flow.Effect) tea.Cmd {
	switch e := e.(type) {
	case flow.Prepare:
		k.cancelPrepare()
		var ctx context.Context
		ctx, k.prepare = context.WithCancel(k.ctx)
		k.progress.Store(nil)
		return func() tea.Msg { return doneMsg{k.run(ctx, e)} }
	case flow.CancelPrepare:
		k.cancelPrepare()
		return nil
	case flow.LookAtFiles:
		if k.looking { // a slow disk: one look at a time
			return nil
		}
		k.looking = true
	case flow.Write:
		k.progress.Store(nil)
		done := k.writer.start(func(ctx context.Context) flow.Event { return k.run(ctx, e) })
		return func() tea.Msg { return doneMsg{<-done} }
	}
	return func() tea.Msg { return doneMsg{k.run(k.ctx, e)} }
}

func (k *work) cancelPrepare() {
	if k.prepare != nil {
		k.prepare()
		k.prepare = nil
	}
}

// run runs one effect. A panic in it is a bug, and becomes the effect's error:
// the terminal stays whole and the answers stay.
func (k *work) run(ctx context.Context, e flow.Effect) (out flow.Event) {
	defer func() {
		if v := recover(); v != nil {
			out = failed(e, panicked(v))
		}
	}()
	out = k.runner.Run(ctx, e, func(p flow.Event) {
		if p, ok := p.(flow.Progressed); ok {
			k.progress.Store(&p)
			if k.note != nil {
				k.note(p.Progress)
			}
		}
	})
	if out == nil {
		return failed(e, ctx.Err())
	}
	return out
}

// errBug is what a panic becomes. Its value is named only where the runtime
// wrote it: another may quote what it stumbled over.
var errBug = errors.New("certwright itself failed, which is a bug")

func panicked(v any) error {
	if err, ok := v.(runtime.Error); ok {
		return fmt.Errorf("%w: %s", errBug, err.Error())
	}
	return errBug
}

// failed is the event of an effect that did not come to an end.
func failed(e flow.Effect, err error) flow.Event {
	if err == nil {
		err = errBug
	}
	switch e := e.(type) {
	case flow.CheckSlot:
		return flow.Checked{Slot: e.Slot, Gen: e.Gen, Verdict: flow.Verdict{Rechecked: e.Rechecked, Findings: []check.Finding{{
			Rule: "internal", Severity: check.Error, Slot: e.Slot, Message: err.Error(), Fix: "choose another file, or report the bug",
		}}}}
	case flow.SortFolder:
		return flow.Filled{Gen: e.Gen, Err: err}
	case flow.Prepare:
		return flow.PreparedSet{Gen: e.Gen, Err: err}
	case flow.Write:
		return flow.Wrote{Written: flow.Written{Err: err}}
	case flow.Save:
		return flow.Saved{Err: err}
	}
	return flow.Looked{}
}

// writer runs the write. It belongs to Run, not to a command of the terminal
// program: those are abandoned when the program quits, and a write is not.
type writer struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	last   atomic.Pointer[flow.Event]
}

func newWriter(ctx context.Context) *writer {
	w := &writer{}
	// Whoever ends the program ends the write only through stop: what comes
	// from outside may come during the commit.
	w.ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return w
}

// start begins a write; its event comes out of the channel.
func (w *writer) start(run func(context.Context) flow.Event) <-chan flow.Event {
	if w.ctx.Err() != nil { // the one before was stopped
		w.ctx, w.cancel = context.WithCancel(context.WithoutCancel(w.ctx))
	}
	ctx, done := w.ctx, make(chan flow.Event, 1)
	w.last.Store(nil)
	w.wg.Go(func() {
		e := run(ctx)
		w.last.Store(&e)
		done <- e
	})
	return done
}

// stop asks the write to end; one that has begun its commit finishes it.
func (w *writer) stop() { w.cancel() }

// finish waits for the write and returns its event, nil when there was none.
func (w *writer) finish() flow.Event {
	w.wg.Wait()
	if e := w.last.Load(); e != nil {
		return *e
	}
	return nil
}
