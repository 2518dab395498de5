package check

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"certwright/certs/material"
	"certwright/certs/topology"
)

// world of a chain: a leaf, what may stand between, what is trusted.
type chainOf struct {
	leaf          *entity
	between, root []*entity
}

type chainCase struct {
	name string
	host string
	make func() chainOf
	want string
}

// A root and what is made under it; each with room for edits.
func root(edits ...edit) *entity {
	return sign(nil, "chain-root", slices.Concat([]edit{subject("chain root"), ca}, edits)...)
}

func inter(issuer *entity, edits ...edit) *entity {
	return sign(issuer, "chain-inter", slices.Concat([]edit{subject("chain intermediate"), ca}, edits)...)
}

func end(issuer *entity, edits ...edit) *entity {
	return sign(issuer, "chain-leaf", slices.Concat([]edit{subject("leaf"), dns("example.com"), eku(server), ku(sigKU)}, edits)...)
}

// direct is a leaf right under a root.
func direct(r, leaf *entity) chainOf { return chainOf{leaf, nil, []*entity{r}} }

// general is one general name of a SAN or of a constraint, and extension values made of them.
func general(tag int, compound bool, b []byte) []byte {
	return must(asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: compound, Bytes: b}))
}

func seq(parts ...[]byte) []byte {
	return must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: slices.Concat(parts...)}))
}

// subtreesOf makes name constraints over general names; side 0 permits, 1 excludes.
func subtreesOf(side int, names ...[]byte) edit {
	var trees []byte
	for _, n := range names {
		trees = append(trees, seq(n)...)
	}
	return extraExtension(oidNameConstraints, true, seq(general(side, true, trees)))
}

func directory(cn string) []byte { return general(4, true, nameOf(12, cn).FullBytes) }

func cn(name string) edit {
	return func(t *x509.Certificate) { t.RawSubject = nameOf(12, name).FullBytes }
}

var otherName = general(0, true, append(must(asn1.Marshal(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 9})), general(0, true, []byte{5, 0})...))

func permitted(names ...string) edit {
	return func(t *x509.Certificate) { t.PermittedDNSDomains, t.PermittedDNSDomainsCritical = names, true }
}

func excluded(names ...string) edit {
	return func(t *x509.Certificate) { t.ExcludedDNSDomains, t.PermittedDNSDomainsCritical = names, true }
}

func mail(addresses ...string) edit {
	return func(t *x509.Certificate) { t.EmailAddresses = addresses }
}

func permittedMail(names ...string) edit {
	return func(t *x509.Certificate) { t.PermittedEmailAddresses = names }
}

func permittedURI(names ...string) edit {
	return func(t *x509.Certificate) { t.PermittedURIDomains = names }
}

func TestChain(t *testing.T) {
	runChainCases(t, slices.Concat(chainBasics(), chainConstraints(), chainShapes()))
}

func runChainCases(t *testing.T, cases []chainCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := c.make()
			host := c.host
			if host == "" {
				host = "example.com"
			}
			compare(t, Chain(ChainInput{Leaf: doc("leaf.pem", w.leaf), Intermediates: docOf("chain.pem", w.between), Anchors: docOf("roots.pem", w.root), ServerName: host, Usage: topology.ServerAuth, At: clock}), c.want)
		})
	}
}

func docOf(name string, es []*entity) *material.Document {
	if len(es) == 0 {
		return nil
	}
	var parts []any
	for _, e := range es {
		parts = append(parts, e)
	}
	return doc(name, parts...)
}

