package theme

import "github.com/charmbracelet/lipgloss"

// palette is the colours of the roles on one kind of background.
type palette struct {
	fore [roles]lipgloss.TerminalColor
	// back and text are the chosen row; without back it is shown in reverse.
	back, text lipgloss.TerminalColor
}

// shade is a colour of the 256: its number, and its value for terminals that
// take any. The numbers are those of the colour cube and of the grey ramp, whose
// values are the same everywhere; the first sixteen are the person's own.
func shade(number, hex string) lipgloss.TerminalColor {
	return lipgloss.CompleteColor{TrueColor: hex, ANSI256: number, ANSI: number}
}

// own is one of the terminal's sixteen colours.
func own(number string) lipgloss.TerminalColor { return lipgloss.Color(number) }

var (
	// darkPalette and lightPalette keep a contrast of 4.5:1 (WCAG 2.1 §1.4.3) to
	// the backgrounds that people use and to the chosen row; a test measures it.
	darkPalette = palette{
		fore: [roles]lipgloss.TerminalColor{
			Title: shade("117", "#87d7ff"), Faint: shade("248", "#a8a8a8"),
			Good: shade("114", "#87d787"), Warn: shade("221", "#ffd75f"), Bad: shade("210", "#ff8787"), Busy: shade("147", "#afafff"),
			Generate: shade("114", "#87d787"), BringCA: shade("221", "#ffd75f"), Bring: shade("80", "#5fd7d7"),
			Cursor: shade("117", "#87d7ff"), Border: shade("246", "#949494"), Key: shade("117", "#87d7ff"),
		},
		back: shade("17", "#152c48"), text: shade("231", "#ffffff"),
	}
	lightPalette = palette{
		fore: [roles]lipgloss.TerminalColor{
			Title: shade("24", "#005f87"), Faint: shade("59", "#5f5f5f"),
			Good: shade("22", "#005f00"), Warn: shade("94", "#875f00"), Bad: shade("124", "#af0000"), Busy: shade("61", "#5f5faf"),
			Generate: shade("22", "#005f00"), BringCA: shade("94", "#875f00"), Bring: shade("24", "#005f87"),
			Cursor: shade("24", "#005f87"), Border: shade("241", "#626262"), Key: shade("24", "#005f87"),
		},
		back: shade("195", "#e0eefa"), text: shade("16", "#000000"),
	}
	// sixteenPalette leaves legibility to the person's own colours: green 2,
	// yellow 3 and cyan 6 are the modes, red 1 is a problem.
	sixteenPalette = palette{fore: [roles]lipgloss.TerminalColor{
		Good: own("2"), Warn: own("3"), Bad: own("1"), Generate: own("2"), BringCA: own("3"), Bring: own("6"), Key: own("6"), Title: own("6"), Cursor: own("6"),
	}}
	plainPalette = palette{}
)

func paletteFor(o Options) palette {
	switch {
	case o.NoColor, o.Profile == None:
		return plainPalette
	case o.Name == Sixteen, o.Profile == ANSI:
		return sixteenPalette
	case o.Name == Light, o.Name != Dark && !o.Dark:
		return lightPalette
	}
	return darkPalette
}

// emphasised are the roles that stay apart without colour.
func emphasised(r Role) bool {
	switch r {
	case Title, Bold, Bad, Cursor, Key:
		return true
	}
	return false
}

func (p palette) style(r *lipgloss.Renderer, role Role) lipgloss.Style {
	s := r.NewStyle().Bold(emphasised(role))
	if c := p.fore[role]; c != nil {
		return s.Foreground(c)
	}
	// Without a colour of its own, what matters less is dimmed by the terminal.
	return s.Faint(role == Faint)
}

// chosen is the style of a role on the chosen row.
func (p palette) chosen(r *lipgloss.Renderer, role Role) lipgloss.Style {
	if p.back == nil {
		// In reverse the roles' colours would make a row of patches.
		return r.NewStyle().Reverse(true).Bold(emphasised(role))
	}
	s := r.NewStyle().Bold(emphasised(role)).Background(p.back).Foreground(p.text)
	if c := p.fore[role]; c != nil {
		s = s.Foreground(c)
	}
	return s
}

// RoleOf is the role that carries a mode's colour, by its letter: G, C or B.
func RoleOf(letter string) Role {
	switch letter {
	case "G":
		return Generate
	case "C":
		return BringCA
	case "B":
		return Bring
	}
	return Plain
}
