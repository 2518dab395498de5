package wizard

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// blockerText is a blocker as one line: what. Fix.
func blockerText(s *flow.State, b flow.Blocker) string {
	what := b.Message
	if b.Step == flow.StepFacts {
		for _, f := range s.Profile().Facts {
			if f.Name == b.Where {
				what = f.Title + ": " + what
			}
		}
		if text, ok := nodesBlocker(b); ok {
			what = upper(text)
		}
	}
	return sentence(what, b.Fix)
}

// sentence joins what is wrong and what to do about it.
func sentence(what, fix string) string {
	what = strings.TrimRight(what, ". ")
	if fix = strings.TrimRight(fix, ". "); fix == "" {
		return what + "."
	}
	return what + ". " + upper(fix) + "."
}

// upper makes the first letter a capital. What starts with a word that is
// written otherwise (a flag, a path, a command) stays as it is.
func upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	word, _, _ := strings.Cut(s, " ")
	if !unicode.IsLower(r) || strings.ContainsAny(word, ".-/$=_") {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// blockerSign tells what is wrong from what is only not there yet.
func blockerSign(s *flow.State, b flow.Blocker) theme.Sign {
	if b.Slot == "" {
		return theme.BadSign
	}
	v := s.Verdict(b.Slot)
	switch {
	case v.Pending:
		return theme.BusySign
	case b.Step != flow.StepCA && b.Step != flow.StepCerts:
		return theme.BadSign
	case s.Source(flow.Field{Slot: b.Slot, Part: b.Part}).Empty():
		return theme.NoSign
	}
	return theme.BadSign
}

// stepHelp is what a step decides, in a few sentences.
func stepHelp(step flow.Step) string {
	switch step {
	case flow.StepProfile:
		return "A profile is a kind of cluster: which authorities there are, which certificates they sign, and which files are written for whom. Choose the one that is yours."
	case flow.StepFacts:
		return "Facts are the values of this cluster that names in certificates depend on. A field left alone follows its default, which may depend on the fields above it."
	case flow.StepModes:
		return "For each component choose where its certificates come from. Generate makes them all here. Bring CA signs them with a CA of yours. Bring certs takes certificates that exist and uses them as they are."
	case flow.StepCA:
		return "Hand over the certificate and the key of each CA that is to sign here: choose a file, type its path, or paste it. Each is checked at once, and again whenever its file changes."
	case flow.StepCerts:
		return "Hand over each certificate with its key: choose a file, type its path, paste it, or fill all of them from a folder. Each is checked at once, and again whenever its file changes."
	case flow.StepTopology:
		return "The whole set as it will be: who signed what, who dials whom, and whether every connection works, tried with real handshakes. Nothing has been written yet."
	case flow.StepReview:
		return "Every file that will be written, and what happens to those that are there already. Nothing is written before you press enter here."
	case flow.StepWrite:
		return "The files are staged beside their place, read back and compared, and then put in place by renaming. Until then nothing in the destination changes."
	case flow.StepDone:
		return "The set is written. The list of what to do next is printed below your shell's prompt when you leave."
	}
	return ""
}

// short is a path as it may be shown: the person's own directory is ~.
func (e *Env) short(path string) string {
	if rest, found := strings.CutPrefix(path, e.Home); found && e.Home != "" && strings.HasPrefix(rest, "/") {
		path = "~" + rest
	}
	return untrusted.Text(path).Max(200)
}
