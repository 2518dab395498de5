package check

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// diagnose says why no path leads from the leaf to an anchor: it follows the
// chain as far as it goes and looks at what is missing there.
func (c *chainCheck) diagnose() {
	tip := c.tip()
	switch {
	case c.noCA():
	case c.foreign(tip):
	case c.selfSigned(tip):
	case c.sameNameOtherKey(tip):
	case c.encoding(tip):
	case c.sibling(tip):
	default:
		c.missing(tip)
	}
}

// noCA reports a CA file without any CA in it.
func (c *chainCheck) noCA() bool {
	if slices.ContainsFunc(c.anchors, func(a *node) bool { return !c.notCA(a, true) || a.selfIssued() }) {
		return false
	}
	a := c.anchors[0]
	c.j.at("not-a-ca", a, detail{message: fmt.Sprintf("there is no CA in the CA file: %s is a leaf", a), has: basicText(a.x), needs: "the CA that signed " + subjectText(c.leaf.x)})
	return true
}

// tip is the last certificate that can be reached from the leaf over signatures
// that hold.
func (c *chainCheck) tip() *node {
	sent := newPool(c.sent, c.more)
	p := path{c.leaf}
	for len(p) < maxDepth {
		i := slices.IndexFunc(sent.issuers(p[len(p)-1]), func(n *node) bool {
			return !p.contains(n) && c.j.sigs.signed(p[len(p)-1], n)
		})
		if i < 0 {
			break
		}
		p = append(p, sent.issuers(p[len(p)-1])[i])
	}
	return p[len(p)-1]
}

// foreign finds the authority of another component that signed it.
func (c *chainCheck) foreign(tip *node) bool {
	for _, id := range sortedKeys(c.others) {
		ca := c.others[id]
		if ca == nil || id == c.authName || !bytes.Equal(ca.RawSubject, tip.x.RawIssuer) && !bytes.Equal(ca.Raw, tip.x.Raw) {
			continue
		}
		other := newNode(ca, nil, 0, 1)
		if other.hash == tip.hash || c.j.sigs.signed(tip, other) {
			rule := "wrong-authority"
			if c.across {
				rule = "chain-across-slots"
			}
			c.j.at(rule, c.leaf, detail{
				message: fmt.Sprintf("%s belongs to the CA of %s, and %s is due", c.leaf, id, c.dueText()),
				has:     "issuer " + subjectText(ca), needs: c.anchorsText(),
			})
			return true
		}
	}
	return false
}

func (c *chainCheck) dueText() string {
	if c.authName == "" {
		return "the CA given"
	}
	return fmt.Sprintf("the CA of %s", c.authName)
}

