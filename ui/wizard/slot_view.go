package wizard

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// footRows are kept free below the panes: for what mends the worst problem, and
// for a path or passphrase that is being typed. Nothing moves when they are used.
const footRows = 3

// View draws the screen.
func (s *slotScreen) View(w, h int) string {
	s.narrow = !roomy(w)
	head := s.Theme.Line().Plain(" ").Add(theme.Title, s.heading()).Fit(w)
	body := max(0, h-1-footRows)
	switch s.focus {
	case onPaste:
		return above(head, s.pasteView(w, h-1))
	case onFilled:
		return above(head, s.filledView(w, h-1))
	}
	foot := block(s.foot(w), w, footRows)
	if s.narrow {
		return above(head, s.onePane(w, body), foot)
	}
	left := max(36, min(w*42/100, 64))
	return above(head, beside(s.leftPane(left, body), s.rightPane(w-left, body)), foot)
}

func (s *slotScreen) leftPane(w, h int) string {
	if s.focus == onPicker {
		b := box{title: s.picker.title(), foot: s.picker.foot(), focus: true}
		return b.draw(s.Theme, s.picker.lines(inner(w), h-2), w, h)
	}
	b := box{title: s.readiness(), focus: s.focus == onList}
	return b.draw(s.Theme, s.listLines(inner(w), h-2), w, h)
}

func (s *slotScreen) rightPane(w, h int) string {
	if s.focus == onPicker {
		title, lines := s.previewLines(inner(w))
		return box{title: title}.draw(s.Theme, lines, w, h)
	}
	title, lines := s.verdictLines(inner(w))
	b := box{title: title, focus: s.focus == onVerdict}
	shown, more := s.scrolled(lines, h-2)
	b.foot = more
	return b.draw(s.Theme, shown, w, h)
}

// onePane is what a narrow terminal shows of the two.
func (s *slotScreen) onePane(w, h int) string {
	th := s.Theme
	switch s.focus {
	case onPicker:
		title := th.Line().Plain(" ").Add(theme.Bold, s.picker.title()).Plain("  ").Add(theme.Faint, s.picker.foot()).Fit(w)
		low := min(4, h/3)
		_, preview := s.previewLines(w - 2)
		var lines []string
		for _, l := range preview {
			if strings.TrimSpace(l) != "" {
				lines = append(lines, " "+l)
			}
		}
		return above(title, block(s.picker.lines(w, h-1-low), w, h-1-low), block(lines, w, low))
	case onVerdict:
		title, lines := s.verdictLines(w - 2)
		shown, more := s.scrolled(lines, h-1)
		for i, l := range shown {
			shown[i] = " " + l
		}
		return above(th.Line().Plain(" ").Add(theme.Bold, title).Plain("  ").Add(theme.Faint, more).Fit(w), block(shown, w, h-1))
	}
	return block(s.listLines(w, h), w, h)
}

// scrolled are the lines of a verdict that are in view, and how far they are.
func (s *slotScreen) scrolled(lines []string, h int) (shown []string, more string) {
	s.deep = max(0, len(lines)-h)
	s.scroll = max(0, min(s.scroll, s.deep))
	if s.deep > 0 {
		more = number(min(s.scroll+h, len(lines))) + " of " + count(len(lines), "line")
	}
	return slices.Clone(lines[s.scroll:min(s.scroll+max(0, h), len(lines))]), more
}

// listLines are the rows of the list that are in view.
func (s *slotScreen) listLines(w, h int) []string {
	th := s.Theme
	rows := s.rows()
	if len(rows) == 0 {
		return styled(th, theme.Faint, wrap("Nothing is asked for here any more: enter goes on, esc goes back.", w))
	}
	i := s.selected(rows)
	s.tall = h
	s.from = window(s.from, i, len(rows), h)
	if i > 0 && rows[i-1].kind == headingRow && s.from == i && h > 1 {
		s.from-- // the name of the component belongs to its first field
	}
	label := min(s.worked().label, max(12, w*55/100))
	var out []string
	for n := s.from; n < min(s.from+h, len(rows)); n++ {
		out = append(out, s.row(rows[n], n == i, label, w))
	}
	return out
}

