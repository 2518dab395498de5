package check

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"certwright/certs/untrusted"
)

// bundle judges the file around the path: what is sent and what for.
func (c *chainCheck) bundle(p path) {
	seen := map[[32]byte]*node{c.leaf.hash: c.leaf}
	last := 0
	for _, n := range c.sent {
		if twin, ok := seen[n.hash]; ok {
			c.j.at("duplicate-in-bundle", n, detail{message: fmt.Sprintf("%s is the same as certificate %d", n, twin.pos)})
			continue
		}
		seen[n.hash] = n
		i := slices.IndexFunc(p, func(o *node) bool { return o.hash == n.hash })
		switch {
		case i > 0 && i < last:
			c.j.at("wrong-order", n, detail{severity: Warning, message: fmt.Sprintf("%s stands after its own issuer", n), why: "Go and OpenSSL sort intermediates themselves; TLS 1.2 wants each certificate's issuer right after it (RFC 5246 7.4.2)"})
		case i > 0:
			last = i
		}
		switch {
		case n.selfIssued() && c.j.sigs.signed(n, n):
			if !c.inRoots || n.hash != c.leaf.hash {
				c.root(n, i)
			}
		case i < 0 && anotherLeaf(n) && !c.signsSomething(n):
			if c.j.has("multiple-leaves") {
				continue
			}
			c.j.at("multiple-leaves", n, detail{message: fmt.Sprintf("%s is another leaf; only the first certificate is presented", n), has: subjectText(n.x), needs: "one leaf, then its intermediates"})
		case i < 0 && p != nil && !c.related(n, p):
			c.j.at("extraneous-certificate", n, detail{message: fmt.Sprintf("%s has no part in the chain from %s to %s", n, c.leaf, untrusted.Text(p.anchor().x.Subject.String()).Max(80))})
		}
	}
}

// anotherLeaf says whether a certificate behind the first is no CA's.
func anotherLeaf(n *node) bool {
	return n.x.Version == 3 && !n.x.IsCA && n.x.KeyUsage&x509.KeyUsageCertSign == 0
}

// signsSomething says whether a certificate of the file names n as its issuer.
func (c *chainCheck) signsSomething(n *node) bool {
	return len(c.leaf.src.issuedBy(n)) > 0
}

// root reports a root that is sent along.
func (c *chainCheck) root(n *node, i int) {
	anchored := slices.ContainsFunc(c.anchors, func(a *node) bool { return a.hash == n.hash })
	if i < 0 && !anchored && !c.signsSomething(n) {
		c.j.at("extraneous-certificate", n, detail{message: fmt.Sprintf("%s is a root that has no part in the chain", n)})
		return
	}
	c.j.at("root-included", n, detail{message: fmt.Sprintf("%s is a root: the other side has it or does not trust it", n)})
}

// related says whether a certificate outside the path taken is another way for
// it: a cross-signature, an older issuer, what stands above an anchor.
func (c *chainCheck) related(n *node, p path) bool {
	for _, o := range p {
		if bytes.Equal(o.x.RawSubject, n.x.RawSubject) && o != p.leaf() || bytes.Equal(o.x.RawIssuer, n.x.RawSubject) {
			return true
		}
	}
	return c.signsSomething(n)
}

// sitting is how much later a leaf may end that was made in one sitting with its
// CA, for as many days.
const sitting = time.Hour

// outlives warns when an issuer ends before the leaf.
func (c *chainCheck) outlives(p path) {
	leaf := p.leaf()
	for _, n := range p[1:] {
		if n.x.NotAfter.Add(sitting).Before(leaf.x.NotAfter) && !c.j.now.After(n.x.NotAfter) && leaf.x.NotAfter.After(leaf.x.NotBefore) {
			c.j.at("ca-expires-before-leaf", leaf, detail{
				message: fmt.Sprintf("%s is valid %s longer than its issuer, %s", leaf, span(leaf.x.NotAfter.Sub(n.x.NotAfter)), n.in()),
				has:     "leaf until " + day(leaf.x.NotAfter), needs: "issuer until then; it ends " + day(n.x.NotAfter),
			})
			return
		}
	}
}

// span writes a duration in days, or hours when it is short.
func span(d time.Duration) string {
	if days := int(d / (24 * time.Hour)); days > 1 {
		return fmt.Sprintf("%d days", days)
	}
	if hours := int(d / time.Hour); hours > 0 {
		return fmt.Sprintf("%d %s", hours, plural(hours, "hour", "hours"))
	}
	return "some minutes"
}
