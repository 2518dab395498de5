package diagram

import (
	"maps"
	"slices"
	"strings"

	"certwright/certs/check"
	"certwright/certs/topology"
)

// Siblings is how many certificates of one CA are shown before the rest fold
// into one line.
const Siblings = 8

// View is what a person folded, filtered and searched. The zero value shows
// every CA with its first certificates.
type View struct {
	Closed map[string]bool // nodes that show nothing below them, by id
	Opened map[string]bool // nodes that show all of their certificates
	Pinned map[string]bool // certificates that never fold away: somebody was sent to them
	All    bool            // every node does
	Mode   topology.Mode   // only certificates in this mode, and what signs them
	Find   string          // only what holds this text, and what signs it
}

// Line is one visible line of the tree: a node, or what was folded away below it.
type Line struct {
	// More is, of a folded line, how many of its node's certificates it stands for.
	More int

	node   *Node
	rest   *rest // of a node that an outline leaves out, instead of node
	kind   *restKind
	at     int // in the table of nodes
	hidden *hidden
	guides []bool // for each ancestor below the top, whether more follows it
	last   bool
	closed bool
	aside  bool // shown only because of something below it
}

// hidden sums up what a folded line stands for.
type hidden struct {
	modes map[topology.Mode]int
	worst check.Severity
}

// Node is what the line shows; of a folded line the CA.
func (l Line) Node() *Node {
	if l.rest != nil {
		return l.rest.node(l.kind, l.at)
	}
	return l.node
}

// Fold says whether the line stands for certificates that are not shown.
func (l Line) Fold() bool { return l.More > 0 }

// Aside says that the line is shown only because of something below it that a
// search or a filter asked for.
func (l Line) Aside() bool { return l.aside }

// ID tells lines apart when they are made anew: a node's own id, and of a fold
// that of its CA.
func (l Line) ID() string {
	switch {
	case l.rest != nil:
		return l.rest.id(l.kind, l.at)
	case l.Fold():
		return l.node.ID + "/…"
	}
	return l.node.ID
}

// Lines lists what is visible. Make it anew when the model or the view changes,
// not for every frame; drawing a window of it costs its height only.
func (m *Model) Lines(v View) []Line {
	l := &lister{m: m, view: v, find: strings.ToLower(v.Find)}
	if v.Mode != "" || l.find != "" {
		l.wanted = map[*Node]bool{}
		l.hits = map[*Node]bool{}
		want := func(n *Node) {
			for a := n; a != nil && !l.wanted[a]; a = a.parent {
				l.wanted[a] = true
			}
		}
		for _, n := range m.nodes {
			if l.matches(n) {
				l.hits[n] = true
				want(n)
			}
		}
		l.search(want)
	}
	roots := l.siblings(nil, m.Roots)
	for i, line := range roots {
		line.last = i == len(roots)-1
		l.add(line, nil)
	}
	return l.lines
}

type lister struct {
	m      *Model
	view   View
	find   string
	wanted map[*Node]bool // nil: everything
	hits   map[*Node]bool
	found  map[*restKind]restHits // of what an outline leaves out; nil: everything
	lines  []Line
}

// restHits are those of a kind that a search finds, by their place in the table.
type restHits struct {
	is func(i int) bool
	n  int
}

// search looks through what an outline leaves out.
func (l *lister) search(want func(*Node)) {
	l.found = map[*restKind]restHits{}
	if l.m.rest == nil {
		return
	}
	for _, k := range l.m.rest.kinds {
		switch {
		case l.view.Mode != "" && k.first.Mode != l.view.Mode:
			continue
		case l.find == "":
			l.found[k] = restHits{func(int) bool { return true }, k.count}
		default:
			is, n := l.m.rest.hits(k, l.find)
			l.found[k] = restHits{is, n}
		}
		if l.found[k].n > 0 && k.under != nil {
			want(k.under)
		}
	}
}

// left is which of a kind are to be shown, and how many they are.
func (l *lister) left(k *restKind) restHits {
	if l.found == nil {
		return restHits{func(int) bool { return true }, k.count}
	}
	return l.found[k]
}

func (l *lister) shows(n *Node) bool { return l.wanted == nil || l.wanted[n] }

func (l *lister) matches(n *Node) bool {
	if l.view.Mode != "" && (n.Mode != l.view.Mode || n.NotWritten) {
		return false
	}
	return l.find == "" || n.matches(l.find)
}

// matches says whether a node holds text that is in lower case already.
func (n *Node) matches(text string) bool {
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), text) }
	return has(n.Title) || has(n.ID) || has(n.Subject) || slices.ContainsFunc(n.Names, has)
}

// siblings are the lines of the nodes below one, nil for the top: those of its
// children that are wanted, and among them what an outline leaves out, each kind
// in the order of the table.
func (l *lister) siblings(parent *Node, children []*Node) []Line {
	r := l.m.rest
	out := make([]Line, 0, len(children)+r.below(parent))
	done := map[*restKind]bool{}
	for _, c := range children {
		k := r.kind(c.Slot)
		if k == nil || k.under != parent {
			if l.shows(c) {
				out = append(out, Line{node: c})
			}
			continue
		}
		if done[k] {
			continue
		}
		done[k] = true
		own := map[string]*Node{}
		for _, o := range children {
			if o.Slot.Base() == k.spec.ID {
				own[o.Slot.Node()] = o
			}
		}
		left := l.left(k)
		for i := range r.t.Nodes {
			if !r.here[i] {
				if left.n > 0 && r.has(k, i) && left.is(i) {
					out = append(out, Line{rest: r, kind: k, at: i})
				}
			} else if c := own[r.t.Nodes[i].Name]; c != nil && l.shows(c) {
				out = append(out, Line{node: c})
			}
		}
	}
	return out
}

