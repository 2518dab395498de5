package rotate

import (
	"context"
	"crypto"
	"crypto/x509"
	"maps"
	"slices"

	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/install"
)

// sets are the three stages between the set as it is and the next.
func (m *maker) sets(next *certs.Set) {
	first, second, third := *m.out.Old, *next, *next
	first.Also, second.Also, third.Also = map[topology.AuthorityID][]*x509.Certificate{}, map[topology.AuthorityID][]*x509.Certificate{}, nil
	for _, a := range m.out.Rotated {
		first.Also[a] = []*x509.Certificate{next.Anchor(a)}
		second.Also[a] = []*x509.Certificate{m.out.Old.Anchor(a)}
	}
	if id := m.out.Pair; id != "" {
		first.AlsoPublic = map[topology.SlotID][]crypto.PublicKey{id: {next.Pairs[id].Key.Public()}}
		second.AlsoPublic = map[topology.SlotID][]crypto.PublicKey{id: {m.out.Old.Pairs[id].Key.Public()}}
	}
	modes := map[topology.ComponentID]topology.Mode{}
	for _, c := range m.out.Topology.Components {
		modes[c.ID] = m.final.Mode(c.ID)
	}
	second.Modes, third.Modes = modes, modes
	// The keys of new CAs lie once, in the ca/ of the set that stays.
	second.Root, second.Above = nil, nil
	second.Pairs = maps.Clone(next.Pairs)
	for id, pair := range second.Pairs {
		if pair.Made {
			own := *pair
			own.Made = false
			second.Pairs[id] = &own
		}
	}
	third.Root, third.Above = m.root, nil
	for i, set := range []*certs.Set{&first, &second, &third} {
		m.out.Stages = append(m.out.Stages, &Stage{Dir: stages[i].dir, Title: stages[i].title, Set: set})
	}
}

// prove connects every stage with itself and with the one before it, both
// ways, and then sees that the last one refuses what the first presents.
func (m *maker) prove(ctx context.Context) error {
	states := []*certs.Set{m.out.Old}
	for _, s := range m.out.Stages {
		states = append(states, s.Set)
	}
	var pairs [][2]int
	for n := 1; n < len(states); n++ {
		pairs = append(pairs, [2]int{n, n}, [2]int{n - 1, n}, [2]int{n, n - 1})
	}
	if err := m.connect(ctx, states, 0, 0); err != nil {
		return err
	}
	for _, i := range []int{1, 2} {
		if found := check.Set(check.SetInput{Set: m.out.Stages[i].Set, Now: m.now}); !check.OK(found) {
			return &install.Refusal{Findings: found}
		}
	}
	for i, p := range pairs {
		m.progress(flow.Progress{Stage: "prove", Done: i, Total: len(pairs) + 2})
		if err := m.connect(ctx, states, p[0], p[1]); err != nil {
			return err
		}
	}
	if m.out.Pair != "" || m.sameKey() {
		return nil
	}
	return m.refused(ctx, states[0], states[len(states)-1])
}

// connect proves the clients of one state with the servers of another.
func (m *maker) connect(ctx context.Context, states []*certs.Set, clients, servers int) error {
	hs, err := prove.Across(ctx, m.side(states[clients]), m.side(states[servers]))
	if err != nil {
		return err
	}
	p := Proof{Clients: clients, Servers: servers, Handshakes: hs, Tokens: prove.Tokens(states[clients], states[servers])}
	m.out.Proofs = append(m.out.Proofs, p)
	bad := &Refusal{Clients: clients, Servers: servers, Handshakes: prove.Failed(hs), edges: map[string]string{}}
	for _, t := range p.Tokens {
		if !t.OK {
			bad.Tokens = append(bad.Tokens, t)
		}
	}
	if len(bad.Handshakes)+len(bad.Tokens) == 0 {
		return nil
	}
	for _, e := range m.out.Topology.Edges {
		bad.edges[e.ID] = e.Title
	}
	return bad
}

func (m *maker) side(s *certs.Set) prove.Input {
	return prove.Input{Set: s, Now: m.now, Workers: m.w.Workers}
}

// sameKey says whether a new CA has the key of the old one, so that what the
// old one signed stays good.
func (m *maker) sameKey() bool {
	last := m.out.Stages[len(m.out.Stages)-1].Set
	return slices.ContainsFunc(m.out.Rotated, func(a topology.AuthorityID) bool {
		return material.SamePublicKey(m.out.Old.Anchor(a).PublicKey, last.Anchor(a).PublicKey)
	})
}

// refused sees to it that at the end nothing of the old CA counts any more.
func (m *maker) refused(ctx context.Context, before, after *certs.Set) error {
	for _, way := range [][2]*certs.Set{{before, after}, {after, before}} {
		hs, err := prove.Across(ctx, m.side(way[0]), m.side(way[1]))
		if err != nil {
			return err
		}
		for _, e := range m.out.Topology.Edges {
			if !m.rotated(e.ServerCA) && !m.rotated(e.ClientCA) {
				continue
			}
			for _, h := range prove.OfEdge(hs, e.ID) {
				if h.OK {
					return &stillOpen{edge: e.Title, name: h.Name}
				}
				m.out.Refused++
			}
		}
	}
	return nil
}

// stillOpen is a connection that the old CA still opens at the end.
type stillOpen struct{ edge, name string }

func (s *stillOpen) Error() string {
	return "at the end a certificate of the old CA would still be accepted (" + s.edge + "), so nothing is rotated; give a CA with another key"
}
