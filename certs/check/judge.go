package check

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// source is one file (or paste) of the input. Its order is where its findings
// stand among those of the other files.
type source struct {
	name  string
	order int
	nodes []*node

	issuers map[string][]*node // by the name of their issuer; made on demand
}

// issuedBy are the certificates of the file that name n as their issuer, n not
// among them.
func (s *source) issuedBy(n *node) []*node {
	if s.issuers == nil {
		s.issuers = map[string][]*node{}
		for _, o := range s.nodes {
			s.issuers[string(o.x.RawIssuer)] = append(s.issuers[string(o.x.RawIssuer)], o)
		}
	}
	named := s.issuers[string(n.x.RawSubject)]
	if !slices.ContainsFunc(named, func(o *node) bool { return o.hash == n.hash }) {
		return named
	}
	return slices.DeleteFunc(slices.Clone(named), func(o *node) bool { return o.hash == n.hash })
}

// node is one certificate with where it stands.
type node struct {
	x    *x509.Certificate
	src  *source
	pos  int // from 1; 0 when it stands in no file
	of   int // certificates in the file
	hash [sha256.Size]byte
	der  *extras
	nc   *nameConstraints
	read bool // nc was read
}

func newNode(x *x509.Certificate, src *source, pos, of int) *node {
	return &node{x: x, src: src, pos: pos, of: of, hash: sha256.Sum256(x.Raw)}
}

// String names the certificate by its place in the file and by its subject.
func (n *node) String() string {
	if n.of > 1 {
		return fmt.Sprintf("certificate %d of %d (%s)", n.pos, n.of, subjectText(n.x))
	}
	return fmt.Sprintf("the certificate (%s)", subjectText(n.x))
}

// in is String with the file's name, for messages about another file.
func (n *node) in() string {
	if n.src == nil || n.src.name == "" {
		return n.String()
	}
	return fmt.Sprintf("%s in %s", n, untrusted.Text(n.src.name))
}

func subjectText(x *x509.Certificate) string { return nameText(x.Subject.String()) }

func issuerText(x *x509.Certificate) string { return nameText(x.Issuer.String()) }

func nameText(s string) string {
	if s == "" {
		return "no name"
	}
	return untrusted.Text(s).Max(120)
}

// selfIssued says whether the certificate names itself as its issuer.
func (n *node) selfIssued() bool { return string(n.x.RawIssuer) == string(n.x.RawSubject) }

// readSource makes the nodes of a document, in its order. Certificates that did
// not parse leave a gap: positions are those of the file.
func readSource(doc *material.Document, order int) *source {
	if doc == nil {
		return nil
	}
	s := &source{name: doc.Name, order: order}
	for i, c := range doc.Certificates {
		if c.X509 != nil {
			s.nodes = append(s.nodes, newNode(c.X509, s, i+1, len(doc.Certificates)))
		}
	}
	return s
}

// first is the certificate that stands first in the file; nil when there is
// none or it did not parse.
func (s *source) first() *node {
	if s == nil || len(s.nodes) == 0 || s.nodes[0].pos > 1 {
		return nil
	}
	return s.nodes[0]
}

// judge collects the findings of one input.
type judge struct {
	slot  topology.SlotID
	now   time.Time
	sigs  *signatures
	rfc   bool     // RFC 5280 in full, for a chain without a profile; otherwise as the cluster's components do
	role  part     // what the slot holds
	takes []string // the algorithms that the slot's components take, as its profile says
	quiet bool     // material made here: nothing about how long it lasts
	found []placed
	seen  map[string]bool
	alike map[string]int // findings of one rule in one file
}

// maxAlike is how many findings of one rule in one file are told one by one: a
// heap of a thousand strangers is one mistake.
const maxAlike = 8

type placed struct {
	Finding
	order, pos int
}

//go:noinline // many callers, none of them hot
func newJudge(slot topology.SlotID, now time.Time) *judge {
	return &judge{slot: slot, now: now, sigs: newSignatures(nil), seen: map[string]bool{}, alike: map[string]int{}}
}

