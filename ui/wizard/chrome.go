package wizard

import (
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	"github.com/charmbracelet/x/ansi"

	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

const (
	rulesHeight = 20 // below this many rows the two rules make way for the body
	tickedSteps = 3  // with more steps behind, the rail shows them as ticks alone
)

func (r *root) tooSmall() bool { return r.w > 0 && (r.w < minWidth || r.h < minHeight) }

// View draws the whole window: never a row more, or the terminal would cut off
// the first, and never a cell more.
func (r *root) View() (frame string) {
	defer func() {
		if v := recover(); v != nil {
			r.crash, frame = v, "" // Update sees it and ends the program
		}
	}()
	if r.w <= 0 || r.h <= 0 || r.crash != nil {
		return ""
	}
	var rows []string
	if r.tooSmall() {
		rows = r.notice()
	} else {
		rows = r.frame()
	}
	rows = strings.Split(block(rows, r.w, r.h), "\n")
	for i := range rows {
		rows[i] = strings.TrimRight(rows[i], " ")
	}
	return r.env.Theme.Text(strings.Join(rows, "\n"))
}

func (r *root) frame() []string {
	th := r.env.Theme
	h := r.h - 5
	rules := r.h >= rulesHeight
	if rules {
		h--
	}
	status := r.statusRows()
	rows := []string{r.nameRow(), r.rail()}
	if rules {
		rows = append(rows, rule(th, r.w))
	}
	rows = append(rows, strings.Split(block(strings.Split(r.body(h), "\n"), r.w, h), "\n")...)
	switch { // a status of two rows takes the place of the rule above it
	case len(status) > 1:
	case rules:
		rows = append(rows, rule(th, r.w))
	default:
		rows = append(rows, "")
	}
	return append(append(rows, status...), r.keyRow())
}

func (r *root) body(h int) string {
	switch {
	case r.leave != nil:
		return r.leave.view(r, r.w, h)
	case r.help != nil:
		return r.help.view(r, r.w, h)
	}
	return r.screen().View(r.w, h)
}

// nameRow is the program, the cluster, and how far the person is.
func (r *root) nameRow() string {
	th, f := r.env.Theme, r.env.Flow
	visible := f.Visible()
	at := len(visible)
	for i, s := range visible {
		if s == r.at {
			at = i + 1
		}
	}
	step := "step " + number(at) + " of " + number(len(visible))
	if !roomy(r.w) {
		step = number(at) + "/" + number(len(visible))
	}
	l := th.Line().Plain(" ").Add(theme.Title, "certwright")
	if name := f.Topology().Facts.Get("cluster.name"); name != "" && r.at != flow.StepProfile {
		l.Plain("   ").Plain(th.Cut(untrusted.Text(name).String(), 40))
	}
	if r.env.Demo {
		l.Plain("   ").Add(theme.Warn, "demo: nothing touches the disk")
	}
	right := ansi.StringWidth(step) + 1
	return th.Line().Plain(l.Fit(r.w-right)).Add(theme.Faint, step).String()
}

// rail is where the person is among the steps: ✓ Profile › [Facts] › …
func (r *root) rail() string {
	th, f := r.env.Theme, r.env.Flow
	visible := f.Visible()
	at := len(visible)
	for i, s := range visible {
		if s == r.at {
			at = i
		}
	}
	l := th.Line().Plain(" ")
	sep := " › "
	long := 3
	for i, s := range visible {
		long += len(s.Title()) + 3
		if i < at {
			long += 2
		}
	}
	if at >= tickedSteps || at > 0 && long-3 > r.w {
		ticks := strings.Repeat(th.Sign(theme.GoodSign), at)
		if th.ASCII() {
			ticks = number(at) + " " + th.Sign(theme.GoodSign)
		}
		l.Add(theme.Good, ticks).Plain(" ")
		visible = visible[at:]
		at = 0
	}
	for i, s := range visible {
		if i > 0 {
			l.Add(theme.Faint, sep)
		}
		switch {
		case i < at:
			l.Sign(theme.GoodSign).Plain(" " + s.Title())
		case i == at:
			l.Add(theme.Title, "["+s.Title()+"]")
		default:
			l.Add(theme.Faint, s.Title())
		}
	}
	if r.at == flow.StepDone {
		l.Add(theme.Title, "["+flow.StepDone.Title()+"]")
	}
	return l.Fit(r.w)
}

// status is the one thing to say now: what a key just did, else the worst thing
// that stands against going on, else the screen's own line.
func (r *root) status() Status {
	if r.said.Text != "" {
		return r.said
	}
	if r.leave != nil {
		return r.leave.status(r)
	}
	if r.help != nil {
		return Status{}
	}
	if u, ok := r.screen().(urgent); ok {
		if s, now := u.Urgent(); now {
			return s
		}
	}
	f := r.env.Flow
	if b, ok := f.Worst(r.at); ok {
		return Status{blockerSign(f, b), blockerText(f, b)}
	}
	return r.screen().Status()
}

// statusRows is the status in one row, or in two where it is too long for one.
func (r *root) statusRows() []string {
	th := r.env.Theme
	s := r.status()
	if s.Text == "" {
		return []string{""}
	}
	role := theme.Plain
	if r.nudged {
		role = theme.Chosen
	}
	// What a message quotes was escaped where it was composed; errors of the
	// system quote names as they are.
	text := []string{untrusted.Text(strings.ReplaceAll(s.Text, "\n", " ")).Max(2000)}
	room := r.w - 3
	if s.Sign != theme.NoSign {
		room -= 1 + cells(th.Sign(s.Sign))
	}
	if cells(text[0]) > room {
		text = wrap(text[0], room)
	}
	if len(text) > 2 {
		text = []string{text[0], strings.Join(text[1:], " ")}
	}
	var rows []string
	for i, t := range text {
		l := th.Line().Plain(" ")
		if s.Sign != theme.NoSign {
			if i == 0 {
				l.Sign(s.Sign).Plain(" ")
			} else {
				l.To(l.Width() + 1 + cells(th.Sign(s.Sign)))
			}
		}
		rows = append(rows, l.Add(role, t).Fit(r.w-1))
	}
	return rows
}

// keyRow is what can be pressed now, made from the very bindings that are
// dispatched. Where it is too long whole keys are left out: the frame's last
// ones first, then the screen's last ones, and back and help never.
func (r *root) keyRow() string {
	th := r.env.Theme
	own, always, rest := r.bindings()
	room := r.w - 2
	width := func(bs ...[]key.Binding) int {
		n := 0
		for _, b := range bs {
			for _, k := range b {
				n += ansi.StringWidth(th.Keys(k.Help().Key)) + ansi.StringWidth(k.Help().Desc) + 1 + 3
			}
		}
		return n - 3
	}
	for len(rest) > 0 && width(own, always, rest) > room {
		rest = rest[:len(rest)-1]
	}
	for len(own) > 0 && width(own, always, rest) > room {
		i := len(own) - 1
		if i > 0 && slices.Contains(own[i].Keys(), "enter") { // what goes on stays
			i--
		}
		own = slices.Delete(own, i, i+1)
	}
	l := th.Line().Plain(" ")
	first := true
	for _, bs := range [][]key.Binding{own, always, rest} {
		for _, b := range bs {
			if !first {
				l.Add(theme.Faint, " · ")
			}
			first = false
			l.Add(theme.Key, th.Keys(b.Help().Key)).Plain(" ").Add(theme.Faint, b.Help().Desc)
		}
	}
	return l.Fit(r.w)
}

// bindings are the keys that work now: the screen's, the frame's that are always
// named, and the frame's others.
func (r *root) bindings() (own, always, rest []key.Binding) {
	switch {
	case r.leave != nil:
		return r.leave.keys(r), nil, nil
	case r.help != nil:
		return r.help.keys(), nil, nil
	}
	s := r.screen()
	keys := s.Keys()
	lasting := len(keys)
	if p, ok := s.(passer); ok {
		lasting -= p.Passing()
	}
	for i, b := range keys {
		switch {
		case !b.Enabled() || b.Help().Key == "":
		case i < lasting:
			own = append(own, b)
		default:
			rest = append(rest, b)
		}
	}
	f := r.env.Flow
	switch {
	case f.Writing(), r.at == flow.StepWrite && r.preparing():
		return append(append(own, keyStop), rest...), nil, nil
	case r.at != flow.StepProfile && r.at != flow.StepDone:
		always = append(always, keyBack)
	}
	if s.Typing() {
		always = append(always, keyF1)
	} else {
		always = append(always, keyHelp)
	}
	if r.at != flow.StepDone {
		rest = append(rest, keyLeave, keySleep)
	}
	return own, always, rest
}

// notice is what a window shows that is too small for any screen.
func (r *root) notice() []string {
	th := r.env.Theme
	lines := []string{
		"certwright needs " + number(minWidth) + " columns and " + number(minHeight) + " rows.",
		"This terminal has " + number(r.w) + " and " + number(r.h) + ".",
		"",
		"Your answers are kept. Enlarge it to go on,",
		"or leave with ctrl+c, and go on later with",
		"certwright --resume",
	}
	if r.env.PlanPath == "" {
		lines = lines[:4]
		lines[3] = "Enlarge it to go on, or leave with ctrl+c."
	}
	var out []string
	for range max(0, (r.h-len(lines))/2) {
		out = append(out, "")
	}
	for _, l := range lines {
		out = append(out, th.Line().Plain("  "+l).Fit(r.w))
	}
	return out
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
