package wizard

import (
	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/flow"
	"certwright/ui/theme"
)

// outline is the screen of a step that has none of its own: what the step is
// for and everything that stands against leaving it. Nobody is stranded on it.
type outline struct {
	*Env
	step flow.Step
}

var outlineNext = bind("enter", "next", "enter")

func (o *outline) Open() tea.Cmd { return nil }

func (o *outline) Update(msg tea.Msg) tea.Cmd {
	if k, ok := msg.(tea.KeyMsg); ok && key.Matches(k, outlineNext) {
		return o.Do(flow.Next{})
	}
	return nil
}

func (o *outline) View(w, h int) string {
	lines := []string{""}
	for _, l := range wrap(stepHelp(o.step), w-2) {
		lines = append(lines, o.Theme.Line().Plain(" "+l).String())
	}
	lines = append(lines, "")
	for _, b := range o.Flow.Blockers(o.step) {
		for i, l := range wrap(blockerText(o.Flow, b), w-4) {
			sign := theme.NoSign
			if i == 0 {
				sign = blockerSign(o.Flow, b)
			}
			lines = append(lines, o.Theme.Line().Plain(" ").Mark(sign).Plain(" "+l).String())
		}
	}
	return block(lines, w, h)
}

func (o *outline) Keys() []key.Binding { return []key.Binding{outlineNext} }
func (o *outline) Typing() bool        { return false }
func (o *outline) Back() bool          { return false }
func (o *outline) Status() Status      { return Status{} }
