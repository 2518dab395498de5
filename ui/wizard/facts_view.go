package wizard

import (
	"net/netip"
	"slices"
	"strings"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow/plan"
	"certwright/ui/theme"
)

func (s *factsScreen) View(w, h int) string {
	if s.table() {
		return s.nodes.view(w, h)
	}
	if w >= wideWidth && h >= 20 {
		left := w / 2
		l := box{title: "Facts", focus: true}.draw(s.Theme, s.list(inner(left), h-2), left, h)
		r := pane(s.Theme, "What they decide", s.decide(inner(w-left), h-2), w-left, h)
		return beside(l, r)
	}
	// The fields come first; what they decide gets the rows that are left.
	need := s.rowCount(1) + 1
	rows := min(h, max(need, h-7))
	lines := lead(h)
	lines = append(lines, indent(s.list(w-2, min(rows, h)-len(lines)))...)
	lines = lines[:min(len(lines), h)]
	if left := h - len(lines) - 1; left >= 3 {
		lines = append(lines, "")
		lines = append(lines, indent(s.brief(w-2, left))...)
	}
	return block(lines, w, h)
}

// rowCount is how many rows the fields need.
func (s *factsScreen) rowCount(each int) int {
	n := 0
	for _, f := range s.fields {
		n += each
		if s.problem(f) != "" {
			n += 2
		}
	}
	return n
}

// list is the fields in at most h rows, the one with the cursor among them.
func (s *factsScreen) list(w, h int) []string {
	gap := s.rowCount(2)+1 <= h
	title := 0
	for _, f := range s.fields {
		title = max(title, cells(f.title))
	}
	title = min(title, 22) + 3
	var lines []string
	if gap {
		lines = append(lines, "")
	}
	at := 0 // the row of the cursor
	for i, f := range s.fields {
		if i == s.cursor {
			at = len(lines)
		}
		lines = append(lines, s.row(f, i == s.cursor, title, w))
		problem := s.problem(f)
		switch {
		case problem != "":
			for _, l := range s.problemLines(problem, w-title-2) {
				lines = append(lines, s.Theme.Line().To(title+2).Add(theme.Bad, l).String())
				if i == s.cursor {
					at++
				}
			}
		case gap:
			lines = append(lines, "")
		}
	}
	s.from = window(s.from, at, len(lines), h)
	return lines[s.from:min(len(lines), s.from+h)]
}

// problemLines are what is wrong with a field, in at most two rows.
func (s *factsScreen) problemLines(problem string, w int) []string {
	lines := wrap(problem, w)
	if len(lines) > 2 {
		lines = []string{lines[0], s.Theme.Cut(strings.Join(lines[1:], " "), w)}
	}
	return lines
}

// row is one field: its title, its value and whether that will do.
func (s *factsScreen) row(f *factField, here bool, title, w int) string {
	l := s.Theme.Line()
	s.start(l, here)
	role := theme.Plain
	if here {
		role = theme.Bold
	}
	l.Col(role, f.title, title)
	mark := s.Theme.MarkWidth()
	room := w - l.Width() - mark - 1
	switch {
	case f.id == fieldNodes:
		l.Col(theme.Plain, s.Theme.Cut(s.nodesWords(), room-2)+" "+s.Theme.Border().Right, room)
	case f.in == nil:
		b := s.Theme.Border()
		word := s.chosen(f)
		for i, c := range f.choices {
			if c == word {
				word = f.words[i]
			}
		}
		word = b.Left + " " + s.Theme.Cut(word, room-4) + " " + b.Right
		l.Col(role, word, room)
	case here && f.in.Value() == "":
		f.in.add(l, role, 1, true)
		l.Col(theme.Faint, " "+orElse(s.Flow.Topology().Facts.Get(f.id), s.whenEmpty(f)), room-1)
	case here:
		f.in.add(l, role, room, true)
	case s.value(f) == "":
		l.Col(theme.Faint, s.whenEmpty(f), room)
	case s.isDefault(f):
		l.Col(theme.Faint, untrusted.Text(s.value(f)).String(), room)
	default:
		l.Col(theme.Plain, untrusted.Text(f.in.Value()).String(), room)
	}
	sign := theme.GoodSign
	switch {
	case s.problem(f) != "":
		sign = theme.BadSign
	case f.id == fieldNodes && s.readingNodes():
		sign = theme.BusySign
	case s.needed(f), f.in != nil && s.value(f) == "" && !here:
		sign = theme.NoSign // empty, and may be so for now
	}
	return l.Plain(" ").Mark(sign).Fit(w)
}

// value is what a field holds. What nobody typed follows other facts, or a file
// of nodes that was read just now.
func (s *factsScreen) value(f *factField) string {
	if v := f.in.Value(); !s.isDefault(f) || f.cleared {
		return v
	}
	return s.Flow.Topology().Facts.Get(f.id)
}

func (s *factsScreen) readingNodes() bool {
	reading, _ := s.Flow.ReadingNodes()
	return reading
}

// whenEmpty stands in an empty field: whether it may stay so.
func (s *factsScreen) whenEmpty(f *factField) string {
	for _, spec := range s.Flow.Profile().Facts {
		switch {
		case spec.Name != f.id:
		case spec.Optional:
			return "optional"
		case s.needed(f) && spec.Example != "":
			return "needed, like " + untrusted.Text(spec.Example).Max(60)
		case s.needed(f):
			return "needed"
		}
	}
	return ""
}

