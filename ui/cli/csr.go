package cli

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/offline"
	"certwright/flow/plan"
)

// roundFlags are the flags of commands that write signing requests.
type roundFlags struct {
	out, passphrase string
	force           bool
}

func (a *app) csrCommand() *cobra.Command {
	var f planFlags
	var r roundFlags
	var output string
	var dryRun bool
	c := &cobra.Command{
		Use:   "csr -f plan.yaml --out DIR",
		Short: "Write signing requests for the CAs whose key is elsewhere",
		Long: `csr is for a CA whose key is not on this machine: a component in mode bring-ca whose CA is
written as {cert: FILE, offline: true}. It makes the keys of everything that the CA has to sign,
seals them with age, and writes one signing request for each, with SIGN.md: the commands that
sign them all with openssl, step, cfssl or Vault. The plan then awaits its certificates;
certwright import takes them, and makes the set once all are there.

With intermediate: true in the plan one request for an intermediate CA is written instead.`,
		Example: `  certwright csr -f plan.yaml --out requests
  certwright csr -f plan.yaml --out requests --passphrase-file pass
  certwright import requests signed.p7b`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if f.file == "" || r.out == "" {
				return usage("csr needs a plan and a directory: certwright csr -f plan.yaml --out requests")
			}
			p, err := a.plan(&f)
			if err != nil {
				return a.wroteRequests(output, nil, err)
			}
			assumed := keyElsewhere(p)
			ans, err := a.readyAnswers(p)
			if err != nil {
				return a.wroteRequests(output, nil, err)
			}
			keyAfterAll(a.world(), ans, assumed)
			return a.csr(c.Context(), ans, &r, offline.Wanted{Dir: a.path(r.out)}, output, dryRun)
		},
	}
	f.add(c, false)
	c.Flags().StringVar(&r.out, "out", "", "write the requests to `DIR`")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be asked for, and write nothing")
	c.Flags().BoolVar(&r.force, "force", false, "replace requests that lie there; the old ones are kept beside them, with their keys")
	c.Flags().StringVar(&r.passphrase, "passphrase-file", "", "seal the keys with the passphrase in `FILE`; needed where there is no terminal")
	outputFlag(c, &output)
	return c
}

// keyElsewhere takes a CA of which the plan names only the certificate for one
// whose key is elsewhere: that is what the person has come for. It lists those
// that did not say so.
func keyElsewhere(p *plan.Plan) []topology.ComponentID {
	var assumed []topology.ComponentID
	for id, c := range p.Components {
		if c.Mode == topology.BringCA && c.CA != nil && !c.CA.Offline && c.CA.Key == "" && c.CA.From == "" && c.CA.Cert != "" {
			c.CA.Offline = true
			assumed = append(assumed, id)
		}
	}
	return assumed
}

// keyAfterAll takes that back where the key stands in the file of the certificate.
func keyAfterAll(w *install.World, ans *flow.Answers, assumed []topology.ComponentID) {
	bench := install.NewBench(w, ans)
	for _, id := range assumed {
		if ca := ans.Topology.CASlot(ans.Topology.Component(id).Authority); ca != nil && bench.CA(ca.ID).Pair.HasKey() {
			ans.Plan.Components[id].CA.Offline = false
		}
	}
}

// readyAnswers are the answers of a plan whose encrypted keys need not be opened.
func (a *app) readyAnswers(p *plan.Plan) (*flow.Answers, error) {
	profile, err := catalogue{a}.Load(p.Profile)
	if err != nil {
		return nil, err
	}
	referErr := install.Refer(a.world(), p)
	if err := p.Check(profile); err != nil {
		return nil, err
	}
	if referErr != nil {
		return nil, referErr
	}
	return install.NewAnswers(catalogue{a}, p)
}

// csr asks, seals and writes.
func (a *app) csr(ctx context.Context, ans *flow.Answers, f *roundFlags, want offline.Wanted, output string, dryRun bool) error {
	asked, err := a.ask(ctx, ans, f, want, dryRun)
	return a.wroteRequests(output, asked, err)
}

// ask makes keys and requests, and writes them unless it is a dry run.
func (a *app) ask(ctx context.Context, ans *flow.Answers, f *roundFlags, want offline.Wanted, dryRun bool) (*offline.Asked, error) {
	w := a.world()
	var err error
	want.Work = a.SealWork
	switch {
	case dryRun:
		want.Passphrase, want.Work = install.NewPassphrase(), 1 // of files that nobody will see
	case f.passphrase != "":
		want.Passphrase, err = a.passphraseOf(f.passphrase, f.force)
	case a.askable():
		want.Passphrase, err = a.newPassphrase(ctx, "The private keys")
	default:
		err = usage("the private keys are sealed, and there is no terminal to show a passphrase on; give one: --passphrase-file FILE (mode 0600)")
	}
	if err != nil {
		return nil, err
	}
	defer clear(want.Passphrase)
	asked, err := offline.Ask(ctx, w, ans, want)
	if err != nil || dryRun {
		return asked, err
	}
	_, err = asked.Write(ctx, w, f.force)
	return asked, err
}

// askedJSON is what csr -o json prints.
type askedJSON struct {
	OK       bool            `json:"ok"`
	Error    string          `json:"error,omitempty"`
	Dir      string          `json:"dir,omitempty"`
	Requests []offline.Entry `json:"requests"`
	Findings []check.Finding `json:"findings"`
}

func askedSummary(asked *offline.Asked, err error) askedJSON {
	out := askedJSON{OK: err == nil, Requests: []offline.Entry{}, Findings: []check.Finding{}}
	if err != nil {
		out.Error = err.Error()
	}
	if asked != nil {
		out.Dir = shown(asked.Dir)
		out.Requests = append(out.Requests, asked.State.Requests...)
		out.Findings = append(out.Findings, asked.Findings...)
	}
	return out
}

func (a *app) wroteRequests(output string, asked *offline.Asked, err error) error {
	out := askedSummary(asked, err)
	if output == "json" {
		if jerr := a.printJSON(out); jerr != nil && err == nil {
			return jerr
		}
		return err
	}
	a.printFindings(out.Findings)
	if err != nil {
		return err
	}
	a.printRequests(&out)
	return nil
}

func (a *app) printRequests(out *askedJSON) {
	for _, e := range out.Requests {
		a.printf("  %-28s %s\n", e.Slot, untrusted.Text(e.File))
	}
	dir := untrusted.Text(out.Dir)
	a.printf("%s, and their keys sealed in %s\n", count(len(out.Requests), "signing request"), untrusted.Text(filepath.Join(out.Dir, offline.KeysFile)).Max(1000))
	a.printf("next: %s says how to sign them; then certwright import %s\n", untrusted.Text(filepath.Join(out.Dir, offline.SignFile)).Max(1000), dir.ShellArg())
}
