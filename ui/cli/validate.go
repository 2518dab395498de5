package cli

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/place"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow/install"
	"certwright/flow/plan"
)

type validateFlags struct {
	planFlags
	slot, cert, key, ca                       string
	anchor, intermediates, name, usage, at, o string
}

// verdictJSON is what validate prints for one slot or one chain.
type verdictJSON struct {
	OK       bool            `json:"ok"`
	Findings []check.Finding `json:"findings"`
}

// folderJSON is what validate prints for a folder.
type folderJSON struct {
	OK       bool                           `json:"ok"`
	Slots    map[topology.SlotID]folderSlot `json:"slots"`
	Unplaced []place.Unplaced               `json:"unplaced"`
	Missing  []topology.SlotID              `json:"missing"`
	Findings []check.Finding                `json:"findings"` // of the whole set
	Notes    []string                       `json:"notes"`    // what could not be checked, and why
}

type folderSlot struct {
	OK       bool            `json:"ok"`
	Cert     string          `json:"cert,omitempty"`
	Key      string          `json:"key,omitempty"`
	Why      string          `json:"why,omitempty"`
	Findings []check.Finding `json:"findings"`
}

func (a *app) validateCommand() *cobra.Command {
	var f validateFlags
	c := &cobra.Command{
		Use:   "validate",
		Short: "Judge certificates against their role, a folder of them, or a chain",
		Long: `validate has three forms:

  certwright validate --profile P --slot S --cert FILE [--key FILE] [--ca FILE]
      judge one slot's material against its role
  certwright validate --profile P DIR
      sort a folder of files into slots by content, judge each slot and the whole
  certwright validate --cert FILE --anchor FILE [--intermediates FILE] [--server-name N]
      judge a chain for a purpose, without a profile

It exits 0 when the material is acceptable (warnings allowed) and 1 when it is not.`,
		Example: `  certwright validate --profile tectonic --slot etcd/server --cert server.crt --key server.key --ca ca.crt
  certwright validate --profile tectonic --set cluster.name=prod ./pki -o json
  certwright validate --cert site.pem --anchor root.pem --server-name www.example.com --usage server`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkOutput(f.o); err != nil {
				return err
			}
			switch {
			case len(args) > 1:
				return usage("validate takes one folder, and %d were given", len(args))
			case len(args) == 1:
				if f.cert != "" || f.slot != "" || f.anchor != "" {
					return usage("a folder and --cert, --slot or --anchor exclude each other")
				}
				return a.validateFolder(c, &f, args[0])
			case f.anchor != "":
				if f.slot != "" || f.profile != "" {
					return usage("--anchor is the form without a profile: leave out --profile and --slot, or give the CA as --ca")
				}
				return a.validateChain(&f)
			case f.slot != "":
				return a.validateSlot(&f)
			}
			return usage("say what to judge: --slot S --cert FILE, a folder, or --cert FILE --anchor FILE; see certwright validate --help")
		},
	}
	f.planFlags.add(c, true)
	fl := c.Flags()
	fl.StringVar(&f.slot, "slot", "", "the slot: etcd/server, kube/ca … (certwright profiles show P lists them)")
	fl.StringVar(&f.cert, "cert", "", "the certificate `FILE`; its intermediates may follow in it")
	fl.StringVar(&f.key, "key", "", "the private key `FILE`")
	fl.StringVar(&f.ca, "ca", "", "the `FILE` of the CA that the slot's component trusts")
	fl.StringVar(&f.anchor, "anchor", "", "the `FILE` of trust anchors (no profile)")
	fl.StringVar(&f.intermediates, "intermediates", "", "a `FILE` of further intermediates (no profile)")
	fl.StringVar(&f.name, "server-name", "", "the host name or address that is dialled (no profile)")
	fl.StringVar(&f.usage, "usage", "server", "server or client (no profile)")
	fl.StringVar(&f.at, "at", "", "judge at this `TIME` (RFC 3339) instead of now")
	fl.StringVar(&f.passphrase, "passphrase-file", "", "read the passphrase of an encrypted key from `FILE`")
	outputFlag(c, &f.o)
	return c
}

// resolve fills the profile of the flags in, with what is wrong with the facts.
func (a *app) resolve(f *planFlags) (*topology.Topology, []*topology.FactProblem, error) {
	p, err := a.plan(f)
	if err != nil {
		return nil, nil, err
	}
	profile, err := catalogue{a}.Load(p.Profile)
	if err != nil {
		return nil, nil, err
	}
	t, problems := p.Topology(profile)
	return t, problems, nil
}

