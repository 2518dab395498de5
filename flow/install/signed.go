package install

import (
	"crypto"
	"crypto/x509"
	"errors"
	"slices"

	"filippo.io/age"

	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/flow"
)

// Bench judges what CAs elsewhere signed for keys that were made here, by the
// same rules as what a person brings. Use NewBench.
type Bench struct {
	g     *gatherer
	trust map[topology.AuthorityID]*material.Document
}

// NewBench is for one set of answers; files that they name are read once.
func NewBench(w *World, a *flow.Answers) *Bench {
	return &Bench{w.gatherer(a), map[topology.AuthorityID]*material.Document{}}
}

// Trust takes a CA for an authority, in place of what the answers name: that of
// a set which is renewed.
func (b *Bench) Trust(a topology.AuthorityID, ca *material.Document) { b.trust[a] = ca }

func (b *Bench) ca(a topology.AuthorityID) *material.Document {
	if doc := b.trust[a]; doc != nil {
		return doc
	}
	return b.g.caDocument(a)
}

// CA is the verdict on the CA that was brought for an authority.
func (b *Bench) CA(slot topology.SlotID) flow.Verdict { return b.g.judge(slot) }

// Judge judges a certificate for its slot: the chain is its own and those above
// it as far as they came with it. key is nil while it is sealed: then nothing is
// said of it. The pair is nil when the certificate cannot be used.
func (b *Bench) Judge(slot *topology.Slot, chain []*x509.Certificate, file string, key crypto.Signer) (*certs.Pair, []check.Finding) {
	ca := b.ca(slot.Authority)
	cert := &material.Document{Name: file, Format: material.FormatPEM}
	for _, c := range chain {
		cert.Certificates = append(cert.Certificates, material.Certificate{X509: c, Label: "CERTIFICATE"})
	}
	in := check.SlotInput{Slot: slot, Topology: b.g.a.Topology, Cert: cert, Now: b.g.now, Rewritten: true, Others: b.others(slot.Authority)}
	if key != nil {
		in.Key = &material.Document{Name: file, Format: material.FormatPEM, Keys: []material.Key{{Signer: key, Label: "PRIVATE KEY"}}}
	}
	if slot.Kind == topology.Leaf {
		in.CA = ca
	}
	findings := check.Slot(in)
	if slot.Kind == topology.CA && ca != nil && !signedByAny(chain[0], ca) {
		findings = append(findings, wrongCA(slot, chain[0], file))
	}
	p := pair(nil, slot, cert, in.Key, ca)
	if p != nil && slot.Kind == topology.CA {
		p.Made = true // its key was made here, and is kept with the set's other CAs
	}
	return p, findings
}

func (b *Bench) others(own topology.AuthorityID) map[topology.AuthorityID]*x509.Certificate {
	out := map[topology.AuthorityID]*x509.Certificate{}
	for _, a := range b.g.a.Topology.Authorities {
		if a.ID == own {
			continue
		}
		if doc := b.ca(a.ID); doc != nil {
			if c := firstCA(doc); c != nil {
				out[a.ID] = c
			}
		}
	}
	return out
}

func signedByAny(c *x509.Certificate, ca *material.Document) bool {
	return slices.ContainsFunc(ca.X509(), func(x *x509.Certificate) bool { return c.CheckSignatureFrom(x) == nil })
}

func wrongCA(slot *topology.Slot, c *x509.Certificate, file string) check.Finding {
	rule, _ := check.RuleByID("wrong-authority")
	return check.Finding{
		Rule: rule.ID, Severity: rule.Severity, Slot: slot.ID, File: file, Why: rule.Why,
		Message: "the CA that was brought did not sign this intermediate",
		Has:     "issuer " + material.Issuer(c).String(), Fix: "have the request signed by the CA that the plan names",
	}
}

// Issuers is a certificate followed by its issuers, as far as the pool has them,
// without the root.
func Issuers(own *x509.Certificate, pool []*x509.Certificate) []*x509.Certificate {
	chain := issuers(nil, own, pool)
	if n := len(chain) - 1; n > 0 && selfSigned(nil, chain[n]) {
		chain = chain[:n]
	}
	return chain
}

// Seal encrypts with age and a passphrase, and opens what it made again to be
// sure that it can be. Work is as in CAKeys.
func Seal(data, passphrase []byte, work int) ([]byte, error) {
	return CAKeys{Passphrase: passphrase, Work: work}.seal(data)
}

// ErrPassphrase is the error of Unseal when the passphrase is another one.
var ErrPassphrase = errors.New("the passphrase is not the one that it was sealed with")

// Unseal opens what Seal made. The caller clears what it gets.
func Unseal(sealed, passphrase []byte) ([]byte, error) {
	data, err := OpenSealed(sealed, passphrase)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, ErrPassphrase
	}
	return data, err
}
