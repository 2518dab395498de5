//go:build unix

package wizard

import (
	"context"
	"os"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/spf13/afero"

	"certwright/flow"
	"certwright/flow/plan"
	"certwright/ui/theme"
)

// childOptions are the wizard that runChild runs.
func childOptions(mode string) Options {
	profile, err := builtin{}.Load("tectonic")
	if err != nil {
		panic(err)
	}
	state, effects, err := flow.New(builtin{}, plan.Default(profile))
	if err != nil {
		panic(err)
	}
	r := newFakeRunner()
	switch mode {
	case "slow write": // its commit has begun: it ends only after the screen did
		r.write = func(ctx context.Context, e flow.Write) flow.Written {
			<-ctx.Done()
			return flow.Written{Receipt: flow.Receipt{Dir: e.Prepared.Survey.Dir, Written: len(e.Prepared.Files)}}
		}
	case "panic":
		makers[flow.StepFacts] = func(e *Env) Screen { return &tripping{newFacts(e)} }
	}
	return Options{
		State: state, Effects: effects, Runner: r, FS: afero.NewMemMapFs(), Dir: "/", Home: "/root", PlanPath: "certwright.yaml",
		In: os.Stdin, Out: os.Stdout, Theme: theme.Options{Profile: theme.None},
	}
}

// tripping panics at the first key.
type tripping struct{ Screen }

func (t *tripping) Update(m tea.Msg) tea.Cmd {
	if _, ok := m.(tea.KeyMsg); ok {
		panic("key bytes: SECRET")
	}
	return t.Screen.Update(m)
}
