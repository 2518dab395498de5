// Package diagram draws a topology: who signs whom, who calls whom, what was
// proved and what a stolen key would open. New builds one Model; the tree of
// the terminal, the panes of the wizard, Mermaid, DOT, SVG and JSON are all
// drawn from it, so they cannot disagree. Start with New, or with FromState and
// FromPrepared for what package flow holds.
//
// It judges nothing and proves nothing: it shows what it is given. Text out of
// certificates is escaped when the Model is built, and once more for the format
// that is written.
package diagram

import (
	"time"

	"certwright/assets/layout"
	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/issue"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/flow/plan"
)

// Input is what is known so far. Only Topology and Now are needed: what was not
// issued yet is drawn as planned.
type Input struct {
	Topology  *topology.Topology
	Modes     map[topology.ComponentID]topology.Mode // a missing component is in mode generate
	Hierarchy topology.Hierarchy                     // the profile's when empty
	// Subordinate lists authorities in mode bring-ca that get an intermediate of
	// their own under the CA that was brought.
	Subordinate map[topology.AuthorityID]bool
	// Algorithm and the lives are those of what will be made; zero: the defaults.
	Algorithm issue.Algorithm
	CALife    time.Duration
	CAKeys    plan.CAKeyFate // what becomes of the keys in ca/; Files, when they are there, know better
	LeafLife  time.Duration

	Set     *certs.Set                      // nil before anything is issued
	Brought map[topology.SlotID]*certs.Pair // what was handed over, while Set is nil
	From    map[topology.SlotID]string      // where brought material came from, as typed
	Files   []layout.File                   // what will be written; nil: the profile's file names
	Pending map[topology.SlotID]bool        // material that is being checked

	Findings   []check.Finding
	Handshakes []prove.Handshake
	Openings   []prove.Opening
	Proving    bool // the proof is still being made
	Now        time.Time
}

func (in *Input) mode(id topology.ComponentID) topology.Mode {
	if m := in.Modes[id]; m != "" {
		return m
	}
	return topology.Generate
}

func (in *Input) hierarchy() topology.Hierarchy {
	if in.Hierarchy != "" {
		return in.Hierarchy
	}
	return in.Topology.Profile.Hierarchy
}

func (in *Input) life(ca bool) time.Duration {
	switch {
	case ca && in.CALife > 0:
		return in.CALife
	case ca:
		return issue.DefaultCALife
	case in.LeafLife > 0:
		return in.LeafLife
	}
	return issue.DefaultLeafLife
}

func (in *Input) algorithm() issue.Algorithm {
	if in.Algorithm != "" {
		return in.Algorithm
	}
	return issue.ECDSAP256
}

// pair is what a slot holds so far, nil when nothing.
func (in *Input) pair(id topology.SlotID) *certs.Pair {
	if in.Set != nil {
		return in.Set.Pairs[id]
	}
	return in.Brought[id]
}
