package install_test

import (
	"slices"
	"testing"
	"time"

	"certwright/certs/issue"
	"certwright/flow"
	"certwright/flow/install"
)

// BenchmarkWriteAfterReview is what a person waits for between "write" and
// "done", through the Runner that the wizard uses: on Review the set is made and
// proved already. The goals: p99 below 100 ms, with RSA-4096 below 200 ms. It
// also reports how long the set took to make with keys made ahead.
func BenchmarkWriteAfterReview(b *testing.B) {
	for _, alg := range []issue.Algorithm{issue.ECDSAP256, issue.RSA2048, issue.RSA3072, issue.RSA4096} {
		b.Run("alg="+string(alg), func(b *testing.B) {
			var writes, sets []time.Duration
			for b.Loop() {
				w := world(b)
				p := defaults(b)
				p.Keys.Algorithm = alg
				a := answers(b, p)
				ahead := issue.NewAhead(0)
				w.Keys = ahead
				r := &install.Runner{World: w, Ahead: ahead}
				keys := len(a.Topology.Slots) + 1
				ahead.Prepare(alg, keys)
				for ahead.Ready() < keys { // the person reads
					time.Sleep(time.Millisecond)
				}
				start := time.Now()
				made, ok := r.Run(b.Context(), flow.Prepare{Answers: a}, nil).(flow.PreparedSet)
				if !ok || made.Err != nil {
					b.Fatal(made.Err)
				}
				sets = append(sets, time.Since(start))
				start = time.Now()
				if out, ok := r.Run(b.Context(), flow.Write{Prepared: made.Prepared}, nil).(flow.Wrote); !ok || out.Written.Err != nil {
					b.Fatal(out.Written.Err)
				}
				writes = append(writes, time.Since(start))
				ahead.Close()
			}
			for name, list := range map[string][]time.Duration{"set": sets, "write": writes} {
				slices.Sort(list)
				b.ReportMetric(float64(list[len(list)/2].Microseconds())/1000, name+"-p50-ms")
				b.ReportMetric(float64(list[len(list)*99/100].Microseconds())/1000, name+"-p99-ms")
			}
		})
	}
}
