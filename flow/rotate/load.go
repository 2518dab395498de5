package rotate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strings"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
)

// load reads the set that the machines have.
func (m *maker) load(ctx context.Context) error {
	m.progress(flow.Progress{Stage: "read"})
	l, err := install.Load(ctx, m.w, m.r.Dir, m.r.Topology)
	if err != nil {
		return err
	}
	if err := complete(m.r.Dir, l); err != nil {
		return err
	}
	folder, err := install.ReadFolder(ctx, m.w, m.r.Dir)
	if err != nil {
		return err
	}
	for _, f := range folder.Files {
		for _, c := range f.Doc.X509() {
			if c.IsCA {
				m.pool = append(m.pool, c)
			}
		}
	}
	old := *l.Set
	old.Modes = map[topology.ComponentID]topology.Mode{}
	for _, c := range old.Topology.Components {
		old.Modes[c.ID] = m.r.Plan.Mode(c.ID)
	}
	old.Pairs = map[topology.SlotID]*certs.Pair{}
	for id, pair := range l.Set.Pairs {
		own := *pair
		if old.Topology.Slot(id) != nil && old.Topology.Slot(id).Kind == topology.CA {
			own.Certificates = m.above(pair.Leaf())
		}
		old.Pairs[id] = &own
	}
	m.out = &Rotation{Topology: old.Topology, Old: &old, inputs: map[string]flow.Stamp{}}
	return m.remember(l)
}

// complete names what is not there: a stage holds all files of a machine.
func complete(dir string, l *install.Loaded) error {
	var lacks []string
	for _, id := range l.Sorted.Missing {
		lacks = append(lacks, string(id))
	}
	t := l.Set.Topology
	for i := range t.Slots {
		s := &t.Slots[i]
		pair := l.Set.Pairs[s.ID]
		switch {
		case pair == nil && len(l.Sorted.Missing) == 0:
			lacks = append(lacks, string(s.ID))
		case pair != nil && s.Kind != topology.CA && pair.Key == nil:
			lacks = append(lacks, "the key of "+string(s.ID))
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	more := ""
	if n := len(lacks) - 4; n > 1 {
		lacks, more = lacks[:4], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("%s lacks %s%s, and a stage holds all that a machine needs; see: certwright validate %s",
		untrusted.Text(dir), strings.Join(lacks, ", "), more, untrusted.Text(dir).ShellArg())
}

// above is a CA with its issuers, as far as the set has them.
func (m *maker) above(ca *x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{ca}
	for at := ca; len(chain) < 10 && !isRoot(at); {
		var next *x509.Certificate
		for _, c := range m.pool {
			if bytes.Equal(c.RawSubject, at.RawIssuer) && !c.Equal(at) && at.CheckSignatureFrom(c) == nil {
				next = c
				break
			}
		}
		if next == nil {
			break
		}
		chain = append(chain, next)
		at = next
	}
	return chain
}

func isRoot(c *x509.Certificate) bool { return c != nil && issue.SelfSigned(c) }

// remember notes the files that the stages are made of: one that changes before
// they are written stops the write.
func (m *maker) remember(l *install.Loaded) error {
	for _, s := range l.Slots {
		for _, name := range []string{s.CertFile, s.KeyFile} {
			if name == "" {
				continue
			}
			if err := m.input(filepath.Join(m.r.Dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *maker) input(path string) error {
	if _, known := m.out.inputs[path]; known {
		return nil
	}
	in, err := install.ReadInput(m.w.Read, m.at(path))
	if err != nil {
		return err
	}
	defer clear(in.Data)
	m.out.inputs[path] = flow.Stamp{Size: int64(len(in.Data)), SHA256: sha256.Sum256(in.Data)}
	return nil
}

// at makes a path that a person typed one that can be opened.
func (m *maker) at(path string) string {
	if filepath.IsAbs(path) || m.w.Dir == "" {
		return path
	}
	return filepath.Join(m.w.Dir, path)
}
