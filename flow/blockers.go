package flow

import (
	"errors"
	"fmt"
	"strings"

	"certwright/certs/check"
	"certwright/certs/prove"
	"certwright/certs/topology"
)

// Blockers are what stops a step from being left forwards, the worst first.
// Review is stopped by what stops any step before it.
func (s *State) Blockers(step Step) []Blocker {
	switch step {
	case StepFacts:
		return s.factBlockers()
	case StepModes:
		return s.modeBlockers()
	case StepCA:
		return s.slotBlockers(StepCA, topology.BringCA)
	case StepCerts:
		return append(s.slotBlockers(StepCerts, topology.BringCerts), s.sharedBlockers()...)
	case StepTopology:
		return append(s.answersBlock(), s.setBlockers()...)
	case StepReview:
		return append(append(s.answersBlock(), s.setBlockers()...), s.confirmBlockers()...)
	}
	return nil
}

// answersBlock is what stops the set from being made at all.
func (s *State) answersBlock() []Blocker {
	var out []Blocker
	for _, step := range answered {
		out = append(out, s.Blockers(step)...)
	}
	return out
}

func (s *State) factBlockers() []Blocker {
	out := s.nodeBlockers()
	told := len(out) > 0
	for _, p := range s.facts {
		if told && p.Fact == "nodes" {
			continue
		}
		b := Blocker{Step: StepFacts, Where: p.Fact, Message: p.Message}
		if p.Example != "" {
			b.Fix = "write one like " + p.Example
		}
		out = append(out, b)
	}
	return out
}

// modeBlockers are the modes that cannot be had. A CA key that is handed over
// only at a later step is taken for granted here, and asked for there.
func (s *State) modeBlockers() []Blocker {
	choices := s.Choices()
	for id, c := range choices {
		c.CAKey = c.CAKey || c.Mode == topology.BringCerts
		choices[id] = c
	}
	return s.unavailable(StepModes, choices)
}

// sharedBlockers are components that need another's CA key which was not given.
func (s *State) sharedBlockers() []Blocker {
	if len(s.modeBlockers()) > 0 {
		return nil
	}
	return s.unavailable(StepCerts, s.Choices())
}

func (s *State) unavailable(step Step, choices map[topology.ComponentID]topology.Choice) []Blocker {
	var out []Blocker
	for _, c := range s.topo.Components {
		err := s.topo.Available(c.ID, s.plan.Mode(c.ID), choices)
		var u *topology.Unavailable
		if errors.As(err, &u) {
			out = append(out, Blocker{
				Step: step, Where: string(c.ID),
				Message: fmt.Sprintf("%s cannot be set to %s: %s", u.Component, u.Mode.Words(), u.Reason), Fix: u.Fix,
			})
		}
	}
	return out
}

// Unavailable says why a component cannot be in a mode as things stand, nil when it can.
func (s *State) Unavailable(id topology.ComponentID, m topology.Mode) error {
	return s.topo.Available(id, m, s.Choices())
}

func (s *State) slotBlockers(step Step, m topology.Mode) []Blocker {
	var by [standings][]Blocker
	for _, slot := range s.dueIn(m) {
		if b, at := s.slotBlocker(step, m, slot); at != Usable && at != Absent {
			by[at] = append(by[at], b)
		}
	}
	return append(append(by[Wrong], by[Missing]...), by[Pending]...)
}

// slotBlocker is what stands against a slot that is asked for, and where it stands.
func (s *State) slotBlocker(step Step, m topology.Mode, slot *topology.Slot) (Blocker, Standing) {
	at := Blocker{Step: step, Where: string(slot.ID), Slot: slot.ID, Part: PartCert}
	v, stands := s.verdicts[slot.ID], s.stands(slot, m).now
	switch {
	case stands == Pending:
		at.Message, at.Fix = slot.Title+" is being checked", "wait a moment"
	case stands == Wrong && v.NeedsPassphrase:
		at.Part, at.Message, at.Fix = PartKey, "the key of "+slot.Title+" is encrypted", "type its passphrase"
	case stands == Wrong:
		f := worst(v.Findings)
		at.Message, at.Fix = f.Message, f.Fix
	case stands == Missing && !s.hasMaterial(slot.ID):
		at.Message, at.Fix = slot.Title+" was not given", "choose a file, or paste it"
		if slot.Kind == topology.KeyPair {
			at.Part = PartKey
		}
	case stands == Missing:
		at.Part, at.Message, at.Fix = PartKey, "the key of "+slot.Title+" was not given", "choose a file, or paste it"
		if s.sources[Field{slot.ID, PartCert}].Empty() && slot.Kind != topology.KeyPair {
			at.Part, at.Message = PartCert, "the certificate of "+slot.Title+" was not given"
		}
		if s.CanBeElsewhere(slot.Component) {
			at.Fix = "choose a file, or paste it; press s if it is elsewhere"
		}
	}
	return at, stands
}

