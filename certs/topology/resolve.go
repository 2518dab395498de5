package topology

import (
	"fmt"
	"slices"
)

// Resolve fills the profile in for one cluster. Problems are those of facts,
// in the profile's order; where there are any the Topology is still returned,
// without the values that could not be computed, for a preview only.
// The profile must be valid.
func Resolve(p *Profile, given map[string]string) (*Topology, []*FactProblem) {
	return ResolveNodes(p, given, nil)
}

// ResolveNodes is Resolve with a table of nodes, which the Topology may keep: it
// is not to be changed afterwards. Without one, a profile that has nodes takes
// its facts for the only node.
func ResolveNodes(p *Profile, given map[string]string, nodes []Node) (*Topology, []*FactProblem) {
	return resolve(p, given, nodes, false)
}

// ResolveOutline is the outline of ResolveNodes, made without filling in what
// it leaves out.
func ResolveOutline(p *Profile, given map[string]string, nodes []Node) (*Topology, []*FactProblem) {
	return resolve(p, given, nodes, true)
}

func resolve(p *Profile, given map[string]string, nodes []Node, outline bool) (*Topology, []*FactProblem) {
	var problems []*FactProblem
	switch {
	case len(nodes) > 0 && !p.HasNodes():
		problems = append(problems, &FactProblem{Fact: "nodes", Message: fmt.Sprintf("profile %s has no certificates for nodes", p.Name)})
		nodes = nil
	case len(nodes) > 0:
		nodes, problems = checkNodes(nodes, false)
	}
	facts, more := resolveFacts(p, given, nodes)
	r := &resolver{t: &Topology{Profile: p, Facts: facts, index: map[SlotID]int{}}, problems: append(more, problems...)}
	r.nodes = nodeTable(p, facts, nodes)
	r.here = r.nodes
	if outline {
		r.here = r.sample()
		if len(r.here) < len(r.nodes) {
			r.t.Here = r.here
		}
	}
	r.t.Nodes = r.nodes
	r.t.Root = r.subject(p.Root)
	r.slots()
	r.parts()
	r.edges()
	r.kubeconfigs()
	r.outputs()
	return r.t, r.problems
}

type resolver struct {
	t        *Topology
	problems []*FactProblem
	each     string // the host of a step's command that is being filled in
	nodes    []Node
	here     []Node          // those of nodes that get slots
	kinds    map[Per][]*Node // of nodes, those that there is one of something for
	perNode  bool            // the cluster's slots are there already
	node     *Node           // the node whose part is being filled in
}

// sample are the nodes that an outline has slots for.
func (r *resolver) sample() []Node {
	chosen := StandIns(r.nodes)
	for _, e := range r.t.Profile.Edges {
		pairs, _, _ := r.pairs(e)
		for _, p := range pairs {
			chosen[name(p[0])], chosen[name(p[1])] = true, true
		}
	}
	var out []Node
	for _, n := range r.nodes {
		if chosen[n.Name] {
			out = append(out, n)
		}
	}
	return out
}

// instances are the nodes that there is one of something for here.
func (r *resolver) instances(per Per) []*Node {
	if per == PerCluster && r.perNode {
		return nil
	}
	return instances(per, r.here)
}

// everywhere are the nodes of the cluster that there is one of something for.
func (r *resolver) everywhere(per Per) []*Node {
	if r.kinds == nil {
		r.kinds = map[Per][]*Node{}
	}
	if _, known := r.kinds[per]; !known {
		r.kinds[per] = instances(per, r.nodes)
	}
	return r.kinds[per]
}

func cloneNodes(nodes []Node) []Node {
	out := slices.Clone(nodes)
	for i := range out {
		out[i].Addresses = slices.Clone(out[i].Addresses)
	}
	return out
}

// met says whether the condition of a part of the profile holds.
func (r *resolver) met(when string) bool {
	c, err := parseCondition(when)
	return err == nil && c.holds(r.t.Facts.values) // Validate has refused one that cannot be read
}

func (r *resolver) kubeconfigs() {
	for _, k := range r.t.Profile.Kubeconfigs {
		if !r.met(k.When) || r.t.Profile.slotSpec(k.Slot) == nil {
			continue
		}
		for _, n := range r.instances(k.Per) {
			r.node = n
			one := k
			one.Server, one.Cluster = r.server(k), r.one(k.Cluster)
			if n != nil && len(r.nodes) > 1 {
				one.Node = n.Name
				if spec := r.t.Profile.slotSpec(k.Slot); spec.Per != PerCluster {
					one.Slot = k.Slot.At(n.Name)
				}
			}
			r.t.Kubeconfigs = append(r.t.Kubeconfigs, one)
		}
	}
	r.node = nil
}

// server is the URL of a kubeconfig. A node of two address families has two
// values here, and a kubeconfig one server.
func (r *resolver) server(k Kubeconfig) string {
	text := k.Server
	for _, v := range k.Servers {
		if r.met(v.When) && (v.Per == PerCluster || r.node != nil && v.Per.has(r.node)) {
			text = v.Server
			break
		}
	}
	if urls := r.all(text); len(urls) > 0 {
		return urls[0]
	}
	return ""
}

// slotSpec is the slot of that name in the profile, nil when there is none.
func (p *Profile) slotSpec(id SlotID) *SlotSpec {
	for i := range p.Slots {
		if p.Slots[i].ID == id {
			return &p.Slots[i]
		}
	}
	return nil
}
