package wizard

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// verdictLines are everything that is known of the row under the cursor.
func (s *slotScreen) verdictLines(w int) (title string, out []string) {
	l := &lines{th: s.Theme, w: w}
	rows := s.rows()
	i := s.selected(rows)
	if i < 0 {
		return "nothing to bring", nil
	}
	if rows[i].kind == optionRow {
		s.optionLines(l, rows[i].comp)
		return "an intermediate of our own", l.out
	}
	f := rows[i].field
	slot := s.Flow.Topology().Slot(f.Slot)
	if slot == nil {
		return string(f.Slot), nil
	}
	v := s.Flow.Verdict(f.Slot)
	if s.Flow.Source(flow.Field{Slot: slot.ID, Part: flow.PartCert}).Empty() && s.Flow.Source(flow.Field{Slot: slot.ID, Part: flow.PartKey}).Empty() {
		s.askLines(l, slot)
		return slot.Title, l.out
	}
	// What tells certificates apart comes first, then what is wrong; the rest
	// may be below the edge of a small window.
	const first = 3
	head := min(first, len(v.Facts))
	for _, r := range v.Facts[:head] {
		l.row(r[0], r[1])
	}
	l.gap()
	s.findingLines(l, slot, v)
	l.gap()
	s.givenLines(l, slot)
	for _, r := range v.Facts[head:] {
		l.row(r[0], r[1])
	}
	s.compareLines(l, slot, v)
	title = slot.Title + " " + s.Theme.Border().Separator + " " + verdictState(v)
	if ansi.StringWidth(title) > w-2 { // the name is under the cursor too
		title = verdictState(v)
	}
	return title, l.out
}

func verdictState(v flow.Verdict) string {
	switch {
	case v.Pending:
		return "checking"
	case v.Rechecked:
		return "changed on disk, checked again"
	}
	return "checked"
}

// givenLines say what was handed over for a slot.
func (s *slotScreen) givenLines(l *lines, slot *topology.Slot) {
	for _, part := range slotParts(slot) {
		f := flow.Field{Slot: slot.ID, Part: part}
		src := s.Flow.Source(f)
		if src.Empty() {
			continue
		}
		label := "Certificate"
		switch {
		case part == flow.PartKey && slot.Kind != topology.KeyPair:
			label = "Its key"
		case part == flow.PartKey:
			label = "Private key"
		case slot.Kind == topology.KeyPair:
			label = "Public key"
		}
		l.row(label, s.valueText(f))
		if src.Why != "" {
			l.row("", src.Why)
		}
	}
}

func (s *slotScreen) findingLines(l *lines, slot *topology.Slot, v flow.Verdict) {
	switch {
	case s.wrongSecret(slot.ID):
		l.say(theme.BadSign, theme.Bold, "that passphrase did not open it: press e to type another")
		l.gap()
	case v.NeedsPassphrase && !v.Pending:
		l.say(theme.BusySign, theme.Bold, "the key is encrypted: press e to type its passphrase")
		l.gap()
	}
	l.findings(v.Findings)
	if len(v.Findings) > 0 {
		l.gap()
	}
	switch {
	case v.Pending && v.Pair == nil && len(v.Findings) == 0:
		l.say(theme.BusySign, theme.Plain, "being read")
	case s.missing(flow.Field{Slot: slot.ID, Part: flow.PartKey}):
		l.say(theme.BusySign, theme.Plain, "key not chosen yet")
	case s.missing(flow.Field{Slot: slot.ID, Part: flow.PartCert}):
		l.say(theme.BusySign, theme.Plain, "certificate not chosen yet")
	case v.OK():
		l.usable(slot, v)
		if s.mode == topology.BringCA {
			l.gap()
			if s.Flow.KeyElsewhere(slot.Component) {
				l.say(theme.NoSign, theme.Faint, "Its key is elsewhere: what it has to sign is asked for with requests, which Topology writes.")
				return
			}
			l.say(theme.NoSign, theme.Faint, "Its key is read when certificates are signed. Where the profile needs it on the cluster, Review lists it among the files.")
		}
	}
}

