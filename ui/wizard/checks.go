package wizard

import (
	"context"

	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/topology"
	"certwright/flow"
)

// manyChecks is how many checks are due when their verdicts are shown some at a
// time, as often as a progress bar moves: keys have to come through.
const manyChecks = 64

// judgedMsg says that there are verdicts to take. Those that come while the
// screen is drawn are taken with it: ten thousand are not as many frames.
type judgedMsg struct{}

// queued is a check that waits for somebody to do it.
type queued struct {
	ctx    context.Context
	cancel context.CancelFunc
	effect flow.CheckSlot
}

// checks are the part of the work that its mu guards.
type checks struct {
	newest   map[topology.SlotID]queued // of each slot, until it has ended
	waiting  []queued
	checking int           // how many are at it
	places   int           // for those who are
	judged   []flow.Event  // verdicts that were not taken yet
	busy     func() func() // called when many checks begin, and what it gives when they have ended; nil is not
	less     func()        // what it gave
	many     bool          // they have begun
	ended    bool          // and have ended, which nobody was told yet
}

// queue makes a check wait its turn, and ends the one before of its slot.
func (k *work) queue(e flow.CheckSlot) queued {
	k.mu.Lock()
	defer k.mu.Unlock()
	if before, ok := k.newest[e.Slot]; ok {
		before.cancel()
	}
	q := queued{effect: e}
	q.ctx, q.cancel = context.WithCancel(k.ctx)
	k.newest[e.Slot] = q
	if !e.Debounced {
		k.waiting = append(k.waiting, q)
	}
	return q
}

// debounced are checks that wait until nothing was typed for a moment. Those that
// are asked for anew meanwhile come to nothing.
func (k *work) debounced(qs []queued) tea.Cmd {
	wait, ctx := k.wait, k.ctx
	if len(qs) == 1 {
		ctx = qs[0].ctx
	}
	return func() tea.Msg {
		if !wait(ctx, typingPause) {
			return nil
		}
		k.mu.Lock()
		for _, q := range qs {
			if q.ctx.Err() == nil {
				k.waiting = append(k.waiting, q)
			}
		}
		k.mu.Unlock()
		if cmds := k.checkers(); len(cmds) > 1 {
			return tea.BatchMsg(cmds)
		}
		return k.checker()
	}
}

// checkers are the commands that do the checks which wait: no more than there
// are places for, however many checks there are.
func (k *work) checkers() []tea.Cmd {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.waiting) > manyChecks && !k.many {
		k.many = true
		if k.busy != nil {
			k.less = k.busy()
		}
	}
	var cmds []tea.Cmd
	for range min(len(k.waiting), k.places-k.checking) {
		cmds = append(cmds, k.checker)
	}
	return cmds
}

// checker does checks until none waits. When there are verdicts to be taken it
// says so and comes back for the rest.
func (k *work) checker() tea.Msg {
	if !k.enter() {
		return nil // enough are at it
	}
	for {
		q, ok := k.next()
		if !ok {
			return nil
		}
		if q.ctx.Err() != nil {
			continue
		}
		first, left := k.verdict(q, k.run(q.ctx, q.effect))
		if !first {
			continue
		}
		tell := func() tea.Msg {
			if left > manyChecks {
				k.wait(k.ctx, tickPause)
			}
			return judgedMsg{}
		}
		k.leave()
		if left == 0 {
			return tell()
		}
		return tea.BatchMsg{tell, k.checker}
	}
}

// enter takes a place, if one is free.
func (k *work) enter() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.checking >= k.places || len(k.waiting) == 0 {
		return false
	}
	k.checking++
	return true
}

// leave gives a place back. Whoever leaves last when nothing waits has ended it.
func (k *work) leave() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left()
}

func (k *work) left() {
	if k.checking--; k.checking > 0 || len(k.waiting) > 0 || !k.many {
		return
	}
	k.many, k.ended = false, true
	if k.less != nil {
		k.less()
		k.less = nil
	}
}

// manyEnded says, once, that many checks have ended.
func (k *work) manyEnded() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	ended := k.ended
	k.ended = false
	return ended
}

// next is the check whose turn it is; when there is none, the place is given back.
func (k *work) next() (queued, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.waiting) == 0 {
		k.waiting = nil
		k.left()
		return queued{}, false
	}
	q := k.waiting[0]
	k.waiting[0] = queued{}
	k.waiting = k.waiting[1:]
	return q, true
}

// verdict keeps a verdict until it is taken. It says whether it is the first to
// wait for that, and how many checks are left.
func (k *work) verdict(q queued, e flow.Event) (first bool, left int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	q.cancel()
	if now, ok := k.newest[q.effect.Slot]; ok && now.effect.Gen == q.effect.Gen {
		delete(k.newest, q.effect.Slot)
	}
	k.judged = append(k.judged, e)
	return len(k.judged) == 1, len(k.waiting)
}

// verdictsAtOnce is how many verdicts are taken between two keys.
const verdictsAtOnce = 512

// verdicts takes those that came, and gives a command that asks for the others
// where they are too many.
func (k *work) verdicts() ([]flow.Event, tea.Cmd) {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := k.judged
	if len(out) <= verdictsAtOnce {
		k.judged = nil
		return out, nil
	}
	k.judged = out[verdictsAtOnce:]
	return out[:verdictsAtOnce], func() tea.Msg { return judgedMsg{} }
}
