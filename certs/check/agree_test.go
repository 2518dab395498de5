package check

import (
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"certwright/certs/material"
	"certwright/certs/topology"
)

// Every error that speaks of the leaf alone, where crypto/x509 has no opinion,
// and the errors that are stricter on purpose.
var notGo = []string{
	"weak-key", "oversize-key", "broken-key", "rsa-exponent", "unsupported-curve", // Go checks these in TLS, or not at all
	"key-usage-digital-signature", "key-usage-unsuitable", "leaf-is-ca", "leaf-missing", "wrong-order", "multiple-leaves",
}

// world is a random PKI: some CAs, cross-signed, mutated, and a leaf.
type world struct {
	cas     []*entity
	leaf    *entity
	sent    []*entity
	anchors []*entity
	label   []string
}

func randomWorld(r *rand.Rand) *world {
	w := &world{}
	note := func(format string, args ...any) { w.label = append(w.label, fmt.Sprintf(format, args...)) }
	pick := func(n int) bool { return r.IntN(n) == 0 }
	mutateCA := func(t *x509.Certificate) {
		ca(t)
		for range r.IntN(3) {
			switch r.IntN(12) {
			case 0:
				dates(-2*year, -time.Hour)(t)
				note("expired CA %s", t.Subject.CommonName)
			case 1:
				t.IsCA = false
				note("%s no CA", t.Subject.CommonName)
			case 2:
				t.KeyUsage = x509.KeyUsageCRLSign
				note("%s no certSign", t.Subject.CommonName)
			case 3:
				t.ExtKeyUsage = []x509.ExtKeyUsage{client}
				note("%s client only", t.Subject.CommonName)
			case 4:
				pathLen(r.IntN(3))(t)
				note("%s pathlen %d", t.Subject.CommonName, t.MaxPathLen)
			case 5:
				t.PermittedDNSDomains = []string{[]string{"example.com", "corp.example", ".example.com", ""}[r.IntN(4)]}
				note("%s permits %v", t.Subject.CommonName, t.PermittedDNSDomains)
			case 6:
				t.ExcludedDNSDomains = []string{[]string{"x.example.com", "demo.example.com", "corp.example"}[r.IntN(3)]}
				note("%s excludes %v", t.Subject.CommonName, t.ExcludedDNSDomains)
			case 7:
				permitIP([]string{"10.0.0.0/8", "192.168.0.0/16", "fd00::/8"}[r.IntN(3)])(t)
				note("%s permits %v", t.Subject.CommonName, t.PermittedIPRanges)
			case 8:
				t.PermittedURIDomains = []string{[]string{"example.com", ".example.com"}[r.IntN(2)]}
				note("%s permits URIs %v", t.Subject.CommonName, t.PermittedURIDomains)
			case 9:
				t.ExcludedEmailAddresses = []string{[]string{"example.com", "root@example.com"}[r.IntN(2)]}
				note("%s excludes mail %v", t.Subject.CommonName, t.ExcludedEmailAddresses)
			case 10:
				if len(t.ExtraExtensions) == 0 {
					extraExtension([]int{1, 2, 3}, true, []byte{5, 0})(t)
				}
				note("%s critical", t.Subject.CommonName)
			case 11:
				t.KeyUsage = 0
			}
		}
		if !t.IsCA {
			t.MaxPathLen, t.MaxPathLenZero = 0, false
		}
	}
	for i := range 1 + r.IntN(4) {
		var issuer *entity
		if i > 0 && !pick(4) {
			issuer = w.cas[r.IntN(len(w.cas))]
		}
		name := fmt.Sprintf("CA %d", r.IntN(i+1))
		keyName := fmt.Sprintf("world%d", r.IntN(i+1))
		e := sign(issuer, keyName, subject(name), mutateCA)
		if pick(10) && issuer != nil {
			e = remade(e, func(t *tbs) { t.Algorithm.Algorithm = oidSHA1ECDSA })
			note("%s SHA-1", name)
		}
		w.cas = append(w.cas, e)
	}
	issuer := w.cas[r.IntN(len(w.cas))]
	w.leaf = sign(issuer, "world-leaf", subject("leaf"), func(t *x509.Certificate) {
		t.DNSNames = [][]string{{"demo.example.com"}, {"*.example.com"}, {"x.example.com", "Demo.Corp.example"}, nil}[r.IntN(4)]
		t.ExtKeyUsage = [][]x509.ExtKeyUsage{{server}, {server, client}, nil, {anyUse}, {client}}[r.IntN(5)]
		if pick(3) {
			ips([]string{"10.1.2.3", "192.168.1.1", "fd00::1"}[r.IntN(3)])(t)
		}
		if pick(4) {
			u, _ := url.Parse([]string{"spiffe://example.com/x", "https://a.example.com/x", "urn:x:y"}[r.IntN(3)])
			t.URIs = []*url.URL{u}
		}
		if pick(4) {
			t.EmailAddresses = []string{[]string{"root@example.com", "a@b.example.com"}[r.IntN(2)]}
		}
		if pick(12) {
			dates(-2*year, -time.Hour)(t)
			note("leaf expired")
		}
		if pick(12) {
			extraExtension([]int{1, 2, 3}, true, []byte{5, 0})(t)
			note("leaf critical")
		}
	})
	for _, c := range w.cas {
		if !pick(4) {
			w.sent = append(w.sent, c)
		}
		if pick(2) {
			w.anchors = append(w.anchors, c)
		}
	}
	if len(w.anchors) == 0 || pick(20) {
		w.anchors = append(w.anchors, w.leaf)
	}
	return w
}

