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

// ResolveNodes is Resolve with a table of nodes. Without one, a profile that
// has nodes takes its facts for the only node.
func ResolveNodes(p *Profile, given map[string]string, nodes []Node) (*Topology, []*FactProblem) {
	var problems []*FactProblem
	switch {
	case len(nodes) > 0 && !p.HasNodes():
		problems = append(problems, &FactProblem{Fact: "nodes", Message: fmt.Sprintf("profile %s has no certificates for nodes", p.Name)})
		nodes = nil
	case len(nodes) > 0:
		nodes = cloneNodes(nodes)
		problems = CheckNodes(nodes)
	}
	facts, more := resolveFacts(p, given, nodes)
	r := &resolver{t: &Topology{Profile: p, Facts: facts, index: map[SlotID]int{}}, problems: append(more, problems...)}
	r.nodes = nodeTable(p, facts, nodes)
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
	node     *Node // the node whose part is being filled in
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
		for _, n := range instances(k.Per, r.nodes) {
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
		if r.met(v.When) && (v.Per != PerControlPlane || r.node != nil && r.node.Role == ControlPlane) {
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
