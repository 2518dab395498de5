package material

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// kind is what a DER element is, told by its shape.
type kind string

const (
	kindUnknown     kind = "something unknown"
	kindCertificate kind = "a certificate"
	kindRequest     kind = "a certificate signing request"
	kindCRL         kind = "a revocation list"
	kindPKCS1       kind = "a PKCS#1 private key"
	kindPKCS8       kind = "a PKCS#8 private key"
	kindSEC1        kind = "a SEC 1 private key"
	kindEncrypted   kind = "an encrypted private key"
	kindPublic      kind = "a public key"
	kindRSAPublic   kind = "a PKCS#1 public key"
	kindDSA         kind = "a DSA private key"
	kindPKCS12      kind = "a PKCS#12 container"
	kindPKCS7       kind = "a PKCS#7 container"
)

// Object identifiers of containers. RFC 2315, RFC 5652.
var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
)

// kindOf tells the kind of the first DER element of data. It looks at tags
// alone, so that a damaged certificate is still called a certificate.
func kindOf(data []byte) kind {
	in := cryptobyte.String(data)
	var seq cryptobyte.String
	if !lenient(&in, &seq, cbasn1.SEQUENCE) {
		return kindUnknown
	}
	switch {
	case seq.PeekASN1Tag(cbasn1.INTEGER):
		return kindOfNumbered(seq)
	case seq.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER):
		var oid asn1.ObjectIdentifier
		if seq.ReadASN1ObjectIdentifier(&oid) && len(oid) == 7 && oid[:6].Equal(oidData[:6]) {
			return kindPKCS7
		}
	case seq.PeekASN1Tag(cbasn1.SEQUENCE):
		return kindOfNested(seq)
	}
	return kindUnknown
}

// lenient reads one element like ReadASN1, and takes what is there when the
// element is cut short.
func lenient(in, out *cryptobyte.String, tag cbasn1.Tag) bool {
	if !in.PeekASN1Tag(tag) {
		return false
	}
	copied := *in
	if in.ReadASN1(out, tag) {
		return true
	}
	header := 2
	if len(copied) > 1 && copied[1]&0x80 != 0 {
		header += int(copied[1] &^ 0x80)
	}
	if len(copied) <= header {
		return false
	}
	*in, *out = nil, copied[header:]
	return true
}

// kindOfNumbered tells apart what begins with a number: its version, or the
// modulus of a PKCS#1 public key.
func kindOfNumbered(seq cryptobyte.String) kind {
	var number cryptobyte.String
	if !lenient(&seq, &number, cbasn1.INTEGER) {
		return kindUnknown
	}
	small := -1
	if len(number) == 1 {
		small = int(number[0])
	}
	switch {
	case small == 3 && seq.PeekASN1Tag(cbasn1.SEQUENCE):
		return kindPKCS12
	case (small == 0 || small == 1) && seq.PeekASN1Tag(cbasn1.SEQUENCE):
		return kindPKCS8
	case small == 1 && seq.PeekASN1Tag(cbasn1.OCTET_STRING):
		return kindSEC1
	case (small == 0 || small == 1) && seq.PeekASN1Tag(cbasn1.INTEGER):
		n := 0
		for seq.SkipASN1(cbasn1.INTEGER) {
			n++
		}
		if n == 5 && seq.Empty() {
			return kindDSA
		}
		return kindPKCS1
	case small < 0 && seq.PeekASN1Tag(cbasn1.INTEGER):
		return kindRSAPublic
	}
	return kindUnknown
}

// kindOfNested tells apart what begins with a sequence.
func kindOfNested(seq cryptobyte.String) kind {
	var first cryptobyte.String
	if !lenient(&seq, &first, cbasn1.SEQUENCE) {
		return kindUnknown
	}
	if first.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER) {
		switch {
		case seq.PeekASN1Tag(cbasn1.OCTET_STRING):
			return kindEncrypted
		case seq.PeekASN1Tag(cbasn1.BIT_STRING):
			return kindPublic
		}
		return kindUnknown
	}
	if first.PeekASN1Tag(cbasn1.Tag(0).ContextSpecific().Constructed()) {
		return kindCertificate
	}
	if first.PeekASN1Tag(cbasn1.SEQUENCE) {
		return kindCRL // version 1 has no number
	}
	if !first.SkipASN1(cbasn1.INTEGER) {
		return kindUnknown
	}
	// A request: version, subject, key. A certificate of version 1: serial,
	// algorithm, issuer. A revocation list: version, algorithm, issuer, time.
	var second cryptobyte.String
	if !lenient(&first, &second, cbasn1.SEQUENCE) {
		return kindUnknown
	}
	if !second.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER) {
		return kindRequest
	}
	if !first.SkipASN1(cbasn1.SEQUENCE) {
		return kindCertificate
	}
	if first.PeekASN1Tag(cbasn1.UTCTime) || first.PeekASN1Tag(cbasn1.GeneralizedTime) {
		return kindCRL
	}
	return kindCertificate
}

