package topology

import (
	"maps"
	"slices"
	"strings"
)

// Uses lists the facts that a slot's certificate depends on: those in its names
// and subject, in the conditions under which it is there, and all that they are
// computed from. They are in the profile's order. It is nil for an unknown slot.
func (p *Profile) Uses(slot SlotID) []string {
	spec := p.slotSpec(slot.Base())
	if spec == nil {
		return nil
	}
	u := &uses{profile: p, facts: map[string]bool{}}
	u.condition(spec.When)
	u.slot(*spec)
	for _, v := range spec.Variants {
		u.condition(v.When)
		u.slot(spec.as(v))
	}
	for _, c := range p.Components {
		if c.ID == spec.ID.Component() {
			u.condition(c.When)
			for _, v := range c.Variants {
				u.condition(v.When)
			}
		}
	}
	var out []string
	for _, f := range p.Facts {
		if u.facts[f.Name] {
			out = append(out, f.Name)
		}
	}
	return out
}

type uses struct {
	profile *Profile
	facts   map[string]bool
}

func (u *uses) slot(s SlotSpec) {
	u.text(s.Subject.CN)
	for _, o := range s.Subject.O {
		u.text(o)
	}
	for _, n := range s.Names {
		for _, text := range []string{n.Host, n.DNS, n.IP, n.URI} {
			u.text(text)
		}
	}
	u.text(s.Requires.CN)
	u.text(s.Requires.URI)
}

func (u *uses) text(s string) {
	t, err := parseTemplate(s)
	if err != nil {
		return // Validate has refused such a profile
	}
	for _, p := range t {
		if p.fact != "" {
			u.fact(p.fact)
		}
	}
}

func (u *uses) condition(when string) {
	c, err := parseCondition(when)
	if err != nil {
		return
	}
	for _, cl := range c {
		u.fact(cl.fact)
	}
}

// fact notes a fact and what its default is computed from. The lists of all
// nodes are made of the facts of the single one.
func (u *uses) fact(name string) {
	switch name {
	case allNodeNames, controlPlaneNames:
		name = nodeName
	case allNodeAddresses, controlPlaneAddrs:
		name = nodeAddresses
	}
	if u.facts[name] {
		return
	}
	u.facts[name] = true
	for _, f := range u.profile.Facts {
		if f.Name != name {
			continue
		}
		u.text(f.Default)
		for _, d := range f.Defaults {
			u.condition(d.When)
			u.text(d.Value)
		}
	}
}

// Stand-ins for a node that nobody described: a name and an address that no
// certificate has (RFC 6761, RFC 3849).
const (
	standInName    = "node.certwright.invalid"
	standInAddress = "2001:db8:ffff:ffff:ffff:ffff:ffff:fffe"
)

// ResolveAnyNode is Resolve for a set whose single node was not described: what
// would be its name or its address is left out of names, subjects and calls, so
// that certificates of any node fit. unknown lists the facts that are missing
// for that reason; it is empty where all were given.
func ResolveAnyNode(p *Profile, given map[string]string) (t *Topology, unknown []string, problems []*FactProblem) {
	filled := maps.Clone(given)
	if filled == nil {
		filled = map[string]string{}
	}
	for _, f := range p.Facts {
		if !f.PerNode || strings.TrimSpace(filled[f.Name]) != "" {
			continue
		}
		unknown = append(unknown, f.Name)
		filled[f.Name] = standInAddress
		if f.Type == TypeNode {
			filled[f.Name] = standInName
		}
	}
	t, problems = Resolve(p, filled)
	if len(unknown) == 0 {
		return t, nil, problems
	}
	for i := range t.Slots {
		s := &t.Slots[i]
		s.Names = withoutStandIns(s.Names)
		s.Subject.CN = withoutStandIn(s.Subject.CN)
		s.Requires.CN = withoutStandIn(s.Requires.CN)
	}
	for i := range t.Edges {
		e := &t.Edges[i]
		e.Dials, e.From = withoutStandIns(e.Dials), withoutStandIns(e.From)
	}
	return t, unknown, problems
}

func withoutStandIns(names []Name) []Name {
	return slices.DeleteFunc(names, func(n Name) bool { return withoutStandIn(n.Value) == "" })
}

// withoutStandIn is the text, or nothing when it names the stand-in.
func withoutStandIn(s string) string {
	if strings.Contains(s, standInName) || strings.Contains(s, standInAddress) {
		return ""
	}
	return s
}
