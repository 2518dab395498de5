package theme

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Line is one row of the screen, put together from segments that are styled one
// by one: the end of one never ends the style of another. Make one with
// Theme.Line, and end with Fit or String.
type Line struct {
	t        *Theme
	segments []segment
	width    int
}

type segment struct {
	role Role
	text string
}

// Line starts an empty row.
func (t *Theme) Line() *Line { return &Line{t: t} }

// Add puts text behind what is there.
func (l *Line) Add(r Role, text string) *Line {
	if text != "" {
		l.segments = append(l.segments, segment{l.t.known(r), text})
		l.width += ansi.StringWidth(text)
	}
	return l
}

// Plain puts text without a role behind what is there.
func (l *Line) Plain(text string) *Line { return l.Add(Plain, text) }

// Sign puts a sign in its colour behind what is there.
func (l *Line) Sign(s Sign) *Line { return l.Add(s.Role(), l.t.Sign(s)) }

// Mark puts a judging sign in its colour, filled to its column.
func (l *Line) Mark(s Sign) *Line { return l.Add(s.Role(), l.t.Mark(s)) }

// To fills with spaces up to a column, counted from 0. A row that is longer
// already gets one space, so that two columns never touch.
func (l *Line) To(column int) *Line {
	if n := column - l.width; n > 0 {
		return l.Plain(strings.Repeat(" ", n))
	}
	if column > 0 {
		return l.Plain(" ")
	}
	return l
}

// Col puts text into a column of w cells: cut with an ellipsis, or filled.
func (l *Line) Col(r Role, text string, w int) *Line {
	text = l.t.Cut(text, w)
	return l.Add(r, text).Plain(strings.Repeat(" ", max(0, w-ansi.StringWidth(text))))
}

// Width is how many cells the row has so far.
func (l *Line) Width() int { return l.width }

// String is the row as long as it is.
func (l *Line) String() string {
	var b strings.Builder
	for _, s := range l.segments {
		b.WriteString(l.t.at(s.role).render(s.text))
	}
	return b.String()
}

// Fit is the row in exactly w cells: cut with an ellipsis, or filled.
func (l *Line) Fit(w int) string {
	var b strings.Builder
	left := max(0, w)
	segments, rest := l.segments, l.width
	for len(segments) > 0 && strings.Trim(segments[len(segments)-1].text, " ") == "" { // nobody misses spaces
		rest -= len(segments[len(segments)-1].text)
		segments = segments[:len(segments)-1]
	}
	for _, s := range segments {
		n := ansi.StringWidth(s.text)
		if rest > left && n >= left { // this segment is the one that does not fit
			text := l.t.Cut(s.text+" ", left) // the space stands for what follows
			b.WriteString(l.t.at(s.role).render(text))
			left -= ansi.StringWidth(text)
			break
		}
		b.WriteString(l.t.at(s.role).render(s.text))
		left, rest = left-n, rest-n
	}
	if left > 0 {
		b.WriteString(l.t.at(Plain).render(strings.Repeat(" ", left)))
	}
	// Two segments may meet in one character (the halves of a flag), and then
	// the row is narrower than its parts.
	row := b.String()
	if n := ansi.StringWidth(row); n != max(0, w) {
		row = ansi.Truncate(row, max(0, w), "")
		row += l.t.at(Plain).render(strings.Repeat(" ", max(0, w-ansi.StringWidth(row))))
	}
	return row
}

// caret is the role of the character under the text cursor.
const caret = Role(-1)

func (t *Theme) at(r Role) style {
	if r == caret {
		return t.caret
	}
	return t.styles[r]
}

// Cut is text in at most w cells, with an ellipsis where something is missing.
// It may hold styles.
func (t *Theme) Cut(text string, w int) string {
	if w <= 0 {
		return ""
	}
	if ansi.StringWidth(text) <= w {
		return text
	}
	ellipsis := t.Border().Ellipsis
	if ansi.StringWidth(ellipsis) > w {
		ellipsis = ""
	}
	return ansi.Truncate(text, w, ellipsis)
}

// CutMiddle is text in at most w cells, with an ellipsis in its middle: of a
// name its end tells as much as its beginning. It holds no styles.
func (t *Theme) CutMiddle(text string, w int) string {
	n := ansi.StringWidth(text)
	ellipsis := t.Border().Ellipsis
	keep := w - ansi.StringWidth(ellipsis)
	if n <= w || keep < 2 {
		return t.Cut(text, w)
	}
	head := (keep + 1) / 2
	return ansi.Truncate(text, head, "") + ellipsis + ansi.TruncateLeft(text, n-(keep-head), "")
}

// Caret adds the character under the text cursor, which stands out from what is
// around it. On a terminal without any style it is an underscore.
func (l *Line) Caret(under string) *Line {
	if l.t.caret.before == "" && strings.Trim(under, " ") == "" {
		under = "_"
	}
	l.segments = append(l.segments, segment{caret, under})
	l.width += ansi.StringWidth(under)
	return l
}
