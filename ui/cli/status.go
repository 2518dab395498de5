package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/certs/untrusted"
	"certwright/flow/plan"
)

type statusJSON struct {
	OK       bool         `json:"ok"`
	Dir      string       `json:"dir"`
	Profile  string       `json:"profile"`
	Expiring []expiryJSON `json:"expiring"` // within the time asked for
	Expiry   []expiryJSON `json:"expiry"`   // everything, the soonest first
	Drift    []driftJSON  `json:"drift"`
	Pending  bool         `json:"pending"` // an interrupted run waits for recover
}

type expiryJSON struct {
	Path     string    `json:"path"`
	Slot     string    `json:"slot,omitempty"`
	NotAfter time.Time `json:"notAfter"`
	Days     int       `json:"days"`
}

type driftJSON struct {
	Path string `json:"path"`
	What string `json:"what"` // changed, missing, loosened
	Fix  string `json:"fix"`
}

func (a *app) statusCommand() *cobra.Command {
	var output, within string
	var all bool
	c := &cobra.Command{
		Use:   "status DIR",
		Short: "Say what of a written set expires soon, and what differs from its manifest",
		Long: `status reads the manifest of a set that certwright wrote. It exits 1 when something ends
within the time of --within, or when a file was changed, is missing, or may be read by more
people than it was written for. A certificate that lies there several times, as in kubeconfigs
and Terraform modules, is named once, unless --all is given.`,
		Example: "  certwright status generated --within 60d",
		Args:    oneArg("directory"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			d, err := plan.ParseDuration(within)
			if err != nil {
				return usage("--within: %w", err)
			}
			return a.statusOf(args[0], time.Duration(d), all, output)
		},
	}
	c.Flags().StringVar(&within, "within", "30d", "how soon is soon: `30d`, 720h, 1y")
	c.Flags().BoolVar(&all, "all", false, "name every file, copies of a certificate too")
	outputFlag(c, &output)
	return c
}

func (a *app) statusOf(dir string, within time.Duration, all bool, output string) error {
	drift, err := store.Check(a.Store, a.path(dir))
	if err != nil {
		return err
	}
	out := statusJSON{Dir: shown(dir), Profile: drift.Manifest.Profile, Expiring: []expiryJSON{}, Expiry: []expiryJSON{}, Drift: []driftJSON{}, Pending: drift.Pending}
	now := a.Now()
	files := drift.Manifest.Files
	if !all {
		files = originals(files)
	}
	for _, e := range files {
		if e.NotAfter == nil {
			continue
		}
		x := expiryJSON{Path: e.Path, Slot: e.Slot, NotAfter: *e.NotAfter, Days: int(e.NotAfter.Sub(now).Hours() / 24)}
		out.Expiry = append(out.Expiry, x)
	}
	slices.SortStableFunc(out.Expiry, func(x, y expiryJSON) int { return x.NotAfter.Compare(y.NotAfter) })
	for _, x := range out.Expiry {
		if x.NotAfter.Before(now.Add(within)) {
			out.Expiring = append(out.Expiring, x)
		}
	}
	for _, d := range []struct {
		what, fix string
		paths     []string
	}{
		{"changed", "put the written file back, or write the set anew with certwright apply --force", drift.Changed},
		{"missing", "put the written file back, or write the set anew with certwright apply --force", drift.Missing},
		{"loosened", "$ chmod go-rwx ", drift.Loosened},
	} {
		for _, p := range d.paths {
			fix := d.fix
			if d.what == "loosened" {
				fix += untrusted.Text(dir + "/" + p).ShellArg()
			}
			out.Drift = append(out.Drift, driftJSON{Path: untrusted.Text(p).String(), What: d.what, Fix: fix})
		}
	}
	out.OK = len(out.Expiring) == 0 && drift.Clean()
	if output == "json" {
		if err := a.printJSON(out); err != nil {
			return err
		}
	} else {
		a.printStatus(out)
	}
	if !out.OK {
		return &exitError{exitUnacceptable}
	}
	return nil
}

// originals leaves out the copies of a slot's certificate: the deployed file
// stands for it, then the CA's own, then whatever else holds it.
func originals(files []store.Entry) []store.Entry {
	type certificate struct{ slot, serial string }
	rank := func(e store.Entry) int {
		plain := e.Kind == string(layout.KindCertificate) || e.Kind == string(layout.KindCA)
		switch {
		case plain && strings.HasPrefix(e.Path, "tls/"):
			return 0
		case plain && strings.HasPrefix(e.Path, "nodes/"):
			return 1
		case plain:
			return 2
		case strings.HasPrefix(e.Path, "tls/"): // a client that lives in a kubeconfig alone
			return 3
		}
		return 4
	}
	best := map[certificate]store.Entry{}
	for _, e := range files {
		c := certificate{e.Slot, e.Serial}
		if known, ok := best[c]; !ok || rank(e) < rank(known) {
			best[c] = e
		}
	}
	return slices.DeleteFunc(slices.Clone(files), func(e store.Entry) bool {
		return e.Slot != "" && e.Serial != "" && best[certificate{e.Slot, e.Serial}].Path != e.Path
	})
}

func (a *app) printStatus(s statusJSON) {
	for _, x := range s.Expiry {
		mark := "ok"
		if slices.Contains(s.Expiring, x) {
			mark = "ends"
		}
		days := fmt.Sprintf("%d days", x.Days)
		if x.Days < 0 {
			days = "ended"
		}
		a.printf("%-5s %s  %9s  %s\n", mark, x.NotAfter.UTC().Format(time.DateOnly), days, strings.Join(nonEmpty(x.Path, x.Slot), "  "))
	}
	for _, d := range s.Drift {
		a.printf("%-9s %s; %s\n", d.What, d.Path, d.Fix)
	}
	if s.Pending {
		a.printf("an interrupted run waits here: certwright recover %s\n", untrusted.Text(s.Dir).ShellArg())
	}
	if s.OK {
		a.printf("all is as it was written\n")
	}
}
