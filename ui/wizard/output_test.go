package wizard

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"certwright/assets/profiles"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
	"certwright/ui/theme"
)

// grid is what a terminal shows: each cell with its style.
type grid struct {
	w, h, x, y int
	full       bool // the last column was written, and the cursor stays in it
	returns    bool // a line feed begins a new line, as where the system adds a return
	style      map[string]string
	cells      [][]string
}

func newGrid(w, h int) *grid {
	g := &grid{w: w, h: h, style: map[string]string{}, cells: make([][]string, h)}
	for y := range g.cells {
		g.cells[y] = make([]string, w)
	}
	return g
}

// look is the style that is set, as far as it shows on a character.
func (g *grid) look(r rune) string {
	names := slices.Sorted(maps.Keys(g.style))
	if r == ' ' && g.style["4"]+g.style["7"]+g.style["9"] == "" {
		names = []string{"bg"}
	}
	out := ""
	for _, n := range names {
		if v := g.style[n]; v != "" {
			out += n + "=" + v + " "
		}
	}
	return out
}

func (g *grid) blank() string {
	if look := g.look(' '); look != "" {
		return look + " "
	}
	return ""
}

// sgr sets styles as ECMA-48 has them.
func (g *grid) sgr(t *testing.T, params string) {
	t.Helper()
	list := strings.Split(params, ";")
	for len(list) > 0 {
		n, _ := strconv.Atoi(list[0]) // nothing is 0
		used := 1
		switch {
		case n == 0:
			clear(g.style)
		case n == 22:
			delete(g.style, "1")
			delete(g.style, "2")
		case n > 22 && n < 30:
			delete(g.style, strconv.Itoa(n-20))
		case n < 10:
			g.style[strconv.Itoa(n)] = "on"
		case n == 38 || n == 48 || n == 58:
			if used = 3; list[1] == "2" {
				used = 5
			}
			g.style[map[int]string{38: "fg", 48: "bg", 58: "line"}[n]] = strings.Join(list[:used], ";")
		case n == 39:
			delete(g.style, "fg")
		case n == 49:
			delete(g.style, "bg")
		case n >= 30 && n < 38, n >= 90 && n < 98:
			g.style["fg"] = list[0]
		case n >= 40 && n < 48, n >= 100 && n < 108:
			g.style["bg"] = list[0]
		default:
			t.Fatalf("an unknown style %q", params)
		}
		list = list[used:]
	}
}

