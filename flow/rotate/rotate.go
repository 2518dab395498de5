// Package rotate plans the exchange of a CA, or of a key pair that signs tokens,
// in a cluster that runs: three sets of files, each of which every machine may
// have while others still have the one before. Start with Prepare, which makes
// all of it in memory and proves it, and Commit, which writes it.
//
// It touches no machine and never the set that it starts from, and it needs no
// key of the CA that goes.
package rotate

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"certwright/assets/layout"
	"certwright/certs"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// Root is the target that stands for the root above the CAs that were made, and
// for all of these with it.
const Root = "root"

// Request says what to exchange.
type Request struct {
	// Dir is the set that the machines have: one of ours, or a folder of files.
	Dir      string
	Plan     *plan.Plan // its answers, paths resolved
	Topology *topology.Topology
	// Target is an authority, Root, or the slot of a key pair.
	Target string
	// Cert and Key are the files of the new CA, where it is brought.
	Cert, Key string
	// Flat makes the new CA a root of its own, whatever the old one was.
	Flat bool
	// Out is where the stages are to be written; "" while nothing is.
	Out string
	// Open opens the key of a CA that is brought, where it is encrypted. A sealed
	// key of the set opens with the passphrase of the world's CAKeys.
	Open []byte
}

// Rotation is the exchange, made and proved in memory.
type Rotation struct {
	Target   string
	What     string // "the etcd CA", "the root and the CAs under it"
	Topology *topology.Topology
	// Rotated are the authorities that are exchanged; empty for a key pair.
	Rotated []topology.AuthorityID
	Pair    topology.SlotID // the key pair that is exchanged, "" for CAs
	Old     *certs.Set      // what the machines have
	Stages  []*Stage
	Proofs  []Proof
	// Refused counts the connections with a certificate of the old CA that the
	// last stage refuses, as it must.
	Refused int
	Notes   []string
	Files   []layout.File // all that would be written, below Out
	Out     string
	inputs  map[string]flow.Stamp
}

// Stage is one of the three sets.
type Stage struct {
	Dir     string // its directory's name: 1-trust-both
	Title   string
	Set     *certs.Set
	Files   []layout.File // below its directory
	Changed []string      // the files of the tree that the stage before has otherwise, or not
}

// Proof is the connections between machines of one stage and machines of
// another; stage 0 is the set as it is.
type Proof struct {
	Clients, Servers int
	Handshakes       []prove.Handshake
	Tokens           []prove.Token
}

// Refusal says between which stages something would be refused. Nothing was written.
type Refusal struct {
	Clients, Servers int
	Handshakes       []prove.Handshake // the failed ones
	Tokens           []prove.Token
	edges            map[string]string // titles
}

func (r *Refusal) Error() string {
	var b strings.Builder
	switch {
	case r.Clients == 0 && r.Servers == 0:
		b.WriteString("the set as it is does not work, and a rotation cannot be proved from there: ")
	case r.Clients == r.Servers:
		fmt.Fprintf(&b, "stage %d does not work: ", r.Clients)
	default:
		fmt.Fprintf(&b, "a client of %s would be refused by a server of %s: ", stageName(r.Clients), stageName(r.Servers))
	}
	if len(r.Handshakes) > 0 {
		h := r.Handshakes[0]
		fmt.Fprintf(&b, "%s (%s): %s", r.edges[h.Edge], h.Edge, h.Problem)
	} else if len(r.Tokens) > 0 {
		fmt.Fprintf(&b, "tokens signed with %s: %s", r.Tokens[0].Slot, r.Tokens[0].Problem)
	}
	if n := len(r.Handshakes) + len(r.Tokens) - 1; n > 0 {
		fmt.Fprintf(&b, " (and %d more)", n)
	}
	if r.Clients == 0 && r.Servers == 0 {
		b.WriteString("; mend that first, then rotate")
	}
	return b.String()
}

func stageName(n int) string {
	if n == 0 {
		return "the set as it is"
	}
	return fmt.Sprintf("stage %d", n)
}

// stages are the names of the three.
var stages = []struct{ dir, title, holds string }{
	{"1-trust-both", "trust the old and the new", "the old and the new"},
	{"2-issue-from-new", "present what is new", "the new and the old"},
	{"3-drop-old", "trust the new alone", "the new alone"},
}

