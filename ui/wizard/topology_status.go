package wizard

import (
	"fmt"

	"certwright/flow"
	"certwright/ui/diagram"
	"certwright/ui/theme"
)

// Status is the worst that stands in nobody's way.
func (s *topologyScreen) Status() Status {
	s.refresh()
	if s.export != nil {
		return s.exportStatus()
	}
	if p, busy := s.Flow.Preparing(); busy {
		return Status{theme.BusySign, working(p)}
	}
	if s.model == nil {
		return Status{Text: "Nothing has been written yet."}
	}
	var warned []*diagram.Node
	ending := 0
	for _, n := range s.model.Problems() {
		warned = append(warned, n)
		if n.EndsSoon() && n.Days >= 0 {
			ending++
		}
	}
	switch {
	case ending > 0 && ending == len(warned):
		return Status{theme.WarnSign, count(ending, "certificate") + " " + verb(ending, "ends", "end") + " within 60 days: " + listOf(warned) + ". n goes to " + verb(ending, "it", "the next") + "."}
	case len(warned) > 0:
		return Status{theme.WarnSign, "Worth a look: " + listOf(warned) + ". n goes to " + verb(len(warned), "it", "the next") + "."}
	case s.model.Proof == diagram.Proved:
		return Status{theme.GoodSign, upper(s.model.ProofWords()) + ". Nothing has been written yet."}
	}
	return Status{Text: "Nothing has been written yet."}
}

// Urgent is about the file that is being named.
func (s *topologyScreen) Urgent() (Status, bool) {
	if s.export == nil {
		return Status{}, false
	}
	return s.exportStatus(), true
}

// working is how far the set is, in words.
func working(p flow.Progress) string {
	what := map[string]string{
		"keys": "making keys", "issue": "signing", "check": "checking the set", "prove": "proving every call by real handshakes", "render": "making the files",
	}[p.Stage]
	if what == "" {
		what = "making the set"
	}
	if p.Total > 0 {
		return upper(what) + fmt.Sprintf(", %d of %d.", p.Done, p.Total)
	}
	return upper(what) + "."
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// listOf names the first few nodes.
func listOf(nodes []*diagram.Node) string {
	var names []string
	for i, n := range nodes {
		if i == 3 && len(nodes) > 4 {
			names = append(names, number(len(nodes)-i)+" more")
			break
		}
		names = append(names, n.Title)
	}
	return sentenceList(names)
}

// Help is what the certificate under the cursor is for, and what the signs mean.
func (s *topologyScreen) Help() []string {
	var out []string
	if n := s.node(); n != nil {
		out = nodeHelp(s.Flow, n.Slot)
	}
	return append(out,
		"G, C and B are the modes: generate, bring CA, bring certs. Diamonds are CAs (filled: a root), dots are certificates. At the right end stand what was found (a cross stops the write, an exclamation mark does not), or a tick when every call with that certificate was proved, and the days that it lasts.",
		"Who calls whom has a line for each connection of the running cluster: the program that calls, what it presents, whom it calls and what that presents, and whose signatures are trusted. Each was tried in memory, under every name that is dialled, with TLS 1.2 and 1.3.",
		"“opens” in the details is what a thief of that key could open. Servers of one CA accept all of its client certificates; a group of system:masters is every right in the cluster.",
	)
}