// usable says that material is good for its slot.
func (l *lines) usable(slot *topology.Slot, v flow.Verdict) {
	if v.Pair.Leaf() != nil && v.Pair.Key != nil {
		l.say(theme.GoodSign, theme.Plain, "the key belongs to the certificate")
	}
	l.say(theme.GoodSign, theme.Plain, "usable as "+slot.Title)
}

// askLines say what is asked for in an empty field.
func (s *slotScreen) askLines(l *lines, slot *topology.Slot) {
	l.say(theme.NoSign, theme.Plain, slot.Purpose)
	l.gap()
	if slot.Optional {
		l.say(theme.AbsentSign, theme.Plain, "It may be left out.")
		l.gap()
	}
	if len(slot.Requires.Usages) > 0 {
		l.row("Usages", joinUsages(slot.Requires.Usages))
		if slot.Requires.Why != "" {
			l.row("", slot.Requires.Why)
		}
	}
	for i, n := range slot.RequiredNames() {
		label := ""
		if i == 0 {
			label = "Must name"
		}
		l.row(label, n.Value)
	}
	if a := s.Flow.Topology().Authority(slot.Authority); a != nil && slot.Kind == topology.Leaf {
		l.row("Signed by", s.issuerWords(a))
	}
	if slot.Kind == topology.CA {
		l.row("Must be", "a CA (basicConstraints CA:TRUE, keyUsage keyCertSign)")
	}
}

// issuerWords names the CA that a certificate has to chain to, as far as it is known.
func (s *slotScreen) issuerWords(a *topology.Authority) string {
	if c := s.Flow.Verdict(a.Slot).Pair.Leaf(); c != nil {
		return a.Title + ": " + material.Subject(c).String()
	}
	return a.Title
}

func joinUsages(us []topology.Usage) string {
	var out []string
	for _, u := range us {
		out = append(out, string(u))
	}
	return strings.Join(out, ", ")
}

func (s *slotScreen) optionLines(l *lines, id topology.ComponentID) {
	on := s.Flow.Choices()[id].Intermediate
	if on {
		l.say(theme.GoodSign, theme.Plain, "certwright makes an intermediate CA under yours, and that one signs this component's certificates.")
	} else {
		l.say(theme.NoSign, theme.Plain, "Off: your CA signs this component's certificates itself.")
	}
	l.gap()
	l.say(theme.NoSign, theme.Faint, "With one CA for several components, a certificate of one is accepted by all of them. An intermediate for each keeps them apart. It needs a CA whose path length allows another CA below it.")
}

// compareLines hold what was brought against what would be generated.
func (s *slotScreen) compareLines(l *lines, slot *topology.Slot, v flow.Verdict) {
	c := v.Pair.Leaf()
	if c == nil || slot.Kind != topology.Leaf || l.w < 60 {
		return
	}
	rows := [][3]string{}
	differ := func(what, yours, ours string) {
		if yours != ours {
			rows = append(rows, [3]string{what, yours, ours})
		}
	}
	text := func(ss []string) string { return untrusted.Text(strings.Join(ss, ", ")).Max(40) }
	differ("O", text(c.Subject.Organization), text(slot.Subject.O))
	differ("CN", untrusted.Text(c.Subject.CommonName).Max(40), untrusted.Text(slot.Subject.CN).Max(40))
	if len(rows) == 0 {
		return
	}
	l.gap()
	l.add(l.th.Line().Add(theme.Title, "Compare").String())
	half := (l.w - 8) / 2
	l.add(l.th.Line().Plain("  ").To(6).Add(theme.Faint, "yours").To(8+half).Add(theme.Faint, "generated would be").String())
	for _, r := range rows {
		l.add(l.th.Line().Plain("  ").Plain(r[0]).To(6).Col(theme.Plain, orElse(r[1], "none"), half).To(8+half).Col(theme.Plain, orElse(r[2], "none"), half).String())
	}
}

