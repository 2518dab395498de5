// Package untrusted is the gate between text that somebody else wrote (the
// subject of a certificate, a file name, an error that quotes one) and a
// screen. A Text prints itself escaped and cut, so that no terminal sequence,
// bidirectional override or forged line reaches a person. Keep such text in
// this type until it is printed.
//
// It changes how text is shown and never the text itself: Raw gives it back.
package untrusted

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is text that somebody else wrote.
type Text string

// Limits of what String shows.
const (
	MaxBytes     = 256
	maxCombining = 2 // marks on one letter; more would climb over other lines
)

// String is the text as it may be shown: every character that is not graphic
// is written \u{9b}, every byte that is not UTF-8 \x9b, and what is longer than
// MaxBytes is cut, with its whole length named.
func (t Text) String() string { return t.Max(MaxBytes) }

// Raw is the text as it came. It must not reach a screen.
func (t Text) Raw() string { return string(t) }

// Max is String with another limit, in bytes of what is shown.
func (t Text) Max(limit int) string {
	var b strings.Builder
	marks := 0
	for i := 0; i < len(t); {
		r, size := utf8.DecodeRuneInString(string(t[i:min(len(t), i+utf8.UTFMax)]))
		piece := string(t[i : i+size])
		switch {
		case r == utf8.RuneError && size <= 1:
			piece = fmt.Sprintf(`\x%02x`, t[i])
			marks = 0
		case unicode.Is(unicode.M, r):
			if marks++; marks > maxCombining {
				piece = fmt.Sprintf(`\u{%x}`, r)
			}
		case !shown(r):
			piece = fmt.Sprintf(`\u{%x}`, r)
			marks = 0
		default:
			marks = 0
		}
		if b.Len()+len(piece) > limit {
			fmt.Fprintf(&b, "… (%s)", Size(len(t)))
			break
		}
		b.WriteString(piece)
		i += size
	}
	return b.String()
}

// shown says whether a terminal shows the rune as itself, in one place.
func shown(r rune) bool {
	if r == ' ' {
		return true
	}
	return unicode.IsPrint(r) && !unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Co, r) &&
		// Fillers that are drawn as nothing.
		r != 0x115f && r != 0x1160 && r != 0x3164 && r != 0xffa0
}

// Size is a number of bytes for people: 306 B, 1.2 KB, 4.0 MB.
func Size(n int) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000_000:
		return fmt.Sprintf("%.1f KB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1000_000)
}

// ShellArg is the text as one argument of a POSIX shell, for commands to paste.
// Characters that a terminal would act on make it a placeholder: a person must
// not paste them.
func (t Text) ShellArg() string {
	s := string(t)
	if s == "" {
		return "''"
	}
	marks := 0
	for _, r := range s {
		if !unicode.Is(unicode.M, r) {
			marks = 0
		} else if marks++; marks > maxCombining {
			return "FILE"
		}
		if r == utf8.RuneError || !shown(r) {
			return "FILE"
		}
	}
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+:,=@%") == "" && s[0] != '-' {
		return s
	}
	if s[0] == '-' {
		s = "./" + s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
