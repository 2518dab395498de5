package wizard

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// output is the terminal, to which it writes of a frame only the cells that are
// others than before. The library writes every row whole in which one cell
// changed: moving a cursor past a pane of details is kilobytes, and over ssh
// those are what is waited for.
//
// It reads nothing but what the library's renderer writes on the alternate
// screen: the cursor home, and rows with \r\n between them, empty where nothing
// changed. Whatever else is written goes through as it is, and the next frame
// is written whole.
type output struct {
	*os.File
	mu    sync.Mutex
	rows  []outRow // as the terminal shows them; nil when that is not known
	stale bool
}

// outRow is one row of the terminal.
type outRow struct {
	raw   string // as the library wrote it
	cells []outCell
	plain bool // each character is one cell, and cells holds them
}

// outCell is one character with the sequence that styles it.
type outCell struct {
	style string
	r     rune
}

const frameStart = "\x1b[H"

// Invalidate has the next frame written whole: the window changed, or somebody
// else wrote on it.
func (o *output) Invalidate() {
	o.mu.Lock()
	o.stale = true
	o.mu.Unlock()
}

// WriteString passes a sequence through. The library writes those that are no
// frame so.
func (o *output) WriteString(s string) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rows = nil
	return o.File.WriteString(s)
}

// Write takes a frame.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	less, known := o.less(string(p))
	if !known {
		o.rows = nil
		return o.File.Write(p)
	}
	if len(less) > 0 {
		if _, err := o.File.WriteString(less); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// less is a frame without the cells that the terminal shows already; false when
// it is not a frame as the library writes them.
func (o *output) less(frame string) (string, bool) {
	body, isFrame := strings.CutPrefix(frame, frameStart)
	end := strings.LastIndex(body, "\x1b[")
	if !isFrame || end < 0 || !strings.HasSuffix(body, "H") {
		return "", false
	}
	body, tail := body[:end], body[end:]
	parts := strings.Split(strings.TrimPrefix(body, "\r"), "\n")
	whole := o.stale || len(o.rows) != len(parts)
	rows := make([]outRow, len(parts))
	var b bytes.Buffer
	for i, part := range parts {
		part = strings.TrimSuffix(part, "\r")
		var old *outRow
		if i < len(o.rows) {
			old = &o.rows[i]
		}
		switch {
		case part != "":
			rows[i] = readRow(part)
		case old == nil:
			return "", false // a row that was left out, and nobody knows what it is
		default:
			rows[i] = *old
		}
		switch {
		case whole:
			at(&b, i, 0)
			b.WriteString(rows[i].raw)
		case part == "" || old.raw == part:
		case !old.plain || !rows[i].plain:
			at(&b, i, 0)
			b.WriteString(part)
		default:
			writeChanged(&b, i, old.cells, rows[i])
		}
	}
	o.rows, o.stale = rows, false
	if b.Len() > 0 {
		b.WriteString(tail)
	}
	return b.String(), true
}

// readRow takes a row apart: styled pieces, each ended by a reset, and maybe
// the sequence that erases what is behind them.
func readRow(raw string) outRow {
	row := outRow{raw: raw}
	style := ""
	for rest := raw; rest != ""; {
		if seq, final, n := sequence(rest); n > 0 {
			rest = rest[n:]
			switch {
			case final == 'K' && rest == "":
			case final == 'm' && (seq == "\x1b[m" || seq == "\x1b[0m"):
				style = ""
			case final == 'm':
				style += seq
			default:
				return row
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(rest)
		if !oneCell(r) {
			return row
		}
		row.cells = append(row.cells, outCell{style, r})
		rest = rest[n:]
	}
	row.plain = true
	return row
}

// sequence is the control sequence that a text begins with, n bytes of it.
func sequence(s string) (seq string, final byte, n int) {
	if !strings.HasPrefix(s, "\x1b[") {
		return "", 0, 0
	}
	for i := 2; i < len(s); i++ {
		if c := s[i]; c >= 0x40 && c <= 0x7e {
			return s[:i+1], c, i + 1
		}
	}
	return "", 0, 0
}

// oneCell says of a character that every terminal with our fonts' widths shows
// it in one cell and joins it with no other: ASCII, Latin letters, and the signs
// and lines that we draw with.
func oneCell(r rune) bool {
	switch {
	case r >= 0x20 && r < 0x7f, r >= 0xa1 && r < 0x2c0 && r != 0xad:
		return true
	case r >= 0x2010 && r <= 0x2027, r >= 0x2190 && r <= 0x21ff, r >= 0x2500 && r <= 0x25ef, r == 0x2713, r == 0x2717:
		return true
	}
	return false
}

// writeChanged writes the cells of a row that differ. Two changes with little
// between them are one: to move the cursor takes bytes as well.
func writeChanged(b *bytes.Buffer, y int, old []outCell, row outRow) {
	const between = 6
	blank := outCell{"", ' '}
	cell := func(cells []outCell, i int) outCell {
		if i < len(cells) {
			return cells[i]
		}
		return blank // the rest of a row is erased
	}
	n := max(len(old), len(row.cells))
	from := b.Len()
	for x := 0; x < n; {
		if cell(old, x) == cell(row.cells, x) {
			x++
			continue
		}
		end, same := x+1, 0
		for i := x + 1; i < n && same <= between; i++ {
			if cell(old, i) != cell(row.cells, i) {
				end, same = i+1, 0
			} else {
				same++
			}
		}
		x, end = word(row.cells, x, end)
		at(b, y, x)
		style := ""
		for i := x; i < end; i++ {
			if i >= len(row.cells) { // the rest is blank
				break
			}
			c := row.cells[i]
			if c.style != style {
				if style != "" {
					b.WriteString("\x1b[0m")
				}
				b.WriteString(c.style)
				style = c.style
			}
			b.WriteRune(c.r)
		}
		if style != "" {
			b.WriteString("\x1b[0m")
		}
		if end > len(row.cells) {
			b.WriteString("\x1b[K")
			break
		}
		x = end
	}
	if b.Len()-from > len(row.raw)+8 {
		b.Truncate(from)
		at(b, y, 0)
		b.WriteString(row.raw)
	}
}

// word widens a change to whole words: whoever reads along what is sent (a
// recorder, a screen reader, a test) meets no halves of them.
func word(cells []outCell, from, end int) (int, int) {
	for from > 0 && from < len(cells) && cells[from].r != ' ' && cells[from-1].r != ' ' {
		from--
	}
	for end > 0 && end < len(cells) && cells[end].r != ' ' && cells[end-1].r != ' ' {
		end++
	}
	return from, end
}

// at moves the cursor, both from 0.
func at(b *bytes.Buffer, y, x int) {
	b.WriteString("\x1b[" + strconv.Itoa(y+1))
	if x > 0 {
		b.WriteString(";" + strconv.Itoa(x+1))
	}
	b.WriteByte('H')
}
