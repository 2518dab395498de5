package cli

import (
	"context"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/offline"
	"certwright/flow/plan"
	"certwright/flow/renew"
)

// renewFlags are the flags of renew.
type renewFlags struct {
	roundFlags
	within, output string
	slots          []string
	rekey, dryRun  bool
}

func (a *app) renewCommand() *cobra.Command {
	var f renewFlags
	c := &cobra.Command{
		Use:   "renew DIR",
		Short: "Issue what ends soon of a written set anew, and say what to restart",
		Long: `renew issues certificates of a set anew, from the plan that lies in it: what ends within
--within, or what --slot names (a slot, a slot of every node, or a component). The rest of the
set stays byte for byte, and what is replaced is kept in a backup. Keys stay, unless --rekey.

The new set is proved by handshakes, also mixed with the old one as it is while it rolls out.
Then the programs to restart are named, in their order.

Where the key of a CA is not at hand, signing requests with new keys are written instead, as
certwright csr does; certwright import brings them into the set. CAs are not renewed:
certwright rotate-ca plans that.`,
		Example: `  certwright renew generated                        what ends within 30 days
  certwright renew generated --within 90d --dry-run
  certwright renew generated --slot etcd/server --slot kube/kubelet-client@worker-0 --rekey`,
		Args: oneArg("directory"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkOutput(f.output); err != nil {
				return err
			}
			d, err := plan.ParseDuration(f.within)
			if err != nil {
				return usage("--within: %w", err)
			}
			return a.renew(c.Context(), &f, renew.Options{Dir: a.path(args[0]), Within: time.Duration(d), Slots: f.slots, Rekey: f.rekey})
		},
	}
	c.Flags().StringVar(&f.within, "within", "30d", "how soon is soon: `30d`, 720h, 1y")
	c.Flags().StringArrayVar(&f.slots, "slot", nil, "renew `SLOT` and nothing else, whenever it ends; may be given several times")
	c.Flags().BoolVar(&f.rekey, "rekey", false, "make new keys too")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "make and prove everything, and write nothing")
	c.Flags().BoolVar(&f.force, "force", false, "replace files that were changed since they were written, and requests that lie at --out; they are kept beside")
	c.Flags().StringVar(&f.out, "out", "", "write signing requests, where there are any, to `DIR` (default the set's, with -renewal behind it)")
	c.Flags().StringVar(&f.passphrase, "passphrase-file", "", "read from `FILE` the passphrase of sealed and encrypted keys of CAs, and of what is sealed now")
	outputFlag(c, &f.output)
	return c
}

// renewedJSON is what renew -o json prints.
type renewedJSON struct {
	OK        bool            `json:"ok"`
	DryRun    bool            `json:"dryRun,omitempty"`
	Error     string          `json:"error,omitempty"`
	Dir       string          `json:"dir"`
	Renewed   []renew.Item    `json:"renewed"`
	Elsewhere []renew.Item    `json:"elsewhere"` // asked for with signing requests
	CAs       []renew.Item    `json:"cas"`       // end within the time, and need certwright rotate-ca
	Brought   []renew.Item    `json:"brought"`   // end within the time, and were brought
	Mixed     int             `json:"mixedHandshakes"`
	Restart   []renew.Restart `json:"restart"`
	Requests  *askedJSON      `json:"requests,omitempty"`
	Set       *appliedJSON    `json:"set,omitempty"`
	Notes     []string        `json:"notes"`
}

func (a *app) renew(ctx context.Context, f *renewFlags, o renew.Options) error {
	out := &renewedJSON{DryRun: f.dryRun, Dir: shown(o.Dir), Renewed: []renew.Item{}, Elsewhere: []renew.Item{}, CAs: []renew.Item{}, Brought: []renew.Item{}, Restart: []renew.Restart{}, Notes: []string{}}
	w := a.world()
	w.OpenKeys = f.force
	var err error
	if w.CAKeys.Passphrase, err = a.optionalPassphrase(f.passphrase); err != nil {
		return err
	}
	defer clear(w.CAKeys.Passphrase)
	j, err := a.lookForRenewal(ctx, w, f, o)
	if err != nil {
		return a.renewed(f, out, err)
	}
	out.Renewed, out.Elsewhere = append(out.Renewed, j.Renew...), append(out.Elsewhere, j.Elsewhere...)
	out.CAs, out.Brought = append(out.CAs, j.CAs...), append(out.Brought, j.Brought...)
	// The requests first: where there is no passphrase for them, nothing is written.
	if len(j.Elsewhere) > 0 {
		err = a.renewElsewhere(ctx, f, j, out)
	}
	if err == nil && len(j.Renew) > 0 {
		err = a.renewHere(ctx, w, f, j, out)
	}
	out.Notes = append(out.Notes, j.Notes...)
	return a.renewed(f, out, err)
}

