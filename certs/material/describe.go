package material

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"certwright/certs/untrusted"
)

// Summary describes a document for people and for scripts. It has no byte of a
// private key in it. Texts out of certificates are escaped and cut.
type Summary struct {
	Name         string               `json:"name"`
	Format       Format               `json:"format"`
	Size         int                  `json:"size"` // bytes
	SHA256       string               `json:"sha256"`
	Certificates []CertificateSummary `json:"certificates"`
	Keys         []KeySummary         `json:"keys"`
	PublicKeys   []KeySummary         `json:"publicKeys,omitempty"`
	Requests     int                  `json:"certificateRequests,omitempty"`
	CSRs         []RequestSummary     `json:"requests,omitempty"` // those of them that parse
	CRLs         int                  `json:"revocationLists,omitempty"`
	Blocks       []string             `json:"blocks,omitempty"` // types of the PEM blocks
	Problems     []ProblemSummary     `json:"problems"`
}

// ProblemSummary is a Problem for people and for scripts.
type ProblemSummary struct {
	Rule    string `json:"rule"`
	Line    int    `json:"line,omitempty"`
	Detail  string `json:"detail"`
	Rescued bool   `json:"rescued"` // read all the same
}

// CertificateSummary describes one certificate. Of one that did not parse only
// Position, Line, Label and Source are set.
type CertificateSummary struct {
	Position           int       `json:"position"` // from 1
	Line               int       `json:"line,omitempty"`
	Label              string    `json:"label,omitempty"`
	Source             string    `json:"source,omitempty"`
	Parsed             bool      `json:"parsed"`
	Subject            string    `json:"subject"`
	Issuer             string    `json:"issuer"`
	SelfIssued         bool      `json:"selfIssued"` // subject and issuer are one name
	Version            int       `json:"version"`
	Serial             string    `json:"serial"`
	NotBefore          time.Time `json:"notBefore"`
	NotAfter           time.Time `json:"notAfter"`
	Key                string    `json:"key"` // "ECDSA P-256"
	PublicKeySHA256    string    `json:"publicKeySHA256,omitempty"`
	SignatureAlgorithm string    `json:"signatureAlgorithm"`
	CA                 bool      `json:"ca"`
	PathLen            *int      `json:"pathLen,omitempty"` // nil: unlimited, or no CA
	KeyUsage           []string  `json:"keyUsage,omitempty"`
	ExtKeyUsage        []string  `json:"extKeyUsage,omitempty"`
	SANs               []string  `json:"subjectAltNames,omitempty"`
	SubjectKeyID       string    `json:"subjectKeyId,omitempty"`
	AuthorityKeyID     string    `json:"authorityKeyId,omitempty"`
	SHA256             string    `json:"sha256"`
	Keys               []int     `json:"keys,omitempty"` // positions of the keys that are its own
}

// RequestSummary describes one certificate signing request.
type RequestSummary struct {
	Position        int      `json:"position"` // from 1
	Subject         string   `json:"subject"`
	Key             string   `json:"key"`
	PublicKeySHA256 string   `json:"publicKeySHA256"`
	SANs            []string `json:"subjectAltNames,omitempty"`
	Keys            []int    `json:"keys,omitempty"` // positions of the keys that are its own
}

// KeySummary describes one key: a private one by its public half.
type KeySummary struct {
	Position        int    `json:"position"` // from 1
	Line            int    `json:"line,omitempty"`
	Label           string `json:"label,omitempty"`
	Source          string `json:"source,omitempty"`
	Parsed          bool   `json:"parsed"`
	Encrypted       bool   `json:"encrypted"`
	Key             string `json:"key,omitempty"` // "RSA 2048"
	PublicKeySHA256 string `json:"publicKeySHA256,omitempty"`
	Certificates    []int  `json:"certificates,omitempty"` // positions of the certificates that it belongs to
}

