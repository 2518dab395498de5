package wizard

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// outPen writes cells with as few bytes as it can: it knows where the cursor is
// and which style is set, and what it costs to change either.
type outPen struct {
	b     []byte
	y, x  int // of the cursor; x is -1 when it is not known
	now   outStyle
	lost  bool // which style is set is not known
	width int  // of the terminal; 0 when it is not known
}

// row writes a row whole, whatever the terminal shows in it.
func (p *outPen) row(y int, row outRow) {
	if !row.plain {
		p.raw(y, row.raw)
		return
	}
	p.move(y, 0)
	p.put(row.cells)
	if !row.full { // in the last column it would erase that
		p.style(outStyle{}) // what is erased takes the background that is set
		p.write("\x1b[K")
	}
}

// raw writes a row as the library does.
func (p *outPen) raw(y int, raw string) {
	p.style(outStyle{})
	p.move(y, 0)
	p.write(raw)
	p.x, p.lost = -1, true
}

// changes writes the cells of a row that differ. What is the same between two
// of them is jumped over, or written again where that is shorter.
func (p *outPen) changes(y int, old, cells []outCell) {
	var start outPen // where the last piece without a jump in it begins
	for i, r := range changed(old, cells) {
		jumped := p.fork()
		jumped.move(y, r.from)
		from := jumped.fork()
		jumped.span(r, cells)
		if i > 0 {
			joined := start.fork()
			joined.span(span{start.x, r.end}, cells)
			if len(joined.b) < len(jumped.b) {
				*p = joined
				continue
			}
		}
		*p, start = jumped, from
	}
}

// fork is the pen once more; what either of them writes the other does not.
func (p outPen) fork() outPen {
	p.b = slices.Clip(p.b)
	return p
}

func (p *outPen) write(s string) { p.b = append(p.b, s...) }

// span writes a part of a row from the cursor, which is at its beginning.
func (p *outPen) span(r span, cells []outCell) {
	p.put(cells[min(r.from, len(cells)):min(r.end, len(cells))])
	switch rest := r.end - max(r.from, len(cells)); {
	case rest > 3:
		p.move(p.y, max(r.from, len(cells)))
		p.style(p.now.blankFor(outStyle{})) // what is erased takes the background that is set
		p.write("\x1b[K")
	case rest > 0:
		p.put(slices.Repeat([]outCell{{r: ' '}}, rest))
	}
}

// span is a part of a row, the cells from from to before end.
type span struct{ from, end int }

// changed are the parts of a row that are to be written.
func changed(old, cells []outCell) []span {
	cell := func(list []outCell, i int) outCell {
		if i < len(list) {
			return list[i]
		}
		return outCell{r: ' '} // the rest of a row is erased
	}
	var out []span
	for x, n := 0, max(len(old), len(cells)); x < n; x++ {
		if cell(old, x) == cell(cells, x) {
			continue
		}
		end := x + 1
		for end < n && cell(old, end) != cell(cells, end) {
			end++
		}
		from, end := word(cells, x, end)
		if last := len(out) - 1; last >= 0 && from <= out[last].end {
			out[last].end = end
		} else {
			out = append(out, span{from, end})
		}
		x = end - 1
	}
	return out
}

// put writes cells at the cursor.
func (p *outPen) put(cells []outCell) {
	for i := 0; i < len(cells); {
		if n := blanks(cells[i:]); n >= 11 || n >= 5 && n == len(cells)-i {
			p.style(p.now.blankFor(outStyle{}))
			p.write("\x1b[" + strconv.Itoa(n) + "X") // erases them and moves nothing
			if i += n; i < len(cells) {
				p.move(p.y, p.x+n)
			}
			continue
		}
		c := cells[i]
		if c.r == ' ' {
			p.style(p.before(c.style, cells[i:]))
		} else {
			p.style(c.style)
		}
		p.b = utf8.AppendRune(p.b, c.r)
		p.x++
		i++
	}
	if p.x >= p.width {
		p.x = -1 // in the last column it stays, until the next character
	}
}

// blanks counts the cells without anything in them that come first.
func blanks(cells []outCell) int {
	n := 0
	for n < len(cells) && cells[n].blank() {
		n++
	}
	return n
}

// before is the style for a blank: the one that is set where it shows no
// difference, else that of what comes next, if it shows none either.
func (p *outPen) before(blank outStyle, cells []outCell) outStyle {
	if !p.lost && p.now.blank() == blank {
		return p.now
	}
	for _, c := range cells {
		if c.style.blank() != blank {
			break
		}
		if c.r != ' ' {
			return c.style
		}
	}
	return blank
}

// blankFor is the style to be set for blanks of a style: itself where they look so.
func (s outStyle) blankFor(blank outStyle) outStyle {
	if s.blank() == blank {
		return s
	}
	return blank
}

// style sets a style.
func (p *outPen) style(next outStyle) {
	if p.lost {
		p.write("\x1b[m")
		p.now, p.lost = outStyle{}, false
	}
	p.write(p.now.to(next))
	p.now = next
}

// move moves the cursor, both from 0, by the shortest of the ways that every
// terminal knows. A line feed is followed by a column always: some terminals
// begin a new line with it.
func (p *outPen) move(y, x int) {
	column := "\r"
	if x > 0 {
		column = "\x1b[" + strconv.Itoa(x+1) + "G"
	}
	best := "\x1b[" + strconv.Itoa(y+1) + "H"
	if x > 0 {
		best = "\x1b[" + strconv.Itoa(y+1) + ";" + strconv.Itoa(x+1) + "H"
	}
	shorter := func(way string) {
		if len(way) < len(best) {
			best = way
		}
	}
	if p.x >= 0 {
		switch {
		case p.y == y && p.x == x:
			return
		case p.y == y && x > p.x:
			shorter("\x1b[" + times(x-p.x) + "C")
			fallthrough
		case p.y == y:
			shorter(column)
		case y > p.y && p.x == x:
			shorter("\x1b[" + times(y-p.y) + "B")
		case y > p.y:
			shorter(strings.Repeat("\n", y-p.y) + column)
		}
	}
	p.write(best)
	p.y, p.x = y, x
}

// times is a count as a parameter, which is left out where it is 1.
func times(n int) string {
	if n == 1 {
		return ""
	}
	return strconv.Itoa(n)
}

// word widens a change to whole words: whoever reads along what is sent (a
// recorder, a screen reader, a test) meets no halves of them.
func word(cells []outCell, from, end int) (int, int) {
	joined := func(i int) bool { return inWord(cells[i-1].r) && inWord(cells[i].r) }
	for from > 0 && from < len(cells) && joined(from) {
		from--
	}
	for end > 0 && end < len(cells) && joined(end) {
		end++
	}
	return from, end
}

// inWord says of a character that it is no blank, no line, and nothing that
// stands between the words of a path or a distinguished name.
func inWord(r rune) bool { return r != ' ' && r != '/' && r != '=' && (r < 0x2500 || r > 0x257f) }