func chainBasics() []chainCase {
	r := func() *entity { return root() }
	return []chainCase{
		{"a leaf under a root", "", func() chainOf { r := r(); return direct(r, end(r)) }, ""},
		{"through an intermediate", "", func() chainOf { r := r(); i := inter(r); return chainOf{end(i), []*entity{i}, []*entity{r}} }, ""},
		{"the intermediate is not there", "", func() chainOf { r := r(); i := inter(r); return direct(r, end(i)) }, "missing-intermediate"},
		{"the root is not trusted", "", func() chainOf {
			r := r()
			i := inter(r)
			return chainOf{end(i), []*entity{i, r}, []*entity{sign(nil, "stranger", subject("stranger"), ca)}}
		}, "unknown-authority"},
		{"another root of the same name", "", func() chainOf {
			r := r()
			return direct(sign(nil, "chain-root2", subject("chain root"), ca), end(r))
		}, "wrong-authority"},
		{"the leaf is its own anchor", "", func() chainOf { l := end(nil); return direct(l, l) }, ""},
		{"a CA as the leaf", "", func() chainOf { r := r(); return direct(r, inter(r, dns("example.com"))) }, "w:eku-missing w:key-usage-unsuitable w:leaf-is-ca w:validity-too-long"},
		{"CA:TRUE on the leaf", "", func() chainOf {
			r := r()
			return direct(r, end(r, func(t *x509.Certificate) { t.IsCA = true }))
		}, "w:leaf-is-ca"},
		{"no basic constraints, no key usage, no identifiers", "", func() chainOf {
			r := r()
			return direct(r, end(r, noBasic, ku(0)))
		}, ""},
		{"keyCertSign without CA:TRUE", "", func() chainOf { r := r(); return direct(r, end(r, ku(sigKU|x509.KeyUsageCertSign))) }, "key-usage-unsuitable"},
		{"key usage without any bit", "", func() chainOf {
			r := r()
			return direct(r, remade(end(r), replaceExtension(oidKeyUsage, []byte{3, 1, 0})))
		}, "key-usage-unsuitable"},
		{"key usage without any bit on the root", "", func() chainOf {
			r := remade(r(), replaceExtension(oidKeyUsage, []byte{3, 1, 0}))
			return direct(r, end(r))
		}, "ca-missing-key-cert-sign"},
		{"a CA without a subject", "", func() chainOf { r := root(subject("")); return direct(r, end(r)) }, "empty-subject empty-subject"},
		{"a leaf without a subject, named", "", func() chainOf { r := r(); return direct(r, end(r, subject(""))) }, ""},
		{"an issuer without a name", "", func() chainOf {
			r := r()
			return direct(r, remade(end(r), func(t *tbs) { t.Issuer.FullBytes = []byte{0x30, 0} }))
		}, "unknown-authority empty-subject"},
		{"no EKU", "", func() chainOf { r := r(); return direct(r, end(r, eku())) }, "w:eku-missing"},
		{"an empty EKU", "", func() chainOf {
			r := r()
			return direct(r, remade(end(r), replaceExtension(oidExtKeyUsage, []byte{0x30, 0})))
		}, "eku-empty"},
		{"EKU for clients", "", func() chainOf { r := r(); return direct(r, end(r, eku(client))) }, "eku-missing-server-auth"},
		{"any EKU", "", func() chainOf { r := r(); return direct(r, end(r, eku(anyUse))) }, "w:eku-any"},
		{"the root's EKU has the use", "", func() chainOf { r := root(eku(server)); return direct(r, end(r)) }, ""},
		{"the root's EKU lacks the use", "", func() chainOf { r := root(eku(client)); return direct(r, end(r)) }, "issuer-eku"},
		{"the intermediate's EKU lacks the use", "", func() chainOf {
			r := r()
			i := inter(r, eku(client))
			return chainOf{end(i), []*entity{i}, []*entity{r}}
		}, "issuer-eku"},
		{"expired leaf", "", func() chainOf { r := r(); return direct(r, end(r, dates(-2*year, -time.Second))) }, "expired"},
		{"expired root", "", func() chainOf { r := root(dates(-2*year, -time.Second)); return direct(r, end(r)) }, "ca-expired"},
		{"expired intermediate", "", func() chainOf {
			r := r()
			i := inter(r, dates(-2*year, -time.Second))
			return chainOf{end(i), []*entity{i}, []*entity{r}}
		}, "intermediate-expired"},
		{"valid from this second", "", func() chainOf { r := root(dates(0, year)); return direct(r, end(r, dates(0, year))) }, ""},
		{"critical extension on the leaf", "", func() chainOf {
			r := r()
			return direct(r, end(r, extraExtension([]int{1, 2, 3}, true, nil)))
		}, "unknown-critical-extension"},
		{"critical extension on the root", "", func() chainOf {
			r := root(extraExtension([]int{1, 2, 3}, true, nil))
			return direct(r, end(r))
		}, "unknown-critical-extension"},
		{"weak RSA leaf", "", func() chainOf {
			r := r()
			return direct(r, sign(r, "rsa1024:chain", subject("leaf"), dns("example.com"), eku(server)))
		}, "weak-key"},
		{"weak RSA root", "", func() chainOf {
			r := sign(nil, "rsa1024:chain", subject("weak root"), ca)
			return direct(r, end(r))
		}, "weak-key"},
		{"a leaf of DSA", "", func() chainOf { r := r(); return direct(r, remade(end(r), dsaKey)) }, "unsupported-key-algorithm"},
		{"SHA-1 on the leaf", "", func() chainOf {
			r := sign(nil, "rsa:chain", subject("rsa root"), ca)
			return direct(r, remade(end(r), sha1Signed))
		}, "weak-signature"},
		{"SHA-1 on the root itself", "", func() chainOf {
			r := remade(sign(nil, "rsa:chain", subject("rsa root"), ca), sha1Signed)
			return direct(r, end(r))
		}, "w:weak-signature"},
		{"version 1 leaf", "", func() chainOf { r := r(); return direct(r, remade(end(r), v1)) }, "san-missing w:x509-v1"},
		{"another host", "a.example.org", func() chainOf { r := r(); return direct(r, end(r)) }, "san-missing"},
		{"a wildcard", "a.example.com", func() chainOf { r := r(); return direct(r, end(r, onlyNames("*.example.com"))) }, ""},
		{"a wildcard of a public suffix", "example.com", func() chainOf { r := r(); return direct(r, end(r, onlyNames("*.com"))) }, ""},
		{"a wildcard over two labels", "a.b.example.com", func() chainOf { r := r(); return direct(r, end(r, onlyNames("*.example.com"))) }, "wildcard-misuse"},
		{"a host with a trailing dot", "example.com.", func() chainOf { r := r(); return direct(r, end(r)) }, ""},
		{"an address", "192.0.2.1", func() chainOf { r := r(); return direct(r, end(r, ips("192.0.2.1"))) }, ""},
		{"an address in brackets", "[fd00::1]", func() chainOf { r := r(); return direct(r, end(r, ips("fd00::1"))) }, ""},
		{"another address", "192.0.2.2", func() chainOf { r := r(); return direct(r, end(r, ips("192.0.2.1"))) }, "san-missing-ip"},
		{"the name in the CN alone", "example.com", func() chainOf { r := r(); return direct(r, end(r, noNames, subject("example.com"))) }, "cn-only"},
	}
}

