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
	nodes  *nodesPane // of profiles with nodes
	of     string     // the profile that the fields are of
	// tried says that the person asked to go on: what is still empty is wrong
	// from then on. Before that it is only needed, until its field was left.
	tried bool
}

var (
	keyField   = bind("tab/↓ ↑", "field", "tab", "down", "shift+tab", "up")
	keyPick    = bind("←/→", "change", "left", "right", " ")
	keyDefault = bind("ctrl+u", "default", "ctrl+u")
	keyNodes   = bind("enter", "nodes", "enter", "right", " ")
	keyStep    = bind("enter", "next step", "enter")
)

func newFacts(e *Env) Screen {
	s := &factsScreen{Env: e}
	s.build()
	return s
}

// sync shows what the flow knows in every field that is not being typed in.
func (s *factsScreen) sync() {
	p := s.Flow.ReadPlan()
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
	if s.nodes != nil {
		s.nodes.open = false
	}
	s.follow()
	s.fields[s.cursor].cleared = false
	s.sync()
	return nil
}

// follow makes the fields anew when others are asked.
func (s *factsScreen) follow() {
	if s.of != s.Flow.Profile().Name || !slices.EqualFunc(s.wanted(), s.fields, func(id string, f *factField) bool { return id == f.id }) {
		s.build()
	}
}

// table says that the keys go to the table of nodes.
func (s *factsScreen) table() bool { return s.nodes != nil && s.nodes.open }

func (s *factsScreen) Typing() bool {
	if s.table() {
		return s.nodes.typing()
	}
	return s.fields[s.cursor].in != nil
}

// TakesText says that a text which the terminal types may be a paste: lines of
// a table must not act as keys.
func (s *factsScreen) TakesText() bool { return s.table() }

func (s *factsScreen) Back() bool { return false }

// Close closes the table of nodes. What was typed there is kept.
func (s *factsScreen) Close() (tea.Cmd, bool) {
	if !s.table() {
		return nil, false
	}
	cmd := s.nodes.back()
	s.follow()
	s.sync()
	return cmd, true
}

func (s *factsScreen) Update(msg tea.Msg) tea.Cmd {
	if s.table() {
		cmd := s.nodes.update(msg)
		s.follow()
		return cmd
	}
	k, ok := msg.(tea.KeyMsg)
	if !ok {
		return nil
	}
	f := s.fields[s.cursor]
	switch {
	case k.Paste:
		return s.edit(f, k)
	case f.id == fieldNodes && key.Matches(k, keyNodes):
		s.nodes.show(s.nodes.cursor)
		return nil
	case key.Matches(k, keyStep):
		return s.next()
	case key.Matches(k, keyField):
		s.move(k.String() == "tab" || k.String() == "down")
		return nil
	case f.in == nil && f.id != fieldNodes && (key.Matches(k, keyPick) || k.String() == "h" || k.String() == "l"):
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
	s.fields[s.cursor].left = true
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
	p := s.Flow.ReadPlan()
	switch f.id {
	case fieldKey:
		return string(p.Algorithm(s.Flow.Profile()))
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
	s.tried = true
	row, _, atNode := nodeProblemOf(b.Where, "")
	for i, f := range s.fields {
		if f.id == b.Where || f.id == fieldNodes && strings.HasPrefix(b.Where, "nodes") {
			s.cursor = i
		}
	}
	if atNode && s.nodes != nil {
		s.nodes.show(row)
	}
	return nil
}

// needed says that a field is empty and must not stay so, and that nobody could
// have filled it yet: that is no mistake.
func (s *factsScreen) needed(f *factField) bool {
	return !s.tried && !f.left && s.Flow.Topology().Facts.Get(f.id) == "" &&
		slices.ContainsFunc(s.Flow.FactProblems(), func(p *topology.FactProblem) bool { return p.Fact == f.id })
}

// problem is what is wrong with a field's value.
func (s *factsScreen) problem(f *factField) string {
	if f.err != "" {
		return f.err
	}
	if s.needed(f) {
		return ""
	}
	if f.id == fieldNodes {
		return s.nodesProblem()
	}
	for _, p := range s.Flow.FactProblems() {
		if p.Fact == f.id {
			return p.Message
		}
	}
	return ""
}

// nodesProblem is the first thing that is wrong with the nodes. A file that is
// still being read is not wrong.
func (s *factsScreen) nodesProblem() string {
	reading, err := s.Flow.ReadingNodes()
	switch {
	case reading:
		return ""
	case err != nil:
		return untrusted.Text(s.Flow.Blockers(flow.StepFacts)[0].Message).Max(400)
	}
	for _, p := range s.Flow.FactProblems() {
		if text, ok := nodesBlocker(flow.Blocker{Where: p.Fact, Message: p.Message}); ok {
			return text
		}
		if p.Fact == "nodes" {
			return p.Message
		}
	}
	return ""
}

// Urgent is what the field under the cursor has wrong, ahead of those above it.
func (s *factsScreen) Urgent() (Status, bool) {
	if s.table() {
		return s.nodes.urgent()
	}
	f := s.fields[s.cursor]
	if f.err != "" {
		return Status{theme.BadSign, f.title + ": " + sentence(f.err, "")}, true
	}
	worse := false
	for _, b := range s.Flow.Blockers(flow.StepFacts) {
		switch needed := s.neededFact(b.Where); {
		case needed:
		case b.Where == f.id || f.id == fieldNodes && strings.HasPrefix(b.Where, "nodes"):
			return Status{theme.BadSign, blockerText(s.Flow, b)}, true
		default:
			worse = true
		}
	}
	if !worse { // what is only not there yet says so in its row
		return s.Status(), true
	}
	return Status{}, false
}

// neededFact says that a fact's field is only not filled yet.
func (s *factsScreen) neededFact(name string) bool {
	return slices.ContainsFunc(s.fields, func(f *factField) bool { return f.id == name && s.needed(f) })
}

func (s *factsScreen) Status() Status {
	if s.table() {
		return s.nodes.status()
	}
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
