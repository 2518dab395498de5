package wizard

import (
	"strings"

	"certwright/certs/topology"
	"certwright/ui/diagram"
	"certwright/ui/theme"
)

// tall is the body from which on the calls have a pane of their own below.
const tall = 24

// threePanes says whether the tree, the details and the calls fit at once.
func (s *topologyScreen) threePanes() bool { return s.w >= wideWidth && s.h >= tall }

func (s *topologyScreen) View(w, h int) string {
	s.w, s.h = w, h
	s.refresh()
	switch {
	case s.model == nil:
		return s.waiting(w, h)
	case s.export != nil:
		prompt := block(s.export.lines("Export the topology to a file", w), w, 3)
		p := s.export
		s.export = nil
		rest := s.View(w, h-3) // the prompt stands above what is exported
		s.export, s.h = p, h
		return above(prompt, rest)
	case s.full:
		return s.fullView(w, h)
	case s.threePanes():
		calls := s.callRows(inner(w), 0)
		below := min(len(calls)+2, h/2-1)
		left := min(w*54/100, 92)
		return above(
			beside(s.tree(left, h-below), s.details(w-left, h-below)),
			s.callPane(w, below),
		)
	case roomy(w):
		left := max(46, w*56/100)
		if s.calls {
			return beside(s.tree(left, h), s.callPane(w-left, h))
		}
		return beside(s.tree(left, h), s.details(w-left, h))
	}
	return s.narrow(w, h)
}

// draw turns rows of the diagram into lines of the theme.
func (s *topologyScreen) draw(rows []diagram.Row, w int) []string {
	out := make([]string, 0, len(rows))
	for _, r := range rows {
		l := s.Theme.Line()
		for _, seg := range r.Segments {
			l.Add(seg.Role, seg.Text)
		}
		out = append(out, l.Fit(w))
	}
	return out
}

// treeLines draws the window of the tree in at most h lines.
func (s *topologyScreen) treeLines(w, h int) []string {
	var lines []string
	if s.find != nil || s.view.Find != "" {
		l := s.Theme.Line().Add(theme.Key, "/ ")
		if s.find != nil {
			s.find.add(l, theme.Plain, max(8, w-14), true)
		} else {
			l.Col(theme.Plain, s.Theme.Cut(printable(s.view.Find), w-14), max(8, w-14))
		}
		n := 0
		for _, line := range s.lines {
			if !line.Aside() {
				n++
			}
		}
		lines = append(lines, l.Add(theme.Faint, " "+number(n)+" found").Fit(w))
	}
	room := h - len(lines)
	s.from = window(s.from, s.cursor, len(s.lines), room)
	rows := diagram.Rows(s.lines, diagram.RowOptions{Width: w, Top: s.from, Height: max(1, room), Cursor: s.cursor, ASCII: s.Theme.ASCII()})
	return append(lines, s.draw(rows, w)...)
}

// printable is text that a person typed, without what a terminal acts on.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, text)
}

func (s *topologyScreen) tree(w, h int) string {
	b := box{title: "Topology " + s.Theme.Border().Separator + " " + s.model.Heading(), focus: true}
	lines := s.treeLines(inner(w), h-2)
	if room := h - 2 - len(lines); room >= 3 {
		lines = append(lines, "", s.legend(inner(w)))
	}
	switch {
	case s.view.Mode != "":
		b.foot = "only " + s.view.Mode.Words() + ", f for the next"
	case len(s.lines) > h-2:
		b.foot = number(s.from+1) + "–" + number(min(len(s.lines), s.from+h-2)) + " of " + number(len(s.lines)) + " rows"
	}
	return b.draw(s.Theme, lines, w, h)
}

// legend counts the certificates of each mode, by its letter alone where the
// words do not fit.
func (s *topologyScreen) legend(w int) string {
	for _, words := range []bool{true, false} {
		l := s.Theme.Line()
		for _, m := range topology.Modes() {
			n := s.model.Counts.Modes[m]
			if n == 0 {
				continue
			}
			if l.Width() > 0 {
				l.Plain("   ")
			}
			l.Add(theme.RoleOf(m.Letter()), m.Letter())
			if words {
				l.Add(theme.Faint, " "+m.Words())
			}
			l.Add(theme.Faint, " "+number(n))
		}
		if l.Width() <= w {
			return l.String()
		}
	}
	return ""
}

func (s *topologyScreen) details(w, h int) string {
	n := s.node()
	if n == nil {
		return pane(s.Theme, "Details", []string{s.Theme.Render(theme.Faint, "nothing matches")}, w, h)
	}
	rows := diagram.Details(n, inner(w), s.Theme.ASCII())
	b := box{title: n.Title}
	if len(rows) > h-2 {
		rows = rows[:h-2]
		b.foot = "i for all"
	}
	return b.draw(s.Theme, s.draw(rows, inner(w)), w, h)
}

func (s *topologyScreen) callRows(w, h int) []diagram.Row {
	return diagram.CallRows(s.model, diagram.CallOptions{Width: w, Height: h, Node: s.node(), ASCII: s.Theme.ASCII()})
}

func (s *topologyScreen) callPane(w, h int) string {
	b := box{title: "Who calls whom"}
	b.foot = s.model.ProofWords()
	return b.draw(s.Theme, s.draw(s.callRows(inner(w), h-2), inner(w)), w, h)
}

// narrow is the tree alone, with two lines about the node under the cursor.
func (s *topologyScreen) narrow(w, h int) string {
	if s.calls {
		head := s.Theme.Line().Plain(" ").Add(theme.Title, "Who calls whom").Add(theme.Faint, "   "+s.model.ProofWords()).Fit(w)
		return block(append([]string{head}, indent(s.draw(s.callRows(w-2, h-1), w-2))...), w, h)
	}
	lines := s.treeLines(w-1, h-3)
	for len(lines) < h-3 {
		lines = append(lines, "")
	}
	lines = append(lines, "")
	lines = append(lines, s.draw(diagram.Brief(s.node(), w-2, s.Theme.ASCII()), w-2)...)
	for i := range lines {
		if i >= len(lines)-2 {
			lines[i] = " " + lines[i]
		}
	}
	return block(lines, w, h)
}

// fullRows is everything that is known of the node under the cursor.
func (s *topologyScreen) fullRows() []diagram.Row {
	return diagram.Details(s.node(), min(inner(s.w), 100), s.Theme.ASCII())
}

// fullView is everything that is known of one node, with scrolling.
func (s *topologyScreen) fullView(w, h int) string {
	n := s.node()
	if n == nil {
		s.full = false
		return block(nil, w, h)
	}
	rows := s.fullRows()
	s.scroll = max(0, min(s.scroll, len(rows)-(h-2)))
	b := box{title: n.Title, focus: true}
	if len(rows) > h-2 {
		b.foot = number(s.scroll+1) + "–" + number(min(len(rows), s.scroll+h-2)) + " of " + number(len(rows)) + " rows"
	}
	return b.draw(s.Theme, s.draw(rows[s.scroll:], inner(w)), w, h)
}
