package diagram

import (
	"sort"
	"strings"

	"certwright/certs/check"
)

// shared says where one CA stands for several authorities: each then opens the
// other's servers.
func (b *builder) shared() {
	t := b.in.Topology
	seen := map[string][]*Node{}
	for _, a := range t.Authorities {
		if c := b.in.pair(a.Slot).Leaf(); c != nil && (b.in.Set != nil || !b.in.Subordinate[a.ID]) {
			n := b.m.byID[safe(string(a.Slot))]
			seen[string(c.Raw)] = append(seen[string(c.Raw)], n)
		}
	}
	for _, nodes := range seen {
		for _, n := range nodes {
			for _, o := range nodes {
				if o != n {
					n.Notes = append(n.Notes, "the same CA as "+o.Title+": a key of one opens the servers of the other")
				}
			}
		}
	}
}

func (b *builder) findings() {
	for _, f := range b.in.Findings {
		n := b.m.byID[safe(string(f.Slot))]
		if n == nil {
			continue
		}
		f.Message, f.Why, f.Has, f.Needs, f.Fix, f.File = message(f.Message), message(f.Why), message(f.Has), message(f.Needs), message(f.Fix), safe(f.File)
		n.Findings = append(n.Findings, f)
		n.Severity = worse(n.Severity, f.Severity)
	}
	for _, n := range b.m.byID {
		sort.SliceStable(n.Findings, func(i, j int) bool { return rank(n.Findings[i].Severity) < rank(n.Findings[j].Severity) })
		if n.EndsSoon() && !n.NotWritten {
			n.Severity = worse(n.Severity, check.Warning)
		}
		if len(n.Notes) > 0 || n.State == Missing {
			n.Severity = worse(n.Severity, check.Warning)
		}
	}
}

func rank(s check.Severity) int {
	switch s {
	case check.Error:
		return 0
	case check.Warning:
		return 1
	case check.Info:
		return 2
	}
	return 3
}

func worse(a, b check.Severity) check.Severity {
	if rank(b) < rank(a) {
		return b
	}
	return a
}

func (b *builder) openings() {
	for _, o := range b.in.Openings {
		n, server := b.m.byID[safe(string(o.Client))], b.m.byID[safe(string(o.Server))]
		if n == nil || !o.Open {
			continue
		}
		opens := Opens{Server: o.Server, Title: safe(string(o.Server)), As: safe(o.As), Allowed: o.Allowed, Loud: strings.Contains(o.As, "system:masters")}
		if server != nil {
			opens.Title = server.Title
		}
		n.Opens = append(n.Opens, opens)
	}
}