// write does what a terminal does with the sequences that frames have in them.
// Erased cells take the background that is set, as in xterm.
func (g *grid) write(t *testing.T, s string) {
	t.Helper()
	for s != "" {
		if seq, final, n := sequence(s); n > 0 {
			s = s[n:]
			params := seq[2 : len(seq)-1]
			count, _ := strconv.Atoi(params)
			count = max(1, count)
			switch final {
			case 'H':
				row, col := 1, 1
				r, c, _ := strings.Cut(params, ";")
				fmt.Sscan(r, &row)
				fmt.Sscan(c, &col)
				g.y, g.x, g.full = row-1, col-1, false
			case 'G':
				g.x, g.full = count-1, false
			case 'C':
				g.x, g.full = min(g.x+count, g.w-1), false
			case 'B':
				g.y, g.full = min(g.y+count, g.h-1), false
			case 'X':
				for x := g.x; x < min(g.x+count, g.w); x++ {
					g.cells[g.y][x] = g.blank()
				}
			case 'K':
				for x := g.x; x < g.w; x++ {
					g.cells[g.y][x] = g.blank()
				}
			case 'm':
				g.sgr(t, params)
			default:
				t.Fatalf("an unknown sequence %q", seq)
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		s = s[n:]
		switch w := ansi.StringWidth(string(r)); {
		case r == '\r':
			g.x, g.full = 0, false
		case r == '\n':
			if g.y++; g.y >= g.h {
				t.Fatal("the screen scrolls")
			}
			if g.full = false; g.returns {
				g.x = 0
			}
		case w == 0 && g.x > 0:
			x := g.x - 1
			if g.full {
				x = g.x
			}
			g.cells[g.y][x] += string(r)
		case w > 0 && g.full:
			t.Fatal("a line wraps")
		case w > 0 && g.x+w <= g.w:
			text := g.look(r) + string(r)
			if text == " " {
				text = ""
			}
			g.cells[g.y][g.x] = text
			for i := 1; i < w; i++ {
				g.cells[g.y][g.x+i] = "wide"
			}
			if g.x += w; g.x == g.w {
				g.x, g.full = g.w-1, true
			}
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
	if len(ours.style) > 0 {
		t.Fatalf("a style stays set after %q", short)
	}
	if plain.String() != ours.String() {
		t.Fatalf("the terminal shows\n%s\nand not\n%s\nafter %q", ours, plain, short)
	}
	return len(frame), len(short)
}

func TestOutputShowsWhatTheLibraryShows(t *testing.T) {
	pieces := []string{
		"a", "b", "word", " ", "  ", "             ", "│", "───", "▸", "✓", "…", "é", "日本", "e\u0301", "👍",
		"\x1b[1mbold\x1b[0m", "\x1b[38;5;117mx\x1b[0m", "\x1b[7m \x1b[0m", "\x1b[1m\x1b[31mtwo\x1b[0m", "\x1b[2mfaint \x1b[m",
		"\x1b[48;5;17m       \x1b[0m", "\x1b[1;38;5;231;48;5;17mchosen one\x1b[0m", "\x1b[4mlink  \x1b[24m", "\x1b[9;91mgone\x1b[29;39m",
		"\x1b[38;2;1;2;3mtrue\x1b[39m", "\x1b[102m \x1b[49m", "\x1b[58;5;1modd\x1b[0m",
	}
	for seed := range 600 {
		rng := rand.New(rand.NewPCG(uint64(seed), 7))
		w, h := 8+rng.IntN(50), 2+rng.IntN(6)
		lib, o, plain, ours := &library{w: w}, &output{width: w * rng.IntN(2)}, newGrid(w, h), newGrid(w, h)
		ours.returns = rng.IntN(2) == 0
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
				o.Invalidate(w)
				ours.cells[rng.IntN(h)][0] = "garbage"
				lib.last = nil
				plain = newGrid(w, h)
			}
			same(t, o, plain, ours, lib.frame(strings.Join(rows, "\n")))
		}
	}
}

// What a walk through the wizard sends, with and without output.
func TestOutputSendsAFractionOfTheWizardsFrames(t *testing.T) {
	d := drive(t, setup{theme: theme.Options{Profile: theme.ANSI256, Dark: true}})
	lib, o, plain, ours := &library{w: 80}, &output{width: 80}, newGrid(80, 24), newGrid(80, 24)
	all, less := 0, 0
	for _, k := range strings.Fields("down up enter tab tab x backspace enter down down up c g enter down down down i i v v enter down down f esc k down esc enter") {
		d.press(k)
		a, b := same(t, o, plain, ours, lib.frame(d.root.View()))
		all, less = all+a, less+b
	}
	t.Logf("%d bytes instead of %d", less, all)
	if less > all/2 {
		t.Errorf("%d bytes, of %d that the library would send", less, all)
	}
}

// Whatever is pressed, in a window of any size and in the colours of any theme:
// the terminal shows the frame.
func TestTheTerminalShowsEachFrameOfAnyWalk(t *testing.T) {
	themes := []theme.Options{
		{Profile: theme.ANSI256, Dark: true}, {Profile: theme.TrueColor, Name: theme.Light}, {Profile: theme.ANSI}, {Profile: theme.TrueColor, NoColor: true},
	}
	rapid.Check(t, func(rt *rapid.T) {
		w, h := rapid.IntRange(60, 130).Draw(rt, "width"), rapid.IntRange(16, 45).Draw(rt, "height")
		d := drive(t, setup{width: w, height: h, theme: rapid.SampledFrom(themes).Draw(rt, "theme")})
		d.press(slices.Repeat([]string{"enter"}, rapid.IntRange(0, 4).Draw(rt, "steps"))...)
		lib, o, plain, ours := &library{w: w}, &output{width: w}, newGrid(w, h), newGrid(w, h)
		for _, k := range rapid.SliceOfN(rapid.SampledFrom(mashed), 1, 25).Draw(rt, "keys") {
			if d.press(k); d.quit {
				return
			}
			same(t, o, plain, ours, lib.frame(d.root.View()))
		}
	})
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

// The first frame is written once: when the library has it, nothing is sent.
func TestTheFirstFrameIsThereBeforeTheLibraryWritesIt(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, view := range []string{"one\ntwo", "\x1b[1mwide 日本\x1b[0m  \nfull to end", drive(t, setup{width: 60, height: 20}).root.View()} {
		lines := strings.Split(view, "\n")
		width := 0
		for _, l := range lines {
			width = max(width, ansi.StringWidth(l))
		}
		o, lib, plain, ours := &output{File: w}, &library{w: width}, newGrid(width, len(lines)), newGrid(width, len(lines))
		o.Invalidate(width)
		o.First(view)
		buf := make([]byte, 1<<16)
		n, err := r.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		ours.write(t, string(buf[:n]))
		if _, less := same(t, o, plain, ours, lib.frame(view)); less > 0 {
			t.Errorf("%d bytes are sent again of %q", less, view)
		}
	}
}

// A frame that is the same again is told from the one before, and nothing of it
// is sent.
func TestAFrameThatIsTheSameAgainSendsNothing(t *testing.T) {
	lib, o, f := &library{w: 20}, &output{width: 20}, &frames{}
	if _, known := o.less(lib.frame(f.mark("one\ntwo"))); !known {
		t.Fatal("no frame")
	}
	before := "one\ntwo"
	for i := range 5 {
		frame := f.mark("one\ntwo")
		if frame == before {
			t.Errorf("frame %d is the one before", i)
		}
		before = frame
		if less, known := o.less(lib.frame(frame)); !known || less != "" {
			t.Errorf("frame %d sends %q, %v", i, less, known)
		}
	}
	if less, _ := o.less(lib.frame(f.mark("one\nthree"))); !strings.Contains(less, "three") {
		t.Errorf("another frame sends %q", less)
	}
}

// Over ssh what is sent is what is waited for: the next row of a list with its
// details is 300 bytes. More where the rows are of several kinds, so that their
// details have little in common: a set of one node, unfolded.
func TestTheNextRowIsFewBytes(t *testing.T) {
	for name, o := range map[string]theme.Options{
		"dark":      {Profile: theme.ANSI256, Dark: true},
		"truecolor": {Profile: theme.TrueColor, Dark: true},
		"light":     {Profile: theme.ANSI256, Name: theme.Light},
		"no colour": {Profile: theme.TrueColor, NoColor: true},
	} {
		list := drive(t, setup{theme: o, catalogue: six{}})
		fleet := driveNodes(t, setup{theme: o, plan: func(p *plan.Plan) { p.Facts["node.addresses"] = "10.0.0.10" }})
		fewBytes(t, name, list, 300)
		for _, step := range []flow.Step{flow.StepFacts, flow.StepModes, flow.StepTopology, flow.StepReview} {
			most := 300
			switch step {
			case flow.StepTopology:
				most = 600
			case flow.StepReview:
				most = 450
			}
			fewBytes(t, name, fleet.at(step), most)
			fleet.press("enter")
		}
		folded := driveNodes(t, setup{theme: o, plan: func(p *plan.Plan) {
			p.Nodes = []topology.Node{{Name: "cp-0", Role: topology.ControlPlane, Addresses: []string{"10.0.0.10"}}}
			for i := range 300 {
				p.Nodes = append(p.Nodes, topology.Node{Name: fmt.Sprint("node-", i), Role: topology.Worker, Addresses: []string{fmt.Sprintf("10.1.%d.%d", i>>8, i&255)}})
			}
		}}).press("enter", "enter").at(flow.StepTopology)
		fewBytes(t, name, folded, 310) // 292 of those of a set that is made
	}
}

// fewBytes goes through the rows of a screen, down and up again.
func fewBytes(t *testing.T, name string, d *driver, most int) {
	t.Helper()
	lib, out := &library{w: 80}, &output{width: 80}
	if _, known := out.less(lib.frame(d.root.View())); !known {
		t.Fatal("no frame")
	}
	var sizes []int
	for _, k := range strings.Fields("down down down down down up up up up up") {
		d.press(k)
		if less, _ := out.less(lib.frame(d.root.View())); less != "" {
			sizes = append(sizes, len(less))
		}
	}
	slices.Sort(sizes)
	if len(sizes) < 4 || sizes[len(sizes)/2] > most {
		t.Errorf("%s, %s: the median is to be %d bytes at most: %v", name, d.root.at, most, sizes)
	}
}

// six is the catalogue as it is.
type six struct{}

func (six) Names() []string                             { return profiles.Names() }
func (six) Load(name string) (*topology.Profile, error) { return profiles.Load(name) }
