package wizard

import (
	"fmt"
	"strings"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

var errTooManyNodes = fmt.Errorf("that would be more than %d nodes, and so many are not taken. Nothing was added", topology.MaxNodes)

func shownNode(n topology.Node) string {
	return orElse(untrusted.Text(n.Name).Max(60), "without a name")
}

// view is the pane in w cells and h rows.
func (p *nodesPane) view(w, h int) string {
	if roomy(w) {
		b := box{title: "Nodes " + p.Theme.Border().Separator + " " + p.nodesTitle(), focus: true}
		if n := len(p.table()); n > 0 {
			b.foot = number(p.cursor+1) + " of " + number(max(n, p.cursor+1))
		}
		return b.draw(p.Theme, p.lines(inner(w), h-2), w, h)
	}
	head := p.Theme.Line().Plain(" ").Add(theme.Title, "Nodes").Add(theme.Faint, "  "+p.nodesTitle()).Fit(w)
	return block(append([]string{head}, indent(p.lines(w-2, h-1))...), w, h)
}

func (p *nodesPane) nodesTitle() string {
	if table, from := p.Flow.Nodes(); len(table) == 0 && from == "" {
		return "the one that the facts describe"
	}
	return p.nodesWords()
}

// lines are the rows that fit, the one with the cursor among them, and below
// them the prompt that is open.
func (p *nodesPane) lines(w, h int) []string {
	var foot []string
	if p.path != nil {
		foot = append([]string{""}, p.path.lines("Take the nodes from", w)...)
	}
	h -= len(foot)
	nodes := p.shown()
	var lines []string
	switch {
	case len(nodes) == 0:
		lines = p.empty(w)
	default:
		c := p.columns(w)
		l := p.Theme.Line().Plain("  ").Col(theme.Faint, "name", c.name).Plain(" ").Col(theme.Faint, "role", c.role).Plain(" ")
		lines = append(lines, l.Add(theme.Faint, "addresses").Fit(w))
		lines = append(lines, p.window(nodes, w, h-1)...)
	}
	lines = lines[:min(len(lines), max(0, h))]
	for len(lines) < h {
		lines = append(lines, "")
	}
	return append(lines, foot...)
}

// window draws the rows that fit and no others, however many there are. A row
// has a second line where something is wrong with it.
func (p *nodesPane) window(nodes []topology.Node, w, h int) []string {
	wrong := p.problems().problems
	tall := func(i int) int {
		if len(wrong[i]) > 0 {
			return 2
		}
		return 1
	}
	cursor := min(p.cursor, len(nodes)-1)
	// The first row drawn moves no further than it must: not past the cursor,
	// not so far up that the cursor falls off, not below a full window.
	p.from = max(0, min(p.from, cursor))
	used := 0
	for i := cursor; i >= p.from; i-- {
		if used += tall(i); used > h {
			p.from = i + 1
			break
		}
	}
	p.from = min(p.from, cursor)
	rest := 0
	for i := p.from; i < len(nodes) && rest <= h; i++ {
		rest += tall(i)
	}
	for p.from > 0 && rest+tall(p.from-1) <= h {
		p.from--
		rest += tall(p.from)
	}
	var lines []string
	p.rows = 0
	for i := p.from; i < len(nodes) && len(lines) < h; i++ {
		lines = append(lines, p.row(nodes[i], i, i == cursor, len(wrong[i]) > 0, w))
		if len(wrong[i]) > 0 && len(lines) < h {
			lines = append(lines, p.Theme.Line().Plain("    ").Add(theme.Bad, p.Theme.Cut(wrong[i][0].text, w-4)).Fit(w))
		}
		p.rows++
	}
	return lines
}

// nodeWidths are the widths of the cells. They follow the window and not what
// is in them, so that nothing jumps while the rows scroll.
type nodeWidths struct{ name, role, addresses int }

func (p *nodesPane) columns(w int) nodeWidths {
	c := nodeWidths{role: len(topology.ControlPlane) + 2}
	left := w - 2 - 1 - c.role - 1 - 1 - p.Theme.MarkWidth()
	c.name = min(40, left/2)
	c.addresses = left - c.name
	return c
}

func (p *nodesPane) row(n topology.Node, i int, here, wrong bool, w int) string {
	c := p.columns(w)
	l := p.Theme.Line()
	p.start(l, here)
	role := theme.Plain
	if here {
		role = theme.Bold
	}
	e := p.edit
	typed := e != nil && e.row == i
	if typed && e.cell == nameCell {
		e.in.add(l, role, c.name, true)
	} else {
		l.Col(role, untrusted.Text(n.Name).Max(253), c.name)
	}
	l.Plain(" ")
	if typed && e.cell == roleCell {
		b := p.Theme.Border()
		l.Col(role, b.Left+untrusted.Text(n.Role).Max(40)+b.Right, c.role)
	} else {
		l.Col(role, untrusted.Text(n.Role).Max(40), c.role)
	}
	l.Plain(" ")
	if typed && e.cell == addressCell {
		e.in.add(l, role, c.addresses, true)
	} else {
		l.Col(role, untrusted.Text(joinAddresses(n)).Max(4000), c.addresses)
	}
	sign := theme.GoodSign
	if wrong {
		sign = theme.BadSign
	}
	return l.Plain(" ").Mark(sign).Fit(w)
}

// empty says what a table is for, or why there is none.
func (p *nodesPane) empty(w int) []string {
	th := p.Theme
	lines := []string{""}
	text := func(r theme.Role, s string) {
		lines = append(lines, styled(th, r, wrap(s, min(w, 90)))...)
	}
	if _, from := p.Flow.Nodes(); from != "" {
		for _, b := range p.Flow.Blockers(flow.StepFacts) {
			if b.Where == "nodes" {
				text(theme.Plain, untrusted.Text(b.Message).Max(600))
			}
		}
		return lines
	}
	text(theme.Plain, "The cluster has one node so far, the one that the facts describe. A table of nodes takes its place: each node with its role and its addresses gets certificates of its own.")
	lines = append(lines, "")
	for _, row := range [][2]string{
		{"a", "types the first row; a node that the facts describe is taken along"},
		{"f", "takes them from a file: CSV with the header name,role,addresses, or YAML"},
	} {
		for i, l := range wrap(row[1], w-6) {
			lines = append(lines, th.Line().Plain("  ").Col(theme.Key, first(i, row[0]), 4).Plain(l).Fit(w))
		}
	}
	lines = append(lines, "")
	text(theme.Faint, "Or paste lines such as cp-0,control-plane,10.0.0.10; several addresses of a node have blanks between them.")
	return lines
}

// urgent is what is wrong with the row under the cursor.
func (p *nodesPane) urgent() (Status, bool) {
	if p.path != nil {
		return p.status(), true
	}
	if reading, err := p.Flow.ReadingNodes(); reading || err != nil {
		return Status{}, false // the step's blockers say it
	}
	row := p.cursor
	if p.edit != nil {
		row = p.edit.row
	}
	j := p.problems()
	if wrong := j.problems[row]; len(wrong) > 0 {
		fresh := p.edit != nil && p.edit.fresh && blankNode(p.edit.node)
		if !fresh {
			return Status{theme.BadSign, "Node " + number(row+1) + ": " + sentence(wrong[0].text, nodeFix(wrong[0]))}, true
		}
	}
	if p.edit != nil {
		return p.status(), true
	}
	if len(p.table()) == 0 {
		return p.status(), true // what is wrong with the facts is said where they are
	}
	if n := len(j.rows); n > 0 {
		return Status{theme.BadSign, count(n, "node") + " of " + number(len(p.table())) + " cannot be taken. n goes to the next."}, true
	}
	return Status{}, false
}

// nodeFix is what to do about a problem whose words do not say so.
func nodeFix(p nodeProblem) string {
	switch {
	case strings.Contains(p.text, ";"):
		return ""
	case p.cell == nameCell:
		return "write the name under which its kubelet registers, such as worker-0"
	case p.cell == addressCell:
		return "write an address such as 10.0.0.10 or fd00::10"
	}
	return "press r to change it"
}

func (p *nodesPane) status() Status {
	switch e := p.edit; {
	case p.path != nil:
		return Status{Text: "The first line of a CSV is name,role,addresses. What is in the table now is replaced; u brings it back."}
	case e == nil:
		if _, from := p.Flow.Nodes(); from != "" {
			return Status{Text: "The file is read again when it changes. A change made here leaves it, and the table is kept in the answers."}
		}
		if len(p.table()) == 0 {
			return Status{Text: "Without a table the facts describe the only node."}
		}
		return Status{theme.GoodSign, "Every node can have its certificates. Lines name,role,addresses can be pasted here."}
	case e.cell == nameCell:
		return Status{Text: "The name under which the kubelet registers, in lower case: the host's name, unless --hostname-override says otherwise."}
	case e.cell == roleCell:
		return Status{Text: "A control plane runs an API server and etcd, and gets their certificates besides its kubelet's."}
	}
	return Status{Text: "Every address under which others reach the node, blanks between them. They become names of its certificates."}
}
