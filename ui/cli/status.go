package cli

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"certwright/assets/store"
	"certwright/certs/untrusted"
	"certwright/flow/calendar"
	"certwright/flow/plan"
)

// statusJSON is what status -o json prints. Dir and Profile are those of the
// first path and of the first set.
type statusJSON struct {
	OK       bool         `json:"ok"`
	Dir      string       `json:"dir"`
	Profile  string       `json:"profile"`
	Sources  []sourceJSON `json:"sources"`
	Expiring []expiryJSON `json:"expiring"` // within the time asked for
	Early    []expiryJSON `json:"notYetValid"`
	Expiry   []expiryJSON `json:"expiry"` // everything, the soonest first
	Drift    []driftJSON  `json:"drift"`
	Notes    []noteJSON   `json:"notes"`   // what the list does not know
	Backups  []string     `json:"backups"` // directories with what was replaced
	Pending  bool         `json:"pending"` // an interrupted run waits for recover
}

type sourceJSON struct {
	Path    string `json:"path"`
	Kind    string `json:"kind"` // set, kubernetes, k3s, folder, file
	Profile string `json:"profile,omitempty"`
	Pending bool   `json:"pending,omitempty"` // an interrupted run waits for recover
}

type expiryJSON struct {
	Path       string     `json:"path"`
	At         string     `json:"at,omitempty"` // the place inside the file
	Slot       string     `json:"slot,omitempty"`
	Subject    string     `json:"subject,omitempty"`
	Issuer     string     `json:"issuer,omitempty"`
	Names      []string   `json:"subjectAltNames,omitempty"`
	Serial     string     `json:"serial,omitempty"`
	SHA256     string     `json:"sha256,omitempty"`
	CA         bool       `json:"ca"`
	NotBefore  *time.Time `json:"notBefore,omitempty"`
	NotAfter   time.Time  `json:"notAfter"`
	Days       int        `json:"days"`
	Renewal    string     `json:"renewal,omitempty"`    // who renews it, where that is known
	Superseded string     `json:"superseded,omitempty"` // the file that took its place
	Copies     []string   `json:"copies,omitempty"`
}

type driftJSON struct {
	Path string `json:"path"`
	What string `json:"what"` // changed, missing, loosened
	Fix  string `json:"fix"`
}

type noteJSON struct {
	Path string `json:"path"`
	Note string `json:"note"`
}

// statusForms are the values of -o.
var statusForms = []string{"text", "json", "ics", "prometheus"}

func (a *app) statusCommand() *cobra.Command {
	var output, within string
	var all bool
	c := &cobra.Command{
		Use:   "status DIR|FILE...",
		Short: "Say what expires when, in a written set or anywhere else",
		Long: `status lists every certificate with its end, the soonest first. It reads sets that certwright
wrote, kubeadm's /etc/kubernetes with its kubeconfigs, the kubelet's and k3s' directories, single
files, kubeconfigs, manifests of Secrets, and any folder. It reads no private key.

It exits 1 when something ends within the time of --within or is not valid yet, or when a file
of a set was changed, is missing, or may be read by more people than it was written for. A
certificate that lies there several times, as in kubeconfigs and Terraform modules, is named
once, unless --all is given; so are the certificates of many nodes that end on the same day.

-o ics is a calendar to subscribe to (RFC 5545), with an alarm before each end; -o prometheus is
for the textfile collector of node_exporter.`,
		Example: `  certwright status generated --within 60d
  sudo certwright status /etc/kubernetes /var/lib/kubelet/pki
  certwright status generated ~/.kube/config -o ics > certificates.ics
  certwright status /etc/kubernetes -o prometheus > certs.prom.new; mv certs.prom.new certs.prom`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("status needs a directory or a file; see certwright status --help")
			}
			if !slices.Contains(statusForms, output) {
				return usage("-o %s: use %s", untrusted.Text(output), strings.Join(statusForms, ", "))
			}
			d, err := plan.ParseDuration(within)
			if err != nil {
				return usage("--within: %w", err)
			}
			return a.statusOf(args, time.Duration(d), all, output)
		},
	}
	c.Flags().StringVar(&within, "within", "30d", "how soon is soon: `30d`, 720h, 1y")
	c.Flags().BoolVar(&all, "all", false, "name every file: copies of a certificate, and each node, too")
	c.Flags().StringVarP(&output, "output", "o", "text", strings.Join(statusForms[:3], ", ")+" or "+statusForms[3])
	return c
}