func chainConstraints() []chainCase {
	mid := func(edits ...edit) func(...edit) chainOf {
		return func(leaf ...edit) chainOf {
			r := root()
			i := inter(r, edits...)
			return chainOf{end(i, leaf...), []*entity{i}, []*entity{r}}
		}
	}
	return []chainCase{
		{"permitted", "", func() chainOf { return mid(permitted("example.com"))() }, ""},
		{"permitted, deeper", "a.b.example.com", func() chainOf { return mid(permitted("example.com"))(onlyNames("a.b.example.com")) }, ""},
		{"not permitted", "", func() chainOf { return mid(permitted("corp.example"))() }, "name-constraint"},
		{"a suffix that is no label", "notexample.com", func() chainOf { return mid(permitted("example.com"))(onlyNames("notexample.com")) }, "name-constraint"},
		{"the root's constraints count", "", func() chainOf { r := root(permitted("corp.example")); return direct(r, end(r)) }, "name-constraint"},
		{"excluded wins over permitted", "", func() chainOf {
			return mid(permitted("example.com"), excluded("example.com"))()
		}, "name-constraint"},
		{"the second name is excluded", "", func() chainOf { return mid(excluded("bad.example.com"))(dns("bad.example.com")) }, "name-constraint"},
		{"a wildcard over an excluded name", "x.example.com", func() chainOf { return mid(excluded("bar.example.com"))(onlyNames("*.example.com")) }, "name-constraint"},
		{"a wildcard over more than is permitted", "foo.example.com", func() chainOf { return mid(permitted("foo.example.com"))(onlyNames("*.example.com")) }, "name-constraint"},
		{"a leading dot", "a.example.com", func() chainOf { return mid(permitted(".example.com"))(onlyNames("a.example.com")) }, "w:name-constraint"},
		{"a malformed name under constraints", "", func() chainOf { return mid(permitted("example.com"))(dns(".example.com")) }, "name-constraint w:malformed-san"},
		{"addresses alone are constrained", "", func() chainOf { return mid(permitIP("192.0.2.0/24"))() }, ""},
		{"address permitted", "192.0.2.1", func() chainOf { return mid(permitIP("192.0.2.0/24"))(ips("192.0.2.1")) }, ""},
		{"address not permitted", "192.0.3.1", func() chainOf { return mid(permitIP("192.0.2.0/24"))(ips("192.0.3.1")) }, "name-constraint"},
		{"an IPv4 address under IPv6 constraints", "192.0.3.1", func() chainOf { return mid(permitIP("fd00::/8"))(ips("192.0.3.1")) }, "name-constraint"},
		{"mailbox", "", func() chainOf { return mid(permittedMail("a@example.com"))(mail("a@EXAMPLE.com")) }, ""},
		{"another mailbox", "", func() chainOf { return mid(permittedMail("a@example.com"))(mail("b@example.com")) }, "name-constraint"},
		{"mail host", "", func() chainOf { return mid(permittedMail("example.com"))(mail("b@example.com")) }, ""},
		{"a host below the mail host", "", func() chainOf { return mid(permittedMail("example.com"))(mail("b@x.example.com")) }, "name-constraint"},
		{"a mail domain", "", func() chainOf { return mid(permittedMail(".example.com"))(mail("b@x.example.com")) }, ""},
		{"a malformed address", "", func() chainOf { return mid(permittedMail("example.com"))(mail("a@b@example.com")) }, "name-constraint"},
		{"URI host", "", func() chainOf { return mid(permittedURI("example.com"))(uri("spiffe://example.com/x")) }, ""},
		{"URI of another host", "", func() chainOf { return mid(permittedURI("example.com"))(uri("spiffe://corp.example/x")) }, "name-constraint"},
		{"URI without a host", "", func() chainOf { return mid(permittedURI("example.com"))(uri("urn:a:b")) }, "name-constraint"},
		{"directory name permitted", "", func() chainOf { return mid(subtreesOf(0, directory("foo")))(cn("foo")) }, "w:unknown-critical-extension"},
		{"directory name not permitted", "", func() chainOf { return mid(subtreesOf(0, directory("foo")))(cn("bar")) }, "name-constraint w:unknown-critical-extension"},
		{"directory name excluded", "", func() chainOf { return mid(subtreesOf(1, directory("foo")))(cn("foo")) }, "name-constraint w:unknown-critical-extension"},
		{"a kind nobody knows, and no such name", "", func() chainOf { return mid(subtreesOf(1, otherName))() }, "w:unknown-critical-extension"},
		{"a kind nobody knows, and such a name", "", func() chainOf {
			return mid(subtreesOf(1, otherName))(noNames, extraExtension(oidSubjectAltName, false, seq(general(2, false, []byte("example.com")), otherName)))
		}, "name-constraint w:unknown-critical-extension"},
		{"constraints on a leaf", "", func() chainOf {
			r := root()
			return direct(r, end(r, extraExtension(oidNameConstraints, true, seq(general(0, true, seq(general(2, false, []byte("example.com"))))))))
		}, "name-constraint"},
		{"a CN that is not permitted", "", func() chainOf {
			return mid(permitted("corp.example"))(noNames, ips("192.0.2.1"), subject("example.com"))
		}, "cn-only w:name-constraint"},
		{"an intermediate's own name is not permitted", "", func() chainOf {
			r := root(permitted("example.com"))
			i := inter(r, dns("ca.corp.example"))
			return chainOf{end(i), []*entity{i}, []*entity{r}}
		}, "name-constraint"},
		{"a self-issued intermediate is exempt", "", func() chainOf {
			r := root(permitted("example.com"))
			i := sign(r, "chain-inter", subject("chain root"), ca, dns("ca.corp.example"))
			return chainOf{end(i), []*entity{i}, []*entity{r}}
		}, "w:name-constraint"},
		{"a lower CA cannot widen", "foo.example.com", func() chainOf {
			r := root()
			a := sign(r, "nc-a", subject("A"), ca, permitted("bar.example.com"))
			b := sign(a, "nc-b", subject("B"), ca, permitted("foo.example.com", "bar.example.com"))
			return chainOf{end(b, onlyNames("foo.example.com")), []*entity{a, b}, []*entity{r}}
		}, "name-constraint"},
		{"another way without the constraint", "", func() chainOf {
			r1, r2 := root(), sign(nil, "chain-root2", subject("chain root 2"), ca)
			narrow := sign(r1, "nc-narrow", subject("narrow"), ca, permitted("corp.example"))
			i1, i2 := inter(narrow), inter(r2)
			return chainOf{end(i1), []*entity{narrow, i1, i2}, []*entity{r1, r2}}
		}, ""},
	}
}

