package check

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"

	"certwright/certs/topology"
)

// One defect each: the rule that names it, and nothing that only follows.
func TestContainers(t *testing.T) {
	text := func(change func(string) string) func(*pki) files {
		return func(p *pki) files {
			leaf := p.web(p.ingress)
			f := p.with(p.ingress, leaf)
			f.cert = doc("cert.pem", change(string(pemOf(leaf))))
			return f
		}
	}
	runSlotCases(t, []slotCase{
		{"empty", "ingress/server", text(func(string) string { return "" }), "empty-file"},
		{"no PEM", "ingress/server", text(func(string) string { return "hello world\n" }), "no-pem-block"},
		{"HTML", "ingress/server", text(func(string) string { return "<!DOCTYPE html><html><body>login</body></html>\n" }), "html-not-pem"},
		{"END line lost", "ingress/server", text(func(s string) string { return strings.Replace(s, "-----END CERTIFICATE-----\n", "", 1) }), "truncated-pem"},
		{"illegal character", "ingress/server", text(func(s string) string { return strings.Replace(s, "M", "!", 1) }), "bad-base64"},
		{"byte order mark", "ingress/server", text(func(s string) string { return "\xef\xbb\xbf" + s }), "utf8-bom"},
		{"indented", "ingress/server", text(func(s string) string { return "    " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ") + "\n" }), "indented-pem"},
		{"one line", "ingress/server", text(func(s string) string { return strings.ReplaceAll(s, "\n", " ") }), "one-line-pem"},
		{"escaped", "ingress/server", text(func(s string) string { return strings.ReplaceAll(s, "\n", `\n`) }), "escaped-newlines"},
		{"typographic dashes", "ingress/server", text(func(s string) string { return strings.ReplaceAll(s, "-----", "—————") }), "unicode-dashes"},
		{"base64 of PEM", "ingress/server", text(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }), "base64-of-pem"},
		{"TRUSTED CERTIFICATE", "ingress/server", text(func(s string) string { return strings.ReplaceAll(s, " CERT", " TRUSTED CERT") }), "trusted-certificate"},
		{"X509 CERTIFICATE", "ingress/server", text(func(s string) string { return strings.ReplaceAll(s, " CERT", " X509 CERT") }), "x509-label"},
		{"DER", "ingress/server", func(p *pki) files {
			leaf := p.web(p.ingress)
			f := p.with(p.ingress, leaf)
			f.cert = doc("cert.der", leaf.cert.Raw)
			return f
		}, "der-not-pem"},
		{"headers in a CA file", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.ca = doc("ca.pem", &pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"Subject": "x"}, Bytes: p.ingress.cert.Raw})
			return f
		}, "pem-headers"},
		{"headers in the server's own file", "ingress/server", func(p *pki) files {
			leaf := p.web(p.ingress)
			f := p.with(p.ingress, leaf)
			f.cert = doc("cert.pem", &pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"Subject": "x"}, Bytes: leaf.cert.Raw})
			return f
		}, "w:pem-headers"},
		{"certificates run together", "ingress/server", func(p *pki) files {
			leaf := p.web(p.inter)
			f := p.with(p.root, leaf)
			f.cert = doc("cert.pem", bytes.TrimSpace(pemOf(leaf)), pemOf(p.inter))
			return f
		}, "blocks-run-together"},
		{"certificate and key exchanged", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.cert, f.key = f.key, f.cert
			return f
		}, "swapped-cert-and-key"},
		{"the key twice", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.cert = f.key
			return f
		}, "key-in-cert-slot"},
		{"the certificate twice", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.key = f.cert
			return f
		}, "cert-in-key-slot"},
		{"the CA's key as CA", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.ca = doc("ca.pem", p.ingress.key)
			return f
		}, "key-in-cert-slot"},
		{"a request", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.cert = doc("csr.pem", requestBlock("web"))
			return f
		}, "csr-not-certificate"},
		{"a request where the key is due", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.key = doc("csr.pem", requestBlock("web"))
			return f
		}, "wrong-block-type"},
		{"a public key as certificate", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.cert = doc("pub.pem", publicBlock(key("ingress")))
			return f
		}, "public-key"},
		{"a public key as key", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.key = doc("pub.pem", publicBlock(key("ingress")))
			return f
		}, "public-key"},
		{"a revocation list as CA", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			crl := must(x509.CreateRevocationList(nil, &x509.RevocationList{Number: p.root.cert.SerialNumber, ThisUpdate: clock, NextUpdate: clock.Add(year)}, p.ingress.cert, p.ingress.key))
			f.ca = doc("ca.crl", &pem.Block{Type: "X509 CRL", Bytes: crl})
			return f
		}, "crl-not-certificate"},
		{"another block", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.cert = doc("dh.pem", &pem.Block{Type: "DH PARAMETERS", Bytes: []byte{48, 3, 2, 1, 5}})
			return f
		}, "wrong-block-type"},
		{"EC PARAMETERS alone", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.key = doc("key.pem", "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n")
			return f
		}, "key-missing"},
		{"an encrypted key", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			b := &pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00112233445566778899AABBCCDDEEFF"}, Bytes: make([]byte, 128)}
			f.key = doc("key.pem", b)
			return f
		}, "encrypted-key"},
		{"a key beside the CA", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.ca = doc("ca.pem", p.ingress, p.ingress.key)
			return f
		}, "key-in-ca-file"},
		{"two keys, the second is right", "ingress/server", func(p *pki) files {
			leaf := p.web(p.ingress)
			f := p.with(p.ingress, leaf)
			f.key = doc("key.pem", key("another"), leaf.key)
			return f
		}, "multiple-keys"},
		{"old leaf first, the new one's key", "ingress/server", func(p *pki) files {
			leaf := p.web(p.ingress)
			f := p.with(p.ingress, leaf)
			f.cert = doc("cert.pem", sign(p.ingress, "old-web", subject("old"), dns("demo.example.com"), eku(server)), leaf)
			return f
		}, "multiple-leaves"},
		{"PKCS#8 under RSA PRIVATE KEY", "ingress/server", func(p *pki) files {
			leaf := sign(p.ingress, "rsa:web", subject("x"), dns("demo.example.com"), eku(server), ku(sigKU|encKU))
			f := p.with(p.ingress, leaf)
			f.key = doc("key.pem", &pem.Block{Type: "RSA PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(leaf.key))})
			return f
		}, "w:key-label-mismatch"},
		{"malformed DER in the leaf", "ingress/server", func(p *pki) files {
			leaf := p.web(p.ingress)
			f := p.with(p.ingress, leaf)
			f.cert = doc("cert.pem", block(leaf.cert.Raw[:len(leaf.cert.Raw)-9]))
			return f
		}, "malformed-der"},
		{"malformed DER in the intermediate", "ingress/server", func(p *pki) files {
			leaf := p.web(p.inter)
			f := p.with(p.root, leaf)
			f.cert = doc("cert.pem", leaf, block(p.inter.cert.Raw[:len(p.inter.cert.Raw)-9]))
			return f
		}, "malformed-der"},
		{"negative serial", "ingress/server", func(p *pki) files {
			return files{cert: doc("c", block(remake(p.web(p.ingress), func(t *tbs) { t.Serial.Neg(t.Serial) }))), ca: doc("ca.pem", p.ingress)}
		}, "negative-serial"},
		{"one extension twice", "ingress/server", func(p *pki) files {
			return files{cert: doc("c", block(remake(p.web(p.ingress), func(t *tbs) { t.Extensions = append(t.Extensions, t.Extensions[0]) }))), ca: doc("ca.pem", p.ingress)}
		}, "duplicate-extension"},
		{"bytes after the certificate", "ingress/server", func(p *pki) files {
			leaf := p.web(p.ingress)
			f := p.with(p.ingress, leaf)
			f.cert = doc("c", block(append(slices.Clone(leaf.cert.Raw), 0, 0)))
			return f
		}, "trailing-data"},
	})
}

