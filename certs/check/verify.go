package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"certwright/certs/topology"
)

// Chain judges a chain for a purpose, without a profile: RFC 5280's path
// validation, and the host name. Where Go and OpenSSL disagree a warning says
// so. The first certificate of Leaf is the one that is judged; its other
// certificates and Intermediates are what paths are built from.
func Chain(in ChainInput) []Finding {
	// Certificates know whole seconds: what is left of the last one counts.
	j := newJudge("", in.At.Truncate(time.Second))
	j.rfc = true
	leafSrc, moreSrc, anchorSrc := readSource(in.Leaf, 0), readSource(in.Intermediates, 1), readSource(in.Anchors, 2)
	ok := in.Leaf != nil && in.Anchors != nil
	if in.Leaf != nil {
		j.form(in.Leaf, leafSrc, asCertificate, false, in.Leaf)
		ok = j.wantCertificates(in.Leaf, leafSrc, asCertificate, nil) && ok
	}
	if in.Intermediates != nil {
		j.form(in.Intermediates, moreSrc, asCertificate, false, in.Intermediates)
	}
	if in.Anchors != nil {
		j.form(in.Anchors, anchorSrc, asCA, false, nil)
		ok = j.wantCertificates(in.Anchors, anchorSrc, asCA, nil) && ok
	}
	leaf := leafSrc.first()
	if leaf == nil {
		return j.findings()
	}
	order := &slotCheck{j: j, cert: leafSrc}
	if n := order.structuralLeaf(leaf); n != nil && n != leaf {
		order.misplaced(leaf, n)
		leaf = n
	}
	sent := slices.DeleteFunc(slices.Clone(leafSrc.nodes), func(n *node) bool { return n == leaf })
	slot := purpose(in)
	c := &chainCheck{j: j, leaf: leaf, sent: sent, usages: slot.Requires.Usages, lossy: unread(in.Leaf) || unread(in.Intermediates) || unread(in.Anchors)}
	if moreSrc != nil {
		c.more = moreSrc.nodes
	}
	trusted := anchorSrc != nil && slices.ContainsFunc(anchorSrc.nodes, func(a *node) bool { return a.hash == leaf.hash })
	j.leaf(leaf, slot, nil, trusted)
	j.strictLeaf(leaf)
	if ok && len(anchorSrc.nodes) > 0 {
		c.anchors = anchorSrc.nodes
		if p := c.run(); p != nil {
			c.bundle(p)
			c.outlives(p)
			if a := p.anchor(); a != leaf {
				j.anchorSignature(a)
			}
		}
	}
	return j.findings()
}

// purpose makes the role that the flags describe.
func purpose(in ChainInput) *topology.Slot {
	slot := &topology.Slot{Kind: topology.Leaf}
	if in.Usage != "" {
		slot.Usages = []topology.Usage{in.Usage}
		slot.Requires.Usages = slot.Usages
	}
	if name := strings.TrimSpace(in.ServerName); name != "" {
		want := topology.Name{Kind: topology.DNSName, Value: name, Required: "it is the name that is dialled"}
		if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
			want.Kind, want.Value = topology.IPAddress, a.String()
		}
		slot.Names = []topology.Name{want}
	}
	return slot
}

// strictLeaf judges what RFC 5280 asks of a leaf beyond what a slot does.
func (j *judge) strictLeaf(n *node) {
	e := n.extras()
	if emptyName(n.x.RawSubject) && !e.san {
		j.at("empty-subject", n, detail{message: fmt.Sprintf("%s has neither a subject nor a name", n), why: "RFC 5280 4.1.2.6: without a subject the names must be in the subject alternative name"})
	}
	if n.constraints() != nil && !n.x.IsCA {
		j.at("name-constraint", n, detail{message: fmt.Sprintf("%s has name constraints, and is no CA", n), why: "RFC 5280 4.2.1.10: name constraints must be used only in a CA certificate", has: basicText(n.x), needs: "no name constraints"})
	}
	if emptyName(n.x.RawIssuer) {
		j.at("empty-subject", n, detail{message: fmt.Sprintf("%s has no issuer name", n), why: "RFC 5280 4.1.2.4: the issuer's name must not be empty"})
	}
}