// keyDue says whether a slot needs its key in a mode: the key of a CA whose
// certificates are all brought is not needed.
func (s *State) keyDue(slot *topology.Slot, m topology.Mode) bool {
	return slot.Kind != topology.CA || m == topology.BringCA && !s.plan.Offline(slot.Component)
}

// KeyElsewhere says whether the key of a component's CA is elsewhere.
func (s *State) KeyElsewhere(id topology.ComponentID) bool { return s.plan.Offline(id) }

// CanBeElsewhere says that it could be: the certificate of the CA is here as a
// file, and its key is not.
func (s *State) CanBeElsewhere(id topology.ComponentID) bool {
	ca, c := s.plan.Components[id].CA, s.topo.Component(id)
	if c == nil || !c.OwnsCA || s.plan.Mode(id) != topology.BringCA || ca == nil || ca.Cert == "" || ca.Key != "" {
		return false
	}
	slot := s.topo.CASlot(c.Authority)
	return slot != nil && s.sources[Field{slot.ID, PartKey}].Empty() && !hasKey(s.verdicts[slot.ID])
}

// Elsewhere are the components whose CA has its key elsewhere: what it signs must
// be asked for before there can be a set.
func (s *State) Elsewhere() []topology.ComponentID {
	var out []topology.ComponentID
	for _, c := range s.topo.Components {
		if s.plan.Offline(c.ID) {
			out = append(out, c.ID)
		}
	}
	return out
}

// setBlockers are what is wrong with the set, or that it cannot be made yet.
func (s *State) setBlockers() []Blocker {
	away := s.Elsewhere()
	if len(away) == 0 {
		return s.preparedBlockers()
	}
	names := make([]string, len(away))
	for i, id := range away {
		names[i] = string(id)
	}
	return []Blocker{{
		Step: StepTopology, Where: names[0], Message: "the set waits for certificates: the key of the CA of " + strings.Join(names, " and ") + " is elsewhere",
		Fix: "press w to write signing requests",
	}}
}

func worst(fs []check.Finding) check.Finding {
	for _, sev := range []check.Severity{check.Error, check.Warning, check.Info} {
		for _, f := range fs {
			if f.Severity == sev {
				return f
			}
		}
	}
	return check.Finding{}
}

// preparedBlockers are what is wrong with the set that was made: each finding
// and each failed handshake by itself, or else the error that ended it.
func (s *State) preparedBlockers() []Blocker {
	var out []Blocker
	if s.prepared != nil {
		for _, f := range s.prepared.Findings {
			if f.Severity == check.Error {
				out = append(out, Blocker{Step: StepTopology, Where: string(f.Slot), Slot: f.Slot, Message: f.Message, Fix: f.Fix})
			}
		}
		for _, h := range prove.Failed(s.prepared.Handshakes) {
			out = append(out, Blocker{Step: StepTopology, Where: h.Edge, Slot: h.Blame, Message: strings.TrimSuffix(h.Problem, "; "+h.Fix), Fix: h.Fix})
		}
	}
	if s.prepErr != nil && len(out) == 0 {
		out = append(out, Blocker{Step: StepTopology, Where: "set", Message: s.prepErr.Error()})
	}
	return out
}

func (s *State) confirmBlockers() []Blocker {
	if s.prepared == nil {
		return nil
	}
	if r := s.prepared.Survey.Refused; r != nil {
		return []Blocker{{Step: StepReview, Where: s.prepared.Survey.Dir, Message: r.Error(), Fix: "choose another directory: press o"}}
	}
	if s.SealDue() {
		return []Blocker{{
			Step: StepReview, Where: WhereCAKeys, Message: "the keys of CAs are to be encrypted, and there is no passphrase for them yet",
			Fix: "press k to see one and type it back",
		}}
	}
	want, typed, asked := s.Confirmation()
	if !asked || typed == want {
		return nil
	}
	return []Blocker{{Step: StepReview, Where: s.prepared.Survey.Dir, Message: s.prepared.Survey.Confirm(), Fix: "type " + want + " to replace them, or press o for another directory"}}
}
