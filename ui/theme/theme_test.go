package theme

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"certwright/certs/untrusted"
)

// The backgrounds that people use: xterm, VS Code, One Dark, Dracula and
// Solarized on the dark side; white, GitHub and Solarized on the light one.
var (
	darkBackgrounds  = []string{"#000000", "#1e1e1e", "#282c34", "#282a36", "#002b36"}
	lightBackgrounds = []string{"#ffffff", "#f6f8fa", "#fdf6e3"}
)

// luminance is the relative luminance of WCAG 2.1.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	channel := func(v uint64) float64 {
		c := float64(v&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(n>>16) + 0.7152*channel(n>>8) + 0.0722*channel(n)
}

func contrast(t *testing.T, a, b string) float64 {
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// hexOf is the colour of a number of the 256: the cube and the grey ramp.
func hexOf(t *testing.T, number string) string {
	t.Helper()
	n, err := strconv.Atoi(number)
	if err != nil || n < 16 || n > 255 {
		t.Fatalf("%q is none of the colours that are the same everywhere (16 to 255)", number)
	}
	if n >= 232 {
		v := 8 + 10*(n-232)
		return fmt.Sprintf("#%02x%02x%02x", v, v, v)
	}
	level := func(i int) int { return []int{0, 95, 135, 175, 215, 255}[i] }
	n -= 16
	return fmt.Sprintf("#%02x%02x%02x", level(n/36), level(n/6%6), level(n%6))
}

func TestEveryRoleKeepsItsContrast(t *testing.T) {
	const least = 4.5 // WCAG 2.1 §1.4.3, level AA
	for _, c := range []struct {
		name        string
		p           palette
		backgrounds []string
	}{
		{"dark", darkPalette, darkBackgrounds},
		{"light", lightPalette, lightBackgrounds},
	} {
		for role := range roles {
			fore, set := c.p.fore[role].(lipgloss.Color)
			if !set {
				continue // the terminal's own colour
			}
			for _, back := range c.backgrounds { // in reverse (Chosen) it is the same contrast
				if got := contrast(t, hexOf(t, string(fore)), back); got < least {
					t.Errorf("%s: role %d, %s on %s: contrast %.2f, want %.1f", c.name, role, fore, back, got, least)
				}
			}
		}
	}
}

func all() map[string]Options {
	return map[string]Options{
		"dark":       {Profile: TrueColor, Dark: true},
		"dark 256":   {Profile: ANSI256, Dark: true},
		"light":      {Profile: TrueColor, Name: Light},
		"ansi":       {Profile: TrueColor, Name: Sixteen},
		"16 colours": {Profile: ANSI},
		"no colour":  {Profile: TrueColor, NoColor: true},
		"none":       {Profile: None},
		"ascii":      {Profile: ANSI256, ASCII: true},
	}
}

// reversed is an "a" that is shown in reverse, in whatever colour.
var reversed = regexp.MustCompile("\x1b\\[[0-9;]*\\b7[0-9;]*ma")

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

// After each segment the style is off, and before the next one its own is set:
// so no style ends another, and none leaks behind the row.
func TestASegmentNeverEndsTheStyleOfAnother(t *testing.T) {
	for name, o := range all() {
		th := New(o)
		for _, here := range []bool{false, true} {
			row := th.Line().Add(Named(here, Plain), "a").Sign(GoodSign).Add(Bad, "b").Caret("c").Plain("d").Fit(12)
			if ansi.StringWidth(row) != 12 {
				t.Errorf("%s: the row has %d cells, want 12: %q", name, ansi.StringWidth(row), row)
			}
			on := false
			for _, part := range sgr.FindAllString(row, -1) {
				off := part == "\x1b[0m" || part == "\x1b[m"
				if !off && on {
					t.Errorf("%s: a style begins inside another: %q", name, row)
				}
				on = !off
			}
			if on {
				t.Errorf("%s: the last style stays on: %q", name, row)
			}
			if rest := sgr.ReplaceAllString(row, ""); strings.ContainsRune(rest, 0x1b) {
				t.Errorf("%s: a sequence that is no style: %q", name, row)
			}
			if here && o.Profile != None && !reversed.MatchString(row) {
				t.Errorf("%s: the name of the chosen row is not in reverse: %q", name, row)
			}
		}
	}
}

func TestNoColorKeepsBoldAndReverse(t *testing.T) {
	th := New(Options{Profile: TrueColor, NoColor: true})
	if got := th.Render(Bold, "x"); !strings.Contains(got, "\x1b[1m") {
		t.Errorf("bold is %q", got)
	}
	if got := th.Render(Chosen, "x"); got != "\x1b[1;7mx\x1b[0m" {
		t.Errorf("the name of the chosen row is %q, want bold and reverse", got)
	}
	for role := range roles {
		for _, part := range sgr.FindAllString(th.styles[role].before, -1) {
			for _, n := range strings.Split(strings.Trim(part, "\x1b[m"), ";") {
				if v, _ := strconv.Atoi(n); v >= 30 {
					t.Errorf("role %d has a colour without colours: %q", role, part)
				}
			}
		}
	}
}

func TestProfileNoneSendsNothing(t *testing.T) {
	th := New(Options{Profile: None, Dark: true})
	for role := range roles {
		if got := th.Render(Role(role), "x"); got != "x" {
			t.Errorf("role %d is %q", role, got)
		}
	}
	if got := th.Line().Caret(" ").String(); got != "_" {
		t.Errorf("the text cursor is %q, want an underscore, or nobody sees it", got)
	}
}

func TestAnsiUsesTheSixteenColoursAlone(t *testing.T) {
	th := New(Options{Profile: TrueColor, Name: Sixteen})
	for role, want := range map[Role]string{Generate: "\x1b[32m", BringCA: "\x1b[33m", Bring: "\x1b[36m"} {
		if got := th.styles[role].before; got != want {
			t.Errorf("role %d is %q, want %q", role, got, want)
		}
	}
	for role := range roles {
		if got := th.styles[role].before; strings.Contains(got, "38;") {
			t.Errorf("role %d leaves the sixteen colours: %q", role, got)
		}
	}
}

func TestSignsHaveASCIITwins(t *testing.T) {
	th, plain := New(Options{ASCII: true}), New(Options{})
	for s := GoodSign; s <= OffSign; s++ {
		if plain.Sign(s) == "" || th.Sign(s) == "" {
			t.Errorf("sign %d is empty", s)
		}
		for _, text := range []string{th.Sign(s), th.Mark(s), th.Text(plain.Sign(s))} {
			if strings.IndexFunc(text, beyondASCII) >= 0 {
				t.Errorf("sign %d is %q in ASCII", s, text)
			}
		}
		if s <= BusySign && ansi.StringWidth(th.Mark(s)) != th.MarkWidth() {
			t.Errorf("mark %d has %d cells", s, ansi.StringWidth(th.Mark(s)))
		}
	}
	l := th.Border()
	for _, text := range []string{l.Horizontal, l.Vertical, l.TopLeft, l.Branch, l.Last, l.Ellipsis, l.Separator, l.Full, l.Empty, l.Left, l.Right} {
		if text == "" || strings.IndexFunc(text, beyondASCII) >= 0 {
			t.Errorf("a line character is %q in ASCII", text)
		}
	}
}

func TestTextInASCIIKeepsItsWidth(t *testing.T) {
	th := New(Options{ASCII: true})
	for _, text := range []string{"╭─ Größe › ✓ … ─╮", "漢字 ok", "│ ● ○ ▸ → ×", "plain"} {
		got := th.Text(text)
		if strings.IndexFunc(got, beyondASCII) >= 0 {
			t.Errorf("Text(%q) = %q", text, got)
		}
		if ansi.StringWidth(got) != ansi.StringWidth(text) {
			t.Errorf("Text(%q) = %q: %d cells, want %d", text, got, ansi.StringWidth(got), ansi.StringWidth(text))
		}
	}
}

func TestFit(t *testing.T) {
	th := New(Options{Profile: None})
	for _, c := range []struct {
		name string
		line *Line
		w    int
		want string
	}{
		{"short is filled", th.Line().Plain("ab"), 4, "ab  "},
		{"exact stays", th.Line().Plain("ab").Plain("cd"), 4, "abcd"},
		{"long is cut", th.Line().Plain("abcdef"), 4, "abc…"},
		{"cut in the second segment", th.Line().Plain("ab").Plain("cdef"), 4, "abc…"},
		{"cut at a seam", th.Line().Plain("abcd").Plain("ef"), 4, "abc…"},
		{"spaces behind are no loss", th.Line().Plain("abcd").Plain("  "), 4, "abcd"},
		{"a wide character does not stand half", th.Line().Plain("a漢字"), 4, "a漢…"},
		{"none", th.Line().Plain("ab"), 0, ""},
	} {
		if got := c.line.Fit(c.w); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := th.CutMiddle("apiserver-kubelet-client", 13); got != "apiser…client" {
		t.Errorf("CutMiddle: %q", got)
	}
}

func FuzzLineFit(f *testing.F) {
	f.Add("plain", "漢字", 7)
	f.Add("e\u0301\u0301", "\U0001F468\u200d\U0001F469", 3)
	th := New(Options{Profile: ANSI256, Dark: true})
	f.Fuzz(func(t *testing.T, a, b string, w int) {
		if w < 0 || w > 300 {
			t.Skip()
		}
		a, b = untrusted.Text(a).String(), untrusted.Text(b).String() // drawing code passes escaped text alone
		if got := ansi.StringWidth(th.Line().Add(Chosen, a).Add(Bad, b).Fit(w)); got != w {
			t.Errorf("%q %q in %d cells fill %d", a, b, w, got)
		}
	})
}
