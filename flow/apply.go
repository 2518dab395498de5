package flow

import (
	"slices"

	"certwright/certs/topology"
	"certwright/flow/plan"
)

// Apply takes one event and returns what is to be done for it. It never
// refuses an event: one that makes no sense now changes nothing.
func (s *State) Apply(e Event) []Effect {
	switch e.(type) {
	case Look, Progressed, Saved, Next, Back, Goto:
	default:
		s.changes++
	}
	switch e := e.(type) {
	case Checked, Look, Progressed: // no answer changes, and they come by the thousand
		return s.apply(e)
	case SetSource, SetPassphrase, // of one slot, key by key as a path is typed
		Next, Back, Goto: // no answer changes
		return append(s.apply(e), s.keysAhead()...)
	case Looked: // comes each second, mostly with nothing
		if len(e.Changed) == 0 && !e.Nodes {
			s.changes--
			return nil
		}
	}
	// What is kept of the slots is of the answers before, and they change now.
	s.asked, s.due, s.applying = nil, nil, true
	effects := append(s.apply(e), s.keysAhead()...)
	s.applying = false
	s.revision++
	return effects
}

func (s *State) apply(e Event) []Effect {
	switch e := e.(type) {
	case Next:
		return s.next()
	case Back:
		return s.back()
	case Goto:
		return s.jump(e.Step)
	case Checked, Looked, Filled, NodesRead, PreparedSet, Progressed, Wrote, Saved:
		return s.outcome(e)
	case Look:
		return s.look(e.Seen)
	case FillFrom:
		return s.fill(e.Dir)
	case Confirm:
		s.confirmed = e.Typed
		return nil
	case Stop:
		return s.stop()
	}
	if s.writing || s.at == StepDone {
		return nil // the answers of a set that is being written are closed
	}
	return s.answer(e)
}

// answer changes one answer, and everything that hangs on it.
func (s *State) answer(e Event) []Effect {
	switch e := e.(type) {
	case ChooseProfile:
		return s.chooseProfile(e.Name)
	case SetFact:
		if !slices.Contains(s.profile.FactNames(), e.Name) {
			return nil
		}
		if s.plan.Facts == nil {
			s.plan.Facts = map[string]string{}
		}
		if e.Value == "" {
			delete(s.plan.Facts, e.Name)
		} else {
			s.plan.Facts[e.Name] = e.Value
		}
		s.keepNodeFacts()
		s.resolve()
		return append(s.checkAll(), s.stale(false)...)
	case SetNodes:
		return s.setNodes(e.Nodes)
	case LoadNodes:
		return s.loadNodes(e.Path)
	case SetAlgorithm:
		s.plan.Keys.Algorithm = e.Algorithm
	case SetValidity:
		if e.CA != 0 {
			s.plan.Validity.CA = e.CA
		}
		if e.Leaf != 0 {
			s.plan.Validity.Leaf = e.Leaf
		}
	case SetHierarchy:
		s.plan.Hierarchy = e.Hierarchy
	case SetMode:
		s.setMode(e)
		return append(s.checkAll(), s.stale(false)...)
	case SetIntermediate:
		c := s.plan.Components[e.Component]
		c.Intermediate = e.On
		s.setComponent(e.Component, c)
	case SetElsewhere:
		if !s.setElsewhere(e) {
			return nil
		}
	case SetSource:
		effects := s.setSource(e.Field, e.Source, true)
		return append(effects, s.stale(false)...)
	case SetPassphrase:
		clear(s.passphrases[e.Slot])
		s.passphrases[e.Slot] = e.Passphrase
		return append(s.check(e.Slot, false, false), s.stale(false)...)
	case SetCAKeys:
		return s.setCAKeys(e)
	case SetOutput:
		s.plan.Output.Dir, s.confirmed = e.Dir, ""
		return s.stale(true)
	case SetLayouts:
		s.plan.Output.Layouts = slices.Clone(e.Layouts)
		return s.stale(true)
	default:
		return nil
	}
	return s.stale(false)
}

