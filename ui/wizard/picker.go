package wizard

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/untrusted"
	"certwright/flow"
)

// restTime is how long the cursor rests on a file before the file is looked at.
const restTime = 150 * time.Millisecond

// picker lets a person choose a file, or a folder, of Env.FS. It owns no
// answer: what was chosen is handed back by update. Folders are read and files
// judged by commands; an answer to an older question is dropped.
type picker struct {
	*Env
	judge *judge

	field  flow.Field // what a file is chosen for
	folder bool       // a folder is chosen, not a file
	pair   string     // name of the certificate whose key is looked for, ""

	dir     string
	list    *folder
	rows    []int // shown entries; aboveRow and hereRow stand for no entry
	cursor  int
	from    int
	hidden  bool
	filter  *input
	finding bool // the filter is being typed
	want    string
	likely  string // name of the key that goes with pair
	note    string // what became of the last choice

	gen     int
	reading bool
	climb   bool // a folder that is not there gives way to the one above
	stop    context.CancelFunc

	seen    map[string]*preview // by name, of this folder
	seenGen int
	pending bool
}

// Rows that are no entry of the folder.
const (
	aboveRow = -1
	hereRow  = -2
)

// picked is what the person did with the picker.
type picked struct {
	did   pickedAct
	path  string // absolute: of the file or folder
	entry entry
	look  *preview // of the file, nil when it was not looked at yet
}

type pickedAct int

const (
	pickedNothing pickedAct = iota
	pickedFile
	pickedFolder
	pickedPaste
	pickedType // path is the folder to start from
)

type (
	listedMsg struct {
		to   *picker
		gen  int
		list *folder
	}
	restedMsg struct {
		to  *picker
		gen int
	}
	lookedMsg struct {
		to   *picker
		gen  int
		name string
		look *preview
	}
)

func newPicker(env *Env, j *judge) *picker {
	return &picker{Env: env, judge: j, filter: newInput("")}
}

// open shows a folder, with the cursor on the entry called name if it has one.
func (p *picker) open(dir, name string) tea.Cmd {
	p.filter.Clear()
	p.finding, p.note = false, ""
	cmd := p.enter(dir, name)
	p.climb = true
	return cmd
}

// enter reads a folder. The one before stays on screen until that is done.
func (p *picker) enter(dir, name string) tea.Cmd {
	p.close()
	ctx, cancel := context.WithCancel(context.Background())
	p.gen++
	p.stop, p.reading, p.climb, p.dir, p.want = cancel, true, false, p.places().abs(dir), name
	p.filter.Clear()
	gen, fsys, path := p.gen, p.FS, p.dir
	return func() tea.Msg {
		defer cancel()
		return listedMsg{p, gen, readFolder(ctx, fsys, path)}
	}
}

// close ends what is running for nobody.
func (p *picker) close() {
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
	p.seenGen++
	p.pending, p.reading = false, false
}

func (p *picker) update(msg tea.Msg) (picked, tea.Cmd) {
	switch msg := msg.(type) {
	case listedMsg:
		if msg.to == p && msg.gen == p.gen && p.reading {
			return picked{}, p.listed(msg.list)
		}
	case restedMsg:
		if msg.to == p && msg.gen == p.seenGen {
			return picked{}, p.lookAt()
		}
	case lookedMsg:
		if msg.to == p && msg.gen == p.seenGen {
			p.seen[msg.name], p.pending = msg.look, false
		}
	case tea.KeyMsg:
		return p.press(msg)
	}
	return picked{}, nil
}

func (p *picker) listed(l *folder) tea.Cmd {
	if up := filepath.Dir(p.dir); p.climb && errors.Is(l.err, fs.ErrNotExist) && up != p.dir {
		return p.open(up, "")
	}
	p.list, p.reading, p.seen = l, false, map[string]*preview{}
	p.likely = ""
	if p.pair != "" {
		p.likely = l.keyFor(p.pair)
	}
	if p.want == "" {
		p.want = p.likely
	}
	p.arrange()
	p.cursor, p.from = 0, 0
	if len(p.rows) > 1 && p.rows[0] == aboveRow {
		p.cursor = 1 // who opens a folder means what is in it
	}
	if p.want != "" {
		if strings.HasPrefix(p.want, ".") && !p.hidden {
			p.hidden = true
			p.arrange()
		}
		if i := slices.IndexFunc(p.rows, func(i int) bool { return i >= 0 && l.entries[i].name == p.want }); i >= 0 {
			p.cursor = i
		}
	}
	return p.rest()
}

