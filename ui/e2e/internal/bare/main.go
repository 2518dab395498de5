// Command bare is the least program that the wizard's libraries make: ten rows
// and a cursor. The benchmarks of package e2e hold the wizard against it, on the
// same machine in the same run.
package main

import (
	"fmt"
	"os"
	"strings"

	tea "github.com/charmbracelet/bubbletea"
)

type model int

func (m model) Init() tea.Cmd { return nil }

func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if k, ok := msg.(tea.KeyMsg); ok {
		switch k.String() {
		case "ctrl+c":
			return m, tea.Quit
		case "down":
			m = (m + 1) % 10
		case "up":
			m = (m + 9) % 10
		}
	}
	return m, nil
}

func (m model) View() string {
	var b strings.Builder
	for i := range 10 {
		sign := ' '
		if model(i) == m {
			sign = '>'
		}
		fmt.Fprintf(&b, "%c row %d\n", sign, i)
	}
	return b.String()
}

func main() {
	if _, err := tea.NewProgram(model(0), tea.WithAltScreen(), tea.WithFPS(120)).Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