// isDefault says that the value was computed and not typed.
func (s *factsScreen) isDefault(f *factField) bool {
	switch f.id {
	case fieldCALife, fieldLeafLife:
		return false
	}
	return !s.given(f)
}

// servers are the slots whose names the facts decide: of a slot for each node,
// the first node's.
func (s *factsScreen) servers() []*topology.Slot {
	var out []*topology.Slot
	seen := map[topology.SlotID]bool{}
	t := s.Flow.Topology()
	for i := range t.Slots {
		if id := t.Slots[i].ID.Base(); len(t.Slots[i].Names) > 0 && !seen[id] {
			seen[id] = true
			out = append(out, &t.Slots[i])
		}
	}
	return out
}

// featured is the slot whose names show most of what the field under the cursor
// decides: of those that have its value in them, the one that most is asked of.
func (s *factsScreen) featured() *topology.Slot {
	var best *topology.Slot
	values := s.Flow.Topology().Facts.List(s.fields[s.cursor].id)
	if nodes := s.Flow.Topology().Nodes; s.fields[s.cursor].id == fieldNodes && len(nodes) > 0 {
		values = append([]string{nodes[0].Name}, nodes[0].Addresses...)
	}
	score := -1
	for _, slot := range s.servers() {
		n := len(slot.RequiredNames())
		if slices.ContainsFunc(slot.Names, func(name topology.Name) bool { return decidedBy(name, values) }) {
			n += 1000
		}
		if n > score {
			best, score = slot, n
		}
	}
	return best
}

// decidedBy says whether a name has one of a fact's values in it.
func decidedBy(name topology.Name, values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool {
		if network, err := netip.ParsePrefix(v); err == nil {
			a, err := netip.ParseAddr(name.Value)
			return err == nil && network.Contains(a)
		}
		return strings.Contains(name.Value, v)
	})
}

// brief is what the facts decide in a few rows.
func (s *factsScreen) brief(w, h int) []string {
	slot := s.featured()
	if slot == nil {
		return nil
	}
	lines := []string{s.Theme.Line().Add(theme.Title, untrusted.Text(slot.Title).Max(40)).Plain(" will answer to").String()}
	for _, kind := range []topology.NameKind{topology.DNSName, topology.IPAddress, topology.URIName} {
		names := slot.IssuedNames(kind)
		if len(names) == 0 {
			continue
		}
		for i, l := range wrap(strings.Join(escaped(names), " · "), w-7) {
			lines = append(lines, s.Theme.Line().Plain("  ").Col(theme.Faint, first(i, string(kind)), 5).Plain(l).String())
		}
	}
	return shortened(s.Theme, lines, h)
}

// shortened cuts lines to h, the last one saying that there is more.
func shortened(th *theme.Theme, lines []string, h int) []string {
	if len(lines) <= h {
		return lines
	}
	lines = lines[:max(0, h)]
	if h > 0 {
		lines[h-1] = th.Render(theme.Faint, "  "+th.Border().Ellipsis+" more")
	}
	return lines
}

func escaped(ss []string) []string {
	out := make([]string, len(ss))
	for i, s := range ss {
		out[i] = untrusted.Text(s).String()
	}
	return out
}

// decide is everything that the facts decide: names, subjects, validity, and
// what the field under the cursor is for.
func (s *factsScreen) decide(w, h int) []string {
	th := s.Theme
	var lines []string
	head := func(t string) {
		lines = append(lines, "", th.Render(theme.Title, t))
	}
	f := s.fields[s.cursor]
	lines = append(lines, "", th.Render(theme.Bold, f.title))
	for _, l := range wrap(f.help, w-2) {
		lines = append(lines, "  "+l)
	}
	p := s.Flow.ReadPlan()
	now := s.Now().UTC()
	day := func(d plan.Duration, unset plan.Duration) string {
		life := d.Or(unset)
		return now.Format("2006-01-02") + " → " + now.Add(life).Format("2006-01-02") + "   " + plan.Duration(life).Words()
	}
	var tail []string
	tail = append(tail, "", th.Render(theme.Title, "Validity (UTC)"),
		th.Line().Plain("  ").Col(theme.Faint, "CA", 6).Plain(day(p.Validity.CA, plan.DefaultCALife)).String(),
		th.Line().Plain("  ").Col(theme.Faint, "leaf", 6).Plain(day(p.Validity.Leaf, plan.DefaultLeafLife)).String())
	servers := s.servers()
	if best := s.featured(); best != nil {
		for i, slot := range servers {
			if slot == best {
				copy(servers[1:i+1], servers[:i])
				servers[0] = best
			}
		}
	}
	for _, slot := range servers {
		var names []string
		for _, kind := range []topology.NameKind{topology.DNSName, topology.IPAddress, topology.URIName} {
			for i, l := range wrap(strings.Join(escaped(slot.IssuedNames(kind)), " · "), w-7) {
				if l != "" {
					names = append(names, th.Line().Plain("  ").Col(theme.Faint, first(i, string(kind)), 5).Plain(l).String())
				}
			}
		}
		if len(lines)+len(names)+2+len(tail) > h && slot != servers[0] {
			break
		}
		head(untrusted.Text(slot.Title).Max(40) + " answers to")
		lines = append(lines, names...)
	}
	lines = lines[:min(len(lines), max(0, h-len(tail)))]
	return append(lines, tail...)
}
