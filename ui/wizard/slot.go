package wizard

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// slotScreen is what the CA and the Certs steps have in common: fields to be
// filled with a file, a path or a paste, and what is thought of them. ca.go and
// certs.go make one each.
type slotScreen struct {
	*Env
	step flow.Step
	mode topology.Mode

	focus  slotFocus
	at     slotRow // the row under the cursor
	atRow  int     // where it was found last
	from   int     // first row of the list in view
	tall   int     // rows of the list, as drawn last
	scroll int     // first line of the verdict in view
	deep   int     // how far the verdict can be scrolled, as drawn last
	opened bool
	narrow bool // as drawn last: one pane

	judge  *judge
	picker *picker
	paste  *pasteBox
	path   *pathPrompt
	secret *secretPrompt
	filled filledPane
	folder string // where the last file came from

	memo slotMemo
}

// chosenMsg says what is in a file that was just chosen.
type chosenMsg struct {
	to    *slotScreen
	field flow.Field
	path  string
	look  *preview
}

func newSlotScreen(env *Env, step flow.Step, mode topology.Mode) *slotScreen {
	j := &judge{env}
	return &slotScreen{
		Env: env, step: step, mode: mode, judge: j,
		picker: newPicker(env, j), paste: newPasteBox(env, j), path: newPathPrompt(env), secret: &secretPrompt{},
	}
}

// Open shows the screen. The first time in the CA step the picker is there at
// once, because a file is what is asked for.
func (s *slotScreen) Open() tea.Cmd {
	s.closeStale()
	if s.focus == onPicker {
		return s.picker.again()
	}
	first := !s.opened
	s.opened = true
	if f, ok := s.field(); ok && first && s.mode == topology.BringCA && s.untouched() {
		return s.pick(f)
	}
	return nil
}

// closeStale closes what was open for a field that is not asked for any more,
// because facts or modes were changed meanwhile.
func (s *slotScreen) closeStale() {
	open, f := true, flow.Field{}
	switch s.focus {
	case onPicker:
		f = s.picker.field
	case onPaste:
		f = s.paste.field
	case onPath:
		f = s.path.field
	case onSecret:
		f = s.secret.slot
	default:
		open = false
	}
	if open && !slices.ContainsFunc(s.rows(), func(r slotRow) bool { return r.kind == fieldRow && r.field == f }) {
		s.picker.close()
		s.paste.drop()
		s.secret.drop()
		s.focus = onList
	}
}

// untouched says that nothing was handed over yet.
func (s *slotScreen) untouched() bool {
	return !slices.ContainsFunc(s.rows(), func(r slotRow) bool { return r.kind == fieldRow && !s.Flow.Source(r.field).Empty() })
}

// Update takes a key, a paste or a message of the screen's own.
func (s *slotScreen) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case listedMsg, restedMsg, lookedMsg:
		_, cmd := s.picker.update(msg)
		return cmd
	case settledMsg, pasteLookedMsg:
		_, cmd := s.paste.update(msg)
		return cmd
	case completedMsg:
		return s.completed(msg)
	case filledMsg:
		s.filled.filledLines, s.filled.making = msg.filledLines, false
		return nil
	case chosenMsg:
		if msg.to == s && s.focus == onList {
			return s.andThen(msg.field, msg.path, msg.look)
		}
		return nil
	case folderMsg:
		if msg.to == s && s.focus == onList {
			return s.pickFrom(msg.field, msg.dir)
		}
		return nil
	case tea.KeyMsg:
		return s.key(msg)
	}
	return nil
}

func (s *slotScreen) key(k tea.KeyMsg) tea.Cmd {
	switch s.focus {
	case onPicker:
		if k.Paste && !s.picker.finding {
			return s.pasted(k)
		}
		did, cmd := s.picker.update(k)
		return tea.Batch(cmd, s.took(did))
	case onPaste:
		if !k.Paste && key.Matches(k, pasteKeys.file) {
			s.paste.drop()
			return s.pick(s.paste.field)
		}
		keep, cmd := s.paste.update(k)
		if keep {
			return s.keepPaste()
		}
		return cmd
	case onPath:
		return s.pathKey(k)
	case onSecret:
		return s.secretKey(k)
	case onFilled:
		s.filled.press(k)
		if s.filled.closed {
			s.focus = onList
		}
		return nil
	}
	if k.Paste {
		return s.pasted(k)
	}
	return s.listKey(k)
}

