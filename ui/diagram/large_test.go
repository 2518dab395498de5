package diagram_test

import (
	"fmt"
	"strings"
	"testing"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/ui/diagram"
)

// fleet is a planned topology of that many nodes: two certificates and two calls
// for each, beside a control plane.
func fleet(t testing.TB, nodes int) diagram.Input {
	t.Helper()
	p := &topology.Profile{
		Name: "fleet", Title: "Fleet", Hierarchy: topology.Intermediates, Root: topology.Subject{CN: "root"},
		Authorities: []topology.AuthoritySpec{{ID: "kube", Title: "kube CA", Slot: "kube/ca"}, {ID: "etcd", Title: "etcd CA", Slot: "etcd/ca"}},
		Components:  []topology.ComponentSpec{{ID: "kube", Title: "kube", Authority: "kube"}, {ID: "etcd", Title: "etcd", Authority: "etcd"}},
	}
	both := []topology.Usage{topology.ServerAuth, topology.ClientAuth}
	slot := func(id topology.SlotID, kind topology.Kind, per topology.Per, title string, usages ...topology.Usage) {
		p.Slots = append(p.Slots, topology.SlotSpec{ID: id, Kind: kind, Per: per, Title: title, Usages: usages, Subject: topology.Subject{CN: string(id)}})
	}
	edge := func(id string, from, to topology.End, ca topology.AuthorityID) {
		p.Edges = append(p.Edges, topology.EdgeSpec{ID: id, Client: from, Server: to, ServerCA: ca, ClientCA: ca})
	}
	slot("kube/ca", topology.CA, "", "kube CA")
	slot("etcd/ca", topology.CA, "", "etcd CA")
	slot("kube/apiserver", topology.Leaf, "", "API server", both...)
	slot("etcd/server", topology.Leaf, "", "etcd server", both...)
	slot("etcd/client", topology.Leaf, "", "etcd client", topology.ClientAuth)
	slot("kube/kubelet-client", topology.Leaf, topology.PerNode, "kubelet client", topology.ClientAuth)
	slot("kube/kubelet-server", topology.Leaf, topology.PerNode, "kubelet server", topology.ServerAuth)
	edge("etcd", topology.End{Name: "API server", Slot: "etcd/client"}, topology.End{Name: "etcd", Slot: "etcd/server"}, "etcd")
	edge("up", topology.End{Name: "kubelet", Slot: "kube/kubelet-client"}, topology.End{Name: "API server", Slot: "kube/apiserver"}, "kube")
	edge("down", topology.End{Name: "API server", Slot: "kube/apiserver"}, topology.End{Name: "kubelet", Slot: "kube/kubelet-server"}, "kube")
	var workers []topology.Node
	for i := range nodes {
		workers = append(workers, topology.Node{Name: fmt.Sprintf("worker-%d", i), Role: topology.Worker, Addresses: []string{fmt.Sprintf("10.1.%d.%d", i/250, i%250+1)}})
	}
	workers[0].Role = topology.ControlPlane
	topo, problems := topology.ResolveNodes(p, nil, workers)
	for _, problem := range problems {
		t.Fatal(problem)
	}
	return diagram.Input{Topology: topo, Now: now}
}

func TestTenThousandCertificatesFoldIntoOneLine(t *testing.T) {
	m := diagram.New(fleet(t, 5000))
	lines := m.Lines(diagram.View{})
	if len(lines) > 20 {
		t.Fatalf("%d lines are visible, want at most 20", len(lines))
	}
	var text []string
	for _, r := range diagram.Rows(lines, diagram.RowOptions{Width: 90}) {
		text = append(text, r.Text())
	}
	all := strings.Join(text, "\n")
	for _, want := range []string{"API server", "kubelet client of worker-0", "kubelet server of worker-0", "… 9,993 more"} {
		if !strings.Contains(all, want) {
			t.Errorf("no line says %q:\n%s", want, all)
		}
	}
	open := diagram.View{Opened: map[string]bool{"kube/ca": true}}
	if n := len(m.Lines(open)); n != 10_001+5 {
		t.Errorf("unfolded there are %d lines, want 10006", n)
	}
}

