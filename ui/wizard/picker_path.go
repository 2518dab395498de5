package wizard

import (
	"context"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/afero"

	"certwright/certs/untrusted"
)

// places are what paths as typed are relative to.
type places struct{ dir, home string }

func (e *Env) places() places { return places{e.Dir, e.Home} }

// expand makes ~ the person's own directory. Nothing else is expanded: a
// dollar or a star may stand in a file's name.
func (p places) expand(typed string) string {
	if p.home == "" {
		return typed
	}
	if typed == "~" {
		return p.home
	}
	if rest, ok := cutTilde(typed); ok {
		return filepath.Join(p.home, rest) + trailingSlash(rest)
	}
	return typed
}

func cutTilde(s string) (rest string, ok bool) {
	if len(s) >= 2 && s[0] == '~' && isSeparator(s[1]) {
		return s[2:], true
	}
	return "", false
}

func isSeparator(b byte) bool { return b == '/' || b == filepath.Separator }

// trailingSlash keeps what Join drops: "corp/" asks for what lies in corp.
func trailingSlash(s string) string {
	if s == "" || isSeparator(s[len(s)-1]) {
		return string(filepath.Separator)
	}
	return ""
}

// abs is a path as typed made one that can be opened.
func (p places) abs(typed string) string {
	path := p.expand(typed)
	if !filepath.IsAbs(path) && p.dir != "" {
		path = filepath.Join(p.dir, path)
	}
	return filepath.Clean(path)
}

// given is a path as the answers keep it: relative to the working directory
// where it lies below it, absolute otherwise, never with ~ (which the shell of
// whoever runs the plan would have to expand).
func (p places) given(path string) string {
	path = p.abs(path)
	if p.dir == "" {
		return path
	}
	rel, err := filepath.Rel(p.dir, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return path
	}
	return rel
}

// short is a path as a person reads it: with ~ for the person's own directory.
// It is untrusted text.
func (p places) short(path string) string {
	if p.home == "" || p.home == string(filepath.Separator) {
		return path
	}
	if path == p.home {
		return "~"
	}
	if rest, ok := strings.CutPrefix(path, p.home+string(filepath.Separator)); ok {
		return "~" + string(filepath.Separator) + rest
	}
	return path
}

// completion is what tab makes of a path as typed.
type completion struct {
	text       string   // the path, longer when it could be completed
	candidates []string // names it could go on with, folders with a slash: untrusted text
	err        error    // the folder could not be read
	odd        bool     // what is there cannot be typed, only chosen
}

// typeable says that a name is drawn as it is: what is not cannot be edited.
func typeable(name string) bool { return untrusted.Text(name).Max(len(name)) == name }

// complete completes the last element of a path as typed from what lies on the
// disk. Hidden names are offered only when the element begins with a dot.
func complete(ctx context.Context, fsys afero.Fs, p places, typed string) completion {
	if typed == "~" {
		return completion{text: "~" + string(filepath.Separator)}
	}
	cut := strings.LastIndexFunc(typed, func(r rune) bool { return r < utf8.RuneSelf && isSeparator(byte(r)) }) + 1
	head, stem := typed[:cut], typed[cut:]
	dir := p.abs(head)
	if head == "" {
		dir = p.abs(".")
	}
	l := readFolder(ctx, fsys, dir)
	if l.err != nil && len(l.entries) == 0 {
		return completion{text: typed, err: l.err}
	}
	odd := 0
	match := func(fold bool) []string {
		var out []string
		for i := range l.entries {
			e := &l.entries[i]
			name, want := e.name, stem
			if fold {
				name, want = e.lower, strings.ToLower(stem)
			}
			if !strings.HasPrefix(name, want) || stem == "" && e.hidden() {
				continue
			}
			if !typeable(e.name) {
				odd++
				continue
			}
			if e.kind == dirEntry {
				out = append(out, e.name+string(filepath.Separator))
			} else {
				out = append(out, e.name)
			}
		}
		return out
	}
	names := match(false)
	if len(names) == 0 {
		names = match(true) // CA.pem for ca: better than nothing
	}
	slices.Sort(names)
	switch len(names) {
	case 0:
		return completion{text: typed, odd: odd > 0}
	case 1:
		return completion{text: head + names[0]}
	}
	common := commonPrefix(names)
	if len(common) < len(stem) {
		common = stem // names that differ in case share less than was typed
	}
	return completion{text: head + common, candidates: names}
}

// commonPrefix is what all names begin with, cut at a whole character.
func commonPrefix(names []string) string {
	prefix := names[0]
	for _, n := range names[1:] {
		i := 0
		for i < len(prefix) && i < len(n) && prefix[i] == n[i] {
			i++
		}
		prefix = prefix[:i]
	}
	for len(prefix) > 0 {
		if r, size := utf8.DecodeLastRuneInString(prefix); r != utf8.RuneError || size > 1 {
			break
		}
		prefix = prefix[:len(prefix)-1]
	}
	return prefix
}

// droppedPath is the path in a text that a terminal pastes when a file is
// dropped on it: quoted, or with escaped spaces, or as a file URL.
func droppedPath(s string) string {
	s = strings.TrimSpace(s)
	if rest, ok := strings.CutPrefix(s, "file://"); ok && strings.HasPrefix(rest, "/") {
		if path, err := url.PathUnescape(rest); err == nil {
			return path
		}
		return rest
	}
	if len(s) >= 2 && (s[0] == '\'' || s[0] == '"') && s[len(s)-1] == s[0] {
		inner := s[1 : len(s)-1]
		if !strings.ContainsRune(inner, rune(s[0])) {
			return inner
		}
		return strings.ReplaceAll(inner, `'\''`, "'")
	}
	if filepath.Separator == '/' && strings.ContainsRune(s, '\\') {
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] == '\\' && i+1 < len(s) {
				i++
			}
			b.WriteByte(s[i])
		}
		return b.String()
	}
	return s
}