func sortedKeys(m map[topology.AuthorityID]*x509.Certificate) []topology.AuthorityID {
	out := make([]topology.AuthorityID, 0, len(m))
	for id := range m {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// selfSigned judges a chain that ends in a certificate which signed itself and
// is no anchor.
func (c *chainCheck) selfSigned(tip *node) bool {
	if !tip.selfIssued() || !c.j.sigs.signed(tip, tip) {
		return false
	}
	twin := slices.IndexFunc(c.anchors, func(a *node) bool { return bytes.Equal(a.x.RawSubject, tip.x.RawSubject) })
	switch {
	case tip == c.leaf && twin < 0:
		c.j.at("self-signed-leaf", tip, detail{message: fmt.Sprintf("%s signed itself, and is not among the CAs given", tip), has: "issuer " + issuerText(tip.x), needs: c.anchorsText()})
	case twin >= 0:
		a := c.anchors[twin]
		c.j.at("wrong-authority", c.leaf, detail{
			message: fmt.Sprintf("%s leads to %s, which has the name of %s and another key", c.leaf, tip, a.in()),
			has:     keyIDText(tip.x.SubjectKeyId), needs: keyIDText(a.x.SubjectKeyId),
		})
	default:
		c.j.at("unknown-authority", c.leaf, detail{message: fmt.Sprintf("%s leads to the root %s, which is not among the CAs given", c.leaf, subjectText(tip.x)), has: "root " + subjectText(tip.x), needs: c.anchorsText()})
	}
	return true
}

// sameNameOtherKey judges a tip whose issuer is there by name, and did not sign it.
func (c *chainCheck) sameNameOtherKey(tip *node) bool {
	var named []*node
	for _, n := range slices.Concat(c.anchors, c.sent, c.more) {
		if n.hash != tip.hash && bytes.Equal(n.x.RawSubject, tip.x.RawIssuer) && !c.j.sigs.signed(tip, n) {
			named = append(named, n)
		}
	}
	if len(named) == 0 {
		return false
	}
	issuer := named[0]
	for _, n := range named {
		switch {
		case c.j.sigs.check(tip, n) == sigUnknown && material.PostQuantumSignature(tip.x) != "":
			if d := c.j.postQuantum(tip.String()+" is signed with", material.PostQuantumSignature(tip.x), false); d != nil {
				c.j.at(postQuantumRule, tip, *d)
			}
			return true
		case c.j.sigs.check(tip, n) == sigUnknown:
			c.j.at("unsupported-key-algorithm", n, detail{message: fmt.Sprintf("the signature of %s cannot be checked: the key of %s or its algorithm is not supported", tip, n.in()), has: tip.x.SignatureAlgorithm.String()})
			return true
		case edited(tip.x, n.x):
			c.j.at("bad-signature", tip, detail{message: fmt.Sprintf("the signature of %s is not right, though its issuer's key is that of %s: it was edited or damaged", tip, n.in()), has: "issuer " + issuerText(tip.x)})
			return true
		}
	}
	c.j.at("wrong-authority", tip, detail{
		message: fmt.Sprintf("%s was signed by another CA named %s than %s", tip, issuerText(tip.x), issuer.in()),
		has:     "signed by " + keyIDText(tip.x.AuthorityKeyId), needs: keyIDText(issuer.x.SubjectKeyId),
	})
	return true
}

// edited says whether the right key made the signature: by the key identifiers
// where both are there, else by what an RSA signature shows.
func edited(child, parent *x509.Certificate) bool {
	if madeBy(child, parent) {
		return true
	}
	if k, ok := parent.PublicKey.(*rsa.PublicKey); ok && len(child.Signature) != k.Size() {
		return false
	}
	return len(child.AuthorityKeyId) > 0 && bytes.Equal(child.AuthorityKeyId, parent.SubjectKeyId)
}

func keyIDText(id []byte) string {
	if len(id) == 0 {
		return "a key without identifier"
	}
	return fmt.Sprintf("key %x", id[:min(len(id), 20)])
}

// encoding finds an issuer whose name differs in its bytes alone.
func (c *chainCheck) encoding(tip *node) bool {
	for _, n := range slices.Concat(c.anchors, c.sent, c.more) {
		if n.hash == tip.hash || !sameName(n.x.RawSubject, tip.x.RawIssuer) || bytes.Equal(n.x.RawSubject, tip.x.RawIssuer) {
			continue
		}
		if c.j.sigs.signed(tip, n) {
			c.j.at("issuer-name-encoding", tip, detail{
				message: fmt.Sprintf("%s writes its issuer's name in other bytes than %s has: Go does not take it for the issuer", tip, n.in()),
				has:     encodings(tip.x.RawIssuer), needs: encodings(n.x.RawSubject),
			})
			return true
		}
	}
	return false
}

// encodings names the string types of a name.
func encodings(name []byte) string {
	kinds := map[int]string{12: "UTF8String", 19: "PrintableString", 20: "TeletexString", 22: "IA5String", 30: "BMPString"}
	var out []string
	for _, rdn := range sequence(name) {
		for _, a := range sequence(retag(rdn.FullBytes)) {
			if parts := sequence(a.FullBytes); len(parts) == 2 {
				kind, ok := kinds[parts[1].Tag]
				if !ok {
					kind = fmt.Sprintf("tag %d", parts[1].Tag)
				}
				out = append(out, fmt.Sprintf("%s %q", kind, parts[1].Bytes))
			}
		}
	}
	return list(out)
}

// sibling judges a chain whose own CA stands beside the CA given, under one
// root: the chain is whole, and belongs to another component.
func (c *chainCheck) sibling(tip *node) bool {
	if tip == c.leaf {
		return false
	}
	i := slices.IndexFunc(c.anchors, func(a *node) bool { return !a.selfIssued() && bytes.Equal(a.x.RawIssuer, tip.x.RawIssuer) })
	if i < 0 {
		return false
	}
	c.j.at("wrong-authority", c.leaf, detail{
		message: fmt.Sprintf("%s belongs to %s, and the CA given is %s: both stand under %s, beside one another", c.leaf, subjectText(tip.x), subjectText(c.anchors[i].x), issuerText(tip.x)),
		has:     "issuer " + subjectText(tip.x), needs: c.anchorsText(),
	})
	return true
}

// missing judges a tip whose issuer is nowhere.
func (c *chainCheck) missing(tip *node) {
	if c.gap(tip) {
		fix := ""
		if len(tip.x.IssuingCertificateURL) > 0 {
			fix = "get the issuer from where the certificate says that it is (" + list(tip.x.IssuingCertificateURL) + ") and append it to the file, after the leaf"
		}
		c.j.at("missing-intermediate", tip, detail{
			message: fmt.Sprintf("the issuer of %s is neither in the file nor among the CAs given", tip),
			has:     "issuer " + issuerText(tip.x), needs: "that intermediate after the leaf; the CAs given are " + c.anchorsText(), fix: fix,
		})
		return
	}
	c.j.at("unknown-authority", tip, detail{
		message: fmt.Sprintf("%s was signed by %s, which is not among the CAs given", tip, issuerText(tip.x)),
		has:     "issuer " + issuerText(tip.x), needs: c.anchorsText(),
		fix: "give the CA that signed it, or have it signed by the CA given; if " + issuerText(tip.x) + " is an intermediate under that CA, append it to the certificate's file",
	})
}

// gap says whether the missing issuer is likely an intermediate under one of
// the anchors, and not a CA of its own. Nothing in a leaf proves it, so what
// speaks for it is: the certificate says where its issuer can be had; the file
// holds another one under the anchor; the issuer is named as one; the chain
// already goes through an intermediate; the anchor is a root of certwright's own,
// which signs no leaf; the issuer shares a telling word of its name with an
// anchor that is called a root.
func (c *chainCheck) gap(tip *node) bool {
	if len(tip.x.IssuingCertificateURL) > 0 || c.stranded() {
		return true
	}
	words := nameWords(tip.x.Issuer.String())
	if slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"intermediate", "intermediary", "issuing", "issuer", "subordinate", "sub", "subca", "ica", "int", "inter", "signing", "tier", "level"}, w)
	}) {
		return true
	}
	if slices.Contains(words, "root") {
		return false
	}
	if tip != c.leaf {
		return slices.ContainsFunc(c.anchors, (*node).selfIssued)
	}
	return slices.ContainsFunc(c.anchors, func(a *node) bool {
		if a.selfIssued() && c.ownRoot != "" && a.x.Subject.CommonName == c.ownRoot {
			return true // our own root signs CAs alone
		}
		return slices.Contains(nameWords(a.x.Subject.CommonName), "root") && commonWords(tip.x.Issuer.CommonName, a.x.Subject.CommonName)
	})
}