// Describe sums a document up.
func Describe(d *Document) Summary {
	s := Summary{
		Name: shown(d.Name), Format: d.Format, Size: d.Size, SHA256: hex.EncodeToString(d.SHA256[:]),
		Certificates: []CertificateSummary{}, Keys: []KeySummary{}, Problems: []ProblemSummary{},
		Requests: d.Requests, CRLs: d.CRLs,
	}
	for _, b := range d.Blocks {
		s.Blocks = append(s.Blocks, shown(b))
	}
	for _, p := range d.Problems {
		s.Problems = append(s.Problems, ProblemSummary{p.Rule, p.Line, p.Detail, p.Rescued})
	}
	for i, c := range d.Certificates {
		one := CertificateSummary{Position: i + 1, Line: c.Line, Label: shown(c.Label), Source: shown(c.Source)}
		if c.X509 != nil {
			one.describe(c.X509)
			for j, k := range d.Keys {
				if k.Signer != nil && SamePublicKey(c.X509.PublicKey, k.Signer.Public()) {
					one.Keys = append(one.Keys, j+1)
				}
			}
		}
		s.Certificates = append(s.Certificates, one)
	}
	for i, k := range d.Keys {
		one := KeySummary{Position: i + 1, Line: k.Line, Label: shown(k.Label), Source: shown(k.Source), Encrypted: k.Encrypted}
		if k.Signer != nil {
			one.describe(k.Signer.Public(), d.Certificates)
		}
		s.Keys = append(s.Keys, one)
	}
	for i, k := range d.PublicKeys {
		one := KeySummary{Position: i + 1}
		one.describe(k, d.Certificates)
		s.PublicKeys = append(s.PublicKeys, one)
	}
	for i, r := range d.CSRs {
		s.CSRs = append(s.CSRs, describeRequest(i+1, r, d.Keys))
	}
	return s
}

func describeRequest(position int, r *x509.CertificateRequest, keys []Key) RequestSummary {
	// Its names are a certificate's, and are written as one's.
	as := &x509.Certificate{
		RawSubject: r.RawSubject, PublicKey: r.PublicKey, RawSubjectPublicKeyInfo: r.RawSubjectPublicKeyInfo,
		DNSNames: r.DNSNames, IPAddresses: r.IPAddresses, URIs: r.URIs, EmailAddresses: r.EmailAddresses,
	}
	s := RequestSummary{
		Position: position, Subject: Subject(as).String(), Key: CertificateKeyWords(as), PublicKeySHA256: hexSum(r.RawSubjectPublicKeyInfo),
	}
	for _, n := range SANs(as) {
		s.SANs = append(s.SANs, n.String())
	}
	for j, k := range keys {
		if k.Signer != nil && SamePublicKey(r.PublicKey, k.Signer.Public()) {
			s.Keys = append(s.Keys, j+1)
		}
	}
	return s
}

func (k *KeySummary) describe(pub crypto.PublicKey, certs []Certificate) {
	k.Parsed, k.Key, k.PublicKeySHA256 = true, KeyWords(pub), PublicKeyFingerprint(pub)
	for i, c := range certs {
		if c.X509 != nil && SamePublicKey(c.X509.PublicKey, pub) {
			k.Certificates = append(k.Certificates, i+1)
		}
	}
}

func (s *CertificateSummary) describe(c *x509.Certificate) {
	s.Parsed = true
	s.Subject, s.Issuer = Subject(c).String(), Issuer(c).String()
	s.SelfIssued = string(c.RawSubject) == string(c.RawIssuer)
	s.Version, s.Serial = c.Version, Serial(c.SerialNumber)
	s.NotBefore, s.NotAfter = c.NotBefore, c.NotAfter
	s.Key, s.PublicKeySHA256 = CertificateKeyWords(c), hexSum(c.RawSubjectPublicKeyInfo)
	s.SignatureAlgorithm = SignatureWords(c)
	s.CA = c.IsCA
	if c.IsCA && (c.MaxPathLen > 0 || c.MaxPathLenZero) {
		s.PathLen = &c.MaxPathLen
	}
	s.KeyUsage, s.ExtKeyUsage = KeyUsages(c), ExtKeyUsages(c)
	for _, n := range SANs(c) {
		s.SANs = append(s.SANs, n.String())
	}
	s.SubjectKeyID, s.AuthorityKeyID = colons(c.SubjectKeyId), colons(c.AuthorityKeyId)
	s.SHA256 = Fingerprint(c)
}

