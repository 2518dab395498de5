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
	"strings"
	"time"
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
	return element(nil, sequence, func(b []byte) []byte {
		for _, oid := range oids {
			raw, err := asn1.Marshal(oid)
			if err != nil {
				panic(err) // one of the constants above
			}
			b = append(b, raw...)
		}
		return b
	})
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
	raw := element(make([]byte, 0, len(tbs)+len(signature)+64), sequence, func(b []byte) []byte {
		return appendBits(append(append(b, tbs...), by.signed...), signature)
	})
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
	names, ok := altNames(t)
	if !ok {
		return nil // the usual way says so
	}
	return element(make([]byte, 0, 1024), sequence, func(b []byte) []byte {
		b = append(b, 0xa0, 3, tagInteger, 1, 2) // [0] version: v3
		b = appendInteger(b, t.SerialNumber)
		b = append(append(b, by.signed...), parent.RawSubject...)
		b = element(b, sequence, func(b []byte) []byte { return appendTime(appendTime(b, t.NotBefore), t.NotAfter) })
		b = append(b, name...)
		b = element(b, sequence, func(b []byte) []byte { return appendBits(append(b, on.key...), point) })
		return element(b, 0xa3, func(b []byte) []byte { // [3] extensions
			return element(b, sequence, func(b []byte) []byte { return appendExtensions(b, t, authority, names, len(name) == 2) })
		})
	})
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
		datable(t.NotBefore) && datable(t.NotAfter)
}

// datable says whether a time can stand in a certificate.
func datable(t time.Time) bool { return t.UTC().Year() >= 1950 && t.UTC().Year() <= 9999 }

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
	return element(nil, sequence, func(b []byte) []byte {
		for _, o := range s.Organization {
			b = appendAttribute(b, 10, o)
		}
		if s.CommonName != "" {
			b = appendAttribute(b, 3, s.CommonName)
		}
		if s.SerialNumber != "" {
			b = appendAttribute(b, 5, s.SerialNumber)
		}
		return b
	}), nil
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

// appendAttribute adds one attribute of X.520, 2.5.4.id, as a name of its own.
func appendAttribute(b []byte, id byte, text string) []byte {
	return element(b, tagSet, func(b []byte) []byte {
		return element(b, sequence, func(b []byte) []byte {
			b = append(b, tagOID, 3, 2*40+5, 4, id)
			return element(b, tagPrintable, func(b []byte) []byte { return append(b, text...) })
		})
	})
}

// appendTime adds a time in the form that its year wants (RFC 5280, section 4.1.2.5).
func appendTime(b []byte, t time.Time) []byte {
	tag, form := byte(tagUTCTime), "060102150405Z"
	if t = t.UTC(); t.Year() >= 2050 {
		tag, form = tagGeneralizedTime, "20060102150405Z"
	}
	return element(b, tag, func(b []byte) []byte { return t.AppendFormat(b, form) })
}

// appendExtensions adds the extensions in the order of crypto/x509. noName says
// that the subject is empty: the alternative names are critical then.
func appendExtensions(b []byte, t *x509.Certificate, authority, names []byte, noName bool) []byte {
	b = appendExtension(b, 15, true, func(b []byte) []byte {
		usage := []byte{bits.Reverse8(byte(t.KeyUsage)), bits.Reverse8(byte(t.KeyUsage >> 8))}
		if usage[1] == 0 {
			usage = usage[:1]
		}
		b = append(b, tagBitString, byte(1+len(usage)), byte(bits.TrailingZeros8(usage[len(usage)-1])))
		return append(b, usage...)
	})
	if len(t.ExtKeyUsage) > 0 {
		b = appendExtension(b, 37, false, func(b []byte) []byte {
			return element(b, sequence, func(b []byte) []byte {
				for _, u := range t.ExtKeyUsage {
					b = append(b, tagOID, 8, 1*40+3, 6, 1, 5, 5, 7, 3, byte(u)) // 1.3.6.1.5.5.7.3: serverAuth is 1, clientAuth 2
				}
				return b
			})
		})
	}
	b = appendExtension(b, 19, true, func(b []byte) []byte { return append(b, sequence, 0) })
	b = appendExtension(b, 14, false, func(b []byte) []byte { return appendElement(b, tagOctetString, t.SubjectKeyId) })
	if len(authority) > 0 {
		b = appendExtension(b, 35, false, func(b []byte) []byte {
			return element(b, sequence, func(b []byte) []byte { return appendElement(b, tagged+0, authority) })
		})
	}
	if len(names) > 0 {
		b = appendExtension(b, 17, noName, func(b []byte) []byte { return appendElement(b, sequence, names) })
	}
	return b
}

// altNames are the alternative names (RFC 5280, section 4.2.1.6), encoded; false
// when one cannot be.
func altNames(t *x509.Certificate) (b []byte, ok bool) {
	for _, name := range t.DNSNames {
		if !ascii(name) {
			return nil, false
		}
		b = appendElement(b, tagged+2, []byte(name))
	}
	for _, ip := range t.IPAddresses {
		if v4 := ip.To4(); v4 != nil {
			ip = v4
		}
		b = appendElement(b, tagged+7, ip)
	}
	for _, u := range t.URIs {
		if !ascii(u.String()) {
			return nil, false
		}
		b = appendElement(b, tagged+6, []byte(u.String()))
	}
	return b, true
}

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > 127 })
}

// appendExtension adds one of id-ce, 2.5.29.id.
func appendExtension(b []byte, id byte, critical bool, value func([]byte) []byte) []byte {
	return element(b, sequence, func(b []byte) []byte {
		b = append(b, tagOID, 3, 2*40+5, 29, id)
		if critical {
			b = append(b, tagBoolean, 1, 0xff)
		}
		return element(b, tagOctetString, value)
	})
}
