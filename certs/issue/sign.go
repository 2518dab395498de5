package issue

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"strings"
	"time"

	"certwright/certs"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// Backdate is how far before now a certificate begins, for clocks that are
// behind: five minutes, as kubeadm and cfssl have it.
const Backdate = 5 * time.Minute

// Issuer signs certificates. A CA is one, with the CA's key in hand; an online
// CA may be another.
type Issuer interface {
	// Chain is the certificate of the CA, and all that is known above it,
	// issuer by issuer, the root included when it is known.
	Chain() []*x509.Certificate
	// Sign issues a certificate of the template's contents for a public key.
	Sign(ctx context.Context, template *x509.Certificate, pub crypto.PublicKey) (*x509.Certificate, error)
}

// Terms are what a certificate gets from its circumstances and not from its slot.
type Terms struct {
	Now    time.Time
	Life   time.Duration // from Now on; the last second of it is the last valid one
	Serial *big.Int      // default: NewSerial of crypto/rand
}

// Issued is a signed certificate with its chain.
type Issued struct {
	// Certificates are those of a certs.Pair: for a leaf what a server sends,
	// for a CA all up to the root.
	Certificates []*x509.Certificate
	// Notes say what was made otherwise than asked for. Lower case, no full stop.
	Notes []string
}

// NewSerial draws a serial number: positive, and 127 of its 128 bits random,
// where 20 octets are allowed (RFC 5280, section 4.1.2.2) and CAs of the web
// must have 64 random bits. The top bit is clear so that DER needs no 17th octet.
func NewSerial(random io.Reader) (*big.Int, error) {
	if random == nil {
		random = rand.Reader
	}
	var b [16]byte
	for {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return nil, fmt.Errorf("draw a serial number: %w", err)
		}
		b[0] &= 0x7f
		if n := new(big.Int).SetBytes(b[:]); n.Sign() > 0 {
			return n, nil
		}
	}
}

// SignLeaf issues the slot's certificate for a public key: its subject, its
// names and its usages are the slot's. A certificate never outlives its CA and
// never begins before it; where that shortens it, a note says so.
func SignLeaf(ctx context.Context, slot *topology.Slot, pub crypto.PublicKey, by Issuer, terms Terms) (*Issued, error) {
	t, err := leafTemplate(slot, pub)
	if err != nil {
		return nil, err
	}
	out, err := sign(ctx, slot.ID, t, pub, by, terms)
	if err != nil {
		return nil, err
	}
	if ca, ok := by.(*CA); ok {
		out.Certificates = append(out.Certificates, ca.sent...)
	} else {
		out.Certificates = append(out.Certificates, sent(by.Chain())...)
	}
	return out, nil
}

// leafTemplate is what the slot asks of its certificate, whoever signs it.
func leafTemplate(slot *topology.Slot, pub crypto.PublicKey) (*x509.Certificate, error) {
	t := &x509.Certificate{
		Subject:               subject(slot.Subject),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	if _, ok := pub.(*rsa.PublicKey); ok {
		// Key transport exists with RSA alone, and RFC 5480 forbids the bit elsewhere.
		t.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	for _, u := range slot.Usages {
		switch u {
		case topology.ServerAuth:
			t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		case topology.ClientAuth:
			t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
		}
	}
	return t, addNames(t, slot)
}

// SignCA issues an intermediate that signs leaves only (path length 0), with
// the subject given and a serialNumber made of its key, so that no two
// clusters' CAs ever share a name.
func SignCA(ctx context.Context, slot topology.SlotID, name topology.Subject, pub crypto.PublicKey, by Issuer, terms Terms) (*Issued, error) {
	t, err := authority(name, pub)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", slot, err)
	}
	t.MaxPathLenZero = true
	out, err := sign(ctx, slot, t, pub, by, terms)
	if err != nil {
		return nil, err
	}
	out.Certificates = append(out.Certificates, by.Chain()...)
	return out, nil
}

// SelfSign makes a root: a CA of no path length that signs itself.
func SelfSign(ctx context.Context, slot topology.SlotID, name topology.Subject, key crypto.Signer, terms Terms) (*Issued, error) {
	t, err := authority(name, key.Public())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", slot, err)
	}
	// Go leaves the authority key id of a root out unless it is given, and
	// Python 3.13 and others ask for it everywhere.
	t.AuthorityKeyId = t.SubjectKeyId
	self := &CA{key: key, chain: []*x509.Certificate{t}, raw: t}
	return sign(ctx, slot, t, key.Public(), self, terms)
}

