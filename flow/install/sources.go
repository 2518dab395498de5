package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/plan"
)

// sources reaches the CAs that the plan asks over the network, before any
// certificate is asked for.
func (w *World) sources(ctx context.Context, a *flow.Answers, p *flow.Prepared) (map[topology.AuthorityID]issue.Source, error) {
	var out map[topology.AuthorityID]issue.Source
	for _, c := range a.Topology.Components {
		ask := a.Plan.StepCA(c.ID)
		if ask == nil || !c.OwnsCA {
			continue
		}
		if w.StepCA == nil {
			return nil, fmt.Errorf("component %s asks %s for its certificates, and nothing is reached from here; use certwright apply -f PLAN", c.ID, untrusted.Text(ask.URL).Max(200))
		}
		slot := a.Topology.CASlot(c.Authority).ID
		password, err := w.stepPassword(*ask, a.Passphrases[slot])
		if err != nil {
			return nil, err
		}
		source, err := w.StepCA(ctx, *ask, password)
		clear(password)
		if err != nil {
			return nil, fmt.Errorf("component %s: %w", c.ID, err)
		}
		if out == nil {
			out = map[topology.AuthorityID]issue.Source{}
		}
		out[c.Authority] = source
		p.Notes = append(p.Notes, fmt.Sprintf("%s trusts the CA of %s itself: whatever else that CA signs, for whomever, opens it too; let it sign for this cluster alone", c.ID, untrusted.Text(ask.URL).Max(200)))
	}
	return out, nil
}

// Source reaches the CA over the network that an authority's certificates are
// asked of, nil when the plan names none.
func Source(ctx context.Context, w *World, a *flow.Answers, id topology.AuthorityID) (issue.Source, error) {
	all, err := w.sources(ctx, a, &flow.Prepared{})
	return all[id], err
}

// stepPassword is a copy of the password that was typed, or what the plan's
// file holds. Without either it is empty, and the CA's error says so.
func (w *World) stepPassword(ask plan.StepCA, typed []byte) ([]byte, error) {
	if len(typed) > 0 || ask.PasswordFile == "" {
		return bytes.Clone(typed), nil
	}
	data, err := ReadFile(w.Read, w.path(ask.PasswordFile), 64<<10)
	if err != nil {
		return nil, fmt.Errorf("read the password of provisioner %s: %w", untrusted.Text(ask.Provisioner), err)
	}
	password := bytes.TrimRight(data, "\r\n")
	if len(password) == 0 {
		return nil, errors.New("the password file of provisioner " + untrusted.Text(ask.Provisioner).String() + " is empty")
	}
	return password, nil
}
