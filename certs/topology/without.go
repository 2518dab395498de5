package topology

import "slices"

// Without is the topology without some slots, and without the connections,
// kubeconfigs and Secrets that would need them. The receiver stays as it is.
func (t *Topology) Without(ids ...SlotID) *Topology {
	if len(ids) == 0 {
		return t
	}
	gone := map[SlotID]bool{}
	for _, id := range ids {
		gone[id] = true
	}
	out := *t
	out.Slots, out.index = make([]Slot, 0, len(t.Slots)), make(map[SlotID]int, len(t.Slots))
	for _, s := range t.Slots {
		if !gone[s.ID] {
			out.index[s.ID] = len(out.Slots)
			out.Slots = append(out.Slots, s)
		}
	}
	out.Components = slices.Clone(t.Components)
	for i := range out.Components {
		c := &out.Components[i]
		c.Slots = slices.DeleteFunc(slices.Clone(c.Slots), func(id SlotID) bool { return gone[id] })
	}
	out.Edges = slices.DeleteFunc(slices.Clone(t.Edges), func(e Edge) bool { return gone[e.Client.Slot] || gone[e.Server.Slot] })
	out.Kubeconfigs = slices.DeleteFunc(slices.Clone(t.Kubeconfigs), func(k Kubeconfig) bool { return gone[k.Slot] })
	out.Secrets = slices.DeleteFunc(slices.Clone(t.Secrets), func(s Secret) bool {
		return slices.ContainsFunc(s.Data, func(i SecretItem) bool { return gone[i.Slot] })
	})
	return &out
}