func (s *State) chooseProfile(name string) []Effect {
	if name == s.plan.Profile {
		return nil
	}
	profile, err := s.catalogue.Load(name)
	if err != nil {
		return nil // the catalogue lists only profiles that load
	}
	old := s.plan
	s.plan, s.profile = plan.Default(profile), profile
	s.plan.Profile = name
	s.plan.Output, s.plan.Keys.CAKeys = old.Output, old.Keys.CAKeys
	for _, f := range profile.FactNames() { // what both profiles ask is not asked twice
		if v, ok := old.Facts[f]; ok {
			if s.plan.Facts == nil {
				s.plan.Facts = map[string]string{}
			}
			s.plan.Facts[f] = v
		}
	}
	s.sources, s.verdicts = map[Field]Source{}, map[topology.SlotID]Verdict{}
	s.reached = map[Step]bool{StepProfile: true}
	effects := s.takeNodes(old)
	s.resolve()
	return append(effects, s.stale(false)...)
}

func (s *State) setElsewhere(e SetElsewhere) bool {
	c := s.plan.Components[e.Component]
	if !s.CanBeElsewhere(e.Component) || c.CA.Offline == e.On {
		return false
	}
	ca := *c.CA
	ca.Offline = e.On
	c.CA = &ca
	s.setComponent(e.Component, c)
	return true
}

func (s *State) setComponent(id topology.ComponentID, c plan.Component) {
	if s.plan.Components == nil {
		s.plan.Components = map[topology.ComponentID]plan.Component{}
	}
	s.plan.Components[id] = c
}

func (s *State) setMode(e SetMode) {
	for _, c := range s.topo.Components {
		if (e.All || c.ID == e.Component) && slices.Contains(c.Modes(), e.Mode) {
			p := s.plan.Components[c.ID]
			p.Mode = e.Mode
			if p.Mode != topology.BringCerts {
				p.Certs = nil // the sources keep what was handed over
			}
			s.setComponent(c.ID, p)
		}
	}
	if len(s.plan.Nodes) > plan.Many {
		s.resolve() // each node has its slots while something is handed over for them
	}
	s.plansPaths()
}

// setSource keeps a field's material and has its slot judged again, and every
// slot that is judged against it.
func (s *State) setSource(f Field, src Source, debounced bool) []Effect {
	if slot := s.topo.Slot(f.Slot); slot == nil {
		return nil
	}
	s.keepSource(f, src)
	s.planPath(f.Slot)
	return s.check(f.Slot, debounced && len(src.Pasted) == 0, false)
}

func (s *State) keepSource(f Field, src Source) {
	if old := s.sources[f]; len(old.Pasted) > 0 {
		clear(old.Pasted)
	}
	if src.Empty() {
		delete(s.sources, f)
	} else {
		s.sources[f] = src
	}
}

// plansPaths writes the paths of the sources that these modes ask for into the plan.
func (s *State) plansPaths() {
	for _, c := range s.topo.Components {
		p, ok := s.plan.Components[c.ID]
		if !ok {
			continue
		}
		var oldCA plan.Files
		if p.CA != nil {
			oldCA = *p.CA
		}
		oldCerts := p.Certs
		p.CA, p.Certs = nil, nil
		for _, slot := range s.topo.Due(c.ID, p.Mode) {
			s.writePath(&p, slot.ID, oldCA, oldCerts[slot.ID.Name()])
		}
		s.plan.Components[c.ID] = p
	}
}

// planPath is plansPaths for one slot.
func (s *State) planPath(id topology.SlotID) {
	p, ok := s.plan.Components[id.Component()]
	if !ok || !s.topo.IsDue(id, p.Mode) {
		return
	}
	var oldCA plan.Files
	if p.CA != nil {
		oldCA = *p.CA
	}
	old := p.Certs[id.Name()]
	delete(p.Certs, id.Name())
	s.writePath(&p, id, oldCA, old)
	s.plan.Components[id.Component()] = p
}

// writePath writes the paths of a slot's sources into its component's answers.
func (s *State) writePath(p *plan.Component, id topology.SlotID, oldCA, old plan.Files) {
	f := plan.Files{Cert: s.sources[Field{id, PartCert}].Path, Key: s.sources[Field{id, PartKey}].Path}
	switch {
	case p.Mode == topology.BringCA:
		p.CA = new(sameSet(f, oldCA))
		p.CA.Offline = p.CA.Offline && s.sources[Field{id, PartKey}].Empty()
	case f != plan.Files{}:
		if p.Certs == nil {
			p.Certs = map[string]plan.Files{}
		}
		p.Certs[id.Name()] = sameSet(f, old)
	}
}

