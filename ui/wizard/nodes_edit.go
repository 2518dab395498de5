package wizard

import (
	"context"
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/topology"
	"certwright/flow"
	"certwright/ui/theme"
)

// add begins a new node. The first one follows the single node of the facts,
// when that was described: it becomes the table's first row.
func (p *nodesPane) add() tea.Cmd {
	var cmd tea.Cmd
	if len(p.table()) == 0 {
		if one := p.single(); len(one) > 0 {
			cmd = p.set(cloneTable(one))
		}
	}
	n := len(p.table())
	role := topology.Worker
	if n == 0 {
		role = topology.ControlPlane
	}
	p.cursor = n
	p.begin(n, topology.Node{Role: role}, nameCell)
	p.edit.fresh = true
	return cmd
}

// single is the node that the facts describe, if they do.
func (p *nodesPane) single() []topology.Node {
	one := p.Flow.Topology().Nodes
	if _, from := p.Flow.Nodes(); from != "" || len(one) != 1 || len(one[0].Addresses) == 0 {
		return nil
	}
	return one
}

func (p *nodesPane) begin(row int, n topology.Node, cell nodeCell) {
	p.edit = &nodeEdit{row: row, was: n.Name, node: cloneTable([]topology.Node{n})[0]}
	p.edit.to(cell)
}

// to moves on to another cell.
func (e *nodeEdit) to(cell nodeCell) {
	e.cell, e.in = cell, nil
	switch cell {
	case nameCell:
		e.in = newInput(e.node.Name)
	case addressCell:
		e.in = newInput(joinAddresses(e.node))
	}
}

// take has the row say what was typed.
func (e *nodeEdit) take() {
	switch e.cell {
	case nameCell:
		e.node.Name = e.in.Value()
	case addressCell:
		e.node.Addresses = splitAddresses(e.in.Value())
	}
}

func (p *nodesPane) editKey(k tea.KeyMsg) tea.Cmd {
	e := p.edit
	switch {
	case k.Paste:
		text := string(k.Runes)
		switch {
		case severalNodes(text, e.cell):
			return tea.Batch(p.accept(), p.paste(text))
		case looksLikeBase64(strings.TrimSpace(text)):
			p.Say(Status{theme.BadSign, "that looks like the body of a key or a certificate. It was neither kept nor shown."})
			return nil
		}
	case key.Matches(k, nodeKeys.done):
		if e.fresh && e.cell != addressCell {
			e.to(addressCell)
			return nil
		}
		return p.accept()
	case k.String() == "tab":
		e.to((e.cell + 1) % nodeCells)
		return nil
	case k.String() == "shift+tab":
		e.to((e.cell + nodeCells - 1) % nodeCells)
		return nil
	case k.String() == "up", k.String() == "down":
		cmd := p.accept()
		p.move(k.String(), len(p.table()))
		return cmd
	}
	if e.cell == roleCell {
		if key.Matches(k, nodeKeys.pick) {
			e.node.Role = otherRole(e.node.Role)
		}
		return nil
	}
	if e.in.Update(k) {
		e.take()
	}
	return nil
}

// accept puts the typed row into the table. A new one without a word is none.
func (p *nodesPane) accept() tea.Cmd {
	e := p.edit
	p.edit = nil
	if e.fresh && blankNode(e.node) {
		p.clamp()
		return nil
	}
	nodes := cloneTable(p.table())
	p.cursor = p.rowOf(nodes, e)
	if p.cursor == len(nodes) {
		nodes = append(nodes, topology.Node{})
	}
	nodes[p.cursor] = e.node
	return p.set(nodes)
}

// rowOf is where a typed row belongs. The file that the table comes from may
// have changed meanwhile, and then the row is found by the name that it had.
func (p *nodesPane) rowOf(nodes []topology.Node, e *nodeEdit) int {
	switch {
	case e.fresh:
		return len(nodes)
	case e.row < len(nodes) && nodes[e.row].Name == e.was:
		return e.row
	}
	if i := slices.IndexFunc(nodes, func(n topology.Node) bool { return n.Name == e.was }); i >= 0 {
		return i
	}
	return len(nodes)
}

func (p *nodesPane) pathKey(k tea.KeyMsg) tea.Cmd {
	prompt := p.path
	switch {
	case k.Paste:
		text, path := pastedPath(k.Runes)
		if !path {
			p.Say(Status{theme.BadSign, "that was no path. It was neither kept nor shown; paste nodes into the table: esc."})
			return nil
		}
		k.Runes = []rune(text)
	case key.Matches(k, pathKeys.complete):
		typed, at, fsys := prompt.in.Value(), p.places(), p.FS
		return func() tea.Msg {
			return completedMsg{prompt, typed, complete(context.Background(), fsys, at, typed)}
		}
	case key.Matches(k, pathKeys.word):
		prompt.in.Set(eraseName(prompt.in.Value()))
		return nil
	case key.Matches(k, pathKeys.done):
		return p.load(strings.TrimSpace(prompt.in.Value()))
	}
	if prompt.in.Update(k) {
		prompt.candidates, prompt.note = nil, ""
	}
	return nil
}

// load takes the table from a file.
func (p *nodesPane) load(path string) tea.Cmd {
	p.path = nil
	if path == "" {
		return nil
	}
	if strings.HasPrefix(path, "~") {
		path = p.places().given(path)
	}
	table, from := p.Flow.Nodes()
	p.before, p.cursor, p.from = &nodesBefore{table, from}, 0, 0
	return p.Do(flow.LoadNodes{Path: path})
}