// lookForRenewal looks, and asks for the passphrase of a sealed key that is needed.
func (a *app) lookForRenewal(ctx context.Context, w *install.World, f *renewFlags, o renew.Options) (*renew.Job, error) {
	j, err := renew.Look(ctx, w, o)
	if err != nil {
		return nil, err
	}
	locked := j.Locked()
	switch {
	case locked == "":
	case f.passphrase != "":
		return nil, fmt.Errorf("the passphrase in %s does not open %s; give the one that it was sealed with", untrusted.Text(f.passphrase), untrusted.Text(locked))
	case a.terminal():
		if w.CAKeys.Passphrase, err = a.secret(ctx, fmt.Sprintf("Passphrase of %s: ", untrusted.Text(locked))); err != nil {
			return nil, err
		}
		if j, err = renew.Look(ctx, w, o); err == nil && j.Locked() != "" {
			err = fmt.Errorf("the passphrase does not open %s; give the one that it was sealed with", untrusted.Text(locked))
		}
		if err != nil {
			return nil, err
		}
	default:
		return nil, usage("%s is sealed, and what it has to sign waits: give its passphrase with --passphrase-file FILE", untrusted.Text(locked))
	}
	// Encrypted keys of CAs that were brought.
	if _, err := a.unlock(j.Answers, f.passphrase); err != nil {
		return nil, err
	}
	return j, nil
}

func (a *app) renewHere(ctx context.Context, w *install.World, f *renewFlags, j *renew.Job, out *renewedJSON) error {
	w.CAKeys.Fate, w.CAKeys.Work = j.Answers.Plan.Keys.CAKeys, a.SealWork
	p, receipt, mixed, err := a.rollOut(ctx, j, f.dryRun, f.force, f.output)
	if mixed != nil {
		out.Mixed = mixed.Handshakes
		if mixed.Broken > 0 {
			out.Notes = append(out.Notes, fmt.Sprintf("of the set as it was, %s failed already; of the renewed one, %d do", count(mixed.Broken, "handshake"), mixed.Still))
		}
	}
	set := appliedSummary(p, receipt, f.dryRun, err)
	out.Set = &set
	if p != nil && err == nil {
		out.Restart = append(out.Restart, renew.Restarts(j.Old.Topology, renew.Selected(j.Renew))...)
	}
	return err
}

// rollOut makes, proves and writes a renewal.
func (a *app) rollOut(ctx context.Context, j *renew.Job, dryRun, force bool, output string) (*flow.Prepared, *flow.Receipt, *renew.Mixed, error) {
	var last string
	progress := func(p flow.Progress) {
		if output == "text" && p.Stage != last {
			last = p.Stage
			if words := stageWords(p.Stage); words != "" {
				fmt.Fprintln(a.Err, words)
			}
		}
	}
	p, mixed, err := j.Prepare(ctx, force, progress)
	if err != nil || dryRun {
		return p, nil, mixed, err
	}
	receipt, err := j.Commit(ctx, p, progress)
	if err != nil && receipt.Dir == "" {
		return p, nil, mixed, err
	}
	return p, &receipt, mixed, err
}

// renewElsewhere writes the requests for CAs whose key is not at hand.
func (a *app) renewElsewhere(ctx context.Context, f *renewFlags, j *renew.Job, out *renewedJSON) error {
	want := offline.Wanted{Dir: a.path(f.out), Renews: j.Dir, Slots: renew.Selected(j.Elsewhere), CAs: map[topology.AuthorityID]*x509.Certificate{}}
	if f.out == "" {
		want.Dir = strings.TrimRight(j.Dir, string(filepath.Separator)) + "-renewal"
	}
	for _, id := range want.Slots {
		auth := j.Old.Topology.Slot(id).Authority
		want.CAs[auth] = j.CAOf(auth)
	}
	asked, err := a.ask(ctx, j.Answers, &f.roundFlags, want, f.dryRun)
	sum := askedSummary(asked, err)
	out.Requests = &sum
	return err
}

