// Package install is the pipeline from the answers to the files: resolve,
// gather, issue, check, prove, render, commit. Start with Prepare, which makes
// a whole set in memory and touches nothing, and Commit, which writes it. The
// wizard reaches both through Runner, the headless commands call them directly,
// so the two cannot disagree.
//
// Nothing is written before the set was checked and proved, and only through
// package store. It never shows anything: progress and findings are handed up.
package install

import (
	"context"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/afero"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/flow"
	"certwright/flow/plan"
)

// World is what the pipeline needs of the world outside. Main passes the real
// one, tests and the demo one in memory.
type World struct {
	// Read is the disk that material is read from.
	Read afero.Fs
	// Write is the disk that sets are written to.
	Write store.FS
	// Dir is the working directory, which relative paths start from.
	Dir string
	// Memory says that Write outlives nothing, as in a demo.
	Memory bool
	Now    func() time.Time
	// Rand is the randomness of serial numbers; keys always come from the
	// runtime's own secure source.
	Rand io.Reader
	// Keys makes the private keys; nil makes each when it is needed.
	Keys issue.KeyMaker
	// Workers is how many keys and handshakes are made at once; 0 for one per core.
	Workers int
	Version string
	// Made is when the program was built, zero when that is not known: a clock
	// that shows an earlier time is wrong.
	Made time.Time
	// CAKeys is what becomes of the keys of CAs that are made here.
	CAKeys CAKeys
	// Earlier is the set that is carried on; nil makes all anew.
	Earlier *Earlier
	// StepCA reaches a CA that the plan asks over the network, with the password
	// of its provisioner; nil where there is no network, as in a demo.
	StepCA func(ctx context.Context, c plan.StepCA, password []byte) (issue.Source, error)
	// OpenKeys takes the key of a brought CA that others may read too.
	OpenKeys bool
	// Passphrase opens the encrypted keys of a folder that is read; nil opens none.
	Passphrase []byte
	// Parse is material.Parse when nil. Who has parsed the same bytes already can
	// give what came of it instead.
	Parse func(material.Input) *material.Document
	// Stays says that the program goes on when a set is made: the memory that
	// Prepare lets garbage lie in would stay its own.
	Stays bool
	// Unseen says that nobody looks at what would change before it is written:
	// Prepare leaves it to Commit to look at what lies at the destination, which
	// takes as long as to read all of it.
	Unseen bool
	// Draw makes the pictures that are written beside a set; nil makes none.
	// Drawing is a matter of the user interface, so it comes from above.
	Draw      func(p *flow.Prepared, answers *plan.Plan, now time.Time) ([]layout.File, error)
	Catalogue flow.Catalogue
}

// PastedName is what messages call material that was pasted.
const PastedName = "pasted text"

func (w *World) parse(in material.Input) *material.Document {
	if w.Parse != nil {
		return w.Parse(in)
	}
	return material.Parse(in)
}

// path makes a path that a person typed one that can be opened.
func (w *World) path(p string) string {
	if p == "" || filepath.IsAbs(p) || w.Dir == "" {
		return p
	}
	return filepath.Join(w.Dir, p)
}
