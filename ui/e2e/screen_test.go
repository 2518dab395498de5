//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// patience ends a test that failed; one that passes never waits so long.
const patience = 60 * time.Second

var servers atomic.Int32

// screen is a terminal with certwright in it, as a person sees it.
type screen struct {
	t         *testing.T
	server    string
	dir, home string
	status    string // the file that the exit status is written to
	forbidden []string
	styled    bool // frames keep their colours
}

// open starts certwright in a window of w x h in dir.
func open(t *testing.T, w, h int, dir string, args ...string) *screen {
	t.Helper()
	return openWith(t, w, h, dir, nil, append([]string{program}, args...)...)
}

// openWith starts a command with more in its environment.
func openWith(t *testing.T, w, h int, dir string, env []string, command ...string) *screen {
	t.Helper()
	need(t, "tmux")
	s := &screen{
		t: t, dir: dir, home: t.TempDir(),
		// Not in TMPDIR, whose path may be too long for a socket.
		server: fmt.Sprintf("certwright-e2e-%d-%d", os.Getpid(), servers.Add(1)),
	}
	start := []string{
		"start-server", ";", "set-option", "-g", "remain-on-exit", "on", ";", "set-option", "-g", "default-terminal", "tmux-256color", ";",
		"set-option", "-s", "escape-time", "0", ";", "set-option", "-g", "status", "off", ";",
		"new-session", "-d", "-s", "s", "-x", strconv.Itoa(w), "-y", strconv.Itoa(h), "-c", dir, "--",
	}
	s.status = filepath.Join(t.TempDir(), "status")
	cmd := s.command(slices.Concat(start, s.noting(command))...)
	cmd.Env = environment(s.home, env...)
	cmd.Dir = dir
	t.Cleanup(func() { _ = s.command("kill-server").Run() }) // it may have ended by itself
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v: %s", err, out)
	}
	return s
}

// noting writes the exit status of a command to a file. tmux knows it too, but
// version 3.3a sometimes misses the end of a program.
func (s *screen) noting(command []string) []string {
	return append([]string{"sh", "-c", `"$@"; echo $? >"$0.new"; mv "$0.new" "$0"`, s.status}, command...)
}

func (s *screen) command(args ...string) *exec.Cmd {
	return exec.Command("tmux", append([]string{"-u", "-L", s.server, "-f", "/dev/null"}, args...)...)
}

func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	out, err := s.command(args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %s: %v: %s", args[0], err, out)
	}
	return string(out)
}

// frame is what is on the screen now.
func (s *screen) frame() string {
	s.t.Helper()
	args := []string{"capture-pane", "-p", "-t", "s"}
	if s.styled {
		args = append(args, "-e")
	}
	f := s.tmux(args...)
	for _, text := range s.forbidden {
		if strings.Contains(f, text) {
			s.t.Fatalf("the screen shows %q:\n%s", text, f)
		}
	}
	return f
}

// until waits for a frame that a person would call right.
func (s *screen) until(what string, right func(frame string) bool) string {
	s.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	look := time.NewTicker(40 * time.Millisecond)
	defer look.Stop()
	for {
		f := s.frame()
		if right(f) {
			return f
		}
		select {
		case <-look.C:
		case <-limit.C:
			s.t.Fatalf("the screen does not come to show %s:\n%s", what, f)
		}
	}
}

// see waits until all of the texts are on the screen at once.
func (s *screen) see(texts ...string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%q", texts), func(f string) bool {
		for _, text := range texts {
			if !strings.Contains(f, text) {
				return false
			}
		}
		return true
	})
}

// gone waits until a text is no longer on the screen.
func (s *screen) gone(text string) {
	s.t.Helper()
	s.until("no "+strconv.Quote(text), func(f string) bool { return !strings.Contains(f, text) })
}

// seeRow waits for one row that has all of the texts.
func (s *screen) seeRow(texts ...string) {
	s.t.Helper()
	s.until(fmt.Sprintf("a row with %q", texts), func(f string) bool {
		for row := range strings.Lines(f) {
			left := len(texts)
			for _, text := range texts {
				if strings.Contains(row, text) {
					left--
				}
			}
			if left == 0 {
				return true
			}
		}
		return false
	})
}

// never forbids a text on every frame that is looked at from now on.
func (s *screen) never(text string) {
	s.t.Helper()
	s.forbidden = append(s.forbidden, text)
	s.frame()
}

// press presses keys by tmux' names: Enter, Down, C-c, b.
func (s *screen) press(keys ...string) {
	s.t.Helper()
	for _, key := range keys {
		s.tmux("send-keys", "-t", "s", key)
	}
}

// write types a text.
func (s *screen) write(text string) {
	s.t.Helper()
	s.tmux("send-keys", "-t", "s", "-l", "--", text)
}

// paste pastes a file as a terminal does, bracketed.
func (s *screen) paste(file string) {
	s.t.Helper()
	s.tmux("load-buffer", "-b", "clip", filepath.Join(s.dir, file), ";", "paste-buffer", "-p", "-b", "clip", "-t", "s")
}

// resize makes the window w x h.
func (s *screen) resize(w, h int) {
	s.t.Helper()
	s.tmux("resize-window", "-t", "s", "-x", strconv.Itoa(w), "-y", strconv.Itoa(h))
}

// through presses Enter from step to step, each once the one before is there.
func (s *screen) through(steps ...string) {
	s.t.Helper()
	for _, step := range steps {
		s.press("Enter")
		s.see("[" + step + "]")
	}
}

// ends waits for the program's end and wants this status of it.
func (s *screen) ends(status int) {
	s.t.Helper()
	s.until("the end of the program", func(string) bool {
		_, err := os.Stat(s.status)
		return err == nil
	})
	if got := strings.TrimSpace(read(s.t, s.status)); got != strconv.Itoa(status) {
		s.t.Fatalf("it ended with status %s, want %d:\n%s", got, status, s.frame())
	}
	if err := os.Remove(s.status); err != nil {
		s.t.Fatal(err)
	}
}

// told waits until all of the texts stand on the normal screen, wherever its
// lines are broken.
func (s *screen) told(texts ...string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%q", texts), func(string) bool {
		all := s.lines()
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(all, text) })
	})
}

// lines are those of the normal screen as they were printed, what scrolled away
// included.
func (s *screen) lines() string {
	return s.tmux("capture-pane", "-p", "-J", "-t", "s", "-S", "-")
}

// printed wants texts on the normal screen, what scrolled away included.
func (s *screen) printed(texts ...string) {
	s.t.Helper()
	f := s.lines()
	for _, text := range texts {
		if !strings.Contains(f, text) {
			s.t.Errorf("%q was not printed:\n%s", text, f)
		}
	}
}

// again starts certwright anew in the window whose program has ended.
func (s *screen) again(args ...string) {
	s.t.Helper()
	s.tmux(slices.Concat([]string{"respawn-pane", "-k", "-t", "s", "--"}, s.noting(append([]string{program}, args...)))...)
}
