package check

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
)

// pubFingerprint is the start of the SHA-256 of a public key's SPKI, as
// "openssl pkey -pubout -outform DER | openssl sha256" prints it: enough to
// tell two keys apart on a screen.
func pubFingerprint(pub crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return "(" + hex.EncodeToString(sum[:8]) + "…)"
}
