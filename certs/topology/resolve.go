package topology

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Topology is a profile with every value filled in for one cluster.
type Topology struct {
	Profile     *Profile
	Facts       Facts
	Root        Subject // the subject of the root that generate makes
	Authorities []Authority
	Components  []Component
	Slots       []Slot // in the profile's order: CA slots among them
	Edges       []Edge
	Kubeconfigs []Kubeconfig // their values filled in
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
	Consumers  []Consumer
	Outputs    []Output
}

// RequiredNames are the names that a brought certificate must cover.
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
	ServerCA AuthorityID // "" when the client does not verify the server
	ClientCA AuthorityID // "" when the server asks for no certificate
	Identity Identity
	Note     string
}

// Resolve fills the profile in for one cluster. Problems are those of facts,
// in the profile's order; where there are any the Topology is still returned,
// without the values that could not be computed, for a preview only.
// The profile must be valid.
func Resolve(p *Profile, given map[string]string) (*Topology, []*FactProblem) {
	facts, problems := resolveFacts(p, given)
	r := &resolver{t: &Topology{Profile: p, Facts: facts, index: map[SlotID]int{}}, problems: problems}
	r.t.Root = r.subject(p.Root)
	r.slots()
	r.parts()
	r.edges()
	for _, k := range p.Kubeconfigs {
		k.Server, k.Cluster = r.one(k.Server), r.one(k.Cluster)
		r.t.Kubeconfigs = append(r.t.Kubeconfigs, k)
	}
	for _, s := range p.NextSteps {
		r.t.NextSteps = append(r.t.NextSteps, r.step(s))
	}
	return r.t, r.problems
}

type resolver struct {
	t        *Topology
	problems []*FactProblem
	each     string // the host of a step's command that is being filled in
}

// values gives the values of a fact, and of {{each}}.
func (r *resolver) values(fact string) ([]string, bool) {
	if fact == "each" && r.each != "" {
		return []string{r.each}, true
	}
	return r.t.Facts.values(fact)
}

// words fills in each word by itself: a word that yields several values becomes
// a comma list, as programs take them, and the words around it stay as they are.
func (r *resolver) words(s string) string {
	var words []string
	for word := range splitWords(s) {
		words = append(words, r.one(word))
	}
	return strings.Join(words, " ")
}

func (r *resolver) step(s Step) Step {
	s.Text = r.words(s.Text)
	run := s.Run
	fill := func() []string {
		out := make([]string, len(run))
		for i := range run {
			out[i] = r.words(run[i])
		}
		return out
	}
	if s.Each == "" {
		s.Run = fill()
		return s
	}
	s.Run = nil
	for _, host := range r.t.Facts.List(s.Each) {
		r.each = host
		s.Hosts = append(s.Hosts, HostStep{host, fill()})
	}
	r.each = ""
	return s
}

// all evaluates an expression; a problem is noted once.
func (r *resolver) all(s string) []string {
	t, err := parseTemplate(s)
	if err != nil {
		return nil // Validate has refused such a profile
	}
	vs, err := t.eval(r.values)
	var fp *FactProblem
	if errors.As(err, &fp) && !slices.ContainsFunc(r.problems, func(o *FactProblem) bool { return *o == *fp }) {
		if i := r.t.Profile.factIndex(fp.Fact); i < len(r.t.Profile.Facts) {
			fp.Example = r.t.Profile.Facts[i].Example
		}
		if !slices.ContainsFunc(r.problems, func(o *FactProblem) bool { return o.Fact == fp.Fact }) {
			r.problems = append(r.problems, fp)
		}
	}
	return vs
}

func (r *resolver) one(s string) string { return strings.Join(r.all(s), ",") }

// maxCN is the upper bound of a common name (RFC 5280 appendix A.1, ub-common-name).
const maxCN = 64

func (r *resolver) subject(s Subject) Subject {
	out := Subject{CN: r.one(s.CN)}
	if len(out.CN) > maxCN {
		// A host name may be longer than a common name. The names are in the
		// SAN; the CN is for people, and its first label tells them enough.
		out.CN, _, _ = strings.Cut(out.CN, ".")
		out.CN = out.CN[:min(len(out.CN), maxCN)]
	}
	for _, o := range s.O {
		out.O = append(out.O, r.all(o)...)
	}
	return out
}

func (r *resolver) names(specs []NameSpec) []Name {
	var out []Name
	add := func(n Name) {
		for i := range out {
			if out[i].Kind == n.Kind && out[i].Value == n.Value {
				if out[i].Required == "" {
					out[i].Required = n.Required
				}
				return
			}
		}
		out = append(out, n)
	}
	for _, s := range specs {
		switch {
		case s.DNS != "":
			for _, v := range r.all(s.DNS) {
				add(Name{DNSName, v, s.Required, s.Advised})
			}
		case s.IP != "":
			for _, v := range r.all(s.IP) {
				if a, err := netip.ParseAddr(v); err == nil {
					add(Name{IPAddress, a.Unmap().String(), s.Required, s.Advised})
				}
			}
		case s.URI != "":
			for _, v := range r.all(s.URI) {
				if u, err := url.Parse(v); err == nil && v != "" {
					add(Name{URIName, u.String(), s.Required, s.Advised})
				}
			}
		default:
			for _, v := range r.all(s.Host) {
				if a, err := netip.ParseAddr(v); err == nil {
					add(Name{IPAddress, a.Unmap().String(), s.Required, s.Advised})
				} else {
					add(Name{DNSName, v, s.Required, s.Advised})
				}
			}
		}
	}
	return out
}