func (s *slotScreen) row(r slotRow, chosen bool, label, w int) string {
	th := s.Theme
	if r.kind == headingRow {
		return th.Line().Add(theme.Bold, s.label(r)).Plain("  ").Add(theme.RoleOf(s.mode.Letter()), s.mode.Letter()).
			Plain("  ").Add(theme.Faint, s.componentWords(r.comp)).Fit(w)
	}
	line := th.Line()
	if chosen {
		line.Sign(theme.CursorSign).Plain(" ")
	} else {
		line.Plain("  ")
	}
	if r.kind == optionRow {
		sign := theme.OffSign
		if s.Flow.Choices()[r.comp].Intermediate {
			sign = theme.OnSign
		}
		return line.Sign(sign).Plain(" ").Add(theme.Named(chosen, theme.Plain), s.label(r)).Fit(w)
	}
	name := s.label(r)
	under := strings.TrimLeft(name, " ") // a key stands below its certificate, a little to the right
	indent := len(name) - len(under)
	line.Mark(s.sign(r.field)).Plain(" "+name[:indent]).Col(theme.Named(chosen, theme.Plain), s.cutLabel(r, under, label-indent), label-indent).Plain(" ")
	room := w - line.Width()
	text, role := s.valueText(r.field), theme.Plain
	if s.Flow.Source(r.field).Empty() {
		role = theme.Faint
	}
	if path := s.Flow.Source(r.field).Path; path != "" && s.focus == onPath && s.path.field == r.field {
		role = theme.Bold
	}
	return line.Add(role, cutPath(th, text, room)).Fit(w)
}

// cutLabel shortens a row's name to a width. Of a node's it is the node that tells
// it from thousands of its like.
func (s *slotScreen) cutLabel(r slotRow, label string, w int) string {
	slot := s.Flow.Topology().Slot(r.field.Slot)
	if slot == nil || slot.Node == "" || ansi.StringWidth(label) <= w {
		return label
	}
	what, ok := strings.CutSuffix(label, " of "+slot.Node)
	for _, node := range []string{" of " + slot.Node, " " + slot.Node} {
		if room := w - ansi.StringWidth(node); ok && room >= 6 {
			return s.Theme.Cut(what, room) + node
		}
	}
	return s.Theme.CutMiddle(label, w)
}

