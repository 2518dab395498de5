package cli

import (
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// plainJSON writes as \u escapes what encoding/json leaves as it is and a
// terminal acts on: C1 controls, DEL, what turns text round and what is drawn
// as nothing. A program reads the same text; a person who looks at it, theirs.
func plainJSON(data []byte) []byte {
	out := make([]byte, 0, len(data))
	marks := 0
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case r < utf8.RuneSelf && r != 0x7f:
			out = append(out, data[i]) // the encoder has escaped controls; new lines are its own
		case unicode.IsPrint(r) && marks <= 2:
			out = append(out, data[i:i+size]...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += size
	}
	return out
}
