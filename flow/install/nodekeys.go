package install

import (
	"errors"
	"io/fs"

	"certwright/certs/issue"
	"certwright/flow/plan"
)

// maxAhead bounds the keys that are made ahead for nodes: a megabyte of them.
const maxAhead = 2048

// KeysAhead has keys of many nodes made while the plan is looked at and the rest
// of the set is made and proved, which for a part does not use all cores. They
// come from w.Keys then, until the returned function is called, which throws
// away what is left. Where something lies at the destination none are made: the
// keys of a set stay.
func (w *World) KeysAhead(p *plan.Plan) (stop func()) {
	// An RSA key takes longer than all that it would wait for.
	if w.Keys != nil || p.Keys.Algorithm.RSA() || issue.Cores() < 2 {
		return func() {}
	}
	profile, err := w.Catalogue.Load(p.Profile)
	if err != nil {
		return func() {} // who answers says so
	}
	n := p.NodeKeys(profile)
	if n == 0 {
		return func() {}
	}
	_, dir := destination(w, p)
	if _, err := w.Read.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return func() {}
	}
	ahead := issue.NewAhead(0)
	w.Keys = ahead
	ahead.Prepare(p.Keys.Algorithm, min(n, maxAhead))
	return func() {
		w.Keys = nil
		ahead.Close()
	}
}
