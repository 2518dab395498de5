package wizard

import (
	"os"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
	"certwright/ui/theme"
)

// root is the one model of the terminal program: it draws the frame, hands keys
// to the screen of the step, and runs effects.
type root struct {
	env     *Env
	work    *work
	screens map[flow.Step]Screen
	at      flow.Step
	w, h    int

	leave *leaveDialog
	help  *helpPage
	said  Status // until the next key
	// nudged says that enter was refused: the status line stands out.
	nudged  bool
	refused *flow.Blocker
	typed   burst

	ticking, looking bool
	resized          func(w int)   // what the terminal shows is no longer known
	tick             time.Duration // between two frames of a progress bar
	saveAsked        bool
	end              ending
	crash            any
}

// ending says how the program came to its end.
type ending struct {
	how    Outcome
	signal os.Signal
}

// Messages of the frame.
type (
	tickMsg   struct{}
	lookMsg   struct{}
	signalMsg struct{ signal os.Signal }
	resumeMsg struct {
		state   *flow.State
		effects []flow.Effect
		err     error
	}
)

func newRoot(env *Env, k *work, effects []flow.Effect) (*root, tea.Cmd) {
	r := &root{env: env, work: k, tick: tickPause}
	env.Do, env.Say = r.do, func(s Status) { r.said = s }
	if env.Tick == nil {
		env.Tick = func(d time.Duration, msg tea.Msg) tea.Cmd {
			return tea.Tick(d, func(time.Time) tea.Msg { return msg })
		}
	}
	env.Quit, env.Save, env.Pace, env.Log = r.quit, r.save, &pace{}, &progressLog{}
	k.note = func(p flow.Progress) { env.Log.note(env.Now(), p) }
	env.Requests = func() tea.Cmd {
		r.end.how = Requested
		return tea.Quit
	}
	env.Resume = r.resume
	if env.Copy == nil {
		env.Copy = func(string) tea.Cmd { return nil }
	}
	r.screens = map[flow.Step]Screen{}
	return r, tea.Batch(k.start(effects), r.arrive())
}

func (r *root) Init() tea.Cmd { return nil }

// screen is the screen of the step, made when it is first shown.
func (r *root) screen() Screen {
	s := r.screens[r.at]
	if s == nil {
		s = makeScreen(r.at, r.env)
		r.screens[r.at] = s
	}
	return s
}

// do applies an event and runs what comes of it.
func (r *root) do(e flow.Event) tea.Cmd {
	before := r.env.Flow.At()
	effects := r.env.Flow.Apply(e)
	if _, next := e.(flow.Next); next && r.env.Flow.At() == before {
		if b, ok := r.env.Flow.Worst(before); ok {
			r.nudged, r.refused = true, &b
		}
	}
	return r.work.start(effects)
}

// Update takes one message. A panic in it is a bug: the program ends with the
// terminal restored, and Run says so.
func (r *root) Update(msg tea.Msg) (_ tea.Model, cmd tea.Cmd) {
	defer func() {
		if v := recover(); v != nil {
			r.crash, cmd = v, tea.Quit
		}
	}()
	if r.crash != nil {
		return r, tea.Quit
	}
	return r, tea.Batch(r.take(msg), r.settle())
}

func (r *root) take(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		r.w, r.h = msg.Width, msg.Height
		if r.resized != nil {
			r.resized(msg.Width)
		}
		return nil
	case tea.KeyMsg:
		return r.key(msg)
	case pasteMsg:
		return r.pasteOf(msg)
	case burstMsg:
		if r.typed.on && msg.gen == r.typed.gen {
			return r.keys(r.typed.end())
		}
		return nil
	case doneMsg:
		return r.answered(msg.event)
	case judgedMsg:
		verdicts, more := r.work.verdicts()
		cmds := []tea.Cmd{more}
		for _, e := range verdicts {
			cmds = append(cmds, r.answered(e))
		}
		if r.work.manyEnded() {
			cmds = append(cmds, r.tidy())
		}
		return tea.Batch(cmds...)
	case tickMsg:
		r.ticking = false
		if p := r.work.progress.Load(); p != nil {
			r.env.Pace.note(r.env.Now(), p.Progress)
			return r.do(*p)
		}
		return nil
	case lookMsg:
		r.looking = false
		var seen []topology.SlotID
		if s, ok := r.screen().(seer); ok {
			seen = s.Seen()
		}
		return r.do(flow.Look{Seen: seen})
	case signalMsg:
		return r.signalled(msg.signal)
	case resumeMsg:
		return r.resumed(msg)
	case tea.ResumeMsg:
		return tea.ClearScreen // whoever had the terminal meanwhile drew on it
	case tea.FocusMsg, tea.BlurMsg, tea.MouseMsg:
		return nil
	}
	return r.screen().Update(msg)
}

// settle follows the flow to another step and keeps the clocks that it needs.
func (r *root) settle() tea.Cmd {
	var cmds []tea.Cmd
	if b := r.refused; b != nil {
		r.refused = nil
		if j, ok := r.screen().(jumper); ok {
			cmds = append(cmds, j.JumpTo(*b))
		}
	}
	cmds = append(cmds, r.arrive())
	if m, ok := r.screen().(maker); ok {
		cmds = append(cmds, m.Make(r.w))
	}
	if _, busy := r.env.Flow.Preparing(); busy && !r.ticking {
		r.ticking = true
		cmds = append(cmds, r.env.Tick(r.tick, tickMsg{}))
	}
	if !r.looking && r.slotsOpen() {
		r.looking = true
		cmds = append(cmds, r.env.Tick(lookPause, lookMsg{}))
	}
	return tea.Batch(cmds...)
}