// wrongFacts is a wrong use of the command line, or nil.
func wrongFacts(problems []*topology.FactProblem) error {
	var errs []error
	for _, problem := range problems {
		errs = append(errs, problem)
	}
	if len(errs) == 0 {
		return nil
	}
	return &usageError{errors.Join(errs...)}
}

// slotTopology is the profile of the flags for one slot: what is wrong with
// facts that the slot does not depend on is no concern of it.
func (a *app) slotTopology(f *planFlags, slot topology.SlotID) (*topology.Topology, error) {
	t, problems, err := a.resolve(f)
	if err != nil {
		return nil, err
	}
	if t.Slot(slot) != nil {
		uses, known := t.Profile.Uses(slot), t.Profile.FactNames()
		problems = slices.DeleteFunc(problems, func(fp *topology.FactProblem) bool {
			return slices.Contains(known, fp.Fact) && !slices.Contains(uses, fp.Fact)
		})
	}
	return t, wrongFacts(problems)
}

func (a *app) moment(f *validateFlags) (time.Time, error) {
	if f.at == "" {
		return a.Now(), nil
	}
	t, err := time.Parse(time.RFC3339, f.at)
	if err != nil {
		return time.Time{}, usage("--at %q: write a time like 2026-11-21T12:00:00Z", f.at)
	}
	return t, nil
}

