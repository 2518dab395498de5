package install

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/assets/yamlfile"
	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/issue"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
)

// Refusal says that the answers or the material do not make a set: everything
// that stands against it. Nothing was written.
type Refusal struct {
	Findings   []check.Finding
	Handshakes []prove.Handshake // the failed ones
}

func (r *Refusal) Error() string {
	n := 0
	var first string
	for _, f := range r.Findings {
		if f.Severity == check.Error {
			if n++; first == "" {
				first = f.Message + "; " + f.Fix
				if f.File != "" {
					first = f.File + ": " + first
				} else if f.Slot != "" && !strings.HasPrefix(f.Message, string(f.Slot)) {
					first = string(f.Slot) + ": " + first
				}
			}
		}
	}
	for _, h := range r.Handshakes {
		if n++; first == "" {
			first = h.Problem // with its fix
		}
	}
	if n > 1 {
		return fmt.Sprintf("%s (and %d more)", first, n-1)
	}
	return first
}

// NewAnswers are the answers of a plan that was read from a file, for the
// headless commands. Its paths must start from the working directory already,
// and Refer must have read what it points to.
func NewAnswers(c flow.Catalogue, p *plan.Plan) (*flow.Answers, error) {
	profile, err := c.Load(p.Profile)
	if err != nil {
		return nil, err
	}
	t, problems := p.Topology(profile)
	if len(problems) > 0 {
		var errs []error
		for _, problem := range problems {
			errs = append(errs, problem)
		}
		return nil, errors.Join(errs...)
	}
	return AnswersOf(profile, p, t), nil
}

// AnswersOf is NewAnswers of a plan that was checked, with its topology. For
// Prepare alone that may be an outline: of many nodes it has only those that
// stand for all, and Prepare sees to the others.
func AnswersOf(profile *topology.Profile, p *plan.Plan, t *topology.Topology) *flow.Answers {
	return &flow.Answers{Plan: p, Profile: profile, Topology: t, Sources: flow.PlanSources(t, p), Passphrases: map[topology.SlotID][]byte{}}
}

// Prepare makes the whole set in memory and proves it. What it returns is
// complete even with a *Refusal as the error, as far as it came, so that a
// screen can show where it failed. It touches nothing.
func Prepare(ctx context.Context, w *World, a *flow.Answers, keep *flow.Prepared, progress func(flow.Progress)) (*flow.Prepared, error) {
	if progress == nil {
		progress = func(flow.Progress) {}
	}
	if a = outline(a); a.Topology.Here != nil && !w.Stays {
		defer spend()()
	}
	p := &flow.Prepared{Topology: a.Topology}
	if keep != nil {
		*p = *keep
	} else if err := makeSet(ctx, w, a, p, progress); err != nil {
		return p, err
	}
	if note := clockNote(w); note != "" && !slices.Contains(p.Notes, note) {
		p.Notes = append(slices.Clip(p.Notes), note)
	}
	return p, render(ctx, w, a, p, progress)
}

// maxAge is how old a program may be before the clock is doubted.
const maxAge = 10 * 365 * 24 * time.Hour

// clockNote doubts this machine's clock where it can be seen to be wrong: all
// dates of a set are taken from it.
func clockNote(w *World) string {
	now := w.Now()
	switch {
	case w.Made.IsZero():
	case now.Before(w.Made):
		return fmt.Sprintf("this machine's clock shows %s, before this program was made (%s): the dates of the certificates are taken from it, so set it first: timedatectl",
			now.UTC().Format(time.RFC3339), w.Made.UTC().Format(time.DateOnly))
	case now.Sub(w.Made) > maxAge:
		return fmt.Sprintf("this machine's clock shows %s, ten years and more after this program was made (%s): the dates of the certificates are taken from it, so see that it is right: timedatectl",
			now.UTC().Format(time.RFC3339), w.Made.UTC().Format(time.DateOnly))
	}
	return ""
}

