package wizard

import (
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/flow"
	"certwright/ui/theme"
)

// bind makes the binding of some keys; name and does are what the key line
// and the help say of it. A function of ours: built by the options of the
// library, the 130 bindings are 200 KB of code that runs once.
//
//go:noinline // many callers, none of them hot
func bind(name, does string, keys ...string) (b key.Binding) {
	b.SetKeys(keys...)
	b.SetHelp(name, does)
	return b
}

// bindSilent makes a binding that no help mentions, because another one's does
// or because it is what anybody tries.
func bindSilent(keys ...string) key.Binding { return bind("", "", keys...) }

// The keys of the frame.
var (
	keyLeave = bind("ctrl+c", "leave", "ctrl+c")
	keyStop  = bind("ctrl+c", "stop", "ctrl+c")
	keyBack  = bind("esc", "back", "esc")
	keyHelp  = bind("?", "help", "?", "f1")
	keyF1    = bind("f1", "help", "f1")
	keySleep = bind("ctrl+z", "suspend", "ctrl+z")
)

// key gathers what may be a paste and hands on everything else.
func (r *root) key(k tea.KeyMsg) tea.Cmd {
	if r.tooSmall() && !key.Matches(k, keyLeave) {
		return nil
	}
	switch {
	case r.typed.on && r.typed.take(k), !r.typed.on && r.typed.begins(k, r.takesPEM() || r.takesText()) && r.typed.take(k):
		return r.env.Tick(r.typed.pause(), burstMsg{r.typed.gen})
	case r.typed.on:
		return tea.Batch(r.keys(r.typed.end()), r.one(k))
	}
	return r.one(k)
}

func (r *root) keys(ks []tea.KeyMsg) tea.Cmd {
	var cmds []tea.Cmd
	for _, k := range ks {
		cmds = append(cmds, r.one(k))
	}
	return tea.Batch(cmds...)
}

// one takes one key or paste. Letters that arrived together are told apart
// unless they are being typed into a field.
func (r *root) one(k tea.KeyMsg) tea.Cmd {
	if k.Paste {
		return r.paste(k)
	}
	if !r.screen().Typing() || r.leave != nil || r.help != nil {
		var cmds []tea.Cmd
		for _, k := range split(k) {
			cmds = append(cmds, r.single(k), r.arrive())
		}
		return tea.Batch(cmds...)
	}
	return r.single(k)
}

func (r *root) single(k tea.KeyMsg) tea.Cmd {
	r.said, r.nudged = Status{}, false
	switch {
	case key.Matches(k, keySleep):
		return tea.Suspend
	case key.Matches(k, keyLeave):
		return r.interrupt()
	case r.leave != nil:
		return r.leaveKey(k)
	case r.help != nil:
		return r.helpKey(k)
	}
	s := r.screen()
	switch {
	case key.Matches(k, keyBack):
		return r.back(s)
	case key.Matches(k, keyF1), !s.Typing() && key.Matches(k, keyHelp):
		r.help = &helpPage{}
		return nil
	case !s.Typing() && !slices.ContainsFunc(s.Keys(), func(b key.Binding) bool { return key.Matches(k, b) }):
		if step, ok := r.digit(k); ok {
			return r.do(flow.Goto{Step: step})
		}
	}
	return s.Update(k)
}

// digit is the step that a digit jumps to: one that was on screen before.
func (r *root) digit(k tea.KeyMsg) (flow.Step, bool) {
	if k.Type != tea.KeyRunes || len(k.Runes) != 1 || k.Alt {
		return "", false
	}
	visible := r.env.Flow.Visible()
	n := int(k.Runes[0] - '1')
	if n < 0 || n >= len(visible) || !r.env.Flow.Reached(visible[n]) {
		return "", false
	}
	return visible[n], true
}

func (r *root) back(s Screen) tea.Cmd {
	if c, ok := s.(closer); ok {
		if cmd, closed := c.Close(); closed {
			return cmd
		}
	}
	if s.Back() {
		return nil
	}
	if r.env.Flow.Writing() {
		r.said = Status{theme.WarnSign, "files are being written; ctrl+c stops that safely"}
		return nil
	}
	before := r.env.Flow.At()
	cmd := r.do(flow.Back{})
	if r.env.Flow.At() == before && before == flow.StepProfile {
		r.said = Status{theme.NoSign, "This is the first step. ctrl+c leaves."}
	}
	return cmd
}

// pasteOf makes the key message of a paste that was read past the library.
func (r *root) pasteOf(m pasteMsg) tea.Cmd {
	if r.tooSmall() {
		clear(m.text)
		return nil
	}
	if m.over {
		r.said = tooLarge
		return nil
	}
	k := tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(strings.ToValidUTF8(string(m.text), "")), Paste: true}
	clear(m.text)
	return r.one(k)
}

// tooLarge refuses a paste.
var tooLarge = Status{theme.BadSign, "the paste is larger than 1 MiB and was not kept. Save it to a file and choose that."}

// paste hands a paste to the screen: its line ends made \n, none that is too
// long, and no PEM block where a name belongs.
func (r *root) paste(k tea.KeyMsg) tea.Cmd {
	r.said, r.nudged = Status{}, false
	if r.leave != nil || r.help != nil || r.env.Flow.Writing() {
		return nil
	}
	if n := size(k.Runes); n > maxPaste {
		clear(k.Runes)
		r.said = tooLarge
		return nil
	}
	k.Runes = unixLines(k.Runes)
	if r.takesPEM() {
		return r.screen().Update(k)
	}
	if text := string(k.Runes); strings.Contains(text, pemMark) {
		clear(k.Runes)
		what := "a PEM block"
		if strings.Contains(text, "PRIVATE KEY-----") {
			what = "a private key"
		}
		r.said = Status{theme.BadSign, "that was " + what + ", not a value of this field. It was neither kept nor shown."}
		return nil
	}
	return r.screen().Update(k)
}

func (r *root) takesPEM() bool {
	if t, ok := r.screen().(pemTaker); ok {
		return t.TakesPEM()
	}
	return r.at == flow.StepCA || r.at == flow.StepCerts
}

func (r *root) takesText() bool {
	t, ok := r.screen().(textTaker)
	return ok && t.TakesText()
}
