// Package cli is the command line: one file a command, all over package flow.
// Start with Main. It owns what is printed and the exit status, and nothing else:
// what a command finds out, flow/install and the packages below it find out.
package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/afero"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"certwright/assets/layout"
	"certwright/assets/profiles"
	"certwright/assets/store"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
	"certwright/ui/diagram"
)

// World is what main hands over: the real world, or one in memory.
type World struct {
	Args     []string
	In       *os.File
	Out, Err io.Writer
	Getenv   func(string) string
	Disk     afero.Fs
	Store    store.FS
	Dir      string
	Now      func() time.Time
	Rand     io.Reader
	// SealWork is the base-2 logarithm of the rounds of scrypt that seal keys of
	// CAs; 0 for age's own. Tests take less.
	SealWork int
}

// The exit statuses; store.ExitStatus has those of a write.
const (
	exitDone         = 0
	exitUnacceptable = 1
	exitUsage        = 2
	exitBug          = 70
	exitLeft         = 130
)

// usageError is a wrong use of the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// exitError ends a command whose output says all there is to say.
type exitError struct{ status int }

func (e *exitError) Error() string { return fmt.Sprintf("exit status %d", e.status) }

// app is one run of the command line.
type app struct {
	World
	ctx context.Context
}

// Main runs one command and returns the exit status.
func Main(w World) int {
	// A reader that has gone (apply | head) must not stop a write: printing to it
	// fails, and nobody minds.
	signal.Ignore(syscall.SIGPIPE)
	ctx, status, stop := untilSignal(context.Background())
	defer stop()
	return status(run(ctx, w))
}

func run(ctx context.Context, w World) (status int) {
	a := &app{World: w, ctx: ctx}
	defer func() {
		if p := recover(); p != nil {
			// The value may quote input, so only its type is shown.
			fmt.Fprintf(w.Err, "certwright: a bug of certwright's own stopped it (%T); nothing more was written; please report it\n", p)
			status = exitBug
		}
	}()
	root := a.root()
	root.SetArgs(w.Args)
	root.SetOut(w.Out)
	root.SetErr(w.Err)
	err := root.ExecuteContext(ctx)
	return a.status(err)
}

// status prints the error as one line and turns it into the exit status.
func (a *app) status(err error) int {
	var exit *exitError
	var use *usageError
	var se *store.Error
	var bug *install.Bug
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE):
		return exitDone
	case errors.As(err, &exit):
		return exit.status
	case errors.As(err, &use):
		a.complain(err)
		return exitUsage
	case errors.As(err, &bug):
		a.complain(err)
		return exitBug
	case errors.As(err, &se) && (se.Kind != store.Cancelled || !errors.Is(err, context.Canceled)):
		a.complain(err)
		return store.ExitStatus(err)
	case errors.Is(err, context.Canceled):
		a.complain(errors.New("stopped; nothing was changed"))
		return exitLeft
	}
	a.complain(err)
	return exitUnacceptable
}

// complain writes an error as one line; several joined errors take one line each.
func (a *app) complain(err error) {
	for line := range strings.SplitSeq(strings.TrimSpace(err.Error()), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintf(a.Err, "certwright: %s\n", untrusted.Text(line).Max(2000))
		}
	}
}

func (a *app) root() *cobra.Command {
	c := &cobra.Command{
		Use:   "certwright",
		Short: "An installer for the TLS of a Kubernetes cluster",
		Long: `certwright walks you through the TLS of a Kubernetes cluster: where each certificate
comes from, who will trust whom, and what is written. It checks what you bring while you
type, proves the set by real handshakes, and only then writes it.

With no command it starts the wizard. Nothing is written before the last step.`,
		Example: `  certwright                                  the wizard; Enter through it writes ./generated
  certwright demo                             the same, in memory: nothing touches the disk
  certwright apply -f plan.yaml               the same, without a terminal
  certwright validate --profile tectonic DIR  sort a folder of PEM files into slots and judge them
  certwright topology --format svg > pki.svg  the topology as a picture`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("%s; see %s --help", err, c.CommandPath())
	})
	a.installCommand(c)
	c.AddCommand(
		a.wizardCommand(), a.demoCommand(), a.applyCommand(), a.validateCommand(), a.topologyCommand(), a.proveCommand(),
		a.csrCommand(), a.importCommand(), a.renewCommand(), a.rotateCommand(), a.inspectCommand(), a.statusCommand(),
		a.profilesCommand(), a.rulesCommand(), a.recoverCommand(),
		a.completionCommand(c), a.versionCommand(),
	)
	return c
}