func shown(s string) string { return untrusted.Text(s).String() }

// CertificateKeyWords is KeyWords for a certificate's key, which has a name
// even when Go cannot parse it: "Ed448".
func CertificateKeyWords(c *x509.Certificate) string {
	if c.PublicKey != nil {
		return KeyWords(c.PublicKey)
	}
	var info struct {
		Algorithm struct {
			OID    asn1.ObjectIdentifier
			Params asn1.RawValue `asn1:"optional"`
		}
		Key asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info); err != nil {
		return KeyWords(nil)
	}
	if name, ok := keyAlgorithms[info.Algorithm.OID.String()]; ok {
		return name
	}
	return "unknown key " + info.Algorithm.OID.String()
}

// SignatureWords names a certificate's signature algorithm: "SHA-256 with
// ECDSA".
func SignatureWords(c *x509.Certificate) string {
	var cert struct {
		TBS       asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.Raw, &cert); err != nil {
		return c.SignatureAlgorithm.String()
	}
	return signatureName(cert.Algorithm.FullBytes)
}

// keyUsageNames are the bits of a key usage in RFC 5280's words and order.
var keyUsageNames = []struct {
	bit  x509.KeyUsage
	name string
}{
	{x509.KeyUsageDigitalSignature, "digitalSignature"},
	{x509.KeyUsageContentCommitment, "nonRepudiation"},
	{x509.KeyUsageKeyEncipherment, "keyEncipherment"},
	{x509.KeyUsageDataEncipherment, "dataEncipherment"},
	{x509.KeyUsageKeyAgreement, "keyAgreement"},
	{x509.KeyUsageCertSign, "keyCertSign"},
	{x509.KeyUsageCRLSign, "cRLSign"},
	{x509.KeyUsageEncipherOnly, "encipherOnly"},
	{x509.KeyUsageDecipherOnly, "decipherOnly"},
}

// KeyUsages names the key usages of a certificate as RFC 5280 does; none when
// it has no such extension.
//
//go:noinline // many callers, none of them hot
func KeyUsages(c *x509.Certificate) []string {
	var out []string
	for _, u := range keyUsageNames {
		if c.KeyUsage&u.bit != 0 {
			out = append(out, u.name)
		}
	}
	return out
}

// extKeyUsageNames are the extended key usages that Go knows by number.
var extKeyUsageNames = map[x509.ExtKeyUsage]string{
	x509.ExtKeyUsageAny: "anyExtendedKeyUsage", x509.ExtKeyUsageServerAuth: "serverAuth",
	x509.ExtKeyUsageClientAuth: "clientAuth", x509.ExtKeyUsageCodeSigning: "codeSigning",
	x509.ExtKeyUsageEmailProtection: "emailProtection", x509.ExtKeyUsageIPSECEndSystem: "ipsecEndSystem",
	x509.ExtKeyUsageIPSECTunnel: "ipsecTunnel", x509.ExtKeyUsageIPSECUser: "ipsecUser",
	x509.ExtKeyUsageTimeStamping: "timeStamping", x509.ExtKeyUsageOCSPSigning: "OCSPSigning",
	x509.ExtKeyUsageMicrosoftServerGatedCrypto: "msSGC", x509.ExtKeyUsageNetscapeServerGatedCrypto: "nsSGC",
	x509.ExtKeyUsageMicrosoftCommercialCodeSigning: "msCodeCom", x509.ExtKeyUsageMicrosoftKernelCodeSigning: "msKernelCode",
}

