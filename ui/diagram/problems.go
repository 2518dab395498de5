package diagram

import (
	"fmt"
	"slices"
	"strings"

	"certwright/certs/check"
	"certwright/ui/theme"
)

// problems are what is wrong: what stops the write before what does not.
func (p *pane) problems(n *Node) {
	before := len(p.rows)
	p.gap()
	start := len(p.rows)
	for _, f := range n.Findings {
		if f.Severity == check.Error {
			p.finding(f)
		}
	}
	var said []*Call
	for _, c := range n.calls {
		if c.Proof == Failed && (c.client == n || c.server == n) && len(said) < mostCalls {
			p.failure(c, said)
			said = append(said, c)
		}
	}
	for _, c := range n.calls {
		if c.Proof == Advised && (c.client == n || c.server == n) {
			p.marked(p.g.warn, theme.Warn, c.Problem+" ("+c.Note+")")
		}
	}
	for _, f := range n.Findings {
		if f.Severity != check.Error {
			p.finding(f)
		}
	}
	for _, note := range n.Notes {
		p.marked(p.g.warn, theme.Warn, note)
	}
	if n.EndsSoon() && !slices.ContainsFunc(n.Findings, ofItsEnd) {
		if n.Days < 0 {
			p.marked(p.g.bad, theme.Bad, fmt.Sprintf("ended %d days ago", -n.Days))
		} else {
			p.marked(p.g.warn, theme.Warn, "renew within "+plural(n.Days, "day"))
		}
	}
	if len(p.rows) == start {
		p.rows = p.rows[:before]
		return
	}
	p.gap()
}

// ofItsEnd says that a finding tells already when the certificate ends.
func ofItsEnd(f check.Finding) bool {
	return strings.Contains(f.Rule, "expire") || strings.HasPrefix(f.Rule, "ends")
}

func (p *pane) finding(f check.Finding) {
	sign, role := severity(f.Severity, p.g)
	p.marked(sign, role, f.Message)
	p.both(f.Has, f.Needs)
	p.marked("", theme.Plain, f.Fix)
}

// failure is why a call fails; of several that fail alike only the first is
// told in full.
func (p *pane) failure(c *Call, said []*Call) {
	if alike := slices.ContainsFunc(said, c.failsAs); alike {
		p.marked(p.g.bad, theme.Bad, c.From+" "+p.g.arrow+" "+c.To+": the same")
		return
	}
	p.marked(p.g.bad, theme.Bad, c.Problem)
	p.both(c.Has, c.Needs)
	p.marked("", theme.Plain, c.Fix)
}

// failsAs says that two calls fail for one reason.
func (c *Call) failsAs(o *Call) bool {
	return c.Server == o.Server && c.Has == o.Has && c.Needs == o.Needs && c.Fix == o.Fix
}

// both is what a certificate has and what it would need.
func (p *pane) both(has, needs string) {
	for _, x := range [][2]string{{"has", has}, {"needs", needs}} {
		if x[1] == "" {
			continue
		}
		for i, line := range wrap(x[1], p.width-8) {
			var r Row
			r.to(2)
			if i == 0 {
				r.add(theme.Faint, x[0])
			}
			r.to(8)
			r.add(theme.Plain, line)
			p.rows = append(p.rows, r)
		}
	}
}

func severity(s check.Severity, g *glyphs) (string, theme.Role) {
	switch s {
	case check.Error:
		return g.bad, theme.Bad
	case check.Warning:
		return g.warn, theme.Warn
	}
	return g.dot, theme.Faint
}
