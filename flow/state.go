package flow

import (
	"bytes"
	"maps"
	"strconv"

	"certwright/certs/topology"
	"certwright/flow/plan"
)

// Catalogue is the profiles that can be chosen.
type Catalogue interface {
	// Names lists the profiles in the order in which they are offered.
	Names() []string
	// Load is a profile by its name, or by the path that a plan gives.
	Load(name string) (*topology.Profile, error)
}

// State is the flow of one installation: where it is, every answer, and what is
// known about them. Make one with New.
type State struct {
	catalogue Catalogue
	at        Step
	reached   map[Step]bool

	plan        *plan.Plan
	profile     *topology.Profile
	topo        *topology.Topology
	facts       []*topology.FactProblem
	nodes       nodeTable
	sources     map[Field]Source
	passphrases map[topology.SlotID][]byte
	caPass      []byte // seals the keys of CAs

	gen      int // counts every question asked, so that a late answer is known
	slotGen  map[topology.SlotID]int
	follow   map[topology.SlotID]bool // CAs whose verdict has those below judged
	verdicts map[topology.SlotID]Verdict
	// asked and due are what the steps ask for, as long as no answer changes.
	asked    map[topology.Mode]*Asked
	due      map[topology.Mode][]*topology.Slot
	applying bool
	revision int
	changes  int
	newKeyed struct{ revision, n int } // newKeys, and one more than the revision that it is of
	lookFrom [2]int                    // where the next look begins: among all slots, and among those with something against them
	fillGen  int
	filling  bool
	filled   *Filled

	ahead     MakeKeys
	prepGen   int
	preparing bool
	prepared  *Prepared
	prepErr   error
	progress  Progress
	confirmed string

	writing bool
	written *Written
	saved   Saved
}

// New starts a flow with a plan: plan.Default of the first profile for a new
// one, or one that was read from a file. The error is that of the profile.
func New(c Catalogue, p *plan.Plan) (*State, []Effect, error) {
	s := &State{
		catalogue: c, at: StepProfile, reached: map[Step]bool{StepProfile: true}, plan: p.Clone(),
		sources: map[Field]Source{}, passphrases: map[topology.SlotID][]byte{},
		slotGen: map[topology.SlotID]int{}, follow: map[topology.SlotID]bool{}, verdicts: map[topology.SlotID]Verdict{},
	}
	profile, err := c.Load(p.Profile)
	if err != nil {
		return nil, nil, err
	}
	s.profile = profile
	s.resolve()
	s.takeSources()
	var effects []Effect
	if len(s.plan.Nodes) == 0 && profile.HasNodes() {
		effects = s.readNodes()
	}
	return s, append(effects, s.checkAll()...), nil
}

// takeSources makes the paths of the plan the sources of their fields.
func (s *State) takeSources() { maps.Copy(s.sources, PlanSources(s.topo, s.plan)) }

// PlanSources are the paths of a plan as the sources of their fields.
func PlanSources(t *topology.Topology, p *plan.Plan) map[Field]Source {
	out := map[Field]Source{}
	put := func(slot topology.SlotID, f plan.Files) {
		if f.Cert != "" {
			out[Field{slot, PartCert}] = Source{Path: f.Cert}
		}
		if f.Key != "" {
			out[Field{slot, PartKey}] = Source{Path: f.Key}
		}
	}
	for id, c := range p.Components {
		comp := t.Component(id)
		if comp == nil {
			continue
		}
		switch p.Mode(id) {
		case topology.BringCA:
			if c.CA != nil && comp.OwnsCA {
				put(t.CASlot(comp.Authority).ID, *c.CA)
			}
		case topology.BringCerts:
			for name, f := range c.Certs {
				put(topology.SlotID(string(id)+"/"+name), f)
			}
		}
	}
	return out
}

// At is the step that is asked now.
func (s *State) At() Step { return s.at }

