package topology

import (
	"slices"
	"testing"
)

func TestWhatThereIsOneEachOf(t *testing.T) {
	nodes := []Node{{Name: "cp", Role: ControlPlane}, {Name: "w-0", Role: Worker}, {Name: "w-1", Role: Worker}}
	names := func(list []*Node) []string {
		var out []string
		for _, n := range list {
			out = append(out, n.Name)
		}
		return out
	}
	for per, want := range map[Per][]string{PerNode: {"cp", "w-0", "w-1"}, PerControlPlane: {"cp"}, PerWorker: {"w-0", "w-1"}} {
		if got := names(instances(per, nodes)); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", per, got, want)
		}
	}
	if got := instances(PerWorker, nodes[:1]); len(got) != 0 {
		t.Errorf("a cluster without workers has %d", len(got))
	}
	for on, want := range map[Per][]string{PerCluster: {"cp"}, PerControlPlane: {"cp"}, PerNode: {"cp", "w-0", "w-1"}, PerWorker: {"w-0", "w-1"}, PerNowhere: nil} {
		var got []string
		for _, n := range nodes {
			if on.Copied(n) {
				got = append(got, n.Name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("on %q: got %v, want %v", on, got, want)
		}
	}
}
