package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"certwright/assets/store"
	"certwright/certs/issue"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
	"certwright/ui/wizard"
)

// wizardFlags are the flags of the wizard.
type wizardFlags struct {
	profile, config, out string
	set                  []string
	resume, ascii        bool
	accessible           bool
	theme                string
	keys                 caKeyFlags
}

func (f *wizardFlags) add(c *cobra.Command, demo bool) {
	fl := c.Flags()
	fl.StringVar(&f.profile, "profile", "", "begin with this profile: a built-in `NAME`, or a file")
	fl.StringVar(&f.theme, "theme", "auto", "auto, dark, light, or ansi for the terminal's own 16 colours")
	fl.BoolVar(&f.accessible, "accessible", false, "ask line by line, for screen readers (also ACCESSIBLE=1)")
	fl.BoolVar(&f.ascii, "ascii", false, "draw with ASCII characters only")
	fl.StringArrayVar(&f.set, "set", nil, "a fact as `NAME=VALUE`; may be given several times")
	if demo {
		return
	}
	f.keys.add(c)
	fl.StringVar(&f.config, "config", "", "begin with the answers of this plan `FILE`")
	fl.StringVar(&f.out, "out", "", "write to `DIR` (default generated)")
	fl.BoolVar(&f.resume, "resume", false, "go on with the answers of the last run that was left")
}

// installCommand makes the wizard what certwright does without a command.
func (a *app) installCommand(root *cobra.Command) {
	var f wizardFlags
	f.add(root, false)
	root.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("unknown command %q; see certwright --help", args[0])
		}
		return nil
	}
	root.RunE = func(c *cobra.Command, _ []string) error { return a.wizard(c, &f, false) }
}

func (a *app) wizardCommand() *cobra.Command {
	var f wizardFlags
	c := &cobra.Command{
		Use:   "install",
		Short: "Run the wizard (as certwright does without a command)",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return a.wizard(c, &f, false) },
	}
	f.add(c, false)
	return c
}

// answersFile is where the answers of a run that was left are kept: the
// person's own state, not the working directory.
func (a *app) answersFile() string {
	dir := a.Getenv("XDG_STATE_HOME")
	if runtime.GOOS == "windows" {
		dir = a.Getenv("LOCALAPPDATA")
	}
	if dir == "" || !filepath.IsAbs(dir) {
		home := a.home()
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "certwright", "answers.yaml")
}

func (a *app) home() string {
	if h := a.Getenv("HOME"); h != "" {
		return h
	}
	return a.Getenv("USERPROFILE")
}

func (a *app) wizard(c *cobra.Command, f *wizardFlags, demo bool) error {
	debug.SetGCPercent(400) // until the first frame is drawn: wizard.Run sees to it
	w, save := a.world(), a.answersFile()
	var p *plan.Plan
	var err error
	if _, err = f.keys.choice(); err != nil {
		return err
	}
	if !f.wantsPlain(a) && !a.terminal() {
		return usage("there is no terminal to ask on; use certwright apply -f plan.yaml, which does the same without one")
	}
	if demo {
		save = ""
		w, p, err = a.demoWorld(c.Context(), f)
	} else {
		p, err = a.firstPlan(f, save)
	}
	if err != nil {
		return err
	}
	if p.Awaiting != "" && !demo {
		in := importFlags{keys: f.keys, output: "text", out: f.out, passphrase: f.keys.file}
		if f.config != "" {
			save = ""
		}
		return a.awaiting(c.Context(), p.Awaiting, save, &in)
	}
	sealing, err := a.sealing(w, &f.keys, p)
	if err != nil {
		return err
	}
	if f.wantsPlain(a) {
		if encrypted := sealing != nil && len(sealing.Passphrase) == 0 && sealing.Fate == plan.CAKeysEncrypted; encrypted && !a.askable() {
			return errNoPassphrase()
		}
		return a.plain(c.Context(), w, p, save, sealing, f.keys.file)
	}
	out, _ := a.World.Out.(*os.File)
	style, err := f.style(a)
	if err != nil {
		return err
	}
	runner, threads := &install.Runner{World: w, SavePath: save}, &threads{}
	o := wizard.Options{
		Runner: threaded{runner, threads}, FS: w.Read, Dir: w.Dir, Home: a.home(), Now: w.Now,
		PlanPath: save, Demo: demo, Far: a.far(), Resumed: f.resume, In: a.In, Out: out, Theme: style,
		NewPassphrase: install.NewPassphrase, Busy: threads.more,
		Compare: func(p *flow.Prepared, path string) flow.Difference { return install.Compare(w, p, path) },
		Export:  func(path string, data []byte, replace bool) error { return exportTo(w, path, data, replace) },
	}
	if !demo && f.config == "" && !f.resume {
		o.Resumable = a.resumable(save)
	}
	if o.State, o.Effects, err = flow.New(catalogue{a}, p); err != nil {
		return err
	}
	if sealing != nil {
		o.Effects = append(o.Effects, o.State.Apply(*sealing)...)
	}
	ahead := issue.NewAhead(0)
	ahead.Busy = threads.more
	defer ahead.Close()
	w.Keys, runner.Ahead, w.Stays = ahead, ahead, true
	result, err := wizard.Run(c.Context(), o)
	if result.Text != "" {
		a.printf("%s", result.Text)
	}
	if err != nil {
		if errors.Is(err, wizard.ErrBug) {
			a.complain(err)
			return &exitError{exitBug}
		}
		return err
	}
	if result.Outcome == wizard.Requested {
		return a.requestsFor(c.Context(), result.Answers, save, f.keys.file)
	}
	if (result.Outcome == wizard.Done || result.Outcome == wizard.Discarded) && save != "" {
		// The set keeps the plan, or nothing is to be kept; half-done answers would
		// only be offered again.
		_ = a.Store.Remove(save)
	}
	if code := result.Code(); code != 0 {
		return &exitError{code}
	}
	return nil
}

