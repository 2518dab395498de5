package wizard

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/untrusted"
	"certwright/ui/diagram"
	"certwright/ui/theme"
)

// exportPrompt asks for the file that the topology is written to. What its name
// ends in says the format.
type exportPrompt struct {
	*pathPrompt
	over string // the file that is there already, once that was said
	busy bool
	bad  string
}

var (
	keyExport   = bind("e", "export", "e")
	keyExportOK = bind("enter", "write the file", "enter")
)

// exportMsg is the end of an export.
type exportMsg struct {
	of    *exportPrompt
	path  string
	bytes int
	err   error
}

// exportFormats are the formats by the ending of a name.
var exportFormats = []struct {
	ending, words string
	draw          func(*diagram.Model) ([]byte, error)
}{
	{".svg", "a picture", diagram.SVG},
	{".mmd", "Mermaid", func(m *diagram.Model) ([]byte, error) { return []byte(diagram.Mermaid(m)), nil }},
	{".dot", "Graphviz", func(m *diagram.Model) ([]byte, error) { return []byte(diagram.DOT(m)), nil }},
	{".json", "JSON", diagram.JSON},
	{".txt", "text", func(m *diagram.Model) ([]byte, error) { return []byte(diagram.Tree(m, 100, false) + "\n"), nil }},
}

const exportHint = ".svg .mmd .dot .json or .txt says the form; tab completes"

// startExport opens the prompt with a name that is likely.
func (s *topologyScreen) startExport() {
	p := &exportPrompt{pathPrompt: newPathPrompt(s.Env)}
	p.hint = exportHint
	p.in.Set("topology.svg")
	s.export = p
}

func (s *topologyScreen) exportKey(k tea.KeyMsg) tea.Cmd {
	p := s.export
	switch {
	case p.busy:
		return nil
	case k.Paste:
		text, path := pastedPath(k.Runes)
		if !path {
			p.note = "that is no path"
			return nil
		}
		k.Runes = []rune(text)
	case key.Matches(k, keyExportOK):
		return s.writeExport()
	case key.Matches(k, pathKeys.complete):
		typed, at, fsys := p.in.Value(), s.places(), s.FS
		return func() tea.Msg {
			return completedMsg{p.pathPrompt, typed, complete(context.Background(), fsys, at, typed)}
		}
	case key.Matches(k, pathKeys.word):
		p.in.Set(eraseName(p.in.Value()))
		p.over, p.bad = "", ""
		return nil
	}
	if p.in.Update(k) {
		p.note, p.bad, p.over, p.candidates = "", "", "", nil
	}
	return nil
}

// writeExport draws the topology as it is now, and writes it away from the
// screen. A file that is there is asked about first.
func (s *topologyScreen) writeExport() tea.Cmd {
	p := s.export
	typed := strings.TrimSpace(p.in.Value())
	if typed == "" {
		p.note = "type the name of a file"
		return nil
	}
	ending := strings.ToLower(filepath.Ext(typed))
	for _, f := range exportFormats {
		if f.ending != ending {
			continue
		}
		data, err := f.draw(s.model)
		if err != nil {
			p.bad = untrusted.Text(err.Error()).Max(300)
			return nil
		}
		p.busy, p.bad = true, ""
		path, replace, write := s.places().abs(typed), p.over == typed, s.Export
		return func() tea.Msg { return exportMsg{p, typed, len(data), write(path, data, replace)} }
	}
	p.note = "no format ends so: use .svg, .mmd, .dot, .json or .txt"
	return nil
}

// exported takes the end of an export.
func (s *topologyScreen) exported(m exportMsg) {
	if m.of != s.export {
		return
	}
	m.of.busy = false
	switch {
	case errors.Is(m.err, fs.ErrExist):
		m.of.over = m.path
	case m.err != nil:
		m.of.bad = untrusted.Text(m.err.Error()).Max(300)
	default:
		s.export = nil
		s.Say(Status{theme.GoodSign, "wrote " + untrusted.Text(m.path).Max(200) + ", " + untrusted.Size(m.bytes) + ". It holds names and days, and no key."})
	}
}

func (s *topologyScreen) exportStatus() Status {
	p := s.export
	switch {
	case p.busy:
		return Status{theme.BusySign, "writing"}
	case p.bad != "":
		return Status{theme.BadSign, sentence("not written: "+p.bad, "")}
	case p.over != "":
		return Status{theme.WarnSign, untrusted.Text(p.over).Max(200) + " is there already. enter again replaces it; esc does not."}
	}
	return Status{Text: "Writes the topology as it stands to one file. It holds names and days, and no key."}
}
