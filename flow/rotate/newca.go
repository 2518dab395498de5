package rotate

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// sealed is what the name of a key ends with that was sealed with age.
const sealed = ".age"

// next is the set as it will be: what is exchanged is new, all else is the
// very same.
func (m *maker) next(ctx context.Context) (*certs.Set, error) {
	m.final = m.r.Plan.Clone()
	if m.final.Components == nil {
		m.final.Components = map[topology.ComponentID]plan.Component{}
	}
	if m.out.Pair != "" {
		return m.nextPair(ctx)
	}
	req := issue.Request{
		Topology: m.out.Topology, Modes: map[topology.ComponentID]topology.Mode{}, Brought: maps.Clone(m.out.Old.Pairs),
		Subordinate: map[topology.AuthorityID]bool{}, Hierarchy: topology.Intermediates, Algorithm: m.r.Plan.Algorithm(m.out.Topology.Profile),
		CALife: m.r.Plan.Validity.CA.Or(plan.DefaultCALife), LeafLife: m.r.Plan.Validity.Leaf.Or(plan.DefaultLeafLife),
		Now: m.now, Keys: m.w.Keys, Workers: m.w.Workers, Rand: m.w.Rand,
	}
	for _, c := range m.out.Topology.Components {
		req.Modes[c.ID] = topology.BringCerts
	}
	for i := range m.out.Topology.Slots {
		s := &m.out.Topology.Slots[i]
		if s.Kind == topology.Leaf && m.rotated(s.Authority) {
			req.Modes[s.Component] = topology.Generate
			m.takeOver(s.Component, s.Authority)
		}
	}
	for _, a := range m.out.Rotated {
		if err := m.signer(a, &req); err != nil {
			return nil, err
		}
	}
	set, err := issue.All(ctx, req, func(e issue.Event) {
		m.progress(flow.Progress{Stage: "issue", Item: strings.TrimSpace(e.What + " " + string(e.Slot)), Done: e.Done, Total: e.Total})
		if e.What == issue.WhatNote {
			m.note("%s", e.Note)
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range m.out.Topology.Slots {
		if s := &m.out.Topology.Slots[i]; s.Kind == topology.KeyPair || !m.rotated(s.Authority) {
			set.Pairs[s.ID] = m.out.Old.Pairs[s.ID]
		}
	}
	if m.r.Target == Root {
		m.root = set.Root
	}
	return set, m.differs(set)
}

func (m *maker) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(m.out.Notes, text) {
		m.out.Notes = append(m.out.Notes, text)
	}
}

// takeOver issues here what was brought until now: a new CA has a key here.
func (m *maker) takeOver(id topology.ComponentID, a topology.AuthorityID) {
	if m.r.Plan.Mode(id) != topology.BringCerts {
		return
	}
	m.note("the certificates of %s were brought; those under the new %s CA are made here", id, a)
	m.final.Components[id] = plan.Component{Mode: topology.Generate}
}

// signer decides where the new CA of an authority comes from.
func (m *maker) signer(id topology.AuthorityID, req *issue.Request) error {
	t := m.out.Topology
	a := t.Authority(id)
	old := m.out.Old.Anchor(id)
	answer := m.r.Plan.Components[a.Owner]
	mode := m.r.Plan.Mode(a.Owner)
	switch {
	case m.r.Target == Root:
		req.Modes[a.Owner] = topology.Generate
		m.seal = true
		return nil
	case m.r.Cert != "" || m.r.Key != "":
		return m.brought(a, req)
	case m.r.Flat, mode == topology.Generate && isRoot(old):
		req.Hierarchy = topology.Roots
		req.Modes[a.Owner] = topology.Generate
		m.final.Components[a.Owner] = plan.Component{Mode: topology.Generate}
		m.seal = true
		return nil
	case mode == topology.BringCA && !answer.Intermediate, mode == topology.BringCerts:
		return fmt.Errorf("the CA of %s was brought, so the new one is brought too: name its files with --cert and --key, or have one made that is a root of its own with --flat", a.Owner)
	}
	above, err := m.issuer(a, answer)
	if err != nil {
		return err
	}
	req.Brought[a.Slot] = above
	req.Modes[a.Owner], req.Subordinate[id] = topology.BringCA, true
	m.seal = true
	return nil
}

// brought takes the person's new CA.
func (m *maker) brought(a *topology.Authority, req *issue.Request) error {
	if m.r.Cert == "" {
		return errors.New("--key without --cert: name the certificate of the new CA too")
	}
	slot := m.out.Topology.Slot(a.Slot)
	pair, findings, err := m.read(slot, m.r.Cert, m.r.Key)
	if err != nil {
		return err
	}
	if !check.OK(findings) {
		return &install.Refusal{Findings: findings}
	}
	req.Brought[a.Slot] = pair
	req.Modes[a.Owner] = topology.BringCA
	m.final.Components[a.Owner] = plan.Component{Mode: topology.BringCA, CA: &plan.Files{Cert: m.at(m.r.Cert), Key: m.at(m.r.Key)}}
	if m.r.Key == "" {
		m.final.Components[a.Owner].CA.Key = m.at(m.r.Cert)
	}
	return nil
}

// read reads a CA that is brought, and judges it as any that is.
func (m *maker) read(slot *topology.Slot, certFile, keyFile string) (*certs.Pair, []check.Finding, error) {
	docs := map[string]*material.Document{}
	for _, file := range []string{certFile, keyFile} {
		if file == "" {
			continue
		}
		in, err := install.ReadInput(m.w.Read, m.at(file))
		if err != nil {
			return nil, nil, err
		}
		in.Name, in.Passphrase = file, m.r.Open
		docs[file] = material.Parse(in)
		if err := m.input(file); err != nil {
			return nil, nil, err
		}
	}
	cert, key := docs[certFile], docs[keyFile]
	if key == nil {
		key = cert
	}
	if cert == nil {
		cert = key
	}
	found := check.Slot(check.SlotInput{Slot: slot, Topology: m.out.Topology, Cert: cert, Key: key, Now: m.now, Rewritten: true})
	pair := &certs.Pair{Key: key.Signer()}
	all := cert.X509()
	if len(all) == 0 {
		return nil, found, nil
	}
	own := all[0]
	for _, c := range all {
		if pair.Key != nil && material.SamePublicKey(c.PublicKey, pair.Key.Public()) {
			own = c
			break
		}
	}
	m.pool = append(m.pool, all...)
	pair.Certificates = m.above(own)
	return pair, found, nil
}

// issuer is the CA above an intermediate of ours, with its key.
func (m *maker) issuer(a *topology.Authority, answer plan.Component) (*certs.Pair, error) {
	slot := m.out.Topology.Slot(a.Slot)
	if answer.Intermediate && answer.CA != nil {
		pair, findings, err := m.read(slot, answer.CA.Cert, answer.CA.Key)
		if err == nil && !check.OK(findings) {
			err = &install.Refusal{Findings: findings}
		}
		return pair, err
	}
	chain := m.out.Old.Pairs[a.Slot].Certificates
	fix := fmt.Sprintf("bring it back, or have a CA made that is a root of its own with --flat (programs trust the %s itself and not what stands above it), or bring one with --cert and --key", a.Title)
	if len(chain) < 2 {
		return nil, fmt.Errorf("the certificate above the %s is not in %s; %s", a.Title, untrusted.Text(m.r.Dir), fix)
	}
	key, err := m.rootKey()
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, fix)
	}
	return &certs.Pair{Certificates: chain[1:], Key: key}, nil
}

