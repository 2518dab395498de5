package material

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mldsa is a file that Go 1.27's crypto/x509 wrote, with keys from fixed seeds.
func mldsa(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "mldsa", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestMLDSAIsKnownByName(t *testing.T) {
	for file, set := range map[string]string{"ml-dsa-44": "ML-DSA-44", "ml-dsa-65": "ML-DSA-65", "ml-dsa-87": "ML-DSA-87"} {
		d := Parse(Input{Name: file, Data: append(mldsa(t, file+"-ca.crt"), mldsa(t, file+".key")...)})
		if len(d.Certificates) != 1 || d.Certificates[0].X509 == nil || len(d.Keys) != 1 {
			t.Fatalf("%s: %d certificates, %d keys, %+v", set, len(d.Certificates), len(d.Keys), d.Problems)
		}
		x := d.Certificates[0].X509
		if k, s := PostQuantum(x.RawSubjectPublicKeyInfo), PostQuantumSignature(x); k != set || s != set {
			t.Errorf("%s: key %q, signature %q", set, k, s)
		}
		s := Describe(d).Certificates[0]
		if s.Key != set || s.SignatureAlgorithm != set || !s.CA {
			t.Errorf("%s: %+v", set, s)
		}
		explained(t, d, set, "private key", "as its seed")
	}
	explained(t, Parse(Input{Data: mldsa(t, "ml-dsa-44.csr")}), "ML-DSA-44", "a request")
	if d := Parse(Input{Data: mldsa(t, "ml-dsa-44.csr")}); len(d.CSRs) != 1 || Describe(d).CSRs[0].Key != "ML-DSA-44" || Describe(d).CSRs[0].SANs[0] != "DNS:example.com" {
		t.Errorf("%+v", Describe(d).CSRs)
	}
	explained(t, Parse(Input{Data: mldsa(t, "ml-dsa-44.pub")}), "ML-DSA-44", "a public key")
}

// explained wants the finding where this build cannot use the key, and the key
// itself where it can.
func explained(t *testing.T, d *Document, words ...string) {
	t.Helper()
	usable := d.Signer() != nil || len(d.PublicKeys) > 0 || len(d.CSRs) > 0 && d.CSRs[0].PublicKey != nil
	for _, p := range d.Problems {
		if p.Rule != rulePostQuantum {
			t.Errorf("%s: %s", p.Rule, p.Detail)
			continue
		}
		for _, w := range append(words, "Go 1.27", "OpenSSL 3.5") {
			if !strings.Contains(p.Detail, w) {
				t.Errorf("no %q in %q", w, p.Detail)
			}
		}
		return
	}
	if !usable {
		t.Errorf("not explained: %+v", d.Problems)
	}
}

// privateKey is a PKCS#8 key of an algorithm, with what RFC 9881 lets stand in it.
func privateKey(t *testing.T, oid asn1.ObjectIdentifier, inner []byte) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct {
		Version   int
		Algorithm struct{ OID asn1.ObjectIdentifier }
		Key       []byte
	}{0, struct{ OID asn1.ObjectIdentifier }{oid}, inner})
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestFormsOfMLDSAKeys(t *testing.T) {
	oid := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 18}
	seed, expanded := make([]byte, 32), make([]byte, 4032)
	octets := func(b []byte) []byte { return tlv(0x04, b...) }
	both := func(seed, expanded []byte) []byte {
		return tlv(0x30, append(octets(seed), octets(expanded)...)...)
	}
	for _, c := range []struct {
		why, rule, want string
		inner           []byte
	}{
		{"expanded", rulePostQuantum, "in expanded form", octets(expanded)},
		{"both", rulePostQuantum, "as its seed and in expanded form", both(seed, expanded)},
		{"a seed too short", ruleMalformedKey, "whose seed has 31 bytes, and 32 make one", tlv(0x80, seed[1:]...)},
		{"an expanded key too long", ruleMalformedKey, "of 4033 bytes in expanded form, which has 4032", octets(append(expanded, 0))},
		{"both, with the expanded key of another set", ruleMalformedKey, "of 2560 bytes", both(seed, expanded[:2560])},
		{"neither", ruleMalformedKey, "in none of its three forms", tlv(0x02, 1)},
		{"nothing", ruleMalformedKey, "in none of its three forms", nil},
		{"a sequence of one", ruleMalformedKey, "in none of its three forms", tlv(0x30, octets(seed)...)},
	} {
		d := Parse(Input{Data: privateKey(t, oid, c.inner)})
		if d.Signer() != nil {
			continue // a build that can use such keys has its own opinion of the forms
		}
		if len(d.Problems) != 1 || d.Problems[0].Rule != c.rule || !strings.Contains(d.Problems[0].Detail, c.want) || !strings.Contains(d.Problems[0].Detail, "ML-DSA-65") {
			t.Errorf("%s: got %+v, want %s: %s", c.why, d.Problems, c.rule, c.want)
		}
	}
}

// A file that breaks off anywhere, or has a byte changed anywhere in its head,
// is still no more than a file with a problem.
func TestDamagedMLDSA(t *testing.T) {
	for _, file := range []string{"ml-dsa-44-ca.crt", "ml-dsa-44.key", "ml-dsa-44.csr", "ml-dsa-44.pub"} {
		b, _ := pem.Decode(mldsa(t, file))
		try := func(der []byte) {
			d := Parse(Input{Data: pem.EncodeToMemory(&pem.Block{Type: b.Type, Bytes: der})})
			_ = Describe(d)
			_ = PostQuantum(der)
			for _, c := range d.X509() {
				_ = PostQuantumSignature(c)
			}
		}
		for n := 0; n < len(b.Bytes); n += 1 + n/64 {
			try(b.Bytes[:n])
			if n < 200 {
				changed := bytes.Clone(b.Bytes)
				changed[n] ^= 0x55
				try(changed)
			}
		}
	}
	for _, spki := range [][]byte{nil, {0x30}, {0x30, 0x00}, {0x30, 0x02, 0x30, 0x00}, {0x30, 0x80}} {
		if got := PostQuantum(spki); got != "" {
			t.Errorf("%x is %s", spki, got)
		}
	}
	if got := PostQuantumKey(keyFor(t, "p256").Public()) + PostQuantumKey(nil); got != "" {
		t.Errorf("ECDSA is %s", got)
	}
}
