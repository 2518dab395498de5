package wizard

import (
	"errors"
	"slices"
	"strings"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
)

// What the help overlay says about single steps comes from the profile and from
// the catalogue of rules, as certwright profiles show and certwright rules print
// them: there is no second copy to grow stale.

// slotHelp is what a slot is for, and what each program does with its files.
func slotHelp(slot *topology.Slot) string {
	out := untrusted.Text(slot.Title).Max(80) + ": " + untrusted.Text(slot.Purpose).Max(600)
	out = strings.TrimRight(out, ". ") + "."
	if readers := readersOf(slot); len(readers) > 0 {
		out += " " + strings.Join(readers, "; ") + "." // a program is written as it is called
	}
	return out
}

// readersOf says which program reads which files of a slot, and by what.
func readersOf(slot *topology.Slot) []string {
	type reading struct{ program, part string }
	var all []reading
	by := map[reading][]string{}
	for _, c := range slot.Consumers {
		r := reading{untrusted.Text(c.Component).Max(60), "the certificate"}
		switch c.Field {
		case topology.FieldKey:
			r.part = "the key"
		case topology.FieldPublic:
			r.part = "the public key"
		}
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
		if name := untrusted.Text(c.Name).Max(120); !slices.Contains(by[r], name) {
			by[r] = append(by[r], name)
		}
	}
	var programs, out []string
	for _, r := range all {
		if slices.Contains(programs, r.program) {
			continue
		}
		programs = append(programs, r.program)
		var parts []string
		for _, other := range all {
			if other.program == r.program {
				parts = append(parts, other.part+" by "+sentenceOf(by[other]))
			}
		}
		out = append(out, r.program+" reads "+strings.Join(parts, ", "))
	}
	return out
}

// sentenceOf joins all parts, however many, as a sentence does.
func sentenceOf(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// guards is what the holder of a CA's key could open.
func guards(t *topology.Topology, id topology.AuthorityID) string {
	a := t.Authority(id)
	if a == nil || a.Protects == "" {
		return ""
	}
	return "Who holds the key of " + untrusted.Text(a.Title).Max(80) + " could open " + strings.TrimRight(untrusted.Text(a.Protects).Max(400), ". ") + "."
}

// rulesHelp is what the rules say that found something, each once.
func rulesHelp(findings []check.Finding) []string {
	var out []string
	seen := map[string]bool{}
	for _, f := range findings {
		r, known := check.RuleByID(f.Rule)
		if !known || seen[f.Rule] {
			continue
		}
		seen[f.Rule] = true
		out = append(out, r.ID+" ("+string(f.Severity)+"): "+strings.TrimRight(r.Title, ". ")+". "+r.Why)
	}
	return out
}

// Help is what the choice of a mode means for the component under the cursor,
// and what its files are for.
func (s *modesScreen) Help() []string {
	c := s.current()
	t := s.Flow.Topology()
	title := func(c topology.Component) string {
		return untrusted.Text(c.Title).Max(40) + ": " + strings.TrimRight(untrusted.Text(c.Help).Max(400), ". ") + "."
	}
	out := []string{title(c)}
	for _, m := range topology.Modes() {
		words := upper(m.Words()) + ": " + s.meaning(c, m)
		var u *topology.Unavailable
		if errors.As(s.unavailable(c.ID, m), &u) {
			words = upper(m.Words()) + ": cannot be had now, because " + sentence(u.Reason, u.Fix)
		}
		out = append(out, words)
	}
	if g := guards(t, c.Authority); g != "" {
		out = append(out, g)
	}
	seen := map[topology.SlotID]bool{}
	for _, id := range c.Slots {
		if slot := t.Slot(id); slot != nil && !seen[id.Base()] { // of a slot for each node, the first
			seen[id.Base()] = true
			out = append(out, slotHelp(slot))
		}
	}
	for _, other := range s.components() {
		if other.ID != c.ID {
			out = append(out, title(other))
		}
	}
	return out
}

// Help is which CAs the profile under the cursor has, and what each guards.
func (s *profileScreen) Help() []string {
	e := s.entry()
	if e == nil || e.profile == nil {
		return nil
	}
	out := []string{untrusted.Text(e.profile.Title).Max(60) + ": " + untrusted.Text(e.profile.Summary).Max(400) + "."}
	for _, a := range e.topo.Authorities {
		if g := guards(e.topo, a.ID); g != "" {
			out = append(out, g)
		}
	}
	return out
}

// Help is what happens to files, and what the one under the cursor is for.
func (s *reviewScreen) Help() []string {
	out := []string{"A file that is new, or the same as what lies there, needs no word. Before anything is replaced the cluster's name is asked for, and what was there is kept beside the set."}
	if s.cursor >= len(s.rows) || s.rows[s.cursor].change == nil {
		return out
	}
	if slot := s.Flow.Topology().Find(s.rows[s.cursor].change.Slot); slot != nil {
		out = append(out, slotHelp(slot))
	}
	return out
}

// Help is what the slot under the cursor is for, who reads it, and the rules
// that found something.
func (s *slotScreen) Help() []string {
	f, ok := s.field()
	if !ok {
		return nil
	}
	t := s.Flow.Topology()
	slot := t.Slot(f.Slot)
	if slot == nil {
		return nil
	}
	out := []string{slotHelp(slot)}
	if g := guards(t, slot.Authority); g != "" && slot.Kind == topology.CA {
		out = append(out, g)
	}
	out = append(out, rulesHelp(s.Flow.Verdict(f.Slot).Findings)...)
	return append(out, "A file that is repaired in another window is checked again within a second.")
}

// nodeHelp is what the node under the cursor of Topology is for.
func nodeHelp(f *flow.State, id topology.SlotID) []string {
	slot := f.Topology().Find(id)
	if slot == nil {
		return nil
	}
	out := []string{slotHelp(slot)}
	if g := guards(f.Topology(), slot.Authority); g != "" && slot.Kind == topology.CA {
		out = append(out, g)
	}
	return out
}
