package topology

import "slices"

// A cluster of many nodes has tens of thousands of slots, and almost all are
// alike. Outline keeps those that stand for the others, and Part fills in any
// others for as long as they are worked on, so that nothing is held for all
// nodes at once.

// Outline is the topology with the slots and kubeconfigs of a few nodes only:
// those that its edges join, and of each role the first, the one in the middle
// and the last. Nodes still lists all, Here those that have slots. A topology
// that has no nodes to leave out is returned as it is.
func (t *Topology) Outline() *Topology {
	here := t.standFor()
	if t.Here != nil || len(here) == len(t.Nodes) {
		return t
	}
	out := *t
	out.Here = here
	at := map[string]bool{"": true}
	for _, n := range here {
		at[n.Name] = true
	}
	out.Slots, out.index = nil, map[SlotID]int{}
	for i := range t.Slots {
		if at[t.Slots[i].Node] {
			out.index[t.Slots[i].ID] = len(out.Slots)
			out.Slots = append(out.Slots, t.Slots[i])
		}
	}
	out.Components = slices.Clone(t.Components)
	for i := range out.Components {
		c := &out.Components[i]
		c.Slots = slices.DeleteFunc(slices.Clone(c.Slots), func(id SlotID) bool { return !at[id.Node()] })
	}
	out.Kubeconfigs = slices.DeleteFunc(slices.Clone(t.Kubeconfigs), func(k Kubeconfig) bool { return !at[k.Node] })
	return &out
}

// standFor are the nodes of an outline, in the order of the table.
func (t *Topology) standFor() []Node {
	chosen := StandIns(t.Nodes)
	for _, e := range t.Edges {
		chosen[e.Client.Slot.Node()], chosen[e.Server.Slot.Node()] = true, true
	}
	var out []Node
	for _, n := range t.Nodes {
		if chosen[n.Name] {
			out = append(out, n)
		}
	}
	return out
}

// StandIns are the names of the nodes that stand for all of their role: the
// first, the one in the middle and the last.
//
//go:noinline // many callers, none of them hot
func StandIns(nodes []Node) map[string]bool {
	out := map[string]bool{}
	for _, role := range []Role{ControlPlane, Worker} {
		var names []string
		for _, n := range nodes {
			if n.Role == role {
				names = append(names, n.Name)
			}
		}
		if len(names) > 0 {
			out[names[0]], out[names[len(names)/2]], out[names[len(names)-1]] = true, true, true
		}
	}
	return out
}

// Rest are the nodes that an outline leaves out, in the order of the table.
func (t *Topology) Rest() []Node {
	if t.Here == nil {
		return nil
	}
	here := map[string]bool{}
	for _, n := range t.Here {
		here[n.Name] = true
	}
	out := make([]Node, 0, len(t.Nodes)-len(t.Here))
	for _, n := range t.Nodes {
		if !here[n.Name] {
			out = append(out, n)
		}
	}
	return out
}

// Find is Slot, also of a node that an outline leaves out: that is filled in for
// this call.
func (t *Topology) Find(id SlotID) *Slot {
	if s := t.Slot(id); s != nil || t.Here == nil || id.Node() == "" {
		return s
	}
	i := slices.IndexFunc(t.Nodes, func(n Node) bool { return n.Name == id.Node() })
	if i < 0 {
		return nil
	}
	return t.Part(t.Nodes[i : i+1]).Slot(id)
}

// Part is an outline with the slots and kubeconfigs of other nodes in the place
// of its own: the cluster's slots are the same. It has no edges. It may be
// called from several goroutines at once.
func (t *Topology) Part(nodes []Node) *Topology {
	out := *t
	out.Here, out.Partial, out.Edges = nodes, true, nil
	out.Slots, out.Kubeconfigs, out.index = make([]Slot, 0, len(t.Slots)), nil, map[SlotID]int{}
	for i := range t.Slots {
		if t.Slots[i].Node == "" {
			out.index[t.Slots[i].ID] = len(out.Slots)
			out.Slots = append(out.Slots, t.Slots[i])
		}
	}
	for _, k := range t.Kubeconfigs {
		if k.Node == "" {
			out.Kubeconfigs = append(out.Kubeconfigs, k)
		}
	}
	r := &resolver{t: &out, nodes: t.Nodes, here: nodes, perNode: true}
	r.slots()
	r.kubeconfigs()
	return &out
}
