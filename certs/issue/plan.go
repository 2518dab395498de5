package issue

import (
	"errors"
	"fmt"
	"math/big"

	"certwright/certs"
	"certwright/certs/topology"
)

// item is one pair to be made.
type item struct {
	slot   *topology.Slot // nil for the root
	id     topology.SlotID
	name   topology.Subject // of a CA
	serial *big.Int         // nil for a key pair
	by     *item            // the CA made here that signs it; nil when brought, or when it signs itself
	under  *CA              // the CA brought that signs it
	from   Source           // the CA elsewhere that is asked for it
	pair   *certs.Pair
	ca     *CA // of a CA, once it is signed
}

func (it *item) isCA() bool { return it.slot == nil || it.slot.Kind == topology.CA }

func (it *item) keyOnly() bool { return it.slot != nil && it.slot.Kind == topology.KeyPair }

// plan is a Request understood: who signs what.
type plan struct {
	Request
	modes map[topology.ComponentID]topology.Mode
	root  *item
	items []*item // the root first, then CAs, then leaves and key pairs, each in the profile's order
	set   *certs.Set
	errs  []error

	made    map[topology.AuthorityID]*item
	brought map[topology.AuthorityID]*CA
}

func newPlan(r Request) (*plan, error) {
	if r.Topology == nil {
		return nil, errors.New("nothing to issue: the request has no topology")
	}
	p := &plan{
		Request: r,
		modes:   map[topology.ComponentID]topology.Mode{},
		made:    map[topology.AuthorityID]*item{},
		brought: map[topology.AuthorityID]*CA{},
	}
	p.defaults()
	p.chooseModes()
	if len(p.errs) == 0 {
		p.set = &certs.Set{
			Topology: r.Topology, Modes: p.modes,
			Pairs: map[topology.SlotID]*certs.Pair{}, Above: map[topology.AuthorityID]*certs.Pair{},
		}
		if p.Hierarchy == topology.Intermediates && p.KeptRoot != nil {
			p.set.Root = made(p.KeptRoot)
		}
		p.authorities()
		p.leaves()
	}
	if err := errors.Join(p.errs...); err != nil {
		return nil, err
	}
	return p, p.serials()
}

//go:noinline // many callers, none of them hot
func (p *plan) bad(err error) {
	if err != nil {
		p.errs = append(p.errs, err)
	}
}

func (p *plan) defaults() {
	if p.Hierarchy == "" {
		p.Hierarchy = p.Topology.Profile.Hierarchy
	}
	if p.Algorithm == "" {
		p.Algorithm = ECDSAP256
	}
	if p.CALife == 0 {
		p.CALife = DefaultCALife
	}
	if p.LeafLife == 0 {
		p.LeafLife = DefaultLeafLife
	}
	if p.Workers < 1 {
		p.Workers = Cores()
	}
	if p.Keys == nil {
		p.Keys = NewKeys(p.Workers)
	}
	if p.Hierarchy != topology.Intermediates && p.Hierarchy != topology.Roots {
		p.bad(fmt.Errorf("unknown hierarchy %q: use intermediates or roots", p.Hierarchy))
	}
	if _, err := ParseAlgorithm(string(p.Algorithm)); err != nil {
		p.bad(err)
	}
	p.bad(p.Algorithm.CanMake())
	if p.CALife < 0 || p.LeafLife < 0 {
		p.bad(errors.New("a lifetime below zero: give certificates a validity such as 8760h"))
	}
	if p.Now.IsZero() {
		p.bad(errors.New("nothing to issue: the request has no time"))
	}
}

