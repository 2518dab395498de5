package wizard

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/topology"
	"certwright/flow"
)

// crowd is a Runner that counts how many checks are at work at once.
type crowd struct {
	now, most, ran atomic.Int64
}

func (c *crowd) Run(_ context.Context, e flow.Effect, _ func(flow.Event)) flow.Event {
	n := c.now.Add(1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	defer c.now.Add(-1)
	c.ran.Add(1)
	check := e.(flow.CheckSlot)
	return flow.Checked{Slot: check.Slot, Gen: check.Gen}
}

// Ten thousand checks are done by as many workers as there are places, each
// verdict is taken once, and a check that was replaced is not done.
func TestChecksWaitTheirTurn(t *testing.T) {
	for _, places := range []int{1, 3} {
		t.Run(fmt.Sprint(places, " places"), func(t *testing.T) { checksWaitTheirTurn(t, places) })
	}
}

func checksWaitTheirTurn(t *testing.T, places int) {
	const n = 2000
	runner := &crowd{}
	k := newWork(t.Context(), runner, newWriter(t.Context()))
	k.wait = func(context.Context, time.Duration) bool { return true }
	k.places = places
	var busy, idle atomic.Int64
	k.busy = func() func() {
		busy.Add(1)
		return func() { idle.Add(1) }
	}
	var effects []flow.Effect
	for gen := 1; gen <= 2; gen++ { // each is asked for a second time before it began
		for i := range n {
			effects = append(effects, flow.CheckSlot{Slot: topology.SlotID(fmt.Sprint("kube/", i)), Gen: (gen-1)*n + i + 1})
		}
	}
	taken := map[topology.SlotID]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	var do func(cmd tea.Cmd)
	do = func(cmd tea.Cmd) { // as the library does: each command in a goroutine
		if cmd == nil {
			return
		}
		all.Go(func() {
			switch msg := cmd().(type) {
			case tea.BatchMsg:
				for _, c := range msg {
					do(c)
				}
			case judgedMsg:
				mu.Lock()
				verdicts, more := k.verdicts()
				do(more)
				for _, v := range verdicts {
					c := v.(flow.Checked)
					if c.Gen <= n {
						t.Errorf("%s was judged by an older question", c.Slot)
					}
					taken[c.Slot]++
				}
				mu.Unlock()
			}
		})
	}
	do(k.start(effects))
	all.Wait()
	for i := range n {
		if id := topology.SlotID(fmt.Sprint("kube/", i)); taken[id] != 1 {
			t.Fatalf("the verdict on %s was taken %d times", id, taken[id])
		}
	}
	if runner.most.Load() > int64(places) || runner.ran.Load() != n {
		t.Errorf("%d checks for %d slots, %d of them at once", runner.ran.Load(), n, runner.most.Load())
	}
	if k.checking != 0 || len(k.waiting) != 0 || len(k.newest) != 0 || busy.Load() != 1 || idle.Load() != 1 || !k.manyEnded() || k.manyEnded() {
		t.Errorf("left behind: %d at work, %d waiting, %d known; busy %d times, idle %d", k.checking, len(k.waiting), len(k.newest), busy.Load(), idle.Load())
	}
}
