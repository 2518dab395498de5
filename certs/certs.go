// Package certs is the PKI itself: certificates, keys and who trusts whom. Its
// Set is what passes from room to room: issue makes one (or completes one with
// what a person brought), check judges it, prove connects with it, and the
// layouts of assets write it out.
//
// Nothing below certs opens a file, a connection or a terminal, or asks the
// time: callers pass bytes and a clock's reading.
package certs

import (
	"crypto"
	"crypto/x509"

	"certwright/certs/topology"
)

// Pair is what a slot holds. The zero value is an empty slot.
type Pair struct {
	// Certificates start with the slot's own. Of a leaf the intermediates
	// follow, issuer by issuer and without the root: what a server sends. Of a
	// CA all that stands above it follows, the root included when known.
	// A key pair has none.
	Certificates []*x509.Certificate
	// Key is the private key; nil when only the certificate was handed over.
	Key crypto.Signer
	// Made says that the pair was made here and not handed over.
	Made bool
}

// Leaf is the slot's own certificate, nil when there is none.
func (p *Pair) Leaf() *x509.Certificate {
	if p == nil || len(p.Certificates) == 0 {
		return nil
	}
	return p.Certificates[0]
}

// HasKey says whether the private key is there.
func (p *Pair) HasKey() bool { return p != nil && p.Key != nil }

// Set is a certificate (and key) for each slot of a topology.
type Set struct {
	Topology *topology.Topology
	Modes    map[topology.ComponentID]topology.Mode
	// Root is the root made here, above the authorities that were generated as
	// intermediates. Nil when there is none: every authority is brought or a
	// root itself.
	Root *Pair
	// Pairs holds one pair for each slot.
	Pairs map[topology.SlotID]*Pair
	// Above holds, for an authority that certwright made as an intermediate
	// under a CA that was brought, that CA's certificate and key.
	Above map[topology.AuthorityID]*Pair
	// Also holds, while an authority is exchanged, the CAs that its verifiers
	// trust beside its own: the new one at first, the old one then.
	Also map[topology.AuthorityID][]*x509.Certificate
	// AlsoPublic holds, while a key pair is exchanged, the public keys that count
	// beside its own.
	AlsoPublic map[topology.SlotID][]crypto.PublicKey
}

// Anchors are all certificates that ca.crt of the authority holds, its own
// first: one, except while the authority is exchanged. Programs that read a
// single certificate take the first.
func (s *Set) Anchors(a topology.AuthorityID) []*x509.Certificate {
	own := s.Anchor(a)
	if own == nil {
		return s.Also[a]
	}
	return append([]*x509.Certificate{own}, s.Also[a]...)
}

// Anchor is the authority's own certificate: the one that verifiers of the
// component trust, and that its certificates are signed by. Nil when the set has none yet.
func (s *Set) Anchor(a topology.AuthorityID) *x509.Certificate {
	slot := s.Topology.CASlot(a)
	if slot == nil {
		return nil
	}
	return s.Pairs[slot.ID].Leaf()
}
