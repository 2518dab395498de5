package diagram

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"certwright/certs/topology"
	"certwright/ui/theme"
)

// drawBars draws the programs, each with the certificates that it presents.
func (d *drawing) drawBars() {
	for b := range d.plan.bars {
		if box := d.bars[b]; box.w > 0 {
			d.f(`<rect class="bar" x="%s" y="%s" width="%s" height="%s" rx="9"/>`, px(box.x), px(box.y), px(box.w), px(box.h))
			d.text(box.x+12, box.y+22, "b", fit(d.plan.bars[b].name, textSize+1, box.w-20))
			d.chips(b)
			if !d.presents(b) {
				d.text(box.x+12, box.y+barHeight-16, "muted", "no certificate")
			}
		}
	}
}

// presents says whether a program shows a certificate to anybody.
func (d *drawing) presents(b int) bool {
	for i := range d.plan.columns {
		if len(d.shown(i, b)) > 0 {
			return true
		}
	}
	return false
}

// chips draws what a program presents, one chip for neighbouring columns that
// present the same.
func (d *drawing) chips(b int) {
	p := d.plan
	first, last := p.spans[b].first, p.spans[b].last
	for place := first; place <= last; place++ {
		i := p.across[place]
		for _, n := range d.shown(i, b) {
			end := place
			for end < last && p.columns[p.across[end+1]].lane == p.columns[i].lane && slices.Contains(d.shown(p.across[end+1], b), n) {
				end++
			}
			if place > first && p.columns[p.across[place-1]].lane == p.columns[i].lane && slices.Contains(d.shown(p.across[place-1], b), n) {
				continue // drawn with the column before
			}
			left, right := d.columns[i]-d.widths[i]/2+10, d.columns[p.across[end]]+d.widths[p.across[end]]/2-10
			lane := max(0, slices.Index(p.lanes, n.Authority))
			d.chip(n, d.m.title(n), left, d.bars[b].y+barHeight-chipHeight-8, right-left, lane)
			break // the two ends of a loop present the same, or the client's stands for both
		}
	}
}

// shown lists what a program presents in a column.
func (d *drawing) shown(col, b int) []*Node {
	var out []*Node
	c := d.plan.columns[col]
	for _, a := range c.arrows {
		client, server := c.from, c.to
		if a.back {
			client, server = server, client
		}
		if client == b && a.call.Mutual && a.call.client != nil && !slices.Contains(out, d.m.standIn(a.call.client)) {
			out = append(out, d.m.standIn(a.call.client))
		}
		if server == b && a.call.server != nil && !slices.Contains(out, d.m.standIn(a.call.server)) {
			out = append(out, d.m.standIn(a.call.server))
		}
	}
	return out
}

func (d *drawing) drawArrows() {
	for i, c := range d.plan.columns {
		if c.from == c.to {
			d.loop(d.columns[i], c, d.widths[i])
			continue
		}
		for j, a := range c.arrows {
			shift := 0.0
			if len(c.arrows) == 2 {
				shift = 13 * float64(2*j-1)
			}
			d.arrow(d.columns[i]+shift, c, a, shift, d.widths[i])
		}
	}
}

// lineClass is how a call's line looks: its lane's colour, dashed where the
// client shows no certificate, dotted where the server is not verified.
func lineClass(lane int, c *Call) string {
	class := fmt.Sprintf("call line%d", lane%palette)
	switch {
	case c.Proof == Failed:
		class = "call badline"
	case !c.Mutual:
		class += " open"
	case c.ServerCA == "":
		class += " dots"
	}
	return class
}

func tipClass(lane int, c *Call) string {
	if c.Proof == Failed {
		return "bad"
	}
	return fmt.Sprintf("fill%d", lane%palette)
}

func (d *drawing) arrow(x float64, c column, a arrow, shift, width float64) {
	from, to := d.bars[c.from], d.bars[c.to]
	if a.back {
		from, to = to, from
	}
	start, end, tip := from.y+from.h, to.y, -9.0
	if from.y > to.y {
		start, end, tip = from.y, to.y+to.h, 9.0
	}
	d.f(`<g><title>%s</title><path class="%s" d="M%s %s V%s"/><path class="%s" d="M%s %s l-5 %s h10 z"/>`,
		xmlText(d.tooltip(a.call)), lineClass(c.lane, a.call), px(x), px(start), px(end+tip), tipClass(c.lane, a.call), px(x), px(end), px(tip))
	d.label(x, d.labelY(from, to), a, c.lane, shift, width)
	d.f(`</g>`)
}

// labelY is where the label of an arrow stands: in the first gap between levels
// that it passes, where nothing else is in its column.
func (d *drawing) labelY(from, to box) float64 {
	return min(from.y, to.y) + barHeight + barGap/2
}

// loop is a call of a program to others of its kind.
func (d *drawing) loop(x float64, c column, width float64) {
	a := c.arrows[0]
	b := d.bars[c.from]
	y, reach := b.y+b.h, 34.0
	d.f(`<g><title>%s</title><path class="%s" d="M%s %s v%s a12 12 0 0 0 12 12 h%s a12 12 0 0 0 12 -12 v-%s"/><path class="%s" d="M%s %s l-5 9 h10 z"/>`,
		xmlText(d.tooltip(a.call)), lineClass(c.lane, a.call), px(x-reach), px(y), px(loopDepth-12), px(2*reach-24), px(loopDepth-21), tipClass(c.lane, a.call), px(x+reach), px(y))
	text, class := labelText(a)
	d.f(`<text class="%s mid" x="%s" y="%s">%s</text>`, class, px(x), px(y+loopDepth+14), xmlText(fit(text[0]+text[1], smallSize, width)))
	d.f(`</g>`)
}

