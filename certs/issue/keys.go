package issue

import (
	"context"
	"crypto"
	"runtime"
)

// Cores is how many workers do CPU-bound work here when nobody says: one for
// each core, however far GOMAXPROCS was raised above them to keep a screen
// responsive, and no more than GOMAXPROCS, which knows a container's limit.
func Cores() int { return min(runtime.NumCPU(), runtime.GOMAXPROCS(0)) }

// Keys makes keys when they are asked for, at most so many at a time. Use
// NewKeys.
type Keys struct {
	slots chan struct{}
}

// NewKeys makes keys on that many goroutines at most; below 1 it is one for
// each core.
func NewKeys(workers int) *Keys {
	if workers < 1 {
		workers = Cores()
	}
	return &Keys{slots: make(chan struct{}, workers)}
}

// Key makes one key. When ctx ends it returns at once with the cause: an RSA
// key in the making cannot be stopped, so it is finished in the background (a
// second or two at most, and never more of them than workers) and dropped.
func (k *Keys) Key(ctx context.Context, a Algorithm) (crypto.Signer, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if !a.RSA() {
		return a.generate()
	}
	select {
	case k.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	type result struct {
		key crypto.Signer
		err error
	}
	made := make(chan result, 1)
	go func() {
		defer func() { <-k.slots }()
		key, err := a.generate()
		made <- result{key, err}
	}()
	select {
	case r := <-made:
		return r.key, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
