package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"certwright/certs/check"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// planFlags are the flags of every command that works on a plan.
type planFlags struct {
	file       string
	profile    string
	set        []string
	passphrase string
	// lenient leaves it to the wizard to say that the file of the nodes cannot
	// be read: there a person can mend it.
	lenient bool
}

func (f *planFlags) add(c *cobra.Command, withProfile bool) {
	c.Flags().StringVarP(&f.file, "file", "f", "", "the plan `FILE`")
	if withProfile {
		c.Flags().StringVar(&f.profile, "profile", "", "the profile: a built-in `NAME`, or a file (default tectonic)")
	}
	c.Flags().StringArrayVar(&f.set, "set", nil, "a fact as `NAME=VALUE`; may be given several times")
}

// plan is the plan of the flags: the file's, or the defaults of the profile.
func (a *app) plan(f *planFlags) (*plan.Plan, error) {
	var p *plan.Plan
	if f.file != "" {
		if f.profile != "" {
			return nil, usage("-f and --profile exclude each other: the plan names its profile")
		}
		var err error
		if p, err = a.loadPlan(f.file); err != nil {
			return nil, err
		}
		if err := install.ReadNodes(a.world(), p); err != nil && !f.lenient {
			return nil, err
		}
	} else {
		name := f.profile
		if name == "" {
			name = catalogue{a}.Names()[0]
		}
		profile, err := catalogue{a}.Load(name)
		if err != nil {
			return nil, &usageError{err}
		}
		p = plan.Default(profile)
		p.Profile = name
	}
	for _, s := range f.set {
		if err := p.Set(s); err != nil {
			return nil, &usageError{err}
		}
	}
	return p, nil
}

// answers are the plan as the pipeline takes it, with a passphrase for each
// encrypted key.
func (a *app) answers(p *plan.Plan, passphraseFile string) (*flow.Answers, error) {
	profile, err := catalogue{a}.Load(p.Profile)
	if err != nil {
		return nil, err
	}
	referErr := install.Refer(a.world(), p)
	outline, err := p.Checked(profile)
	if err != nil {
		return nil, err
	}
	if referErr != nil {
		return nil, referErr
	}
	if err := p.Complete(outline); err != nil {
		return nil, err
	}
	return a.unlock(install.AnswersOf(profile, p, outline), passphraseFile)
}

// unlock finds the passphrases of the encrypted keys that the answers name.
func (a *app) unlock(ans *flow.Answers, passphraseFile string) (*flow.Answers, error) {
	if err := a.stepPasswords(ans); err != nil {
		return nil, err
	}
	locked := install.Locked(a.world(), ans)
	if len(locked) == 0 {
		return ans, nil
	}
	if passphraseFile != "" {
		data, err := install.ReadFile(a.Disk, a.path(passphraseFile), 64<<10)
		if err != nil {
			return nil, &usageError{fmt.Errorf("read the passphrase: %w", err)}
		}
		for _, l := range locked {
			ans.Passphrases[l.Slot] = bytes.TrimRight(bytes.Clone(data), "\r\n")
		}
		clear(data)
		return ans, nil
	}
	if !a.terminal() {
		return ans, nil // the check names the key and the flag
	}
	for _, l := range locked {
		pass, err := a.secret(a.ctx, fmt.Sprintf("Passphrase of %s (%s): ", untrusted.Text(l.File), l.Slot))
		if err != nil {
			return nil, err
		}
		ans.Passphrases[l.Slot] = pass
	}
	return ans, nil
}

