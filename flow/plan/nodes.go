package plan

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"certwright/assets/yamlfile"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// MaxNodesFile is the size of a file of nodes that is read, in bytes: twice
// what topology.MaxNodes nodes with two addresses each need.
const MaxNodesFile = 4 << 20

// nodesField is the nodes as a file writes them: a table, or where it is.
type nodesField struct {
	table []topology.Node
	file  struct {
		From string `yaml:"from"`
	}
	isTable, isFile bool
}

// Part is for yamlfile.
func (f *nodesField) Part(list bool) any {
	if list {
		f.isTable = true
		return &f.table
	}
	f.isFile = true
	return &f.file
}

// take makes the field the plan's nodes. What is wrong with single nodes, Check says.
func (f *nodesField) take(p *Plan, r *yamlfile.Report) {
	p.Nodes, p.NodesFrom = f.table, f.file.From
	switch {
	case f.isTable && len(f.table) == 0:
		r.Bad("nodes", "is empty; list the nodes, or leave the field out")
	case f.isFile && f.file.From == "":
		r.Bad("nodes", "names no file; write nodes: {from: nodes.csv}, or list the nodes")
	}
}

// cloneNodes takes three allocations, whatever the number of nodes.
func cloneNodes(nodes []topology.Node) []topology.Node {
	if nodes == nil {
		return nil
	}
	n := 0
	for i := range nodes {
		n += len(nodes[i].Addresses)
	}
	all := make([]string, 0, n)
	out := slices.Clone(nodes)
	for i := range out {
		from := len(all)
		all = append(all, out[i].Addresses...)
		out[i].Addresses = all[from:len(all):len(all)]
	}
	return out
}

func sameNode(a, b topology.Node) bool {
	return a.Name == b.Name && a.Role == b.Role && slices.Equal(a.Addresses, b.Addresses)
}

// HasTable says whether the plan has a table of nodes, read or yet to be read,
// instead of facts of a single one.
func (p *Plan) HasTable() bool { return len(p.Nodes) > 0 || p.NodesFrom != "" }

// Topology is the profile filled in with the plan's facts and nodes. Problems
// are as topology.ResolveNodes returns them; those of the table have a path in
// it as their Fact: nodes[3].addresses[0].
func (p *Plan) Topology(profile *topology.Profile) (*topology.Topology, []*topology.FactProblem) {
	return p.resolve(profile, topology.ResolveNodes)
}

// Many is the number of nodes above which a set is made part by part, with
// nothing held for all nodes at once.
const Many = 256

// Outline is Topology, of many nodes with the slots of those alone that stand
// for all (topology.Outline), where nothing is to be handed over for a node.
func (p *Plan) Outline(profile *topology.Profile) (*topology.Topology, []*topology.FactProblem) {
	if len(p.Nodes) <= Many || p.bringsNodes(profile) {
		return p.Topology(profile)
	}
	return p.resolve(profile, topology.ResolveOutline)
}

// bringsNodes says whether certificates of nodes are handed over.
func (p *Plan) bringsNodes(profile *topology.Profile) bool {
	for i := range profile.Slots {
		c := p.Components[profile.Slots[i].ID.Component()]
		if profile.Slots[i].Per != topology.PerCluster && (c.Mode == topology.BringCerts || len(c.Certs) > 0) {
			return true
		}
	}
	return false
}

type resolver func(*topology.Profile, map[string]string, []topology.Node) (*topology.Topology, []*topology.FactProblem)

func (p *Plan) resolve(profile *topology.Profile, resolve resolver) (*topology.Topology, []*topology.FactProblem) {
	nodes := p.Nodes
	var more []*topology.FactProblem
	switch {
	case !p.HasTable():
	case !profile.HasNodes():
		nodes = nil
		more = append(more, &topology.FactProblem{Fact: "nodes", Message: fmt.Sprintf("profile %s has no nodes; remove the field", profile.Name)})
	case len(nodes) == 0:
		more = append(more, &topology.FactProblem{Fact: "nodes", Message: fmt.Sprintf("%s was not read yet", untrusted.Text(p.NodesFrom))})
	}
	t, problems := resolve(profile, p.Facts, nodes)
	if len(more) > 0 && profile.HasNodes() {
		// Of the one node that there seems to be, nothing is worth saying.
		problems = slices.DeleteFunc(problems, func(fp *topology.FactProblem) bool { return perNode(profile, fp.Fact) })
	}
	if slices.ContainsFunc(problems, func(fp *topology.FactProblem) bool { return strings.HasPrefix(fp.Fact, "nodes[") }) {
		// Nor of facts that are computed from the table.
		problems = slices.DeleteFunc(problems, func(fp *topology.FactProblem) bool {
			return !strings.HasPrefix(fp.Fact, "nodes[") && strings.TrimSpace(p.Facts[fp.Fact]) == ""
		})
	}
	for _, f := range profile.Facts {
		if f.PerNode && p.HasTable() && strings.TrimSpace(p.Facts[f.Name]) != "" {
			more = append(more, &topology.FactProblem{Fact: f.Name, Message: "describes a single node, and the plan has a table of nodes; remove one of the two"})
		}
	}
	return t, append(problems, more...)
}

func perNode(profile *topology.Profile, fact string) bool {
	return slices.ContainsFunc(profile.Facts, func(f topology.Fact) bool { return f.PerNode && f.Name == fact })
}