// Prepare makes the stages of a rotation and proves them. It touches nothing.
// The error is a *Refusal where a connection would break.
func Prepare(ctx context.Context, w *install.World, r Request, progress func(flow.Progress)) (*Rotation, error) {
	if progress == nil {
		progress = func(flow.Progress) {}
	}
	m := &maker{w: w, r: r, now: w.Now(), progress: progress}
	if err := m.load(ctx); err != nil {
		return nil, err
	}
	if err := m.target(); err != nil {
		return nil, err
	}
	next, err := m.next(ctx)
	if err != nil {
		return nil, err
	}
	m.sets(next)
	if err := m.prove(ctx); err != nil {
		return m.out, err
	}
	if err := m.render(ctx); err != nil {
		return nil, err
	}
	return m.out, nil
}

// Commit writes the stages, all of them or nothing. Replace says that a person
// agreed to replace what is there.
func Commit(ctx context.Context, w *install.World, out *Rotation, replace bool, progress func(flow.Progress)) (flow.Receipt, error) {
	p := &flow.Prepared{Topology: out.Topology, Files: out.Files, Survey: flow.Survey{Dir: out.Out}, Inputs: out.inputs}
	return install.Commit(ctx, w, p, replace, progress)
}

// maker makes one rotation.
type maker struct {
	w        *install.World
	r        Request
	now      time.Time
	progress func(flow.Progress)
	out      *Rotation
	pool     []*x509.Certificate // every CA that lies in the set
	final    *plan.Plan          // the answers of the last stage
	root     *certs.Pair         // the new root, when it is made anew
	seal     bool                // keys of CAs were made here
}

func (m *maker) rotated(a topology.AuthorityID) bool {
	for _, id := range m.out.Rotated {
		if id == a {
			return true
		}
	}
	return false
}

// target finds out what is to be exchanged.
func (m *maker) target() error {
	t := m.out.Topology
	m.out.Target = m.r.Target
	if m.r.Target == Root {
		return m.allUnderRoot()
	}
	if a := t.Authority(topology.AuthorityID(m.r.Target)); a != nil {
		m.out.Rotated, m.out.What = []topology.AuthorityID{a.ID}, "the "+a.Title
		return nil
	}
	if s := t.Slot(topology.SlotID(m.r.Target)); s != nil && s.Kind == topology.KeyPair {
		if m.r.Cert != "" || m.r.Flat {
			return errors.New("a key pair has no certificate: leave --cert and --flat out; --key brings the new key")
		}
		m.out.Pair, m.out.What = s.ID, "the "+s.Title
		return nil
	}
	var names []string
	for _, a := range t.Authorities {
		names = append(names, string(a.ID))
	}
	names = append(names, Root)
	for i := range t.Slots {
		if t.Slots[i].Kind == topology.KeyPair {
			names = append(names, string(t.Slots[i].ID))
		}
	}
	return &Unknown{fmt.Sprintf("%s is nothing that can be rotated in profile %s; it has %s", untrusted.Text(m.r.Target).Max(80), t.Profile.Name, strings.Join(names, ", "))}
}

// Unknown is a target that the profile does not have.
type Unknown struct{ text string }

func (u *Unknown) Error() string { return u.text }

// allUnderRoot takes every authority that stands under the root of the set.
func (m *maker) allUnderRoot() error {
	if m.r.Cert != "" || m.r.Key != "" {
		return errors.New("--cert and --key bring one authority's CA; name the authority, or leave them out for a root made here")
	}
	for _, a := range m.out.Topology.Authorities {
		c := m.r.Plan.Components[a.Owner]
		if m.r.Plan.Mode(a.Owner) == topology.Generate && !c.Intermediate && !isRoot(m.out.Old.Anchor(a.ID)) {
			m.out.Rotated = append(m.out.Rotated, a.ID)
		}
	}
	if len(m.out.Rotated) == 0 {
		return errors.New("no CA of this set stands under a root that was made with it: each is a root itself, or was brought; rotate it by its own name")
	}
	m.out.What = "the root and the CAs under it"
	return nil
}
