package install

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"strings"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
)

// keep puts what stays into the request: the root, the CAs, then what they
// signed, each held against what would be made today.
func (e *Earlier) keep(ctx context.Context, a *flow.Answers, r *issue.Request, p *flow.Prepared) error {
	r.Kept, e.kept = map[topology.SlotID]*certs.Pair{}, map[topology.SlotID]bool{}
	if r.Hierarchy == topology.Intermediates && e.has("") {
		root, why := e.Pair("")
		if why != "" {
			return e.lost("the root", why)
		}
		if why = issue.DiffersRoot(r.Topology, root, e.wanted(r, nil)); why == "" {
			r.KeptRoot, e.kept[""] = root, true
		} else {
			p.Anew = append(p.Anew, flow.Anew{Why: why})
		}
	}
	for _, kind := range []topology.Kind{topology.CA, topology.Leaf, topology.KeyPair} {
		for i := range r.Topology.Slots {
			if s := &r.Topology.Slots[i]; s.Kind == kind {
				if err := context.Cause(ctx); err != nil {
					return err
				}
				if err := e.keepSlot(a, r, p, s); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// keepPart is keep for the nodes of a part: the CAs and what else is the
// cluster's are in the request already. It may be called from several goroutines.
func (e *Earlier) keepPart(ctx context.Context, a *flow.Answers, r *issue.Request, p *flow.Prepared) error {
	for i := range r.Topology.Slots {
		s := &r.Topology.Slots[i]
		if s.Node == "" {
			continue
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := e.keepSlot(a, r, p, s); err != nil {
			return err
		}
	}
	return nil
}

func (e *Earlier) keepSlot(a *flow.Answers, r *issue.Request, p *flow.Prepared, s *topology.Slot) error {
	mode := a.Plan.Mode(s.Component)
	brought := r.Brought[s.ID] != nil && (s.Kind != topology.CA || !r.Subordinate[s.Authority])
	if pair := e.Handed[s.ID]; pair != nil {
		r.Kept[s.ID] = pair
		return nil
	}
	if brought || r.Signed[s.ID] != nil || mode == topology.BringCerts && !s.Optional {
		return nil
	}
	files, has := e.files(s.ID)
	if !has {
		return nil
	}
	pair, why := e.pair(files)
	switch {
	case why != "" && s.Kind == topology.CA && (e.Anew == nil || !e.Anew(s)):
		return e.lost(string(s.ID), why)
	case why != "":
	case e.Anew != nil && e.Anew(s):
		why = "it was asked for"
	default:
		by, above := e.issuer(r, s)
		if why = issue.Differs(s, pair, e.wanted(r, by)); why == "" && s.Kind == topology.CA {
			pair.Certificates = append(pair.Certificates[:1:1], above...)
		}
	}
	if why != "" {
		p.Anew = append(p.Anew, flow.Anew{Slot: s.ID, Why: why})
		return nil
	}
	p.Kept++
	r.Kept[s.ID] = pair
	if s.Kind == topology.CA {
		e.kept[s.ID] = true
	}
	return nil
}

// lost is the error of a CA that is not there: making another in its place would
// make anew all that hangs on it, which nobody has asked for.
func (e *Earlier) lost(ca, why string) error {
	return fmt.Errorf("the set in %s cannot be carried on: of %s %s; bring it back, or make everything anew (--anew --force), or name another directory with --out", untrusted.Text(e.Dir), ca, why)
}

func (e *Earlier) wanted(r *issue.Request, by *certs.Pair) issue.Wanted {
	return issue.Wanted{Algorithm: r.Algorithm, By: by, Until: r.Now.Add(e.Within), Verified: r.Verified}
}

// issuer is the CA that signs a slot today, and for a CA all above it. One that
// is made anew is none that an earlier certificate could be issued by.
func (e *Earlier) issuer(r *issue.Request, s *topology.Slot) (by *certs.Pair, above []*x509.Certificate) {
	switch {
	case s.Kind == topology.KeyPair:
		return nil, nil
	case s.Kind == topology.CA && r.Subordinate[s.Authority]:
		by = r.Brought[s.ID]
	case s.Kind == topology.CA && r.Hierarchy == topology.Roots:
		return nil, nil
	case s.Kind == topology.CA:
		by = r.KeptRoot
	default:
		ca := r.Topology.CASlot(s.Authority)
		if ca == nil {
			return &certs.Pair{}, nil
		}
		if by = r.Kept[ca.ID]; by == nil && !r.Subordinate[s.Authority] {
			by = r.Brought[ca.ID]
		}
	}
	if by == nil {
		return &certs.Pair{}, nil
	}
	return by, by.Certificates
}

// maxReasons is how many slots a note names before it counts.
const maxReasons = 3

// anewNote says what does not stay of an earlier set, and why.
func anewNote(list []flow.Anew) string {
	var out []string
	for _, a := range list[:min(len(list), maxReasons)] {
		out = append(out, fmt.Sprintf("%s (%s)", cmp.Or(string(a.Slot), "the root"), a.Why))
	}
	text := strings.Join(out, ", ")
	if n := len(list) - maxReasons; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return "made anew, though the set has it: " + text
}