func makeSet(ctx context.Context, w *World, a *flow.Answers, p *flow.Prepared, progress func(flow.Progress)) error {
	g := w.gatherer(a)
	brought, findings, stamps, err := g.all(ctx)
	if err != nil {
		return err
	}
	p.Findings, p.Inputs = findings, stamps
	if !check.OK(findings) {
		return &Refusal{Findings: findings}
	}
	if err := available(a, brought); err != nil {
		return err
	}
	left := leftOut(a, brought)
	p.Topology = a.Topology.Without(left...)
	for _, id := range left {
		p.Notes = append(p.Notes, fmt.Sprintf("%s was not handed over, and without the key of its CA it cannot be made: it is left out", id))
	}
	req := issue.Request{
		Topology: p.Topology, Modes: map[topology.ComponentID]topology.Mode{}, Brought: brought, Signed: a.Signed, Subordinate: map[topology.AuthorityID]bool{},
		Hierarchy: cmp.Or(a.Plan.Hierarchy, a.Profile.Hierarchy), Algorithm: a.Plan.Algorithm(a.Profile), CALife: a.Plan.Validity.CA.Or(plan.DefaultCALife), LeafLife: a.Plan.Validity.Leaf.Or(plan.DefaultLeafLife),
		Now: g.now, Keys: w.Keys, Workers: w.Workers, Rand: w.Rand,
	}
	for _, c := range a.Topology.Components {
		req.Modes[c.ID] = a.Plan.Mode(c.ID)
		if c.OwnsCA && req.Modes[c.ID] == topology.BringCA && a.Plan.Components[c.ID].Intermediate {
			req.Subordinate[c.Authority] = true
		}
	}
	memory := check.NewMemory()
	req.Verified = memory.Verified
	if w.Earlier != nil {
		if err := w.Earlier.keep(ctx, a, &req, p); err != nil {
			return err
		}
		if len(p.Anew) > 0 {
			p.Notes = append(p.Notes, anewNote(p.Anew))
		}
	}
	if req.Sources, err = w.sources(ctx, a, p); err != nil {
		return err
	}
	set, err := issue.All(ctx, req, func(e issue.Event) {
		progress(flow.Progress{Stage: "issue", Item: strings.TrimSpace(e.What + " " + string(e.Slot)), Done: e.Done, Total: e.Total})
		if e.What == issue.WhatNote {
			p.Notes = append(p.Notes, e.Note)
		}
	})
	if err != nil {
		return err
	}
	p.Set = set
	progress(flow.Progress{Stage: "check"})
	in := check.SetInput{Set: set, Now: g.now, Memory: memory, Seen: check.NewSeen()}
	p.Findings = append(p.Findings, fresh(p.Findings, check.Set(in))...)
	if r := newRest(w, a, req, set, in.Seen); r != nil {
		p.Rest = r
	}
	return proveSet(ctx, w, p, g, progress)
}

// fresh leaves out what the slots' own check said already.
func fresh(old, more []check.Finding) []check.Finding {
	said := map[string]bool{}
	for _, f := range old {
		said[f.Rule+"\x00"+string(f.Slot)] = true
	}
	var out []check.Finding
	for _, f := range more {
		if !said[f.Rule+"\x00"+string(f.Slot)] {
			out = append(out, f)
		}
	}
	return out
}

func proveSet(ctx context.Context, w *World, p *flow.Prepared, g *gatherer, progress func(flow.Progress)) error {
	progress(flow.Progress{Stage: "prove"})
	in := prove.Input{Set: p.Set, Now: g.now, Workers: w.Workers}
	var err error
	if p.Handshakes, p.Openings, err = prove.All(ctx, in); err != nil {
		return err
	}
	failed := prove.Failed(p.Handshakes)
	if len(failed) == 0 && check.OK(p.Findings) {
		return nil
	}
	if failed, bad := w.Earlier.unexcused(failed, p.Findings); len(failed) > 0 || bad {
		return &Refusal{Findings: p.Findings, Handshakes: failed}
	}
	return nil
}