// labelText says whether a call is proved, and what it is, in two parts.
func labelText(a arrow) (text [2]string, class string) {
	class = "t small"
	switch a.call.Proof {
	case Proved:
		text[0], class = "✓ ", "ok small"
	case Failed:
		text[0], class = "✗ ", "badtext small"
	case Advised:
		text[0] = "! "
	}
	switch {
	case !a.call.Mutual:
		text[0] += "server only"
	case a.call.ServerCA == "":
		text[0] += "client only"
	default:
		text[0] += "mutual"
	}
	switch n := len(a.call.Dials); {
	case a.call.grouped():
		text[1] = " · " + a.call.pairs()
	case a.count > 1:
		text[1] = " ×" + theme.Number(a.count)
	case n > 1:
		text[1] = " · " + plural(n, "name")
	}
	return text, class
}

// label writes an arrow's label. Two arrows in one column have theirs on their
// outer sides, in two rows.
func (d *drawing) label(x, y float64, a arrow, lane int, shift, width float64) {
	text, class := labelText(a)
	if shift != 0 {
		anchor, tx := "end", x-8
		if shift > 0 {
			anchor, tx = "start", x+8
		}
		below := strings.TrimPrefix(strings.TrimSpace(text[1]), "· ")
		if a.call.ServerCA == "" {
			below = "not verified"
			text[0] = strings.Replace(text[0], "client only", "server", 1)
		}
		d.f(`<text class="%s %s" x="%s" y="%s">%s</text>`, class, anchor, px(tx), px(y-2), xmlText(text[0]))
		if below != "" {
			d.f(`<text class="muted small %s" x="%s" y="%s">%s</text>`, anchor, px(tx), px(y+12), xmlText(below))
		}
		return
	}
	whole := text[0] + text[1]
	w := min(textWidth(whole, smallSize)+14, width-4)
	frame := fmt.Sprintf("line%d", lane%palette)
	if a.call.Proof == Failed {
		frame = "badline"
	}
	d.f(`<rect class="label %s" x="%s" y="%s" width="%s" height="19" rx="9.5"/>`, frame, px(x-w/2), px(y-10), px(w))
	d.f(`<text class="%s mid" x="%s" y="%s">%s</text>`, class, px(x), px(y+3.5), xmlText(fit(whole, smallSize, w-8)))
}

// tooltip is the call in a sentence.
func (d *drawing) tooltip(c *Call) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s calls %s: %s", c.programs[0], c.programs[1], d.m.trusts(c))
	for i, dial := range c.Dials {
		if i == 8 {
			fmt.Fprintf(&b, ", %d more", len(c.Dials)-i)
			break
		}
		b.WriteString(", " + dial.Name)
	}
	if c.Problem != "" {
		b.WriteString(". Fails: " + c.Problem)
	}
	return b.String()
}

// footer is the legend, the key pairs, and why calls fail.
func (d *drawing) footer() {
	y := d.height + 26
	x := margin
	for _, m := range topology.Modes() {
		n := d.m.Counts.Modes[m]
		if n == 0 {
			continue
		}
		d.badge(x, y-12, m)
		text := m.Words() + " " + theme.Number(n)
		d.text(x+badge+6, y, "muted small", text)
		x += badge + 6 + textWidth(text, smallSize) + 16
	}
	for _, k := range []struct{ class, text string }{
		{"call ink", "mutual TLS"}, {"call ink open", "server certificate only"}, {"call ink dots", "server not verified"},
	} {
		if !d.draws(k.text) {
			continue
		}
		d.f(`<path class="%s" d="M%s %s h26"/>`, k.class, px(x), px(y-4))
		d.text(x+32, y, "muted small", k.text)
		x += 32 + textWidth(k.text, smallSize) + 16
	}
	for _, n := range d.m.nodes {
		if n.Kind == KeyPair && x+textWidth(n.Title, smallSize)+40 < d.width-margin {
			d.badge(x, y-12, n.Mode)
			d.text(x+badge+6, y, "muted small", n.Title)
			x += badge + 6 + textWidth(n.Title, smallSize) + 16
		}
	}
	y = d.failures(y)
	d.height = math.Ceil(y + 18)
}

// draws says whether the picture has a line of that kind.
func (d *drawing) draws(kind string) bool {
	return slices.ContainsFunc(d.m.groups, func(c *Call) bool {
		switch {
		case !c.Mutual:
			return kind == "server certificate only"
		case c.ServerCA == "":
			return kind == "server not verified"
		}
		return kind == "mutual TLS"
	})
}

// failures says why calls fail, once for each reason.
func (d *drawing) failures(y float64) float64 {
	const most = 6
	var said []*Call
	for _, c := range d.m.groups {
		if c.Proof != Failed || len(said) == most || slices.ContainsFunc(said, c.failsAs) {
			continue
		}
		said = append(said, c)
		text := "✗ " + c.Problem
		if c.Has != "" && c.Needs != "" {
			text += "; it has " + c.Has + ", and needs " + c.Needs
		}
		for _, line := range fill(text, smallSize, d.width-2*margin) {
			y += 17
			d.text(margin, y, "badtext small", line)
		}
	}
	return y
}
