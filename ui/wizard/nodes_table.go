package wizard

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
)

// The cells of a node that can be typed or chosen.
type nodeCell int

const (
	nameCell nodeCell = iota
	roleCell
	addressCell
	nodeCells
)

// nodeProblem is what is wrong with one node.
type nodeProblem struct {
	cell nodeCell
	text string // escaped
}

// judgedNodes is what is wrong with a table, kept until it is another one.
type judgedNodes struct {
	of       []topology.Node
	draft    string
	problems map[int][]nodeProblem
	rows     []int // those with problems, in order
}

// judge says what is wrong with a table. draft is the row that is being typed,
// which differs although the table is the same.
func (j *judgedNodes) judge(table []topology.Node, draft string) *judgedNodes {
	if j.problems != nil && j.draft == draft && len(j.of) == len(table) && (len(table) == 0 || &j.of[0] == &table[0]) {
		return j
	}
	*j = judgedNodes{of: table, draft: draft, problems: map[int][]nodeProblem{}}
	for _, p := range topology.CheckNodes(cloneTable(table)) {
		row, problem, ok := nodeProblemOf(p.Fact, p.Text())
		if !ok {
			continue
		}
		j.problems[row] = append(j.problems[row], problem)
		if n := len(j.rows); n == 0 || j.rows[n-1] != row {
			j.rows = append(j.rows, row)
		}
	}
	slices.Sort(j.rows)
	j.rows = slices.Compact(j.rows)
	return j
}

// nodeProblemOf reads a problem's place, nodes[3].addresses[0], and makes it a
// sentence that says which cell it is about.
func nodeProblemOf(fact, text string) (row int, p nodeProblem, ok bool) {
	if _, err := fmt.Sscanf(fact, "nodes[%d].", &row); err != nil {
		return 0, p, false
	}
	text = untrusted.Text(text).Max(400)
	_, field, _ := strings.Cut(fact, "].")
	switch {
	case field == "name":
		p = nodeProblem{nameCell, "name " + text}
		if text != "is empty" && !strings.HasPrefix(text, "is one of") {
			p.text = text
		}
	case field == "role":
		p = nodeProblem{roleCell, text}
		if strings.HasPrefix(text, "must be") {
			p.text = "role " + text
		}
	default:
		p = nodeProblem{addressCell, text}
	}
	return row, p, true
}

// nodesBlocker is a blocker about one node as a person counts: node 3, from 1.
func nodesBlocker(b flow.Blocker) (string, bool) {
	row, p, ok := nodeProblemOf(b.Where, b.Message)
	return "node " + number(row+1) + ": " + p.text, ok
}

//go:noinline // many callers, none of them hot
func cloneTable(nodes []topology.Node) []topology.Node {
	out := slices.Clone(nodes)
	n := 0
	for i := range nodes {
		n += len(nodes[i].Addresses)
	}
	all := make([]string, 0, n)
	for i := range out {
		from := len(all)
		all = append(all, out[i].Addresses...)
		out[i].Addresses = all[from:len(all):len(all)]
	}
	return out
}

// splitAddresses reads addresses as people write several: with blanks, commas
// or semicolons between them.
func splitAddresses(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' || r == ';' })
}

func joinAddresses(n topology.Node) string { return strings.Join(n.Addresses, " ") }

func blankNode(n topology.Node) bool {
	return strings.TrimSpace(n.Name) == "" && len(n.Addresses) == 0
}

// severalNodes says that a pasted text is lines of a table, and not one value.
func severalNodes(text string, cell nodeCell) bool {
	text = strings.TrimSpace(text)
	return strings.ContainsAny(text, "\n\t") || cell != addressCell && strings.ContainsRune(text, ',')
}

// nodesFromText reads pasted lines name,role,addresses, as a CSV or as cells
// copied out of a spreadsheet. It takes all of them or none, and its error
// repeats nothing of the text: that may have been anything, a key too. What is
// wrong with a node's values is for the pane to say, at its row.
func nodesFromText(text string) ([]topology.Node, error) {
	for line := range strings.SplitSeq(text, "\n") {
		if looksLikeBase64(strings.TrimSpace(line)) {
			return nil, errors.New("that looks like the body of a key or a certificate, not like nodes. It was neither kept nor shown")
		}
	}
	c := csv.NewReader(strings.NewReader(text))
	c.Comment, c.TrimLeadingSpace, c.FieldsPerRecord, c.ReuseRecord = '#', true, -1, true
	if strings.ContainsRune(text, '\t') && !strings.ContainsRune(text, ',') {
		c.Comma, c.TrimLeadingSpace = '\t', false
	}
	var out []topology.Node
	for {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.New("that is no table of nodes; write a line name,role,addresses for each. Nothing was added")
		}
		line, _ := c.FieldPos(0)
		if len(record) < 3 {
			return nil, fmt.Errorf("line %d of that is not name,role,addresses. Nothing was added", line)
		}
		n := topology.Node{Name: strings.TrimSpace(record[0]), Role: topology.Role(strings.ToLower(strings.TrimSpace(record[1])))}
		if n.Name = strings.Clone(n.Name); strings.EqualFold(n.Name, "name") && n.Role == "role" {
			continue // the header of a file
		}
		for _, cell := range record[2:] {
			for _, a := range splitAddresses(cell) {
				n.Addresses = append(n.Addresses, strings.Clone(a))
			}
		}
		out = append(out, n)
	}
	if len(out) == 0 {
		return nil, errors.New("that holds no node; write a line name,role,addresses for each. Nothing was added")
	}
	return out, nil
}

// nodesWords is how many nodes there are of each role, and where they come from.
func (e *Env) nodesWords() string {
	table, from := e.Flow.Nodes()
	file := e.short(from)
	reading, err := e.Flow.ReadingNodes()
	switch {
	case reading && len(table) == 0:
		return "reading " + file
	case err != nil:
		return file + " was not taken"
	case len(table) == 0 && from == "":
		return "1 node, above"
	}
	words := countNodes(table)
	if from != "" {
		words += " from " + file
	}
	return words
}

// countNodes is how many nodes a table has of each role.
func countNodes(table []topology.Node) string {
	var planes, workers int
	for i := range table {
		switch table[i].Role {
		case topology.ControlPlane:
			planes++
		default:
			workers++
		}
	}
	var words []string
	if planes > 0 || workers == 0 {
		words = append(words, count(planes, "control plane"))
	}
	if workers > 0 {
		words = append(words, count(workers, "worker"))
	}
	return strings.Join(words, ", ")
}
