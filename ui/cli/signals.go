package cli

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// untilSignal is a context that the first signal to stop ends. The second is
// left to the system, for a person who will not wait. status turns the status of
// a run that such a signal ended into that of the signal.
func untilSignal(parent context.Context) (ctx context.Context, status func(int) int, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // as nohup asks for
			signal.Notify(signals, s)
		}
	}
	var got atomic.Int32
	go func() { // ends with the context
		select {
		case s := <-signals:
			if n, ok := s.(syscall.Signal); ok {
				got.Store(int32(n))
			}
			signal.Stop(signals)
			cancel()
		case <-ctx.Done():
		}
	}()
	status = func(s int) int {
		if n := int(got.Load()); s == exitLeft && (n == int(syscall.SIGTERM) || n == int(syscall.SIGHUP)) {
			return 128 + n
		}
		return s
	}
	return ctx, status, func() { signal.Stop(signals); cancel() }
}
