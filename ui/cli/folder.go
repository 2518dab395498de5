package cli

import (
	"bufio"
	"fmt"
	"slices"
	"strings"

	"certwright/certs/check"
	"certwright/certs/place"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow/install"
)

// placements are what was placed, by slot.
func placements(l *install.Loaded) map[topology.SlotID][]place.Placed {
	out := map[topology.SlotID][]place.Placed{}
	for _, p := range l.Sorted.Placed {
		out[p.Slot] = append(out[p.Slot], p)
	}
	return out
}

func folderAsJSON(l *install.Loaded) folderJSON {
	out := folderJSON{
		OK: l.OK(), Slots: map[topology.SlotID]folderSlot{}, Unplaced: []place.Unplaced{}, Missing: []topology.SlotID{}, Findings: []check.Finding{}, Notes: []string{},
	}
	placed := placements(l)
	for id, s := range l.Slots {
		fs := folderSlot{OK: check.OK(s.Findings), Cert: untrusted.Text(s.CertFile).String(), Key: untrusted.Text(s.KeyFile).String(), Findings: append([]check.Finding{}, s.Findings...)}
		if ps := placed[id]; len(ps) > 0 {
			fs.Why = ps[0].Why
		}
		out.Slots[id] = fs
	}
	for _, u := range l.Sorted.Unplaced {
		out.Unplaced = append(out.Unplaced, place.Unplaced{File: untrusted.Text(u.File).String(), Why: u.Why, Copy: untrusted.Text(u.Copy).String()})
	}
	out.Missing = append(out.Missing, l.Sorted.Missing...)
	out.Findings = append(out.Findings, l.Findings...)
	return out
}

// Above these numbers what is alike is counted and not listed.
const (
	manyNodes  = 16 // nodes of one slot whose certificates are acceptable
	manyCopies = 3  // files that repeat one
	manyFiles  = 20 // files that repeat any
)

// printFolder writes the verdict on a folder: slot by slot, then the whole,
// what fits nowhere and what is missing, and at last all of it in a line.
func (a *app) printFolder(l *install.Loaded) {
	out := bufio.NewWriter(a.World.Out) // a folder of many nodes has thousands of lines
	whole := *a
	whole.World.Out = out
	whole.folderLines(l)
	out.Flush()
}

func (a *app) folderLines(l *install.Loaded) {
	placed := placements(l)
	quiet, told := quietNodes(l), map[topology.SlotID]bool{}
	var all []check.Finding
	good := 0
	for i := range l.Topology.Slots {
		slot := &l.Topology.Slots[i]
		s := l.Slots[slot.ID]
		if s == nil {
			continue
		}
		all = append(all, s.Findings...)
		if check.OK(s.Findings) {
			good++
		}
		base := slot.ID.Base()
		switch {
		case len(s.Findings) > 0 || quiet[base] <= manyNodes:
			a.printSlot(slot, s, placed[slot.ID], l.Ours)
		case !told[base]:
			told[base] = true
			a.printf("%-28s ok on %d nodes\n", base, quiet[base])
		}
	}
	if len(l.Findings) > 0 {
		a.printf("\nthe set as a whole\n")
		for line := range strings.Lines(findingsText(l.Findings)) {
			a.printf("  %s", line)
		}
	}
	a.printUnplaced(l.Sorted.Unplaced)
	if len(l.Sorted.Missing) > 0 {
		a.printf("\nmissing\n")
		for _, id := range l.Sorted.Missing {
			a.printf("  %-26s %s\n", id, untrusted.Text(l.Topology.Slot(id).Title))
		}
	}
	word := "acceptable"
	if !l.OK() {
		word = "not acceptable"
	}
	copies, more := copied(l.Sorted.Unplaced), ""
	if copies > 0 {
		more = fmt.Sprintf(", %d copies", copies)
		if copies == 1 {
			more = ", 1 copy"
		}
	}
	a.printf("\n%s: %s, %d missing, %d unplaced%s; %d of %s acceptable\n", word, tally(append(all, l.Findings...)),
		len(l.Sorted.Missing), len(l.Sorted.Unplaced)-copies, more, good, count(len(l.Slots), "slot"))
}

// quietNodes counts, for each slot that every node has, those without a finding.
func quietNodes(l *install.Loaded) map[topology.SlotID]int {
	out := map[topology.SlotID]int{}
	for id, s := range l.Slots {
		if id.Node() != "" && len(s.Findings) == 0 {
			out[id.Base()]++
		}
	}
	return out
}

// printSlot writes one slot: its verdict, its files and why they are there, and
// what is wrong with them.
func (a *app) printSlot(slot *topology.Slot, s *install.LoadedSlot, placed []place.Placed, ours bool) {
	verdict := "ok"
	switch n := tally(s.Findings); {
	case !check.OK(s.Findings):
		verdict = "not acceptable: " + n
	case check.Worst(s.Findings) == check.Warning:
		verdict = "ok, " + n
	}
	a.printf("%-28s %s\n", slot.ID, verdict)
	for i, p := range placed {
		part, why := string(p.Part), p.Why
		if slot.Kind == topology.KeyPair && p.Part == place.Cert {
			part = "public"
		}
		if i+1 < len(placed) && placed[i+1].File == p.File {
			part += ", " + string(placed[i+1].Part)
		} else if i > 0 && placed[i-1].File == p.File {
			continue
		}
		if ours || strings.HasPrefix(why, "its public key is") {
			why = ""
		}
		a.printf("  %-9s %s\n", part, untrusted.Text(p.File))
		if why != "" {
			a.printf("            %s\n", why)
		}
	}
	for line := range strings.Lines(findingsText(s.Findings)) {
		a.printf("  %s", line)
	}
}

// printUnplaced lists the files that fit nowhere; many copies of one in a line,
// and very many by their number.
func (a *app) printUnplaced(files []place.Unplaced) {
	if len(files) == 0 {
		return
	}
	a.printf("\nunplaced\n")
	copies, all := map[string][]string{}, copied(files)
	for _, u := range files {
		copies[u.Copy] = append(copies[u.Copy], untrusted.Text(u.File).String())
	}
	told := map[string]bool{"": true}
	for _, u := range files {
		of := copies[u.Copy]
		switch {
		case u.Copy != "" && all > manyFiles:
		case u.Copy == "" || len(of) <= manyCopies:
			a.printf("  %s\n            %s\n", untrusted.Text(u.File), u.Why)
		case !told[u.Copy]:
			a.printf("  %s and %d more\n            copies of what is in %s\n", strings.Join(of[:manyCopies], ", "), len(of)-manyCopies, untrusted.Text(u.Copy))
		}
		told[u.Copy] = true
	}
	if all > manyFiles {
		i := slices.IndexFunc(files, func(u place.Unplaced) bool { return u.Copy != "" })
		a.printf("  %d copies of certificates and keys that lie in other files too\n            the first is %s: %s\n", all, untrusted.Text(files[i].File), files[i].Why)
	}
}

// copied counts the files that repeat others.
func copied(files []place.Unplaced) int {
	n := 0
	for _, u := range files {
		if u.Copy != "" {
			n++
		}
	}
	return n
}

func findingsText(findings []check.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		b.WriteString(findingText(f))
	}
	return b.String()
}
