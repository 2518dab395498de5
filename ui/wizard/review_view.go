package wizard

import (
	"fmt"
	"slices"
	"strings"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

func (s *reviewScreen) View(w, h int) string {
	p, err := s.Flow.Prepared()
	if p == nil && s.forms.open { // it is made anew for the forms that are being chosen
		return block(append([]string{""}, indent(s.formRows(w-2))...), w, h)
	}
	if p == nil {
		return s.waiting(w, h, err)
	}
	s.sync() // the set may have come since the last key
	switch {
	case s.keys.open():
		return s.caKeysView(w, h)
	case s.full != nil:
		return s.fullView(w, h)
	}
	var head []string
	switch {
	case s.typing == dirField:
		l := s.Theme.Line().Plain(" ").Add(theme.Title, "Directory  ")
		s.dir.add(l, theme.Bold, w-l.Width()-2, true)
		head = append(head, l.Fit(w), "")
	case s.asked():
		head = append(append(head, s.confirmRow(w)), lead(h)...)
	}
	rest := h - len(head)
	if !roomy(w) {
		details := rest / 3
		if s.forms.open {
			details = (rest + 1) / 2
		}
		list := s.list(w-2, rest-details-1)
		lines := append(append(head, indent(list)...), "")
		for len(lines) < h-details {
			lines = append(lines, "")
		}
		return block(append(lines, indent(s.details(w-3))...), w, h)
	}
	right := max(30, min(w*2/5, 50), w-110)
	left := w - right
	files := box{title: s.summary(), foot: s.position(rest - 2), focus: s.typing == noField && !s.forms.open}.draw(s.Theme, s.list(inner(left), rest-2), left, rest)
	both := beside(files, box{title: s.detailTitle(), focus: s.forms.open}.draw(s.Theme, s.details(inner(right)), right, rest))
	if len(head) == 0 {
		return both
	}
	return above(block(head, w, len(head)), both)
}

func (s *reviewScreen) asked() bool {
	_, _, asked := s.Flow.Confirmation()
	return asked
}

// waiting is the body while the set is made, or could not be.
func (s *reviewScreen) waiting(w, h int, err error) string {
	th := s.Theme
	lines := []string{""}
	if err != nil {
		lines = append(lines, th.Line().Plain(" ").Sign(theme.BadSign).Add(theme.Bold, " The set could not be made").String(), "")
		for _, l := range wrap(untrusted.Text(err.Error()).Max(2000), w-6) {
			lines = append(lines, "   "+l)
		}
		return block(lines, w, h)
	}
	if _, busy := s.Flow.Preparing(); !busy {
		for _, b := range s.Flow.Blockers(flow.StepReview) {
			for i, l := range wrap(blockerText(s.Flow, b), w-6) {
				sign := theme.NoSign
				if i == 0 {
					sign = blockerSign(s.Flow, b)
				}
				lines = append(lines, th.Line().Plain(" ").Mark(sign).Plain(" "+l).String())
			}
		}
		return block(lines, w, h)
	}
	lines = append(lines, th.Line().Plain(" ").Add(theme.Bold, "Making the set in memory").String(), "")
	return block(append(lines, indent(s.progressLines(w-2, false))...), w, h)
}

func (s *reviewScreen) confirmRow(w int) string {
	want, typed, _ := s.Flow.Confirmation()
	l := s.Theme.Line().Plain(" ")
	if typed == want {
		l.Sign(theme.GoodSign)
	} else {
		l.Sign(theme.WarnSign)
	}
	l.Plain(" Type ").Add(theme.Bold, untrusted.Text(want).Max(40)).Plain(s.toDo())
	s.confirm.add(l, theme.Bold, max(8, min(40, w-l.Width()-2)), s.typing == confirmField)
	return l.Fit(w)
}

// toDo is what the confirmation is for.
func (s *reviewScreen) toDo() string {
	for _, c := range s.of.Survey.Changes {
		if c.What != flow.Added && c.What != flow.Same {
			return " to replace what is there:  "
		}
	}
	return " to write beside what is there:  "
}

// summary counts what happens to the files.
func (s *reviewScreen) summary() string {
	n := map[flow.What]int{}
	for _, c := range s.of.Survey.Changes {
		n[c.What] += c.Files()
	}
	out := count(s.of.Count(), "file")
	for _, w := range []flow.What{flow.Added, flow.Overwrite, flow.Same, flow.Remove, flow.Takeover, flow.Blocked} {
		if n[w] > 0 {
			out += " · " + number(n[w]) + " " + string(w)
		}
	}
	return out
}

// position says which rows of a long list are shown.
func (s *reviewScreen) position(h int) string {
	n := len(s.rows) + max(1, s.lead)
	if n <= h {
		return ""
	}
	return number(s.from+1) + "–" + number(min(n, s.from+h)) + " of " + number(n) + " rows"
}

// list is the tree in at most h rows, the destination first.
func (s *reviewScreen) list(w, h int) []string {
	th := s.Theme
	dir := untrusted.Text(s.of.Survey.Dir).Max(200)
	top := th.Line().Add(theme.Bold, th.CutMiddle(dir, w))
	var lines []string
	if there := s.of.Survey.Existing; there != "" && s.occupied() {
		if text := "there now: " + untrusted.Text(there).Max(200); top.Width()+3+cells(text) <= w {
			top.Add(theme.Faint, "   "+text)
		} else {
			for i, l := range wrap(text, w) {
				if i < 2 {
					lines = append(lines, th.Line().Add(theme.Faint, l).Fit(w))
				}
			}
		}
	}
	lines = append([]string{top.Fit(w)}, lines...)
	s.lead = len(lines)
	s.from = window(s.from, s.cursor, len(s.rows), h-s.lead)
	for i := s.from; i < min(len(s.rows), s.from+h-s.lead); i++ {
		lines = append(lines, s.row(s.rows[i], i == s.cursor && !s.forms.open, w))
	}
	return lines
}

// occupied says that the destination is not empty.
func (s *reviewScreen) occupied() bool {
	return s.of.Survey.Foreign || slices.ContainsFunc(s.of.Survey.Changes, func(c flow.Change) bool { return c.What != flow.Added })
}

func (s *reviewScreen) row(r fileRow, here bool, w int) string {
	th := s.Theme
	l := th.Line()
	s.start(l, here)
	l.Add(theme.Border, r.prefix)
	// A gap, the mode, the size where there is room, permissions, and what happens.
	tail := 1 + 2 + 5 + 10
	sized := w >= 54
	if sized {
		tail += 9
	}
	name := untrusted.Text(r.name).Max(200)
	room := max(8, w-l.Width()-tail)
	if r.dir != "" {
		name = th.Cut(name+"/", room)
		l.Add(theme.Named(here, theme.Bold), name)
		if r.folded { // the arrow is the key that unfolds it
			l.Add(theme.Faint, th.Cut("  → "+count(r.files, "file"), room-cells(name)))
		}
		if r.folded && r.what != "" {
			l.To(w-10).Add(whatRole(r.what), string(r.what))
		}
		return l.Fit(w)
	}
	c := r.change
	l.Col(theme.Named(here, theme.Plain), th.CutMiddle(name, room), room).Plain(" ")
	letter := s.letter(c.Slot)
	l.Col(theme.RoleOf(letter), letter, 2)
	if sized {
		size := untrusted.Size(c.Size)
		l.Add(theme.Faint, strings.Repeat(" ", max(0, 7-cells(size)))+size+"  ")
	}
	l.Add(theme.Faint, fmt.Sprintf("%04o ", c.Mode.Perm()))
	return l.Add(whatRole(c.What), string(c.What)).Fit(w)
}

// letter is the mode of the component that a slot belongs to.
func (s *reviewScreen) letter(id topology.SlotID) string {
	if id == "" {
		return " "
	}
	return s.of.Set.Modes[id.Component()].Letter()
}

func whatRole(w flow.What) theme.Role {
	switch w {
	case flow.Overwrite, flow.Remove, flow.Takeover, flow.Blocked:
		return theme.Bad
	case flow.Added:
		return theme.Good
	}
	return theme.Faint
}

func (s *reviewScreen) detailTitle() string {
	if s.forms.open {
		return "Forms"
	}
	if s.cursor >= len(s.rows) {
		return "Nothing"
	}
	return untrusted.Text(s.rows[s.cursor].name).Max(60)
}
