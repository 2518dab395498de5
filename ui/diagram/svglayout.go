package diagram

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"certwright/certs/topology"
)

// The picture has a lane (a column of columns) for each authority. A program is
// a bar across the lanes in which it calls or is called; a call is a vertical
// arrow between two bars, in a column of its own in its authority's lane. Every
// planar topology can be drawn so without a crossing; arrange looks for the
// order of bars and columns that has none, or the fewest.

// column is the calls between two programs that present the same two
// certificates, in either direction.
type column struct {
	lane     int
	from, to int // bars
	arrows   []arrow
}

// arrow is one direction of a column, for one call or (with nodes) many alike.
type arrow struct {
	call  *Call
	count int
	back  bool // from the column's to to its from
}

// bar is one program.
type bar struct {
	name  string
	level int
}

// arrangement is the picture before it has sizes.
type arrangement struct {
	m       *Model
	lanes   []topology.AuthorityID
	columns []column
	bars    []bar
	order   []int // bars from top to bottom
	across  []int // columns from left to right
	at      []int // the place of a column in across
	place   []int // the place of a bar in order
	spans   []span
}

// span is the columns that a bar covers.
type span struct{ first, last int }

// mostBars is how many programs a picture shows by their own names.
const mostBars = 24

func arrangeCalls(m *Model) *arrangement {
	p := &arrangement{m: m, lanes: m.lanesByRoot()}
	bars := map[string]int{}
	barOf := func(name string) int {
		i, ok := bars[name]
		if !ok && len(p.bars) >= mostBars {
			name = "further programs"
			i, ok = bars[name]
		}
		if !ok {
			i = len(p.bars)
			bars[name] = i
			p.bars = append(p.bars, bar{name: name})
		}
		return i
	}
	for _, c := range m.groups {
		p.addCall(c, max(0, slices.Index(p.lanes, c.lane)), barOf(c.programs[0]), barOf(c.programs[1]))
	}
	sort.SliceStable(p.columns, func(i, j int) bool { return p.columns[i].lane < p.columns[j].lane })
	p.arrange()
	return p
}

func (p *arrangement) addCall(c *Call, lane, from, to int) {
	client := c.presents()
	for i := range p.columns {
		col := &p.columns[i]
		first := col.arrows[0].call
		if col.lane != lane {
			continue
		}
		same := col.from == from && col.to == to && first.presents() == client && first.Server.Base() == c.Server.Base()
		back := col.from == to && col.to == from && first.presents() == c.Server.Base() && first.Server.Base() == client
		if !same && !back {
			continue
		}
		back = back && !same
		for j := range col.arrows {
			if a := &col.arrows[j]; a.back == back {
				a.count++
				if c.Proof == Failed {
					a.call = c
				}
				return
			}
		}
		col.arrows = append(col.arrows, arrow{call: c, count: 1, back: back})
		return
	}
	p.columns = append(p.columns, column{lane: lane, from: from, to: to, arrows: []arrow{{call: c, count: 1}}})
}

// presents is the slot that the client shows, "" when it shows none.
func (c *Call) presents() topology.SlotID {
	if !c.Mutual {
		return ""
	}
	return c.Client.Base()
}

// lanesByRoot is the authorities with those under one root side by side.
func (m *Model) lanesByRoot() []topology.AuthorityID {
	var tops []*Node
	group := map[topology.AuthorityID]int{}
	for _, id := range m.lanes {
		top := m.authority(id)
		for top != nil && top.parent != nil {
			top = top.parent
		}
		i := slices.Index(tops, top)
		if i < 0 {
			i = len(tops)
			tops = append(tops, top)
		}
		group[id] = i
	}
	lanes := slices.Clone(m.lanes)
	sort.SliceStable(lanes, func(i, j int) bool { return group[lanes[i]] < group[lanes[j]] })
	return lanes
}

//go:noinline // many callers, none of them hot
func (m *Model) authority(id topology.AuthorityID) *Node {
	for _, n := range m.nodes {
		if n.Kind == Authority && n.Authority == id {
			return n
		}
	}
	return nil
}

// The prices of what is not wanted in a picture.
const (
	priceCrossing = 1000
	priceLevel    = 12
	priceUp       = 5
	priceSpan     = 3 // of a bar, for each column that it covers beyond its own
	priceLength   = 1 // of an arrow, for each level
)

// starts is how many arrangements are tried; small pictures need no more, and
// none when enough of the searches have ended at the same lowest price.
const (
	starts = 24
	enough = 5
)

