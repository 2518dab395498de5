package diagram_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"certwright/assets/layout"
	"certwright/certs/topology"
	"certwright/ui/diagram"
)

// outlined is the same fleet twice: whole, and as an outline of it.
func outlined(t testing.TB, nodes int) (whole, outline *diagram.Model) {
	t.Helper()
	in := fleet(t, nodes)
	whole = diagram.New(in)
	in.Topology = in.Topology.Outline()
	if in.Topology.Here == nil {
		t.Fatal("nothing is left out")
	}
	return whole, diagram.New(in)
}

func shown(m *diagram.Model, v diagram.View) []string {
	var out []string
	for _, r := range diagram.Rows(m.Lines(v), diagram.RowOptions{Width: 90, Cursor: -1}) {
		out = append(out, r.Text())
	}
	return out
}

func TestAnOutlineIsDrawnAsTheWhole(t *testing.T) {
	whole, outline := outlined(t, 600)
	if whole.Heading() != outline.Heading() || whole.Legend() != outline.Legend() || whole.ProofWords() != outline.ProofWords() {
		t.Errorf("%s, %s, %s; want %s, %s, %s", outline.Heading(), outline.Legend(), outline.ProofWords(), whole.Heading(), whole.Legend(), whole.ProofWords())
	}
	for name, v := range map[string]diagram.View{
		"all":            {All: true},
		"unfolded":       {Opened: map[string]bool{"kube/ca": true}},
		"closed":         {Closed: map[string]bool{"kube/ca": true}},
		"mode G":         {Mode: topology.Generate, All: true},
		"mode B":         {Mode: topology.BringCerts},
		"a node":         {Find: "worker-432"},
		"upper case":     {Find: "WORKER-43"},
		"a title":        {Find: "kubelet client"},
		"part of both":   {Find: "client of worker-2"},
		"an id":          {Find: "kubelet-server@worker-17"},
		"one of a few":   {Find: "etcd"},
		"nothing at all": {Find: "no such name"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := shown(outline, v), shown(whole, v); !slices.Equal(got, want) {
				i := 0
				for i < min(len(got), len(want)) && got[i] == want[i] {
					i++
				}
				t.Errorf("%d rows, want %d; the first that differ:\n%q\n%q", len(got), len(want), got[i:min(len(got), i+3)], want[i:min(len(want), i+3)])
			}
		})
	}
	if got, want := len(shown(outline, diagram.View{})), len(shown(whole, diagram.View{})); got != want {
		t.Errorf("folded %d rows, want %d", got, want)
	}
	if all := strings.Join(shown(outline, diagram.View{}), "\n"); !strings.Contains(all, "1,193 more") {
		t.Errorf("the fold does not count what is left out:\n%s", all)
	}
}

func TestANodeThatIsLeftOutIsThereWhenItIsLookedAt(t *testing.T) {
	whole, outline := outlined(t, 600)
	const id = "kube/kubelet-server@worker-432"
	n := outline.Node(id)
	if n == nil || n.Parent() != outline.Node("kube/ca") {
		t.Fatalf("%+v", n)
	}
	text := func(n *diagram.Node) (out []string) {
		for _, r := range diagram.Details(n, 80, false) {
			out = append(out, r.Text())
		}
		return out
	}
	if got, want := text(n), text(whole.Node(id)); !slices.Equal(got, want) {
		t.Errorf("details\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	v := diagram.View{}
	outline.Reveal(&v, n)
	rows := outline.Lines(v)
	if !slices.ContainsFunc(rows, func(l diagram.Line) bool { return l.ID() == id && l.Node().ID == id }) || len(rows) > 20 {
		t.Errorf("%d rows, and it is not revealed", len(rows))
	}
	for _, none := range []string{"kube/kubelet-server@nobody", "kube/nothing@worker-432", "kube/apiserver@worker-432"} {
		if n := outline.Node(none); n != nil {
			t.Errorf("%s is %+v", none, n)
		}
	}
}

func TestFilesOfANodeThatIsLeftOut(t *testing.T) {
	in := fleet(t, 600)
	in.Topology = in.Topology.Outline()
	alike := in.Topology.Here[1].Name
	for _, ext := range []string{".crt", ".key"} {
		in.Files = append(in.Files, layout.File{Path: "tls/nodes/" + alike + "/kubelet" + ext, Slot: topology.SlotID("kube/kubelet-server").At(alike)})
	}
	got := fmt.Sprint(diagram.New(in).Node("kube/kubelet-server@worker-432").Files)
	if want := "[{tls/nodes/worker-432/kubelet.crt false} {tls/nodes/worker-432/kubelet.key false}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestExportsOfAnOutlineCountTheWhole(t *testing.T) {
	whole, outline := outlined(t, 600)
	for name, draw := range map[string]func(*diagram.Model) string{
		"mermaid": diagram.Mermaid, "dot": diagram.DOT,
		"tree": func(m *diagram.Model) string { return diagram.Tree(m, 100, false) },
	} {
		text := draw(outline)
		if !strings.Contains(text, "1,193 more") || !strings.Contains(draw(whole), "1,193 more") {
			t.Errorf("%s does not say how many more there are:\n%s", name, text)
		}
	}
	count := func(m *diagram.Model) int {
		data, err := diagram.JSON(m)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(data) {
			t.Fatal("no JSON")
		}
		return bytes.Count(data, []byte(`"kind": "leaf"`))
	}
	if got, want := count(outline), count(whole); got != want || want < 1200 {
		t.Errorf("JSON has %d certificates, want %d", got, want)
	}
}

func TestCallsOfANodeThatWasNotTried(t *testing.T) {
	_, outline := outlined(t, 600)
	var text []string
	for _, r := range diagram.CallRows(outline, diagram.CallOptions{Width: 100, Node: outline.Node("kube/kubelet-server@worker-432")}) {
		text = append(text, r.Text())
	}
	if all := strings.Join(text, "\n"); !strings.Contains(all, "kubelet server ×600") || !strings.Contains(all, "kubelet client ×600") {
		t.Errorf("calls of its kind are left out:\n%s", all)
	}
}