// Visible lists the steps that these answers lead through, Done excepted.
func (s *State) Visible() []Step {
	var out []Step
	for _, step := range Steps() {
		switch step {
		case StepCA:
			if len(s.dueIn(topology.BringCA)) == 0 {
				continue
			}
		case StepCerts:
			if len(s.dueIn(topology.BringCerts)) == 0 {
				continue
			}
		case StepDone:
			continue
		}
		out = append(out, step)
	}
	return out
}

// Reached says whether a step was on screen before, so that it can be jumped to.
func (s *State) Reached(step Step) bool { return s.reached[step] }

// Plan is a copy of the answers; its table of nodes is not to be changed.
func (s *State) Plan() *plan.Plan { return s.plan.Answers() }

// ReadPlan is the answers themselves, for whoever reads some of them at once:
// with the paths of ten thousand nodes a copy takes milliseconds. They are
// neither to be changed nor to be kept.
//
//go:noinline // many callers, none of them hot
func (s *State) ReadPlan() *plan.Plan { return s.plan }

// Profile is the chosen profile; it is not to be changed.
func (s *State) Profile() *topology.Profile { return s.profile }

// Topology is the profile filled in with the facts so far, of many nodes an
// outline (plan.Plan.Outline); it is not to be changed.
func (s *State) Topology() *topology.Topology { return s.topo }

// Catalogue is the profiles that can be chosen.
func (s *State) Catalogue() Catalogue { return s.catalogue }

// FactProblems are what is wrong with the facts, in order.
func (s *State) FactProblems() []*topology.FactProblem { return s.facts }

// Source is what was handed over for a field.
//
//go:noinline // many callers, none of them hot
func (s *State) Source(f Field) Source { return s.sources[f] }

// Verdict is what is known about a slot's material.
func (s *State) Verdict(id topology.SlotID) Verdict { return s.verdicts[id] }

// Prepared is the whole set once it was made; with an error, as far as it came.
// Both are nil while it is being made.
func (s *State) Prepared() (*Prepared, error) { return s.prepared, s.prepErr }

// Preparing says how far the set is while it is being made or written.
func (s *State) Preparing() (Progress, bool) { return s.progress, s.preparing || s.writing }

// Filled is what the last folder was sorted into, nil when none was.
func (s *State) Filled() (result *Filled, pending bool) { return s.filled, s.filling }

// Written is the outcome of the write, nil before it.
func (s *State) Written() *Written { return s.written }

// Writing says that files are being written: only the end of that changes the step.
func (s *State) Writing() bool { return s.writing }

// LastSave is the outcome of the last Save.
func (s *State) LastSave() Saved { return s.saved }

// Confirmation is what has to be typed in Review before existing files are
// replaced, what was typed so far, and whether it is asked for at all.
func (s *State) Confirmation() (want, typed string, asked bool) {
	want = s.topo.Facts.Get("cluster.name")
	if want == "" {
		want = s.profile.Name
	}
	return want, s.confirmed, s.prepared != nil && s.prepared.Survey.Confirm() != ""
}

// Mode is the mode of a component.
func (s *State) Mode(id topology.ComponentID) topology.Mode { return s.plan.Mode(id) }

// Choices are the choices as topology.Available asks for them.
func (s *State) Choices() map[topology.ComponentID]topology.Choice {
	out := map[topology.ComponentID]topology.Choice{}
	for _, c := range s.topo.Components {
		choice := topology.Choice{Mode: s.plan.Mode(c.ID), Intermediate: s.plan.Components[c.ID].Intermediate}
		if ca := s.topo.CASlot(c.Authority); c.OwnsCA && ca != nil {
			choice.CAKey = !s.sources[Field{ca.ID, PartKey}].Empty() || hasKey(s.verdicts[ca.ID])
		}
		out[c.ID] = choice
	}
	return out
}

func hasKey(v Verdict) bool { return v.Pair != nil && v.Pair.Key != nil }

