package material

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"certwright/certs/untrusted"
)

// Object identifiers of keys.
var (
	oidRSA     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidEC      = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}
)

// keyAlgorithms names the key algorithms that components do not take.
var keyAlgorithms = map[string]string{
	"1.2.840.113549.1.1.10":   "RSASSA-PSS",
	"1.2.840.10040.4.1":       "DSA",
	"1.2.840.113549.1.3.1":    "Diffie-Hellman",
	"1.2.840.10046.2.1":       "X9.42 Diffie-Hellman",
	"1.3.101.110":             "X25519",
	"1.3.101.111":             "X448",
	"1.3.101.113":             "Ed448",
	"1.2.643.2.2.19":          "GOST R 34.10-2001",
	"1.2.643.7.1.1.1.1":       "GOST R 34.10-2012",
	"1.2.643.7.1.1.1.2":       "GOST R 34.10-2012",
	"1.2.156.10197.1.301":     "SM2",
	"2.16.840.1.101.3.4.3.17": "ML-DSA-44",
	"2.16.840.1.101.3.4.3.18": "ML-DSA-65",
	"2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}

// curves names the curves of ECDSA keys by object identifier.
var curves = map[string]string{
	"1.3.132.0.33":          "P-224",
	"1.2.840.10045.3.1.7":   "P-256",
	"1.3.132.0.34":          "P-384",
	"1.3.132.0.35":          "P-521",
	"1.2.840.10045.3.1.1":   "P-192",
	"1.3.132.0.10":          "secp256k1",
	"1.3.132.0.31":          "secp192k1",
	"1.3.132.0.32":          "secp224k1",
	"1.3.36.3.3.2.8.1.1.1":  "brainpoolP160r1",
	"1.3.36.3.3.2.8.1.1.3":  "brainpoolP192r1",
	"1.3.36.3.3.2.8.1.1.5":  "brainpoolP224r1",
	"1.3.36.3.3.2.8.1.1.7":  "brainpoolP256r1",
	"1.3.36.3.3.2.8.1.1.8":  "brainpoolP256t1",
	"1.3.36.3.3.2.8.1.1.9":  "brainpoolP320r1",
	"1.3.36.3.3.2.8.1.1.11": "brainpoolP384r1",
	"1.3.36.3.3.2.8.1.1.12": "brainpoolP384t1",
	"1.3.36.3.3.2.8.1.1.13": "brainpoolP512r1",
	"1.2.156.10197.1.301":   "SM2",
}

// curveName names a curve, by its object identifier when it has no name here.
func curveName(oid asn1.ObjectIdentifier) string {
	if name, ok := curves[oid.String()]; ok {
		return name
	}
	return "curve " + oid.String()
}

// goCurve says whether Go has the curve.
func goCurve(oid asn1.ObjectIdentifier) bool {
	switch curves[oid.String()] {
	case "P-224", "P-256", "P-384", "P-521":
		return true
	}
	return false
}

// keyLabels are the PEM labels that kubeadm and client-go go by.
var keyLabels = map[kind]string{kindPKCS1: "RSA PRIVATE KEY", kindSEC1: "EC PRIVATE KEY", kindPKCS8: "PRIVATE KEY"}

// key reads one private key in the clear. labelled says that it stood in PEM,
// where its label must fit.
func (p *parser) key(b block, labelled bool) {
	k := Key{Label: b.label, Line: p.at(b.line), Source: p.source}
	what := kindOf(b.der)
	signer, problem := p.readKey(b.der)
	k.Signer = signer
	p.doc.Keys = append(p.doc.Keys, k)
	if signer == nil {
		problem.Line, problem.Key = b.line, len(p.doc.Keys)
		p.problem(problem)
		return
	}
	if want := keyLabels[what]; labelled && want != b.label {
		i := p.problem(Problem{
			Rule: ruleKeyLabel, Line: b.line, Key: len(p.doc.Keys),
			Detail: fmt.Sprintf("the block is labelled %s and holds %s, whose label is %q", quote(b.label), what, want),
		})
		if i >= 0 {
			p.doc.Problems[i].Rescued = true
		}
	}
}

// The caps on all keys of one input: an RSA key of 8192 bits takes two
// milliseconds to check, and its file has 5 KiB.
const (
	maxKeys     = 256
	maxKeyBytes = 4 * MaxKey
)

// readKey is readKey within the caps on all keys of the input.
func (p *parser) readKey(der []byte) (crypto.Signer, Problem) {
	p.keys++
	p.keyBytes += len(der)
	if p.keys > maxKeys || p.keyBytes > maxKeyBytes {
		return nil, Problem{Rule: ruleTooLarge, Detail: fmt.Sprintf("more private keys than %d or than %s are not read",
			maxKeys, untrusted.Size(maxKeyBytes))}
	}
	return readKey(der)
}

// readKey parses a private key in any of its three encodings, whatever its
// label said. The problem is set when there is no signer; it has no word of
// the key's contents.
func readKey(der []byte) (crypto.Signer, Problem) {
	if len(der) > MaxKey {
		return nil, Problem{Rule: ruleTooLarge, Detail: fmt.Sprintf("%s for one private key, which needs at most %s",
			untrusted.Size(len(der)), untrusted.Size(MaxKey))}
	}
	what := kindOf(der)
	first, rest, ok := element(der)
	switch {
	case len(der) == 0:
		return nil, Problem{Rule: ruleMalformedKey, Detail: "the block is empty"}
	case what == kindUnknown:
		return nil, Problem{Rule: ruleMalformedKey, Detail: "the content is no private key"}
	case !ok:
		return nil, Problem{Rule: ruleMalformedKey, Detail: "the key is cut short: " + cutShort(der)}
	case what == kindEncrypted:
		return nil, Problem{Rule: ruleEncrypted, Detail: "the content is an encrypted key", Err: ErrNoPassphrase}
	case what == kindDSA:
		return nil, Problem{Rule: ruleKeyAlgorithm, Detail: "a DSA key"}
	case keyLabels[what] == "":
		return nil, Problem{Rule: ruleMalformedKey, Detail: "the content is " + string(what) + ", not a private key"}
	}
	// Numbers of any size would be worked on, so sizes come first. Then Go's
	// parser has the last word, and what it refuses is looked at again.
	if problem := inspectSizes(first, what); problem.Rule != "" {
		return nil, problem
	}
	if signer := parseKey(der, what); signer != nil {
		return signer, Problem{}
	}
	if problem := inspectKey(first, what); problem.Rule != "" {
		return nil, problem
	}
	if len(rest) > 0 {
		return nil, Problem{Rule: ruleMalformedKey, Detail: fmt.Sprintf("%d bytes follow the key", len(rest))}
	}
	return nil, Problem{Rule: ruleMalformedKey, Detail: "the numbers of the key do not fit together, or are damaged"}
}

// parseKey hands a key to crypto/x509. Nil: it was refused, or cannot sign.
func parseKey(der []byte, what kind) crypto.Signer {
	var key any
	var err error
	switch what {
	case kindPKCS1:
		key, err = x509.ParsePKCS1PrivateKey(der)
	case kindSEC1:
		key, err = x509.ParseECPrivateKey(der)
	default:
		key, err = x509.ParsePKCS8PrivateKey(der)
	}
	if err != nil {
		return nil
	}
	signer, _ := key.(crypto.Signer) // X25519 keys are for agreement alone
	return signer
}

// inspectSizes judges the sizes of an RSA key's numbers before any arithmetic:
// Go works for minutes on a key of 262,144 bits.
func inspectSizes(der []byte, what kind) Problem {
	if what == kindPKCS8 {
		oid, _, inner, ok := openPKCS8Info(der)
		if !ok || !oid.Equal(oidRSA) {
			return Problem{}
		}
		der, what = inner, kindPKCS1
	}
	if what != kindPKCS1 {
		return Problem{}
	}
	in := cryptobyte.String(der)
	var seq, number cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return Problem{}
	}
	for i := 0; seq.ReadASN1(&number, cbasn1.INTEGER); i++ {
		if bits := bitLen(number); bits > MaxRSABits {
			if i != 1 { // the modulus is the second number
				return Problem{Rule: ruleMalformedKey, Detail: "a number of the RSA key is larger than any modulus may be"}
			}
			return Problem{Rule: ruleOversize, Detail: oversize(bits)}
		}
	}
	return Problem{}
}

