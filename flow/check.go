package flow

import (
	"slices"

	"certwright/certs/topology"
)

// check has a slot judged, and with a CA the slots below it.
func (s *State) check(id topology.SlotID, debounced, rechecked bool) []Effect {
	if _, due := s.isDue(id); !due {
		return nil
	}
	return s.checkEach([]topology.SlotID{id}, debounced, rechecked)
}

// checkEach is check for slots that are due, each judged once.
func (s *State) checkEach(ids []topology.SlotID, debounced, rechecked bool) []Effect {
	ids = slices.Clone(ids)
	listed := map[topology.SlotID]bool{}
	below := map[topology.AuthorityID]bool{}
	for _, id := range ids {
		listed[id] = true
		if slot := s.topo.Slot(id); slot != nil && slot.Kind == topology.CA {
			below[slot.Authority] = true
		}
	}
	for i := range s.topo.Slots {
		if o := &s.topo.Slots[i]; len(below) > 0 && o.Kind == topology.Leaf && below[o.Authority] && !listed[o.ID] && s.hasMaterial(o.ID) {
			ids = append(ids, o.ID)
		}
	}
	var effects []Effect
	var answers *Answers
	for _, id := range ids {
		s.gen++
		s.slotGen[id] = s.gen
		if !s.hasMaterial(id) {
			delete(s.verdicts, id)
			s.judged(id)
			continue
		}
		v := s.verdicts[id]
		v.Pending = true
		s.verdicts[id] = v
		s.judged(id)
		if answers == nil {
			answers = s.AnswersFor(ids...)
		}
		effects = append(effects, CheckSlot{Slot: id, Gen: s.gen, Answers: answers, Debounced: debounced, Rechecked: rechecked})
	}
	return effects
}

func (s *State) hasMaterial(id topology.SlotID) bool {
	return !s.sources[Field{id, PartCert}].Empty() || !s.sources[Field{id, PartKey}].Empty()
}

// checkAll has every slot judged again whose material these modes ask for.
func (s *State) checkAll() []Effect {
	var ids []topology.SlotID
	for _, m := range []topology.Mode{topology.BringCA, topology.BringCerts} {
		for _, slot := range s.dueIn(m) {
			if slot.Kind == topology.CA || slot.Kind == topology.KeyPair || s.hasMaterial(slot.ID) {
				ids = append(ids, slot.ID)
			}
		}
	}
	return s.checkEach(ids, false, false)
}
