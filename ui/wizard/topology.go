package wizard

import (
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/diagram"
	"certwright/ui/theme"
)

var _ = register(flow.StepTopology, newTopology)

// topologyScreen shows the set: who signs whom, who calls whom, whether that
// was proved, and what each key opens.
type topologyScreen struct {
	*Env
	topologyModel
	view  diagram.View
	lines []diagram.Line

	cursor, from int
	calls        bool   // the second pane shows the calls
	full         bool   // the details fill the screen
	scroll       int    // of the full details
	find         *input // while a search is being typed
	export       *exportPrompt
	w, h         int // of the last frame: keys say what works in it
}

var topologyKeys = struct {
	move, fold, calls, details, find, filter, problem, mode, next, scroll, keep key.Binding
}{
	move:    bind("↑/↓", "move", "up", "down", "k", "j", "home", "end", "pgup", "pgdown"),
	fold:    bind("←/→", "fold", "left", "right", "h", "l", " "),
	calls:   bind("v", "calls", "v"),
	details: bind("i", "all details", "i"),
	find:    bind("/", "find", "/"),
	filter:  bind("f", "filter by mode", "f"),
	problem: bind("n", "next problem", "n"),
	mode:    bind("m", "change mode", "m"),
	next:    bind("enter", "next", "enter"),
	scroll:  bind("↑/↓", "scroll", "up", "down", "k", "j", "home", "end", "pgup", "pgdown"),
	keep:    bind("enter", "keep the search", "enter"),
}

// keyRequests leaves the screens and writes signing requests.
var keyRequests = bind("w", "write requests", "w")

// canAsk says that a CA has its key elsewhere, and nothing else is in the way.
func (s *topologyScreen) canAsk() bool {
	return s.Requests != nil && !s.Demo && len(s.Flow.Elsewhere()) > 0 && len(s.Flow.Blockers(flow.StepTopology)) == 1
}

func newTopology(e *Env) Screen { return &topologyScreen{Env: e} }

func (s *topologyScreen) Open() tea.Cmd {
	s.full, s.find, s.export = false, nil, nil
	s.reopen()
	return nil
}

// node is what the cursor stands on; of a folded line its CA. Nil when nothing
// is visible.
func (s *topologyScreen) node() *diagram.Node {
	if s.cursor < len(s.lines) {
		return s.lines[s.cursor].Node()
	}
	return nil
}

func (s *topologyScreen) Typing() bool { return s.find != nil || s.export != nil }

// TakesPEM is false: nothing is handed over here.
func (s *topologyScreen) TakesPEM() bool { return false }

// Back takes esc for what is open: the search, the filter, the details.
func (s *topologyScreen) Back() bool {
	switch {
	case s.export != nil:
		s.export = nil
	case s.full:
		s.full = false
	case s.find != nil, s.view.Find != "", s.view.Mode != "":
		s.find, s.view.Find, s.view.Mode = nil, "", ""
		s.relist(s.lineID())
	default:
		return false
	}
	return true
}

func (s *topologyScreen) Keys() []key.Binding {
	k := topologyKeys
	switch {
	case s.model == nil:
		return []key.Binding{k.next}
	case s.export != nil:
		return []key.Binding{keyExportOK, pathKeys.complete, pathKeys.word}
	case s.find != nil:
		return []key.Binding{k.move, k.keep}
	case s.full:
		keys := []key.Binding{k.details, k.next}
		if len(s.fullRows()) > s.h-2 {
			keys = append([]key.Binding{k.scroll}, keys...)
		}
		return keys
	}
	keys := []key.Binding{k.move, k.fold, k.next}
	if len(s.model.Problems()) > 0 {
		keys = append(keys, k.problem)
	}
	if !s.threePanes() {
		calls := k.calls
		if s.calls {
			calls.SetHelp("v", "details")
		}
		keys = append(keys, calls)
	}
	keys = append(keys, k.find, k.mode, k.details, k.filter)
	if s.Export != nil {
		keys = append(keys, keyExport)
	}
	if s.canAsk() {
		keys = append([]key.Binding{keyRequests}, keys...)
	}
	return keys
}

