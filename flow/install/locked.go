package install

import (
	"certwright/certs/topology"
	"certwright/flow"
)

// LockedKey is an encrypted key that waits for its passphrase.
type LockedKey struct {
	Slot topology.SlotID
	File string // as it was named
}

// Locked lists the encrypted keys among the material that no passphrase of the
// answers opened.
func Locked(w *World, a *flow.Answers) []LockedKey {
	g := w.gatherer(a)
	var out []LockedKey
	for _, c := range a.Topology.Components {
		for _, slot := range a.Topology.Due(c.ID, a.Plan.Mode(c.ID)) {
			if a.Plan.Mode(c.ID) == topology.Generate {
				continue
			}
			for _, part := range []flow.Part{flow.PartKey, flow.PartCert} {
				r := g.source(flow.Field{Slot: slot.ID, Part: part})
				if r != nil && r.doc != nil && r.doc.NeedsPassphrase() {
					out = append(out, LockedKey{Slot: slot.ID, File: r.path})
					break
				}
			}
		}
	}
	return out
}
