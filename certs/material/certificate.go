package material

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// certificate reads one certificate, and says what is wrong with one that
// crypto/x509 refuses: its own errors name the symptom.
func (p *parser) certificate(b block) {
	c := Certificate{Label: b.label, Line: p.at(b.line), Headers: len(b.headers) > 0, Source: p.source}
	at := len(p.doc.Certificates)
	p.doc.Certificates = append(p.doc.Certificates, c)
	report := func(pr Problem) int {
		pr.Line, pr.Certificate = b.line, at+1
		if b.line == 0 {
			pr.Detail = fmt.Sprintf("certificate %d: %s", at+1, pr.Detail)
		}
		return p.problem(pr)
	}
	der := b.der
	if first, rest, ok := element(der); ok && len(rest) > 0 && kindOf(first) == kindCertificate {
		i := report(Problem{Rule: ruleTrailing, Detail: fmt.Sprintf("%d bytes follow the certificate inside its block", len(rest))})
		defer func() {
			if i >= 0 {
				p.doc.Problems[i].Rescued = p.doc.Certificates[at].X509 != nil
			}
		}()
		der = first
	}
	if bits := certificateRSABits(der); bits > MaxRSABits {
		report(Problem{Rule: ruleOversize, Detail: oversize(bits)})
		return
	}
	if !b.whole {
		der = bytes.Clone(der) // it may lie in the caller's buffer, and Raw would too
	}
	cert, err := x509.ParseCertificate(der)
	if err == nil {
		p.doc.Certificates[at].X509 = cert
		return
	}
	report(examine(der, err))
}

func complete(der []byte) bool {
	_, _, ok := element(der)
	return ok
}

// anatomy is a certificate taken apart as far as it goes.
type anatomy struct {
	version    int // 1 to 3
	serial     []byte
	inner      cryptobyte.String // the signature algorithm inside the signed part
	outer      cryptobyte.String
	issuer     []byte
	validity   cryptobyte.String
	subject    []byte
	key        cryptobyte.String // SubjectPublicKeyInfo, with its header
	extensions []extension
}

type extension struct {
	oid      asn1.ObjectIdentifier
	critical bool
	value    []byte
}

// dissect takes a certificate apart without judging values. The string says
// which part is damaged; it is "" when none is.
func dissect(der []byte) (a anatomy, damaged string) {
	in := cryptobyte.String(der)
	var cert, tbs cryptobyte.String
	if !in.ReadASN1(&cert, cbasn1.SEQUENCE) || !cert.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		return a, "outer structure"
	}
	if !cert.ReadASN1Element(&a.outer, cbasn1.SEQUENCE) || !cert.SkipASN1(cbasn1.BIT_STRING) || !cert.Empty() {
		return a, "signature"
	}
	var number int
	if !tbs.ReadOptionalASN1Integer(&number, cbasn1.Tag(0).ContextSpecific().Constructed(), 0) {
		return a, "version"
	}
	a.version = number + 1
	var part cryptobyte.String
	if !tbs.ReadASN1(&part, cbasn1.INTEGER) || len(part) == 0 {
		return a, "serial number"
	}
	a.serial = part
	if !tbs.ReadASN1Element(&a.inner, cbasn1.SEQUENCE) {
		return a, "signature algorithm"
	}
	if !tbs.ReadASN1Element(&part, cbasn1.SEQUENCE) {
		return a, "issuer"
	}
	a.issuer = part
	if !tbs.ReadASN1(&a.validity, cbasn1.SEQUENCE) {
		return a, "validity"
	}
	if !tbs.ReadASN1Element(&part, cbasn1.SEQUENCE) {
		return a, "subject"
	}
	a.subject = part
	if !tbs.ReadASN1Element(&a.key, cbasn1.SEQUENCE) {
		return a, "public key"
	}
	for _, tag := range []cbasn1.Tag{1, 2} { // unique identifiers, which nobody uses
		if !tbs.SkipOptionalASN1(tag.ContextSpecific()) {
			return a, "unique identifier"
		}
	}
	return a, dissectExtensions(tbs, &a)
}

func dissectExtensions(tbs cryptobyte.String, a *anatomy) (damaged string) {
	const where = "extensions"
	var wrapped, list cryptobyte.String
	var present bool
	if !tbs.ReadOptionalASN1(&wrapped, &present, cbasn1.Tag(3).ContextSpecific().Constructed()) || !tbs.Empty() {
		return where
	}
	if !present {
		return ""
	}
	if !wrapped.ReadASN1(&list, cbasn1.SEQUENCE) || !wrapped.Empty() {
		return where
	}
	for !list.Empty() {
		var e extension
		var one, value cryptobyte.String
		if !list.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&e.oid) {
			return where
		}
		if one.PeekASN1Tag(cbasn1.BOOLEAN) && !one.ReadASN1Boolean(&e.critical) {
			return where
		}
		if !one.ReadASN1(&value, cbasn1.OCTET_STRING) {
			return where
		}
		e.value = value
		a.extensions = append(a.extensions, e)
	}
	return ""
}

