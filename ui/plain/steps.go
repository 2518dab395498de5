package plain

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/plan"
)

func (s *session) profile() error {
	var options []string
	names := s.State.Catalogue().Names()
	preset := max(0, slices.Index(names, s.State.Plan().Profile))
	for _, name := range names {
		p, err := s.State.Catalogue().Load(name)
		if err != nil {
			return err
		}
		options = append(options, fmt.Sprintf("%s: %s", p.Title, p.Summary))
	}
	i, err := s.choose("Which kind of cluster?", options, preset)
	if err != nil {
		return err
	}
	s.do(flow.ChooseProfile{Name: names[i]})
	return s.next()
}

// facts asks each fact in order; back goes to the question before.
func (s *session) facts() error {
	for i := 0; ; {
		asked := s.factQuestions()
		if i >= len(asked) {
			break
		}
		err := asked[i]()
		switch {
		case errors.Is(err, errStay):
		case errors.Is(err, errBack) && i > 0:
			i--
		case err != nil:
			return err
		default:
			i++
		}
	}
	if err := s.keys(); err != nil {
		return err
	}
	return s.next()
}

// factQuestions are the questions about the facts that are asked now. Where
// there may be several nodes, that is asked before what describes a single one,
// so that its answer changes only what follows.
func (s *session) factQuestions() []func() error {
	var out []func() error
	asked := s.State.Facts()
	nodes := s.State.Profile().HasNodes()
	for _, f := range s.State.Profile().Facts {
		if nodes && f.PerNode {
			nodes = false
			out = append(out, s.nodes)
		}
		if slices.ContainsFunc(asked, func(a topology.Fact) bool { return a.Name == f.Name }) {
			out = append(out, func() error { return s.fact(f) })
		}
	}
	if nodes {
		out = append(out, s.nodes)
	}
	return out
}

func (s *session) fact(f topology.Fact) error {
	title := f.Title
	if len(f.Choices) > 0 {
		title += " (" + strings.Join(f.Choices, " or ") + ")"
	}
	if f.Optional {
		title += " (may be empty; - makes it so)"
	}
	answer, err := s.askValue(title, s.State.Topology().Facts.Get(f.Name))
	if err != nil {
		if errors.Is(err, errStay) {
			s.say("%s: %s", f.Title, f.Help)
		}
		return err
	}
	switch {
	case strings.TrimSpace(answer) == "":
	case answer == "-" && f.Optional:
		s.do(flow.SetFact{Name: f.Name})
	default:
		if err := f.Check(answer); err != nil {
			s.say("Error: %s. Write one like %s.", untrusted.Text(err.Error()), f.Example)
			return errStay
		}
		s.do(flow.SetFact{Name: f.Name, Value: answer})
	}
	for _, p := range s.State.FactProblems() {
		if p.Fact == f.Name {
			s.say("Error: %s.", p.Text())
			return errStay
		}
	}
	return nil
}

func (s *session) keys() error {
	algorithms := plan.Algorithms(s.State.Profile())
	var words []string
	for _, a := range algorithms {
		words = append(words, a.Words())
	}
	preset := max(0, slices.Index(algorithms, s.State.Plan().Algorithm(s.State.Profile())))
	i, err := s.choose("Which kind of keys?", words, preset)
	if err != nil {
		return err
	}
	s.do(flow.SetAlgorithm{Algorithm: algorithms[i]})
	return nil
}

func (s *session) modes() error {
	for _, c := range s.State.Topology().Components {
		modes := c.Modes()
		var options []string
		for _, m := range modes {
			text := modeWords(c, m)
			if err := s.State.Unavailable(c.ID, m); err != nil {
				var u *topology.Unavailable
				if errors.As(err, &u) {
					text += " (not as things stand: " + u.Reason + ")"
				}
			}
			options = append(options, text)
		}
		preset := max(0, slices.Index(modes, s.State.Plan().Mode(c.ID)))
		i, err := s.choose(fmt.Sprintf("Where do the certificates of %s come from? It is for: %s.", c.Title, lower(c.Help)), options, preset)
		if err != nil {
			return err
		}
		s.do(flow.SetMode{Component: c.ID, Mode: modes[i]})
	}
	return s.next()
}