// sameSet keeps that a CA comes out of another set, as long as its files do.
func sameSet(f, old plan.Files) plan.Files {
	if old.From != "" && f.Cert == old.Cert && f.Key == old.Key {
		return old
	}
	f.Offline = old.Offline && f.Cert != "" && f.Key == ""
	return f
}

// stale throws the prepared set away because an answer changed. When only the
// rendering is concerned, the keys and certificates are kept.
func (s *State) stale(renderOnly bool) []Effect {
	var keep *Prepared
	if renderOnly && s.prepared != nil && s.prepared.Set != nil && len(s.prepared.Files) > 0 {
		keep = s.prepared
	}
	wasPreparing := s.preparing
	s.gen++
	s.prepGen, s.prepared, s.prepErr, s.preparing = s.gen, nil, nil, false
	if s.at == StepTopology || s.at == StepReview {
		return s.prepare(keep)
	}
	if wasPreparing {
		return []Effect{CancelPrepare{}}
	}
	return nil
}

// prepare asks for the whole set, unless it is there or something before it
// stands in the way.
func (s *State) prepare(keep *Prepared) []Effect {
	if s.preparing || s.prepared != nil && s.prepErr == nil || s.unanswered() {
		return nil
	}
	s.gen++
	s.prepGen, s.preparing, s.prepErr, s.progress = s.gen, true, nil, Progress{Stage: s.firstStage()}
	s.ahead = MakeKeys{} // this set takes them
	return []Effect{Prepare{Gen: s.gen, Answers: s.Answers(), Keep: keep}}
}

func (s *State) next() []Effect {
	if s.writing || s.at == StepDone || s.at == StepWrite {
		return nil
	}
	if _, blocked := s.Worst(s.at); blocked {
		return nil
	}
	s.enter(s.after(s.at))
	effects := []Effect{Save{Plan: s.Plan()}}
	switch s.at {
	case StepTopology, StepReview:
		effects = append(effects, s.prepare(nil)...)
	case StepWrite:
		effects = append(effects, s.write()...)
	}
	return effects
}

// after is the step that follows one, which itself may no longer be asked.
func (s *State) after(step Step) Step {
	order := Steps()
	visible := s.Visible()
	for _, next := range order[slices.Index(order, step)+1:] {
		if slices.Contains(visible, next) {
			return next
		}
	}
	return step
}

func (s *State) enter(step Step) {
	s.at = step
	s.reached[step] = true
}

// write starts the write, or waits for the set that is still being made.
func (s *State) write() []Effect {
	if s.prepared == nil || s.prepErr != nil {
		return s.prepare(nil)
	}
	s.writing, s.written = true, nil
	s.progress = Progress{Stage: "stage", Total: len(s.prepared.Files)}
	return []Effect{Write{Prepared: s.prepared, Answers: s.Answers(), Force: s.prepared.Survey.Confirm() != ""}}
}

func (s *State) back() []Effect {
	if s.writing || s.at == StepDone {
		return nil
	}
	visible := s.Visible()
	i := slices.Index(visible, s.at)
	if i < 0 { // the step is no longer asked: the nearest before it that is
		for _, step := range Steps() {
			if step == s.at {
				break
			}
			if j := slices.Index(visible, step); j >= 0 {
				i = j + 1
			}
		}
	}
	if i > 0 {
		s.enter(visible[i-1])
	}
	return nil
}

func (s *State) jump(step Step) []Effect {
	if s.writing || s.at == StepDone || step == StepWrite || !s.reached[step] || !slices.Contains(s.Visible(), step) {
		return nil
	}
	s.enter(step)
	if step == StepTopology || step == StepReview {
		return s.prepare(nil)
	}
	return nil
}

func (s *State) stop() []Effect {
	if !s.preparing {
		return nil
	}
	s.gen++
	s.prepGen, s.preparing = s.gen, false
	if s.at == StepWrite {
		s.enter(StepReview)
	}
	return []Effect{CancelPrepare{}}
}
