package wizard

import "slices"

// outWays are the shortest ways to write the rows of a frame so far, one for each
// end of the last of them. A row is written from its left or from its right:
// where the colour that one row ends in is the one that the next begins with, it
// is not set again, and setting one is a dozen bytes.
type outWays []outPen

// row goes on with a row, of which the terminal shows old; nil when that is not known.
func (w outWays) row(y int, old *outRow, row outRow) outWays {
	switch {
	case old == nil, old.raw != row.raw && !old.plain:
		return w.by(func(p *outPen) { p.row(y, row) })
	case old.raw == row.raw:
		return w
	case !row.plain:
		return w.by(func(p *outPen) { p.raw(y, row.raw) })
	}
	return append(
		w.by(func(p *outPen) { p.changes(y, old.cells, row.cells) }),
		w.by(func(p *outPen) { p.backwards(y, old.cells, row.cells) })...,
	)
}

// by goes on in one way, from the end that makes it the shortest.
func (w outWays) by(write func(*outPen)) outWays {
	var best outPen
	for i, p := range w {
		p = p.fork()
		if write(&p); i == 0 || len(p.b) < len(best.b) {
			best = p
		}
	}
	return outWays{best}
}

// end is the shortest way to write the frame. It leaves no style set.
func (w outWays) end() string {
	return string(w.by(func(p *outPen) {
		if len(p.b) > 0 {
			p.style(outStyle{})
		}
	})[0].b)
}

// backwards writes what changes does, its last piece first.
func (p *outPen) backwards(y int, old, cells []outCell) {
	for _, r := range slices.Backward(changed(old, cells)) {
		for _, r := range slices.Backward(r.styles(cells)) {
			p.move(y, r.from)
			p.span(r, cells)
		}
	}
}

// styles are the pieces of a part of a row that are written in one style each.
// Blanks go with what stands before them, where they look the same in its style.
func (r span) styles(cells []outCell) []span {
	var out []span
	var style outStyle
	for x := r.from; x < r.end; x++ {
		c := outCell{r: ' '}
		if x < len(cells) {
			c = cells[x]
		}
		same := c.style == style || c.r == ' ' && c.style == style.blank()
		if x == r.from || !same {
			out = append(out, span{x, x})
			style = c.style
		}
		out[len(out)-1].end = x + 1
	}
	return out
}
