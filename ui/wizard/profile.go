package wizard

import (
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/plan"
	"certwright/ui/theme"
)

var _ = register(flow.StepProfile, newProfile)

// profileScreen asks what kind of cluster it is.
type profileScreen struct {
	*Env
	entries []profileEntry
	cursor  int
	from    int // first row drawn
}

// profileEntry is one row: a profile, or the answers of an earlier run.
type profileEntry struct {
	name    string
	profile *topology.Profile
	topo    *topology.Topology
	resume  *Resumable
}

var (
	keyChoose = key.NewBinding(key.WithKeys("up", "down", "k", "j", "home", "end"), key.WithHelp("↑/↓", "choose"))
	keyNext   = key.NewBinding(key.WithKeys("enter"), key.WithHelp("enter", "next"))
	keyResume = key.NewBinding(key.WithKeys("enter"), key.WithHelp("enter", "resume"))
)

func newProfile(e *Env) Screen {
	s := &profileScreen{Env: e}
	names := e.Flow.Catalogue().Names()
	if own := e.Flow.Plan().Profile; !slices.Contains(names, own) { // a profile of the person's own
		names = append([]string{own}, names...)
	}
	for _, n := range names {
		p, err := e.Flow.Catalogue().Load(n)
		if err != nil {
			continue // the catalogue lists what loads
		}
		t, _ := topology.Resolve(p, nil)
		s.entries = append(s.entries, profileEntry{name: n, profile: p, topo: t})
		if n == e.Flow.Plan().Profile {
			s.cursor = len(s.entries) - 1
		}
	}
	if e.Resumable != nil {
		s.entries = append(s.entries, profileEntry{name: "resume", resume: e.Resumable})
	}
	return s
}

func (s *profileScreen) Open() tea.Cmd { return nil }
func (s *profileScreen) Typing() bool  { return false }
func (s *profileScreen) Back() bool    { return false }

func (s *profileScreen) Keys() []key.Binding {
	next := keyNext
	if s.entries[s.cursor].resume != nil {
		next = keyResume
	}
	if len(s.entries) < 2 {
		return []key.Binding{next}
	}
	return []key.Binding{keyChoose, next}
}

func (s *profileScreen) Update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyMsg)
	if !ok || k.Paste {
		return nil
	}
	if key.Matches(k, keyNext) {
		e := s.entries[s.cursor]
		if e.resume != nil {
			return s.Resume(e.resume.Open)
		}
		return tea.Batch(s.Do(flow.ChooseProfile{Name: e.name}), s.Do(flow.Next{}))
	}
	s.cursor = moved(k, s.cursor, len(s.entries), 5)
	return nil
}

// moved is the cursor of a list of n rows after a key.
func moved(k tea.KeyMsg, cursor, n, page int) int {
	switch k.String() {
	case "up", "k":
		cursor--
	case "down", "j":
		cursor++
	case "pgup":
		cursor -= page
	case "pgdown":
		cursor += page
	case "home":
		cursor = 0
	case "end":
		cursor = n - 1
	}
	return max(0, min(cursor, n-1))
}

func (s *profileScreen) Status() Status {
	e := s.entries[s.cursor]
	switch f := s.Flow; {
	case e.resume != nil:
		return Status{Text: "Goes on with the answers in " + s.short(e.resume.Path) + ". Pasted material is asked for again."}
	case f.Reached(flow.StepFacts) && e.name != f.Plan().Profile:
		return Status{theme.WarnSign, "another profile starts its components afresh; facts that both ask for are kept"}
	}
	return Status{Text: "Every answer can be changed later: esc goes back and loses nothing."}
}

const welcome = "Choose where each certificate of a cluster comes from, see who will trust whom, then write the files. Nothing is written before the last step."

