package prove

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"certwright/certs"
	"certwright/certs/material"
	"certwright/certs/topology"
)

// bench is a set loaded as components load it: each slot and each trust bundle
// once, however many handshakes use it, and a slot when the first one does: of
// a cluster of many nodes almost none is used.
type bench struct {
	set   *certs.Set
	now   time.Time
	slots map[topology.SlotID]func() loaded
	pools map[topology.AuthorityID]*x509.CertPool // of ca.crt; missing when there is none
}

// loaded is one slot's certificate and key, or why a component would not start
// with them.
type loaded struct {
	cert  *tls.Certificate
	shape shape
	err   error
}

// The errors of slots that lack something to load.
var (
	errEmptySlot = errors.New("there is no certificate")
	errNoKey     = errors.New("there is no private key")
	// errPostQuantum is crypto/tls's own word for a certificate whose key its Go does not know.
	errPostQuantum = errors.New("tls: unknown public key algorithm")
)

func newBench(in Input) (*bench, error) {
	if in.Set == nil || in.Set.Topology == nil {
		return nil, errNoSet
	}
	if in.Now.IsZero() {
		return nil, errors.New("nothing to prove: the time to prove it at is missing")
	}
	b := &bench{
		set: in.Set, now: in.Now,
		slots: map[topology.SlotID]func() loaded{}, pools: map[topology.AuthorityID]*x509.CertPool{},
	}
	t := in.Set.Topology
	for i := range t.Slots {
		if s := &t.Slots[i]; s.Kind == topology.Leaf {
			b.slots[s.ID] = sync.OnceValue(func() loaded { return load(in.Set.Pairs[s.ID]) })
		}
	}
	for _, e := range t.Edges {
		for _, id := range []topology.SlotID{e.Client.Slot, e.Server.Slot} {
			if _, ok := b.slots[id]; !ok && id != "" {
				b.slots[id] = func() loaded { return loaded{err: fmt.Errorf("%s holds no certificate to present", id)} }
			}
		}
	}
	for _, a := range t.Authorities {
		pool := x509.NewCertPool()
		for _, anchor := range in.Set.Anchors(a.ID) {
			if pool.AppendCertsFromPEM(encode("CERTIFICATE", anchor.Raw)) {
				b.pools[a.ID] = pool
			}
		}
	}
	return b, nil
}

// slot is what a component has of a slot; nothing for a client without one.
func (b *bench) slot(id topology.SlotID) loaded {
	if load := b.slots[id]; load != nil {
		return load()
	}
	return loaded{}
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// load reads a pair back from the bytes that will be written, as
// tls.LoadX509KeyPair of a component does.
func load(pair *certs.Pair) loaded {
	switch {
	case pair.Leaf() == nil:
		return loaded{err: errEmptySlot}
	case pair.Leaf().PublicKey == nil && material.PostQuantum(pair.Leaf().RawSubjectPublicKeyInfo) != "":
		return loaded{err: errPostQuantum}
	case pair.Key == nil:
		return loaded{err: errNoKey}
	}
	var file []byte
	for _, c := range pair.Certificates {
		file = append(file, encode("CERTIFICATE", c.Raw)...)
	}
	der, err := material.PKCS8(pair.Key)
	if err != nil {
		return loaded{err: errors.New("the private key cannot be written as PKCS#8")}
	}
	key := encode("PRIVATE KEY", der)
	defer func() { clear(der); clear(key) }()
	cert, err := tls.X509KeyPair(file, key)
	if err != nil {
		return loaded{err: err}
	}
	return loaded{cert: &cert, shape: shapeOf(&cert)}
}

// each runs f for 0 to n-1 on that many goroutines and ends early with the
// cause when ctx does. All goroutines have ended when it returns.
func each(ctx context.Context, workers, n int, f func(context.Context, int)) error {
	if workers < 1 {
		workers = min(runtime.NumCPU(), runtime.GOMAXPROCS(0))
	}
	var next atomic.Int64
	loop := func() {
		for ctx.Err() == nil {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			f(ctx, i)
		}
	}
	var wg sync.WaitGroup
	for range min(workers, n) - 1 {
		wg.Go(loop)
	}
	loop()
	wg.Wait()
	return context.Cause(ctx)
}
