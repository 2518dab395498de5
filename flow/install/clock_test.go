package install_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"certwright/flow/install"
)

// A clock that shows a time before the program was made, or long after, is
// doubted in a note: all dates of a set are taken from it.
func TestAWrongClockIsDoubted(t *testing.T) {
	w := world(t)
	for _, c := range []struct {
		why  string
		made time.Time
		want string
	}{
		{"nobody knows when it was made", time.Time{}, ""},
		{"made a year ago", clock.AddDate(-1, 0, 0), ""},
		{"made tomorrow", clock.AddDate(0, 0, 1), "before this program was made"},
		{"made twelve years ago", clock.AddDate(-12, 0, 0), "ten years and more after this program was made"},
	} {
		w.Made = c.made
		p, err := install.Prepare(t.Context(), w, answers(t, defaults(t)), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(p.Notes, func(n string) bool { return strings.Contains(n, "this machine's clock shows") })
		switch {
		case c.want == "" && i >= 0:
			t.Errorf("%s: %s", c.why, p.Notes[i])
		case c.want != "" && (i < 0 || !strings.Contains(p.Notes[i], c.want)):
			t.Errorf("%s: notes %q", c.why, p.Notes)
		}
		again, err := install.Prepare(t.Context(), w, answers(t, defaults(t)), p, nil)
		if err != nil || len(again.Notes) != len(p.Notes) {
			t.Errorf("%s: a set that is rendered again has the notes %q %v", c.why, again.Notes, err)
		}
	}
}
