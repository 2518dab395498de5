package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"certwright/certs/check"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/offline"
	"certwright/flow/renew"
)

// importFlags are the flags of import.
type importFlags struct {
	keys          caKeyFlags
	out, output   string
	passphrase    string // of the sealed keys
	keyPassphrase string // of what the plan names, and of containers
	dryRun, force bool

	done bool // the last import missed nothing, and went on to the set
}

func (a *app) importCommand() *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use:   "import DIR [FILE|FOLDER]…",
		Short: "Take the certificates that came back, and complete the set",
		Long: `import takes what CAs made of the requests in DIR, which certwright csr wrote: PEM, DER, PKCS#7
or PKCS#12, one file or a folder, in any order and piece by piece. Certificates that lie beside
their requests in DIR are found without being named. Each is matched by its public key, judged
for its role, and held against what was asked for; what is good is kept in DIR.

Once all are there the set is made as apply makes it: checked, proved, and written to where the
plan says. The exit status is 0 while nothing is wrong, also when certificates are still missing;
-o json says "complete".`,
		Example: `  certwright import requests                       what is still missing
  certwright import requests etcd.p7b from-corp/   take what came back
  certwright import requests --passphrase-file pass --out /srv/pki`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("import needs the directory that certwright csr wrote: certwright import DIR [FILE|FOLDER]…")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkOutput(f.output); err != nil {
				return err
			}
			if _, err := f.keys.choice(); err != nil {
				return err
			}
			return a.importInto(c.Context(), &f, args[0], args[1:])
		},
	}
	f.keys.add(c)
	c.Flags().StringVar(&f.out, "out", "", "write the set to `DIR` instead of where the plan says")
	c.Flags().StringVar(&f.passphrase, "passphrase-file", "", "open the sealed keys with the passphrase in `FILE`")
	c.Flags().StringVar(&f.keyPassphrase, "key-passphrase-file", "", "read from `FILE` the passphrase of encrypted keys that the plan names, and of containers that came back")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "judge what came back, and write nothing")
	c.Flags().BoolVar(&f.force, "force", false, "replace an existing set, the old one is kept beside it")
	outputFlag(c, &f.output)
	return c
}

// importedJSON is what import -o json prints. Once the set was written it has
// what apply -o json prints in set.
type importedJSON struct {
	OK       bool             `json:"ok"`
	Complete bool             `json:"complete"`
	Error    string           `json:"error,omitempty"`
	Dir      string           `json:"dir"`
	Requests []offline.Result `json:"requests"`
	Strays   []check.Finding  `json:"strays"`
	Notes    []string         `json:"notes"`
	Set      *appliedJSON     `json:"set,omitempty"`
	Restart  []renew.Restart  `json:"restart,omitempty"` // after a renewal

	printed bool
}

func (a *app) importInto(ctx context.Context, f *importFlags, dir string, sources []string) error {
	w := a.world()
	out := &importedJSON{Dir: shown(dir), Requests: []offline.Result{}, Strays: []check.Finding{}, Notes: []string{}}
	round, err := offline.Open(ctx, w, a.path(dir))
	if err != nil {
		return a.imported(f, out, err)
	}
	out.Notes = append(out.Notes, round.Notes...)
	if w.Passphrase, err = a.optionalPassphrase(f.keyPassphrase); err != nil {
		return err
	}
	defer clear(w.Passphrase)
	came, err := round.Gather(ctx, sources)
	if err != nil {
		return a.imported(f, out, err)
	}
	rep, err := round.Take(ctx, came)
	if err != nil {
		return a.imported(f, out, err)
	}
	out.Requests, out.Strays = rep.Results, append(out.Strays, rep.Strays...)
	if !f.dryRun {
		if err := round.Save(ctx, rep); err != nil {
			return a.imported(f, out, err)
		}
	}
	out.Complete = rep.Complete()
	if !out.Complete || !rep.OK() || f.dryRun {
		return a.imported(f, out, nil)
	}
	f.done = true
	return a.completeRound(ctx, w, f, round, out)
}

// optionalPassphrase reads a passphrase from a file, if one is named.
func (a *app) optionalPassphrase(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	data, err := install.ReadFile(a.Disk, a.path(file), 64<<10)
	if err != nil {
		return nil, &usageError{fmt.Errorf("read the passphrase: %w", err)}
	}
	return bytes.TrimRight(data, "\r\n"), nil
}

