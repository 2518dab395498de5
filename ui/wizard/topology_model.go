package wizard

import (
	"slices"

	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/topology"
	"certwright/flow"
	"certwright/ui/diagram"
	"certwright/ui/theme"
)

// topologyModel is what the screen draws, and of which answers it was made.
type topologyModel struct {
	model *diagram.Model
	known topologyStamp // what the model was made of
	begun bool
	// making says that one is being made in a command, and turn which one: what
	// comes of an older turn is dropped.
	making bool
	turn   int
	goal   *flow.Blocker // to move to when the model is there
}

// topologyStamp tells states of the flow apart as far as this screen shows them.
type topologyStamp struct {
	of          *topology.Topology
	changes     int
	busy, prove bool
}

// topologyMsg is a model that was made in a command.
type topologyMsg struct {
	turn  int
	stamp topologyStamp
	model *diagram.Model
}

// slow says that the model takes longer to make than a frame. Of nodes that are
// made here there is an outline; ten thousand that somebody brings certificates
// for have two slots each.
func (s *topologyScreen) slow() bool { return len(s.Flow.Topology().Slots) > slowFrom }

func (s *topologyScreen) stamp() topologyStamp {
	progress, busy := s.Flow.Preparing()
	return topologyStamp{s.Flow.Topology(), s.Flow.Changes(), busy, progress.Stage == "prove"}
}

// reopen has the model made anew. One that takes long, of the same slots, is
// shown until there is another.
func (s *topologyScreen) reopen() {
	s.turn++
	s.making = false
	if !s.slow() || s.known.of != s.Flow.Topology() {
		s.model = nil
	}
	s.refresh()
}

// refresh makes the model anew when what it shows has changed, unless Make does.
func (s *topologyScreen) refresh() {
	now := s.stamp()
	if now == s.known && s.model != nil || s.slow() {
		return
	}
	s.show(now, diagram.New(diagram.FromState(s.Flow, s.Now())))
}

// Make makes a model that takes long.
func (s *topologyScreen) Make(int) tea.Cmd {
	now := s.stamp()
	if s.making || !s.slow() || now == s.known && s.model != nil {
		return nil
	}
	s.making = true
	turn, in := s.turn, diagram.FromState(s.Flow, s.Now())
	return func() tea.Msg { return topologyMsg{turn, now, diagram.New(in)} }
}

// drawn takes a model that was made in a command.
func (s *topologyScreen) drawn(m topologyMsg) tea.Cmd {
	if m.turn != s.turn {
		return nil
	}
	s.making = false
	s.show(m.stamp, m.model)
	goal := s.goal
	if s.goal = nil; goal == nil {
		return nil
	}
	return s.JumpTo(*goal)
}

// show draws another model from here on.
func (s *topologyScreen) show(stamp topologyStamp, m *diagram.Model) {
	at := s.lineID()
	s.known, s.model = stamp, m
	if !s.begun {
		s.view = s.model.Start(max(s.h, minHeight))
		s.begun = s.h > 0
	}
	s.relist(at)
}

func (s *topologyScreen) lineID() string {
	if s.cursor < len(s.lines) {
		return s.lines[s.cursor].ID()
	}
	return ""
}

// relist makes the visible lines anew and keeps the cursor on its line.
func (s *topologyScreen) relist(id string) {
	s.lines = s.model.Lines(s.view)
	if i := slices.IndexFunc(s.lines, func(l diagram.Line) bool { return l.ID() == id }); i >= 0 {
		s.cursor = i
	}
	s.cursor = max(0, min(s.cursor, len(s.lines)-1))
}

// waiting is what is shown until there is a model.
func (s *topologyScreen) waiting(w, h int) string {
	l := s.Theme.Line().Sign(theme.BusySign).Plain(" drawing who signs whom and who calls whom")
	if !roomy(w) {
		return block([]string{" " + l.Fit(w-1)}, w, h)
	}
	return box{title: "Topology", focus: true}.draw(s.Theme, []string{l.Fit(inner(w))}, w, h)
}
