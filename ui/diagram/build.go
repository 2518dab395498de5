package diagram

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow/plan"
)

// maxMessage bounds a finding's text, in bytes: a finding quotes both sides.
const maxMessage = 1024

// safe is text that may be shown. Most is plain and short, and a fleet has a
// great deal of it, so that is looked at first.
func safe(s string) string {
	if len(s) > untrusted.MaxBytes {
		return untrusted.Text(s).String()
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return untrusted.Text(s).String()
		}
	}
	return s
}

func message(s string) string { return untrusted.Text(s).Max(maxMessage) }

func safeAll[T ~string](in []T) []string {
	out := make([]string, 0, len(in))
	for _, s := range in {
		out = append(out, safe(string(s)))
	}
	return out
}

// builder puts a Model together.
type builder struct {
	in    *Input
	m     *Model
	above map[string]*Node // roots that were brought, by their certificate
	root  *Node            // the root that is made here
	due   map[topology.SlotID]bool
	files map[topology.SlotID][]File
}

// New builds the model. It never fails: what is not known is drawn as planned
// or missing.
func New(in Input) *Model {
	t := in.Topology
	m := &Model{
		Profile: safe(t.Profile.Name), Title: safe(t.Profile.Title), Cluster: safe(t.Facts.Get("cluster.name")), Now: in.Now,
		Counts: Counts{Modes: map[topology.Mode]int{}}, byID: map[string]*Node{}, titles: map[topology.AuthorityID]string{},
	}
	if m.Title == "" {
		m.Title = m.Profile
	}
	m.grouping = newGrouping(t.Profile)
	b := &builder{in: &in, m: m, above: map[string]*Node{}, due: map[topology.SlotID]bool{}, files: map[topology.SlotID][]File{}}
	for _, c := range t.Components {
		for _, s := range t.Due(c.ID, in.mode(c.ID)) {
			b.due[s.ID] = true
		}
	}
	for _, f := range in.Files {
		b.files[f.Slot] = append(b.files[f.Slot], File{Path: safe(f.Path), Private: f.Private()})
	}
	b.authorities()
	b.leaves()
	b.leftOut()
	b.shared()
	b.calls()
	b.groups()
	b.findings()
	b.openings()
	for _, n := range m.Roots {
		b.finish(n, nil, 0)
	}
	b.count()
	return m
}

func (b *builder) authorities() {
	t := b.in.Topology
	for i := range t.Authorities {
		a := &t.Authorities[i]
		b.m.lanes = append(b.m.lanes, a.ID)
		b.m.titles[a.ID] = safe(a.Title)
		slot := t.Slot(a.Slot)
		if slot == nil {
			continue
		}
		n := b.node(slot, Authority)
		n.Authority, n.Protects = a.ID, safe(a.Protects)
		b.put(n, b.parent(a, n))
	}
}

// put hangs a node under another, or at the top.
//
//go:noinline // many callers, none of them hot
func (b *builder) put(n, parent *Node) {
	b.m.byID[n.ID] = n
	if parent == nil {
		b.m.Roots = append(b.m.Roots, n)
		return
	}
	parent.Children = append(parent.Children, n)
}

// parent finds or makes what stands above an authority, nil when nothing does.
func (b *builder) parent(a *topology.Authority, n *Node) *Node {
	pair := b.in.pair(a.Slot)
	if leaf := pair.Leaf(); leaf != nil && (b.in.Set != nil || !b.in.Subordinate[a.ID]) {
		return b.chain(pair.Certificates[1:], leaf, b.in.mode(a.Owner))
	}
	switch b.in.mode(a.Owner) {
	case topology.Generate:
		if b.in.hierarchy() == topology.Roots {
			n.SelfSigned = true
			return nil
		}
		return b.ownRoot()
	case topology.BringCA:
		if !b.in.Subordinate[a.ID] {
			return nil
		}
		if pair.Leaf() == nil {
			root := &Node{ID: "above/" + string(a.ID), Kind: Root, Mode: topology.BringCA, State: Missing, Title: "the CA to be brought", NotWritten: true}
			b.put(root, nil)
			return root
		}
		// The node is our own intermediate; what was brought stands above it.
		b.plan(n, true)
		n.State = Planned
		return b.chain(pair.Certificates, nil, topology.BringCA)
	}
	return nil
}

// ownRoot is the root that is made here.
func (b *builder) ownRoot() *Node {
	if b.root != nil {
		return b.root
	}
	n := &Node{ID: "root", Kind: Root, Mode: topology.Generate, State: Planned, Title: safe(b.in.Topology.Root.CN), SelfSigned: true}
	n.Purpose = "Signs the authorities that are made here; its key is kept apart and goes on no machine of the cluster."
	n.Subject = safe(b.in.Topology.Root.String())
	n.Files = b.rootFiles()
	b.plan(n, true)
	if b.in.Set != nil && b.in.Set.Root.Leaf() != nil {
		n.State = Made
		b.describe(n, b.in.Set.Root)
	}
	if n.Title == "" {
		n.Title = "root CA"
	}
	b.root = n
	b.put(n, nil)
	return n
}

