package material

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// parameterSets are those of ML-DSA (FIPS 204, RFC 9881), by object identifier.
// They name keys and signatures alike. expanded is the size of a private key
// that is not stored as its seed of 32 bytes.
var parameterSets = map[string]struct {
	name     string
	expanded int
}{
	"2.16.840.1.101.3.4.3.17": {"ML-DSA-44", 2560},
	"2.16.840.1.101.3.4.3.18": {"ML-DSA-65", 4032},
	"2.16.840.1.101.3.4.3.19": {"ML-DSA-87", 4896},
}

const seedSize = 32

// PostQuantumNeeds is what a program must be to take ML-DSA.
const PostQuantumNeeds = "programs built with Go 1.27 or newer, or on OpenSSL 3.5 or newer"

// PostQuantum names the parameter set of an ML-DSA key by its
// SubjectPublicKeyInfo, "ML-DSA-65"; "" for a key of any other kind. It goes by
// the object identifier, so that it knows keys that this build cannot use.
func PostQuantum(spki []byte) string {
	in := cryptobyte.String(spki)
	var seq, alg cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1(&alg, cbasn1.SEQUENCE) {
		return ""
	}
	return parameterSet(alg)
}

// PostQuantumKey is PostQuantum for a key that this build can use.
func PostQuantumKey(pub crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return ""
	}
	return PostQuantum(der)
}

// PostQuantumSignature names the parameter set that a certificate is signed
// with, as PostQuantum does.
func PostQuantumSignature(c *x509.Certificate) string {
	in := cryptobyte.String(c.Raw)
	var cert, alg cryptobyte.String
	if !in.ReadASN1(&cert, cbasn1.SEQUENCE) || !cert.SkipASN1(cbasn1.SEQUENCE) || !cert.ReadASN1(&alg, cbasn1.SEQUENCE) {
		return ""
	}
	return parameterSet(alg)
}

// parameterSet reads the content of an AlgorithmIdentifier.
func parameterSet(alg cryptobyte.String) string {
	var oid asn1.ObjectIdentifier
	if !alg.ReadASN1ObjectIdentifier(&oid) {
		return ""
	}
	return parameterSets[oid.String()].name
}

// inspectMLDSA describes a private key that this build cannot use, by the form
// that RFC 9881 gives it: a seed, the expanded key, or both.
func inspectMLDSA(oid asn1.ObjectIdentifier, inner cryptobyte.String) Problem {
	set := parameterSets[oid.String()]
	seedTag := cbasn1.Tag(0).ContextSpecific()
	var seed, expanded, both cryptobyte.String
	form, sizes := "", [2]int{seedSize, set.expanded}
	switch {
	// A look first: reading an element of another kind takes it off all the same.
	case inner.PeekASN1Tag(seedTag) && inner.ReadASN1(&seed, seedTag):
		form, sizes = "as its seed", [2]int{len(seed), set.expanded}
	case inner.PeekASN1Tag(cbasn1.OCTET_STRING) && inner.ReadASN1(&expanded, cbasn1.OCTET_STRING):
		form, sizes = "in expanded form", [2]int{seedSize, len(expanded)}
	case inner.ReadASN1(&both, cbasn1.SEQUENCE) && both.ReadASN1(&seed, cbasn1.OCTET_STRING) && both.ReadASN1(&expanded, cbasn1.OCTET_STRING):
		form, sizes = "as its seed and in expanded form", [2]int{len(seed), len(expanded)}
	default:
		return Problem{Rule: ruleMalformedKey, Detail: fmt.Sprintf("a key for %s (%s) in none of its three forms", set.name, oid)}
	}
	switch {
	case sizes[0] != seedSize:
		return Problem{Rule: ruleMalformedKey, Detail: fmt.Sprintf("a key for %s whose seed has %d bytes, and %d make one", set.name, sizes[0], seedSize)}
	case sizes[1] != set.expanded:
		return Problem{Rule: ruleMalformedKey, Detail: fmt.Sprintf("a key for %s of %d bytes in expanded form, which has %d", set.name, sizes[1], set.expanded)}
	}
	return Problem{Rule: rulePostQuantum, Detail: fmt.Sprintf("a private key for %s (%s) %s; it needs %s", set.name, oid, form, PostQuantumNeeds)}
}
