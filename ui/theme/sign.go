package theme

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Sign is a mark before a line. Each has an ASCII twin.
type Sign int

// The signs.
const (
	NoSign Sign = iota
	GoodSign
	WarnSign
	BadSign
	BusySign
	CursorSign
	InheritSign // follows its CA
	AbsentSign  // does not apply
	OnSign      // ●
	OffSign     // ○
)

// signs has the two forms of each, and the role that colours it.
var signs = [...]struct {
	sign, ascii string
	role        Role
}{
	NoSign: {"", "", Plain}, GoodSign: {"✓", "ok", Good}, WarnSign: {"!", "!", Warn}, BadSign: {"✗", "x", Bad},
	BusySign: {"…", "..", Busy}, CursorSign: {"▸", ">", Cursor}, InheritSign: {"·", ".", Faint}, AbsentSign: {"—", "-", Faint},
	OnSign: {"●", "(x)", Bold}, OffSign: {"○", "( )", Faint},
}

// Sign is the sign as this terminal shows it, without a style.
func (t *Theme) Sign(s Sign) string {
	if s < 0 || int(s) >= len(signs) {
		return ""
	}
	if t.ascii {
		return signs[s].ascii
	}
	return signs[s].sign
}

// Role is the role that colours the sign.
func (s Sign) Role() Role {
	if s < 0 || int(s) >= len(signs) {
		return Plain
	}
	return signs[s].role
}

// MarkWidth is how many cells Mark fills.
func (t *Theme) MarkWidth() int {
	if t.ascii {
		return 2
	}
	return 1
}

// Mark is a sign that judges (good, warn, bad, busy, inherit, absent), filled
// to MarkWidth so that columns of them stand straight.
func (t *Theme) Mark(s Sign) string {
	text := t.Sign(s)
	return text + strings.Repeat(" ", max(0, t.MarkWidth()-ansi.StringWidth(text)))
}

// twins are the ASCII twins of the characters that drawing code writes, each
// one cell wide like the character itself, so that columns stay straight.
var twins = strings.NewReplacer(
	"─", "-", "│", "|", "╭", "+", "╮", "+", "╰", "+", "╯", "+", "├", "|", "┤", "|", "└", "`", "┬", "+", "┴", "+", "┼", "+",
	"›", ">", "‹", "<", "·", "-", "—", "-", "–", "-", "…", "~", "→", ">", "←", "<", "↑", "^", "↓", "v", "▶", ">", "◀", "<",
	"▸", ">", "◆", "*", "◇", "o", "•", "*", "●", "*", "○", "o", "✓", "+", "✗", "x", "█", "#", "░", ".", "’", "'", "‘", "'", "“", "\"", "”", "\"",
	"×", "x", "≥", ">", "≤", "<", "−", "-",
)

// Text is a whole frame as this terminal may show it: in ASCII every character
// has its twin, and what has none is a question mark for each of its cells.
func (t *Theme) Text(s string) string {
	if !t.ascii {
		return s
	}
	s = twins.Replace(s)
	if strings.IndexFunc(s, beyondASCII) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if beyondASCII(r) {
			b.WriteString(strings.Repeat("?", ansi.StringWidth(string(r))))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func beyondASCII(r rune) bool { return r > 0x7e }

// Lines are the characters of boxes and trees.
type Lines struct {
	Horizontal, Vertical                          string
	TopLeft, TopRight, BottomLeft, BottomRight    string
	Branch, Last                                  string // of a tree: one more child, the last child
	Ellipsis, Separator, Full, Empty, Left, Right string
}

// Border is the characters of boxes and trees as this terminal shows them.
//
//go:noinline // many callers, none of them hot
func (t *Theme) Border() Lines {
	if t.ascii {
		return Lines{"-", "|", "+", "+", "+", "+", "|", "`", "..", "-", "#", ".", "<", ">"}
	}
	return Lines{"─", "│", "╭", "╮", "╰", "╯", "├", "└", "…", "·", "█", "░", "‹", "›"}
}

// arrows are the names of keys that have a sign of their own.
var arrows = strings.NewReplacer("↑/↓", "up/down", "←/→", "left/right", "↑", "up", "↓", "down", "←", "left", "→", "right")

// Keys is the name of keys as this terminal shows it.
func (t *Theme) Keys(name string) string {
	if t.ascii {
		return arrows.Replace(name)
	}
	return name
}
