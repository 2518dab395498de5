package wizard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/spf13/afero"

	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// framesPerSecond is how often the terminal may be drawn. At the library's 60 a
// key waits up to 17 ms for its frame; at 120 half of that, for 150 ms of CPU a
// minute.
const framesPerSecond = 120

// farFrames is the same for a terminal behind a network, which carries every
// frame: a key that is held down sends a quarter of them, and what moves by
// itself does so ten times a second. At ten for keys as well each of them would
// wait for up to 100 ms.
const (
	farFrames = 30
	farPause  = 100 * time.Millisecond // instead of tickPause
)

// Options are what the wizard runs on.
type Options struct {
	// State and Effects are what flow.New or a plan gave.
	State   *flow.State
	Effects []flow.Effect
	Runner  Runner
	// FS is read by the file picker. Dir and Home explain paths as typed.
	FS        afero.Fs
	Dir, Home string
	Now       func() time.Time // time.Now when nil
	// PlanPath is where Runner saves answers, for messages; "" when it does not.
	PlanPath string
	// Resumable is what can be gone on with, nil when there is nothing.
	Resumable *Resumable
	// Resumed says that State holds the answers of a run that was left: the
	// wizard goes through what is answered to the first step that has something
	// to ask.
	Resumed bool
	Demo    bool
	// NewPassphrase, Compare and Export are those of Env; nil where there is no such thing.
	NewPassphrase func() []byte
	Compare       func(p *flow.Prepared, path string) flow.Difference
	Export        func(path string, data []byte, replace bool) error
	// Far says that the terminal is behind a network: fewer frames are drawn.
	Far bool
	// Busy is called when thousands of checks begin, and what it gives when they
	// have ended; nil is not.
	Busy func() (ended func())
	// In and Out are the terminal.
	In, Out *os.File
	Theme   theme.Options
}

// Resumable is answers of an earlier run.
type Resumable struct {
	Path  string // as a person would type it
	Saved time.Time
	Note  string // "tectonic, cluster demo"; what tells it apart
	Open  func() (*flow.State, []flow.Effect, error)
}

// Outcome is how the wizard ended.
type Outcome string

// The outcomes.
const (
	Done         Outcome = "done"      // the set is written
	Left         Outcome = "left"      // the person left; kept is what was saved on the way
	Discarded    Outcome = "discarded" // the person left and wants nothing kept: the caller removes what was saved on the way
	SavedAnswers Outcome = "saved"     // the person left, and the answers are kept
	Requested    Outcome = "requests"  // signing requests are to be written: Result.Answers say what for
	Signalled    Outcome = "signal"    // the system ended it; the answers were saved if they could be
)

// Result is how the wizard ended.
type Result struct {
	Outcome Outcome
	Signal  os.Signal
	// Written is what the write did; nil when none came to its end.
	Written *flow.Written
	// SavedTo is where the answers lie, "" when they were not saved.
	SavedTo string
	// Answers are those of a run that ended with Requested; nil else.
	Answers *flow.Answers
	// Text is for the normal screen, where it can be copied and stays.
	Text string
}

// Code is the exit status that goes with the result.
func (r Result) Code() int {
	switch {
	case r.Outcome == Done:
		return 0
	case r.Outcome != Signalled:
		return 130
	}
	if s, ok := r.Signal.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return 130
}

// ErrBug is what Run's error wraps when the wizard itself failed. The terminal
// is restored and the answers were saved if they could be.
var ErrBug = errBug

// Run shows the wizard until it is done or left. It returns after the write has
// ended, whatever ended the screen. ctx ends it like a signal.
func Run(ctx context.Context, o Options) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.Now == nil {
		o.Now = time.Now
	}
	env := &Env{
		Flow: o.State, Theme: theme.New(o.Theme), FS: o.FS, Dir: o.Dir, Home: o.Home, Now: o.Now,
		Demo: o.Demo, PlanPath: o.PlanPath, Resumable: o.Resumable, Copy: copier(o.Out),
		NewPassphrase: o.NewPassphrase, Compare: o.Compare, Export: o.Export,
		Rest: firstFrame(ctx), Tidy: debug.FreeOSMemory,
	}
	w := newWriter(ctx)
	defer w.stop()
	k := newWork(ctx, o.Runner, w)
	k.busy = o.Busy
	r, start := newRoot(env, k, o.Effects)
	if o.Resumed {
		start = tea.Batch(start, r.forwards())
	}
	rate := framesPerSecond
	if o.Far {
		rate, r.tick = farFrames, farPause
	}
	in, connect := terminalInput(o.In)
	out := &output{File: o.Out}
	r.resized = out.Invalidate
	p := tea.NewProgram(
		shown{r, start, &frames{first: out.First}}, tea.WithInput(in), tea.WithOutput(out), tea.WithAltScreen(),
		tea.WithFPS(rate), tea.WithoutSignalHandler(),
	)
	connect(p)
	stop := forward(ctx, p)
	_, err := p.Run()
	stop()
	cancel()
	w.stop()
	if e := w.finish(); e != nil && r.env.Flow.Writing() {
		r.env.Flow.Apply(e)
	}
	defer r.env.Flow.Forget()
	return r.result(o, err)
}

// steadyGC is how much garbage may lie beside what is in use, in percent: a
// screen that somebody reads has time to collect it, and the set of a large
// cluster is some megabytes already.
const steadyGC = 33

// firstFrame gives a wait that ends when the first frame was drawn. Until then
// nothing else is to use the processor, the garbage collector neither: the
// caller may have told it to wait.
func firstFrame(ctx context.Context) func() {
	return func() {
		pause(ctx, 3*time.Second/framesPerSecond)
		debug.SetGCPercent(steadyGC)
	}
}

