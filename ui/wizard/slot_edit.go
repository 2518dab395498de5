package wizard

import (
	"bytes"
	"context"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// pathPrompt is a path that is being typed.
type pathPrompt struct {
	*Env
	in         *input
	field      flow.Field
	forFolder  bool // the folder that every field is filled from
	candidates []string
	note       string
	hint       string // what stands there otherwise
}

type (
	completedMsg struct {
		to    *pathPrompt
		typed string
		c     completion
	}
	// folderMsg says that a path which was typed for a file is a folder.
	folderMsg struct {
		to    *slotScreen
		field flow.Field
		dir   string
	}
)

func newPathPrompt(env *Env) *pathPrompt { return &pathPrompt{Env: env, in: newInput("")} }

// Keys of the path prompt. It takes every letter.
var pathKeys = struct{ complete, done, word key.Binding }{
	complete: bind("tab", "complete", "tab"),
	done:     bind("enter", "done", "enter"),
	word:     bind("ctrl+w", "erase a name", "ctrl+w"),
}

func (p *pathPrompt) keys() []key.Binding {
	return []key.Binding{pathKeys.done, pathKeys.complete, pathKeys.word}
}

// startPath opens the prompt. Without a text it starts with the field's path.
func (s *slotScreen) startPath(f flow.Field, text string, forFolder bool) {
	if text == "" && !forFolder {
		text = s.places().short(s.Flow.Source(f).Path)
	}
	p := s.path
	p.field, p.forFolder, p.candidates, p.note = f, forFolder, nil, ""
	if !typeable(text) {
		text = ""
		p.note = "its name has characters that cannot be typed: choose it with o"
	}
	p.in.Set(text)
	s.goToField(f)
	s.focus = onPath
}

func (s *slotScreen) pathKey(k tea.KeyMsg) tea.Cmd {
	p := s.path
	switch {
	case k.Paste:
		text, path := pastedPath(k.Runes)
		if !path {
			if p.forFolder {
				return nil
			}
			s.startPaste(p.field)
			_, cmd := s.paste.update(k)
			return cmd
		}
		k.Runes = []rune(text)
		if p.in.Update(k) {
			return s.typed()
		}
		return nil
	case key.Matches(k, pathKeys.complete):
		typed, at, fsys := p.in.Value(), s.places(), s.FS
		return func() tea.Msg {
			return completedMsg{p, typed, complete(context.Background(), fsys, at, typed)}
		}
	case key.Matches(k, pathKeys.word):
		p.in.Set(eraseName(p.in.Value()))
		return s.typed()
	case key.Matches(k, pathKeys.done):
		return s.pathDone()
	}
	if p.in.Update(k) {
		return s.typed()
	}
	return nil
}

// eraseName takes the last element off a path.
func eraseName(path string) string {
	trimmed := strings.TrimRight(path, `/\`)
	return path[:strings.LastIndexAny(trimmed, `/\`)+1]
}

// typed has the path judged as it stands.
func (s *slotScreen) typed() tea.Cmd {
	p := s.path
	p.candidates, p.note = nil, ""
	if text := p.in.Value(); !typeable(text) { // pasted, or typed by an odd keyboard
		p.in.Set(strings.Map(func(r rune) rune {
			if !typeable(string(r)) {
				return -1
			}
			return r
		}, text))
		p.note = "characters that are not drawn were left out"
	}
	if p.forFolder {
		return nil
	}
	return s.Do(flow.SetSource{Field: p.field, Source: flow.Source{Path: s.typedPath()}})
}

// typedPath is the path as the answers keep it. What begins at home is made
// relative where it can be, as a chosen file is.
func (s *slotScreen) typedPath() string {
	typed := strings.TrimSpace(s.path.in.Value())
	if strings.HasPrefix(typed, "~") && s.places().expand(typed) != typed {
		return s.places().given(typed)
	}
	return typed
}

// complete takes what tab made of the path; false when it is the same, or meant
// for another.
func (p *pathPrompt) complete(m completedMsg) bool {
	if p.in.Value() != m.typed {
		return false
	}
	changed := m.c.text != m.typed
	if changed {
		p.in.Set(m.c.text)
	}
	switch {
	case m.c.err != nil:
		p.note = "that folder " + reason(m.c.err)
	case m.c.odd:
		p.note = "the name has characters that cannot be typed: choose it with the picker"
	case !changed && len(m.c.candidates) == 0:
		p.note = "nothing there begins so"
	}
	p.candidates = m.c.candidates
	return changed
}

func (s *slotScreen) completed(m completedMsg) tea.Cmd {
	p := s.path
	if m.to != p || s.focus != onPath || !p.complete(m) {
		return nil
	}
	cmd := s.typed()
	p.candidates = m.c.candidates
	return cmd
}

func (s *slotScreen) pathDone() tea.Cmd {
	p, path := s.path, s.typedPath()
	s.focus = onList
	if p.forFolder {
		if path == "" {
			return nil
		}
		return s.fill(path)
	}
	if mate := (flow.Field{Slot: p.field.Slot, Part: flow.PartKey}); path != "" && p.field.Part == flow.PartCert && s.missing(mate) {
		s.goToField(mate)
	}
	if path == "" {
		return nil
	}
	field, dir, fsys := p.field, s.places().abs(path), s.FS
	return func() tea.Msg {
		if info, err := fsys.Stat(dir); err == nil && info.IsDir() {
			return folderMsg{s, field, dir}
		}
		return nil
	}
}

// line is the prompt with the text, and what tab found below it.
func (p *pathPrompt) lines(label string, w int) []string {
	th := p.Theme
	line := th.Line().Add(theme.Key, " > ")
	p.in.add(line, theme.Plain, w-3, true)
	below := th.Line().Plain("   ")
	switch {
	case p.note != "":
		below.Add(theme.Warn, p.note)
	case len(p.candidates) > 0:
		for _, c := range p.candidates {
			below.Add(theme.Faint, untrusted.Text(c).Max(60)+"  ")
			if below.Width() > w {
				break
			}
		}
	default:
		below.Add(theme.Faint, p.Theme.Cut(orElse(p.hint, "tab completes, ~ is your home; checked as you type"), w-3))
	}
	return []string{th.Line().Plain(" ").Add(theme.Bold, label).Fit(w), line.Fit(w), below.Fit(w)}
}

// pastedPath is the path in a pasted text; false when it is more than that: a
// PEM block, or several lines.
func pastedPath(runes []rune) (string, bool) {
	const longest = 4096 // PATH_MAX of Linux
	if len(runes) > longest {
		return "", false
	}
	for len(runes) > 0 && runes[len(runes)-1] == '\n' {
		runes = runes[:len(runes)-1]
	}
	text := string(runes)
	if strings.ContainsRune(text, '\n') || strings.Contains(text, pemMark) || looksLikeBase64(text) {
		return "", false
	}
	return droppedPath(text), true
}

// looksLikeBase64 says that a line is too long and too plain to be a path: the
// body of a block, maybe of a key, whose armour was not copied.
func looksLikeBase64(s string) bool {
	if len(s) < 60 || strings.HasPrefix(s, "/") || strings.HasPrefix(s, "~") {
		return false
	}
	return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") == ""
}

// secretPrompt is a passphrase that is being typed: bytes, never a string, and
// never drawn.
type secretPrompt struct {
	data []byte
	slot flow.Field
	note string
	// tried are the slots whose material a passphrase was given for, with that
	// material: it says whether one was wrong.
	tried map[topology.SlotID]string
}

const maxPassphrase = 1024 // bytes

func (p *secretPrompt) drop() {
	clear(p.data[:cap(p.data)])
	p.data, p.note = p.data[:0], ""
}

// Keys of the passphrase prompt.
var secretKeys = struct{ done, empty, erase key.Binding }{
	done:  bind("enter", "unlock", "enter"),
	empty: bind("ctrl+u", "clear", "ctrl+u"),
	erase: bindSilent("backspace", "ctrl+h"),
}

func (p *secretPrompt) keys() []key.Binding {
	return []key.Binding{secretKeys.done, secretKeys.empty, secretKeys.erase}
}

// press takes a key; done says that the passphrase is complete.
func (p *secretPrompt) press(k tea.KeyMsg) (done bool) {
	if cap(p.data) == 0 {
		p.data = make([]byte, 0, maxPassphrase) // never moved, so that no copy is left behind
	}
	switch {
	case key.Matches(k, secretKeys.done):
		return true
	case key.Matches(k, secretKeys.empty):
		p.drop()
	case key.Matches(k, secretKeys.erase):
		_, n := utf8.DecodeLastRune(p.data)
		clear(p.data[len(p.data)-n:])
		p.data = p.data[:len(p.data)-n]
	case k.Type == tea.KeyRunes && !k.Alt, k.Type == tea.KeySpace:
		p.add(k.Runes)
	}
	return false
}

func (p *secretPrompt) add(runes []rune) {
	defer clear(runes)
	for len(runes) > 0 && runes[len(runes)-1] == '\n' {
		runes = runes[:len(runes)-1]
	}
	var piece [utf8.UTFMax]byte
	defer clear(piece[:])
	for _, r := range runes {
		if r == '\n' || r == '\r' {
			p.drop()
			p.note = "a passphrase is one line; nothing was kept"
			return
		}
		n := utf8.EncodeRune(piece[:], r)
		if len(p.data)+n > maxPassphrase {
			p.drop()
			p.note = "longer than 1024 bytes; nothing was kept"
			return
		}
		p.data = append(p.data, piece[:n]...)
	}
	p.note = ""
}

// line is the prompt. The number of stars tells how much was typed, up to 24.
func (p *secretPrompt) lines(th *theme.Theme, label string, w int) []string {
	line := th.Line().Add(theme.Key, " > ").Plain(strings.Repeat("*", min(utf8.RuneCount(p.data), 24))).Caret(" ")
	note := th.Line().Plain("   ")
	if p.note != "" {
		note.Add(theme.Bad, p.note)
	} else {
		note.Add(theme.Faint, "kept in memory only, never in the plan")
	}
	return []string{th.Line().Plain(" ").Add(theme.Bold, label).Fit(w), line.Fit(w), note.Fit(w)}
}

// startSecret asks for the passphrase of a slot's key.
func (s *slotScreen) startSecret(f flow.Field) {
	s.secret.drop()
	if s.wrongSecret(f.Slot) {
		s.secret.note = "the one before did not open it"
	}
	s.secret.slot, s.focus = f, onSecret
}

func (s *slotScreen) secretKey(k tea.KeyMsg) tea.Cmd {
	if !s.secret.press(k) {
		return nil
	}
	s.focus = onList
	if len(s.secret.data) == 0 {
		return nil
	}
	if s.secret.tried == nil {
		s.secret.tried = map[topology.SlotID]string{}
	}
	s.secret.tried[s.secret.slot.Slot] = s.material(s.secret.slot.Slot)
	given := bytes.Clone(s.secret.data) // the flow's from here on
	s.secret.drop()
	return s.Do(flow.SetPassphrase{Slot: s.secret.slot.Slot, Passphrase: given})
}

// material tells one slot's material from another that it is changed to.
func (s *slotScreen) material(id topology.SlotID) string {
	cert, key := s.Flow.Source(flow.Field{Slot: id, Part: flow.PartCert}), s.Flow.Source(flow.Field{Slot: id, Part: flow.PartKey})
	return cert.Path + "\x00" + key.Path
}

// wrongSecret says that the passphrase which was given opened nothing.
func (s *slotScreen) wrongSecret(id topology.SlotID) bool {
	v := s.Flow.Verdict(id)
	was, tried := s.secret.tried[id]
	return tried && was == s.material(id) && v.NeedsPassphrase && !v.Pending
}
