package wizard

import (
	"slices"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/check"
	"certwright/certs/prove"
	"certwright/flow"
	"certwright/ui/theme"
)

var _ = register(flow.StepReview, newReview)

// reviewScreen shows every file that will be written and what happens to those
// that are there. Nothing is written before enter here.
type reviewScreen struct {
	*Env
	of       *flow.Prepared // what rows were made from
	rows     []fileRow
	were     int // rows of the set before, while it is made anew
	folded   map[string]bool
	unfolded map[string]bool
	cursor   int
	from     int
	lead     int // the rows above the list
	typing   reviewField
	dir      *input
	confirm  *input
	problem  int // the finding that n went to last
	forms    formsList
	keys     caKeysPane
	full     *fullPane // fills the body; nil: the list
}

// reviewField is the text field that has the keys.
type reviewField int

const (
	noField reviewField = iota
	dirField
	confirmField
)

var (
	keyWrite    = bind("enter", "write", "enter")
	keyReplace  = bind("enter", "confirm", "enter") // where files would be replaced
	keyDir      = bind("o", "directory", "o")
	keyPlan     = bind("s", "save answers", "s")
	keyFold     = bind("←/→", "fold", "left", "right", "h", "l", " ")
	keyProblem  = bind("n", "next warning", "n")
	keyAgree    = bind("enter", "use it", "enter")
	keyConfirm  = bind("enter", "replace and write", "enter")
	keyMoveFile = bind("↑/↓", "move", "up", "down", "pgup", "pgdown")
	// k is the keys of CAs here, so that j has nothing to go with it.
	keyMoveRow = bind("↑/↓", "move", "up", "down", "pgup", "pgdown", "home", "end")
)

func newReview(e *Env) Screen {
	return &reviewScreen{Env: e, folded: map[string]bool{}, unfolded: map[string]bool{}, dir: newInput(""), confirm: newInput(""), problem: -1}
}

func (s *reviewScreen) Open() tea.Cmd {
	s.typing, s.problem, s.forms.open, s.full = noField, -1, false, nil
	s.keys.drop()
	s.confirm.Clear()
	s.sync()
	return s.Do(flow.Confirm{})
}

func (s *reviewScreen) Typing() bool { return s.typing != noField || s.keys.at == caKeysTyped }

// Back leaves a text field or a pane; what was typed into the directory is dropped.
func (s *reviewScreen) Back() bool {
	switch {
	case s.keys.open():
		s.keys.back()
		return true
	case s.full != nil:
		s.full = nil
		return true
	}
	open := s.typing != noField || s.forms.open
	s.typing, s.forms.open = noField, false
	return open
}

func (s *reviewScreen) Keys() []key.Binding {
	switch s.typing {
	case dirField:
		return []key.Binding{keyAgree}
	case confirmField:
		return []key.Binding{keyConfirm, keyMoveFile}
	}
	switch {
	case s.keys.open():
		return s.keys.keys()
	case s.full != nil:
		return s.full.keys()
	case s.forms.open:
		return []key.Binding{keyMove, keyTick, keyFormsDone}
	}
	write := keyWrite
	if want, typed, asked := s.Flow.Confirmation(); asked && typed != want {
		write = keyReplace
	}
	keys := []key.Binding{write, keyDir}
	if s.Flow.SealDue() {
		keys = append(keys, keyCAKeys)
	}
	if len(s.rows) > 0 {
		keys = append([]key.Binding{keyMoveRow}, keys...)
	}
	if len(s.warnings()) > 0 {
		keys = append(keys, keyProblem)
	}
	if s.comparable() != nil {
		keys = append(keys, keyDiff)
	}
	if s.Flow.MakesCAs() && !s.Flow.SealDue() {
		keys = append(keys, keyCAKeys)
	}
	if len(s.Flow.Profile().Layouts) > 1 {
		keys = append(keys, keyForms)
	}
	if s.hasDirs() {
		keys = append(keys, keyFold)
	}
	if s.keeps() {
		keys = append(keys, keyKept)
	}
	if s.cursor < len(s.rows) && s.formOf(s.rows[s.cursor]) != "" && len(s.takenForms()) > 1 {
		keys = append(keys, keyLeaveOut)
	}
	if s.PlanPath != "" {
		keys = append(keys, keyPlan)
	}
	return keys
}

func (s *reviewScreen) Update(msg tea.Msg) tea.Cmd {
	defer s.sync()
	if m, ok := msg.(comparedMsg); ok {
		s.sync()
		s.compared(m)
		return nil
	}
	k, ok := msg.(tea.KeyMsg)
	if !ok {
		return nil
	}
	s.sync()
	if s.keys.open() {
		return s.caKeysKey(k)
	}
	switch s.typing {
	case dirField:
		return s.typeDir(k)
	case confirmField:
		return s.typeConfirm(k)
	}
	switch {
	case k.Paste:
	case s.forms.open:
		return s.formKey(k)
	case s.full != nil:
		s.fullKey(k)
	case key.Matches(k, keyForms) && len(s.Flow.Profile().Layouts) > 1:
		s.forms = formsList{open: true}
	case key.Matches(k, keyWrite):
		return s.write()
	case key.Matches(k, keyMoveRow):
		s.cursor = moved(k, s.cursor, max(len(s.rows), s.were), 10)
	case key.Matches(k, keyCAKeys) && s.Flow.MakesCAs():
		s.openCAKeys()
	case key.Matches(k, keyDiff):
		return s.compare()
	case key.Matches(k, keyKept) && s.keeps():
		s.openKept()
	case key.Matches(k, keyLeaveOut) && s.cursor < len(s.rows):
		return s.leaveOut()
	case key.Matches(k, keyDir):
		s.typing = dirField
		s.dir.Set(s.Flow.ReadPlan().Output.Dir)
	case key.Matches(k, keyPlan) && s.PlanPath != "":
		return s.Save()
	case key.Matches(k, keyFold):
		s.fold(k.String())
	case key.Matches(k, keyProblem):
		s.nextWarning()
	}
	return nil
}

