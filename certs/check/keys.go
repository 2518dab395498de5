package check

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"certwright/certs/material"
)

// keyText names a public key by its kind and size.
func keyText(pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		if k.Curve == nil {
			return "ECDSA"
		}
		return "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey, *ed25519.PublicKey:
		return "Ed25519"
	case nil:
		return "unknown"
	}
	if name := material.PostQuantumKey(pub); name != "" {
		return name
	}
	// *dsa.PublicKey and what else crypto/x509 parses and TLS does not take.
	kind, _, _ := strings.Cut(strings.TrimPrefix(fmt.Sprintf("%T", pub), "*"), ".")
	return strings.ToUpper(kind)
}

// sameKey says whether two public keys are one.
//
//go:noinline // many callers, none of them hot
func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && b != nil && k.Equal(b)
}

// keyDefects judges the public key of a certificate. Ed25519 is fine for a CA
// here and judged by the slot.
func (j *judge) keyDefects(n *node) []defect {
	// In words only where there is something to say: a subject takes longer to
	// write than its key to judge.
	who := func() string { return "the key of " + n.String() }
	pub := n.x.PublicKey
	if name := material.PostQuantum(n.x.RawSubjectPublicKeyInfo); name != "" {
		if d := j.postQuantum(who()+" is", name, pub != nil); d != nil {
			return []defect{{postQuantumRule, n, *d}}
		}
		return nil
	}
	if pub == nil || n.x.PublicKeyAlgorithm == x509.DSA || n.x.PublicKeyAlgorithm == x509.UnknownPublicKeyAlgorithm {
		return []defect{{"unsupported-key-algorithm", n, detail{message: who() + " is of a kind that TLS does not take", has: n.x.PublicKeyAlgorithm.String(), needs: "ECDSA P-256, P-384 or RSA of 2048 bits or more"}}}
	}
	var out []defect
	for _, d := range j.publicKeyDefects(pub, who) {
		out = append(out, defect{d.rule, n, d.d})
	}
	return out
}

// publicKeyDefects judges a public key, whatever holds it; who names it.
func (j *judge) publicKeyDefects(pub crypto.PublicKey, who func() string) []defect {
	var out []defect
	add := func(rule string, d detail) { out = append(out, defect{rule, nil, d}) }
	switch k := pub.(type) {
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		if bits < 2048 {
			add("weak-key", detail{message: fmt.Sprintf("%s is RSA with %d bits", who(), bits), has: keyText(k), needs: "RSA of 2048 bits or more, or ECDSA P-256"})
		}
		if bits > material.MaxRSABits {
			add("oversize-key", detail{message: fmt.Sprintf("%s is RSA with %d bits", who(), bits), has: keyText(k), needs: "at most RSA 8192"})
		}
		if bits >= 1024 && bits <= material.MaxRSABits {
			if why := factored(k); why != "" {
				add("broken-key", detail{message: who() + " is broken: " + why, has: keyText(k), needs: "a key that nobody can factor"})
			}
		}
		switch {
		case k.E < 3 || k.E%2 == 0:
			add("rsa-exponent", detail{message: fmt.Sprintf("%s has the RSA exponent %d", who(), k.E), has: fmt.Sprint(k.E), needs: "65537"})
		case k.E < 65537:
			add("rsa-exponent", detail{severity: Warning, message: fmt.Sprintf("%s has the RSA exponent %d", who(), k.E), has: fmt.Sprint(k.E), needs: "65537"})
		}
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() && k.Curve != elliptic.P521() {
			add("unsupported-curve", detail{message: who() + " lies on a curve that TLS does not take", has: keyText(k), needs: "P-256, P-384 or P-521"})
		}
	case ed25519.PublicKey, *ed25519.PublicKey:
	default:
		if name := material.PostQuantumKey(pub); name != "" {
			if d := j.postQuantum(who()+" is", name, true); d != nil {
				add(postQuantumRule, *d)
			}
			break
		}
		add("unsupported-key-algorithm", detail{message: who() + " is of a kind that TLS does not take", has: keyText(pub), needs: "ECDSA P-256, P-384 or RSA of 2048 bits or more"})
	}
	return out
}

// theKey names the only key at hand.
func theKey() string { return "the key" }

const postQuantumRule = "post-quantum-key"

// postQuantum judges an ML-DSA key or signature, nil where the slot's
// components take it and this build can use it: usable. what ends in a verb.
func (j *judge) postQuantum(what, name string, usable bool) *detail {
	taken := slices.Contains(j.takes, strings.ToLower(name))
	who := "of this profile"
	if j.rfc {
		who = "of a cluster"
	}
	d := &detail{message: what + " " + name + ", and no component " + who + " accepts it yet", has: name, needs: "ECDSA P-256, P-384 or RSA of 2048 bits or more"}
	switch {
	case taken && usable:
		return nil
	case taken:
		d.message = what + " " + name + ", which the profile's components accept and this certwright cannot prove: it was built without such keys"
		d.fix = "use a certwright built with Go 1.27 or newer and -tags mldsa"
	}
	return d
}

func isEd25519(pub crypto.PublicKey) bool {
	switch pub.(type) {
	case ed25519.PublicKey, *ed25519.PublicKey:
		return true
	}
	return false
}

// keyList are the keys of a document that could be read.
//
//go:noinline // many callers, none of them hot
func keyList(doc *material.Document) []crypto.Signer {
	if doc == nil {
		return nil
	}
	var out []crypto.Signer
	for _, k := range doc.Keys {
		if k.Signer != nil {
			out = append(out, k.Signer)
		}
	}
	return out
}

// keyBits is a key's size in words for a mismatch.
func mismatchText(key crypto.PublicKey, cert crypto.PublicKey) (has, needs string) {
	return "key " + keyText(key) + " " + pubFingerprint(key), "key " + keyText(cert) + " " + pubFingerprint(cert)
}