// arrange makes the rows anew from the folder that was read once.
func (p *picker) arrange() {
	p.rows = p.rows[:0]
	if p.list == nil {
		return
	}
	if p.filter.Value() == "" {
		if p.folder {
			p.rows = append(p.rows, hereRow)
		}
		if filepath.Dir(p.dir) != p.dir {
			p.rows = append(p.rows, aboveRow)
		}
	}
	p.rows = append(p.rows, p.list.rows(p.hidden, p.filter.Value())...)
	p.cursor = max(0, min(p.cursor, len(p.rows)-1))
}

// current is the entry under the cursor, nil when there is none.
//
//go:noinline // many callers, none of them hot
func (p *picker) current() *entry {
	if p.list == nil || p.cursor >= len(p.rows) {
		return nil
	}
	switch i := p.rows[p.cursor]; i {
	case aboveRow:
		return &entry{name: "..", kind: upEntry}
	case hereRow:
		return &entry{name: ".", kind: hereEntry}
	default:
		return &p.list.entries[i]
	}
}

// rest waits until the cursor stays where it is before the file is read.
func (p *picker) rest() tea.Cmd {
	p.seenGen++
	p.pending = false
	e := p.current()
	if e == nil || e.kind == upEntry || e.kind == hereEntry {
		return nil
	}
	p.pending = true
	gen := p.seenGen
	return p.Tick(restTime, restedMsg{p, gen})
}

func (p *picker) lookAt() tea.Cmd {
	e := p.current()
	if e == nil {
		return nil
	}
	field := &p.field
	if p.folder {
		field = nil
	}
	gen, name := p.seenGen, e.name
	look := p.judge.file(filepath.Join(p.dir, name), *e, field)
	return func() tea.Msg { return lookedMsg{p, gen, name, look()} }
}

// previewed is what is known of the entry under the cursor; nil when nothing is.
func (p *picker) previewed() *preview {
	if e := p.current(); e != nil {
		return p.seen[e.name]
	}
	return nil
}

// Keys of the picker.
var pickerKeys = struct {
	up, down, pageUp, pageDown, top, bottom key.Binding
	open, into, parent, filter, hidden      key.Binding
	typed, paste, again, choose, browse     key.Binding
}{
	up:       bind("↑/↓", "move", "up", "k"),
	down:     bindSilent("down", "j"),
	pageUp:   bind("pgup/pgdn", "page", "pgup"),
	pageDown: bindSilent("pgdown"),
	top:      bindSilent("home"),
	bottom:   bindSilent("end"),
	open:     bind("enter", "choose", "enter"),
	into:     bindSilent("right", "l"),
	parent:   bind("←", "up", "left", "h", "backspace"),
	filter:   bind("/", "filter", "/"),
	hidden:   bind(".", "hidden files", "."),
	typed:    bind("t", "type path", "t"),
	paste:    bind("p", "paste", "p"),
	again:    bind("ctrl+r", "read again", "ctrl+r"),

	choose: bind("enter", "choose", "enter"),
	browse: bind("↑/↓", "move", "up", "down", "pgup", "pgdown"),
}

func (p *picker) keys() []key.Binding {
	k := pickerKeys
	if p.finding {
		return []key.Binding{k.browse, k.choose}
	}
	out := []key.Binding{k.up, k.open, k.into}
	if filepath.Dir(p.dir) != p.dir {
		out = append(out, k.parent)
	}
	out = append(out, k.filter)
	if !p.folder {
		out = append(out, k.paste)
	}
	return append(out, k.typed, k.hidden, k.again, k.pageUp, k.down, k.pageDown, k.top, k.bottom)
}

// back gives esc a meaning inside the picker; false closes it.
func (p *picker) back() bool {
	if p.finding || p.filter.Value() != "" {
		p.keepCursor(func() { p.filter.Clear(); p.finding = false })
		return true
	}
	return false
}

