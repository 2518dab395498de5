//go:build unix

package e2e

import (
	"path/filepath"
	"testing"
)

// Somebody leaves in the middle, comes back the next day, and finds all of it.
func TestStoryLeaveAndResume(t *testing.T) {
	t.Parallel()
	dir, scene := place(t, "leave-and-resume")
	s := open(t, 80, 24, dir, scene.Args...)
	s.see("[Profile]")
	s.press("Enter")
	s.see("[Facts]")
	s.press("C-u")
	s.press("BSpace", "BSpace", "BSpace", "BSpace")
	s.write("prod")
	s.see("prod-api.example.com")
	s.through("Components", "Topology")
	s.press("C-c")
	s.see("Leave certwright?", "Nothing has been written.", "save to", "ctrl+c again leaves at once")
	s.press("Escape") // no, stay
	s.gone("Leave certwright?")
	s.press("C-c")
	s.see("Leave certwright?")
	s.press("s")
	s.ends(130)
	s.printed("Your answers are saved in", "certwright --resume")
	hasNot(t, dir, "generated")
	holds(t, filepath.Join(s.home, ".local/state/certwright/answers.yaml"), "cluster.name: prod")

	// The next day. They are offered on the first screen.
	s.again()
	s.see("[Profile]")
	s.seeRow("resume", "tectonic, cluster prod")
	s.press("C-c", "C-c")
	s.ends(130)

	// Or asked for: through all that is answered, to what comes next.
	s.again("--resume")
	s.see("[Topology]", "prod root CA", "All 8 calls proved")
	s.press("Enter")
	s.see("[Review]", "enter writes")
	s.press("Enter")
	s.see("[Done]", "files written to")
	s.press("Enter")
	s.ends(0)
	holds(t, filepath.Join(dir, "generated/certwright.yaml"), "cluster.name: prod")
	sound(t, dir, "generated")

	// Once they are used they are not offered again.
	s.again("--resume")
	s.ends(2)
	s.printed("no answers of an earlier run are kept")
}
