package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestJSONIsTheSameTextAndNothingActsOnATerminal(t *testing.T) {
	for _, s := range []string{"plain", "ü", "a\u009b2J", "\u202eexe", "\U000e0041\U000e007f", "\x7f", "e" + strings.Repeat("\u0301", 9), "tab\tnew\nline\x1b", "\u2028", "\"\\", "認証 😀"} {
		enc, err := json.Marshal(map[string]string{"v": s})
		if err != nil {
			t.Fatal(err)
		}
		plain := plainJSON(enc)
		var back map[string]string
		if err := json.Unmarshal(plain, &back); err != nil || back["v"] != s {
			t.Errorf("%q came back as %q, %v", s, back["v"], err)
		}
		if strings.ContainsAny(string(plain), "\u009b\u202e\x7f\u2028\x1b") || strings.ContainsRune(string(plain), 0xe0041) || strings.Count(string(plain), "\u0301") > 2 {
			t.Errorf("%q is shown as %q", s, plain)
		}
	}
}
