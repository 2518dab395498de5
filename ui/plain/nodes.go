package plain

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
)

// nodes asks which machines the cluster has.
func (s *session) nodes() error {
	table, from := s.State.Nodes()
	preset := 0
	switch {
	case from != "":
		preset = 1
	case len(table) > 0:
		preset = 2
	}
	i, err := s.choose("Nodes:", []string{
		"this one node, described by the next questions",
		"from a file, CSV with the header name,role,addresses, or YAML",
		"type them, one after another",
	}, preset)
	if err != nil {
		return err
	}
	switch i {
	case 1:
		return s.nodesFile(from)
	case 2:
		return s.typeNodes()
	}
	if preset != 0 {
		s.do(flow.SetNodes{})
	}
	return nil
}

// again makes going back from a question behind the first one ask the first.
func again(err error) error {
	if errors.Is(err, errBack) {
		return errStay
	}
	return err
}

// nodesFile takes the nodes from a file, and says each line of it that is wrong.
func (s *session) nodesFile(from string) error {
	path, err := s.askValue("File", from)
	if err != nil {
		return again(err)
	}
	if path = strings.TrimSpace(path); path == "" {
		path = from
	}
	if path == "" {
		s.say("Error: type the path of a file, such as nodes.csv.")
		return errStay
	}
	s.do(flow.LoadNodes{Path: s.home(path)})
	if _, err := s.State.ReadingNodes(); err != nil {
		for _, b := range s.State.Blockers(flow.StepFacts) {
			if b.Where == "nodes" {
				s.say("Error: %s.", sentence(b.Message))
			}
		}
		return errStay
	}
	table, _ := s.State.Nodes()
	s.say("Good: %s.", countNodes(table))
	return nil
}

func countNodes(table []topology.Node) string {
	planes := 0
	for _, n := range table {
		if n.Role == topology.ControlPlane {
			planes++
		}
	}
	return fmt.Sprintf("nodes %d, control planes %d, workers %d", len(table), planes, len(table)-planes)
}

// typeNodes asks for node after node. What was typed before is offered again.
func (s *session) typeNodes() error {
	table, _ := s.State.Nodes()
	old := slices.Clone(table)
	var nodes []topology.Node
	for {
		n, gone, err := s.node(nodes, old)
		switch {
		case errors.Is(err, errStay):
			continue
		case errors.Is(err, errBack) && len(nodes) > 0:
			old = slices.Insert(old, 0, nodes[len(nodes)-1])
			nodes = nodes[:len(nodes)-1]
			continue
		case err != nil:
			return again(err)
		}
		if len(old) > 0 {
			old = old[1:]
		}
		if gone {
			continue
		}
		if n != nil {
			nodes = append(nodes, *n)
			continue
		}
		if len(nodes) == 0 {
			return errStay
		}
		if problems := topology.CheckNodes(nodes); len(problems) > 0 {
			s.say("Error: %s.", untrusted.Text(problems[0].Text()).Max(400))
			old, nodes = nodes, nil
			continue
		}
		s.do(flow.SetNodes{Nodes: nodes})
		s.say("Good: %s.", countNodes(nodes))
		return nil
	}
}

// node asks for one node behind those that are typed; before offers what stood
// there. A nil node ends them, gone leaves the offered one out.
func (s *session) node(typed, before []topology.Node) (n *topology.Node, gone bool, err error) {
	n = &topology.Node{Role: topology.Worker}
	if len(typed) == 0 {
		n.Role = topology.ControlPlane
	}
	question := fmt.Sprintf("Name of node %d", len(typed)+1)
	switch {
	case len(before) > 0:
		*n = before[0]
		question += " (- leaves it out)"
	case len(typed) > 0:
		question += " (Enter when there is none)"
	}
	name, err := s.askValue(question, n.Name)
	if err != nil {
		return nil, false, err
	}
	switch name = strings.TrimSpace(name); {
	case name == "-" && len(before) > 0:
		return nil, true, nil
	case name != "":
		n.Name = name
	case n.Name == "" && len(typed) > 0:
		return nil, false, nil
	}
	if !s.goodNode(typed, n, "name") {
		return nil, false, errStay
	}
	for {
		again, err := s.rest(typed, n)
		if err != nil || !again {
			return n, false, err
		}
	}
}

// rest asks for a node's role and addresses; again means that they are to be
// asked anew.
func (s *session) rest(typed []topology.Node, n *topology.Node) (again bool, err error) {
	preset := 0
	if n.Role == topology.Worker {
		preset = 1
	}
	i, err := s.choose("Role of "+untrusted.Text(n.Name).Max(253)+":", []string{"control plane: runs an API server and etcd", "worker"}, preset)
	if errors.Is(err, errBack) {
		err = errStay // to its name
	}
	if err != nil {
		return false, err
	}
	n.Role = []topology.Role{topology.ControlPlane, topology.Worker}[i]
	for {
		text, err := s.askValue("Addresses of "+untrusted.Text(n.Name).Max(253)+", blanks between them", strings.Join(n.Addresses, " "))
		switch {
		case errors.Is(err, errBack):
			return true, nil
		case errors.Is(err, errStay):
			continue
		case err != nil:
			return false, err
		}
		given := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t,;", r) })
		if len(given) == 0 {
			given = n.Addresses
		}
		try := *n
		try.Addresses = given
		if s.goodNode(typed, &try, "addresses") {
			*n = try
			return false, nil
		}
	}
}

// goodNode says whether a field of a node will do beside those that are typed,
// and if not, why. The name comes back in lower case, addresses as they are written.
func (s *session) goodNode(typed []topology.Node, n *topology.Node, field string) bool {
	all := append(slices.Clone(typed), *n)
	last := &all[len(all)-1]
	last.Addresses = slices.Clone(last.Addresses)
	at := fmt.Sprintf("nodes[%d].%s", len(typed), field)
	for _, p := range topology.CheckNodes(all) {
		if p.Fact == at || strings.HasPrefix(p.Fact, at+"[") {
			text := untrusted.Text(p.Text()).Max(400)
			if p.Message == "is empty" {
				text = "the name is empty; write one like worker-0"
			}
			s.say("Error: %s.", text)
			return false
		}
	}
	*n = *last
	return true
}