// rootFiles are the root's: those that will be written, or what the answers ask
// for. Its key may be sealed, or kept nowhere.
func (b *builder) rootFiles() []File {
	const stem = "ca/root."
	var out []File
	for _, f := range b.in.Files {
		if strings.HasPrefix(f.Path, stem) {
			out = append(out, File{Path: safe(f.Path), Private: f.Private()})
		}
	}
	if len(out) > 0 {
		return out
	}
	out = []File{{Path: stem + "crt"}}
	switch b.in.CAKeys {
	case plan.CAKeysDiscard:
	case plan.CAKeysEncrypted:
		out = append(out, File{Path: stem + "key.age", Private: true})
	default:
		out = append(out, File{Path: stem + "key", Private: true})
	}
	return out
}

// chain makes the nodes of what stands above a CA, and returns the lowest.
// Authorities that share it hang under the same node.
func (b *builder) chain(up []*x509.Certificate, child *x509.Certificate, mode topology.Mode) *Node {
	if len(up) == 0 {
		return nil
	}
	var parent *Node
	for _, c := range slices.Backward(up) {
		if child != nil && bytes.Equal(c.Raw, child.Raw) {
			continue
		}
		parent = b.aboveNode(c, parent, mode)
	}
	return parent
}

func (b *builder) aboveNode(c *x509.Certificate, parent *Node, mode topology.Mode) *Node {
	if b.in.Set != nil {
		if own := b.in.Set.Root.Leaf(); own != nil && bytes.Equal(own.Raw, c.Raw) {
			return b.ownRoot()
		}
	}
	key := string(c.Raw)
	if n := b.above[key]; n != nil {
		return n
	}
	sum := sha256.Sum256(c.Raw)
	n := &Node{ID: "above/" + hex.EncodeToString(sum[:6]), Kind: Root, Mode: mode, State: Brought, NotWritten: true}
	n.Purpose = "Stands above the CA that was brought; nobody in the cluster trusts it directly, so it is not written as a CA file."
	b.describe(n, &certs.Pair{Certificates: []*x509.Certificate{c}})
	n.Title = certTitle(c)
	b.above[key] = n
	b.put(n, parent)
	return n
}

// certTitle is what a certificate is called on screen when no slot names it.
func certTitle(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return safe(c.Subject.CommonName)
	}
	if s := material.Subject(c).String(); s != "" {
		return s
	}
	return "a CA without a name"
}

// node makes the node of a slot.
func (b *builder) node(s *topology.Slot, kind Kind) *Node {
	n := &Node{
		ID: safe(string(s.ID)), Kind: kind, Slot: s.ID, Component: s.Component, Authority: s.Authority, Mode: b.in.mode(s.Component),
		Title: safe(s.Title), Purpose: safe(s.Purpose), Role: role(s), From: safe(b.in.From[s.ID]),
	}
	if n.Title == "" {
		n.Title = n.ID
	}
	if node := s.ID.Node(); node != "" && !strings.Contains(s.Title, node) {
		n.Title += " " + safe(node)
	}
	for _, c := range s.Consumers {
		n.Consumers = append(n.Consumers, Consumer{
			Program: safe(c.Component), As: string(c.As), Parameter: safe(c.Name), Field: string(c.Field), When: safe(c.When),
		})
	}
	n.Files = slotFiles(s)
	if b.in.Files != nil {
		n.Files = b.files[s.ID]
	}
	pair := b.in.pair(s.ID)
	switch {
	case pair.Leaf() != nil || pair != nil && pair.Key != nil:
		n.State = Brought
		if pair.Made || b.in.Set != nil && n.Mode == topology.Generate {
			n.State = Made
		}
		b.describe(n, pair)
	case b.makes(s):
		n.State = Planned
		n.Subject, n.Names = safe(s.Subject.String()), names(s)
		n.Usages = safeAll(s.Usages)
		b.plan(n, kind == Authority)
	case n.From != "":
		n.State = Named
	default:
		n.State = Missing
	}
	if b.in.Pending[s.ID] {
		n.State = Pending
	}
	return n
}

// makes says whether a slot is filled by us: everything but what a mode asks for.
func (b *builder) makes(s *topology.Slot) bool {
	return !b.due[s.ID] || s.Optional
}

func (b *builder) plan(n *Node, ca bool) {
	n.Days = int(b.in.life(ca) / (24 * time.Hour))
	n.Key = b.in.algorithm().Words()
}

