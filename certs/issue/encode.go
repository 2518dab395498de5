package issue

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// curve is what the certificates of an elliptic curve's keys say of it: the
// algorithms as AlgorithmIdentifiers (RFC 5280, section 4.1.1.2), encoded once.
type curve struct {
	key       []byte // id-ecPublicKey with the curve, RFC 5480, section 2.1.1
	signed    []byte // ecdsa-with-SHA…, RFC 5758, section 3.2
	hash      crypto.Hash
	algorithm x509.SignatureAlgorithm
}

var (
	oidECPublicKey = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	curveP256      = curve{
		algorithm(oidECPublicKey, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}), algorithm(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}),
		crypto.SHA256, x509.ECDSAWithSHA256,
	}
	curveP384 = curve{
		algorithm(oidECPublicKey, asn1.ObjectIdentifier{1, 3, 132, 0, 34}), algorithm(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}),
		crypto.SHA384, x509.ECDSAWithSHA384,
	}
)

func algorithm(oids ...asn1.ObjectIdentifier) []byte {
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, oid := range oids {
			b.AddASN1ObjectIdentifier(oid)
		}
	})
	return b.BytesOrPanic()
}

func curveOf(k *ecdsa.PublicKey) *curve {
	switch k.Curve {
	case elliptic.P256():
		return &curveP256
	case elliptic.P384():
		return &curveP384
	}
	return nil
}

// create is x509.CreateCertificate: the same bytes, and the signature verified
// as there. The leaves of a fleet are ECDSA with few extensions, and to encode
// these by reflection was a fifth of what a certificate takes; all else goes
// the usual way.
func create(t, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	signer, ok := key.(*ecdsa.PrivateKey)
	subject, plain := pub.(*ecdsa.PublicKey)
	if ok && plain {
		by, tbs := curveOf(&signer.PublicKey), []byte(nil)
		if by != nil {
			tbs = encode(t, parent, subject, by)
		}
		if tbs != nil && signer.PublicKey.Equal(parent.PublicKey) {
			return seal(tbs, parent, signer, by)
		}
	}
	raw, err := x509.CreateCertificate(rand.Reader, t, parent, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(raw)
}

// seal signs an encoded certificate and checks the signature: one that a fault
// of the machine has spoilt would give the key away.
func seal(tbs []byte, parent *x509.Certificate, key *ecdsa.PrivateKey, by *curve) (*x509.Certificate, error) {
	signature, err := crypto.SignMessage(key, rand.Reader, tbs, by.hash)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(by.signed)
		b.AddASN1BitString(signature)
	})
	raw, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, err
	}
	if c.SignatureAlgorithm != by.algorithm || !bytes.Equal(c.RawTBSCertificate, tbs) {
		return nil, fmt.Errorf("the certificate that was encoded is read as another one")
	}
	if err := parent.CheckSignature(by.algorithm, tbs, signature); err != nil {
		return nil, fmt.Errorf("the signature that was made is wrong: %w", err)
	}
	return c, nil
}

// encode is what of a leaf is signed (RFC 5280, section 4.1), nil when the
// template asks for more than is known here.
func encode(t, parent *x509.Certificate, pub *ecdsa.PublicKey, by *curve) []byte {
	on := curveOf(pub)
	if on == nil || !simple(t) || len(parent.RawSubject) == 0 {
		return nil
	}
	point, err := pub.Bytes()
	if err != nil {
		return nil
	}
	name, err := asn1Name(t)
	if err != nil {
		return nil
	}
	authority := t.AuthorityKeyId
	if len(parent.SubjectKeyId) > 0 && !bytes.Equal(name, parent.RawSubject) {
		authority = parent.SubjectKeyId
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, 1024))
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(der.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) }) // v3
		b.AddASN1BigInt(t.SerialNumber)
		b.AddBytes(by.signed)
		b.AddBytes(parent.RawSubject)
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			addTime(b, t.NotBefore)
			addTime(b, t.NotAfter)
		})
		b.AddBytes(name)
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(on.key)
			b.AddASN1BitString(point)
		})
		b.AddASN1(der.Tag(3).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { addExtensions(b, t, authority, len(name) == 2) })
		})
	})
	tbs, err := b.Bytes()
	if err != nil {
		return nil // a name that is no ASCII, say: the usual way says so
	}
	return tbs
}

// simple says whether a template asks for nothing that encode does not write.
// A test holds it against each field there is.
func simple(t *x509.Certificate) bool {
	none := len(t.ExtraExtensions) + len(t.UnknownExtKeyUsage) + len(t.EmailAddresses) + len(t.OCSPServer) + len(t.IssuingCertificateURL) +
		len(t.PolicyIdentifiers) + len(t.Policies) + len(t.CRLDistributionPoints) +
		len(t.PermittedDNSDomains) + len(t.ExcludedDNSDomains) + len(t.PermittedIPRanges) + len(t.ExcludedIPRanges) +
		len(t.PermittedEmailAddresses) + len(t.ExcludedEmailAddresses) + len(t.PermittedURIDomains) + len(t.ExcludedURIDomains)
	return none == 0 && t.SignatureAlgorithm == x509.UnknownSignatureAlgorithm &&
		t.SerialNumber != nil && t.SerialNumber.Sign() > 0 &&
		t.KeyUsage != 0 && t.BasicConstraintsValid && !t.IsCA && t.MaxPathLen == 0 && !t.MaxPathLenZero && len(t.SubjectKeyId) > 0 &&
		!slices.ContainsFunc(t.ExtKeyUsage, func(u x509.ExtKeyUsage) bool {
			return u != x509.ExtKeyUsageServerAuth && u != x509.ExtKeyUsageClientAuth
		}) &&
		t.NotBefore.UTC().Year() >= 1950 && t.NotAfter.UTC().Year() <= 9999
}

