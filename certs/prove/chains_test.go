package prove

import (
	"reflect"
	"slices"
	"testing"

	"certwright/certs"
	"certwright/certs/topology"
)

// unremembered are the handshakes and openings of a set when nothing is
// remembered from one handshake to the next.
func unremembered(t testing.TB, set *certs.Set) ([]Handshake, []Opening) {
	t.Helper()
	in := Input{Set: set, Now: now}
	b, err := newBench(in)
	if err != nil {
		t.Fatal(err)
	}
	var hs []Handshake
	for _, j := range b.jobs(versions) {
		hs = append(hs, between{b, b, newChains()}.prove(t.Context(), j))
	}
	openings, err := Reach(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return hs, openings
}

// sameWithoutMemory holds the proof of a set against the one in which each
// connection has its handshake, which verifies its chains anew: not a word may
// differ. One worker makes sure that all is remembered that can be. It returns
// how many connections had no handshake.
func sameWithoutMemory(t testing.TB, set *certs.Set) int {
	t.Helper()
	hs, openings, err := All(t.Context(), Input{Set: set, Now: now, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	alike := len(hs) - Made(hs)
	wantHandshakes, wantOpenings := unremembered(t, set)
	for i := range hs {
		if hs[i].Alike = ""; !reflect.DeepEqual(hs[i], wantHandshakes[i]) {
			t.Errorf("with what was remembered:\n%+v\nwithout:\n%+v", hs[i], wantHandshakes[i])
		}
	}
	if len(hs) != len(wantHandshakes) {
		t.Errorf("%d handshakes, want %d", len(hs), len(wantHandshakes))
	}
	if !slices.Equal(openings, wantOpenings) {
		t.Errorf("openings %+v, want %+v", openings, wantOpenings)
	}
	return alike
}

func TestOnlyWhatWorkedIsRemembered(t *testing.T) {
	set := good(t, nil)
	b, err := newBench(Input{Set: set, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	known := newChains()
	both := between{b, b, known}
	for _, j := range b.jobs(versions) {
		if j.edge.ServerCA == "" {
			continue // its client takes any certificate
		}
		for other := range b.pools {
			if other == j.edge.ServerCA {
				continue
			}
			// A bundle that nothing here leads to, asked for after a success and before.
			astray := *j.edge
			astray.ServerCA = other
			for range 2 {
				if h := both.prove(t.Context(), job{&astray, j.name, j.version}); h.OK {
					t.Fatalf("%s at %q is let in under the CA %s", h.Edge, h.Name, other)
				}
				if known.lead(ofServer(&astray)) {
					t.Fatalf("%s: a refusal is remembered as a success", astray.ID)
				}
				if h := both.prove(t.Context(), j); !h.OK {
					t.Fatal(h.Problem)
				}
			}
		}
		// A name that the certificate does not have, once its chain is known.
		wrong := job{j.edge, topology.Name{Kind: topology.DNSName, Value: "other.example.net"}, j.version}
		if h := both.prove(t.Context(), wrong); h.OK && j.name.Value != "" {
			t.Errorf("%s: any name is taken once the chain is known", h.Edge)
		}
	}
}
