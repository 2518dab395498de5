package material

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
)

// EncodeCertificates writes certificates as PEM, in the order given, in the
// form that every component takes: CERTIFICATE blocks without headers.
func EncodeCertificates(certs ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range certs {
		if c != nil {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // a Buffer takes everything
		}
	}
	return b.Bytes()
}

// EncodeKey writes a private key as PKCS#8 PEM, which openssl, crypto/tls and
// client-go all read. The caller owns the bytes and clears them.
func EncodeKey(k crypto.Signer) ([]byte, error) {
	der, err := PKCS8(k)
	if err != nil {
		return nil, fmt.Errorf("encode private key: %w", err)
	}
	defer clear(der)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// EncodePublicKey writes a public key as PEM (SubjectPublicKeyInfo).
func EncodePublicKey(pub crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// KeyWords names a key's algorithm and size: "RSA 2048", "ECDSA P-256",
// "Ed25519".
func KeyWords(pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case nil:
		return "unknown key"
	case *rsa.PublicKey:
		if k.N == nil {
			return "RSA"
		}
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		if k.Curve == nil {
			return "ECDSA"
		}
		return "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	case *ecdh.PublicKey:
		return fmt.Sprint(k.Curve())
	}
	if name := PostQuantumKey(pub); name != "" {
		return name // where this build can use such keys
	}
	// *dsa.PublicKey and whatever Go learns to parse.
	name := strings.TrimPrefix(fmt.Sprintf("%T", pub), "*")
	if pkg, _, ok := strings.Cut(name, "."); ok {
		return strings.ToUpper(pkg)
	}
	return "unknown key"
}

// Fingerprint is the SHA-256 of the certificate, as openssl writes it: capital
// hex with colons.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return strings.ToUpper(colons(sum[:]))
}

// PublicKeyFingerprint is the SHA-256 of the key's SubjectPublicKeyInfo in hex:
// what "openssl pkey -pubout -outform DER | openssl sha256" prints. "" for a
// key that has no such form.
func PublicKeyFingerprint(pub crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return ""
	}
	return hexSum(der)
}

// hexSum is the SHA-256 of data in hex.
func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// SamePublicKey says whether two public keys are one. Keys of kinds that Go
// cannot compare, and nil, are nobody's.
func SamePublicKey(a, b crypto.PublicKey) bool {
	if a == nil || b == nil {
		return false
	}
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// Serial writes a serial number as lower-case hex with colons: "5f:12:90". A
// negative one has a minus before it.
func Serial(n *big.Int) string {
	if n == nil {
		return ""
	}
	octets := n.Bytes()
	if len(octets) == 0 {
		octets = []byte{0}
	}
	if n.Sign() < 0 {
		return "-" + colons(octets)
	}
	return colons(octets)
}

// colons writes octets as lower-case hex with colons between them.
func colons(octets []byte) string {
	var b strings.Builder
	for i, o := range octets {
		if i > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%02x", o)
	}
	return b.String()
}
