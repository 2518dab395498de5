package rotate_test

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/afero"

	"certwright/assets/profiles"
	"certwright/assets/store"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/flow/install"
	"certwright/flow/plan"
	"certwright/flow/rotate"
)

type builtin struct{}

func (builtin) Names() []string                             { return profiles.Names() }
func (builtin) Load(name string) (*topology.Profile, error) { return profiles.Load(name) }

var clock = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func world(t testing.TB) *install.World {
	t.Helper()
	return &install.World{
		Read: afero.NewOsFs(), Write: store.OS(), Dir: t.TempDir(), Now: func() time.Time { return clock },
		Rand: rand.Reader, Version: "test", Catalogue: builtin{},
	}
}

// installed writes the set that a plan describes and returns its directory.
func installed(t testing.TB, w *install.World, p *plan.Plan) string {
	t.Helper()
	a, err := install.NewAnswers(builtin{}, p)
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := install.Prepare(context.Background(), w, a, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := install.Commit(context.Background(), w, prepared, false, nil); err != nil {
		t.Fatal(err)
	}
	dir := p.Output.Dir
	if dir == "" {
		dir = plan.DefaultDir
	}
	return filepath.Join(w.Dir, dir)
}

func defaults(t testing.TB, profile string) *plan.Plan {
	t.Helper()
	p, err := profiles.Load(profile)
	if err != nil {
		t.Fatal(err)
	}
	out := plan.Default(p)
	if p.HasNodes() {
		out.Nodes = []topology.Node{
			{Name: "cp-0", Role: topology.ControlPlane, Addresses: []string{"10.0.0.10"}},
			{Name: "worker-0", Role: topology.Worker, Addresses: []string{"10.0.0.20"}},
		}
	}
	return out
}

// request asks for the rotation of a target in a set that was written.
func request(t testing.TB, w *install.World, dir, target string) rotate.Request {
	t.Helper()
	p, err := install.PlanOf(w, dir)
	if err != nil || p == nil {
		t.Fatal(p, err)
	}
	profile, err := profiles.Load(p.Profile)
	if err != nil {
		t.Fatal(err)
	}
	topo, problems := p.Topology(profile)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return rotate.Request{Dir: dir, Plan: p, Topology: topo, Target: target, Out: filepath.Join(w.Dir, "rotation")}
}

func prepared(t testing.TB, w *install.World, r rotate.Request) *rotate.Rotation {
	t.Helper()
	out, err := rotate.Prepare(context.Background(), w, r, nil)
	if err != nil {
		t.Fatalf("%s: %v", r.Target, err)
	}
	return out
}

func TestEveryAuthorityOfEveryProfileRotates(t *testing.T) {
	for _, profile := range profiles.Names() {
		w := world(t)
		dir := installed(t, w, defaults(t, profile))
		topo := request(t, w, dir, "").Topology
		var targets []string
		for _, a := range topo.Authorities {
			targets = append(targets, string(a.ID))
		}
		for i := range topo.Slots {
			if topo.Slots[i].Kind == topology.KeyPair {
				targets = append(targets, string(topo.Slots[i].ID))
			}
		}
		for _, target := range targets {
			t.Run(profile+" "+target, func(t *testing.T) {
				out := prepared(t, w, request(t, w, dir, target))
				if len(out.Stages) != 3 || len(out.Proofs) != 10 {
					t.Fatalf("%d stages, %d proofs", len(out.Stages), len(out.Proofs))
				}
				for _, p := range out.Proofs {
					if len(p.Handshakes) == 0 || len(prove.Failed(p.Handshakes)) > 0 {
						t.Errorf("clients of %d, servers of %d: %d handshakes, %d failed", p.Clients, p.Servers, len(p.Handshakes), len(prove.Failed(p.Handshakes)))
					}
				}
				if out.Pair == "" && out.Refused == 0 {
					t.Error("nothing of the old CA is refused at the end")
				}
			})
		}
	}
}
