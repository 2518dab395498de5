package check

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"certwright/certs/material"
	"certwright/certs/topology"
)

// defect is a finding that a path would bring.
type defect struct {
	rule string
	n    *node
	d    detail
}

func (d defect) severity() Severity {
	if d.d.severity != "" {
		return d.d.severity
	}
	row, _ := RuleByID(d.rule)
	return row.Severity
}

// chainCheck is one leaf to be judged against anchors.
type chainCheck struct {
	j        *judge
	leaf     *node
	sent     []*node // the other certificates of the leaf's file, in order
	more     []*node // intermediates from elsewhere
	anchors  []*node
	usages   []topology.Usage
	advised  []topology.Usage
	others   map[topology.AuthorityID]*x509.Certificate
	lossy    bool // a certificate of the input could not be read: a gap proves nothing
	inRoots  bool // the leaf itself is among the anchors
	authName topology.AuthorityID
	ownRoot  string // the common name of the root that certwright would make
	asked    int    // paths whose policies were judged
	across   bool   // several slots are at hand: another's CA is chain-across-slots
}

// run reports everything about the chain and gives the path that was taken, nil
// when there is none.
func (c *chainCheck) run() path {
	var judged []defect // of the path that was looked at last: the good one ends the search
	s := &search{
		j: c.j, anchors: newPool(c.anchors), sent: newPool(c.sent, c.more),
		good: func(p path) bool { judged = c.defects(p); return !slices.ContainsFunc(judged, isError) },
	}
	c.j.sigs.checks = 0
	c.inRoots = s.anchors.has(c.leaf)
	s.find(c.leaf)
	p := s.best
	if p == nil {
		if p = c.leastBad(s.paths); p != nil {
			judged = c.defects(p)
		}
	}
	switch {
	case p != nil:
		for _, d := range judged {
			c.j.at(d.rule, d.n, d.d)
		}
	case c.j.sigs.spent() || s.steps > maxSteps:
		c.j.at("chain-too-long", c.leaf, detail{
			message: fmt.Sprintf("no chain to a CA was found within %d signature checks", maxChecks),
			has:     fmt.Sprintf("%d certificates to try", len(s.sent.nodes)+len(s.anchors.nodes)),
		})
	case s.deep:
		c.j.at("chain-too-long", c.leaf, detail{
			message: fmt.Sprintf("no chain of at most %d certificates leads to a CA given", maxDepth),
			why:     "Go follows a longer one, and OpenSSL up to 100 certificates; many other verifiers end at 10 or less",
			has:     fmt.Sprintf("%d certificates to try", len(s.sent.nodes)+len(s.anchors.nodes)), needs: fmt.Sprintf("at most %d", maxDepth),
		})
	case !c.lossy:
		c.diagnose()
	}
	return p
}

// emptyUsageOfCA is why a CA's key usage without any bit is no error in a cluster.
const emptyUsageOfCA = "Go takes a key usage without any bit for none, and accepts the CA; OpenSSL refuses it"

func isError(d defect) bool { return d.severity() == Error }

// leastBad is the path with the fewest errors.
func (c *chainCheck) leastBad(paths []path) path {
	var best path
	fewest := 0
	for _, p := range paths {
		n := 0
		for _, d := range c.defects(p) {
			if isError(d) {
				n++
			}
		}
		if best == nil || n < fewest {
			best, fewest = p, n
		}
	}
	return best
}

// defects judges one path: its issuers, its links, what it may be used for.
// What concerns the leaf alone is judged apart from any path.
func (c *chainCheck) defects(p path) []defect {
	var out []defect
	add := func(rule string, n *node, d detail) { out = append(out, defect{rule, n, d}) }
	for i, n := range p {
		if i > 0 && len(n.x.UnhandledCriticalExtensions) > 0 && !c.understood(n) {
			add("unknown-critical-extension", n, criticalDetail(n))
		}
		if i+1 < len(p) {
			c.link(add, n, p[i+1], i == 0)
		}
		if i > 0 {
			c.issuer(add, p, i)
		}
	}
	c.nested(add, p)
	out = append(out, c.constraints(p)...)
	if !slices.ContainsFunc(out, isError) {
		c.policies(add, p)
	}
	return out
}

func criticalDetail(n *node) detail {
	var ids []string
	for _, id := range n.x.UnhandledCriticalExtensions {
		ids = append(ids, id.String())
	}
	d := detail{message: fmt.Sprintf("%s has a critical extension that components do not know", n), has: strings.Join(ids, ", ")}
	if slices.ContainsFunc(n.x.UnhandledCriticalExtensions, oidSCTPoison.Equal) {
		d.message = fmt.Sprintf("%s is a precertificate: Certificate Transparency's poison extension makes it unusable", n)
		d.fix = "download the certificate itself from your CA"
	}
	return d
}

