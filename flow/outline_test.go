package flow_test

import (
	"fmt"
	"strings"
	"testing"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/flow"
)

func manyNodes(n int) []topology.Node {
	nodes := twoNodes()
	for i := len(nodes); i < n; i++ {
		nodes = append(nodes, topology.Node{Name: fmt.Sprintf("worker-%d", i), Role: topology.Worker, Addresses: []string{fmt.Sprintf("10.1.%d.%d", i>>8, i&255)}})
	}
	return nodes
}

func TestOfManyNodesNothingIsKeptForEach(t *testing.T) {
	s, _ := startWith(t, "kubernetes")
	do(s, flow.SetNodes{Nodes: manyNodes(2000)})
	topo := s.Topology()
	if len(topo.Nodes) != 2000 || len(topo.Here) == 0 || len(topo.Slots) > 400 {
		t.Fatalf("%d nodes, %d of them here, %d slots", len(topo.Nodes), len(topo.Here), len(topo.Slots))
	}
	if got := len(s.WholeAnswers().Topology.Slots); got < 4000 {
		t.Errorf("all answers have %d slots", got)
	}
	do(s, flow.Next{})
	if got := s.Apply(flow.Next{}); len(got) == 0 || s.At() != flow.StepModes {
		t.Fatalf("at %s, %v", s.At(), s.Blockers(s.At()))
	}
	const id = "kube/kubelet-client@worker-1234"
	if s.Topology().Slot(id) != nil || s.Topology().Find(id) == nil {
		t.Error("a node that is left out has its slot, or it cannot be found")
	}
}

func TestCertificatesOfManyNodesCanBeHandedOver(t *testing.T) {
	s, _ := startWith(t, "kubernetes")
	do(s, flow.SetNodes{Nodes: manyNodes(400)})
	do(s, flow.SetMode{Component: "kube", Mode: topology.BringCerts})
	const id = topology.SlotID("kube/kubelet-client@worker-321")
	if s.Topology().Here != nil || s.Topology().Slot(id) == nil {
		t.Fatal("a slot that is to be handed over is not there")
	}
	field := flow.Field{Slot: id, Part: flow.PartCert}
	do(s, flow.SetSource{Field: field, Source: flow.Source{Path: "321.crt"}})
	if got := s.Plan().Components["kube"].Certs["kubelet-client@worker-321"].Cert; got != "321.crt" {
		t.Errorf("the plan has %q", got)
	}
	do(s, flow.SetMode{Component: "kube", Mode: topology.Generate})
	if s.Topology().Here == nil {
		t.Error("with nothing to hand over, each node keeps its slots")
	}
	do(s, flow.SetMode{Component: "kube", Mode: topology.BringCerts})
	if got := s.Source(field).Path; got != "321.crt" {
		t.Errorf("what was handed over is lost: %q", got)
	}
}

func TestAWrongNodeAmongManyIsNamed(t *testing.T) {
	s, _ := startWith(t, "kubernetes")
	nodes := manyNodes(2000)
	nodes[1311].Name = "not a name"
	nodes[1712].Addresses = nodes[5].Addresses
	do(s, flow.SetNodes{Nodes: nodes})
	var where []string
	for _, b := range s.Blockers(flow.StepFacts) {
		where = append(where, b.Where)
		if b.Where == "nodes[1712].addresses[0]" && !strings.Contains(b.Message, "worker-5") {
			t.Errorf("it does not say whose address it is: %s", b.Message)
		}
	}
	if got := strings.Join(where, " "); got != "nodes[1311].name nodes[1712].addresses[0]" {
		t.Errorf("blocked by %s", got)
	}
}

