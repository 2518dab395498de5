package issue_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// contents is what a Tectonic set holds, line by line: the profile's tables,
// as crypto/x509 reads them back.
const contents = `
the root                 O=certwright, CN=demo root CA | CA, any path length | cert sign, crl sign
etcd/ca                  O=etcd, CN=etcd-ca | CA, path length 0 | cert sign, crl sign
etcd/server              O=etcd, CN=etcd | leaf | digital signature | server auth, client auth | demo-etcd-0.example.com demo-etcd-1.example.com demo-etcd-2.example.com localhost *.kube-etcd.kube-system.svc.cluster.local kube-etcd-client.kube-system.svc.cluster.local 127.0.0.1 ::1 10.3.0.15 10.3.0.20
etcd/peer                O=etcd, CN=etcd | leaf | digital signature | server auth, client auth | demo-etcd-0.example.com demo-etcd-1.example.com demo-etcd-2.example.com *.kube-etcd.kube-system.svc.cluster.local kube-etcd-client.kube-system.svc.cluster.local 10.3.0.15 10.3.0.20
etcd/client              O=etcd, CN=etcd | leaf | digital signature | client auth
kube/ca                  O=bootkube, CN=kube-ca | CA, path length 0 | cert sign, crl sign
kube/apiserver           O=kube-master, CN=kube-apiserver | leaf | digital signature | server auth, client auth | demo-api.example.com kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local 10.3.0.1
kube/kubelet             O=system:masters, CN=kubelet | leaf | digital signature | server auth, client auth
kube/service-account     a key alone
identity/server          CN=tectonic-identity-api.tectonic-system.svc.cluster.local | leaf | digital signature | server auth | tectonic-identity-api.tectonic-system.svc.cluster.local
identity/client          CN=tectonic-identity-api.tectonic-system.svc.cluster.local | leaf | digital signature | client auth
ingress/ca               O=tectonic, CN=ingress-ca | CA, path length 0 | cert sign, crl sign
ingress/server           CN=demo.example.com | leaf | digital signature | server auth, client auth | demo.example.com
`

func TestContentsOfATectonicSet(t *testing.T) {
	set := all(t, request(tectonic(t, nil)))
	got := []string{describe("the root", set.Root)}
	for _, s := range set.Topology.Slots {
		got = append(got, describe(string(s.ID), set.Pairs[s.ID]))
	}
	lines := strings.Split(strings.TrimSpace(contents), "\n")
	if len(got) != len(lines) {
		t.Fatalf("%d certificates and keys, want %d", len(got), len(lines))
	}
	for i, want := range lines {
		if got[i] != want {
			t.Errorf("got  %s\nwant %s", got[i], want)
		}
	}
}

