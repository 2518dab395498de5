package topology

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
)

func manyNodes(n, controlPlanes int) []Node {
	var out []Node
	for i := range n {
		role := Worker
		if i < controlPlanes {
			role = ControlPlane
		}
		out = append(out, Node{Name: fmt.Sprintf("n%05d", i), Role: role, Addresses: []string{fmt.Sprintf("10.1.%d.%d", i>>8, i&255)}})
	}
	return out
}

// What an outline has and what its parts have is together what the whole has.
func TestOutlineAndPartsAreTheWhole(t *testing.T) {
	p := builtIn(t, "kubernetes")
	for _, c := range []struct{ nodes, controlPlanes int }{{1, 1}, {2, 1}, {5, 3}, {300, 3}, {500, 80}} {
		whole, problems := ResolveNodes(p, nil, manyNodes(c.nodes, c.controlPlanes))
		if len(problems) > 0 {
			t.Fatal(problems[0])
		}
		outline, problems := ResolveOutline(p, nil, manyNodes(c.nodes, c.controlPlanes))
		if len(problems) > 0 {
			t.Fatal(problems[0])
		}
		if !reflect.DeepEqual(outline, whole.Outline()) {
			t.Errorf("%+v: ResolveOutline is not the outline of ResolveNodes", c)
		}
		if !reflect.DeepEqual(outline.Edges, whole.Edges) {
			t.Errorf("%+v: other edges", c)
		}
		for _, e := range outline.Edges {
			if outline.Slot(e.Server.Slot) == nil || e.Client.Slot != "" && outline.Slot(e.Client.Slot) == nil {
				t.Fatalf("%+v: an edge joins what is not there: %+v", c, e)
			}
		}
		rest := outline.Rest()
		if c.nodes > 200 && len(rest) < c.nodes/3 {
			t.Errorf("%+v: only %d nodes are left out", c, len(rest))
		}
		slots, configs := map[SlotID]Slot{}, map[string]Kubeconfig{}
		add := func(part *Topology) {
			for _, s := range part.Slots {
				slots[s.ID] = s
				if got := part.Slot(s.ID); got == nil || got.ID != s.ID {
					t.Fatalf("%s is not found", s.ID)
				}
			}
			for _, k := range part.Kubeconfigs {
				configs[k.Node+"/"+k.File] = k
			}
		}
		add(outline)
		for nodes := range slices.Chunk(rest, 7) {
			part := outline.Part(nodes)
			if len(part.Edges) > 0 || !part.Partial || len(part.Here) != len(nodes) {
				t.Errorf("a part is %+v", part)
			}
			add(part)
		}
		if len(slots) != len(whole.Slots) || len(configs) != len(whole.Kubeconfigs) {
			t.Errorf("%+v: %d slots and %d kubeconfigs, want %d and %d", c, len(slots), len(configs), len(whole.Slots), len(whole.Kubeconfigs))
		}
		for _, s := range whole.Slots {
			if !reflect.DeepEqual(slots[s.ID], s) {
				t.Fatalf("%s: got %+v, want %+v", s.ID, slots[s.ID], s)
			}
		}
		for _, k := range whole.Kubeconfigs {
			if !reflect.DeepEqual(configs[k.Node+"/"+k.File], k) {
				t.Fatalf("%s of %s differs", k.File, k.Node)
			}
		}
	}
}
