// Package wizard is the terminal program: one root model, one screen for each
// step of package flow. Start with Run. A screen owns its cursor, its scroll
// and unfinished typing; every answer belongs to flow.State, and all work is
// done by flow's effects.
//
// It writes no file and judges nothing.
package wizard

import (
	"time"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/spf13/afero"

	"certwright/certs/topology"
	"certwright/flow"
	"certwright/ui/theme"
)

// Screen is one step on the terminal. Screens are pointers; they change in
// Update only, and their commands get copies. A screen is made once and keeps
// its cursor while the person goes to and fro.
type Screen interface {
	// Open is called each time that the screen is shown.
	Open() tea.Cmd
	// Update takes a key, a paste (a tea.KeyMsg with Paste set, line ends made
	// \n) or a message of the screen's own. Keys of the frame (ctrl+c, ctrl+z,
	// f1, esc that Back does not take, and ? unless Typing) do not arrive.
	Update(tea.Msg) tea.Cmd
	// View fills at most w columns and h rows: the body between the rail and
	// the status line.
	View(w, h int) string
	// Keys are the bindings that work now, the most useful first; those of the
	// frame are not among them. Help and dispatch read the same ones.
	Keys() []key.Binding
	// Typing says that letters belong to a text field now.
	Typing() bool
	// Back lets the screen use esc for itself (close a list, clear a filter);
	// false leaves it to the frame, which goes back one step.
	Back() bool
	// Status is what the status line says when nothing blocks the step: a
	// hint, or the worst warning.
	Status() Status
}

// What a screen may do besides.
type (
	// pemTaker is a screen that says itself whether a paste may hold PEM now.
	// Of others the CA and Certs steps may; elsewhere a PEM block is refused
	// before the screen sees it.
	pemTaker interface{ TakesPEM() bool }
	// passer is a screen whose last Keys, so many, come and go with the cursor.
	// In the key line they stand behind the others, which stay where they are.
	passer interface{ Passing() int }
	// textTaker is a screen that says whether a text without PEM may be pasted
	// into it now, on a terminal that types what is pasted too.
	textTaker interface{ TakesText() bool }
	// closer is a screen in which esc may close something that has an answer to
	// hand over: Close does so before Back is asked.
	closer interface{ Close() (tea.Cmd, bool) }
	// helper adds paragraphs of its own to the help overlay.
	helper interface{ Help() []string }
	// seer is a screen that shows what came from files: those are looked at each
	// second, however many there are.
	seer interface{ Seen() []topology.SlotID }
	// maker is a screen that shows what takes longer to make than a frame, so that
	// a command makes it. Make is called after each message, with the width of
	// the window; nil says that nothing is to be made.
	maker interface{ Make(w int) tea.Cmd }
	// urgent is a screen whose own words go before the blockers of its step now,
	// because they are about what the person is doing this moment.
	urgent interface{ Urgent() (Status, bool) }
	// jumper moves the cursor to what a blocker is about. The frame calls it
	// when enter was refused.
	jumper interface{ JumpTo(flow.Blocker) tea.Cmd }
)

// slowFrom is from how many certificates or fields on what shows all of them
// takes longer to make than a frame. A test sets it.
var slowFrom = 1000

// Status is one line: what stands out and what to do about it.
type Status struct {
	Sign theme.Sign // BadSign, WarnSign, GoodSign, BusySign or NoSign
	Text string     // escaped; cut to the width by the frame
}

// Env is what every screen may use.
type Env struct {
	Flow *flow.State
	// Do applies an event and runs the effects that come back.
	Do func(flow.Event) tea.Cmd
	// Theme turns roles into lipgloss styles; it is made by one renderer.
	Theme *theme.Theme
	// FS is the person's disk, for the picker: reading only.
	FS afero.Fs
	// Dir is the working directory, and Home the person's own, for paths as typed.
	Dir, Home string
	Now       func() time.Time
	// Demo says that nothing touches the disk.
	Demo bool
	// Say puts a line on the status line until the next key: what a key just did.
	Say func(Status)
	// Copy puts public text on the person's clipboard, by OSC 52. Never a key.
	Copy func(text string) tea.Cmd
	// Quit ends the program: done after the write, left before it.
	Quit func() tea.Cmd
	// Requests ends the program, for signing requests to be written.
	Requests func() tea.Cmd
	// Resume goes on with saved answers, read by open.
	Resume func(open func() (*flow.State, []flow.Effect, error)) tea.Cmd
	// Resumable is what can be gone on with, nil when there is nothing.
	Resumable *Resumable
	// PlanPath is where answers are saved, as a person would type it; "" when they are not.
	PlanPath string
	// Save saves the answers now, and says so.
	Save func() tea.Cmd
	// Pace is how fast the long effect that runs now goes.
	Pace *pace
	// NewPassphrase makes one for the keys of CAs; nil where none can be made.
	NewPassphrase func() []byte
	// Compare holds a file of a set against the one that is in its place.
	Compare func(p *flow.Prepared, path string) flow.Difference
	// Export writes one file where a person says; ErrExists when one is there
	// and replace is false.
	Export func(path string, data []byte, replace bool) error
	// Log is what long work did last.
	Log *progressLog
	// Rest waits for a moment without anything to draw; nil waits for none.
	Rest func()
	// Tidy gives memory back after a long effect; nil does not.
	Tidy func()
	// Tick is tea.Tick, or a test's.
	Tick func(d time.Duration, msg tea.Msg) tea.Cmd
}
