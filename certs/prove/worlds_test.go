package prove

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// worldOf is a topology of a built-in profile.
func worldOf(t testing.TB, profile string, facts map[string]string, nodes ...topology.Node) *topology.Topology {
	t.Helper()
	data, err := os.ReadFile("../../assets/profiles/" + profile + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var p topology.Profile
	if err := yaml.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	topo, problems := topology.ResolveNodes(&p, facts, nodes)
	for _, problem := range problems {
		t.Fatal(problem)
	}
	return topo
}

func issued(t testing.TB, topo *topology.Topology) *certs.Set {
	t.Helper()
	set, err := issue.All(t.Context(), issue.Request{Topology: topo, Now: now}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func fleet(controlPlanes, workers int) []topology.Node {
	var out []topology.Node
	for i := range controlPlanes {
		out = append(out, topology.Node{Name: fmt.Sprintf("cp-%d", i), Role: topology.ControlPlane, Addresses: []string{fmt.Sprintf("10.0.0.%d", i+1), fmt.Sprintf("fd00::%d", i+1)}})
	}
	for i := range workers {
		out = append(out, topology.Node{Name: fmt.Sprintf("w-%d", i), Role: topology.Worker, Addresses: []string{fmt.Sprintf("10.1.%d.%d", i/250, i%250+1)}})
	}
	return out
}

func TestEveryWorldConnects(t *testing.T) {
	spiffe := map[string]string{"typha.client-uri": "spiffe://example.org/felix", "typha.server-uri": "spiffe://example.org/typha"}
	both := map[string]string{"typha.client-cn": "felix", "typha.client-uri": "spiffe://example.org/felix", "typha.server-cn": "typha"}
	for name, topo := range map[string]*topology.Topology{
		"kubernetes, one node":      worldOf(t, "kubernetes", map[string]string{"node.addresses": "10.0.0.10"}),
		"kubernetes, IPv6 alone":    worldOf(t, "kubernetes", map[string]string{"node.addresses": "fd00::10", "service.cidr": "fd00:10:96::/112"}),
		"kubernetes, three planes":  worldOf(t, "kubernetes", nil, fleet(3, 2)...),
		"kubernetes, one authority": worldOf(t, "kubernetes", map[string]string{"authorities": "one"}, fleet(2, 1)...),
		"kubernetes 1.28":           worldOf(t, "kubernetes", map[string]string{"kubernetes.version": "1.28", "node.addresses": "10.0.0.10"}),
		"calico":                    worldOf(t, "calico", nil),
		"calico by SPIFFE":          worldOf(t, "calico", spiffe),
		"calico by both":            worldOf(t, "calico", both),
		"calico, a client each":     worldOf(t, "calico", map[string]string{"etcd.clients": "each", "calico.install": "enterprise-2.3"}),
		"calico, etcd elsewhere":    worldOf(t, "calico", map[string]string{"etcd.server": "elsewhere"}),
		"k3s, one server":           worldOf(t, "k3s", map[string]string{"node.addresses": "10.0.0.10", "apiserver.names": "api.internal,203.0.113.7"}),
		"k3s, three servers":        worldOf(t, "k3s", nil, fleet(3, 2)...),
		"consul, one server":        worldOf(t, "consul", map[string]string{"node.addresses": "10.0.0.10"}),
		"consul, client agents":     worldOf(t, "consul", map[string]string{"consul.datacenter": "eu-1"}, fleet(3, 2)...),
		"consul, auto-encrypt":      worldOf(t, "consul", map[string]string{"consul.clients": "auto-encrypt"}, fleet(3, 2)...),
		"nats":                      worldOf(t, "nats", nil),
		"nats, with all":            worldOf(t, "nats", map[string]string{"nats.gateways": "here", "nats.leafnodes": "here", "nats.verify": "verify-and-map", "nats.hosts": "10.0.0.1,fd00::1,a.example.com"}),
	} {
		t.Run(name, func(t *testing.T) {
			set := issued(t, topo)
			sameWithoutMemory(t, set)
			hs, err := Edges(t.Context(), Input{Set: set, Now: now})
			if err != nil || len(hs) == 0 {
				t.Fatal(err, len(hs))
			}
			for _, h := range Failed(hs) {
				t.Errorf("%s: %s -> %s %s: %s (%s)", h.Edge, h.Client, h.Server, h.Name, h.Problem, h.Error)
			}
			os, err := Reach(t.Context(), Input{Set: set, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range os {
				if c := topo.Slot(o.Client); o.Open && c.Authority != o.Trust {
					t.Errorf("%s opens %s, which takes the clients of %s", o.Client, o.Server, o.Trust)
				}
			}
		})
	}
}

// The rule of Typha and Felix, with the cases that were tried against their own code.
func TestTyphaReadsCNOrURI(t *testing.T) {
	for _, c := range []struct {
		name       string
		has, wants map[string]string
		refused    string
	}{
		{"the CN fits", nil, nil, ""},
		{"another CN", map[string]string{"typha.client-cn": "felix"}, nil, "does not have required CN"},
		{"upper case", map[string]string{"typha.client-cn": "Typha-Client"}, nil, "does not have required CN"},
		{"no URI", nil, map[string]string{"typha.client-uri": "spiffe://example.org/felix"}, "does not have required URI SAN"},
		{"another URI", map[string]string{"typha.client-uri": "spiffe://example.org/other"}, map[string]string{"typha.client-uri": "spiffe://example.org/felix"}, "does not have required URI SAN"},
		{"both wanted, the URI fits", map[string]string{"typha.client-cn": "other", "typha.client-uri": "spiffe://example.org/felix"}, map[string]string{"typha.client-cn": "felix", "typha.client-uri": "spiffe://example.org/felix"}, ""},
		{"both wanted, neither fits", map[string]string{"typha.client-cn": "other"}, map[string]string{"typha.client-cn": "felix", "typha.client-uri": "spiffe://example.org/felix"}, "does not have required CN or URI SAN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := issued(t, worldOf(t, "calico", c.has))
			set.Topology = worldOf(t, "calico", c.wants)
			hs, err := Edges(t.Context(), Input{Set: set, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, h := range OfEdge(Failed(hs), "felix-typha") {
				got = append(got, h.Error)
				if h.Blame != "typha/client" || !strings.Contains(h.Problem, "Typha") {
					t.Errorf("blames %q: %s", h.Blame, h.Problem)
				}
			}
			if (c.refused == "") != (len(got) == 0) || c.refused != "" && !strings.Contains(got[0], c.refused) {
				t.Errorf("got %q, want %q", got, c.refused)
			}
		})
	}
}

// A Consul server takes for a server only who has a server's name, whatever CA
// has signed for it.
func TestAServerAsksForAName(t *testing.T) {
	topo := worldOf(t, "consul", nil, fleet(2, 1)...)
	set := issued(t, topo)
	asks := func(names ...string) []Handshake {
		for i := range topo.Edges {
			if topo.Edges[i].Base == "servers" {
				topo.Edges[i].From = nil
				for _, n := range names {
					topo.Edges[i].From = append(topo.Edges[i].From, topology.Name{Kind: topology.DNSName, Value: n})
				}
			}
		}
		hs, err := Edges(t.Context(), Input{Set: set, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return Failed(hs)
	}
	for _, names := range [][]string{{"server.dc1.consul"}, {"server.dc2.consul", "SERVER.dc1.consul"}} {
		if failed := asks(names...); len(failed) > 0 {
			t.Errorf("%v: %+v", names, failed[0])
		}
	}
	failed := asks("server.dc2.consul")
	if len(failed) == 0 {
		t.Fatal("a server of another datacenter is let in")
	}
	for _, h := range failed {
		if h.Blame.Base() != "agent/server" || h.Needs != "DNS:server.dc2.consul" || !strings.Contains(h.Problem, "asks of its clients") || !strings.Contains(h.Error, "server.dc2.consul") {
			t.Errorf("%+v", h)
		}
	}
}

// A member that dials from an address that its certificate does not name is
// refused by the others.
func TestPeersAreHeldToTheirOwnAddresses(t *testing.T) {
	set := issued(t, worldOf(t, "kubernetes", nil, fleet(3, 0)...))
	pairs := set.Pairs
	pairs["etcd/peer@cp-0"], pairs["etcd/peer@cp-1"] = pairs["etcd/peer@cp-1"], pairs["etcd/peer@cp-0"]
	hs, err := Edges(t.Context(), Input{Set: set, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	var clients []topology.SlotID
	for _, h := range Failed(hs) {
		if !strings.HasPrefix(h.Edge, "etcd-peers@") {
			t.Errorf("another edge failed: %+v", h)
		}
		if h.Server == "etcd/peer@cp-2" {
			clients = append(clients, h.Client)
		}
	}
	slices.Sort(clients)
	if got := slices.Compact(clients); !slices.Equal(got, []topology.SlotID{"etcd/peer@cp-0", "etcd/peer@cp-1"}) {
		t.Errorf("cp-2 refuses %v", got)
	}
}

func TestManyNodesAreSampledAndItIsSaid(t *testing.T) {
	small := worldOf(t, "kubernetes", nil, fleet(2, 2)...)
	if s := Sampled(small, nil); s != "" {
		t.Errorf("a small cluster: %q", s)
	}
	topo := worldOf(t, "kubernetes", nil, fleet(3, 300)...)
	if s := Sampled(topo, nil); !strings.Contains(s, "303 nodes") {
		t.Errorf("got %q", s)
	}
	if n := len(topo.Edges); n > 400 {
		t.Errorf("%d edges for 303 nodes", n)
	}
	set := issued(t, topo)
	os, err := Reach(t.Context(), Input{Set: set, Now: now})
	if err != nil || len(os) == 0 || len(os) > 2000 {
		t.Errorf("%d openings, %v", len(os), err)
	}
}