// write goes on, or to the field that has to be filled first.
func (s *reviewScreen) write() tea.Cmd {
	if s.Flow.SealDue() {
		s.openCAKeys()
		return nil
	}
	if want, typed, asked := s.Flow.Confirmation(); asked && typed != want {
		s.typing = confirmField
		return nil
	}
	return s.Do(flow.Next{})
}

func (s *reviewScreen) typeDir(k tea.KeyMsg) tea.Cmd {
	if !k.Paste && key.Matches(k, keyAgree) {
		s.typing = noField
		if dir := s.dir.Value(); dir != "" && dir != s.Flow.ReadPlan().Output.Dir {
			s.confirm.Clear()
			return s.Do(flow.SetOutput{Dir: dir})
		}
		return nil
	}
	s.dir.Update(k)
	return nil
}

func (s *reviewScreen) typeConfirm(k tea.KeyMsg) tea.Cmd {
	switch {
	case !k.Paste && key.Matches(k, keyConfirm):
		return s.Do(flow.Next{})
	case !k.Paste && key.Matches(k, keyMoveFile):
		s.cursor = moved(k, s.cursor, max(len(s.rows), s.were), 10)
		return nil
	case s.confirm.Update(k):
		return s.Do(flow.Confirm{Typed: s.confirm.Value()})
	}
	return nil
}

// warnings are the findings that do not stop the write.
func (s *reviewScreen) warnings() []check.Finding {
	p, _ := s.Flow.Prepared()
	if p == nil {
		return nil
	}
	var out []check.Finding
	for _, f := range p.Findings {
		if f.Severity == check.Warning {
			out = append(out, f)
		}
	}
	return out
}

// nextWarning moves to a file of the slot that the next warning is about.
func (s *reviewScreen) nextWarning() {
	ws := s.warnings()
	if len(ws) == 0 {
		return
	}
	s.problem = (s.problem + 1) % len(ws)
	f := ws[s.problem]
	for _, c := range s.of.Survey.Changes {
		if c.Slot == f.Slot && f.Slot != "" {
			s.show(c.Path)
			break
		}
	}
	s.Say(Status{theme.WarnSign, number(s.problem+1) + " of " + number(len(ws)) + ": " + sentence(f.Message, f.Fix)})
}

func (s *reviewScreen) Status() Status {
	switch {
	case s.typing == dirField:
		return Status{Text: "Type the directory that the set is written to."}
	case s.forms.open:
		return Status{Text: "The same certificates in each form; all forms agree."}
	case s.keys.open():
		return s.caKeysStatus()
	case s.full != nil:
		return Status{Text: "enter or esc closes this; nothing is changed by looking."}
	}
	p, _ := s.Flow.Prepared()
	if p == nil {
		return Status{theme.BusySign, "The set is being made in memory. enter writes it as soon as it is ready."}
	}
	if ws := s.warnings(); len(ws) > 0 {
		return Status{theme.WarnSign, count(len(ws), "warning") + ": " + sentence(ws[0].Message, ws[0].Fix)}
	}
	proved := "every connection proved"
	if tried, of, all := prove.Sample(p.Topology); !all {
		proved = number(tried) + " of " + number(of) + " connections proved, evenly spread"
	}
	return Status{theme.GoodSign, "Checked, and " + proved + ". enter writes " + count(p.Count(), "file") + "."}
}

// Urgent is what the field under the cursor asks, ahead of the blocker that
// brought the person to it.
func (s *reviewScreen) Urgent() (Status, bool) {
	want, typed, asked := s.Flow.Confirmation()
	switch {
	case s.typing == dirField, s.forms.open, s.keys.open(), s.full != nil:
		return s.Status(), true
	case s.typing == confirmField && asked && typed != want:
		return Status{theme.WarnSign, "What is replaced is kept beside the new files. esc leaves this field."}, true
	case s.typing == confirmField && asked:
		return Status{theme.GoodSign, "enter replaces them; the old files are kept beside the new ones."}, true
	}
	return Status{}, false
}

// sync makes the rows of a set that is new.
func (s *reviewScreen) sync() {
	p, _ := s.Flow.Prepared()
	if p == s.of {
		return
	}
	if s.were = 0; p == nil {
		s.were = len(s.rows) // keys that move the cursor hold for the set that comes
	}
	s.of, s.full = p, nil
	s.build()
	if _, _, asked := s.Flow.Confirmation(); !asked && s.typing == confirmField {
		s.typing = noField
	}
}

// JumpTo shows where the answer is that is missing.
func (s *reviewScreen) JumpTo(b flow.Blocker) tea.Cmd {
	if b.Slot != "" && s.of != nil {
		i := slices.IndexFunc(s.of.Survey.Changes, func(c flow.Change) bool { return c.Slot == b.Slot })
		if i >= 0 {
			s.show(s.of.Survey.Changes[i].Path)
		}
	}
	return nil
}
