package wizard

import (
	"context"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/afero"

	"certwright/assets/profiles"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
	"certwright/ui/theme"
)

var update = flag.Bool("update", false, "write the golden frames anew")

// testNow is the clock of every frame.
var testNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// builtin is a catalogue of two profiles, so that a new one in assets changes no
// frame: tectonic, and a twin of it under another name.
type builtin struct{}

func (builtin) Names() []string { return []string{"tectonic", "twin"} }

func (builtin) Load(name string) (*topology.Profile, error) {
	p, err := profiles.Load("tectonic")
	if err != nil || name == "tectonic" {
		return p, err
	}
	twin := *p
	twin.Name, twin.Title, twin.Summary = "twin", "Twin", "the same again, to have two to choose from"
	return &twin, nil
}

// driver drives the real root model without a terminal: commands run at once,
// clocks only when advanced.
type driver struct {
	t      testing.TB
	root   *root
	runner *fakeRunner
	fs     afero.Fs
	ticks  []tea.Msg // what the clocks will say
	quit   bool
	copied string
}

// setup is what a test may choose of a driver; the zero value is a plain wizard.
type setup struct {
	width, height int // 80x24
	theme         theme.Options
	plan          func(*plan.Plan)
	runner        *fakeRunner
	resumable     *Resumable
	noPlanPath    bool
	demo          bool
	catalogue     flow.Catalogue // builtin
}

// drive starts the wizard on the first screen.
func drive(t testing.TB, s setup) *driver {
	t.Helper()
	p, err := profiles.Load("tectonic")
	if err != nil {
		t.Fatal(err)
	}
	answers := plan.Default(p)
	if s.plan != nil {
		s.plan(answers)
	}
	if s.catalogue == nil {
		s.catalogue = builtin{}
	}
	state, effects, err := flow.New(s.catalogue, answers)
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{t: t, runner: s.runner, fs: afero.NewMemMapFs()}
	if d.runner == nil {
		d.runner = newFakeRunner()
	}
	d.runner.fs = d.fs
	if s.theme == (theme.Options{}) {
		s.theme = theme.Options{Profile: theme.None}
	}
	env := &Env{
		Flow: state, Theme: theme.New(s.theme), FS: d.fs, Dir: "/home/ann/cluster", Home: "/home/ann",
		Now: func() time.Time { return testNow }, PlanPath: "certwright.yaml", Resumable: s.resumable, Demo: s.demo,
		Tick: func(_ time.Duration, msg tea.Msg) tea.Cmd {
			return func() tea.Msg { return tickedMsg{msg} }
		},
		NewPassphrase: func() []byte { return []byte("0abc-1def-2ghj-3kmn-4pqr-5stv") },
		Compare: func(_ *flow.Prepared, path string) flow.Difference {
			return flow.Difference{
				Rows:  []flow.DiffRow{{Label: "issuer", Now: "CN=kubernetes", Then: "CN=Corp Issuing CA 3"}, {Label: "ends", Now: "2026-12-03, in 12 days", Then: "2027-11-21, in 1 year"}},
				Lines: []flow.DiffLine{{Sign: ' ', Text: "DNS:kubernetes"}, {Sign: '+', Text: "IP:10.20.0.3"}, {Sign: '-', Text: "IP:10.20.0.4"}},
			}
		},
		Export: func(path string, data []byte, replace bool) error {
			if _, err := d.fs.Stat(path); err == nil && !replace {
				return fs.ErrExist
			}
			return afero.WriteFile(d.fs, path, data, 0o644)
		},
		Copy: func(text string) tea.Cmd { d.copied = text; return nil },
	}
	if s.noPlanPath {
		env.PlanPath = ""
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	k := newWork(ctx, d.runner, newWriter(ctx))
	k.wait = func(ctx context.Context, _ time.Duration) bool { return ctx.Err() == nil }
	var start tea.Cmd
	d.root, start = newRoot(env, k, effects)
	d.run(start)
	w, h := s.width, s.height
	if w == 0 {
		w, h = 80, 24
	}
	d.size(w, h)
	return d
}

// tickedMsg is what a clock would say later.
type tickedMsg struct{ msg tea.Msg }

// run runs a command and everything that comes of it.
func (d *driver) run(cmd tea.Cmd) {
	queue := []tea.Cmd{cmd}
	for n := 0; len(queue) > 0; n++ {
		if n > 100_000 {
			d.t.Fatal("commands never end")
		}
		cmd, queue = queue[0], queue[1:]
		if cmd == nil {
			continue
		}
		switch msg := cmd().(type) {
		case nil:
		case tea.BatchMsg:
			queue = append(append([]tea.Cmd{}, msg...), queue...)
		case tea.QuitMsg:
			d.quit = true
		case tea.SuspendMsg:
		case tickedMsg:
			d.ticks = append(d.ticks, msg.msg)
		default:
			_, next := d.root.Update(msg)
			queue = append(queue, next)
		}
	}
}

// msg hands one message to the root.
func (d *driver) msg(m tea.Msg) *driver {
	_, cmd := d.root.Update(m)
	d.run(cmd)
	return d
}

// advance lets every clock that runs now say its message once.
func (d *driver) advance() *driver {
	ticks := d.ticks
	d.ticks = nil
	for _, m := range ticks {
		d.msg(m)
	}
	return d
}

// size resizes the window.
func (d *driver) size(w, h int) *driver { return d.msg(tea.WindowSizeMsg{Width: w, Height: h}) }

// press sends keys by their names: "enter", "down", "ctrl+u", "g".
func (d *driver) press(keys ...string) *driver {
	d.t.Helper()
	for _, k := range keys {
		d.msg(keyOf(d.t, k))
	}
	return d
}

// write types text, letter by letter.
func (d *driver) write(text string) *driver {
	for _, r := range text {
		if r == ' ' {
			d.msg(tea.KeyMsg{Type: tea.KeySpace, Runes: []rune{' '}})
			continue
		}
		d.msg(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{r}})
	}
	return d
}

