package topology

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

// The patterns of names mean what these expressions mean, for every text.
func TestPatternsOfNamesAreTheExpressions(t *testing.T) {
	for _, c := range []struct {
		name string
		ours interface{ MatchString(string) bool }
		expr string
	}{
		{"label", labelPattern, `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`},
		{"id", idPattern, `^[a-z0-9][a-z0-9.-]{0,62}$`},
		{"secret", secretPattern, `^[a-z0-9][a-z0-9-]{0,62}/[a-z0-9][a-z0-9.-]{0,252}$`},
		{"file", filePattern, `^[a-z0-9][a-z0-9._-]{0,62}(/[a-z0-9][a-z0-9._-]{0,62})*$`},
		{"output", outputPattern, `^[a-zA-Z_][a-zA-Z0-9_]{0,62}$`},
		{"secret key", secretKeyPattern, `^[a-zA-Z0-9._-]{1,253}$`},
		{"API service", apiServicePattern, `^[a-z0-9][a-z0-9.-]{0,252}$`},
	} {
		want := regexp.MustCompile(c.expr)
		t.Run(c.name, rapid.MakeCheck(func(t *rapid.T) {
			s := rapid.OneOf(
				rapid.String(), rapid.StringMatching(c.expr),
				rapid.StringMatching(`[a-zA-Z0-9._/-]{0,70}`), rapid.StringMatching(`[a-z0-9-]{60,66}(/[a-z.]{250,256})?`),
			).Draw(t, "text")
			if got := c.ours.MatchString(s); got != want.MatchString(s) {
				t.Fatalf("%q: %v, and %s says %v", s, got, c.expr, !got)
			}
		}))
	}
}
