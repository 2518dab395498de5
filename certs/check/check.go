// Package check holds the rules: what can be wrong with a certificate, a key, a
// slot or a whole set, why that matters, and how to mend it. Start with Slot
// for one slot's material, with Set for a whole set, with Chain for a chain
// without a profile; Rules is the catalogue.
//
// What the real components accept is never an error here. The package opens no
// file, makes no connection, and asks no clock.
package check

import (
	"crypto/x509"
	"time"

	"certwright/certs"
	"certwright/certs/material"
	"certwright/certs/topology"
)

// Severity says what a finding means for going on.
type Severity string

// The severities, worst first.
const (
	Error   Severity = "error"   // a component refuses it, or it grants what nobody meant
	Warning Severity = "warning" // it works, and bites later or elsewhere
	Info    Severity = "info"
)

// rank orders severities, worst first.
func (s Severity) rank() int {
	switch s {
	case Error:
		return 0
	case Warning:
		return 1
	}
	return 2
}

// Finding is one thing that a rule says about one input. Its texts may hold
// text out of certificates, already escaped by untrusted.Text.
type Finding struct {
	Rule     string          `json:"rule"`
	Severity Severity        `json:"severity"`
	Slot     topology.SlotID `json:"slot,omitempty"`
	File     string          `json:"file,omitempty"`
	Message  string          `json:"message"` // what: lower case, no full stop
	Why      string          `json:"why,omitempty"`
	Has      string          `json:"has,omitempty"`
	Needs    string          `json:"needs,omitempty"`
	Fix      string          `json:"fix"` // advice, or a command to paste behind "$ "
}

// Rule is one row of the catalogue.
type Rule struct {
	ID       string   `json:"id"`
	Severity Severity `json:"severity"` // the usual one; a finding may differ where Title says so
	Title    string   `json:"title"`
	Why      string   `json:"why"` // what breaks at run time, with the message that the component prints
	Fix      string   `json:"fix"` // advice, or a command to paste behind "$ "; {file} stands for the file
}

// SlotInput is one slot's material. Documents that were not handed over are nil.
type SlotInput struct {
	Slot     *topology.Slot
	Topology *topology.Topology
	Cert     *material.Document
	Key      *material.Document
	CA       *material.Document // what the slot's authority is: the CA file to verify against
	Now      time.Time
	// Rewritten says that certwright will write the material anew as PEM, so
	// that a container which it can convert is no error.
	Rewritten bool
	// Others are the CA certificates of the other authorities, to say whose a
	// certificate of the wrong authority is.
	Others map[topology.AuthorityID]*x509.Certificate
	// Memory knows signatures that were checked before; nil: none.
	Memory *Memory
}

// SetInput is a whole set, with the documents that were handed over for it.
type SetInput struct {
	Set *certs.Set
	Now time.Time
	// Memory knows signatures that were checked before; nil: none.
	Memory *Memory
	// Seen is shared by the judgements of an outline and of its parts, which
	// together are one set; nil where the set is whole.
	Seen *Seen
}

// ChainInput is a chain to be judged for a purpose, without a profile.
type ChainInput struct {
	Leaf          *material.Document
	Intermediates *material.Document
	Anchors       *material.Document
	ServerName    string         // host name or IP address, "" for any
	Usage         topology.Usage // "" for any
	At            time.Time
}

// Worst is the worst severity among findings, "" when there are none.
//
//go:noinline // many callers, none of them hot
func Worst(findings []Finding) Severity {
	var worst Severity
	for _, f := range findings {
		if worst == "" || f.Severity.rank() < worst.rank() {
			worst = f.Severity
		}
	}
	return worst
}

// OK says whether nothing among the findings is an error.
func OK(findings []Finding) bool { return Worst(findings) != Error }