func (s *topologyScreen) Update(msg tea.Msg) tea.Cmd {
	switch m := msg.(type) {
	case topologyMsg:
		return s.drawn(m)
	case exportMsg:
		s.exported(m)
		return nil
	case completedMsg:
		if s.export != nil && m.to == s.export.pathPrompt {
			s.export.complete(m)
		}
		return nil
	}
	pressed, ok := msg.(tea.KeyMsg)
	if !ok {
		return nil
	}
	s.refresh()
	k := topologyKeys
	switch {
	case s.model == nil && !key.Matches(pressed, k.next):
		return nil
	case s.export != nil:
		return s.exportKey(pressed)
	case s.find != nil:
		return s.search(pressed)
	case pressed.Paste:
		return nil
	case key.Matches(pressed, k.next):
		s.full = false
		return s.Do(flow.Next{})
	case key.Matches(pressed, k.details):
		s.full, s.scroll = !s.full && s.node() != nil, 0
	case s.full:
		if key.Matches(pressed, k.scroll) {
			s.scroll = scrolled(pressed, s.scroll, len(s.fullRows()), s.h-2)
		}
	case key.Matches(pressed, k.move):
		s.cursor = moved(pressed, s.cursor, len(s.lines), max(1, s.h-4))
	case key.Matches(pressed, k.fold):
		s.fold(pressed.String())
	case key.Matches(pressed, keyRequests) && s.canAsk():
		return s.Requests()
	case key.Matches(pressed, k.calls):
		s.calls = !s.calls
	case key.Matches(pressed, k.find):
		s.find = newInput(s.view.Find)
	case key.Matches(pressed, k.filter):
		s.filter()
	case key.Matches(pressed, k.problem):
		s.nextProblem()
	case key.Matches(pressed, k.mode):
		return s.change()
	case key.Matches(pressed, keyExport) && s.Export != nil:
		s.startExport()
	}
	return nil
}

// scrolled is the first row in sight after a key.
func scrolled(k tea.KeyMsg, from, rows, window int) int {
	last := max(0, rows-window)
	if k.String() == "end" {
		return last
	}
	return min(moved(k, from, rows, max(1, window-1)), last)
}

// search takes a key while the search is typed.
func (s *topologyScreen) search(k tea.KeyMsg) tea.Cmd {
	switch k.String() {
	case "enter":
		s.find = nil
		return nil
	case "up", "down", "pgup", "pgdown":
		s.cursor = moved(k, s.cursor, len(s.lines), max(1, s.h-4))
		return nil
	}
	if s.find.Update(k) {
		s.view.Find = strings.TrimSpace(s.find.Value())
		at := s.lineID()
		if s.relist(at); s.lineID() != at {
			s.cursor = 0
		}
		s.toMatch()
	}
	return nil
}

// toMatch moves from what is shown for the chain alone to the first that matches.
func (s *topologyScreen) toMatch() {
	if s.cursor < len(s.lines) && !s.lines[s.cursor].Aside() {
		return
	}
	if i := slices.IndexFunc(s.lines, func(l diagram.Line) bool { return !l.Aside() }); i >= 0 {
		s.cursor = i
	}
}

// fold opens and closes what the cursor is on, and walks in and out of it.
func (s *topologyScreen) fold(pressed string) {
	if s.cursor >= len(s.lines) {
		return
	}
	line := s.lines[s.cursor]
	n := line.Node()
	out := pressed == "left" || pressed == "h"
	if pressed == " " {
		out = !line.Fold() && !s.view.Closed[n.ID]
	}
	switch {
	case line.Fold() && !out:
		s.view.Opened[n.ID] = true
		s.relist("")
	case line.Fold():
		s.to(n)
	case out && len(n.Children) > 0 && !s.view.Closed[n.ID]:
		if s.view.Opened[n.ID] && s.model.Below(n) > diagram.Siblings {
			delete(s.view.Opened, n.ID)
			s.view.Pinned = nil
		} else {
			s.view.Closed[n.ID] = true
		}
		s.relist(n.ID)
	case out && n.Parent() != nil:
		s.to(n.Parent())
	case !out && s.view.Closed[n.ID]:
		delete(s.view.Closed, n.ID)
		s.relist(n.ID)
	case !out && len(n.Children) > 0 && s.cursor+1 < len(s.lines):
		s.cursor++
	}
}