// link judges one signature of the path.
func (c *chainCheck) link(add func(string, *node, detail), child, parent *node, leaf bool) {
	switch v := c.j.sigs.check(child, parent); {
	case v == sigWeak:
		add("weak-signature", child, weakDetail(child))
	case v == sigUnknown && material.PostQuantumSignature(child.x) != "":
		if d := c.j.postQuantum(child.String()+" is signed with", material.PostQuantumSignature(child.x), false); d != nil {
			add(postQuantumRule, child, *d)
		}
	case v == sigUnknown && !slices.ContainsFunc(c.j.keyDefects(parent), isError):
		add("weak-signature", child, detail{message: fmt.Sprintf("%s is signed with an algorithm that Go does not verify", child), has: child.x.SignatureAlgorithm.String(), needs: "SHA-256 with RSA or ECDSA", why: "x509: cannot verify signature: algorithm unimplemented"})
	}
	if a, s := child.x.AuthorityKeyId, parent.x.SubjectKeyId; len(a) > 0 && len(s) > 0 && !bytes.Equal(a, s) {
		add("aki-mismatch", child, detail{
			message: fmt.Sprintf("the authority key identifier of %s is not that of its issuer, %s", child, parent.in()),
			has:     fmt.Sprintf("%x", a[:min(len(a), 20)]), needs: fmt.Sprintf("%x", s[:min(len(s), 20)]),
		})
	}
	if leaf && bytes.Equal(child.x.RawSubjectPublicKeyInfo, parent.x.RawSubjectPublicKeyInfo) && !child.x.IsCA {
		add("key-reused", child, detail{severity: Error, message: fmt.Sprintf("%s has the key of its issuer, %s: whoever runs it signs certificates as the CA", child, parent.in()), has: keyText(child.x.PublicKey) + " " + pubFingerprint(child.x.PublicKey), needs: "a key of its own"})
	}
	if sn := child.x.SerialNumber; sn != nil && sn.Cmp(parent.x.SerialNumber) == 0 && bytes.Equal(child.x.RawIssuer, parent.x.RawIssuer) {
		add("duplicate-serial", child, detail{message: fmt.Sprintf("%s and %s have the same issuer and the same serial number", child, parent.in()), has: fmt.Sprintf("%x", sn), needs: "a serial number of its own for each"})
	}
	if leaf && bytes.Equal(child.x.RawSubject, parent.x.RawSubject) {
		add("same-subject-as-ca", child, detail{message: fmt.Sprintf("%s has the same subject as its issuer, %s", child, parent.in()), has: subjectText(child.x)})
	}
}

// issuer judges the i-th certificate of the path as a CA.
func (c *chainCheck) issuer(add func(string, *node, detail), p path, i int) {
	n, x := p[i], p[i].x
	anchor := i == len(p)-1
	switch {
	case c.notCA(n, anchor):
		rule, what := "not-a-ca", "has no CA:TRUE, so it cannot sign"
		if looksLikeLeaf(n) {
			rule, what = "issuer-not-a-ca", "is a leaf, and a leaf cannot sign"
		}
		add(rule, n, detail{message: fmt.Sprintf("%s %s %s", n, what, p[i-1].in()), has: basicText(x), needs: "CA:TRUE"})
	case n.extras().keyUsage && x.KeyUsage&x509.KeyUsageCertSign == 0:
		d := detail{message: fmt.Sprintf("%s may not sign certificates by its key usage, and signed %s", n, p[i-1].in()), has: keyUsageText(x.KeyUsage), needs: "keyCertSign"}
		if x.KeyUsage == 0 && !c.j.rfc {
			d.severity, d.why = Warning, emptyUsageOfCA
		}
		add("ca-missing-key-cert-sign", n, d)
	}
	if x.BasicConstraintsValid && x.MaxPathLen >= 0 && i-1 > x.MaxPathLen {
		d := detail{
			message: fmt.Sprintf("%s allows %d %s below it, and the chain has %d", n, x.MaxPathLen, plural(x.MaxPathLen, "CA", "CAs"), i-1),
			has:     fmt.Sprintf("%d below", i-1), needs: fmt.Sprintf("at most %d", x.MaxPathLen),
		}
		if c.j.rfc && notSelfIssued(p[1:i]) <= x.MaxPathLen {
			// RFC 5280 4.2.1.9 does not count self-issued certificates; Go does.
			d.severity, d.why = Warning, "RFC 5280 does not count self-issued certificates, and OpenSSL accepts the chain; Go counts them: x509: too many intermediates for path length constraint"
		}
		add("pathlen-exceeded", n, d)
	}
	c.issuerTime(add, n, anchor)
	for _, d := range c.j.keyDefects(n) {
		add(d.rule, d.n, d.d)
	}
	if c.j.rfc && emptyName(x.RawSubject) {
		add("empty-subject", n, detail{message: fmt.Sprintf("%s is a CA without a subject", n), why: "RFC 5280 4.1.2.6: a CA's subject must not be empty"})
	}
}

