package flow

import (
	"certwright/certs/check"
	"certwright/certs/topology"
)

// Standing is where the material of one slot stands.
type Standing uint8

// The standings.
const (
	Usable  Standing = iota // nothing stands against it
	Absent                  // nothing was handed over, and nothing has to be
	Pending                 // it is being judged
	Missing                 // something of it was not handed over
	Wrong                   // something is wrong with it
	standings
)

// Asked is what a step asks for, slot by slot, and where each stands. It is kept
// from verdict to verdict, because a folder may fill the slots of ten thousand
// nodes: what a screen shows of them must not be counted anew for each key and
// each verdict. It holds until the next event is applied.
type Asked struct {
	slots []*topology.Slot
	index map[topology.SlotID]int
	at    []asked
	tally map[topology.ComponentID]*[standings]int
	total [standings]int
	// first is below or at the first slot of each standing, warned at the first
	// with a warning.
	first  [standings]int
	warned int
}

// asked is what is known of one slot.
type asked struct {
	now Standing
	// last is now without Pending: what the verdict before said of it.
	last Standing
	// blank says that there is no verdict at all yet, and both fields are filled.
	blank  bool
	warned bool // of something
}

// Slots are the slots in the order in which they are asked for; not to be changed.
func (a *Asked) Slots() []*topology.Slot { return a.slots }

// Index is a slot's place in Slots, -1 when it is not asked for.
func (a *Asked) Index(id topology.SlotID) int {
	if i, ok := a.index[id]; ok {
		return i
	}
	return -1
}

// Ready counts the slots of a component that have to be filled and those of
// them that are usable; of all components when it is "".
func (a *Asked) Ready(id topology.ComponentID) (ready, all int) {
	n := &a.total
	if id != "" {
		if n = a.tally[id]; n == nil {
			return 0, 0
		}
	}
	for s, count := range n {
		if Standing(s) != Absent {
			all += count
		}
	}
	return n[Usable], all
}

// Bad says whether something of the slot at i may be missing or wrong by what is
// known of it so far.
func (a *Asked) Bad(i int) bool {
	s := &a.at[i]
	return s.last != Usable && s.last != Absent && !s.blank
}

// Warned says whether there is a warning about the slot at i.
func (a *Asked) Warned(i int) bool { return a.at[i].warned }

// FirstWarned is the first slot with a warning, nil when there is none.
func (a *Asked) FirstWarned() *topology.Slot {
	for ; a.warned < len(a.at); a.warned++ {
		if a.at[a.warned].warned {
			return a.slots[a.warned]
		}
	}
	return nil
}

// firstAt is the first slot of a standing, nil when there is none.
func (a *Asked) firstAt(s Standing) *topology.Slot {
	if a.total[s] == 0 {
		return nil
	}
	for ; a.at[a.first[s]].now != s; a.first[s]++ {
	}
	return a.slots[a.first[s]]
}

// set takes over what is known of the slot at i now.
func (a *Asked) set(i int, is asked) {
	tally := a.tally[a.slots[i].Component]
	was := a.at[i].now
	tally[was]--
	a.total[was]--
	tally[is.now]++
	a.total[is.now]++
	a.at[i] = is
	a.first[is.now] = min(a.first[is.now], i)
	if is.warned {
		a.warned = min(a.warned, i)
	}
}

// Asked is what the step of a mode asks for, bring-ca or bring-certs. It is not
// to be kept over the next event.
func (s *State) Asked(m topology.Mode) *Asked {
	if a := s.asked[m]; a != nil {
		return a
	}
	a := &Asked{slots: s.dueIn(m), tally: map[topology.ComponentID]*[standings]int{}}
	a.index, a.at = make(map[topology.SlotID]int, len(a.slots)), make([]asked, len(a.slots))
	for i, slot := range a.slots {
		a.index[slot.ID], a.at[i] = i, s.stands(slot, m)
		tally := a.tally[slot.Component]
		if tally == nil {
			tally = &[standings]int{}
			a.tally[slot.Component] = tally
		}
		tally[a.at[i].now]++
		a.total[a.at[i].now]++
	}
	if !s.applying {
		if s.asked == nil {
			s.asked = map[topology.Mode]*Asked{}
		}
		s.asked[m] = a
	}
	return a
}

// judged takes a verdict over into what is kept.
func (s *State) judged(id topology.SlotID) {
	for m, a := range s.asked {
		if len(a.index) < len(a.slots) { // two nodes of one name, which the facts are told of
			delete(s.asked, m)
			continue
		}
		if i := a.Index(id); i >= 0 {
			a.set(i, s.stands(a.slots[i], m))
		}
	}
}

// stands is where a slot stands that is asked for in a mode.
func (s *State) stands(slot *topology.Slot, m topology.Mode) asked {
	cert, key := !s.sources[Field{slot.ID, PartCert}].Empty(), !s.sources[Field{slot.ID, PartKey}].Empty()
	v := s.verdicts[slot.ID]
	var is asked
	for _, f := range v.Findings {
		is.warned = is.warned || f.Severity == check.Warning
	}
	switch {
	case !cert && !key && slot.Optional:
		is.last = Absent
	case !cert && !key:
		is.last = Missing
	case v.NeedsPassphrase || !check.OK(v.Findings):
		is.last = Wrong
	case v.Pair == nil || s.keyDue(slot, m) && v.Pair.Key == nil:
		is.last = Missing
	}
	is.now = is.last
	if v.Pending && (cert || key) {
		is.now = Pending
		is.blank = v.Pair == nil && len(v.Findings) == 0 && cert && key
	}
	return is
}

// Revision tells whether what is asked may have changed: it grows with every
// event that may change more than what was handed over for one slot, a verdict,
// or how far something is.
func (s *State) Revision() int { return s.revision }

// Changes tells whether answers, verdicts or the set may have changed: it grows
// with every event but those of how far something is and of going to another step.
func (s *State) Changes() int { return s.changes }

// Worst is the first of Blockers, found without making the others.
func (s *State) Worst(step Step) (Blocker, bool) {
	switch step {
	case StepCA:
		return s.worstSlot(StepCA, topology.BringCA)
	case StepCerts:
		if b, ok := s.worstSlot(StepCerts, topology.BringCerts); ok {
			return b, true
		}
		return first(s.sharedBlockers())
	case StepTopology, StepReview:
		for _, before := range answered {
			if b, ok := s.Worst(before); ok {
				return b, true
			}
		}
		if b, ok := first(s.setBlockers()); ok || step == StepTopology {
			return b, ok
		}
		return first(s.confirmBlockers())
	}
	return first(s.Blockers(step))
}

// answered are the steps whose answers a set is made from.
var answered = []Step{StepFacts, StepModes, StepCA, StepCerts}

// unanswered says whether something stands against the set being made at all.
func (s *State) unanswered() bool {
	for _, step := range answered {
		if _, ok := s.Worst(step); ok {
			return true
		}
	}
	return false
}

func (s *State) worstSlot(step Step, m topology.Mode) (Blocker, bool) {
	a := s.Asked(m)
	for _, at := range []Standing{Wrong, Missing, Pending} {
		if slot := a.firstAt(at); slot != nil {
			b, _ := s.slotBlocker(step, m, slot)
			return b, true
		}
	}
	return Blocker{}, false
}

func first(bs []Blocker) (Blocker, bool) {
	if len(bs) == 0 {
		return Blocker{}, false
	}
	return bs[0], true
}