// chooseModes gives every component its mode and refuses the combinations
// that cannot be, in the words of topology.
func (p *plan) chooseModes() {
	t := p.Topology
	choices := map[topology.ComponentID]topology.Choice{}
	for _, c := range t.Components {
		m := p.Modes[c.ID]
		if m == "" {
			m = topology.Generate
		}
		if _, err := topology.ParseMode(string(m)); err != nil {
			p.bad(fmt.Errorf("component %s: %w", c.ID, err))
		}
		p.modes[c.ID] = m
		choices[c.ID] = topology.Choice{Mode: m}
	}
	for _, a := range t.Authorities {
		ca := p.Brought[a.Slot]
		choice := choices[a.Owner]
		choice.CAKey = ca != nil && ca.Key != nil
		choice.Intermediate = p.Subordinate[a.ID]
		choices[a.Owner] = choice
	}
	for id := range p.Modes {
		if t.Component(id) == nil {
			p.bad(t.Available(id, p.Modes[id], choices))
		}
	}
	for _, c := range t.Components {
		p.bad(t.Available(c.ID, p.modes[c.ID], choices))
	}
	for id, wanted := range p.Subordinate {
		switch a := t.Authority(id); {
		case !wanted:
		case a == nil:
			p.bad(fmt.Errorf("profile %s has no authority %q to put an intermediate under", t.Profile.Name, id))
		case p.modes[a.Owner] != topology.BringCA:
			p.bad(&Refusal{
				a.Slot,
				fmt.Sprintf("an intermediate of our own stands under a CA that was brought, and %s is set to %s", a.Owner, p.modes[a.Owner].Words()),
				fmt.Sprintf("set %s to bring CA, or leave the intermediate out", a.Owner),
			})
		}
	}
}

// authorities decides what each CA is: made here, brought, or ours under one
// that was brought.
func (p *plan) authorities() {
	t := p.Topology
	for i := range t.Authorities {
		a := &t.Authorities[i]
		slot, pair := t.Slot(a.Slot), p.Brought[a.Slot]
		if slot == nil {
			p.bad(fmt.Errorf("authority %s: profile %s has no slot %s", a.ID, t.Profile.Name, a.Slot))
			continue
		}
		switch mode := p.modes[a.Owner]; {
		case p.online(a):
		case mode == topology.Generate:
			p.makeCA(a, slot)
		case pair.Leaf() == nil:
			p.bad(p.missing(slot))
		case mode == topology.BringCA:
			p.bringCA(a, slot, pair)
		default: // bring certs: it signs only what others need of it
			p.set.Pairs[a.Slot] = pair
			if pair.Key != nil && p.signs(a) {
				p.bringCA(a, slot, pair)
			}
		}
	}
}

// signs says whether anything is to be issued here under an authority whose CA
// was brought.
func (p *plan) signs(a *topology.Authority) bool {
	for i := range p.Topology.Slots {
		s := &p.Topology.Slots[i]
		if s.Kind == topology.Leaf && s.Authority == a.ID && p.makes(s) && empty(p.Signed[s.ID]) && empty(p.Kept[s.ID]) {
			return true
		}
	}
	return false
}

// makes says whether a leaf or a key pair is made here.
func (p *plan) makes(s *topology.Slot) bool {
	return p.modes[s.Component] != topology.BringCerts || s.Optional && empty(p.Brought[s.ID])
}

func empty(pair *certs.Pair) bool {
	return pair == nil || len(pair.Certificates) == 0 && pair.Key == nil
}

func (p *plan) makeCA(a *topology.Authority, slot *topology.Slot) {
	if p.keepCA(a, slot) {
		return
	}
	p.bad(AllowedFor(slot, p.Algorithm))
	it := &item{slot: slot, id: slot.ID, name: slot.Subject}
	switch {
	case p.Hierarchy != topology.Intermediates:
	case p.KeptRoot != nil:
		it.under = p.keptRoot()
	default:
		if p.root == nil {
			p.root = &item{name: p.Topology.Root}
			p.items = append([]*item{p.root}, p.items...)
		}
		it.by = p.root
	}
	p.made[a.ID] = it
	p.items = append(p.items, it)
}

func (p *plan) bringCA(a *topology.Authority, slot *topology.Slot, pair *certs.Pair) {
	if signed := p.Signed[slot.ID]; p.Subordinate[a.ID] && !empty(signed) {
		ca, err := NewCA(slot.ID, signed, p.Now)
		p.bad(err)
		p.set.Above[a.ID], p.set.Pairs[a.Slot], p.brought[a.ID] = pair, signed, ca
		return
	}
	if pair.Key == nil && !p.Subordinate[a.ID] && !p.signs(a) {
		p.set.Pairs[a.Slot] = pair // all that it signs was signed elsewhere
		return
	}
	if p.Subordinate[a.ID] && p.keepCA(a, slot) {
		p.set.Above[a.ID] = pair // whose key may be anywhere
		return
	}
	ca, err := NewCA(slot.ID, pair, p.Now)
	if err != nil {
		p.bad(err)
		return
	}
	if !p.Subordinate[a.ID] {
		p.set.Pairs[a.Slot] = pair
		p.brought[a.ID] = ca
		return
	}
	p.bad(AllowedFor(slot, p.Algorithm))
	if err := roomBelow(slot.ID, ca.chain); err != nil {
		p.bad(err)
		return
	}
	p.set.Above[a.ID] = pair
	it := &item{slot: slot, id: slot.ID, name: slot.Subject, under: ca}
	p.made[a.ID] = it
	p.items = append(p.items, it)
}