// document reads one file of the command line. A file that cannot be read is a
// finding like any other defect of the material.
func (a *app) document(path, passphraseFile string, findings *[]check.Finding) (*material.Document, error) {
	if path == "" {
		return nil, nil
	}
	in, err := install.ReadInput(a.Disk, a.path(path))
	var re *install.ReadError
	if errors.As(err, &re) {
		re.Message = strings.Replace(re.Message, untrusted.Text(a.path(path)).String(), untrusted.Text(path).String(), 1)
		re.Fix = strings.Replace(re.Fix, untrusted.Text(a.path(path)).ShellArg(), untrusted.Text(path).ShellArg(), 1)
		rule, _ := check.RuleByID(re.Rule)
		*findings = append(*findings, check.Finding{Rule: re.Rule, Severity: check.Error, File: untrusted.Text(path).String(), Message: re.Message, Why: rule.Why, Fix: re.Fix})
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	in.Name = path
	if passphraseFile != "" {
		if in.Passphrase, err = a.passphrase(passphraseFile); err != nil {
			return nil, err
		}
	}
	return material.Parse(in), nil
}

// passphrase is what a file of one holds, without the line break behind it.
func (a *app) passphrase(file string) ([]byte, error) {
	pass, err := install.ReadFile(a.Disk, a.path(file), 64<<10)
	if err != nil {
		return nil, &usageError{err}
	}
	return bytes.TrimRight(pass, "\r\n"), nil
}

func (a *app) validateSlot(f *validateFlags) error {
	t, err := a.slotTopology(&f.planFlags, topology.SlotID(f.slot))
	if err != nil {
		return err
	}
	slot := t.Slot(topology.SlotID(f.slot))
	if slot == nil {
		return usage("profile %s has no slot %q; it has %s", t.Profile.Name, f.slot, slotNames(t))
	}
	if f.cert == "" && f.key == "" {
		return usage("--slot %s needs --cert FILE", f.slot)
	}
	now, err := a.moment(f)
	if err != nil {
		return err
	}
	var findings []check.Finding
	in := check.SlotInput{Slot: slot, Topology: t, Now: now}
	for _, d := range []struct {
		into **material.Document
		path string
	}{{&in.Cert, f.cert}, {&in.Key, f.key}, {&in.CA, f.ca}} {
		if *d.into, err = a.document(d.path, f.passphrase, &findings); err != nil {
			return err
		}
	}
	if in.Cert != nil || in.Key != nil {
		findings = append(findings, check.Slot(in)...)
	}
	return a.verdict(f.o, findings)
}

// slotNames lists the slots of a topology; of those that every node has, one.
func slotNames(t *topology.Topology) string {
	var ids []string
	seen := map[topology.SlotID]bool{}
	for _, s := range t.Slots {
		if base := s.ID.Base(); !seen[base] {
			seen[base] = true
			ids = append(ids, string(s.ID))
		}
	}
	return strings.Join(ids, ", ")
}

func (a *app) verdict(output string, findings []check.Finding) error {
	// Those of reading a file stand in front: they are errors all.
	if output == "json" {
		if findings == nil {
			findings = []check.Finding{}
		}
		if err := a.printJSON(verdictJSON{OK: check.OK(findings), Findings: findings}); err != nil {
			return err
		}
	} else {
		a.printFindings(findings)
		if check.OK(findings) {
			a.printf("acceptable: %s\n", tally(findings))
		} else {
			a.printf("not acceptable: %s\n", tally(findings))
		}
	}
	if !check.OK(findings) {
		return &exitError{exitUnacceptable}
	}
	return nil
}

func (a *app) validateChain(f *validateFlags) error {
	if f.cert == "" {
		return usage("--anchor needs --cert FILE, the chain to judge")
	}
	in := check.ChainInput{ServerName: f.name}
	switch f.usage {
	case "server":
		in.Usage = topology.ServerAuth
	case "client":
		in.Usage = topology.ClientAuth
	default:
		return usage("--usage %q: use server or client", f.usage)
	}
	var err error
	if in.At, err = a.moment(f); err != nil {
		return err
	}
	var findings []check.Finding
	for _, d := range []struct {
		into **material.Document
		path string
	}{{&in.Leaf, f.cert}, {&in.Intermediates, f.intermediates}, {&in.Anchors, f.anchor}} {
		if *d.into, err = a.document(d.path, "", &findings); err != nil {
			return err
		}
	}
	if in.Leaf != nil && in.Anchors != nil {
		findings = append(findings, check.Chain(in)...)
	}
	return a.verdict(f.o, findings)
}

func (a *app) validateFolder(c *cobra.Command, f *validateFlags, dir string) error {
	w := a.world()
	now, err := a.moment(f)
	if err != nil {
		return err
	}
	w.Now = func() time.Time { return now }
	if f.passphrase != "" {
		if w.Passphrase, err = a.passphrase(f.passphrase); err != nil {
			return err
		}
	}
	var notes []string
	var wrong error
	l, err := install.LoadFor(c.Context(), w, dir, func() (t *topology.Topology, _ error) {
		t, notes, wrong = a.folderTopology(&f.planFlags, dir)
		return t, wrong
	})
	switch {
	case wrong != nil:
		return wrong
	case err != nil:
		return &usageError{err}
	}
	if f.o == "json" {
		out := folderAsJSON(l)
		out.Notes = append(out.Notes, notes...)
		if err := a.printJSON(out); err != nil {
			return err
		}
	} else {
		a.printFolder(l)
		for _, n := range notes {
			a.printf("note: %s\n", n)
		}
	}
	if !l.OK() {
		return &exitError{exitUnacceptable}
	}
	return nil
}

// folderTopology takes a folder's own plan for the facts when the flags name no
// other. Of a folder whose single node nobody described everything else is
// known; notes say what could not be checked for that reason.
func (a *app) folderTopology(f *planFlags, dir string) (t *topology.Topology, notes []string, err error) {
	p, err := a.folderPlan(f, dir)
	if err != nil {
		return nil, nil, err
	}
	profile, err := catalogue{a}.Load(p.Profile)
	if err != nil {
		return nil, nil, err
	}
	t, unknown, problems := anyNode(p, profile)
	if len(unknown) > 0 {
		notes = append(notes, fmt.Sprintf("%s %s not given, so the names and addresses of the node were not checked; add --set %s=…",
			strings.Join(unknown, " and "), plural(len(unknown), "was", "were"), strings.Join(unknown, "=… --set ")))
	}
	return t, notes, wrongFacts(problems)
}

// anyNode is the topology of a plan, also where nobody described its single node.
func anyNode(p *plan.Plan, profile *topology.Profile) (t *topology.Topology, unknown []string, problems []*topology.FactProblem) {
	if p.HasTable() || !profile.HasNodes() {
		t, problems = p.Topology(profile)
		return t, nil, problems
	}
	return topology.ResolveAnyNode(profile, p.Facts)
}

func (a *app) folderPlan(f *planFlags, dir string) (*plan.Plan, error) {
	if f.file != "" || f.profile != "" {
		return a.plan(f)
	}
	p, err := install.PlanOf(a.world(), dir)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return a.plan(f)
	}
	for _, s := range f.set {
		if err := p.Set(s); err != nil {
			return nil, &usageError{err}
		}
	}
	return p, install.ReadNodes(a.world(), p)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
