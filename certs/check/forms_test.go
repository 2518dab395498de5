package check

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"unicode/utf16"

	"software.sslmate.com/src/go-pkcs12"
)

// The forms that package material finds, as a slot reports them.
func TestForms(t *testing.T) {
	text := func(make func(p *pki, leaf *entity) []byte) func(*pki) files {
		return func(p *pki) files {
			leaf := p.web(p.ingress)
			f := p.with(p.ingress, leaf)
			f.cert = doc("cert.pem", make(p, leaf))
			return f
		}
	}
	ofKey := func(make func(leaf *entity) []byte) func(*pki) files {
		return func(p *pki) files {
			leaf := p.web(p.ingress)
			f := p.with(p.ingress, leaf)
			f.key = doc("key.pem", make(leaf))
			return f
		}
	}
	broken := func(change func(*tbs)) func(*pki) files {
		return func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			f.cert = doc("cert.pem", block(remake(p.web(p.ingress), change)))
			return f
		}
	}
	runSlotCases(t, []slotCase{
		{"too large", "ingress/server", text(func(_ *pki, leaf *entity) []byte {
			return append(pemOf(leaf), bytes.Repeat([]byte("# comment\n"), 500_000)...)
		}), "file-too-large"},
		{"kubeconfig", "ingress/server", text(func(_ *pki, leaf *entity) []byte {
			return fmt.Appendf(nil, "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    client-certificate-data: %s\n", base64.StdEncoding.EncodeToString(pemOf(leaf)))
		}), "kubeconfig-not-pem"},
		{"END of another type", "ingress/server", text(func(_ *pki, leaf *entity) []byte {
			return bytes.Replace(pemOf(leaf), []byte("END CERT"), []byte("END X"), 1)
		}), "malformed-pem"},
		{"UTF-16", "ingress/server", text(func(_ *pki, leaf *entity) []byte {
			out := []byte{0xff, 0xfe}
			for _, u := range utf16.Encode([]rune(string(pemOf(leaf)))) {
				out = append(out, byte(u), byte(u>>8))
			}
			return out
		}), "utf16"},
		{"PKCS#12", "ingress/server", text(func(_ *pki, leaf *entity) []byte {
			return must(pkcs12.Modern.Encode(leaf.key, leaf.cert, nil, "pass"))
		}), "pkcs12-not-pem"},
		{"PKCS#7", "ingress/server", text(func(_ *pki, leaf *entity) []byte {
			return pemOf(&pem.Block{Type: "PKCS7", Bytes: pkcs7(leaf)})
		}), "pkcs7-not-pem"},
		{"a Java keystore", "ingress/server", text(func(*pki, *entity) []byte {
			return append([]byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2}, make([]byte, 64)...)
		}), "jks-not-pem"},
		{"an OpenSSH key", "ingress/server", ofKey(func(*entity) []byte {
			return pemOf(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: append([]byte("openssh-key-v1\x00"), make([]byte, 64)...)})
		}), "openssh-key"},
		{"a key cut short", "ingress/server", ofKey(func(leaf *entity) []byte {
			der := must(x509.MarshalPKCS8PrivateKey(leaf.key))
			return pemOf(&pem.Block{Type: "PRIVATE KEY", Bytes: der[:len(der)-20]})
		}), "malformed-key"},
		{"a critical key identifier", "ingress/server", broken(func(t *tbs) {
			for i := range t.Extensions {
				if t.Extensions[i].Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 35}) {
					t.Extensions[i].Critical = true
				}
			}
		}), "extension-criticality"},
		{"two signature algorithms", "ingress/server", func(p *pki) files {
			f := p.with(p.ingress, p.web(p.ingress))
			var c signedCert
			must(asn1.Unmarshal(p.web(p.ingress).cert.Raw, &c))
			c.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
			f.cert = doc("cert.pem", block(must(asn1.Marshal(c))))
			return f
		}, "signature-algorithm-mismatch"},
		{"RSA 9000", "ingress/server", broken(func(t *tbs) {
			n := new(big.Int).Lsh(big.NewInt(1), 8999)
			t.SPKI.FullBytes = must(x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}))
		}), "oversize-key"},
		{"a curve spelled out", "ingress/server", broken(func(t *tbs) { t.SPKI.FullBytes = explicitCurve() }), "explicit-ec-params"},
	})
}

// pkcs7 is a degenerate SignedData that holds one certificate (RFC 5652 5.1).
func pkcs7(leaf *entity) []byte {
	data := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	signed := seq(must(asn1.Marshal(1)), []byte{0x31, 0}, seq(must(asn1.Marshal(data))), general(0, true, leaf.cert.Raw), []byte{0x31, 0})
	return seq(must(asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2})), general(0, true, signed))
}

// explicitCurve is a public key whose curve is given by its parameters.
func explicitCurve() []byte {
	field := seq(must(asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 1, 1})), must(asn1.Marshal(big.NewInt(23))))
	curve := seq([]byte{4, 1, 1}, []byte{4, 1, 1})
	params := seq(must(asn1.Marshal(1)), field, curve, []byte{4, 2, 2, 3}, must(asn1.Marshal(big.NewInt(7))))
	algorithm := seq(must(asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1})), params)
	return seq(algorithm, must(asn1.Marshal(asn1.BitString{Bytes: []byte{4, 1, 1}, BitLength: 24})))
}

// A defect that was read all the same is information where the material is
// written anew, and an error where the file is used as it is.
func TestRewritten(t *testing.T) {
	p := newPKI(t)
	leaf := p.web(p.inter)
	for name, data := range map[string]string{
		"utf8-bom":         "\xef\xbb\xbf" + string(pemOf(leaf, p.inter)),
		"escaped-newlines": strings.ReplaceAll(string(pemOf(leaf, p.inter)), "\n", `\n`),
		"base64-of-pem":    base64.StdEncoding.EncodeToString(pemOf(leaf, p.inter)),
		"x509-label":       strings.ReplaceAll(string(pemOf(leaf, p.inter)), " CERT", " X509 CERT"),
	} {
		t.Run(name, func(t *testing.T) {
			in := SlotInput{Slot: p.t.Slot("ingress/server"), Topology: p.t, Cert: doc("c", data), Key: doc("k", leaf.key), CA: doc("ca", p.root), Now: clock}
			compare(t, Slot(in), name)
			in.Rewritten = true
			compare(t, Slot(in), "i:"+name)
		})
	}
}
