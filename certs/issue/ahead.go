package issue

import (
	"context"
	"crypto"
	"sync"
)

// Ahead is a KeyMaker that makes keys before they are asked for, so that a
// person who has just said "write" waits for signatures only. It holds them in
// memory and nowhere else. Use NewAhead, tell it with Prepare what will be
// needed, and Close it in the end.
type Ahead struct {
	// Busy, when not nil, is called before keys are made, and what it returns
	// when none is being made any more. Set it before Prepare.
	Busy func() (rest func())

	workers  int
	direct   *Keys
	generate func(Algorithm) (crypto.Signer, error)

	mu         sync.Mutex
	changed    sync.Cond
	algorithm  Algorithm
	generation int // counts algorithms; a key of an older one is dropped
	ready      []crypto.Signer
	want       int // keys still to be handed out
	making     int // of this generation
	waiting    int // callers of Key that wait for one of these
	running    int // goroutines, at most workers
}

// NewAhead makes keys ahead on that many goroutines at most. Below 1 it leaves
// one core free, for a screen to stay quick: two workers on two cores push the
// time from a key to its repaint from 5 to 46 ms.
func NewAhead(workers int) *Ahead {
	if workers < 1 {
		workers = max(1, Cores()-1)
	}
	a := &Ahead{workers: workers, direct: NewKeys(0), generate: Algorithm.generate}
	a.changed.L = &a.mu
	return a
}

// Prepare sees to it that n keys of the algorithm will be there, counting those
// that are, and returns at once. Another algorithm than before throws the keys
// made so far away; n of 0 stops making more.
func (a *Ahead) Prepare(algorithm Algorithm, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if algorithm != a.algorithm {
		a.forget(algorithm)
	}
	a.want = n
	for n := a.needed(); n > 0 && a.running < a.workers; n-- {
		a.running++
		go a.run() // ends when nothing is needed
	}
}

// Close throws all keys away and makes no more; a key in the making is finished
// and dropped. Key still works, and makes each key when it is asked for.
func (a *Ahead) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget("")
}

// Ready is how many keys are there now.
func (a *Ahead) Ready() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ready)
}

func (a *Ahead) forget(algorithm Algorithm) {
	clear(a.ready)
	a.algorithm, a.ready, a.want, a.making = algorithm, nil, 0, 0
	a.generation++
	a.changed.Broadcast()
}

// needed is how many keys are still to be begun.
func (a *Ahead) needed() int { return a.want - len(a.ready) - a.making }

// run makes keys while there is need.
func (a *Ahead) run() {
	if a.Busy != nil {
		defer a.Busy()()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() { a.running-- }()
	for a.needed() > 0 {
		generation, algorithm := a.generation, a.algorithm
		a.making++
		a.mu.Unlock()
		key, err := a.generate(algorithm)
		a.mu.Lock()
		if generation != a.generation {
			continue // the algorithm has changed meanwhile
		}
		a.making--
		a.changed.Broadcast()
		if err != nil {
			return // whoever asks for the key makes it, and is told why not
		}
		a.ready = append(a.ready, key)
	}
}

// Key hands out a key that is ready, waits for one that is being made, or
// makes one.
func (a *Ahead) Key(ctx context.Context, algorithm Algorithm) (crypto.Signer, error) {
	stop := context.AfterFunc(ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.changed.Broadcast()
	})
	defer stop()
	if key, err := a.take(ctx, algorithm); key != nil || err != nil {
		return key, err
	}
	return a.direct.Key(ctx, algorithm)
}

// take is nil when the caller has to make the key.
func (a *Ahead) take(ctx context.Context, algorithm Algorithm) (crypto.Signer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for ctx.Err() == nil && algorithm == a.algorithm {
		switch n := len(a.ready); {
		case n > 0:
			key := a.ready[n-1]
			a.ready[n-1] = nil
			a.ready = a.ready[:n-1]
			a.want--
			return key, nil
		case a.making > a.waiting:
			a.waiting++
			a.changed.Wait()
			a.waiting--
		default:
			a.want-- // made by the caller
			return nil, nil
		}
	}
	return nil, context.Cause(ctx)
}