// openPKCS8Info takes a PrivateKeyInfo apart: the algorithm with its
// parameters, and the key in the algorithm's own form.
func openPKCS8Info(der []byte) (oid asn1.ObjectIdentifier, params, inner cryptobyte.String, ok bool) {
	in := cryptobyte.String(der)
	var seq, alg cryptobyte.String
	ok = in.ReadASN1(&seq, cbasn1.SEQUENCE) && seq.SkipASN1(cbasn1.INTEGER) &&
		seq.ReadASN1(&alg, cbasn1.SEQUENCE) && alg.ReadASN1ObjectIdentifier(&oid) && seq.ReadASN1(&inner, cbasn1.OCTET_STRING)
	return oid, alg, inner, ok
}

// inspectKey says why crypto/x509 refuses a key.
func inspectKey(der []byte, what kind) Problem {
	switch what {
	case kindPKCS1:
		return inspectRSA(der)
	case kindSEC1:
		return inspectSEC1(der)
	}
	oid, params, inner, ok := openPKCS8Info(der)
	switch {
	case !ok:
		return Problem{Rule: ruleMalformedKey, Detail: "the key's PKCS#8 structure is damaged"}
	case oid.Equal(oidRSA):
		return inspectRSA(inner)
	case oid.Equal(oidEC):
		return inspectCurve(params)
	case oid.Equal(oidEd25519):
		return Problem{}
	case parameterSets[oid.String()].name != "":
		return inspectMLDSA(oid, inner)
	}
	return Problem{Rule: ruleKeyAlgorithm, Detail: fmt.Sprintf("a key for %s", algorithmName(oid))}
}

