package offline

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/certs/check"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// Wanted says what to ask for.
type Wanted struct {
	Dir        string // of the round
	Passphrase []byte // seals the keys
	Work       int    // as in install.CAKeys
	// Renews is the set that the certificates go into; empty for a new one. Then
	// Slots are asked for and no others, of CAs.
	Renews string
	Slots  []topology.SlotID
	CAs    map[topology.AuthorityID]*x509.Certificate
}

// Asked is a round in memory, ready to be written.
type Asked struct {
	Dir      string // absolute
	State    State
	Profile  string
	Files    []layout.File
	Findings []check.Finding // of the CAs that will be asked
}

// Ask makes keys and requests. The error is an *install.Refusal when a CA that
// was brought could not sign what is asked for. It touches nothing.
func Ask(ctx context.Context, w *install.World, a *flow.Answers, want Wanted) (*Asked, error) {
	due := Due(a)
	if want.Renews != "" {
		due = nil
		for _, id := range want.Slots {
			due = append(due, a.Topology.Slot(id))
		}
	}
	if len(due) == 0 {
		return nil, errors.New("nothing is to be asked for: no component has a CA whose key is elsewhere; write one as {mode: bring-ca, ca: {cert: FILE, offline: true}}")
	}
	out := &Asked{Dir: absolute(w, want.Dir), Profile: a.Profile.Name}
	if err := apart(w, a, out.Dir, want); err != nil {
		return nil, err
	}
	cas := want.CAs
	if want.Renews == "" {
		var err error
		if cas, err = out.cas(w, a, due); err != nil {
			return out, err
		}
	}
	keys, err := makeKeys(ctx, w, a, due)
	if err != nil {
		return nil, err
	}
	out.State = State{APIVersion: plan.APIVersion, Kind: kind, Created: w.Now().UTC().Truncate(time.Second), Version: w.Version, Renews: want.Renews}
	var list []asked
	for i, s := range due {
		der, err := issue.NewCSR(s, keys[i], cas[s.Authority])
		if err != nil {
			return nil, err
		}
		csr, err := x509.ParseCertificateRequest(der)
		if err != nil {
			return nil, fmt.Errorf("%s: read the signing request again: %w", s.ID, err)
		}
		e := Entry{Slot: s.ID, Authority: s.Authority, File: requestFile(s), PublicKey: material.PublicKeyFingerprint(keys[i].Public())}
		list = append(list, asked{e, s, csr})
		out.State.Requests = append(out.State.Requests, e)
		out.add(e.File, issue.CSRPEM(der), layout.KindConfig, s.ID)
	}
	if err := out.keys(keys, want); err != nil {
		return nil, err
	}
	if err := out.state(w, a); err != nil {
		return nil, err
	}
	out.signFiles(a, list, cas)
	return out, nil
}

func absolute(w *install.World, dir string) string {
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(w.Dir, dir)
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return dir
}

// apart refuses a round where the set itself will lie.
func apart(w *install.World, a *flow.Answers, dir string, want Wanted) error {
	set := a.Plan.Output.Dir
	if set == "" {
		set = plan.DefaultDir
	}
	if filepath.Clean(absolute(w, set)) == filepath.Clean(dir) {
		return fmt.Errorf("the requests and the set cannot lie in one directory: name another with --out, such as %s-requests", want.Dir)
	}
	return nil
}

// cas are the certificates that will sign. What is wrong with one is found now
// and not when it has signed everything.
func (o *Asked) cas(w *install.World, a *flow.Answers, due []*topology.Slot) (map[topology.AuthorityID]*x509.Certificate, error) {
	bench, out := install.NewBench(w, a), map[topology.AuthorityID]*x509.Certificate{}
	for _, s := range due {
		if out[s.Authority] != nil {
			continue
		}
		ca := a.Topology.CASlot(s.Authority)
		v := bench.CA(ca.ID)
		o.Findings = append(o.Findings, v.Findings...)
		if out[s.Authority] = v.Pair.Leaf(); out[s.Authority] == nil && check.OK(v.Findings) {
			return nil, fmt.Errorf("%s: its certificate was not given; name it: {mode: bring-ca, ca: {cert: FILE, offline: true}}", ca.ID)
		}
	}
	if !check.OK(o.Findings) {
		return nil, &install.Refusal{Findings: o.Findings}
	}
	return out, nil
}

func makeKeys(ctx context.Context, w *install.World, a *flow.Answers, due []*topology.Slot) ([]crypto.Signer, error) {
	algorithm := a.Plan.Algorithm(a.Profile)
	maker := w.Keys
	if maker == nil {
		maker = issue.NewKeys(w.Workers)
	}
	keys := make([]crypto.Signer, len(due))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(issue.Cores())
	for i, s := range due {
		if err := issue.AllowedFor(s, algorithm); err != nil {
			return nil, err
		}
		group.Go(func() (err error) {
			keys[i], err = maker.Key(ctx, algorithm)
			return err
		})
	}
	return keys, group.Wait()
}

//go:noinline // many callers, none of them hot
func (o *Asked) add(path string, data []byte, kind layout.Kind, slot topology.SlotID) {
	f := layout.File{Path: path, Data: data, Mode: 0o644, Kind: kind, Slot: slot}
	if kind == layout.KindKey {
		f.Mode = 0o600
	}
	o.Files = append(o.Files, f)
}

// keys seals all keys in one file: opening it takes a second, for one key or
// for thousands.
func (o *Asked) keys(keys []crypto.Signer, want Wanted) error {
	var all bytes.Buffer
	defer func() { clear(all.Bytes()) }()
	for i, k := range keys {
		data, err := material.EncodeKey(k)
		if err != nil {
			return fmt.Errorf("%s: %w", o.State.Requests[i].Slot, err)
		}
		all.Write(data)
		clear(data)
	}
	sealed, err := install.Seal(all.Bytes(), want.Passphrase, want.Work)
	if err != nil {
		return fmt.Errorf("seal the keys: %w", err)
	}
	o.add(KeysFile, sealed, layout.KindKey, "")
	return nil
}

// state writes the plan as it awaits its certificates, and requests.json.
func (o *Asked) state(w *install.World, a *flow.Answers) error {
	p := a.Plan.Explicit(a.Profile)
	p.Awaiting = o.Dir
	p.Output.Dir = absolute(w, p.Output.Dir)
	p.Resolve(w.Dir)
	text, err := p.Relative(o.Dir).Marshal()
	if err != nil {
		return err
	}
	o.add(PlanFile, text, layout.KindDocument, "")
	state, err := json.MarshalIndent(o.State, "", "  ")
	if err != nil {
		return err
	}
	o.add(StateFile, append(state, '\n'), layout.KindConfig, "")
	return nil
}

// Write puts the round on the disk, whole or not at all. Errors are *store.Error.
// Without force it replaces no earlier round: the answers to its requests would
// be worth nothing without its keys.
func (o *Asked) Write(ctx context.Context, w *install.World, force bool) (*store.Result, error) {
	tx, err := store.Begin(ctx, w.Write, o.Dir, store.Options{Force: force, Version: w.Version, Profile: o.Profile, Now: w.Now()})
	if err != nil {
		return nil, err
	}
	defer tx.Abort() // does nothing after a commit
	for _, f := range o.Files {
		if err := tx.Add(storeFile(f)); err != nil {
			return nil, err
		}
	}
	return tx.Commit(ctx)
}

func storeFile(f layout.File) store.File {
	return store.File{Path: f.Path, Data: f.Data, Mode: f.Mode, Slot: string(f.Slot), Kind: string(f.Kind), Serial: f.Serial, NotAfter: f.NotAfter}
}
