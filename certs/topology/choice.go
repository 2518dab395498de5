package topology

import (
	"fmt"
	"strings"
)

// Choice is what a person chose for one component.
type Choice struct {
	Mode Mode
	// CAKey says, in mode bring-certs, that the CA's key is handed over with
	// the certificates: then more can be issued from it.
	CAKey bool
	// Intermediate says, in mode bring-ca, that an intermediate of our own is
	// made under the CA that was brought, and signs instead of it.
	Intermediate bool
}

// Unavailable says why a component cannot be in a mode.
type Unavailable struct {
	Component ComponentID
	Mode      Mode
	Reason    string
	Fix       string
}

func (u *Unavailable) Error() string {
	return fmt.Sprintf("%s cannot be set to %s: %s; %s", u.Component, u.Mode.Words(), u.Reason, u.Fix)
}

// Available says whether a component can be in a mode, given the choices made
// for the others; a component without a choice is in mode generate. The error
// is an *Unavailable.
func (t *Topology) Available(id ComponentID, m Mode, choices map[ComponentID]Choice) error {
	c := t.Component(id)
	if c == nil {
		return fmt.Errorf("profile %s has no component %q; it has %s", t.Profile.Name, id, strings.Join(t.componentNames(), ", "))
	}
	if c.OwnsCA {
		return nil
	}
	a := t.Authority(c.Authority)
	owner := a.Owner
	switch {
	case m == BringCA:
		return &Unavailable{
			id, m, fmt.Sprintf("it has no CA of its own, its certificates come from %s's CA", owner),
			fmt.Sprintf("set %s to bring CA, and %s to generate", owner, id),
		}
	case m == Generate && choices[owner].Mode == BringCerts && !choices[owner].CAKey:
		return &Unavailable{
			id, m, fmt.Sprintf("its certificates are signed by %s's CA, and %s is set to bring certs without the CA's key", owner, owner),
			fmt.Sprintf("give the key of %s, or set %s to bring certs", a.Slot, id),
		}
	case m == BringCerts && (choices[owner].Mode == Generate || choices[owner].Mode == ""):
		return &Unavailable{
			id, m, fmt.Sprintf("its certificates must chain to %s's CA, and %s is set to generate, so that CA does not exist before the set is made", owner, owner),
			fmt.Sprintf("set %s to bring CA or bring certs, or %s to generate", owner, id),
		}
	case m == BringCerts && choices[owner].Mode == BringCA && choices[owner].Intermediate:
		return &Unavailable{
			id, m, fmt.Sprintf("its certificates must chain to %s's CA, and %s gets a new intermediate, which does not exist before the set is made", owner, owner),
			fmt.Sprintf("let %s's CA sign directly, or set %s to generate", owner, id),
		}
	}
	return nil
}

func (t *Topology) componentNames() []string {
	var out []string
	for _, c := range t.Components {
		out = append(out, string(c.ID))
	}
	return out
}

// Due lists the slots that a person hands over for a component in a mode, in
// the order in which they are asked for.
func (t *Topology) Due(id ComponentID, m Mode) []*Slot {
	c := t.Component(id)
	if c == nil {
		return nil
	}
	var out []*Slot
	for _, s := range c.Slots {
		if slot := t.Slot(s); slot.due(m) {
			out = append(out, slot)
		}
	}
	return out
}

// IsDue says whether Due lists a slot for its component.
func (t *Topology) IsDue(id SlotID, m Mode) bool {
	slot := t.Slot(id)
	return slot != nil && slot.Component == id.Component() && slot.due(m)
}

func (s *Slot) due(m Mode) bool { return m == BringCerts || m == BringCA && s.Kind == CA }
