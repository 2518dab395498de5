package wizard

import (
	"context"
	"errors"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

var _ = register(flow.StepWrite, func(e *Env) Screen { return &writeScreen{Env: e} })

// writeScreen shows the write. Its only keys scroll the log: ctrl+c stops
// safely, and that is the frame's.
type writeScreen struct {
	*Env
	back    int // how many steps the log is scrolled back
	logged  bool
	all, in int // how many steps there are, and how many are in sight
}

var keyLog = bind("↑/↓", "scroll the log", "up", "down", "pgup", "pgdown", "home", "end")

func (s *writeScreen) Open() tea.Cmd {
	s.back = 0
	return nil
}

// Update scrolls the log; what is newest is at its end.
func (s *writeScreen) Update(msg tea.Msg) tea.Cmd {
	if k, ok := msg.(tea.KeyMsg); ok && s.logged && key.Matches(k, keyLog) {
		last := max(0, s.all-s.in)
		s.back = last - moved(k, last-s.back, last+1, max(1, s.in-1))
	}
	return nil
}

func (s *writeScreen) Keys() []key.Binding {
	if s.logged && s.all > s.in {
		return []key.Binding{keyLog}
	}
	return nil
}

func (s *writeScreen) Typing() bool { return false }
func (s *writeScreen) Back() bool   { return false }

// failed is the error that the write ended with, nil while it runs.
func (s *writeScreen) failed() error {
	if w := s.Flow.Written(); w != nil {
		return w.Err
	}
	return nil
}

func (s *writeScreen) Status() Status {
	switch err := s.failed(); {
	case errors.Is(err, context.Canceled):
		return Status{theme.WarnSign, "Stopped. esc goes back to Review, where enter writes again."}
	case err != nil:
		return Status{theme.BadSign, "Not written. esc goes back to Review, where enter tries again."}
	}
	if s.Flow.Writing() {
		return Status{Text: "ctrl+c stops and leaves the old files as they were. No key is ever logged."}
	}
	return Status{Text: "The keys are still being made; the files are written as soon as they are."}
}

// View is the stages, and beside them the log where there is room for it.
func (s *writeScreen) View(w, h int) string {
	_, busy := s.Flow.Preparing()
	_, s.all = s.Log.last(0, 0)
	s.logged = w >= wideWidth && h >= 12 && (busy || s.all > 0)
	if !s.logged {
		return s.stages(w, h)
	}
	left := max(58, w/2)
	s.in = h - 2
	var rows []string
	rows, s.all = s.logRows(inner(w-left), s.in)
	b := box{title: "Log"}
	if s.all > s.in {
		b.foot = number(s.all-s.back) + " of " + number(s.all)
	}
	return beside(s.stages(left, h), b.draw(s.Theme, rows, w-left, h))
}

// stages are what is done, what is being done and what is left.
func (s *writeScreen) stages(w, h int) string {
	th := s.Theme
	dir := untrusted.Text(s.Flow.ReadPlan().Output.Dir).Max(200)
	lines := []string{""}
	if err := s.failed(); err != nil {
		title := "Nothing was written to " + dir
		if !errors.Is(err, context.Canceled) {
			title = "The write to " + dir + " ended with an error"
		}
		lines = append(lines, th.Line().Plain(" ").Sign(theme.BadSign).Add(theme.Bold, " "+title).Fit(w), "")
		text := untrusted.Text(err.Error()).Max(2000)
		if errors.Is(err, context.Canceled) {
			text = "You stopped it before any file was put in place. What is in " + dir + " is what was there before."
		}
		for _, l := range wrap(text, w-6) {
			lines = append(lines, "   "+l)
		}
		return block(lines, w, h)
	}
	what := "the set"
	if p, _ := s.Flow.Prepared(); p != nil {
		what = count(p.Count(), "file")
	}
	lines = append(lines, th.Line().Plain(" ").Add(theme.Bold, "Writing "+what+" to "+dir).Fit(w), "")
	lines = append(lines, indent(s.progressLines(w-2, true))...)
	if h >= len(lines)+4 {
		lines = append(lines, "")
		for _, l := range wrap("Nothing in "+dir+" changes until every file is staged and compared; then all of them change at once.", w-4) {
			lines = append(lines, th.Line().Plain(" ").Add(theme.Faint, l).String())
		}
	}
	return block(lines, w, h)
}
