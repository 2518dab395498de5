package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow/calendar"
)

// statusRows are the lines of the list. Certificates of many nodes that say the
// same are one line, unless each is asked for.
func statusRows(s statusJSON, each bool) []string {
	id := func(x expiryJSON) string { return x.Path + "\x00" + x.At + "\x00" + x.Slot + "\x00" + x.SHA256 }
	soon, early := map[string]bool{}, map[string]bool{}
	for _, x := range s.Expiring {
		soon[id(x)] = true
	}
	for _, x := range s.Early {
		early[id(x)] = true
	}
	type row struct{ line, ofAny string }
	rows := make([]row, 0, len(s.Expiry))
	alike := map[string]int{}
	for _, x := range s.Expiry {
		mark := "ok"
		switch {
		case early[id(x)]:
			mark = "early"
		case x.Superseded != "":
			mark = "old"
		case soon[id(x)]:
			mark = "ends"
		}
		r := row{statusRow(mark, x), statusRow(mark, ofAnyNode(x))}
		alike[r.ofAny]++
		rows = append(rows, r)
	}
	out := make([]string, 0, len(rows))
	told := map[string]bool{}
	for _, r := range rows {
		switch n := alike[r.ofAny]; {
		case each || n <= manyNodes:
			out = append(out, r.line)
		case !told[r.ofAny]:
			told[r.ofAny] = true
			out = append(out, fmt.Sprintf("%s  of %d nodes", r.ofAny, n))
		}
	}
	return out
}

// ofAnyNode takes the name of its node from a certificate's place.
func ofAnyNode(x expiryJSON) expiryJSON {
	slot := topology.SlotID(x.Slot)
	if node := slot.Node(); node != "" {
		x.Path = strings.Replace(x.Path, "/"+node+"/", "/*/", 1)
		x.Slot = string(slot.Base())
	}
	return x
}

func statusRow(mark string, x expiryJSON) string {
	days := fmt.Sprintf("%d days", x.Days)
	if x.Days < 0 {
		days = "ended"
	}
	what := []string{x.Path, x.At, x.Slot}
	if x.Slot == "" {
		what = append(what, x.Subject)
	}
	if x.Superseded != "" {
		what = append(what, "superseded by "+x.Superseded)
	} else if x.Renewal != "" {
		what = append(what, x.Renewal)
	}
	return fmt.Sprintf("%-5s %s  %9s  %s", mark, x.NotAfter.UTC().Format(time.DateOnly), days, strings.Join(nonEmpty(what...), "  "))
}

func (a *app) printStatus(s statusJSON, each bool) {
	for _, line := range statusRows(s, each) {
		a.printf("%s\n", line)
	}
	for _, d := range s.Drift {
		a.printf("%-9s %s; %s\n", d.What, d.Path, d.Fix)
	}
	for _, n := range s.Notes {
		a.printf("%-9s %s: %s\n", "note", n.Path, untrusted.Text(n.Note).Max(maxRow))
	}
	for _, b := range s.Backups {
		a.printf("%-9s %s\n", "backup", b)
	}
	for _, x := range s.Sources {
		if x.Pending {
			a.printf("an interrupted run waits here: certwright recover %s\n", untrusted.Text(x.Path).ShellArg())
		}
	}
	switch sets := !slices.ContainsFunc(s.Sources, func(x sourceJSON) bool { return x.Kind != string(calendar.Set) }); {
	case s.OK && sets:
		a.printf("all is as it was written\n")
	case s.OK:
		a.printf("nothing of %s ends soon\n", count(len(s.Expiry), "certificate"))
	}
}