// cutPath shortens a path from its front, at a separator where it can: its last
// elements tell the most.
func cutPath(th *theme.Theme, path string, w int) string {
	if ansi.StringWidth(path) <= w {
		return path
	}
	ellipsis := th.Border().Ellipsis
	last := path
	for i, c := range path {
		if i > 0 && c < utf8.RuneSelf && isSeparator(byte(c)) {
			if last = path[i:]; ansi.StringWidth(ellipsis+last) <= w {
				return ellipsis + last
			}
		}
	}
	return th.CutMiddle(strings.TrimLeft(last, `/\`), w)
}

func (s *slotScreen) label(r slotRow) string {
	t := s.Flow.Topology()
	switch r.kind {
	case headingRow:
		if c := t.Component(r.comp); c != nil {
			return c.Title
		}
		return string(r.comp)
	case optionRow:
		return "an intermediate of our own"
	}
	slot := t.Slot(r.field.Slot)
	switch {
	case slot == nil:
		return string(r.field.Slot)
	case slot.Kind == topology.KeyPair && r.field.Part == flow.PartCert:
		return "  public key"
	case slot.Kind == topology.KeyPair || r.field.Part == flow.PartCert:
		return slot.Title
	}
	return "  key"
}

// componentWords says how far a component is.
func (s *slotScreen) componentWords(id topology.ComponentID) string {
	ready, all := s.asked().Ready(id)
	if ready == all {
		return "ready"
	}
	if all == 1 {
		return ""
	}
	return number(ready) + " of " + number(all) + " ready"
}

func (s *slotScreen) readiness() string {
	ready, all := s.asked().Ready("")
	return number(ready) + " of " + number(all) + " ready"
}

// aboutKey says whether a finding concerns the key and not the certificate: by
// the file that it names, and where both are in one, by its rule.
func (s *slotScreen) aboutKey(id topology.SlotID, f check.Finding) bool {
	cert, key := s.Flow.Source(flow.Field{Slot: id, Part: flow.PartCert}), s.Flow.Source(flow.Field{Slot: id, Part: flow.PartKey})
	switch {
	case key.Empty():
		return false
	case cert.Empty():
		return true
	case cert.Path != key.Path:
		names := func(src flow.Source) bool {
			if src.Path == "" {
				return f.File == pastedName
			}
			return f.File == src.Path || f.File == untrusted.Text(src.Path).String()
		}
		return names(key) && !names(cert)
	}
	return slices.Contains(keyRules, f.Rule)
}

// pastedName is what the flow calls the file of something pasted.
const pastedName = "pasted text"

// keyRules are the rules about a key that a certificate pasted with it does not break.
var keyRules = []string{"encrypted-key", "malformed-key", "key-mismatch", "key-label-mismatch", "openssh-key", "file-mode"}

// foot is what the rows below the panes say.
func (s *slotScreen) foot(w int) []string {
	th := s.Theme
	switch s.focus {
	case onPath:
		label := "Path of " + s.name(s.path.field)
		if s.path.forFolder {
			label = "Folder that every field is filled from"
		}
		return s.path.lines(label, w)
	case onSecret:
		return s.secret.lines(th, "Passphrase of "+s.name(s.secret.slot), w)
	case onPicker:
		return s.pickerFoot(w)
	}
	f, ok := s.field()
	if !ok {
		return nil
	}
	v := s.Flow.Verdict(f.Slot)
	if v.NeedsPassphrase && !v.Pending {
		return labelled(th, "Fix", "press e and type the passphrase. It is kept in memory only.", w, footRows-1)
	}
	for _, finding := range sortedFindings(v.Findings) {
		if finding.Severity != check.Info && finding.Fix != "" {
			return labelled(th, "Fix", finding.Fix, w, footRows-1)
		}
	}
	slot := s.Flow.Topology().Slot(f.Slot)
	switch {
	case slot == nil:
		return nil
	case s.missing(f) && slot.Kind != topology.KeyPair:
		return labelled(th, "", "One file or paste may hold certificate, key and issuers. d fills every field from a folder.", w, footRows-1)
	}
	return labelled(th, "For", slot.Purpose, w, footRows-1)
}

// pickerFoot shows the two fields that the picker fills.
func (s *slotScreen) pickerFoot(w int) []string {
	th := s.Theme
	if s.picker.note != "" {
		return labelled(th, "", s.picker.note, w, footRows-1)
	}
	if s.picker.folder {
		return labelled(th, "", "Fields are filled by what the files hold, not by their names, from this folder and below.", w, footRows-1)
	}
	slot := s.Flow.Topology().Slot(s.picker.field.Slot)
	if slot == nil {
		return nil
	}
	var out []string
	for _, part := range slotParts(slot) {
		f := flow.Field{Slot: slot.ID, Part: part}
		what := "Certificate"
		if part == flow.PartKey {
			what = "Key"
		} else if slot.Kind == topology.KeyPair {
			what = "Public key"
		}
		line := th.Line()
		role, text := theme.Faint, s.valueText(f)
		if f == s.picker.field {
			line.Plain(" ").Sign(theme.CursorSign).Plain(" ").Add(theme.Bold, what).To(15)
			if s.Flow.Source(f).Empty() {
				text = "choose a file, or p to paste"
			}
		} else {
			line.Plain("   ").Plain(what).To(15)
		}
		if !s.Flow.Source(f).Empty() {
			role = theme.Plain
		}
		out = append(out, line.Add(role, cutPath(th, text, w-16)).Fit(w))
	}
	return out
}

// labelled is a paragraph with a word before it, in at most h lines after an
// empty one.
func labelled(th *theme.Theme, label, text string, w, h int) []string {
	indent := 1
	if label != "" {
		indent = len(label) + 3
	}
	lines := wrap(text, w-indent-1)
	if len(lines) > h {
		lines = lines[:h]
		lines[h-1] = th.Cut(lines[h-1]+" "+th.Border().Ellipsis, w-indent-1)
	}
	out := []string{""}
	for i, l := range lines {
		line := th.Line().Plain(" ")
		if i == 0 && label != "" {
			line.Add(theme.Bold, label)
		}
		out = append(out, line.To(indent).Plain(l).Fit(w))
	}
	return out
}