// certificateRSABits is the size of a certificate's RSA modulus, 0 when it has
// none. It is asked before anything computes with it.
func certificateRSABits(der []byte) int {
	a, _ := dissect(der)
	return rsaPublicBits(a.key)
}

// examine says why crypto/x509 refuses a certificate. err is what it said.
func examine(der []byte, err error) Problem {
	malformed := func(format string, args ...any) Problem {
		return Problem{Rule: ruleMalformedDER, Detail: fmt.Sprintf(format, args...)}
	}
	switch what := kindOf(der); {
	case len(der) == 0:
		return malformed("the block is empty")
	case !complete(der):
		return malformed("the content is cut short: %s", cutShort(der))
	case what != kindCertificate && what != kindUnknown:
		return malformed("the content is %s, not a certificate", what)
	case what == kindUnknown:
		return malformed("the content is no certificate")
	}
	a, damaged := dissect(der)
	if damaged != "" {
		return malformed("the %s of the certificate is damaged", damaged)
	}
	for _, find := range []func(anatomy) (string, string){examineNumbers, examineKey, examineExtensions, examineValidity, examineSAN} {
		if rule, detail := find(a); rule != "" {
			return Problem{Rule: rule, Detail: detail + subjectWords(a.subject)}
		}
	}
	return malformed("%s%s", quote(strings.TrimPrefix(err.Error(), "x509: ")), subjectWords(a.subject))
}

// subjectWords names a certificate that did not parse.
func subjectWords(raw []byte) string {
	if name := nameText(raw); name != "" {
		return fmt.Sprintf(" (subject %s)", quote(string(name)))
	}
	return ""
}

// examineNumbers judges version, serial and the algorithm identifiers.
func examineNumbers(a anatomy) (rule, detail string) {
	switch {
	case a.version < 1 || a.version > 3:
		return ruleMalformedDER, fmt.Sprintf("the certificate's version is %d, and there are 1 to 3", a.version)
	case a.serial[0]&0x80 != 0:
		return ruleNegativeSerial, "the serial number is negative: its first octet has the highest bit set"
	case !bytes.Equal(a.inner, a.outer):
		return ruleSignatureDiffer, fmt.Sprintf("the signed part says %s and the signature says %s",
			signatureName(a.inner), signatureName(a.outer))
	}
	return "", ""
}

// signatureAlgorithms names the signature algorithms that are met.
var signatureAlgorithms = map[string]string{
	"1.2.840.113549.1.1.4":  "MD5 with RSA",
	"1.2.840.113549.1.1.5":  "SHA-1 with RSA",
	"1.2.840.113549.1.1.10": "RSASSA-PSS",
	"1.2.840.113549.1.1.11": "SHA-256 with RSA",
	"1.2.840.113549.1.1.12": "SHA-384 with RSA",
	"1.2.840.113549.1.1.13": "SHA-512 with RSA",
	"1.2.840.10045.4.1":     "SHA-1 with ECDSA",
	"1.2.840.10045.4.3.2":   "SHA-256 with ECDSA",
	"1.2.840.10045.4.3.3":   "SHA-384 with ECDSA",
	"1.2.840.10045.4.3.4":   "SHA-512 with ECDSA",
	"1.3.101.112":           "Ed25519",
	"1.3.101.113":           "Ed448",

	"2.16.840.1.101.3.4.3.17": "ML-DSA-44",
	"2.16.840.1.101.3.4.3.18": "ML-DSA-65",
	"2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}

func signatureName(identifier cryptobyte.String) string {
	var seq cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !identifier.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&oid) {
		return "something unreadable"
	}
	if name, ok := signatureAlgorithms[oid.String()]; ok {
		if !seq.Empty() && !seq.PeekASN1Tag(cbasn1.NULL) {
			return name + " with parameters"
		}
		return name
	}
	return oid.String()
}

// examineKey judges the public key.
func examineKey(a anatomy) (rule, detail string) {
	key := a.key
	var seq, alg cryptobyte.String
	var oid asn1.ObjectIdentifier
	var bits []byte
	if !key.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1(&alg, cbasn1.SEQUENCE) ||
		!alg.ReadASN1ObjectIdentifier(&oid) || !seq.ReadASN1BitStringAsBytes(&bits) {
		return ruleMalformedDER, "the public key is damaged"
	}
	switch {
	case oid.Equal(oidEC):
		switch pr := inspectCurve(alg); pr.Rule {
		case ruleMalformedKey:
			return ruleMalformedDER, "the EC public key does not say which curve it is on"
		case ruleCurve, ruleExplicitEC:
			return pr.Rule, strings.Replace(pr.Detail, "an EC key", "the public key is", 1)
		}
	case oid.Equal(oidRSA):
		in := cryptobyte.String(bits)
		var numbers, n, e cryptobyte.String
		if !in.ReadASN1(&numbers, cbasn1.SEQUENCE) || !numbers.ReadASN1(&n, cbasn1.INTEGER) || !numbers.ReadASN1(&e, cbasn1.INTEGER) {
			return ruleMalformedDER, "the RSA public key is damaged"
		}
		if pr := inspectExponent(e); pr.Rule != "" {
			return pr.Rule, pr.Detail
		}
	}
	return "", ""
}

