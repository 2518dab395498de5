//go:build unix

package wizard

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// terminal is the wizard in a process of its own on a pseudo terminal.
type terminal struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File
	mu   sync.Mutex
	out  bytes.Buffer
	done chan struct{} // the output ended
	more chan struct{} // there is more output
}

func startTerminal(t *testing.T, mode string) *terminal {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), child+"="+mode, "TERM=xterm-256color")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Skipf("no pseudo terminal here: %v", err)
	}
	p := &terminal{t: t, cmd: cmd, tty: tty, done: make(chan struct{}), more: make(chan struct{}, 1)}
	go p.collect()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		tty.Close()
		<-p.done
	})
	return p
}

func (p *terminal) collect() {
	defer close(p.done)
	buf := make([]byte, 32<<10)
	for {
		n, err := p.tty.Read(buf)
		p.mu.Lock()
		p.out.Write(buf[:n])
		p.mu.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (p *terminal) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// until waits for a text behind what was there at mark.
func (p *terminal) until(text string, mark int) int {
	p.t.Helper()
	limit := time.NewTimer(20 * time.Second) // generous: it only ends a test that failed
	defer limit.Stop()
	for {
		if i := strings.Index(p.text()[mark:], text); i >= 0 {
			return mark + i + len(text)
		}
		select {
		case <-p.more:
		case <-p.done:
			if i := strings.Index(p.text()[mark:], text); i >= 0 {
				return mark + i + len(text)
			}
			p.t.Fatalf("the program ended without %q:\n%q", text, p.text()[mark:])
		case <-limit.C:
			p.t.Fatalf("the program does not show %q:\n%q", text, p.text()[mark:])
		}
	}
}

func (p *terminal) send(keys string) {
	p.t.Helper()
	if _, err := p.tty.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for the program's end and returns its status.
func (p *terminal) end() int {
	p.t.Helper()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	<-p.done
	if in, out := strings.Count(p.text(), "\x1b[?1049h"), strings.Count(p.text(), "\x1b[?1049l"); in != 1 || out < 1 {
		p.t.Errorf("the alternate screen was opened %d times and closed %d times", in, out)
	}
	if hidden, shown := strings.LastIndex(p.text(), "\x1b[?25l"), strings.LastIndex(p.text(), "\x1b[?25h"); hidden > shown {
		p.t.Error("the cursor stays hidden")
	}
	return p.cmd.ProcessState.ExitCode()
}

// runChild runs the wizard as the parent test wants it.
func runChild(mode string) int {
	before, _ := unix.IoctlGetTermios(0, termiosRequest)
	o := childOptions(mode)
	result, err := Run(context.Background(), o)
	after, _ := unix.IoctlGetTermios(0, termiosRequest)
	if before != nil && after != nil && before.Lflag != after.Lflag {
		os.Stdout.WriteString("TERMINAL NOT RESTORED\n")
	}
	os.Stdout.WriteString(result.Text)
	if err != nil {
		os.Stdout.WriteString("error: " + err.Error() + "\n")
		return 70
	}
	return result.Code()
}

func TestOnATerminalEnterWritesTheSetAndPrintsWhatIsNext(t *testing.T) {
	p := startTerminal(t, "plain")
	at := p.until("Profile", 0)
	for _, next := range []string{"[Facts]", "[Components]", "[Topology]", "[Review]", "[Done]"} {
		p.send("\r")
		at = p.until(next, at)
	}
	p.send("\r")
	if code := p.end(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	_, after, _ := strings.Cut(p.text(), "\x1b[?1049l")
	if !strings.Contains(after, "certwright apply -f generated/certwright.yaml") {
		t.Errorf("the normal screen says %q", after)
	}
	if strings.Contains(p.text(), "\x1b]11") {
		t.Error("the terminal was asked for its background")
	}
	if strings.Contains(p.text(), "NOT RESTORED") {
		t.Error("the terminal's mode was not restored")
	}
}

func TestOnATerminalSignalsSaveAndRestore(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGTERM, 143}, {syscall.SIGHUP, 129}, {syscall.SIGINT, 130}} {
		p := startTerminal(t, "plain")
		at := p.until("Profile", 0)
		p.send("\r")
		p.until("[Facts]", at)
		if err := p.cmd.Process.Signal(c.signal); err != nil {
			t.Fatal(err)
		}
		if code := p.end(); code != c.code {
			t.Errorf("%v: exit status %d, want %d", c.signal, code, c.code)
		}
		if !strings.Contains(p.text(), "Your answers are saved in certwright.yaml") || strings.Contains(p.text(), "NOT RESTORED") {
			t.Errorf("%v: the end is %q", c.signal, p.text()[max(0, len(p.text())-300):])
		}
	}
}

func TestOnATerminalAPastedKeyIsNeverEchoed(t *testing.T) {
	for name, send := range map[string]string{
		"bracketed":   pasteBegin + strings.ReplaceAll(pastedKey, "\n", "\r") + pasteEnd,
		"unbracketed": strings.ReplaceAll(pastedKey, "\n", "\r"),
	} {
		p := startTerminal(t, "plain")
		at := p.until("Profile", 0)
		p.send("\r")
		at = p.until("[Facts]", at)
		p.send(send)
		p.until("private key", at)
		p.send("\x03\x03")
		if code := p.end(); code != 130 {
			t.Errorf("%s: exit status %d", name, code)
		}
		if strings.Contains(p.text(), "SECRET") {
			t.Errorf("%s: the key was echoed", name)
		}
	}
}

func TestOnATerminalALargePasteIsRefusedAndTheScreenLives(t *testing.T) {
	p := startTerminal(t, "plain")
	at := p.until("Profile", 0)
	p.send("\r")
	at = p.until("[Facts]", at)
	p.send(pasteBegin + strings.Repeat("0123456789abcde\r", 2<<16) + pasteEnd) // 2 MiB
	at = p.until("larger than 1 MiB", at)
	p.send("x")
	p.until("demox", at)
	p.send("\x03\x03")
	p.end()
}

func TestOnATerminalTheWriteOutlivesTheScreen(t *testing.T) {
	p := startTerminal(t, "slow write")
	at := p.until("Profile", 0)
	for _, next := range []string{"[Facts]", "[Components]", "[Topology]", "[Review]", "Writing"} {
		p.send("\r")
		at = p.until(next, at)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.end(); code != 0 {
		t.Errorf("exit status %d: the set was written, so it is done", code)
	}
	if !strings.Contains(p.text(), "27 files written") {
		t.Errorf("the end is %q", p.text()[max(0, len(p.text())-300):])
	}
}

func TestOnATerminalAPanicRestoresTheScreen(t *testing.T) {
	p := startTerminal(t, "panic")
	at := p.until("Profile", 0)
	p.send("\r")
	p.until("[Facts]", at)
	p.send("x")
	if code := p.end(); code != 70 {
		t.Errorf("exit status %d", code)
	}
	if out := p.text(); strings.Contains(out, "SECRET") || !strings.Contains(out, "your answers are saved in certwright.yaml") || strings.Contains(out, "NOT RESTORED") {
		t.Errorf("the end is %q", out[max(0, len(out)-400):])
	}
}
