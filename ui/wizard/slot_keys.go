package wizard

import (
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/ui/theme"
)

// Keys of the list of fields and of the verdict beside it.
var slotKeys = struct {
	up, down, top, bottom, enter, choose, paste, typed, clear, secret key.Binding
	fill, problem, generate, bringCA, bringCerts, own, pane           key.Binding
	scroll, scrollDown, page, pageDown, list, copy, elsewhere         key.Binding
}{
	up:         bind("↑/↓", "field", "up", "k"),
	down:       bindSilent("down", "j"),
	top:        bindSilent("home"),
	bottom:     bindSilent("end"),
	enter:      bindSilent("enter"), // its help says what it does now
	choose:     bind("o", "choose a file", "o"),
	paste:      bind("p", "paste", "p"),
	typed:      bind("t", "type path", "t"),
	clear:      bind("x", "clear", "x", "delete"),
	secret:     bind("e", "passphrase", "e"),
	fill:       bind("d", "fill from a folder", "d"),
	problem:    bind("n", "next problem", "n"),
	generate:   bind("g", "generate instead", "g"),
	bringCA:    bind("c", "bring CA instead", "c"),
	bringCerts: bind("b", "bring certs instead", "b"),
	own:        bind("i", "own intermediate", "i", " "),
	elsewhere:  bind("s", "sign elsewhere", "s"),
	pane:       bind("tab", "pane", "tab"),
	scroll:     bind("↑/↓", "scroll", "up", "k"),
	scrollDown: bindSilent("down", "j"),
	page:       bind("pgup/pgdn", "page", "pgup"),
	pageDown:   bindSilent("pgdown"),
	list:       bind("tab", "pane", "tab"),
	copy:       bind("y", "copy the fix", "y"),
}

// enterDoes is what enter does on the row under the cursor.
type enterDoes string

const (
	enterNext    enterDoes = "next"
	enterChoose  enterDoes = "choose"
	enterSecret  enterDoes = "passphrase"
	enterVerdict enterDoes = "details"
	enterProblem enterDoes = "next problem"
)

func (s *slotScreen) enter() enterDoes {
	rows := s.rows()
	i := s.selected(rows)
	switch {
	case i < 0 || !s.blocked():
		return enterNext
	case rows[i].kind != fieldRow:
		return enterProblem
	}
	f := rows[i].field
	switch {
	case s.wantsSecret(f):
		return enterSecret
	case s.missing(f):
		return enterChoose
	case s.narrow && s.focus == onList && s.sign(f) == theme.BadSign:
		return enterVerdict
	case s.sign(f) == theme.BadSign && s.firstBlocker() == f.Slot:
		return enterChoose
	}
	return enterProblem
}

func (s *slotScreen) firstBlocker() topology.SlotID {
	b, _ := s.Flow.Worst(s.step)
	return b.Slot
}

// wantsSecret says that the field's key waits for its passphrase.
func (s *slotScreen) wantsSecret(f flow.Field) bool {
	if !s.Flow.Verdict(f.Slot).NeedsPassphrase {
		return false
	}
	key := s.Flow.Source(flow.Field{Slot: f.Slot, Part: flow.PartKey})
	return f.Part == flow.PartKey && !key.Empty() || f.Part == flow.PartCert && key.Empty()
}