// stranded says whether the file holds an intermediate that an anchor signed
// and that did not sign the leaf: one between them is missing.
func (c *chainCheck) stranded() bool {
	anchors := newPool(c.anchors)
	return slices.ContainsFunc(slices.Concat(c.sent, c.more), func(n *node) bool {
		return n.x.IsCA && !n.selfIssued() && !anchors.has(n) &&
			slices.ContainsFunc(anchors.issuers(n), func(a *node) bool { return c.j.sigs.signed(n, a) })
	})
}

// nameWords cuts a name into lower-case words.
func nameWords(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}

// commonWords says whether two common names share a word that tells something.
func commonWords(a, b string) bool {
	dull := []string{"root", "ca", "authority", "certificate", "certification", "test", "the", "and", "cert", "other", "for", "new", "old", "cn"}
	bs := nameWords(b)
	return slices.ContainsFunc(nameWords(a), func(w string) bool {
		return len(w) > 2 && !slices.Contains(dull, w) && slices.Contains(bs, w)
	})
}

// anchorsText lists the CAs given.
func (c *chainCheck) anchorsText() string {
	var out []string
	for _, a := range c.anchors {
		out = append(out, subjectText(a.x))
	}
	if len(out) > 3 {
		out = append(out[:3], fmt.Sprintf("and %d more", len(out)-3))
	}
	return untrusted.Text(strings.Join(out, "; ")).String()
}
