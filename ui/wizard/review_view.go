package wizard

import (
	"fmt"
	"slices"
	"strings"

	"certwright/assets/layout"
	"certwright/certs/check"
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
	l := th.Line().Choose(here)
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
		name += "/"
		if r.folded {
			name += "  " + th.Border().Ellipsis + " " + count(r.files, "file")
		}
		l.Col(theme.Bold, name, room)
		if r.folded && r.what != "" {
			l.To(w-10).Add(whatRole(r.what), string(r.what))
		}
		return l.Fit(w)
	}
	c := r.change
	l.Col(theme.Plain, th.CutMiddle(name, room), room).Plain(" ")
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

func whatWords(w flow.What) string {
	switch w {
	case flow.Added:
		return "will be written; nothing of that name is there"
	case flow.Same:
		return "is there with these very bytes, and is not touched"
	case flow.Overwrite:
		return "will be replaced; the old one is kept beside the new set"
	case flow.Remove:
		return "belongs to the old set alone, and is kept beside the new one"
	case flow.Takeover:
		return "is there and was not made by certwright; it will be replaced and kept beside the new set"
	case flow.Blocked:
		return "cannot be written: a directory or a link has its name"
	}
	return string(w)
}

func kindWords(k layout.Kind) string {
	switch k {
	case layout.KindCertificate:
		return "certificate and intermediates"
	case layout.KindCA:
		return "one CA certificate"
	case layout.KindBundle:
		return "a CA and all above it, for OpenSSL's tools"
	case layout.KindKey:
		return "private key"
	case layout.KindCAKey:
		return "private key of a CA"
	case layout.KindPublicKey:
		return "public key"
	case layout.KindKubeconfig:
		return "kubeconfig, with a private key in it"
	case layout.KindConfig:
		return "configuration"
	case layout.KindDocument:
		return "for people"
	}
	return string(k)
}

// dirWords is what the directories of the destination are for.
func dirWords(dir string) string {
	switch dir {
	case "tls":
		return "the set as files, under the names that the components look for"
	case "ca":
		return "keys and certificates of the CAs that were made here: keep them apart from what is deployed"
	case "flags":
		return "the parameters that name these files, program by program"
	case "kubeconfig":
		return "kubeconfigs, each with the key of its user"
	case "manifests":
		return "the same files as Kubernetes Secrets"
	case "terraform":
		return "modules with the same outputs in every mode"
	}
	return ""
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

// details say what the row under the cursor is and who uses it.
func (s *reviewScreen) details(w int) []string {
	th := s.Theme
	if s.forms.open {
		return s.formRows(w)
	}
	if s.cursor >= len(s.rows) {
		return nil
	}
	var out []string
	row := func(label, text string, role theme.Role) {
		for i, l := range wrap(text, w-9) {
			out = append(out, th.Line().Col(theme.Faint, first(i, label), 9).Add(role, l).String())
		}
	}
	r := s.rows[s.cursor]
	if r.change == nil {
		row("holds", count(r.files, "file"), theme.Plain)
		if words := dirWords(r.dir); words != "" {
			row("for", words, theme.Plain)
		}
		if r.dir == "ca" && s.Flow.MakesCAs() {
			row("keys", s.caKeysWords(), theme.Plain)
		}
		return out
	}
	c := r.change
	out = append(out, styled(th, whatRole(c.What), wrap(whatWords(c.What), w))...)
	if c.Modified {
		out = append(out, styled(th, theme.Warn, wrap("the one that is there was changed since certwright wrote it", w))...)
	}
	for _, f := range s.of.Findings {
		if f.Slot == c.Slot && f.Slot != "" && f.Severity != check.Info {
			for i, l := range wrap(sentence(f.Message, f.Fix), w-2) {
				sign := theme.NoSign
				if i == 0 {
					sign = theme.WarnSign
				}
				out = append(out, th.Line().Mark(sign).Plain(" "+l).String())
			}
		}
	}
	out = append(out, "")
	row("is", kindWords(c.Kind), theme.Plain)
	if slot := s.of.Topology.Slot(c.Slot); slot != nil {
		row("of", untrusted.Text(slot.Title).Max(60)+" ("+usageWords(slot)+")", theme.Plain)
		m := s.of.Set.Modes[c.Slot.Component()]
		row("mode", m.Letter()+"  "+m.Words(), theme.RoleOf(m.Letter()))
		field := fieldOf(c.Kind)
		n := 0
		for _, u := range slot.Consumers {
			if u.Field == field {
				row(first(n, "used by"), untrusted.Text(u.Component).Max(60)+" "+untrusted.Text(u.Name).Max(80), theme.Plain)
				n++
			}
		}
		if n == 0 && slot.Purpose != "" {
			row("for", untrusted.Text(slot.Purpose).Max(300), theme.Plain)
		}
	}
	if c.Kind == layout.KindCAKey && strings.HasPrefix(c.Path, "ca/") {
		row("kept", s.caKeysWords(), theme.Plain)
	}
	if end := s.ends(c.Path); end != "" {
		row("ends", end, theme.Plain)
	}
	if c.What == flow.Overwrite || c.What == flow.Takeover {
		row("size", untrusted.Size(c.OldSize)+" now, then "+untrusted.Size(c.Size), theme.Plain)
	}
	return out
}

// ends is when the first certificate of a file ends.
func (s *reviewScreen) ends(file string) string {
	for i := range s.of.Files {
		if f := &s.of.Files[i]; f.Path == file && !f.NotAfter.IsZero() {
			return f.NotAfter.UTC().Format("2006-01-02") + ", in " + count(int(f.NotAfter.Sub(s.Now()).Hours()/24), "day")
		}
	}
	return ""
}

// fieldOf is the part of a slot that a kind of file holds.
func fieldOf(k layout.Kind) topology.Field {
	switch k {
	case layout.KindKey, layout.KindCAKey:
		return topology.FieldKey
	case layout.KindPublicKey:
		return topology.FieldPublic
	case layout.KindBundle:
		return topology.FieldBundle
	}
	return topology.FieldCert
}