// noArgs is cobra.NoArgs with our words and our exit status.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no argument, and %q was given; see %s --help", c.CommandPath(), args[0], c.CommandPath())
	}
	return nil
}

func oneArg(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("%s takes one %s, and %d were given; see %s --help", c.CommandPath(), what, len(args), c.CommandPath())
		}
		return nil
	}
}

// world is the pipeline's view of our world.
func (a *app) world() *install.World {
	return &install.World{
		Read: a.Disk, Write: a.Store, Dir: a.Dir, Now: a.Now, Rand: a.Rand, Version: Version(), Made: made(), Catalogue: catalogue{a}, Draw: pictures,
		StepCA: a.stepCA,
	}
}

// pictures are the topology as it was issued and proved, beside the set.
func pictures(p *flow.Prepared, answers *plan.Plan, now time.Time) ([]layout.File, error) {
	m := diagram.New(diagram.FromPrepared(p, answers, now))
	svg, err := diagram.SVG(m)
	if err != nil {
		return nil, err
	}
	return []layout.File{
		{Path: "topology.mmd", Data: []byte(diagram.Mermaid(m)), Mode: 0o644, Kind: layout.KindDocument},
		{Path: "topology.svg", Data: svg, Mode: 0o644, Kind: layout.KindDocument},
	}, nil
}

// catalogue is the built-in profiles, and files that a plan names.
type catalogue struct{ a *app }

func (c catalogue) Names() []string { return profiles.Names() }

func (c catalogue) Load(name string) (*topology.Profile, error) {
	if !strings.ContainsAny(name, `/\`) && !strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".yml") {
		return profiles.Load(name)
	}
	data, err := install.ReadFile(c.a.Disk, c.a.path(name), maxPlan)
	if err != nil {
		return nil, err
	}
	return profiles.Parse(name, data)
}

// maxPlan is the size of a plan or a profile that is read, in bytes.
const maxPlan = 1 << 20

func (a *app) path(p string) string {
	if p == "" || filepath.IsAbs(p) || a.Dir == "" {
		return p
	}
	return filepath.Join(a.Dir, p)
}

// loadPlan reads a plan file; its relative paths start from where it lies.
func (a *app) loadPlan(file string) (*plan.Plan, error) {
	data, err := install.ReadFile(a.Disk, a.path(file), maxPlan)
	if err != nil {
		return nil, &usageError{fmt.Errorf("read the plan: %w", err)}
	}
	p, err := plan.Parse(file, data)
	if err != nil {
		return nil, err
	}
	p.Resolve(filepath.Dir(a.path(file)))
	return p, nil
}

// terminal says whether a person sits before both ends.
func (a *app) terminal() bool {
	out, ok := a.Out.(*os.File)
	return ok && a.In != nil && term.IsTerminal(int(a.In.Fd())) && term.IsTerminal(int(out.Fd()))
}

// outputFlag adds -o text|json.
func outputFlag(c *cobra.Command, into *string) {
	c.Flags().StringVarP(into, "output", "o", "text", "text or json")
}

func checkOutput(o string) error {
	if o != "text" && o != "json" {
		return usage("-o %s: use text or json", o)
	}
	return nil
}

func (a *app) printJSON(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := a.World.Out.Write(plainJSON(b.Bytes()))
	if errors.Is(err, syscall.EPIPE) {
		return nil // the verdict still decides the exit status
	}
	return err
}

//go:noinline // many callers, none of them hot
func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.World.Out, format, args...) }
