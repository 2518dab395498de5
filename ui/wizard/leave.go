package wizard

import (
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// leaveDialog is what ctrl+c asks: save, discard or stay.
type leaveDialog struct {
	saving bool
	failed error // of the save: nobody leaves believing that it worked
}

var (
	keySave    = bind("s", "save and leave", "s", "enter")
	keyDiscard = bind("d", "discard", "d")
	keyStay    = bind("esc", "stay", "esc")
)

func (d *leaveDialog) keys(r *root) []key.Binding {
	if r.env.PlanPath == "" {
		return []key.Binding{keyDiscard, keyStay}
	}
	return []key.Binding{keySave, keyDiscard, keyStay}
}

func (r *root) leaveKey(k tea.KeyMsg) tea.Cmd {
	switch {
	case key.Matches(k, keyStay):
		r.leave = nil
	case key.Matches(k, keyDiscard):
		r.end.how = Discarded
		return tea.Quit
	case key.Matches(k, keySave) && r.env.PlanPath != "" && !r.leave.saving:
		r.leave.saving, r.leave.failed = true, nil
		return r.work.start([]flow.Effect{flow.Save{Plan: r.env.Flow.Plan()}})
	}
	return nil
}

// save saves the answers now, and says so when it is done.
func (r *root) save() tea.Cmd {
	if r.env.PlanPath == "" {
		r.said = Status{theme.WarnSign, "answers are not saved here"}
		return nil
	}
	r.saveAsked = true
	return r.work.start([]flow.Effect{flow.Save{Plan: r.env.Flow.Plan()}})
}

// saved takes the end of a save. Only one that was asked for when leaving ends
// the program.
func (r *root) saved(e flow.Saved) tea.Cmd {
	switch {
	case e.Err != nil && !r.saveAsked && r.leave == nil:
		r.said = Status{theme.WarnSign, sentence("your answers are not saved as you go: "+e.Err.Error(), "")}
	case r.saveAsked:
		r.saveAsked = false
		r.said = Status{theme.GoodSign, "saved in " + untrusted.Text(e.Path).Max(200) + ": certwright apply -f " + untrusted.Text(e.Path).ShellArg() + " does the same"}
		if e.Err != nil {
			r.said = Status{theme.BadSign, sentence("not saved: "+e.Err.Error(), "")}
		}
	}
	if r.leave == nil || !r.leave.saving {
		return nil
	}
	r.leave.saving = false
	if e.Err != nil {
		r.leave.failed = e.Err
		return nil
	}
	r.end.how = SavedAnswers
	return tea.Quit
}

func (d *leaveDialog) status(r *root) Status {
	switch {
	case d.saving:
		return Status{theme.BusySign, "saving your answers"}
	case d.failed != nil:
		return Status{theme.BadSign, sentence("not saved: "+d.failed.Error(), "")}
	}
	if r.env.PlanPath == "" {
		return Status{theme.NoSign, "ctrl+c again leaves at once."}
	}
	return Status{theme.NoSign, "ctrl+c again leaves at once; the answers up to this step are kept."}
}

func (d *leaveDialog) view(r *root, w, h int) string {
	th := r.env.Theme
	const bw = 56
	written := "Nothing has been written."
	if w := r.env.Flow.Written(); w != nil && w.Err != nil {
		written = "The write ended with an error."
	}
	choice := func(k, what string) string {
		return th.Line().Plain("  ").Col(theme.Key, k, 5).Plain(what).String()
	}
	lines := []string{"", written}
	if r.env.PlanPath != "" {
		lines = append(
			lines, "Your answers can be kept (no keys in the file).", "",
			choice("s", "save to "+th.CutMiddle(r.env.short(r.env.PlanPath), bw-29)+" and leave"),
		)
	} else {
		lines = append(lines, "")
	}
	lines = append(lines, choice("d", "discard and leave"), choice("esc", "stay"))
	if d.failed != nil {
		lines = append(lines, "", th.Line().Sign(theme.BadSign).Plain(" the answers could not be saved").String())
	}
	return centred(box{title: "Leave certwright?", focus: true}.draw(th, lines, bw, len(lines)+3), w, h)
}

// centred puts a block into the middle of w x h cells.
func centred(b string, w, h int) string {
	rows := strings.Split(b, "\n")
	var out []string
	for range max(0, (h-len(rows))/2) {
		out = append(out, "")
	}
	left := ""
	if len(rows) > 0 {
		left = strings.Repeat(" ", max(0, (w-cells(rows[0]))/2))
	}
	for _, row := range rows {
		out = append(out, left+row)
	}
	return block(out, w, h)
}
