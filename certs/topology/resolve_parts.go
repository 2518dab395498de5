package topology

import (
	"slices"
	"strings"
)

func (r *resolver) slots() {
	for _, s := range r.t.Profile.Slots {
		if !r.met(s.When) {
			continue
		}
		var also []Files
		for _, v := range s.Variants {
			if r.met(v.When) {
				s, also = s.as(v), v.Also
				break
			}
		}
		nodes := r.instances(s.Per)
		r.t.Slots = slices.Grow(r.t.Slots, len(nodes)) // as many as there are nodes, half a kilobyte each
		for _, n := range nodes {
			r.node = n
			slot := r.slot(s)
			slot.Also = also
			if n != nil && len(r.nodes) > 1 {
				slot.Node, slot.ID = n.Name, s.ID.At(n.Name)
				slot.Title = s.Title + " of " + n.Name
			}
			r.t.index[slot.ID] = len(r.t.Slots)
			r.t.Slots = append(r.t.Slots, slot)
		}
	}
	r.node = nil
}

// as is the slot with what differs under a condition.
func (s SlotSpec) as(v SlotVariant) SlotSpec {
	if v.Subject != nil {
		s.Subject = *v.Subject
	}
	if v.Names != nil {
		s.Names = v.Names
	}
	if v.Usages != nil {
		s.Usages = v.Usages
	}
	if v.Requires != nil {
		s.Requires = *v.Requires
	}
	if v.Files != nil {
		s.Files = *v.Files
	}
	if v.Consumers != nil {
		s.Consumers = v.Consumers
	}
	return s
}

func (r *resolver) slot(s SlotSpec) Slot {
	slot := Slot{
		ID: s.ID, Kind: s.Kind, Component: s.ID.Component(), Title: s.Title, Purpose: s.Purpose,
		Subject: r.subject(s.Subject), Names: r.names(s.Names), Usages: s.Usages, Requires: s.Requires,
		Optional: s.Optional, Algorithms: s.Algorithms, Files: s.Files, On: s.On,
		Consumers: slices.Clone(s.Consumers), Outputs: slices.Clone(s.Outputs),
	}
	slot.Requires.CN, slot.Requires.URI = r.one(s.Requires.CN), r.one(s.Requires.URI)
	if len(slot.Algorithms) == 0 {
		slot.Algorithms = r.t.Profile.Algorithms
	}
	for i := range slot.Consumers {
		if slot.Consumers[i].Field == "" {
			slot.Consumers[i].Field = FieldCert
		}
	}
	for i := range slot.Outputs {
		if slot.Outputs[i].Field == "" {
			slot.Outputs[i].Field = FieldCert
		}
	}
	switch s.Kind {
	case CA:
		for _, a := range r.t.Profile.Authorities {
			if a.Slot == s.ID {
				slot.Authority = a.ID
			}
		}
	case Leaf:
		for _, c := range r.t.Profile.Components {
			if c.ID == slot.Component {
				slot.Authority = r.authority(c)
			}
		}
	}
	return slot
}

// authority is the CA of a component under the conditions that hold.
func (r *resolver) authority(c ComponentSpec) AuthorityID {
	for _, v := range c.Variants {
		if r.met(v.When) {
			return v.Authority
		}
	}
	return c.Authority
}

func (r *resolver) parts() {
	p, t := r.t.Profile, r.t
	for _, a := range p.Authorities {
		if r.met(a.When) {
			t.Authorities = append(t.Authorities, Authority{AuthoritySpec: a, Owner: a.Slot.Component()})
		}
	}
	for _, c := range p.Components {
		if !r.met(c.When) {
			continue
		}
		c.Authority = r.authority(c)
		comp := Component{ComponentSpec: c}
		for i := range t.Authorities {
			if a := &t.Authorities[i]; a.ID == c.Authority {
				comp.OwnsCA = a.Owner == c.ID
				if !comp.OwnsCA {
					a.Sharers = append(a.Sharers, c.ID)
				}
			}
		}
		for _, s := range t.Slots {
			if s.Component == c.ID {
				comp.Slots = append(comp.Slots, s.ID)
			}
		}
		if len(comp.Slots) > 0 {
			t.Components = append(t.Components, comp)
		}
	}
}

func (r *resolver) edges() {
	for _, e := range r.t.Profile.Edges {
		pairs, whole, ok := r.pairs(e)
		if !ok {
			continue
		}
		for _, p := range pairs {
			r.t.Edges = append(r.t.Edges, r.edge(e, p[0], p[1], whole))
		}
	}
	r.node = nil
}

// pairs are the pairs of nodes that an edge is tried for, and how many there are
// in the running cluster. It is false for an edge that is not there.
func (r *resolver) pairs(e EdgeSpec) (pairs [][2]*Node, whole int, ok bool) {
	client, server := r.t.Profile.slotSpec(e.Client.Slot), r.t.Profile.slotSpec(e.Server.Slot)
	if !r.met(e.When) || server == nil || !r.met(server.When) || client != nil && !r.met(client.When) {
		return nil, 0, false
	}
	if e.Within {
		pairs, whole = within(r.everywhere(server.Per))
		return pairs, whole, true
	}
	var clientPer Per
	if client != nil {
		clientPer = client.Per
	}
	// A member does not dial itself where there are others.
	pairs, whole = pairUp(r.everywhere(clientPer), r.everywhere(server.Per), e.Client.Slot == e.Server.Slot)
	return pairs, whole, true
}

// edge is one connection from the client's node to the server's.
func (r *resolver) edge(e EdgeSpec, client, server *Node, pairs int) Edge {
	out := Edge{
		ID: e.ID, Base: e.ID, Title: e.Title, Client: e.Client, Server: e.Server,
		ServerCA: e.ServerCA, ClientCA: e.ClientCA, Identity: e.Identity, Note: e.Note, Pairs: pairs,
	}
	r.node = server
	out.Dials = r.dials(e.Dials)
	r.node = client
	out.From = r.dials(e.From)
	if len(r.nodes) > 1 {
		if client != nil {
			out.Client.Slot = e.Client.Slot.At(client.Name)
			out.Client.Name += " on " + client.Name
		}
		if server != nil {
			out.Server.Slot = e.Server.Slot.At(server.Name)
			out.Server.Name += " on " + server.Name
		}
		if (client != nil || server != nil) && pairs > 1 {
			out.ID = string(SlotID(e.ID).At(strings.Trim(name(client)+"-"+name(server), "-")))
		}
	}
	// Where the conditions leave an authority out, another signs its slots.
	if s := r.t.Slot(out.Server.Slot); s != nil && out.ServerCA != "" && r.t.Authority(out.ServerCA) == nil {
		out.ServerCA = s.Authority
	}
	if s := r.t.Slot(out.Client.Slot); s != nil && out.ClientCA != "" && r.t.Authority(out.ClientCA) == nil {
		out.ClientCA = s.Authority
	}
	return out
}

func name(n *Node) string {
	if n == nil {
		return ""
	}
	return n.Name
}
