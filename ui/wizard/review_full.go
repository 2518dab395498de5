package wizard

import (
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// fullPane fills the body of Review: the difference between the file that is
// there and the one that will be, or what is kept of earlier sets.
type fullPane struct {
	title string
	lines func(w int) []string
	from  int
	h, n  int
}

var (
	keyDiff     = bind("d", "difference", "d")
	keyKept     = bind("b", "backups", "b")
	keyLeaveOut = bind("x", "leave out", "x")
	keyShut     = bind("enter", "close", "enter", "d", "b", "q")
	keyRoll     = bind("↑/↓", "scroll", "up", "down", "pgup", "pgdown", "home", "end", "j")
)

func (p *fullPane) keys() []key.Binding {
	if p.n > p.h {
		return []key.Binding{keyRoll, keyShut}
	}
	return []key.Binding{keyShut}
}

// fullKey takes a key while the pane is open.
func (s *reviewScreen) fullKey(k tea.KeyMsg) {
	switch {
	case key.Matches(k, keyShut):
		s.full = nil
	case key.Matches(k, keyRoll):
		s.full.from = scrolled(k, s.full.from, s.full.n, s.full.h)
	}
}

func (s *reviewScreen) fullView(w, h int) string {
	p := s.full
	if !roomy(w) {
		lines := indent(p.lines(w - 2))
		p.h, p.n = h-1, len(lines)
		p.from = max(0, min(p.from, p.n-p.h))
		return block(append([]string{s.Theme.Line().Plain(" ").Add(theme.Title, s.Theme.Cut(p.title, w-2)).Fit(w)}, lines[p.from:]...), w, h)
	}
	lines := p.lines(inner(w))
	p.h, p.n = h-2, len(lines)
	p.from = max(0, min(p.from, p.n-p.h))
	b := box{title: p.title, focus: true}
	if p.n > p.h {
		b.foot = number(p.from+1) + "–" + number(min(p.n, p.from+p.h)) + " of " + number(p.n) + " rows"
	}
	return b.draw(s.Theme, lines[p.from:], w, h)
}

// comparable is the file under the cursor when another lies in its place.
func (s *reviewScreen) comparable() *flow.Change {
	if s.Compare == nil || s.cursor >= len(s.rows) {
		return nil
	}
	if c := s.rows[s.cursor].change; c != nil && (c.What == flow.Overwrite || c.What == flow.Takeover) {
		return c
	}
	return nil
}

// comparedMsg is a difference that was asked for.
type comparedMsg struct {
	of   *flow.Prepared
	path string
	diff flow.Difference
}

// compare reads the file that is there, away from the screen.
func (s *reviewScreen) compare() tea.Cmd {
	c := s.comparable()
	if c == nil {
		return nil
	}
	of, file, read := s.of, c.Path, s.Compare
	return func() tea.Msg { return comparedMsg{of, file, read(of, file)} }
}

// compared shows a difference, unless the set or the cursor moved on.
func (s *reviewScreen) compared(m comparedMsg) {
	if c := s.comparable(); m.of != s.of || c == nil || c.Path != m.path {
		return
	}
	s.full = &fullPane{title: untrusted.Text(m.path).Max(200), lines: func(w int) []string { return s.diffRows(m.diff, w) }}
}

// diffRows are a difference in rows: what the two are, side by side, the names
// that come and go, and the lines of a text.
func (s *reviewScreen) diffRows(d flow.Difference, w int) []string {
	th := s.Theme
	var out []string
	if d.Note != "" {
		out = append(append(out, styled(th, theme.Plain, wrap(untrusted.Text(d.Note).Max(600), w))...), "")
	}
	const label = 12
	if len(d.Rows) > 0 {
		each := (w - label) / 2
		out = append(out, th.Line().To(label).Col(theme.Faint, "now", each).Add(theme.Faint, "then").Fit(w))
		for _, r := range d.Rows {
			now, then := wrap(untrusted.Text(r.Now).Max(300), each-2), wrap(untrusted.Text(r.Then).Max(300), each-2)
			role := theme.Plain
			if r.Now != r.Then {
				role = theme.Bold
			}
			for i := range max(len(now), len(then)) {
				l := th.Line().Col(theme.Faint, first(i, r.Label), label).Col(theme.Plain, rowAt(now, i), each)
				out = append(out, l.Add(role, rowAt(then, i)).Fit(w))
			}
		}
		out = append(out, "")
	}
	sign := func(mark string, role theme.Role, text string) {
		for i, t := range wrapAny(untrusted.Text(text).Max(1000), w-2) {
			out = append(out, th.Line().Add(role, first(i, mark)).To(2).Add(role, t).Fit(w))
		}
	}
	for _, l := range d.Lines {
		switch l.Sign {
		case '+':
			sign("+", theme.Good, l.Text)
		case '-':
			sign("-", theme.Bad, l.Text)
		default:
			sign(" ", theme.Faint, l.Text)
		}
	}
	return out
}

func rowAt(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// wrapAny is wrap that keeps the blanks a line begins with.
func wrapAny(text string, w int) []string {
	rest := strings.TrimLeft(text, " ")
	blanks := min(len(text)-len(rest), w/2)
	out := wrap(rest, w-blanks)
	for i := range out {
		out[i] = strings.Repeat(" ", blanks) + out[i]
	}
	return out
}

// keeps says that there is something to tell about backups.
func (s *reviewScreen) keeps() bool {
	return s.of != nil && (len(s.of.Survey.Backups) > 0 || slices.ContainsFunc(s.of.Survey.Changes, kept))
}

// kept says that a file is replaced or removed, and so kept beside the new set.
func kept(c flow.Change) bool {
	return c.What == flow.Overwrite || c.What == flow.Takeover || c.What == flow.Remove
}

// openKept lists what is kept of earlier sets, and what this write will keep.
func (s *reviewScreen) openKept() {
	of := s.of
	s.full = &fullPane{title: "Backups", lines: func(w int) []string {
		th := s.Theme
		var out []string
		add := func(r theme.Role, indent, text string) {
			for _, l := range wrap(text, w-len(indent)) {
				out = append(out, th.Line().Plain(indent).Add(r, l).Fit(w))
			}
		}
		n := 0
		for _, c := range of.Survey.Changes {
			if kept(c) {
				n++
			}
		}
		dir := untrusted.Text(of.Survey.Dir).Max(200)
		if n > 0 {
			add(theme.Title, "", "This write keeps "+count(n, "file"))
			add(theme.Faint, "", "in a directory of its own below "+dir+", named .certwright-backup- with the time, under the names that they have now:")
			for _, c := range of.Survey.Changes {
				if kept(c) {
					add(theme.Plain, "  ", untrusted.Text(c.Path).Max(200))
				}
			}
			out = append(out, "")
		}
		if len(of.Survey.Backups) == 0 {
			add(theme.Faint, "", "Nothing is kept of an earlier set.")
			return out
		}
		add(theme.Title, "", "Kept of earlier sets")
		for _, b := range of.Survey.Backups {
			add(theme.Plain, "  ", untrusted.Text(joined(of.Survey.Dir, b)).Max(300))
		}
		add(theme.Faint, "", "They hold private keys as well. When the new set is in use everywhere, remove them with rm -r.")
		return out
	}}
}

// formOf is the form of the output that a row belongs to alone, "" for what is
// written in every form.
func (s *reviewScreen) formOf(r fileRow) string {
	p := r.dir
	if r.change != nil {
		p = r.change.Path
	}
	top, _, below := strings.Cut(p, "/")
	if !below && r.change != nil {
		return ""
	}
	form := map[string]string{mainDir: "tree", "manifests": "secrets"}[top]
	if form == "" {
		form = top
	}
	if slices.Contains(s.takenForms(), form) {
		return form
	}
	return ""
}

// leaveOut leaves the form out that the row under the cursor belongs to. A
// single file is never left out: the set was proved as a whole, and all its
// forms agree.
func (s *reviewScreen) leaveOut() tea.Cmd {
	r := s.rows[s.cursor]
	name := untrusted.Text(r.name).Max(60)
	form := s.formOf(r)
	switch {
	case r.dir == "ca" || strings.HasPrefix(r.dir, "ca/"):
		s.Say(Status{theme.WarnSign, "ca/ belongs to every set. k says what becomes of the keys in it."})
		return nil
	case form == "":
		s.Say(Status{theme.WarnSign, name + " belongs to every set. To keep a certificate that is there, bring it: esc, then b on its component."})
		return nil
	case len(s.takenForms()) == 1:
		s.Say(Status{theme.WarnSign, "one form has to stay, or nothing would be written"})
		return nil
	}
	cmd := s.tick(form)
	s.Say(Status{theme.GoodSign, form + " is left out: " + formWords(form) + ". f takes it again."})
	return cmd
}