func chainShapes() []chainCase {
	ladder := func(n int) chainOf {
		r := root()
		w := chainOf{root: []*entity{r}}
		last := r
		for i := range n {
			last = sign(last, "rung"+string(rune('a'+i)), subject("rung "+string(rune('a'+i))), ca)
			w.between = append(w.between, last)
		}
		w.leaf = end(last)
		return w
	}
	return []chainCase{
		{"path length 0, a leaf below", "", func() chainOf { r := root(pathLen(0)); return direct(r, end(r)) }, ""},
		{"path length 0, a CA below", "", func() chainOf {
			r := root()
			a := sign(r, "len-a", subject("A"), ca, pathLen(0))
			b := sign(a, "len-b", subject("B"), ca, pathLen(0))
			return chainOf{end(b), []*entity{a, b}, []*entity{r}}
		}, "pathlen-exceeded"},
		{"path length 0, a CA as the leaf", "", func() chainOf {
			r := root()
			a := sign(r, "len-a", subject("A"), ca, pathLen(0))
			b := sign(a, "len-b", subject("B"), ca, pathLen(0), dns("example.com"))
			return chainOf{b, []*entity{a}, []*entity{r}}
		}, "w:eku-missing w:key-usage-unsuitable w:leaf-is-ca w:validity-too-long"},
		{"path length may grow", "", func() chainOf {
			r := root()
			a := sign(r, "len-a", subject("A"), ca, pathLen(1))
			b := sign(a, "len-b", subject("B"), ca, pathLen(2))
			return chainOf{end(b), []*entity{a, b}, []*entity{r}}
		}, ""},
		{"self-issued certificates do not count", "", func() chainOf {
			r := root()
			a := sign(r, "len-a", subject("A"), ca, pathLen(1))
			self := sign(a, "len-a2", subject("A"), ca, pathLen(1))
			b := sign(self, "len-b", subject("B"), ca, pathLen(0))
			return chainOf{end(b), []*entity{a, self, b}, []*entity{r}}
		}, "w:pathlen-exceeded"},
		{"an expired way and a good one", "", func() chainOf {
			r1, r2 := root(), sign(nil, "chain-root2", subject("chain root 2"), ca)
			cross := sign(r2, "chain-root", subject("chain root"), ca, dates(-2*year, -year))
			return chainOf{end(r1), []*entity{cross}, []*entity{r1, r2}}
		}, ""},
		{"CAs that sign each other, no root", "", func() chainOf {
			r := root()
			a, b := sign(nil, "cyc-a", subject("cycle A"), ca), sign(nil, "cyc-b", subject("cycle B"), ca)
			ab, ba := sign(b, "cyc-a", subject("cycle A"), ca), sign(a, "cyc-b", subject("cycle B"), ca)
			return chainOf{end(ab), []*entity{ab, ba}, []*entity{r}}
		}, "missing-intermediate"},
		{"a mesh of three CAs and a root", "", func() chainOf {
			names := []string{"mesh A", "mesh B", "mesh C"}
			var all []*entity
			for i, n := range names {
				for k, o := range names {
					if i != k {
						all = append(all, sign(sign(nil, o, subject(o), ca), n, subject(n), ca))
					}
				}
			}
			r := sign(nil, "mesh A", subject("mesh A"), ca)
			low := sign(r, "mesh-low", subject("low"), ca)
			return chainOf{end(low), append(all, low), []*entity{r}}
		}, ""},
		{"eight intermediates", "", func() chainOf { return ladder(8) }, ""},
		{"fourteen intermediates", "", func() chainOf { return ladder(14) }, "chain-too-long"},
	}
}

