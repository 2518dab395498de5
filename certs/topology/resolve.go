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
	Nodes       []Node  // empty for a profile without nodes
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

// values gives the values of a fact, and of {{each}}.
func (r *resolver) values(fact string) ([]string, bool) {
	if fact == "each" && r.each != "" {
		return []string{r.each}, true
	}
	if r.node != nil || slices.Contains(nodeLists, fact) {
		if vs, ok := nodeValues(fact, r.nodes, r.node); ok {
			return vs, true
		}
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

// prose fills in each part by itself, so that a list stands in its sentence
// as a list.
func (r *resolver) prose(s string) string {
	t, err := parseTemplate(s)
	if err != nil {
		return "" // Validate has refused such a profile
	}
	var b strings.Builder
	for i := range t {
		b.WriteString(strings.Join(r.eval(t[i:i+1]), ", "))
	}
	return b.String()
}

func (r *resolver) step(s Step) Step {
	s.Text = r.prose(s.Text)
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
	hosts, _ := r.values(s.Each)
	for _, host := range hosts {
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
	return r.eval(t)
}

func (r *resolver) eval(t template) []string {
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

// names fills in the names of a slot. One that several entries yield keeps
// every reason.
func (r *resolver) names(specs []NameSpec) []Name {
	return r.merged(specs, func(known *Name, n Name) {
		if known.Required == "" {
			known.Required = n.Required
		}
		if known.Advised == "" {
			known.Advised = n.Advised
		}
	})
}

// dials fills in the names of an edge. One that some entry dials without
// reserve must not fail.
func (r *resolver) dials(specs []NameSpec) []Name {
	return r.merged(specs, func(known *Name, n Name) {
		if n.Advised == "" {
			known.Advised = ""
		}
	})
}

func (r *resolver) merged(specs []NameSpec, merge func(known *Name, n Name)) []Name {
	var out []Name
	add := func(n Name) {
		for i := range out {
			if out[i].Kind == n.Kind && out[i].Value == n.Value {
				merge(&out[i], n)
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
		for _, n := range instances(s.Per, r.nodes) {
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
		client, server := r.t.Profile.slotSpec(e.Client.Slot), r.t.Profile.slotSpec(e.Server.Slot)
		if !r.met(e.When) || server == nil || !r.met(server.When) || client != nil && !r.met(client.When) {
			continue
		}
		var clientPer Per
		if client != nil {
			clientPer = client.Per
		}
		// A member does not dial itself where there are others.
		pairs, whole := pairUp(instances(clientPer, r.nodes), instances(server.Per, r.nodes), e.Client.Slot == e.Server.Slot)
		if e.Within {
			pairs, whole = within(instances(server.Per, r.nodes))
		}
		for _, p := range pairs {
			r.t.Edges = append(r.t.Edges, r.edge(e, p[0], p[1], whole))
		}
	}
	r.node = nil
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