func describe(id string, pair *certs.Pair) string {
	c := pair.Leaf()
	if c == nil {
		return fmt.Sprintf("%-24s a key alone", id)
	}
	kind := "leaf"
	switch {
	case c.IsCA && c.MaxPathLen < 0:
		kind = "CA, any path length"
	case c.IsCA:
		kind = fmt.Sprintf("CA, path length %d", c.MaxPathLen)
	}
	var names []string
	names = append(names, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	bits := map[x509.KeyUsage]string{
		x509.KeyUsageDigitalSignature: "digital signature", x509.KeyUsageCertSign | x509.KeyUsageCRLSign: "cert sign, crl sign",
	}
	var usages []string
	for _, u := range c.ExtKeyUsage {
		usages = append(usages, map[x509.ExtKeyUsage]string{x509.ExtKeyUsageServerAuth: "server auth", x509.ExtKeyUsageClientAuth: "client auth"}[u])
	}
	subject := topology.Subject{CN: c.Subject.CommonName, O: c.Subject.Organization}
	return strings.TrimRight(fmt.Sprintf("%-24s %s | %s | %s | %s | %s", id, subject, kind, bits[c.KeyUsage], strings.Join(usages, ", "), strings.Join(names, " ")), " |")
}

func TestTwoClustersNeverShareACAsName(t *testing.T) {
	for _, h := range []topology.Hierarchy{topology.Intermediates, topology.Roots} {
		r := request(tectonic(t, nil))
		r.Hierarchy = h
		one, other := all(t, r), all(t, r)
		for _, a := range one.Topology.Authorities {
			if string(one.Anchor(a.ID).RawSubject) == string(other.Anchor(a.ID).RawSubject) {
				t.Errorf("%s: two sets' %s are both %s", h, a.ID, one.Anchor(a.ID).Subject)
			}
		}
	}
}

// TestAnyFactsIssueAndVerify: whatever a person answers, if it resolves, the
// set that comes of it verifies.
func TestAnyFactsIssueAndVerify(t *testing.T) {
	p := tectonicProfile(t)
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,12}[a-z0-9])?`)
		host := rapid.OneOf(
			rapid.StringMatching(`[a-z][a-z0-9]{0,30}(\.[a-z][a-z0-9]{0,30}){0,6}`),
			rapid.Just("192.0.2.7"), rapid.Just("2001:db8::7"),
		)
		facts := map[string]string{
			"cluster.name":   label.Draw(t, "name"),
			"cluster.domain": label.Draw(t, "domain"),
			"api.host":       host.Draw(t, "api"),
			"ingress.host":   host.Draw(t, "ingress"),
			"etcd.hosts":     strings.Join(rapid.SliceOfNDistinct(host, 1, 5, rapid.ID).Draw(t, "etcd"), ","),
			"service.cidr":   rapid.SampledFrom([]string{"10.3.0.0/16", "fd00:3::/112", "10.3.0.0/16,fd00:3::/112", "10.0.0.0/27"}).Draw(t, "cidr"),
		}
		topo, problems := topology.Resolve(p, facts)
		if len(problems) > 0 {
			t.Skipf("%v", problems[0])
		}
		r := request(topo)
		r.Hierarchy = rapid.SampledFrom([]topology.Hierarchy{topology.Intermediates, topology.Roots}).Draw(t, "hierarchy")
		r.Workers = rapid.IntRange(0, 3).Draw(t, "workers")
		set, err := issue.All(context.Background(), r, nil)
		if err != nil {
			t.Fatal(err)
		}
		judge(t, set)
	})
}

// online is a CA elsewhere: it has its own mind about serial numbers.
type online struct {
	*issue.CA
	asked int
	fail  error
}

func (o *online) Sign(ctx context.Context, template *x509.Certificate, pub crypto.PublicKey) (*x509.Certificate, error) {
	o.asked++
	if o.fail != nil {
		return nil, o.fail
	}
	template.SerialNumber = big.NewInt(99)
	return o.CA.Sign(ctx, template, pub)
}

func TestAnotherIssuerSigns(t *testing.T) {
	topo := tectonic(t, nil)
	root := ca(t, "Corp Root", nil, nil, nil)
	middle, err := issue.NewCA("kube/ca", ca(t, "Corp CA", nil, root, nil), now)
	if err != nil {
		t.Fatal(err)
	}
	by := &online{CA: middle}
	slot := topo.Slot("kube/apiserver")
	terms := issue.Terms{Now: now, Life: issue.DefaultLeafLife}
	out, err := issue.SignLeaf(t.Context(), slot, newKey(t).Public(), by, terms)
	if err != nil {
		t.Fatal(err)
	}
	if by.asked != 1 || len(out.Certificates) != 2 || out.Certificates[0].SerialNumber.Int64() != 99 || len(out.Notes) != 0 {
		t.Errorf("asked %d times, chain of %d, notes %v", by.asked, len(out.Certificates), out.Notes)
	}
	by.fail = errors.New("503 Service Unavailable")
	if _, err := issue.SignLeaf(t.Context(), slot, newKey(t).Public(), by, terms); !errors.Is(err, by.fail) || !strings.Contains(err.Error(), "kube/apiserver") {
		t.Errorf("got %v", err)
	}
}

// TestACAWithoutAKeyIdentifier: the key id of its certificates is the one that
// everybody would compute, so that OpenSSL finds one.
func TestACAWithoutAKeyIdentifier(t *testing.T) {
	bare := ca(t, "Old CA", nil, nil, func(c *x509.Certificate) {
		// crypto/x509 adds a key identifier to whatever says IsCA.
		c.IsCA, c.BasicConstraintsValid = false, false
		c.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 3, 1, 1, 0xff}}}
	})
	if len(bare.Leaf().SubjectKeyId) != 0 || !bare.Leaf().IsCA {
		t.Fatal("the CA is not as wanted")
	}
	r := request(tectonic(t, nil))
	r.Modes, r.Brought = modes{"ingress": topology.BringCA}, brought{"ingress/ca": bare}
	c := all(t, r).Pairs["ingress/server"].Leaf()
	want, err := issue.KeyID(bare.Key.Public())
	if err != nil || !bytes.Equal(c.AuthorityKeyId, want) {
		t.Errorf("authority key id %x, want %x (%v)", c.AuthorityKeyId, want, err)
	}
}

// TestKeyIDIsThatOfGo holds it against what crypto/x509 gives a CA of that key.
func TestKeyIDIsThatOfGo(t *testing.T) {
	keys := []crypto.Signer{newKey(t)}
	for _, alg := range []issue.Algorithm{issue.ECDSAP256, issue.ECDSAP384, issue.RSA2048, issue.Ed25519} {
		key, err := issue.NewKeys(1).Key(t.Context(), alg)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	for _, key := range keys {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
		der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := issue.KeyID(key.Public()); err != nil || !bytes.Equal(got, c.SubjectKeyId) {
			t.Errorf("%T: %x %v, want %x", key, got, err, c.SubjectKeyId)
		}
	}
}

func TestAnIntermediateWithoutItsRootIsSent(t *testing.T) {
	middle := ca(t, "Corp CA", nil, ca(t, "Corp Root", nil, nil, nil), nil)
	middle.Certificates = middle.Certificates[:1]
	r := request(tectonic(t, nil))
	r.Modes, r.Brought = modes{"ingress": topology.BringCA}, brought{"ingress/ca": middle}
	set := all(t, r)
	judge(t, set)
	opensslVerify(t, set)
	if got := set.Pairs["ingress/server"].Certificates; len(got) != 2 || !got[1].Equal(middle.Leaf()) {
		t.Errorf("leaf sends %d certificates", len(got))
	}
}

func TestNamesThatAreNoNamesAreRefused(t *testing.T) {
	signer, err := issue.NewCA("kube/ca", ca(t, "CA", nil, nil, nil), now)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []topology.Name{
		{Kind: topology.DNSName, Value: "evil\x1b[31m.example"},
		{Kind: topology.DNSName, Value: "two words"},
		{Kind: topology.DNSName, Value: "a.*.example"},
		{Kind: topology.IPAddress, Value: "10.0.0.300"},
		{Kind: topology.URIName, Value: "spiffe://%zz"},
	} {
		slot := &topology.Slot{ID: "kube/apiserver", Kind: topology.Leaf, Names: []topology.Name{n}}
		_, err := issue.SignLeaf(t.Context(), slot, newKey(t).Public(), signer, issue.Terms{Now: now, Life: issue.DefaultLeafLife})
		var r *issue.Refusal
		if !errors.As(err, &r) || r.Slot != slot.ID || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: got %v", n.Value, err)
		}
	}
}

func TestAlgorithms(t *testing.T) {
	for _, a := range issue.Algorithms() {
		got, err := issue.ParseAlgorithm(string(a))
		if err != nil || got != a || a.Words() == string(a) {
			t.Errorf("%s: parsed as %q, %v; words %q", a, got, err, a.Words())
		}
	}
	if got, want := len(issue.Algorithms()), len(topology.Algorithms()); got != want || string(issue.Algorithms()[0]) != topology.Algorithms()[0] {
		t.Errorf("%d algorithms here, %d in profiles, or another default", got, want)
	}
	_, err := issue.ParseAlgorithm("rsa-1024")
	if err == nil || err.Error() != `unknown key algorithm "rsa-1024": use ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096, ed25519, ml-dsa-44, ml-dsa-65 or ml-dsa-87` {
		t.Errorf("got %v", err)
	}
	if err := issue.Allowed(tectonic(t, nil), "dsa"); err == nil {
		t.Error("dsa is allowed")
	}
	if err := issue.Allowed(tectonic(t, nil), issue.MLDSA65); err == nil || !strings.Contains(err.Error(), "no component of its profile takes such keys yet") || !strings.Contains(err.Error(), "Go 1.27") {
		t.Errorf("ML-DSA: got %v", err)
	}
	if err := issue.AllowedFor(&topology.Slot{ID: "a/b"}, issue.MLDSA44); err == nil || !strings.Contains(err.Error(), "choose ecdsa-p256") {
		t.Errorf("ML-DSA, where the profile is silent: got %v", err)
	}
	if err := issue.AllowedFor(&topology.Slot{ID: "a/b", Algorithms: []string{"ml-dsa-44"}}, issue.MLDSA44); err != nil {
		t.Errorf("ML-DSA, where the profile lists it: got %v", err)
	}
}

func TestSerialNumbersAreLongAndPositive(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		n, err := issue.NewSerial(nil)
		if err != nil || n.Sign() <= 0 || n.BitLen() > 127 || seen[n.String()] {
			t.Fatalf("serial %v, %v", n, err)
		}
		seen[n.String()] = true
	}
	if _, err := issue.NewSerial(strings.NewReader("short")); err == nil {
		t.Error("five bytes were enough")
	}
}
