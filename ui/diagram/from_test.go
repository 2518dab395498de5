package diagram_test

import (
	"strings"
	"testing"

	"certwright/assets/profiles"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
	"certwright/ui/diagram"
)

// builtin is the catalogue of the built-in profiles.
type builtin struct{}

func (builtin) Names() []string                             { return profiles.Names() }
func (builtin) Load(name string) (*topology.Profile, error) { return profiles.Load(name) }

func answers(t *testing.T) *plan.Plan {
	t.Helper()
	p, err := profiles.Load("tectonic")
	if err != nil {
		t.Fatal(err)
	}
	a := plan.Default(p)
	a.Components = map[topology.ComponentID]plan.Component{
		"kube":    {Mode: topology.BringCA, CA: &plan.Files{Cert: "corp/ca.crt", Key: "corp/ca.key"}},
		"ingress": {Mode: topology.BringCerts, Certs: map[string]plan.Files{"server": {Cert: "www.crt", Key: "www.key"}}},
	}
	return a
}

func TestAPlanSaysWhatIsNamedAndWhatIsMissing(t *testing.T) {
	m := diagram.New(diagram.FromPlan(resolve(t, "tectonic", nil), answers(t), now))
	for id, want := range map[string]diagram.State{
		"kube/ca": diagram.Named, "ingress/server": diagram.Named, "ingress/ca": diagram.Missing, "etcd/ca": diagram.Planned, "kube/kubelet": diagram.Planned,
	} {
		if got := m.Node(id).State; got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
	if got := m.Node("kube/ca").From; got != "corp/ca.crt, corp/ca.key" {
		t.Errorf("kube/ca comes from %q", got)
	}
	if got := m.Problems(); len(got) != 1 || got[0].ID != "ingress/ca" {
		t.Errorf("problems: %v, want ingress/ca", got)
	}
	if tree := diagram.Tree(m, 80, false); !strings.Contains(tree, "not given yet") {
		t.Errorf("the tree does not say what is missing:\n%s", tree)
	}
}

func TestAStateOfTheFlowIsDrawnAtEveryStage(t *testing.T) {
	s, _, err := flow.New(builtin{}, answers(t))
	if err != nil {
		t.Fatal(err)
	}
	m := diagram.New(diagram.FromState(s, now))
	if n := m.Node("kube/ca"); n.State != diagram.Pending || n.From == "" {
		t.Errorf("a CA that is being checked is %s, from %q", n.State, n.From)
	}
	if m.Proof != diagram.Unproved {
		t.Errorf("nothing is being made, and the proof is %s", m.Proof)
	}
	for _, id := range []topology.ComponentID{"kube", "ingress"} {
		s.Apply(flow.SetMode{Component: id, Mode: topology.Generate})
	}
	for range 3 {
		s.Apply(flow.Next{})
	}
	if s.At() != flow.StepTopology {
		t.Fatalf("at %s", s.At())
	}
	if m := diagram.New(diagram.FromState(s, now)); m.Proof != diagram.Proving || m.Counts.Modes[topology.Generate] != 11 {
		t.Errorf("while the set is made: proof %s, modes %v", m.Proof, m.Counts.Modes)
	}
}

func TestAPreparedSetIsDrawnWithItsFiles(t *testing.T) {
	in := proved(t, nil)
	got := diagram.FromPrepared(&flow.Prepared{Topology: in.Topology, Set: in.Set, Handshakes: in.Handshakes, Openings: in.Openings}, answers(t), now)
	m := diagram.New(got)
	if m.Proof != diagram.Proved || len(m.Node("etcd/server").Files) != 2 {
		t.Errorf("proof %s, files %v", m.Proof, m.Node("etcd/server").Files)
	}
}