func lower(s string) string {
	if s == "" || strings.ToUpper(s[:2]) == s[:2] {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func modeWords(c topology.Component, m topology.Mode) string {
	switch m {
	case topology.Generate:
		if !c.OwnsCA {
			return "generate: signed by the CA that it shares"
		}
		return "generate: a new CA and new certificates"
	case topology.BringCA:
		return "bring CA: your CA signs new certificates"
	}
	return "bring certs: your own certificates and keys, as they are"
}

// material asks for the files of each slot that is due in the step.
func (s *session) material(at flow.Step) error {
	mode := topology.BringCA
	if at == flow.StepCerts {
		mode = topology.BringCerts
		if err := s.folder(); err != nil {
			return err
		}
	}
	slots := s.State.Due(mode)
	for i := 0; i < len(slots); {
		err := s.slot(slots[i], mode)
		switch {
		case errors.Is(err, errStay):
		case errors.Is(err, errBack) && i > 0:
			i--
		case err != nil:
			return err
		default:
			i++
		}
	}
	return s.next()
}

func (s *session) folder() error {
	for {
		answer, err := s.askValue("Folder to take all files from, or Enter to give them one by one", "")
		if errors.Is(err, errStay) {
			continue
		}
		if err != nil || strings.TrimSpace(answer) == "" {
			return err
		}
		s.do(flow.FillFrom{Dir: s.home(strings.TrimSpace(answer))})
		filled, _ := s.State.Filled()
		if filled == nil {
			return nil
		}
		if filled.Err != nil {
			s.say("Error: %s.", untrusted.Text(filled.Err.Error()).Max(1000))
			continue
		}
		s.say("%d files have found their place.", len(filled.Sources))
		for _, u := range filled.Unplaced {
			s.say("Not placed: %s.", u)
		}
		return nil
	}
}

func (s *session) home(p string) string {
	if rest, ok := strings.CutPrefix(p, "~/"); ok && s.Home != "" {
		return filepath.Join(s.Home, rest)
	}
	return p
}

func (s *session) slot(slot *topology.Slot, mode topology.Mode) error {
	if slot.Kind != topology.KeyPair {
		if err := s.field(slot, flow.PartCert, "Certificate of "+slot.Title); err != nil {
			return err
		}
	}
	if slot.Kind != topology.CA || mode == topology.BringCA {
		if _, given := s.keyGiven(slot); !given {
			if err := s.field(slot, flow.PartKey, "Private key of "+slot.Title); err != nil {
				return err
			}
		}
	}
	for s.State.Verdict(slot.ID).NeedsPassphrase {
		if err := s.passphrase(slot); err != nil {
			return err
		}
	}
	return s.verdict(slot)
}

// keyGiven says whether the key came with the certificate in one file.
func (s *session) keyGiven(slot *topology.Slot) (string, bool) {
	v := s.State.Verdict(slot.ID)
	return "", v.Pair != nil && v.Pair.Key != nil && s.State.Source(flow.Field{Slot: slot.ID, Part: flow.PartKey}).Empty()
}

func (s *session) field(slot *topology.Slot, part flow.Part, title string) error {
	f := flow.Field{Slot: slot.ID, Part: part}
	preset := s.State.Source(f).Path
	question := title + ", path"
	if slot.Optional {
		question += " (Enter to have it made)"
	}
	if part == flow.PartKey && s.State.CanBeElsewhere(slot.Component) {
		question += ", or elsewhere"
		if s.State.KeyElsewhere(slot.Component) {
			preset = "elsewhere"
		}
	}
	answer, err := s.ask(question, preset)
	if err != nil {
		return err
	}
	switch {
	case part == flow.PartKey && strings.EqualFold(answer, "elsewhere") && s.State.CanBeElsewhere(slot.Component):
		s.do(flow.SetElsewhere{Component: slot.Component, On: true})
		s.say("The key of this CA is elsewhere: signing requests are written in place of the set.")
	case strings.HasPrefix(answer, "-----BEGIN "):
		pasted, err := s.pasted(answer)
		if err != nil || pasted == nil {
			return err
		}
		s.do(flow.SetSource{Field: f, Source: flow.Source{Pasted: pasted}})
	case strings.TrimSpace(answer) != "":
		s.do(flow.SetSource{Field: f, Source: flow.Source{Path: s.home(strings.TrimSpace(answer))}})
	}
	return nil
}

// pasted reads a block that was pasted to its end. A private key is not taken:
// it would stay on the screen and in the scrollback.
func (s *session) pasted(first string) ([]byte, error) {
	secret := strings.Contains(first, "PRIVATE KEY")
	lines := []string{first}
	for size := len(first); ; {
		if strings.HasPrefix(lines[len(lines)-1], "-----END ") {
			break
		}
		line, err := s.line()
		if err != nil {
			return nil, err
		}
		if size += len(line) + 1; size > material.MaxCertificates {
			s.say("Error: what was pasted is too long.")
			return nil, errStay
		}
		lines = append(lines, line)
	}
	if secret {
		s.say("Error: a private key is read from a file only, because what is pasted here stays on the screen. Make a new key if others could see it.")
		return nil, errStay
	}
	return []byte(strings.Join(lines, "\n") + "\n"), nil
}

func (s *session) passphrase(slot *topology.Slot) error {
	if s.Secret == nil {
		s.say("Error: the key of %s is encrypted, and here its passphrase cannot be typed unseen. Use certwright apply --passphrase-file.", slot.Title)
		return errBack
	}
	fmt.Fprintf(s.Out, "Passphrase of the key of %s (not shown): ", slot.Title)
	pass, err := s.Secret()
	fmt.Fprintln(s.Out)
	if err != nil {
		return ErrLeft
	}
	if len(pass) == 0 {
		return errBack
	}
	s.do(flow.SetPassphrase{Slot: slot.ID, Passphrase: pass})
	if s.State.Verdict(slot.ID).NeedsPassphrase {
		s.say("Error: this passphrase does not open it. Press Enter alone to go back.")
	}
	return nil
}

// verdict says what is known of a slot, and asks again when it will not do.
func (s *session) verdict(slot *topology.Slot) error {
	v := s.State.Verdict(slot.ID)
	for _, row := range v.Facts {
		if row[0] == "Subject" || row[0] == "Until" || row[0] == "Key" {
			s.say("  %s: %s", row[0], row[1])
		}
	}
	for _, f := range v.Findings {
		word := map[check.Severity]string{check.Error: "Error", check.Warning: "Warning", check.Info: "Note"}[f.Severity]
		s.say("%s: %s.", word, sentence(f.Message, f.Fix))
	}
	if v.Pair == nil && slot.Optional {
		return nil
	}
	if v.OK() {
		s.say("Good: %s is usable.", slot.Title)
		return nil
	}
	if v.Pair == nil && len(v.Findings) == 0 {
		s.say("Error: %s was not given.", slot.Title)
	}
	return errStay
}

func (s *session) topology() error {
	t := s.State.Topology()
	for _, a := range t.Authorities {
		s.say("%s:", a.Title)
		nodes := false
		for i := range t.Slots {
			if slot := &t.Slots[i]; slot.Authority == a.ID && slot.Kind == topology.Leaf {
				s.say("  signs %s, %s, %s", slot.Title, usageWords(slot), s.State.Plan().Mode(slot.Component).Words())
				nodes = nodes || slot.Node != ""
			}
		}
		if nodes && t.Here != nil {
			s.say("  signs the same for %d further nodes", len(t.Nodes)-len(t.Here))
		}
	}
	p, err := s.State.Prepared()
	for _, e := range t.Edges {
		state := "not proved"
		if p != nil {
			state = "proved"
			if hs := prove.OfEdge(p.Handshakes, e.ID); len(prove.Failed(hs)) > 0 || len(hs) == 0 {
				state = "failed"
			}
		}
		s.say("%s: %s.", e.Title, state)
	}
	if err != nil && p == nil {
		s.say("Error: %s.", untrusted.Text(err.Error()).Max(1000))
	}
	if s.Requests != nil && len(s.State.Elsewhere()) > 0 && len(s.State.Blockers(flow.StepTopology)) == 1 {
		s.say("The set waits for certificates, because a CA has its key elsewhere.")
		if _, err := s.ask("Press Enter to write signing requests", ""); err != nil {
			return err
		}
		return errAsk
	}
	if _, err := s.ask("Press Enter to go on", ""); err != nil {
		return err
	}
	return s.next()
}

func usageWords(s *topology.Slot) string {
	switch {
	case s.Server() && s.Client():
		return "for servers and clients"
	case s.Server():
		return "for servers"
	}
	return "for clients"
}

func (s *session) review() error {
	p, err := s.State.Prepared()
	if err != nil || p == nil {
		return s.next() // says what stands in the way
	}
	counts := map[flow.What]int{}
	for _, c := range p.Survey.Changes {
		counts[c.What] += c.Files()
	}
	s.say("%d files will be in %s: %d new, %d replaced, %d removed, %d unchanged.", p.Count(), untrusted.Text(p.Survey.Dir).Max(1000),
		counts[flow.Added], counts[flow.Overwrite]+counts[flow.Takeover], counts[flow.Remove], counts[flow.Same])
	if sampled := prove.Sampled(p.Topology, p.Handshakes); sampled != "" {
		s.say("%d handshakes proved it: %s.", prove.Made(p.Handshakes), sampled)
	} else {
		s.say("All %d connections were proved by %d handshakes.", len(p.Topology.Edges), len(p.Handshakes))
	}
	dir, err := s.askValue("Directory", p.Survey.Dir)
	if err != nil {
		return err
	}
	if dir = s.home(strings.TrimSpace(dir)); dir != "" && dir != p.Survey.Dir {
		s.do(flow.SetOutput{Dir: dir})
		return errStay
	}
	if err := s.caKeys(); err != nil {
		return err
	}
	if p, _ = s.State.Prepared(); p == nil {
		return s.next() // says what stands in the way
	}
	if want, _, asked := s.State.Confirmation(); asked {
		s.say("Warning: %s.", p.Survey.Confirm())
		typed, err := s.ask("Type "+want+" to agree, or Enter for another directory", "")
		if err != nil {
			return err
		}
		s.do(flow.Confirm{Typed: strings.TrimSpace(typed)})
	} else {
		yes, err := s.ask("Write them now? yes or no", "yes")
		if err != nil {
			return err
		}
		if yes = strings.ToLower(strings.TrimSpace(yes)); yes != "" && yes != "yes" && yes != "y" {
			return errBack
		}
	}
	return s.next()
}

// failedWrite is the step of a write that failed; one that works ends it.
func (s *session) failedWrite() error {
	if w := s.State.Written(); w != nil && w.Err != nil {
		s.say("Error: %s.", untrusted.Text(w.Err.Error()).Max(1000))
	}
	return errBack
}

func (s *session) done() {
	r := s.State.Written().Receipt
	dir := untrusted.Text(r.Dir).Max(1000)
	s.say("")
	s.say("Done. %d files were written to %s.", r.Written, dir)
	if r.Backup != "" {
		s.say("What was replaced is kept in %s.", untrusted.Text(r.Backup).Max(1000))
	}
	notes := r.Notes
	if p, _ := s.State.Prepared(); p != nil { // what stays in plain of keys that were sealed, and the like
		notes = append(slices.Clip(notes), p.Notes...)
	}
	for _, n := range notes {
		s.say("Note: %s.", untrusted.Text(n).Max(1000))
	}
	s.say("Read next: %s", filepath.Join(dir, "NEXT-STEPS.md"))
	s.say("The same without questions: certwright apply -f %s", untrusted.Text(filepath.Join(r.Dir, planFile)).ShellArg())
}

// planFile is the plan that every set keeps.
const planFile = "certwright.yaml"