// notCA applies Go's rule: an intermediate needs CA:TRUE, an anchor only where
// its version has basic constraints at all.
func (c *chainCheck) notCA(n *node, anchor bool) bool {
	isCA := n.x.BasicConstraintsValid && n.x.IsCA
	if anchor && n.x.Version < 3 {
		return false
	}
	return !isCA
}

func looksLikeLeaf(n *node) bool {
	if n.x.KeyUsage&x509.KeyUsageCertSign != 0 {
		return false
	}
	e := n.extras()
	return e.san || e.eku || e.keyUsage && n.x.BasicConstraintsValid
}

func notSelfIssued(nodes []*node) int {
	count := 0
	for _, n := range nodes {
		if !n.selfIssued() {
			count++
		}
	}
	return count
}

func emptyName(raw []byte) bool { return len(sequence(raw)) == 0 }

func basicText(x *x509.Certificate) string {
	switch {
	case x.Version < 3:
		return fmt.Sprintf("X.509 version %d, without basicConstraints", x.Version)
	case !x.BasicConstraintsValid:
		return "no basicConstraints"
	case !x.IsCA:
		return "CA:FALSE"
	}
	return "CA:TRUE"
}

// issuerTime judges the validity of an issuer.
func (c *chainCheck) issuerTime(add func(string, *node, detail), n *node, anchor bool) {
	what, rule := "the intermediate", "intermediate-expired"
	if anchor {
		what, rule = "the CA", "ca-expired"
	}
	switch now := c.j.now; {
	case n.x.NotAfter.Before(n.x.NotBefore):
		add("validity-inverted", n, invertedDetail(n))
	case now.After(n.x.NotAfter):
		add(rule, n, detail{message: fmt.Sprintf("%s of the chain, %s, expired on %s", what, n, day(n.x.NotAfter)), has: "notAfter " + day(n.x.NotAfter), needs: "valid on " + day(now)})
	case now.Before(n.x.NotBefore):
		add("ca-not-yet-valid", n, detail{message: fmt.Sprintf("%s of the chain, %s, is valid only from %s", what, n, day(n.x.NotBefore)), has: "notBefore " + day(n.x.NotBefore), needs: "valid on " + day(now)})
	}
}

// nested judges whether the issuers allow the use: Go and OpenSSL let an
// issuer's extended key usage bind everything below it, the root's too.
func (c *chainCheck) nested(add func(string, *node, detail), p path) {
	for _, u := range slices.Concat(c.usages, c.advised) {
		for _, n := range p[1:] {
			if hasUsage(n.x, u) {
				continue
			}
			d := detail{
				message: fmt.Sprintf("%s restricts what it signs to uses without %s", n, ekuName(u)),
				has:     ekuText(n.x), needs: ekuName(u),
			}
			if !slices.Contains(c.usages, u) {
				d.severity = Warning
			}
			add("issuer-eku", n, d)
		}
	}
}

// maxPolicies is how many paths are handed to crypto/x509, which checks their
// signatures again.
const maxPolicies = 8

// policies judges certificate policies, where an issuer requires one: by
// crypto/x509, which alone here knows how (RFC 5280 6.1).
func (c *chainCheck) policies(add func(string, *node, detail), p path) {
	i := slices.IndexFunc(p, func(n *node) bool { return n.x.RequireExplicitPolicy > 0 || n.x.RequireExplicitPolicyZero })
	if i < 0 || len(p) < 2 {
		return
	}
	if c.asked++; c.asked > maxPolicies {
		add("policy-constraint", p[i], detail{message: fmt.Sprintf("%s requires a certificate policy, and there are more ways to it than are tried", p[i])})
		return
	}
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: c.j.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	opts.Roots.AddCert(p.anchor().x)
	for _, n := range p[1 : len(p)-1] {
		opts.Intermediates.AddCert(n.x)
	}
	var invalid x509.CertificateInvalidError
	if _, err := p.leaf().x.Verify(opts); errors.As(err, &invalid) && invalid.Reason == x509.NoValidChains {
		add("policy-constraint", p[i], detail{message: fmt.Sprintf("%s requires a certificate policy that the chain does not have", p[i]), has: fmt.Sprintf("%d policies on the leaf", len(p.leaf().x.Policies))})
	}
}