func (s *profileScreen) View(w, h int) string {
	intro := append(append([]string{""}, indent(wrap(welcome, w-2))...), "")
	if w >= wideWidth && h >= 24 {
		rest := h - len(intro)
		left := w / 2
		e := s.entries[s.cursor]
		list := box{title: "Profiles", focus: true}.draw(s.Theme, append([]string{""}, s.tall(inner(left), rest-3)...), left, rest)
		details := pane(s.Theme, s.title(e), append([]string{""}, s.details(e, inner(w-left), true)...), w-left, rest)
		return above(block(intro, w, len(intro)), beside(list, details))
	}
	// The details need up to seven rows; the list gets what it needs of the others.
	details := 7
	rows := min(len(s.entries), max(3, h-len(intro)-details-1))
	lines := append(intro, s.rows(w, rows)...)
	lines = append(lines, "")
	e := s.entries[s.cursor]
	room := h - len(lines)
	if roomy(w) && room >= 5 {
		d := s.details(e, inner(w-2), false)
		b := pane(s.Theme, s.title(e), d, w-2, min(room, len(d)+2))
		return block(append(lines, indent(strings.Split(b, "\n"))...), w, h)
	}
	return block(append(lines, indent(s.details(e, w-2, false))...), w, h)
}

func indent(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = " " + l
	}
	return out
}

func (s *profileScreen) title(e profileEntry) string {
	if e.resume != nil {
		return "resume"
	}
	return untrusted.Text(e.profile.Title).Max(60)
}

// rows is the list with one row each.
func (s *profileScreen) rows(w, h int) []string {
	s.from = window(s.from, s.cursor, len(s.entries), h)
	name := 0
	for _, e := range s.entries {
		name = max(name, cells(s.title(e)))
	}
	name = min(name, 28)
	var out []string
	for i := s.from; i < min(len(s.entries), s.from+h); i++ {
		e := s.entries[i]
		l := s.Theme.Line().Choose(i == s.cursor)
		s.start(l, i == s.cursor)
		if e.resume != nil {
			l.Col(theme.Bold, "resume", name).Plain("   ").Plain(s.resumeWords(e.resume))
		} else {
			n := countsOf(e.topo)
			l.Col(theme.Bold, s.title(e), name).Plain("   ").Col(theme.Plain, count(n.cas, "CA"), 8).
				Col(theme.Plain, count(n.leaves, "certificate"), 18).Plain(count(n.files, "file"))
		}
		out = append(out, " "+l.Fit(w-2))
	}
	return out
}

// start puts the cursor sign, or room for it, before a row.
func (e *Env) start(l *theme.Line, here bool) {
	if here {
		l.Add(theme.Cursor, e.Theme.Sign(theme.CursorSign)).Plain(" ")
		return
	}
	l.Plain("  ")
}

// tall is the list with each entry's summary under it.
func (s *profileScreen) tall(w, h int) []string {
	const each = 4
	s.from = window(s.from, s.cursor, len(s.entries), max(1, h/each))
	var out []string
	for i := s.from; i < len(s.entries); i++ {
		e := s.entries[i]
		here := i == s.cursor
		l := s.Theme.Line().Choose(here)
		s.start(l, here)
		summary := "answers of an earlier run, to go on with"
		if e.resume != nil {
			l.Add(theme.Bold, "resume").Plain("   " + s.resumeWords(e.resume))
		} else {
			n := countsOf(e.topo)
			l.Col(theme.Bold, s.title(e), 20).Add(theme.Plain, count(n.cas, "CA")+"   "+count(n.leaves, "certificate"))
			summary = untrusted.Text(e.profile.Summary).String()
		}
		about := wrap(summary, w-2)
		out = append(out, l.Fit(w))
		for i := range each - 2 {
			text := ""
			if i < len(about) {
				text = about[i]
			}
			out = append(out, s.Theme.Line().Plain("  ").Add(theme.Faint, text).Fit(w))
		}
		out = append(out, "")
	}
	return out
}

