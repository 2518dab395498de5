package cli

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"
	"os"

	"github.com/spf13/afero"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"certwright/certs/untrusted"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// caKeyFlags say what becomes of the keys of the CAs that are made.
type caKeyFlags struct {
	fate    string
	encrypt bool
	file    string
}

func (f *caKeyFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.encrypt, "encrypt-ca-keys", false, "seal the keys of CAs in ca/ with age; the passphrase is made here and shown once")
	c.Flags().StringVar(&f.fate, "ca-key", "", "what becomes of the keys of CAs in ca/: `plain`, encrypted or discard")
	c.Flags().StringVar(&f.file, "ca-passphrase-file", "", "seal the keys of CAs with the passphrase in `FILE`; needed where there is no terminal")
}

// choice is the fate that the flags ask for, "" when they ask for none.
func (f *caKeyFlags) choice() (plan.CAKeyFate, error) {
	fate := plan.CAKeyFate(f.fate)
	switch fate {
	case "", plan.CAKeysPlain, plan.CAKeysEncrypted, plan.CAKeysDiscard:
	default:
		return "", usage("--ca-key %s: use plain, encrypted or discard", untrusted.Text(f.fate))
	}
	if f.encrypt || f.file != "" {
		if fate != "" && fate != plan.CAKeysEncrypted {
			return "", usage("--ca-key %s excludes --encrypt-ca-keys and --ca-passphrase-file", fate)
		}
		fate = plan.CAKeysEncrypted
	}
	return fate, nil
}

// minPassphrase is the fewest characters of a passphrase of one's own. Whoever
// has the sealed file guesses at it without end, a second for each guess and core.
const minPassphrase = 12

// caKeys is what the pipeline needs for the fate: a passphrase from a file, or
// one that is made, shown once and typed back. It asks for none when there are
// no keys to seal, and for a run that writes nothing.
func (a *app) caKeys(ctx context.Context, f *caKeyFlags, p *plan.Plan, needed, dryRun, force bool) (install.CAKeys, error) {
	fate, err := f.choice()
	if err != nil {
		return install.CAKeys{}, err
	}
	if fate == "" {
		fate = p.Keys.CAKeys
	}
	k := install.CAKeys{Fate: fate, Work: a.SealWork} // also for another profile, which the wizard may turn to
	if fate != plan.CAKeysEncrypted || !needed {
		return k, nil
	}
	switch {
	case f.file != "":
		k.Passphrase, err = a.passphraseOf(f.file, force)
	case dryRun:
		k.Passphrase = install.NewPassphrase() // of files that nobody will see
	case a.askable():
		k.Passphrase, err = a.newPassphrase(ctx, "The keys of the CAs")
	default:
		err = errNoPassphrase()
	}
	return k, err
}

func errNoPassphrase() error {
	return usage("the keys of CAs are to be encrypted, and there is no terminal to show a passphrase on; give one: --ca-passphrase-file FILE (mode 0600)")
}

// passphraseOf reads a passphrase of the person's own.
func (a *app) passphraseOf(file string, force bool) ([]byte, error) {
	path := a.path(file)
	data, err := install.ReadFile(a.Disk, path, 64<<10)
	if err != nil {
		return nil, &usageError{fmt.Errorf("read the passphrase: %w", err)}
	}
	shown := untrusted.Text(file)
	pass := bytes.TrimRight(data, "\r\n")
	switch {
	case bytes.ContainsAny(pass, "\r\n"):
		clear(data)
		return nil, usage("%s has several lines, and a passphrase is one; age would not take it back", shown)
	case len(pass) < minPassphrase:
		clear(data)
		return nil, usage("the passphrase in %s has %d bytes, and whoever has a sealed key may guess at it for ever: take %d or more", shown, len(pass), minPassphrase)
	}
	// The modes of a file system in memory mean nothing.
	if _, disk := a.Disk.(*afero.OsFs); disk && !force {
		if info, err := a.Disk.Stat(path); err == nil && openToOthers(info.Mode()) {
			clear(data)
			return nil, usage("%s may be read by others than its owner (mode %04o), and it opens the keys of CAs; $ chmod 600 %s", shown, info.Mode().Perm(), shown.ShellArg())
		}
	}
	return pass, nil
}

// askable says whether a person sees what is shown on standard error, and can answer.
func (a *app) askable() bool {
	out, ok := a.Err.(*os.File)
	return ok && a.In != nil && term.IsTerminal(int(a.In.Fd())) && term.IsTerminal(int(out.Fd()))
}

// newPassphrase makes a passphrase, shows it and has it typed back, so that it
// is known to be written down before anything depends on it. what is sealed with it.
func (a *app) newPassphrase(ctx context.Context, what string) ([]byte, error) {
	pass := install.NewPassphrase()
	fmt.Fprintf(a.Err, "%s will be sealed with this passphrase. It is shown\nonce and kept nowhere, and without it they cannot be opened.\nWrite it down:\n\n    %s\n\n", what, pass)
	above := 6 // lines from the first of the text to the prompt
	for range 3 {
		typed, err := a.secret(ctx, "Type it back: ")
		if err != nil {
			clear(pass)
			return nil, err
		}
		same := subtle.ConstantTimeCompare(bytes.TrimSpace(typed), pass) == 1
		clear(typed)
		if same {
			if t := a.Getenv("TERM"); t != "" && t != "dumb" {
				// Off the screen, and so out of what can be scrolled back to.
				fmt.Fprintf(a.Err, "\x1b[%dA\r\x1b[J", above+1)
			}
			fmt.Fprintln(a.Err, "The passphrase was typed back as it was shown.")
			return pass, nil
		}
		above++
		fmt.Fprint(a.Err, "That is not it. ")
	}
	clear(pass)
	return nil, usage("the passphrase was not typed back; nothing was written")
}

// secret asks for a line without showing it. A signal ends the wait, and the
// terminal shows what is typed again.
func (a *app) secret(ctx context.Context, prompt string) ([]byte, error) {
	fmt.Fprint(a.Err, prompt)
	fd := int(a.In.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("read the passphrase: %w", err)
	}
	type line struct {
		text []byte
		err  error
	}
	got := make(chan line, 1)
	// It ends with the line, or with the process, which a signal is about to end.
	go func() {
		text, err := term.ReadPassword(fd)
		got <- line{text, err}
	}()
	select {
	case l := <-got:
		fmt.Fprintln(a.Err)
		if l.err != nil {
			return nil, fmt.Errorf("read the passphrase: %w", l.err)
		}
		return l.text, nil
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		fmt.Fprintln(a.Err)
		return nil, context.Cause(ctx)
	}
}
