package renew

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"certwright/assets/yamlfile"
	"certwright/certs"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// choose sorts what to renew by who can.
func (j *Job) choose() error {
	named, err := j.named()
	if err != nil {
		return err
	}
	until := j.w.Now().Add(j.o.Within)
	for i := range j.Old.Topology.Slots {
		s := &j.Old.Topology.Slots[i]
		leaf := j.Old.Pairs[s.ID].Leaf()
		if leaf == nil {
			continue
		}
		it := Item{Slot: s.ID, NotAfter: leaf.NotAfter, Why: "ends on " + leaf.NotAfter.UTC().Format(time.DateOnly)}
		ends := leaf.NotAfter.Before(until)
		brought := s.Kind == topology.Leaf && j.Answers.Plan.Mode(s.Component) == topology.BringCerts
		switch {
		case j.o.Handed != nil:
			if j.o.Handed[s.ID] != nil {
				j.Renew = append(j.Renew, Item{Slot: s.ID, NotAfter: leaf.NotAfter, Why: "came back signed"})
			}
		case s.Kind == topology.CA && ends:
			it.Authority = s.Authority
			j.CAs = append(j.CAs, it)
		case s.Kind == topology.CA:
		case brought && (ends || named[s.ID]):
			j.Brought = append(j.Brought, it)
		case named[s.ID]:
			j.sort(s, Item{Slot: s.ID, NotAfter: leaf.NotAfter, Why: "asked for"})
		case named == nil && ends:
			j.sort(s, it)
		}
	}
	if r := j.Old.Root.Leaf(); r != nil && r.NotAfter.Before(until) {
		j.CAs = append(j.CAs, Item{NotAfter: r.NotAfter, Why: "ends on " + r.NotAfter.UTC().Format(time.DateOnly)})
	}
	if err := j.discarded(); err != nil {
		return err
	}
	if len(named) > 0 && len(j.Renew)+len(j.Elsewhere) == 0 && len(j.Brought) > 0 {
		return &Refused{fmt.Sprintf("%s was brought, and nothing here can issue it", j.Brought[0].Slot), "give the new certificate in the plan, and run certwright apply --force"}
	}
	return nil
}

func (j *Job) sort(s *topology.Slot, it Item) {
	if ca := j.ca(s.Authority); ca != nil && ca.Key != nil || j.asks(s.Authority) {
		j.Renew = append(j.Renew, it)
		return
	}
	j.Elsewhere = append(j.Elsewhere, it)
}

// discarded refuses what nobody can sign any more: the key of its CA was made
// here and not kept.
func (j *Job) discarded() error {
	if j.Answers.Plan.Keys.CAKeys != plan.CAKeysDiscard {
		return nil
	}
	for _, it := range j.Elsewhere {
		auth := j.Old.Topology.Authority(j.Old.Topology.Slot(it.Slot).Authority)
		if j.Answers.Plan.Mode(auth.Owner) == topology.Generate {
			return &Refused{
				fmt.Sprintf("%s cannot be renewed: the key of %s was not kept when the set was made (ca-keys: discard), so nobody can sign with it", it.Slot, auth.Slot),
				fmt.Sprintf("exchange the CA: certwright rotate-ca %s %s", auth.ID, untrusted.Text(j.Dir).ShellArg()),
			}
		}
	}
	return nil
}

// ca is the CA that signs for an authority, with its key where it is at hand.
func (j *Job) ca(id topology.AuthorityID) *certs.Pair {
	if known, ok := j.cas[id]; ok {
		return known
	}
	slot := j.Old.Topology.CASlot(id)
	if slot == nil {
		return nil
	}
	pair := j.Old.Pairs[slot.ID]
	mode, c := j.Answers.Plan.Mode(slot.Component), j.Answers.Plan.Components[slot.Component]
	if mode == topology.BringCA && !c.Intermediate || mode == topology.BringCerts {
		if v := install.NewBench(j.w, j.Answers).CA(slot.ID); v.Pair.Leaf() != nil && pair.Leaf().Equal(v.Pair.Leaf()) {
			pair = v.Pair
		}
	}
	j.cas[id] = pair
	return pair
}

// named are the slots of Options.Slots; nil when none was named.
func (j *Job) named() (map[topology.SlotID]bool, error) {
	if len(j.o.Slots) == 0 {
		return nil, nil
	}
	out := map[topology.SlotID]bool{}
	var all []string
	for i := range j.Old.Topology.Slots {
		all = append(all, string(j.Old.Topology.Slots[i].ID.Base()), string(j.Old.Topology.Slots[i].ID))
	}
	for _, want := range j.o.Slots {
		found, why := false, ""
		for i := range j.Old.Topology.Slots {
			s := &j.Old.Topology.Slots[i]
			whole := string(s.Component) == want
			if string(s.ID) != want && string(s.ID.Base()) != want && !whole {
				continue
			}
			switch {
			case s.Kind == topology.Leaf:
				out[s.ID], found = true, true
			case whole:
			case s.Kind == topology.CA:
				why = "is a CA, and what trusts it must be told first: certwright rotate-ca " + string(s.Authority) + " says how"
			default:
				why = "is a pair of keys without a certificate, and does not end; certwright rotate-ca " + string(s.ID) + " exchanges it"
			}
		}
		shown := untrusted.Text(want).Max(80)
		switch {
		case why != "":
			return nil, &Refused{fmt.Sprintf("--slot %s: it %s", shown, why), "name a certificate, or leave it out"}
		case !found:
			fix := "certwright status DIR lists what there is"
			if near := yamlfile.Nearest(want, all); near != "" {
				fix = "did you mean " + near + "?"
			}
			return nil, &Refused{fmt.Sprintf("--slot %s: the set has no such certificate", shown), fix}
		}
	}
	return out, nil
}

// CAOf is the certificate of the CA that signs for an authority of the set.
func (j *Job) CAOf(id topology.AuthorityID) *x509.Certificate { return j.ca(id).Leaf() }

// Selected are the slots of items.
func Selected(items []Item) []topology.SlotID {
	var out []topology.SlotID
	for _, it := range items {
		out = append(out, it.Slot)
	}
	return out
}

// Locked names a key of a CA that lies sealed, and that no passphrase opened.
func (j *Job) Locked() string {
	for _, it := range j.Elsewhere {
		slot := j.Old.Topology.Slot(it.Slot)
		if ca := j.Old.Topology.CASlot(slot.Authority); ca != nil {
			for _, f := range j.earlier.Manifest.Files.OfSlot(string(ca.ID)) {
				if strings.HasSuffix(f.Path, ".age") {
					if _, err := j.w.Read.Stat(filepath.Join(j.Dir, filepath.FromSlash(f.Path))); err == nil {
						return f.Path
					}
				}
			}
		}
	}
	return ""
}
