package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"certwright/certs/check"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
	"certwright/flow/rotate"
)

// rotateFlags are those of rotate-ca.
type rotateFlags struct {
	plan      planFlags
	keys      caKeyFlags
	out       string
	cert, key string
	flat      bool
	force     bool
	output    string
}

func (a *app) rotateCommand() *cobra.Command {
	var f rotateFlags
	var only bool
	c := &cobra.Command{
		Use:   "rotate-ca AUTHORITY [DIR]",
		Short: "Plan the exchange of a CA in a running cluster, in stages that are proved",
		Long: `rotate-ca makes a new CA for an authority of the set in DIR and three stages that lead to it:
trust the old and the new, issue from the new, drop the old. Each stage is a directory of
complete files with a NEXT-STEPS.md. Each is proved by handshakes with the stage before it,
clients of the one with servers of the other and the reverse, so that machines may be done one
by one. It says what it would write, and writes it only with --out. It touches no machine and
leaves DIR as it is. The key of the old CA is not needed.

AUTHORITY is one of the profile (certwright topology shows them), root for the root and all
CAs that were made under it, or a key pair that signs tokens, such as kube/sa. A CA that stood
under the root gets a successor under the same root, and needs its key; --flat makes it a root
of its own instead. A CA that was brought is followed by one that is brought: --cert, --key.`,
		Example: `  certwright rotate-ca etcd generated --plan
  certwright rotate-ca etcd generated --plan --out rotation
  certwright rotate-ca kube /srv/pki --plan --cert new-ca.crt --key new-ca.key --out /srv/rotation
  certwright rotate-ca kube/sa -f plan.yaml --plan --out rotation`,
		Args: cobra.RangeArgs(0, 2),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkOutput(f.output); err != nil {
				return err
			}
			if len(args) == 0 {
				return usage("rotate-ca needs an authority: certwright rotate-ca etcd DIR --plan")
			}
			return a.rotate(c.Context(), &f, args)
		},
	}
	f.plan.add(c, true)
	f.keys.add(c)
	c.Flags().BoolVar(&only, "plan", false, "plan the stages; it is all that rotate-ca does, and may be left out")
	c.Flags().StringVar(&f.out, "out", "", "write the stages to `DIR`; without it nothing is written")
	c.Flags().StringVar(&f.cert, "cert", "", "the certificate of the new CA, and those above it, from `FILE`")
	c.Flags().StringVar(&f.key, "key", "", "the key of the new CA, or the new key pair, from `FILE`")
	c.Flags().BoolVar(&f.flat, "flat", false, "make the new CA a root of its own, whatever the old one was")
	c.Flags().BoolVar(&f.force, "force", false, "replace what an earlier rotation wrote to --out, the old files are kept beside it")
	c.Flags().StringVar(&f.plan.passphrase, "passphrase-file", "", "read the passphrase of encrypted keys from `FILE`")
	outputFlag(c, &f.output)
	return c
}

func (a *app) rotate(ctx context.Context, f *rotateFlags, args []string) error {
	r := rotate.Request{Target: args[0], Out: f.out, Cert: f.cert, Key: f.key, Flat: f.flat}
	if f.flat && (f.cert != "" || f.key != "") {
		return usage("--flat makes a CA, and --cert and --key bring one: use the one or the other")
	}
	dir, p, err := a.rotated(f, args[1:])
	if err != nil {
		return err
	}
	r.Dir, r.Plan = dir, p
	profile, err := catalogue{a}.Load(p.Profile)
	if err != nil {
		return err
	}
	t, problems := p.Topology(profile)
	if err := wrongFacts(problems); err != nil {
		return err
	}
	r.Topology = t
	w := a.world()
	if f.plan.passphrase != "" {
		data, err := install.ReadFile(a.Disk, a.path(f.plan.passphrase), 64<<10)
		if err != nil {
			return &usageError{fmt.Errorf("read the passphrase: %w", err)}
		}
		defer clear(data)
		r.Open = bytes.TrimRight(data, "\r\n")
		w.Passphrase = r.Open
	}
	if w.CAKeys, err = a.rotateKeys(ctx, f, r); err != nil {
		return err
	}
	defer clear(w.CAKeys.Passphrase)
	return a.runRotation(ctx, w, f, r)
}

// rotated is the set that is meant, with its answers.
func (a *app) rotated(f *rotateFlags, args []string) (string, *plan.Plan, error) {
	dir := ""
	if len(args) > 0 {
		dir = args[0]
	}
	if dir == "" && f.plan.file == "" {
		return "", nil, usage("which set? name its directory, or its plan with -f: certwright rotate-ca AUTHORITY DIR --plan")
	}
	p, err := a.folderPlan(&f.plan, dir)
	if err != nil {
		return "", nil, err
	}
	if dir == "" {
		if dir = p.Output.Dir; dir == "" {
			dir = plan.DefaultDir
		}
	}
	if err := install.Refer(a.world(), p); err != nil && f.cert == "" && !f.flat {
		return "", nil, err
	}
	return dir, p, nil
}

// rotateKeys is what becomes of the keys of new CAs. Where the root of the set
// is sealed, one passphrase opens it and seals the new keys.
func (a *app) rotateKeys(ctx context.Context, f *rotateFlags, r rotate.Request) (install.CAKeys, error) {
	sealedRoot := filepath.Join(r.Dir, "ca", "root.key.age")
	_, err := a.Disk.Stat(a.path(sealedRoot))
	opens := err == nil && f.cert == "" && f.key == "" && !f.flat && r.Target != rotate.Root
	if !opens || f.keys.file != "" {
		return a.caKeys(ctx, &f.keys, r.Plan, true, f.out == "", f.force)
	}
	fate, err := f.keys.choice()
	if err != nil {
		return install.CAKeys{}, err
	}
	k := install.CAKeys{Fate: fate, Work: a.SealWork}
	if a.askable() {
		k.Passphrase, err = a.secret(ctx, fmt.Sprintf("Passphrase of %s: ", untrusted.Text(sealedRoot)))
	}
	return k, err // without a terminal, the error that follows names the flag
}

