package check

import (
	"bytes"
	"slices"
)

// The bounds of a search. A chain of a cluster has two to four certificates;
// what is beyond these is an attack or a heap of files.
const (
	maxDepth = 12   // certificates in a chain, leaf and anchor included
	maxSteps = 4000 // issuers looked at
	maxPaths = 32   // paths kept for a diagnosis

	maxJudged = 256 // paths judged
)

// pool holds certificates by their subject.
type pool struct {
	nodes []*node
	named map[string][]*node
}

// newPool drops certificates that are in it already.
//
//go:noinline // many callers, none of them hot
func newPool(lists ...[]*node) *pool {
	p := &pool{named: map[string][]*node{}}
	for _, nodes := range lists {
		for _, n := range nodes {
			if !p.has(n) {
				p.nodes = append(p.nodes, n)
				p.named[string(n.x.RawSubject)] = append(p.named[string(n.x.RawSubject)], n)
			}
		}
	}
	return p
}

func (p *pool) get(n *node) *node {
	for _, o := range p.named[string(n.x.RawSubject)] {
		if o.hash == n.hash {
			return o
		}
	}
	return nil
}

func (p *pool) has(n *node) bool { return p.get(n) != nil }

// issuers are the certificates that bear the name of n's issuer, those with the
// right key identifier first.
func (p *pool) issuers(n *node) []*node {
	named := p.named[string(n.x.RawIssuer)]
	if len(named) < 2 || len(n.x.AuthorityKeyId) == 0 {
		return named
	}
	sorted := slices.Clone(named)
	slices.SortStableFunc(sorted, func(a, b *node) int { return keyIDRank(n, a) - keyIDRank(n, b) })
	return sorted
}

func keyIDRank(child, parent *node) int {
	switch {
	case bytes.Equal(child.x.AuthorityKeyId, parent.x.SubjectKeyId):
		return 0
	case len(parent.x.SubjectKeyId) == 0:
		return 1
	}
	return 2
}

// path is a chain: the leaf, its issuers, the trust anchor.
type path []*node

func (p path) leaf() *node   { return p[0] }
func (p path) anchor() *node { return p[len(p)-1] }

// search looks for paths from a leaf to an anchor.
type search struct {
	j       *judge
	anchors *pool
	sent    *pool // what may stand between
	good    func(path) bool
	paths   []path // every path whose signatures hold, when none is good
	best    path   // the first good one
	steps   int
	deep    bool // a way was longer than maxDepth
	judged  int  // paths that good was asked about
}

// find looks for a path that good accepts. Every certificate of that name and
// key is tried (cross-signatures, a renewed CA with its old key), so that one
// dead end does not spoil another way.
func (s *search) find(leaf *node) {
	if a := s.anchors.get(leaf); a != nil {
		// A certificate that is itself among the anchors needs no issuer.
		s.offer(path{leaf})
		return
	}
	s.walk(path{leaf})
}

func (s *search) offer(p path) {
	s.judged++
	if s.good(p) {
		s.best = slices.Clone(p)
	} else if len(s.paths) < maxPaths {
		s.paths = append(s.paths, slices.Clone(p))
	}
}

func (s *search) done() bool {
	return s.best != nil || s.steps > maxSteps || s.judged > maxJudged || s.j.sigs.spent()
}

func (s *search) walk(p path) {
	if len(p) >= maxDepth {
		s.deep = true
		return
	}
	last := p[len(p)-1]
	for i, pool := range []*pool{s.anchors, s.sent} {
		for _, issuer := range pool.issuers(last) {
			if s.steps++; s.done() {
				return
			}
			if p.contains(issuer) || s.j.sigs.check(last, issuer) == sigBad {
				continue
			}
			if next := append(p, issuer); i == 0 {
				s.offer(next)
			} else if !s.anchors.has(issuer) {
				s.walk(next)
			}
		}
	}
}

// contains says whether a certificate of this name and key is in the path, so
// that mutual cross-signatures make no circle.
func (p path) contains(n *node) bool {
	return slices.ContainsFunc(p, func(o *node) bool {
		return bytes.Equal(o.x.RawSubject, n.x.RawSubject) &&
			bytes.Equal(o.x.RawSubjectPublicKeyInfo, n.x.RawSubjectPublicKeyInfo) &&
			(o.hash == n.hash || bytes.Equal(o.sanBytes(), n.sanBytes()))
	})
}

func (n *node) sanBytes() []byte {
	for _, ext := range n.x.Extensions {
		if ext.Id.Equal(oidSubjectAltName) {
			return ext.Value
		}
	}
	return nil
}
