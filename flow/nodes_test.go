package flow_test

import (
	"errors"
	"slices"
	"testing"

	"certwright/assets/yamlfile"
	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
)

func asked(s *flow.State) []string {
	var out []string
	for _, f := range s.Facts() {
		if f.PerNode {
			out = append(out, f.Name)
		}
	}
	return out
}

func TestATableTakesThePlaceOfTheSingleNode(t *testing.T) {
	s, _ := startWith(t, "kubernetes")
	if got := asked(s); !slices.Equal(got, []string{"node.name", "node.addresses"}) {
		t.Fatalf("asked without a table: %v", got)
	}
	do(s, flow.SetFact{Name: "node.name", Value: "one"})
	do(s, flow.SetNodes{Nodes: twoNodes()})
	if got := asked(s); len(got) > 0 {
		t.Errorf("asked beside a table: %v", got)
	}
	if b := s.Blockers(flow.StepFacts); len(b) > 0 {
		t.Errorf("a good table is blocked: %+v", b)
	}
	if s.Topology().Slot("kube/kubelet-client@worker-0") == nil {
		t.Error("the second node has no slots")
	}
	if v, given := s.Plan().Facts["node.name"]; given {
		t.Errorf("the plan has a table and node.name %q", v)
	}
	do(s, flow.SetNodes{})
	if got := s.Plan().Facts["node.name"]; got != "one" {
		t.Errorf("the single node's name was lost: %q", got)
	}
}

func TestWrongNodesBlockTheFacts(t *testing.T) {
	s, _ := startWith(t, "kubernetes")
	do(s, flow.Next{})
	nodes := twoNodes()
	nodes[1].Addresses = nil
	do(s, flow.SetNodes{Nodes: nodes})
	do(s, flow.Next{})
	b := s.Blockers(flow.StepFacts)
	if s.At() != flow.StepFacts || len(b) != 1 || b[0].Where != "nodes[1].addresses" {
		t.Fatalf("at %s, %+v", s.At(), b)
	}
}

func TestNodesOfAFile(t *testing.T) {
	s, _ := startWith(t, "kubernetes")
	first := s.Apply(flow.LoadNodes{Path: "old.csv"})
	if reading, _ := s.ReadingNodes(); !reading || len(s.Blockers(flow.StepFacts)) != 1 {
		t.Fatalf("reading %v, %+v", reading, s.Blockers(flow.StepFacts))
	}
	second := s.Apply(flow.LoadNodes{Path: "new.csv"})
	settle(s, first, func(e flow.Effect) flow.Event { // late
		if r, ok := e.(flow.ReadNodes); ok {
			return flow.NodesRead{Gen: r.Gen, Nodes: []topology.Node{{Name: "old"}}}
		}
		return nil
	})
	if nodes, _ := s.Nodes(); len(nodes) > 0 {
		t.Errorf("a late answer was taken: %+v", nodes)
	}
	wrong := yamlfile.Join(&yamlfile.Error{File: "new.csv", Line: 3, Message: "a"}, &yamlfile.Error{File: "new.csv", Line: 4, Message: "b"})
	settle(s, second, func(e flow.Effect) flow.Event {
		if r, ok := e.(flow.ReadNodes); ok {
			return flow.NodesRead{Gen: r.Gen, Err: wrong, Stamp: flow.Stamp{Size: 1}}
		}
		return nil
	})
	if b := s.Blockers(flow.StepFacts); len(b) != 2 || b[0].Message != "new.csv:3:1: a" || b[0].Where != "nodes" {
		t.Errorf("blockers: %+v", b)
	}
	effects := s.Apply(flow.Look{})
	if len(effects) != 1 || effects[0].(flow.LookAtFiles).Nodes != "new.csv" || effects[0].(flow.LookAtFiles).NodesStamp.Size != 1 {
		t.Fatalf("looked at: %+v", effects)
	}
	do(s, flow.Looked{Nodes: true}) // mended in another window
	nodes, from := s.Nodes()
	if len(s.Blockers(flow.StepFacts)) > 0 || len(nodes) != 2 || from != "new.csv" {
		t.Errorf("after it was mended: %+v, %v from %s", s.Blockers(flow.StepFacts), nodes, from)
	}
	do(s, flow.ChooseProfile{Name: "tectonic"})
	if s.Plan().HasTable() {
		t.Error("tectonic has nodes")
	}
	do(s, flow.ChooseProfile{Name: "kubernetes"})
	if nodes, _ := s.Nodes(); len(nodes) != 2 {
		t.Error("the nodes were lost on the way through another profile")
	}
	do(s, flow.LoadNodes{})
	if s.Plan().HasTable() || len(asked(s)) != 2 {
		t.Error("there is no way back to a single node")
	}
}

