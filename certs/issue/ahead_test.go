package issue

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slow makes a key in a second of the bubble's clock.
func slow(made *atomic.Int32) func(Algorithm) (crypto.Signer, error) {
	return func(Algorithm) (crypto.Signer, error) {
		time.Sleep(time.Second) // the fake clock of synctest
		n := made.Add(1)
		return ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), byte(n))), nil
	}
}

func aheadOf(workers int) (*Ahead, *atomic.Int32) {
	made := &atomic.Int32{}
	a := NewAhead(workers)
	a.generate = slow(made)
	return a, made
}

func TestAheadHandsOutWhatIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, made := aheadOf(2)
		a.Prepare(RSA2048, 4)
		time.Sleep(time.Minute)
		if a.Ready() != 4 || made.Load() != 4 {
			t.Fatalf("%d ready, %d made", a.Ready(), made.Load())
		}
		seen := map[string]bool{}
		start := time.Now()
		for range 4 {
			key, err := a.Key(t.Context(), RSA2048)
			if err != nil {
				t.Fatal(err)
			}
			seen[string(key.(ed25519.PrivateKey))] = true
		}
		if len(seen) != 4 || time.Since(start) != 0 {
			t.Errorf("%d different keys in %v", len(seen), time.Since(start))
		}
		time.Sleep(time.Minute)
		if made.Load() != 4 {
			t.Errorf("%d made for 4 that were wanted", made.Load())
		}
	})
}

func TestAheadWaitsForAKeyInTheMaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, made := aheadOf(1)
		a.Prepare(RSA2048, 1)
		synctest.Wait()
		start := time.Now()
		if _, err := a.Key(t.Context(), RSA2048); err != nil || made.Load() != 1 || time.Since(start) != time.Second {
			t.Errorf("%d made in %v, %v", made.Load(), time.Since(start), err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		a.Prepare(RSA2048, 1)
		synctest.Wait()
		time.AfterFunc(time.Millisecond, cancel)
		if _, err := a.Key(ctx, RSA2048); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if time.Since(start) >= 2*time.Second {
			t.Error("a cancelled wait lasted to the end")
		}
		time.Sleep(time.Minute)
	})
}

func TestAheadMakesWhatNobodyPrepared(t *testing.T) {
	a, made := aheadOf(1)
	key, err := a.Key(t.Context(), ECDSAP256)
	if err != nil || key == nil || made.Load() != 0 {
		t.Errorf("key %v, %d made ahead, %v", key != nil, made.Load(), err)
	}
}

func TestAheadForgetsAnotherAlgorithm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, made := aheadOf(2)
		a.Prepare(RSA2048, 4)
		time.Sleep(1500 * time.Millisecond) // two ready, two in the making
		a.Prepare(ECDSAP384, 3)
		if a.Ready() != 0 {
			t.Errorf("%d keys of the old algorithm are kept", a.Ready())
		}
		time.Sleep(time.Minute)
		if a.Ready() != 3 || made.Load() != 2+2+3 {
			t.Errorf("%d ready, %d made", a.Ready(), made.Load())
		}
		a.Close()
		if a.Ready() != 0 {
			t.Error("keys are kept after Close")
		}
		if _, err := a.Key(t.Context(), ECDSAP256); err != nil {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestAheadMakesNoMoreThanWanted: callers and workers share the work.
func TestAheadMakesNoMoreThanWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, made := aheadOf(2)
		a.Prepare(ECDSAP256, 6)
		done := make(chan crypto.Signer)
		for range 6 {
			go func() {
				key, err := a.Key(t.Context(), ECDSAP256)
				if err != nil {
					t.Error(err)
				}
				done <- key
			}()
		}
		for range 6 {
			if <-done == nil {
				t.Error("no key")
			}
		}
		time.Sleep(time.Minute)
		if n := made.Load(); n > 6 || a.Ready() != 0 {
			t.Errorf("%d made ahead, %d left over", n, a.Ready())
		}
	})
}

func TestAheadLeavesAFailureToTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := aheadOf(1)
		a.generate = func(Algorithm) (crypto.Signer, error) { return nil, errors.New("no entropy") }
		a.Prepare(ECDSAP256, 2)
		synctest.Wait()
		if key, err := a.Key(t.Context(), ECDSAP256); key == nil || err != nil {
			t.Errorf("got %v", err)
		}
		if _, err := a.Key(t.Context(), "dsa"); err == nil {
			t.Error("a dsa key was made")
		}
	})
}
