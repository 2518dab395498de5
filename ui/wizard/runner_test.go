package wizard

import (
	"context"
	"sync"
	"time"

	"github.com/spf13/afero"

	"certwright/assets/layout"
	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/flow"
)

// fakeRunner answers effects as a test says, without keys or a disk.
type fakeRunner struct {
	mu sync.Mutex
	fs afero.Fs
	// verdicts are what CheckSlot says; a slot without one is good.
	verdicts map[topology.SlotID]flow.Verdict
	// prepare makes the set; prepared by default.
	prepare func(flow.Prepare) (*flow.Prepared, error)
	// changed are the slots whose files changed on disk, told once.
	changed []topology.SlotID
	write   func(ctx context.Context, e flow.Write) flow.Written
	save    func(flow.Save) flow.Saved
	filled  func(flow.SortFolder) flow.Filled
	nodes   func(flow.ReadNodes) flow.NodesRead
	// ran are the effects in order.
	ran []flow.Effect
}

func newFakeRunner() *fakeRunner { return &fakeRunner{verdicts: map[topology.SlotID]flow.Verdict{}} }

// goodPair stands for material that was judged good.
func goodPair() *certs.Pair { return &certs.Pair{} }

func (f *fakeRunner) Run(ctx context.Context, e flow.Effect, progress func(flow.Event)) flow.Event {
	f.mu.Lock()
	f.ran = append(f.ran, e)
	f.mu.Unlock()
	switch e := e.(type) {
	case flow.CheckSlot:
		v, ok := f.verdicts[e.Slot]
		if !ok {
			v = flow.Verdict{Pair: goodPair()}
		}
		v.Rechecked = e.Rechecked
		return flow.Checked{Slot: e.Slot, Gen: e.Gen, Verdict: v}
	case flow.LookAtFiles:
		changed := f.changed
		f.changed = nil
		return flow.Looked{Changed: changed}
	case flow.ReadNodes:
		if f.nodes != nil {
			return f.nodes(e)
		}
		return flow.NodesRead{Gen: e.Gen}
	case flow.SortFolder:
		if f.filled != nil {
			return f.filled(e)
		}
		return flow.Filled{Gen: e.Gen}
	case flow.Prepare:
		make := f.prepare
		if make == nil {
			make = func(e flow.Prepare) (*flow.Prepared, error) { return prepared(e.Answers), nil }
		}
		p, err := make(e)
		return flow.PreparedSet{Gen: e.Gen, Prepared: p, Err: err}
	case flow.Write:
		if f.write != nil {
			return flow.Wrote{Written: f.write(ctx, e)}
		}
		progress(flow.Progressed{Progress: flow.Progress{Stage: "stage", Item: "tls/ca.crt", Done: 3, Total: len(e.Prepared.Files)}})
		return flow.Wrote{Written: flow.Written{Receipt: flow.Receipt{Dir: e.Prepared.Survey.Dir, Written: len(e.Prepared.Files)}}}
	case flow.Save:
		if f.save != nil {
			return f.save(e)
		}
		return flow.Saved{Path: "certwright.yaml"}
	}
	return nil
}

// prepared is a set with the files of the tree, without a byte of a certificate.
func prepared(a *flow.Answers) *flow.Prepared {
	p := &flow.Prepared{Topology: a.Topology, Set: &certs.Set{Topology: a.Topology, Modes: map[topology.ComponentID]topology.Mode{}, Pairs: map[topology.SlotID]*certs.Pair{}}}
	for _, c := range a.Topology.Components {
		p.Set.Modes[c.ID] = a.Plan.Mode(c.ID)
	}
	add := func(path string, kind layout.Kind, mode uint32, size int, slot topology.SlotID) {
		f := layout.File{Path: path, Kind: kind, Slot: slot, Mode: 0o644, Data: make([]byte, size)}
		if mode == 0o600 {
			f.Mode = 0o600
		}
		if kind == layout.KindCertificate || kind == layout.KindCA {
			f.NotAfter = testNow.Add(365 * 24 * time.Hour)
			f.Serial = "5f1290c47701ab3e"
		}
		p.Files = append(p.Files, f)
	}
	for _, s := range a.Topology.Slots {
		kind := layout.KindCertificate
		if s.Kind == topology.CA {
			kind = layout.KindCA
		}
		if s.Files.Cert != "" {
			add("tls/"+s.Files.Cert, kind, 0o644, 790, s.ID)
		}
		if s.Files.Bundle != "" {
			add("tls/"+s.Files.Bundle, layout.KindBundle, 0o644, 1580, s.ID)
		}
		if s.Files.Key != "" {
			k := layout.KindKey
			if s.Kind == topology.CA {
				k = layout.KindCAKey
			}
			add("tls/"+s.Files.Key, k, 0o600, 227, s.ID)
		}
		if s.Files.Public != "" {
			add("tls/"+s.Files.Public, layout.KindPublicKey, 0o644, 178, s.ID)
		}
	}
	add("certwright.yaml", layout.KindDocument, 0o644, 420, "")
	add("NEXT-STEPS.md", layout.KindDocument, 0o644, 3100, "")
	p.Survey = flow.Survey{Dir: a.Plan.Output.Dir, Existing: "nothing"}
	for _, f := range p.Files {
		p.Survey.Changes = append(p.Survey.Changes, flow.Change{Path: f.Path, What: flow.Added, Mode: f.Mode, Size: len(f.Data), Kind: f.Kind, Slot: f.Slot})
	}
	return p
}

// warned adds a warning to a set.
func warned(p *flow.Prepared, slot topology.SlotID, message, fix string) *flow.Prepared {
	p.Findings = append(p.Findings, check.Finding{Rule: "ends-soon", Severity: check.Warning, Slot: slot, Message: message, Fix: fix})
	return p
}