func TestMaterialOfANodeIsKeptWhileItsFileIsRead(t *testing.T) {
	s, _ := startWith(t, "kubernetes")
	do(s, flow.LoadNodes{Path: "nodes.csv"})
	do(s, flow.SetMode{Component: "kube", Mode: topology.BringCerts})
	f := flow.Field{Slot: "kube/apiserver@cp-0", Part: flow.PartCert}
	do(s, flow.SetSource{Field: f, Source: flow.Source{Path: "a.crt"}})
	do(s, flow.SetNodes{})
	if p := s.Plan(); len(p.Components["kube"].Certs) != 0 {
		t.Errorf("certificates of a node that is no more: %+v", p.Components["kube"].Certs)
	}
	do(s, flow.SetNodes{Nodes: twoNodes()})
	if got := s.Plan().Components["kube"].Certs["apiserver@cp-0"].Cert; got != "a.crt" {
		t.Errorf("the certificate was lost: %q", got)
	}
}

func TestKeysAreMadeAheadFromTheComponentsStep(t *testing.T) {
	t.Run("of the plan's algorithm", func(t *testing.T) { keysAhead(t, "ecdsa-p256") })
	t.Run("of the profile's default", func(t *testing.T) { keysAhead(t, "") })
}

func keysAhead(t *testing.T, algorithm issue.Algorithm) {
	s, _ := startWith(t, "tectonic", func(p *plan.Plan) { p.Keys.Algorithm = algorithm })
	keys := func(effects []flow.Effect) (out []flow.MakeKeys) {
		for _, e := range effects {
			if m, ok := e.(flow.MakeKeys); ok {
				out = append(out, m)
			}
		}
		return out
	}
	if got := keys(s.Apply(flow.Next{})); len(got) > 0 {
		t.Errorf("made before the algorithm was chosen: %v", got)
	}
	got := keys(s.Apply(flow.Next{}))
	if len(got) != 1 || got[0].Algorithm != "ecdsa-p256" || got[0].N < 10 {
		t.Fatalf("on the Components step: %v", got)
	}
	all := got[0].N
	if got := keys(s.Apply(flow.SetAlgorithm{Algorithm: "rsa-2048"})); len(got) != 1 || got[0].Algorithm != "rsa-2048" || got[0].N != all {
		t.Errorf("after another algorithm: %v", got)
	}
	if got := keys(s.Apply(flow.SetMode{Component: "etcd", Mode: topology.BringCerts})); len(got) != 1 || got[0].N >= all {
		t.Errorf("with fewer keys to make: %v", got)
	}
	if got := keys(s.Apply(flow.SetFact{Name: "cluster.name", Value: "x"})); len(got) > 0 {
		t.Errorf("nothing new is wanted: %v", got)
	}
	do(s, flow.SetMode{Component: "etcd", Mode: topology.Generate})
	do(s, flow.Next{})
	if p, err := s.Prepared(); p == nil || err != nil {
		t.Fatal(errors.Join(errors.New("no set"), err))
	}
	if got := keys(s.Apply(flow.SetOutput{Dir: "elsewhere"})); len(got) > 0 {
		t.Errorf("made for a set that is there: %v", got)
	}
}

// The file is read again when it may have changed, as one that was read before
// the wizard began; what is in it may be the same.
func TestTheSameNodesReadAgainKeepTheSet(t *testing.T) {
	s, _ := startWith(t, "kubernetes")
	do(s, flow.SetFact{Name: "cluster.name", Value: "demo"})
	do(s, flow.LoadNodes{Path: "nodes.csv"})
	for range 4 {
		do(s, flow.Next{})
	}
	was, _ := s.Prepared()
	if s.At() != flow.StepReview || was == nil {
		t.Fatalf("at %v with %v; blockers %+v", s.At(), was, s.Blockers(s.At()))
	}
	do(s, flow.Looked{Nodes: true})
	if now, _ := s.Prepared(); now != was {
		t.Error("the set was made anew")
	}
	settle(s, s.Apply(flow.Looked{Nodes: true}), func(e flow.Effect) flow.Event {
		if r, ok := e.(flow.ReadNodes); ok {
			nodes, _ := s.Nodes()
			return flow.NodesRead{Gen: r.Gen, Nodes: nodes[:1]}
		}
		return good(e)
	})
	if now, _ := s.Prepared(); now == was || now == nil {
		t.Errorf("with another table: %v", now)
	}
}