// leftOut lists optional certificates that were not handed over and cannot be
// made, because their CA came without its key.
func leftOut(a *flow.Answers, brought map[topology.SlotID]*certs.Pair) []topology.SlotID {
	var out []topology.SlotID
	for i := range a.Topology.Slots {
		s := &a.Topology.Slots[i]
		if !s.Optional || s.Kind != topology.Leaf || brought[s.ID] != nil || a.Plan.Mode(s.Component) != topology.BringCerts {
			continue
		}
		if ca := a.Topology.CASlot(s.Authority); ca != nil && (brought[ca.ID] == nil || brought[ca.ID].Key == nil) {
			out = append(out, s.ID)
		}
	}
	return out
}

// available holds the modes against the keys that are really there.
func available(a *flow.Answers, brought map[topology.SlotID]*certs.Pair) error {
	choices := map[topology.ComponentID]topology.Choice{}
	for _, c := range a.Topology.Components {
		choice := topology.Choice{Mode: a.Plan.Mode(c.ID), Intermediate: a.Plan.Components[c.ID].Intermediate}
		if ca := a.Topology.CASlot(c.Authority); c.OwnsCA && ca != nil {
			choice.CAKey = brought[ca.ID] != nil && brought[ca.ID].Key != nil
		}
		choices[c.ID] = choice
	}
	for _, c := range a.Topology.Components {
		if err := a.Topology.Available(c.ID, choices[c.ID].Mode, choices); err != nil {
			return err
		}
	}
	return nil
}

// render makes the files of the set and holds them against the destination.
func render(ctx context.Context, w *World, a *flow.Answers, p *flow.Prepared, progress func(flow.Progress)) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	progress(flow.Progress{Stage: "render"})
	typed, dir := destination(w, a.Plan)
	saved := a.Plan.Explicit(a.Profile)
	saved.Output.Dir = dir
	if w.CAKeys.Fate != "" {
		saved.Keys.CAKeys = w.CAKeys.Fate
	}
	saved.Resolve(w.Dir)
	planText, err := saved.Relative(dir).Marshal()
	if err == nil && len(planText) > yamlfile.MaxBytes && a.Plan.NodesFrom != "" {
		// A table too long for a plan stays in its own file.
		saved.NodesFrom = w.path(a.Plan.NodesFrom)
		planText, err = saved.Relative(dir).Marshal()
	}
	if err != nil {
		return err
	}
	whole := layout.Request{Set: p.Set, Layouts: a.Plan.Output.Layouts, Dir: dir, Plan: planText, Now: w.Now(), Version: w.Version}
	if p.Files, err = layout.Render(whole); err != nil {
		return err
	}
	if w.Earlier != nil {
		w.Earlier.carryKeys(p)
	}
	steps := nextSteps(p)
	p.Notes = slices.DeleteFunc(slices.Clone(p.Notes), isPlainNote) // of another fate, in a set that is kept
	if p.Unsealed = a.SealLater; !p.Unsealed {
		if err := w.CAKeys.with(a.CAPassphrase).Protect(ctx, saved, p, dir, progress); err != nil {
			return err
		}
	}
	if w.Draw != nil {
		pictures, err := w.Draw(p, a.Plan, w.Now())
		if err != nil {
			return err
		}
		p.Files = append(p.Files, pictures...)
	}
	if r := restOf(p); r != nil {
		keys := w.CAKeys.or(saved)
		r.rendered(whole, p.Files, func(f layout.File) layout.File {
			if !bytes.Equal(steps, nextSteps(p)) { // the keys of CAs were sealed or left out
				f.Data = keys.rewrite(f.Data, dir)
			}
			return f
		})
	}
	p.Survey, err = survey(w, typed, dir, p)
	return err
}

func nextSteps(p *flow.Prepared) []byte {
	for _, f := range p.Files {
		if f.Path == layout.NextStepsFile {
			return f.Data
		}
	}
	return nil
}

// destination is where the set goes: as it was typed, and absolute.
func destination(w *World, p *plan.Plan) (typed, dir string) {
	if typed = p.Output.Dir; typed == "" {
		typed = plan.DefaultDir
	}
	dir = w.path(typed)
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return typed, dir
}

func storeFile(f layout.File) store.File {
	return store.File{Path: f.Path, Data: f.Data, Mode: f.Mode, Slot: string(f.Slot), Kind: string(f.Kind), Serial: f.Serial, NotAfter: f.NotAfter}
}
