package diagram

import (
	"fmt"
	"strconv"
	"strings"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/ui/theme"
)

// DOT is the topology for Graphviz: a cluster for each authority, solid lines
// for who signs whom, arrows for who calls whom.
func DOT(m *Model) string {
	w := &dot{m: m, ids: map[*Node]string{}, drawn: map[*Node]bool{}}
	for i, n := range m.nodes {
		w.ids[n] = "n" + strconv.Itoa(i)
	}
	w.line("digraph topology {")
	w.line("  graph [rankdir=TB, fontname=\"Helvetica,Arial,sans-serif\", label=" + dotText(strings.TrimSpace(m.Title+" "+m.Cluster)+": "+m.Heading()) + ", labelloc=t];")
	w.line("  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica,Arial,sans-serif\", fontsize=11];")
	w.line("  edge [fontname=\"Helvetica,Arial,sans-serif\", fontsize=9, color=\"#777777\"];")
	for _, n := range m.Roots {
		w.node(n, "  ")
	}
	w.calls()
	w.line("}")
	return w.b.String()
}

type dot struct {
	m     *Model
	b     strings.Builder
	ids   map[*Node]string
	drawn map[*Node]bool
}

//go:noinline // many callers, none of them hot
func (w *dot) line(s string) { w.b.WriteString(s + "\n") }

func (w *dot) node(n *Node, indent string) {
	if n.Kind != Authority {
		w.box(n, indent)
		for _, c := range n.Children {
			w.node(c, indent)
			w.sign(n, w.ids[c], indent)
		}
		return
	}
	w.line(indent + "subgraph cluster_" + w.ids[n] + " {")
	w.line(indent + "  label=" + dotText(n.Title) + "; style=\"rounded,filled\"; fillcolor=\"#f6f6f6\"; color=\"#bbbbbb\";")
	w.box(n, indent+"  ")
	w.below(n, indent+"  ")
	w.line(indent + "}")
}

func (w *dot) below(n *Node, indent string) {
	shown, more := w.m.some(n, exported)
	for _, c := range shown {
		w.box(c, indent)
		w.sign(n, w.ids[c], indent)
		w.below(c, indent)
	}
	if more > 0 {
		id := w.ids[n] + "more"
		w.line(indent + id + " [label=" + dotText(theme.Number(more)+" more") + ", style=\"rounded,dashed\"];")
		w.sign(n, id, indent)
	}
}

func (w *dot) sign(n *Node, id, indent string) {
	w.line(indent + w.ids[n] + " -> " + id + " [arrowhead=none, penwidth=1.6];")
}

func (w *dot) box(n *Node, indent string) {
	w.drawn[n] = true
	text, _ := ending(n)
	label := n.Title
	if n.Role != "" {
		label += "\n" + strings.Replace(n.Role, "both", "server, client", 1)
	}
	label += "\n" + strings.TrimSuffix(n.Mode.Letter()+" · "+text, " · ")
	fill, line, extra := "#d9f2e0", "#2e7d4f", ""
	switch n.Mode {
	case topology.BringCA:
		fill, line = "#fbeecb", "#a87a10"
	case topology.BringCerts:
		fill, line = "#d5eef5", "#1c7c96"
	}
	if n.NotWritten {
		fill, line, extra = "#eeeeee", "#888888", ", style=\"rounded,filled,dashed\""
	}
	if n.Severity == check.Error {
		fill, line = "#f9d7d7", "#b3261e"
	}
	if n.CA() {
		extra += ", shape=hexagon"
		if !n.NotWritten {
			extra += ", style=filled"
		}
	}
	w.line(fmt.Sprintf("%s%s [label=%s, fillcolor=%q, color=%q%s];", indent, w.ids[n], dotText(label), fill, line, extra))
}

func (w *dot) calls() {
	programs := map[string]string{}
	drawn := map[[3]string]bool{}
	for _, c := range w.m.groups {
		if c.server == nil || !w.drawn[c.server] {
			continue
		}
		from := ""
		if c.client != nil && c.Mutual && w.drawn[c.client] {
			from = w.ids[c.client]
		} else {
			from = programs[c.From]
			if from == "" {
				from = "p" + strconv.Itoa(len(programs))
				programs[c.From] = from
				w.line("  " + from + " [label=" + dotText(c.From) + ", shape=ellipse, style=filled, fillcolor=\"#ffffff\"];")
			}
		}
		label, color := c.From+" → "+c.To, "#3b6ea5"
		if drawn[[3]string{from, w.ids[c.server], label}] {
			continue
		}
		drawn[[3]string{from, w.ids[c.server], label}] = true
		switch c.Proof {
		case Proved:
			label += " ✓"
		case Failed:
			label, color = label+" ✗", "#b3261e"
		}
		w.line(fmt.Sprintf("  %s -> %s [label=%s, color=%q, fontcolor=%q, style=dashed, weight=0];", from, w.ids[c.server], dotText(label), color, color))
	}
}

// dotText is text as a quoted string of DOT. A backslash starts an escape in a
// label, and &name; an entity, so both are taken apart.
func dotText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '&':
			b.WriteString("&amp;")
		case r == '\n':
			b.WriteString(`\n`)
		case r < ' ' || r == 0x7f:
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
