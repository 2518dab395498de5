package diagram

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"certwright/certs/topology"
	"certwright/ui/theme"
)

// printed is how many nodes a printed tree shows before siblings fold; JSON has
// them all.
const printed = 200

// Tree is the topology as plain text of at most that many columns (at least
// 60), without colours: who signs whom, who calls whom, and what is wrong.
func Tree(m *Model, width int, onlyASCII bool) string {
	width = max(width, 60)
	var b strings.Builder
	title := m.Title
	if m.Cluster != "" {
		title += " " + m.Cluster
	}
	write := func(s string) { b.WriteString(strings.TrimRight(s, " ") + "\n") }
	write(title + ": " + m.Heading())
	write("")
	for _, r := range Rows(m.Lines(View{All: m.total() <= printed}), RowOptions{Width: min(width, 100), Cursor: -1, ASCII: onlyASCII}) {
		write(r.Text())
	}
	write("")
	write(m.Legend())
	if len(m.Calls) > 0 {
		write("")
		write("Who calls whom: " + m.ProofWords())
		for _, r := range CallRows(m, CallOptions{Width: width, ASCII: onlyASCII}) {
			write("  " + clip(r, width-2, glyphsFor(onlyASCII)).Text())
		}
	}
	m.treeProblems(write, width, onlyASCII)
	m.treeReach(write, width, onlyASCII)
	out := b.String()
	if onlyASCII {
		out = toASCII(out)
	}
	return out
}

func (m *Model) treeProblems(write func(string), width int, onlyASCII bool) {
	const most = 20
	for i, n := range m.problems {
		if i == 0 {
			write("")
			write("Problems")
		}
		if i == most {
			write("  and " + plural(len(m.problems)-most, "more certificate"))
			return
		}
		p := &pane{width: width - 4, g: glyphsFor(onlyASCII)}
		if n.State == Missing {
			p.marked(p.g.warn, theme.Warn, "not given yet")
		}
		p.problems(n)
		write("  " + cut(n.Title, width-2, p.g.ellipsis))
		for _, r := range p.rows {
			if len(r.Segments) > 0 {
				write("    " + r.Text())
			}
		}
	}
}

// treeReach lists the keys that open more than their calls ask for, or everything.
func (m *Model) treeReach(write func(string), width int, onlyASCII bool) {
	g := glyphsFor(onlyASCII)
	var rows []*Node
	column := 0
	for _, n := range m.nodes {
		if slices.ContainsFunc(n.Opens, func(o Opens) bool { return o.Loud || !o.Allowed }) && len(rows) < printed {
			rows = append(rows, n)
			column = max(column, min(24, ansi.StringWidth(n.Title)))
		}
	}
	for i, n := range rows {
		if i == 0 {
			write("")
			write("What a stolen key opens beside what it is for")
		}
		label := pad(cut(n.Title, column, g.ellipsis), column)
		for _, text := range n.beyond(g) {
			for _, line := range wrap(text, width-column-6) {
				write("  " + label + "  " + line)
				label = strings.Repeat(" ", column)
			}
		}
	}
}

// beyond is what a key opens that no call asks for: what makes its holder
// master of the cluster first, each by itself, then the rest in one sentence.
func (n *Node) beyond(g *glyphs) []string {
	var out, rest []string
	for _, o := range n.Opens {
		switch {
		case o.Loud:
			out = append(out, g.warn+" "+o.Title+" as "+o.As)
		case o.Allowed:
		case o.As != "":
			rest = append(rest, o.Title+" as "+o.As)
		default:
			rest = append(rest, o.Title)
		}
	}
	if len(rest) > 0 {
		out = append(out, strings.Join(rest, ", "))
	}
	return out
}

// Legend counts the certificates of each mode: "G generate 7   C bring CA 4".
func (m *Model) Legend() string {
	var parts []string
	for _, mode := range topology.Modes() {
		if n := m.Counts.Modes[mode]; n > 0 {
			parts = append(parts, mode.Letter()+" "+mode.Words()+" "+theme.Number(n))
		}
	}
	return strings.Join(parts, "   ")
}

// ProofWords says how far the calls are proved: "all 7 calls proved by real handshakes".
func (m *Model) ProofWords() string {
	switch m.Proof {
	case Proved:
		if m.alike {
			return "all " + m.countCalls() + " proved, each kind by real handshakes"
		}
		return "all " + m.countCalls() + " proved by real handshakes"
	case Failed:
		failed := 0
		for _, c := range m.Calls {
			if c.Proof == Failed {
				failed++
			}
		}
		if failed == 1 {
			return "1 of " + m.countCalls() + " fails"
		}
		return theme.Number(failed) + " of " + m.countCalls() + " fail"
	case Proving:
		return "proving" + fine.ellipsis
	}
	return "not proved yet"
}

// countCalls is how many calls there are, and says when they are a sample.
func (m *Model) countCalls() string {
	all := 0
	for _, g := range m.groups {
		all += max(1, g.Pairs)
	}
	if all > len(m.Calls) {
		return plural(len(m.Calls), "call") + " (a sample of " + theme.Number(all) + ")"
	}
	return plural(len(m.Calls), "call")
}

// toASCII replaces what has a twin and questions the rest.
func toASCII(s string) string {
	return theme.New(theme.Options{Profile: theme.None, ASCII: true}).Text(s)
}
