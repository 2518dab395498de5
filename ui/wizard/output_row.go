package wizard

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// outRow is one row of the terminal.
type outRow struct {
	raw   string // as the library wrote it
	cells []outCell
	plain bool // each character is one cell, and cells holds them
	full  bool // the last of them is in the last column
}

// outCell is one character and how it looks. Of a blank only what can be seen of
// it is kept, so that blanks of several styles are the same.
type outCell struct {
	style outStyle
	r     rune
}

// outStyle is what SGR sequences set. The zero value is the terminal's own.
type outStyle struct {
	fg, bg string // parameters, "" for the terminal's own
	marks  uint16 // a bit for each of outMarks
}

// outMarks are the parameters that switch something on, and off. Bold and faint
// go off together.
var outMarks = []struct{ on, off string }{
	{"1", "22"}, {"2", "22"}, {"3", "23"}, {"4", "24"}, {"5", "25"}, {"7", "27"}, {"9", "29"},
}

// What can be seen of a blank: underline, reverse, and strike.
const blankMarks = 1<<3 | 1<<5 | 1<<6

// blank is the style of a blank as far as it can be seen.
func (s outStyle) blank() outStyle {
	if s.marks&blankMarks == 0 {
		return outStyle{bg: s.bg}
	}
	return s
}

// blank says whether nothing can be seen in the cell.
func (c outCell) blank() bool { return c.r == ' ' && c.style == outStyle{} }

// readRow takes a row apart: styled pieces, and maybe the sequence that erases
// what is behind them.
func readRow(raw string) outRow {
	row := outRow{raw: raw, full: true}
	var style outStyle
	for rest := raw; rest != ""; {
		if seq, final, n := sequence(rest); n > 0 {
			rest = rest[n:]
			switch {
			case final == 'K' && rest == "":
				row.full = false
			case final == 'm' && style.set(seq[2:len(seq)-1]):
			default:
				return row
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(rest)
		if !oneCell(r) {
			return row
		}
		c := outCell{style, r}
		if r == ' ' {
			c.style = style.blank()
		}
		row.cells = append(row.cells, c)
		rest = rest[n:]
	}
	for len(row.cells) > 0 && row.cells[len(row.cells)-1].blank() {
		row.cells, row.full = row.cells[:len(row.cells)-1], false // as what is erased
	}
	row.plain = true
	return row
}

// set takes the parameters of an SGR sequence; false where it does not know one.
func (s *outStyle) set(params string) bool {
	list := strings.Split(params, ";")
	for i := 0; i < len(list); i++ {
		p := list[i]
		switch {
		case p == "" || p == "0":
			*s = outStyle{}
		case p == "38" || p == "48":
			n := colourLength(list[i:])
			if n == 0 {
				return false
			}
			colour := strings.Join(list[i:i+n], ";")
			if i += n - 1; p == "38" {
				s.fg = colour
			} else {
				s.bg = colour
			}
		case p == "39":
			s.fg = ""
		case p == "49":
			s.bg = ""
		case len(p) == 2 && (p[0] == '3' || p[0] == '9') && p[1] <= '7':
			s.fg = p
		case len(p) == 2 && p[0] == '4' && p[1] <= '7', len(p) == 3 && p[:2] == "10" && p[2] <= '7':
			s.bg = p
		default:
			if !s.mark(p) {
				return false
			}
		}
	}
	return true
}

// colourLength is how many parameters 38;5;n or 38;2;r;g;b are, 0 when it is neither.
func colourLength(list []string) int {
	switch {
	case len(list) >= 3 && list[1] == "5":
		return 3
	case len(list) >= 5 && list[1] == "2":
		return 5
	}
	return 0
}

func (s *outStyle) mark(p string) bool {
	known := false
	for i, m := range outMarks {
		switch p {
		case m.on:
			s.marks |= 1 << i
			return true
		case m.off:
			s.marks &^= 1 << i
			known = true
		}
	}
	return known
}

// to is the sequence that leads from one style to another: what differs, or
// everything anew, whichever is shorter.
func (s outStyle) to(next outStyle) string {
	if s == next {
		return ""
	}
	if next == (outStyle{}) {
		return "\x1b[m"
	}
	less, all := s.differs(next), append([]string{"0"}, outStyle{}.differs(next)...)
	seq := strings.Join(less, ";")
	if anew := strings.Join(all, ";"); len(anew) < len(seq) {
		seq = anew
	}
	return "\x1b[" + seq + "m"
}

func (s outStyle) differs(next outStyle) []string {
	var out []string
	marks := s.marks
	for i, m := range outMarks {
		if marks&^next.marks&(1<<i) != 0 && !slices.Contains(out, m.off) {
			out = append(out, m.off)
			for j, o := range outMarks {
				if o.off == m.off {
					marks &^= 1 << j
				}
			}
		}
	}
	for i, m := range outMarks {
		if next.marks&^marks&(1<<i) != 0 {
			out = append(out, m.on)
		}
	}
	colour := func(was, now, own string) {
		switch {
		case was == now:
		case now == "":
			out = append(out, own)
		default:
			out = append(out, now)
		}
	}
	colour(s.fg, next.fg, "39")
	colour(s.bg, next.bg, "49")
	return out
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
	case r >= 0x2010 && r <= 0x2027, r == 0x2039, r == 0x203a, r >= 0x2190 && r <= 0x21ff:
		return true
	case r == 0x2212, r == 0x2219, r == 0x2264, r == 0x2265, r >= 0x2500 && r <= 0x25ef, r == 0x2713, r == 0x2717:
		return true
	}
	return false
}
