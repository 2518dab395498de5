package cli

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"certwright/flow"
)

func TestNodesTellTheirPace(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	a := &app{World: World{Err: &out, Now: func() time.Time { return now }}}
	tell := a.progressLines("text")
	for done := 0; done <= 10_000; done += 100 {
		tell(flow.Progress{Stage: "nodes", Done: done, Total: 10_000})
		now = now.Add(50 * time.Millisecond)
	}
	tell(flow.Progress{Stage: "verify"})
	want := `making, checking and writing the certificates of the nodes
  4000 of 10000 nodes, 2000 a second, 3s left
  8000 of 10000 nodes, 2000 a second, 1s left
verifying from the disk, then renaming into place
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
	out.Reset()
	a.progressLines("json")(flow.Progress{Stage: "nodes"})
	if out.Len() > 0 {
		t.Errorf("with -o json: %q", &out)
	}
}

// The time that is left is right to 15 % within 5 s: RSA keys, whose making is a
// lottery (p50 44, p90 89, p99 155 ms), come from two workers in parts of two nodes, on a clock of their own.
func TestTheTimeLeftIsSoonRight(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 8))
		var out bytes.Buffer
		start := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
		now := start
		a := &app{World: World{Err: &out, Now: func() time.Time { return now }}}
		tell := a.progressLines("text")
		const total, part = 2000, 2
		makePart := func() time.Duration { // four keys, 46 ms each in the mean
			d := 0.0
			for range 2 * part {
				d += 0.010 + 0.018*(random.ExpFloat64()+random.ExpFloat64())
			}
			return time.Duration(d * float64(time.Second))
		}
		busy := [2]time.Time{now.Add(makePart()), now.Add(makePart())}
		type guess struct {
			at   time.Time
			left float64
		}
		var guesses []guess
		tell(flow.Progress{Stage: "nodes", Total: total})
		for done := part; done <= total; done += part {
			first := &busy[0]
			if busy[1].Before(*first) {
				first = &busy[1]
			}
			now = *first
			*first = now.Add(makePart())
			out.Reset()
			tell(flow.Progress{Stage: "nodes", Done: done, Total: total})
			var n, of int
			var rate, left float64
			if _, err := fmt.Sscanf(out.String(), "  %d of %d nodes, %f a second, %fs left", &n, &of, &rate, &left); err == nil || n > 0 {
				guesses = append(guesses, guess{now, float64(of-n) / rate})
			}
		}
		if len(guesses) < 10 || guesses[0].at.Sub(start) > 5*time.Second {
			t.Fatalf("seed %d: %d guesses, the first after %v", seed, len(guesses), guesses[0].at.Sub(start))
		}
		for _, g := range guesses {
			is := now.Sub(g.at).Seconds()
			if since := g.at.Sub(start); since > 4*time.Second && since < 30*time.Second && math.Abs(g.left-is) > 0.15*is {
				t.Errorf("seed %d: after %v %.1f s were left, and it took %.1f", seed, since, g.left, is)
			}
		}
	}
}
