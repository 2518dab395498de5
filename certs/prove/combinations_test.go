package prove

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// choice is one way for a component to get its certificates.
type choice struct {
	mode  topology.Mode
	under bool // bring CA, with an intermediate of our own
}

func (c choice) String() string {
	if c.under {
		return "under"
	}
	return c.mode.Letter()
}

// TestEveryCombinationOfModesConnects: whatever is chosen for each component,
// if topology says that it can be, the set has the same slots and every edge
// works; if it says that it cannot be, issue says so in the same sentence.
func TestEveryCombinationOfModesConnects(t *testing.T) {
	theirs := good(t, func(r *issue.Request) { r.Hierarchy = topology.Roots })
	topo := theirs.Topology
	owners := []choice{{mode: topology.Generate}, {mode: topology.BringCA}, {mode: topology.BringCA, under: true}, {mode: topology.BringCerts}}
	if testing.Short() {
		owners = owners[2:]
	}
	made := 0
	for _, etcd := range owners {
		for _, kube := range owners {
			for _, ingress := range owners {
				for _, identity := range []choice{{mode: topology.Generate}, {mode: topology.BringCerts}} {
					chosen := map[topology.ComponentID]choice{"etcd": etcd, "kube": kube, "ingress": ingress, "identity": identity}
					t.Run(fmt.Sprintf("etcd %v kube %v ingress %v identity %v", etcd, kube, ingress, identity), func(t *testing.T) {
						if combine(t, topo, theirs, chosen) {
							made++
						}
					})
				}
			}
		}
	}
	if made == 0 {
		t.Error("no combination could be made")
	}
}

func combine(t *testing.T, topo *topology.Topology, theirs *certs.Set, chosen map[topology.ComponentID]choice) bool {
	r := issue.Request{
		Topology: topo, Now: now, Modes: map[topology.ComponentID]topology.Mode{},
		Brought: map[topology.SlotID]*certs.Pair{}, Subordinate: map[topology.AuthorityID]bool{},
	}
	choices := map[topology.ComponentID]topology.Choice{}
	for id, c := range chosen {
		r.Modes[id] = c.mode
		choices[id] = topology.Choice{Mode: c.mode, Intermediate: c.under, CAKey: c.mode == topology.BringCerts}
		for _, s := range topo.Due(id, c.mode) {
			pair := *theirs.Pairs[s.ID]
			pair.Made = false
			r.Brought[s.ID] = &pair
		}
		if c.under {
			r.Subordinate[topo.Component(id).Authority] = true
		}
	}
	var refusal error
	for _, c := range topo.Components {
		refusal = errors.Join(refusal, topo.Available(c.ID, chosen[c.ID].mode, choices))
	}
	set, err := issue.All(t.Context(), r, nil)
	if refusal != nil {
		if err == nil || err.Error() != refusal.Error() {
			t.Errorf("topology says %v, issue says %v", refusal, err)
		}
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(slices.Sorted(maps.Keys(set.Pairs)), slices.Sorted(maps.Keys(theirs.Pairs))) {
		t.Errorf("other slots: %v", slices.Sorted(maps.Keys(set.Pairs)))
	}
	for _, f := range Failed(edges(t, set)) {
		t.Errorf("%s at %q with %s: %s (%s)", f.Edge, f.Name, f.Version, f.Problem, f.Error)
	}
	return true
}

// TestAnyFactsConnect: whatever a person answers, what comes of it works, and
// authorities stay apart.
func TestAnyFactsConnect(t *testing.T) {
	profile := tectonic(t, nil).Profile
	host := rapid.OneOf(rapid.StringMatching(`[a-z][a-z0-9]{0,20}(\.[a-z][a-z0-9]{0,20}){0,4}`), rapid.Just("192.0.2.7"), rapid.Just("2001:db8::7"))
	rapid.Check(t, func(t *rapid.T) {
		facts := map[string]string{
			"api.host":     host.Draw(t, "api"),
			"ingress.host": host.Draw(t, "ingress"),
			"etcd.hosts":   strings.Join(rapid.SliceOfNDistinct(host, 1, 3, rapid.ID).Draw(t, "etcd"), ","),
			"service.cidr": rapid.SampledFrom([]string{"10.3.0.0/16", "fd00:3::/112", "10.3.0.0/16,fd00:3::/112"}).Draw(t, "cidr"),
		}
		topo, problems := topology.Resolve(profile, facts)
		if len(problems) > 0 {
			t.Skipf("%v", problems[0])
		}
		set, err := issue.All(context.Background(), issue.Request{Topology: topo, Now: now}, nil)
		if err != nil {
			t.Fatal(err)
		}
		in := Input{Set: set, Now: now}
		hs, err := Edges(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range Failed(hs) {
			t.Errorf("%s at %q with %s: %s (%s)", f.Edge, f.Name, f.Version, f.Problem, f.Error)
		}
		os, err := Reach(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range os {
			if o.Open != (topo.Slot(o.Client).Authority == topo.Slot(o.Server).Authority) {
				t.Errorf("%s opens %s: %v", o.Client, o.Server, o.Open)
			}
		}
	})
}

func TestProgressCountsEveryHandshake(t *testing.T) {
	last := 0
	hs, err := Edges(t.Context(), Input{Set: good(t, nil), Now: now, Progress: func(done, total int) {
		if done != last+1 || total != 36 {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last = done
	}})
	if err != nil || last != len(hs) {
		t.Errorf("%d of %d told, %v", last, len(hs), err)
	}
}
