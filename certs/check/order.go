package check

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
)

// pickLeaf finds the leaf in the certificate's file and judges whether it
// stands first and whether the key is its own. isLeaf is false when what it
// found is a CA's certificate: then names and usages would only follow.
//
// A file upside down shows itself as a key mismatch and as missing names; the
// cause is told, and the leaf judged where it stands.
func (s *slotCheck) pickLeaf(keys []crypto.Signer, keySrc *source) (leaf *node, isLeaf bool) {
	first := s.cert.first()
	if first == nil {
		return nil, false // the first block did not parse: the form says why
	}
	if len(keys) == 0 {
		return s.leafWithoutKey(first)
	}
	key := keys[0]
	later := s.severalKeys(keys, first, keySrc)
	if sameKey(key.Public(), first.x.PublicKey) {
		return first, !s.isTheCA(first)
	}
	for _, n := range s.cert.nodes {
		if n.x == first.x || !sameKey(key.Public(), n.x.PublicKey) {
			continue
		}
		s.misplaced(first, n)
		return n, true
	}
	switch n := s.structuralLeaf(first); {
	case n != nil && n != first:
		s.misplaced(first, n)
		leaf = n
	case s.onlyCAs(first):
		s.j.at("leaf-missing", first, detail{message: fmt.Sprintf("there are only CA certificates in the file, %s first; the leaf is missing", first), has: basicText(first.x), needs: "the leaf with this key, then its intermediates"})
		s.isTheCA(first)
		return first, false
	default:
		leaf = first
	}
	if !later {
		s.mismatch(leaf, key, keySrc)
	}
	return leaf, !s.isTheCA(leaf)
}

func (s *slotCheck) leafWithoutKey(first *node) (*node, bool) {
	if n := s.structuralLeaf(first); n != nil && n != first {
		s.misplaced(first, n)
		return n, true
	}
	if s.isTheCA(first) {
		return first, false
	}
	if s.onlyCAs(first) && first.x.KeyUsage&x509.KeyUsageCertSign != 0 && !first.extras().eku {
		s.j.at("leaf-missing", first, detail{message: fmt.Sprintf("there are only CA certificates in the file, %s first; the leaf is missing", first), has: basicText(first.x), needs: "the leaf, then its intermediates"})
		return first, false
	}
	return first, true
}

// severalKeys judges a key file with more than one key: the first is used. later
// says that the certificate's key is there, and not the first.
func (s *slotCheck) severalKeys(keys []crypto.Signer, first *node, src *source) (later bool) {
	distinct := keys[:1:1]
	for _, k := range keys[1:] {
		if !sameKey(k.Public(), keys[0].Public()) {
			distinct = append(distinct, k)
		}
	}
	if len(keys) < 2 {
		return false
	}
	d := detail{message: fmt.Sprintf("there are %d private keys in the file; the first one is used", len(keys)), has: fmt.Sprintf("%d keys", len(keys)), needs: "one"}
	for i, k := range distinct[1:] {
		if !sameKey(keys[0].Public(), first.x.PublicKey) && sameKey(k.Public(), first.x.PublicKey) {
			later, d.severity = true, Error
			d.message = fmt.Sprintf("there are %d private keys in the file; the first one is used, and key %d is that of %s", len(keys), i+2, first)
		}
	}
	s.j.report("multiple-keys", src, 0, d)
	return later
}

// misplaced reports that n and not the first certificate is the leaf.
func (s *slotCheck) misplaced(first, n *node) {
	if !first.x.IsCA && !s.signsInFile(first) && !n.x.IsCA {
		s.j.at("multiple-leaves", first, detail{severity: Error, message: fmt.Sprintf("%s stands first and is presented, and the key is that of %s", first, n), has: "first " + subjectText(first.x), needs: "first " + subjectText(n.x)})
		return
	}
	s.j.at("wrong-order", first, detail{message: fmt.Sprintf("%s stands first, and the leaf is %s: the first one is what components take for the leaf", first, n), has: "first " + subjectText(first.x), needs: "first " + subjectText(n.x)})
}

// structuralLeaf finds the leaf by who signed whom; nil when nothing speaks
// against the first.
func (s *slotCheck) structuralLeaf(first *node) *node {
	if len(s.cert.nodes) < 2 {
		return nil
	}
	signs := s.signsInFile(first)
	if !signs && (!first.x.IsCA || first.extras().san) {
		return nil
	}
	var below *node
	for _, n := range s.cert.nodes {
		switch {
		case n == first || n.hash == first.hash || s.signsInFile(n):
		case !n.x.IsCA:
			return n
		case signs && below == nil:
			below = n
		}
	}
	return below
}

// signsInFile says whether n signed another certificate of the file.
func (s *slotCheck) signsInFile(n *node) bool {
	return slices.ContainsFunc(s.cert.issuedBy(n), func(o *node) bool {
		return !(o.selfIssued() && n.selfIssued()) && s.j.sigs.signed(o, n)
	})
}

// onlyCAs says whether nothing in the file can be the leaf: a CA that bears
// host names can (a self-signed server certificate).
func (s *slotCheck) onlyCAs(first *node) bool {
	for _, n := range s.cert.nodes {
		if !n.x.IsCA {
			return false
		}
	}
	return !first.extras().san
}

// isTheCA reports a leaf that is the CA given. A certificate that signed itself
// and is handed over as its own CA is no such case: Calico's API server is
// documented so.
func (s *slotCheck) isTheCA(n *node) bool {
	if s.ca == nil || !n.x.IsCA || n.x.KeyUsage&x509.KeyUsageCertSign == 0 {
		return false
	}
	for _, a := range s.ca.nodes {
		if a.hash != n.hash {
			continue
		}
		e := n.extras()
		if e.san || e.eku {
			return false
		}
		s.j.at("leaf-is-ca", n, detail{severity: Error, message: fmt.Sprintf("%s is the CA itself", n), has: "CA:TRUE, " + keyUsageText(n.x.KeyUsage), needs: "a leaf signed by it", why: "whoever runs this component would hold the CA's key, and sign certificates for the whole cluster"})
		return true
	}
	return false
}
