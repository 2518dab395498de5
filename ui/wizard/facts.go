package wizard

import (
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/plan"
	"certwright/ui/theme"
)

var _ = register(flow.StepFacts, newFacts)

// factsScreen asks for the values that names depend on, and how keys and
// certificates are made.
type factsScreen struct {
	*Env
	fields []*factField
	cursor int
	from   int
}

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
}

// The fields that are no facts.
const (
	fieldKey       = "\x00key"
	fieldCALife    = "\x00ca"
	fieldLeafLife  = "\x00leaf"
	fieldHierarchy = "\x00hierarchy"
)

var (
	keyField   = key.NewBinding(key.WithKeys("tab", "down", "shift+tab", "up"), key.WithHelp("tab/↓ ↑", "field"))
	keyPick    = key.NewBinding(key.WithKeys("left", "right", " "), key.WithHelp("←/→", "change"))
	keyDefault = key.NewBinding(key.WithKeys("ctrl+u"), key.WithHelp("ctrl+u", "default"))
	keyStep    = key.NewBinding(key.WithKeys("enter"), key.WithHelp("enter", "next step"))
)

func newFacts(e *Env) Screen {
	s := &factsScreen{Env: e}
	s.build()
	return s
}

// build makes the fields of the profile.
func (s *factsScreen) build() {
	p := s.Flow.Profile()
	s.fields, s.cursor, s.from = nil, 0, 0
	for _, f := range p.Facts {
		field := &factField{id: f.Name, title: untrusted.Text(f.Title).Max(40), help: untrusted.Text(f.Help).String()}
		if len(f.Choices) > 0 {
			field.choices, field.words = f.Choices, f.Choices
		} else {
			field.in = newInput("")
		}
		s.fields = append(s.fields, field)
	}
	keys := &factField{id: fieldKey, title: "Key", help: "The algorithm of every key that is made here. RSA keys take longer to make, ECDSA P-256 is accepted everywhere."}
	for _, a := range p.Algorithms {
		keys.choices = append(keys.choices, a)
		keys.words = append(keys.words, issue.Algorithm(a).Words())
	}
	if len(keys.choices) == 0 {
		keys.choices, keys.words = []string{string(issue.ECDSAP256)}, []string{issue.ECDSAP256.Words()}
	}
	s.fields = append(
		s.fields, keys,
		&factField{id: fieldCALife, title: "CA lifetime", in: newInput(""), help: "How long a CA that is made here lasts: 10y, 3650d or 87600h."},
		&factField{id: fieldLeafLife, title: "Leaf lifetime", in: newInput(""), help: "How long every other certificate lasts; never longer than its CA."},
		&factField{
			id: fieldHierarchy, title: "Hierarchy", choices: []string{string(topology.Intermediates), string(topology.Roots)},
			words: []string{"one root, a CA under it for each", "each CA a root of its own"},
			help:  "What generate makes: one root whose key can be kept offline and an intermediate for each authority, or a self-signed root for each, as kubeadm does.",
		},
	)
	s.sync()
}

// sync shows what the flow knows in every field that is not being typed in.
func (s *factsScreen) sync() {
	p := s.Flow.Plan()
	for i, f := range s.fields {
		if f.in == nil || i == s.cursor && f.err != "" {
			continue
		}
		want := ""
		switch f.id {
		case fieldCALife:
			want = shortLife(p.Validity.CA, plan.DefaultCALife)
		case fieldLeafLife:
			want = shortLife(p.Validity.Leaf, plan.DefaultLeafLife)
		default:
			if v, given := p.Facts[f.id]; given {
				want = v
			} else {
				want = s.Flow.Topology().Facts.Get(f.id)
			}
			if f.cleared {
				continue
			}
		}
		if f.err == "" && f.in.Value() != want && !(i == s.cursor && sameLife(f, want)) {
			f.in.Set(want)
		}
	}
}

// sameLife says that a time is written otherwise than we would, and means the same.
func sameLife(f *factField, want string) bool {
	if f.id != fieldCALife && f.id != fieldLeafLife {
		return false
	}
	a, err := plan.ParseDuration(f.in.Value())
	b, _ := plan.ParseDuration(want)
	return err == nil && a == b
}

// shortLife is a time as a person types it: 10y, 365d, 36h.
func shortLife(d, unset plan.Duration) string {
	words := plan.Duration(d.Or(unset)).Words()
	number, unit, found := strings.Cut(words, " ")
	if !found {
		return words
	}
	return number + unit[:1]
}

func (s *factsScreen) Open() tea.Cmd {
	names := s.Flow.Profile().FactNames()
	if !slices.EqualFunc(names, s.fields[:min(len(names), len(s.fields))], func(n string, f *factField) bool { return n == f.id }) || len(s.fields) != len(names)+4 {
		s.build()
	}
	s.fields[s.cursor].cleared = false
	s.sync()
	return nil
}

func (s *factsScreen) Typing() bool { return s.fields[s.cursor].in != nil }

func (s *factsScreen) Back() bool { return false }

func (s *factsScreen) Keys() []key.Binding {
	keys := []key.Binding{keyField}
	if f := s.fields[s.cursor]; f.in == nil {
		keys = append(keys, keyPick)
	}
	keys = append(keys, keyStep)
	if f := s.fields[s.cursor]; f.in != nil && s.given(f) {
		keys = append(keys, keyDefault)
	}
	return keys
}

