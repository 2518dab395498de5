package prove

import (
	"crypto/x509"
	"slices"
	"testing"

	"certwright/certs"
	"certwright/certs/topology"
)

// A cluster that exchanges the CA of etcd: the four states that its machines
// can be in. Neighbours meet while files are copied; others must not.
func TestAcrossTheStatesOfACluster(t *testing.T) {
	before, after := good(t, nil), good(t, nil)
	oldCA, newCA := before.Anchor("etcd"), after.Anchor("etcd")
	// Only etcd's CA is another: the rest of the second set is the first's.
	for id, pair := range before.Pairs {
		if s := before.Topology.Slot(id); s.Authority != "etcd" {
			after.Pairs[id] = pair
		}
	}
	with := func(s *certs.Set, also ...*x509.Certificate) *certs.Set {
		out := *s
		out.Also = map[topology.AuthorityID][]*x509.Certificate{"etcd": also}
		return &out
	}
	states := []*certs.Set{before, with(before, newCA), with(after, oldCA), after}
	for c, client := range states {
		for s, server := range states {
			hs, err := Across(t.Context(), Input{Set: client, Now: now}, Input{Set: server, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			if max(c-s, s-c) > 1 {
				want = []string{"apiserver-etcd", "etcd-peers"}
			}
			got := failing(hs)
			if !slices.Equal(got, want) {
				t.Errorf("clients of state %d, servers of state %d: %v fail, want %v", c, s, got, want)
			}
		}
	}
}

func TestAcrossBlamesTheSideThatDiffers(t *testing.T) {
	a, b := good(t, nil), good(t, nil)
	hs, err := Across(t.Context(), Input{Set: a, Now: now}, Input{Set: b, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if len(Passed(hs)) > 0 {
		t.Errorf("clients of one cluster reach another's servers: %+v", Passed(hs)[0])
	}
	for _, h := range Failed(hs) {
		if h.Blame == "" || h.Problem == "" || h.Error == "" {
			t.Errorf("no explanation: %+v", h)
		}
	}
	if _, err := Across(t.Context(), Input{Now: now}, Input{Set: b, Now: now}); err == nil {
		t.Error("no set, no error")
	}
	if _, err := Across(t.Context(), Input{Set: a, Now: now}, Input{Set: b}); err == nil {
		t.Error("no time, no error")
	}
}
