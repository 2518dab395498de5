// Package prove connects: for each edge of a topology a real TLS handshake in
// memory, with the certificates that will be written and each side configured
// as the component configures itself. Start with Edges for what must work,
// with Reach for what a stolen key would open, All for both, and with CAReach for what a
// stolen CA would. Of many nodes a sample is tried (Sample), and in it one
// handshake made for each kind of connection (Handshake.Alike).
//
// It opens no socket and writes no file.
package prove

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"certwright/certs"
	"certwright/certs/material"
	"certwright/certs/topology"
)

// Input is a set to be proved.
type Input struct {
	Set     *certs.Set
	Now     time.Time
	Workers int // default one for each core
	// Progress, when set, is told after each handshake of Edges how many of
	// how many are done, from one goroutine at a time.
	Progress func(done, total int)
}

// Handshake is one connection that was tried.
type Handshake struct {
	Edge    string          `json:"edge"`
	Client  topology.SlotID `json:"client,omitempty"` // "" for a client without a certificate
	Server  topology.SlotID `json:"server"`
	Name    string          `json:"name,omitempty"` // the host name or address that was dialled
	Version string          `json:"version"`        // "TLS 1.2" or "TLS 1.3"
	OK      bool            `json:"ok"`
	Advised string          `json:"advised,omitempty"` // set when the name is only advised: why it is dialled
	Problem string          `json:"problem,omitempty"` // our words: what, both sides, the fix
	Error   string          `json:"error,omitempty"`   // the component's own message
	User    string          `json:"user,omitempty"`    // who the API server takes the client for
	Groups  []string        `json:"groups,omitempty"`
	// Alike is set where no handshake was made, of a cluster of many nodes: the edge
	// whose handshake shows that connections of this kind work. What sets this
	// one apart was looked at by itself: chains, name, keys, user.
	Alike string `json:"alike,omitempty"`

	// Of a failure, what Problem says, in its parts.
	Blame topology.SlotID `json:"blame,omitempty"` // the slot whose certificate was refused
	Has   string          `json:"has,omitempty"`
	Needs string          `json:"needs,omitempty"`
	Fix   string          `json:"fix,omitempty"`
}

// Failed are the handshakes that had to work and did not.
func Failed(hs []Handshake) []Handshake {
	return pick(hs, func(h Handshake) bool { return !h.OK && h.Advised == "" })
}

// Warned are the handshakes that did not work, under names that are only advised.
func Warned(hs []Handshake) []Handshake {
	return pick(hs, func(h Handshake) bool { return !h.OK && h.Advised != "" })
}

// Passed are the handshakes that worked.
func Passed(hs []Handshake) []Handshake {
	return pick(hs, func(h Handshake) bool { return h.OK })
}

// OfEdge are the handshakes of one edge.
func OfEdge(hs []Handshake, id string) []Handshake {
	return pick(hs, func(h Handshake) bool { return h.Edge == id })
}

//go:noinline // many callers, none of them hot
func pick(hs []Handshake, want func(Handshake) bool) []Handshake {
	var out []Handshake
	for _, h := range hs {
		if want(h) {
			out = append(out, h)
		}
	}
	return out
}

// versions are those that components of a cluster speak today.
var versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// Edges makes every connection of the topology, once for each name that is
// dialled and each TLS version, in the topology's order; with more than eight
// nodes one of each kind is made, and the others are held to it. A connection that
// fails is in the answer, not in the error: that is for a set without a
// topology, and for ctx, whose cause is returned when it ends.
func Edges(ctx context.Context, in Input) ([]Handshake, error) {
	b, err := newBench(in)
	if err != nil {
		return nil, err
	}
	return between{b, b, newChains()}.edges(ctx, in)
}

