package flow

import (
	"bytes"
	"slices"

	"certwright/certs/topology"
	"certwright/flow/plan"
)

// WhereCAKeys is what a blocker about the keys of CAs names.
const WhereCAKeys = "ca-keys"

// MakesCAs says whether the answers have CAs made here, so that there are keys
// to seal or to discard.
//
//go:noinline // many callers, none of them hot
func MakesCAs(t *topology.Topology, p *plan.Plan) bool {
	return slices.ContainsFunc(t.Components, func(c topology.Component) bool {
		mode := p.Mode(c.ID)
		return c.OwnsCA && (mode == topology.Generate || mode == topology.BringCA && p.Components[c.ID].Intermediate)
	})
}

// MakesCAs says whether these answers have CAs made here.
func (s *State) MakesCAs() bool { return MakesCAs(s.topo, s.plan) }

// CAKeys is what becomes of the keys of the CAs that are made here.
func (s *State) CAKeys() plan.CAKeyFate {
	if s.plan.Keys.CAKeys == "" {
		return plan.CAKeysPlain
	}
	return s.plan.Keys.CAKeys
}

// SealDue says that keys of CAs are to be sealed and the passphrase for it was
// not given yet: answers that were saved do not hold it.
func (s *State) SealDue() bool {
	return s.CAKeys() == plan.CAKeysEncrypted && len(s.caPass) == 0 && s.MakesCAs()
}

func (s *State) setCAKeys(e SetCAKeys) []Effect {
	switch e.Fate {
	case plan.CAKeysPlain, plan.CAKeysEncrypted, plan.CAKeysDiscard:
	default:
		return nil
	}
	before, same := s.CAKeys(), len(e.Passphrase) == 0 || bytes.Equal(e.Passphrase, s.caPass)
	switch {
	case e.Fate != plan.CAKeysEncrypted: // a passphrase that nothing is sealed with is kept nowhere
		clear(s.caPass)
		s.caPass = nil
	case len(e.Passphrase) > 0:
		clear(s.caPass)
		s.caPass = e.Passphrase
	}
	if before == e.Fate && same {
		return nil
	}
	s.plan.Keys.CAKeys = e.Fate
	if e.Fate == plan.CAKeysPlain {
		s.plan.Keys.CAKeys = "" // what a plan need not say
	}
	return s.stale(true)
}
