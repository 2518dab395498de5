package wizard

import "certwright/ui/theme"

// about writes rows of labels and text.
type about struct {
	*theme.Theme
	w, label int // of all, and of the column of labels
	rows     []string
}

func (a *about) row(label, text string) { a.roled(label, text, theme.Plain) }

func (a *about) roled(label, text string, r theme.Role) {
	for i, l := range wrap(text, a.w-a.label) {
		a.rows = append(a.rows, a.Line().Col(theme.Faint, first(i, label), a.label).Add(r, l).String())
	}
}
