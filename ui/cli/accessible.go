package cli

import (
	"context"
	"errors"

	"golang.org/x/term"

	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
	"certwright/ui/plain"
)

// wantsPlain says that the wizard is to be questions and answers: asked for by
// flag or environment, or because the terminal cannot move its cursor.
func (f *wizardFlags) wantsPlain(a *app) bool {
	env := a.Getenv("ACCESSIBLE")
	return f.accessible || env != "" && env != "0" && env != "false" || a.Getenv("TERM") == "dumb" && a.terminal()
}

// plain runs the wizard as questions and answers. It needs no terminal: the
// answers may come from a pipe.
func (a *app) plain(ctx context.Context, w *install.World, p *plan.Plan, save string, sealing *flow.SetCAKeys, passphraseFile string) error {
	state, effects, err := flow.New(catalogue{a}, p)
	if err != nil {
		return err
	}
	if sealing != nil {
		effects = append(effects, state.Apply(*sealing)...)
	}
	o := plain.Options{
		State: state, Effects: effects, Runner: &install.Runner{World: w, SavePath: save},
		In: a.In, Out: a.World.Out, Home: a.home(), SavePath: save,
	}
	asked := false
	if !w.Memory {
		o.Requests = func(ctx context.Context, ans *flow.Answers) error {
			asked = true
			return a.requestsFor(ctx, ans, save, passphraseFile)
		}
	}
	if a.In != nil && term.IsTerminal(int(a.In.Fd())) {
		o.NewPassphrase = install.NewPassphrase
		o.Secret = func() ([]byte, error) { return term.ReadPassword(int(a.In.Fd())) }
	}
	err = plain.Run(ctx, o)
	if errors.Is(err, plain.ErrLeft) {
		return &exitError{exitLeft}
	}
	if err == nil && save != "" && !asked {
		_ = a.Store.Remove(save) // the set keeps the plan
	}
	return err
}
