package issue

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"certwright/certs"
	"certwright/certs/topology"
)

// Source gives certificates for keys that are made here. A CA is one, with its
// own key in hand; a CA that is asked over a network is another.
type Source interface {
	// Chain is the CA that signs, and all that is known above it.
	Chain() []*x509.Certificate
	// Leaf gets the slot's certificate for a key. The key itself stays here: a CA
	// elsewhere gets a signing request. May be called from several goroutines at once.
	Leaf(ctx context.Context, slot *topology.Slot, key crypto.Signer, terms Terms) (*Issued, error)
}

// Leaf issues the slot's certificate with the CA's own key.
func (c *CA) Leaf(ctx context.Context, slot *topology.Slot, key crypto.Signer, terms Terms) (*Issued, error) {
	return SignLeaf(ctx, slot, key.Public(), c, terms)
}

// Altered says what a CA elsewhere made otherwise than it was asked, so that
// the certificate does not do for its slot.
type Altered struct {
	Slot topology.SlotID
	What []string // "the organization is missing: it has …, and needs …"
}

func (a *Altered) Error() string {
	return fmt.Sprintf("the certificate of %s came back altered: %s", a.Slot, strings.Join(a.What, "; "))
}

// Accept takes what a CA elsewhere signed for a key: first the slot's own
// certificate, then what came with it. It refuses, with an *Altered, what would
// not do for the slot; what is merely more or shorter than asked is in the notes.
func Accept(slot *topology.Slot, pub crypto.PublicKey, got, chain []*x509.Certificate, terms Terms) (*Issued, error) {
	if len(got) == 0 || len(chain) == 0 {
		return nil, fmt.Errorf("%s: nothing came back to be taken", slot.ID)
	}
	leaf := got[0]
	want, err := leafTemplate(slot, pub)
	if err != nil {
		return nil, err
	}
	a := &Altered{Slot: slot.ID}
	bad := func(format string, args ...any) { a.What = append(a.What, fmt.Sprintf(format, args...)) }
	switch {
	case !samePublic(leaf.PublicKey, pub):
		bad("it is for another key than the one that the request was made with")
	case !signedBy(leaf, chain[0]):
		bad("it is signed by %q, and the CA that is trusted is %q", leaf.Issuer.String(), chain[0].Subject.String())
	case leaf.IsCA:
		bad("it is a CA's")
	}
	if leaf.Subject.CommonName != slot.Subject.CN || !slices.Equal(leaf.Subject.Organization, slot.Subject.O) {
		bad("its subject is %q, and %q is read there", subjectText(leaf), slot.Subject.String())
	}
	if missing := want.KeyUsage &^ leaf.KeyUsage; leaf.KeyUsage != 0 && missing&x509.KeyUsageDigitalSignature != 0 {
		bad("its keyUsage has no digitalSignature")
	}
	var notes []string
	lacks, more := compare(leaf.ExtKeyUsage, want.ExtKeyUsage, usageWords)
	if len(lacks) > 0 {
		bad("its extendedKeyUsage has no %s", strings.Join(lacks, " and no "))
	}
	notes = appendMore(notes, "may be used as a certificate for", more)
	lacks, more = compare(sanTexts(leaf), sanTexts(want), strings.Clone)
	if len(lacks) > 0 {
		bad("it is not for %s", strings.Join(lacks, ", "))
	}
	notes = appendMore(notes, "is also for", more)
	if len(a.What) > 0 {
		return nil, a
	}
	if asked := terms.Now.Add(terms.Life); terms.Life > 0 && leaf.NotAfter.Before(asked.Add(-time.Hour)) {
		notes = append(notes, fmt.Sprintf("ends on %s, and not on %s as asked for", leaf.NotAfter.UTC().Format(time.DateOnly), asked.UTC().Format(time.DateOnly)))
	}
	return &Issued{Certificates: append([]*x509.Certificate{leaf}, sent(chain)...), Notes: notes}, nil
}

func appendMore(notes []string, what string, more []string) []string {
	if len(more) == 0 {
		return notes
	}
	return append(notes, what+" "+strings.Join(more, ", ")+", which was not asked for")
}

// compare says what of want is not in got, and what of got not in want.
func compare[T any](got, want []T, text func(T) string) (lacks, more []string) {
	texts := func(list []T) []string {
		var out []string
		for _, x := range list {
			out = append(out, text(x))
		}
		return out
	}
	g, w := texts(got), texts(want)
	for _, x := range w {
		if !slices.Contains(g, x) {
			lacks = append(lacks, x)
		}
	}
	for _, x := range g {
		if !slices.Contains(w, x) {
			more = append(more, x)
		}
	}
	return lacks, more
}

func usageWords(u x509.ExtKeyUsage) string {
	switch u {
	case x509.ExtKeyUsageServerAuth:
		return "serverAuth"
	case x509.ExtKeyUsageClientAuth:
		return "clientAuth"
	}
	return fmt.Sprintf("usage %d", int(u))
}

// sanTexts are the alternative names as they are compared with what a CA elsewhere
// returned, which may write host names in another case.
func sanTexts(c *x509.Certificate) []string {
	out := namesOf(c)
	for i, n := range c.DNSNames { // they come first
		out[i] = "DNS:" + strings.ToLower(n)
	}
	return out
}

func subjectText(c *x509.Certificate) string {
	return topology.Subject{CN: c.Subject.CommonName, O: c.Subject.Organization}.String()
}

// online is an authority whose certificates come from a Source elsewhere.
func (p *plan) online(a *topology.Authority) bool {
	s := p.Sources[a.ID]
	if s == nil {
		return false
	}
	chain := s.Chain()
	switch {
	case p.modes[a.Owner] != topology.BringCA, p.Subordinate[a.ID]:
		p.bad(&Refusal{a.Slot, "a CA that is asked over the network signs the certificates itself", fmt.Sprintf("set %s to bring CA, without an intermediate", a.Owner)})
	case len(chain) == 0:
		p.bad(fmt.Errorf("%s: the CA that is asked names no certificate of its own", a.Slot))
	case p.Now.After(chain[0].NotAfter):
		p.bad(&Refusal{a.Slot, fmt.Sprintf("the CA that is asked expired on %s", chain[0].NotAfter.UTC().Format(time.DateOnly)), "renew it there"})
	default:
		p.set.Pairs[a.Slot] = &certs.Pair{Certificates: chain}
	}
	return true
}
