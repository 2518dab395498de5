package issue

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"certwright/certs"
	"certwright/certs/material"
	"certwright/certs/topology"
)

// Refusal says why nothing can be issued for a slot, or with it, and what to
// do about it.
type Refusal struct {
	Slot   topology.SlotID
	Reason string // lower case, no full stop
	Fix    string
}

func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s; %s", r.Slot, r.Reason, r.Fix) }

// The sizes of RSA keys that are signed with, in bits: OpenSSL's default
// security level refuses less than 2048, crypto/tls refuses more than 8192.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// fit refuses a CA that could not sign anything that verifies.
func fit(slot topology.SlotID, pair *certs.Pair, now time.Time) error {
	bad := func(fix, format string, args ...any) error {
		return &Refusal{slot, fmt.Sprintf(format, args...), fix}
	}
	ca := pair.Leaf()
	switch {
	case ca == nil:
		return bad("give the CA's certificate and its key, or set the component to generate", "no CA certificate was handed over")
	case !ca.BasicConstraintsValid || !ca.IsCA:
		return bad("give the certificate of the CA itself (basicConstraints CA:TRUE)", "the certificate handed over is not a CA's, and whatever it signed would be refused")
	case ca.KeyUsage != 0 && ca.KeyUsage&x509.KeyUsageCertSign == 0:
		return bad("give a CA whose keyUsage has keyCertSign", "its keyUsage has no keyCertSign, and whatever it signed would be refused")
	case now.After(ca.NotAfter):
		return bad("renew the CA, or give another", "it expired on %s", ca.NotAfter.UTC().Format(time.DateOnly))
	case now.Before(ca.NotBefore):
		return bad("correct the clock of this machine, or wait", "it is not valid before %s", ca.NotBefore.UTC().Format(time.RFC3339))
	case pair.Key == nil:
		return bad("give the CA's key, or set the component to bring certs", "its key was not handed over, and nothing can be signed without it")
	}
	if why := unusable(ca.PublicKey); why != "" {
		return bad("give a CA with an ECDSA P-256 key, or RSA of 2048 bits or more", "%s", why)
	}
	if !samePublic(ca.PublicKey, pair.Key.Public()) {
		return bad("give the key that belongs to the CA's certificate", "the key handed over is not the key of the CA's certificate")
	}
	return nil
}

// unusable says why a CA's key is not signed with, "" when it is.
func unusable(pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return fmt.Sprintf("its RSA key has %d bits, and only %d to %d are accepted", bits, minRSABits, maxRSABits)
		}
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() && k.Curve != elliptic.P521() {
			return fmt.Sprintf("its key is on the curve %s, which TLS does not know for certificates", k.Curve.Params().Name)
		}
	case ed25519.PublicKey:
	default:
		if name := material.PostQuantumKey(pub); name != "" {
			return "" // this build can sign with it; whether the slot takes it is AllowedFor's to say
		}
		return "its key is of a kind that TLS does not know"
	}
	return ""
}

func samePublic(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// roomBelow refuses a CA that may have no CA below it: ours would be one more.
func roomBelow(slot topology.SlotID, chain []*x509.Certificate) error {
	for i, c := range chain {
		if c.MaxPathLen < 0 || c.MaxPathLen == 0 && !c.MaxPathLenZero {
			continue // unconstrained
		}
		if c.MaxPathLen > i {
			continue // i CAs stand between it and ours
		}
		who := "the CA handed over"
		if i > 0 {
			who = "a CA above the one handed over"
		}
		return &Refusal{
			slot,
			fmt.Sprintf("%s has path length %d, which leaves no room for an intermediate of our own below it", who, c.MaxPathLen),
			"let it sign the certificates itself, or give a CA with a greater path length",
		}
	}
	return nil
}

// Ready says whether All could issue what is asked for, without making a key.
// It finds everything that it can in one go: the error joins a *Refusal or a
// *topology.Unavailable for each thing that stands in the way.
func Ready(r Request) error {
	_, err := newPlan(r)
	return err
}

// Refusals takes the error of Ready or All apart, one error for each line that
// a person should read.
func Refusals(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
