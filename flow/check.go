package flow

import (
	"slices"

	"certwright/certs/topology"
)

// check has a slot judged, and with a CA the slots below it.
func (s *State) check(id topology.SlotID, debounced, rechecked bool) []Effect {
	if _, due := s.isDue(id); !due {
		s.forget(id)
		return nil
	}
	return s.checkEach([]topology.SlotID{id}, debounced, rechecked)
}

// checkEach is check for slots that are due, each judged once. While the path of
// a CA is typed, the slots below wait until it was judged: there may be those of
// ten thousand nodes, for each key.
func (s *State) checkEach(ids []topology.SlotID, debounced, rechecked bool) []Effect {
	ids = slices.Clone(ids)
	listed := map[topology.SlotID]bool{}
	below := map[topology.AuthorityID]bool{}
	for _, id := range ids {
		listed[id] = true
		if slot := s.topo.Slot(id); slot != nil && slot.Kind == topology.CA {
			if s.follow[id] = debounced && s.hasMaterial(id); !s.follow[id] {
				below[slot.Authority] = true
			}
		}
	}
	return s.checkThese(ids, listed, below, debounced, rechecked)
}

// checkBelow judges what hangs on a CA.
func (s *State) checkBelow(ca topology.SlotID) []Effect {
	delete(s.follow, ca)
	slot := s.topo.Slot(ca)
	if slot == nil {
		return nil
	}
	return s.checkThese(nil, nil, map[topology.AuthorityID]bool{slot.Authority: true}, false, false)
}

// checkThese judges slots, and of the leaves below authorities those that are not listed.
func (s *State) checkThese(ids []topology.SlotID, listed map[topology.SlotID]bool, below map[topology.AuthorityID]bool, debounced, rechecked bool) []Effect {
	for i := range s.topo.Slots {
		if o := &s.topo.Slots[i]; len(below) > 0 && o.Kind == topology.Leaf && below[o.Authority] && !listed[o.ID] && s.hasMaterial(o.ID) {
			ids = append(ids, o.ID)
		}
	}
	var effects []Effect
	var answers *Answers
	for _, id := range ids {
		if !s.hasMaterial(id) {
			s.forget(id)
			continue
		}
		s.gen++
		s.slotGen[id] = s.gen
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

// forget drops what is known of a slot, and what is still being found out.
func (s *State) forget(id topology.SlotID) {
	s.gen++
	s.slotGen[id] = s.gen
	delete(s.verdicts, id)
	s.judged(id)
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
