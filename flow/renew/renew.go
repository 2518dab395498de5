// Package renew issues certificates of a set anew before they end: from the
// plan that lies in the set, not from the old certificates, whose mistakes would
// be repeated. Start with Look, which says what would be renewed and by whom;
// Prepare makes the new set in memory and proves it, alone and mixed with the
// old one; Commit writes it.
//
// What is not renewed stays byte for byte. CAs are never renewed here.
package renew

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"certwright/assets/store"
	"certwright/assets/yamlfile"
	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// Options say what to renew.
type Options struct {
	Dir    string // of the set
	Within time.Duration
	// Slots are what was asked for by name: slots, slots of every node, or whole
	// components. Empty: what ends within Within.
	Slots []string
	Rekey bool // new keys too
	// Handed are pairs that a CA elsewhere signed; they alone are renewed.
	Handed map[topology.SlotID]*certs.Pair
}

// Item is a certificate with its end.
type Item struct {
	Slot topology.SlotID `json:"slot"` // "" for the root
	// Authority is that of a CA.
	Authority topology.AuthorityID `json:"authority,omitempty"`
	NotAfter  time.Time            `json:"notAfter"`
	Why       string               `json:"why,omitempty"`
}

// Job is a renewal.
type Job struct {
	Dir     string // absolute
	Answers *flow.Answers
	Old     *certs.Set // the set as it is
	// Renew are renewed here, Elsewhere by a CA whose key is not at hand.
	Renew, Elsewhere []Item
	// CAs end within the time, and need a rotation; Brought do too, and were
	// brought: nothing here can renew them.
	CAs, Brought []Item
	Notes        []string

	w       *install.World
	o       Options
	earlier *install.Earlier
	broken  map[string]bool // connections of the old set that fail as it is
	cas     map[topology.AuthorityID]*certs.Pair
	sources map[topology.AuthorityID]issue.Source
}

// Refused says why a set cannot be renewed as asked. Nothing was changed.
type Refused struct{ Reason, Fix string }

func (r *Refused) Error() string { return r.Reason + "; " + r.Fix }

// Look reads the set and finds out what to renew. A run that was stopped in it
// is settled first; one that is running is an error of kind store.Locked.
func Look(ctx context.Context, w *install.World, o Options) (*Job, error) {
	j := &Job{w: w, o: o, Dir: o.Dir, cas: map[topology.AuthorityID]*certs.Pair{}}
	if !filepath.IsAbs(j.Dir) {
		j.Dir = filepath.Join(w.Dir, j.Dir)
	}
	var se *store.Error
	if _, err := store.Recover(ctx, w.Write, j.Dir, false); errors.As(err, &se) && (se.Kind == store.Locked || se.Kind == store.NeedsPerson) {
		return nil, err
	}
	if err := j.readPlan(); err != nil {
		return nil, err
	}
	var err error
	j.earlier, err = install.OpenEarlier(w, j.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, notASet(o.Dir)
	case err != nil:
		return nil, err
	}
	w.Earlier = j.earlier
	j.clock()
	if err := j.readSet(); err != nil {
		return nil, err
	}
	return j, j.choose()
}

func notASet(dir string) error {
	return &Refused{fmt.Sprintf("%s holds no set that certwright wrote", untrusted.Text(dir)), "name the directory of a set"}
}

func (j *Job) readPlan() error {
	p, err := install.PlanOf(j.w, j.Dir)
	switch {
	case err != nil:
		return err
	case p == nil:
		return notASet(j.o.Dir)
	case p.Awaiting != "":
		return &Refused{fmt.Sprintf("%s holds signing requests, and no set yet", untrusted.Text(j.o.Dir)), "take what came back with certwright import"}
	}
	p.Output.Dir = j.Dir
	profile, err := j.w.Catalogue.Load(p.Profile)
	if err != nil {
		return err
	}
	if err := yamlfile.Join(append(yamlfile.All(install.Refer(j.w, p)), yamlfile.All(p.Check(profile))...)...); err != nil {
		return err
	}
	j.keysAway(p)
	j.Answers, err = install.NewAnswers(j.w.Catalogue, p)
	return err
}

// keysAway takes the CAs that were brought and whose key is not where it was for
// CAs whose key is elsewhere: it was taken away, as it should be.
func (j *Job) keysAway(p *plan.Plan) {
	for id, c := range p.Components {
		if c.Mode != topology.BringCA || c.CA == nil || c.CA.Key == "" {
			continue
		}
		if _, err := j.w.Read.Stat(c.CA.Key); errors.Is(err, fs.ErrNotExist) {
			j.Notes = append(j.Notes, fmt.Sprintf("%s: the key of its CA is not at %s any more; the plan of the set now says that it is elsewhere", id, untrusted.Text(c.CA.Key)))
			ca := *c.CA
			ca.Key, ca.Offline = "", true
			c.CA = &ca
			p.Components[id] = c
		}
	}
}

// clock names a clock that went back: certificates would begin before those that
// they take the place of.
func (j *Job) clock() {
	if now, was := j.w.Now(), j.earlier.Manifest.Created; now.Before(was.Add(-time.Minute)) {
		j.Notes = append(j.Notes, fmt.Sprintf("the clock of this machine says %s, and the set was written on %s: it went back, or was wrong then; what is issued now begins by this clock",
			now.UTC().Format(time.RFC3339), was.UTC().Format(time.RFC3339)))
	}
}

