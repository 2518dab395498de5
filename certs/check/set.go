package check

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"certwright/certs"
	"certwright/certs/topology"
)

// Set judges a whole set: every slot as Slot does, and what only shows between
// slots (one CA for roles that must be apart, a key or a serial number used
// twice, a leaf under another component's CA). It finds nothing in a set that
// package issue made.
func Set(in SetInput) []Finding {
	if in.Set == nil || in.Set.Topology == nil {
		return nil
	}
	c := &setCheck{set: in.Set, now: in.Now, j: newJudge("", in.Now), sigs: newSignatures(in.Memory), nodes: map[[32]byte]*node{}, said: map[ruleAt]bool{}}
	c.j.sigs = c.sigs
	for i := range c.set.Topology.Slots {
		// What is the cluster's is judged with the outline.
		if s := &c.set.Topology.Slots[i]; s.Node != "" || !c.set.Topology.Partial {
			c.slot(s, i)
		}
	}
	c.sharedCAs()
	c.sharedKeys()
	c.serials()
	if in.Seen != nil {
		c.parts(in.Seen)
	}
	return c.j.findings()
}

// setCheck is the judgement of one set. Nodes are shared between slots, so that
// no signature is checked twice.
type setCheck struct {
	set   *certs.Set
	now   time.Time
	j     *judge
	sigs  *signatures
	nodes map[[32]byte]*node
	owned []owned
	said  map[ruleAt]bool // of what was found so far
}

// owned is a slot's own certificate, for what is compared between slots.
type owned struct {
	slot *topology.Slot
	n    *node
	made bool
}

// source makes the nodes of a pair. The file's name is the slot's file in the
// layout, so that findings name what will be written.
func (c *setCheck) source(slot *topology.Slot, certificates []*x509.Certificate, order int) *source {
	name := slot.Files.Cert
	if name == "" {
		name = string(slot.ID)
	}
	s := &source{name: name, order: order}
	for i, x := range certificates {
		s.nodes = append(s.nodes, newNode(x, s, i+1, len(certificates)))
	}
	return s
}

func (c *setCheck) slot(slot *topology.Slot, order int) {
	pair := c.set.Pairs[slot.ID]
	if pair == nil {
		return
	}
	j := newJudge(slot.ID, c.now)
	j.sigs, j.quiet, j.takes = c.sigs, pair.Made, slot.Algorithms
	src := c.source(slot, pair.Certificates, order)
	s := &slotCheck{j: j, in: SlotInput{Slot: slot, Topology: c.set.Topology, Now: c.now, Rewritten: true}, cert: src, key: &source{name: keyName(slot), order: order}}
	c.sigs.checks = 0
	switch slot.Kind {
	case topology.KeyPair:
		if pair.Key != nil {
			s.tokenKey(pair.Key.Public(), s.key)
		}
	case topology.CA:
		c.ca(s, pair)
	default:
		c.leaf(s, pair)
	}
	c.take(j)
}

func keyName(slot *topology.Slot) string {
	if slot.Files.Key != "" {
		return slot.Files.Key
	}
	return string(slot.ID) + " key"
}

// ca judges an authority. What stands above it is written to a file of its own.
func (c *setCheck) ca(s *slotCheck, pair *certs.Pair) {
	n := s.cert.first()
	if n == nil {
		return
	}
	if pair.Key != nil && !sameKey(pair.Key.Public(), n.x.PublicKey) {
		s.mismatch(n, pair.Key, s.key)
	}
	s.j.authority(n, s.in.Slot, s.in.Topology)
	s.above(n)
	c.owned = append(c.owned, owned{s.in.Slot, n, pair.Made})
}

func (c *setCheck) leaf(s *slotCheck, pair *certs.Pair) {
	n := s.cert.first()
	if n == nil {
		return
	}
	c.owned = append(c.owned, owned{s.in.Slot, n, pair.Made})
	if pair.Key != nil && !sameKey(pair.Key.Public(), n.x.PublicKey) {
		s.mismatch(n, pair.Key, s.key)
	}
	chain := &chainCheck{
		j: s.j, leaf: n, sent: s.cert.nodes[1:], usages: s.in.Slot.Requires.Usages, advised: s.in.Slot.Requires.Advised,
		authName: s.in.Slot.Authority, across: true, others: map[topology.AuthorityID]*x509.Certificate{},
	}
	for _, a := range c.set.Topology.Authorities {
		ca := c.set.Anchor(a.ID)
		switch {
		case ca == nil:
		case a.ID == s.in.Slot.Authority:
			chain.anchors = []*node{c.anchor(a.ID, ca)}
		default:
			chain.others[a.ID] = ca
		}
	}
	chain.inRoots = slices.ContainsFunc(chain.anchors, func(a *node) bool { return a.hash == n.hash })
	s.ca = &source{nodes: chain.anchors}
	if s.isTheCA(n) {
		return
	}
	s.j.leaf(n, s.in.Slot, s.in.Topology, chain.inRoots)
	s.chain(chain)
}

