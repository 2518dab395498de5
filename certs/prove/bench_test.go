//go:build unix

package prove

import (
	"crypto/tls"
	"syscall"
	"testing"
	"time"

	"certwright/certs/issue"
)

// BenchmarkEdges proves the whole Tectonic matrix, for one TLS version and for
// both, loading included. The goal is 100 ms of CPU for each version on P-256;
// cpu-ms/op is what all cores spent.
func BenchmarkEdges(b *testing.B) {
	for _, a := range []issue.Algorithm{issue.ECDSAP256, issue.RSA2048} {
		set := good(b, func(r *issue.Request) { r.Algorithm = a })
		for name, vs := range map[string][]uint16{"TLS 1.2": {tls.VersionTLS12}, "TLS 1.3": {tls.VersionTLS13}, "both": versions} {
			b.Run(string(a)+"/"+name, func(b *testing.B) {
				before := cpu(b)
				n := 0
				b.ReportAllocs()
				for b.Loop() {
					bench, err := newBench(Input{Set: set, Now: now})
					if err != nil {
						b.Fatal(err)
					}
					both := between{bench, bench, newChains()}
					for _, j := range bench.jobs(vs) {
						if h := both.prove(b.Context(), j); !h.OK {
							b.Fatal(h.Problem)
						}
						n++
					}
				}
				b.ReportMetric(float64(cpu(b)-before)/float64(time.Millisecond)/float64(b.N), "cpu-ms/op")
				b.ReportMetric(float64(n)/float64(b.N), "handshakes/op")
			})
		}
	}
}

func BenchmarkReach(b *testing.B) {
	set := good(b, nil)
	for b.Loop() {
		if os, err := Reach(b.Context(), Input{Set: set, Now: now}); err != nil || len(os) == 0 {
			b.Fatal(err)
		}
	}
}

// cpu is the processor time of the process so far, in nanoseconds.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
