package check

import (
	"context"
	"crypto/x509"
	"maps"
	"math/big"
	"slices"
	"testing"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

func issued(t testing.TB, hierarchy topology.Hierarchy, a issue.Algorithm) *certs.Set {
	t.Helper()
	set, err := issue.All(context.Background(), issue.Request{Topology: newPKI(t).t, Hierarchy: hierarchy, Algorithm: a, Now: clock}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// The pipeline runs Set before every write: what was made here brings nothing.
func TestSetFindsNothingInWhatWeIssue(t *testing.T) {
	for _, h := range []topology.Hierarchy{topology.Intermediates, topology.Roots} {
		for _, a := range []issue.Algorithm{issue.ECDSAP256, issue.ECDSAP384} {
			t.Run(string(h)+" "+string(a), func(t *testing.T) {
				compare(t, Set(SetInput{Set: issued(t, h, a), Now: clock}), "")
			})
		}
	}
}

// What we issue, handed over as somebody else's, may at most bring hints.
func TestSlotAcceptsWhatWeIssue(t *testing.T) {
	set := issued(t, topology.Intermediates, issue.ECDSAP256)
	for i := range set.Topology.Slots {
		slot := &set.Topology.Slots[i]
		pair := set.Pairs[slot.ID]
		if pair.Leaf() == nil {
			continue
		}
		parts := []any{}
		for _, c := range pair.Certificates {
			parts = append(parts, &entity{cert: c})
		}
		in := SlotInput{Slot: slot, Topology: set.Topology, Cert: doc("cert.pem", parts...), Key: doc("key.pem", pair.Key), Now: clock}
		if slot.Kind == topology.Leaf {
			in.CA = doc("ca.pem", &entity{cert: set.Anchor(slot.Authority)})
		}
		for _, f := range Slot(in) {
			t.Errorf("%s: %s %s: %s", slot.ID, f.Severity, f.Rule, f.Message)
		}
	}
}

// pairOf is brought material.
func pairOf(e *entity, above ...*entity) *certs.Pair {
	p := &certs.Pair{Certificates: []*x509.Certificate{e.cert}, Key: e.key}
	for _, a := range above {
		p.Certificates = append(p.Certificates, a.cert)
	}
	return p
}

func TestSet(t *testing.T) {
	base := issued(t, topology.Roots, issue.ECDSAP256)
	caOf := func(s *certs.Set, id topology.SlotID) *entity {
		return &entity{cert: s.Pairs[id].Leaf(), key: s.Pairs[id].Key}
	}
	for _, c := range []struct {
		name   string
		change func(p *pki, s *certs.Set)
		want   string
	}{
		{"nothing", func(*pki, *certs.Set) {}, ""},
		{"one CA for two authorities", func(p *pki, s *certs.Set) {
			s.Pairs["front-proxy/ca"] = s.Pairs["kube/ca"]
			s.Pairs["front-proxy/client"] = pairOf(sign(caOf(s, "kube/ca"), "fp", subject("front-proxy-client"), eku(client)))
		}, "w:ca-shared-between-roles"},
		{"one CA key in two certificates", func(p *pki, s *certs.Set) {
			e := &entity{cert: s.Pairs["kube/ca"].Leaf(), key: s.Pairs["kube/ca"].Key}
			keyCache["the kube key"] = e.key
			s.Pairs["front-proxy/ca"] = pairOf(sign(nil, "the kube key", subject("fp"), ca))
			s.Pairs["front-proxy/client"] = pairOf(sign(&entity{cert: s.Pairs["front-proxy/ca"].Leaf(), key: e.key}, "fp", subject("front-proxy-client"), eku(client)))
		}, "w:ca-shared-between-roles"},
		{"one authority issued by the other", func(p *pki, s *certs.Set) {
			low := sign(caOf(s, "etcd/ca"), "low", subject("low"), ca)
			s.Pairs["front-proxy/ca"] = pairOf(low)
			s.Pairs["front-proxy/client"] = pairOf(sign(low, "fp", subject("front-proxy-client"), eku(client)))
		}, "w:ca-shared-between-roles"},
		{"a leaf under another component's CA", func(p *pki, s *certs.Set) {
			s.Pairs["ingress/server"] = pairOf(p.web(caOf(s, "kube/ca")))
		}, "chain-across-slots"},
		{"a leaf under a stranger", func(p *pki, s *certs.Set) { s.Pairs["ingress/server"] = pairOf(p.web(p.otherRoot)) }, "unknown-authority"},
		{"a leaf with the CA's key", func(p *pki, s *certs.Set) {
			keyCache["the etcd key"] = s.Pairs["etcd/ca"].Key
			s.Pairs["etcd/client"] = pairOf(sign(caOf(s, "etcd/ca"), "the etcd key", subject("x"), eku(client)))
		}, "key-reused"},
		{"two leaves with one key", func(p *pki, s *certs.Set) {
			by := caOf(s, "kube/ca")
			s.Pairs["kube/kubelet"] = pairOf(sign(by, "twin", subject("a", "system:masters"), eku(client)))
			s.Pairs["kube/admin"] = pairOf(sign(by, "twin", subject("b", "system:masters"), eku(client)))
		}, "w:key-reused"},
		{"one certificate in two slots", func(p *pki, s *certs.Set) {
			e := sign(caOf(s, "kube/ca"), "twin", subject("a", "system:masters"), eku(client))
			s.Pairs["kube/kubelet"], s.Pairs["kube/admin"] = pairOf(e), pairOf(e)
		}, "w:key-reused"},
		{"a leaf that is its own CA", func(p *pki, s *certs.Set) {
			self := sign(nil, "self", subject("demo"), dns("demo.example.com"), eku(server), func(t *x509.Certificate) { t.IsCA = true })
			s.Pairs["ingress/ca"], s.Pairs["ingress/server"] = pairOf(self), pairOf(self)
		}, ""},
		{"a serial number twice", func(p *pki, s *certs.Set) {
			by := caOf(s, "kube/ca")
			same := func(t *tbs) { t.Serial.SetInt64(77) }
			s.Pairs["kube/kubelet"] = pairOf(remade(sign(by, "k1", subject("a", "system:masters"), eku(client)), same))
			s.Pairs["kube/admin"] = pairOf(remade(sign(by, "k2", subject("b", "system:masters"), eku(client)), same))
		}, "w:duplicate-serial"},
		{"another's key", func(p *pki, s *certs.Set) {
			twin := *s.Pairs["etcd/client"]
			twin.Key = key("another")
			s.Pairs["etcd/client"] = &twin
		}, "key-mismatch"},
		{"the CA's key is another's", func(p *pki, s *certs.Set) {
			twin := *s.Pairs["etcd/ca"]
			twin.Key = key("another")
			s.Pairs["etcd/ca"] = &twin
		}, "key-mismatch"},
		{"a leaf that outlives its CA", func(p *pki, s *certs.Set) {
			short := sign(nil, "short", subject("short"), ca, dates(-year, year/2))
			s.Pairs["ingress/ca"], s.Pairs["ingress/server"] = pairOf(short), pairOf(p.web(short))
		}, "w:ca-expires-before-leaf"},
		{"a name is missing", func(p *pki, s *certs.Set) {
			s.Pairs["ingress/server"] = pairOf(p.web(caOf(s, "ingress/ca"), onlyNames("x.example.org")))
		}, "san-missing"},
		{"leaf and CA share a subject", func(p *pki, s *certs.Set) {
			c := caOf(s, "ingress/ca")
			s.Pairs["ingress/server"] = pairOf(p.web(c, func(t *x509.Certificate) { t.RawSubject = c.cert.RawSubject }))
		}, "w:same-subject-as-ca"},
		{"a service account key of Ed25519", func(p *pki, s *certs.Set) {
			s.Pairs["kube/service-account"] = &certs.Pair{Key: key("ed25519:sa")}
		}, "unsupported-key-algorithm"},
		{"the intermediate does not stand in the file", func(p *pki, s *certs.Set) {
			s.Pairs["ingress/ca"], s.Pairs["ingress/server"] = pairOf(p.root), pairOf(p.web(p.inter))
		}, "missing-intermediate"},
		{"slots still empty", func(p *pki, s *certs.Set) { s.Pairs = map[topology.SlotID]*certs.Pair{} }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := *base
			s.Pairs = maps.Clone(base.Pairs)
			c.change(newPKI(t), &s)
			compare(t, Set(SetInput{Set: &s, Now: clock}), c.want)
		})
	}
}

// Findings of a set come in the order of its slots, worst first.
func TestSetOrder(t *testing.T) {
	s := *issued(t, topology.Roots, issue.ECDSAP256)
	p := newPKI(t)
	s.Pairs["etcd/client"], s.Pairs["ingress/server"] = pairOf(p.etcdClient()), pairOf(p.web(p.otherRoot))
	got := Set(SetInput{Set: &s, Now: clock})
	var slots []topology.SlotID
	for _, f := range got {
		slots = append(slots, f.Slot)
	}
	if want := []topology.SlotID{"etcd/client", "ingress/server"}; !slices.Equal(slots, want) {
		t.Errorf("got %v, want %v", slots, want)
	}
}

func BenchmarkSet(b *testing.B) {
	s := issued(b, topology.Intermediates, issue.ECDSAP256)
	for b.Loop() {
		if got := Set(SetInput{Set: s, Now: clock}); len(got) > 0 {
			b.Fatal(got)
		}
	}
}

func BenchmarkSlot(b *testing.B) {
	p := newPKI(b)
	leaf := p.web(p.inter)
	in := SlotInput{Slot: p.t.Slot("ingress/server"), Topology: p.t, Cert: doc("c", leaf, p.inter), Key: doc("k", leaf.key), CA: doc("ca", p.root), Now: clock}
	for b.Loop() {
		Slot(in)
	}
}

// A bundle of a thousand certificates is judged while a person types.
func BenchmarkSlotOfThousand(b *testing.B) {
	p := newPKI(b)
	leaf := p.web(p.ingress)
	parts := []any{leaf}
	for range 1000 {
		parts = append(parts, block(remake(p.otherRoot, func(t *tbs) { t.Serial, t.Issuer = big.NewInt(serial), nameOf(12, "nobody"); serial++ })))
	}
	in := SlotInput{Slot: p.t.Slot("ingress/server"), Topology: p.t, Cert: doc("c", parts...), Key: doc("k", leaf.key), CA: doc("ca", p.ingress), Now: clock}
	for b.Loop() {
		Slot(in)
	}
}
