//go:build unix

package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// terminal is a bare pseudo terminal with a program on it. It answers nothing
// that a test does not answer.
type terminal struct {
	t         *testing.T
	cmd       *exec.Cmd
	master    *os.File
	slave     *os.File // kept open, so that its mode can be read afterwards
	before    *term.State
	dir, home string
	mu        sync.Mutex
	out       bytes.Buffer
	more      chan struct{} // there is more output
	done      chan struct{} // the output has ended
	exited    chan struct{}
	mark      int // what is before it was looked at
}

// attach starts certwright in dir on a pseudo terminal of 80 x 24.
func attach(t *testing.T, dir string, args ...string) *terminal {
	t.Helper()
	return attachAt(t, dir, t.TempDir(), args...)
}

func attachAt(t *testing.T, dir, home string, args ...string) *terminal {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Skipf("no pseudo terminal here: %v", err)
	}
	if err := pty.Setsize(master, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	master = closable(t, master)
	p := &terminal{
		t: t, master: master, slave: slave, dir: dir, home: home,
		more: make(chan struct{}, 1), done: make(chan struct{}), exited: make(chan struct{}),
	}
	if p.before, err = term.GetState(int(slave.Fd())); err != nil {
		t.Fatal(err)
	}
	p.cmd = command(dir, home, args...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.collect()
	go func() {
		_ = p.cmd.Wait() // its status is in ProcessState
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
		slave.Close()
		<-p.done
		master.Close()
	})
	return p
}

// closable is a file that can be closed while it is read from. The library has
// made it one that blocks, which keeps the terminal open until something comes.
func closable(t *testing.T, f *os.File) *os.File {
	t.Helper()
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), f.Name())
}

func (p *terminal) collect() {
	defer close(p.done)
	buf := make([]byte, 32<<10)
	for {
		n, err := p.master.Read(buf)
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

// text is all that the program has written.
func (p *terminal) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// style is what sets colours and the like, which may stand within a sentence.
var style = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// words are all that the program has written, without its styles.
func (p *terminal) words() string { return style.ReplaceAllString(p.text(), "") }

// see waits for a text behind the one that was seen last. The library writes
// only what changed, so a text must be new as a whole.
func (p *terminal) see(text string) {
	p.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		seen := p.words()
		if i := strings.Index(seen[p.mark:], text); i >= 0 {
			p.mark += i + len(text)
			return
		}
		select {
		case <-p.more:
		case <-p.done:
			p.t.Fatalf("the terminal was closed without %q:\n%s", text, seen[p.mark:])
		case <-limit.C:
			p.t.Fatalf("the program does not show %q:\n%s", text, seen[p.mark:])
		}
	}
}

func (p *terminal) send(keys string) {
	p.t.Helper()
	sent := make(chan error, 1)
	go func() {
		_, err := p.master.WriteString(keys)
		sent <- err
	}()
	select {
	case err := <-sent:
		if err != nil {
			p.t.Fatal(err)
		}
	case <-time.After(patience):
		p.t.Fatalf("the program does not read the %d bytes that were typed", len(keys))
	}
}

// through presses Enter from step to step.
func (p *terminal) through(steps ...string) {
	p.t.Helper()
	for _, step := range steps {
		p.send("\r")
		p.see("[" + step + "]")
	}
}

func (p *terminal) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// ended waits for the program's end and gives its status, 128+n for a signal.
func (p *terminal) ended() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("the program does not end:\n%q", p.words()[p.mark:])
	}
	if w, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// restored fails unless the terminal is as it was before the program.
func (p *terminal) restored() {
	p.t.Helper()
	after, err := term.GetState(int(p.slave.Fd()))
	if err != nil {
		p.t.Fatal(err)
	}
	if !reflect.DeepEqual(p.before, after) {
		p.t.Errorf("the terminal's mode was %v and is %v", p.before, after)
	}
	p.slave.Close() // now the output ends where the program's does
	<-p.done
	out := p.text()
	for _, mode := range []struct{ what, on, off string }{
		{"the alternate screen", "\x1b[?1049h", "\x1b[?1049l"},
		{"bracketed paste", "\x1b[?2004h", "\x1b[?2004l"},
	} {
		on, off := strings.LastIndex(out, mode.on), strings.LastIndex(out, mode.off)
		if on < 0 || off < on {
			p.t.Errorf("%s stays on (last on at %d, off at %d)", mode.what, on, off)
		}
	}
	if in, left := strings.Count(out, "\x1b[?1049h"), strings.Count(out, "\x1b[?1049l"); in != left {
		p.t.Errorf("the alternate screen was entered %d times and left %d times", in, left)
	}
	if hidden, shown := strings.LastIndex(out, "\x1b[?25l"), strings.LastIndex(out, "\x1b[?25h"); hidden > shown {
		p.t.Error("the cursor stays hidden")
	}
}

// afterwards is what the program wrote on the normal screen at its end.
func (p *terminal) afterwards() string {
	out := p.text()
	return out[strings.LastIndex(out, "\x1b[?1049l")+1:]
}

var errNotYet = errors.New("not yet")

// watch polls without rest until look finds what it looks for, and says whether
// it did before the program ended. What look finds must stay, or be followed by
// something that does: a moment can be missed.
func (p *terminal) watch(look func() error) bool {
	p.t.Helper()
	for limit := time.Now().Add(patience); ; {
		if time.Now().After(limit) {
			p.t.Fatalf("nothing is to be seen on the disk:\n%s", p.words()[p.mark:])
		}
		if look() == nil {
			return true
		}
		select {
		case <-p.exited:
			return false
		default:
		}
	}
}
