package diagram

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/ui/theme"
)

// Segment is a piece of a row and what it is.
type Segment struct {
	Text string
	Role theme.Role
}

// Row is one row of a drawing, no wider than it was asked for.
type Row struct {
	Segments []Segment
}

// Text is the row without styles.
func (r Row) Text() string {
	var b strings.Builder
	for _, s := range r.Segments {
		b.WriteString(s.Text)
	}
	return b.String()
}

// Width is how many cells the row has.
func (r Row) Width() int {
	n := 0
	for _, s := range r.Segments {
		n += ansi.StringWidth(s.Text)
	}
	return n
}

//go:noinline // many callers, none of them hot
func (r *Row) add(role theme.Role, text string) {
	if text != "" {
		r.Segments = append(r.Segments, Segment{text, role})
	}
}

// to fills with spaces up to a column.
func (r *Row) to(column int) {
	if n := column - r.Width(); n > 0 {
		r.add(theme.Plain, strings.Repeat(" ", n))
	}
}

// glyphs are the characters of a drawing and their ASCII twins.
type glyphs struct {
	cursor, branch, last, pipe, dash                   string
	good, bad, warn, busy                              string
	root, intermediate, leaf, keys                     string
	ellipsis, arrow, right, left, line, both, dot, tip string
}

var (
	fine = glyphs{
		"▸", "├", "└", "│", "─", "✓", "✗", "!", "…", "◆", "◇", "•", "∙", "…", "→", "▶", "◀", "─", "◀", "·", "▶",
	}
	ascii = glyphs{
		">", "|", "`", "|", "-", "+", "x", "!", "~", "*", "o", "-", "-", "~", "->", ">", "<", "-", "<", "-", ">",
	}
)

func glyphsFor(onlyASCII bool) *glyphs {
	if onlyASCII {
		return &ascii
	}
	return &fine
}

// RowOptions say which window of the lines is drawn, and how wide.
type RowOptions struct {
	Width  int
	Top    int // the first line drawn
	Height int // how many; 0 for all
	Cursor int // the chosen line; negative for none
	ASCII  bool
}

// Widths from which a column is shown.
const (
	usageFrom = 36 // server, client, both
	glyphFrom = 56 // ◆ ◇ •, and the usages in full
	daysWidth = 6

	usageWidth = 8 // of its column, before the usages are there in full
)

// Rows draws a window of the lines: never more than Height rows, each at most
// Width cells.
func Rows(lines []Line, o RowOptions) []Row {
	top := min(max(0, o.Top), len(lines))
	end := len(lines)
	if o.Height > 0 {
		end = min(end, top+o.Height)
	}
	rows := make([]Row, 0, end-top)
	for i := top; i < end; i++ {
		rows = append(rows, lineRow(lines[i], o, i == o.Cursor))
	}
	return rows
}

func lineRow(l Line, o RowOptions, chosen bool) Row {
	g := glyphsFor(o.ASCII)
	var r Row
	if o.Cursor >= 0 {
		mark := " "
		if chosen {
			mark = g.cursor
		}
		r.add(theme.Cursor, mark)
		r.add(theme.Plain, " ")
	}
	r.add(theme.Border, prefix(l, g, o.Width >= glyphFrom))
	if l.Fold() {
		foldRow(&r, l, o, chosen, g)
		return clip(r, o.Width, g)
	}
	n := l.Node()
	nameRole := theme.RoleOf(n.Mode.Letter())
	if n.NotWritten || l.aside {
		nameRole = theme.Faint
	}
	r.add(nameRole, n.Mode.Letter()+" ")
	right := rightColumns(l, n, o, g)
	room := o.Width - r.Width() - right.Width()
	r.add(theme.Named(chosen, nameRole), cutMiddle(n.Title, room, g.ellipsis))
	r.to(o.Width - right.Width())
	r.Segments = append(r.Segments, right.Segments...)
	return clip(r, o.Width, g)
}

// prefix is the branches before a node.
func prefix(l Line, g *glyphs, wide bool) string {
	if !l.Fold() && l.Node().depth == 0 {
		return ""
	}
	gap, dash := " ", ""
	if wide {
		gap, dash = "  ", g.dash
	}
	var b strings.Builder
	for _, more := range l.guides {
		if more {
			b.WriteString(g.pipe + gap)
		} else {
			b.WriteString(" " + gap)
		}
	}
	if l.last {
		b.WriteString(g.last + dash + " ")
	} else {
		b.WriteString(g.branch + dash + " ")
	}
	return b.String()
}

func foldRow(r *Row, l Line, o RowOptions, chosen bool, g *glyphs) {
	text := g.ellipsis + " " + theme.Number(l.More) + " more"
	for _, m := range topology.Modes() {
		if n := l.hidden.modes[m]; n > 0 && m != l.node.Mode {
			text += fmt.Sprintf(", %s %s", theme.Number(n), m.Letter())
		}
	}
	role := theme.Faint
	switch l.hidden.worst {
	case check.Error:
		text, role = text+" "+g.bad, theme.Bad
	case check.Warning:
		text, role = text+" "+g.warn, theme.Warn
	}
	r.add(theme.Named(chosen, role), text)
	hint := g.arrow + " to unfold"
	if at := o.Width - ansi.StringWidth(hint) - 1; r.Width()+2 <= at && o.Cursor >= 0 {
		r.to(at)
		r.add(theme.Faint, hint)
	}
}