func role(s *topology.Slot) string {
	switch {
	case s.Kind != topology.Leaf:
		return ""
	case s.Server() && s.Client():
		return "both"
	case s.Server():
		return "server"
	case s.Client():
		return "client"
	}
	return ""
}

func names(s *topology.Slot) []string {
	var out []string
	for _, n := range s.Names {
		out = append(out, safe(n.String()))
	}
	return out
}

func slotFiles(s *topology.Slot) []File {
	var out []File
	add := func(path string, private bool) {
		if path != "" {
			out = append(out, File{Path: "tls/" + safe(path), Private: private})
		}
	}
	add(s.Files.Cert, false)
	add(s.Files.Bundle, false)
	add(s.Files.Public, false)
	add(s.Files.Key, true)
	return out
}

func (b *builder) leaves() {
	t := b.in.Topology
	for i := range t.Slots {
		s := &t.Slots[i]
		switch s.Kind {
		case topology.Leaf:
			n := b.node(s, Leaf)
			b.m.grouping.note(n)
			b.put(n, b.signer(s))
		case topology.KeyPair:
			n := b.node(s, KeyPair)
			n.Days = 0
			if n.State != Brought && n.State != Pending {
				n.Mode = topology.Generate // no CA signs it, so there is nothing else that it could be
			}
			b.put(n, nil)
		}
	}
}

// signer is the node that a leaf hangs under: its authority, or an intermediate
// that was brought with it.
func (b *builder) signer(s *topology.Slot) *Node {
	ca := b.in.Topology.CASlot(s.Authority)
	if ca == nil {
		return nil
	}
	parent := b.m.byID[safe(string(ca.ID))]
	pair := b.in.pair(s.ID)
	if pair.Leaf() == nil || parent == nil {
		return parent
	}
	anchor := b.in.pair(ca.ID).Leaf()
	var between []*x509.Certificate
	for _, c := range pair.Certificates[1:] {
		if anchor == nil || bytes.Equal(c.Raw, anchor.Raw) || !c.IsCA || bytes.Equal(c.RawSubject, c.RawIssuer) {
			break
		}
		between = append(between, c)
	}
	if anchor != nil && len(between) > 0 && !bytes.Equal(between[len(between)-1].RawIssuer, anchor.RawSubject) {
		return parent // what was sent along does not lead to the authority
	}
	for _, c := range slices.Backward(between) {
		sum := sha256.Sum256(c.Raw)
		id := "between/" + string(s.Authority) + "/" + hex.EncodeToString(sum[:6])
		n := b.m.byID[id]
		if n == nil {
			n = &Node{ID: id, Kind: Intermediate, Authority: s.Authority, Component: s.Component, Mode: topology.BringCerts, State: Brought}
			b.describe(n, &certs.Pair{Certificates: []*x509.Certificate{c}})
			n.Title = certTitle(c)
			n.Purpose = "Came with the certificates below it, which servers send together with it."
			b.put(n, parent)
		}
		parent = n
	}
	return parent
}

// finish walks the tree once: order, depth, and what stands below each node.
func (b *builder) finish(n, parent *Node, depth int) {
	n.parent, n.depth = parent, depth
	n.worst, n.modes = n.Severity, map[topology.Mode]int{}
	b.m.nodes = append(b.m.nodes, n)
	for _, c := range n.Children {
		b.finish(c, n, depth+1)
		n.leaves += c.leaves
		if c.Kind == Leaf {
			n.leaves++
			n.modes[c.Mode]++
		}
		for mode, count := range c.modes {
			n.modes[mode] += count
		}
		n.worst = worse(n.worst, c.worst)
	}
	for _, k := range b.m.rest.of(n) {
		n.leaves += k.count
		n.modes[k.first.Mode] += k.count
	}
}

func (b *builder) count() {
	c := &b.m.Counts
	var warned []*Node
	for _, n := range b.m.nodes {
		switch n.Kind {
		case Authority:
			c.Authorities++
			c.Certificates++
			c.Modes[n.Mode]++
		case Leaf:
			c.Certificates++
			c.Modes[n.Mode]++
		case KeyPair:
			c.KeyPairs++
		}
		switch n.Severity {
		case check.Error:
			c.Errors++
			b.m.problems = append(b.m.problems, n)
		case check.Warning:
			c.Warnings++
			warned = append(warned, n)
		}
	}
	b.m.problems = append(b.m.problems, warned...)
	if b.m.rest == nil {
		return
	}
	for _, k := range b.m.rest.kinds {
		if k.first.Kind == KeyPair {
			c.KeyPairs += k.count
			continue
		}
		c.Certificates += k.count
		c.Modes[k.first.Mode] += k.count
	}
}
