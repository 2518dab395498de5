package wizard

import (
	"strings"
	"time"

	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow/plan"
	"certwright/ui/theme"
)

func (s *profileScreen) View(w, h int) string {
	intro := append(append([]string{""}, indent(wrap(welcome, w-2))...), "")
	if w >= wideWidth && h >= 24 {
		rest := h - len(intro)
		left := w / 2
		head := append([]string{""}, s.filterRow(inner(left))...)
		b := box{title: "Profiles", focus: true}
		list := s.tall(inner(left), rest-2-len(head))
		if n := len(s.shown()); n > s.fits {
			b.foot = number(s.from+1) + "–" + number(min(n, s.from+s.fits)) + " of " + number(n)
		}
		title, about := "Nothing", []string{"", s.Theme.Render(theme.Faint, "nothing matches; esc shows all")}
		if e := s.entry(); e != nil {
			title, about = s.title(*e), append([]string{""}, s.tallDetails(*e, inner(w-left))...)
		}
		return above(block(intro, w, len(intro)), beside(b.draw(s.Theme, append(head, list...), left, rest), pane(s.Theme, title, about, w-left, rest)))
	}
	// Every profile is in sight before any detail of one is.
	const short, likely = " Nothing is written before the last step.", 1 + briefRows + 2
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
		lines = append(lines, s.Theme.Line().Plain("   ").Add(theme.Faint, number(s.from+1)+"–"+number(s.from+rows)+" of "+number(len(shown))).Fit(w))
	} else {
		lines = append(lines, "")
	}
	e := s.entry()
	if e == nil {
		return block(append(lines, s.Theme.Line().Plain("   ").Add(theme.Faint, "nothing matches; esc shows all").Fit(w)), w, h)
	}
	room := h - len(lines)
	if roomy(w) && room >= 5 {
		// As high whatever the cursor is on: nothing moves with it.
		rows := min(briefRows, room-2)
		if room-2 >= fullRows {
			rows = s.mostRows(inner(w - 2))
		}
		b := pane(s.Theme, s.title(*e), shortened(s.Theme, s.details(*e, inner(w-2), room-2), rows), w-2, rows+2)
		return block(append(lines, indent(strings.Split(b, "\n"))...), w, h)
	}
	d := s.details(*e, w-2, fullRows)
	if len(d) > room {
		d = s.details(*e, w-2, room)
	}
	return block(append(lines, indent(shortened(s.Theme, d, room))...), w, h)
}

// mostRows is how many rows the longest of the details has, as far as they were
// read, and at most as many as there is room for.
func (s *profileScreen) mostRows(w int) int {
	most := briefRows
	for _, e := range s.entries {
		most = max(most, len(s.details(e, w, fullRows)))
	}
	return min(most, fullRows)
}

//go:noinline // many callers, none of them hot
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
		l, here := s.Theme.Line(), i == s.cursor
		s.start(l, here)
		role := theme.Named(here, theme.Bold)
		if e.resume != nil {
			l.Col(role, "resume", name).Plain("   ").Plain(s.resumeWords(e.resume))
		} else if e.profile == nil {
			l.Col(role, s.title(e), name)
		} else {
			n := countsOf(e.topo)
			l.Col(role, s.title(e), name).Plain("   ").Col(theme.Plain, count(n.cas, "CA"), 8).
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
		l := s.Theme.Line()
		s.start(l, here)
		role := theme.Named(here, theme.Bold)
		summary := "answers of an earlier run, to go on with"
		if e.resume != nil {
			l.Add(role, "resume").Plain("   " + s.resumeWords(e.resume))
		} else if e.profile == nil {
			l.Add(role, s.title(e))
			summary = ""
		} else {
			n := countsOf(e.topo)
			l.Col(role, s.title(e), 20).Add(theme.Plain, count(n.cas, "CA")+"   "+count(n.leaves, "certificate"))
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

// The rows of details below the list: the summary, the CAs, the keys and some of
// what is asked for, or all of that.
const briefRows, fullRows = 4, 8

// details are what a profile makes and asks, computed from it. Where there are
// few rows, what it asks for is one of them.
func (s *profileScreen) details(e profileEntry, w, rows int) []string {
	if e.resume != nil || e.profile == nil {
		return s.tallDetails(e, w)
	}
	var cas []string
	for _, a := range e.topo.Authorities {
		cas = append(cas, strings.TrimSuffix(untrusted.Text(a.Title).Max(40), " CA"))
	}
	a := about{Theme: s.Theme, w: w, label: 11}
	a.rows = styled(s.Theme, theme.Plain, wrap(untrusted.Text(e.profile.Summary).String(), w))
	a.row("CAs", strings.Join(cas, " · "))
	a.row("keys", keyWords(e.profile))
	asks := strings.Join(factTitles(e.profile), ", ")
	if rows < fullRows {
		asks = namesIn(factTitles(e.profile), w-11)
	}
	a.row("asks for", asks)
	return a.rows
}

// tallDetails are all that is said of a profile.
func (s *profileScreen) tallDetails(e profileEntry, w int) []string {
	if e.resume != nil {
		return styled(s.Theme, theme.Plain, wrap("Reads the answers of an earlier run and goes to the first step that still has something to ask.", w))
	}
	if e.profile == nil {
		return nil
	}
	a := about{Theme: s.Theme, w: w, label: 11}
	for i, authority := range e.topo.Authorities {
		a.row(first(i, "CAs"), untrusted.Text(authority.Title).Max(40))
	}
	a.rows = append(a.rows, "")
	n := 0
	for _, slot := range e.topo.Slots {
		if slot.Kind == topology.Leaf {
			a.rows = append(a.rows, s.Theme.Line().Col(theme.Faint, first(n, "leaves"), 11).Col(theme.Plain, untrusted.Text(slot.Title).Max(60), max(10, min(26, w-28))).Plain(" ").Add(theme.Faint, usageWords(&slot)).String())
			n++
		}
	}
	a.rows = append(a.rows, "")
	a.row("writes", count(countsOf(e.topo).files, "file")+" of the set, in the forms "+strings.Join(e.profile.Layouts, ", "))
	a.row("keys", keyWords(e.profile))
	a.rows = append(a.rows, "")
	a.row("asks for", strings.Join(factTitles(e.profile), ", "))
	return a.rows
}

// keyWords are the keys that a profile's plan has, and how long its certificates last.
func keyWords(p *topology.Profile) string {
	def := plan.Default(p)
	return issue.Algorithm(def.Keys.Algorithm).Words() + " · CA " + def.Validity.CA.Words() + " · leaf " + def.Validity.Leaf.Words()
}

func factTitles(p *topology.Profile) []string {
	var out []string
	for _, f := range p.Facts {
		out = append(out, untrusted.Text(f.Title).Max(40))
	}
	return out
}

// namesIn lists as many names as fit into one row, and counts the others.
func namesIn(names []string, w int) string {
	for n := len(names); n > 0; n-- {
		text := strings.Join(names[:n], ", ")
		if n < len(names) {
			text += ", " + number(len(names)-n) + " more"
		}
		if cells(text) <= w {
			return text
		}
	}
	return count(len(names), "answer")
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
