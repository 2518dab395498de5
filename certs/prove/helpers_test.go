package prove

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"maps"
	"math/big"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// now is the clock of all tests here.
var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func tectonic(t testing.TB, facts map[string]string) *topology.Topology {
	t.Helper()
	data, err := os.ReadFile("../../assets/profiles/tectonic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var p topology.Profile
	if err := yaml.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	for i := range p.Slots {
		if p.Slots[i].Kind == "" {
			p.Slots[i].Kind = topology.Leaf
		}
	}
	p.Algorithms = nil
	topo, problems := topology.Resolve(&p, facts)
	for _, problem := range problems {
		t.Fatal(problem)
	}
	return topo
}

// good is a set that certwright generated.
func good(t testing.TB, change func(*issue.Request)) *certs.Set {
	t.Helper()
	r := issue.Request{Topology: tectonic(t, nil), Now: now}
	if change != nil {
		change(&r)
	}
	set, err := issue.All(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func edges(t testing.TB, set *certs.Set) []Handshake {
	t.Helper()
	hs, err := Edges(t.Context(), Input{Set: set, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return hs
}

// again issues a slot's certificate anew under its CA, changed.
func again(t testing.TB, set *certs.Set, id topology.SlotID, change func(*x509.Certificate)) {
	t.Helper()
	old, ca := set.Pairs[id], set.Pairs[set.Topology.CASlot(set.Topology.Slot(id).Authority).ID]
	template := *old.Leaf()
	template.ExtraExtensions, template.Extensions = nil, nil
	change(&template)
	template.RawSubject = nil
	set.Pairs[id] = signed(t, &template, old.Key, ca)
}

// signed makes a pair of a template: under a CA, or of itself when ca is nil.
func signed(t testing.TB, template *x509.Certificate, key crypto.Signer, ca *certs.Pair) *certs.Pair {
	t.Helper()
	parent, signer := template, key
	var above []*x509.Certificate
	if ca != nil {
		parent, signer = ca.Leaf(), ca.Key
		for _, c := range ca.Certificates {
			if !issue.SelfSigned(c) {
				above = append(above, c)
			}
		}
	}
	template.SignatureAlgorithm = x509.UnknownSignatureAlgorithm
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &certs.Pair{Certificates: append([]*x509.Certificate{cert}, above...), Key: key}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// ca makes a CA as a person would bring it.
func ca(t testing.TB, name string, change func(*x509.Certificate)) *certs.Pair {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(5, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if change != nil {
		change(template)
	}
	return signed(t, template, newKey(t), nil)
}

// failing lists the edges that fail, each once and in order.
func failing(hs []Handshake) []string {
	out := map[string]bool{}
	for _, h := range Failed(hs) {
		out[h.Edge] = true
	}
	return slices.Sorted(maps.Keys(out))
}

func without[T any](list []T, drop func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), drop)
}

func isName(name string) func(string) bool { return func(s string) bool { return s == name } }

func isIP(ip string) func(net.IP) bool {
	return func(have net.IP) bool { return have.Equal(net.ParseIP(ip)) }
}

func parse(ips []string) []net.IP {
	var out []net.IP
	for _, ip := range ips {
		out = append(out, net.ParseIP(ip))
	}
	return out
}

func contextWithCause(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

func p224(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
