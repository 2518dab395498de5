package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"certwright/certs/check"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow/install"
)

// matrixJSON is what prove -o json prints.
type matrixJSON struct {
	OK         bool              `json:"ok"`
	Handshakes []prove.Handshake `json:"handshakes"`
	Reach      []prove.Opening   `json:"reach"`
	Findings   []check.Finding   `json:"findings"`
	Missing    []topology.SlotID `json:"missing"`
	Notes      []string          `json:"notes,omitempty"` // what could not be checked, and why
}

func (a *app) proveCommand() *cobra.Command {
	var f planFlags
	var output string
	c := &cobra.Command{
		Use:   "prove [-f plan.yaml | DIR]",
		Short: "Prove every connection by a real handshake, and show what each key opens",
		Long: `prove makes a TLS handshake in memory for each connection of the topology and each name
that is dialled, and tries each client key against the servers that no connection asks for.
With more than eight nodes it takes an even sample of the connections, makes one of each kind, and
looks at the chain, name, key and user of those like it one by one; the output says which.
With -f it proves what a plan would make, with DIR a set that was written or a folder of
hand-made files. It exits 1 when a connection would fail.`,
		Example: `  certwright prove generated
  certwright prove -f plan.yaml -o json
  certwright prove --profile tectonic --set cluster.name=prod ./pki`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if len(args) == 1 {
				if f.file != "" {
					return usage("-f and a folder exclude each other")
				}
				return a.proveFolder(c, &f, args[0], output)
			}
			return a.provePlan(c, &f, output)
		},
	}
	f.add(c, true)
	c.Flags().StringVar(&f.passphrase, "passphrase-file", "", "read the passphrase of encrypted keys from `FILE`")
	outputFlag(c, &output)
	return c
}

func (a *app) provePlan(c *cobra.Command, f *planFlags, output string) error {
	p, err := a.plan(f)
	if err != nil {
		return err
	}
	ans, err := a.answers(p, f.passphrase)
	if err != nil {
		return err
	}
	prepared, err := install.Prepare(c.Context(), a.world(), ans, nil, nil)
	if prepared == nil || len(prepared.Handshakes) == 0 {
		if prepared != nil && output == "json" {
			m := matrixJSON{Handshakes: []prove.Handshake{}, Reach: []prove.Opening{}, Findings: append([]check.Finding{}, prepared.Findings...), Missing: []topology.SlotID{}}
			if jerr := a.printJSON(m); jerr != nil {
				return jerr
			}
		} else if prepared != nil {
			a.printFindings(prepared.Findings)
		}
		return err
	}
	return a.matrix(output, prepared.Topology, matrixJSON{Handshakes: prepared.Handshakes, Reach: prepared.Openings, Findings: prepared.Findings})
}

func (a *app) proveFolder(c *cobra.Command, f *planFlags, dir, output string) error {
	t, notes, err := a.folderTopology(f, dir)
	if err != nil {
		return err
	}
	w := a.world()
	l, err := install.Load(c.Context(), w, dir, t)
	if err != nil {
		return &usageError{err}
	}
	in := prove.Input{Set: l.Set, Now: w.Now()}
	m := matrixJSON{Missing: l.Sorted.Missing, Notes: notes}
	if m.Handshakes, m.Reach, err = prove.All(c.Context(), in); err != nil {
		return err
	}
	for i := range t.Slots {
		if s := l.Slots[t.Slots[i].ID]; s != nil {
			m.Findings = append(m.Findings, s.Findings...)
		}
	}
	m.Findings = append(m.Findings, l.Findings...)
	return a.matrix(output, l.Set.Topology, m)
}

func (a *app) matrix(output string, t *topology.Topology, m matrixJSON) error {
	if s := prove.Sampled(t, m.Handshakes); s != "" {
		m.Notes = append(m.Notes, s)
	}
	m.OK = len(prove.Failed(m.Handshakes)) == 0 && len(m.Missing) == 0
	if output == "json" {
		m.Handshakes, m.Reach = append([]prove.Handshake{}, m.Handshakes...), append([]prove.Opening{}, m.Reach...)
		m.Findings, m.Missing = append([]check.Finding{}, m.Findings...), append([]topology.SlotID{}, m.Missing...)
		if err := a.printJSON(m); err != nil {
			return err
		}
	} else {
		a.printMatrix(t, m)
	}
	if !m.OK {
		return &exitError{exitUnacceptable}
	}
	return nil
}