// asn1Name is the subject: the usual ones quickly.
func asn1Name(t *x509.Certificate) ([]byte, error) {
	s := &t.Subject
	if len(t.RawSubject) > 0 {
		return t.RawSubject, nil
	}
	more := len(s.Country) + len(s.OrganizationalUnit) + len(s.Locality) + len(s.Province) + len(s.StreetAddress) + len(s.PostalCode) + len(s.ExtraNames)
	if more > 0 || len(s.Organization) > 1 || !printable(s.CommonName) || !printable(s.SerialNumber) || !printable(s.Organization...) {
		return asn1.Marshal(s.ToRDNSequence())
	}
	var b cryptobyte.Builder
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, o := range s.Organization {
			addAttribute(b, 10, o)
		}
		if s.CommonName != "" {
			addAttribute(b, 3, s.CommonName)
		}
		if s.SerialNumber != "" {
			addAttribute(b, 5, s.SerialNumber)
		}
	})
	return b.Bytes()
}

// printable says whether texts can be PrintableStrings (X.680, section 41.4).
func printable(texts ...string) bool {
	for _, text := range texts {
		for _, c := range []byte(text) {
			letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
			if !letter && !bytes.ContainsRune([]byte(" '()+,-./:=?"), rune(c)) {
				return false
			}
		}
	}
	return true
}

// addAttribute adds one attribute of X.520, 2.5.4.id, as a name of its own.
func addAttribute(b *cryptobyte.Builder, id byte, text string) {
	b.AddASN1(der.SET, func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes([]byte{6, 3, 2*40 + 5, 4, id})
			b.AddASN1(der.PrintableString, func(b *cryptobyte.Builder) { b.AddBytes([]byte(text)) })
		})
	})
}

// addTime adds a time in the form that its year wants (RFC 5280, section 4.1.2.5).
func addTime(b *cryptobyte.Builder, t time.Time) {
	if t = t.UTC(); t.Year() < 2050 {
		b.AddASN1UTCTime(t)
	} else {
		b.AddASN1GeneralizedTime(t)
	}
}

// addExtensions adds the extensions in the order of crypto/x509. noName says
// that the subject is empty: the alternative names are critical then.
func addExtensions(b *cryptobyte.Builder, t *x509.Certificate, authority []byte, noName bool) {
	addExtension(b, 15, true, func(b *cryptobyte.Builder) {
		usage := []byte{bits.Reverse8(byte(t.KeyUsage)), bits.Reverse8(byte(t.KeyUsage >> 8))}
		if usage[1] == 0 {
			usage = usage[:1]
		}
		b.AddASN1(der.BIT_STRING, func(b *cryptobyte.Builder) {
			b.AddUint8(uint8(bits.TrailingZeros8(usage[len(usage)-1])))
			b.AddBytes(usage)
		})
	})
	if len(t.ExtKeyUsage) > 0 {
		addExtension(b, 37, false, func(b *cryptobyte.Builder) {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, u := range t.ExtKeyUsage {
					b.AddBytes([]byte{6, 8, 1*40 + 3, 6, 1, 5, 5, 7, 3, byte(u)}) // 1.3.6.1.5.5.7.3: serverAuth is 1, clientAuth 2
				}
			})
		})
	}
	addExtension(b, 19, true, func(b *cryptobyte.Builder) { b.AddASN1(der.SEQUENCE, func(*cryptobyte.Builder) {}) })
	addExtension(b, 14, false, func(b *cryptobyte.Builder) { b.AddASN1OctetString(t.SubjectKeyId) })
	if len(authority) > 0 {
		addExtension(b, 35, false, func(b *cryptobyte.Builder) {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { addTagged(b, 0, authority) })
		})
	}
	if len(t.DNSNames)+len(t.IPAddresses)+len(t.URIs) > 0 {
		addExtension(b, 17, noName, func(b *cryptobyte.Builder) {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { addNamesOf(b, t) })
		})
	}
}

func addNamesOf(b *cryptobyte.Builder, t *x509.Certificate) {
	ascii := func(text string) []byte {
		if i := bytes.IndexFunc([]byte(text), func(r rune) bool { return r > 127 }); i >= 0 {
			b.SetError(fmt.Errorf("%q cannot be encoded as an IA5String", text))
		}
		return []byte(text)
	}
	for _, name := range t.DNSNames {
		addTagged(b, 2, ascii(name))
	}
	for _, ip := range t.IPAddresses {
		if v4 := ip.To4(); v4 != nil {
			ip = v4
		}
		addTagged(b, 7, ip)
	}
	for _, u := range t.URIs {
		addTagged(b, 6, ascii(u.String()))
	}
}

func addTagged(b *cryptobyte.Builder, tag der.Tag, value []byte) {
	b.AddASN1(tag.ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(value) })
}

// addExtension adds one of id-ce, 2.5.29.id.
func addExtension(b *cryptobyte.Builder, id byte, critical bool, value func(*cryptobyte.Builder)) {
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes([]byte{6, 3, 2*40 + 5, 29, id})
		if critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1(der.OCTET_STRING, value)
	})
}
