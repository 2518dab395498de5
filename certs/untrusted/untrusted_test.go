package untrusted_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"certwright/certs/untrusted"
)

func TestTextIsEscaped(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "O=Corp, CN=Corp Root", "O=Corp, CN=Corp Root"},
		{"letters beyond ASCII stay", "Prüfstelle 認証", "Prüfstelle 認証"},
		{"clear screen", "evil\x1b[2J", `evil\u{1b}[2J`},
		{"title by OSC", "\x1b]0;pwn\a", `\u{1b}]0;pwn\u{7}`},
		{"C1 CSI", "a\u009b2J", `a\u{9b}2J`},
		{"new line forges a row", "ok\n✓ verified", `ok\u{a}✓ verified`},
		{"bidirectional override", "a\u202eb", `a\u{202e}b`},
		{"zero width", "a\u200bb", `a\u{200b}b`},
		{"tag character", "a\U000e0041", `a\u{e0041}`},
		{"not UTF-8", "a\x9bb\xff", `a\x9bb\xff`},
		{"no-break space is escaped", "a\u00a0b", `a\u{a0}b`},
		{"a tower of marks", "e" + strings.Repeat("\u0301", 4), "e\u0301\u0301" + `\u{301}\u{301}`},
	} {
		if got := untrusted.Text(c.in).String(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTextIsCut(t *testing.T) {
	got := untrusted.Text(strings.Repeat("a", 2_000_000)).String()
	if len(got) > untrusted.MaxBytes+32 || !strings.HasSuffix(got, "… (2.0 MB)") {
		t.Errorf("got %d bytes ending in %q", len(got), got[len(got)-20:])
	}
}

func TestShellArg(t *testing.T) {
	for in, want := range map[string]string{
		"a/b.pem": "a/b.pem", "my ca.pem": "'my ca.pem'", "it's": `'it'\''s'`, "-rf": "'./-rf'", "a\x1bb": "FILE", "": "''", "$(id)": "'$(id)'",
		"e\u0301": "'e\u0301'", "e\u0301\u0301\u0301": "FILE",
	} {
		if got := untrusted.Text(in).ShellArg(); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("evil\x1b[2J\x1b]0;pwn\x07")
	f.Add("a\u202e\u009b\xff")
	f.Fuzz(func(t *testing.T, s string) {
		out := untrusted.Text(s).String()
		if !utf8.ValidString(out) {
			t.Fatalf("%q became invalid UTF-8: %q", s, out)
		}
		for _, r := range out {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
				t.Fatalf("%q let %U through", s, r)
			}
		}
	})
}
