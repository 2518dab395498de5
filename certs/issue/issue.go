// Package issue makes keys and signs certificates: everything that a topology
// asks for and a person did not bring. Start with All.
//
// It writes nothing, and it never judges what was brought beyond what signing
// with it needs; package check does.
package issue

import (
	"context"
	"crypto"
	"time"

	"certwright/certs"
	"certwright/certs/topology"
)

// Algorithm names a key algorithm and its size.
type Algorithm string

// The algorithms.
const (
	ECDSAP256 Algorithm = "ecdsa-p256" // the default
	ECDSAP384 Algorithm = "ecdsa-p384"
	RSA2048   Algorithm = "rsa-2048"
	RSA3072   Algorithm = "rsa-3072"
	RSA4096   Algorithm = "rsa-4096"
	Ed25519   Algorithm = "ed25519"
)

// KeyMaker makes private keys. Keys may be made ahead of time behind it.
type KeyMaker interface {
	// Key makes one key. It stops early only when ctx ends.
	Key(ctx context.Context, a Algorithm) (crypto.Signer, error)
}

// Request says what to issue.
type Request struct {
	Topology *topology.Topology
	Modes    map[topology.ComponentID]topology.Mode // a missing component is in mode generate
	// Brought holds what was handed over: for bring-ca the CA's slot, with its
	// key; for bring-certs each slot. All leaves these as they are.
	Brought map[topology.SlotID]*certs.Pair
	// Subordinate lists authorities in mode bring-ca that get an intermediate
	// of their own under the CA that was brought.
	Subordinate map[topology.AuthorityID]bool
	// Hierarchy is the profile's when empty.
	Hierarchy topology.Hierarchy
	Algorithm Algorithm     // default ECDSAP256
	CALife    time.Duration // default 10 years
	LeafLife  time.Duration // default 1 year
	Now       time.Time
	Keys      KeyMaker // default: made here, in parallel on Workers
	Workers   int      // default GOMAXPROCS; 1 makes everything in order
}

// Event reports one step of All.
type Event struct {
	Slot  topology.SlotID // "" for the root
	What  string          // "key" or "certificate"
	Done  int             // of Total
	Total int
}
