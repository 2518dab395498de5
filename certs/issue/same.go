package issue

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"time"

	"certwright/certs"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// Wanted is what a pair of an earlier run is held against: what would be made
// of its slot today.
type Wanted struct {
	Algorithm Algorithm // default ECDSAP256
	// By is the CA that signs the slot today; nil for a root, and for a key pair.
	By *certs.Pair
	// Until is when the certificate must still be valid.
	Until time.Time
	// Verified, when set, is told of each signature that was found good, so that
	// nobody need check it again; see Request.
	Verified func(child, issuer *x509.Certificate)
}

// Differs says in what a pair of an earlier run is not what would be made of
// the slot today, as a part of a sentence ("its names are not …"); "" when it
// may stay as it is. It compares the kind of key, the key with the certificate,
// the subject, the names, the usages and the issuer, whose signature it checks.
func Differs(slot *topology.Slot, pair *certs.Pair, want Wanted) string {
	if want.Algorithm == "" {
		want.Algorithm = ECDSAP256
	}
	leaf := pair.Leaf()
	if slot.Kind == topology.KeyPair {
		if pair == nil || pair.Key == nil {
			return "its key is not there any more"
		}
		return otherAlgorithm(pair.Key.Public(), want.Algorithm)
	}
	switch {
	case leaf == nil:
		return "its certificate is not there any more"
	case slot.Kind != topology.CA && pair.Key == nil:
		return "its key is not there any more"
	case pair.Key != nil && !samePublic(leaf.PublicKey, pair.Key.Public()):
		return "its key is not that of its certificate"
	case leaf.NotAfter.Before(want.Until):
		return "its certificate ends on " + leaf.NotAfter.UTC().Format(time.DateOnly)
	}
	if why := otherAlgorithm(leaf.PublicKey, want.Algorithm); why != "" {
		return why
	}
	if slot.Kind == topology.CA {
		return otherCA(slot, leaf, want)
	}
	return otherLeaf(slot, leaf, want)
}

// DiffersRoot is Differs for the root that stands above the CAs made here.
func DiffersRoot(t *topology.Topology, root *certs.Pair, want Wanted) string {
	return Differs(&topology.Slot{Kind: topology.CA, Subject: t.Root}, root, want)
}

func otherAlgorithm(pub crypto.PublicKey, a Algorithm) string {
	var is Algorithm
	switch k := pub.(type) {
	case *rsa.PublicKey:
		is = Algorithm(fmt.Sprintf("rsa-%d", k.N.BitLen()))
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			is = ECDSAP256
		case elliptic.P384():
			is = ECDSAP384
		}
	case ed25519.PublicKey:
		is = Ed25519
	default:
		is = Algorithm(strings.ToLower(material.PostQuantumKey(pub)))
	}
	if is == a {
		return ""
	}
	return fmt.Sprintf("its key is not %s", a.Words())
}

func otherCA(slot *topology.Slot, c *x509.Certificate, want Wanted) string {
	if !c.BasicConstraintsValid || !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return "its certificate is not a CA's"
	}
	// The serialNumber of the subject is made of the key, so it is not compared.
	if c.Subject.CommonName != slot.Subject.CN || !slices.Equal(c.Subject.Organization, slot.Subject.O) {
		return "its subject is not " + slot.Subject.String()
	}
	if want.By == nil {
		if !SelfSigned(c) {
			return "it is to be a root of its own"
		}
		return ""
	}
	return want.otherIssuer(c)
}

func (w Wanted) otherIssuer(c *x509.Certificate) string {
	if w.By.Leaf() == nil || !signedBy(c, w.By.Leaf()) {
		return "it was issued by another CA"
	}
	if w.Verified != nil {
		w.Verified(c, w.By.Leaf())
	}
	return ""
}

func otherLeaf(slot *topology.Slot, c *x509.Certificate, want Wanted) string {
	t, err := leafTemplate(slot, c.PublicKey)
	if err != nil {
		return "its names cannot be issued: " + err.Error()
	}
	mine, err := asn1.Marshal(t.Subject.ToRDNSequence())
	if err != nil || !bytes.Equal(mine, c.RawSubject) {
		if c.Subject.CommonName != slot.Subject.CN || !slices.Equal(c.Subject.Organization, slot.Subject.O) {
			return "its subject is not " + slot.Subject.String()
		}
	}
	switch {
	case c.IsCA:
		return "its certificate is a CA's"
	case c.KeyUsage != t.KeyUsage || !sameSet(c.ExtKeyUsage, t.ExtKeyUsage, usageText) || len(c.UnknownExtKeyUsage) > 0:
		return "its usages are others"
	}
	if other := otherNames(c, t); other != "" {
		return other
	}
	return want.otherIssuer(c)
}

// otherNames says which names a certificate lacks and which it has too many.
func otherNames(c, t *x509.Certificate) string {
	has, want := namesOf(c), namesOf(t)
	lacks := slices.DeleteFunc(slices.Clone(want), func(n string) bool { return slices.Contains(has, n) })
	more := slices.DeleteFunc(slices.Clone(has), func(n string) bool { return slices.Contains(want, n) })
	switch {
	case len(lacks) > 0 && len(more) > 0:
		return "its names lack " + someOf(lacks) + " and have " + someOf(more) + " instead"
	case len(lacks) > 0:
		return "its names lack " + someOf(lacks)
	case len(more) > 0:
		return "its names have " + someOf(more) + " too"
	case len(has) != len(want):
		return "a name stands twice in it"
	}
	return ""
}

// namesOf are the alternative names of a certificate, with their kind.
func namesOf(c *x509.Certificate) []string {
	var out []string
	for _, n := range c.DNSNames {
		out = append(out, "DNS:"+n)
	}
	for _, ip := range c.IPAddresses {
		out = append(out, "IP:"+ip.String())
	}
	for _, u := range c.URIs {
		out = append(out, "URI:"+u.String())
	}
	for _, e := range c.EmailAddresses {
		out = append(out, "email:"+e)
	}
	return out
}

// someOf lists three names at most; they may be those of a stranger.
func someOf(names []string) string {
	const most = 3
	var out []string
	for _, n := range names[:min(most, len(names))] {
		out = append(out, untrusted.Text(n).Max(80))
	}
	text := strings.Join(out, ", ")
	if rest := len(names) - most; rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}

func usageText(u x509.ExtKeyUsage) string { return fmt.Sprint(int(u)) }

// sameSet compares without regard to the order.
func sameSet[T any](a, b []T, text func(T) string) bool {
	if len(a) != len(b) {
		return false
	}
	texts := func(list []T) []string {
		out := make([]string, len(list))
		for i := range list {
			out[i] = text(list[i])
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(texts(a), texts(b))
}

// OtherAlgorithm says whether a public key is of another algorithm.
func OtherAlgorithm(pub crypto.PublicKey, a Algorithm) bool { return otherAlgorithm(pub, a) != "" }
