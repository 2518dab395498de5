package flow

import (
	"slices"

	"certwright/assets/yamlfile"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow/plan"
)

// Facts are the facts that are asked now: with a table of nodes those of a
// single node are not.
func (s *State) Facts() []topology.Fact {
	return slices.DeleteFunc(slices.Clone(s.profile.Facts), func(f topology.Fact) bool { return f.PerNode && s.plan.HasTable() })
}

// Nodes is the table of nodes, and the file that it came from; both are empty
// where a single node is described by facts. They are not to be changed.
func (s *State) Nodes() (table []topology.Node, from string) { return s.plan.Nodes, s.plan.NodesFrom }

// ReadingNodes says whether the file of the nodes is being read, and why it
// could not be: a yamlfile.Errors where lines of it are wrong.
func (s *State) ReadingNodes() (reading bool, err error) { return s.nodes.reading, s.nodes.err }

// nodeTable is what is known of a table beside the plan.
type nodeTable struct {
	gen     int
	reading bool
	err     error
	stamp   Stamp
	// facts are those of a single node that were typed before there was a table:
	// a plan has one of the two, and no answer is lost.
	facts map[string]string
	// table and from are kept while a profile without nodes is chosen.
	table []topology.Node
	from  string
}

// takeNodes takes the table along into another profile.
func (s *State) takeNodes(old *plan.Plan) []Effect {
	s.stopReading()
	if old.HasTable() {
		s.nodes.table, s.nodes.from = old.Nodes, old.NodesFrom
	}
	if !s.profile.HasNodes() {
		return nil
	}
	s.plan.Nodes, s.plan.NodesFrom, s.nodes.table, s.nodes.from = s.nodes.table, s.nodes.from, nil, ""
	s.keepNodeFacts()
	if len(s.plan.Nodes) > 0 {
		return nil
	}
	return s.readNodes()
}

func (s *State) setNodes(nodes []topology.Node) []Effect {
	if !s.profile.HasNodes() {
		return nil
	}
	s.stopReading()
	s.plan.Nodes, s.plan.NodesFrom = cloneNodes(nodes), ""
	return s.nodesChanged()
}

// loadNodes has the nodes read from a file; with an empty path there is no table.
func (s *State) loadNodes(path string) []Effect {
	if !s.profile.HasNodes() {
		return nil
	}
	s.stopReading()
	if path != s.plan.NodesFrom || path == "" {
		s.plan.Nodes = nil // those of another file; of the same they hold until it is read
	}
	s.plan.NodesFrom = path
	return append(s.readNodes(), s.nodesChanged()...)
}

func (s *State) stopReading() {
	s.gen++
	s.nodes.gen, s.nodes.reading, s.nodes.err, s.nodes.stamp = s.gen, false, nil, Stamp{}
}

func (s *State) readNodes() []Effect {
	if s.plan.NodesFrom == "" {
		return nil
	}
	s.gen++
	s.nodes.gen, s.nodes.reading = s.gen, true
	return []Effect{ReadNodes{Gen: s.gen, Path: s.plan.NodesFrom}}
}

func (s *State) nodesRead(e NodesRead) []Effect {
	if e.Gen != s.nodes.gen || !s.nodes.reading {
		return nil
	}
	same := s.nodes.err == nil && e.Err == nil && sameNodes(s.plan.Nodes, e.Nodes)
	s.nodes.reading, s.nodes.err, s.nodes.stamp = false, e.Err, e.Stamp
	if s.writing || s.at == StepDone {
		return nil
	}
	if same && (s.prepared != nil || s.preparing) {
		return nil // the set that is there, or being made, is of these nodes
	}
	s.plan.Nodes = cloneNodes(e.Nodes)
	if e.Err != nil {
		s.plan.Nodes = nil
	}
	return s.nodesChanged()
}

// nodesChanged follows a change of the table: slots come and go, and what was
// handed over for them is judged again.
func (s *State) nodesChanged() []Effect {
	s.keepNodeFacts()
	s.resolve()
	s.plansPaths()
	return append(s.checkAll(), s.stale(false)...)
}

// keepNodeFacts puts the facts of a single node aside while there is a table,
// and back when it has gone.
func (s *State) keepNodeFacts() {
	for _, f := range s.profile.Facts {
		if !f.PerNode {
			continue
		}
		if s.plan.HasTable() {
			if v, given := s.plan.Facts[f.Name]; given {
				if s.nodes.facts == nil {
					s.nodes.facts = map[string]string{}
				}
				s.nodes.facts[f.Name] = v
				delete(s.plan.Facts, f.Name)
			}
		} else if v, kept := s.nodes.facts[f.Name]; kept {
			s.plan.Facts[f.Name] = v
			delete(s.nodes.facts, f.Name)
		}
	}
}

func sameNodes(a, b []topology.Node) bool {
	return slices.EqualFunc(a, b, func(x, y topology.Node) bool {
		return x.Name == y.Name && x.Role == y.Role && slices.Equal(x.Addresses, y.Addresses)
	})
}

func cloneNodes(nodes []topology.Node) []topology.Node {
	out := slices.Clone(nodes)
	for i := range out {
		out[i].Addresses = slices.Clone(out[i].Addresses)
	}
	return out
}

// nodeBlockers are what is wrong with the file of the nodes.
func (s *State) nodeBlockers() []Blocker {
	at := Blocker{Step: StepFacts, Where: "nodes"}
	file := untrusted.Text(s.plan.NodesFrom).String()
	switch {
	case s.nodes.reading:
		at.Message, at.Fix = "the nodes in "+file+" are being read", "wait a moment"
		return []Blocker{at}
	case s.nodes.err == nil:
		return nil
	}
	at.Fix = "mend the file, or choose another"
	var out []Blocker
	for _, e := range yamlfile.All(s.nodes.err) {
		one := at
		one.Message = e.Error()
		out = append(out, one)
	}
	if len(out) == 0 {
		at.Message = s.nodes.err.Error()
		out = append(out, at)
	}
	return out
}
