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
		d := s.details(*e, inner(w-2), false)
		b := pane(s.Theme, s.title(*e), shortened(s.Theme, d, room-2), w-2, min(room, len(d)+2))
		return block(append(lines, indent(strings.Split(b, "\n"))...), w, h)
	}
	return block(append(lines, indent(shortened(s.Theme, s.details(*e, w-2, false), room))...), w, h)
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
