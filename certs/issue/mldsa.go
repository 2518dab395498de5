//go:build mldsa && go1.27

package issue

import (
	"crypto"
	"crypto/mldsa"
)

// A build with this tag makes ML-DSA keys for profiles that list them. Go's
// crypto/x509 and crypto/tls do the rest: the key's seed is what is written
// (RFC 9881), and TLS 1.3 alone carries the certificates.
func init() {
	for a, set := range map[Algorithm]mldsa.Parameters{MLDSA44: mldsa.MLDSA44(), MLDSA65: mldsa.MLDSA65(), MLDSA87: mldsa.MLDSA87()} {
		makers[a] = func() (crypto.Signer, error) { return mldsa.GenerateKey(set) }
	}
}
