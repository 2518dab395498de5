package wizard

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"

	tea "github.com/charmbracelet/bubbletea"
)

// The marks of a bracketed paste, and the byte of ctrl+c.
const (
	pasteBegin = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
	etx        = 0x03
)

// pasteMsg is a paste as the terminal sent it.
type pasteMsg struct {
	text []byte
	over bool // it was larger than maxPaste: text is nil
}

// reader is the terminal's input. It takes bracketed pastes out and hands each
// over whole: the library reads a paste in quadratic time, so that 10 MiB keep it
// busy for a minute. It also takes out what a terminal answers late to a question
// about its colours, which would be typed into a field.
//
// It is used by the library's one reading goroutine. A paste is handed over from
// there, so that keys before and after it keep their order.
type reader struct {
	*os.File
	send func(tea.Msg)
	gone bool // the terminal went away, and that was said

	in    [64 << 10]byte
	ready []byte // filtered, not yet read
	paste bytes.Buffer
	open  bool // inside a paste
	over  bool
}

// Read gives keys. It reads no more from the terminal than fits into p while no
// paste is open, because the library waits for the terminal before each call and
// would leave behind what stays here.
func (r *reader) Read(p []byte) (int, error) {
	if len(r.ready) == 0 {
		limit := len(p)
		if r.open {
			limit = len(r.in)
		}
		n, err := r.File.Read(r.in[:min(limit, len(r.in))])
		if n == 0 || err != nil {
			return 0, r.hangUp(err)
		}
		got := r.in[:n]
		// A full buffer may end within a mark, whose rest is on its way.
		full := !r.open && n == limit
		for tail := 0; full && tail < len(pasteBegin) && n < len(r.in) && partial(got); tail++ {
			m, err := r.File.Read(r.in[n : n+1])
			if m == 0 || err != nil {
				break
			}
			n += m
			got = r.in[:n]
		}
		r.filter(got)
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// hangUp ends the program when its terminal is gone: it would live on without
// anybody to end it where the system sends no SIGHUP.
func (r *reader) hangUp(err error) error {
	if err == nil || errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
		return err
	}
	if !r.gone {
		r.gone = true
		r.send(signalMsg{syscall.SIGHUP})
	}
	return io.EOF
}

// partial says that bytes end within the mark that begins a paste.
func partial(b []byte) bool {
	for n := min(len(pasteBegin)-1, len(b)); n > 0; n-- {
		if bytes.HasSuffix(b, []byte(pasteBegin[:n])) {
			return true
		}
	}
	return false
}

// filter takes pastes and late answers out of what was read.
func (r *reader) filter(b []byte) {
	r.ready = r.ready[:0]
	for len(b) > 0 {
		if r.open {
			b = r.pasted(b)
			continue
		}
		i := bytes.IndexByte(b, 0x1b)
		if i < 0 {
			r.ready = append(r.ready, b...)
			return
		}
		r.ready, b = append(r.ready, b[:i]...), b[i:]
		switch n := answer(b); {
		case bytes.HasPrefix(b, []byte(pasteBegin)):
			b = b[len(pasteBegin):]
			r.open, r.over = true, false
			r.paste.Reset()
		case n > 0:
			b = b[n:]
		default:
			r.ready, b = append(r.ready, b[0]), b[1:]
		}
	}
}

// pasted takes the bytes of an open paste and returns what follows it.
func (r *reader) pasted(b []byte) []byte {
	// ctrl+c alone comes from a person whose terminal never ended the paste.
	if len(b) == 1 && b[0] == etx {
		r.open = false
		clear(r.paste.Bytes())
		r.paste.Reset()
		return b
	}
	old := r.paste.Len()
	r.paste.Write(b)
	all := r.paste.Bytes()
	from := max(0, old-len(pasteEnd)) // the mark may have begun in the read before
	i := bytes.Index(all[from:], []byte(pasteEnd))
	if i < 0 {
		if len(all) > maxPaste+len(pasteEnd) { // keep what may be the beginning of the mark
			r.over = true
			keep := bytes.Clone(all[len(all)-len(pasteEnd):])
			clear(all)
			r.paste.Reset()
			r.paste.Write(keep)
		}
		return nil
	}
	end := from + i
	rest := b[len(b)-(len(all)-end-len(pasteEnd)):]
	msg := pasteMsg{over: r.over || end > maxPaste}
	if !msg.over {
		msg.text = bytes.Clone(all[:end])
	}
	clear(all) // it may have been a key
	r.paste.Reset()
	r.open = false
	r.send(msg)
	return rest
}

// answer is the length of an OSC sequence at the beginning of b: what a terminal
// says of its colours. A person who presses alt+] sends no digit behind it.
func answer(b []byte) int {
	if len(b) < 3 || b[0] != 0x1b || b[1] != ']' || b[2] < '0' || b[2] > '9' {
		return 0
	}
	for i := 3; i < len(b); i++ {
		switch {
		case b[i] == 0x07:
			return i + 1
		case b[i] == 0x1b && i+1 < len(b) && b[i+1] == '\\':
			return i + 2
		}
	}
	return 0
}