// previewLines are what is known of the file under the picker's cursor.
func (s *slotScreen) previewLines(w int) (title string, out []string) {
	l := &lines{th: s.Theme, w: w}
	e := s.picker.current()
	if e == nil {
		return "", nil
	}
	title = untrusted.Text(e.name).Max(60)
	switch e.kind {
	case upEntry:
		l.say(theme.NoSign, theme.Faint, "the folder above")
		return title, l.out
	case hereEntry:
		l.say(theme.NoSign, theme.Plain, "Take this folder: every field is filled by what the files in it hold.")
		return s.picker.title(), l.out
	}
	p := s.picker.previewed()
	if p == nil {
		l.say(theme.BusySign, theme.Faint, "")
		return title, l.out
	}
	s.lookLines(l, p, s.picker.field.Slot)
	return title, l.out
}

// lookLines are what a preview found.
func (s *slotScreen) lookLines(l *lines, p *preview, id topology.SlotID) {
	for _, r := range p.rows {
		if r[0] == "Problem" {
			l.say(theme.BadSign, theme.Plain, r[1])
			continue
		}
		l.row(r[0], r[1])
	}
	slot := s.Flow.Topology().Slot(id)
	if !p.judged || slot == nil {
		for _, r := range append(p.more, p.form...) {
			l.row(r[0], r[1])
		}
		return
	}
	l.gap()
	v := p.verdict
	if v.NeedsPassphrase {
		l.say(theme.BusySign, theme.Bold, "the key is encrypted: its passphrase is asked for once it is chosen")
		l.gap()
	}
	l.findings(v.Findings)
	switch {
	case check.OK(v.Findings) && v.Pair != nil:
		l.usable(slot, v)
	case check.OK(v.Findings):
		l.say(theme.GoodSign, theme.Plain, "nothing stands against it")
	}
	l.gap()
	for _, r := range p.more {
		l.row(r[0], r[1])
	}
}

// pasteView is the paste pane with what is thought of the paste below it.
func (s *slotScreen) pasteView(w, h int) string {
	th := s.Theme
	low := min(8, max(3, h/3))
	high := h - low
	var top string
	if s.narrow {
		top = above(th.Line().Plain(" ").Add(theme.Bold, s.paste.title()).Fit(w), block(indented(s.paste.lines(w-4, high-1), 2), w, high-1))
	} else {
		top = box{title: s.paste.title(), focus: true}.draw(th, s.paste.lines(inner(w), high-2), w, high)
	}
	l := &lines{th: th, w: w - 2}
	switch {
	case s.paste.look != nil && s.paste.sorted != nil:
		s.sortedLines(l, s.paste)
	case s.paste.look != nil:
		s.lookLines(l, s.paste.look, s.paste.field.Slot)
	case s.paste.pending || s.paste.settling:
		l.say(theme.BusySign, theme.Faint, "being read")
	default:
		l.say(theme.NoSign, theme.Faint, "Paste a certificate, with its issuers behind it, and its key if you like: each part goes to its own field. What is pasted is held in memory only and never saved; a key is never shown.")
	}
	return above(top, block(indented(l.out, 1), w, low))
}

// sortedLines say where the blocks of a paste go.
func (s *slotScreen) sortedLines(l *lines, b *pasteBox) {
	l.row("What", b.look.rows[0][1])
	done := map[topology.SlotID]bool{}
	for _, f := range b.sorted.fields {
		slot := s.Flow.Topology().Slot(f.Slot)
		if slot == nil || done[f.Slot] {
			continue
		}
		done[f.Slot] = true
		cert, key := flow.Field{Slot: f.Slot, Part: flow.PartCert}, flow.Field{Slot: f.Slot, Part: flow.PartKey}
		what := "key"
		if len(b.sorted.data[cert]) > 0 {
			what = "certificate"
			if len(b.sorted.data[key]) > 0 {
				what = "certificate and key"
			}
		}
		line := l.th.Line().Mark(theme.GoodSign).Plain(" " + slot.Title + ": " + what)
		if why := b.sorted.why[f]; why != "" {
			line.Plain("  ").Add(theme.Faint, why)
		}
		l.add(line.Fit(l.w))
	}
	for _, u := range b.sorted.unplaced {
		l.add(l.th.Line().Mark(theme.WarnSign).Plain(" ").Add(theme.Faint, u).Fit(l.w))
	}
}

func indented(in []string, n int) []string {
	out := make([]string, len(in))
	for i, l := range in {
		out[i] = strings.Repeat(" ", n) + l
	}
	return out
}