func requestBlock(name string) *pem.Block {
	return &pem.Block{Type: "CERTIFICATE REQUEST", Bytes: must(x509.CreateCertificateRequest(nil, &x509.CertificateRequest{}, key(name)))}
}

func TestKeysAndTime(t *testing.T) {
	ingress := func(edits ...edit) func(*pki) files {
		return func(p *pki) files { return p.with(p.ingress, p.web(p.ingress, edits...)) }
	}
	ofKey := func(name string) func(*pki) files {
		return func(p *pki) files {
			return p.with(p.ingress, sign(p.ingress, name, subject("x"), dns("demo.example.com"), eku(server), ku(sigKU|encKU)))
		}
	}
	under := func(edits ...edit) func(*pki) files {
		return func(p *pki) files {
			root := sign(nil, "some-ca", slices.Concat([]edit{subject("some CA"), ca}, edits)...)
			return p.with(root, p.web(root))
		}
	}
	runSlotCases(t, []slotCase{
		{"another key of the same kind", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.key = doc("key.pem", key("another"))
			return f
		}, "key-mismatch"},
		{"a key of another kind", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.key = doc("key.pem", key("rsa:another"))
			return f
		}, "key-mismatch"},
		{"the CA's key", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.key = doc("key.pem", p.ingress.key)
			return f
		}, "key-mismatch"},
		{"another key, and expired: both", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress, dates(-year, -time.Hour)))
			f.key = doc("key.pem", key("another"))
			return f
		}, "key-mismatch expired"},
		{"RSA 1024", "ingress/server", ofKey("rsa1024:web"), "weak-key"},
		{"RSA 1024 in the CA", "ingress/server", func(p *pki) files {
			root := sign(nil, "rsa1024:ca", subject("weak CA"), ca)
			return p.with(root, p.web(root))
		}, "weak-key"},
		{"P-224", "ingress/server", ofKey("p224:web"), "unsupported-curve"},
		{"exponent 1", "ingress/server", func(p *pki) files {
			leaf := sign(p.ingress, "rsa:web", subject("x"), dns("demo.example.com"), eku(server), ku(sigKU|encKU))
			bad := remade(leaf, func(t *tbs) {
				t.SPKI.FullBytes = must(x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: leaf.key.Public().(*rsa.PublicKey).N, E: 1}))
			})
			return files{cert: doc("c", bad), ca: doc("ca.pem", p.ingress)}
		}, "rsa-exponent"},
		{"ROCA", "ingress/server", ofModulus(rocaModulus), "broken-key"},
		{"primes that lie close together", "ingress/server", ofModulus(closeModulus), "broken-key"},
		{"a small factor", "ingress/server", ofModulus(smallFactorModulus), "broken-key"},
		{"SHA-1 signature", "ingress/server", func(p *pki) files {
			root := sign(nil, "rsa:ca", subject("rsa CA"), ca)
			return p.with(root, remade(p.web(root), sha1Signed))
		}, "weak-signature"},
		{"SHA-1 signature with ECDSA", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, remade(p.web(p.ingress), func(t *tbs) { t.Algorithm.Algorithm = oidSHA1ECDSA }))
		}, "weak-signature"},
		{"MD5 signature", "ingress/server", func(p *pki) files {
			root := sign(nil, "rsa:ca", subject("rsa CA"), ca)
			return p.with(root, remade(p.web(root), func(t *tbs) { t.Algorithm.Algorithm = oidMD5RSA }))
		}, "weak-signature"},
		{"SHA-1 signature on the intermediate", "ingress/server", func(p *pki) files {
			root := sign(nil, "rsa:ca", subject("rsa CA"), ca)
			inter := remade(sign(root, "inter2", subject("inter2"), ca), sha1Signed)
			return p.with(root, p.web(inter), inter)
		}, "weak-signature"},
		{"expired", "ingress/server", ingress(dates(-year, -time.Second)), "expired"},
		{"not yet valid", "ingress/server", ingress(dates(time.Second, year)), "not-yet-valid"},
		{"ends before it begins", "ingress/server", ingress(dates(year, -year)), "validity-inverted"},
		{"the CA expired", "ingress/server", under(dates(-2*year, -time.Hour)), "ca-expired"},
		{"the CA is not yet valid", "ingress/server", under(dates(time.Hour, 5*year)), "ca-not-yet-valid"},
		{"both expired", "ingress/server", func(p *pki) files {
			root := sign(nil, "some-ca", subject("some CA"), ca, dates(-3*year, -time.Hour))
			return p.with(root, p.web(root, dates(-2*year, -2*time.Hour)))
		}, "ca-expired expired"},
		{"the intermediate expired", "ingress/server", func(p *pki) files {
			inter := sign(p.root, "inter3", subject("inter3"), ca, dates(-2*year, -time.Hour))
			return p.with(p.root, p.web(inter), inter)
		}, "intermediate-expired"},
	})
}

