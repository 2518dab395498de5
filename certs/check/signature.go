package check

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	_ "crypto/md5" //nolint:gosec // only to tell a weak signature from a wrong one
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // only to tell a weak signature from a wrong one
	"crypto/x509"
	"errors"
	"math/big"

	"certwright/certs/material"
)

// verdict is what a signature check found.
type verdict int

const (
	sigBad     verdict = iota // the key did not make this signature
	sigGood                   // it did
	sigWeak                   // it did, with an algorithm that verifiers refuse
	sigUnknown                // nobody can tell: the key or the algorithm is not supported here
)

// maxChecks is how many signatures are checked for one judgement, as many as
// crypto/x509 checks for one verification.
const maxChecks = 100

// signatures remembers which certificate signed which, so that no signature is
// checked twice however many paths lead over it.
type signatures struct {
	known  map[[2]*node]verdict
	memory *Memory // beyond this judgement; nil: none
	checks int
}

func newSignatures(m *Memory) *signatures {
	return &signatures{known: map[[2]*node]verdict{}, memory: m}
}

// spent says whether the checks of one judgement are used up.
func (s *signatures) spent() bool { return s.checks > maxChecks }

// check says whether parent's key signed child.
func (s *signatures) check(child, parent *node) verdict {
	key := [2]*node{child, parent}
	if v, ok := s.known[key]; ok {
		return v
	}
	if s.checks >= maxChecks && !s.memory.has(child, parent) {
		s.checks++ // one more than there may be
		return sigBad
	}
	v, checked := s.memory.verdict(child, parent, func() verdict { return checkSignature(child.x, parent.x) })
	if checked {
		s.checks++
	}
	s.known[key] = v
	return v
}

// signed says whether parent signed child, with whatever algorithm.
func (s *signatures) signed(child, parent *node) bool {
	v := s.check(child, parent)
	return v == sigGood || v == sigWeak
}

func checkSignature(child, parent *x509.Certificate) verdict {
	weak := weakHash(child.SignatureAlgorithm)
	if k, ok := parent.PublicKey.(*rsa.PublicKey); ok {
		switch {
		case k.N.BitLen() > material.MaxRSABits:
			return sigUnknown // refused before use: checking it would take seconds
		case weak != 0 || k.N.BitLen() < 1024 || k.E < 3 || k.E%2 == 0:
			return checkRSA(child, k, weak)
		}
	}
	if weak != 0 {
		if k, ok := parent.PublicKey.(*ecdsa.PublicKey); ok && child.SignatureAlgorithm == x509.ECDSAWithSHA1 {
			if ecdsa.VerifyASN1(k, digest(weak, child.RawTBSCertificate), child.Signature) {
				return sigWeak
			}
		}
		return sigBad
	}
	if child.SignatureAlgorithm == x509.UnknownSignatureAlgorithm || parent.PublicKey == nil {
		return sigUnknown
	}
	switch err := parent.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature); {
	case err == nil:
		return sigGood
	case errors.Is(err, x509.ErrUnsupportedAlgorithm):
		return sigUnknown
	}
	return sigBad
}

// weakHash is the hash of a signature algorithm that crypto/x509 refuses, 0 for others.
func weakHash(a x509.SignatureAlgorithm) crypto.Hash {
	switch a {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1:
		return crypto.SHA1
	case x509.MD5WithRSA, x509.MD2WithRSA:
		return crypto.MD5
	}
	return 0
}

func digest(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

// checkRSA checks a PKCS#1 v1.5 signature that crypto/rsa refuses to look at,
// for its hash or for the size of its key, so that the finding names the weak
// signature or key and not an unknown authority.
func checkRSA(child *x509.Certificate, k *rsa.PublicKey, weak crypto.Hash) verdict {
	hash, good := weak, sigWeak
	if weak == 0 {
		good = sigGood
		switch child.SignatureAlgorithm {
		case x509.SHA256WithRSA:
			hash = crypto.SHA256
		case x509.SHA384WithRSA:
			hash = crypto.SHA384
		case x509.SHA512WithRSA:
			hash = crypto.SHA512
		default:
			return sigUnknown
		}
	}
	if opened := openRSA(k, child.Signature); padded(opened) && bytes.HasSuffix(opened, digest(hash, child.RawTBSCertificate)) {
		return good
	}
	return sigBad
}

// openRSA applies the public key to a signature.
func openRSA(k *rsa.PublicKey, signature []byte) []byte {
	s := new(big.Int).SetBytes(signature)
	if k.E < 1 || s.Cmp(k.N) >= 0 {
		return nil
	}
	return s.Exp(s, big.NewInt(int64(k.E)), k.N).FillBytes(make([]byte, k.Size()))
}

// padded says whether what was opened has the form 00 01 FF … of PKCS#1 v1.5:
// then this key made the signature, over whatever text.
func padded(b []byte) bool { return bytes.HasPrefix(b, []byte{0, 1, 0xff, 0xff, 0xff, 0xff}) }

// madeBy says whether parent's key made child's signature even though the text
// was changed afterwards: true and known only for RSA with PKCS#1 v1.5.
func madeBy(child, parent *x509.Certificate) bool {
	k, ok := parent.PublicKey.(*rsa.PublicKey)
	return ok && k.N.BitLen() <= material.MaxRSABits && padded(openRSA(k, child.Signature))
}
