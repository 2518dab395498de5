package prove

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// explainer puts a failed handshake into our words: what, both sides, the fix.
type explainer struct {
	between
	h    *Handshake
	edge *topology.Edge
}

// maxMessage bounds a component's message, in bytes: it may quote every name
// of a certificate.
const maxMessage = 1024

func message(err error) string { return untrusted.Text(err.Error()).Max(maxMessage) }

// end is one side as a person knows it: "API server (etcd/client)".
func end(e topology.End) string {
	if e.Slot == "" {
		return e.Name
	}
	if e.Name == "" {
		return string(e.Slot)
	}
	return fmt.Sprintf("%s (%s)", e.Name, e.Slot)
}

// fault is a reason to refuse a certificate.
type fault struct{ what, has, needs, fix string }

func (x explainer) set(blame topology.SlotID, opening string, f fault) {
	x.h.Blame, x.h.Has, x.h.Needs, x.h.Fix = blame, f.has, f.needs, f.fix
	var b strings.Builder
	b.WriteString(opening + ": " + f.what)
	if f.has != "" {
		b.WriteString("; it has " + f.has)
	}
	if f.needs != "" {
		b.WriteString("; it needs " + f.needs)
	}
	b.WriteString("; " + f.fix)
	x.h.Problem = b.String()
}

// unloadable is a slot that its component would not start with.
func (x explainer) unloadable(who topology.End, err error) {
	id := who.Slot
	x.h.Error = message(err)
	f := fault{what: "the certificate and key cannot be loaded", fix: fmt.Sprintf("give the certificate and the key of %s again", id)}
	switch {
	case errors.Is(err, errEmptySlot):
		f = fault{what: "there is no certificate for it", needs: "a certificate and its key", fix: fmt.Sprintf("give %s, or set %s to generate", id, id.Component())}
	case errors.Is(err, errPostQuantum):
		f = fault{
			what: "its key is ML-DSA, which this certwright cannot prove", has: "an ML-DSA key", needs: "components, and a certwright, built with Go 1.27 or newer",
			fix: fmt.Sprintf("issue %s with another algorithm, or prove the set with a certwright built with -tags mldsa", id),
		}
	case errors.Is(err, errNoKey):
		f = fault{what: "there is no key for its certificate", needs: "the key that the certificate was issued for", fix: fmt.Sprintf("give the key of %s", id)}
	case strings.Contains(err.Error(), "does not match"):
		f.what = "the key is not the key of the certificate"
		f.has, f.needs = "a key with another public key than the certificate's", "the key that the certificate was issued for"
	}
	x.set(id, end(who)+" does not start", f)
}

// noAnchor is an authority that has no certificate to trust.
func (x explainer) noAnchor(a topology.AuthorityID) {
	slot := x.topology().CASlot(a)
	id := topology.SlotID(a)
	if slot != nil {
		id = slot.ID
	}
	x.h.Error = "there is no CA certificate"
	x.set(id, fmt.Sprintf("%s and %s cannot trust each other", end(x.edge.Client), end(x.edge.Server)), fault{
		what: fmt.Sprintf("there is no certificate for %s", id), fix: fmt.Sprintf("give %s, or set %s to generate", id, id.Component()),
	})
}

// refused is a handshake that one side broke off.
func (x explainer) refused(v verdict) {
	x.h.Error = message(v.err)
	by, of, authority, usage := x.edge.Client, x.edge.Server, x.edge.ServerCA, topology.ServerAuth
	verifier, leaf := x.client, x.server.slot(of.Slot).leaf()
	if v.byServer {
		by, of, authority, usage = x.edge.Server, x.edge.Client, x.edge.ClientCA, topology.ClientAuth
		verifier, leaf = x.server, x.client.slot(of.Slot).leaf()
	}
	opening := fmt.Sprintf("%s refuses %s", end(by), end(of))
	if x.h.Name != "" && !v.byServer {
		opening += " at " + x.h.Name
	}
	var verification *tls.CertificateVerificationError
	if !errors.As(v.err, &verification) {
		x.unfitForTLS(v.err, by, of)
		return
	}
	var host x509.HostnameError
	if errors.As(v.err, &host) {
		x.set(of.Slot, opening, nameFault(of.Slot, leaf, x.h.Name))
		return
	}
	x.set(of.Slot, opening, verifier.fault(v.err, of.Slot, leaf, authority, usage))
}

// topology is that of both sides.
func (p between) topology() *topology.Topology { return p.server.set.Topology }

