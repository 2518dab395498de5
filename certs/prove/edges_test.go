package prove

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"strings"
	"testing"
	"time"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

func TestAGeneratedSetPassesEverything(t *testing.T) {
	for _, h := range []topology.Hierarchy{topology.Intermediates, topology.Roots} {
		for _, a := range []issue.Algorithm{issue.ECDSAP256, issue.ECDSAP384, issue.RSA2048, issue.Ed25519} {
			t.Run(string(h)+"/"+string(a), func(t *testing.T) {
				hs := edges(t, good(t, func(r *issue.Request) { r.Hierarchy, r.Algorithm = h, a }))
				for _, f := range without(hs, func(h Handshake) bool { return h.OK }) {
					t.Errorf("%s at %q with %s: %s (%s)", f.Edge, f.Name, f.Version, f.Problem, f.Error)
				}
				// 3 + 4 + 6 + 1 + 1 + 1 + 1 names, two versions.
				if len(hs) != 36 {
					t.Errorf("%d handshakes", len(hs))
				}
			})
		}
	}
}

func TestTheAPIServerReadsUserAndGroups(t *testing.T) {
	for _, h := range OfEdge(edges(t, good(t, nil)), "kubelet-apiserver") {
		if h.User != "kubelet" || !slices.Equal(h.Groups, []string{"system:masters"}) {
			t.Errorf("%s: user %q, groups %q", h.Name, h.User, h.Groups)
		}
	}
}

