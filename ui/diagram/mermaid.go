package diagram

import (
	"fmt"
	"strconv"
	"strings"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/ui/theme"
)

// exported is how many certificates of one CA an export draws; of more it says
// how many there are. Viewers of Mermaid refuse charts much larger than that.
const exported = 24

// Mermaid is the topology as a Mermaid flowchart: a subgraph for each authority,
// thick lines for who signs whom and arrows for who calls whom.
func Mermaid(m *Model) string {
	w := &mermaid{m: m, ids: map[*Node]string{}}
	w.line("%% " + mermaidComment(m.Title+" "+m.Cluster) + ": " + m.Heading())
	w.line("flowchart TB")
	for i, n := range m.nodes {
		w.ids[n] = "n" + strconv.Itoa(i)
	}
	for _, n := range m.Roots {
		w.node(n, "  ")
	}
	for _, n := range m.nodes {
		for _, c := range n.Children {
			if n.Kind == Root && w.drawn[c] {
				w.line("  " + w.ids[n] + " ==> " + w.ids[c])
			}
		}
	}
	failed := w.calls()
	w.styles(failed)
	return w.b.String()
}

type mermaid struct {
	m       *Model
	b       strings.Builder
	ids     map[*Node]string
	drawn   map[*Node]bool
	classes map[string][]string
	links   int
}

//go:noinline // many callers, none of them hot
func (w *mermaid) line(s string) { w.b.WriteString(s + "\n") }

// node writes a node; an authority becomes a subgraph around what it signs.
func (w *mermaid) node(n *Node, indent string) {
	if w.drawn == nil {
		w.drawn, w.classes = map[*Node]bool{}, map[string][]string{}
	}
	if n.Kind != Authority {
		w.box(n, indent)
		for _, c := range n.Children {
			w.node(c, indent)
		}
		return
	}
	w.line(indent + "subgraph g" + w.ids[n] + "[" + mermaidText(n.Title) + "]")
	w.line(indent + "  direction TB")
	w.box(n, indent+"  ")
	w.below(n, indent+"  ")
	w.line(indent + "end")
}

func (w *mermaid) below(n *Node, indent string) {
	shown, more := w.m.some(n, exported)
	for _, c := range shown {
		w.box(c, indent)
		w.line(indent + w.ids[n] + " --- " + w.ids[c])
		w.links++
		w.below(c, indent)
	}
	if more > 0 {
		id := w.ids[n] + "more"
		w.line(indent + id + "[" + mermaidText(theme.Number(more)+" more") + "]")
		w.line(indent + w.ids[n] + " --- " + id)
		w.links++
	}
}

func (w *mermaid) box(n *Node, indent string) {
	w.drawn[n] = true
	open, end := "[", "]"
	switch {
	case n.CA():
		open, end = "{{", "}}"
	case n.Kind == KeyPair:
		open, end = "([", "])"
	}
	text, _ := ending(n)
	label := n.Title
	if n.Role != "" {
		label += "\n" + strings.Replace(n.Role, "both", "server, client", 1)
	}
	label += "\n" + strings.TrimSuffix(n.Mode.Letter()+" · "+text, " · ")
	w.line(indent + w.ids[n] + open + mermaidText(label) + end)
	class := "generate"
	switch n.Mode {
	case topology.BringCA:
		class = "bringCA"
	case topology.BringCerts:
		class = "bringCerts"
	}
	if n.NotWritten {
		class = "notWritten"
	}
	if n.Severity == check.Error {
		class = "bad"
	}
	w.classes[class] = append(w.classes[class], w.ids[n])
}

// calls writes the arrows and returns the numbers of those that fail, counted
// as Mermaid counts links: in the order of the text.
func (w *mermaid) calls() []int {
	for _, n := range w.m.nodes {
		if n.Kind == Root {
			for _, c := range n.Children {
				if w.drawn[c] {
					w.links++
				}
			}
		}
	}
	var failed []int
	drawn := map[[3]string]bool{}
	programs := map[string]string{}
	for _, c := range w.m.groups {
		from := ""
		if c.client != nil && c.Mutual && w.drawn[c.client] {
			from = w.ids[c.client]
		} else {
			from = programs[c.From]
			if from == "" {
				from = "p" + strconv.Itoa(len(programs))
				programs[c.From] = from
				w.line("  " + from + "((" + mermaidText(c.From) + "))")
			}
		}
		if c.server == nil || !w.drawn[c.server] {
			continue
		}
		to := w.ids[c.server]
		label := c.From + " → " + c.To
		if drawn[[3]string{from, to, label}] {
			continue
		}
		drawn[[3]string{from, to, label}] = true
		switch c.Proof {
		case Proved:
			label += " ✓"
		case Failed:
			label += " ✗"
			failed = append(failed, w.links)
		}
		w.line("  " + from + " -.->|" + mermaidText(label) + "| " + to)
		w.links++
	}
	return failed
}

func (w *mermaid) styles(failed []int) {
	for _, c := range []struct{ name, style string }{
		{"generate", "fill:#d9f2e0,stroke:#2e7d4f,color:#12351f"},
		{"bringCA", "fill:#fbeecb,stroke:#a87a10,color:#3d2c00"},
		{"bringCerts", "fill:#d5eef5,stroke:#1c7c96,color:#06313d"},
		{"notWritten", "fill:#eeeeee,stroke:#888888,color:#333333,stroke-dasharray:4 3"},
		{"bad", "fill:#f9d7d7,stroke:#b3261e,color:#410e0b,stroke-width:2px"},
	} {
		if ids := w.classes[c.name]; len(ids) > 0 {
			w.line("  classDef " + c.name + " " + c.style)
			w.line("  class " + strings.Join(ids, ",") + " " + c.name)
		}
	}
	for _, i := range failed {
		w.line(fmt.Sprintf("  linkStyle %d stroke:#b3261e,stroke-width:2px", i))
	}
}

// mermaidText is text as a quoted label: whatever could end it, or start markup
// inside it, is written as an entity code, which Mermaid spells #35; for #.
func mermaidText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString("<br/>")
		case strings.ContainsRune("\"<>&#;`\\{}[]()|%*_~$", r):
			fmt.Fprintf(&b, "#%d;", r)
		case r < ' ' || r == 0x7f:
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// mermaidComment is text in a comment, which ends with the line and must not
// begin a directive.
func mermaidComment(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "{", "(", "}", ")", "%", " ").Replace(s)
}