func TestChains(t *testing.T) {
	under := func(edits ...edit) func(*pki) files {
		return func(p *pki) files {
			root := sign(nil, "some-ca", slices.Concat([]edit{subject("some CA"), ca}, edits)...)
			return p.with(root, p.web(root))
		}
	}
	middle := func(edits ...edit) func(*pki) files {
		return func(p *pki) files {
			inter := sign(p.root, "some-inter", slices.Concat([]edit{subject("some intermediate"), ca}, edits)...)
			return p.with(p.root, p.web(inter), inter)
		}
	}
	runSlotCases(t, []slotCase{
		{"a stranger's leaf", "ingress/server", func(p *pki) files { return p.with(p.ingress, p.web(p.otherRoot)) }, "unknown-authority"},
		{"a stranger's leaf with his root", "ingress/server", func(p *pki) files { return p.with(p.ingress, p.web(p.otherRoot), p.otherRoot) }, "unknown-authority w:root-included"},
		{"the CA made anew, same name", "etcd/server", func(p *pki) files { return p.with(p.otherEtcd, p.etcdServer()) }, "wrong-authority"},
		{"another component's CA", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.kube))
			f.others = map[topology.AuthorityID]*x509.Certificate{"kube": p.kube.cert, "etcd": p.etcd.cert}
			return f
		}, "wrong-authority"},
		{"another component's chain, under the same root", "ingress/server", func(p *pki) files {
			mine, other := sign(p.root, "mine", subject("mine"), ca), sign(p.root, "other", subject("other"), ca)
			return p.with(mine, p.web(other), other)
		}, "wrong-authority"},
		{"a stranger whose CA has a like name", "etcd/client", func(p *pki) files {
			return p.with(p.etcd, sign(sign(nil, "other", subject("other-etcd-ca"), ca), "x", subject("x"), eku(client)))
		}, "unknown-authority"},
		{"the authority's CA is missing under a root of our own", "etcd/client", func(p *pki) files {
			ours := sign(nil, "ours", subject("root CA", "test"), ca)
			return p.with(ours, sign(sign(ours, "below", subject("etcd-ca"), ca), "x", subject("x"), eku(client)))
		}, "missing-intermediate"},
		{"a missing CA that is named after the root", "etcd/client", func(p *pki) files {
			return p.with(p.root, sign(sign(p.root, "other", subject("demo etcd CA"), ca), "x", subject("x"), eku(client)))
		}, "missing-intermediate"},
		{"the intermediate is missing", "ingress/server", func(p *pki) files { return p.with(p.root, p.web(p.inter)) }, "missing-intermediate"},
		{"the upper of two intermediates is missing", "ingress/server", func(p *pki) files {
			low := sign(p.inter, "low", subject("low"), ca)
			return p.with(p.root, p.web(low), low)
		}, "missing-intermediate"},
		{"the lower of two intermediates is missing", "ingress/server", func(p *pki) files {
			low := sign(p.inter, "low", subject("low"), ca)
			return p.with(p.root, p.web(low), p.inter)
		}, "missing-intermediate"},
		{"signed itself", "ingress/server", func(p *pki) files { return p.with(p.ingress, p.web(nil)) }, "self-signed-leaf"},
		{"the chain without its leaf", "ingress/server", func(p *pki) files {
			f := p.with(p.root, p.web(p.inter))
			f.cert = doc("chain.pem", p.inter, p.root)
			return f
		}, "leaf-missing"},
		{"the chain without its leaf, no key", "ingress/server", func(p *pki) files {
			return files{cert: doc("chain.pem", p.inter), ca: doc("ca.pem", p.root)}
		}, "leaf-missing"},
		{"the CA itself with its key", "etcd/client", func(p *pki) files { return p.with(p.etcd, p.etcd) }, "leaf-is-ca"},
		{"upside down", "ingress/server", func(p *pki) files {
			leaf := p.web(p.inter)
			f := p.with(p.root, leaf)
			f.cert = doc("c", p.inter, leaf)
			return f
		}, "wrong-order"},
		{"upside down, root first", "ingress/server", func(p *pki) files {
			leaf := p.web(p.inter)
			f := p.with(p.root, leaf)
			f.cert = doc("c", p.root, p.inter, leaf)
			return f
		}, "wrong-order w:root-included w:wrong-order"},
		{"upside down without a key", "ingress/server", func(p *pki) files {
			return files{cert: doc("c", p.inter, p.web(p.inter)), ca: doc("ca.pem", p.root)}
		}, "wrong-order"},
		{"upside down and another's key: both", "ingress/server", func(p *pki) files {
			return files{cert: doc("c", p.inter, p.web(p.inter)), key: doc("k", key("another")), ca: doc("ca.pem", p.root)}
		}, "wrong-order key-mismatch"},
		{"CA:FALSE on the CA", "ingress/server", under(notCA), "not-a-ca"},
		{"no basic constraints on the CA", "ingress/server", under(noBasic), "not-a-ca"},
		{"CA:FALSE on the intermediate", "ingress/server", middle(notCA), "not-a-ca"},
		{"a leaf signed it", "ingress/server", func(p *pki) files {
			leaf := p.etcdServer()
			return p.with(p.etcd, p.web(leaf), leaf)
		}, "issuer-not-a-ca"},
		{"the CA lacks keyCertSign", "ingress/server", under(ku(x509.KeyUsageCRLSign)), "ca-missing-key-cert-sign"},
		{"the intermediate lacks keyCertSign", "ingress/server", middle(ku(sigKU)), "ca-missing-key-cert-sign"},
		{"path length exceeded", "ingress/server", func(p *pki) files {
			root := sign(nil, "len0", subject("len0"), ca, pathLen(0))
			inter := sign(root, "below", subject("below"), ca)
			return p.with(root, p.web(inter), inter)
		}, "pathlen-exceeded"},
		{"the CA's EKU lacks the use", "ingress/server", under(eku(client)), "issuer-eku"},
		{"the intermediate's EKU lacks the use", "ingress/server", middle(eku(client)), "issuer-eku"},
		{"name constraint", "ingress/server", under(func(t *x509.Certificate) { t.PermittedDNSDomains = []string{"corp.example"} }), "name-constraint"},
		{"excluded name", "ingress/server", under(func(t *x509.Certificate) { t.ExcludedDNSDomains = []string{"example.com"} }), "name-constraint"},
		{"name constraint on addresses", "kube/apiserver", func(p *pki) files {
			root := sign(nil, "some-ca", subject("some CA"), ca, permitIP("192.168.0.0/16"))
			f := p.with(root, sign(root, "apiserver", subject("a"), eku(server, client), ips("10.3.0.1"), dns("api.example.com", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")))
			return f
		}, "name-constraint"},
		{"the issuer's name in another encoding", "ingress/server", func(p *pki) files {
			root := sign(nil, "enc", subject("encoded"), ca)
			utf := remade(root, func(t *tbs) { t.Issuer, t.Subject = nameOf(12, "encoded"), nameOf(12, "encoded") })
			return p.with(utf, p.web(root))
		}, "issuer-name-encoding"},
		{"unknown critical extension", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, p.web(p.ingress, extraExtension([]int{1, 2, 3, 4}, true, []byte{5, 0})))
		}, "unknown-critical-extension"},
		{"precertificate", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, p.web(p.ingress, extraExtension(oidSCTPoison, true, []byte{5, 0})))
		}, "unknown-critical-extension"},
		{"unknown critical extension on the CA", "ingress/server", under(extraExtension([]int{1, 2, 3, 4}, true, []byte{5, 0})), "unknown-critical-extension"},
		{"edited after signing", "ingress/server", func(p *pki) files {
			leaf := p.web(p.ingress)
			der := bytes.Replace(leaf.cert.Raw, []byte("demo.example.com"), []byte("damo.example.com"), 1)
			return files{cert: doc("c", block(der)), key: doc("k", leaf.key), ca: doc("ca.pem", p.ingress)}
		}, "bad-signature"},
		{"edited after signing, RSA and no key identifiers", "ingress/server", func(p *pki) files {
			bare := sign(nil, "rsa:ca", subject("rsa CA"), ca)
			bare.cert.SubjectKeyId = nil
			leaf := p.web(bare)
			der := bytes.Replace(leaf.cert.Raw, []byte("demo.example.com"), []byte("damo.example.com"), 1)
			return files{cert: doc("c", block(der)), key: doc("k", leaf.key), ca: doc("ca.pem", bare)}
		}, "bad-signature"},
		{"a leaf as the CA", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.ca = doc("ca.pem", p.etcdServer())
			return f
		}, "not-a-ca"},
		{"a leaf with its CA's key", "ingress/server", func(p *pki) files {
			return p.with(p.ingress, sign(p.ingress, "ingress-ca", subject("x"), dns("demo.example.com"), eku(server)))
		}, "key-reused"},
		{"policy required and missing", "ingress/server", middle(extraExtension([]int{2, 5, 29, 36}, true, []byte{0x30, 0x03, 0x80, 0x01, 0x00})), "policy-constraint"},
	})
}