// rightColumns are what stands at the right end of a node's row: usage, mark, days.
func rightColumns(l Line, n *Node, o RowOptions, g *glyphs) Row {
	var r Row
	text, endRole := ending(n)
	if o.Width >= usageFrom {
		width := usageWidth
		if o.Width >= glyphFrom {
			width = 18
		}
		// A longer ending takes its room from this column, which begins where it does elsewhere.
		width -= max(0, ansi.StringWidth(text)-daysWidth+1)
		usage := usageText(l, n, o.Width >= glyphFrom, g)
		role := theme.Plain
		if n.CA() || n.NotWritten {
			role = theme.Faint
		}
		r.add(theme.Plain, " ")
		r.add(role, cut(usage, width, g.ellipsis))
		r.to(width + 1)
	}
	mark, markRole := nodeMark(n, g, l.closed)
	r.add(theme.Plain, " ")
	r.add(markRole, mark)
	r.add(theme.Plain, strings.Repeat(" ", max(1, daysWidth-ansi.StringWidth(text))))
	r.add(endRole, text)
	return r
}

func usageText(l Line, n *Node, long bool, g *glyphs) string {
	if l.closed {
		text := plural(n.leaves, "cert")
		if !long && len(text) > usageWidth {
			return theme.Number(n.leaves) // a word that is cut says less than none
		}
		for _, m := range topology.Modes() {
			if count := n.modes[m]; long && count > 0 && m != n.Mode {
				text += ", " + theme.Number(count) + " " + m.Letter()
			}
		}
		return text
	}
	if !long {
		if n.Kind == KeyPair {
			return "keys"
		}
		return n.Role
	}
	switch {
	case n.Kind == KeyPair:
		return g.keys + " key pair"
	case n.CA() && n.SelfSigned:
		return g.root + " root"
	case n.CA():
		return g.intermediate + " intermediate"
	case n.Role == "both":
		return g.leaf + " server client"
	}
	return g.leaf + " " + n.Role
}

// ending is the last column: how long the certificate lasts, or why it has no end.
func ending(n *Node) (string, theme.Role) {
	switch {
	case n.State == Missing:
		return "missing", theme.Warn
	case n.State == Named:
		return "named", theme.Faint
	case n.State == Pending:
		return "checking", theme.Busy
	case n.Kind == KeyPair:
		return "", theme.Plain
	case n.NotWritten && n.Days >= soon:
		return "not written", theme.Faint
	case n.NotAfter == nil:
		return days(n.Days), theme.Faint
	case n.Days < 0:
		return "ended", theme.Bad
	case n.EndsSoon():
		return days(n.Days), theme.Bad
	}
	return days(n.Days), theme.Plain
}

func days(n int) string { return strconv.Itoa(n) + "d" }

// nodeMark is what a node's row is marked with: its problem, or its proof. A
// closed CA is marked with the worst below it.
func nodeMark(n *Node, g *glyphs, closed bool) (string, theme.Role) {
	severity := n.Severity
	if closed {
		severity = n.worst
	}
	switch {
	case severity == check.Error:
		return g.bad, theme.Bad
	case severity == check.Warning:
		return g.warn, theme.Warn
	case n.Proof == Proving:
		return g.busy, theme.Busy
	case n.Proof == Proved:
		return g.good, theme.Good
	}
	return " ", theme.Plain
}

// clip cuts a row that is too wide.
func clip(r Row, width int, g *glyphs) Row {
	if r.Width() <= width {
		return r
	}
	var out Row
	left := width
	for _, s := range r.Segments {
		n := ansi.StringWidth(s.Text)
		if n > left {
			out.add(s.Role, cut(s.Text, left, g.ellipsis))
			break
		}
		out.add(s.Role, s.Text)
		left -= n
	}
	return out
}

func cut(text string, width int, ellipsis string) string {
	switch {
	case width <= 0:
		return ""
	case ansi.StringWidth(text) <= width:
		return text
	}
	return ansi.Truncate(text, width, ellipsis)
}

// cutMiddle keeps both ends of a name: in names of certificates the end tells
// as much as the beginning.
func cutMiddle(text string, width int, ellipsis string) string {
	n := ansi.StringWidth(text)
	keep := width - ansi.StringWidth(ellipsis)
	if n <= width || keep < 4 {
		return cut(text, width, ellipsis)
	}
	head := (keep + 1) / 2
	return ansi.Truncate(text, head, "") + ellipsis + ansi.TruncateLeft(text, n-(keep-head), "")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return theme.Number(n) + " " + word + "s"
}

// Heading is the title of the whole: "3 CAs, 11 certificates".
func (m *Model) Heading() string {
	return plural(m.Counts.Authorities, "CA") + ", " + plural(m.Counts.Certificates, "certificate")
}
