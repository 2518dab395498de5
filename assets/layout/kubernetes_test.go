package layout_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"certwright/assets/layout"
	"certwright/assets/profiles"
	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// threeNodes is a cluster of profile kubernetes with all that differs by node.
var threeNodes = []topology.Node{
	{Name: "cp-0", Role: topology.ControlPlane, Addresses: []string{"10.0.0.10", "fd00::10"}},
	{Name: "cp-1", Role: topology.ControlPlane, Addresses: []string{"10.0.0.11"}},
	{Name: "worker-0", Role: topology.Worker, Addresses: []string{"10.0.0.20"}},
}

func kubernetes(t testing.TB, nodes []topology.Node, facts map[string]string) *certs.Set {
	t.Helper()
	p, err := profiles.Load("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	if nodes == nil {
		facts = with(facts, "node.addresses", "10.0.0.10")
	}
	top, problems := topology.ResolveNodes(p, facts, nodes)
	for _, problem := range problems {
		t.Fatal(problem)
	}
	return made(t, issue.Request{Topology: top})
}

func with(facts map[string]string, name, value string) map[string]string {
	out := map[string]string{name: value}
	for k, v := range facts {
		out[k] = v
	}
	return out
}

// clusters are the sets that the tests below hold against each other.
func clusters(t testing.TB) map[string]*certs.Set {
	t.Helper()
	return map[string]*certs.Set{
		"kubernetes-one":   kubernetes(t, nil, nil),
		"kubernetes-three": kubernetes(t, threeNodes, nil),
	}
}

func TestGoldenOfKubernetes(t *testing.T) {
	data, pins := regexp.MustCompile(`(-data: ).*`), regexp.MustCompile(`sha256:[0-9a-f]{64}`)
	for name, set := range clusters(t) {
		files := render(t, set)
		var paths []string
		for p, f := range files {
			paths = append(paths, fmt.Sprintf("%v %s", f.Mode, p))
			switch {
			case f.Kind == layout.KindConfig || p == layout.NextStepsFile:
				golden(t, name+"/"+p, pins.ReplaceAll(f.Data, []byte("sha256:replaced")))
			case slices.Contains([]string{"tls/admin.conf", "nodes/cp-0/controller-manager.conf", "nodes/worker-0/kubelet.conf"}, p):
				golden(t, name+"/"+p, data.ReplaceAll(f.Data, []byte("${1}replaced")))
			}
		}
		slices.SortFunc(paths, func(a, b string) int { return strings.Compare(a[11:], b[11:]) })
		golden(t, name+"/files.txt", []byte(strings.Join(paths, "\n")+"\n"))
	}
}

func TestCAKeysAreOnNoWorker(t *testing.T) {
	files := render(t, clusters(t)["kubernetes-three"], "tree")
	for p, f := range files {
		if f.Kind == layout.KindCAKey && strings.HasPrefix(p, "nodes/worker") {
			t.Errorf("%s is on a worker", p)
		}
	}
	if files["nodes/cp-1/pki/ca.key"].Kind != layout.KindCAKey {
		t.Error("kubeadm finds no CA key on a control plane")
	}
}

// What several nodes share is the same file on each, and each has its own of
// the rest.
func TestTreesOfNodesShareWhatIsTheClusters(t *testing.T) {
	files := render(t, clusters(t)["kubernetes-three"], "tree")
	for p, f := range files {
		rest, ok := strings.CutPrefix(p, "nodes/cp-0/")
		if !ok {
			continue
		}
		other := files["nodes/cp-1/"+rest]
		own := f.Slot.Node() != "" || rest == "controller-manager.conf" || rest == "scheduler.conf"
		if len(other.Data) == 0 || bytes.Equal(f.Data, other.Data) == own {
			t.Errorf("%s and cp-1's: the same %v, of its own %v", p, bytes.Equal(f.Data, other.Data), own)
		}
		if shared := files["tls/"+rest]; !own && !bytes.Equal(shared.Data, f.Data) {
			t.Errorf("%s is not tls/%s", p, rest)
		}
	}
}