// detail is what a finding says beyond its rule.
type detail struct {
	severity        Severity // default: the rule's
	message         string
	has, needs, fix string
	why             string
}

// at reports a finding about a certificate.
//
//go:noinline // many callers, none of them hot
func (j *judge) at(rule string, n *node, d detail) { j.report(rule, n.src, n.pos, d) }

// report adds a finding; what was said before in the same words is dropped.
func (j *judge) report(rule string, src *source, pos int, d detail) {
	row, ok := RuleByID(rule)
	if !ok { // a rule that a newer material package knows: worth telling all the same
		row = Rule{ID: rule, Severity: Error, Title: rule, Fix: "export it again"}
	}
	f := Finding{
		Rule: rule, Severity: row.Severity, Slot: j.slot, Message: d.message,
		Why: row.Why, Has: d.has, Needs: d.needs, Fix: row.Fix,
	}
	if d.severity != "" {
		f.Severity = d.severity
	}
	if d.why != "" {
		f.Why = d.why
	}
	if d.fix != "" {
		f.Fix = d.fix
	}
	order, arg := 0, "FILE"
	if src != nil {
		order = src.order
		f.File = untrusted.Text(src.name).String()
		if strings.HasPrefix(f.Fix, "$ ") || src.name != "" {
			arg = untrusted.Text(src.name).ShellArg()
		}
	}
	f.Fix = strings.ReplaceAll(safeOutputs(f.Fix, arg), "{file}", arg)
	key := rule + "\x00" + f.File + "\x00" + f.Message
	if j.seen[key] {
		return
	}
	j.seen[key] = true
	kind := rule + "\x00" + string(f.Severity) + "\x00" + f.File
	if j.alike[kind]++; j.alike[kind] > maxAlike {
		return
	}
	j.found = append(j.found, placed{f, order, pos})
}

// outputs are the names that the catalogue's commands write to.
var outputs = []string{"fixed.pem", "fixed.key", "fixed.p12", "fixed.pub", "new.key", "fullchain.pem"}

// safeOutputs takes care that no command to paste writes to the file that it
// reads: the shell would empty it first.
func safeOutputs(fix, file string) string {
	for _, out := range outputs {
		if strings.HasSuffix(strings.Trim(file, "'"), out) {
			fix = strings.ReplaceAll(fix, " "+out, " again-"+out)
		}
	}
	return fix
}

// has says whether a rule was reported.
func (j *judge) has(rules ...string) bool {
	return slices.ContainsFunc(j.found, func(p placed) bool { return slices.Contains(rules, p.Rule) })
}

// findings are sorted worst first, then in the order of the input.
func (j *judge) findings() []Finding {
	sort.SliceStable(j.found, func(i, k int) bool {
		a, b := &j.found[i], &j.found[k]
		return cmp.Or(a.Severity.rank()-b.Severity.rank(), a.order-b.order, a.pos-b.pos) < 0
	})
	out := make([]Finding, len(j.found))
	last := map[string]int{}
	for i, p := range j.found {
		out[i] = p.Finding
		last[p.Rule+"\x00"+string(p.Severity)+"\x00"+p.File] = i
	}
	for kind, i := range last {
		if more := j.alike[kind] - maxAlike; more > 0 {
			out[i].Message += fmt.Sprintf("; and %d more of the kind", more)
		}
	}
	return out
}

// day writes a date as people compare it.
func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// list joins what was found for a Has or a Needs, escaped and cut.
func list(items []string) string {
	const shown = 12
	parts := make([]string, 0, min(len(items), shown)+1)
	for _, s := range items[:min(len(items), shown)] {
		parts = append(parts, untrusted.Text(s).Max(120))
	}
	if len(items) > shown {
		parts = append(parts, fmt.Sprintf("and %d more", len(items)-shown))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// plural picks a word's form.
func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
