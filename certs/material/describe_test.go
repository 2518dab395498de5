package material

import (
	"bytes"
	//lint:ignore SA1019 a key that Go parses and nobody takes
	"crypto/dsa"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"

	"certwright/certs/untrusted"
)

func TestSerial(t *testing.T) {
	for _, tt := range []struct {
		n    *big.Int
		want string
	}{
		{nil, ""},
		{big.NewInt(0), "00"},
		{big.NewInt(1), "01"},
		{big.NewInt(0x5f1290), "5f:12:90"},
		{big.NewInt(0xff), "ff"},
		{big.NewInt(-0x8f), "-8f"},
	} {
		if got := Serial(tt.n); got != tt.want {
			t.Errorf("Serial(%v) = %q, want %q", tt.n, got, tt.want)
		}
	}
}

func TestKeyWords(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, pub := range map[string]any{
		"RSA 2048": keyFor(t, "rsa").Public(), "ECDSA P-256": keyFor(t, "p256").Public(), "ECDSA P-521": keyFor(t, "p521").Public(),
		"Ed25519": keyFor(t, "ed25519").Public(), "ECDSA P-224": p224.Public(), "X25519": x25519.PublicKey(),
		"DSA": &dsa.PublicKey{}, "unknown key": nil,
	} {
		if got := KeyWords(pub); got != want {
			t.Errorf("KeyWords(%T) = %q, want %q", pub, got, want)
		}
	}
}

func TestSamePublicKey(t *testing.T) {
	p256, other, rsaKey := keyFor(t, "p256").Public(), keyFor(t, "other").Public(), keyFor(t, "rsa").Public()
	oddRSA := &rsa.PublicKey{N: rsaKey.(*rsa.PublicKey).N, E: 3}
	for _, tt := range []struct {
		name string
		a, b any
		want bool
	}{
		{"itself", p256, p256, true},
		{"another of its kind", p256, other, false},
		{"another kind", p256, rsaKey, false},
		{"the modulus alone", rsaKey, oddRSA, false},
		{"nothing", nil, nil, false},
		{"nothing and a key", nil, p256, false},
		{"a key and nothing", p256, nil, false},
		{"kinds that cannot be compared", &dsa.PublicKey{}, &dsa.PublicKey{}, false},
		{"a key without numbers", p256, &dsa.PublicKey{}, false},
	} {
		if got := SamePublicKey(tt.a, tt.b); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestSubject holds how names are written against openssl, and holds the parts
// that a name is not allowed to forge.
func TestSubject(t *testing.T) {
	key := keyFor(t, "p256")
	value := func(id string, tag int, content string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: oid(t, id), Value: asn1.RawValue{Tag: tag, Bytes: []byte(content)}}
	}
	for _, tt := range []struct {
		name string
		rdns pkix.RDNSequence
		want untrusted.Text
	}{
		{"empty", pkix.RDNSequence{}, ""},
		{"in the order of its encoding", pkix.RDNSequence{
			{value("2.5.4.6", 19, "DE")}, {value("2.5.4.10", 12, "system:nodes")}, {value("2.5.4.3", 12, "system:node:a")},
		}, "C=DE, O=system:nodes, CN=system:node:a"},
		{"two organizations", pkix.RDNSequence{{value("2.5.4.10", 12, "a")}, {value("2.5.4.10", 12, "b")}}, "O=a, O=b"},
		{"a part of two", pkix.RDNSequence{{value("2.5.4.3", 12, "a"), value("0.9.2342.19200300.100.1.1", 12, "u")}}, "CN=a + UID=u"},
		{"commas are escaped", pkix.RDNSequence{{value("2.5.4.3", 12, "a, O=system:masters")}}, `CN=a\, O=system:masters`},
		{"Teletex as Latin-1", pkix.RDNSequence{{value("2.5.4.3", 20, "b\xfccher")}}, "CN=bücher"},
		{"BMP", pkix.RDNSequence{{value("2.5.4.3", 30, "\x00a\x20\xac")}}, "CN=a€"},
		{"unknown attribute", pkix.RDNSequence{{value("1.2.3.4", 12, "x")}}, "1.2.3.4=x"},
		{"value of no string type", pkix.RDNSequence{{value("2.5.4.3", 2, "\x05")}}, "CN=#05"},
	} {
		raw, err := asn1.Marshal(tt.rdns)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{RawSubject: raw, RawIssuer: raw}
		if got := Subject(c); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got.Raw(), tt.want.Raw())
		}
		if Issuer(c) != Subject(c) {
			t.Errorf("%s: issuer and subject differ", tt.name)
		}
	}
	hostile := selfSigned(t, "a\x1b]0;x\x07\u202e", key, func(c *x509.Certificate) { c.DNSNames = nil })
	if got := Subject(hostile).String(); strings.ContainsAny(got, "\x1b\x07\u202e") {
		t.Errorf("the gate lets %q through", got)
	}
	if got := Subject(&x509.Certificate{RawSubject: []byte{0x30, 0x82, 1}}); got != "" {
		t.Errorf("a damaged name is %q", got)
	}
}