// resumeWords tell an earlier run from others: what it was of, and when.
func (s *profileScreen) resumeWords(r *Resumable) string {
	out := untrusted.Text(r.Note).Max(60)
	if out == "" {
		out = s.short(r.Path)
	}
	if !r.Saved.IsZero() {
		out += ", saved " + ago(s.Now().Sub(r.Saved))
	}
	return out
}

// ago is how long ago something was, roughly.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < 2*time.Hour:
		return count(int(d.Minutes()), "minute") + " ago"
	case d < 48*time.Hour:
		return count(int(d.Hours()), "hour") + " ago"
	}
	return count(int(d.Hours()/24), "day") + " ago"
}

// counts are what a profile makes.
type counts struct{ cas, leaves, files int }

func countsOf(t *topology.Topology) counts {
	n := counts{cas: len(t.Authorities), files: len(t.Kubeconfigs)}
	for _, s := range t.Slots {
		if s.Kind == topology.Leaf {
			n.leaves++
		}
		for _, f := range []string{s.Files.Cert, s.Files.Key, s.Files.Public, s.Files.Bundle} {
			if f != "" {
				n.files++
			}
		}
	}
	return n
}

// details are what a profile makes and asks, computed from it.
func (s *profileScreen) details(e profileEntry, w int, tall bool) []string {
	if e.resume != nil {
		return styled(s.Theme, theme.Plain, wrap("Reads the answers of an earlier run and goes to the first step that still has something to ask.", w))
	}
	var cas, facts []string
	for _, a := range e.topo.Authorities {
		cas = append(cas, untrusted.Text(a.Title).Max(40))
	}
	for _, f := range e.profile.Facts {
		facts = append(facts, untrusted.Text(f.Title).Max(40))
	}
	def := plan.Default(e.profile)
	keys := issue.Algorithm(def.Keys.Algorithm).Words() + " · CA " + def.Validity.CA.Words() + " · leaf " + def.Validity.Leaf.Words()
	var out []string
	row := func(label, text string, r theme.Role) {
		for i, l := range wrap(text, w-11) {
			if i > 0 {
				label = ""
			}
			out = append(out, s.Theme.Line().Col(theme.Faint, label, 11).Add(r, l).String())
		}
	}
	if tall {
		for i, a := range cas {
			row(first(i, "CAs"), a, theme.Plain)
		}
		out = append(out, "")
		n := 0
		for _, slot := range e.topo.Slots {
			if slot.Kind == topology.Leaf {
				out = append(out, s.Theme.Line().Col(theme.Faint, first(n, "leaves"), 11).Col(theme.Plain, untrusted.Text(slot.Title).Max(60), max(10, min(26, w-28))).Plain(" ").Add(theme.Faint, usageWords(&slot)).String())
				n++
			}
		}
		out = append(out, "")
		row("writes", count(countsOf(e.topo).files, "file")+" of the set, in the forms "+strings.Join(e.profile.Layouts, ", "), theme.Plain)
		row("keys", keys, theme.Plain)
		out = append(out, "")
		row("asks for", strings.Join(facts, ", "), theme.Plain)
		return out
	}
	out = append(out, styled(s.Theme, theme.Plain, wrap(untrusted.Text(e.profile.Summary).String(), w))...)
	row("CAs", strings.Join(cas, " · "), theme.Plain)
	row("keys", keys, theme.Plain)
	row("asks for", strings.Join(facts, ", "), theme.Plain)
	return out
}

// first is a label for the first of several rows.
func first(i int, label string) string {
	if i == 0 {
		return label
	}
	return ""
}

// usageWords are a slot's usages in one or two words.
func usageWords(s *topology.Slot) string {
	switch {
	case s.Kind == topology.CA:
		return "CA"
	case s.Kind == topology.KeyPair:
		return "key pair"
	case s.Server() && s.Client():
		return "server, client"
	case s.Server():
		return "server"
	case s.Client():
		return "client"
	}
	return ""
}