// A folder that fills the fields of many nodes is one change: each slot is
// judged once, and all of them by one copy of the answers. A copy for each took
// 16 GB for 5,000 nodes.
func TestAFolderForManyNodesIsJudgedByOneCopyOfTheAnswers(t *testing.T) {
	s, _ := startWith(t, "kubernetes")
	s.Apply(flow.SetNodes{Nodes: manyNodes(400)})
	s.Apply(flow.SetMode{Component: "kube", Mode: topology.BringCerts})
	var fill flow.SortFolder
	for _, e := range s.Apply(flow.FillFrom{Dir: "pki"}) {
		if f, ok := e.(flow.SortFolder); ok {
			fill = f
		}
	}
	sources := map[flow.Field]flow.Source{}
	slots := map[topology.SlotID]int{}
	for _, f := range fill.Fields {
		sources[f] = flow.Source{Path: string(f.Slot) + "." + string(f.Part)}
		slots[f.Slot] = 0
	}
	if len(slots) < 400 {
		t.Fatalf("%d slots are asked for", len(slots))
	}
	var answers *flow.Answers
	for _, e := range s.Apply(flow.Filled{Gen: fill.Gen, Sources: sources}) {
		c, ok := e.(flow.CheckSlot)
		if !ok {
			continue
		}
		slots[c.Slot]++
		if answers == nil {
			answers = c.Answers
		}
		if c.Answers != answers {
			t.Fatalf("%s has a copy of its own", c.Slot)
		}
	}
	for id, n := range slots {
		if n != 1 {
			t.Errorf("%s is judged %d times", id, n)
		}
	}
	if answers == nil || len(answers.Sources) != len(sources) {
		t.Errorf("the judgement does not know all sources: %+v", answers)
	}
}

// Of many slots a look takes those in view, those with something against them,
// and the others in turn: none is forgotten.
func TestALookAtManySlotsTakesSomeInTurn(t *testing.T) {
	s, _ := startWith(t, "kubernetes")
	settle(s, s.Apply(flow.SetNodes{Nodes: manyNodes(1500)}), good)
	settle(s, s.Apply(flow.SetMode{Component: "kube", Mode: topology.BringCerts}), good)
	due := s.Due(topology.BringCerts)
	bad, seen := due[len(due)-3].ID, due[len(due)-1].ID
	stamps := map[string]flow.Stamp{"a.crt": {Size: 1}}
	judge := func(e flow.Effect) flow.Event {
		c, ok := e.(flow.CheckSlot)
		switch {
		case !ok:
			return good(e)
		case c.Slot == bad:
			return flow.Checked{Slot: c.Slot, Gen: c.Gen, Verdict: flow.Verdict{Stamps: stamps, Findings: []check.Finding{{Rule: "expired", Severity: check.Error}}}}
		}
		v := good(e).(flow.Checked)
		v.Verdict.Stamps = stamps
		return v
	}
	sources := map[flow.Field]flow.Source{}
	for _, slot := range due {
		sources[flow.Field{Slot: slot.ID, Part: flow.PartCert}] = flow.Source{Path: string(slot.ID) + ".crt"}
		sources[flow.Field{Slot: slot.ID, Part: flow.PartKey}] = flow.Source{Path: string(slot.ID) + ".key"}
	}
	settle(s, s.Apply(flow.FillFrom{Dir: "pki"}), func(e flow.Effect) flow.Event {
		if f, ok := e.(flow.SortFolder); ok {
			return flow.Filled{Gen: f.Gen, Sources: sources}
		}
		return judge(e)
	})
	looked := map[topology.SlotID]bool{}
	for round := 1; len(looked) < len(due); round++ {
		effects := s.Apply(flow.Look{Seen: []topology.SlotID{seen}})
		if len(effects) != 1 || round > 10 {
			t.Fatalf("round %d: %d effects, and %d of %d slots were looked at", round, len(effects), len(looked), len(due))
		}
		look := effects[0].(flow.LookAtFiles)
		if n := len(look.Slots); n > 600 {
			t.Fatalf("%d slots in one look", n)
		}
		for _, id := range []topology.SlotID{bad, seen} {
			if look.Slots[id] == nil {
				t.Errorf("round %d leaves %s out", round, id)
			}
		}
		for id := range look.Slots {
			looked[id] = true
		}
	}
}
