package diagram

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"certwright/ui/theme"
)

// CallOptions say how the calls are drawn.
type CallOptions struct {
	Width  int
	Height int   // how many rows at most; 0 for all
	Node   *Node // its calls stand out; nil for none
	ASCII  bool
}

// callsFrom is the width from which a call fits into one row.
const callsFrom = 84

// CallRows draws who calls whom: one row for each call where there is room, else
// three. Below a call that fails stands why. When not all fit, those that fail
// come first, then those of the node.
func CallRows(m *Model, o CallOptions) []Row {
	g := glyphsFor(o.ASCII)
	calls := m.listed(o.Node)
	each := 1
	if o.Width < callsFrom {
		each = 3
	}
	left := 0
	if o.Height > 0 && len(calls)*each+1 > o.Height {
		most := max(1, (o.Height-2)/each)
		left = max(0, len(calls)-most)
		calls = worstFirst(calls, o.Node, min(most, len(calls)))
	}
	p := &pane{width: o.Width, g: g}
	if each == 1 {
		p.callTable(m, calls, o.Node)
	} else {
		for _, c := range calls {
			p.callBlock(m, c, o.Node)
		}
	}
	if o.Height > 0 && len(p.rows) > o.Height {
		p.rows = p.rows[:o.Height]
	}
	if left > 0 && len(p.rows) < o.Height {
		p.row(theme.Faint, g.ellipsis+" "+plural(left, "more call"))
	}
	return p.rows
}

// worstFirst picks so many calls: those that fail, then those of the node, then
// the first. It looks at each call once, however many there are.
func worstFirst(calls []*Call, n *Node, most int) []*Call {
	var ranks [3][]*Call
	for _, c := range calls {
		i := callRank(c, n)
		if len(ranks[i]) < most {
			ranks[i] = append(ranks[i], c)
		}
		if len(ranks[0]) == most {
			break
		}
	}
	return slices.Concat(ranks[0], ranks[1], ranks[2])[:most]
}

func callRank(c *Call, n *Node) int {
	switch {
	case c.Proof == Failed:
		return 0
	case c.involves(n):
		return 1
	}
	return 2
}

// involves says whether a node is presented or trusted in the call.
func (c *Call) involves(n *Node) bool {
	switch {
	case n == nil:
		return false
	case n.Kind == Authority:
		return c.ServerCA == n.Authority || c.ClientCA == n.Authority
	}
	if c.grouped() {
		return c.Server.Base() == n.Slot.Base() || c.Mutual && c.Client.Base() == n.Slot.Base()
	}
	return c.client == n || c.server == n
}

func proofMark(c *Call, g *glyphs) (string, theme.Role) {
	switch c.Proof {
	case Proved:
		return g.good, theme.Good
	case Failed:
		return g.bad, theme.Bad
	case Advised:
		return g.warn, theme.Warn
	case Proving:
		return g.busy, theme.Busy
	}
	return g.dot, theme.Faint
}

// callTable draws each call in one row with columns.
func (p *pane) callTable(m *Model, calls []*Call, selected *Node) {
	from, carry, to, serve := 0, 0, 0, 0
	for _, c := range calls {
		from, to = max(from, ansi.StringWidth(c.From)), max(to, ansi.StringWidth(c.To))
		carry, serve = max(carry, ansi.StringWidth(m.carries(c))), max(serve, ansi.StringWidth(m.serves(c)))
	}
	from, to, carry, serve = min(max(from, 6), 22), min(max(to, 6), 22), min(max(carry, 8), 30), min(max(serve, 8), 24)
	var head Row
	head.add(theme.Faint, "  "+pad("caller", from)+"    "+pad("presents", carry)+"     "+pad("called", to)+"  "+pad("presents", serve)+"  trust")
	p.rows = append(p.rows, clip(head, p.width, p.g))
	var failed []*Call
	for _, c := range calls {
		role := p.emphasis(c, selected)
		mark, markRole := proofMark(c, p.g)
		var r Row
		r.add(markRole, mark)
		r.add(role, " "+pad(cut(c.From, from, p.g.ellipsis), from)+" ")
		text := cut(m.carries(c), carry, p.g.ellipsis)
		fill := carry - ansi.StringWidth(text)
		r.add(theme.Border, p.g.line+p.g.line)
		r.add(carryRole(c, role), " "+text+" ")
		r.add(theme.Border, strings.Repeat(p.g.line, fill+2)+p.g.tip)
		r.add(role, " "+pad(cut(c.To, to, p.g.ellipsis), to))
		r.add(role, "  "+pad(cut(m.serves(c), serve, p.g.ellipsis), serve))
		r.add(theme.Faint, "  "+strings.TrimPrefix(m.trusts(c), "trusts ")+dialled(c, ", "))
		p.rows = append(p.rows, clip(r, p.width, p.g))
		p.reason(c, failed)
		if c.Problem != "" {
			failed = append(failed, c)
		}
	}
}

