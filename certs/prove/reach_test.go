package prove

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

func reach(t testing.TB, set *certs.Set) []Opening {
	t.Helper()
	os, err := Reach(t.Context(), Input{Set: set, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return os
}

// oneCA brings one CA for etcd and kube, as people do who have one.
func oneCA(t testing.TB, subordinate ...topology.AuthorityID) *certs.Set {
	t.Helper()
	corp := ca(t, "Corp CA", nil)
	return good(t, func(r *issue.Request) {
		r.Modes = map[topology.ComponentID]topology.Mode{"etcd": topology.BringCA, "kube": topology.BringCA}
		r.Brought = map[topology.SlotID]*certs.Pair{"etcd/ca": corp, "kube/ca": corp}
		r.Subordinate = map[topology.AuthorityID]bool{}
		for _, a := range subordinate {
			r.Subordinate[a] = true
		}
	})
}

func TestTheDefaultKeepsAuthoritiesApart(t *testing.T) {
	for _, h := range []topology.Hierarchy{topology.Intermediates, topology.Roots} {
		set := good(t, func(r *issue.Request) { r.Hierarchy = h })
		for _, o := range reach(t, set) {
			same := set.Topology.Slot(o.Client).Authority == set.Topology.Slot(o.Server).Authority
			if o.Open != same {
				t.Errorf("%s: %s opens %s: %v (%s)", h, o.Client, o.Server, o.Open, o.Error)
			}
			if o.Allowed && !o.Open || !o.Open && !strings.Contains(o.Error, "unknown authority") {
				t.Errorf("%s: %+v", h, o)
			}
		}
	}
}

func TestOneCAForEtcdAndKubeOpensEtcdToKube(t *testing.T) {
	set := oneCA(t)
	var through []topology.SlotID
	for _, o := range Beyond(reach(t, set)) {
		if o.Server == "etcd/server" {
			through = append(through, o.Client)
		}
	}
	want := []topology.SlotID{"etcd/peer", "kube/apiserver", "kube/kubelet", "identity/client"}
	if !slices.Equal(through, want) {
		t.Errorf("etcd is open beyond its edges to %v, want %v", through, want)
	}
}

func TestAnIntermediateOfOurOwnRestoresTheIsolation(t *testing.T) {
	for _, under := range [][]topology.AuthorityID{{"etcd", "kube"}, {"etcd"}} {
		for _, o := range Beyond(reach(t, oneCA(t, under...))) {
			if o.Server.Component() == "etcd" && o.Client.Component() != "etcd" {
				t.Errorf("with intermediates for %v, %s opens %s", under, o.Client, o.Server)
			}
		}
	}
}

func TestSystemMastersIsSaidLoudly(t *testing.T) {
	set := good(t, nil)
	for _, o := range reach(t, set) {
		switch {
		case o.Client == "kube/kubelet" && o.Server == "kube/apiserver":
			if !strings.Contains(o.As, "kubelet in system:masters: every right in the cluster") || !o.Allowed {
				t.Errorf("got %+v", o)
			}
		case o.Client == "identity/client" && o.Server == "kube/apiserver":
			if o.As != "tectonic-identity-api.tectonic-system.svc.cluster.local" || o.Allowed || !o.Open {
				t.Errorf("got %+v", o)
			}
		case o.Server != "kube/apiserver" && o.As != "":
			t.Errorf("somebody else reads a user: %+v", o)
		}
	}
}

func TestKeysThatNoClientCanUseAreLeftOut(t *testing.T) {
	set := good(t, nil)
	again(t, set, "etcd/peer", func(c *x509.Certificate) { c.ExtKeyUsage = nil })
	var clients []topology.SlotID
	for _, o := range reach(t, set) {
		if !slices.Contains(clients, o.Client) {
			clients = append(clients, o.Client)
		}
	}
	// identity/server is for servers alone; etcd/peer has no usages, which means any.
	want := []topology.SlotID{"etcd/server", "etcd/peer", "etcd/client", "kube/apiserver", "kube/kubelet", "identity/client", "ingress/server"}
	if !slices.Equal(clients, want) {
		t.Errorf("got %v, want %v", clients, want)
	}
}

// TestReachIsWhatHandshakesSay holds the verification of Reach against real
// handshakes, on sets of every kind.
func TestReachIsWhatHandshakesSay(t *testing.T) {
	spoiled := good(t, nil)
	again(t, spoiled, "etcd/client", func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, 0, -1) })
	again(t, spoiled, "kube/apiserver", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} })
	bare := *spoiled.Pairs["kube/kubelet"]
	bare.Certificates = bare.Certificates[:1]
	spoiled.Pairs["kube/kubelet"] = &bare
	serversOnly := good(t, nil)
	template := *serversOnly.Pairs["etcd/ca"].Leaf()
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	serversOnly.Pairs["etcd/ca"] = signed(t, &template, serversOnly.Pairs["etcd/ca"].Key, serversOnly.Root)
	for _, id := range []topology.SlotID{"etcd/server", "etcd/peer", "etcd/client"} {
		again(t, serversOnly, id, func(*x509.Certificate) {})
	}
	sets := map[string]*certs.Set{
		"CA for servers alone": serversOnly,
		"generated":            good(t, nil), "flat": good(t, func(r *issue.Request) { r.Hierarchy = topology.Roots }),
		"one CA": oneCA(t), "one CA with an intermediate": oneCA(t, "etcd"), "spoiled": spoiled,
	}
	for name, set := range sets {
		t.Run(name, func(t *testing.T) {
			b, err := newBench(Input{Set: set, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range reach(t, set) {
				for _, d := range doors(set.Topology) {
					if d.server != o.Server || d.identity != topology.IdentityNone && o.As == "" && o.Open {
						continue
					}
					e := &topology.Edge{Client: topology.End{Slot: o.Client}, Server: topology.End{Slot: o.Server}, ClientCA: d.clientCA}
					for _, v := range versions {
						_, got := shake(t.Context(), b.clientConfig(e, "", v), b.serverConfig(e, v))
						if (got.err == nil) != o.Open {
							t.Errorf("%s to %s with %s: Reach says %v, the handshake %v", o.Client, o.Server, tls.VersionName(v), o.Open, got.err)
						}
					}
				}
			}
		})
	}
}

func TestWhatACAOpens(t *testing.T) {
	byName := func(os []CAOpening) map[string]CAOpening {
		out := map[string]CAOpening{}
		for _, o := range os {
			name := string(o.Slot)
			if o.Above {
				name = "above " + name
			}
			out[name] = o
		}
		return out
	}
	etcd := []topology.SlotID{"etcd/peer", "etcd/server"}
	kube := []topology.SlotID{"kube/apiserver", "kube/kubelet", "identity/server"}
	t.Run("generated", func(t *testing.T) {
		got := byName(CAReach(Input{Set: good(t, nil), Now: now}))
		if r := got[""]; len(r.Servers)+len(r.Clients) != 0 || !r.Key {
			t.Errorf("the root opens %v and %v: verifiers trust the intermediates", r.Servers, r.Clients)
		}
		if o := got["etcd/ca"]; !slices.Equal(o.Servers, etcd) || o.As != "" || !slices.Equal(o.Clients, []string{"etcd-peers", "apiserver-etcd", "etcd-gateway"}) {
			t.Errorf("etcd/ca: %+v", o)
		}
		if o := got["kube/ca"]; !slices.Equal(o.Servers, kube) || !strings.Contains(o.As, "system:masters") {
			t.Errorf("kube/ca: %+v", o)
		}
		if o := got["ingress/ca"]; len(o.Servers) != 0 || !slices.Equal(o.Clients, []string{"browser-ingress", "apiserver-identity"}) {
			t.Errorf("ingress/ca: %+v", o)
		}
	})
	t.Run("one CA", func(t *testing.T) {
		if o := byName(CAReach(Input{Set: oneCA(t), Now: now}))["etcd/ca"]; len(o.Servers) != 5 {
			t.Errorf("etcd/ca: %+v", o)
		}
	})
	t.Run("intermediate of our own", func(t *testing.T) {
		got := byName(CAReach(Input{Set: oneCA(t, "etcd"), Now: now}))
		// What is brought still signs for kube; etcd trusts ours alone, and ours
		// chains to the brought one, which kube trusts.
		if o := got["above etcd/ca"]; !slices.Equal(o.Servers, kube) {
			t.Errorf("above etcd/ca: %+v", o)
		}
		if o := got["etcd/ca"]; len(o.Servers) != 5 {
			t.Errorf("etcd/ca: %+v", o)
		}
	})
	t.Run("both intermediates of our own", func(t *testing.T) {
		got := byName(CAReach(Input{Set: oneCA(t, "etcd", "kube"), Now: now}))
		if o := got["above kube/ca"]; len(o.Servers) != 0 {
			t.Errorf("above kube/ca: %+v", o)
		}
		if o := got["etcd/ca"]; !slices.Equal(o.Servers, etcd) {
			t.Errorf("etcd/ca: %+v", o)
		}
	})
	t.Run("expired, without a key, no CA", func(t *testing.T) {
		set := good(t, nil)
		expired := ca(t, "Old", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0) })
		set.Pairs["etcd/ca"] = expired
		set.Pairs["kube/ca"] = &certs.Pair{Certificates: set.Pairs["kube/ca"].Certificates}
		set.Pairs["ingress/ca"] = ca(t, "Leaf", func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature })
		got := byName(CAReach(Input{Set: set, Now: now}))
		if len(got["etcd/ca"].Servers) != 0 || got["kube/ca"].Key || len(got["kube/ca"].Servers) != 3 || len(got["ingress/ca"].Clients) != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

// TestWhatACAOpensIsWhatItsLeavesOpen mints what CAReach says can be minted.
func TestWhatACAOpensIsWhatItsLeavesOpen(t *testing.T) {
	// Kube trusts a CA that allows no CA below it, and etcd's stands below it.
	short := good(t, nil)
	short.Pairs["kube/ca"] = ca(t, "Corp CA", func(c *x509.Certificate) { c.MaxPathLenZero = true })
	template := *short.Pairs["etcd/ca"].Leaf()
	below := signed(t, &template, short.Pairs["etcd/ca"].Key, short.Pairs["kube/ca"])
	below.Certificates = append(below.Certificates, short.Pairs["kube/ca"].Leaf())
	short.Pairs["etcd/ca"] = below
	for name, set := range map[string]*certs.Set{
		"generated": good(t, nil), "one CA": oneCA(t), "one intermediate": oneCA(t, "etcd"), "both": oneCA(t, "etcd", "kube"), "path length": short,
	} {
		t.Run(name, func(t *testing.T) {
			b, err := newBench(Input{Set: set, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range CAReach(Input{Set: set, Now: now}) {
				pair := set.Root
				if o.Slot != "" {
					pair = set.Pairs[o.Slot]
				}
				if o.Above {
					pair = set.Above[set.Topology.Slot(o.Slot).Authority]
				}
				thief := signed(t, &x509.Certificate{
					SerialNumber: set.Pairs["etcd/client"].Leaf().SerialNumber, NotBefore: now, NotAfter: now.AddDate(0, 0, 1),
					ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
				}, newKey(t), pair)
				stolen := load(thief)
				if stolen.err != nil {
					t.Fatal(stolen.err)
				}
				b.slots["thief"] = func() loaded { return stolen }
				for _, d := range doors(set.Topology) {
					e := &topology.Edge{Client: topology.End{Slot: "thief"}, Server: topology.End{Slot: d.server}, ClientCA: d.clientCA}
					_, v := shake(t.Context(), b.clientConfig(e, "", tls.VersionTLS13), b.serverConfig(e, tls.VersionTLS13))
					if (v.err == nil) != slices.Contains(o.Servers, d.server) {
						t.Errorf("%q (above %v) at %s: CAReach says %v, a minted certificate %v", o.Slot, o.Above, d.server, o.Servers, v.err)
					}
				}
			}
		})
	}
}
