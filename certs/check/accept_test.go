package check

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// What real components accept: no case here may bring an error.
func TestAcceptable(t *testing.T) {
	cases := []slotCase{
		{"everything as certwright makes it", "etcd/server", func(p *pki) files { return p.with(p.etcd, p.etcdServer()) }, ""},
		{"only the required names", "etcd/server", func(p *pki) files {
			return p.with(p.etcd, p.etcdServer(onlyNames("etcd-0.example.com", "etcd-1.example.com")))
		}, "i:san-missing"},
		{"server auth alone on etcd's server", "etcd/server", func(p *pki) files { return p.with(p.etcd, p.etcdServer(eku(server))) }, "w:eku-missing-client-auth"},
		{"names in other case", "etcd/server", func(p *pki) files {
			return p.with(p.etcd, p.etcdServer(onlyNames("ETCD-0.Example.com", "etcd-1.EXAMPLE.com", "localhost")))
		}, ""},
		{"a wildcard for exactly one label", "etcd/server", func(p *pki) files {
			return p.with(p.etcd, p.etcdServer(onlyNames("*.example.com", "localhost")))
		}, ""},
		{"more names than needed, IPv6 among them", "etcd/server", func(p *pki) files {
			return p.with(p.etcd, p.etcdServer(dns("a.b.c"), ips("::1", "fd00::20", "127.0.0.1")))
		}, ""},
		{"an IPv4-mapped address", "kube/apiserver", func(p *pki) files {
			return p.with(p.kube, p.apiserver(func(t *x509.Certificate) { t.IPAddresses[0] = t.IPAddresses[0].To16() }))
		}, ""},
		{"no extended key usage", "etcd/server", func(p *pki) files { return p.with(p.etcd, p.etcdServer(eku())) }, "w:eku-missing"},
		{"any extended key usage", "etcd/server", func(p *pki) files { return p.with(p.etcd, p.etcdServer(eku(anyUse))) }, "w:eku-any"},
		{"any beside the right ones", "etcd/server", func(p *pki) files { return p.with(p.etcd, p.etcdServer(eku(anyUse, server, client))) }, ""},
		{"no key usage", "etcd/server", func(p *pki) files { return p.with(p.etcd, p.etcdServer(ku(0))) }, ""},
		{"Tectonic's keyEncipherment alone, RSA", "etcd/server", func(p *pki) files {
			return p.with(p.etcd, sign(p.etcd, "rsa:etcd", subject("etcd"), dns("etcd-0.example.com", "etcd-1.example.com", "localhost"), eku(server, client), ku(encKU)))
		}, "w:key-usage-digital-signature"},
		{"RSA with digitalSignature alone", "etcd/server", func(p *pki) files {
			return p.with(p.etcd, sign(p.etcd, "rsa:etcd", subject("etcd"), dns("etcd-0.example.com", "etcd-1.example.com", "localhost"), eku(server, client), ku(sigKU)))
		}, "i:key-usage-key-encipherment"},
		{"RSA with both usages", "etcd/server", func(p *pki) files {
			return p.with(p.etcd, sign(p.etcd, "rsa:etcd", subject("etcd"), dns("etcd-0.example.com", "etcd-1.example.com", "localhost"), eku(server, client), ku(sigKU|encKU)))
		}, ""},
		{"P-384", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, sign(p.ingress, "p384:web", subject("x"), dns("demo.example.com"), eku(server)))
		}, ""},
		{"P-521", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, sign(p.ingress, "p521:web", subject("x"), dns("demo.example.com"), eku(server)))
		}, ""},
		{"Ed25519", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, sign(p.ingress, "ed25519:web", subject("x"), dns("demo.example.com"), eku(server)))
		}, "w:unsupported-key-algorithm"},
		{"RSA-PSS signature", "ingress/server", func(p *pki) files {
			ca := sign(nil, "rsa:ca", subject("rsa CA"), ca)
			return p.with(ca, p.web(ca, func(t *x509.Certificate) { t.SignatureAlgorithm = x509.SHA256WithRSAPSS }))
		}, ""},
		{"SHA-1 on the root's own signature", "ingress/server", func(p *pki) files {
			root := remade(sign(nil, "rsa:ca", subject("old root"), ca), sha1Signed)
			return p.with(root, p.web(root))
		}, "w:weak-signature"},
		{"no subject on a server", "ingress/server", func(p *pki) files { return p.with(p.ingress, p.web(p.ingress, subject(""))) }, ""},
		{"a client without any name", "etcd/client", func(p *pki) files { return p.with(p.etcd, p.etcdClient()) }, ""},
		{"a client with server auth too", "etcd/client", func(p *pki) files { return p.with(p.etcd, p.etcdClient(eku(client, server))) }, ""},
		{"PKCS#1 key", "ingress/server", func(p *pki) files {
			leaf := sign(p.ingress, "rsa:web", subject("x"), dns("demo.example.com"), eku(server), ku(sigKU|encKU))
			f := p.with(p.ingress, leaf)
			f.key = doc("key.pem", &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(leaf.key.(*rsa.PrivateKey))})
			return f
		}, ""},
		{"SEC 1 key behind EC PARAMETERS", "ingress/server", func(p *pki) files {
			leaf := p.web(p.ingress)
			f := p.with(p.ingress, leaf)
			f.key = doc("key.pem", "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n",
				&pem.Block{Type: "EC PRIVATE KEY", Bytes: must(x509.MarshalECPrivateKey(leaf.key.(*ecdsa.PrivateKey)))})
			return f
		}, ""},
		{"CRLF, and text before the block", "ingress/server", func(p *pki) files {
			leaf := p.web(p.ingress)
			f := p.with(p.ingress, leaf)
			f.cert = doc("cert.pem", bytes.ReplaceAll(pemOf("Certificate:\n    Data:\n", leaf, "\n\n"), []byte("\n"), []byte("\r\n")))
			return f
		}, ""},
		{"key and certificate in one file", "ingress/server", func(p *pki) files {
			leaf := p.web(p.ingress)
			both := doc("both.pem", leaf, leaf.key)
			return files{cert: both, key: both, ca: doc("ca.pem", p.ingress)}
		}, ""},
		{"an encrypted key beside the certificate, the key itself in its own file", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			b := &pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00112233445566778899AABBCCDDEEFF"}, Bytes: make([]byte, 128)}
			f.cert = doc("cert.pem", &pem.Block{Type: "CERTIFICATE", Bytes: f.cert.X509()[0].Raw}, b)
			return f
		}, ""},
		{"key before the certificate in one file, no key file", "ingress/server", func(p *pki) files {
			leaf := p.web(p.ingress)
			return files{cert: doc("both.pem", leaf.key, leaf), ca: doc("ca.pem", p.ingress)}
		}, ""},
		{"a chain through an intermediate", "ingress/server", func(p *pki) files { return p.with(p.root, p.web(p.inter), p.inter) }, ""},
		{"an intermediate as the only anchor", "ingress/server", func(p *pki) files { return p.with(p.inter, p.web(p.inter)) }, ""},
		{"the intermediate in the CA file", "ingress/server", func(p *pki) files {
			f := p.with(p.root, p.web(p.inter))
			f.ca = doc("ca.pem", p.root, p.inter)
			return f
		}, ""},
		{"several CAs in the CA file, in any order", "etcd/server", func(p *pki) files {
			f := p.with(p.etcd, p.etcdServer())
			f.ca = doc("ca.pem", p.otherRoot, p.kube, p.etcd, p.root)
			return f
		}, ""},
		{"two CAs of one name, the second is the issuer", "etcd/server", func(p *pki) files {
			f := p.with(p.etcd, p.etcdServer())
			f.ca = doc("ca.pem", p.otherEtcd, p.etcd)
			return f
		}, ""},
		{"a CA renewed with its key", "etcd/server", func(p *pki) files {
			f := p.with(p.etcd, p.etcdServer())
			f.ca = doc("ca.pem", sign(nil, "etcd-ca", subject("etcd-ca", "etcd"), ca))
			return f
		}, ""},
		{"an expired CA beside the renewed one", "etcd/server", func(p *pki) files {
			f := p.with(p.etcd, p.etcdServer())
			f.ca = doc("ca.pem", sign(nil, "etcd-ca", subject("etcd-ca", "etcd"), ca, dates(-10*year, -year)), p.etcd)
			return f
		}, "w:ca-expired"},
		{"an expired stranger in the CA file", "etcd/server", func(p *pki) files {
			f := p.with(p.etcd, p.etcdServer())
			f.ca = doc("ca.pem", p.etcd, sign(nil, "corp", subject("Corp"), ca, dates(-10*year, -year)))
			return f
		}, "w:ca-expired"},
		{"a cross-signature, one way expired", "ingress/server", func(p *pki) files {
			dead := sign(nil, "dead", subject("dead root"), ca, dates(-10*year, -year))
			cross := sign(dead, "inter", subject("demo intermediate CA", "acme"), ca)
			f := p.with(p.root, p.web(p.inter), cross, p.inter)
			f.ca = doc("ca.pem", dead, p.root)
			return f
		}, "w:ca-expired"},
		{"mutual cross-signatures", "ingress/server", func(p *pki) files {
			a, b := sign(nil, "a", subject("A"), ca), sign(nil, "b", subject("B"), ca)
			ab, ba := sign(b, "a", subject("A"), ca), sign(a, "b", subject("B"), ca)
			return p.with(b, p.web(a), ab, ba)
		}, ""},
		{"the root sent along", "ingress/server", func(p *pki) files { return p.with(p.root, p.web(p.inter), p.inter, p.root) }, "w:root-included"},
		{"intermediates out of order", "ingress/server", func(p *pki) files {
			low := sign(p.inter, "low", subject("low CA"), ca)
			return p.with(p.root, p.web(low), p.inter, low)
		}, "w:wrong-order"},
		{"the same intermediate twice", "ingress/server", func(p *pki) files { return p.with(p.root, p.web(p.inter), p.inter, p.inter) }, "w:duplicate-in-bundle"},
		{"a stranger in the chain", "ingress/server", func(p *pki) files {
			return p.with(p.root, p.web(p.inter), p.inter, sign(p.otherRoot, "stranger", subject("stranger CA"), ca))
		}, "w:extraneous-certificate"},
		{"new leaf first, the old one behind it", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, p.web(p.ingress), sign(p.ingress, "old-web", subject("old"), dns("demo.example.com"), eku(server)))
		}, "w:multiple-leaves"},
		{"two keys, the first is right", "ingress/server", func(p *pki) files {
			leaf := p.web(p.ingress)
			f := p.with(p.ingress, leaf)
			f.key = doc("key.pem", leaf.key, key("another"))
			return f
		}, "w:multiple-keys"},
		{"a leaf that signed itself, given as its own CA (Calico's API server)", "ingress/server", func(p *pki) files {
			self := sign(nil, "rsa:self", subject(""), dns("demo.example.com"), func(t *x509.Certificate) { t.IsCA = true })
			return p.with(self, self)
		}, "w:eku-missing"},
		{"the same with CA:FALSE", "ingress/server", func(p *pki) files {
			self := sign(nil, "self", subject("demo"), dns("demo.example.com"), eku(server))
			return p.with(self, self)
		}, ""},
		{"a client that signed itself, given as its own CA", "typha/client", func(p *pki) files {
			self := sign(nil, "self", subject("typha-client"), func(t *x509.Certificate) { t.IsCA = true })
			return p.with(self, self)
		}, "w:eku-missing"},
		{"X.509 version 1, Calico's documented recipe", "typha/server", func(p *pki) files {
			leaf := remade(sign(p.otherRoot, "typha", subject("typha-server")), v1)
			return p.with(p.otherRoot, leaf)
		}, "w:x509-v1"},
		{"an X.509 version 1 root", "ingress/server", func(p *pki) files {
			root := remade(sign(nil, "old-root", subject("v1 root")), v1)
			return p.with(root, p.web(root))
		}, "w:x509-v1"},
		{"a CA without key usage", "ingress/server", func(p *pki) files {
			root := sign(nil, "plain-root", subject("plain root"), ca, ku(0))
			return p.with(root, p.web(root))
		}, ""},
		{"CA:TRUE on a leaf", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, p.web(p.ingress, func(t *x509.Certificate) { t.IsCA = true }))
		}, "w:leaf-is-ca"},
		{"no basic constraints on a leaf", "ingress/server", func(p *pki) files { return p.with(p.ingress, p.web(p.ingress, noBasic)) }, ""},
		{"a CA with EKU that has the use", "ingress/server", func(p *pki) files {
			root := sign(nil, "eku-root", subject("eku root"), ca, eku(server))
			return p.with(root, p.web(root))
		}, ""},
		{"path length 0 above a leaf", "ingress/server", func(p *pki) files {
			root := sign(nil, "len0", subject("len0"), ca, pathLen(0))
			return p.with(root, p.web(root))
		}, ""},
		{"name constraints that permit", "ingress/server", func(p *pki) files {
			root := sign(nil, "nc", subject("nc"), ca, func(t *x509.Certificate) { t.PermittedDNSDomains = []string{"example.com"} })
			return p.with(root, p.web(root))
		}, ""},
		{"an unknown extension that is not critical", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, p.web(p.ingress, extraExtension([]int{1, 2, 3, 4}, false, []byte{5, 0})))
		}, ""},
		{"the key identifier does not fit", "ingress/server", func(p *pki) files {
			other := *p.ingress.cert
			other.SubjectKeyId = []byte{1, 2, 3}
			return p.with(p.ingress, p.web(&entity{cert: &other, key: p.ingress.key}))
		}, "w:aki-mismatch"},
		{"leaf and CA share a serial number", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, remade(p.web(p.ingress), func(t *tbs) { t.Serial = p.ingress.cert.SerialNumber }))
		}, "w:duplicate-serial"},
		{"leaf and CA share a subject", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, p.web(p.ingress, subject("ingress-ca", "tectonic")))
		}, "w:same-subject-as-ca"},
		{"the leaf outlives its CA", "ingress/server", func(p *pki) files {
			root := sign(nil, "short", subject("short"), ca, dates(-year, year/2))
			return p.with(root, p.web(root))
		}, "w:ca-expires-before-leaf"},
		{"leaf and CA made for as many days, one after the other", "ingress/server", func(p *pki) files {
			root := sign(nil, "sitting", subject("sitting"), ca, dates(-time.Hour, year))
			return p.with(root, p.web(root, dates(-time.Hour, year+10*time.Minute)))
		}, ""},
		{"valid to this very second", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, p.web(p.ingress, dates(-year, 0)))
		}, "w:expires-soon"},
		{"valid from this very second", "ingress/server", func(p *pki) files { return p.with(p.ingress, p.web(p.ingress, dates(0, year))) }, ""},
		{"ten days left", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, p.web(p.ingress, dates(-300*24*time.Hour, 10*24*time.Hour)))
		}, "w:expires-soon"},
		{"five years", "ingress/server", func(p *pki) files { return p.with(p.ingress, p.web(p.ingress, dates(-time.Hour, 5*year))) }, "w:validity-too-long"},
		{"a client of five years", "etcd/client", func(p *pki) files { return p.with(p.etcd, p.etcdClient(dates(-time.Hour, 5*year))) }, ""},
		{"serial number 0", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, remade(p.web(p.ingress), func(t *tbs) { t.Serial = big.NewInt(0) }))
		}, "w:zero-serial"},
		{"serial number of 21 octets", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, remade(p.web(p.ingress), func(t *tbs) { t.Serial = new(big.Int).Lsh(big.NewInt(1), 161) }))
		}, "w:long-serial"},
		{"Typha: the CN fits", "typha/client", func(p *pki) files { return p.with(p.otherRoot, p.typha()) }, ""},
		{"Typha: the URI fits, the CN does not", "typha/client", func(p *pki) files {
			return p.with(p.otherRoot, p.typha(subject("somebody"), uri("spiffe://example.com/felix")))
		}, ""},
		{"Typha: the second URI fits", "typha/spiffe", func(p *pki) files {
			return p.with(p.otherRoot, p.typha(uri("spiffe://example.com/other"), uri("spiffe://example.com/felix")))
		}, "w:multiple-uri-san"},
		{"Typha: a URI that is no SPIFFE ID beside a CN that fits", "typha/client", func(p *pki) files {
			return p.with(p.otherRoot, p.typha(uri("spiffe://example.com:80/felix")))
		}, "w:spiffe-malformed"},
		{"admin in the other group", "kube/admin", func(p *pki) files { return p.with(p.kube, p.kubelet(subject("me", "kubeadm:cluster-admins"))) }, ""},
		{"admin in more groups", "kube/admin", func(p *pki) files { return p.with(p.kube, p.kubelet(subject("me", "a", "system:masters", "b"))) }, ""},
		{"kubelet-client without group, bound by name", "kube/apiserver-kubelet-client", func(p *pki) files { return p.with(p.kube, p.kubelet(subject("kube-apiserver-kubelet-client"))) }, "w:subject-org"},
		{"front-proxy client of another name", "front-proxy/client", func(p *pki) files { return p.with(p.kube, p.kubelet(subject("aggregator"))) }, "w:subject-cn"},
		{"a Teletex subject", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, remade(p.web(p.ingress), func(t *tbs) { t.Subject = nameOf(20, "M\xfcller") }))
		}, ""},
		{"a UTF-8 subject", "ingress/server", func(p *pki) files { return p.with(p.ingress, p.web(p.ingress, subject("Größe 测试"))) }, ""},
		{"etcd peers by DNS alone", "etcd/peer", func(p *pki) files { return p.with(p.etcd, p.etcdServer()) }, "w:etcd-peer-san"},
		{"a malformed name beside the right ones", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, p.web(p.ingress, dns("https://other.example.com")))
		}, "w:malformed-san"},
		{"an address as DNS name and as IP", "kube/apiserver", func(p *pki) files { return p.with(p.kube, p.apiserver(dns("10.3.0.1"))) }, ""},
		{"small exponent", "ingress/server", func(p *pki) files {
			leaf := sign(p.ingress, "rsa:web", subject("x"), dns("demo.example.com"), eku(server), ku(sigKU|encKU))
			e3 := remade(leaf, func(t *tbs) {
				t.SPKI.FullBytes = must(x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: leaf.key.Public().(*rsa.PublicKey).N, E: 3}))
			})
			return files{cert: doc("c", e3), ca: doc("ca.pem", p.ingress)}
		}, "w:rsa-exponent"},
		{"a key that others can read", "ingress/server", func(p *pki) files {
			leaf := p.web(p.ingress)
			f := p.with(p.ingress, leaf)
			f.key.Mode = 0o644
			return f
		}, "w:key-permissions"},
		{"no CA given, no key given", "ingress/server", func(p *pki) files { return files{cert: doc("c", p.web(p.ingress))} }, ""},
		{"CA slot: a root", "etcd/ca", func(p *pki) files { return files{cert: doc("ca.pem", p.etcd), key: doc("ca.key", p.etcd.key)} }, ""},
		{"CA slot: an intermediate and its root", "etcd/ca", func(p *pki) files {
			return files{cert: doc("ca.pem", p.inter, p.root), key: doc("ca.key", p.inter.key)}
		}, ""},
		{"CA slot: without key", "etcd/ca", func(p *pki) files { return files{cert: doc("ca.pem", p.inter)} }, ""},
		{"CA slot: another CA in the file", "etcd/ca", func(p *pki) files { return files{cert: doc("ca.pem", p.etcd, p.otherRoot)} }, ""},
		{"CA slot: path length 0", "etcd/ca", func(p *pki) files {
			c := sign(p.root, "len0", subject("len0"), ca, pathLen(0))
			return files{cert: doc("ca.pem", c), key: doc("k", c.key)}
		}, ""},
		{"service accounts: a pair", "kube/service-account", func(p *pki) files {
			return files{cert: doc("sa.pub", publicBlock(key("rsa:sa"))), key: doc("sa.key", key("rsa:sa"))}
		}, ""},
		{"service accounts: EC", "kube/service-account", func(p *pki) files {
			return files{cert: doc("sa.pub", publicBlock(key("sa"))), key: doc("sa.key", key("sa"))}
		}, ""},
		{"DER, written anew", "ingress/server", func(p *pki) files {
			leaf := p.web(p.ingress)
			f := p.with(p.ingress, leaf)
			f.cert, f.rewritten = doc("cert.der", leaf.cert.Raw), true
			return f
		}, "i:der-not-pem"},
		{"CA and key in one file, written anew", "etcd/ca", func(p *pki) files {
			both := doc("ca.pem", p.etcd, p.etcd.key)
			return files{cert: both, key: both, rewritten: true}
		}, "i:key-in-ca-file"},
	}
	runSlotCases(t, cases)
	for _, c := range cases {
		for code := range strings.FieldsSeq(c.want) {
			if !strings.Contains(code, ":") {
				t.Errorf("%s: an acceptable case may not want the error %s", c.name, code)
			}
		}
	}
	if len(cases) < 70 {
		t.Errorf("only %d acceptable cases", len(cases))
	}
}