// Keys are the bindings that work now.
func (s *slotScreen) Keys() []key.Binding {
	k := slotKeys
	switch s.focus {
	case onPicker:
		return s.picker.keys()
	case onPaste:
		return s.paste.keys()
	case onPath:
		return s.path.keys()
	case onSecret:
		return s.secret.keys()
	case onFilled:
		return s.filled.keys()
	case onVerdict:
		out := []key.Binding{k.scroll, k.scrollDown, k.page, k.pageDown, s.enterKey(), k.list}
		if s.fix() != "" {
			out = append(out, k.copy)
		}
		return out
	}
	out := []key.Binding{k.up, k.down, s.enterKey()}
	rows := s.rows()
	i := s.selected(rows)
	if i < 0 {
		return []key.Binding{s.enterKey()}
	}
	if f, ok := s.field(); ok && rows[i].kind == fieldRow {
		if s.enter() != enterChoose {
			out = append(out, k.choose)
		}
		out = append(out, k.paste, k.typed)
		if s.Flow.Verdict(f.Slot).NeedsPassphrase {
			out = append(out, k.secret)
		}
	}
	if s.mode == topology.BringCA {
		out = append(out, k.own)
		if s.Flow.CanBeElsewhere(rows[i].comp) {
			out = append(out, k.elsewhere)
		}
	}
	out = append(out, k.fill)
	if s.problem() != s.at {
		out = append(out, k.problem)
	}
	if rows[i].kind == fieldRow && !s.Flow.Source(rows[i].field).Empty() {
		out = append(out, k.clear)
	}
	for _, m := range s.otherModes(rows[i].comp) {
		out = append(out, modeKey(m))
	}
	if s.fix() != "" {
		out = append(out, k.copy)
	}
	out = append(out, k.pane)
	if len(rows) > s.tall {
		out = append(out, k.page)
	}
	return append(out, k.pageDown, k.top, k.bottom)
}

func (s *slotScreen) enterKey() key.Binding {
	b := slotKeys.enter
	b.SetHelp("enter", string(s.enter()))
	return b
}

func modeKey(m topology.Mode) key.Binding {
	switch m {
	case topology.BringCA:
		return slotKeys.bringCA
	case topology.BringCerts:
		return slotKeys.bringCerts
	}
	return slotKeys.generate
}

// otherModes are the modes that the component offers besides this one.
func (s *slotScreen) otherModes(id topology.ComponentID) []topology.Mode {
	c := s.Flow.Topology().Component(id)
	if c == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.Modes()), func(m topology.Mode) bool { return m == s.mode })
}

func (s *slotScreen) listKey(msg tea.KeyMsg) tea.Cmd {
	k := slotKeys
	rows := s.rows()
	i := s.selected(rows)
	if key.Matches(msg, k.enter) {
		return s.pressEnter()
	}
	if i < 0 {
		return nil
	}
	if key.Matches(msg, k.copy) {
		return s.copyFix()
	}
	if s.focus == onVerdict {
		s.scrollKey(msg)
		return nil
	}
	switch {
	case key.Matches(msg, k.up):
		s.move(-1)
	case key.Matches(msg, k.down):
		s.move(1)
	case key.Matches(msg, k.page):
		s.move(-max(2, s.tall-1))
	case key.Matches(msg, k.pageDown):
		s.move(max(2, s.tall-1))
	case key.Matches(msg, k.top):
		s.move(-len(rows))
	case key.Matches(msg, k.bottom):
		s.move(len(rows))
	case key.Matches(msg, k.pane):
		s.focus, s.scroll = onVerdict, 0
	case key.Matches(msg, k.problem):
		s.goTo(s.problem())
	case key.Matches(msg, k.fill):
		return s.pickFolder()
	case key.Matches(msg, k.elsewhere) && s.mode == topology.BringCA && s.Flow.CanBeElsewhere(rows[i].comp):
		return s.toggleElsewhere(rows[i].comp)
	case key.Matches(msg, k.own) && s.mode == topology.BringCA:
		return s.toggleOwn(rows[i].comp)
	default:
		for _, m := range s.otherModes(rows[i].comp) {
			if key.Matches(msg, modeKey(m)) {
				return s.setMode(rows[i].comp, m)
			}
		}
		if rows[i].kind == fieldRow {
			return s.fieldKey(msg, rows[i].field)
		}
	}
	return nil
}

// fieldKey takes the keys that need a field.
func (s *slotScreen) fieldKey(msg tea.KeyMsg, f flow.Field) tea.Cmd {
	k := slotKeys
	switch {
	case key.Matches(msg, k.choose):
		return s.pick(f)
	case key.Matches(msg, k.paste):
		s.startPaste(f)
	case key.Matches(msg, k.typed):
		s.startPath(f, "", false)
	case key.Matches(msg, k.secret) && s.Flow.Verdict(f.Slot).NeedsPassphrase:
		s.startSecret(f)
	case key.Matches(msg, k.clear) && !s.Flow.Source(f).Empty():
		return s.Do(flow.SetSource{Field: f})
	}
	return nil
}

