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
	cursor  int    // among those that are shown
	from    int    // first row drawn
	fits    int    // how many fit, where each has several rows
	filter  *input // nil: all are shown
	read    bool   // every profile was read
}

// profileEntry is one row: a profile, or the answers of an earlier run.
type profileEntry struct {
	name    string
	profile *topology.Profile // nil until it was read
	topo    *topology.Topology
	resume  *Resumable
}

// profilesMsg are the entries with their profiles.
type profilesMsg struct{ entries []profileEntry }

var (
	keyChoose = key.NewBinding(key.WithKeys("up", "down", "k", "j", "home", "end"), key.WithHelp("↑/↓", "choose"))
	keyNext   = key.NewBinding(key.WithKeys("enter"), key.WithHelp("enter", "next"))
	keyResume = key.NewBinding(key.WithKeys("enter"), key.WithHelp("enter", "resume"))
	keyFilter = key.NewBinding(key.WithKeys("/"), key.WithHelp("/", "filter"))
)

// filterFrom is how many entries are worth a filter.
const filterFrom = 5

func newProfile(e *Env) Screen {
	s := &profileScreen{Env: e}
	names := e.Flow.Catalogue().Names()
	if own := e.Flow.Plan().Profile; !slices.Contains(names, own) { // a profile of the person's own
		names = append([]string{own}, names...)
	}
	for _, n := range names {
		entry := profileEntry{name: n}
		if n == e.Flow.Plan().Profile {
			s.cursor = len(s.entries)
			entry.profile = e.Flow.Profile()
			entry.topo, _ = topology.Resolve(entry.profile, nil)
		}
		s.entries = append(s.entries, entry)
	}
	if e.Resumable != nil {
		s.entries = append(s.entries, profileEntry{name: "resume", resume: e.Resumable})
	}
	return s
}

func (s *profileScreen) Open() tea.Cmd {
	s.Back() // a filter has done its work
	if s.read {
		return nil
	}
	// The first frame does not wait for profiles that are not chosen.
	entries, catalogue, rest := slices.Clone(s.entries), s.Flow.Catalogue(), s.Rest
	return func() tea.Msg {
		if rest != nil {
			rest()
		}
		var out []profileEntry
		for _, e := range entries {
			if e.resume == nil && e.profile == nil {
				p, err := catalogue.Load(e.name)
				if err != nil {
					continue // the catalogue lists what loads
				}
				e.profile = p
				e.topo, _ = topology.Resolve(p, nil)
			}
			out = append(out, e)
		}
		return profilesMsg{out}
	}
}

// loaded takes the profiles; the cursor stays on its entry.
func (s *profileScreen) loaded(m profilesMsg) {
	at := s.entry()
	s.entries, s.read = m.entries, true
	if at == nil {
		return
	}
	name := at.name
	s.cursor = max(0, slices.IndexFunc(s.shown(), func(e profileEntry) bool { return e.name == name }))
}

func (s *profileScreen) Typing() bool { return s.filter != nil }

// Back takes esc for the filter: all are shown again, and the cursor stays on
// its entry.
func (s *profileScreen) Back() bool {
	if s.filter == nil {
		return false
	}
	at := s.entry()
	s.filter = nil
	if at != nil {
		s.cursor = slices.IndexFunc(s.entries, func(e profileEntry) bool { return e.name == at.name })
	}
	return true
}

// shown are the entries that the filter leaves.
func (s *profileScreen) shown() []profileEntry {
	if s.filter == nil {
		return s.entries
	}
	want := strings.ToLower(strings.TrimSpace(s.filter.Value()))
	var out []profileEntry
	for _, e := range s.entries {
		text := e.name + " " + s.title(e)
		if e.profile != nil {
			text += " " + e.profile.Summary
		}
		if strings.Contains(strings.ToLower(text), want) {
			out = append(out, e)
		}
	}
	return out
}

// entry is the one under the cursor, nil when the filter leaves none.
func (s *profileScreen) entry() *profileEntry {
	shown := s.shown()
	if len(shown) == 0 {
		return nil
	}
	s.cursor = max(0, min(s.cursor, len(shown)-1))
	return &shown[s.cursor]
}

// filterRow is what was typed to filter, no row when nothing was.
func (s *profileScreen) filterRow(w int) []string {
	if s.filter == nil {
		return nil
	}
	l := s.Theme.Line().Plain(" ").Add(theme.Key, "/ ")
	s.filter.add(l, theme.Bold, max(8, w-20), true)
	return []string{l.Add(theme.Faint, " "+itoa(len(s.shown()))+" found").Fit(w)}
}

func (s *profileScreen) Keys() []key.Binding {
	var keys []key.Binding
	if len(s.shown()) > 1 {
		keys = append(keys, keyChoose)
	}
	if e := s.entry(); e != nil && e.resume != nil {
		keys = append(keys, keyResume)
	} else if e != nil {
		keys = append(keys, keyNext)
	}
	if s.filter == nil && len(s.entries) >= filterFrom {
		keys = append(keys, keyFilter)
	}
	return keys
}

