package wizard

import (
	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/ui/theme"
)

// helpPage is the overlay behind ?: the keys that work now, and what the step
// decides.
type helpPage struct{ from, rows, h int }

var (
	keyHelpClose  = bind("esc", "close help", "esc", "?", "f1", "enter", "q")
	keyHelpScroll = bind("↑/↓", "scroll", "up", "down", "k", "j", "pgup", "pgdown", " ")
)

func (p *helpPage) keys() []key.Binding {
	if p.rows > p.h {
		return []key.Binding{keyHelpScroll, keyHelpClose}
	}
	return []key.Binding{keyHelpClose}
}

func (r *root) helpKey(k tea.KeyMsg) tea.Cmd {
	p := r.help
	if key.Matches(k, keyHelpClose) {
		r.help = nil
		return nil
	}
	switch k.String() {
	case "up", "k":
		p.from--
	case "down", "j":
		p.from++
	case "pgup":
		p.from -= p.h
	case "pgdown", " ":
		p.from += p.h
	}
	p.from = max(0, min(p.from, p.rows-p.h))
	return nil
}

func (p *helpPage) view(r *root, w, h int) string {
	th := r.env.Theme
	var lines []string
	add := func(l string) { lines = append(lines, l) }
	add("")
	add(th.Line().Plain(" ").Add(theme.Title, r.at.Title()).String())
	for _, l := range wrap(stepHelp(r.at), min(w-4, 90)) {
		add("  " + l)
	}
	add("")
	add(th.Line().Plain(" ").Add(theme.Title, "Keys").String())
	for _, b := range r.allKeys() {
		add(th.Line().Plain("  ").Col(theme.Key, th.Keys(b.Help().Key), 16).Plain(b.Help().Desc).String())
	}
	if s, ok := r.screen().(helper); ok {
		for _, para := range s.Help() {
			add("")
			for _, l := range wrap(para, min(w-4, 90)) {
				add("  " + l)
			}
		}
	}
	p.rows, p.h = len(lines), h
	p.from = max(0, min(p.from, p.rows-p.h))
	return block(lines[min(p.from, len(lines)):], w, h)
}

// allKeys are all keys that work on the screen under the help.
func (r *root) allKeys() []key.Binding {
	page := r.help
	r.help = nil
	own, always, rest := r.bindings()
	r.help = page
	out := append(append(own, always...), rest...)
	if !r.screen().Typing() {
		out = append(out, bind("1 to 9", "jump to a step that you have seen", "1"))
	}
	return out
}
