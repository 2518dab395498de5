package wizard

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"certwright/ui/theme"
)

// grid is what a terminal shows: each cell with its style.
type grid struct {
	w, h, x, y int
	style      string
	cells      [][]string
}

func newGrid(w, h int) *grid {
	g := &grid{w: w, h: h, cells: make([][]string, h)}
	for y := range g.cells {
		g.cells[y] = make([]string, w)
	}
	return g
}

// write does what a terminal does with the sequences that frames have in them.
func (g *grid) write(t *testing.T, s string) {
	t.Helper()
	for s != "" {
		if seq, final, n := sequence(s); n > 0 {
			s = s[n:]
			switch final {
			case 'H':
				row, col := 1, 1
				r, c, _ := strings.Cut(strings.TrimSuffix(seq[2:], "H"), ";")
				fmt.Sscan(r, &row)
				fmt.Sscan(c, &col)
				g.y, g.x = row-1, col-1
			case 'K':
				for x := g.x; x < g.w; x++ {
					g.cells[g.y][x] = ""
				}
			case 'm':
				if g.style += seq; seq == "\x1b[0m" || seq == "\x1b[m" {
					g.style = ""
				}
			default:
				t.Fatalf("an unknown sequence %q", seq)
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		s = s[n:]
		switch w := ansi.StringWidth(string(r)); {
		case r == '\r':
			g.x = 0
		case r == '\n':
			g.y = min(g.y+1, g.h-1)
		case w == 0 && g.x > 0:
			g.cells[g.y][g.x-1] += string(r)
		case w > 0 && g.x+w <= g.w:
			text := g.style + string(r)
			if text == " " {
				text = ""
			}
			g.cells[g.y][g.x] = text
			for i := 1; i < w; i++ {
				g.cells[g.y][g.x+i] = "wide"
			}
			g.x += w
		}
	}
}

func (g *grid) String() string {
	var b strings.Builder
	for _, row := range g.cells {
		b.WriteString(strings.TrimRight(strings.Join(row, "|"), "|") + "\n")
	}
	return b.String()
}

// library is the renderer of bubbletea, as far as it makes frames.
type library struct {
	w    int
	last []string
}

func (l *library) frame(view string) string {
	lines := strings.Split(view, "\n")
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, line := range lines {
		if i < len(l.last) && l.last[i] == line {
			if i < len(lines)-1 {
				b.WriteString("\n")
			}
			continue
		}
		if i == 0 && l.last == nil {
			b.WriteString("\r")
		}
		line = ansi.Truncate(line, l.w, "")
		if ansi.StringWidth(line) < l.w {
			line += "\x1b[K"
		}
		b.WriteString(line)
		if i < len(lines)-1 {
			b.WriteString("\r\n")
		}
	}
	l.last = lines
	return b.String() + fmt.Sprintf("\x1b[%d;H", len(lines))
}

// same asserts that the terminal shows the same whether it is written by the
// library or by output, and gives the bytes of both.
func same(t *testing.T, o *output, plain, ours *grid, frame string) (all, less int) {
	t.Helper()
	plain.write(t, frame)
	short, known := o.less(frame)
	if !known {
		t.Fatalf("not known as a frame: %q", frame)
	}
	ours.write(t, short)
	if plain.String() != ours.String() {
		t.Fatalf("the terminal shows\n%s\nand not\n%s\nafter %q", ours, plain, short)
	}
	return len(frame), len(short)
}

func TestOutputShowsWhatTheLibraryShows(t *testing.T) {
	pieces := []string{"a", "b", " ", "  ", "│", "▸", "✓", "…", "é", "日本", "e\u0301", "👍", "\x1b[1mbold\x1b[0m", "\x1b[38;5;117mx\x1b[0m", "\x1b[7m \x1b[0m", "\x1b[1m\x1b[31mtwo\x1b[0m"}
	for seed := range 300 {
		rng := rand.New(rand.NewPCG(uint64(seed), 7))
		w, h := 8+rng.IntN(30), 2+rng.IntN(6)
		lib, o, plain, ours := &library{w: w}, &output{}, newGrid(w, h), newGrid(w, h)
		rows := make([]string, h)
		for range 30 {
			for i := range rows {
				if rng.IntN(3) > 0 {
					continue
				}
				rows[i] = ""
				for range rng.IntN(12) {
					rows[i] += pieces[rng.IntN(len(pieces))]
				}
				rows[i] = ansi.Truncate(rows[i], w, "")
			}
			if rng.IntN(8) == 0 { // a resize, or somebody wrote on the terminal
				o.Invalidate()
				ours.cells[rng.IntN(h)][0] = "garbage"
				lib.last = nil
				plain, ours.style, plain.style = newGrid(w, h), "", ""
			}
			same(t, o, plain, ours, lib.frame(strings.Join(rows, "\n")))
		}
	}
}

// What a walk through the wizard sends, with and without output.
func TestOutputSendsAFractionOfTheWizardsFrames(t *testing.T) {
	d := drive(t, setup{theme: theme.Options{Profile: theme.ANSI256, Dark: true}})
	lib, o, plain, ours := &library{w: 80}, &output{}, newGrid(80, 24), newGrid(80, 24)
	all, less := 0, 0
	for _, k := range strings.Fields("down up enter tab tab x backspace enter down down up c g enter down down down i i v v enter down down f esc k down esc enter") {
		d.press(k)
		a, b := same(t, o, plain, ours, lib.frame(d.root.View()))
		all, less = all+a, less+b
	}
	t.Logf("%d bytes instead of %d", less, all)
	if less > all*2/3 {
		t.Errorf("%d bytes, of %d that the library would send", less, all)
	}
}

func TestOutputPassesOtherSequencesThroughAndForgets(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o := &output{File: w}
	lib := &library{w: 10}
	first := lib.frame("one\ntwo")
	for _, s := range []string{first, lib.frame("one\nto"), "\x1b[?25l"} {
		if n, err := o.Write([]byte(s)); n != len(s) || err != nil {
			t.Errorf("%q: %d, %v", s, n, err)
		}
	}
	lib.last = nil
	if _, err := o.Write([]byte(lib.frame("one\nto"))); err != nil {
		t.Error(err)
	}
	if _, err := o.WriteString("\x1b[2J"); err != nil {
		t.Error(err)
	}
	lib.last = nil
	if _, err := o.Write([]byte(lib.frame("one\nto"))); err != nil {
		t.Error(err)
	}
	w.Close()
	buf := make([]byte, 4096)
	n, _ := r.Read(buf)
	got := string(buf[:n])
	if !strings.Contains(got, "\x1b[?25l") || strings.Count(got, "one") != 3 || strings.Count(got, "two") != 1 {
		t.Errorf("written: %q", got)
	}
}
