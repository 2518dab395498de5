package wizard

import (
	"errors"
	"strings"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/ui/theme"
)

func (s *modesScreen) View(w, h int) string {
	if w >= wideWidth && h >= 26 {
		legend := max(36, w-110)
		details := s.details(s.current(), inner(w), true)
		below := min(s.detailRows(inner(w), true)+4, h/2)
		top := h - below
		slots := len(s.components())+s.slotRows() <= manySlots
		list := box{title: "Components", focus: true}.draw(s.Theme, append([]string{""}, s.table(inner(w-legend), top-3, slots)...), w-legend, top)
		return above(
			beside(list, pane(s.Theme, "Legend", append([]string{""}, s.legend(inner(legend))...), legend, top)),
			pane(s.Theme, s.heading(), append([]string{""}, details...), w, below),
		)
	}
	wide := inner(w - 2)
	if !roomy(w) {
		wide = w - 3
	}
	details := s.details(s.current(), wide, false)
	below := s.detailRows(wide, false)
	lines := lead(h)
	rows := min(len(s.components())+1, max(6, h-below-3-len(lines)))
	spare := h - below - 5 - (len(s.components()) + 1)
	if spare >= s.slotRows() {
		rows = len(s.components()) + 1 + s.slotRows()
	}
	lines = append(lines, indent(s.table(w-2, rows, spare >= s.slotRows()))...)
	lines = append(lines, "")
	room := h - len(lines)
	switch {
	case roomy(w) && room >= 4:
		b := pane(s.Theme, s.heading(), details, w-2, min(room, below+2))
		lines = append(lines, indent(strings.Split(b, "\n"))...)
	case room >= 2:
		lines = append(lines, " "+s.Theme.Render(theme.Title, s.heading()))
		lines = append(lines, indent(shortened(s.Theme, details, room-1))...)
	}
	return block(lines, w, h)
}

func (s *modesScreen) heading() string {
	c := s.current()
	return untrusted.Text(c.Title).Max(40) + ": " + s.mode(c.ID).Words()
}

// manySlots is from how many rows on the slots are left out: a cluster may have
// ten thousand nodes, and the components are what is asked for.
const manySlots = 60

// slotRows is how many rows the slots under their components need.
func (s *modesScreen) slotRows() int {
	n := 0
	for _, c := range s.components() {
		if len(c.Slots) > manySlots {
			return len(c.Slots)
		}
		n += len(s.shown(c))
	}
	return n
}

// shown are the slots of a component that are listed under it.
func (s *modesScreen) shown(c topology.Component) []*topology.Slot {
	var out []*topology.Slot
	for _, id := range c.Slots {
		if slot := s.Flow.Topology().Slot(id); slot.Kind != topology.CA {
			out = append(out, slot)
		}
	}
	return out
}

// modeColumns are the widths of the three mode columns.
func modeColumns(w int) (name int, each [3]int, titles [3]string) {
	if w < roomyWidth-2 {
		return 22, [3]int{4, 4, 5}, [3]string{"G", "C", "B"}
	}
	if w > roomyWidth+8 {
		return 26, [3]int{10, 10, 13}, [3]string{"Generate", "Bring CA", "Bring certs"}
	}
	return 22, [3]int{10, 10, 13}, [3]string{"Generate", "Bring CA", "Bring certs"}
}

// table is the components in at most h rows, the chosen one among them.
func (s *modesScreen) table(w, h int, slots bool) []string {
	th := s.Theme
	name, each, titles := modeColumns(w)
	l := th.Line().Plain("  ").Col(theme.Faint, "Component", name)
	for i, t := range titles {
		l.Col(theme.Faint, t, each[i])
	}
	head := l.Add(theme.Faint, "State").Fit(w)
	var lines []string
	at := 0
	for i, c := range s.components() {
		here := i == s.cursor
		if here {
			at = len(lines)
		}
		lines = append(lines, s.row(c, here, w))
		if !slots {
			continue
		}
		for _, slot := range s.shown(c) {
			l := th.Line().Plain("    ").Col(theme.Faint, untrusted.Text(slot.Title).Max(60), name-2)
			for i, m := range topology.Modes() {
				sign := theme.InheritSign
				if m == s.mode(c.ID) {
					sign = theme.OnSign
				}
				l.Col(theme.Faint, " "+th.Sign(sign), each[i])
			}
			l.Add(theme.Faint, "follows "+untrusted.Text(c.Title).Max(40))
			lines = append(lines, l.Fit(w))
		}
	}
	s.from = window(s.from, at, len(lines), h-1)
	return append([]string{head}, lines[s.from:min(len(lines), s.from+max(0, h-1))]...)
}

