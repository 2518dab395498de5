package wizard

import (
	"certwright/certs/untrusted"
	"certwright/ui/theme"
)

// title is the folder that is shown.
func (p *picker) title() string { return untrusted.Text(p.places().short(p.dir)).String() }

// foot is how much of it there is.
func (p *picker) foot() string {
	switch {
	case p.reading:
		return "reading"
	case p.list == nil:
		return ""
	case p.list.cut:
		return "the first " + number(pickerMaxEntries) + " only: t types a path"
	}
	var shown []int
	for _, i := range p.rows {
		if i >= 0 {
			shown = append(shown, i)
		}
	}
	return p.list.total(shown)
}

// lines are the rows that are in view, h of them at most, each w cells wide.
func (p *picker) lines(w, h int) []string {
	th := p.Theme
	var out []string
	if p.finding || p.filter.Value() != "" {
		line := th.Line().Add(theme.Key, "/ ")
		p.filter.add(line, theme.Plain, w-2, p.finding)
		out = append(out, line.Fit(w))
		h--
	}
	if p.list != nil && p.list.err != nil {
		for _, l := range wrap("this folder "+reason(p.list.err), w-2) {
			out = append(out, th.Line().Add(theme.Bad, "  "+l).Fit(w))
			h--
		}
	}
	if h <= 0 {
		return out
	}
	p.from = window(p.from, p.cursor, len(p.rows), h)
	for n := p.from; n < min(p.from+h, len(p.rows)); n++ {
		out = append(out, p.row(n, w))
	}
	if n := len(p.rows); (n == 0 || p.rows[n-1] < 0) && (p.list == nil || p.list.err == nil) {
		out = append(out, th.Line().Add(theme.Faint, "  "+p.emptyText()).Fit(w))
	}
	return out
}

func (p *picker) emptyText() string {
	switch {
	case p.list == nil || p.reading:
		return "reading"
	case p.filter.Value() != "":
		return "no name has " + untrusted.Text(p.filter.Value()).String()
	case len(p.list.entries) > 0:
		return "only hidden files: . shows them"
	}
	return "empty"
}

func (p *picker) row(n, w int) string {
	th := p.Theme
	line, here := th.Line(), n == p.cursor
	if here {
		line.Sign(theme.CursorSign).Plain(" ")
	} else {
		line.Plain("  ")
	}
	switch p.rows[n] {
	case aboveRow:
		return line.Add(theme.Named(here, theme.Plain), "..").Fit(w)
	case hereRow:
		return line.Add(theme.Named(here, theme.Bold), "take this folder").Fit(w)
	}
	e := &p.list.entries[p.rows[n]]
	name, role, right := untrusted.Text(e.name).String(), theme.Plain, ""
	switch e.kind {
	case dirEntry:
		name += "/"
	case fileEntry:
		right = shortSize(e.size)
	default:
		role, right = theme.Faint, e.what
	}
	if e.link != "" && e.kind != lostEntry {
		name += " → " + untrusted.Text(e.link).Max(80)
	}
	if e.name == p.likely {
		right = "looks right  " + right
	}
	room := w - line.Width() - len(right) - 1
	if room < 8 {
		room, right = w-line.Width(), ""
	}
	line.Col(theme.Named(here, role), th.CutMiddle(name, room), room)
	if right != "" {
		line.Plain(" ").Add(theme.Faint, right)
	}
	return line.Fit(w)
}