// to moves the cursor to a node, and opens what hides it.
func (s *topologyScreen) to(n *diagram.Node) {
	s.model.Reveal(&s.view, n)
	s.relist(n.ID)
}

// filter goes to the next mode that something is in, and after the last to all.
func (s *topologyScreen) filter() {
	modes := []topology.Mode{""}
	for _, m := range topology.Modes() {
		if s.model.Counts.Modes[m] > 0 {
			modes = append(modes, m)
		}
	}
	i := slices.Index(modes, s.view.Mode)
	s.view.Mode = modes[(i+1)%len(modes)]
	at := s.lineID()
	if s.relist(at); s.lineID() != at {
		s.cursor = 0
	}
	s.toMatch()
}

func (s *topologyScreen) nextProblem() {
	problems := s.model.Problems()
	if len(problems) == 0 {
		return
	}
	i := slices.Index(problems, s.node())
	s.to(problems[(i+1)%len(problems)])
}

// change gives the component under the cursor the next mode that it can have.
// What was handed over for the mode before is kept.
func (s *topologyScreen) change() tea.Cmd {
	n := s.node()
	if n == nil || n.Component == "" {
		s.Say(Status{theme.NoSign, "This CA belongs to no component: move to one of those below it, then press m."})
		return nil
	}
	c := s.Flow.Topology().Component(n.Component)
	now := s.Flow.Choices()[n.Component].Mode
	modes := topology.Modes()
	for i := range modes {
		m := modes[(slices.Index(modes, now)+1+i)%len(modes)]
		if m == now || s.changeable(c.ID, m) != nil {
			continue
		}
		s.Say(s.changed(c, m))
		return s.Do(flow.SetMode{Component: c.ID, Mode: m})
	}
	s.Say(Status{theme.WarnSign, untrusted.Text(c.Title).Max(40) + " can be in no other mode as things stand: the Components step says why."})
	return nil
}

// changeable says why a component cannot have a mode. The key of a CA that is
// brought with its certificates can still be handed over, and is taken for granted.
func (s *topologyScreen) changeable(id topology.ComponentID, m topology.Mode) error {
	choices := s.Flow.Choices()
	for other, c := range choices {
		c.CAKey = c.CAKey || c.Mode == topology.BringCerts
		choices[other] = c
	}
	return s.Flow.Topology().Available(id, m, choices)
}

// changed says what a change of mode asks for.
func (s *topologyScreen) changed(c *topology.Component, m topology.Mode) Status {
	text := untrusted.Text(c.Title).Max(40) + " is set to " + m.Words() + "."
	missing := 0
	for _, slot := range s.Flow.Topology().Due(c.ID, m) {
		if !slot.Optional && s.Flow.Source(flow.Field{Slot: slot.ID, Part: flow.PartCert}).Empty() {
			missing++
		}
	}
	switch {
	case missing == 0:
		return Status{theme.GoodSign, text + " m again takes the next mode."}
	case m == topology.BringCA:
		return Status{theme.WarnSign, text + " Its CA is handed over in the CA step: press esc. Or m again."}
	}
	return Status{theme.WarnSign, text + " " + upper(count(missing, "certificate")) + " to hand over in the Certs step: press esc. Or m again."}
}

// JumpTo moves to the node that a blocker is about.
func (s *topologyScreen) JumpTo(b flow.Blocker) tea.Cmd {
	if s.refresh(); s.model == nil {
		s.goal = &b
		return nil
	}
	for _, id := range []string{string(b.Slot), b.Where} {
		if n := s.model.Node(id); n != nil {
			s.to(n)
			return nil
		}
	}
	for _, n := range s.model.Nodes() { // a blocker may name a component
		if string(n.Component) == b.Where {
			s.to(n)
			return nil
		}
	}
	return nil
}
