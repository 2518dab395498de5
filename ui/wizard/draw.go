package wizard

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"certwright/ui/theme"
)

// Sizes, in cells.
const (
	minWidth, minHeight = 60, 16 // below these the notice is all that is drawn
	roomyWidth          = 76     // from here on there are boxes, and panes side by side
	wideWidth           = 110    // from here on there is room for a third pane
)

// roomy says whether boxes and a second pane fit.
func roomy(w int) bool { return w >= roomyWidth }

// clip is a line in at most w cells; what is over is dropped. It may hold styles.
func clip(s string, w int) string { return ansi.Truncate(s, max(0, w), "") }

// fit is a line in exactly w cells. It may hold styles.
func fit(s string, w int) string {
	n := ansi.StringWidth(s)
	if n > w {
		s = clip(s, w)
		n = ansi.StringWidth(s)
	}
	return s + strings.Repeat(" ", max(0, w-n))
}

// lead is the empty row above the first of a body, where there is room for one.
func lead(h int) []string {
	if h < 13 {
		return nil
	}
	return []string{""}
}

// block is lines in exactly h rows of w cells.
func block(lines []string, w, h int) string {
	var b strings.Builder
	for i := range max(0, h) {
		if i > 0 {
			b.WriteByte('\n')
		}
		line := ""
		if i < len(lines) {
			line = lines[i]
		}
		b.WriteString(fit(line, w))
	}
	return b.String()
}

// inner is how many cells a pane of w cells leaves for its lines.
func inner(w int) int { return max(0, w-4) }

// pane is a box of exactly w x h cells with a title in its upper edge and lines
// in it, cut to inner(w) and h-2.
func pane(th *theme.Theme, title string, lines []string, w, h int) string {
	return box{title: title}.draw(th, lines, w, h)
}

// box is a pane with more to it.
type box struct {
	title string
	foot  string // in the lower edge, right: "4 files"
	focus bool   // the keys go to this pane
}

func (b box) draw(th *theme.Theme, lines []string, w, h int) string {
	if w < 4 || h < 2 {
		return block(lines, w, h)
	}
	l := th.Border()
	edge := theme.Border
	if b.focus {
		edge = theme.Cursor
	}
	var out strings.Builder
	out.WriteString(b.edge(th, edge, l.TopLeft, l.TopRight, b.title, w, true))
	side := th.Render(edge, l.Vertical)
	for i := range h - 2 {
		line := ""
		if i < len(lines) {
			line = lines[i]
		}
		out.WriteString("\n" + side + " " + fit(line, w-4) + " " + side)
	}
	out.WriteString("\n" + b.edge(th, edge, l.BottomLeft, l.BottomRight, b.foot, w, false))
	return out.String()
}

// edge is the upper or lower edge of a box with a text in it.
func (b box) edge(th *theme.Theme, role theme.Role, left, right, text string, w int, top bool) string {
	l := th.Border()
	fill := func(n int) string { return strings.Repeat(l.Horizontal, max(0, n)) }
	if text == "" {
		return th.Render(role, left+fill(w-2)+right)
	}
	text = th.Cut(text, w-6)
	n := w - 5 - ansi.StringWidth(text)
	line := th.Line()
	if top {
		return line.Add(role, left+l.Horizontal+" ").Add(theme.Title, text).Add(role, " "+fill(n)+right).String()
	}
	return line.Add(role, left+fill(n)+" ").Add(theme.Faint, text).Add(role, " "+l.Horizontal+right).String()
}

// beside puts blocks of equal height next to each other.
func beside(blocks ...string) string {
	var rows []string
	for i, b := range blocks {
		for j, line := range strings.Split(b, "\n") {
			if i == 0 {
				rows = append(rows, line)
			} else if j < len(rows) {
				rows[j] += line
			}
		}
	}
	return strings.Join(rows, "\n")
}

// above puts blocks under each other.
func above(blocks ...string) string { return strings.Join(blocks, "\n") }

// wrap breaks text without styles into lines of at most w cells, between words
// and never within a name, unless it is longer than a line.
func wrap(text string, w int) []string {
	if w <= 0 {
		return nil
	}
	var lines []string
	for _, para := range strings.Split(text, "\n") {
		line, n := "", 0
		for word := range strings.FieldsSeq(para) {
			k := ansi.StringWidth(word)
			if n > 0 && n+1+k <= w {
				line, n = line+" "+word, n+1+k
				continue
			}
			if n > 0 {
				lines = append(lines, line)
			}
			for ; k > w; k = ansi.StringWidth(word) {
				head := ansi.Truncate(word, w, "")
				if head == "" { // a character wider than the line
					break
				}
				lines, word = append(lines, head), word[len(head):]
			}
			line, n = word, k
		}
		lines = append(lines, line)
	}
	return lines
}

// styled gives every line the same role.
//
//go:noinline // many callers, none of them hot
func styled(th *theme.Theme, r theme.Role, lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = th.Render(r, l)
	}
	return out
}

// window is the first of n rows to draw so that the row at cursor is among h,
// given the first one drawn so far. It moves no further than it must.
func window(from, cursor, n, h int) int {
	if h <= 0 {
		return 0
	}
	from = min(from, cursor)
	from = max(from, cursor-h+1)
	return max(0, min(from, n-h))
}

// rule is a line across the screen.
func rule(th *theme.Theme, w int) string {
	return th.Render(theme.Border, strings.Repeat(th.Border().Horizontal, max(0, w)))
}

// count writes a number with its noun: "1 file", "3 files".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, found := strings.CutSuffix(noun, "y"); found && !strings.HasSuffix(stem, "a") && !strings.HasSuffix(stem, "e") {
		return number(n) + " " + stem + "ies"
	}
	return number(n) + " " + noun + "s"
}

// number writes a number for people, 9,987.
func number(n int) string { return theme.Number(n) }

// cells is how many cells a line fills.
func cells(s string) int { return ansi.StringWidth(s) }