// sealing is what the flags say of the keys of CAs, for the wizard, where it can
// be changed: nil when they say nothing.
func (a *app) sealing(w *install.World, f *caKeyFlags, p *plan.Plan) (*flow.SetCAKeys, error) {
	w.CAKeys.Work = a.SealWork
	fate, err := f.choice()
	if err != nil || fate == "" && p.Keys.CAKeys != plan.CAKeysEncrypted {
		return nil, err
	}
	if fate == "" {
		fate = plan.CAKeysEncrypted // as the plan says
	}
	out := &flow.SetCAKeys{Fate: fate}
	if f.file != "" {
		out.Passphrase, err = a.passphraseOf(f.file, false)
	}
	return out, err
}

// exportTo writes one public file where a person says, whole or not at all.
func exportTo(w *install.World, path string, data []byte, replace bool) error {
	if _, err := w.Write.Lstat(path); err == nil && !replace {
		return fs.ErrExist
	}
	return store.Save(w.Write, path, data, 0o644)
}

// firstPlan is what the wizard begins with.
func (a *app) firstPlan(f *wizardFlags, save string) (*plan.Plan, error) {
	pf := planFlags{profile: f.profile, set: f.set, lenient: true}
	switch {
	case f.config != "":
		if f.profile != "" {
			return nil, usage("--config and --profile exclude each other: the plan names its profile")
		}
		pf.file = f.config
	case f.resume:
		if save == "" {
			return nil, usage("--resume: there is no home directory to keep answers in; use --config FILE")
		}
		if _, err := a.Disk.Stat(save); err != nil {
			return nil, usage("--resume: no answers of an earlier run are kept (%s); start with certwright", untrusted.Text(save))
		}
		pf.file = save
	}
	p, err := a.plan(&pf)
	if err != nil {
		return nil, err
	}
	_ = install.Refer(a.world(), p) // what is missing stops the steps that need it
	if f.out != "" {
		p.Output.Dir = f.out
	}
	return p, nil
}

// resumable offers the answers of a run that was left, nil when there are none.
func (a *app) resumable(save string) *wizard.Resumable {
	if save == "" {
		return nil
	}
	info, err := a.Disk.Stat(save)
	if err != nil {
		return nil
	}
	p, err := a.loadPlan(save)
	if err != nil {
		return nil
	}
	name := p.Facts["cluster.name"]
	note := p.Profile
	if p.Awaiting != "" {
		return nil // certwright --resume goes on with it
	}
	if name != "" {
		note = fmt.Sprintf("%s, cluster %s", p.Profile, untrusted.Text(name))
	}
	return &wizard.Resumable{
		Path: save, Saved: info.ModTime().Truncate(time.Second), Note: note,
		Open: func() (*flow.State, []flow.Effect, error) {
			_ = install.Refer(a.world(), p) // what is missing stops the steps that need it
			return flow.New(catalogue{a}, p)
		},
	}
}