// Extensions by their number under 2.5.29 (RFC 5280 section 4.2.1).
var extensionNames = map[string]string{
	"2.5.29.14": "subjectKeyIdentifier", "2.5.29.15": "keyUsage", "2.5.29.17": "subjectAltName",
	"2.5.29.18": "issuerAltName", "2.5.29.19": "basicConstraints", "2.5.29.30": "nameConstraints",
	"2.5.29.31": "cRLDistributionPoints", "2.5.29.32": "certificatePolicies", "2.5.29.33": "policyMappings",
	"2.5.29.35": "authorityKeyIdentifier", "2.5.29.36": "policyConstraints", "2.5.29.37": "extendedKeyUsage",
	"2.5.29.54": "inhibitAnyPolicy", "1.3.6.1.5.5.7.1.1": "authorityInfoAccess",
}

func extensionName(oid asn1.ObjectIdentifier) string {
	if name, ok := extensionNames[oid.String()]; ok {
		return name
	}
	return oid.String()
}

// examineExtensions looks for an extension given twice, and for criticality
// that RFC 5280 forbids and crypto/x509 refuses.
func examineExtensions(a anatomy) (rule, detail string) {
	seen := map[string]bool{}
	for _, e := range a.extensions {
		if seen[e.oid.String()] {
			return ruleDuplicateExt, fmt.Sprintf("the extension %s (%s) is there twice", extensionName(e.oid), e.oid)
		}
		seen[e.oid.String()] = true
	}
	for _, e := range a.extensions {
		switch name := extensionName(e.oid); name {
		case "subjectKeyIdentifier", "authorityKeyIdentifier", "authorityInfoAccess":
			if e.critical {
				return ruleExtCriticality, fmt.Sprintf("the extension %s is marked critical, which RFC 5280 forbids", name)
			}
		}
	}
	if a.version < 3 && len(a.extensions) > 0 {
		return ruleMalformedDER, fmt.Sprintf("a certificate of version %d has extensions, which only version 3 may have", a.version)
	}
	return "", ""
}

// examineValidity judges how the two times are written, as strictly as
// crypto/x509 does. RFC 5280 section 4.1.2.5 is stricter: seconds, and Z.
func examineValidity(a anatomy) (rule, detail string) {
	for _, which := range []string{"notBefore", "notAfter"} {
		var whole, text cryptobyte.String
		var tag cbasn1.Tag
		if !a.validity.ReadAnyASN1Element(&whole, &tag) || tag != cbasn1.UTCTime && tag != cbasn1.GeneralizedTime {
			return ruleMalformedDER, which + " is neither a UTCTime nor a GeneralizedTime"
		}
		var t time.Time
		again := whole
		name, form, good := "UTCTime", "YYMMDDhhmmssZ", tag == cbasn1.UTCTime && again.ReadASN1UTCTime(&t)
		if tag == cbasn1.GeneralizedTime {
			name, form, good = "GeneralizedTime", "YYYYMMDDhhmmssZ", again.ReadASN1GeneralizedTime(&t)
		}
		if !good {
			whole.ReadAnyASN1(&text, &tag)
			return ruleMalformedDER, fmt.Sprintf("%s is the %s %s, which is not of the form %s", which, name, quote(string(text)), form)
		}
	}
	return "", ""
}

// examineSAN judges the names of a subjectAltName.
func examineSAN(a anatomy) (rule, detail string) {
	const kinds = "rfc822Name dNSName uniformResourceIdentifier"
	for _, e := range a.extensions {
		if extensionName(e.oid) != "subjectAltName" {
			continue
		}
		in := cryptobyte.String(e.value)
		var list cryptobyte.String
		if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
			return ruleMalformedDER, "the subjectAltName is damaged"
		}
		for !list.Empty() {
			var name cryptobyte.String
			var tag cbasn1.Tag
			if !list.ReadAnyASN1(&name, &tag) {
				return ruleMalformedDER, "the subjectAltName is damaged"
			}
			switch n := int(tag &^ 0xe0); {
			case n == 7 && len(name) != 4 && len(name) != 16:
				return ruleMalformedDER, fmt.Sprintf("an IP address in the subjectAltName has %d octets, not 4 or 16", len(name))
			case (n == 1 || n == 2 || n == 6) && bytes.IndexFunc(name, func(r rune) bool { return r > 0x7e }) >= 0:
				which := strings.Fields(kinds)[map[int]int{1: 0, 2: 1, 6: 2}[n]]
				return ruleMalformedSAN, fmt.Sprintf("the %s %s in the subjectAltName is not ASCII", which, quote(string(name)))
			case n == 6:
				if detail := malformedURI(string(name)); detail != "" {
					return ruleMalformedSAN, detail
				}
			}
		}
	}
	return "", ""
}
