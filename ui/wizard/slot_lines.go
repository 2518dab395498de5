package wizard

import (
	"slices"
	"sort"

	"certwright/certs/check"
	"certwright/ui/theme"
)

// lines puts together the lines of a pane.
type lines struct {
	th  *theme.Theme
	w   int
	out []string
}

//go:noinline // many callers, none of them hot
func (l *lines) add(line string) { l.out = append(l.out, line) }

//go:noinline // many callers, none of them hot
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
	sort.SliceStable(out, func(i, j int) bool { return rank[out[i].Severity] < rank[out[j].Severity] })
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
			l.say(theme.NoSign, theme.Faint, "and "+number(len(fs)-maxShown)+" more")
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