func authority(name topology.Subject, pub crypto.PublicKey) (*x509.Certificate, error) {
	id, err := KeyID(pub)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		Subject:               subject(name),
		SubjectKeyId:          id,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	t.Subject.SerialNumber = hex.EncodeToString(id[:8])
	return t, nil
}

func subject(s topology.Subject) pkix.Name {
	return pkix.Name{CommonName: s.CN, Organization: s.O}
}

func addNames(t *x509.Certificate, slot *topology.Slot) error {
	for _, n := range slot.Names {
		switch n.Kind {
		case topology.DNSName:
			// crypto/x509 writes any ASCII, escape sequences and line ends included.
			if err := topology.CheckDNSName(strings.TrimPrefix(n.Value, "*.")); err != nil {
				return &Refusal{slot.ID, fmt.Sprintf("it cannot be issued for a name that is no host name: %v", untrusted.Text(err.Error())), "correct the fact or the profile that it comes from"}
			}
			t.DNSNames = append(t.DNSNames, n.Value)
		case topology.IPAddress:
			ip := net.ParseIP(n.Value)
			if ip == nil {
				return &Refusal{slot.ID, fmt.Sprintf("it cannot be issued for %q, which is no IP address", n.Value), "correct the fact or the profile that it comes from"}
			}
			t.IPAddresses = append(t.IPAddresses, ip)
		case topology.URIName:
			u, err := url.Parse(n.Value)
			if err != nil {
				return &Refusal{slot.ID, fmt.Sprintf("it cannot be issued for %q, which is no URI", n.Value), "correct the fact or the profile that it comes from"}
			}
			t.URIs = append(t.URIs, u)
		}
	}
	return nil
}

// sign fills in what every certificate has and has it signed.
func sign(ctx context.Context, slot topology.SlotID, t *x509.Certificate, pub crypto.PublicKey, by Issuer, terms Terms) (*Issued, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if len(by.Chain()) == 0 {
		return nil, fmt.Errorf("sign %s: its issuer names no certificate of its own", slot)
	}
	out := &Issued{}
	var err error
	if t.SerialNumber = terms.Serial; t.SerialNumber == nil {
		if t.SerialNumber, err = NewSerial(nil); err != nil {
			return nil, err
		}
	}
	if t.SubjectKeyId, err = KeyID(pub); err != nil {
		return nil, fmt.Errorf("%s: %w", slot, err)
	}
	if out.Notes, err = validity(t, by.Chain()[0], terms); err != nil {
		return nil, fmt.Errorf("%s: %w", slot, err)
	}
	if note := distinguish(t, by.Chain()[0]); note != "" {
		out.Notes = append(out.Notes, note)
	}
	cert, err := by.Sign(ctx, t, pub)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", slot, err)
	}
	out.Certificates = []*x509.Certificate{cert}
	return out, nil
}

// validity sets when the certificate begins and ends. Both are inclusive.
func validity(t, issuer *x509.Certificate, terms Terms) ([]string, error) {
	if terms.Life <= 0 {
		return nil, fmt.Errorf("a certificate cannot be valid for %v: give a lifetime above zero", terms.Life)
	}
	now := terms.Now.UTC().Truncate(time.Second)
	t.NotBefore, t.NotAfter = now.Add(-Backdate), now.Add(terms.Life-time.Second).Truncate(time.Second)
	if t.NotAfter.Year() > 9999 {
		return nil, fmt.Errorf("a lifetime of %v ends after the year 9999, and a certificate cannot say so: give a shorter one", terms.Life)
	}
	asked := t.NotAfter
	if issuer != t { // a root has no other
		if t.NotBefore.Before(issuer.NotBefore) {
			t.NotBefore = issuer.NotBefore
		}
		// What stands above the issuer does not count: verifiers trust the
		// issuer itself, and go on when the root above it has expired.
		if t.NotAfter.After(issuer.NotAfter) {
			t.NotAfter = issuer.NotAfter
		}
	}
	if t.NotAfter.Before(asked) && t.NotAfter.Format(time.DateOnly) != asked.Format(time.DateOnly) {
		return []string{fmt.Sprintf("ends on %s with its CA, and not on %s as asked for", t.NotAfter.Format(time.DateOnly), asked.Format(time.DateOnly))}, nil
	}
	return nil, nil
}

