package cli

import (
	"fmt"
	"strings"

	"certwright/certs/check"
	"certwright/certs/untrusted"
)

// printFindings writes findings for people, the worst first.
func (a *app) printFindings(findings []check.Finding) {
	for _, f := range findings {
		a.printf("%s", findingText(f))
	}
}

// maxRow is the longest line of a finding, in bytes: a fix may name many hosts.
const maxRow = 4000

// findingText is one finding: what, why, both sides and the fix.
func findingText(f check.Finding) string {
	var b strings.Builder
	where := strings.Join(nonEmpty(string(f.Slot), f.File), "  ")
	fmt.Fprintf(&b, "%-7s %s", f.Severity, f.Rule)
	if where != "" {
		fmt.Fprintf(&b, "  %s", where)
	}
	b.WriteString("\n")
	for _, row := range [][2]string{{"what", f.Message}, {"has", f.Has}, {"needs", f.Needs}, {"why", f.Why}, {"fix", f.Fix}} {
		if row[1] != "" {
			fmt.Fprintf(&b, "        %-6s%s\n", row[0], untrusted.Text(row[1]).Max(maxRow))
		}
	}
	return b.String()
}

func nonEmpty(in ...string) []string {
	var out []string
	for _, s := range in {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// tally is "2 errors, 1 warning".
func tally(findings []check.Finding) string {
	var out []string
	for _, sev := range []check.Severity{check.Error, check.Warning} {
		n := 0
		for _, f := range findings {
			if f.Severity == sev {
				n++
			}
		}
		if n > 0 {
			out = append(out, count(n, string(sev)))
		}
	}
	if len(out) == 0 {
		return "no error, no warning"
	}
	return strings.Join(out, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