// verdicts runs worlds through Go and through us. differ says whether a
// difference between the two is one that is meant.
func verdicts(t *testing.T, n int, ours func(w *world, leaf, cas []any) []Finding, differ func(goErr error, errs, all []string) bool) {
	t.Helper()
	if testing.Short() {
		n /= 4
	}
	accepted, meant, rules := 0, 0, map[string]int{}
	for seed := range n {
		w := randomWorld(rand.New(rand.NewPCG(1, uint64(seed))))
		opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: clock, KeyUsages: []x509.ExtKeyUsage{server}}
		parts, cas := []any{w.leaf}, []any{}
		for _, c := range w.sent {
			parts = append(parts, c)
			opts.Intermediates.AddCert(c.cert)
		}
		for _, c := range w.anchors {
			cas = append(cas, c)
			opts.Roots.AddCert(c.cert)
		}
		_, err := w.leaf.cert.Verify(opts)
		got := ours(w, parts, cas)
		all := codes(got)
		errs := slices.DeleteFunc(slices.Clone(all), func(c string) bool { return strings.Contains(c, ":") || slices.Contains(notGo, c) })
		if err == nil {
			accepted++
		}
		for _, e := range errs {
			rules[e]++
		}
		if (err == nil) == (len(errs) == 0) {
			continue
		}
		if differ(err, errs, all) {
			meant++
			continue
		}
		t.Errorf("seed %d: Go says %v, we say %v\n%s", seed, err, errs, strings.Join(w.label, "; "))
		for _, f := range got {
			t.Logf("  %s %s: %s", f.Severity, f.Rule, f.Message)
		}
	}
	t.Logf("%d of %d good, %d meant differences; %v", accepted, n, meant, rules)
	if accepted < n/10 || accepted > n*9/10 || meant > n/10 {
		t.Errorf("%d of %d chains were good, %d differed on purpose: the worlds are no test", accepted, n, meant)
	}
}

// The verdict about a slot's chain is Go's own, over many random PKIs.
func TestAgreesWithGo(t *testing.T) {
	slot := &topology.Slot{ID: "x/leaf", Kind: topology.Leaf, Usages: []topology.Usage{topology.ServerAuth}, Requires: topology.Requirement{Usages: []topology.Usage{topology.ServerAuth}}}
	verdicts(t, 800, func(_ *world, leaf, cas []any) []Finding {
		return Slot(SlotInput{Slot: slot, Cert: doc("cert.pem", leaf...), CA: doc("ca.pem", cas...), Now: clock})
	}, func(error, []string, []string) bool { return false })
}

// Without a profile RFC 5280 counts too. We differ from Go only where
//   - Go counts self-issued certificates against a path length, or holds them
//     against name constraints, and the RFC does not: accepted, with a warning;
//   - the RFC takes the domain of a mail or URI constraint for that one host,
//     and Go for all hosts below it: refused.
func TestAgreesWithGoOrTheRFC(t *testing.T) {
	verdicts(t, 800, func(_ *world, leaf, cas []any) []Finding {
		return Chain(ChainInput{Leaf: doc("leaf.pem", leaf...), Anchors: docOfParts(cas), Usage: topology.ServerAuth, At: clock})
	}, func(goErr error, errs, all []string) bool {
		if goErr != nil {
			return slices.Contains(all, "w:pathlen-exceeded") || slices.Contains(all, "w:name-constraint")
		}
		return slices.Equal(slices.Compact(errs), []string{"name-constraint"})
	})
}

func docOfParts(parts []any) *material.Document { return doc("roots.pem", parts...) }
