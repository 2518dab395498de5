package flow

import (
	"certwright/certs/topology"
)

// maxAhead bounds the keys made ahead, in number: some hundred kilobytes of
// memory, and a person who waits for more has thousands of nodes.
const maxAhead = 256

// keysAhead has keys made while the person still answers, from the Components
// step on: before that the algorithm is being chosen. They are for the next set
// alone; one that was made needs none.
func (s *State) keysAhead() []Effect {
	if !s.reached[StepModes] || s.preparing || s.prepared != nil || s.writing || s.written != nil {
		return nil
	}
	want := MakeKeys{Algorithm: s.plan.Algorithm(s.profile), N: min(s.newKeysOnce(), maxAhead)}
	if want == s.ahead {
		return nil
	}
	s.ahead = want
	return []Effect{want}
}

// newKeysOnce is newKeys, counted when modes or facts have changed.
func (s *State) newKeysOnce() int {
	if at := s.revision + 1; s.applying || s.newKeyed.revision != at {
		s.newKeyed.n = s.newKeys()
		s.newKeyed.revision = at
		if s.applying { // the answers of the next revision are in place already
			s.newKeyed.revision++
		}
	}
	return s.newKeyed.n
}

// newKeys counts the keys of the plan's algorithm that these modes ask for.
func (s *State) newKeys() int {
	n, algorithm := 0, string(s.plan.Algorithm(s.profile))
	if s.plan.Hierarchy != topology.Roots {
		n++
	}
	for i := range s.topo.Slots {
		slot := &s.topo.Slots[i]
		mode := s.plan.Mode(slot.Component)
		if mode == topology.BringCerts || mode == topology.BringCA && slot.Kind == topology.CA && !s.plan.Components[slot.Component].Intermediate {
			continue
		}
		if slot.Takes(algorithm) {
			n++
		}
	}
	if s.topo.Here != nil { // of an outline, each node that is left out has one at least
		n += len(s.topo.Nodes) - len(s.topo.Here)
	}
	return n
}

// firstStage is what a set begins with: one that is brought as it is has no keys
// to be made, and of ten thousand nodes it is checked for seconds.
func (s *State) firstStage() string {
	for _, c := range s.topo.Components {
		if s.plan.Mode(c.ID) != topology.BringCerts {
			return "keys"
		}
	}
	return "check"
}