// took follows what was done in the picker.
func (s *slotScreen) took(did picked) tea.Cmd {
	f := s.picker.field
	switch did.did {
	case pickedFile:
		s.leavePicker()
		s.folder = filepath.Dir(did.path)
		cmd := s.Do(flow.SetSource{Field: f, Source: flow.Source{Path: s.places().given(did.path)}})
		if did.look == nil { // chosen before the cursor had rested on it
			look := s.judge.file(did.path, did.entry, nil)
			return tea.Batch(cmd, func() tea.Msg { return chosenMsg{s, f, did.path, look()} })
		}
		return tea.Batch(cmd, s.andThen(f, did.path, did.look))
	case pickedFolder:
		s.leavePicker()
		return s.fill(s.places().given(did.path))
	case pickedPaste:
		s.leavePicker()
		s.startPaste(f)
	case pickedType:
		forFolder := s.picker.folder
		s.leavePicker()
		s.startPath(f, s.places().short(did.path)+string(filepath.Separator), forFolder)
	}
	return nil
}

func (s *slotScreen) leavePicker() {
	s.picker.close()
	s.focus = onList
}

// andThen goes on to the key of a certificate that was just chosen, when it is
// still to be given: the picker stays open, on the file that looks like it.
func (s *slotScreen) andThen(f flow.Field, path string, look *preview) tea.Cmd {
	next := flow.Field{Slot: f.Slot, Part: flow.PartKey}
	if f.Part != flow.PartCert || look.hasKey || look.shut || !look.hasCert || !s.missing(next) {
		return nil
	}
	s.goToField(next)
	s.focus = onPicker
	s.picker.field, s.picker.folder, s.picker.pair = next, false, filepath.Base(path)
	return s.picker.open(filepath.Dir(path), "")
}

// pick opens the picker for a field, where its file lies or the last one lay.
func (s *slotScreen) pick(f flow.Field) tea.Cmd {
	dir, name := s.folder, ""
	if path := s.Flow.Source(f).Path; path != "" {
		full := s.places().abs(path)
		dir, name = filepath.Dir(full), filepath.Base(full)
	} else if mate := s.Flow.Source(flow.Field{Slot: f.Slot, Part: other(f.Part)}).Path; mate != "" {
		dir = filepath.Dir(s.places().abs(mate))
	}
	s.picker.pair = ""
	if mate := s.Flow.Source(flow.Field{Slot: f.Slot, Part: flow.PartCert}).Path; f.Part == flow.PartKey && mate != "" {
		s.picker.pair = filepath.Base(mate)
	}
	s.picker.field, s.picker.folder, s.focus = f, false, onPicker
	return s.picker.open(s.startDir(dir), name)
}

// pickFrom opens the picker for a field in a folder.
func (s *slotScreen) pickFrom(f flow.Field, dir string) tea.Cmd {
	s.picker.field, s.picker.folder, s.picker.pair, s.focus = f, false, "", onPicker
	return s.picker.open(dir, "")
}

func (s *slotScreen) startDir(dir string) string {
	if dir == "" {
		return s.places().abs(".")
	}
	return dir
}

// pickFolder asks for the folder that every field is filled from.
func (s *slotScreen) pickFolder() tea.Cmd {
	f, _ := s.field()
	s.picker.field, s.picker.folder, s.picker.pair, s.focus = f, true, "", onPicker
	return s.picker.open(s.startDir(s.folder), "")
}

func (s *slotScreen) fill(dir string) tea.Cmd {
	s.focus, s.filled = onFilled, filledPane{dir: dir}
	s.folder = s.places().abs(dir)
	return s.Do(flow.FillFrom{Dir: dir})
}

func (s *slotScreen) startPaste(f flow.Field) {
	s.paste.open(f)
	s.goToField(f)
	s.focus = onPaste
}

