package wizard

import (
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// filledPane shows what became of a folder.
type filledPane struct {
	dir    string
	from   int
	rows   int
	h      int
	closed bool

	filledLines
	making bool // in a command
}

// filledLines are what became of a folder, in a width.
type filledLines struct {
	result *flow.Filled
	width  int
	lines  []string
}

// filledMsg is a list that was made in a command.
type filledMsg struct{ filledLines }

var filledKeys = struct{ scroll, down, page, pageDown, close key.Binding }{
	scroll:   bind("↑/↓", "scroll", "up", "k"),
	down:     bindSilent("down", "j"),
	page:     bind("pgup/pgdn", "page", "pgup"),
	pageDown: bindSilent("pgdown"),
	close:    bind("enter", "close", "enter"),
}

func (p *filledPane) keys() []key.Binding {
	k := filledKeys
	if p.rows <= p.h {
		return []key.Binding{k.close}
	}
	return []key.Binding{k.close, k.scroll, k.down, k.page, k.pageDown}
}

func (p *filledPane) press(msg tea.KeyMsg) {
	k := filledKeys
	switch {
	case key.Matches(msg, k.close):
		p.closed = true
	case key.Matches(msg, k.scroll):
		p.from--
	case key.Matches(msg, k.down):
		p.from++
	case key.Matches(msg, k.page):
		p.from -= p.h
	case key.Matches(msg, k.pageDown):
		p.from += p.h
	}
	p.from = max(0, min(p.from, p.rows-p.h))
}

// filledWidth is how wide the list is in a window.
func filledWidth(w int) int {
	if roomy(w) {
		return inner(w)
	}
	return w - 2
}

// Make makes a list that takes long.
func (s *slotScreen) Make(w int) tea.Cmd {
	p, width := &s.filled, filledWidth(w)
	result, pending := s.Flow.Filled()
	if s.focus != onFilled || pending || p.making || !slow(result) || p.result == result && p.width == width {
		return nil
	}
	p.making = true
	list := s.filledList()
	return func() tea.Msg { return filledMsg{list(result, width)} }
}

func slow(r *flow.Filled) bool { return r != nil && len(r.Sources)+len(r.Unplaced) > slowFrom }

// filledView shows which file went where and why, and which went nowhere.
func (s *slotScreen) filledView(w, h int) string {
	th := s.Theme
	dir := untrusted.Text(s.places().short(s.places().abs(s.filled.dir))).String()
	result, pending := s.Flow.Filled()
	width, room := filledWidth(w), h-1
	if !s.narrow {
		room = h - 2
	}
	l := &lines{th: th, w: width}
	switch {
	case pending || result == nil:
		l.say(theme.BusySign, theme.Plain, "reading "+dir)
	case result.Err != nil:
		l.say(theme.BadSign, theme.Plain, untrusted.Text(result.Err.Error()).String())
		l.gap()
		l.say(theme.NoSign, theme.Faint, "Nothing was changed. d chooses another folder.")
	case slow(result) && s.filled.result != result:
		l.say(theme.BusySign, theme.Plain, "listing what went where")
	default:
		if p := &s.filled; !slow(result) && (p.result != result || p.width != width) {
			p.filledLines = s.filledList()(result, width)
		}
		l.out = s.filled.lines
	}
	p := &s.filled
	p.rows, p.h = len(l.out), room
	p.from = max(0, min(p.from, p.rows-p.h))
	shown := l.out[p.from:min(p.from+max(0, room), len(l.out))]
	title := "Filled from " + dir
	if s.narrow {
		return above(th.Line().Plain(" ").Add(theme.Bold, title).Fit(w), block(indented(shown, 1), w, room))
	}
	foot := ""
	if p.rows > p.h {
		foot = number(p.from+len(shown)) + " of " + count(p.rows, "line")
	}
	return box{title: title, foot: foot, focus: true}.draw(th, shown, w, h)
}

// filledList makes the list of a result, from copies of what it needs.
func (s *slotScreen) filledList() func(r *flow.Filled, w int) filledLines {
	th, at := s.Theme, s.places()
	due := [][]*topology.Slot{s.Flow.Due(topology.BringCA), s.Flow.Due(topology.BringCerts)}
	return func(r *flow.Filled, w int) filledLines {
		l := &lines{th: th, w: w}
		placed := 0
		for _, slots := range due {
			for _, slot := range slots {
				placed += l.filled(slot, r, at)
			}
		}
		if placed == 0 {
			l.say(theme.WarnSign, theme.Plain, "nothing in this folder fits a field")
		}
		if len(r.Unplaced) > 0 {
			l.gap()
			l.add(th.Line().Add(theme.Title, "Placed nowhere").String())
			for _, u := range r.Unplaced {
				l.say(theme.InheritSign, theme.Plain, u)
			}
		}
		return filledLines{r, w, l.out}
	}
}

// filled says what a slot was filled with, if it was, and counts its fields.
func (l *lines) filled(slot *topology.Slot, r *flow.Filled, at places) (placed int) {
	var paths, why []string
	for _, part := range slotParts(slot) {
		src, ok := r.Sources[flow.Field{Slot: slot.ID, Part: part}]
		if !ok {
			continue
		}
		placed++
		paths = append(paths, untrusted.Text(at.short(src.Path)).String())
		if src.Why != "" {
			why = append(why, src.Why)
		}
	}
	if placed == 0 {
		return 0
	}
	l.say(theme.GoodSign, theme.Bold, slot.Title+": "+strings.Join(paths, " and "))
	if len(why) > 0 { // why the certificate is here; the key follows it
		l.say(theme.NoSign, theme.Faint, why[0])
	}
	return placed
}