// add adds a line and those below it.
func (l *lister) add(line Line, guides []bool) {
	line.guides = guides
	n := line.node
	if n == nil { // left out of the outline: it is found itself, and nothing is below it
		l.lines = append(l.lines, line)
		return
	}
	line.closed = l.view.Closed[n.ID] && l.wanted == nil && len(n.Children) > 0
	line.aside = l.hits != nil && !l.hits[n]
	l.lines = append(l.lines, line)
	if line.closed {
		return
	}
	shown, rest := l.split(n)
	if len(shown) == 0 {
		return
	}
	if n.parent != nil || n.depth > 0 {
		guides = append(slices.Clone(guides), !line.last)
	}
	l.lines = slices.Grow(l.lines, len(shown))
	for i, c := range shown {
		c.last = i == len(shown)-1 && rest.More == 0
		l.add(c, guides)
	}
	if rest.More > 0 {
		rest.node, rest.guides, rest.last = n, guides, true
		l.lines = append(l.lines, rest)
	}
}

// split decides which children are shown: all of a few; of many those with an
// error, some with a warning, one of each kind, then the first. The others are
// the line that they fold into, without its place.
func (l *lister) split(n *Node) (shown []Line, fold Line) {
	var below []*Node
	for _, c := range n.Children {
		if l.shows(c) {
			below = append(below, c)
		}
	}
	away := hidden{modes: map[topology.Mode]int{}}
	left := 0
	for _, k := range l.m.rest.of(n) {
		count := l.left(k).n
		left += count
		if count > 0 {
			away.modes[k.first.Mode] += count
		}
	}
	if l.view.All || l.view.Opened[n.ID] || l.find != "" || len(below)+left <= Siblings+1 {
		return l.siblings(n, n.Children), Line{}
	}
	keep := keepers(below)
	for _, c := range below {
		// A CA below a CA is a branch of its own.
		if keep[c] || c.CA() || l.view.Pinned[c.ID] {
			shown = append(shown, Line{node: c})
			continue
		}
		fold.More++
		away.modes[c.Mode]++
		away.worst = worse(away.worst, c.worst)
	}
	for _, id := range slices.Sorted(maps.Keys(l.view.Pinned)) {
		c := l.m.rest.find(id)
		if c == nil || c.parent != n || !l.matches(c) {
			continue
		}
		shown = append(shown, Line{rest: l.m.rest, kind: l.m.rest.kind(c.Slot), at: l.m.rest.place(c.Slot)})
		left--
		away.modes[c.Mode]--
	}
	fold.More += left
	fold.hidden = &away
	return shown, fold
}

// keepers are those of many that are shown without being asked for.
func keepers(below []*Node) map[*Node]bool {
	keep := make(map[*Node]bool, Siblings)
	take := func(want func(*Node) bool) {
		for _, c := range below {
			if len(keep) >= Siblings {
				return
			}
			if !keep[c] && want(c) {
				keep[c] = true
			}
		}
	}
	take(func(c *Node) bool { return c.worst == check.Error })
	take(func(c *Node) bool { return c.worst == check.Warning && len(keep) < Siblings/2 })
	kinds := map[topology.SlotID]bool{}
	take(func(c *Node) bool {
		base := c.Slot.Base()
		first := !kinds[base]
		kinds[base] = true
		return first
	})
	take(func(*Node) bool { return true })
	return keep
}

// some are the children of a node that a drawing of limited size shows, and how
// many more there are: all, when they are at most that many.
func (m *Model) some(n *Node, most int) (shown []*Node, more int) {
	if m.Below(n) <= most {
		return n.Children, 0
	}
	lines, fold := (&lister{m: m}).split(n)
	for _, l := range lines {
		shown = append(shown, l.Node())
	}
	return shown, fold.More
}

// Start is the view to begin with on that many rows: everything where it fits
// twice over, else every CA closed that has nothing wrong below it and nothing
// that was brought.
func (m *Model) Start(height int) View {
	v := View{Closed: map[string]bool{}, Opened: map[string]bool{}}
	if m.total() <= 2*height {
		return v
	}
	for _, n := range m.nodes {
		if n.Kind == Authority && n.worst == "" && n.modes[topology.BringCA]+n.modes[topology.BringCerts] == 0 {
			v.Closed[n.ID] = true
		}
	}
	return v
}

// Reveal opens what hides a node, so that Lines has it.
func (m *Model) Reveal(v *View, n *Node) {
	if v.Closed == nil {
		v.Closed = map[string]bool{}
	}
	for a := n.parent; a != nil; a = a.parent {
		delete(v.Closed, a.ID)
	}
	if v.Mode != "" && n.Mode != v.Mode {
		v.Mode = ""
	}
	if v.Find != "" && !n.matches(strings.ToLower(v.Find)) {
		v.Find = ""
	}
	if n.parent == nil {
		return
	}
	l := &lister{m: m, view: *v}
	shown, fold := l.split(n.parent)
	if fold.More > 0 && !slices.ContainsFunc(shown, func(l Line) bool { return l.ID() == n.ID }) {
		if v.Pinned == nil {
			v.Pinned = map[string]bool{}
		}
		v.Pinned[n.ID] = true
	}
}
