package wizard

import (
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

var _ = register(flow.StepDone, func(e *Env) Screen { return &doneScreen{Env: e} })

// doneScreen says what was written and what to do now. The same is printed on
// the normal screen when the program ends.
type doneScreen struct {
	*Env
	from, rows, h int
}

var (
	keyCopy   = bind("y", "copy commands", "y")
	keyQuit   = bind("enter", "leave", "enter", "q", "esc")
	keyScroll = bind("↑/↓", "scroll", "up", "down", "k", "j", "pgup", "pgdown", "home", "end")
)

func (s *doneScreen) Open() tea.Cmd { return nil }
func (s *doneScreen) Typing() bool  { return false }
func (s *doneScreen) Back() bool    { return true } // there is no way back from here

func (s *doneScreen) Keys() []key.Binding {
	keys := []key.Binding{keyQuit, keyCopy}
	if s.rows > s.h {
		keys = append(keys, keyScroll)
	}
	return keys
}

func (s *doneScreen) Update(msg tea.Msg) tea.Cmd {
	k, ok := msg.(tea.KeyMsg)
	switch {
	case !ok:
	case key.Matches(k, keyQuit):
		return s.Quit()
	case key.Matches(k, keyCopy):
		s.Say(Status{theme.GoodSign, "copied, if your terminal takes OSC 52; it is printed as well when you leave"})
		return s.Copy(strings.Join(commands(s.Env), "\n") + "\n")
	case key.Matches(k, keyScroll):
		s.from = moved(k, s.from, max(1, s.rows-s.h+1), max(1, s.h-1))
	}
	return nil
}

func (s *doneScreen) Status() Status {
	return Status{Text: "This list is printed below the shell prompt when you leave."}
}

func (s *doneScreen) View(w, h int) string {
	s.h = h
	lines := s.lines(w, true)
	if len(lines) > h {
		lines = s.lines(w, false)
	}
	s.rows = len(lines)
	s.from = max(0, min(s.from, s.rows-s.h))
	return block(lines[s.from:], w, h)
}

func (s *doneScreen) lines(w int, tall bool) []string {
	lines := lead(s.h)
	for _, l := range doneList(s.Env, tall) {
		lines = append(lines, l.draw(s.Theme, w, true)...)
	}
	return lines
}

// doneLine is one entry of the list: a heading, or a line below one.
type doneLine struct {
	sign    theme.Sign
	label   string // a number, or a word in the margin
	text    string
	command bool // not wrapped: it is to be pasted
}

// draw is the entry in rows of w cells. On the normal screen a command stays in
// one row however long it is, because it is copied from there; on this one it is
// broken, so that all of it can be read.
func (l doneLine) draw(th *theme.Theme, w int, screen bool) []string {
	if l.label == "" && l.text == "" {
		return []string{""}
	}
	if l.label == "#" {
		return []string{th.Line().Plain(" ").Add(theme.Title, l.text).Fit(w)}
	}
	const margin = 5
	text := []string{l.text}
	switch {
	case !l.command:
		text = wrap(l.text, w-margin-2)
	case screen:
		text = broken(l.text, w-margin-2)
	}
	var out []string
	for i, t := range text {
		row := th.Line().Plain("   ")
		switch {
		case i > 0:
		case l.sign != theme.NoSign:
			row.Sign(l.sign)
		default:
			row.Add(theme.Faint, l.label)
		}
		row.To(margin + 1)
		if l.command {
			row.Add(theme.Bold, t)
		} else {
			row.Plain(t)
		}
		out = append(out, row.String())
	}
	return out
}

// broken is a command in rows of at most w cells, broken behind a space or a
// slash where there is one.
func broken(text string, w int) []string {
	var rows []string
	for cells(text) > w && w > 1 {
		cut := len(ansi.Truncate(text, w, ""))
		if i := strings.LastIndexAny(text[:cut], " /"); i >= cut/2 {
			cut = i + 1
		}
		rows, text = append(rows, text[:cut]), text[cut:]
	}
	return append(rows, text)
}

// doneList is what was written, what to do next and what to mind; tall with a
// sentence for each step.
func doneList(e *Env, tall bool) []doneLine {
	written := e.Flow.Written()
	if written == nil {
		return nil
	}
	r := written.Receipt
	dir := untrusted.Text(r.Dir).Max(200)
	head := count(r.Written, "file") + " written to " + dir
	if e.Demo {
		head += ", in memory only: this was a demo, and nothing is on the disk"
	}
	if r.Unchanged > 0 {
		head += ", " + number(r.Unchanged) + " unchanged"
	}
	out := []doneLine{{sign: theme.GoodSign, text: head}}
	if r.Backup != "" {
		out = append(out, doneLine{text: "what was there before is kept in " + untrusted.Text(r.Backup).Max(200)})
	}
	out = append(out, doneLine{}, doneLine{label: "#", text: "Next"})
	var titles []string
	for i, step := range e.Flow.Topology().NextSteps {
		title := untrusted.Text(step.Title).Max(60)
		titles = append(titles, title)
		if tall {
			out = append(out, doneLine{label: number(i + 1), text: title + ": " + untrusted.Text(step.Text).Max(600)})
		}
	}
	if !tall && len(titles) > 0 {
		out = append(out, doneLine{text: "In this order: " + strings.Join(titles, " → ") + "."})
	}
	if e.Demo {
		return append(out, doneLine{}, doneLine{label: "#", text: "For real"}, doneLine{text: commands(e)[0], command: true})
	}
	out = append(out, doneLine{text: "What to copy where, with the commands, is in"}, doneLine{text: untrusted.Text(joined(r.Dir, "NEXT-STEPS.md")).Max(200), command: true})
	if minds := minds(e); len(minds) > 0 {
		out = append(out, doneLine{}, doneLine{label: "#", text: "Mind"})
		out = append(out, minds...)
	}
	out = append(out, doneLine{}, doneLine{label: "#", text: "Again"})
	for _, c := range commands(e) {
		out = append(out, doneLine{text: c, command: true})
	}
	if pasted := pastedSlots(e); len(pasted) > 0 {
		out = append(out, doneLine{sign: theme.WarnSign, text: sentenceList(pasted) + " came by paste, and no file keeps that: name files for it in certwright.yaml before you apply it again."})
	}
	return out
}

// pastedSlots are the titles of what was pasted: the plan has no path for it.
func pastedSlots(e *Env) []string {
	var out []string
	for _, m := range []topology.Mode{topology.BringCA, topology.BringCerts} {
		for _, slot := range e.Flow.Due(m) {
			if len(e.Flow.Source(flow.Field{Slot: slot.ID, Part: flow.PartCert}).Pasted)+len(e.Flow.Source(flow.Field{Slot: slot.ID, Part: flow.PartKey}).Pasted) > 0 {
				out = append(out, untrusted.Text(slot.Title).Max(60))
			}
		}
	}
	return out
}

// minds are the warnings that stand, and what the write had to say.
func minds(e *Env) []doneLine {
	var out []doneLine
	for _, note := range e.Flow.Written().Receipt.Notes {
		out = append(out, doneLine{sign: theme.WarnSign, text: untrusted.Text(note).Max(400)})
	}
	p, _ := e.Flow.Prepared()
	if p == nil {
		return out
	}
	for _, note := range p.Notes {
		out = append(out, doneLine{sign: theme.WarnSign, text: untrusted.Text(note).Max(400)})
	}
	for _, f := range p.Findings {
		if f.Severity == check.Warning {
			out = append(out, doneLine{sign: theme.WarnSign, text: sentence(f.Message, f.Fix)})
		}
	}
	return out
}

// commands repeat this run without a screen, and look after it.
func commands(e *Env) []string {
	if e.Demo {
		return []string{"certwright"}
	}
	dir := e.Flow.ReadPlan().Output.Dir
	if w := e.Flow.Written(); w != nil && w.Receipt.Dir != "" {
		dir = w.Receipt.Dir
	}
	return []string{
		"certwright apply -f " + untrusted.Text(joined(dir, "certwright.yaml")).ShellArg(),
		"certwright status " + untrusted.Text(dir).ShellArg(),
	}
}

// joined is a file below a directory as a person typed it.
func joined(dir, name string) string {
	if strings.HasSuffix(dir, "/") {
		return dir + name
	}
	return dir + "/" + name
}

// doneText is the list for a normal screen of w cells.
func doneText(e *Env, w int) []string {
	var out []string
	for _, l := range doneList(e, false) {
		for _, row := range l.draw(e.Theme, w, false) {
			out = append(out, strings.TrimRight(row, " "))
		}
	}
	return out
}