func (a *app) applyCommand() *cobra.Command {
	var f planFlags
	var keys caKeyFlags
	var out, output string
	var dryRun, force, flat, anew bool
	c := &cobra.Command{
		Use:   "apply -f plan.yaml",
		Short: "Do what the wizard does, from a plan and without a terminal",
		Long: `apply makes, checks and proves the set that a plan describes, and writes it: all of it or
nothing. Relative paths in the plan start from where the plan lies.

Where a set of the same profile lies already, what the plan would make the same today is
kept byte for byte, and only the rest is issued: nodes are added by adding them to the plan.
What would replace or remove a key or a certificate needs --force.`,
		Example: `  certwright apply -f plan.yaml
  certwright apply -f plan.yaml --set cluster.name=prod --out /srv/pki
  certwright apply -f plan.yaml --dry-run -o json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			install.Spend()
			if err := checkOutput(output); err != nil {
				return err
			}
			if _, err := keys.choice(); err != nil {
				return err
			}
			if f.file == "" {
				return usage("apply needs a plan: certwright apply -f plan.yaml; the wizard writes one, and `certwright profiles show` a profile")
			}
			p, err := a.plan(&f)
			if err != nil {
				return a.applied(output, nil, nil, dryRun, err)
			}
			if p.Awaiting != "" {
				return a.applied(output, nil, nil, dryRun, fmt.Errorf("the plan awaits certificates that CAs elsewhere sign; take them with certwright import %s", untrusted.Text(p.Awaiting).ShellArg()))
			}
			if out != "" {
				p.Output.Dir = a.path(out)
			}
			if flat {
				p.Hierarchy = topology.Roots
			}
			w := a.world()
			w.Unseen = !dryRun && output != "json" // which lists the changes
			ans, err := a.answers(p, f.passphrase)
			if err != nil {
				return a.applied(output, nil, nil, dryRun, err)
			}
			w.OpenKeys = force
			if !anew {
				if err := a.carry(c.Context(), w, ans, &keys, force); err != nil {
					return a.applied(output, nil, nil, dryRun, err)
				}
			}
			if w.CAKeys.Passphrase == nil {
				needed := install.MakesCAs(ans) && (w.Earlier == nil || !w.Earlier.Sealed())
				if w.CAKeys, err = a.caKeys(c.Context(), &keys, p, needed, dryRun, force); err != nil {
					return a.applied(output, nil, nil, dryRun, err)
				}
			}
			defer clear(w.CAKeys.Passphrase)
			return a.apply(c.Context(), w, ans, output, dryRun, force)
		},
	}
	f.add(c, false)
	keys.add(c)
	c.Flags().StringVar(&out, "out", "", "write to `DIR` instead of where the plan says (default generated)")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "make, check and prove everything, and write nothing")
	c.Flags().BoolVar(&force, "force", false, "replace files of an existing set, the old ones are kept beside it; and take the key of a CA that others may read")
	c.Flags().BoolVar(&anew, "anew", false, "make everything anew, CAs included, and keep nothing of an existing set; needs --force there")
	c.Flags().BoolVar(&flat, "flat", false, "make each authority a self-signed root, without a root above them")
	c.Flags().StringVar(&f.passphrase, "passphrase-file", "", "read the passphrase of encrypted keys from `FILE`")
	outputFlag(c, &output)
	return c
}

// renewBefore is how long before its end apply --force makes a certificate
// anew, as status warns of it.
const renewBefore = 30 * 24 * time.Hour

// carry lets the run carry on the set that lies at the destination, with the
// passphrase of its sealed keys where there is one to be had.
func (a *app) carry(ctx context.Context, w *install.World, ans *flow.Answers, keys *caKeyFlags, force bool) error {
	var err error
	if w.Earlier, err = install.Carry(ctx, w, ans); err != nil || w.Earlier == nil {
		return err
	}
	if force {
		w.Earlier.Within = renewBefore
	}
	if !w.Earlier.Sealed() {
		return nil
	}
	fate, err := keys.choice()
	if err != nil {
		return err
	}
	w.CAKeys = install.CAKeys{Fate: cmp.Or(fate, ans.Plan.Keys.CAKeys), Work: a.SealWork}
	switch {
	case keys.file != "":
		w.CAKeys.Passphrase, err = a.passphraseOf(keys.file, force)
	case a.askable():
		w.CAKeys.Passphrase, err = a.secret(ctx, fmt.Sprintf("Passphrase of the keys of CAs in %s: ", untrusted.Text(w.Earlier.Dir)))
	}
	return err
}

func (a *app) apply(ctx context.Context, w *install.World, ans *flow.Answers, output string, dryRun, force bool) error {
	progress := a.progressLines(output)
	p, err := install.Prepare(ctx, w, ans, nil, progress)
	if err != nil {
		return a.applied(output, p, nil, dryRun, err)
	}
	if dryRun {
		if err := install.Rehearse(ctx, p, progress); err != nil {
			return a.applied(output, p, nil, dryRun, err)
		}
		return a.applied(output, p, nil, dryRun, p.Survey.Refused)
	}
	receipt, err := install.Commit(ctx, w, p, force, progress)
	if err != nil && receipt.Dir == "" {
		return a.applied(output, p, nil, dryRun, err)
	}
	return a.applied(output, p, &receipt, dryRun, err)
}

func stageWords(stage string) string {
	switch stage {
	case "issue":
		return "making keys and certificates"
	case "check":
		return "checking the set"
	case "prove":
		return "proving each connection by a handshake"
	case "mixed":
		return "proving the old set and the new one together"
	case "seal":
		return "sealing the keys of the CAs"
	case "nodes":
		return "making, checking and writing the certificates of the nodes"
	case "stage":
		return "writing"
	case "verify":
		return "verifying from the disk, then renaming into place"
	}
	return ""
}

// appliedJSON is what apply -o json prints.
type appliedJSON struct {
	OK         bool            `json:"ok"`
	DryRun     bool            `json:"dryRun,omitempty"`
	Error      string          `json:"error,omitempty"`
	Dir        string          `json:"dir,omitempty"`
	Written    int             `json:"written"`
	Unchanged  int             `json:"unchanged"`
	Backup     string          `json:"backup,omitempty"`
	Files      []fileJSON      `json:"files"`
	Findings   []check.Finding `json:"findings"`
	Handshakes handshakesJSON  `json:"handshakes"`
	Notes      []string        `json:"notes"`
}

type fileJSON struct {
	Path string          `json:"path"`
	Mode string          `json:"mode"`
	Kind string          `json:"kind"`
	Slot topology.SlotID `json:"slot,omitempty"`
	What flow.What       `json:"what,omitempty"`
	// Count is how many files of many nodes a path with a star stands for.
	Count int `json:"count,omitempty"`
}

type handshakesJSON struct {
	Total int `json:"total"` // that were made
	// Alike is how many connections of many nodes were like one that a handshake was
	// made for, their chains, names, keys and users looked at one by one.
	Alike  int               `json:"alike,omitempty"`
	Failed []prove.Handshake `json:"failed"`
	// Sampled says which connections of many nodes were tried; absent when all were.
	Sampled string `json:"sampled,omitempty"`
}

// applied prints what an apply came to, and returns the error that decides the
// exit status.
func (a *app) applied(output string, p *flow.Prepared, r *flow.Receipt, dryRun bool, err error) error {
	if output == "json" {
		return a.appliedAsJSON(p, r, dryRun, err)
	}
	if p != nil {
		a.printFindings(p.Findings)
		for _, n := range p.Notes {
			a.printf("note: %s\n", n)
		}
	}
	if err != nil && r == nil {
		return err
	}
	switch {
	case dryRun:
		a.printf("%d files would be written to %s; %s\n", p.Count(), untrusted.Text(p.Survey.Dir), proofWords(p))
		for _, c := range p.Survey.Changes {
			a.printf("  %-9s %04o  %s%s\n", c.What, c.Mode.Perm(), untrusted.Text(c.Path), times(c))
		}
	default:
		a.printf("%s\n", receiptWords(r))
		a.printf("%s\n", proofWords(p))
		for _, n := range r.Notes {
			a.printf("note: %s\n", n)
		}
		a.printf("next: %s\n", untrusted.Text(filepath.Join(r.Dir, "NEXT-STEPS.md")).Max(1000))
	}
	return err
}

func proofWords(p *flow.Prepared) string {
	words := fmt.Sprintf("%d handshakes over %d connections proved it", prove.Made(p.Handshakes), len(p.Topology.Edges))
	if sampled := prove.Sampled(p.Topology, p.Handshakes); sampled != "" {
		words += ": " + sampled
	}
	return words
}

// times says how many files a line stands for.
func times(c flow.Change) string {
	if c.Count < 2 {
		return ""
	}
	return fmt.Sprintf("  (%d of them)", c.Count)
}

func receiptWords(r *flow.Receipt) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d files written to %s", r.Written, untrusted.Text(r.Dir).Max(1000))
	if r.Written == 0 && r.Unchanged > 0 {
		return fmt.Sprintf("%s holds this set already: %d files, and nothing was to be written", untrusted.Text(r.Dir).Max(1000), r.Unchanged)
	}
	if r.Unchanged > 0 {
		fmt.Fprintf(&b, ", %d unchanged", r.Unchanged)
	}
	if r.Backup != "" {
		fmt.Fprintf(&b, "; what was replaced is kept in %s", untrusted.Text(r.Backup).Max(1000))
	}
	return b.String()
}

func (a *app) appliedAsJSON(p *flow.Prepared, r *flow.Receipt, dryRun bool, err error) error {
	if jerr := a.printJSON(appliedSummary(p, r, dryRun, err)); jerr != nil && err == nil {
		return jerr
	}
	return err
}

func appliedSummary(p *flow.Prepared, r *flow.Receipt, dryRun bool, err error) appliedJSON {
	out := appliedJSON{OK: err == nil || r != nil, DryRun: dryRun, Files: []fileJSON{}, Findings: []check.Finding{}, Notes: []string{}}
	out.Handshakes.Failed = []prove.Handshake{}
	if err != nil {
		out.Error = err.Error()
	}
	if p != nil {
		out.Findings = append(out.Findings, p.Findings...)
		out.Notes = append(out.Notes, p.Notes...)
		out.Handshakes.Total = prove.Made(p.Handshakes)
		if out.Handshakes.Alike = len(p.Handshakes) - out.Handshakes.Total; len(p.Handshakes) > 0 {
			out.Handshakes.Sampled = prove.Sampled(p.Topology, p.Handshakes)
		}
		out.Handshakes.Failed = append(out.Handshakes.Failed, prove.Failed(p.Handshakes)...)
		out.Dir = p.Survey.Dir
		whats := map[string]flow.What{}
		for _, c := range p.Survey.Changes {
			whats[c.Path] = c.What
		}
		for _, f := range p.Files {
			if p.Rest != nil && !strings.HasPrefix(f.Path, "tls/") && strings.Contains("/"+f.Path, "/nodes/") {
				continue // among the patterns below
			}
			out.Files = append(out.Files, fileJSON{Path: f.Path, Mode: fmt.Sprintf("%04o", f.Mode.Perm()), Kind: string(f.Kind), Slot: f.Slot, What: whats[f.Path]})
		}
	}
	if p != nil && p.Rest != nil {
		for _, c := range p.Survey.Changes {
			if c.Count > 0 {
				out.Files = append(out.Files, fileJSON{Path: c.Path, Mode: fmt.Sprintf("%04o", c.Mode), Kind: string(c.Kind), Slot: c.Slot, What: c.What, Count: c.Count})
			}
		}
	}
	if r != nil {
		out.Dir, out.Written, out.Unchanged, out.Backup = r.Dir, r.Written, r.Unchanged, r.Backup
		out.Notes = append(out.Notes, r.Notes...)
	}
	return out
}
