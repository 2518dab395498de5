package prove

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"

	"certwright/certs"
	"certwright/certs/topology"
)

// Token is a token that one set's key pair signed and another's public keys
// were asked about, as kube-apiserver checks the token of a service account.
type Token struct {
	Slot    topology.SlotID `json:"slot"`
	OK      bool            `json:"ok"`
	Problem string          `json:"problem,omitempty"`
}

// Tokens signs with each key pair of one set and checks with the public keys of
// another: the pair's own and those that count beside it.
func Tokens(signer, verifier *certs.Set) []Token {
	var out []Token
	for i := range signer.Topology.Slots {
		s := &signer.Topology.Slots[i]
		if s.Kind != topology.KeyPair {
			continue
		}
		from, to := signer.Pairs[s.ID], verifier.Pairs[s.ID]
		t := Token{Slot: s.ID}
		switch {
		case from == nil || from.Key == nil || to == nil || to.Key == nil:
			t.Problem = "there is no key"
		default:
			publics := append([]crypto.PublicKey{to.Key.Public()}, verifier.AlsoPublic[s.ID]...)
			if t.OK = accepted(from.Key, publics); !t.OK {
				t.Problem = "no public key that the verifier has belongs to the signature, and the token's bearer is answered 401 Unauthorized"
			}
		}
		out = append(out, t)
	}
	return out
}

// accepted signs something and tries each public key, as the token's verifier
// does that knows several.
func accepted(key crypto.Signer, publics []crypto.PublicKey) bool {
	text := make([]byte, 32)
	_, _ = rand.Read(text) // it never fails: the program dies instead
	hash, sum := crypto.SHA256, sha256.Sum256(text)
	digest := sum[:]
	switch k := key.Public().(type) {
	case ed25519.PublicKey:
		hash, digest = 0, text
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize > 256 {
			long := sha512.Sum384(text)
			hash, digest = crypto.SHA384, long[:]
		}
	}
	sig, err := key.Sign(rand.Reader, digest, hash)
	if err != nil {
		return false
	}
	for _, pub := range publics {
		switch p := pub.(type) {
		case *rsa.PublicKey:
			if rsa.VerifyPKCS1v15(p, hash, digest, sig) == nil {
				return true
			}
		case *ecdsa.PublicKey:
			if ecdsa.VerifyASN1(p, digest, sig) {
				return true
			}
		case ed25519.PublicKey:
			if ed25519.Verify(p, digest, sig) {
				return true
			}
		}
	}
	return false
}
