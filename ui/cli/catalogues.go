package cli

import (
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"certwright/assets/profiles"
	"certwright/assets/store"
	"certwright/certs/check"
	"certwright/certs/untrusted"
	"certwright/ui/diagram"
)

func shown(path string) string { return untrusted.Text(path).Max(1000) }

func (a *app) topologyCommand() *cobra.Command {
	var f planFlags
	var format string
	var ascii bool
	c := &cobra.Command{
		Use:   "topology [-f plan.yaml]",
		Short: "Draw who signs whom and who calls whom",
		Example: `  certwright topology
  certwright topology -f plan.yaml --format svg > pki.svg
  certwright topology --profile tectonic --format mermaid`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := a.plan(&f)
			if err != nil {
				return err
			}
			profile, err := catalogue{a}.Load(p.Profile)
			if err != nil {
				return err
			}
			// A picture needs no name and no address of a node.
			t, _, problems := anyNode(p, profile)
			if err := wrongFacts(problems); err != nil {
				return err
			}
			return a.drawTopology(diagram.New(diagram.FromPlan(t, p, a.Now())), format, ascii)
		},
	}
	f.add(c, true)
	c.Flags().StringVar(&format, "format", "tree", "tree, mermaid, dot, svg or json")
	c.Flags().BoolVar(&ascii, "ascii", false, "draw the tree with ASCII characters only")
	return c
}

func (a *app) drawTopology(m *diagram.Model, format string, ascii bool) error {
	var out []byte
	var err error
	switch format {
	case "tree":
		out = []byte(diagram.Tree(m, 100, ascii))
	case "mermaid":
		out = []byte(diagram.Mermaid(m))
	case "dot":
		out = []byte(diagram.DOT(m))
	case "svg":
		out, err = diagram.SVG(m)
	case "json":
		out, err = diagram.JSON(m)
	default:
		return usage("--format %q: use tree, mermaid, dot, svg or json", format)
	}
	if err != nil {
		return err
	}
	_, err = a.World.Out.Write(append([]byte(strings.TrimRight(string(out), "\n")), '\n'))
	return err
}

func (a *app) profilesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "profiles",
		Short: "List the profiles, or print one to start your own from",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			for _, name := range profiles.Names() {
				p, err := profiles.Load(name)
				if err != nil {
					return err
				}
				a.printf("%-12s %s\n", name, p.Summary)
			}
			return nil
		},
	}
	c.AddCommand(&cobra.Command{
		Use:     "show PROFILE",
		Short:   "Print a profile as YAML",
		Example: "  certwright profiles show tectonic > mine.yaml",
		Args:    oneArg("profile"),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := profiles.Source(args[0])
			if err != nil {
				return &usageError{err}
			}
			_, err = a.World.Out.Write(data)
			return err
		},
	})
	return c
}

func (a *app) rulesCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "rules",
		Short: "List the rules that certificates are judged by, or explain one",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if output == "json" {
				return a.printJSON(check.Rules())
			}
			for _, r := range check.Rules() {
				a.printf("%-32s %-8s %s\n", r.ID, r.Severity, r.Title)
			}
			return nil
		},
	}
	c.PersistentFlags().StringVarP(&output, "output", "o", "text", "text or json")
	c.AddCommand(&cobra.Command{
		Use:     "show RULE",
		Short:   "Explain one rule: what it finds, what breaks at run time, and the fix",
		Example: "  certwright rules show eku-missing-client-auth",
		Args:    oneArg("rule"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			r, ok := check.RuleByID(args[0])
			if !ok {
				return usage("unknown rule %q; certwright rules lists them", args[0])
			}
			if output == "json" {
				return a.printJSON(r)
			}
			a.printf("%s (%s)\n\n", r.ID, r.Severity)
			for _, row := range [][2]string{{"what", r.Title}, {"why", r.Why}, {"fix", r.Fix}} {
				a.printf("%-5s %s\n", row[0], row[1])
			}
			return nil
		},
	})
	return c
}

func (a *app) recoverCommand() *cobra.Command {
	var dryRun bool
	c := &cobra.Command{
		Use:   "recover DIR",
		Short: "Finish or undo a write that was interrupted",
		Long: `recover settles what a killed run left in DIR: the complete old set, or the complete new
one. The next write there does the same by itself.`,
		Args: oneArg("directory"),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := store.Recover(c.Context(), a.Store, a.path(args[0]), dryRun)
			if err != nil {
				return err
			}
			a.printf("%s\n", r)
			return nil
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be done, and do nothing")
	return c
}

func (a *app) completionCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:       "completion SHELL",
		Short:     "Print the completion script of a shell: bash, zsh, fish or powershell",
		Example:   "  source <(certwright completion bash)",
		Args:      oneArg("shell"),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(_ *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.World.Out, true)
			case "zsh":
				return root.GenZshCompletion(a.World.Out)
			case "fish":
				return root.GenFishCompletion(a.World.Out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.World.Out)
			}
			return usage("unknown shell %q: use bash, zsh, fish or powershell", args[0])
		},
	}
}

// version is set by the linker for releases.
var version string

// Version is the version of this binary: the release's, or where it was built from.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return fmt.Sprintf("devel-%s", s.Value[:12])
		}
	}
	return "devel"
}

// made is the time of the commit that this binary was built from, zero when it
// does not say.
func made() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			t, _ := time.Parse(time.RFC3339, s.Value)
			return t
		}
	}
	return time.Time{}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			a.printf("certwright %s\n", Version())
			return nil
		},
	}
}