// rootKey is the key of the set's root, from ca/, where it may be sealed.
func (m *maker) rootKey() (crypto.Signer, error) {
	file := filepath.Join(m.r.Dir, "ca", "root.key")
	data, err := install.ReadFile(m.w.Read, m.at(file), 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		if data, err = install.ReadFile(m.w.Read, m.at(file+sealed), 64<<10); err == nil {
			file += sealed
			if len(m.w.CAKeys.Passphrase) == 0 {
				return nil, fmt.Errorf("%s is sealed, and signs the new CA; give its passphrase with --ca-passphrase-file FILE", untrusted.Text(file))
			}
			data, err = install.OpenSealed(data, m.w.CAKeys.Passphrase)
			if err != nil {
				return nil, fmt.Errorf("%s was not opened by this passphrase", untrusted.Text(file))
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the key of the root is not in %s (ca/root.key), and the new CA is to stand under it", untrusted.Text(m.r.Dir))
	}
	if err != nil {
		return nil, err
	}
	defer clear(data)
	key := material.Parse(material.Input{Name: file, Data: data}).Signer()
	if key == nil {
		return nil, fmt.Errorf("%s holds no key that can be read", untrusted.Text(file))
	}
	return key, nil
}

// differs refuses a new CA that is the old one, and says what a like one means.
func (m *maker) differs(set *certs.Set) error {
	for _, id := range m.out.Rotated {
		a, old, new := m.out.Topology.Authority(id), m.out.Old.Anchor(id), set.Anchor(id)
		switch {
		case old.Equal(new):
			return fmt.Errorf("the CA given is the %s of the set itself: there is nothing to rotate to", a.Title)
		case material.SamePublicKey(old.PublicKey, new.PublicKey):
			m.note("the new %s has the key of the old one: certificates of the old one stay good at the end, and whoever has the key keeps it", a.Title)
		case bytes.Equal(old.RawSubject, new.RawSubject) && len(new.SubjectKeyId) == 0:
			m.note("the new %s is called as the old one and has no subject key identifier: programs that use OpenSSL (nginx) may take the one for the other while both are trusted", a.Title)
		}
	}
	return nil
}

// nextPair makes or takes the new key pair.
func (m *maker) nextPair(ctx context.Context) (*certs.Set, error) {
	slot := m.out.Topology.Slot(m.out.Pair)
	set := *m.out.Old
	set.Pairs = maps.Clone(m.out.Old.Pairs)
	pair := &certs.Pair{}
	if m.r.Key != "" {
		in, err := install.ReadInput(m.w.Read, m.at(m.r.Key))
		if err != nil {
			return nil, err
		}
		in.Name, in.Passphrase = m.r.Key, m.r.Open
		doc := material.Parse(in)
		if found := check.Slot(check.SlotInput{Slot: slot, Topology: m.out.Topology, Key: doc, Now: m.now, Rewritten: true}); !check.OK(found) {
			return nil, &install.Refusal{Findings: found}
		}
		if pair.Key = doc.Signer(); pair.Key == nil {
			return nil, fmt.Errorf("%s holds no private key that can be read", untrusted.Text(m.r.Key))
		}
		if err := m.input(m.r.Key); err != nil {
			return nil, err
		}
	} else {
		algorithm := m.r.Plan.Algorithm(m.out.Topology.Profile)
		if err := issue.AllowedFor(slot, algorithm); err != nil {
			return nil, err
		}
		keys := m.w.Keys
		if keys == nil {
			keys = issue.NewKeys(m.w.Workers)
		}
		var err error
		if pair.Key, err = keys.Key(ctx, algorithm); err != nil {
			return nil, err
		}
	}
	if material.SamePublicKey(pair.Key.Public(), m.out.Old.Pairs[slot.ID].Key.Public()) {
		return nil, fmt.Errorf("%s is the key of the set itself: there is nothing to rotate to", untrusted.Text(m.r.Key))
	}
	set.Pairs[slot.ID] = pair
	return &set, nil
}