// keepCursor changes which rows are shown and leaves the cursor on its entry.
func (p *picker) keepCursor(change func()) {
	name := ""
	if e := p.current(); e != nil {
		name = e.name
	}
	change()
	p.arrange()
	if i := slices.IndexFunc(p.rows, func(i int) bool { return i >= 0 && p.list.entries[i].name == name }); i >= 0 {
		p.cursor = i
	}
}

func (p *picker) press(msg tea.KeyMsg) (picked, tea.Cmd) {
	p.note = ""
	if p.finding {
		return p.pressFilter(msg)
	}
	k := pickerKeys
	switch {
	case p.move(msg):
		return picked{}, p.rest()
	case key.Matches(msg, k.open):
		return p.choose(false)
	case key.Matches(msg, k.into):
		return p.choose(true)
	case key.Matches(msg, k.parent):
		return picked{}, p.up()
	case key.Matches(msg, k.filter):
		p.finding = true
	case key.Matches(msg, k.hidden):
		p.keepCursor(func() { p.hidden = !p.hidden })
		return picked{}, p.rest()
	case key.Matches(msg, k.typed):
		return picked{did: pickedType, path: p.dir}, nil
	case key.Matches(msg, k.paste) && !p.folder:
		return picked{did: pickedPaste}, nil
	case key.Matches(msg, k.again):
		return picked{}, p.again()
	}
	return picked{}, nil
}

func (p *picker) pressFilter(msg tea.KeyMsg) (picked, tea.Cmd) {
	k := pickerKeys
	switch {
	case key.Matches(msg, k.choose):
		p.finding = false
		return p.choose(false)
	case key.Matches(msg, k.browse):
		p.move(msg)
		return picked{}, p.rest()
	}
	if p.filter.Update(msg) {
		p.cursor, p.from = 0, 0
		p.arrange()
		return picked{}, p.rest()
	}
	return picked{}, nil
}

// move moves the cursor; false when the key is none that does.
func (p *picker) move(msg tea.KeyMsg) bool {
	k, step := pickerKeys, 0
	switch {
	case key.Matches(msg, k.up):
		step = -1
	case key.Matches(msg, k.down):
		step = 1
	case key.Matches(msg, k.pageUp):
		step = -10
	case key.Matches(msg, k.pageDown):
		step = 10
	case key.Matches(msg, k.top):
		step = -len(p.rows)
	case key.Matches(msg, k.bottom):
		step = len(p.rows)
	default:
		return false
	}
	p.cursor = max(0, min(p.cursor+step, len(p.rows)-1))
	return true
}

func (p *picker) up() tea.Cmd {
	parent := filepath.Dir(p.dir)
	if parent == p.dir {
		return nil
	}
	return p.enter(parent, filepath.Base(p.dir))
}

func (p *picker) again() tea.Cmd {
	name := ""
	if e := p.current(); e != nil && e.kind != upEntry && e.kind != hereEntry {
		name = e.name
	}
	return p.enter(p.dir, name)
}

// choose takes the entry under the cursor; with into only a folder is entered,
// so that the arrow that walks the folders never chooses by accident.
func (p *picker) choose(into bool) (picked, tea.Cmd) {
	e := p.current()
	if e == nil || p.reading {
		return picked{}, nil
	}
	path := filepath.Join(p.dir, e.name)
	switch e.kind {
	case upEntry:
		return picked{}, p.up()
	case hereEntry:
		return picked{did: pickedFolder, path: p.dir}, nil
	case dirEntry:
		return picked{}, p.enter(path, "")
	case lostEntry, otherEntry:
		p.note = untrusted.Text(e.name).String() + " cannot be chosen: " + e.what
		if e.kind == otherEntry {
			p.note = untrusted.Text(e.name).String() + " is " + e.what + ": only regular files are read"
		}
		return picked{}, nil
	}
	if into {
		return picked{}, nil
	}
	if p.folder {
		p.note = "choose the folder that holds the files: the first row takes this one"
		return picked{}, nil
	}
	return picked{did: pickedFile, path: path, entry: *e, look: p.seen[e.name]}, nil
}
