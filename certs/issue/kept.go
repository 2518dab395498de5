package issue

import (
	"fmt"
	"sync"
	"time"

	"certwright/certs"
	"certwright/certs/topology"
)

// made is a pair of an earlier run as one that was made here.
func made(pair *certs.Pair) *certs.Pair {
	out := *pair
	out.Made = true
	return &out
}

// keepCA takes the CA of an earlier run, if there is one. Without its key it
// stays all the same: that is an error only once something is to be signed.
func (p *plan) keepCA(a *topology.Authority, slot *topology.Slot) bool {
	kept := p.Kept[slot.ID]
	if kept.Leaf() == nil {
		return false
	}
	p.set.Pairs[slot.ID] = made(kept)
	if kept.Key == nil {
		return true
	}
	ca, err := p.Opened.ca(slot.ID, kept, p.Now)
	if err != nil {
		p.bad(err)
		return true
	}
	p.brought[a.ID] = ca
	return true
}

// Opened are kept CAs that were found fit to sign, for requests that follow one
// another with the same ones. It may be used from several goroutines at once.
type Opened struct {
	mu  sync.Mutex
	cas map[opened]*CA
}

// opened is what a verdict depends on: a pair that nobody changes, and the time.
type opened struct {
	pair *certs.Pair
	slot topology.SlotID
	now  time.Time
}

// ca is NewCA, once for each CA.
func (o *Opened) ca(slot topology.SlotID, pair *certs.Pair, now time.Time) (*CA, error) {
	if o == nil {
		return NewCA(slot, pair, now)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	key := opened{pair, slot, now}
	if ca := o.cas[key]; ca != nil {
		return ca, nil
	}
	ca, err := NewCA(slot, pair, now)
	if err != nil {
		return nil, err
	}
	if o.cas == nil {
		o.cas = map[opened]*CA{}
	}
	o.cas[key] = ca
	return ca, nil
}

// keptRoot is the root of an earlier run, about to sign a new CA.
func (p *plan) keptRoot() *CA {
	if p.KeptRoot.Key == nil {
		p.bad(p.keyless("a new CA", "the root"))
		return nil
	}
	ca, err := NewCA("the root", p.KeptRoot, p.Now)
	p.bad(err)
	return ca
}

func (p *plan) keyless(slot, ca topology.SlotID) error {
	return &Refusal{
		slot,
		fmt.Sprintf("it cannot be issued: the key of %s, which would sign it, is not in the set any more", ca),
		"bring the key back to where it was written, or make all anew",
	}
}