func TestSANs(t *testing.T) {
	u, err := url.Parse("spiffe://cluster.local/ns/a")
	if err != nil {
		t.Fatal(err)
	}
	c := selfSigned(t, "x", keyFor(t, "p256"), func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses, c.URIs = []string{"a.example", "*.b.example"}, []net.IP{net.IPv4(10, 3, 0, 1), net.ParseIP("fd00::1")}, []*url.URL{u}
		c.EmailAddresses = []string{"x@example.com"}
	})
	want := []untrusted.Text{"DNS:a.example", "DNS:*.b.example", "IP:10.3.0.1", "IP:fd00::1", "URI:spiffe://cluster.local/ns/a", "email:x@example.com"}
	if got := SANs(c); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestFingerprintsOfOpenSSL holds fingerprints against the tool that people
// compare them with.
func TestFingerprintsOfOpenSSL(t *testing.T) {
	dir := t.TempDir()
	c := selfSigned(t, "x", keyFor(t, "p256"))
	write(t, dir, "c", EncodeCertificates(c))
	_, want, _ := strings.Cut(strings.TrimSpace(string(openssl(t, dir, "x509", "-in", "c", "-noout", "-fingerprint", "-sha256"))), "=")
	if got := Fingerprint(c); got != want {
		t.Errorf("got %s, openssl says %s", got, want)
	}
	write(t, dir, "pub", openssl(t, dir, "x509", "-in", "c", "-noout", "-pubkey"))
	write(t, dir, "der", openssl(t, dir, "pkey", "-pubin", "-in", "pub", "-outform", "DER"))
	_, want, _ = strings.Cut(strings.TrimSpace(string(openssl(t, dir, "dgst", "-sha256", "der"))), "= ")
	if got := PublicKeyFingerprint(c.PublicKey); got != want {
		t.Errorf("public key: got %s, openssl says %s", got, want)
	}
}

// TestDescribe: what a person and a script are told of a chain with its key.
func TestDescribe(t *testing.T) {
	leaf, intermediate, _ := trio(t)
	ca := selfSigned(t, "limited", keyFor(t, "p384"), func(c *x509.Certificate) {
		c.IsCA, c.MaxPathLenZero, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3}}
	})
	key, err := EncodeKey(keyFor(t, "p256"))
	if err != nil {
		t.Fatal(err)
	}
	d := Parse(Input{Name: "dir/\x1b[31mx", Data: slices.Concat(EncodeCertificates(leaf, intermediate, ca), key)})
	s := Describe(d)
	encoded, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.ContainsRune(encoded, 0x1b) || bytes.Contains(encoded, []byte(`\u001b`)) {
		t.Error("the name is not escaped")
	}
	if len(s.Certificates) != 3 || len(s.Keys) != 1 {
		t.Fatalf("got %d certificates and %d keys", len(s.Certificates), len(s.Keys))
	}
	if got := s.Certificates[0].Keys; !slices.Equal(got, []int{1}) || !slices.Equal(s.Keys[0].Certificates, []int{1}) {
		t.Errorf("the leaf has keys %v, the key has certificates %v", got, s.Keys[0].Certificates)
	}
	last := s.Certificates[2]
	if !last.CA || last.PathLen == nil || *last.PathLen != 0 || !slices.Equal(last.KeyUsage, []string{"keyCertSign", "cRLSign"}) ||
		!slices.Equal(last.ExtKeyUsage, []string{"serverAuth", "1.2.3"}) || last.Key != "ECDSA P-384" || !last.SelfIssued {
		t.Errorf("the CA is described as %+v", last)
	}
	if s.Certificates[1].PathLen != nil {
		t.Error("an unlimited path length is given as a number")
	}
	text := s.Text()
	for _, want := range []string{
		"subject      O=test, CN=leaf", "issuer       O=test, CN=intermediate", "serial       5f:12:90", "key          ECDSA P-256",
		"names        DNS:leaf.example.com", "CA, path length 0, issued to itself", "valid        2026-11-21T12:00:00Z to 2027-11-21T12:00:00Z",
		"belongs to certificate 1", "signature    SHA-256 with ECDSA",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said in\n%s", want, text)
		}
	}
	if s := Describe(Parse(Input{})); s.Certificates == nil || s.Keys == nil || len(s.Problems) != 1 {
		t.Errorf("an empty input is described as %+v", s)
	}
}

// TestLines: a problem names the line of the input that it stands on.
func TestLines(t *testing.T) {
	c := string(EncodeCertificates(selfSigned(t, "x", keyFor(t, "p256"))))
	n := strings.Count(c, "\n")
	d := Parse(Input{Data: []byte(c + "\n" + strings.Replace(c, "M", "!", 1))})
	if len(d.Problems) != 1 || d.Problems[0].Line != n+3 || d.Certificates[1].Line != n+2 {
		t.Errorf("got %+v, certificate in line %d, want %d", d.Problems, d.Certificates[1].Line, n+2)
	}
	d = Parse(Input{Data: []byte("\n\n" + c + strings.TrimSpace(c) + c)})
	if len(d.Problems) != 1 || d.Problems[0].Line != 2+n+n {
		t.Errorf("run together: %+v, want line %d", d.Problems, 2+n+n)
	}
}