func (a *app) runRotation(ctx context.Context, w *install.World, f *rotateFlags, r rotate.Request) error {
	var last string
	progress := func(p flow.Progress) {
		if f.output == "text" && p.Stage != last {
			last = p.Stage
			if words := stageWords(p.Stage); words != "" && p.Stage != "check" {
				fmt.Fprintln(a.Err, words)
			}
		}
	}
	out, err := rotate.Prepare(ctx, w, r, progress)
	var unknown *rotate.Unknown
	if errors.As(err, &unknown) {
		return &usageError{err}
	}
	if err != nil {
		return a.rotationRefused(f, out, err)
	}
	if f.out == "" {
		return a.printRotation(f, out, nil)
	}
	receipt, err := rotate.Commit(ctx, w, out, f.force, progress)
	if err != nil && receipt.Dir == "" {
		return err
	}
	if perr := a.printRotation(f, out, &receipt); err == nil {
		err = perr
	}
	return err
}

// rotationJSON is what rotate-ca -o json prints.
type rotationJSON struct {
	OK       bool                   `json:"ok"`
	Error    string                 `json:"error,omitempty"`
	Target   string                 `json:"target,omitempty"`
	Rotated  []topology.AuthorityID `json:"rotated"`
	Stages   []rotationStageJSON    `json:"stages"`
	Proofs   []rotationProofJSON    `json:"proofs"`
	Refused  int                    `json:"refused"` // at the end, of what the old CA signed
	Findings []check.Finding        `json:"findings"`
	Notes    []string               `json:"notes"`
	Dir      string                 `json:"dir,omitempty"`
	Written  int                    `json:"written"`
}

type rotationStageJSON struct {
	Dir     string   `json:"dir"`
	Title   string   `json:"title"`
	Files   int      `json:"files"`
	Changed []string `json:"changed"`
}

type rotationProofJSON struct {
	Clients    int               `json:"clients"` // the stage; 0 is the set as it is
	Servers    int               `json:"servers"`
	Handshakes int               `json:"handshakes"`
	Tokens     int               `json:"tokens"`
	Failed     []prove.Handshake `json:"failed"`
}

func rotationAsJSON(out *rotate.Rotation) rotationJSON {
	j := rotationJSON{Rotated: []topology.AuthorityID{}, Stages: []rotationStageJSON{}, Proofs: []rotationProofJSON{}, Findings: []check.Finding{}, Notes: []string{}}
	if out == nil {
		return j
	}
	j.Target, j.Refused, j.Dir = out.Target, out.Refused, out.Out
	j.Rotated, j.Notes = append(j.Rotated, out.Rotated...), append(j.Notes, out.Notes...)
	for _, s := range out.Stages {
		j.Stages = append(j.Stages, rotationStageJSON{Dir: s.Dir, Title: s.Title, Files: len(s.Files), Changed: append([]string{}, s.Changed...)})
	}
	for _, p := range out.Proofs {
		j.Proofs = append(j.Proofs, rotationProofJSON{p.Clients, p.Servers, prove.Made(p.Handshakes), len(p.Tokens), append([]prove.Handshake{}, prove.Failed(p.Handshakes)...)})
	}
	return j
}

func (a *app) rotationRefused(f *rotateFlags, out *rotate.Rotation, err error) error {
	var refusal *install.Refusal
	if f.output != "json" {
		if errors.As(err, &refusal) {
			a.printFindings(refusal.Findings)
		}
		return err
	}
	j := rotationAsJSON(out)
	j.Error = untrusted.Text(err.Error()).Max(2000)
	if errors.As(err, &refusal) {
		j.Findings = append(j.Findings, refusal.Findings...)
	}
	if jerr := a.printJSON(j); jerr != nil {
		return jerr
	}
	return err
}

func (a *app) printRotation(f *rotateFlags, out *rotate.Rotation, receipt *flow.Receipt) error {
	if f.output == "json" {
		j := rotationAsJSON(out)
		j.OK = true
		if receipt != nil {
			j.Written = receipt.Written
		}
		return a.printJSON(j)
	}
	a.printf("exchanging %s takes three stages:\n", out.What)
	for _, s := range out.Stages {
		a.printf("  %-17s %-26s %s\n", s.Dir, s.Title, count(len(s.Changed), "new file")+" in the tree")
		for _, c := range s.Changed {
			if len(s.Changed) <= 12 {
				a.printf("      %s\n", untrusted.Text(c))
			}
		}
	}
	hs, tokens := 0, 0
	for _, p := range out.Proofs {
		hs += prove.Made(prove.Passed(p.Handshakes))
		tokens += len(p.Tokens)
	}
	a.printf("%d handshakes proved it: each stage with itself, and with the one before it both ways\n", hs)
	if out.Pair != "" {
		a.printf("%d signatures of tokens proved it in the same way\n", tokens)
	} else {
		a.printf("%d connections with certificates of the old CA are refused at the end\n", out.Refused)
	}
	for _, n := range out.Notes {
		a.printf("note: %s\n", n)
	}
	if receipt == nil {
		a.printf("nothing was written; with --out DIR, %d files are\n", len(out.Files))
		return nil
	}
	a.printf("%s\n", receiptWords(receipt))
	for _, n := range receipt.Notes {
		a.printf("note: %s\n", n)
	}
	a.printf("next: %s\n", untrusted.Text(filepath.Join(out.Out, "NEXT-STEPS.md")).Max(1000))
	return nil
}