// paste sends a bracketed paste.
func (d *driver) paste(text string) *driver {
	return d.msg(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(text), Paste: true})
}

// keyTypes are the keys that have a name.
var keyTypes = func() map[string]tea.KeyType {
	out := map[string]tea.KeyType{}
	for t := tea.KeyType(-128); t < 128; t++ {
		if name := t.String(); name != "" && name != "runes" {
			out[name] = t
		}
	}
	out["space"] = tea.KeySpace
	return out
}()

func keyOf(t testing.TB, name string) tea.KeyMsg {
	t.Helper()
	bare, alt := strings.CutPrefix(name, "alt+")
	if kt, ok := keyTypes[bare]; ok {
		m := tea.KeyMsg{Type: kt, Alt: alt}
		if kt == tea.KeySpace {
			m.Runes = []rune{' '}
		}
		return m
	}
	if len([]rune(bare)) != 1 {
		t.Fatalf("no key is called %q", name)
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(bare), Alt: alt}
}

// at asserts the step on screen.
func (d *driver) at(step flow.Step) *driver {
	d.t.Helper()
	if got := d.root.env.Flow.At(); got != step {
		d.t.Fatalf("at step %s, want %s\n%s", got, step, d.frame())
	}
	return d
}

// frame is the window as text.
func (d *driver) frame() string {
	d.t.Helper()
	view := d.root.View()
	if d.root.crash != nil {
		d.t.Fatalf("the root panicked: %v", d.root.crash)
	}
	return ansi.Strip(view)
}

// shows asserts that the window has a text.
func (d *driver) shows(texts ...string) *driver {
	d.t.Helper()
	for _, text := range texts {
		if !strings.Contains(d.frame(), text) {
			d.t.Errorf("the window does not show %q:\n%s", text, d.frame())
		}
	}
	return d
}

// hides asserts that the window does not have a text.
func (d *driver) hides(texts ...string) *driver {
	d.t.Helper()
	for _, text := range texts {
		if strings.Contains(d.frame(), text) {
			d.t.Errorf("the window shows %q:\n%s", text, d.frame())
		}
	}
	return d
}

// goldenSizes are the windows of which every screen has a golden frame.
var goldenSizes = [][2]int{{80, 24}, {120, 40}, {60, 16}}

// golden compares the window at every golden size with testdata/NAME.WxH.txt.
func (d *driver) golden(name string) *driver {
	d.t.Helper()
	for _, s := range goldenSizes {
		d.size(s[0], s[1])
		d.golden1(name + "." + strconv.Itoa(s[0]) + "x" + strconv.Itoa(s[1]) + ".txt")
	}
	return d
}

// golden1 compares the window as it is with one file.
func (d *driver) golden1(file string) *driver {
	d.t.Helper()
	got := d.frame() + "\n"
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			d.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			d.t.Fatal(err)
		}
		return d
	}
	want, err := os.ReadFile(path)
	if err != nil {
		d.t.Errorf("%v (run with -update, then look at it)", err)
		return d
	}
	if got != string(want) {
		d.t.Errorf("%s differs.\ngot:\n%s\nwant:\n%s", path, got, want)
	}
	return d
}