// All is Edges and Reach of one set, in less time than both.
func All(ctx context.Context, in Input) ([]Handshake, []Opening, error) {
	b, err := newBench(in)
	if err != nil {
		return nil, nil, err
	}
	known := newChains()
	handshakes, err := between{b, b, known}.edges(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	openings, err := b.reach(ctx, in, known)
	return handshakes, openings, err
}

// Across is Edges with the clients of one set and the servers of another, as
// they meet while a cluster goes from the one to the other. Both are sets of
// the same topology; Workers and Progress are those of client.
func Across(ctx context.Context, client, server Input) ([]Handshake, error) {
	c, err := newBench(client)
	if err != nil {
		return nil, err
	}
	s, err := newBench(server)
	if err != nil {
		return nil, err
	}
	return between{c, s, newChains()}.edges(ctx, client)
}

// between is where each side of a connection gets its files from.
type between struct {
	client, server *bench
	chains         *chains
}

func (p between) edges(ctx context.Context, in Input) ([]Handshake, error) {
	if err := p.load(ctx, in.Workers); err != nil {
		return nil, err
	}
	jobs := p.client.jobs(versions)
	speaker, err := p.speakers(ctx, in.Workers, jobs)
	if err != nil {
		return nil, err
	}
	out := make([]Handshake, len(jobs))
	var mu sync.Mutex
	done := 0
	tell := func() {
		if in.Progress != nil {
			mu.Lock()
			defer mu.Unlock()
			done++
			in.Progress(done, len(jobs))
		}
	}
	try := func(which [][]int, one func(i int) Handshake) error {
		return each(ctx, in.Workers, len(which), func(ctx context.Context, n int) {
			for _, i := range which[n] {
				out[i] = one(i)
				tell()
			}
		})
	}
	var own, others [][]int // those of one edge ask the same of chains: one after the other
	for i := range jobs {
		last := len(others) - 1
		switch {
		case speaker[i] == i:
			own = append(own, []int{i})
		case last >= 0 && jobs[others[last][0]].edge == jobs[i].edge:
			others[last] = append(others[last], i)
		default:
			others = append(others, []int{i})
		}
	}
	if err := try(own, func(i int) Handshake { return p.prove(ctx, jobs[i]) }); err != nil {
		return nil, err
	}
	err = try(others, func(i int) Handshake {
		if s := out[speaker[i]]; s.OK {
			if h, ok := p.like(jobs[i], s); ok {
				return h
			}
		}
		return p.prove(ctx, jobs[i])
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// load loads what both sides show, on all cores.
func (p between) load(ctx context.Context, workers int) error {
	edges := p.client.set.Topology.Edges
	return each(ctx, workers, len(edges), func(_ context.Context, i int) {
		p.client.slot(edges[i].Client.Slot)
		p.server.slot(edges[i].Server.Slot)
	})
}

// job is one handshake to be made.
type job struct {
	edge    *topology.Edge
	name    topology.Name // zero when the edge dials none
	version uint16
}

func (b *bench) jobs(versions []uint16) []job {
	var jobs []job
	for i := range b.set.Topology.Edges {
		e := &b.set.Topology.Edges[i]
		dials := e.Dials
		if len(dials) == 0 {
			dials = []topology.Name{{}}
		}
		for _, name := range dials {
			for _, v := range versions {
				if v < tls.VersionTLS13 && b.postQuantum(e) {
					continue
				}
				jobs = append(jobs, job{e, name, v})
			}
		}
	}
	return jobs
}

// postQuantum says whether one side shows an ML-DSA certificate, which TLS 1.2
// has no way to carry.
func (b *bench) postQuantum(e *topology.Edge) bool {
	shows := func(id topology.SlotID) bool {
		leaf := b.slot(id).leaf()
		return leaf != nil && material.PostQuantum(leaf.RawSubjectPublicKeyInfo) != ""
	}
	return shows(e.Server.Slot) || e.ClientCA != "" && shows(e.Client.Slot)
}

// started is what is known of a handshake before it is made.
func started(j job) Handshake {
	e := j.edge
	return Handshake{
		Edge: e.ID, Client: e.Client.Slot, Server: e.Server.Slot,
		Name: j.name.Value, Advised: j.name.Advised, Version: tls.VersionName(j.version),
	}
}

// prove makes one handshake and says how it went.
func (p between) prove(ctx context.Context, j job) Handshake {
	h, e := started(j), j.edge
	x := explainer{between: p, h: &h, edge: e}
	client, server := p.client.slot(e.Client.Slot), p.server.slot(e.Server.Slot)
	switch {
	case server.err != nil:
		x.unloadable(e.Server, server.err)
		return h
	case e.ClientCA != "" && client.err != nil:
		x.unloadable(e.Client, client.err)
		return h
	case e.ClientCA != "" && p.server.pools[e.ClientCA] == nil:
		x.noAnchor(e.ClientCA)
		return h
	case e.ServerCA != "" && p.client.pools[e.ServerCA] == nil:
		x.noAnchor(e.ServerCA)
		return h
	}
	seen, v := p.shake(ctx, j)
	if v.err != nil {
		x.refused(v)
		return h
	}
	if err := x.identity(seen); err != nil {
		return h
	}
	h.OK = true
	return h
}

var errNoSet = errors.New("nothing to prove: there is no set, or it has no topology")

// Opening is one server that the holder of a key can open.
type Opening struct {
	Client topology.SlotID `json:"client"`
	Server topology.SlotID `json:"server"`
	// Trust is the authority whose clients the server takes here; one server may
	// take those of several, each for something else.
	Trust   topology.AuthorityID `json:"trust"`
	Allowed bool                 `json:"allowed"` // an edge asks for it
	Open    bool                 `json:"open"`    // the server accepts the certificate
	As      string               `json:"as,omitempty"`
	Error   string               `json:"error,omitempty"` // why it was refused
}