// terminalInput is the terminal with its pastes taken out, where that is read as
// a file: on Windows the library reads the console's events instead.
func terminalInput(in *os.File) (_ io.Reader, connect func(*tea.Program)) {
	if runtime.GOOS == "windows" {
		return in, func(*tea.Program) {}
	}
	r := &reader{File: in}
	return r, func(p *tea.Program) { r.send = p.Send }
}

// shown is the root as the library runs it, with the commands of its first moment.
type shown struct {
	*root
	cmd    tea.Cmd
	frames *frames
}

// Init gives the commands of the first moment.
func (s shown) Init() tea.Cmd { return s.cmd }

// Update is the root's.
func (s shown) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	_, cmd := s.root.Update(msg)
	return s, cmd
}

// View is the root's, marked where it is the same again. The first that has a
// size is on the terminal before the library's clock strikes.
func (s shown) View() string {
	view := s.root.View()
	if s.frames.first != nil && s.root.w > 0 {
		s.frames.first(view)
		s.frames.first = nil
	}
	return s.frames.mark(view)
}

// frames knows the frame before. The library draws none that is the same again,
// but until there is another it copies that one at each tick of its clock to find
// out, a megabyte a second. So it gets a sequence behind it that changes nothing:
// it is drawn, output sends nothing of it, and it is done with.
type frames struct {
	first func(string) // takes the first frame; nil when it has it
	last  string
	times int // that it came again
}

// frameMarks is how many marks there are: between two ticks several frames may
// come, and the last of them must not be the one that was drawn.
const frameMarks = 32

func (f *frames) mark(frame string) string {
	if f.times++; frame != f.last {
		f.last, f.times = frame, 0
	}
	return frame + strings.Repeat("\x1b[m", f.times%frameMarks)
}

// forward hands signals to the program until the function that it returns is called.
func forward(ctx context.Context, p *tea.Program) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case s := <-signals:
				p.Send(signalMsg{s})
			case <-ctx.Done():
				p.Send(signalMsg{syscall.SIGINT}) // nothing, when the program has ended
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		cancel()
		<-ended
	}
}

// result is what is left when the screen is closed.
func (r *root) result(o Options, err error) (Result, error) {
	out := Result{Outcome: r.end.how, Signal: r.end.signal, Written: r.env.Flow.Written()}
	if out.Outcome == "" {
		out.Outcome = Left // the terminal went away
	}
	if out.Written != nil && out.Written.Err == nil {
		out.Outcome = Done
	}
	switch out.Outcome {
	case Requested:
		out.Answers = r.env.Flow.WholeAnswers()
		return out, nil
	case SavedAnswers:
		out.SavedTo = r.env.Flow.LastSave().Path
	case Signalled:
		out.SavedTo = r.saveNow(o.Runner)
	case Left:
		if err != nil || r.crash != nil {
			out.SavedTo = r.saveNow(o.Runner)
		} else if save := r.env.Flow.LastSave(); save.Err == nil {
			out.SavedTo = save.Path // what was answered up to the last step
		}
	}
	out.Text = r.farewell(out)
	switch {
	case r.crash != nil:
		err = fmt.Errorf("%w%s", panicked(r.crash), savedWords(out.SavedTo))
	case errors.Is(err, tea.ErrProgramPanic):
		err = fmt.Errorf("%w%s", ErrBug, savedWords(out.SavedTo))
	case err != nil:
		err = fmt.Errorf("terminal: %w%s", err, savedWords(out.SavedTo))
	}
	return out, err
}

// saveNow saves the answers after the screen is gone.
func (r *root) saveNow(run Runner) string {
	if r.env.PlanPath == "" || r.env.Flow.At() == flow.StepProfile {
		return ""
	}
	e := flow.Save{Plan: r.env.Flow.Plan()}
	if s, ok := r.work.run(context.Background(), e).(flow.Saved); ok && s.Err == nil {
		return s.Path
	}
	return ""
}

func savedWords(path string) string {
	if path == "" {
		return ""
	}
	return "; your answers are saved in " + untrusted.Text(path).String()
}

// farewell is the text for the normal screen.
func (r *root) farewell(out Result) string {
	var b strings.Builder
	switch {
	case out.Outcome == Done:
		for _, l := range doneText(r.env, max(minWidth, min(r.w-1, 100))) {
			b.WriteString(r.env.Theme.Text(l) + "\n")
		}
	case out.Written != nil && out.Written.Err != nil && !errors.Is(out.Written.Err, context.Canceled):
		fmt.Fprintf(&b, "The set was not written: %s\n", untrusted.Text(out.Written.Err.Error()).Max(2000))
	}
	if out.SavedTo != "" {
		fmt.Fprintf(&b, "Your answers are saved in %s. Nothing else was written.\n", untrusted.Text(out.SavedTo))
		b.WriteString("Go on with: certwright --resume\n")
		fmt.Fprintf(&b, "or without a screen: certwright apply -f %s\n", untrusted.Text(out.SavedTo).ShellArg())
	}
	return b.String()
}

// copier puts text on the clipboard of the person's terminal, which may be far
// away, by OSC 52. The terminal takes a write as a whole, so that it never
// lands within a frame.
func copier(out io.Writer) func(string) tea.Cmd {
	return func(text string) tea.Cmd {
		return func() tea.Msg {
			_, _ = io.WriteString(out, osc52(text)) // a terminal that does not know it ignores it
			return nil
		}
	}
}
