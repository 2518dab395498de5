package wizard

import (
	"strings"
	"unicode"

	"github.com/charmbracelet/bubbles/cursor"
	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"certwright/ui/theme"
)

// maxTyped is how long a typed value may get, in characters.
const maxTyped = 4096

// input is one line of text that is being typed, with readline's keys. It owns
// no answer: whoever has one tells the flow of every change.
type input struct{ model textinput.Model }

func newInput(value string) *input {
	m := textinput.New()
	m.CharLimit = maxTyped
	// A blinking cursor draws twice a second although nothing changed, and the
	// library's own paste key starts a clipboard program.
	m.Cursor.SetMode(cursor.CursorStatic)
	m.KeyMap.Paste.SetEnabled(false)
	m.ShowSuggestions = false
	m.Focus()
	in := &input{model: m}
	in.Set(value)
	return in
}

// Value is the text so far.
func (in *input) Value() string { return in.model.Value() }

// Set replaces the text and puts the cursor behind it.
func (in *input) Set(value string) {
	in.model.SetValue(value)
	in.model.CursorEnd()
}

// Clear removes the text.
func (in *input) Clear() { in.model.Reset() }

// Update edits the text and says whether it changed. Pastes lose their line
// ends: a value is one line.
func (in *input) Update(msg tea.Msg) (changed bool) {
	before := in.model.Value()
	if k, ok := msg.(tea.KeyMsg); ok && k.Paste {
		k.Runes = []rune(strings.TrimSpace(string(k.Runes)))
		msg = k
	}
	in.model, _ = in.model.Update(msg)
	return in.model.Value() != before
}

// add puts the text into a line, in w cells, with the cursor when it is active.
// What does not fit is left out around the cursor.
func (in *input) add(l *theme.Line, role theme.Role, w int, active bool) {
	runes := []rune(in.model.Value())
	for i, r := range runes { // what would move the cursor or turn the text round
		if !unicode.IsPrint(r) || unicode.Is(unicode.Cf, r) {
			runes[i] = '?'
		}
	}
	text := string(runes)
	if !active {
		l.Col(role, text, w)
		return
	}
	pos := min(in.model.Position(), len(runes))
	from := 0
	for from < pos && ansi.StringWidth(string(runes[from:pos])) > w-2 {
		from++
	}
	head, under, tail := string(runes[from:pos]), " ", ""
	if pos < len(runes) {
		under, tail = string(runes[pos]), string(runes[pos+1:])
	}
	room := w - ansi.StringWidth(head) - ansi.StringWidth(under)
	tail = clip(tail, room)
	l.Add(role, head).Caret(under).Add(role, tail)
	l.Plain(strings.Repeat(" ", max(0, room-ansi.StringWidth(tail))))
}