func (r *resolver) slots() {
	for _, s := range r.t.Profile.Slots {
		slot := Slot{
			ID: s.ID, Kind: s.Kind, Component: s.ID.Component(), Title: s.Title, Purpose: s.Purpose,
			Subject: r.subject(s.Subject), Names: r.names(s.Names), Usages: s.Usages, Requires: s.Requires,
			Optional: s.Optional, Algorithms: s.Algorithms, Files: s.Files,
			Consumers: slices.Clone(s.Consumers), Outputs: slices.Clone(s.Outputs),
		}
		slot.Requires.CN = r.one(s.Requires.CN)
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
					slot.Authority = c.Authority
				}
			}
		}
		r.t.index[s.ID] = len(r.t.Slots)
		r.t.Slots = append(r.t.Slots, slot)
	}
}

func (r *resolver) parts() {
	p, t := r.t.Profile, r.t
	for _, a := range p.Authorities {
		t.Authorities = append(t.Authorities, Authority{AuthoritySpec: a, Owner: a.Slot.Component()})
	}
	for _, c := range p.Components {
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
		t.Components = append(t.Components, comp)
	}
}

func (r *resolver) edges() {
	for _, e := range r.t.Profile.Edges {
		r.t.Edges = append(r.t.Edges, Edge{
			ID: e.ID, Title: e.Title, Client: e.Client, Server: e.Server, Dials: r.names(e.Dials),
			ServerCA: e.ServerCA, ClientCA: e.ClientCA, Identity: e.Identity, Note: e.Note,
		})
	}
}

// Slot is the slot of that name, nil when there is none.
func (t *Topology) Slot(id SlotID) *Slot {
	if i, ok := t.index[id]; ok {
		return &t.Slots[i]
	}
	return nil
}

// Component is the component of that name, nil when there is none.
func (t *Topology) Component(id ComponentID) *Component {
	for i := range t.Components {
		if t.Components[i].ID == id {
			return &t.Components[i]
		}
	}
	return nil
}

// Authority is the authority of that name, nil when there is none.
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

// Choice is what a person chose for one component.
type Choice struct {
	Mode Mode
	// CAKey says, in mode bring-certs, that the CA's key is handed over with
	// the certificates: then more can be issued from it.
	CAKey bool
	// Intermediate says, in mode bring-ca, that an intermediate of our own is
	// made under the CA that was brought, and signs instead of it.
	Intermediate bool
}

// Unavailable says why a component cannot be in a mode.
type Unavailable struct {
	Component ComponentID
	Mode      Mode
	Reason    string
	Fix       string
}

func (u *Unavailable) Error() string {
	return fmt.Sprintf("%s cannot be set to %s: %s; %s", u.Component, u.Mode.Words(), u.Reason, u.Fix)
}

// Available says whether a component can be in a mode, given the choices made
// for the others; a component without a choice is in mode generate. The error
// is an *Unavailable.
func (t *Topology) Available(id ComponentID, m Mode, choices map[ComponentID]Choice) error {
	c := t.Component(id)
	if c == nil {
		return fmt.Errorf("profile %s has no component %q; it has %s", t.Profile.Name, id, strings.Join(t.componentNames(), ", "))
	}
	if c.OwnsCA {
		return nil
	}
	a := t.Authority(c.Authority)
	owner := a.Owner
	switch {
	case m == BringCA:
		return &Unavailable{
			id, m, fmt.Sprintf("it has no CA of its own, its certificates come from %s's CA", owner),
			fmt.Sprintf("set %s to bring CA, and %s to generate", owner, id),
		}
	case m == Generate && choices[owner].Mode == BringCerts && !choices[owner].CAKey:
		return &Unavailable{
			id, m, fmt.Sprintf("its certificates are signed by %s's CA, and %s is set to bring certs without the CA's key", owner, owner),
			fmt.Sprintf("give the key of %s, or set %s to bring certs", a.Slot, id),
		}
	case m == BringCerts && (choices[owner].Mode == Generate || choices[owner].Mode == ""):
		return &Unavailable{
			id, m, fmt.Sprintf("its certificates must chain to %s's CA, and %s is set to generate, so that CA does not exist before the set is made", owner, owner),
			fmt.Sprintf("set %s to bring CA or bring certs, or %s to generate", owner, id),
		}
	case m == BringCerts && choices[owner].Mode == BringCA && choices[owner].Intermediate:
		return &Unavailable{
			id, m, fmt.Sprintf("its certificates must chain to %s's CA, and %s gets a new intermediate, which does not exist before the set is made", owner, owner),
			fmt.Sprintf("let %s's CA sign directly, or set %s to generate", owner, id),
		}
	}
	return nil
}

func (t *Topology) componentNames() []string {
	var out []string
	for _, c := range t.Components {
		out = append(out, string(c.ID))
	}
	return out
}

// Due lists the slots that a person hands over for a component in a mode, in
// the order in which they are asked for.
func (t *Topology) Due(id ComponentID, m Mode) []*Slot {
	c := t.Component(id)
	if c == nil {
		return nil
	}
	var out []*Slot
	for _, s := range c.Slots {
		slot := t.Slot(s)
		if m == BringCerts || m == BringCA && slot.Kind == CA {
			out = append(out, slot)
		}
	}
	return out
}