// unfitForTLS is a handshake that failed before or beside the verification: a
// side cannot use its own certificate, or not even look at the other's.
func (x explainer) unfitForTLS(err error, by, of topology.End) {
	blame := by
	if text := err.Error(); by.Slot == "" || strings.Contains(text, "server sent") || strings.Contains(text, "client sent") {
		blame = of
	}
	f := fault{
		what:  fmt.Sprintf("TLS cannot use the certificate of %s", blame.Slot),
		needs: "a key that TLS takes: ECDSA P-256, or RSA of 2048 to 8192 bits",
		fix:   fmt.Sprintf("issue %s again with such a key", blame.Slot),
	}
	side := x.server
	if blame == x.edge.Client {
		side = x.client
	}
	if c := side.slot(blame.Slot).leaf(); c != nil {
		f.has = key(c)
	}
	x.set(blame.Slot, fmt.Sprintf("%s and %s cannot connect", end(x.edge.Client), end(x.edge.Server)), f)
}

// key says what kind of key a certificate has.
func key(c *x509.Certificate) string {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("an RSA key of %d bits", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "an ECDSA key on " + k.Curve.Params().Name
	}
	return "a key of type " + c.PublicKeyAlgorithm.String()
}

func (l loaded) leaf() *x509.Certificate {
	if l.cert == nil {
		return nil
	}
	return l.cert.Leaf
}

// fault reads the error of crypto/x509, as the side that verified: what it
// trusts is its own.
func (b *bench) fault(err error, id topology.SlotID, cert *x509.Certificate, a topology.AuthorityID, usage topology.Usage) fault {
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &invalid):
		return b.invalid(invalid, id, cert, usage)
	case errors.As(err, &unknown):
		return b.chain(id, cert, a)
	}
	return fault{what: "the certificate is refused", fix: fmt.Sprintf("see the message, and look at %s with certwright inspect", id)}
}

func nameFault(id topology.SlotID, cert *x509.Certificate, name string) fault {
	want := "DNS:" + name
	if _, err := netip.ParseAddr(name); err == nil {
		want = "IP:" + name
	}
	f := fault{
		what: "the certificate is not for that name", has: names(cert), needs: want,
		fix: fmt.Sprintf("issue %s again with %s among its subjectAltNames, or correct the host that is dialled", id, want),
	}
	if f.has == "" {
		f.has = "no subjectAltName at all (no host name is read from the CN)"
	}
	return f
}

// maxNames is how many names of a certificate are listed.
const maxNames = 6

// names lists the names that a certificate is for, "" when there are none.
func names(c *x509.Certificate) string {
	var all []string
	for _, n := range c.DNSNames {
		all = append(all, "DNS:"+untrusted.Text(n).Max(80))
	}
	for _, ip := range c.IPAddresses {
		all = append(all, "IP:"+ip.String())
	}
	for _, u := range c.URIs {
		all = append(all, "URI:"+untrusted.Text(u.String()).Max(80))
	}
	if more := len(all) - maxNames; more > 1 {
		all = append(all[:maxNames], fmt.Sprintf("%d more", more))
	}
	return strings.Join(all, ", ")
}

func (b *bench) invalid(e x509.CertificateInvalidError, id topology.SlotID, leaf *x509.Certificate, usage topology.Usage) fault {
	which, renew := "the certificate", "renew "+string(id)
	c := e.Cert
	if c == nil {
		c = leaf
	}
	if !c.Equal(leaf) {
		which = "the CA " + subject(c) + " above it"
		renew = "renew that CA, or give another"
	}
	now := b.now.UTC()
	switch e.Reason {
	case x509.Expired:
		if now.Before(c.NotBefore) {
			return fault{
				what: which + " is not valid yet", has: "a validity from " + c.NotBefore.UTC().Format(time.RFC3339),
				needs: "to be valid at " + now.Format(time.RFC3339), fix: "correct the clock of the machine that issued it, or wait",
			}
		}
		return fault{
			what: which + " has expired", has: "a validity to " + c.NotAfter.UTC().Format(time.RFC3339),
			needs: "to be valid at " + now.Format(time.RFC3339), fix: renew,
		}
	case x509.IncompatibleUsage:
		f := fault{what: fmt.Sprintf("the certificate is not for %s", usage), has: usages(leaf), needs: string(usage) + " in extendedKeyUsage"}
		f.fix = fmt.Sprintf("issue %s again with extendedKeyUsage %s", id, opensslUsage(usage))
		if slices.Contains(leaf.ExtKeyUsage, keyUsage(usage)) || len(leaf.ExtKeyUsage) == 0 {
			f.what = fmt.Sprintf("a CA above the certificate does not allow %s", usage)
			f.fix = "give a CA without extendedKeyUsage, or with both server and client"
			f.has = ""
		}
		return f
	case x509.CANotAuthorizedForThisName:
		return fault{what: "a CA above the certificate does not allow its names (name constraints)", has: names(leaf), fix: "give a CA whose name constraints permit them"}
	case x509.TooManyIntermediates:
		return fault{what: "there are more CAs above the certificate than a path length allows", fix: "give a CA with a greater path length, or let it sign the certificates itself"}
	case x509.NotAuthorizedToSign:
		return fault{what: "a certificate above it is not a CA's", fix: "give the CA's certificate (basicConstraints CA:TRUE)"}
	}
	return fault{what: which + " is not acceptable", fix: fmt.Sprintf("see the message, and look at %s with certwright inspect", id)}
}

