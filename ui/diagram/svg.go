package diagram

import (
	"fmt"
	"slices"
	"strings"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/ui/theme"
)

// Sizes of the picture, in pixels.
const (
	margin     = 24.0
	titleSize  = 19.0
	textSize   = 13.0
	smallSize  = 11.0
	columnMin  = 132.0
	columnMax  = 210.0
	laneGap    = 16.0
	lanePad    = 14.0
	caHeight   = 62.0
	rootHeight = 36.0
	rootGap    = 26.0
	barHeight  = 66.0
	barGap     = 78.0
	chipHeight = 25.0
	badge      = 16.0
	loopDepth  = 30.0
)

// SVG is the topology as one picture of its own size: a lane for each authority
// with its CA on top, programs as bars across the lanes, and each call as an
// arrow with the certificates that its two ends present. It is readable on
// light and dark pages. The same model gives the same bytes.
func SVG(m *Model) ([]byte, error) {
	d := &drawing{m: m, plan: arrangeCalls(m)}
	d.measure()
	d.header()
	d.drawLanes()
	d.drawRoots()
	d.drawBars()
	d.drawArrows()
	d.footer()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%s" height="%s" role="img" aria-labelledby="t d">`+"\n",
		px(d.width), px(d.height), px(d.width), px(d.height))
	fmt.Fprintf(&b, "<title id=\"t\">%s</title>\n<desc id=\"d\">%s</desc>\n", xmlText(d.heading()), xmlText(d.description()))
	b.WriteString(style(len(d.plan.lanes)))
	fmt.Fprintf(&b, `<rect class="page" x="0.5" y="0.5" width="%s" height="%s" rx="12"/>`+"\n", px(d.width-1), px(d.height-1))
	b.WriteString(d.b.String())
	b.WriteString("</svg>\n")
	return []byte(b.String()), nil
}

// px writes a length with at most one digit behind the point.
func px(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}

type drawing struct {
	m      *Model
	plan   *arrangement
	b      strings.Builder
	width  float64
	height float64

	lanes   []box
	laneTop float64
	columns []float64 // the middle of each column of the plan
	widths  []float64 // of each column
	bars    []box
	spare   [][]*Node // leaves of a lane that no call shows
}

type box struct{ x, y, w, h float64 }

