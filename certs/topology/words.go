package topology

import "strings"

// The characters that names are made of.
const (
	digits = "0123456789"
	lowers = "abcdefghijklmnopqrstuvwxyz"
	uppers = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// word is a pattern of names: which characters they begin with, which may
// follow, and how many there are at most, in bytes. Expressions that repeat so
// often take a millisecond to compile, at each start of the program.
type word struct {
	first, rest string
	most        int
}

// MatchString says whether all of s is such a name.
func (w word) MatchString(s string) bool {
	if s == "" || len(s) > w.most || strings.IndexByte(w.first, s[0]) < 0 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if strings.IndexByte(w.rest, s[i]) < 0 {
			return false
		}
	}
	return true
}

// words are names with a slash between them: one of each pattern, and with more,
// as many as there are.
type words struct {
	each []word
	more bool // of the last pattern
}

// MatchString says whether all of s is such names.
func (ws words) MatchString(s string) bool {
	parts := strings.Split(s, "/")
	if len(parts) < len(ws.each) || len(parts) > len(ws.each) && !ws.more {
		return false
	}
	for i, p := range parts {
		if !ws.each[min(i, len(ws.each)-1)].MatchString(p) {
			return false
		}
	}
	return true
}

// label is a DNS label: it does not end in a hyphen.
type label struct{ word }

// MatchString says whether all of s is a DNS label.
func (l label) MatchString(s string) bool {
	return l.word.MatchString(s) && !strings.HasSuffix(s, "-")
}