func (p *plan) leaves() {
	t := p.Topology
	for i := range t.Slots {
		s := &t.Slots[i]
		if s.Kind == topology.CA {
			continue
		}
		if signed := p.Signed[s.ID]; !empty(signed) {
			p.set.Pairs[s.ID] = signed
			continue
		}
		if !p.makes(s) {
			if pair := p.Brought[s.ID]; empty(pair) || s.Kind == topology.Leaf && pair.Leaf() == nil {
				p.bad(p.missing(s))
			} else {
				p.set.Pairs[s.ID] = pair
			}
			continue
		}
		if kept := p.Kept[s.ID]; !empty(kept) {
			p.set.Pairs[s.ID] = made(kept)
			continue
		}
		p.bad(AllowedFor(s, p.Algorithm))
		it := &item{slot: s, id: s.ID}
		if s.Kind == topology.Leaf {
			it.by, it.under, it.from = p.made[s.Authority], p.brought[s.Authority], p.Sources[s.Authority]
			if it.by == nil && it.under == nil && it.from == nil {
				p.bad(p.unsigned(s))
			}
		}
		p.items = append(p.items, it)
	}
}

// missing is the error of a slot that was to be handed over.
func (p *plan) missing(s *topology.Slot) error {
	return &Refusal{
		s.ID,
		fmt.Sprintf("%s is set to %s, and this was not handed over", s.Component, p.modes[s.Component].Words()),
		fmt.Sprintf("give it, or set %s to generate", s.Component),
	}
}

// unsigned is the error of a leaf whose CA cannot sign it; nil when that CA
// has an error of its own already.
func (p *plan) unsigned(s *topology.Slot) error {
	ca := p.Topology.CASlot(s.Authority)
	if ca == nil {
		return fmt.Errorf("%s: profile %s names no authority to sign it", s.ID, p.Topology.Profile.Name)
	}
	if kept := p.Kept[ca.ID]; kept.Leaf() != nil && kept.Key == nil {
		return p.keyless(s.ID, ca.ID)
	}
	if pair := p.Brought[ca.ID]; pair.Leaf() != nil && pair.Key == nil && p.modes[ca.Component] == topology.BringCerts {
		return &Refusal{
			s.ID,
			fmt.Sprintf("it was not handed over, and cannot be issued: %s was handed over without its key", ca.ID),
			fmt.Sprintf("give it, or the key of %s", ca.ID),
		}
	}
	return nil
}

// serials draws every serial number beforehand, in order, so that they do not
// depend on which worker was first, and no two certificates share one.
func (p *plan) serials() error {
	seen := map[string]bool{}
	for _, pairs := range []map[topology.SlotID]*certs.Pair{p.Brought, p.Signed, p.Kept, {"": p.KeptRoot}} {
		for _, pair := range pairs {
			if c := pair.Leaf(); c != nil && c.SerialNumber != nil {
				seen[c.SerialNumber.String()] = true
			}
		}
	}
	for _, it := range p.items {
		if it.keyOnly() {
			continue
		}
		for range 8 { // a collision of 127 bits means that Rand is broken
			n, err := NewSerial(p.Rand)
			if err != nil {
				return err
			}
			if !seen[n.String()] {
				it.serial = n
				seen[n.String()] = true
				break
			}
		}
		if it.serial == nil {
			return errors.New("the source of randomness repeats itself: no serial number was issued")
		}
	}
	return nil
}

// label is how messages call an item.
func (it *item) label() string {
	if it.slot == nil {
		return "the root"
	}
	return string(it.id)
}
