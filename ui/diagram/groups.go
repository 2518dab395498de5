package diagram

import (
	"certwright/certs/topology"
	"certwright/ui/theme"
)

// grouping is what the profile says once and the cluster has for each node.
type grouping struct {
	slots  map[topology.SlotID]*topology.SlotSpec
	edges  map[string]*topology.EdgeSpec
	copies map[topology.SlotID]int   // how many nodes of the tree a slot of the profile has become
	first  map[topology.SlotID]*Node // the first of them
}

func newGrouping(p *topology.Profile) *grouping {
	g := &grouping{
		slots: map[topology.SlotID]*topology.SlotSpec{}, edges: map[string]*topology.EdgeSpec{},
		copies: map[topology.SlotID]int{}, first: map[topology.SlotID]*Node{},
	}
	for i := range p.Slots {
		g.slots[p.Slots[i].ID] = &p.Slots[i]
	}
	for i := range p.Edges {
		g.edges[p.Edges[i].ID] = &p.Edges[i]
	}
	return g
}

// note counts a node of a slot.
func (g *grouping) note(n *Node) {
	base := n.Slot.Base()
	if g.copies[base]++; g.first[base] == nil {
		g.first[base] = n
	}
}

// program is the name of a side of an edge without its node.
func (g *grouping) program(e *topology.Edge, server bool) string {
	spec := g.edges[e.Base]
	switch {
	case spec == nil && server:
		return safe(e.Server.Name)
	case spec == nil:
		return safe(e.Client.Name)
	case server:
		return safe(spec.Server.Name)
	}
	return safe(spec.Client.Name)
}

// title is what the node, or the many nodes of its slot, are called where they
// stand for one another: "kubelet client ×200".
func (m *Model) title(n *Node) string {
	base := n.Slot.Base()
	count := m.grouping.copies[base]
	spec := m.grouping.slots[base]
	if count < 2 || spec == nil {
		return n.Title
	}
	return safe(spec.Title) + " ×" + theme.Number(count)
}

// standIn is the node that is drawn for all of its slot.
func (m *Model) standIn(n *Node) *Node {
	if n == nil || n.Kind != Leaf {
		return n
	}
	if first := m.grouping.first[n.Slot.Base()]; first != nil {
		return first
	}
	return n
}

// groups puts the calls of one edge of the profile together: with many nodes it
// stands for as many connections.
func (b *builder) groups() {
	byBase := map[string]*Call{}
	for _, c := range b.m.Calls {
		g := byBase[c.Edge]
		if g == nil {
			g = &Call{}
			*g = *c
			g.From, g.To = c.programs[0], c.programs[1]
			g.client, g.server = b.m.standIn(c.client), b.m.standIn(c.server)
			byBase[c.Edge] = g
			b.m.groups = append(b.m.groups, g)
		}
		g.members = append(g.members, c)
	}
	for i, g := range b.m.groups {
		if len(g.members) == 1 && g.Pairs < 2 {
			b.m.groups[i] = g.members[0]
			continue
		}
		var proofs []Proof
		failed := 0
		for _, c := range g.members {
			proofs = append(proofs, c.Proof)
			if c.Proof == Failed {
				if failed++; failed == 1 {
					g.Problem, g.Has, g.Needs, g.Fix, g.Error = c.Problem, c.Has, c.Needs, c.Fix, c.Error
				}
			}
		}
		g.Proof = together(proofs)
		if g.failed = failed; failed > 0 && failed < len(g.members) {
			g.Problem = theme.Number(failed) + " of " + theme.Number(len(g.members)) + " fail, the first: " + g.Problem
		}
		g.ID = safe(g.Edge)
		if spec := b.m.grouping.edges[g.Edge]; spec != nil {
			g.Title = safe(spec.Title)
		}
	}
}

// grouped says whether the call stands for several.
func (c *Call) grouped() bool { return len(c.members) > 0 }

// pairs says how many connections a group stands for, and how many of them were
// tried when that is not all.
func (c *Call) pairs() string {
	if c.Pairs > len(c.members) {
		return theme.Number(len(c.members)) + " of " + theme.Number(c.Pairs) + " pairs"
	}
	return plural(len(c.members), "pair")
}

// listed are the calls as a pane lists them: groups, but the node's own one by
// one when the node is one of many.
func (m *Model) listed(n *Node) []*Call {
	if n == nil || n.Kind != Leaf || m.grouping.copies[n.Slot.Base()] < 2 {
		return m.groups
	}
	var out []*Call
	for _, c := range n.calls {
		if c.client == n || c.server == n {
			out = append(out, c)
		}
	}
	if len(out) == 0 { // none of its own was tried: what all of its kind do
		return m.groups
	}
	for _, g := range m.groups {
		if !g.involves(n) {
			out = append(out, g)
		}
	}
	return out
}

// presented is what a side of a call presents, in words.
func (m *Model) presented(c *Call, n *Node) string {
	if n == nil {
		return "no certificate"
	}
	if c.grouped() {
		return m.title(n)
	}
	return n.Title
}
