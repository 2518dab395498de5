package issue_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"testing"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// A request asks for exactly what would be issued here: the same bytes.
func TestRequestIsWhatIsIssued(t *testing.T) {
	topo := tectonic(t, nil)
	for _, a := range []issue.Algorithm{issue.ECDSAP256, issue.RSA2048, issue.Ed25519} {
		set := all(t, issue.Request{Topology: topo, Now: now, Algorithm: a})
		for i := range topo.Slots {
			slot := &topo.Slots[i]
			pair := set.Pairs[slot.ID]
			if slot.Kind == topology.KeyPair {
				continue
			}
			by := set.Root.Leaf()
			if slot.Kind == topology.Leaf {
				by = set.Anchor(slot.Authority)
			}
			der, err := issue.NewCSR(slot, pair.Key, by)
			if err != nil {
				t.Fatalf("%s %s: %v", a, slot.ID, err)
			}
			req, err := x509.ParseCertificateRequest(der)
			if err != nil {
				t.Fatalf("%s %s: %v", a, slot.ID, err)
			}
			if err := req.CheckSignature(); err != nil {
				t.Errorf("%s %s: %v", a, slot.ID, err)
			}
			if got, want := req.RawSubject, pair.Leaf().RawSubject; !bytes.Equal(got, want) {
				t.Errorf("%s %s: subject %x, want %x", a, slot.ID, got, want)
			}
			sameExtensions(t, slot.ID, req.Extensions, pair.Leaf().Extensions)
		}
	}
}

// sameExtensions holds a request against a certificate, but for the key
// identifiers, which whoever signs makes.
func sameExtensions(t *testing.T, id topology.SlotID, asked, issued []pkix.Extension) {
	t.Helper()
	find := func(list []pkix.Extension, x pkix.Extension) bool {
		for _, e := range list {
			if e.Id.Equal(x.Id) && e.Critical == x.Critical && bytes.Equal(e.Value, x.Value) {
				return true
			}
		}
		return false
	}
	for _, x := range asked {
		if !find(issued, x) {
			t.Errorf("%s: the request asks for %v critical=%v %x, which is not issued", id, x.Id, x.Critical, x.Value)
		}
	}
	for _, x := range issued {
		if s := x.Id.String(); s != "2.5.29.14" && s != "2.5.29.35" && !find(asked, x) {
			t.Errorf("%s: %v critical=%v %x is issued and not asked for", id, x.Id, x.Critical, x.Value)
		}
	}
}

// A certificate with its CA's own subject is asked for with a serialNumber.
func TestRequestIsToldApartFromItsCA(t *testing.T) {
	topo := tectonic(t, nil)
	slot := topo.Slot("etcd/client")
	key := newKey(t)
	same := ca(t, "ignored", nil, nil, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: slot.Subject.CN, Organization: slot.Subject.O}
	})
	der, err := issue.NewCSR(slot, key, same.Leaf())
	if err != nil {
		t.Fatal(err)
	}
	if req, _ := x509.ParseCertificateRequest(der); req.Subject.SerialNumber == "" {
		t.Errorf("the request has its CA's subject: %s", req.Subject)
	}
}

// signed is a set whose etcd was signed elsewhere: made here with the CA's key,
// and handed over without it.
func signed(t *testing.T, topo *topology.Topology, subordinate bool) (issue.Request, *certs.Set) {
	t.Helper()
	r := request(topo)
	r.Modes = map[topology.ComponentID]topology.Mode{"etcd": topology.BringCA}
	r.Subordinate = map[topology.AuthorityID]bool{"etcd": subordinate}
	corp := ca(t, "Corp CA", nil, nil, nil)
	r.Brought = map[topology.SlotID]*certs.Pair{"etcd/ca": corp}
	set := all(t, r)
	r.Brought = map[topology.SlotID]*certs.Pair{"etcd/ca": {Certificates: corp.Certificates}}
	r.Signed = map[topology.SlotID]*certs.Pair{}
	return r, set
}

func TestLeavesSignedElsewhereComplete(t *testing.T) {
	r, set := signed(t, tectonic(t, nil), false)
	slots := []topology.SlotID{"etcd/server", "etcd/peer", "etcd/client"}
	for _, id := range slots {
		var refused *issue.Refusal
		if err := issue.Ready(r); !errors.As(err, &refused) || refused.Slot != "etcd/ca" {
			t.Fatalf("before %s was signed: %v, want that the CA's key is missing", id, err)
		}
		r.Signed[id] = set.Pairs[id]
	}
	got := all(t, r)
	for _, id := range slots {
		if got.Pairs[id] != set.Pairs[id] {
			t.Errorf("%s was made anew", id)
		}
	}
	if got.Pairs["etcd/ca"].Key != nil || got.Pairs["kube/apiserver"].Leaf() == nil {
		t.Error("the rest is not as it would be")
	}
}

func TestIntermediateSignedElsewhereSigns(t *testing.T) {
	r, set := signed(t, tectonic(t, nil), true)
	if err := issue.Ready(r); err == nil {
		t.Fatal("an intermediate was to be made under a CA without its key")
	}
	r.Signed["etcd/ca"] = set.Pairs["etcd/ca"]
	got := all(t, r)
	if got.Pairs["etcd/ca"] != set.Pairs["etcd/ca"] || got.Above["etcd"].Leaf() == nil {
		t.Fatal("the intermediate was made anew")
	}
	leaf := got.Pairs["etcd/server"]
	if !leaf.Made || leaf.Leaf().CheckSignatureFrom(got.Pairs["etcd/ca"].Leaf()) != nil {
		t.Error("the intermediate did not sign")
	}
}