// pasted takes a paste while no text field is open: PEM and anything of several
// lines for the field under the cursor, a path as the field's path.
func (s *slotScreen) pasted(k tea.KeyMsg) tea.Cmd {
	f, ok := s.field()
	forFolder := s.focus == onPicker && s.picker.folder
	if s.focus == onPicker {
		f, ok = s.picker.field, true
	}
	text, path := pastedPath(k.Runes)
	if !ok || forFolder && !path {
		return nil
	}
	if s.focus == onPicker {
		s.leavePicker()
	}
	if path {
		s.startPath(f, "", forFolder)
		s.path.in.Set(text)
		return s.typed()
	}
	s.startPaste(f)
	_, cmd := s.paste.update(k)
	return cmd
}

// keepPaste files what was pasted.
func (s *slotScreen) keepPaste() tea.Cmd {
	at := s.paste.field
	var cmds []tea.Cmd
	var said []string
	events := s.paste.file()
	for i, e := range events {
		said = append(said, pastedWords(e.Source.Pasted)+" kept as "+s.name(e.Field))
		cmd := s.Do(e)
		if i+1 < len(events) && events[i+1].Field.Slot == e.Field.Slot {
			continue // half a slot is not judged: the other half is here too
		}
		cmds = append(cmds, cmd)
	}
	if len(said) > 2 {
		said = []string{count(len(said), "field") + " filled from the paste"}
	}
	s.focus = onList
	if mate := (flow.Field{Slot: at.Slot, Part: flow.PartKey}); s.missing(mate) {
		s.goToField(mate)
	}
	if len(said) > 0 {
		s.Say(Status{theme.NoSign, strings.Join(said, ", ") + "."})
	}
	return tea.Batch(cmds...)
}

// name is what a field is called in a sentence: "the key of etcd server".
func (s *slotScreen) name(f flow.Field) string {
	slot := s.Flow.Topology().Slot(f.Slot)
	if slot == nil {
		return string(f.Slot)
	}
	what := "certificate"
	switch {
	case f.Part == flow.PartKey:
		what = "key"
	case slot.Kind == topology.KeyPair:
		what = "public key"
	}
	return "the " + what + " of " + slot.Title
}

// valueText is what a field holds, in a few words. It is escaped.
func (s *slotScreen) valueText(f flow.Field) string {
	src := s.Flow.Source(f)
	switch {
	case src.Path != "":
		return untrusted.Text(s.places().short(src.Path)).String()
	case len(src.Pasted) > 0:
		return "pasted, " + pastedWords(src.Pasted)
	case s.filledElsewhere(f):
		return "in the same file"
	case s.needed(f):
		return "needed"
	case f.Part == flow.PartKey && s.mode == topology.BringCA && s.Flow.KeyElsewhere(f.Slot.Component()):
		return "elsewhere"
	}
	return "optional"
}

// Back closes what is open, innermost first.
func (s *slotScreen) Back() bool {
	switch s.focus {
	case onList:
		return false
	case onPicker:
		if s.picker.back() {
			return true
		}
		s.picker.close()
	case onPaste:
		s.paste.drop()
	case onSecret:
		s.secret.drop()
	}
	s.focus = onList
	return true
}

// Typing says that letters belong to a text.
func (s *slotScreen) Typing() bool {
	switch s.focus {
	case onPaste, onPath, onSecret:
		return true
	case onPicker:
		return s.picker.finding
	}
	return false
}

// TakesPEM says that a pasted block finds its place now.
func (s *slotScreen) TakesPEM() bool {
	switch s.focus {
	case onSecret, onFilled:
		return false
	case onPath:
		return !s.path.forFolder
	case onPicker:
		return !s.picker.finding && !s.picker.folder
	}
	return true
}

// JumpTo puts the cursor on what a blocker is about.
func (s *slotScreen) JumpTo(b flow.Blocker) tea.Cmd {
	s.focus = onList
	for _, r := range s.rows() {
		if r.kind == fieldRow && (r.field == flow.Field{Slot: b.Slot, Part: b.Part} || b.Slot == "" && string(r.comp) == b.Where) {
			s.goTo(r)
			return nil
		}
	}
	s.goToField(flow.Field{Slot: b.Slot, Part: flow.PartCert})
	return nil
}