// arrange puts bars and columns in the cheapest order that a search by
// exchanges finds, from several beginnings. It depends on the calls alone.
func (p *arrangement) arrange() {
	p.order, p.across = make([]int, len(p.bars)), make([]int, len(p.columns))
	for i := range p.order {
		p.order[i] = i
	}
	for i := range p.across {
		p.across[i] = i
	}
	p.at, p.place, p.spans = make([]int, len(p.columns)), make([]int, len(p.bars)), make([]span, len(p.bars))
	r := rand.New(rand.NewPCG(1, 2))
	best, found := p.improve(), 1
	bestOrder, bestAcross := slices.Clone(p.order), slices.Clone(p.across)
	tries := starts
	if len(p.bars)+len(p.columns) > 40 {
		tries = 2 // time grows with the fourth power; a crowd has crossings anyhow
	}
	for try := 0; try < tries && found < enough; try++ {
		r.Shuffle(len(p.order), func(i, j int) { p.order[i], p.order[j] = p.order[j], p.order[i] })
		for _, lane := range p.laneRanges() {
			part := p.across[lane[0]:lane[1]]
			r.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
		}
		switch price := p.improve(); {
		case price < best:
			best, found = price, 1
			copy(bestOrder, p.order)
			copy(bestAcross, p.across)
		case price == best:
			found++
		}
	}
	p.order, p.across = bestOrder, bestAcross
	p.price()
}

// laneRanges are the parts of across that belong to one lane each.
func (p *arrangement) laneRanges() [][2]int {
	var out [][2]int
	for i := 0; i < len(p.across); {
		j := i
		for j < len(p.across) && p.columns[p.across[j]].lane == p.columns[p.across[i]].lane {
			j++
		}
		out = append(out, [2]int{i, j})
		i = j
	}
	return out
}

// improve moves bars and columns as long as that makes the picture cheaper.
func (p *arrangement) improve() int {
	price := p.price()
	for {
		before := price
		price = p.improveList(p.order, 0, len(p.order), price)
		for _, lane := range p.laneRanges() {
			price = p.improveList(p.across, lane[0], lane[1], price)
		}
		if price >= before {
			return price
		}
	}
}

// improveList tries to move each item of a part of a list to every other place.
func (p *arrangement) improveList(list []int, lo, hi, price int) int {
	for i := lo; i < hi; i++ {
		best, bestAt := price, i
		for j := lo; j < hi; j++ {
			if j == i {
				continue
			}
			move(list, i, j)
			if now := p.priceBelow(best); now < best {
				best, bestAt = now, j
			}
			move(list, j, i)
		}
		if bestAt != i {
			move(list, i, bestAt)
			price = best
		}
	}
	return price
}

func move(list []int, from, to int) {
	v := list[from]
	if from < to {
		copy(list[from:to], list[from+1:to+1])
	} else {
		copy(list[to+1:from+1], list[to:from])
	}
	list[to] = v
}

// measure sets the places of bars and columns, and what each bar covers.
func (p *arrangement) measure() {
	for b := range p.spans {
		p.spans[b] = span{len(p.columns), -1}
	}
	for at, i := range p.across {
		p.at[i] = at
		c := &p.columns[i]
		for _, b := range [...]int{c.from, c.to} {
			p.spans[b] = span{min(p.spans[b].first, at), max(p.spans[b].last, at)}
		}
	}
	for at, b := range p.order {
		p.place[b] = at
	}
}

// price sets the levels of the bars and says what the picture costs.
func (p *arrangement) price() int { return p.priceBelow(math.MaxInt) }

// priceBelow is price where that is below a limit, else something that is not: of the
// thousands of arrangements that are tried most are dear before all is counted.
func (p *arrangement) priceBelow(limit int) int {
	p.measure()
	spans, place := p.spans, p.place
	price, levels := 0, 0
	for _, s := range spans {
		price += priceSpan * (s.last - s.first)
	}
	for i, b := range p.order {
		level := 0
		for _, above := range p.order[:i] {
			if spans[above].first <= spans[b].last && spans[b].first <= spans[above].last {
				level = max(level, p.bars[above].level+1)
			}
		}
		p.bars[b].level = level
		levels = max(levels, level)
		if price+priceLevel*levels >= limit {
			return limit
		}
	}
	price += priceLevel * levels
	for i := range p.columns {
		if price >= limit {
			return limit
		}
		c := &p.columns[i]
		low, high := min(place[c.from], place[c.to]), max(place[c.from], place[c.to])
		for _, b := range p.order[min(low+1, high):high] {
			if spans[b].first <= p.at[i] && p.at[i] <= spans[b].last {
				price += priceCrossing
			}
		}
		if place[c.from] > place[c.to] && len(c.arrows) == 1 {
			price += priceUp
		}
		price += priceLength * abs(p.bars[c.from].level-p.bars[c.to].level)
	}
	return price
}

func abs(n int) int { return max(n, -n) }

// crossings is how many bars are crossed by arrows in the arrangement.
func (p *arrangement) crossings() int { return p.price() / priceCrossing }