// renewed prints what a renewal came to.
func (a *app) renewed(f *renewFlags, out *renewedJSON, err error) error {
	out.OK = err == nil
	if err != nil {
		out.Error = err.Error()
	}
	if f.output == "json" {
		if jerr := a.printJSON(out); jerr != nil && err == nil {
			return jerr
		}
		return err
	}
	if out.Set != nil {
		a.printFindings(out.Set.Findings)
		out.Notes = append(slices.Clone(out.Set.Notes), out.Notes...)
	}
	for _, n := range out.Notes {
		a.printf("note: %s\n", untrusted.Text(n).Max(1000))
	}
	a.printEndings(out)
	if err != nil {
		return err
	}
	if len(out.Renewed)+len(out.Elsewhere) == 0 {
		a.printf("nothing to renew in %s: no certificate that was made here ends within %s\n", untrusted.Text(out.Dir), f.within)
		return nil
	}
	verb := "renewed "
	if f.dryRun {
		verb = "would renew"
	}
	printItems(a, verb, out.Renewed)
	if out.Set != nil {
		a.printf("%d handshakes proved the new set, %d the old and the new together\n", out.Set.Handshakes.Total-len(out.Set.Handshakes.Failed), out.Mixed)
	}
	if out.Set != nil && !f.dryRun {
		a.printf("%s\n", receiptWords(&flow.Receipt{Dir: out.Set.Dir, Written: out.Set.Written, Unchanged: out.Set.Unchanged, Backup: out.Set.Backup}))
	}
	a.printRestarts(out.Restart)
	if out.Requests != nil {
		printItems(a, "asked for", out.Elsewhere)
		if !f.dryRun {
			a.printRequests(out.Requests)
		}
	}
	return nil
}

// manyItems is how many certificates of a kind are listed before they are counted.
const manyItems = 40

func printItems(a *app, verb string, items []renew.Item) {
	for i, it := range items {
		if i == manyItems {
			a.printf("%-11s and %d more\n", verb, len(items)-manyItems)
			return
		}
		a.printf("%-11s %-28s %s\n", verb, it.Slot, it.Why)
	}
}

// printEndings names what ends and cannot be renewed.
func (a *app) printEndings(out *renewedJSON) {
	for _, it := range out.CAs {
		name, authority := string(it.Slot), string(it.Authority)
		if it.Slot == "" {
			name, authority = "the root", "root"
		}
		a.printf("note: %s %s, and a CA is not renewed in its place: certwright rotate-ca %s %s plans what to do\n", name, it.Why, authority, untrusted.Text(out.Dir).ShellArg())
	}
	for _, it := range out.Brought {
		a.printf("note: %s %s, and was brought: give a new one in the plan, then certwright apply --force\n", it.Slot, it.Why)
	}
}

func (a *app) printRestarts(list []renew.Restart) {
	if len(list) == 0 {
		return
	}
	a.printf("copy the new files to where they are used, then in this order:\n")
	for i, r := range list {
		what := "restart " + r.Program
		switch {
		case r.Tool:
			what = r.Program + " takes the new file by itself"
		case len(r.Secrets) > 0:
			what = "apply " + strings.Join(r.Secrets, ", ") + " again, then restart " + r.Program
		case r.OneByOne:
			what += ", one member at a time: wait until it is healthy before the next"
		case len(r.Hosts) > 1:
			what += ", one machine after the other"
		}
		if n := len(r.Hosts); n > 0 {
			shown := r.Hosts[:min(n, 8)]
			what += " (" + strings.Join(shown, ", ")
			if n > len(shown) {
				what += fmt.Sprintf(" and %d more", n-len(shown))
			}
			what += ")"
		}
		a.printf("  %d. %s\n", i+1, untrusted.Text(what).Max(600))
	}
}