// distinguish keeps a certificate from having its issuer's name: OpenSSL takes
// such a one for self-signed (errors 18 and 19), and Go leaves its authority
// key id out. Nobody reads the serialNumber of a subject.
func distinguish(t, issuer *x509.Certificate) string {
	if t == issuer {
		return ""
	}
	if t.Subject.CommonName != issuer.Subject.CommonName {
		return "" // most are told apart here
	}
	mine, err := asn1.Marshal(t.Subject.ToRDNSequence())
	if err != nil || !bytes.Equal(mine, issuer.RawSubject) {
		return ""
	}
	t.Subject.SerialNumber = hex.EncodeToString(t.SubjectKeyId[:8])
	return "has its CA's own name for a subject, and OpenSSL would take it for self-signed: a serialNumber was added to tell them apart"
}

// KeyID is the key identifier of a public key: the leftmost 160 bits of the
// SHA-256 of its bits (RFC 7093, section 2, method 1), as Go has it since 1.25.
func KeyID(pub crypto.PublicKey) ([]byte, error) {
	if ec, ok := pub.(*ecdsa.PublicKey); ok {
		if point, err := ec.Bytes(); err == nil { // what the structure below would hold
			sum := sha256.Sum256(point)
			return sum[:20], nil
		}
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("a public key of type %T cannot be in a certificate: %w", pub, err)
	}
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &spki); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(spki.Key.RightAlign())
	return sum[:20], nil
}

// CA is an Issuer that holds the CA's key. Use NewCA.
type CA struct {
	chain []*x509.Certificate
	sent  []*x509.Certificate // the chain without the root
	raw   *x509.Certificate   // the parent to sign with
	key   crypto.Signer
}

// NewCA takes a CA's certificate, what stands above it, and its key. It
// refuses, with a *Refusal of the slot's name, what could not sign anything
// that verifies.
func NewCA(slot topology.SlotID, pair *certs.Pair, now time.Time) (*CA, error) {
	if err := fit(slot, pair, now); err != nil {
		return nil, err
	}
	// Parsed anew: what a template holds is not what its certificate holds.
	parent, err := x509.ParseCertificate(pair.Leaf().Raw)
	if err != nil {
		return nil, fmt.Errorf("%s: read the CA's certificate again: %w", slot, err)
	}
	chain := chainOf(parent, pair.Certificates[1:])
	return &CA{chain: chain, sent: sent(chain), raw: parent, key: pair.Key}, nil
}

// Chain is the CA and all that is known above it.
func (c *CA) Chain() []*x509.Certificate { return c.chain }

// Sign issues one certificate. The signature is checked before it is returned.
func (c *CA) Sign(_ context.Context, template *x509.Certificate, pub crypto.PublicKey) (*x509.Certificate, error) {
	if len(c.raw.SubjectKeyId) == 0 && template.AuthorityKeyId == nil {
		// A CA without a key identifier: name its key as others would compute it.
		id, err := KeyID(c.key.Public())
		if err != nil {
			return nil, err
		}
		template.AuthorityKeyId = id
	}
	return create(template, c.raw, pub, c.key)
}

// chainOf orders what stands above a CA, issuer by issuer, and leaves out what
// does not belong to it.
func chainOf(ca *x509.Certificate, rest []*x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{ca}
	for last := ca; !SelfSigned(last) && len(chain) <= len(rest); {
		var issuer *x509.Certificate
		for _, c := range rest {
			if signedBy(last, c) {
				issuer = c
				break
			}
		}
		if issuer == nil {
			break
		}
		chain = append(chain, issuer)
		last = issuer
	}
	return chain
}

// SelfSigned says whether a certificate is a root: it signed itself.
func SelfSigned(c *x509.Certificate) bool { return signedBy(c, c) }

// signedBy says whether an issuer signed a certificate. RSA keys beyond what
// TLS accepts are not tried: one signature of 262144 bits takes seconds.
func signedBy(c, issuer *x509.Certificate) bool {
	if !bytes.Equal(c.RawIssuer, issuer.RawSubject) {
		return false
	}
	if k, ok := issuer.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > maxRSABits {
		return false
	}
	return c.CheckSignatureFrom(issuer) == nil
}

// sent is what a server sends of its issuer's chain: all but the root, which
// the other side has or does not trust.
func sent(chain []*x509.Certificate) []*x509.Certificate {
	if last := len(chain) - 1; last >= 0 && SelfSigned(chain[last]) {
		return chain[:last]
	}
	return chain
}

// PEM writes certificates one after another, as files hold them.
func PEM(chain ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}
