package diagram

import (
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
	Node *Node
	// More is, of a folded line, how many of Node's certificates it stands for.
	More   int
	Hidden []*Node

	guides []bool // for each ancestor below the top, whether more follows it
	last   bool
	closed bool
	aside  bool // shown only because of something below it
}

// Fold says whether the line stands for certificates that are not shown.
func (l Line) Fold() bool { return l.More > 0 }

// Aside says that the line is shown only because of something below it that a
// search or a filter asked for.
func (l Line) Aside() bool { return l.aside }

// ID tells lines apart when they are made anew: a node's own id, and of a fold
// that of its CA.
func (l Line) ID() string {
	if l.Fold() {
		return l.Node.ID + "/…"
	}
	return l.Node.ID
}

// Lines lists what is visible. Make it anew when the model or the view changes,
// not for every frame; drawing a window of it costs its height only.
func (m *Model) Lines(v View) []Line {
	l := &lister{view: v, find: strings.ToLower(v.Find)}
	if v.Mode != "" || l.find != "" {
		l.wanted = map[*Node]bool{}
		l.hits = map[*Node]bool{}
		for _, n := range m.nodes {
			if l.matches(n) {
				l.hits[n] = true
				for a := n; a != nil && !l.wanted[a]; a = a.parent {
					l.wanted[a] = true
				}
			}
		}
	}
	for i, n := range m.Roots {
		if l.shows(n) {
			l.add(n, nil, i == len(m.Roots)-1)
		}
	}
	return l.lines
}

type lister struct {
	view   View
	find   string
	wanted map[*Node]bool // nil: everything
	hits   map[*Node]bool
	lines  []Line
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

func (l *lister) add(n *Node, guides []bool, last bool) {
	closed := l.view.Closed[n.ID] && l.wanted == nil && len(n.Children) > 0
	l.lines = append(l.lines, Line{Node: n, guides: guides, last: last, closed: closed, aside: l.hits != nil && !l.hits[n]})
	if closed {
		return
	}
	var below []*Node
	for _, c := range n.Children {
		if l.shows(c) {
			below = append(below, c)
		}
	}
	if len(below) == 0 {
		return
	}
	if n.parent != nil || n.depth > 0 {
		guides = append(slices.Clone(guides), !last)
	}
	shown, hidden := l.split(n, below)
	for i, c := range shown {
		l.add(c, guides, i == len(shown)-1 && len(hidden) == 0)
	}
	if len(hidden) > 0 {
		l.lines = append(l.lines, Line{Node: n, More: len(hidden), Hidden: hidden, guides: guides, last: true})
	}
}

// split decides which children are shown: all of a few; of many those with an
// error, some with a warning, one of each kind, then the first.
func (l *lister) split(n *Node, below []*Node) (shown, hidden []*Node) {
	if l.view.All || l.view.Opened[n.ID] || l.find != "" || len(below) <= Siblings+1 {
		return below, nil
	}
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
	for _, c := range below {
		// A CA below a CA is a branch of its own.
		if keep[c] || c.CA() || l.view.Pinned[c.ID] {
			shown = append(shown, c)
		} else {
			hidden = append(hidden, c)
		}
	}
	return shown, hidden
}

// Start is the view to begin with on that many rows: everything where it fits
// twice over, else every CA closed that has nothing wrong below it and nothing
// that was brought.
func (m *Model) Start(height int) View {
	v := View{Closed: map[string]bool{}, Opened: map[string]bool{}}
	if len(m.nodes) <= 2*height {
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
func (v *View) Reveal(n *Node) {
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
	l := &lister{view: *v}
	if _, hidden := l.split(n.parent, n.parent.Children); slices.Contains(hidden, n) {
		if v.Pinned == nil {
			v.Pinned = map[string]bool{}
		}
		v.Pinned[n.ID] = true
	}
}
