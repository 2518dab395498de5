package cli

import (
	"context"
	"runtime"
	"sync"

	"certwright/flow"
	"certwright/ui/wizard"
)

// threads has the program run on two threads beside the cores while something
// keeps all of them: keys that are made in the background run in slices of 10 ms,
// and a key press must not wait behind them. An idle screen needs none of it, and
// waking more threads than cores costs it a tenth of its time.
type threads struct {
	mu   sync.Mutex
	busy int
	own  int // how many there are else
}

// more is for the time until the function is called that it returns.
func (t *threads) more() (less func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy++; t.busy == 1 {
		t.own = runtime.GOMAXPROCS(0)
		runtime.GOMAXPROCS(t.own + 2)
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.busy--; t.busy == 0 {
			runtime.GOMAXPROCS(t.own)
		}
	}
}

// threaded is a Runner whose long effects leave the screen its threads.
type threaded struct {
	wizard.Runner
	threads *threads
}

// Run runs an effect.
func (r threaded) Run(ctx context.Context, e flow.Effect, progress func(flow.Event)) flow.Event {
	switch e.(type) {
	case flow.Prepare, flow.Write, flow.SortFolder:
		defer r.threads.more()()
	}
	return r.Runner.Run(ctx, e, progress)
}
