package issue_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/url"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"certwright/certs/issue"
)

// alike signs a template with ours and with crypto/x509 and wants the same
// bytes under both signatures, or an error of both.
func alike(t rapid.TB, by *issue.CA, key crypto.Signer, template x509.Certificate, pub crypto.PublicKey) {
	t.Helper()
	parent, mine, theirs := by.Chain()[0], template, template
	got, err := by.Sign(context.Background(), &mine, pub)
	raw, want := x509.CreateCertificate(rand.Reader, &theirs, parent, pub, key)
	if (err == nil) != (want == nil) {
		t.Fatalf("ours says %v, crypto/x509 says %v", err, want)
	}
	if err != nil {
		return
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.RawTBSCertificate, c.RawTBSCertificate) {
		t.Fatalf("ours encodes\n%x\ncrypto/x509\n%x", got.RawTBSCertificate, c.RawTBSCertificate)
	}
	if err := parent.CheckSignature(c.SignatureAlgorithm, got.RawTBSCertificate, got.Signature); err != nil {
		t.Fatal(err)
	}
}

// signers are CAs on the curves.
func signers(t *testing.T) (list []*issue.CA, keys []crypto.Signer) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		by, err := issue.NewCA("kube/ca", ca(t, "kube", key, nil, nil), now)
		if err != nil {
			t.Fatal(err)
		}
		list, keys = append(list, by), append(keys, key)
	}
	return list, keys
}

// publicKeys are one of each kind that a leaf may have, and one that none may.
func publicKeys(t *testing.T) []crypto.PublicKey {
	var out []crypto.PublicKey
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521(), elliptic.P224()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, key.Public())
	}
	return append(out, make(ed25519.PublicKey, ed25519.PublicKeySize), "no key")
}

func TestCertificatesAreThoseOfCryptoX509(t *testing.T) {
	list, keys := signers(t)
	pubs := publicKeys(t)
	text := rapid.OneOf(rapid.StringMatching(`[a-z0-9:.@-]{0,70}`), rapid.String(), rapid.Just("kube"), rapid.Just("system:node:*"))
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(0, len(list)-1).Draw(t, "ca")
		template := x509.Certificate{
			SerialNumber:          new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "serial")),
			Subject:               pkix.Name{CommonName: text.Draw(t, "CN"), Organization: rapid.SliceOfN(text, 0, 3).Draw(t, "O"), SerialNumber: rapid.SampledFrom([]string{"", "0a1b", "é"}).Draw(t, "number")},
			NotBefore:             time.Unix(rapid.Int64Range(-1e9, 4e9).Draw(t, "from"), 0),
			NotAfter:              time.Unix(rapid.Int64Range(-1e9, 4e11).Draw(t, "to"), 0).In(time.FixedZone("", 3600)),
			KeyUsage:              x509.KeyUsage(rapid.IntRange(0, 1<<9-1).Draw(t, "usage")),
			ExtKeyUsage:           rapid.SliceOfN(rapid.SampledFrom([]x509.ExtKeyUsage{x509.ExtKeyUsageAny, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageOCSPSigning}), 0, 3).Draw(t, "usages"),
			BasicConstraintsValid: rapid.Bool().Draw(t, "constrained"),
			IsCA:                  rapid.Float64().Draw(t, "CA") < 0.1,
			SubjectKeyId:          rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "id"),
			AuthorityKeyId:        rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "authority"),
			DNSNames:              rapid.SliceOfN(text, 0, 40).Draw(t, "names"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "addresses") {
			template.IPAddresses = append(template.IPAddresses, net.IP(rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 4, 4), rapid.SliceOfN(rapid.Byte(), 16, 16)).Draw(t, "ip")))
		}
		if rapid.Bool().Draw(t, "with URI") {
			template.URIs = []*url.URL{{Scheme: "spiffe", Host: "example.org", Path: text.Draw(t, "path")}}
		}
		alike(t, list[i], keys[i], template, rapid.SampledFrom(pubs).Draw(t, "public key"))
	})
}

// TestEachFieldOfATemplate sets one field of a template at a time, those too that
// a later Go may bring: none is left out of a certificate in silence.
func TestEachFieldOfATemplate(t *testing.T) {
	list, keys := signers(t)
	pub := publicKeys(t)[0]
	plain := x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "node"}, NotBefore: now, NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, SubjectKeyId: []byte{1}, DNSNames: []string{"node"},
	}
	alike(t, list[0], keys[0], plain, pub)
	for i := range reflect.TypeFor[x509.Certificate]().NumField() {
		name := reflect.TypeFor[x509.Certificate]().Field(i).Name
		t.Run(name, func(t *testing.T) {
			c := plain
			f := reflect.ValueOf(&c).Elem().Field(i)
			if name == "RawSubject" {
				f.SetBytes([]byte{0x30, 0})
			} else if !fill(f) {
				t.Fatalf("a value of %v is not known here: add it to fill", f.Type())
			}
			alike(t, list[0], keys[0], c, pub)
			if f.SetZero(); c.SerialNumber == nil {
				return // crypto/x509 draws one
			}
			alike(t, list[0], keys[0], c, pub)
		})
	}
}

// fill puts something into a field that it has not by itself.
func fill(f reflect.Value) bool {
	switch v := f.Addr().Interface().(type) {
	case *time.Time:
		*v = now.AddDate(30, 0, 0)
	case **big.Int:
		*v = big.NewInt(1 << 40)
	case *[]net.IP:
		*v = []net.IP{net.IPv4(10, 0, 0, 1)}
	case *[]*net.IPNet:
		*v = []*net.IPNet{{IP: net.IP{10, 0, 0, 0}, Mask: net.IPMask{255, 0, 0, 0}}}
	case *[]*url.URL:
		*v = []*url.URL{{Scheme: "https", Host: "example.org"}}
	case *[]x509.OID:
		oid, err := x509.OIDFromASN1OID(asn1.ObjectIdentifier{1, 2, 3})
		*v = []x509.OID{oid}
		return err == nil
	case *[]asn1.ObjectIdentifier:
		*v = []asn1.ObjectIdentifier{{1, 2, 3}}
	case *[]x509.ExtKeyUsage:
		*v = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	case *[]pkix.Extension:
		*v = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}}
	case *[]x509.PolicyMapping:
		oid, err := x509.OIDFromASN1OID(asn1.ObjectIdentifier{1, 2, 3})
		*v = []x509.PolicyMapping{{IssuerDomainPolicy: oid, SubjectDomainPolicy: oid}}
		return err == nil
	case *pkix.Name:
		*v = pkix.Name{CommonName: "other", ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 42}, Value: "given"}}}
	case *any:
		*v = "anything"
	case *[]string:
		*v = []string{"example.org"}
	case *[]byte:
		*v = bytes.Repeat([]byte{0x30}, 3)
	default:
		switch {
		case f.CanInt():
			f.SetInt(1)
		case f.Kind() == reflect.Bool:
			f.SetBool(!f.Bool())
		default:
			return false
		}
	}
	return true
}

func TestEncodedAndReadAlike(t *testing.T) {
	list, _ := signers(t)
	names := slices.Repeat([]string{"a-name-of-some-length.example.org"}, 2000) // lengths of three octets
	c, err := list[0].Sign(t.Context(), &x509.Certificate{
		SerialNumber: big.NewInt(7), NotBefore: now, NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, SubjectKeyId: []byte{1}, DNSNames: names,
	}, publicKeys(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.DNSNames, names) || !slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Critical && e.Id[3] == 17 }) {
		t.Fatal("many names of a certificate without a subject are not critical, or not there")
	}
}