// callBlock draws a call in a narrow pane.
func (p *pane) callBlock(m *Model, c *Call, selected *Node) {
	role := p.emphasis(c, selected)
	mark, markRole := proofMark(c, p.g)
	var r Row
	r.add(markRole, mark)
	r.add(role, " "+c.From+" "+p.g.arrow+" "+c.To)
	p.rows = append(p.rows, clip(r, p.width, p.g))
	p.row(theme.Plain, "  "+m.carries(c)+" "+p.g.arrow+" "+m.serves(c))
	if c.Proof == Failed {
		p.reason(c, nil)
		return
	}
	p.row(theme.Faint, "  "+m.trusts(c)+dialled(c, ", "))
}

// reason is why a call fails, unless one before it failed for the same reason.
func (p *pane) reason(c *Call, before []*Call) {
	if c.Proof != Failed && c.Proof != Advised || c.Problem == "" || slices.ContainsFunc(before, c.failsAs) {
		return
	}
	role := theme.Bad
	if c.Proof == Advised {
		role = theme.Warn
	}
	for _, line := range wrap(c.Problem, p.width-4) {
		p.row(role, "    "+line)
	}
	text := ""
	if c.Has != "" {
		text = "it has " + c.Has
	}
	if c.Needs != "" {
		text = strings.TrimPrefix(text+"; it needs "+c.Needs, "; ")
	}
	for _, line := range wrap(text, p.width-4) {
		p.row(theme.Plain, "    "+line)
	}
}

func (p *pane) emphasis(c *Call, selected *Node) theme.Role {
	switch {
	case c.Proof == Failed:
		return theme.Bad
	case selected == nil:
		return theme.Plain
	case c.involves(selected):
		return theme.Bold
	}
	return theme.Faint
}

func carryRole(c *Call, role theme.Role) theme.Role {
	if c.client == nil || role == theme.Faint {
		return theme.Faint
	}
	return theme.RoleOf(c.client.Mode.Letter())
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}

// carries is what the client presents.
func (m *Model) carries(c *Call) string {
	if !c.Mutual {
		return "no certificate"
	}
	return m.presented(c, c.client)
}

// serves is what the server presents.
func (m *Model) serves(c *Call) string {
	if c.server == nil {
		return safe(string(c.Server))
	}
	return m.presented(c, c.server)
}

// trusts says whose certificates the two sides believe.
func (m *Model) trusts(c *Call) string {
	server, client := m.titles[c.ServerCA], m.titles[c.ClientCA]
	switch {
	case c.ServerCA == "" && c.ClientCA == "":
		return "nobody verifies anybody"
	case c.ServerCA == "":
		return "server not verified, client by " + client
	case c.ClientCA == "" || c.ServerCA == c.ClientCA:
		return "trusts " + server
	}
	return "server by " + server + ", client by " + client
}

// dialled is how many names are dialled, or the only one.
func dialled(c *Call, before string) string {
	if c.grouped() {
		return before + c.pairs()
	}
	switch len(c.Dials) {
	case 0:
		return ""
	case 1:
		return before + c.Dials[0].Name
	}
	return before + plural(len(c.Dials), "name")
}
