package issue_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"certwright/certs/issue"
	"certwright/certs/topology"
)

// BenchmarkIssueRatio takes ours and the floor in turns, so that a busy
// machine bears on both alike, and reports the ratio of their medians
// ("x/floor"; the goal is 1.15). Absolute times are BenchmarkIssue's.
func BenchmarkIssueRatio(b *testing.B) {
	for _, w := range worlds(b) {
		for _, a := range []issue.Algorithm{issue.ECDSAP256, issue.RSA2048} {
			b.Run(w.name+"/"+string(a), func(b *testing.B) {
				var ours, theirs []time.Duration
				for b.Loop() {
					start := time.Now()
					all(b, w.request(a))
					between := time.Now()
					w.floor(b, func() crypto.Signer { return floorKey(b, a) })
					ours, theirs = append(ours, between.Sub(start)), append(theirs, time.Since(between))
				}
				b.ReportMetric(float64(median(ours))/float64(median(theirs)), "x/floor")
			})
		}
	}
}

// world is a set that is issued whole, and how much the floor makes of each kind.
type world struct {
	name string
	topo *topology.Topology
	root bool // above the CAs
	// cas and leaves are what the floor signs too: certificates with the same
	// names and extensions. bare are keys without one.
	cas, leaves []*x509.Certificate
	bare        int
}

// worlds are the sets of Tectonic and of a Kubernetes cluster of three control
// planes and five workers.
func worlds(b *testing.B) []world {
	var nodes []topology.Node
	for i, role := range []topology.Role{topology.ControlPlane, topology.ControlPlane, topology.ControlPlane, topology.Worker, topology.Worker, topology.Worker, topology.Worker, topology.Worker} {
		nodes = append(nodes, topology.Node{Name: fmt.Sprintf("node-%d", i), Role: role, Addresses: []string{fmt.Sprintf("10.0.0.%d", 10+i)}})
	}
	p := profile(b, "kubernetes")
	p.Algorithms = nil
	kubernetes, problems := topology.ResolveNodes(p, nil, nodes)
	for _, problem := range problems {
		b.Fatal(problem)
	}
	out := []world{{name: "tectonic", topo: tectonic(b, nil)}, {name: "kubernetes", topo: kubernetes}}
	for i := range out {
		w := &out[i]
		set := all(b, w.request(issue.ECDSAP256))
		w.root = set.Root != nil
		for _, pair := range set.Pairs {
			switch leaf := pair.Leaf(); {
			case leaf == nil:
				w.bare++
			case leaf.IsCA:
				w.cas = append(w.cas, leaf)
			default:
				w.leaves = append(w.leaves, leaf)
			}
		}
	}
	return out
}

func (w *world) request(a issue.Algorithm) issue.Request {
	r := request(w.topo)
	r.Algorithm = a
	return r
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
	w := worlds(b)[0]
	for _, a := range []issue.Algorithm{issue.ECDSAP256, issue.RSA2048} {
		b.Run("tectonic/"+string(a), func(b *testing.B) {
			for b.Loop() {
				all(b, w.request(a))
			}
		})
		b.Run("floor/"+string(a), func(b *testing.B) {
			for b.Loop() {
				w.floor(b, func() crypto.Signer { return floorKey(b, a) })
			}
		})
		ready := make([]crypto.Signer, w.keys())
		for i := range ready {
			ready[i] = floorKey(b, a)
		}
		b.Run("tectonic-keys-ready/"+string(a), func(b *testing.B) {
			for b.Loop() {
				r := w.request(a)
				r.Keys = &readyKeys{keys: ready}
				all(b, r)
			}
		})
		b.Run("floor-keys-ready/"+string(a), func(b *testing.B) {
			for b.Loop() {
				keys := &readyKeys{keys: ready}
				w.floor(b, func() crypto.Signer { k, _ := keys.Key(b.Context(), a); return k })
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

// keys is how many the world has, with one for a root if it has that or not.
func (w *world) keys() int { return 1 + len(w.cas) + len(w.leaves) + w.bare }

// floor makes as many keys, and certificates with the same in them, each CA
// before what it signs: GenerateKey and CreateCertificate, and nothing else.
func (w *world) floor(b *testing.B, key func() crypto.Signer) {
	type signer struct {
		cert *x509.Certificate
		key  crypto.Signer
	}
	template := func(like *x509.Certificate) *x509.Certificate {
		serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
		return &x509.Certificate{
			SerialNumber: serial, Subject: like.Subject, NotBefore: like.NotBefore, NotAfter: like.NotAfter,
			IsCA: like.IsCA, BasicConstraintsValid: true, KeyUsage: like.KeyUsage, ExtKeyUsage: like.ExtKeyUsage,
			DNSNames: like.DNSNames, IPAddresses: like.IPAddresses, URIs: like.URIs,
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
	keys := make([]crypto.Signer, w.keys())
	var root *signer
	first := 1
	if w.root {
		first = 0
	}
	spread(len(keys)-first, func(i int) { keys[first+i] = key() })
	if w.root {
		root = sign(template(w.cas[0]), keys[0], nil)
	}
	cas := make([]*signer, len(w.cas))
	spread(len(cas), func(i int) { cas[i] = sign(template(w.cas[i]), keys[1+i], root) })
	spread(len(w.leaves), func(i int) { sign(template(w.leaves[i]), keys[1+len(cas)+i], cas[i%len(cas)]) })
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
