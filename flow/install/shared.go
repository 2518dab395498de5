package install

import (
	"sync"
	"weak"

	"certwright/certs/check"
	"certwright/flow"
)

// shared is what is read once for all slots that are judged with the same
// answers: the files of CAs, which every certificate of theirs is held against.
// A folder may fill the slots of ten thousand nodes, and reading their CA anew
// for each was half of judging them. The answers are told by a weak pointer,
// because they hold passphrases.
type shared struct {
	of     weak.Pointer[flow.Answers]
	memory *check.Memory // of all answers so far
	mu     sync.Mutex
	reads  map[string]*read
	sorted *sorted // what a folder was sorted from
}

// shares are those of the answers; older answers' are let go.
func (r *Runner) shares(a *flow.Answers) *shared {
	r.mu.Lock()
	defer r.mu.Unlock()
	memory := check.NewMemory()
	if r.shared != nil {
		memory = r.shared.memory
	}
	if of := weak.Make(a); r.shared == nil || r.shared.of != of {
		r.shared = &shared{of: of, memory: memory, reads: map[string]*read{}, sorted: r.sorted}
	}
	return r.shared
}

// get reads a source once.
func (s *shared) get(key string, from func() *read) *read {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads[key] == nil {
		s.reads[key] = from()
	}
	return s.reads[key]
}
