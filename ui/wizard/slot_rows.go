package wizard

import (
	"slices"

	"certwright/certs/topology"
	"certwright/flow"
)

// slotMemo is what hangs on the answers alone, and is worked out when they
// change: with thousands of nodes the list is long.
type slotMemo struct {
	made     bool
	revision int // of the answers
	rows     []slotRow
	slots    []int // of each row, the place of its slot among those that are asked for; -1 of others
	label    int   // the longest label of a field
}

// slotFocus is the part of the screen that the keys go to.
type slotFocus int

const (
	onList slotFocus = iota
	onVerdict
	onPicker
	onPaste
	onPath
	onSecret
	onFilled
)

// slotRow is one row of the list.
type slotRow struct {
	kind  rowKind
	comp  topology.ComponentID
	field flow.Field
}

type rowKind int

const (
	headingRow rowKind = iota // a component
	fieldRow                  // a certificate or a key
	optionRow                 // an intermediate of our own under the CA
)

// rows are the fields that these modes ask for, component by component.
func (s *slotScreen) rows() []slotRow { return s.worked().rows }

// asked is what this step asks for, and where each of it stands.
func (s *slotScreen) asked() *flow.Asked { return s.Flow.Asked(s.mode) }

// blocked says whether something stands against going on.
func (s *slotScreen) blocked() bool {
	_, blocked := s.Flow.Worst(s.step)
	return blocked
}

func (s *slotScreen) worked() *slotMemo {
	if m := &s.memo; !m.made || m.revision != s.Flow.Revision() {
		*m = slotMemo{made: true, revision: s.Flow.Revision(), rows: s.makeRows()}
		m.slots = make([]int, len(m.rows))
		for i, r := range m.rows {
			m.slots[i] = -1
			if r.kind == fieldRow {
				m.slots[i] = s.asked().Index(r.field.Slot)
				m.label = max(m.label, len(s.label(r)))
			}
		}
	}
	return &s.memo
}

// Seen is the slot under the cursor.
func (s *slotScreen) Seen() []topology.SlotID {
	if f, ok := s.field(); ok {
		return []topology.SlotID{f.Slot}
	}
	return nil
}

func (s *slotScreen) makeRows() []slotRow {
	var out []slotRow
	t := s.Flow.Topology()
	for _, c := range t.Components {
		if s.Flow.Mode(c.ID) != s.mode {
			continue
		}
		due := t.Due(c.ID, s.mode)
		if len(due) == 0 {
			continue
		}
		out = append(out, slotRow{kind: headingRow, comp: c.ID})
		for _, slot := range due {
			for _, part := range slotParts(slot) {
				out = append(out, slotRow{fieldRow, c.ID, flow.Field{Slot: slot.ID, Part: part}})
			}
		}
		if s.mode == topology.BringCA {
			out = append(out, slotRow{kind: optionRow, comp: c.ID})
		}
	}
	return out
}

// slotParts are the fields of a slot in the order in which they are asked for.
func slotParts(slot *topology.Slot) []flow.Part {
	if slot.Kind == topology.KeyPair {
		return []flow.Part{flow.PartKey, flow.PartCert}
	}
	return []flow.Part{flow.PartCert, flow.PartKey}
}

// needed says whether the step cannot be left while a field is empty.
func (s *slotScreen) needed(f flow.Field) bool {
	slot := s.Flow.Topology().Slot(f.Slot)
	switch {
	case slot == nil, slot.Optional && s.Flow.Source(flow.Field{Slot: f.Slot, Part: other(f.Part)}).Empty():
		return false
	case slot.Kind == topology.KeyPair:
		return f.Part == flow.PartKey
	case slot.Kind == topology.CA && f.Part == flow.PartKey:
		return s.mode == topology.BringCA && !s.Flow.KeyElsewhere(slot.Component)
	}
	return true
}

func other(p flow.Part) flow.Part {
	if p == flow.PartCert {
		return flow.PartKey
	}
	return flow.PartCert
}

// filledElsewhere says that a field is empty because its other half came in one
// file with it.
func (s *slotScreen) filledElsewhere(f flow.Field) bool {
	v := s.Flow.Verdict(f.Slot)
	if !s.Flow.Source(f).Empty() || v.Pair == nil {
		return false
	}
	if f.Part == flow.PartKey {
		return v.Pair.Key != nil
	}
	return v.Pair.Leaf() != nil
}

// missing says that a field still has to be filled.
func (s *slotScreen) missing(f flow.Field) bool {
	return s.needed(f) && s.Flow.Source(f).Empty() && !s.filledElsewhere(f)
}

// selected is the row under the cursor among rows. A row that is gone gives way
// to the first that can be chosen.
//
//go:noinline // many callers, none of them hot
func (s *slotScreen) selected(rows []slotRow) int {
	if s.atRow < len(rows) && rows[s.atRow] == s.at {
		return s.atRow
	}
	if i := slices.Index(rows, s.at); i >= 0 {
		s.atRow = i
		return i
	}
	for i, r := range rows {
		if r.kind != headingRow {
			s.at, s.atRow = r, i
			return i
		}
	}
	return -1
}

// field is the field under the cursor; on another row the first of the component.
func (s *slotScreen) field() (flow.Field, bool) {
	rows := s.rows()
	i := s.selected(rows)
	if i < 0 {
		return flow.Field{}, false
	}
	if rows[i].kind == fieldRow {
		return rows[i].field, true
	}
	for _, r := range rows {
		if r.kind == fieldRow && r.comp == rows[i].comp {
			return r.field, true
		}
	}
	return flow.Field{}, false
}

func (s *slotScreen) move(step int) {
	rows := s.rows()
	i := s.selected(rows)
	if i < 0 {
		return
	}
	dir := 1
	if step < 0 {
		dir = -1
	}
	to := max(0, min(i+step, len(rows)-1))
	for to >= 0 && to < len(rows) && rows[to].kind == headingRow {
		to += dir
	}
	if to < 0 || to >= len(rows) {
		to = i
		if abs(step) > 1 { // home on a list that begins with a heading
			for j, r := range rows {
				if r.kind != headingRow {
					to = j
					break
				}
			}
		}
	}
	s.goTo(rows[to])
	s.atRow = to
}

func abs(n int) int { return max(n, -n) }

func (s *slotScreen) goTo(r slotRow) {
	if r != s.at {
		s.at, s.scroll = r, 0
	}
}

// goToField puts the cursor on a field.
func (s *slotScreen) goToField(f flow.Field) {
	for _, r := range s.rows() {
		if r.kind == fieldRow && r.field == f {
			s.goTo(r)
		}
	}
}