// readSet reads every pair of the set.
func (j *Job) readSet() error {
	t := j.Answers.Topology
	set := &certs.Set{Modes: map[topology.ComponentID]topology.Mode{}, Pairs: map[topology.SlotID]*certs.Pair{}}
	for _, c := range t.Components {
		set.Modes[c.ID] = j.Answers.Plan.Mode(c.ID)
	}
	var absent []topology.SlotID
	for i := range t.Slots {
		s := &t.Slots[i]
		pair, why := j.earlier.Pair(s.ID)
		switch {
		case pair != nil:
			set.Pairs[s.ID] = pair
		case s.Optional:
			absent = append(absent, s.ID)
		default:
			return &Refused{fmt.Sprintf("the set in %s cannot be renewed in part: of %s %s", untrusted.Text(j.Dir), s.ID, why), "put the written file back, or let certwright apply make it anew"}
		}
	}
	set.Topology = t.Without(absent...)
	if root, _ := j.earlier.Pair(""); root != nil {
		set.Root = root
	}
	j.Old = set
	j.early()
	return nil
}

// early names certificates of the set that are not valid yet by this clock.
func (j *Job) early() {
	now := j.w.Now()
	for i := range j.Old.Topology.Slots {
		s := &j.Old.Topology.Slots[i]
		if c := j.Old.Pairs[s.ID].Leaf(); c != nil && now.Before(c.NotBefore) {
			j.Notes = append(j.Notes, fmt.Sprintf("%s is not valid before %s by the clock of this machine, which says %s: it went back, or is wrong",
				s.ID, c.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339)))
			return // one says it for all
		}
	}
}

// handed is what takes the place of the old pairs, and all else as it is.
func (j *Job) handed(ctx context.Context, a *flow.Answers) (map[topology.SlotID]*certs.Pair, error) {
	out := map[topology.SlotID]*certs.Pair{}
	renewed := Selected(j.Renew)
	for id, pair := range j.Old.Pairs {
		s := j.Old.Topology.Slot(id)
		brought := s != nil && a.Plan.Mode(s.Component) != topology.Generate && !a.Plan.Components[s.Component].Intermediate
		switch {
		case s == nil || slices.Contains(renewed, id):
		case brought && s.Kind == topology.CA:
			out[id] = asBrought(j.ca(s.Authority))
		case brought && a.Plan.Mode(s.Component) == topology.BringCerts:
			out[id] = asBrought(pair)
		case s.Kind != topology.CA:
			out[id] = pair
		}
	}
	for id, pair := range j.o.Handed {
		out[id] = pair
	}
	if j.o.Handed != nil || j.o.Rekey {
		return out, nil
	}
	for _, id := range renewed {
		pair, err := j.again(ctx, id)
		if err != nil {
			return nil, err
		}
		if pair != nil {
			out[id] = pair
		}
	}
	return out, nil
}

// asBrought is a pair of the set that was not made here, as it was handed over.
func asBrought(pair *certs.Pair) *certs.Pair {
	out := *pair
	out.Made = false
	return &out
}

// again issues a certificate for the key that is there; nil when that key is no
// longer what the plan asks for, so that a new one is made.
func (j *Job) again(ctx context.Context, id topology.SlotID) (*certs.Pair, error) {
	slot, old := j.Old.Topology.Slot(id), j.Old.Pairs[id]
	if old.Key == nil || issue.OtherAlgorithm(old.Key.Public(), j.algorithm()) {
		j.Notes = append(j.Notes, fmt.Sprintf("%s gets a new key: the old one is not %s, as the plan asks", id, j.algorithm().Words()))
		return nil, nil
	}
	ca, err := j.source(ctx, slot)
	if err != nil {
		return nil, err
	}
	out, err := ca.Leaf(ctx, slot, old.Key, issue.Terms{Now: j.w.Now(), Life: j.Answers.Plan.Validity.Leaf.Or(plan.DefaultLeafLife)})
	if err != nil {
		return nil, err
	}
	for _, n := range out.Notes {
		j.Notes = append(j.Notes, string(id)+" "+n)
	}
	return &certs.Pair{Certificates: out.Certificates, Key: old.Key, Made: true}, nil
}

// asks says whether an authority's certificates are asked of a CA over the network.
func (j *Job) asks(id topology.AuthorityID) bool {
	a := j.Old.Topology.Authority(id)
	return a != nil && j.Answers.Plan.StepCA(a.Owner) != nil
}

// source is who signs for a slot: a CA's key that is at hand, or a CA that is asked.
func (j *Job) source(ctx context.Context, slot *topology.Slot) (issue.Source, error) {
	if !j.asks(slot.Authority) {
		return issue.NewCA(j.Old.Topology.CASlot(slot.Authority).ID, j.ca(slot.Authority), j.w.Now())
	}
	if known := j.sources[slot.Authority]; known != nil {
		return known, nil
	}
	source, err := install.Source(ctx, j.w, j.Answers, slot.Authority)
	if err != nil {
		return nil, err
	}
	if j.sources == nil {
		j.sources = map[topology.AuthorityID]issue.Source{}
	}
	j.sources[slot.Authority] = source
	return source, nil
}

func (j *Job) algorithm() issue.Algorithm { return j.Answers.Plan.Algorithm(j.Answers.Profile) }