//go:noinline // many callers, none of them hot
func (d *drawing) f(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n", args...) }

// text writes text with its class; what was cut is in a title of its own.
func (d *drawing) text(x, y float64, class, s string) {
	d.f(`<text class="%s" x="%s" y="%s">%s</text>`, class, px(x), px(y), xmlText(s))
}

func (d *drawing) heading() string { return strings.TrimSpace(d.m.Title + " " + d.m.Cluster) }

// description is the picture in words, for those who do not see it.
func (d *drawing) description() string {
	var b strings.Builder
	b.WriteString(d.m.Heading() + ".")
	for _, id := range d.plan.lanes {
		if n := d.m.authority(id); n != nil {
			fmt.Fprintf(&b, " %s signs %s.", n.Title, plural(n.leaves, "certificate"))
		}
	}
	for _, c := range d.m.groups {
		fmt.Fprintf(&b, " %s calls %s (%s).", c.programs[0], c.programs[1], c.Proof)
	}
	return b.String()
}

// measure decides every size, from the texts and the plan.
func (d *drawing) measure() {
	p := d.plan
	d.measureColumns()
	d.spareLeaves()
	x := margin
	d.columns = make([]float64, len(p.columns))
	for lane := range p.lanes {
		used := 0.0
		for _, c := range p.across {
			if p.columns[c].lane == lane {
				d.columns[c] = x + lanePad + used + d.widths[c]/2
				used += d.widths[c]
			}
		}
		w := max(used, columnMin) + 2*lanePad
		if need := d.headWidth(lane); need > w {
			for c := range p.columns {
				if p.columns[c].lane == lane {
					d.columns[c] += (need - w) / 2
				}
			}
			w = need
		}
		d.lanes = append(d.lanes, box{x: x, w: w})
		x += w + laneGap
	}
	d.width = max(x-laneGap+margin, 560)
	d.laneTop = margin + 44 + float64(d.rootRows())*(rootHeight+rootGap)
	y := d.laneTop + caHeight
	most := 0
	for _, s := range d.spare {
		most = max(most, min(len(s), Siblings))
	}
	if most > 0 {
		y += float64(most)*(chipHeight+4) + 14
	}
	d.measureBars(y + 34)
	for i := range d.lanes {
		d.lanes[i].y, d.lanes[i].h = d.laneTop, d.height-d.laneTop
	}
}

// measureColumns makes each column as wide as the names at its two ends.
func (d *drawing) measureColumns() {
	p := d.plan
	d.widths = make([]float64, len(p.columns))
	for i, c := range p.columns {
		w := columnMin
		for _, b := range []int{c.from, c.to} {
			for _, n := range d.shown(i, b) {
				need := textWidth(d.m.title(n), textSize) + badge + 44
				if end, _ := ending(n); n.EndsSoon() {
					need += textWidth(end, smallSize)
				}
				w = max(w, need)
			}
			if s := p.spans[b]; s.first == s.last {
				w = max(w, textWidth(p.bars[b].name, textSize+1)*1.08+32)
			}
		}
		for _, a := range c.arrows {
			text, _ := labelText(a)
			w = max(w, textWidth(text[0]+text[1], smallSize)+22)
		}
		d.widths[i] = min(w, columnMax)
	}
}

// headWidth is what the CA on top of a lane needs.
func (d *drawing) headWidth(lane int) float64 {
	n := d.m.authority(d.plan.lanes[lane])
	if n == nil {
		return 0
	}
	end, _ := ending(n)
	return min(max(textWidth(n.Title, 15)*1.08+textWidth(end, smallSize)+badge+56, textWidth(caption(n), smallSize)+30), 320)
}

// measureBars places the bars level by level, with room below a level for the
// arrows that pull it apart from the next.
func (d *drawing) measureBars(y float64) {
	p := d.plan
	levels := 0
	for _, b := range p.bars {
		levels = max(levels, b.level)
	}
	d.bars = make([]box, len(p.bars))
	for b := range p.bars {
		first, last := p.spans[b].first, p.spans[b].last
		if last < 0 {
			continue
		}
		left := d.columns[p.across[first]] - d.widths[p.across[first]]/2
		right := d.columns[p.across[last]] + d.widths[p.across[last]]/2
		d.bars[b] = box{left + 4, y + float64(p.bars[b].level)*(barHeight+barGap), right - left - 8, barHeight}
	}
	d.height = y
	for b := range p.bars {
		bottom := d.bars[b].y + barHeight + 16
		if d.loops(b) {
			bottom += loopDepth + 18
		}
		d.height = max(d.height, bottom)
	}
}

func (d *drawing) loops(b int) bool {
	return slices.ContainsFunc(d.plan.columns, func(c column) bool { return c.from == b && c.to == b })
}

// spareLeaves lists the leaves of each lane that no call presents.
func (d *drawing) spareLeaves() {
	d.spare = make([][]*Node, len(d.plan.lanes))
	called := map[*Node]bool{}
	for _, c := range d.m.groups {
		called[d.m.standIn(c.server)] = true
		if c.Mutual {
			called[d.m.standIn(c.client)] = true
		}
	}
	for _, n := range d.m.nodes {
		if n.Kind != Leaf || d.m.standIn(n) != n || called[n] {
			continue
		}
		if i := slices.Index(d.plan.lanes, n.Authority); i >= 0 {
			d.spare[i] = append(d.spare[i], n)
		}
	}
}

// above says how many CAs stand between a lane's authority and its root.
func rowsAbove(n *Node) int {
	rows := 0
	for a := n.parent; a != nil; a = a.parent {
		rows++
	}
	return rows
}

func (d *drawing) rootRows() int {
	rows := 0
	for _, id := range d.plan.lanes {
		if n := d.m.authority(id); n != nil {
			rows = max(rows, rowsAbove(n))
		}
	}
	return rows
}

func (d *drawing) header() {
	d.f(`<text class="h" x="%s" y="%s">%s</text>`, px(margin), px(margin+16), xmlText(fit(d.heading(), titleSize, d.width*0.5)))
	d.f(`<text class="muted end" x="%s" y="%s">%s</text>`, px(d.width-margin), px(margin+15), xmlText(d.m.Heading()+" · "+d.m.ProofWords()))
}

func (d *drawing) drawLanes() {
	for i, id := range d.plan.lanes {
		l, n := d.lanes[i], d.m.authority(id)
		d.f(`<rect class="tint%d" x="%s" y="%s" width="%s" height="%s" rx="12"/>`, i%palette, px(l.x), px(l.y), px(l.w), px(l.h))
		d.f(`<path class="fill%d" d="M%s %s v-%s a12 12 0 0 1 12 -12 h%s a12 12 0 0 1 12 12 v%s z"/>`, i%palette,
			px(l.x), px(l.y+caHeight), px(caHeight-12), px(l.w-24), px(caHeight-12))
		if n == nil {
			continue
		}
		if n.Severity == check.Error {
			d.f(`<rect class="badline" x="%s" y="%s" width="%s" height="%s" rx="12"/>`, px(l.x), px(l.y), px(l.w), px(caHeight))
		}
		d.f(`<rect class="halo" x="%s" y="%s" width="%s" height="%s" rx="5"/>`, px(l.x+12.5), px(l.y+12.5), px(badge+3), px(badge+3))
		d.badge(l.x+14, l.y+14, n.Mode)
		end, _ := ending(n)
		d.f(`<text class="ca" x="%s" y="%s">%s</text>`, px(l.x+14+badge+8), px(l.y+28), xmlText(fit(n.Title, 15, l.w-badge-46-textWidth(end, smallSize))))
		d.f(`<text class="casub end" x="%s" y="%s">%s</text>`, px(l.x+l.w-14), px(l.y+27), xmlText(end))
		d.f(`<text class="casub" x="%s" y="%s">%s</text>`, px(l.x+14), px(l.y+49), xmlText(fit(caption(n), smallSize, l.w-28)))
		for j, leaf := range d.spare[i] {
			y := l.y + caHeight + 10 + float64(j)*(chipHeight+4)
			if j == Siblings-1 && len(d.spare[i]) > Siblings {
				d.text(l.x+lanePad+8, y+17, "muted", theme.Number(len(d.spare[i])-j)+" more")
				break
			}
			d.chip(leaf, d.m.title(leaf), l.x+lanePad+4, y, min(l.w-2*lanePad-8, columnMax), i)
		}
	}
}

// caption says what a CA is and does.
func caption(n *Node) string {
	what := "intermediate"
	if n.parent == nil {
		what = "root"
	}
	switch n.State {
	case Missing:
		what = "not given yet"
	case Named:
		what = "to be read from a file"
	case Planned:
		what += ", will be made"
	}
	return what + " · signs " + plural(n.leaves, "certificate")
}

func (d *drawing) badge(x, y float64, m topology.Mode) {
	letter := m.Letter()
	d.f(`<rect class="m%s" x="%s" y="%s" width="%s" height="%s" rx="4"/><text class="mt" x="%s" y="%s">%s</text>`,
		letter, px(x), px(y), px(badge), px(badge), px(x+badge/2), px(y+12), letter)
}

// drawRoots draws what stands above the authorities: each across the lanes that
// hang on it.
func (d *drawing) drawRoots() {
	rows := d.rootRows()
	drawn := map[*Node]bool{}
	for i, id := range d.plan.lanes {
		child := d.m.authority(id)
		if child == nil {
			continue
		}
		middle := d.lanes[i].x + d.lanes[i].w/2
		childTop := d.lanes[i].y
		up := 0
		for n := child.parent; n != nil; n = n.parent {
			y := d.laneTop - float64(up+1)*(rootHeight+rootGap)
			b := d.rootBox(n, y)
			d.f(`<path class="sign" d="M%s %s V%s"/>`, px(middle), px(b.y+rootHeight), px(childTop-1))
			d.f(`<path class="signtip" d="M%s %s l-5 -8 h10 z"/>`, px(middle), px(childTop-1))
			if drawn[n] {
				break
			}
			drawn[n] = true
			d.root(n, b)
			middle, childTop = b.x+b.w/2, b.y
			if up++; up > rows {
				break
			}
		}
	}
}

func (d *drawing) rootBox(n *Node, y float64) box {
	left, right := d.width, 0.0
	for i, id := range d.plan.lanes {
		for a := d.m.authority(id); a != nil; a = a.parent {
			if a == n {
				left, right = min(left, d.lanes[i].x), max(right, d.lanes[i].x+d.lanes[i].w)
			}
		}
	}
	return box{left, y, right - left, rootHeight}
}

func (d *drawing) root(n *Node, b box) {
	class := "root"
	if n.NotWritten {
		class = "root dash"
	}
	d.f(`<rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="8"/>`, class, px(b.x), px(b.y), px(b.w), px(b.h))
	d.badge(b.x+12, b.y+10, n.Mode)
	end, _ := ending(n)
	d.text(b.x+12+badge+8, b.y+23, "b", fit(n.Title, textSize, b.w-badge-46-textWidth(end, smallSize)))
	d.f(`<text class="muted end" x="%s" y="%s">%s</text>`, px(b.x+b.w-12), px(b.y+23), xmlText(end))
}

// chip is one certificate: its mode, its name, its problem.
func (d *drawing) chip(n *Node, title string, x, y, w float64, lane int) {
	class := fmt.Sprintf("chip line%d", lane%palette)
	if n.Severity == check.Error {
		class = "chip badline"
	}
	end, _ := ending(n)
	full := n.Title + ": " + n.Mode.Words()
	if n.Role != "" {
		full += ", " + n.Role
	}
	d.f(`<g><title>%s</title><rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="6"/>`, xmlText(strings.TrimSuffix(full+", "+end, ", ")), class, px(x), px(y), px(w), px(chipHeight))
	d.badge(x+5, y+4.5, n.Mode)
	room := w - badge - 18
	switch {
	case n.Severity == check.Error:
		room -= 14
		d.text(x+w-15, y+17, "badtext", "✗")
	case n.EndsSoon():
		room -= textWidth(end, smallSize) + 4
		d.f(`<text class="badtext small end" x="%s" y="%s">%s</text>`, px(x+w-7), px(y+16.5), xmlText(end))
	case n.Severity == check.Warning:
		room -= 10
		d.text(x+w-12, y+17, "badtext", "!")
	}
	d.text(x+badge+11, y+17, "t", fit(title, textSize, room))
	d.f(`</g>`)
}