func (a *app) statusOf(paths []string, within time.Duration, all bool, output string) error {
	cal, err := calendar.Read(a.ctx, a.world(), paths, all)
	if err != nil {
		return err
	}
	now := a.Now()
	out := statusReport(cal, now, within)
	switch output {
	case "json":
		err = a.printJSON(out)
	case "ics":
		a.printf("%s", iCalendar(cal, now, within))
	case "prometheus":
		a.printf("%s", prometheus(cal, out, now))
	default:
		a.printStatus(out, all)
	}
	if err != nil {
		return err
	}
	if !out.OK {
		return &exitError{exitUnacceptable}
	}
	return nil
}

// statusReport is the calendar as JSON has it, with what it amounts to.
func statusReport(cal *calendar.Calendar, now time.Time, within time.Duration) statusJSON {
	out := statusJSON{
		Dir: shown(cal.Sources[0].Path), Sources: []sourceJSON{}, Expiring: []expiryJSON{}, Early: []expiryJSON{},
		Expiry: []expiryJSON{}, Drift: []driftJSON{}, Backups: []string{}, Notes: []noteJSON{},
	}
	clean := true
	for _, s := range cal.Sources {
		one := sourceJSON{Path: shown(s.Path), Kind: string(s.Kind)}
		if s.Drift != nil {
			one.Profile = untrusted.Text(s.Drift.Manifest.Profile).String()
			if out.Profile == "" {
				out.Profile = one.Profile
			}
			clean = clean && s.Drift.Clean()
			one.Pending = s.Drift.Pending
			out.Pending = out.Pending || one.Pending
			for _, b := range s.Drift.Backups {
				out.Backups = append(out.Backups, shown(filepath.Join(s.Path, b)))
			}
			out.Drift = append(out.Drift, driftOf(s, len(cal.Sources) > 1)...)
		}
		out.Sources = append(out.Sources, one)
	}
	for i := range cal.Entries {
		e := &cal.Entries[i]
		x := expiryOf(e, now)
		out.Expiry = append(out.Expiry, x)
		if e.Ends(now.Add(within)) {
			out.Expiring = append(out.Expiring, x)
		}
		if e.Early(now) {
			out.Early = append(out.Early, x)
		}
	}
	for _, n := range cal.Notes {
		out.Notes = append(out.Notes, noteJSON{shown(n.Path), n.Text})
	}
	out.OK = len(out.Expiring)+len(out.Early) == 0 && clean
	return out
}

func expiryOf(e *calendar.Entry, now time.Time) expiryJSON {
	x := expiryJSON{
		Path: shown(e.Path), At: e.At, Slot: e.Slot, Subject: e.Subject, Issuer: e.Issuer, Names: e.Names, Serial: e.Serial,
		SHA256: e.SHA256, CA: e.CA, NotAfter: e.NotAfter, Days: e.Days(now), Renewal: e.Renewal, Superseded: e.Superseded,
	}
	if !e.NotBefore.IsZero() {
		x.NotBefore = &e.NotBefore
	}
	for _, c := range e.Copies {
		x.Copies = append(x.Copies, shown(c))
	}
	return x
}

// driftOf is what differs of a set; named says that other sources stand beside it.
func driftOf(s calendar.Source, named bool) []driftJSON {
	var out []driftJSON
	words := map[store.Status]string{store.Modified: "changed", store.Missing: "missing", store.Loosened: "loosened"}
	for _, m := range s.Drift.Mends(s.Path) {
		name := m.Path
		if named {
			name = strings.TrimSuffix(s.Path, "/") + "/" + name
		}
		out = append(out, driftJSON{Path: untrusted.Text(name).String(), What: words[m.Status], Fix: m.Fix})
	}
	return out
}