// ExtKeyUsages names the extended key usages of a certificate as RFC 5280
// does, and those without a name by their object identifier.
func ExtKeyUsages(c *x509.Certificate) []string {
	var out []string
	for _, u := range c.ExtKeyUsage {
		if name, ok := extKeyUsageNames[u]; ok {
			out = append(out, name)
		} else {
			out = append(out, fmt.Sprintf("usage %d", u))
		}
	}
	for _, oid := range c.UnknownExtKeyUsage {
		out = append(out, oid.String())
	}
	return out
}

// Text is the summary for people, one fact a line.
func (s Summary) Text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s: %s, %s", s.Name, s.Format, untrusted.Size(s.Size))
	for _, p := range s.Problems {
		at := ""
		if p.Line > 0 {
			at = fmt.Sprintf(" (line %d)", p.Line)
		}
		line("  ! %s%s: %s", p.Rule, at, p.Detail)
	}
	for _, c := range s.Certificates {
		c.text(line)
	}
	for _, k := range s.Keys {
		k.text(line, "private key")
	}
	for _, k := range s.PublicKeys {
		k.text(line, "public key")
	}
	if n := s.Requests - len(s.CSRs); n > 0 {
		line("  certificate signing requests that are not readable: %d", n)
	}
	for _, r := range s.CSRs {
		line("  certificate signing request %d: %s, %s", r.Position, emptyName(r.Subject), r.Key)
		if len(r.SANs) > 0 {
			line("    %-12s %s", "names", strings.Join(r.SANs, ", "))
		}
		for _, k := range r.Keys {
			line("    %-12s private key %d of this input", "its key", k)
		}
	}
	if s.CRLs > 0 {
		line("  revocation lists: %d", s.CRLs)
	}
	return b.String()
}

// place says where something stood.
func place(line int, source string) string {
	var parts []string
	if source != "" {
		parts = append(parts, source)
	}
	if line > 0 {
		parts = append(parts, fmt.Sprintf("line %d", line))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func (s CertificateSummary) text(line func(string, ...any)) {
	if !s.Parsed {
		line("  certificate %d%s: not readable", s.Position, place(s.Line, s.Source))
		return
	}
	line("  certificate %d%s", s.Position, place(s.Line, s.Source))
	field := func(name, value string) {
		if value != "" {
			line("    %-12s %s", name, value)
		}
	}
	what := "leaf"
	if s.CA {
		what = "CA"
		if s.PathLen != nil {
			what += fmt.Sprintf(", path length %d", *s.PathLen)
		}
	}
	if s.SelfIssued {
		what += ", issued to itself"
	}
	field("subject", emptyName(s.Subject))
	field("issuer", emptyName(s.Issuer))
	field("kind", what)
	field("serial", s.Serial)
	field("valid", s.NotBefore.UTC().Format(time.RFC3339)+" to "+s.NotAfter.UTC().Format(time.RFC3339))
	field("key", s.Key)
	field("public key", s.PublicKeySHA256)
	field("signature", s.SignatureAlgorithm)
	field("key usage", strings.Join(s.KeyUsage, ", "))
	field("ext. usage", strings.Join(s.ExtKeyUsage, ", "))
	field("names", strings.Join(s.SANs, ", "))
	field("subject id", s.SubjectKeyID)
	field("issuer id", s.AuthorityKeyID)
	field("SHA-256", s.SHA256)
	for _, k := range s.Keys {
		field("its key", fmt.Sprintf("private key %d of this input", k))
	}
}

func emptyName(s string) string {
	if s == "" {
		return "(empty)"
	}
	return s
}

func (k KeySummary) text(line func(string, ...any), what string) {
	words := "not readable"
	switch {
	case k.Parsed:
		words = k.Key + ", public key " + k.PublicKeySHA256
	case k.Encrypted:
		words = "encrypted, not opened"
	}
	if k.Parsed && k.Encrypted {
		words += ", was encrypted"
	}
	line("  %s %d%s: %s", what, k.Position, place(k.Line, k.Source), words)
	for _, c := range k.Certificates {
		line("    belongs to certificate %d", c)
	}
}
