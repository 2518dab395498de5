package wizard

import "testing"

func TestCountsAreWrittenAsOneSays(t *testing.T) {
	for noun, want := range map[string]string{
		"file": "2 files", "day": "2 days", "key": "2 keys", "directory": "2 directories", "entry": "2 entries", "minute": "2 minutes",
	} {
		if got := count(2, noun); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := count(1, noun); got != "1 "+noun {
			t.Errorf("%q", got)
		}
	}
}
