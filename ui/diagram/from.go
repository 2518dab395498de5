package diagram

import (
	"time"

	"certwright/certs"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
)

// FromState is what a flow knows now: the set once it was prepared, and before
// that the answers with the material that was handed over.
func FromState(s *flow.State, now time.Time) Input {
	t := s.Topology()
	in := fromPlan(t, s.Plan(), now)
	in.Brought, in.Pending = map[topology.SlotID]*certs.Pair{}, map[topology.SlotID]bool{}
	for _, m := range []topology.Mode{topology.BringCA, topology.BringCerts} {
		for _, slot := range s.Due(m) {
			v := s.Verdict(slot.ID)
			if v.Pending {
				in.Pending[slot.ID] = true
			}
			if v.Pair != nil {
				in.Brought[slot.ID] = v.Pair
			}
			for _, f := range v.Findings {
				f.Slot = slot.ID
				in.Findings = append(in.Findings, f)
			}
			in.From[slot.ID] = origin(s.Source(flow.Field{Slot: slot.ID, Part: flow.PartCert}), s.Source(flow.Field{Slot: slot.ID, Part: flow.PartKey}))
		}
	}
	p, _ := s.Prepared()
	if p != nil {
		prepared(&in, p)
	}
	if _, busy := s.Preparing(); busy && p == nil {
		in.Proving = true
	}
	return in
}

// FromPrepared is a set that was made without a wizard.
func FromPrepared(p *flow.Prepared, answers *plan.Plan, now time.Time) Input {
	in := fromPlan(p.Topology, answers, now)
	prepared(&in, p)
	return in
}

// FromPlan is the answers alone, before anything is read or made.
func FromPlan(t *topology.Topology, answers *plan.Plan, now time.Time) Input {
	return fromPlan(t, answers, now)
}

func fromPlan(t *topology.Topology, p *plan.Plan, now time.Time) Input {
	in := Input{
		Topology: t, Now: now, Modes: map[topology.ComponentID]topology.Mode{}, Subordinate: map[topology.AuthorityID]bool{}, From: map[topology.SlotID]string{},
		Hierarchy: p.Hierarchy, Algorithm: p.Keys.Algorithm, CALife: time.Duration(p.Validity.CA), LeafLife: time.Duration(p.Validity.Leaf), CAKeys: p.Keys.CAKeys,
	}
	sources := flow.PlanSources(t, p)
	for f := range sources {
		in.From[f.Slot] = origin(sources[flow.Field{Slot: f.Slot, Part: flow.PartCert}], sources[flow.Field{Slot: f.Slot, Part: flow.PartKey}])
	}
	for _, c := range t.Components {
		in.Modes[c.ID] = p.Mode(c.ID)
		if c.OwnsCA && in.Modes[c.ID] == topology.BringCA && p.Components[c.ID].Intermediate {
			in.Subordinate[c.Authority] = true
		}
	}
	return in
}

func prepared(in *Input, p *flow.Prepared) {
	if p.Set != nil {
		in.Set = p.Set
	}
	if len(p.Files) > 0 {
		in.Files = p.Files
	}
	in.Findings, in.Handshakes, in.Openings = p.Findings, p.Handshakes, p.Openings
}

// origin is where a slot's material came from, in one line.
func origin(cert, key flow.Source) string {
	out := ""
	for _, s := range []flow.Source{cert, key} {
		name := s.Path
		if name == "" && !s.Empty() {
			name = "pasted text"
		}
		if name == "" || name == out {
			continue
		}
		if out != "" {
			out += ", "
		}
		out += name
	}
	return out
}
