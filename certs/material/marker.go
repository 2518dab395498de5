package material

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// marker is one "-----BEGIN LABEL-----" or "-----END LABEL-----", however
// mangled it stands.
type marker struct {
	end        bool   // END
	label      string // upper-case
	start, tip int    // its first byte and the first one after it; no two markers overlap
	left       int    // dashes before BEGIN or END
	right      int    // dashes after the label
	typeset    bool   // one of the dashes is not ASCII's
	loose      bool   // spaces between dashes and words, or lower-case letters
	lineStart  int    // offset of the first byte of its line
	line       int    // number of its line, from 1
}

// maxLabel is the longest label that is looked for, in bytes.
const maxLabel = 64

// markers finds all markers of data in order.
func markers(data []byte) []marker {
	var out []marker
	line, lineStart, counted := 1, 0, 0
	for at := 0; ; {
		i, word := nextWord(data, at)
		if i < 0 {
			return out
		}
		at = i + len(word)
		m, ok := markerAt(data, i, word)
		if !ok {
			continue
		}
		if len(out) > 0 && m.start < out[len(out)-1].tip {
			m.start = out[len(out)-1].tip // the dashes between two markers count for both
		}
		line += bytes.Count(data[counted:m.start], []byte{'\n'})
		if nl := bytes.LastIndexByte(data[counted:m.start], '\n'); nl >= 0 {
			lineStart = counted + nl + 1
		}
		counted = m.start
		m.line, m.lineStart = line, lineStart
		out = append(out, m)
		if len(out) > 4*MaxBlocks {
			return out
		}
	}
}

// nextWord finds the next BEGIN or END from at on.
func nextWord(data []byte, at int) (int, string) {
	for i := at; i+3 <= len(data); i++ {
		switch data[i] | 0x20 {
		case 'b':
			if i+5 <= len(data) && bytes.EqualFold(data[i:i+5], []byte("BEGIN")) {
				return i, "BEGIN"
			}
		case 'e':
			if bytes.EqualFold(data[i:i+3], []byte("END")) {
				return i, "END"
			}
		}
	}
	return -1, ""
}

// markerAt reads the marker whose word stands at i.
func markerAt(data []byte, i int, word string) (marker, bool) {
	m := marker{end: word == "END", start: i}
	if string(data[i:i+len(word)]) != word {
		m.loose = true
	}
	for m.start > 0 && data[m.start-1] == ' ' {
		m.start--
		m.loose = true
	}
	for m.left <= 2*5 {
		size, typeset := dashBefore(data[:m.start])
		if size == 0 {
			break
		}
		m.start -= size
		m.left++
		m.typeset = m.typeset || typeset
	}
	if m.left == 0 {
		return m, false
	}
	at := i + len(word)
	if at >= len(data) || data[at] != ' ' {
		return m, false
	}
	at++
	from := at
	for at < len(data) && at-from < maxLabel && labelByte(data[at]) {
		at++
	}
	label := string(data[from:at])
	for at < len(data) && m.right < 2*5 {
		size, typeset := dashAfter(data[at:])
		if size == 0 {
			break
		}
		at += size
		m.right++
		m.typeset = m.typeset || typeset
	}
	if m.right == 0 && at < len(data) && data[at] != '\n' && data[at] != '\r' && data[at] != '\\' {
		return m, false // a sentence with the word in it
	}
	m.label = strings.ToUpper(strings.TrimSpace(label))
	m.loose = m.loose || m.label != label
	m.tip = at
	return m, m.label != ""
}

// labelByte says whether a label may hold the byte. Those in use are words of
// capitals and figures; "PKCS #7 SIGNED DATA" has the one exception.
func labelByte(b byte) bool {
	return 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z' || '0' <= b && b <= '9' || b == ' ' || b == '#' || b == '.'
}

// dashBefore gives the size of the dash at the end of data, 0 for none.
func dashBefore(data []byte) (size int, typeset bool) {
	if len(data) == 0 {
		return 0, false
	}
	if data[len(data)-1] == '-' {
		return 1, false
	}
	r, n := utf8.DecodeLastRune(data)
	return dash(r, n, data[len(data)-1])
}

// dashAfter gives the size of the dash at the beginning of data, 0 for none.
func dashAfter(data []byte) (size int, typeset bool) {
	if data[0] == '-' {
		return 1, false
	}
	r, n := utf8.DecodeRune(data)
	return dash(r, n, data[0])
}

// dash judges one decoded character. Windows-1252 has its dashes at 0x96 and
// 0x97, which are not UTF-8 by themselves.
func dash(r rune, size int, b byte) (int, bool) {
	if typesetDash(r) || r == utf8.RuneError && size == 1 && (b == 0x96 || b == 0x97) {
		return size, true
	}
	return 0, false
}

// typesetDash knows what editors and chats make of hyphens: U+2010 hyphen to
// U+2015 horizontal bar, the soft hyphen, minus, and the wide forms.
func typesetDash(r rune) bool {
	return 0x2010 <= r && r <= 0x2015 || r == 0xad || r == 0x2212 || r == 0xfe58 || r == 0xfe63 || r == 0xff0d
}
