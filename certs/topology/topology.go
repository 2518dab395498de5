package topology

import "slices"

// Topology is a profile with every value filled in for one cluster.
type Topology struct {
	Profile     *Profile
	Facts       Facts
	Root        Subject // the subject of the root that generate makes
	Nodes       []Node  // empty for a profile without nodes
	Here        []Node  // of an outline or a part, the nodes that have slots here; nil: all have
	Partial     bool    // see Part
	Authorities []Authority
	Components  []Component
	Slots       []Slot // in the profile's order: CA slots among them
	Edges       []Edge
	Kubeconfigs []Kubeconfig // their values filled in
	Settings    []Setting
	Secrets     []Secret // their fields filled in
	APIServices []APIService
	Exports     []Export
	NextSteps   []Step

	index map[SlotID]int
}

// Authority is a CA and what hangs on it.
type Authority struct {
	AuthoritySpec
	Owner   ComponentID   // the component that the CA's slot belongs to
	Sharers []ComponentID // other components whose certificates it signs
}

// Component is a unit of choice with the modes that it can be in.
type Component struct {
	ComponentSpec
	OwnsCA bool // false: its certificates come from another component's CA
	Slots  []SlotID
}

// Modes are the modes that the component offers at all.
func (c Component) Modes() []Mode {
	if c.OwnsCA {
		return Modes()
	}
	return []Mode{Generate, BringCerts}
}

// NameKind is the form of a subject alternative name.
type NameKind string

// The kinds of name.
const (
	DNSName   NameKind = "DNS"
	IPAddress NameKind = "IP"
	URIName   NameKind = "URI"
)

// Name is one subject alternative name.
type Name struct {
	Kind     NameKind
	Value    string
	Required string // why a brought certificate needs it; "" when it does not
	Advised  string // why it is good to have; of an edge's name, why it may fail
}

func (n Name) String() string { return string(n.Kind) + ":" + n.Value }

// Slot is one certificate with its role, filled in.
type Slot struct {
	ID         SlotID
	Kind       Kind
	Authority  AuthorityID // that signs it; of a CA slot, the authority that it is; "" for a key pair
	Component  ComponentID
	Title      string
	Purpose    string
	Subject    Subject
	Names      []Name
	Usages     []Usage
	Requires   Requirement
	Optional   bool
	Algorithms []string // allowed; empty: all
	Files      Files
	Also       []Files // further names of the same files
	Consumers  []Consumer
	Outputs    []Output
	Node       string // the node that it belongs to, "" when it is the cluster's
	On         Per    // of the cluster's: the nodes whose tree holds a copy
}

// RequiredNames are the names that a brought certificate must cover.
//
//go:noinline // many callers, none of them hot
func (s *Slot) RequiredNames() []Name {
	var out []Name
	for _, n := range s.Names {
		if n.Required != "" {
			out = append(out, n)
		}
	}
	return out
}

// IssuedNames are the values of one kind, in order.
//
//go:noinline // many callers, none of them hot
func (s *Slot) IssuedNames(k NameKind) []string {
	var out []string
	for _, n := range s.Names {
		if n.Kind == k {
			out = append(out, n.Value)
		}
	}
	return out
}

// Server says whether the slot's certificate is presented by a server.
func (s *Slot) Server() bool { return slices.Contains(s.Usages, ServerAuth) }

// Client says whether the slot's certificate is presented by a client.
func (s *Slot) Client() bool { return slices.Contains(s.Usages, ClientAuth) }

// Edge is one TLS connection of the running cluster, filled in.
type Edge struct {
	ID       string
	Title    string
	Client   End
	Server   End
	Dials    []Name
	From     []Name      // where the client dials from; empty: anywhere in Dials
	ServerCA AuthorityID // "" when the client does not verify the server
	ClientCA AuthorityID // "" when the server asks for no certificate
	Identity Identity
	Note     string
	// Base is the profile's name of an edge that stands for one pair of nodes;
	// Pairs is how many pairs the cluster has, of which all or a sample are here.
	Base  string
	Pairs int
}

// Slot is the slot of that name, nil when there is none.
//
//go:noinline // many callers, none of them hot
func (t *Topology) Slot(id SlotID) *Slot {
	if i, ok := t.index[id]; ok {
		return &t.Slots[i]
	}
	return nil
}

// Component is the component of that name, nil when there is none.
//
//go:noinline // many callers, none of them hot
func (t *Topology) Component(id ComponentID) *Component {
	for i := range t.Components {
		if t.Components[i].ID == id {
			return &t.Components[i]
		}
	}
	return nil
}

// Authority is the authority of that name, nil when there is none.
//
//go:noinline // many callers, none of them hot
func (t *Topology) Authority(id AuthorityID) *Authority {
	for i := range t.Authorities {
		if t.Authorities[i].ID == id {
			return &t.Authorities[i]
		}
	}
	return nil
}

// CASlot is the slot of the authority's own certificate.
func (t *Topology) CASlot(id AuthorityID) *Slot {
	if a := t.Authority(id); a != nil {
		return t.Slot(a.Slot)
	}
	return nil
}