func publicBlock(k crypto.Signer) *pem.Block {
	return &pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(k.Public()))}
}

// A heap of strangers behind the leaf is one mistake, and told as one.
func TestHeapOfStrangers(t *testing.T) {
	p := newPKI(t)
	leaf := p.web(p.ingress)
	parts := []any{leaf}
	for range 2000 {
		parts = append(parts, block(remake(p.otherRoot, func(t *tbs) { t.Serial, t.Issuer = big.NewInt(serial), nameOf(12, "nobody"); serial++ })))
	}
	got := Slot(SlotInput{Slot: p.t.Slot("ingress/server"), Topology: p.t, Cert: doc("c", parts...), Key: doc("k", leaf.key), CA: doc("ca", p.ingress), Now: clock})
	if len(got) != maxAlike || got[0].Rule != "extraneous-certificate" || !strings.HasSuffix(got[maxAlike-1].Message, "; and 1992 more of the kind") {
		t.Errorf("got %d findings: %+v", len(got), got)
	}
}

// A thousand CAs of one name are an attack or a heap; they end soon, and the
// right one is found where its key identifier tells.
func TestThousandCAs(t *testing.T) {
	p := newPKI(t)
	parts := []any{}
	for range 1000 {
		parts = append(parts, remade(p.otherEtcd, func(t *tbs) { t.Serial = big.NewInt(serial); serial++ }))
	}
	f := p.with(p.etcd, p.etcdServer())
	f.ca = doc("ca.pem", append(parts, p.etcd)...)
	got := Slot(SlotInput{Slot: p.t.Slot("etcd/server"), Topology: p.t, Cert: f.cert, Key: f.key, CA: f.ca, Now: clock})
	compare(t, got, "")
	f.ca = doc("ca.pem", parts...)
	got = Slot(SlotInput{Slot: p.t.Slot("etcd/server"), Topology: p.t, Cert: f.cert, Key: f.key, CA: f.ca, Now: clock})
	compare(t, got, "chain-too-long")
}
