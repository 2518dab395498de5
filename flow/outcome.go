package flow

import (
	"certwright/certs/topology"
)

func (s *State) fill(dir string) []Effect {
	var fields []Field
	for _, m := range []topology.Mode{topology.BringCA, topology.BringCerts} {
		for _, slot := range s.dueIn(m) {
			fields = append(fields, Field{slot.ID, PartCert}, Field{slot.ID, PartKey})
		}
	}
	if len(fields) == 0 || s.writing || s.at == StepDone {
		return nil
	}
	s.gen++
	s.fillGen, s.filling, s.filled = s.gen, true, nil
	return []Effect{SortFolder{Gen: s.gen, Dir: dir, Answers: s.Answers(), Fields: fields}}
}

// lookAtOnce is how many slots a look takes. Of more than that it takes those
// that a person repairs, which are the ones with something against them, and of
// the others the next ones in turn: to look at the 40,000 files of 10,000 nodes
// each second costs a fifth of a core.
const lookAtOnce = 512

func (s *State) look(seen []topology.SlotID) []Effect {
	if s.writing {
		return nil
	}
	slots := map[topology.SlotID]map[string]Stamp{}
	take := func(id topology.SlotID) {
		if v := s.verdicts[id]; !v.Pending && len(v.Stamps) > 0 {
			slots[id] = v.Stamps
		}
	}
	for _, id := range seen {
		if _, due := s.isDue(id); due {
			take(id)
		}
	}
	for _, m := range []topology.Mode{topology.BringCA, topology.BringCerts} {
		a := s.Asked(m)
		n := len(a.slots)
		from := &s.lookFrom
		for _, i := range a.turn(from[0], func(int) bool { return true }) {
			take(a.slots[i].ID)
			from[0] = (i + 1) % n
		}
		if n > lookAtOnce {
			for _, i := range a.turn(from[1], func(i int) bool { return a.Bad(i) || a.Warned(i) }) {
				take(a.slots[i].ID)
				from[1] = (i + 1) % n
			}
		}
	}
	look := LookAtFiles{Slots: slots}
	if s.plan.NodesFrom != "" && !s.nodes.reading {
		look.Nodes, look.NodesStamp = s.plan.NodesFrom, s.nodes.stamp
	}
	if len(slots) == 0 && look.Nodes == "" {
		return nil
	}
	return []Effect{look}
}

// turn is where the slots are whose turn it is, at most lookAtOnce of those that
// are meant, from one on and round.
func (a *Asked) turn(from int, meant func(i int) bool) []int {
	var out []int
	n := len(a.slots)
	for k := 0; k < n && len(out) < lookAtOnce; k++ {
		if i := (from + k) % n; meant(i) {
			out = append(out, i)
		}
	}
	return out
}

// outcome takes what an effect yielded. What belongs to an older question is dropped.
func (s *State) outcome(e Event) []Effect {
	switch e := e.(type) {
	case Checked:
		if s.slotGen[e.Slot] != e.Gen {
			return nil
		}
		e.Verdict.Pending = false
		s.verdicts[e.Slot] = e.Verdict
		s.judged(e.Slot)
		if s.follow[e.Slot] {
			if below := s.checkBelow(e.Slot); len(below) > 0 {
				return below
			}
		}
		if s.at == StepTopology || s.at == StepReview {
			return s.prepare(nil) // it waited for this verdict
		}
	case Looked:
		var due []topology.SlotID
		for _, id := range e.Changed {
			if _, ok := s.isDue(id); ok {
				due = append(due, id)
			}
		}
		effects := s.checkEach(due, false, true)
		if len(effects) > 0 {
			effects = append(effects, s.stale(false)...)
		}
		if e.Nodes && !s.writing && s.at != StepDone && !s.nodes.reading {
			effects = append(effects, s.readNodes()...) // nothing is written until it is known whether they are others
		}
		return effects
	case Filled:
		return s.take(e)
	case NodesRead:
		return s.nodesRead(e)
	case Progressed:
		if e.Gen == s.prepGen && s.preparing || s.writing && e.Gen == 0 {
			s.progress = e.Progress
		}
	case PreparedSet:
		if e.Gen != s.prepGen || !s.preparing {
			return nil
		}
		s.preparing, s.prepared, s.prepErr = false, e.Prepared, e.Err
		if s.at == StepWrite { // the person was faster than the keys
			if _, blocked := s.Worst(StepReview); blocked {
				s.enter(StepReview)
				return nil
			}
			return s.write()
		}
	case Wrote:
		if !s.writing {
			return nil
		}
		s.writing, s.written = false, &e.Written
		if e.Written.Err == nil {
			s.enter(StepDone)
		}
	case Saved:
		s.saved = e
	}
	return nil
}

func (s *State) take(e Filled) []Effect {
	if e.Gen != s.fillGen || !s.filling {
		return nil
	}
	s.filling, s.filled = false, &e
	if e.Err != nil || s.writing {
		return nil
	}
	// All of them first, and then each slot is judged once: a folder may fill
	// those of ten thousand nodes.
	var filled []topology.SlotID
	for _, m := range []topology.Mode{topology.BringCA, topology.BringCerts} {
		for _, slot := range s.dueIn(m) {
			n := len(filled)
			for _, part := range []Part{PartCert, PartKey} {
				f := Field{slot.ID, part}
				if src, ok := e.Sources[f]; ok {
					s.keepSource(f, src)
					filled = append(filled[:n], slot.ID)
				}
			}
		}
	}
	s.plansPaths()
	return append(s.checkEach(filled, false, false), s.stale(false)...)
}
