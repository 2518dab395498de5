//go:build unix

package quiet_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/charmbracelet/bubbletea" // whose init is what must stay quiet
	"github.com/creack/pty"

	"certwright/ui/quiet"
)

// TestMain is the program that is started on a terminal: it imports bubbletea,
// says what TERM is and ends.
func TestMain(m *testing.M) {
	if os.Getenv("CERTWRIGHT_QUIET_CHILD") == "" {
		os.Exit(m.Run())
	}
	quiet.Restore()
	term, known := os.LookupEnv("TERM")
	if !known {
		term = "unset"
	}
	_, _ = os.Stdout.WriteString("TERM is " + term + "\n")
}

// onTerminal runs this binary as the child on a terminal that answers nothing,
// and returns what it wrote.
func onTerminal(t *testing.T, env ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append([]string{"CERTWRIGHT_QUIET_CHILD=1", "PATH=" + os.Getenv("PATH")}, env...)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Skipf("no pseudo terminal here: %v", err)
	}
	defer tty.Close()
	var out bytes.Buffer
	if _, err := io.Copy(&out, tty); err != nil && !errors.Is(err, syscall.EIO) { // EIO: the child closed its side
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestImportingBubbleteaAsksTheTerminalNothing(t *testing.T) {
	start := time.Now()
	out := onTerminal(t, "TERM=xterm-256color", "COLORTERM=truecolor")
	if strings.Contains(out, "\x1b") {
		t.Errorf("the program sent an escape sequence before it did anything: %q", out)
	}
	if !strings.Contains(out, "TERM is xterm-256color") {
		t.Errorf("Restore did not give TERM back: %q", out)
	}
	t.Logf("started in %v on a terminal that answers nothing", time.Since(start).Round(time.Millisecond))
}

func TestRestoreLeavesTERMUnsetWhereItWas(t *testing.T) {
	if out := onTerminal(t); !strings.Contains(out, "TERM is unset") {
		t.Errorf("got %q, want TERM unset", out)
	}
}
