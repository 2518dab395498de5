package wizard

import (
	"bytes"
	"crypto/subtle"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/flow"
	"certwright/flow/plan"
	"certwright/ui/theme"
)

// caKeysPane is the pane in which it is chosen what becomes of the keys of the
// CAs that are made here. A passphrase is made, shown once and typed back, so
// that it is known to be written down before anything depends on it.
type caKeysPane struct {
	at     caKeysStage
	cursor int
	pass   []byte // between its being shown and its being typed back
	typed  secretPrompt
}

// caKeysStage is how far the pane is.
type caKeysStage int

const (
	caKeysClosed caKeysStage = iota
	caKeysChoose
	caKeysShow
	caKeysTyped
)

var (
	keyCAKeys   = bind("k", "CA keys", "k")
	keyFate     = bind("enter", "choose", "enter", " ")
	keyNoted    = bind("enter", "it is written down", "enter")
	keyPassDone = bind("enter", "done", "enter")
)

// fates are what can become of the keys of CAs, and what that means.
var fates = []struct {
	fate        plan.CAKeyFate
	title, text string
}{
	{plan.CAKeysPlain, "plain", "As they are, mode 0600, in ca/. Take them away from this machine when the set is in use: they are needed to issue more."},
	{plan.CAKeysEncrypted, "encrypted", "Sealed with age under a passphrase that is made here, shown once and kept nowhere. Without it nothing can be issued from these CAs again."},
	{plan.CAKeysDiscard, "discarded", "Never written. Nothing can be issued or renewed from these CAs again: when the first certificate ends, a new set takes the place of this one."},
}

func (p *caKeysPane) open() bool { return p.at != caKeysClosed }

// drop closes the pane and forgets what was shown and typed.
func (p *caKeysPane) drop() {
	clear(p.pass)
	p.typed.drop()
	p.at, p.pass = caKeysClosed, nil
}

// back goes from the passphrase to the choice, and from there out.
func (p *caKeysPane) back() {
	at := p.at
	p.drop()
	if at == caKeysShow || at == caKeysTyped {
		p.at = caKeysChoose
	}
}

func (p *caKeysPane) keys() []key.Binding {
	switch p.at {
	case caKeysShow:
		return []key.Binding{keyNoted}
	case caKeysTyped:
		return []key.Binding{keyPassDone, secretKeys.empty, secretKeys.erase}
	}
	return []key.Binding{keyMove, keyFate}
}

// openCAKeys opens the pane on what is chosen now.
func (s *reviewScreen) openCAKeys() {
	s.keys.drop()
	s.keys.at = caKeysChoose
	for i, f := range fates {
		if f.fate == s.Flow.CAKeys() {
			s.keys.cursor = i
		}
	}
}

// caKeysKey takes a key while the pane is open.
func (s *reviewScreen) caKeysKey(k tea.KeyMsg) tea.Cmd {
	p := &s.keys
	switch p.at {
	case caKeysShow:
		if !k.Paste && key.Matches(k, keyNoted) {
			p.at = caKeysTyped
		}
	case caKeysTyped:
		if p.typed.press(k) {
			return s.typedBack()
		}
	case caKeysChoose:
		switch {
		case k.Paste:
		case key.Matches(k, keyFate):
			return s.chooseFate(fates[p.cursor].fate)
		case key.Matches(k, keyMove):
			p.cursor = moved(k, p.cursor, len(fates), 2)
		}
	}
	return nil
}

func (s *reviewScreen) chooseFate(fate plan.CAKeyFate) tea.Cmd {
	if fate == plan.CAKeysEncrypted {
		if s.NewPassphrase == nil {
			s.Say(Status{theme.BadSign, "no passphrase can be made here; use certwright apply --encrypt-ca-keys"})
			return nil
		}
		s.keys.pass, s.keys.at = s.NewPassphrase(), caKeysShow
		return nil
	}
	s.keys.drop()
	return s.Do(flow.SetCAKeys{Fate: fate})
}

// typedBack takes what was typed for the passphrase.
func (s *reviewScreen) typedBack() tea.Cmd {
	p := &s.keys
	if subtle.ConstantTimeCompare(bytes.TrimSpace(p.typed.data), p.pass) != 1 {
		p.typed.drop()
		p.typed.note = "that is not it; esc goes back, and another is made"
		return nil
	}
	given := bytes.Clone(p.pass) // the flow's from here on
	p.drop()
	return s.Do(flow.SetCAKeys{Fate: plan.CAKeysEncrypted, Passphrase: given})
}

// caKeysView fills the body: a passphrase must be seen whole.
func (s *reviewScreen) caKeysView(w, h int) string {
	const title = "Keys of the CAs that are made here"
	if !roomy(w) {
		return block(append([]string{s.Theme.Line().Plain(" ").Add(theme.Title, title).Fit(w)}, indent(s.caKeysRows(w-2, h-1))...), w, h)
	}
	return box{title: title, focus: true}.draw(s.Theme, s.caKeysRows(inner(w), h-2), w, h)
}

// caKeysRows are the pane's rows.
func (s *reviewScreen) caKeysRows(w, h int) []string {
	th, p := s.Theme, &s.keys
	switch p.at {
	case caKeysShow:
		out := styled(th, theme.Plain, wrap("Write this passphrase down. It is shown once and kept nowhere.", w))
		return append(out, "", th.Line().Plain("  ").Add(theme.Bold, string(p.pass)).Fit(w))
	case caKeysTyped:
		out := p.typed.lines(th, "Type it back", w)
		if p.typed.note == "" {
			out[2] = th.Line().Plain("   ").Add(theme.Faint, "it is not shown again").Fit(w)
		}
		return out
	}
	about := func(i int) []string {
		lines := wrap(fates[i].text, min(w-4, 90))
		for j, l := range lines {
			lines[j] = th.Line().Plain("    ").Add(theme.Faint, l).Fit(w)
		}
		return lines
	}
	rows := len(fates)
	for i := range fates {
		rows += len(about(i)) + 1
	}
	all := rows <= h // else what is meant by the one under the cursor alone
	var out []string
	for i, f := range fates {
		here := i == p.cursor
		row := th.Line()
		s.start(row, here)
		sign := theme.OffSign
		if f.fate == s.Flow.CAKeys() {
			sign = theme.OnSign
		}
		out = append(out, row.Sign(sign).Plain(" ").Add(theme.Named(here, theme.Bold), f.title).Fit(w))
		if all || here {
			out = append(out, about(i)...)
		}
		if all {
			out = append(out, "")
		}
	}
	return out
}

func (s *reviewScreen) caKeysStatus() Status {
	switch s.keys.at {
	case caKeysShow:
		return Status{Text: "enter hides it and asks for it. esc goes back, and nothing is changed."}
	case caKeysTyped:
		if s.keys.typed.note != "" {
			return Status{theme.BadSign, sentence(s.keys.typed.note, "")}
		}
		return Status{Text: "Nothing that you type is shown or saved. esc throws this passphrase away."}
	}
	return Status{Text: "What becomes of the private keys of the CAs that are made here."}
}

// caKeysWords say in a row what becomes of the key of a CA.
func (s *reviewScreen) caKeysWords() string {
	switch s.Flow.CAKeys() {
	case plan.CAKeysEncrypted:
		if s.Flow.SealDue() {
			return "to be encrypted: k makes the passphrase"
		}
		return "encrypted; k changes it"
	case plan.CAKeysDiscard:
		return "discarded; k changes it"
	}
	return "plain; k changes it"
}