// given says that the person changed the field.
func (s *factsScreen) given(f *factField) bool {
	_, ok := s.Flow.Plan().Facts[f.id]
	return ok
}

func (s *factsScreen) Update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyMsg)
	if !ok {
		return nil
	}
	f := s.fields[s.cursor]
	switch {
	case k.Paste:
		return s.edit(f, k)
	case key.Matches(k, keyStep):
		return s.next()
	case key.Matches(k, keyField):
		s.move(k.String() == "tab" || k.String() == "down")
		return nil
	case f.in == nil && (key.Matches(k, keyPick) || k.String() == "h" || k.String() == "l"):
		return s.pick(f, k.String() == "left" || k.String() == "h")
	case f.in == nil:
		switch k.String() {
		case "j":
			s.move(true)
		case "k":
			s.move(false)
		}
		return nil
	}
	return s.edit(f, k)
}

func (s *factsScreen) move(down bool) {
	n := len(s.fields)
	s.fields[s.cursor].cleared = false
	if down {
		s.cursor = (s.cursor + 1) % n
	} else {
		s.cursor = (s.cursor + n - 1) % n
	}
	s.sync()
}

// edit hands a key to the field and a change to the flow.
func (s *factsScreen) edit(f *factField, k tea.KeyMsg) tea.Cmd {
	if f.in == nil {
		return nil
	}
	if key.Matches(k, keyDefault) {
		f.in.Clear()
	} else if !f.in.Update(k) {
		return nil
	}
	v := f.in.Value()
	f.err, f.cleared = "", v == ""
	var e flow.Event = flow.SetFact{Name: f.id, Value: v}
	switch f.id {
	case fieldCALife, fieldLeafLife:
		life, err := plan.ParseDuration(v)
		if v == "" {
			life, err = map[string]plan.Duration{fieldCALife: plan.DefaultCALife, fieldLeafLife: plan.DefaultLeafLife}[f.id], nil
		}
		if err != nil {
			f.err = err.Error()
			return nil
		}
		e = flow.SetValidity{CA: life}
		if f.id == fieldLeafLife {
			e = flow.SetValidity{Leaf: life}
		}
	}
	cmd := s.Do(e)
	s.sync()
	return cmd
}

// pick goes to the next or the previous of a field's choices.
func (s *factsScreen) pick(f *factField, back bool) tea.Cmd {
	i := max(0, slices.Index(f.choices, s.chosen(f)))
	n := len(f.choices)
	if back {
		i = (i + n - 1) % n
	} else {
		i = (i + 1) % n
	}
	var e flow.Event = flow.SetFact{Name: f.id, Value: f.choices[i]}
	switch f.id {
	case fieldKey:
		e = flow.SetAlgorithm{Algorithm: issue.Algorithm(f.choices[i])}
	case fieldHierarchy:
		e = flow.SetHierarchy{Hierarchy: topology.Hierarchy(f.choices[i])}
	}
	cmd := s.Do(e)
	s.sync()
	return cmd
}

// chosen is a choice field's value as the plan writes it.
func (s *factsScreen) chosen(f *factField) string {
	p := s.Flow.Plan()
	switch f.id {
	case fieldKey:
		return orElse(string(p.Keys.Algorithm), f.choices[0])
	case fieldHierarchy:
		return orElse(string(p.Hierarchy), orElse(string(s.Flow.Profile().Hierarchy), f.choices[0]))
	}
	return s.Flow.Topology().Facts.Get(f.id)
}

// next leaves the step, unless a field here is wrong.
func (s *factsScreen) next() tea.Cmd {
	for i, f := range s.fields {
		if f.err != "" {
			s.cursor = i
			s.Say(Status{theme.BadSign, f.title + ": " + sentence(f.err, "")})
			return nil
		}
	}
	return s.Do(flow.Next{})
}

// JumpTo moves to the field that a blocker is about.
func (s *factsScreen) JumpTo(b flow.Blocker) tea.Cmd {
	for i, f := range s.fields {
		if f.id == b.Where {
			s.cursor = i
		}
	}
	return nil
}

// problem is what is wrong with a field's value.
func (s *factsScreen) problem(f *factField) string {
	if f.err != "" {
		return f.err
	}
	for _, p := range s.Flow.FactProblems() {
		if p.Fact == f.id {
			return p.Message
		}
	}
	return ""
}

// Urgent is what the field under the cursor has wrong, ahead of those above it.
func (s *factsScreen) Urgent() (Status, bool) {
	f := s.fields[s.cursor]
	if f.err != "" {
		return Status{theme.BadSign, f.title + ": " + sentence(f.err, "")}, true
	}
	for _, b := range s.Flow.Blockers(flow.StepFacts) {
		if b.Where == f.id {
			return Status{theme.BadSign, blockerText(s.Flow, b)}, true
		}
	}
	return Status{}, false
}

func (s *factsScreen) Status() Status {
	for _, f := range s.fields {
		if f.err != "" {
			return Status{theme.BadSign, f.title + ": " + sentence(f.err, "")}
		}
	}
	return Status{Text: s.fields[s.cursor].help}
}

// Help is what each field decides.
func (s *factsScreen) Help() []string {
	var out []string
	for _, f := range s.fields {
		out = append(out, f.title+": "+f.help)
	}
	return out
}
