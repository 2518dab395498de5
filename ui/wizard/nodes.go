package wizard

import (
	"strconv"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// nodesPane is the table of the cluster's nodes where it can be edited. The
// table is the flow's; the pane has only the row that is being typed. It judges
// by topology.CheckNodes, as everything that reads nodes does.
type nodesPane struct {
	*Env
	open   bool
	cursor int
	from   int // the first row drawn
	rows   int // how many were drawn last
	edit   *nodeEdit
	path   *pathPrompt // the path of a file, while it is typed
	before *nodesBefore
	judged judgedNodes
}

// nodeEdit is the row that is being typed.
type nodeEdit struct {
	row   int // behind the last one for a new node
	fresh bool
	was   string // its name before
	node  topology.Node
	cell  nodeCell
	in    *input
}

// nodesBefore is the table before the last change, for u.
type nodesBefore struct {
	table []topology.Node
	from  string
}

func newNodesPane(e *Env) *nodesPane { return &nodesPane{Env: e} }

// Keys of the nodes pane.
var nodeKeys = struct{ add, edit, remove, role, file, problem, undo, done, cell, pick, more key.Binding }{
	add:     bind("a", "add", "a", "insert"),
	edit:    bind("enter", "edit", "enter"),
	remove:  bind("x", "delete", "x", "delete"),
	role:    bind("r", "role", "r"),
	file:    bind("f", "from a file", "f"),
	problem: bind("n", "next problem", "n"),
	undo:    bind("u", "undo", "u"),
	done:    bind("enter", "accept", "enter"),
	more:    bind("enter", "addresses", "enter"),
	cell:    bind("tab", "next cell", "tab", "shift+tab"),
	pick:    bind("←/→", "change", "left", "right", " ", "r"),
}

func (p *nodesPane) keys() []key.Binding {
	switch {
	case p.path != nil:
		return p.path.keys()
	case p.edit != nil:
		out := []key.Binding{nodeKeys.done, nodeKeys.cell}
		if p.edit.fresh && p.edit.cell != addressCell {
			out[0] = nodeKeys.more
		}
		if p.edit.cell == roleCell {
			out = append(out, nodeKeys.pick)
		}
		return out
	}
	out := []key.Binding{nodeKeys.add}
	if len(p.table()) > 0 {
		out = append(out, nodeKeys.edit, nodeKeys.remove, nodeKeys.role)
	}
	if len(p.problems().rows) > 0 {
		out = append(out, nodeKeys.problem)
	}
	out = append(out, nodeKeys.file)
	if p.before != nil {
		out = append(out, nodeKeys.undo)
	}
	if len(p.table()) > 0 {
		out = append(out, keyMove)
	}
	return out
}

func (p *nodesPane) typing() bool { return p.edit != nil || p.path != nil }

// table is the flow's table, not to be changed.
func (p *nodesPane) table() []topology.Node {
	table, _ := p.Flow.Nodes()
	return table
}

// shown is the table with the row that is being typed in it.
func (p *nodesPane) shown() []topology.Node {
	table, e := p.table(), p.edit
	if e == nil {
		return table
	}
	out := make([]topology.Node, len(table), len(table)+1)
	copy(out, table)
	if e.row >= len(out) {
		return append(out, e.node)
	}
	out[e.row] = e.node
	return out
}

func (p *nodesPane) problems() *judgedNodes {
	e := p.edit
	if e == nil {
		return p.judged.judge(p.table(), "")
	}
	draft := strconv.Itoa(e.row) + "\x00" + e.node.Name + "\x00" + string(e.node.Role) + "\x00" + joinAddresses(e.node)
	if p.judged.draft == draft {
		return &p.judged
	}
	return p.judged.judge(p.shown(), draft)
}

// show opens the pane at a row.
func (p *nodesPane) show(row int) {
	p.open, p.edit, p.path = true, nil, nil
	p.cursor = row
	p.clamp()
}

// clamp keeps the cursor on a row: the one that is typed, while one is.
func (p *nodesPane) clamp() {
	if p.edit != nil {
		p.cursor = p.edit.row
		return
	}
	p.cursor = max(0, min(p.cursor, len(p.table())-1))
}

// back closes what is open, innermost first, and keeps everything.
func (p *nodesPane) back() tea.Cmd {
	switch {
	case p.path != nil:
		p.path = nil
	case p.edit != nil:
		return p.accept()
	default:
		p.open = false
	}
	return nil
}

func (p *nodesPane) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case completedMsg:
		if msg.to == p.path && p.path != nil {
			p.path.complete(msg)
		}
	case tea.KeyMsg:
		p.clamp()
		switch {
		case p.path != nil:
			return p.pathKey(msg)
		case p.edit != nil:
			return p.editKey(msg)
		case msg.Paste:
			return p.paste(string(msg.Runes))
		}
		return p.key(msg)
	}
	return nil
}

