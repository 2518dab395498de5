// Package theme turns roles (a problem, a mode, the chosen row) into styles and
// signs. Drawing code names roles, never colours. Start with New.
//
// It asks the terminal nothing: the caller says which colours it has.
package theme

import (
	"io"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// Role is what a piece of text is, and so how it looks.
type Role int

// The roles.
const (
	Plain    Role = iota
	Title         // the name of a pane, the step in the rail
	Faint         // what matters less
	Bold          // what matters more
	Good          // ✓
	Warn          // !
	Bad           // ✗
	Busy          // …
	Generate      // mode G
	BringCA       // mode C
	Bring         // mode B
	Cursor        // the sign before the chosen row, the edge of the pane with the keys
	Border        // lines and boxes
	Key           // a key in the key line
	Chosen        // the name of the row that the cursor is on
)

const roles = int(Chosen) + 1

// Profile is how many colours the terminal has.
type Profile string

// The profiles.
const (
	None      Profile = "none" // no sequence at all, not even bold: TERM=dumb
	ANSI      Profile = "ansi"
	ANSI256   Profile = "ansi256"
	TrueColor Profile = "truecolor"
)

// Name is a theme that a person can ask for.
type Name string

// The themes.
const (
	Auto  Name = "auto" // dark or light, as Options.Dark says
	Dark  Name = "dark"
	Light Name = "light"
	// Sixteen uses the terminal's own sixteen colours and nothing else.
	Sixteen Name = "ansi"
)

// Names lists the themes in the order in which help names them.
func Names() []Name { return []Name{Auto, Dark, Light, Sixteen} }

// Options say what the terminal can do and what the person wants.
type Options struct {
	Profile Profile // empty: ANSI256
	Dark    bool    // the terminal's background is dark; asked only for Auto
	NoColor bool    // NO_COLOR: no colour, but bold and reverse stay
	ASCII   bool    // no character beyond ASCII
	Name    Name    // empty: Auto
}

// Theme is the styles and signs of one terminal. Make one with New; it does
// not change afterwards.
type Theme struct {
	ascii  bool
	styles [roles]style
	caret  style // of the character under the text cursor
}

// style is what stands before and after a piece of text. lipgloss decides on
// it once, so that drawing a frame is joining strings.
type style struct{ before, after string }

func (s style) render(text string) string {
	if text == "" {
		return ""
	}
	return s.before + text + s.after
}

// New makes the theme of one terminal.
func New(o Options) *Theme {
	r := lipgloss.NewRenderer(io.Discard)
	p := paletteFor(o)
	// A renderer without colours drops bold and reverse too, so NO_COLOR is a
	// palette without colours and not a profile without them.
	r.SetColorProfile(profileFor(o))
	r.SetHasDarkBackground(o.Dark)
	t := &Theme{ascii: o.ASCII}
	t.caret = cut(r.NewStyle().Reverse(true))
	for role := range roles {
		t.styles[role] = cut(p.style(r, Role(role)))
	}
	return t
}

func profileFor(o Options) termenv.Profile {
	switch {
	case o.Profile == None:
		return termenv.Ascii
	case o.NoColor, o.Name == Sixteen, o.Profile == ANSI:
		return termenv.ANSI
	}
	// True colours would be the very same, and twice as many bytes.
	return termenv.ANSI256
}

// cut takes a style apart into what stands before and after the text.
func cut(s lipgloss.Style) style {
	const mark = "x"
	before, after, _ := strings.Cut(s.Render(mark), mark)
	return style{before, after}
}

// Render writes text as its role looks. The text is one line and holds no
// sequence of its own: an inner one would end this style halfway. For a row of
// several roles use Line.
func (t *Theme) Render(r Role, text string) string { return t.styles[t.known(r)].render(text) }

func (t *Theme) known(r Role) Role {
	if r < 0 || int(r) >= roles {
		return Plain
	}
	return r
}

// ASCII says that nothing beyond ASCII may be drawn.
func (t *Theme) ASCII() bool { return t.ascii }