// Due lists the slots that a person hands over in a mode, over all components;
// the list is not to be changed.
func (s *State) Due(m topology.Mode) []*topology.Slot { return s.dueIn(m) }

func (s *State) dueIn(m topology.Mode) []*topology.Slot {
	if m == topology.Generate {
		return nil
	}
	if due, known := s.due[m]; known {
		return due
	}
	var out []*topology.Slot
	for _, c := range s.topo.Components {
		if s.plan.Mode(c.ID) == m && s.plan.StepCA(c.ID) == nil { // a CA that is asked is not handed over
			out = append(out, s.topo.Due(c.ID, m)...)
		}
	}
	if !s.applying {
		if s.due == nil {
			s.due = map[topology.Mode][]*topology.Slot{}
		}
		s.due[m] = out
	}
	return out
}

// StepCA is the CA over the network that the plan asks for a component's
// certificates; false when there is none.
func (s *State) StepCA(id topology.ComponentID) (plan.StepCA, bool) {
	if ask := s.plan.StepCA(id); ask != nil {
		return *ask, true
	}
	return plan.StepCA{}, false
}

// isDue says whether a slot is asked for in these modes, and in which.
func (s *State) isDue(id topology.SlotID) (topology.Mode, bool) {
	m := s.plan.Mode(id.Component())
	return m, m != topology.Generate && s.plan.StepCA(id.Component()) == nil && s.topo.IsDue(id, m)
}

// fewSlots is how many slots are judged by what was handed over for them alone:
// all of what there is may be the files of ten thousand nodes.
const fewSlots = 64

// AnswersFor are the Answers by which some slots are judged. Of sources they have
// those of these slots and of all CAs at least.
func (s *State) AnswersFor(ids ...topology.SlotID) *Answers {
	if len(ids) > fewSlots {
		return s.Answers()
	}
	a := s.answers()
	for _, authority := range s.topo.Authorities {
		ids = append(ids, authority.Slot)
	}
	for _, id := range ids {
		for _, part := range []Part{PartCert, PartKey} {
			if f := (Field{id, part}); !s.sources[f].Empty() {
				a.take(f, s.sources[f])
			}
		}
	}
	return a
}

// Answers are a copy of what was collected, for an effect.
func (s *State) Answers() *Answers {
	a := s.answers()
	for f, src := range s.sources {
		a.take(f, src)
	}
	return a
}

// take copies a source: the State's own may be cleared while an effect still reads.
func (a *Answers) take(f Field, src Source) {
	src.Pasted = bytes.Clone(src.Pasted)
	a.Sources[f] = src
}

// answers are the Answers without a source.
func (s *State) answers() *Answers {
	a := &Answers{
		Plan: s.Plan(), Profile: s.profile, Topology: s.topo,
		Sources: map[Field]Source{}, Passphrases: map[topology.SlotID][]byte{},
	}
	for id, p := range s.passphrases {
		a.Passphrases[id] = bytes.Clone(p)
	}
	a.CAPassphrase, a.SealLater = bytes.Clone(s.caPass), s.SealDue()
	return a
}

// WholeAnswers are the Answers with the slots of every node, for what asks for
// each of them.
func (s *State) WholeAnswers() *Answers {
	a := s.Answers()
	a.Topology, _ = s.plan.Topology(s.profile)
	return a
}

// Forget clears every passphrase and pasted byte. Call it when the flow ends.
func (s *State) Forget() {
	clear(s.caPass)
	for _, p := range s.passphrases {
		clear(p)
	}
	for _, src := range s.sources {
		clear(src.Pasted)
	}
}

// resolve fills the profile in. Nothing is kept for each of many nodes but the
// table, unless something is handed over for them.
func (s *State) resolve() { s.topo, s.facts = s.plan.Outline(s.profile) }

func plural(n int) string { return strconv.Itoa(n) }