// dsaKey puts a DSA key (with parameters far too small to be used) into a certificate.
func dsaKey(t *tbs) {
	params := must(asn1.Marshal(struct{ P, Q, G *big.Int }{big.NewInt(23), big.NewInt(11), big.NewInt(4)}))
	y := must(asn1.Marshal(big.NewInt(8)))
	t.SPKI.FullBytes = must(asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}, Parameters: asn1.RawValue{FullBytes: params}}, asn1.BitString{Bytes: y, BitLength: len(y) * 8}}))
}

func TestChainUpsideDown(t *testing.T) {
	r := root()
	i := inter(r)
	compare(t, Chain(ChainInput{Leaf: doc("l", i, end(i)), Anchors: doc("r", r), ServerName: "example.com", Usage: topology.ServerAuth, At: clock}), "wrong-order")
}

// What is missing or no certificate at all is said, and nothing more.
func TestChainWithoutMaterial(t *testing.T) {
	r := root()
	for _, c := range []struct {
		name string
		in   ChainInput
		want string
	}{
		{"nothing", ChainInput{}, ""},
		{"no anchors", ChainInput{Leaf: doc("l", end(r))}, ""},
		{"a key as the leaf", ChainInput{Leaf: doc("l", key("x")), Anchors: doc("r", r)}, "key-in-cert-slot"},
		{"a key as the anchor", ChainInput{Leaf: doc("l", end(r)), Anchors: doc("r", key("x"))}, "key-in-cert-slot"},
		{"an empty file of intermediates", ChainInput{Leaf: doc("l", end(r)), Intermediates: doc("i", ""), Anchors: doc("r", r)}, "empty-file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.At = clock
			compare(t, Chain(c.in), c.want)
		})
	}
}

// Parts of a second are dropped: certificates know whole seconds.
func TestChainCountsWholeSeconds(t *testing.T) {
	r := root(dates(-year, 0))
	in := ChainInput{Leaf: doc("l", end(r, dates(-year, 0))), Anchors: doc("r", r), At: clock.Add(5 * time.Millisecond)}
	if got := Chain(in); !OK(got) {
		t.Errorf("5 ms after notAfter: %v", codes(got))
	}
	r = root(dates(0, year))
	in = ChainInput{Leaf: doc("l", end(r, dates(0, year))), Anchors: doc("r", r), At: clock.Add(-time.Millisecond)}
	if got := Chain(in); OK(got) {
		t.Error("1 ms before notBefore was accepted")
	}
}
