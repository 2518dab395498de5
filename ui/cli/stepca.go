package cli

import (
	"context"
	"fmt"

	"certwright/certs/issue"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
	"certwright/flow/stepca"
)

// stepCA reaches a CA that the plan asks over the network.
func (a *app) stepCA(ctx context.Context, c plan.StepCA, password []byte) (issue.Source, error) {
	cfg := stepca.Config{URL: c.URL, Fingerprint: c.Fingerprint, Provisioner: c.Provisioner, Password: password, Now: a.Now}
	if c.Root != "" {
		var err error
		if cfg.Root, err = install.ReadFile(a.Disk, a.path(c.Root), 64<<10); err != nil {
			return nil, fmt.Errorf("read the root of step-ca: %w", err)
		}
	}
	return stepca.Connect(ctx, cfg)
}

// stepPasswords asks for the passwords of provisioners that no file holds.
func (a *app) stepPasswords(ans *flow.Answers) error {
	if !a.terminal() {
		return nil // the CA's error names the provisioner and the field
	}
	for _, c := range ans.Topology.Components {
		ask := ans.Plan.StepCA(c.ID)
		if ask == nil || ask.PasswordFile != "" || !c.OwnsCA {
			continue
		}
		pass, err := a.secret(a.ctx, fmt.Sprintf("Password of provisioner %s at %s: ", untrusted.Text(ask.Provisioner).Max(80), untrusted.Text(ask.URL).Max(200)))
		if err != nil {
			return err
		}
		ans.Passphrases[ans.Topology.CASlot(c.Authority).ID] = pass
	}
	return nil
}
