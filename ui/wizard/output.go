package wizard

import (
	"os"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"
)

// output is the terminal, to which it writes of a frame only the cells that are
// others than before. The library writes every row whole in which one cell
// changed: moving a cursor past a pane of details is kilobytes, and over ssh
// those are what is waited for.
//
// It reads nothing but what the library's renderer writes on the alternate
// screen: the cursor home, and rows with \r\n between them, empty where nothing
// changed. Whatever else is written goes through as it is, and the next frame
// is written whole.
type output struct {
	*os.File
	mu    sync.Mutex
	rows  []outRow // as the terminal shows them; nil when that is not known
	stale bool
	width int // of the terminal, 0 when it is not known
}

const frameStart = "\x1b[H"

// Invalidate has the next frame written whole: the window changed, or somebody
// else wrote on it. It has that many columns now.
func (o *output) Invalidate(width int) {
	o.mu.Lock()
	o.stale, o.width = true, width
	o.mu.Unlock()
}

// WriteString passes a sequence through. The library writes those that are no
// frame so.
func (o *output) WriteString(s string) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rows = nil
	return o.File.WriteString(s)
}

// Write takes a frame.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	less, known := o.less(string(p))
	if !known {
		o.rows = nil
		return o.File.Write(p)
	}
	if len(less) > 0 {
		if _, err := o.File.WriteString(less); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// First writes a frame of the wizard before the library does, which waits for
// its clock to strike: that is 8 ms of the 19 in which a person sees nothing yet.
// A write that fails is left to the library, whose next one fails as well.
func (o *output) First(view string) {
	lines := strings.Split(view, "\n")
	for i, l := range lines {
		if ansi.StringWidth(l) < o.width {
			lines[i] = l + "\x1b[K" // as the library does
		}
	}
	_, _ = o.Write([]byte(frameStart + strings.Join(lines, "\r\n") + "\x1b[1;H"))
}

// less is a frame without the cells that the terminal shows already; false when
// it is not a frame as the library writes them.
func (o *output) less(frame string) (string, bool) {
	body, isFrame := strings.CutPrefix(frame, frameStart)
	end := strings.LastIndex(body, "\x1b[")
	if !isFrame || end < 0 || !strings.HasSuffix(body, "H") {
		return "", false
	}
	body = body[:end] // behind it the cursor is moved to the last row; it is hidden, and may be anywhere
	parts := strings.Split(strings.TrimPrefix(body, "\r"), "\n")
	whole := o.stale || len(o.rows) != len(parts)
	rows := make([]outRow, len(parts))
	ways := outWays{{x: -1, width: o.width}}
	for i, part := range parts {
		part = strings.TrimSuffix(part, "\r")
		var old *outRow
		if i < len(o.rows) {
			old = &o.rows[i]
		}
		switch {
		case part != "":
			rows[i] = readRow(part)
		case old == nil:
			return "", false // a row that was left out, and nobody knows what it is
		default:
			rows[i] = *old
		}
		if whole {
			old = nil
		}
		ways = ways.row(i, old, rows[i])
	}
	o.rows, o.stale = rows, false
	return ways.end(), true
}
