package issue

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"

	"certwright/certs/material"
	"certwright/certs/topology"
)

// Algorithm names a key algorithm and its size.
type Algorithm string

// The algorithms.
const (
	ECDSAP256 Algorithm = "ecdsa-p256" // the default
	ECDSAP384 Algorithm = "ecdsa-p384"
	RSA2048   Algorithm = "rsa-2048"
	RSA3072   Algorithm = "rsa-3072"
	RSA4096   Algorithm = "rsa-4096"
	Ed25519   Algorithm = "ed25519"
	MLDSA44   Algorithm = "ml-dsa-44" // these are for a build that has them, see CanMake
	MLDSA65   Algorithm = "ml-dsa-65"
	MLDSA87   Algorithm = "ml-dsa-87"
)

// Algorithms lists all of them, the default first.
func Algorithms() []Algorithm {
	return []Algorithm{ECDSAP256, ECDSAP384, RSA2048, RSA3072, RSA4096, Ed25519, MLDSA44, MLDSA65, MLDSA87}
}

// PostQuantum says whether the algorithm is one of ML-DSA.
func (a Algorithm) PostQuantum() bool { return a == MLDSA44 || a == MLDSA65 || a == MLDSA87 }

// makers make the keys that only some builds can.
var makers = map[Algorithm]func() (crypto.Signer, error){}

// CanMake says whether this build makes keys of the algorithm; the error says
// which build would.
func (a Algorithm) CanMake() error {
	if a.PostQuantum() && makers[a] == nil {
		return fmt.Errorf("this certwright cannot make %s keys: it takes one built with Go 1.27 or newer and -tags mldsa", a.Words())
	}
	return nil
}

// ParseAlgorithm reads an algorithm as a plan writes it.
func ParseAlgorithm(s string) (Algorithm, error) {
	if a := Algorithm(s); slices.Contains(Algorithms(), a) {
		return a, nil
	}
	return "", fmt.Errorf("unknown key algorithm %q: use %s", s, list(Algorithms()))
}

// Words is the algorithm as a person reads it: "ECDSA P-256", "RSA 2048".
//
//go:noinline // many callers, none of them hot
func (a Algorithm) Words() string {
	switch a {
	case ECDSAP256:
		return "ECDSA P-256"
	case ECDSAP384:
		return "ECDSA P-384"
	case RSA2048:
		return "RSA 2048"
	case RSA3072:
		return "RSA 3072"
	case RSA4096:
		return "RSA 4096"
	case Ed25519:
		return "Ed25519"
	case MLDSA44:
		return "ML-DSA-44"
	case MLDSA65:
		return "ML-DSA-65"
	case MLDSA87:
		return "ML-DSA-87"
	}
	return string(a)
}

// RSA says whether keys of the algorithm take long to make: tens to thousands
// of milliseconds each, where all others take well under one.
func (a Algorithm) RSA() bool { return strings.HasPrefix(string(a), "rsa-") }

// AllowedFor says whether the slot takes keys of the algorithm. The error is a
// *Refusal.
func AllowedFor(s *topology.Slot, a Algorithm) error {
	if s.Takes(string(a)) {
		return nil
	}
	why := "its profile does not list it"
	if a == Ed25519 {
		why = "not every reader of it takes such keys: browsers, kubeadm and the API server's service account keys do not"
	}
	if a.PostQuantum() {
		why = "no component of its profile takes such keys yet; they need " + material.PostQuantumNeeds
	}
	takes := s.Algorithms
	if len(takes) == 0 {
		takes = topology.Usual()
	}
	return &Refusal{
		Slot:   s.ID,
		Reason: fmt.Sprintf("its key cannot be %s: %s", a.Words(), why),
		Fix:    "choose " + list(takes),
	}
}

// Allowed says whether every slot of the topology takes keys of the algorithm;
// the error names the first that does not. Slots that are brought are not asked
// by All, so that it may accept what Allowed refuses.
func Allowed(t *topology.Topology, a Algorithm) error {
	if _, err := ParseAlgorithm(string(a)); err != nil {
		return err
	}
	for i := range t.Slots {
		if err := AllowedFor(&t.Slots[i], a); err != nil {
			return err
		}
	}
	return nil
}

// list writes choices as a sentence does: "a, b or c".
func list[S ~string](items []S) string {
	var b strings.Builder
	for i, item := range items {
		switch {
		case i == 0:
		case i == len(items)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(item))
	}
	return b.String()
}

// generate makes one key, in the caller's goroutine and not interruptible.
func (a Algorithm) generate() (crypto.Signer, error) {
	switch a {
	case ECDSAP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ECDSAP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	if make := makers[a]; make != nil {
		return make()
	}
	if _, err := ParseAlgorithm(string(a)); err != nil {
		return nil, err
	}
	return nil, a.CanMake()
}
