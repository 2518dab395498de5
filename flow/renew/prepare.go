package renew

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"certwright/assets/layout"
	"certwright/certs/check"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
)

// Mixed is how the old set and the new one meet while a cluster goes over.
type Mixed struct {
	Handshakes int
	// Broken are connections of the old set that fail already, before anything
	// is renewed: a certificate that has ended.
	Broken int
	Still  int // of these fail afterwards: what would mend them was not renewed
}

func connection(h prove.Handshake) string { return h.Edge + "\x00" + h.Name + "\x00" + h.Version }

// before finds out what is wrong with the set as it is, in what is not renewed:
// that is no reason to refuse the rest.
func (j *Job) before(ctx context.Context) error {
	renewed := map[topology.SlotID]bool{}
	for _, it := range j.Renew {
		renewed[it.Slot] = true
	}
	hs, err := prove.Edges(ctx, prove.Input{Set: j.Old, Now: j.w.Now(), Workers: j.w.Workers})
	if err != nil {
		return err
	}
	j.broken = map[string]bool{}
	for _, h := range prove.Failed(hs) {
		j.broken[connection(h)] = true
	}
	known := map[string]bool{}
	for _, f := range check.Set(check.SetInput{Set: j.Old, Now: j.w.Now()}) {
		if !renewed[f.Slot] {
			known[f.Rule+"\x00"+string(f.Slot)] = true
		}
	}
	j.earlier.Excuse = &install.Excuse{
		Finding:   func(f check.Finding) bool { return known[f.Rule+"\x00"+string(f.Slot)] },
		Handshake: func(h prove.Handshake) bool { return j.broken[connection(h)] && !renewed[h.Blame] },
	}
	return nil
}

// Prepare makes the new set in memory and proves it: alone, the clients of the
// old with the servers of the new, and the reverse. It touches nothing. force
// lets files that somebody changed be replaced.
func (j *Job) Prepare(ctx context.Context, force bool, progress func(flow.Progress)) (*flow.Prepared, *Mixed, error) {
	handed, err := j.handed(ctx, j.Answers)
	if err != nil {
		return nil, nil, err
	}
	j.earlier.Handed = handed
	j.earlier.Anew = func(s *topology.Slot) bool { return handed[s.ID] == nil && slices.Contains(Selected(j.Renew), s.ID) }
	if err := j.before(ctx); err != nil {
		return nil, nil, err
	}
	p, err := install.Prepare(ctx, j.w, j.Answers, nil, progress)
	if err != nil {
		return p, nil, err
	}
	if err := j.onlyWhatWasAsked(p, force); err != nil {
		return p, nil, err
	}
	if progress != nil {
		progress(flow.Progress{Stage: "mixed"})
	}
	mixed, err := j.mixed(ctx, p)
	if err != nil {
		return p, mixed, err
	}
	p.Notes = slices.DeleteFunc(p.Notes, func(n string) bool { return strings.HasPrefix(n, "made anew") })
	return p, mixed, nil
}

// onlyWhatWasAsked holds what would change against what is renewed.
func (j *Job) onlyWhatWasAsked(p *flow.Prepared, force bool) error {
	renewed := map[topology.SlotID]bool{}
	for _, it := range j.Renew {
		renewed[it.Slot] = true
	}
	kinds := map[topology.SlotID]bool{} // a line about files of many nodes names one slot of them
	for id := range renewed {
		kinds[id.Base()] = true
		if p.Set.Pairs[id].Leaf().Equal(j.Old.Pairs[id].Leaf()) {
			return fmt.Errorf("%s was not issued anew, though it should have been: please report this; nothing was written", id)
		}
	}
	for _, a := range p.Anew {
		if !renewed[a.Slot] {
			name := string(a.Slot)
			if name == "" {
				name = "the root"
			}
			return &Refused{fmt.Sprintf("%s would be made anew too: %s", name, untrusted.Text(a.Why).Max(300)), "let certwright apply bring the set in line with its plan first"}
		}
	}
	if p.Survey.Refused != nil || force {
		return p.Survey.Refused
	}
	for _, c := range p.Survey.Changes {
		holds := c.Kind == layout.KindKey || c.Kind == layout.KindCAKey || c.Kind == layout.KindCertificate || c.Kind == layout.KindCA || c.Kind == layout.KindBundle || c.Kind == layout.KindKubeconfig
		replaced := c.What == flow.Overwrite || c.What == flow.Takeover || c.What == flow.Remove
		path := untrusted.Text(c.Path).Max(300)
		switch {
		case replaced && c.Modified:
			return &Refused{fmt.Sprintf("%s was changed since certwright wrote it, and would be replaced", path), "put the written file back, or add --force (what is replaced is kept)"}
		case c.What == flow.Remove:
			return &Refused{fmt.Sprintf("%s would be removed: the plan of the set does not make it any more", path), "let certwright apply bring the set in line with its plan first"}
		case replaced && holds && !renewed[c.Slot] && !(c.Count > 0 && (c.Slot == "" || kinds[c.Slot.Base()])):
			return &Refused{fmt.Sprintf("%s would be replaced, and belongs to nothing that is renewed", path), "let certwright apply bring the set in line with its plan first"}
		}
	}
	return nil
}

// mixed proves the roll-out: while it lasts, some machines have the old files
// and some the new ones. What fails among the old alone is not the renewal's doing.
func (j *Job) mixed(ctx context.Context, p *flow.Prepared) (*Mixed, error) {
	old, new := *j.Old, p.Set
	old.Topology = p.Topology
	was, is := prove.Input{Set: &old, Now: j.w.Now(), Workers: j.w.Workers}, prove.Input{Set: new, Now: j.w.Now(), Workers: j.w.Workers}
	out := &Mixed{Broken: len(j.broken), Still: len(prove.Failed(p.Handshakes))}
	var failed []prove.Handshake
	for _, way := range []struct {
		client, server prove.Input
		words          string
	}{{was, is, "while it rolls out, an old client meets a new server: "}, {is, was, "while it rolls out, a new client meets an old server: "}} {
		hs, err := prove.Across(ctx, way.client, way.server)
		if err != nil {
			return nil, err
		}
		out.Handshakes += prove.Made(hs)
		for _, h := range prove.Failed(hs) {
			if !j.broken[connection(h)] {
				h.Problem = way.words + h.Problem
				failed = append(failed, h)
			}
		}
	}
	if len(failed) > 0 {
		return out, &install.Refusal{Handshakes: failed}
	}
	return out, nil
}

// Commit writes what Prepare made. That it was asked for is the confirmation:
// what is replaced is kept beside it.
func (j *Job) Commit(ctx context.Context, p *flow.Prepared, progress func(flow.Progress)) (flow.Receipt, error) {
	return install.Commit(ctx, j.w, p, true, progress)
}