func (s *slotScreen) scrollKey(msg tea.KeyMsg) {
	k := slotKeys
	switch {
	case key.Matches(msg, k.scroll):
		s.scroll--
	case key.Matches(msg, k.scrollDown):
		s.scroll++
	case key.Matches(msg, k.page):
		s.scroll -= 10
	case key.Matches(msg, k.pageDown):
		s.scroll += 10
	case key.Matches(msg, k.list):
		s.focus = onList
	}
	s.scroll = max(0, min(s.scroll, s.deep))
}

func (s *slotScreen) pressEnter() tea.Cmd {
	f, ok := s.field()
	does := s.enter()
	if s.focus == onVerdict && does != enterNext && does != enterSecret {
		s.focus = onList
		does = s.enter()
		if s.narrow && does == enterVerdict {
			does = enterProblem // seen already
		}
	}
	switch {
	case does == enterChoose && ok:
		return s.pick(f)
	case does == enterSecret && ok:
		s.startSecret(f)
		return nil
	case does == enterVerdict:
		s.focus, s.scroll = onVerdict, 0
		return nil
	}
	return s.Do(flow.Next{}) // refused, it leads to the first blocker
}

// fix is what mends the worst finding of the slot under the cursor: the command
// alone, where it is one.
func (s *slotScreen) fix() string {
	f, ok := s.field()
	if !ok {
		return ""
	}
	for _, finding := range sortedFindings(s.Flow.Verdict(f.Slot).Findings) {
		if finding.Fix == "" || finding.Severity == check.Info {
			continue
		}
		if _, command, found := strings.Cut(finding.Fix, "$ "); found {
			return command
		}
		return finding.Fix
	}
	return ""
}

func (s *slotScreen) copyFix() tea.Cmd {
	text := s.fix()
	if text == "" {
		return nil
	}
	s.Say(Status{theme.GoodSign, "copied: " + text})
	return s.Copy(text)
}

// toggleOwn asks for an intermediate of our own under the CA, or no longer.
func (s *slotScreen) toggleOwn(id topology.ComponentID) tea.Cmd {
	on := !s.Flow.Choices()[id].Intermediate
	return s.Do(flow.SetIntermediate{Component: id, On: on})
}

// toggleElsewhere says that the key of a CA is not here, or that it is to come.
func (s *slotScreen) toggleElsewhere(id topology.ComponentID) tea.Cmd {
	on := !s.Flow.KeyElsewhere(id)
	cmd := s.Do(flow.SetElsewhere{Component: id, On: on})
	text := "the key of this CA is to be given after all"
	if on {
		text = "the key of this CA is elsewhere: signing requests are written in place of the set, and the set when they come back signed"
	}
	s.Say(Status{theme.NoSign, text})
	return cmd
}

// setMode takes a component out of this step.
func (s *slotScreen) setMode(id topology.ComponentID, m topology.Mode) tea.Cmd {
	if err := s.Flow.Unavailable(id, m); err != nil {
		s.Say(Status{theme.BadSign, err.Error()})
		return nil
	}
	rows := s.rows()
	i := s.selected(rows)
	cmd := s.Do(flow.SetMode{Component: id, Mode: m})
	title := string(id)
	if c := s.Flow.Topology().Component(id); c != nil {
		title = c.Title
	}
	left := s.rows()
	if len(left) == 0 { // this step asks for nothing any more: back to where modes are shown
		return tea.Batch(cmd, s.Do(flow.Back{}))
	}
	s.Say(Status{theme.NoSign, title + " is set to " + m.Words() + ". What you gave is kept, should you change it back."})
	if !slices.Contains(left, s.at) {
		s.goTo(left[min(i, len(left)-1)])
		s.move(0)
	}
	return cmd
}