func (a *app) printMatrix(t *topology.Topology, m matrixJSON) {
	for _, e := range t.Edges {
		a.printf("%s\n", untrusted.Text(e.Title))
		for _, line := range edgeLines(e.ID, m.Handshakes) {
			a.printf("  %s\n", line)
		}
		if e.Note != "" {
			a.printf("  note: %s\n", untrusted.Text(e.Note).Max(1000))
		}
	}
	a.printf("\nWhat each key opens\n")
	for _, line := range reachLines(m.Reach) {
		a.printf("  %s\n", line)
	}
	for _, id := range m.Missing {
		a.printf("missing   %s: %s\n", id, untrusted.Text(t.Slot(id).Title))
	}
	for _, n := range m.Notes {
		a.printf("note: %s\n", n)
	}
	made, failed := prove.Made(m.Handshakes), len(prove.Failed(m.Handshakes))
	a.printf("\n%d handshakes, %d failed\n", made, failed)
	if alike := len(m.Handshakes) - made; alike > 0 {
		a.printf("%d more like them, whose chains, names, keys and users were looked at one by one\n", alike)
	}
}

// edgeLines are the handshakes of one edge, one line for each name, both
// versions of TLS together.
func edgeLines(id string, hs []prove.Handshake) []string {
	type key struct{ name, client, server string }
	var order []key
	byName := map[key][]prove.Handshake{}
	for _, h := range hs {
		if h.Edge != id {
			continue
		}
		k := key{h.Name, string(h.Client), string(h.Server)}
		if _, ok := byName[k]; !ok {
			order = append(order, k)
		}
		byName[k] = append(byName[k], h)
	}
	var out []string
	for _, k := range order {
		out = append(out, nameLines(byName[k])...)
	}
	return out
}

func nameLines(hs []prove.Handshake) []string {
	var versions []string
	ok := true
	for _, h := range hs {
		versions = append(versions, strings.TrimPrefix(h.Version, "TLS "))
		ok = ok && h.OK
	}
	h := hs[0]
	for _, o := range hs {
		if !o.OK {
			h = o
			break
		}
	}
	name := h.Name
	if name == "" {
		name = "(no name is checked)"
	}
	client := string(h.Client)
	if client == "" {
		client = "no certificate"
	}
	mark := "ok"
	switch {
	case !ok && h.Advised != "":
		mark = "!"
	case !ok:
		mark = "FAILED"
	}
	line := fmt.Sprintf("%-7s %s -> %s  %s  TLS %s", mark, client, h.Server, untrusted.Text(name), strings.Join(slices.Compact(versions), ", "))
	if h.OK && h.User != "" {
		line += fmt.Sprintf("  as %s", untrusted.Text(h.User))
		if len(h.Groups) > 0 {
			line += fmt.Sprintf(" in %s", untrusted.Text(strings.Join(h.Groups, ", ")))
		}
	}
	line += likeWords(hs)
	out := []string{line}
	if !ok {
		for _, row := range [][2]string{{"what", h.Problem}, {"error", h.Error}, {"fix", h.Fix}, {"note", h.Advised}} {
			if row[1] != "" {
				out = append(out, fmt.Sprintf("        %-6s%s", row[0], row[1]))
			}
		}
	}
	return out
}

// likeWords says which connections spoke for those of a line that were not made.
func likeWords(hs []prove.Handshake) string {
	var each []string
	for _, h := range hs {
		if h.Alike != "" {
			each = append(each, h.Version+" like "+untrusted.Text(h.Alike).String())
		}
	}
	switch {
	case len(each) == 0:
		return ""
	case !slices.ContainsFunc(hs, func(h prove.Handshake) bool { return h.Alike != hs[0].Alike }):
		return "  like " + untrusted.Text(hs[0].Alike).String()
	}
	return "  (" + strings.Join(each, ", ") + ")"
}

func reachLines(openings []prove.Opening) []string {
	trusts := map[topology.SlotID]map[topology.AuthorityID]bool{}
	for _, o := range openings {
		if trusts[o.Server] == nil {
			trusts[o.Server] = map[topology.AuthorityID]bool{}
		}
		trusts[o.Server][o.Trust] = true
	}
	var out []string
	for _, o := range openings {
		word := "refused"
		switch {
		case o.Open && o.Allowed:
			word = "opens"
		case o.Open:
			word = "REACHABLE"
		case o.Allowed:
			word = "FAILS"
		}
		line := fmt.Sprintf("%-9s %s -> %s", word, o.Client, o.Server)
		if len(trusts[o.Server]) > 1 {
			line += fmt.Sprintf(" (clients of %s)", o.Trust)
		}
		if o.As != "" {
			line += "  as " + untrusted.Text(o.As).String()
		}
		out = append(out, line)
	}
	return out
}
