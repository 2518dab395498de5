// Package offline is the round trip of signing requests, for CAs whose key is
// elsewhere. Ask makes the keys and the requests of everything that such CAs
// have to sign, and a directory with them: the round. The person has them signed
// and comes back, in an hour or in weeks. Open reads the round again, Take finds
// out what came back, Save keeps what is good, and Complete gives the pipeline
// what it needs once all is there.
//
// It writes only through package store, and never a private key that is not
// sealed. What it does with certificates it judges as package check does.
package offline

import (
	"crypto/x509"
	"path"
	"strings"
	"time"

	"certwright/certs/topology"
	"certwright/flow"
)

// The files of a round.
const (
	StateFile = "requests.json"
	SignFile  = "SIGN.md"
	KeysFile  = "keys.age"
	PlanFile  = "certwright.yaml"
	SendDir   = "to-sign/" // goes to where the keys of the CAs are
	BackDir   = "signed/"  // what came back and is good
)

// kind marks the state file.
const kind = "Requests"

// State is requests.json.
type State struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Created    time.Time `json:"created"`
	Version    string    `json:"version"` // of certwright
	// Renews is the set that the certificates go into, absolute; empty when a new set is made.
	Renews   string  `json:"renews,omitempty"`
	Requests []Entry `json:"requests"` // in the topology's order
}

// Entry is one signing request.
type Entry struct {
	Slot      topology.SlotID      `json:"slot"`
	Authority topology.AuthorityID `json:"authority"`
	File      string               `json:"file"` // below the round
	PublicKey string               `json:"publicKeySHA256"`
}

// Due are the slots whose certificates CAs elsewhere must sign, in the
// topology's order: what a CA that was brought without its key would issue
// itself, or the intermediates under it where the plan asks for one.
func Due(a *flow.Answers) []*topology.Slot {
	var out []*topology.Slot
	for i := range a.Topology.Slots {
		s := &a.Topology.Slots[i]
		auth := a.Topology.Authority(s.Authority)
		if auth == nil || !a.Plan.Offline(auth.Owner) {
			continue
		}
		intermediate := a.Plan.Components[auth.Owner].Intermediate
		switch s.Kind {
		case topology.CA:
			if intermediate {
				out = append(out, s)
			}
		case topology.Leaf:
			if !intermediate && a.Plan.Mode(s.Component) != topology.BringCerts {
				out = append(out, s)
			}
		}
	}
	return out
}

// name is a slot's file name without its ending. A path may hold no @.
func name(s topology.SlotID) string { return strings.ReplaceAll(s.Name(), "@", ".") }

// home is the directory of an authority's requests.
func home(a topology.AuthorityID) string { return SendDir + string(a) + "/" }

func requestFile(s *topology.Slot) string {
	// The slot's component may be another's than its authority: identity under kube.
	return home(s.Authority) + string(s.Component) + "-" + name(s.ID) + ".csr"
}

// backFile is where the certificate of a request is kept.
func backFile(request string) string {
	return BackDir + strings.TrimSuffix(strings.TrimPrefix(request, SendDir), ".csr") + ".crt"
}

// base is a request's name without its directory and its ending.
func base(request string) string { return strings.TrimSuffix(path.Base(request), ".csr") }

// asked is one request with what it asks for.
type asked struct {
	Entry
	slot *topology.Slot
	csr  *x509.CertificateRequest
}