// ParseNodes reads a table of nodes: YAML when the file's name ends so, else CSV
// with the header name,role,addresses, several addresses separated by blanks or
// semicolons. The error is a yamlfile.Errors with the line of each wrong node.
// Names and addresses come back in their canonical form.
func ParseNodes(name string, data []byte) ([]topology.Node, error) {
	if len(data) > MaxNodesFile {
		return nil, yamlfile.Join(&yamlfile.Error{File: name, Message: fmt.Sprintf("is %s, and at most %s of nodes are read", untrusted.Size(len(data)), untrusted.Size(MaxNodesFile))})
	}
	if at := findSecret(data); at != nil {
		return nil, yamlfile.Join(&yamlfile.Error{File: name, Line: 1 + bytes.Count(data[:at[0]], []byte("\n")), Column: 1, Message: "holds a secret, and a table of nodes holds none; name another file"})
	}
	r := &yamlfile.Report{File: name}
	var nodes []topology.Node
	switch strings.ToLower(filepath.Ext(name)) {
	case ".yaml", ".yml":
		if err := yamlfile.Decode(name, data, &nodes); err != nil {
			return nil, err
		}
		locate := yamlfile.Locator(data)
		r.Locate = func(path string) (int, int) { return locate(strings.TrimPrefix(path, "nodes")) }
	default:
		table, err := parseCSV(name, data)
		if err != nil {
			return nil, err
		}
		nodes, r.Locate = table.nodes, table.locate
	}
	if len(nodes) == 0 {
		r.Bad("", "holds no node; write one line for each: cp-0,control-plane,10.0.0.10")
	}
	for _, fp := range topology.CheckNodes(nodes) {
		r.Bad(fp.Fact, untrusted.Text(fp.Text()).Max(400))
	}
	if err := yamlfile.Join(r.Errors...); err != nil {
		return nil, err
	}
	return nodes, nil
}

// nodeColumns are the columns of a CSV of nodes.
var nodeColumns = []string{"name", "role", "addresses"}

// csvTable is the nodes of a CSV, and where each of their fields stands.
type csvTable struct {
	nodes []topology.Node
	at    [][3][2]int // of each node: line and column of name, role and addresses
}

// locate gives the position of a path such as nodes[3].addresses[0].
func (t *csvTable) locate(path string) (line, col int) {
	var i int
	if _, err := fmt.Sscanf(path, "nodes[%d]", &i); err != nil || i < 0 || i >= len(t.at) {
		return 0, 0
	}
	_, field, _ := strings.Cut(path, "].")
	field, _, _ = strings.Cut(field, "[")
	at := t.at[i][max(0, slices.Index(nodeColumns, field))]
	return at[0], at[1]
}

func parseCSV(name string, data []byte) (*csvTable, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // spreadsheets write it
	bad := func(line, col int, format string, args ...any) error {
		return yamlfile.Join(&yamlfile.Error{File: name, Line: line, Column: col, Message: fmt.Sprintf(format, args...)})
	}
	if i := firstInvalid(data); i >= 0 {
		return nil, bad(1+bytes.Count(data[:i], []byte("\n")), 1, "is not UTF-8 text; save it as UTF-8")
	}
	c := csv.NewReader(bytes.NewReader(data))
	c.Comment, c.TrimLeadingSpace, c.FieldsPerRecord, c.ReuseRecord = '#', true, -1, true
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, bad(0, 0, "is empty; its first line must be name,role,addresses")
	}
	if err != nil {
		return nil, csvError(name, err)
	}
	line, _ := c.FieldPos(0)
	var order [3]int // which column holds what
	for i, h := range header {
		header[i] = strings.ToLower(strings.TrimSpace(h))
	}
	for i, want := range nodeColumns {
		order[i] = slices.Index(header, want)
	}
	if len(header) != len(nodeColumns) || slices.Contains(order[:], -1) {
		return nil, bad(line, 1, "the first line must be name,role,addresses, not %s; of several addresses of a node, separate each by a blank or a semicolon", yamlfile.Quote(strings.Join(header, ",")))
	}
	t := &csvTable{}
	for {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, csvError(name, err)
		}
		line, _ := c.FieldPos(0)
		if len(record) != len(nodeColumns) {
			return nil, bad(line, 1, "has %d fields, and name,role,addresses are 3; separate the addresses of a node by blanks or semicolons", len(record))
		}
		t.add(c, record, order)
	}
}

func (t *csvTable) add(c *csv.Reader, record []string, order [3]int) {
	var at [3][2]int
	for i, column := range order {
		at[i][0], at[i][1] = c.FieldPos(column)
	}
	addresses := strings.FieldsFunc(record[order[2]], func(r rune) bool { return r == ' ' || r == '\t' || r == ';' })
	t.at = append(t.at, at)
	t.nodes = append(t.nodes, topology.Node{
		Name: strings.TrimSpace(record[order[0]]), Role: topology.Role(strings.TrimSpace(record[order[1]])), Addresses: addresses,
	})
}

// csvError is an error of encoding/csv, whose texts repeat nothing of the file.
func csvError(name string, err error) error {
	e := &yamlfile.Error{File: name, Message: "is not CSV that can be read"}
	var pe *csv.ParseError
	if errors.As(err, &pe) {
		e.Line, e.Column = pe.Line, pe.Column
		e.Message = "is not CSV: " + pe.Err.Error() + "; write name,role,addresses without quotes, a line for each node"
	}
	return yamlfile.Join(e)
}

func firstInvalid(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return -1
}
