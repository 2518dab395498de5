// Package issue makes keys and signs certificates: everything that a topology
// asks for and a person did not bring. Start with All for a whole set; Ready
// says beforehand, without making a key, why All would refuse. NewCA and
// SignLeaf sign one certificate, for whoever has a public key in hand.
//
// It writes nothing, and it never judges what was brought beyond what signing
// with it needs; package check does.
package issue

import (
	"context"
	"crypto"
	"crypto/x509"
	"io"
	"time"

	"certwright/certs"
	"certwright/certs/topology"
)

// KeyMaker makes private keys. Keys may be made ahead of time behind it. It
// may be called from several goroutines at once.
type KeyMaker interface {
	// Key makes one key. It stops early only when ctx ends.
	Key(ctx context.Context, a Algorithm) (crypto.Signer, error)
}

// The lifetimes when a Request names none.
const (
	DefaultCALife   = 10 * 365 * 24 * time.Hour
	DefaultLeafLife = 365 * 24 * time.Hour
)

// Request says what to issue.
type Request struct {
	Topology *topology.Topology
	Modes    map[topology.ComponentID]topology.Mode // a missing component is in mode generate
	// Brought holds what was handed over: for bring-ca the CA's slot, with its
	// key; for bring-certs each slot. All leaves these as they are.
	Brought map[topology.SlotID]*certs.Pair
	// Signed holds pairs whose key was made here and whose certificate was
	// signed elsewhere, by a CA that was brought without its key: leaves, and
	// intermediates of an authority in Subordinate. All leaves these as they are.
	Signed map[topology.SlotID]*certs.Pair
	// Subordinate lists authorities in mode bring-ca that get an intermediate
	// of their own under the CA that was brought.
	Subordinate map[topology.AuthorityID]bool
	// Kept holds pairs that an earlier run made and that stay as they are, byte
	// for byte, where their component is in mode generate or bring-ca: see
	// Differs. A CA among them signs what is made anew; without its key that is
	// refused.
	Kept map[topology.SlotID]*certs.Pair
	// Opened, when set, spares the requests of a large set that are made part by
	// part from judging the CAs in Kept anew each time.
	Opened *Opened
	// KeptRoot is the root of an earlier run, for the hierarchy of intermediates.
	KeptRoot *certs.Pair
	// Sources give the certificates under authorities in mode bring-ca whose CA is
	// not in hand but is asked. Brought holds nothing for these.
	Sources map[topology.AuthorityID]Source
	// Hierarchy is the profile's when empty.
	Hierarchy topology.Hierarchy
	Algorithm Algorithm     // default ECDSAP256
	CALife    time.Duration // default DefaultCALife
	LeafLife  time.Duration // default DefaultLeafLife
	Now       time.Time
	// Verified, when set, is told of each signature that was made here and has
	// been checked with the issuer's public key, so that nobody need do it
	// again. It is called from several goroutines at once.
	Verified func(child, issuer *x509.Certificate)
	Keys     KeyMaker // default: made here, in parallel on Workers
	// Workers is how many keys and certificates are made at a time; default one
	// for each core. With 1 everything is made in order.
	Workers int
	// Rand is where serial numbers come from; default crypto/rand. Keys and
	// signatures take their randomness from crypto/rand whatever it is.
	Rand io.Reader
}

// What an Event reports.
const (
	WhatKey         = "key"
	WhatCertificate = "certificate"
	// WhatNote is something that a person should know of a certificate made as
	// it was not asked for: Event.Note says it. It counts for nothing in Done.
	WhatNote = "note"
)

// Event reports one step of All.
type Event struct {
	Slot  topology.SlotID // "" for the root
	What  string          // "key", "certificate" or "note"
	Done  int             // of Total
	Total int
	Note  string // of a note: lower case, no full stop
}
