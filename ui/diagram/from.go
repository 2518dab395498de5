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
	in := fromAnswers(t, s.ReadPlan(), now)
	due := [][]*topology.Slot{s.Due(topology.BringCA), s.Due(topology.BringCerts)}
	n := len(due[0]) + len(due[1])
	in.Brought, in.Pending, in.From = make(map[topology.SlotID]*certs.Pair, n), map[topology.SlotID]bool{}, make(map[topology.SlotID]string, n)
	for _, slots := range due {
		for _, slot := range slots {
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
	in := fromAnswers(t, p, now)
	sources := flow.PlanSources(t, p)
	in.From = make(map[topology.SlotID]string, len(sources))
	for f := range sources {
		in.From[f.Slot] = origin(sources[flow.Field{Slot: f.Slot, Part: flow.PartCert}], sources[flow.Field{Slot: f.Slot, Part: flow.PartKey}])
	}
	return in
}

// fromAnswers is what the answers say but where the material comes from.
func fromAnswers(t *topology.Topology, p *plan.Plan, now time.Time) Input {
	in := Input{
		Topology: t, Now: now, Modes: map[topology.ComponentID]topology.Mode{}, Subordinate: map[topology.AuthorityID]bool{},
		Hierarchy: p.Hierarchy, Algorithm: p.Algorithm(t.Profile), CALife: time.Duration(p.Validity.CA), LeafLife: time.Duration(p.Validity.Leaf), CAKeys: p.Keys.CAKeys,
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
