// Package plain is the wizard as questions and answers, a line each: for
// screen readers, braille lines and terminals without cursor movement. Start
// with Run. It drives the same flow as the wizard, draws no boxes, moves no
// cursor, and has a word for every sign.
//
// It writes no file and judges nothing.
package plain

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"certwright/certs/untrusted"
	"certwright/flow"
)

// Runner does what the flow asks for; flow/install has it.
type Runner interface {
	Run(ctx context.Context, e flow.Effect, progress func(flow.Event)) flow.Event
}

// Options are what Run works on.
type Options struct {
	State   *flow.State
	Effects []flow.Effect
	Runner  Runner
	In      io.Reader
	Out     io.Writer
	// Secret reads a passphrase without showing it; nil when it cannot be
	// hidden, and then none is asked for.
	Secret func() ([]byte, error)
	// NewPassphrase makes one for the keys of CAs. It is shown and typed back
	// unseen, so it needs Secret as well.
	NewPassphrase func() []byte
	Home          string
	// Requests writes signing requests in place of a set, for a CA whose key is
	// elsewhere, and ends the run; nil where there is no such thing.
	Requests func(context.Context, *flow.Answers) error
	// SavePath is where the answers are kept, for the words at the end.
	SavePath string
}

// The ways to end without a set.
var (
	ErrLeft = errors.New("left")         // the person left, or the input ended
	errBack = errors.New("back")         // to the question before
	errStay = errors.New("ask it again") // help was given
	errAsk  = errors.New("requests")     // signing requests are written in place of a set
)

// maxLine is the longest line that is read, in bytes: a pasted block is many lines.
const maxLine = 64 << 10

// session is one run of questions.
type session struct {
	Options
	ctx context.Context
	in  *bufio.Scanner
}

// Run asks until the set is written. ErrLeft means that the person left.
func Run(ctx context.Context, o Options) error {
	s := &session{Options: o, ctx: ctx, in: bufio.NewScanner(o.In)}
	s.in.Buffer(make([]byte, 0, 4096), maxLine)
	defer o.State.Forget()
	s.settle(o.Effects)
	s.say("certwright, as questions and answers.")
	s.say("Press Enter to accept what is in brackets. At any question type back, help or quit.")
	for {
		err := s.step()
		switch {
		case err == nil && s.State.At() == flow.StepDone:
			s.done()
			return nil
		case err == nil || errors.Is(err, errStay):
		case errors.Is(err, errAsk):
			return s.Requests(ctx, s.State.WholeAnswers())
		case errors.Is(err, errBack):
			if s.State.At() == flow.StepProfile {
				s.say("This is the first question.")
			}
			s.do(flow.Back{})
		default:
			if errors.Is(err, ErrLeft) && s.SavePath != "" {
				s.settle([]flow.Effect{flow.Save{Plan: s.State.Plan()}})
				if save := s.State.LastSave(); save.Err == nil && save.Path != "" {
					s.say("Your answers are saved. Go on with: certwright --accessible --resume")
				}
			}
			return err
		}
	}
}

//go:noinline // many callers, none of them hot
func (s *session) say(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }

// do applies an event and runs all that comes of it.
func (s *session) do(e flow.Event) { s.settle(s.State.Apply(e)) }

func (s *session) settle(effects []flow.Effect) {
	for len(effects) > 0 {
		e := effects[0]
		effects = effects[1:]
		ctx := s.ctx
		if _, write := e.(flow.Write); write {
			ctx = context.WithoutCancel(ctx) // a write that has begun is ended
		}
		if event := s.Runner.Run(ctx, e, nil); event != nil {
			effects = append(effects, s.State.Apply(event)...)
		}
	}
}

// ask prints a question with what Enter stands for, and reads one line.
func (s *session) ask(question, preset string) (string, error) {
	if preset != "" {
		question += " [" + untrusted.Text(preset).Max(1000) + "]"
	}
	fmt.Fprintf(s.Out, "%s: ", question)
	line, err := s.line()
	if err != nil {
		return "", err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "back":
		return "", errBack
	case "quit", "exit":
		return "", ErrLeft
	case "help", "?":
		s.help()
		return "", errStay
	}
	return line, nil
}

// askValue is ask for a value of one line. A PEM block that was pasted there is
// read to its end, so that no line of it answers a question, and is repeated
// nowhere.
func (s *session) askValue(question, preset string) (string, error) {
	answer, err := s.ask(question, preset)
	if err != nil || !strings.HasPrefix(answer, "-----BEGIN ") {
		return answer, err
	}
	if _, err := s.pasted(answer); err != nil {
		return "", err
	}
	s.say("Error: that was a PEM block, and here a value is asked.")
	return "", errStay
}

// line reads one line. When the input or the context ends, the person left.
func (s *session) line() (string, error) {
	if s.ctx.Err() != nil || !s.in.Scan() {
		fmt.Fprintln(s.Out)
		return "", ErrLeft
	}
	return strings.TrimRight(s.in.Text(), "\r"), nil
}

// choose asks for one of several by its number; preset is an index.
func (s *session) choose(question string, options []string, preset int) (int, error) {
	for {
		s.say("%s", question)
		for i, o := range options {
			s.say("  %d. %s", i+1, o)
		}
		answer, err := s.ask("Number", strconv.Itoa(preset+1))
		if errors.Is(err, errStay) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if strings.TrimSpace(answer) == "" {
			return preset, nil
		}
		n, err := strconv.Atoi(strings.TrimSpace(answer))
		if err == nil && n >= 1 && n <= len(options) {
			return n - 1, nil
		}
		s.say("Error: type a number from 1 to %d.", len(options))
	}
}

func (s *session) step() error {
	visible := s.State.Visible()
	at := s.State.At()
	for i, step := range visible {
		if step == at {
			s.say("")
			s.say("Step %d of %d: %s.", i+1, len(visible), step.Title())
		}
	}
	switch at {
	case flow.StepProfile:
		return s.profile()
	case flow.StepFacts:
		return s.facts()
	case flow.StepModes:
		return s.modes()
	case flow.StepCA, flow.StepCerts:
		return s.material(at)
	case flow.StepTopology:
		return s.topology()
	case flow.StepReview:
		return s.review()
	case flow.StepWrite:
		return s.failedWrite()
	}
	return nil
}

// next goes on, or says what stands in the way.
func (s *session) next() error {
	at := s.State.At()
	s.do(flow.Next{})
	if s.State.At() != at {
		return nil
	}
	for _, b := range s.State.Blockers(at) {
		s.say("Error: %s.", sentence(b.Message, b.Fix))
	}
	return errStay
}

// sentence joins what and fix as one line.
func sentence(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p = strings.TrimSuffix(strings.TrimSpace(p), "."); p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, ". ")
}

func (s *session) help() {
	switch s.State.At() {
	case flow.StepProfile:
		s.say("Help: a profile is the kind of cluster. It decides which CAs and certificates there are.")
	case flow.StepFacts:
		s.say("Help: the names in the certificates are computed from these facts. Each has a default, in brackets.")
	case flow.StepModes:
		s.say("Help: generate makes a new CA and all certificates. Bring CA signs them with your CA. Bring certs takes your own certificates as they are.")
	case flow.StepCA, flow.StepCerts:
		s.say("Help: type the path of a file. Each is checked at once. A certificate may also be pasted; a private key is read from files only, because what is typed here stays on the screen.")
	case flow.StepTopology:
		s.say("Help: who signed what, and who calls whom. Every call was tried with a real handshake.")
	default:
		s.say("Help: nothing is written before you say so here.")
	}
	s.say("Type back for the question before, quit to leave; your answers are kept.")
}