// chain explains a certificate whose CA is not trusted.
func (b *bench) chain(id topology.SlotID, cert *x509.Certificate, a topology.AuthorityID) fault {
	t := b.set.Topology
	title := func(a topology.AuthorityID) string {
		if auth := t.Authority(a); auth != nil && auth.Title != "" {
			return auth.Title
		}
		return string(a) + " CA"
	}
	f := fault{
		what: fmt.Sprintf("the certificate does not chain to the %s", title(a)),
		has:  "issuer " + untrusted.Text(cert.Issuer.String()).String(),
	}
	if anchor := b.set.Anchor(a); anchor != nil {
		f.needs = "a chain to " + subject(anchor)
		if bytes.Equal(cert.RawIssuer, anchor.RawSubject) {
			if better, known := b.signature(id, cert, anchor, title(a)); known {
				return better
			}
			f.what = fmt.Sprintf("the certificate names the %s, and was signed with another key: that CA was made anew, or this one is of an older set", title(a))
			f.fix = fmt.Sprintf("have %s signed again by the CA that is there now, or give the CA that signed it", id)
			return f
		}
	}
	for _, other := range t.Authorities {
		if anchor := b.set.Anchor(other.ID); other.ID != a && anchor != nil && cert.CheckSignatureFrom(anchor) == nil {
			f.what = fmt.Sprintf("the certificate is signed by the %s, and only the %s is trusted here", title(other.ID), title(a))
			f.fix = fmt.Sprintf("have %s signed by the %s, or give the certificate that belongs there", id, title(a))
			return f
		}
	}
	if anchor := b.set.Anchor(a); anchor != nil && cert.Issuer.CommonName != "" && cert.Issuer.CommonName == anchor.Subject.CommonName {
		f.what = fmt.Sprintf("the certificate is signed by a CA that is called like the %s and is another: of another cluster, or of an older set", title(a))
		f.fix = fmt.Sprintf("give the certificate of this cluster's set, or have %s signed by the %s", id, title(a))
		return f
	}
	f.fix = fmt.Sprintf("append the intermediates to the certificate of %s, or have it signed by the %s", id, title(a))
	return f
}

// signature explains a certificate whose issuer has the right name, and yet is
// not accepted for it.
func (b *bench) signature(id topology.SlotID, cert, anchor *x509.Certificate, title string) (fault, bool) {
	var insecure x509.InsecureAlgorithmError
	switch err := cert.CheckSignatureFrom(anchor); {
	case errors.As(err, &insecure):
		return fault{
			what: "the certificate is signed with an algorithm that is not accepted any more", has: cert.SignatureAlgorithm.String(),
			needs: "a signature with SHA-256 or better", fix: fmt.Sprintf("have %s signed again with SHA-256", id),
		}, true
	case errors.Is(err, x509.ConstraintViolationError{}):
		return fault{
			what: fmt.Sprintf("the certificate given for the %s is not one that may sign others", title), has: "issuer " + subject(anchor),
			needs: "an issuer with basicConstraints CA:TRUE and keyCertSign", fix: "give the certificate of the CA itself",
		}, true
	}
	return fault{}, false
}

func subject(c *x509.Certificate) string { return untrusted.Text(c.Subject.String()).Max(120) }

func keyUsage(u topology.Usage) x509.ExtKeyUsage {
	if u == topology.ServerAuth {
		return x509.ExtKeyUsageServerAuth
	}
	return x509.ExtKeyUsageClientAuth
}

func opensslUsage(u topology.Usage) string {
	if u == topology.ServerAuth {
		return "serverAuth"
	}
	return "clientAuth"
}

func usages(c *x509.Certificate) string {
	var out []string
	for _, u := range c.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			out = append(out, string(topology.ServerAuth))
		case x509.ExtKeyUsageClientAuth:
			out = append(out, string(topology.ClientAuth))
		case x509.ExtKeyUsageAny:
			out = append(out, "any")
		default:
			out = append(out, "another usage")
		}
	}
	for _, u := range c.UnknownExtKeyUsage {
		out = append(out, u.String())
	}
	return strings.Join(slices.Compact(out), ", ")
}
