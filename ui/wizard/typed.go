package wizard

import (
	"strings"
	"time"
	"unicode"

	tea "github.com/charmbracelet/bubbletea"
)

const (
	maxPaste = 1 << 20 // bytes; a larger paste is refused
	// A terminal without bracketed paste types what is pasted. What begins like
	// PEM, or as more characters at once than fingers type, is gathered until
	// the keys pause.
	burstRunes = 8
	burstPause = 30 * time.Millisecond
	// Inside a PEM block a pause is the machine's: what follows must not be
	// typed into a field.
	blockPause = time.Second
	// Fewer keys than this without a line end were typed ahead.
	burstKeys = 20

	pemMark  = "-----BEGIN"
	blockEnd = "-----END"
)

// burst is keys that may be a paste.
type burst struct {
	text strings.Builder
	keys []tea.KeyMsg
	gen  int
	on   bool
}

// burstMsg says that the keys paused since the burst's generation.
type burstMsg struct{ gen int }

// begins says whether a key is the beginning of a paste that the terminal types.
func (b *burst) begins(k tea.KeyMsg, takesPEM bool) bool {
	if k.Type != tea.KeyRunes || k.Paste || k.Alt {
		return false
	}
	return strings.HasPrefix(string(k.Runes), pemMark) || takesPEM && len(k.Runes) >= burstRunes
}

// take gathers one key; false means that the key belongs to no paste.
func (b *burst) take(k tea.KeyMsg) bool {
	switch {
	case k.Alt || k.Paste:
		return false
	case k.Type == tea.KeyRunes, k.Type == tea.KeySpace:
		b.text.WriteString(string(k.Runes))
		if k.Type == tea.KeySpace && len(k.Runes) == 0 {
			b.text.WriteByte(' ')
		}
	case k.Type == tea.KeyEnter, k.Type == tea.KeyCtrlJ:
		b.text.WriteByte('\n')
	case k.Type == tea.KeyTab:
		b.text.WriteByte('\t')
	default:
		return false
	}
	b.keys = append(b.keys, k)
	b.on = true
	b.gen++
	return true
}

// pause is how long the keys have to rest before the burst is over.
func (b *burst) pause() time.Duration {
	text := b.text.String()
	_, block, open := lastCut(text, pemMark)
	if _, tail, ended := strings.Cut(block, blockEnd); !open || ended && strings.Contains(tail, "-----") {
		return burstPause
	}
	return blockPause
}

// lastCut cuts text at the last separator.
func lastCut(text, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(text, sep); i >= 0 {
		return text[:i], text[i+len(sep):], true
	}
	return text, "", false
}

// end gives the keys that were gathered: as one paste, or as they came.
func (b *burst) end() []tea.KeyMsg {
	text, keys := b.text.String(), b.keys
	*b = burst{gen: b.gen + 1}
	n := 0
	for _, k := range keys {
		n += max(1, len(k.Runes))
	}
	if strings.HasPrefix(text, pemMark) || n > burstKeys && strings.Contains(text, "\n") {
		return []tea.KeyMsg{{Type: tea.KeyRunes, Runes: []rune(text), Paste: true}}
	}
	return keys
}

// unixLines makes every line end \n: terminals paste \r, some \r\n.
func unixLines(runes []rune) []rune {
	out := runes[:0]
	for i, r := range runes {
		switch {
		case r == '\r' && i+1 < len(runes) && runes[i+1] == '\n':
		case r == '\r':
			out = append(out, '\n')
		case r == 0x2028, r == 0x2029, r == 0x85: // line ends of other kinds
			out = append(out, '\n')
		default:
			out = append(out, r)
		}
	}
	clear(runes[len(out):]) // it may have been a key
	return out
}

// size is how many bytes a paste has.
func size(runes []rune) int {
	n := 0
	for _, r := range runes {
		switch {
		case r < 0x80:
			n++
		case r < 0x800:
			n += 2
		case r < 0x10000:
			n += 3
		default:
			n += 4
		}
	}
	return n
}

// split makes single keys of letters that arrived together: no binding matches
// three letters at once.
func split(k tea.KeyMsg) []tea.KeyMsg {
	if k.Type != tea.KeyRunes || k.Paste || len(k.Runes) < 2 {
		return []tea.KeyMsg{k}
	}
	out := make([]tea.KeyMsg, 0, len(k.Runes))
	for _, r := range k.Runes {
		if unicode.IsControl(r) {
			continue
		}
		out = append(out, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}, Alt: k.Alt})
	}
	return out
}
