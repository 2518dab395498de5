package issue_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"strings"
	"testing"
	"time"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

type (
	modes   = map[topology.ComponentID]topology.Mode
	brought = map[topology.SlotID]*certs.Pair
)

func TestBroughtCASignsItsComponentDirectly(t *testing.T) {
	topo := tectonic(t, nil)
	root := ca(t, "Corp Root", nil, nil, nil)
	middle := ca(t, "Corp Kubernetes CA", rsaKey(t, 2048), root, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	r := request(topo)
	r.Modes = modes{"kube": topology.BringCA}
	r.Brought = brought{"kube/ca": middle}
	set := all(t, r)
	judge(t, set)
	opensslVerify(t, set)
	if set.Pairs["kube/ca"] != middle || set.Modes["kube"] != topology.BringCA || set.Modes["etcd"] != topology.Generate {
		t.Error("the brought CA or the modes are not in the set as given")
	}
	for _, id := range []topology.SlotID{"kube/apiserver", "identity/server"} {
		got := set.Pairs[id].Certificates
		if len(got) != 2 || !got[1].Equal(middle.Leaf()) {
			t.Errorf("%s: chain of %d, want leaf and Corp Kubernetes CA", id, len(got))
		}
	}
	if set.Root == nil {
		t.Error("etcd and ingress are generated, and there is no root")
	}
}

func TestBroughtRootIsNotSent(t *testing.T) {
	r := request(tectonic(t, nil))
	r.Modes = modes{"ingress": topology.BringCA}
	r.Brought = brought{"ingress/ca": ca(t, "Corp Root", nil, nil, nil)}
	set := all(t, r)
	if n := len(set.Pairs["ingress/server"].Certificates); n != 1 {
		t.Errorf("chain of %d", n)
	}
}

func TestNoRootWhenNothingIsGenerated(t *testing.T) {
	r := request(tectonic(t, nil))
	one := ca(t, "Corp Root", nil, nil, nil)
	r.Modes = modes{"etcd": topology.BringCA, "kube": topology.BringCA, "ingress": topology.BringCA}
	r.Brought = brought{"etcd/ca": one, "kube/ca": one, "ingress/ca": one}
	set := all(t, r)
	judge(t, set)
	if set.Root != nil {
		t.Error("a root was made for nobody")
	}
}

func TestIntermediateUnderABroughtCA(t *testing.T) {
	topo := tectonic(t, nil)
	root := ca(t, "Corp Root", nil, nil, nil)
	middle := ca(t, "Corp CA", nil, root, func(c *x509.Certificate) { c.MaxPathLen = 1 })
	r := request(topo)
	r.Modes = modes{"etcd": topology.BringCA, "kube": topology.BringCA}
	r.Brought = brought{"etcd/ca": middle, "kube/ca": middle}
	r.Subordinate = map[topology.AuthorityID]bool{"etcd": true, "kube": true}
	set := all(t, r)
	judge(t, set)
	opensslVerify(t, set)
	ours := set.Pairs["etcd/ca"]
	if !ours.Made || len(ours.Certificates) != 3 || !ours.Certificates[1].Equal(middle.Leaf()) || !ours.Certificates[2].Equal(root.Leaf()) {
		t.Errorf("etcd/ca is not our intermediate with all above it: %d certificates", len(ours.Certificates))
	}
	if set.Above["etcd"] != middle || set.Above["kube"] != middle || len(set.Above) != 2 {
		t.Error("what stands above is not kept")
	}
	if got := len(set.Pairs["kube/apiserver"].Certificates); got != 3 {
		t.Errorf("leaf sends %d certificates, want itself, our intermediate and theirs", got)
	}
	if set.Anchor("etcd").Equal(set.Anchor("kube")) {
		t.Error("etcd and kube still trust the same certificate")
	}
}

func TestChainAboveABroughtCAIsPutInOrder(t *testing.T) {
	root := ca(t, "Corp Root", nil, nil, nil)
	middle := ca(t, "Corp Middle", nil, root, nil)
	low := ca(t, "Corp Low", nil, middle, nil)
	stranger := ca(t, "Stranger", nil, nil, nil)
	low.Certificates = []*x509.Certificate{low.Leaf(), stranger.Leaf(), root.Leaf(), middle.Leaf()}
	r := request(tectonic(t, nil))
	r.Modes = modes{"ingress": topology.BringCA}
	r.Brought = brought{"ingress/ca": low}
	got := all(t, r).Pairs["ingress/server"].Certificates
	if len(got) != 3 || !got[1].Equal(low.Leaf()) || !got[2].Equal(middle.Leaf()) {
		t.Errorf("leaf sends %d certificates", len(got))
	}
}

// broughtCerts is a whole set brought as certificates: what another run made.
func broughtCerts(t *testing.T, topo *topology.Topology, components ...topology.ComponentID) (modes, brought) {
	t.Helper()
	theirs := all(t, request(topo))
	m, b := modes{}, brought{}
	for _, c := range components {
		m[c] = topology.BringCerts
		for _, s := range topo.Due(c, topology.BringCerts) {
			pair := *theirs.Pairs[s.ID]
			pair.Made = false
			b[s.ID] = &pair
		}
	}
	return m, b
}

func TestBroughtCertificatesAreLeftAsTheyAre(t *testing.T) {
	topo := tectonic(t, nil)
	r := request(topo)
	r.Modes, r.Brought = broughtCerts(t, topo, "etcd", "kube", "identity", "ingress")
	r.Brought["kube/ca"].Key = nil
	delete(r.Brought, "kube/service-account") // optional: made here
	set := all(t, r)
	for id, pair := range r.Brought {
		if set.Pairs[id] != pair {
			t.Errorf("%s was changed", id)
		}
	}
	if sa := set.Pairs["kube/service-account"]; sa == nil || sa.Key == nil || !sa.Made || len(sa.Certificates) != 0 {
		t.Error("the service account key pair was not made")
	}
	if set.Root != nil || len(set.Pairs) != len(topo.Slots) {
		t.Errorf("root %v, %d pairs", set.Root != nil, len(set.Pairs))
	}
}

func TestIdentityIsIssuedFromABroughtCertsCAWithAKey(t *testing.T) {
	topo := tectonic(t, nil)
	r := request(topo)
	r.Modes, r.Brought = broughtCerts(t, topo, "kube")
	set := all(t, r)
	judge(t, set)
	if !set.Pairs["identity/server"].Made || set.Pairs["kube/ca"].Made {
		t.Error("identity is not issued under the CA that was brought")
	}
}

func TestLeafWithItsIssuersNameIsToldApart(t *testing.T) {
	r := request(tectonic(t, nil))
	theirs := ca(t, "etcd", nil, nil, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "etcd", Organization: []string{"etcd"}} })
	r.Modes, r.Brought = modes{"etcd": topology.BringCA}, brought{"etcd/ca": theirs}
	notes := 0
	set, err := issue.All(t.Context(), r, func(e issue.Event) {
		if e.What == issue.WhatNote && strings.Contains(e.Note, "self-signed") {
			notes++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	judge(t, set)
	opensslVerify(t, set)
	if notes != 3 {
		t.Errorf("%d notes, want one for each of server, peer and client", notes)
	}
}

func TestLeafIsClampedToABroughtCA(t *testing.T) {
	end := now.AddDate(0, 1, 0)
	begin := now.Add(-time.Minute)
	r := request(tectonic(t, nil))
	r.Modes = modes{"ingress": topology.BringCA}
	r.Brought = brought{"ingress/ca": ca(t, "Corp", nil, nil, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = begin, end })}
	var notes []issue.Event
	set, err := issue.All(t.Context(), r, func(e issue.Event) {
		if e.What == issue.WhatNote {
			notes = append(notes, e)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	c := set.Pairs["ingress/server"].Leaf()
	if !c.NotAfter.Equal(end) || !c.NotBefore.Equal(begin) {
		t.Errorf("valid from %v to %v, want %v to %v", c.NotBefore, c.NotAfter, begin, end)
	}
	if len(notes) != 1 || notes[0].Slot != "ingress/server" || notes[0].Note != "ingress/server ends on 2026-12-21 with its CA, and not on 2027-11-21 as asked for" {
		t.Errorf("notes %+v", notes)
	}
	// Inclusive ends: a year from now less a second.
	if c := set.Pairs["etcd/server"].Leaf(); !c.NotAfter.Equal(now.AddDate(1, 0, 0).Add(-time.Second)) || !c.NotBefore.Equal(now.Add(-5*time.Minute)) {
		t.Errorf("etcd/server valid from %v to %v", c.NotBefore, c.NotAfter)
	}
}

func TestAnExpiredRootAboveABroughtCADoesNotCount(t *testing.T) {
	root := ca(t, "Old Root", nil, nil, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.AddDate(-9, 0, 0), now.AddDate(0, 0, -1) })
	r := request(tectonic(t, nil))
	r.Modes, r.Brought = modes{"ingress": topology.BringCA}, brought{"ingress/ca": ca(t, "Corp CA", nil, root, nil)}
	set := all(t, r)
	judge(t, set)
	if c := set.Pairs["ingress/server"].Leaf(); !c.NotAfter.Equal(now.AddDate(1, 0, 0).Add(-time.Second)) {
		t.Errorf("ends on %v", c.NotAfter)
	}
}

// TestRefusals: nothing is made when something stands in the way, and the
// sentence names the slot and the fix.
func TestRefusals(t *testing.T) {
	good := func() *certs.Pair { return ca(t, "Corp", nil, nil, nil) }
	etcdCA := func(pair *certs.Pair) func(*issue.Request) {
		return func(r *issue.Request) {
			r.Modes, r.Brought = modes{"etcd": topology.BringCA}, brought{"etcd/ca": pair}
		}
	}
	spoiled := func(change func(*x509.Certificate)) func(*issue.Request) {
		return etcdCA(ca(t, "Corp", nil, nil, change))
	}
	under := func(pair *certs.Pair) func(*issue.Request) {
		return func(r *issue.Request) {
			etcdCA(pair)(r)
			r.Subordinate = map[topology.AuthorityID]bool{"etcd": true}
		}
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*issue.Request)
		want   []string // each in the message
	}{
		{"CA not handed over", etcdCA(nil), []string{"etcd/ca", "was not handed over", "give it"}},
		{"CA without key", etcdCA(&certs.Pair{Certificates: good().Certificates}), []string{"etcd/ca", "key was not handed over", "give the CA's key"}},
		{"CA's key of another", etcdCA(&certs.Pair{Certificates: good().Certificates, Key: newKey(t)}), []string{"etcd/ca", "not the key of the CA's certificate"}},
		{"not a CA", spoiled(func(c *x509.Certificate) { c.IsCA = false }), []string{"etcd/ca", "not a CA's", "CA:TRUE"}},
		{"CA without keyCertSign", spoiled(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), []string{"etcd/ca", "keyCertSign"}},
		{"CA expired", spoiled(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0) }), []string{"etcd/ca", "expired on 2025-11-21", "renew"}},
		{"CA not yet valid", spoiled(func(c *x509.Certificate) { c.NotBefore = now.AddDate(0, 0, 1) }), []string{"etcd/ca", "not valid before"}},
		{"CA of RSA 1024", etcdCA(ca(t, "Corp", weakKey(t), nil, nil)), []string{"etcd/ca", "1024 bits"}},
		{"CA on P-224", etcdCA(ca(t, "Corp", p224, nil, nil)), []string{"etcd/ca", "P-224"}},
		{"no room for an intermediate", under(ca(t, "Corp", nil, nil, func(c *x509.Certificate) { c.MaxPathLenZero = true })), []string{"etcd/ca", "path length 0", "no room", "let it sign"}},
		{
			"no room for an intermediate further up",
			under(ca(t, "Low", nil, ca(t, "Corp", nil, nil, func(c *x509.Certificate) { c.MaxPathLen = 1 }), nil)),
			[]string{"etcd/ca", "a CA above", "path length 1"},
		},
		{"intermediate under nothing", func(r *issue.Request) { r.Subordinate = map[topology.AuthorityID]bool{"etcd": true} }, []string{"etcd/ca", "set etcd to bring CA"}},
		{"bring CA of a component without one", func(r *issue.Request) { r.Modes = modes{"identity": topology.BringCA} }, []string{"identity cannot be set to bring CA", "no CA of its own"}},
		{"identity under a CA without key", func(r *issue.Request) {
			r.Modes, r.Brought = broughtCerts(t, r.Topology, "kube")
			r.Brought["kube/ca"].Key = nil
		}, []string{"identity cannot be set to generate: its certificates are signed by kube's CA, and kube is set to bring certs without the CA's key; give the key of kube/ca, or set identity to bring certs"}},
		{"identity under a CA whose key is another's", func(r *issue.Request) {
			r.Modes, r.Brought = broughtCerts(t, r.Topology, "kube")
			r.Brought["kube/ca"].Key = newKey(t)
		}, []string{"kube/ca", "not the key"}},
		{"certificate not handed over", func(r *issue.Request) {
			r.Modes, r.Brought = broughtCerts(t, r.Topology, "etcd")
			delete(r.Brought, "etcd/peer")
		}, []string{"etcd/peer", "was not handed over", "set etcd to generate"}},
		{"unknown component", func(r *issue.Request) { r.Modes = modes{"etdc": topology.Generate} }, []string{`no component "etdc"`}},
		{"unknown mode", func(r *issue.Request) { r.Modes = modes{"etcd": "borrow"} }, []string{"etcd", `unknown mode "borrow"`}},
		{"unknown authority", func(r *issue.Request) { r.Subordinate = map[topology.AuthorityID]bool{"etdc": true} }, []string{`no authority "etdc"`}},
		{"unknown algorithm", func(r *issue.Request) { r.Algorithm = "dsa" }, []string{`"dsa"`, "ecdsa-p256"}},
		{"unknown hierarchy", func(r *issue.Request) { r.Hierarchy = "web" }, []string{`"web"`, "roots"}},
		{"lifetime below zero", func(r *issue.Request) { r.LeafLife = -time.Hour }, []string{"below zero", "8760h"}},
		{"no time", func(r *issue.Request) { r.Now = time.Time{} }, []string{"no time"}},
		{"no topology", func(r *issue.Request) { r.Topology = nil }, []string{"no topology"}},
		{"algorithm not allowed", func(r *issue.Request) {
			strict, _ := topology.Resolve(tectonicProfile(t), nil)
			r.Topology, r.Algorithm = strict, issue.Ed25519
		}, []string{"etcd/ca", "cannot be Ed25519", "browsers", "choose ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072 or rsa-4096"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := request(tectonic(t, nil))
			r.Keys = noKeys{t}
			test.change(&r)
			_, err := issue.All(t.Context(), r, nil)
			if err == nil {
				t.Fatal("not refused")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
			if ready := issue.Ready(r); ready == nil || ready.Error() != err.Error() {
				t.Errorf("Ready says %v, All says %v", ready, err)
			}
		})
	}
}

// noKeys fails the test when a key is asked for.
type noKeys struct{ t testing.TB }

func (n noKeys) Key(context.Context, issue.Algorithm) (crypto.Signer, error) {
	n.t.Error("a key was made")
	return nil, errors.New("no")
}

func TestReadyFindsEverythingAtOnce(t *testing.T) {
	r := request(tectonic(t, nil))
	r.Modes = modes{"etcd": topology.BringCA, "ingress": topology.BringCA}
	errs := issue.Refusals(issue.Ready(r))
	if len(errs) != 2 {
		t.Fatalf("got %v", errs)
	}
	for i, want := range []topology.SlotID{"etcd/ca", "ingress/ca"} {
		var r *issue.Refusal
		if !errors.As(errs[i], &r) || r.Slot != want {
			t.Errorf("error %d is %v, want one of %s", i, errs[i], want)
		}
	}
	if issue.Ready(request(tectonic(t, nil))) != nil || issue.Refusals(nil) != nil {
		t.Error("the default is not ready")
	}
}

func TestSlotsThatAreBroughtAreNotAskedForTheAlgorithm(t *testing.T) {
	p := tectonicProfile(t)
	p.Algorithms = nil
	for i := range p.Slots {
		if p.Slots[i].ID.Component() == "ingress" {
			p.Slots[i].Algorithms = []string{"rsa-2048"}
		}
	}
	topo, _ := topology.Resolve(p, nil)
	if err := issue.Allowed(topo, issue.ECDSAP256); err == nil || !strings.Contains(err.Error(), "ingress/ca") {
		t.Errorf("got %v", err)
	}
	r := request(topo)
	if err := issue.Ready(r); err == nil {
		t.Error("P-256 was accepted for ingress")
	}
	r.Algorithm = issue.RSA2048
	if err := issue.Ready(r); err != nil {
		t.Error(err)
	}
	r.Algorithm = issue.ECDSAP256
	r.Modes, r.Brought = broughtCerts(t, tectonic(t, nil), "ingress")
	if err := issue.Ready(r); err != nil {
		t.Error(err)
	}
}