func (r *root) arrive() tea.Cmd {
	if r.at == r.env.Flow.At() {
		return nil
	}
	r.at = r.env.Flow.At()
	r.nudged, r.help, r.said = false, nil, Status{}
	open := r.screen().Open()
	if nodes, _ := r.env.Flow.Nodes(); len(nodes) > plan.Many {
		return tea.Batch(open, r.tidy()) // the step before may have listed all of them
	}
	return open
}

// slotsOpen says that what came from files is on screen, so that a change on
// disk must show.
func (r *root) slotsOpen() bool {
	if _, nodes := r.env.Flow.Nodes(); nodes != "" && r.at == flow.StepFacts {
		return true
	}
	switch r.at {
	case flow.StepCA, flow.StepCerts, flow.StepTopology, flow.StepReview:
		return len(r.env.Flow.Due(topology.BringCA))+len(r.env.Flow.Due(topology.BringCerts)) > 0
	}
	return false
}

// answered applies the event of an effect.
func (r *root) answered(e flow.Event) tea.Cmd {
	if e == nil {
		return nil
	}
	if _, looked := e.(flow.Looked); looked {
		r.work.looking = false
	}
	cmd := r.do(e)
	switch e := e.(type) {
	case flow.Saved:
		return tea.Batch(cmd, r.saved(e))
	case flow.Wrote:
		r.said = Status{}
		if r.end.how != "" { // somebody asked to leave while it ran
			return tea.Batch(cmd, tea.Quit)
		}
		return tea.Batch(cmd, r.tidy())
	case flow.PreparedSet, flow.NodesRead:
		return tea.Batch(cmd, r.tidy())
	}
	return cmd
}

// tidy gives back what a long effect left behind, away from the screen.
func (r *root) tidy() tea.Cmd {
	tidy := r.env.Tidy
	if tidy == nil {
		return nil
	}
	return func() tea.Msg {
		tidy()
		return nil
	}
}

// interrupt is ctrl+c: it stops a write safely, else asks once, and leaves at
// once the second time.
func (r *root) interrupt() tea.Cmd {
	f := r.env.Flow
	switch {
	case f.Writing():
		r.work.writer.stop()
		r.said = Status{theme.BusySign, "stopping; if the files are being put in place already, that is finished first"}
		return nil
	case f.At() == flow.StepWrite && r.preparing():
		return r.do(flow.Stop{})
	case f.At() == flow.StepDone:
		return r.quit()
	case r.leave != nil || r.tooSmall():
		r.end.how = Left
		return tea.Quit
	}
	r.help, r.leave = nil, &leaveDialog{}
	return nil
}

func (r *root) preparing() bool {
	_, busy := r.env.Flow.Preparing()
	return busy
}

// quit ends the program where it is: after the write it is done, before it left.
func (r *root) quit() tea.Cmd {
	if r.env.Flow.Writing() {
		return nil
	}
	if r.end.how == "" {
		r.end.how = Left
		if r.env.Flow.At() == flow.StepDone {
			r.end.how = Done
		}
	}
	return tea.Quit
}

// signalled ends the program because the system asked for it. A write is
// stopped, or finished when its commit has begun: Run waits for it.
func (r *root) signalled(s os.Signal) tea.Cmd {
	if r.end.how == "" {
		r.end = ending{Signalled, s}
	}
	r.work.writer.stop()
	return tea.Quit
}

// resume goes on with answers that were saved.
func (r *root) resume(open func() (*flow.State, []flow.Effect, error)) tea.Cmd {
	return func() (msg tea.Msg) {
		defer func() {
			if v := recover(); v != nil {
				msg = resumeMsg{err: panicked(v)}
			}
		}()
		s, effects, err := open()
		return resumeMsg{s, effects, err}
	}
}

// resumed goes forwards through everything that is answered, to the first step
// that has something to ask.
func (r *root) resumed(m resumeMsg) tea.Cmd {
	if m.err != nil {
		r.said = Status{theme.BadSign, m.err.Error()}
		return nil
	}
	old := r.env.Flow
	r.env.Flow = m.state
	old.Forget()
	r.screens, r.at = map[flow.Step]Screen{}, ""
	return tea.Batch(r.work.start(m.effects), r.forwards())
}

// forwards goes through every step that is answered.
func (r *root) forwards() tea.Cmd {
	var cmds []tea.Cmd
	for r.env.Flow.At() != flow.StepTopology {
		if _, blocked := r.env.Flow.Worst(r.env.Flow.At()); blocked {
			break
		}
		var effects []flow.Effect
		for _, e := range r.env.Flow.Apply(flow.Next{}) {
			if _, save := e.(flow.Save); !save { // nothing changed since
				effects = append(effects, e)
			}
		}
		cmds = append(cmds, r.work.start(effects))
	}
	return tea.Batch(append(cmds, r.arrive())...)
}
