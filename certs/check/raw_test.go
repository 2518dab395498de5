package check

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
)

// tbs is a certificate before it is signed, open to every mistake that
// crypto/x509 would not make.
type tbs struct {
	Version    int `asn1:"optional,explicit,default:0,tag:0"`
	Serial     *big.Int
	Algorithm  pkix.AlgorithmIdentifier
	Issuer     asn1.RawValue
	Validity   asn1.RawValue
	Subject    asn1.RawValue
	SPKI       asn1.RawValue
	Extensions []pkix.Extension `asn1:"omitempty,optional,explicit,tag:3"`
}

type signedCert struct {
	TBS       asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

var (
	oidSHA1RSA   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}
	oidMD5RSA    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 4}
	oidSHA1ECDSA = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// remake opens a certificate, changes it and signs it again with its issuer's key.
func remake(e *entity, change func(*tbs)) []byte {
	var t tbs
	must(asn1.Unmarshal(e.cert.RawTBSCertificate, &t))
	change(&t)
	hash, signer := crypto.SHA256, e.key
	if e.issuer != nil {
		signer = e.issuer.key
	}
	switch {
	case t.Algorithm.Algorithm.Equal(oidSHA1RSA), t.Algorithm.Algorithm.Equal(oidSHA1ECDSA):
		hash = crypto.SHA1
	case t.Algorithm.Algorithm.Equal(oidMD5RSA):
		hash = crypto.MD5
	}
	der := must(asn1.Marshal(t))
	sig := must(signer.Sign(rand.Reader, digest(hash, der), hash))
	return must(asn1.Marshal(signedCert{asn1.RawValue{FullBytes: der}, t.Algorithm, asn1.BitString{Bytes: sig, BitLength: len(sig) * 8}}))
}

// remade is remake for certificates that crypto/x509 still parses.
func remade(e *entity, change func(*tbs)) *entity { return e.parse(remake(e, change)) }

func block(der []byte) *pem.Block { return &pem.Block{Type: "CERTIFICATE", Bytes: der} }

func sha1Signed(t *tbs) { t.Algorithm.Algorithm = oidSHA1RSA }

func v1(t *tbs) { t.Version, t.Extensions = 0, nil }

func replaceExtension(id asn1.ObjectIdentifier, value []byte) func(*tbs) {
	return func(t *tbs) {
		for i := range t.Extensions {
			if t.Extensions[i].Id.Equal(id) {
				t.Extensions[i].Value = value
			}
		}
	}
}

func extraExtension(id asn1.ObjectIdentifier, critical bool, value []byte) edit {
	return func(t *x509.Certificate) {
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
	}
}

// nameOf writes a name of one common name in the given string type.
func nameOf(tag int, cn string) asn1.RawValue {
	value := asn1.RawValue{Tag: tag, Bytes: []byte(cn)}
	attr := must(asn1.Marshal(struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}{asn1.ObjectIdentifier{2, 5, 4, 3}, value}))
	rdn := must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: attr}))
	return asn1.RawValue{FullBytes: must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: rdn}))}
}
