package wizard

import (
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// lines puts together the lines of a pane.
type lines struct {
	th  *theme.Theme
	w   int
	out []string
}

func (l *lines) add(line string) { l.out = append(l.out, line) }

func (l *lines) gap() {
	if n := len(l.out); n > 0 && l.out[n-1] != "" {
		l.add("")
	}
}

// row is a label and its text, wrapped beside it and cut after four lines.
func (l *lines) row(label, text string) {
	const column, most = 12, 4
	parts := wrap(text, l.w-column)
	if label == "SHA-256" {
		parts = wrapHex(text, l.w-column)
	}
	for i, part := range short(parts, most, l.th) {
		line := l.th.Line()
		if i == 0 {
			line.Add(theme.Faint, label)
		}
		l.add(line.To(column).Plain(part).String())
	}
}

// wrapHex breaks a fingerprint between its bytes, eight or sixteen to a line.
func wrapHex(text string, w int) []string {
	n := 8 * 3
	if w >= 16*3 {
		n = 16 * 3
	}
	var out []string
	for len(text) > n {
		out, text = append(out, text[:n]), text[n:]
	}
	return append(out, text)
}

// say is text behind a sign, wrapped, in a role.
func (l *lines) say(sign theme.Sign, r theme.Role, text string) {
	indent := l.th.MarkWidth() + 1
	for i, part := range wrap(text, l.w-indent) {
		mark := theme.NoSign
		if i == 0 {
			mark = sign
		}
		l.add(l.th.Line().Mark(mark).Plain(" ").Add(r, part).String())
	}
}

func short(text []string, most int, th *theme.Theme) []string {
	if len(text) <= most {
		return text
	}
	text = slices.Clone(text[:most])
	text[most-1] += " " + th.Border().Ellipsis
	return text
}

// sortedFindings are findings with the worst first; those of one severity keep
// their order, so that rows stay where the eye left them.
func sortedFindings(fs []check.Finding) []check.Finding {
	rank := map[check.Severity]int{check.Error: 0, check.Warning: 1, check.Info: 2}
	out := slices.Clone(fs)
	slices.SortStableFunc(out, func(a, b check.Finding) int { return rank[a.Severity] - rank[b.Severity] })
	return out
}

func findingSign(f check.Finding) theme.Sign {
	switch f.Severity {
	case check.Error:
		return theme.BadSign
	case check.Warning:
		return theme.WarnSign
	}
	return theme.InheritSign
}

// maxShown is how many findings a pane shows: a bundle may have thousands.
const maxShown = 50

// findings are all that the rules say, the worst first.
func (l *lines) findings(fs []check.Finding) {
	for i, f := range sortedFindings(fs) {
		if i == maxShown {
			l.say(theme.NoSign, theme.Faint, "and "+itoa(len(fs)-maxShown)+" more")
			return
		}
		l.finding(f)
	}
}

// finding is one finding: what, why, both sides, and how to mend it.
func (l *lines) finding(f check.Finding) {
	l.say(findingSign(f), theme.Bold, f.Message)
	if f.Why != "" {
		l.say(theme.NoSign, theme.Faint, f.Why)
	}
	for _, side := range [][2]string{{"has", f.Has}, {"needs", f.Needs}} {
		if side[1] != "" {
			l.side(side[0], side[1])
		}
	}
	if f.Fix != "" {
		l.side("fix", f.Fix)
	}
}

// side is a labelled line of a finding, under its text.
func (l *lines) side(label, text string) {
	indent := l.th.MarkWidth() + 1
	column := indent + 7
	for i, part := range wrap(text, l.w-column) {
		line := l.th.Line().To(indent)
		if i == 0 {
			line.Add(theme.Title, label)
		}
		l.add(line.To(column).Plain(part).String())
	}
}

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
	if v.NeedsPassphrase && !v.Pending {
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
		l.say(theme.AbsentSign, theme.Plain, "It may be left out: then it is generated, or not needed.")
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
	on := s.Flow.Plan().Components[id].Intermediate
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

// filledPane shows what became of a folder.
type filledPane struct {
	dir    string
	from   int
	rows   int
	h      int
	closed bool
}

var filledKeys = struct{ scroll, down, page, pageDown, close key.Binding }{
	scroll:   key.NewBinding(key.WithKeys("up", "k"), key.WithHelp("↑/↓", "scroll")),
	down:     key.NewBinding(key.WithKeys("down", "j")),
	page:     key.NewBinding(key.WithKeys("pgup"), key.WithHelp("pgup/pgdn", "page")),
	pageDown: key.NewBinding(key.WithKeys("pgdown")),
	close:    key.NewBinding(key.WithKeys("enter"), key.WithHelp("enter", "close")),
}

func (p *filledPane) keys() []key.Binding {
	k := filledKeys
	if p.rows <= p.h {
		return []key.Binding{k.close}
	}
	return []key.Binding{k.close, k.scroll, k.down, k.page, k.pageDown}
}

func (p *filledPane) press(msg tea.KeyMsg) {
	k := filledKeys
	switch {
	case key.Matches(msg, k.close):
		p.closed = true
	case key.Matches(msg, k.scroll):
		p.from--
	case key.Matches(msg, k.down):
		p.from++
	case key.Matches(msg, k.page):
		p.from -= p.h
	case key.Matches(msg, k.pageDown):
		p.from += p.h
	}
	p.from = max(0, min(p.from, p.rows-p.h))
}

// filledView shows which file went where and why, and which went nowhere.
func (s *slotScreen) filledView(w, h int) string {
	th := s.Theme
	dir := untrusted.Text(s.places().short(s.places().abs(s.filled.dir))).String()
	result, pending := s.Flow.Filled()
	width, room := w-2, h-1
	if !s.narrow {
		width, room = inner(w), h-2
	}
	l := &lines{th: th, w: width}
	switch {
	case pending || result == nil:
		l.say(theme.BusySign, theme.Plain, "reading "+dir)
	case result.Err != nil:
		l.say(theme.BadSign, theme.Plain, untrusted.Text(result.Err.Error()).String())
		l.gap()
		l.say(theme.NoSign, theme.Faint, "Nothing was changed. d chooses another folder.")
	default:
		s.resultLines(l, result)
	}
	p := &s.filled
	p.rows, p.h = len(l.out), room
	p.from = max(0, min(p.from, p.rows-p.h))
	shown := l.out[p.from:min(p.from+max(0, room), len(l.out))]
	title := "Filled from " + dir
	if s.narrow {
		return above(th.Line().Plain(" ").Add(theme.Bold, title).Fit(w), block(indented(shown, 1), w, room))
	}
	foot := ""
	if p.rows > p.h {
		foot = itoa(p.from+len(shown)) + " of " + count(p.rows, "line")
	}
	return box{title: title, foot: foot, focus: true}.draw(th, shown, w, h)
}

func (s *slotScreen) resultLines(l *lines, r *flow.Filled) {
	placed := 0
	for _, m := range []topology.Mode{topology.BringCA, topology.BringCerts} {
		for _, slot := range s.Flow.Due(m) {
			for _, part := range slotParts(slot) {
				f := flow.Field{Slot: slot.ID, Part: part}
				src, ok := r.Sources[f]
				if !ok {
					continue
				}
				placed++
				l.say(theme.GoodSign, theme.Bold, s.name(f)+": "+untrusted.Text(s.places().short(src.Path)).String())
				if src.Why != "" {
					l.say(theme.NoSign, theme.Faint, src.Why)
				}
			}
		}
	}
	if placed == 0 {
		l.say(theme.WarnSign, theme.Plain, "nothing in this folder fits a field")
	}
	if len(r.Unplaced) > 0 {
		l.gap()
		l.add(l.th.Line().Add(theme.Title, "Placed nowhere").String())
		for _, u := range r.Unplaced {
			l.say(theme.InheritSign, theme.Plain, u)
		}
	}
}
