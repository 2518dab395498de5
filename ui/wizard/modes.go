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

var _ = register(flow.StepModes, newModes)

// modesScreen asks, for each component, where its certificates come from.
type modesScreen struct {
	*Env
	cursor int
	from   int
	undo   []map[topology.ComponentID]topology.Mode
}

var (
	keyMove   = bind("↑/↓", "move", "up", "down", "k", "j", "home", "end", "pgup", "pgdown")
	keyMode   = bind("←/→ g c b", "mode", "left", "right", "h", "l", "g", "c", "b")
	keyAll    = bind("*", "set all", "*")
	keyMiddle = bind("i", "intermediate", "i")
	keyUndo   = bind("u", "undo", "u")
)

func newModes(e *Env) Screen { return &modesScreen{Env: e} }

func (s *modesScreen) Open() tea.Cmd {
	s.undo = nil
	s.cursor = max(0, min(s.cursor, len(s.components())-1))
	return nil
}

func (s *modesScreen) Typing() bool { return false }
func (s *modesScreen) Back() bool   { return false }

func (s *modesScreen) components() []topology.Component { return s.Flow.Topology().Components }

func (s *modesScreen) current() topology.Component { return s.components()[s.cursor] }

func (s *modesScreen) mode(id topology.ComponentID) topology.Mode { return s.Flow.Choices()[id].Mode }

func (s *modesScreen) Keys() []key.Binding {
	keys := []key.Binding{keyMode}
	if len(s.components()) > 1 {
		keys = []key.Binding{keyMove, keyMode}
	}
	keys = append(keys, keyNext)
	if c := s.current(); s.mode(c.ID) == topology.BringCA {
		keys = append(keys, keyMiddle)
	}
	if len(s.components()) > 1 {
		keys = append(keys, keyAll)
	}
	if len(s.undo) > 0 {
		keys = append(keys, keyUndo)
	}
	return keys
}

func (s *modesScreen) Update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyMsg)
	if !ok || k.Paste {
		return nil
	}
	c := s.current()
	switch {
	case key.Matches(k, keyNext):
		return s.Do(flow.Next{})
	case key.Matches(k, keyMove):
		s.cursor = moved(k, s.cursor, len(s.components()), 5)
	case key.Matches(k, keyMode):
		return s.set(c, k.String())
	case key.Matches(k, keyAll):
		return s.all(s.mode(c.ID))
	case key.Matches(k, keyMiddle) && s.mode(c.ID) == topology.BringCA:
		return s.Do(flow.SetIntermediate{Component: c.ID, On: !s.Flow.Choices()[c.ID].Intermediate})
	case key.Matches(k, keyUndo) && len(s.undo) > 0:
		last := s.undo[len(s.undo)-1]
		s.undo = s.undo[:len(s.undo)-1]
		var cmds []tea.Cmd
		for id, m := range last {
			cmds = append(cmds, s.Do(flow.SetMode{Component: id, Mode: m}))
		}
		return tea.Batch(cmds...)
	}
	return nil
}

// set gives the component the mode that a key names, or the next one that it
// can have in that direction.
func (s *modesScreen) set(c topology.Component, pressed string) tea.Cmd {
	modes := topology.Modes()
	i := slices.Index(modes, s.mode(c.ID))
	step := 0
	switch pressed {
	case "left", "h":
		step = -1
	case "right", "l":
		step = 1
	}
	if step == 0 {
		i = slices.IndexFunc(modes, func(m topology.Mode) bool { return strings.EqualFold(m.Letter(), pressed) })
		return s.choose(c, modes[i])
	}
	var why error
	for i += step; i >= 0 && i < len(modes); i += step {
		err := s.unavailable(c.ID, modes[i])
		if err == nil {
			return s.choose(c, modes[i])
		}
		why = err
	}
	if why != nil {
		s.refuse(why)
	}
	return nil
}

func (s *modesScreen) choose(c topology.Component, m topology.Mode) tea.Cmd {
	if err := s.unavailable(c.ID, m); err != nil {
		s.refuse(err)
		return nil
	}
	if s.mode(c.ID) == m {
		return nil
	}
	s.remember()
	return s.Do(flow.SetMode{Component: c.ID, Mode: m})
}

func (s *modesScreen) refuse(err error) {
	s.Say(Status{theme.BadSign, upperFix(err.Error())})
}

// upperFix makes two sentences of "what; fix".
func upperFix(text string) string {
	what, fix, _ := strings.Cut(text, "; ")
	return sentence(what, fix)
}

// all gives every component that can have it the mode of the current one: the
// owners of CAs first, because others depend on them.
func (s *modesScreen) all(m topology.Mode) tea.Cmd {
	s.remember()
	var cmds []tea.Cmd
	left := 0
	for _, owners := range []bool{true, false} {
		for _, c := range s.components() {
			if c.OwnsCA != owners || s.mode(c.ID) == m {
				continue
			}
			if s.unavailable(c.ID, m) != nil {
				left++
				continue
			}
			cmds = append(cmds, s.Do(flow.SetMode{Component: c.ID, Mode: m}))
		}
	}
	said := "every component is set to " + m.Words()
	if left > 0 {
		said = "set to " + m.Words() + ", but for " + count(left, "component") + " that cannot be"
	}
	s.Say(Status{theme.GoodSign, said + ". u takes it back."})
	return tea.Batch(cmds...)
}

// remember keeps the modes as they are, for undo.
func (s *modesScreen) remember() {
	modes := map[topology.ComponentID]topology.Mode{}
	for id, c := range s.Flow.Choices() {
		modes[id] = c.Mode
	}
	s.undo = append(s.undo, modes)
}

// unavailable says why a component cannot have a mode. The key of a CA that is
// brought with its certificates is asked for later, and taken for granted here.
func (s *modesScreen) unavailable(id topology.ComponentID, m topology.Mode) error {
	choices := s.Flow.Choices()
	for other, c := range choices {
		c.CAKey = c.CAKey || c.Mode == topology.BringCerts
		choices[other] = c
	}
	return s.Flow.Topology().Available(id, m, choices)
}

// JumpTo moves to the component that a blocker is about.
func (s *modesScreen) JumpTo(b flow.Blocker) tea.Cmd {
	for i, c := range s.components() {
		if string(c.ID) == b.Where {
			s.cursor = i
		}
	}
	return nil
}

func (s *modesScreen) Status() Status {
	due, cas, certs := 0, 0, 0
	for _, m := range []topology.Mode{topology.BringCA, topology.BringCerts} {
		for _, slot := range s.Flow.Due(m) {
			switch {
			case slot.Optional:
				continue
			case s.Flow.Verdict(slot.ID).OK():
			case m == topology.BringCA:
				cas++
			default:
				certs++
			}
			due++
		}
	}
	asks := slices.ContainsFunc(s.Flow.Topology().Components, func(c topology.Component) bool { _, asks := s.Flow.StepCA(c.ID); return asks })
	switch {
	case due == 0 && asks:
		return Status{theme.GoodSign, "Nothing more is asked for: what is not made here, a CA over the network signs."}
	case due == 0:
		return Status{theme.GoodSign, "Everything is made here: nothing more is asked for."}
	case cas+certs == 0:
		return Status{theme.GoodSign, "Everything that is asked for was given and checked."}
	case certs == 0:
		return Status{Text: count(cas, "CA") + " to hand over: you are asked in the next step."}
	case cas == 0:
		return Status{Text: count(certs, "certificate") + " to hand over: you are asked in the next step."}
	}
	return Status{Text: count(cas, "CA") + " and " + count(certs, "certificate") + " to hand over: you are asked in the next two steps."}
}
