package wizard

import (
	"fmt"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/topology"
	"certwright/flow"
)

func TestLettersThatArriveTogetherAreToldApart(t *testing.T) {
	d := drive(t, setup{}).press("enter", "enter")
	d.msg(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("jjc")})
	if m := d.root.env.Flow.Plan().Mode("identity"); m != topology.Generate {
		t.Errorf("identity is in %s", m)
	}
	d.msg(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("kc")})
	if m := d.root.env.Flow.Plan().Mode("kube"); m != topology.BringCA {
		t.Errorf("kube is in %s: the letters were dropped", m)
	}
}

const pastedKey = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49SECRET\n-----END PRIVATE KEY-----\n"

func TestAKeyPastedWhereANameBelongsIsNeitherKeptNorShown(t *testing.T) {
	for name, paste := range map[string]func(*driver){
		"bracketed": func(d *driver) { d.paste(pastedKey) },
		"CR alone":  func(d *driver) { d.paste(strings.ReplaceAll(pastedKey, "\n", "\r")) },
		"typed by the terminal": func(d *driver) {
			for _, m := range unbracketed(pastedKey) {
				d.msg(m)
			}
			d.advance()
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := drive(t, setup{}).press("enter").at(flow.StepFacts)
			paste(d)
			d.at(flow.StepFacts).hides("SECRET", "BEGIN").shows("private key")
			if got := fmt.Sprint(d.root.env.Flow.Plan().Facts); strings.Contains(got, "SECRET") {
				t.Errorf("the key is in the answers: %s", got)
			}
		})
	}
}

// unbracketed is what bubbletea makes of a paste from a terminal without
// bracketed paste.
func unbracketed(text string) []tea.Msg {
	var out []tea.Msg
	word := ""
	flush := func() {
		if word != "" {
			out = append(out, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(word)})
			word = ""
		}
	}
	for _, r := range text {
		switch r {
		case '\n', '\r':
			flush()
			out = append(out, tea.KeyMsg{Type: tea.KeyEnter})
		case ' ':
			flush()
			out = append(out, tea.KeyMsg{Type: tea.KeySpace, Runes: []rune{' '}})
		default:
			word += string(r)
		}
	}
	flush()
	return out
}

// listening takes every message and pastes too.
type listening struct {
	outline
	got []tea.KeyMsg
	pem bool
}

func (l *listening) TakesPEM() bool { return l.pem }
func (l *listening) Update(m tea.Msg) tea.Cmd {
	if k, ok := m.(tea.KeyMsg); ok {
		l.got = append(l.got, k)
	}
	return nil
}

func listen(t *testing.T, pem bool) (*driver, *listening) {
	d := drive(t, setup{}).press("enter")
	l := &listening{outline: outline{Env: d.root.env, step: flow.StepFacts}, pem: pem}
	d.root.screens[flow.StepFacts] = l
	return d, l
}

func TestPastesHaveUnixLineEnds(t *testing.T) {
	for name, ends := range map[string]string{"LF": "\n", "CR": "\r", "CRLF": "\r\n"} {
		d, l := listen(t, true)
		d.paste(strings.ReplaceAll(pastedKey, "\n", ends))
		if len(l.got) != 1 || string(l.got[0].Runes) != pastedKey {
			t.Errorf("%s: the screen got %q", name, l.got)
		}
	}
}

func TestABurstOfTypedLinesIsOnePaste(t *testing.T) {
	d, l := listen(t, true)
	for _, m := range unbracketed(pastedKey) {
		d.msg(m)
	}
	if len(l.got) != 0 {
		t.Fatalf("the screen got %q before the burst ended", l.got)
	}
	d.advance()
	if len(l.got) != 1 || !l.got[0].Paste || string(l.got[0].Runes) != pastedKey {
		t.Errorf("the screen got %q", l.got)
	}
}

func TestAShortBurstIsKeysTypedAhead(t *testing.T) {
	d, l := listen(t, true)
	d.msg(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("jjjjjjjj")})
	d.advance()
	if len(l.got) != 8 {
		t.Errorf("the screen got %d keys, want 8", len(l.got))
	}
}

func TestALargePasteIsRefused(t *testing.T) {
	d, l := listen(t, true)
	d.paste(strings.Repeat("A", maxPaste+1)).shows("larger than 1 MiB")
	if len(l.got) != 0 {
		t.Error("the screen got it")
	}
}