// anchor is the node of an authority's certificate, one for all its leaves.
func (c *setCheck) anchor(id topology.AuthorityID, ca *x509.Certificate) *node {
	n := newNode(ca, nil, 1, 1)
	if known, ok := c.nodes[n.hash]; ok {
		return known
	}
	slot := c.set.Topology.CASlot(id)
	n.src = &source{name: slot.Files.Cert, order: len(c.set.Topology.Slots)}
	if n.src.name == "" {
		n.src.name = string(slot.ID)
	}
	c.nodes[n.hash] = n
	return n
}

// sharedCAs reports authorities that are not apart: one certificate or key for
// two of them, or one of them issued by the other.
func (c *setCheck) sharedCAs() {
	var cas []owned
	for _, o := range c.owned {
		if o.slot.Kind == topology.CA {
			cas = append(cas, o)
		}
	}
	for i, a := range cas {
		for _, b := range cas[i+1:] {
			j := newJudge(b.slot.ID, c.now)
			switch {
			case a.n.hash == b.n.hash:
				j.at("ca-shared-between-roles", b.n, detail{message: fmt.Sprintf("%s and %s are one CA", a.slot.ID, b.slot.ID), has: subjectText(b.n.x), needs: "a CA for each"})
			case sameKey(a.n.x.PublicKey, b.n.x.PublicKey):
				j.at("ca-shared-between-roles", b.n, detail{message: fmt.Sprintf("%s and %s are two certificates of one key", a.slot.ID, b.slot.ID), has: subjectText(b.n.x), needs: "a key for each"})
			case c.issued(a.n, b.n):
				j.at("ca-shared-between-roles", b.n, detail{message: fmt.Sprintf("%s is issued by %s, so whatever it signs is believed there too", b.slot.ID, a.slot.ID), has: "issuer " + issuerText(b.n.x), needs: "a CA for each, beside one another"})
			case c.issued(b.n, a.n):
				j.at("ca-shared-between-roles", a.n, detail{message: fmt.Sprintf("%s is issued by %s, so whatever it signs is believed there too", a.slot.ID, b.slot.ID), has: "issuer " + issuerText(a.n.x), needs: "a CA for each, beside one another"})
			}
			c.take(j)
		}
	}
}

func (c *setCheck) issued(ca, below *node) bool {
	c.sigs.checks = 0
	return string(ca.x.RawSubject) == string(below.x.RawIssuer) && c.sigs.signed(below, ca)
}

// sharedKeys reports a key that several slots use. One CA in two roles and a
// certificate that is its own CA are other matters.
func (c *setCheck) sharedKeys() {
	first := map[string]owned{}
	for _, o := range c.owned {
		key := string(o.n.x.RawSubjectPublicKeyInfo)
		p, ok := first[key]
		if !ok {
			first[key] = o
			continue
		}
		ca, leaf := p, o
		if o.slot.Kind == topology.CA {
			ca, leaf = o, p
		}
		if c.says("key-reused", leaf.slot.ID) {
			continue // its own chain says so
		}
		if ca.slot.Kind == topology.CA && (leaf.slot.Kind == topology.CA || ca.n.hash == leaf.n.hash) {
			continue
		}
		j := newJudge(o.slot.ID, c.now)
		d := detail{message: fmt.Sprintf("%s and %s use one key", p.slot.ID, o.slot.ID), has: keyText(o.n.x.PublicKey) + " " + pubFingerprint(o.n.x.PublicKey), needs: "a key for each"}
		if ca.slot.Kind == topology.CA {
			d.severity = Error
			d.message = fmt.Sprintf("%s uses the key of %s, the CA: whoever runs it signs certificates as the CA", leaf.slot.ID, ca.slot.ID)
		}
		j.at("key-reused", o.n, d)
		c.take(j)
	}
}

// take adds what was found in a part of the set.
//
//go:noinline // many callers, none of them hot
func (c *setCheck) take(j *judge) {
	for _, f := range j.found {
		c.said[ruleAt{f.Rule, f.Slot}] = true
	}
	c.j.found = append(c.j.found, j.found...)
}

// ruleAt is a rule that spoke of a slot.
type ruleAt struct {
	rule string
	slot topology.SlotID
}

// says whether a rule has spoken of a slot already.
func (c *setCheck) says(rule string, slot topology.SlotID) bool {
	return c.said[ruleAt{rule, slot}]
}

// serials reports two certificates of one issuer with one serial number.
func (c *setCheck) serials() {
	first := map[string]owned{}
	for _, o := range c.owned {
		if o.n.x.SerialNumber == nil {
			continue
		}
		key := string(o.n.x.RawIssuer) + "\x00" + o.n.x.SerialNumber.String()
		p, ok := first[key]
		if !ok {
			first[key] = o
			continue
		}
		if p.n.hash == o.n.hash {
			continue
		}
		j := newJudge(o.slot.ID, c.now)
		j.at("duplicate-serial", o.n, detail{message: fmt.Sprintf("%s and %s have the same issuer and the same serial number", p.slot.ID, o.slot.ID), has: fmt.Sprintf("%x", o.n.x.SerialNumber), needs: "a serial number of its own for each"})
		c.take(j)
	}
}