func (s *modesScreen) row(c topology.Component, here bool, w int) string {
	th := s.Theme
	name, each, _ := modeColumns(w)
	l := th.Line()
	s.start(l, here)
	l.Col(theme.Named(here, theme.Bold), untrusted.Text(c.Title).Max(60), name)
	for i, m := range topology.Modes() {
		switch {
		case m == s.mode(c.ID):
			l.Col(theme.RoleOf(m.Letter()), " "+th.Sign(theme.OnSign), each[i])
		case s.unavailable(c.ID, m) != nil:
			l.Col(theme.Faint, " "+th.Sign(theme.AbsentSign), each[i])
		default:
			l.Col(theme.Faint, " "+th.Sign(theme.OffSign), each[i])
		}
	}
	role, state := s.state(c)
	return l.Add(role, state).Fit(w)
}

// state is what a component still needs.
func (s *modesScreen) state(c topology.Component) (theme.Role, string) {
	m := s.mode(c.ID)
	if s.unavailable(c.ID, m) != nil {
		return theme.Bad, "not possible"
	}
	if _, asks := s.Flow.StepCA(c.ID); asks {
		return theme.Good, "asks a step-ca"
	}
	due, good := 0, 0
	for _, slot := range s.Flow.Topology().Due(c.ID, m) {
		if slot.Optional {
			continue
		}
		due++
		if s.Flow.Verdict(slot.ID).OK() {
			good++
		}
	}
	switch {
	case m == topology.Generate && !c.OwnsCA:
		a := s.Flow.Topology().Authority(c.Authority)
		return theme.Good, "ready, from " + string(a.Owner) + "'s CA"
	case m == topology.Generate:
		return theme.Good, "ready"
	case good == due:
		return theme.Good, "all given"
	case m == topology.BringCA:
		return theme.Warn, "needs a CA"
	case good > 0:
		return theme.Warn, number(good) + " of " + number(due) + " given"
	}
	return theme.Warn, "needs " + count(due, "certificate")
}

func (s *modesScreen) legend(w int) []string {
	th := s.Theme
	var lines []string
	for _, m := range topology.Modes() {
		lines = append(lines, th.Line().Add(theme.RoleOf(m.Letter()), m.Letter()).Plain("  ").Add(theme.Bold, upper(m.Words())).String())
		for _, l := range wrap(modeInShort(m), w-3) {
			lines = append(lines, th.Line().Plain("   ").Add(theme.Faint, l).String())
		}
		lines = append(lines, "")
	}
	return append(lines,
		th.Line().Sign(theme.InheritSign).Plain("  ").Add(theme.Faint, "follows its component").String(),
		th.Line().Sign(theme.AbsentSign).Plain("  ").Add(theme.Faint, "cannot be had now").String())
}

func modeInShort(m topology.Mode) string {
	switch m {
	case topology.Generate:
		return "a new CA and new certificates"
	case topology.BringCA:
		return "your CA certificate and key sign new certificates"
	case topology.BringCerts:
		return "your certificates and keys, used as they are"
	}
	return ""
}

// detailRows is how many rows the longest of the components' details has:
// nothing moves with the cursor.
func (s *modesScreen) detailRows(w int, tall bool) int {
	most := 0
	for _, c := range s.components() {
		most = max(most, len(s.details(c, w, tall)))
	}
	return most
}