// TestEachDefectFailsItsEdges: a single defect fails exactly the edges that it
// touches, in words that name both sides, what is there and what is missing.
func TestEachDefectFailsItsEdges(t *testing.T) {
	another := good(t, nil) // another cluster's set
	tests := []struct {
		name   string
		spoil  func(*testing.T, *certs.Set)
		want   []string // edges
		blame  topology.SlotID
		words  []string // in the problem
		errors string   // in the component's message
	}{
		{"etcd server from the kube CA", func(t *testing.T, s *certs.Set) {
			template := *s.Pairs["etcd/server"].Leaf()
			s.Pairs["etcd/server"] = signed(t, &template, s.Pairs["etcd/server"].Key, s.Pairs["kube/ca"])
		}, []string{"apiserver-etcd"}, "etcd/server", []string{
			"API server (etcd/client) refuses etcd (etcd/server) at demo-etcd-0.example.com", "signed by the kube CA", "only the etcd CA is trusted", "have etcd/server signed by the etcd CA",
		}, "certificate signed by unknown authority"},
		{"etcd client from a stranger", func(t *testing.T, s *certs.Set) {
			template := *s.Pairs["etcd/client"].Leaf()
			s.Pairs["etcd/client"] = signed(t, &template, s.Pairs["etcd/client"].Key, ca(t, "Stranger\x1b[31m", nil))
		}, []string{"apiserver-etcd"}, "etcd/client", []string{
			"etcd (etcd/server) refuses API server (etcd/client)", "does not chain to the etcd CA", `issuer CN=Stranger\`, "a chain to", "append the intermediates",
		}, "certificate signed by unknown authority"},
		{"kube CA made anew with its old name", func(t *testing.T, s *certs.Set) {
			old := s.Pairs["kube/ca"]
			template := *old.Leaf()
			fresh := signed(t, &template, newKey(t), s.Root)
			s.Pairs["kube/ca"] = &certs.Pair{Certificates: append(fresh.Certificates, s.Root.Certificates...), Key: fresh.Key}
		}, []string{"apiserver-kubelet", "console-identity", "kubelet-apiserver"}, "", []string{"signed with another key", "made anew"}, "unknown authority"},
		{"API server misses api.host", func(t *testing.T, s *certs.Set) {
			again(t, s, "kube/apiserver", func(c *x509.Certificate) { c.DNSNames = without(c.DNSNames, isName("demo-api.example.com")) })
		}, []string{"kubelet-apiserver"}, "kube/apiserver", []string{
			"kubelet (kube/kubelet) refuses API server (kube/apiserver) at demo-api.example.com", "not for that name", "it has DNS:kubernetes,", "it needs DNS:demo-api.example.com", "issue kube/apiserver again",
		}, "x509: certificate is valid for kubernetes"},
		{"API server misses its service address", func(t *testing.T, s *certs.Set) {
			again(t, s, "kube/apiserver", func(c *x509.Certificate) { c.IPAddresses = slices.DeleteFunc(c.IPAddresses, isIP("10.3.0.1")) })
		}, []string{"kubelet-apiserver"}, "kube/apiserver", []string{"at 10.3.0.1", "needs IP:10.3.0.1"}, "10.3.0.1"},
		{"identity with a bare CN", func(t *testing.T, s *certs.Set) {
			again(t, s, "identity/server", func(c *x509.Certificate) { c.DNSNames = nil })
		}, []string{"console-identity"}, "identity/server", []string{"no subjectAltName at all"}, "legacy Common Name"},
		{"peer without clientAuth", func(t *testing.T, s *certs.Set) {
			again(t, s, "etcd/peer", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
		}, []string{"etcd-peers"}, "etcd/peer", []string{
			"etcd (etcd/peer) refuses etcd (etcd/peer)", "not for client auth", "it has server auth", "clientAuth",
		}, "incompatible key usage"},
		{"ingress without serverAuth", func(t *testing.T, s *certs.Set) {
			again(t, s, "ingress/server", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
		}, []string{"apiserver-identity", "browser-ingress"}, "ingress/server", []string{"refuses ingress (ingress/server) at demo.example.com", "not for server auth", "serverAuth"}, "incompatible key usage"},
		{"etcd server expired", func(t *testing.T, s *certs.Set) {
			again(t, s, "etcd/server", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.AddDate(-1, 0, 0), now.Add(-time.Second) })
		}, []string{"apiserver-etcd"}, "etcd/server", []string{"has expired", "2026-11-21T11:59:59Z", "renew etcd/server"}, "certificate has expired"},
		{"kubelet not yet valid", func(t *testing.T, s *certs.Set) {
			again(t, s, "kube/kubelet", func(c *x509.Certificate) { c.NotBefore = now.Add(time.Hour) })
		}, []string{"kubelet-apiserver"}, "kube/kubelet", []string{"API server (kube/apiserver) refuses kubelet (kube/kubelet)", "not valid yet", "clock"}, "not yet valid"},
		{"ingress CA expired", func(t *testing.T, s *certs.Set) {
			template := *s.Pairs["ingress/ca"].Leaf()
			template.NotBefore, template.NotAfter = now.AddDate(-1, 0, 0), now.Add(-time.Hour)
			s.Pairs["ingress/ca"] = signed(t, &template, s.Pairs["ingress/ca"].Key, s.Root)
			again(t, s, "ingress/server", func(*x509.Certificate) {})
		}, []string{"apiserver-identity", "browser-ingress"}, "ingress/server", []string{"the CA ", "ingress-ca", "has expired", "renew that CA"}, "expired"},
		{"swapped key", func(_ *testing.T, s *certs.Set) {
			s.Pairs["etcd/server"].Key, s.Pairs["etcd/client"].Key = s.Pairs["etcd/client"].Key, s.Pairs["etcd/server"].Key
		}, []string{"apiserver-etcd"}, "etcd/server", []string{"etcd (etcd/server) does not start", "the key is not the key of the certificate"}, "private key does not match public key"},
		{"swapped key of a client", func(t *testing.T, s *certs.Set) { s.Pairs["identity/client"].Key = newKey(t) }, []string{"console-identity"}, "identity/client", []string{"console (identity/client) does not start", "the key is not the key"}, "does not match"},
		{"certificate missing", func(_ *testing.T, s *certs.Set) { delete(s.Pairs, "identity/client") }, []string{"console-identity"}, "identity/client", []string{"there is no certificate for it", "give identity/client"}, "no certificate"},
		{"key missing", func(_ *testing.T, s *certs.Set) { s.Pairs["identity/client"].Key = nil }, []string{"console-identity"}, "identity/client", []string{"there is no key", "give the key of identity/client"}, "no private key"},
		{"CA missing", func(_ *testing.T, s *certs.Set) { delete(s.Pairs, "ingress/ca") }, []string{"apiserver-identity", "browser-ingress"}, "ingress/ca", []string{"cannot trust each other", "give ingress/ca"}, "no CA certificate"},
		{"kubelet without a name", func(t *testing.T, s *certs.Set) {
			again(t, s, "kube/kubelet", func(c *x509.Certificate) { c.Subject = pkix.Name{Organization: []string{"system:masters"}} })
		}, []string{"kubelet-apiserver"}, "kube/kubelet", []string{"names no user", "the user in CN"}, "Unauthorized"},
		{"CA that is for servers alone", func(t *testing.T, s *certs.Set) {
			template := *s.Pairs["etcd/ca"].Leaf()
			template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			s.Pairs["etcd/ca"] = signed(t, &template, s.Pairs["etcd/ca"].Key, s.Root)
			for _, id := range []topology.SlotID{"etcd/server", "etcd/peer", "etcd/client"} {
				again(t, s, id, func(*x509.Certificate) {})
			}
		}, []string{"apiserver-etcd", "etcd-peers"}, "", []string{"a CA above the certificate does not allow client auth", "without extendedKeyUsage"}, "incompatible key usage"},
		{"CA with name constraints that forbid", func(t *testing.T, s *certs.Set) {
			template := *s.Pairs["ingress/ca"].Leaf()
			template.PermittedDNSDomains, template.PermittedDNSDomainsCritical = []string{"corp.example"}, true
			s.Pairs["ingress/ca"] = signed(t, &template, s.Pairs["ingress/ca"].Key, s.Root)
			again(t, s, "ingress/server", func(*x509.Certificate) {})
		}, []string{"apiserver-identity", "browser-ingress"}, "ingress/server", []string{"name constraints", "permit"}, "not permitted by any constraint"},
		{"a kubelet's key on a curve that TLS does not know", func(t *testing.T, s *certs.Set) {
			template := *s.Pairs["kube/kubelet"].Leaf()
			s.Pairs["kube/kubelet"] = signed(t, &template, p224(t), s.Pairs["kube/ca"])
		}, []string{"apiserver-kubelet", "kubelet-apiserver"}, "kube/kubelet", []string{"cannot connect", "TLS cannot use the certificate of kube/kubelet", "an ECDSA key on P-224", "issue kube/kubelet again"}, "unsupported certificate"},
		{"a brought CA that is no CA", func(t *testing.T, s *certs.Set) {
			leafy := ca(t, "Leafy", func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature })
			template := *s.Pairs["ingress/server"].Leaf()
			s.Pairs["ingress/server"] = signed(t, &template, s.Pairs["ingress/server"].Key, leafy)
			s.Pairs["ingress/ca"] = leafy
		}, []string{"apiserver-identity", "browser-ingress"}, "ingress/server", []string{"given for the ingress CA is not one that may sign", "CN=Leafy", "CA:TRUE"}, "x509:"},
		{"a file of another cluster", func(_ *testing.T, s *certs.Set) { s.Pairs["etcd/peer"] = another.Pairs["etcd/peer"] }, []string{"etcd-peers"}, "etcd/peer", []string{"called like the etcd CA and is another", "this cluster's set"}, "unknown authority"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			set := good(t, nil)
			test.spoil(t, set)
			hs := edges(t, set)
			sameWithoutMemory(t, set)
			if got := failing(hs); !slices.Equal(got, test.want) {
				t.Fatalf("failing edges %v, want %v", got, test.want)
			}
			f := Failed(hs)[0]
			t.Log(f.Problem)
			for _, w := range test.words {
				if !strings.Contains(f.Problem, w) {
					t.Errorf("problem %q, want %q in it", f.Problem, w)
				}
			}
			if !strings.Contains(f.Error, test.errors) || strings.Contains(f.Problem+f.Error, "\x1b") {
				t.Errorf("error %q, want %q in it", f.Error, test.errors)
			}
			if test.blame != "" && f.Blame != test.blame {
				t.Errorf("blamed %s, want %s", f.Blame, test.blame)
			}
			versions := map[string]int{}
			for _, f := range Failed(hs) {
				versions[f.Version]++
			}
			// Go takes P-224 in TLS 1.2 still.
			if versions["TLS 1.2"] != versions["TLS 1.3"] && !strings.Contains(f.Problem, "P-224") {
				t.Errorf("the versions disagree: %v", versions)
			}
		})
	}
}

func TestOnlyTheNameThatIsMissingFails(t *testing.T) {
	set := good(t, nil)
	again(t, set, "etcd/server", func(c *x509.Certificate) { c.DNSNames = without(c.DNSNames, isName("demo-etcd-1.example.com")) })
	for _, h := range OfEdge(edges(t, set), "apiserver-etcd") {
		if h.OK == (h.Name == "demo-etcd-1.example.com") {
			t.Errorf("%s: ok %v", h.Name, h.OK)
		}
	}
}

func TestAnAdvisedNameIsAWarning(t *testing.T) {
	set := good(t, nil)
	again(t, set, "etcd/server", func(c *x509.Certificate) { c.DNSNames = without(c.DNSNames, isName("localhost")) })
	hs := edges(t, set)
	if f := Failed(hs); len(f) > 0 {
		t.Errorf("failed: %+v", f)
	}
	w := Warned(hs) // of the API server's dials and of etcd's own gateway
	if len(w) != 4 || w[0].Name != "localhost" || !strings.Contains(w[0].Advised, "etcdctl") || w[0].Problem == "" {
		t.Errorf("warned: %+v", w)
	}
	if len(Passed(hs))+len(w) != len(hs) {
		t.Error("passed and warned are not all")
	}
}

// TestPeerAddress is etcd's check of where a member connects from.
func TestPeerAddress(t *testing.T) {
	tests := []struct {
		name string
		dns  []string
		ips  []string
		host string
		ok   bool
	}{
		{"no names at all: etcd asks for none", nil, nil, "10.0.0.1", true},
		{"its address", nil, []string{"10.0.0.1"}, "10.0.0.1", true},
		{"another address", nil, []string{"10.0.0.2"}, "10.0.0.1", false},
		{"another address, and a name of the host", []string{"a.example"}, []string{"10.0.0.2"}, "a.example", true},
		{"its name", []string{"a.example"}, nil, "a.example", true},
		{"its name in other letters", []string{"A.example"}, nil, "a.example", true},
		{"a wildcard above it", []string{"*.example"}, nil, "a.example", true},
		{"another's name", []string{"b.example"}, nil, "a.example", false},
		{"an address, and names only", []string{"a.example"}, nil, "10.0.0.1", false},
		{"an IPv6 address", nil, []string{"fd00::1"}, "fd00::1", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := &x509.Certificate{DNSNames: test.dns, IPAddresses: parse(test.ips)}
			if err := peerAddress(c, test.host); (err == nil) != test.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAPeerWithoutItsAddressIsRefused(t *testing.T) {
	// The server's own names are right on the one side; as a client the same
	// certificate must name where it comes from. Only a second slot can tell.
	set := good(t, func(r *issue.Request) {
		r.Topology = tectonic(t, map[string]string{"etcd.hosts": "10.0.0.10,10.0.0.11"})
		for i := range r.Topology.Edges {
			if e := &r.Topology.Edges[i]; e.ID == "etcd-peers" {
				e.Client.Slot = "etcd/server"
			}
		}
	})
	again(t, set, "etcd/server", func(c *x509.Certificate) { c.IPAddresses = slices.DeleteFunc(c.IPAddresses, isIP("10.0.0.11")) })
	for _, h := range OfEdge(edges(t, set), "etcd-peers") {
		if h.OK == (h.Name == "10.0.0.11") {
			t.Errorf("%s: ok %v (%s)", h.Name, h.OK, h.Problem)
		}
		if !h.OK && (!strings.Contains(h.Problem, "connects from 10.0.0.11") || h.Blame != "etcd/server" || !strings.Contains(h.Error, "does not match any of DNSNames")) {
			t.Errorf("problem %q, error %q", h.Problem, h.Error)
		}
	}
}

// TestAChainIsVerifiedWithoutAHost: an edge that names a CA and dials nothing
// verifies the chain alone.
func TestAChainIsVerifiedWithoutAHost(t *testing.T) {
	set := good(t, nil)
	for i := range set.Topology.Edges {
		if e := &set.Topology.Edges[i]; e.ID == "browser-ingress" {
			e.Dials = nil
		}
	}
	again(t, set, "ingress/server", func(c *x509.Certificate) { c.DNSNames = nil })
	if got := failing(edges(t, set)); !slices.Equal(got, []string{"apiserver-identity"}) {
		t.Errorf("failing %v", got)
	}
	template := *set.Pairs["ingress/server"].Leaf()
	set.Pairs["ingress/server"] = signed(t, &template, set.Pairs["ingress/server"].Key, set.Pairs["kube/ca"])
	if got := failing(edges(t, set)); !slices.Equal(got, []string{"apiserver-identity", "browser-ingress"}) {
		t.Errorf("failing %v", got)
	}
}

func TestEdgesEndsWithTheContext(t *testing.T) {
	ctx, cancel := contextWithCause(t)
	cancel()
	if hs, err := Edges(ctx, Input{Set: good(t, nil), Now: now}); hs != nil || err == nil {
		t.Errorf("got %d handshakes, error %v", len(hs), err)
	}
	if _, err := Edges(t.Context(), Input{}); err == nil {
		t.Error("an empty input was proved")
	}
}
