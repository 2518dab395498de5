package diagram

import (
	"slices"
	"strings"

	"certwright/certs/check"
	"certwright/certs/prove"
	"certwright/certs/topology"
)

// calls makes the edges, with what the handshakes said about them.
func (b *builder) calls() {
	byEdge := map[string][]prove.Handshake{}
	for _, h := range b.in.Handshakes {
		byEdge[h.Edge] = append(byEdge[h.Edge], h)
	}
	t := b.in.Topology
	var all []Proof
	for i := range t.Edges {
		c := b.call(&t.Edges[i], byEdge[t.Edges[i].ID])
		b.m.Calls = append(b.m.Calls, c)
		all = append(all, c.Proof)
	}
	b.m.Proof = together(all)
	b.m.alike = prove.Made(b.in.Handshakes) < len(b.in.Handshakes)
	for _, n := range b.m.byID {
		if n.Kind != Leaf {
			continue
		}
		var proofs []Proof
		for _, c := range n.calls {
			proofs = append(proofs, c.Proof)
		}
		if len(proofs) > 0 {
			n.Proof = together(proofs)
		}
	}
}

// together is the proof of several: the worst that was found, and no better
// than what is still open.
func together(ps []Proof) Proof {
	for _, p := range []Proof{Failed, Proving, Unproved} {
		if slices.Contains(ps, p) {
			return p
		}
	}
	if len(ps) == 0 {
		return Unproved
	}
	return Proved
}

func (b *builder) call(e *topology.Edge, hs []prove.Handshake) *Call {
	c := &Call{
		ID: safe(e.ID), Edge: e.Base, Pairs: e.Pairs, Title: safe(e.Title), From: safe(e.Client.Name), To: safe(e.Server.Name),
		Client: e.Client.Slot, Server: e.Server.Slot, Mutual: e.ClientCA != "", ServerCA: e.ServerCA, ClientCA: e.ClientCA, Note: safe(e.Note),
		client: b.m.byID[safe(string(e.Client.Slot))], server: b.m.byID[safe(string(e.Server.Slot))],
		lane: e.ServerCA, programs: [2]string{b.m.grouping.program(e, false), b.m.grouping.program(e, true)},
	}
	if c.Edge == "" {
		c.Edge = e.ID
	}
	if c.lane == "" {
		c.lane = e.ClientCA
	}
	if c.lane == "" && c.server != nil {
		c.lane = c.server.Authority
	}
	c.Proof = b.untried()
	var proofs []Proof
	for _, d := range e.Dials {
		c.Dials = append(c.Dials, b.dial(d, hs, &proofs))
	}
	if len(e.Dials) == 0 && len(hs) > 0 {
		proofs = append(proofs, outcome(hs))
	}
	switch {
	case len(proofs) > 0:
		c.Proof = together(proofs)
	case len(hs) > 0:
		c.Proof = Advised
	}
	b.blame(c, hs)
	b.attach(c)
	return c
}

func (b *builder) untried() Proof {
	if b.in.Proving {
		return Proving
	}
	return Unproved
}

// dial is one name with the outcome of its handshakes. A name that is only
// advised never makes the call a failed one.
func (b *builder) dial(d topology.Name, hs []prove.Handshake, proofs *[]Proof) Dial {
	out := Dial{Name: safe(d.Value), Advised: safe(d.Advised), Proof: b.untried()}
	var own []prove.Handshake
	for _, h := range hs {
		if h.Name == d.Value {
			own = append(own, h)
		}
	}
	if len(own) > 0 {
		out.Proof = outcome(own)
		if i := slices.IndexFunc(own, func(h prove.Handshake) bool { return !h.OK }); i >= 0 {
			out.Problem = message(own[i].Problem)
		}
	}
	if out.Advised == "" || out.Proof != Failed {
		*proofs = append(*proofs, out.Proof)
	}
	return out
}

func outcome(hs []prove.Handshake) Proof {
	if slices.ContainsFunc(hs, func(h prove.Handshake) bool { return !h.OK }) {
		return Failed
	}
	return Proved
}

// blame takes over the reason of the first handshake that had to work and did
// not, and marks the node whose certificate was refused.
func (b *builder) blame(c *Call, hs []prove.Handshake) {
	for _, h := range hs {
		if c.User == "" {
			c.User, c.Groups = safe(h.User), safeAll(h.Groups)
		}
		if h.OK || h.Advised != "" && c.Proof != Advised || c.Problem != "" {
			continue
		}
		what := strings.TrimSuffix(h.Problem, "; "+h.Fix)
		what = strings.TrimSuffix(what, "; it needs "+h.Needs)
		what = strings.TrimSuffix(what, "; it has "+h.Has)
		c.Problem, c.Fix, c.Error = message(what), message(h.Fix), message(h.Error)
		c.Has, c.Needs = message(h.Has), message(h.Needs)
		if c.Proof == Advised {
			c.Note = strings.TrimPrefix(c.Note+"; "+safe(h.Advised), "; ")
			continue
		}
		n := b.m.byID[safe(string(h.Blame))]
		if n == nil {
			n = c.server
		}
		if n != nil {
			n.Severity = worse(n.Severity, check.Error)
		}
	}
}

// attach lists the call at every node that takes part: what is presented, and
// the CAs that are trusted.
func (b *builder) attach(c *Call) {
	nodes := []*Node{c.client, c.server, b.caNode(c.ServerCA), b.caNode(c.ClientCA)}
	for i, n := range nodes {
		if n != nil && !slices.Contains(nodes[:i], n) {
			n.calls = append(n.calls, c)
		}
	}
}

func (b *builder) caNode(id topology.AuthorityID) *Node {
	if slot := b.in.Topology.CASlot(id); slot != nil {
		return b.m.byID[safe(string(slot.ID))]
	}
	return nil
}