// element splits data after its first DER element. ok is false when data ends
// before the element does.
func element(data []byte) (first, rest []byte, ok bool) {
	in := cryptobyte.String(data)
	var out cryptobyte.String
	var tag cbasn1.Tag
	if !in.ReadAnyASN1Element(&out, &tag) {
		return nil, nil, false
	}
	return out, in, true
}

// derDocument reads a file that is DER.
func (p *parser) derDocument(data []byte) Format {
	what := kindOf(data)
	switch what {
	case kindPKCS12:
		p.pkcs12(data)
		return FormatPKCS12
	case kindPKCS7:
		p.pkcs7(data, Problem{Rule: rulePKCS7, Detail: "a PKCS#7 container (DER)"})
		return FormatPKCS7
	case kindUnknown:
		p.problem(Problem{Rule: ruleNoBlock, Detail: "binary data that is no certificate and no key"})
		return FormatUnknown
	}
	p.contained(Problem{Rule: ruleDER, Detail: string(what) + " as binary DER"}, func() { p.der(data) })
	return FormatDER
}

// der reads one or more DER elements outside PEM.
func (p *parser) der(data []byte) {
	for n := 0; len(data) > 0 && n < MaxBlocks; n++ {
		first, rest, ok := element(data)
		if !ok {
			first, rest = data, nil
		}
		if n > 0 && kindOf(first) == kindUnknown {
			if len(bytes.TrimSpace(data)) > 0 {
				p.problem(Problem{Rule: ruleTrailing, Detail: fmt.Sprintf("%d bytes follow the DER structure", len(data))})
			}
			return
		}
		p.derElement(first)
		data = rest
	}
}

func (p *parser) derElement(der []byte) {
	switch what := kindOf(der); what {
	case kindCertificate:
		p.certificate(block{der: der, line: p.line})
	case kindRequest:
		p.request(der)
	case kindCRL:
		p.doc.CRLs++
	case kindPublic, kindRSAPublic:
		p.publicKey(der)
	case kindEncrypted:
		p.encryptedKey(block{der: der, line: p.line})
	default:
		p.key(block{der: der, line: p.line}, false)
	}
}

// request reads a certificate signing request. Its signature is not checked,
// and a key that is too large to be worked with stays out.
func (p *parser) request(der []byte) {
	p.doc.Requests++
	csr, err := x509.ParseCertificateRequest(bytes.Clone(der))
	if err == nil && rsaPublicBits(csr.RawSubjectPublicKeyInfo) <= MaxRSABits {
		p.doc.CSRs = append(p.doc.CSRs, csr)
		p.postQuantum(csr.RawSubjectPublicKeyInfo, "a request for a certificate with a key for")
	}
}

// publicKey reads a public key; what it cannot read it leaves out.
func (p *parser) publicKey(der []byte) {
	if bits := rsaPublicBits(der); bits > MaxRSABits {
		p.problem(Problem{Rule: ruleOversize, Detail: oversize(bits)})
		return
	}
	if key, err := x509.ParsePKIXPublicKey(der); err == nil {
		p.doc.PublicKeys = append(p.doc.PublicKeys, key)
	} else if key, err := x509.ParsePKCS1PublicKey(der); err == nil {
		p.doc.PublicKeys = append(p.doc.PublicKeys, key)
	} else {
		p.postQuantum(der, "a public key for")
	}
}

// postQuantum explains an ML-DSA key where this build cannot use it; what can
// be used is judged by its role.
func (p *parser) postQuantum(spki []byte, what string) {
	name := PostQuantum(spki)
	if name == "" {
		return
	}
	if _, err := x509.ParsePKIXPublicKey(spki); err != nil {
		p.problem(Problem{Rule: rulePostQuantum, Detail: fmt.Sprintf("%s %s; it needs %s", what, name, PostQuantumNeeds)})
	}
}