// completeRound makes the set of a round that misses nothing.
func (a *app) completeRound(ctx context.Context, w *install.World, f *importFlags, round *offline.Round, out *importedJSON) error {
	if f.output == "text" {
		a.printReport(out)
	}
	if err := round.Sealed(); err != nil {
		return a.imported(f, out, err)
	}
	pass, err := a.optionalPassphrase(f.passphrase)
	switch {
	case err != nil:
		return err
	case pass == nil && a.terminal():
		if pass, err = a.secret(ctx, "Passphrase of the sealed keys: "); err != nil {
			return err
		}
		pass = bytes.TrimSpace(pass)
	case pass == nil:
		return a.imported(f, out, usage("every certificate is here and kept; the set needs their keys, which are sealed: give their passphrase with --passphrase-file FILE"))
	}
	defer clear(pass)
	pairs, err := round.Complete(pass)
	if err != nil {
		return a.imported(f, out, err)
	}
	if set := round.State.Renews; set != "" {
		return a.renewFrom(ctx, f, out, renew.Options{Dir: set, Handed: pairs})
	}
	ans, err := a.unlock(round.Answers, f.keyPassphrase)
	if err != nil {
		return a.imported(f, out, err)
	}
	if f.out != "" {
		ans.Plan.Output.Dir = a.path(f.out)
	}
	if w.CAKeys, err = a.caKeys(ctx, &f.keys, ans.Plan, install.MakesCAs(ans), f.dryRun, f.force); err != nil {
		return a.imported(f, out, err)
	}
	defer clear(w.CAKeys.Passphrase)
	if f.output != "json" {
		return a.apply(ctx, w, ans, f.output, f.dryRun, f.force)
	}
	p, receipt, err := makeSet(ctx, w, ans, f.force)
	set := appliedSummary(p, receipt, false, err)
	out.Set = &set
	return a.imported(f, out, err)
}

// renewFrom puts what came back into the set that it renews.
func (a *app) renewFrom(ctx context.Context, f *importFlags, out *importedJSON, o renew.Options) error {
	if f.out != "" {
		return usage("--out: these certificates renew the set in %s, and go there", untrusted.Text(o.Dir))
	}
	w := a.world()
	j, err := renew.Look(ctx, w, o)
	if err != nil {
		return a.imported(f, out, err)
	}
	if _, err := a.unlock(j.Answers, f.keyPassphrase); err != nil {
		return a.imported(f, out, err)
	}
	done := &renewedJSON{Dir: shown(o.Dir), Renewed: j.Renew}
	err = a.renewHere(ctx, w, &renewFlags{output: f.output, roundFlags: roundFlags{force: f.force}}, j, done)
	done.Notes = append(done.Notes, j.Notes...)
	if f.output != "json" {
		return a.renewed(&renewFlags{output: f.output}, done, err)
	}
	out.Set, out.Restart = done.Set, done.Restart
	return a.imported(f, out, err)
}

// makeSet is the pipeline from the answers to the disk.
func makeSet(ctx context.Context, w *install.World, ans *flow.Answers, force bool) (*flow.Prepared, *flow.Receipt, error) {
	p, err := install.Prepare(ctx, w, ans, nil, nil)
	if err != nil {
		return p, nil, err
	}
	receipt, err := install.Commit(ctx, w, p, force, nil)
	if err != nil && receipt.Dir == "" {
		return p, nil, err
	}
	return p, &receipt, err
}

// imported prints what an import came to.
func (a *app) imported(f *importFlags, out *importedJSON, err error) error {
	good := true
	for _, r := range out.Requests {
		good = good && r.What != offline.Bad
	}
	good = good && check.OK(out.Strays)
	out.OK = err == nil && good
	if err != nil {
		out.Error = err.Error()
	}
	if f.output == "json" {
		if jerr := a.printJSON(out); jerr != nil && err == nil {
			return jerr
		}
	} else {
		a.printReport(out)
	}
	if err == nil && !good {
		return &exitError{exitUnacceptable}
	}
	return err
}

// manyRequests is how many requests of one state are listed before they are counted.
const manyRequests = 40

func (a *app) printReport(out *importedJSON) {
	if out.printed {
		return
	}
	out.printed = true
	counts := map[string]int{}
	for _, r := range out.Requests {
		counts[r.What]++
		if len(r.Findings) == 0 && counts[r.What] > manyRequests {
			continue
		}
		until := ""
		if r.NotAfter != nil {
			until = "until " + r.NotAfter.Format(time.DateOnly) + "  " + untrusted.Text(r.File).Max(200)
		}
		if r.What == offline.Missing {
			until = untrusted.Text(r.Request).Max(200)
		}
		a.printf("%-8s %-28s %s\n", r.What, r.Slot, until)
		a.printIndented(r.Findings)
	}
	a.printIndented(out.Strays)
	for _, n := range out.Notes {
		a.printf("note: %s\n", untrusted.Text(n).Max(1000))
	}
	if len(out.Requests) == 0 {
		return
	}
	a.printf("%d of %s here: %d taken now, %d earlier, %d missing, %d refused\n", counts[offline.Taken]+counts[offline.Kept], areHere(len(out.Requests), "certificate"),
		counts[offline.Taken], counts[offline.Kept], counts[offline.Missing], counts[offline.Bad])
	if n := counts[offline.Missing] + counts[offline.Bad]; n > 0 {
		a.printf("next: have the rest signed, then certwright import %s FILE…\n", untrusted.Text(out.Dir).ShellArg())
	}
}

func areHere(n int, what string) string {
	if n == 1 {
		return "1 " + what + " is"
	}
	return fmt.Sprintf("%d %ss are", n, what)
}

func (a *app) printIndented(findings []check.Finding) {
	for line := range strings.Lines(findingsText(findings)) {
		a.printf("  %s", line)
	}
}