// algorithmName names a key algorithm that Go does not have.
func algorithmName(oid asn1.ObjectIdentifier) string {
	if name, ok := keyAlgorithms[oid.String()]; ok {
		return name
	}
	return "the unknown algorithm " + oid.String()
}

// inspectSEC1 looks for the curve of an EC key.
func inspectSEC1(der []byte) Problem {
	in := cryptobyte.String(der)
	var seq, params cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.SkipASN1(cbasn1.INTEGER) || !seq.SkipASN1(cbasn1.OCTET_STRING) {
		return Problem{Rule: ruleMalformedKey, Detail: "the EC key's structure is damaged"}
	}
	if !seq.ReadASN1(&params, cbasn1.Tag(0).ContextSpecific().Constructed()) {
		return Problem{Rule: ruleMalformedKey, Detail: "the EC key does not say which curve it is on"}
	}
	return inspectCurve(params)
}

// inspectCurve judges the parameters of an EC key.
func inspectCurve(params cryptobyte.String) Problem {
	if params.PeekASN1Tag(cbasn1.SEQUENCE) {
		return Problem{Rule: ruleExplicitEC, Detail: "the curve is spelled out with all its parameters instead of named"}
	}
	var oid asn1.ObjectIdentifier
	if !params.ReadASN1ObjectIdentifier(&oid) {
		return Problem{Rule: ruleMalformedKey, Detail: "the EC key does not say which curve it is on"}
	}
	if !goCurve(oid) {
		return Problem{Rule: ruleCurve, Detail: "an EC key on " + curveName(oid)}
	}
	return Problem{}
}

// inspectRSA judges the public exponent of an RSA key.
func inspectRSA(der []byte) Problem {
	in := cryptobyte.String(der)
	var seq, exponent cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.SkipASN1(cbasn1.INTEGER) || !seq.SkipASN1(cbasn1.INTEGER) ||
		!seq.ReadASN1(&exponent, cbasn1.INTEGER) {
		return Problem{Rule: ruleMalformedKey, Detail: "the RSA key's structure is damaged"}
	}
	return inspectExponent(exponent)
}

// inspectExponent judges the public exponent of an RSA key, as the bytes of a
// DER INTEGER.
func inspectExponent(number []byte) Problem {
	if bitLen(number) > 31 || len(number) == 0 || number[0]&0x80 != 0 {
		return Problem{Rule: ruleExponent, Detail: "the RSA public exponent is negative or has more than 31 bits"}
	}
	e := new(big.Int).SetBytes(number).Int64()
	switch {
	case e < 2:
		return Problem{Rule: ruleExponent, Detail: fmt.Sprintf("the RSA public exponent is %d, so that a signature is no signature", e)}
	case e%2 == 0:
		return Problem{Rule: ruleExponent, Detail: fmt.Sprintf("the RSA public exponent %d is even", e)}
	}
	return Problem{}
}

// bitLen is the length in bits of a DER INTEGER's content.
func bitLen(number []byte) int { return new(big.Int).SetBytes(number).BitLen() }

func oversize(bits int) string {
	return fmt.Sprintf("an RSA key of %d bits; %d is the most that TLS in Go takes", bits, MaxRSABits)
}

// rsaPublicBits is the size of the RSA modulus in a SubjectPublicKeyInfo or a
// PKCS#1 public key; 0 when it is neither.
func rsaPublicBits(der []byte) int {
	in := cryptobyte.String(der)
	var seq, alg, number cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return 0
	}
	if seq.PeekASN1Tag(cbasn1.SEQUENCE) {
		var oid asn1.ObjectIdentifier
		var bits []byte
		if !seq.ReadASN1(&alg, cbasn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidRSA) ||
			!seq.ReadASN1BitStringAsBytes(&bits) {
			return 0
		}
		return rsaPublicBits(bits)
	}
	if !seq.ReadASN1(&number, cbasn1.INTEGER) {
		return 0
	}
	return bitLen(number)
}

// cutShort says how many bytes a DER element announces, and how many there are.
func cutShort(der []byte) string {
	announced, header := announcedLength(der)
	if header == 0 {
		return "not even its length is there"
	}
	return fmt.Sprintf("it announces %d bytes and has %d", announced+header, len(der))
}

// announcedLength reads the length octets of a DER element.
func announcedLength(der []byte) (length, header int) {
	if len(der) < 2 {
		return 0, 0
	}
	if der[1]&0x80 == 0 {
		return int(der[1]), 2
	}
	n := int(der[1] &^ 0x80)
	if n == 0 || n > 4 || len(der) < 2+n {
		return 0, 0
	}
	for _, b := range der[2 : 2+n] {
		length = length<<8 | int(b)
	}
	return length, 2 + n
}
