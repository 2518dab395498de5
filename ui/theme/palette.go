package theme

import "github.com/charmbracelet/lipgloss"

// palette is the colours of the roles on one kind of background.
type palette struct {
	fore [roles]lipgloss.TerminalColor
}

// shade is a colour of the 256. The numbers are those of the colour cube and of
// the grey ramp, whose values are the same everywhere; the first sixteen are the
// person's own.
func shade(number string) lipgloss.TerminalColor { return lipgloss.Color(number) }

// own is one of the terminal's sixteen colours.
func own(number string) lipgloss.TerminalColor { return lipgloss.Color(number) }

var (
	// darkPalette and lightPalette keep a contrast of 4.5:1 (WCAG 2.1 §1.4.3) to
	// the backgrounds that people use; a test measures it.
	darkPalette = palette{
		fore: [roles]lipgloss.TerminalColor{
			Title: shade("117"), Faint: shade("248"),
			Good: shade("114"), Warn: shade("221"), Bad: shade("210"), Busy: shade("147"),
			Generate: shade("114"), BringCA: shade("221"), Bring: shade("80"),
			Cursor: shade("117"), Border: shade("246"), Key: shade("117"),
		},
	}
	lightPalette = palette{
		fore: [roles]lipgloss.TerminalColor{
			Title: shade("24"), Faint: shade("59"),
			Good: shade("22"), Warn: shade("94"), Bad: shade("124"), Busy: shade("61"),
			Generate: shade("22"), BringCA: shade("94"), Bring: shade("24"),
			Cursor: shade("24"), Border: shade("241"), Key: shade("24"),
		},
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
	case Title, Bold, Bad, Cursor, Key, Chosen:
		return true
	}
	return false
}

func (p palette) style(r *lipgloss.Renderer, role Role) lipgloss.Style {
	s := r.NewStyle().Bold(emphasised(role))
	if role == Chosen {
		// In reverse, in the colour of the sign before it. Its name alone: with the
		// whole row in a background each move would send two rows of text anew.
		s, role = s.Reverse(true), Cursor
	}
	if c := p.fore[role]; c != nil {
		return s.Foreground(c)
	}
	// Without a colour of its own, what matters less is dimmed by the terminal.
	return s.Faint(role == Faint)
}

// Named is the role of a row's name: its own, or Chosen where the cursor is on it.
func Named(here bool, own Role) Role {
	if here {
		return Chosen
	}
	return own
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