// key is a key of the table.
func (p *nodesPane) key(k tea.KeyMsg) tea.Cmd {
	n := len(p.table())
	switch {
	case key.Matches(k, nodeKeys.add), n == 0 && key.Matches(k, nodeKeys.edit):
		return p.add()
	case key.Matches(k, nodeKeys.file):
		_, from := p.Flow.Nodes()
		p.path = newPathPrompt(p.Env)
		p.path.hint = "CSV (name,role,addresses) or YAML; tab completes"
		if text := p.places().short(from); typeable(text) {
			p.path.in.Set(text)
		}
		return nil
	case key.Matches(k, nodeKeys.undo) && p.before != nil:
		return p.undo()
	case n == 0:
		return nil
	case key.Matches(k, nodeKeys.edit):
		p.begin(p.cursor, p.table()[p.cursor], p.firstWrong(p.cursor))
	case key.Matches(k, nodeKeys.remove):
		return p.remove()
	case key.Matches(k, nodeKeys.role):
		return p.change(func(nodes []topology.Node) { nodes[p.cursor].Role = otherRole(nodes[p.cursor].Role) })
	case key.Matches(k, nodeKeys.problem):
		p.nextProblem()
	case key.Matches(k, keyMove):
		p.move(k.String(), n)
	}
	return nil
}

func (p *nodesPane) move(k string, n int) {
	switch k {
	case "up", "k":
		p.cursor--
	case "down", "j":
		p.cursor++
	case "pgup":
		p.cursor -= max(1, p.rows-1)
	case "pgdown":
		p.cursor += max(1, p.rows-1)
	case "home":
		p.cursor = 0
	case "end":
		p.cursor = n - 1
	}
	p.clamp()
}

// nextProblem goes to the next row that is wrong, around the end.
func (p *nodesPane) nextProblem() {
	rows := p.problems().rows
	if len(rows) == 0 {
		return
	}
	for _, row := range rows {
		if row > p.cursor {
			p.cursor = row
			p.clamp()
			return
		}
	}
	p.cursor = rows[0]
}

// firstWrong is the cell of a row that needs a hand, its name when none does.
func (p *nodesPane) firstWrong(row int) nodeCell {
	if wrong := p.problems().problems[row]; len(wrong) > 0 && len(p.table()[row].Addresses) > 0 || len(wrong) == 1 {
		return wrong[0].cell
	}
	return nameCell
}

func otherRole(r topology.Role) topology.Role {
	if r == topology.ControlPlane {
		return topology.Worker
	}
	return topology.ControlPlane
}

// change changes a copy of the table and hands it to the flow.
func (p *nodesPane) change(how func([]topology.Node)) tea.Cmd {
	nodes := cloneTable(p.table())
	how(nodes)
	return p.set(nodes)
}

// set hands a table to the flow, names and addresses in their canonical form.
func (p *nodesPane) set(nodes []topology.Node) tea.Cmd {
	table, from := p.Flow.Nodes()
	p.before = &nodesBefore{table, from}
	topology.CheckNodes(nodes)
	cmd := p.Do(flow.SetNodes{Nodes: nodes})
	p.clamp()
	return cmd
}

func (p *nodesPane) remove() tea.Cmd {
	nodes := cloneTable(p.table())
	gone := nodes[p.cursor]
	nodes = append(nodes[:p.cursor], nodes[p.cursor+1:]...)
	cmd := p.set(nodes)
	p.Say(Status{theme.NoSign, "Node " + shownNode(gone) + " is gone. u brings it back."})
	return cmd
}

func (p *nodesPane) undo() tea.Cmd {
	before := p.before
	table, from := p.Flow.Nodes()
	p.before = &nodesBefore{table, from}
	var e flow.Event = flow.SetNodes{Nodes: before.table}
	if before.from != "" {
		e = flow.LoadNodes{Path: before.from}
	}
	cmd := p.Do(e)
	p.clamp()
	return cmd
}

// paste adds lines name,role,addresses.
func (p *nodesPane) paste(text string) tea.Cmd {
	more, err := nodesFromText(text)
	if err == nil && len(p.table())+len(more) > topology.MaxNodes {
		err = errTooManyNodes
	}
	if err != nil {
		p.Say(Status{theme.BadSign, untrusted.Text(err.Error()).String() + "."})
		return nil
	}
	nodes := append(cloneTable(p.table()), more...)
	p.cursor = len(nodes) - len(more)
	at := p.cursor
	cmd := p.set(nodes)
	p.cursor = at
	p.Say(Status{theme.GoodSign, count(len(more), "node") + " added. u takes them away again."})
	return cmd
}
