package diagram_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"certwright/assets/profiles"
	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/ui/diagram"
)

var update = flag.Bool("update", false, "write the golden files anew")

// now is the clock of all tests here.
var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func resolve(t testing.TB, profile string, facts map[string]string) *topology.Topology {
	t.Helper()
	p, err := profiles.Load(profile)
	if err != nil {
		t.Fatal(err)
	}
	topo, problems := topology.Resolve(p, facts)
	for _, problem := range problems {
		t.Fatal(problem)
	}
	return topo
}

// planned is the Tectonic topology before anything was issued.
func planned(t testing.TB) diagram.Input {
	t.Helper()
	return diagram.Input{Topology: resolve(t, "tectonic", nil), Now: now}
}

// proved is a whole Tectonic set with its proof and its reach.
func proved(t testing.TB, change func(*issue.Request)) diagram.Input {
	t.Helper()
	in := planned(t)
	r := issue.Request{Topology: in.Topology, Now: now}
	if change != nil {
		change(&r)
	}
	set, err := issue.All(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	in.Modes, in.Set, in.Hierarchy, in.Subordinate = set.Modes, set, r.Hierarchy, r.Subordinate
	prove1(t, &in)
	return in
}

// prove1 makes the handshakes of the set in hand.
func prove1(t testing.TB, in *diagram.Input) {
	t.Helper()
	var err error
	if in.Handshakes, err = prove.Edges(t.Context(), prove.Input{Set: in.Set, Now: now}); err != nil {
		t.Fatal(err)
	}
	if in.Openings, err = prove.Reach(t.Context(), prove.Input{Set: in.Set, Now: now}); err != nil {
		t.Fatal(err)
	}
}

// bring makes a set elsewhere, to be handed over to another.
func bring(t testing.TB, r issue.Request) *certs.Set {
	t.Helper()
	set, err := issue.All(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update and read the diff):\n got:\n%s\nwant:\n%s", name, got, want)
	}
}

// elsewhere is the set of another cluster, to bring from.
func elsewhere(t testing.TB, facts map[string]string) *certs.Set {
	t.Helper()
	set := bring(t, issue.Request{Topology: resolve(t, "tectonic", facts), Now: now, LeafLife: 41 * 24 * time.Hour})
	for _, p := range set.Pairs {
		p.Made = false // here it is handed over
	}
	return set
}

// mixed has every mode: kube's CA from another cluster (an intermediate below a
// root), and the ingress's certificates, which end in 41 days.
func mixed(t testing.TB) diagram.Input {
	t.Helper()
	corp := elsewhere(t, map[string]string{"cluster.name": "corp", "ingress.host": "demo.example.com"})
	return proved(t, func(r *issue.Request) {
		r.Modes = map[topology.ComponentID]topology.Mode{"kube": topology.BringCA, "ingress": topology.BringCerts}
		r.Brought = map[topology.SlotID]*certs.Pair{
			"kube/ca": corp.Pairs["kube/ca"], "ingress/ca": corp.Pairs["ingress/ca"], "ingress/server": corp.Pairs["ingress/server"],
		}
	})
}

// failing has etcd's certificates from a cluster with other host names.
func failing(t testing.TB) diagram.Input {
	t.Helper()
	other := elsewhere(t, map[string]string{"etcd.hosts": "etcd-a.example.com,etcd-b.example.com"})
	return proved(t, func(r *issue.Request) {
		r.Modes = map[topology.ComponentID]topology.Mode{"etcd": topology.BringCerts}
		r.Brought = map[topology.SlotID]*certs.Pair{}
		for _, id := range []topology.SlotID{"etcd/ca", "etcd/server", "etcd/peer", "etcd/client"} {
			r.Brought[id] = other.Pairs[id]
		}
	})
}
