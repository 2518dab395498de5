package wizard

import (
	"bytes"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
)

// through sends chunks through a reader, one read each, and returns the keys and
// the pastes that come out.
func through(t testing.TB, chunks ...string) (keys string, pastes []pasteMsg) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	hangUps := 0
	r := &reader{File: out, send: func(m tea.Msg) {
		switch m := m.(type) {
		case pasteMsg:
			pastes = append(pastes, m)
		case signalMsg:
			if hangUps++; hangUps > 1 || m.signal != syscall.SIGHUP {
				t.Errorf("the end of the terminal is said as %v, %d times", m.signal, hangUps)
			}
		}
	}}
	var got bytes.Buffer
	buf := make([]byte, 256) // as the library reads
	read := func() bool {
		n, err := r.Read(buf)
		got.Write(buf[:n])
		return err != io.EOF
	}
	for _, c := range chunks {
		for part := range chunked(c, 4096) { // as a terminal hands over
			if _, err := io.WriteString(in, part); err != nil {
				t.Fatal(err)
			}
			for left := len(part); left > 0; { // a read may take less than there is, never wait for more
				if r.open {
					left -= len(r.in)
				} else {
					left -= len(buf)
				}
				read()
			}
		}
	}
	in.Close()
	for read() {
	}
	read()
	if hangUps != 1 {
		t.Errorf("the end of the terminal was said %d times, want once", hangUps)
	}
	return got.String(), pastes
}

func chunked(s string, n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > 0 {
			k := min(n, len(s))
			if !yield(s[:k]) {
				return
			}
			s = s[k:]
		}
	}
}

func TestReaderTakesPastesOut(t *testing.T) {
	long := strings.Repeat("x", maxPaste)
	for _, c := range []struct {
		name   string
		chunks []string
		keys   string
		pastes []string
	}{
		{"keys alone", []string{"ab", "\x1b[A", "\x1b"}, "ab\x1b[A\x1b", nil},
		{"a paste between keys", []string{"a" + pasteBegin + "text" + pasteEnd + "b"}, "ab", []string{"text"}},
		{"in several reads", []string{"a", pasteBegin + "te", "xt", pasteEnd, "b"}, "ab", []string{"text"}},
		{"the end mark in two reads", []string{pasteBegin + "text\x1b[20", "1~b"}, "b", []string{"text"}},
		{"two pastes", []string{pasteBegin + "one" + pasteEnd + pasteBegin + "two" + pasteEnd}, "", []string{"one", "two"}},
		{"an empty paste", []string{pasteBegin + pasteEnd}, "", []string{""}},
		{"a paste with sequences in it", []string{pasteBegin + "a\x1b[31mb\x1b]11;x\x07" + pasteEnd}, "", []string{"a\x1b[31mb\x1b]11;x\x07"}},
		{"the largest", []string{pasteBegin + long + pasteEnd, "k"}, "k", []string{long}},
		{"one byte more", []string{pasteBegin + long + "x" + pasteEnd, "k"}, "k", []string{"over"}},
		{"much more", []string{pasteBegin + long + long + long + pasteEnd, "k"}, "k", []string{"over"}},
		{"never ended, then ctrl+c", []string{pasteBegin + "text", "\x03", "k"}, "\x03k", nil},
		{"a late answer about colours", []string{"a\x1b]11;rgb:0000/0000/0000\x1b\\b", "\x1b]10;rgb:ffff/ffff/ffff\x07c"}, "abc", nil},
		{"alt+]", []string{"\x1b]", "1"}, "\x1b]1", nil},
		{"the begin mark across a full buffer", []string{strings.Repeat("k", 253) + pasteBegin + "text" + pasteEnd}, strings.Repeat("k", 253), []string{"text"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys, pastes := through(t, c.chunks...)
			if keys != c.keys {
				t.Errorf("keys %q, want %q", keys, c.keys)
			}
			if len(pastes) != len(c.pastes) {
				t.Fatalf("%d pastes, want %d", len(pastes), len(c.pastes))
			}
			for i, p := range pastes {
				if p.over != (c.pastes[i] == "over") || !p.over && string(p.text) != c.pastes[i] {
					t.Errorf("paste %d has %d bytes, over %v", i, len(p.text), p.over)
				}
			}
		})
	}
}

func BenchmarkReaderPaste1MiB(b *testing.B) {
	text := pasteBegin + strings.Repeat("A", maxPaste) + pasteEnd
	for b.Loop() {
		r := &reader{send: func(tea.Msg) {}}
		for part := range chunked(text, 4096) {
			r.filter([]byte(part))
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("a"+pasteBegin+"text"+pasteEnd+"b"), uint8(3))
	f.Add([]byte(pasteBegin+"\x1b[20"+pasteEnd), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		if bytes.ContainsRune(data, etx) {
			t.Skip() // ends a paste early
		}
		var whole, parts bytes.Buffer
		collect := func(out *bytes.Buffer) *reader {
			r := &reader{}
			r.send = func(m tea.Msg) { out.WriteString("<" + string(m.(pasteMsg).text) + ">") }
			return r
		}
		r := collect(&whole)
		r.filter(data)
		whole.Write(r.ready)
		total := whole.Len()
		r = collect(&parts)
		for len(data) > 0 {
			n := min(len(data), int(step)+1)
			if !r.open && bytes.IndexByte(data[:n], 0x1b) >= 0 {
				n = len(data) // Read completes a mark, and terminals send a sequence whole
			}
			r.filter(data[:n])
			parts.Write(r.ready)
			data = data[n:]
		}
		if total != parts.Len() {
			t.Errorf("read whole: %q; in pieces: %q", whole.Bytes(), parts.Bytes())
		}
	})
}