// details are what the mode of a component means for it.
func (s *modesScreen) details(c topology.Component, w int, tall bool) []string {
	th := s.Theme
	m := s.mode(c.ID)
	var out []string
	say := func(label, text string) {
		if text == "" {
			return
		}
		indent := 0
		if label != "" {
			indent = 9
		}
		for i, l := range wrap(text, w-indent) {
			out = append(out, th.Line().Col(theme.Faint, first(i, label), indent).Plain(l).String())
		}
	}
	say("for", untrusted.Text(c.Help).String())
	_, asks := s.Flow.StepCA(c.ID)
	switch {
	case m == topology.Generate && c.OwnsCA:
		say("makes", article(s.authority(c)))
		say("signs", s.leafNames(c))
	case m == topology.Generate:
		say("makes", "no CA: the "+s.authority(c)+" signs for it")
		say("signs", s.leafNames(c))
	default:
		say("", s.meaning(c, m))
	}
	if tall {
		out = append(out, "")
	}
	switch {
	case asks:
	case m == topology.BringCA:
		say("needs", "CA:TRUE · keyCertSign · a path length that allows leaves · not expired")
		on := "no, your CA signs directly"
		if s.Flow.Choices()[c.ID].Intermediate {
			on = "yes: one of our own under your CA signs, and the cluster trusts that one alone"
		}
		say("i", "intermediate: "+on)
	case m == topology.Generate && c.OwnsCA && tall:
		if a := s.Flow.Topology().Authority(c.Authority); a.Protects != "" {
			say("guards", untrusted.Text(a.Protects).String())
		}
	}
	for _, other := range topology.Modes() {
		var u *topology.Unavailable
		if err := s.unavailable(c.ID, other); errors.As(err, &u) && (tall || other != topology.BringCA || m == other) {
			say(th.Sign(theme.AbsentSign)+" "+other.Letter(), upper(other.Words())+" cannot be had: "+u.Reason+". "+upper(u.Fix)+".")
		}
	}
	return out
}

// meaning is the mode in a sentence, with the component's own certificates.
func (s *modesScreen) meaning(c topology.Component, m topology.Mode) string {
	leaves, optional := s.leaves(c)
	names := sentenceList(leaves)
	a := s.Flow.Topology().Authority(c.Authority)
	ask, asks := s.Flow.StepCA(c.ID)
	switch {
	case m == topology.Generate && !c.OwnsCA:
		return string(a.Owner) + "'s CA signs " + names + "."
	case m == topology.Generate:
		return "certwright makes " + article(s.authority(c)) + ", and signs " + names + " with it."
	case m == topology.BringCA && asks:
		return "The plan names a step-ca: " + untrusted.Text(ask.URL).Max(80) + " signs " + names + ", and is asked when the set is made. Their keys are made here."
	case m == topology.BringCA:
		return "You give a CA certificate and its key; certwright signs " + names + " with it. The key is read, used and forgotten."
	}
	keys := " with its key"
	if len(leaves) > 1 {
		keys = ", each with its key"
	}
	text := "You give " + names + keys + ". They are used as they are."
	if c.OwnsCA {
		text = "You give the CA's certificate, and " + names + keys + ". They are used as they are."
	}
	if optional > 0 {
		text += " " + upper(count(optional, "more")) + " is made here when you have none."
	}
	return text
}

// leaves are the names of a component's certificates, and how many slots may stay empty.
func (s *modesScreen) leaves(c topology.Component) (names []string, optional int) {
	seen := map[topology.SlotID]bool{}
	for _, slot := range s.shown(c) {
		if slot.Kind == topology.Leaf && !seen[slot.ID.Base()] { // of a slot for each node, its kind once
			seen[slot.ID.Base()] = true
			title := slot.Title
			if n := slot.ID.Node(); n != "" {
				title = strings.TrimSuffix(title, " of "+n)
			}
			names = append(names, untrusted.Text(title).Max(40))
		}
		if slot.Optional {
			optional++
		}
	}
	return names, optional
}

func (s *modesScreen) leafNames(c topology.Component) string {
	names, _ := s.leaves(c)
	return sentenceList(names)
}

// authority is the name of the CA that a component's certificates come from.
func (s *modesScreen) authority(c topology.Component) string {
	return untrusted.Text(s.Flow.Topology().Authority(c.Authority).Title).Max(40)
}

// article puts a or an before a name.
func article(s string) string {
	if s != "" && strings.ContainsRune("aeiouAEIOU", rune(s[0])) {
		return "an " + s
	}
	return "a " + s
}

// sentenceList joins names as a sentence does: "a, b and c".
func sentenceList(names []string) string {
	switch len(names) {
	case 0:
		return "nothing"
	case 1:
		return names[0]
	case 2, 3, 4, 5, 6:
		return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
	}
	return strings.Join(names[:4], ", ") + " and " + number(len(names)-4) + " more"
}
