package wizard

import (
	"slices"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow/plan"
)

// factField is one row: a value that is typed, or one that is chosen.
type factField struct {
	id    string // a fact's name, or one of the ids below
	title string
	help  string
	in    *input
	// Of a field that is chosen:
	choices []string // as the plan writes them
	words   []string // as they are shown
	err     string   // of a field that is no fact; facts are judged by the flow
	cleared bool     // emptied by hand: the default stands beside the cursor, not in the field
	left    bool     // the cursor was here and went on
}

// The fields that are no facts.
const (
	fieldKey       = "\x00key"
	fieldCALife    = "\x00ca"
	fieldLeafLife  = "\x00leaf"
	fieldHierarchy = "\x00hierarchy"
	fieldNodes     = "\x00nodes"
)

// build makes the fields of what is asked now. Fields that stay keep what is
// typed in them, and the cursor stays on its field.
func (s *factsScreen) build() {
	p := s.Flow.Profile()
	here, kept := "", map[string]*factField{}
	if s.of == p.Name {
		here = s.fields[s.cursor].id
		for _, f := range s.fields {
			kept[f.id] = f
		}
	}
	s.fields, s.cursor, s.of = nil, 0, p.Name
	for _, id := range s.wanted() {
		f := kept[id]
		if f == nil {
			f = s.field(id)
		}
		if id == here {
			s.cursor = len(s.fields)
		}
		s.fields = append(s.fields, f)
	}
	if here == "" {
		s.from = 0
		s.nodes = nil
		if p.HasNodes() {
			s.nodes = newNodesPane(s.Env)
		}
	}
	s.sync()
}

// wanted are the fields of what is asked now, in order: the facts, the nodes
// behind those of a single one, and how keys and certificates are made.
func (s *factsScreen) wanted() []string {
	p := s.Flow.Profile()
	var out []string
	last := -1
	for i, f := range p.Facts {
		if f.PerNode {
			last = i
		}
	}
	asked := s.Flow.Facts()
	for i, f := range p.Facts {
		if slices.ContainsFunc(asked, func(a topology.Fact) bool { return a.Name == f.Name }) {
			out = append(out, f.Name)
		}
		if i == last && p.HasNodes() {
			out = append(out, fieldNodes)
		}
	}
	if last < 0 && p.HasNodes() {
		out = append(out, fieldNodes)
	}
	return append(out, fieldKey, fieldCALife, fieldLeafLife, fieldHierarchy)
}

// field makes one field.
func (s *factsScreen) field(id string) *factField {
	p := s.Flow.Profile()
	switch id {
	case fieldNodes:
		return &factField{id: id, title: "Nodes", help: "The machines of the cluster, each with its role and addresses. enter opens the table: type them, paste them, or take them from a file."}
	case fieldCALife:
		return &factField{id: id, title: "CA lifetime", in: newInput(""), help: "How long a CA that is made here lasts: 10y, 3650d or 87600h."}
	case fieldLeafLife:
		return &factField{id: id, title: "Leaf lifetime", in: newInput(""), help: "How long every other certificate lasts; never longer than its CA."}
	case fieldHierarchy:
		return &factField{
			id: id, title: "Hierarchy", choices: []string{string(topology.Intermediates), string(topology.Roots)},
			words: []string{"one root, a CA under it for each", "each CA a root of its own"},
			help:  "What generate makes: one root whose key can be kept offline and an intermediate for each authority, or a self-signed root for each, as kubeadm does.",
		}
	case fieldKey:
		return keyFieldOf(p)
	}
	f := p.Facts[slices.Index(p.FactNames(), id)]
	field := &factField{id: f.Name, title: untrusted.Text(f.Title).Max(40), help: untrusted.Text(f.Help).String()}
	if len(f.Choices) > 0 {
		field.choices, field.words = f.Choices, f.Choices
	} else {
		field.in = newInput("")
	}
	return field
}

// keyFieldOf is the choice of an algorithm among those that a profile takes.
func keyFieldOf(p *topology.Profile) *factField {
	keys := &factField{id: fieldKey, title: "Key", help: "The algorithm of every key that is made here. RSA keys take longer to make, ECDSA P-256 is accepted everywhere."}
	for _, a := range plan.Algorithms(p) {
		keys.choices = append(keys.choices, string(a))
		keys.words = append(keys.words, a.Words())
	}
	return keys
}