func (s *profileScreen) Update(msg tea.Msg) tea.Cmd {
	if m, ok := msg.(profilesMsg); ok {
		s.loaded(m)
		return nil
	}
	k, ok := msg.(tea.KeyMsg)
	if !ok || k.Paste && s.filter == nil {
		return nil
	}
	if !k.Paste && key.Matches(k, keyNext) {
		e := s.entry()
		switch {
		case e == nil:
			return nil
		case e.resume != nil:
			return s.Resume(e.resume.Open)
		}
		return tea.Batch(s.Do(flow.ChooseProfile{Name: e.name}), s.Do(flow.Next{}))
	}
	if s.filter != nil {
		switch k.String() {
		case "up", "down", "pgup", "pgdown":
		default:
			if s.filter.Update(k) {
				s.cursor = 0
			}
			return nil
		}
	} else if key.Matches(k, keyFilter) && len(s.entries) >= filterFrom {
		s.filter = newInput("")
		return nil
	}
	s.cursor = moved(k, s.cursor, len(s.shown()), 5)
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
	e := s.entry()
	switch f := s.Flow; {
	case e == nil:
		return Status{theme.NoSign, "No profile has that in its name or its description."}
	case s.filter != nil:
		return Status{Text: "Type a part of a name or a description; esc shows all again."}
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
		head := append([]string{""}, s.filterRow(inner(left))...)
		b := box{title: "Profiles", focus: true}
		list := s.tall(inner(left), rest-2-len(head))
		if n := len(s.shown()); n > s.fits {
			b.foot = itoa(s.from+1) + "–" + itoa(min(n, s.from+s.fits)) + " of " + itoa(n)
		}
		title, about := "Nothing", []string{"", s.Theme.Render(theme.Faint, "nothing matches; esc shows all")}
		if e := s.entry(); e != nil {
			title, about = s.title(*e), append([]string{""}, s.details(*e, inner(w-left), true)...)
		}
		return above(block(intro, w, len(intro)), beside(b.draw(s.Theme, append(head, list...), left, rest), pane(s.Theme, title, about, w-left, rest)))
	}
	// Every profile is in sight before any detail of one is.
	const short, likely = " Nothing is written before the last step.", 9 // rows of details, so that nothing moves with the cursor
	if len(intro)+len(s.entries)+likely > h {
		intro = []string{"", short, ""}
	}
	if len(intro)+len(s.entries)+likely > h {
		intro = []string{short}
	}
	lines := append(intro, s.filterRow(w)...)
	const details = 3 // the least that is worth a look, with the row above it
	shown := s.shown()
	rows := max(1, min(len(shown), h-len(lines)-details))
	lines = append(lines, s.rows(w, rows)...)
	if rows < len(shown) {
		lines = append(lines, s.Theme.Line().Plain("   ").Add(theme.Faint, itoa(s.from+1)+"–"+itoa(s.from+rows)+" of "+itoa(len(shown))).Fit(w))
	} else {
		lines = append(lines, "")
	}
	e := s.entry()
	if e == nil {
		return block(append(lines, s.Theme.Line().Plain("   ").Add(theme.Faint, "nothing matches; esc shows all").Fit(w)), w, h)
	}
	room := h - len(lines)
	if roomy(w) && room >= 5 {
		d := s.details(*e, inner(w-2), false)
		b := pane(s.Theme, s.title(*e), shortened(s.Theme, d, room-2), w-2, min(room, len(d)+2))
		return block(append(lines, indent(strings.Split(b, "\n"))...), w, h)
	}
	return block(append(lines, indent(shortened(s.Theme, s.details(*e, w-2, false), room))...), w, h)
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
	if e.profile == nil {
		return upper(untrusted.Text(e.name).Max(60))
	}
	return untrusted.Text(e.profile.Title).Max(60)
}

// rows is the list with one row each.
func (s *profileScreen) rows(w, h int) []string {
	shown := s.shown()
	s.from = window(s.from, s.cursor, len(shown), h)
	name := 0
	for _, e := range s.entries {
		name = max(name, cells(s.title(e)))
	}
	name = min(name, 28)
	var out []string
	for i := s.from; i < min(len(shown), s.from+h); i++ {
		e := shown[i]
		l := s.Theme.Line().Choose(i == s.cursor)
		s.start(l, i == s.cursor)
		if e.resume != nil {
			l.Col(theme.Bold, "resume", name).Plain("   ").Plain(s.resumeWords(e.resume))
		} else if e.profile == nil {
			l.Col(theme.Bold, s.title(e), name)
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
	shown := s.shown()
	s.fits = max(1, (h+1)/each)
	s.from = window(s.from, s.cursor, len(shown), s.fits)
	var out []string
	for i := s.from; i < min(len(shown), s.from+s.fits); i++ {
		e := shown[i]
		here := i == s.cursor
		l := s.Theme.Line().Choose(here)
		s.start(l, here)
		summary := "answers of an earlier run, to go on with"
		if e.resume != nil {
			l.Add(theme.Bold, "resume").Plain("   " + s.resumeWords(e.resume))
		} else if e.profile == nil {
			l.Add(theme.Bold, s.title(e))
			summary = ""
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
	if e.profile == nil {
		return nil
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
