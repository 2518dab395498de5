//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rowWith is the first row that has a text.
func rowWith(frame, text string) string {
	for row := range strings.Lines(frame) {
		if strings.Contains(row, text) {
			return row
		}
	}
	return ""
}

// certificatesWith are the certificates below dir that openssl prints a text for.
func certificatesWith(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".crt") && strings.Contains(certificate(t, path), text) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// colour is an SGR that sets a foreground or a background.
var colour = regexp.MustCompile(`\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m`)

// With NO_COLOR there is not one colour, and still a cursor and a heading that
// stand out.
func TestStoryNoColor(t *testing.T) {
	t.Parallel()
	dir, scene := place(t, "no-color")
	s := openWith(t, 80, 24, dir, scene.Env, append([]string{program}, scene.Args...)...)
	s.styled = true
	plain := func(step string) {
		t.Helper()
		f := s.until(step, func(f string) bool { return strings.Contains(f, step) })
		if c := colour.FindString(f); c != "" {
			t.Errorf("%s has the colour %q:\n%q", step, c, f)
		}
		if !strings.Contains(f, "\x1b[1m") && !strings.Contains(f, "\x1b[7m") && !strings.Contains(f, "\x1b[1;") {
			t.Errorf("%s has neither bold nor reverse:\n%q", step, f)
		}
	}
	plain("Profile")
	for _, step := range []string{"Facts", "Components", "Topology", "Review", "Done"} {
		s.press("Enter")
		plain("[" + step + "]")
		if step == "Topology" {
			plain("calls proved")
		}
		if step == "Review" {
			plain("enter writes")
		}
	}
	s.press("Enter")
	s.ends(0)
	has(t, dir, "generated/manifest.json")

	// The same program with colours has them: the test can see them.
	s = open(t, 80, 24, t.TempDir())
	s.styled = true
	s.until("a colour", colour.MatchString)
	s.press("C-c", "C-c")
	s.ends(130)
}

// The whole way in a window of 60 by 20: no row is wider, the way is the same.
func TestStoryASmallWindow(t *testing.T) {
	t.Parallel()
	dir, _ := place(t, "first-install")
	s := open(t, 60, 20, dir)
	s.see("Profile")
	for _, sees := range [][]string{
		{"[Facts]", "Cluster name"},
		{"[Components]", "Everything is made here"},
		{"[Topology]", "calls proved"},
		{"[Review]", "enter writes"},
		{"[Done]", "files written to generated"},
	} {
		s.press("Enter")
		s.see(append(sees, "? help")[:len(sees)]...)
		f := strings.TrimRight(s.frame(), "\n")
		if n := strings.Count(f, "\n") + 1; n > 20 {
			t.Errorf("%s has %d rows:\n%s", sees[0], n, f)
		}
		if first, _, _ := strings.Cut(f, "\n"); !strings.Contains(first, "certwright") {
			t.Errorf("%s has lost its first row:\n%s", sees[0], f)
		}
	}
	s.press("Enter")
	s.ends(0)
	sound(t, dir, "generated")
}

// Somebody drags the corner of the window about. What is left is the screen of
// the last size, whatever was pressed meanwhile.
func TestStoryAResizeStorm(t *testing.T) {
	t.Parallel()
	dir, _ := place(t, "first-install")
	s := open(t, 80, 24, dir)
	s.see("[Profile]")
	s.through("Facts", "Components", "Topology")
	s.see("All 8 calls proved")
	still := s.frame()
	for i := range 60 {
		s.resize(20+(i*37)%160, 5+(i*13)%50)
		if i%10 == 0 {
			s.press("Home") // ignored where the window is too small, and no harm elsewhere
		}
	}
	s.resize(50, 14)
	s.see("certwright needs 60 columns and 16 rows.", "This terminal has 50 and 14.")
	s.resize(80, 24)
	s.until("the screen from before the storm:\n"+still, func(f string) bool { return f == still })
	s.through("Review")
	s.see("enter writes")
	s.through("Done")
	s.press("Enter")
	s.ends(0)
	sound(t, dir, "generated")
}

// ctrl+z gives the shell back, fg the wizard, with all that was typed.
func TestStorySuspendAndGoOn(t *testing.T) {
	t.Parallel()
	need(t, "bash")
	dir, _ := place(t, "first-install")
	s := openWith(t, 80, 24, dir, []string{"PS1=shell> "}, "bash", "--norc", "--noprofile", "-i")
	s.see("shell>")
	s.write("stty -a >before; certwright")
	s.press("Enter")
	s.see("[Profile]")
	s.press("Enter")
	s.see("[Facts]")
	s.write("x")
	s.see("demox-api.example.com")
	s.press("C-z")
	s.see("Stopped", "shell>")
	s.write("stty -a >stopped; echo here \"I am\"")
	s.press("Enter")
	s.seeRow("here I am")
	s.resize(100, 30) // while it sleeps
	s.write("fg")
	s.press("Enter")
	s.see("[Facts]", "demox-api.example.com")
	s.gone("here I am")
	s.press("Enter")
	s.see("[Components]")
	s.press("C-c", "C-c")
	s.see("here I am", "shell>")
	s.write("stty -a >after; echo the \"end\"")
	s.press("Enter")
	s.seeRow("the end")
	// The window is another, so its size differs; nothing else may.
	size := regexp.MustCompile(`rows \d+; columns \d+;`)
	before := size.ReplaceAllString(read(t, dir, "before"), "")
	for _, then := range []string{"stopped", "after"} {
		if got := size.ReplaceAllString(read(t, dir, then), ""); got != before {
			t.Errorf("the terminal's mode, %s:\n%s\nwant\n%s", then, got, before)
		}
	}
	s.write("exit 0")
	s.press("Enter")
	s.ends(0)
}
