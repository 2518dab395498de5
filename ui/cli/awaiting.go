package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/offline"
	"certwright/flow/plan"
)

// dialog asks line by line, for what is too small for a screen of its own and
// comes weeks after it.
type dialog struct {
	a  *app
	in *bufio.Reader
}

func (a *app) dialog() *dialog { return &dialog{a, bufio.NewReader(a.In)} }

// ask is one answer without its line end; io.EOF when there is no more input.
func (d *dialog) ask(ctx context.Context, prompt string) (string, error) {
	fmt.Fprint(d.a.Err, prompt)
	type line struct {
		text string
		err  error
	}
	got := make(chan line, 1)
	// It ends with the line, or with the process, which a signal is about to end.
	go func() {
		text, err := d.in.ReadString('\n')
		if text != "" {
			err = nil
		}
		got <- line{strings.TrimSpace(text), err}
	}()
	select {
	case l := <-got:
		return l.text, l.err
	case <-ctx.Done():
		fmt.Fprintln(d.a.Err)
		return "", context.Cause(ctx)
	}
}

// requestsFor writes the signing requests that the wizard was left for, and
// keeps in the saved answers that they are awaited. passphraseFile, when it is
// named, seals the keys in place of a passphrase that is made and shown.
func (a *app) requestsFor(ctx context.Context, ans *flow.Answers, save, passphraseFile string) error {
	dir := ans.Plan.Output.Dir
	if dir == "" {
		dir = plan.DefaultDir
	}
	dir = strings.TrimRight(dir, `/\`) + "-requests"
	typed, err := a.dialog().ask(ctx, fmt.Sprintf("Directory for the signing requests [%s]: ", untrusted.Text(dir)))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if typed != "" {
		dir = typed
	}
	asked, err := a.ask(ctx, ans, &roundFlags{passphrase: passphraseFile}, offline.Wanted{Dir: a.path(dir)}, false)
	if err := a.wroteRequests("text", asked, err); err != nil {
		return err
	}
	if save == "" {
		return nil
	}
	p := ans.Plan.Clone()
	p.Awaiting = asked.Dir
	p.Resolve(a.Dir)
	data, err := p.Marshal()
	if err != nil {
		return err
	}
	if err := install.SaveFile(a.Store, save, data); err != nil {
		return err
	}
	a.printf("or, whenever they are signed: certwright --resume\n")
	return nil
}

// awaiting goes on with a round: it says what is missing, takes what came back
// from wherever it is told, and makes the set once all is there.
func (a *app) awaiting(ctx context.Context, dir, save string, f *importFlags) error {
	a.printf("The requests in %s await their certificates.\n", untrusted.Text(dir).Max(1000))
	d := a.dialog()
	var sources []string
	for {
		complete, err := a.takeInto(ctx, f, dir, sources)
		switch {
		case complete && err == nil:
			if save != "" {
				_ = a.Store.Remove(save) // the set keeps the plan
			}
			return nil
		case complete, fatal(err):
			return err
		case err != nil:
			a.complain(err)
		}
		typed, err := d.ask(ctx, "File or folder that came back (enter: look again, q: leave): ")
		if errors.Is(err, io.EOF) || typed == "q" {
			a.printf("Nothing is lost. Go on with: certwright import %s FILE, or certwright --resume\n", untrusted.Text(dir).ShellArg())
			return nil
		}
		if err != nil {
			return err
		}
		if sources = nil; typed != "" {
			sources = []string{a.typedPath(typed)}
		}
	}
}

// typedPath is a path as a person types it: ~ is the home directory, and quotes
// of a file dropped on a terminal are no part of it.
func (a *app) typedPath(p string) string {
	p = strings.Trim(p, `'"`)
	if rest, ok := strings.CutPrefix(p, "~"+string(filepath.Separator)); ok && a.home() != "" {
		return filepath.Join(a.home(), rest)
	}
	return p
}

// fatal says that asking for another file cannot help.
func fatal(err error) bool {
	var refused *offline.Refused
	return errors.As(err, &refused) || errors.Is(err, context.Canceled) || errors.Is(err, os.ErrClosed)
}

// takeInto is one import; complete says that nothing is missing any more.
func (a *app) takeInto(ctx context.Context, f *importFlags, dir string, sources []string) (complete bool, err error) {
	f.done = false
	err = a.importInto(ctx, f, dir, sources)
	var exit *exitError
	if errors.As(err, &exit) {
		return f.done, nil // what was wrong is on the screen
	}
	return f.done, err
}
