package issue_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"certwright/certs/issue"
)

// BenchmarkIssueRatio takes ours and the floor in turns, so that a busy
// machine bears on both alike, and reports the ratio of their medians
// ("x/floor"; the goal is 1.15). Absolute times are BenchmarkIssue's.
func BenchmarkIssueRatio(b *testing.B) {
	topo := tectonic(b, nil)
	for _, a := range []issue.Algorithm{issue.ECDSAP256, issue.RSA2048} {
		b.Run(string(a), func(b *testing.B) {
			var ours, theirs []time.Duration
			for b.Loop() {
				start := time.Now()
				r := request(topo)
				r.Algorithm = a
				all(b, r)
				between := time.Now()
				floor(b, func() crypto.Signer { return floorKey(b, a) })
				ours, theirs = append(ours, between.Sub(start)), append(theirs, time.Since(between))
			}
			b.ReportMetric(float64(median(ours))/float64(median(theirs)), "x/floor")
		})
	}
}

func median(ds []time.Duration) time.Duration {
	slices.Sort(ds)
	return ds[len(ds)/2]
}

// BenchmarkIssue has our Tectonic set beside the floor: as many GenerateKey and
// CreateCertificate on all cores, and nothing else. Making RSA keys is a
// lottery (its 99th percentile is 3.5 times its median), so that RSA is also
// measured with keys made beforehand, and its ratio wants many runs:
//
//	go test -run - -bench Issue -benchtime 40x ./certs/issue
func BenchmarkIssue(b *testing.B) {
	topo := tectonic(b, nil)
	for _, a := range []issue.Algorithm{issue.ECDSAP256, issue.RSA2048} {
		b.Run("tectonic/"+string(a), func(b *testing.B) {
			for b.Loop() {
				r := request(topo)
				r.Algorithm = a
				all(b, r)
			}
		})
		b.Run("floor/"+string(a), func(b *testing.B) {
			for b.Loop() {
				floor(b, func() crypto.Signer { return floorKey(b, a) })
			}
		})
		ready := make([]crypto.Signer, 13)
		for i := range ready {
			ready[i] = floorKey(b, a)
		}
		b.Run("tectonic-keys-ready/"+string(a), func(b *testing.B) {
			for b.Loop() {
				r := request(topo)
				r.Algorithm, r.Keys = a, &readyKeys{keys: ready}
				all(b, r)
			}
		})
		b.Run("floor-keys-ready/"+string(a), func(b *testing.B) {
			for b.Loop() {
				keys := &readyKeys{keys: ready}
				floor(b, func() crypto.Signer { k, _ := keys.Key(b.Context(), a); return k })
			}
		})
	}
}

type readyKeys struct {
	keys []crypto.Signer
	n    atomic.Int64
}

func (r *readyKeys) Key(context.Context, issue.Algorithm) (crypto.Signer, error) {
	return r.keys[int(r.n.Add(1)-1)%len(r.keys)], nil
}

func floorKey(b *testing.B, a issue.Algorithm) crypto.Signer {
	var key crypto.Signer
	var err error
	if a == issue.RSA2048 {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		b.Fatal(err)
	}
	return key
}

// floor makes 13 keys and 12 certificates, each CA before what it signs: a
// root, three CAs, eight leaves, and a key pair.
func floor(b *testing.B, key func() crypto.Signer) {
	type signer struct {
		cert *x509.Certificate
		key  crypto.Signer
	}
	template := func(name string, ca bool) *x509.Certificate {
		serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
		return &x509.Certificate{
			SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now, NotAfter: now.Add(time.Hour),
			IsCA: ca, BasicConstraintsValid: true,
		}
	}
	sign := func(t *x509.Certificate, k crypto.Signer, by *signer) *signer {
		if by == nil {
			by = &signer{t, k}
		}
		der, err := x509.CreateCertificate(rand.Reader, t, by.cert, k.Public(), by.key)
		if err != nil {
			b.Error(err)
			return nil
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			b.Error(err)
		}
		return &signer{c, k}
	}
	var keys [13]crypto.Signer
	spread(len(keys), func(i int) { keys[i] = key() })
	root := sign(template("root", true), keys[0], nil)
	var cas [3]*signer
	spread(3, func(i int) { cas[i] = sign(template(string(rune('a'+i)), true), keys[1+i], root) })
	spread(8, func(i int) { sign(template("leaf", false), keys[4+i], cas[i%3]) })
}

// spread runs f on all cores.
func spread(n int, f func(int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range issue.Cores() {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}
