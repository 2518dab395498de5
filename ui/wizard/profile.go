package wizard

import (
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/topology"
	"certwright/flow"
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
	keyChoose = bind("↑/↓", "choose", "up", "down", "k", "j", "home", "end")
	keyNext   = bind("enter", "next", "enter")
	keyResume = bind("enter", "resume", "enter")
	keyFilter = bind("/", "filter", "/")
)

// filterFrom is how many entries are worth a filter.
const filterFrom = 5

func newProfile(e *Env) Screen {
	s := &profileScreen{Env: e}
	names := e.Flow.Catalogue().Names()
	if own := e.Flow.ReadPlan().Profile; !slices.Contains(names, own) { // a profile of the person's own
		names = append([]string{own}, names...)
	}
	for _, n := range names {
		entry := profileEntry{name: n}
		if n == e.Flow.ReadPlan().Profile {
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
	return []string{l.Add(theme.Faint, " "+number(len(s.shown()))+" found").Fit(w)}
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