func TestAProblemAmongThousandsIsShownAndFound(t *testing.T) {
	in := fleet(t, 3000)
	in.Findings = []check.Finding{
		{Rule: "expired", Severity: check.Error, Slot: "kube/kubelet-server@worker-2345", Message: "the certificate has expired"},
		{Rule: "weak", Severity: check.Warning, Slot: "kube/kubelet-client@worker-17", Message: "weak"},
	}
	m := diagram.New(in)
	visible := func(v diagram.View, id string) bool {
		for _, l := range m.Lines(v) {
			if l.ID() == id {
				return true
			}
		}
		return false
	}
	if !visible(diagram.View{}, "kube/kubelet-server@worker-2345") {
		t.Error("an error is folded away")
	}
	start := m.Start(20)
	if start.Closed["kube/ca"] || !start.Closed["etcd/ca"] {
		t.Errorf("closed at the start: %v; want etcd/ca alone", start.Closed)
	}
	for _, n := range m.Problems() {
		v := m.Start(20)
		m.Reveal(&v, n)
		if !visible(v, n.ID) {
			t.Errorf("%s is not revealed", n.ID)
		}
		if count := len(m.Lines(v)); count > 20 {
			t.Errorf("to show %s alone, %d lines are shown", n.ID, count)
		}
	}
	v := diagram.View{}
	m.Reveal(&v, m.Node("kube/kubelet-server@worker-1234"))
	if !visible(v, "kube/kubelet-server@worker-1234") {
		t.Error("a certificate without a problem is not revealed")
	}
	found := diagram.View{Find: "worker-29"}
	hits := 0
	for _, l := range m.Lines(found) {
		if !l.Aside() {
			hits++
		}
	}
	if hits != 2*111 {
		t.Errorf("%d lines match worker-29, want 222", hits)
	}
}

func TestFoldedLinesNameTheOtherModes(t *testing.T) {
	in := fleet(t, 60)
	m := diagram.New(in)
	for _, l := range m.Lines(diagram.View{Mode: topology.BringCerts}) {
		t.Errorf("a line for mode B, which nothing is in: %s", l.ID())
	}
	if n := len(m.Lines(diagram.View{Mode: topology.Generate})); n == 0 {
		t.Error("no line for mode G, which everything is in")
	}
}

// TestNoExportGrowsWithTheFleet keeps files that viewers refuse from being made.
func TestNoExportGrowsWithTheFleet(t *testing.T) {
	m := diagram.New(fleet(t, 5000))
	svg, err := diagram.SVG(m)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"svg": string(svg), "mermaid": diagram.Mermaid(m), "dot": diagram.DOT(m), "tree": diagram.Tree(m, 100, false),
	} {
		if limit := 40_000; name != "tree" && len(text) > limit {
			t.Errorf("%s has %d bytes, want at most %d", name, len(text), limit)
		}
		if name != "svg" && !strings.Contains(text, "more") {
			t.Errorf("%s does not say that there is more", name)
		}
	}
}

func BenchmarkModelOf10000(b *testing.B) {
	in := fleet(b, 5000)
	for b.Loop() {
		diagram.New(in)
	}
}

func BenchmarkFrameOf10000(b *testing.B) {
	m := diagram.New(fleet(b, 5000))
	lines := m.Lines(diagram.View{All: true})
	b.ReportAllocs()
	for b.Loop() {
		diagram.Rows(lines, diagram.RowOptions{Width: 60, Top: 5000, Height: 40, Cursor: 5010})
		diagram.CallRows(m, diagram.CallOptions{Width: 110, Height: 10, Node: lines[5010].Node()})
		diagram.Details(lines[5010].Node(), 60, false)
	}
}

func BenchmarkLinesOf10000(b *testing.B) {
	m := diagram.New(fleet(b, 5000))
	for b.Loop() {
		m.Lines(diagram.View{Find: "worker-4"})
	}
}
