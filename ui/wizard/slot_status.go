package wizard

import (
	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// Status is the worst warning, or that nothing is missing.
func (s *slotScreen) Status() Status {
	if slot := s.asked().FirstWarned(); slot != nil {
		for _, f := range sortedFindings(s.Flow.Verdict(slot.ID).Findings) {
			if f.Severity == check.Warning {
				return Status{theme.WarnSign, slot.Title + ": " + sentence(f.Message, f.Fix)}
			}
		}
	}
	if s.blocked() {
		return Status{}
	}
	return Status{theme.GoodSign, "All that this step asks for is usable. enter goes on."}
}

// Urgent is about what the person is doing this moment: the file under the
// cursor, the paste, the path as typed.
func (s *slotScreen) Urgent() (Status, bool) {
	switch s.focus {
	case onPicker:
		return s.pickerStatus()
	case onPaste:
		return s.pasteStatus(), true
	case onPath:
		if s.path.forFolder {
			return Status{theme.NoSign, "enter fills every field from this folder."}, true
		}
		if s.typedPath() == "" {
			return Status{theme.NoSign, "Type the path of the file; tab completes it. esc goes back to the list."}, true
		}
		return s.slotStatus(s.path.field.Slot)
	case onSecret:
		return Status{theme.NoSign, "enter unlocks the key. Nothing that you type is shown or saved."}, true
	case onFilled:
		return s.filledStatus(), true
	}
	if f, ok := s.field(); ok && s.wrongSecret(f.Slot) {
		return Status{theme.BadSign, "That passphrase did not open the key. Press e to type another."}, true
	}
	return Status{}, false
}

func (s *slotScreen) pickerStatus() (Status, bool) {
	p := s.picker
	if p.note != "" {
		return Status{theme.BadSign, p.note}, true
	}
	if look := p.previewed(); look != nil {
		if look.judged {
			if f := worstFinding(look.verdict.Findings); f.Severity == check.Error || f.Severity == check.Warning {
				return Status{findingSign(f), sentence(f.Message, f.Fix)}, true
			}
		}
		for _, r := range look.rows {
			if look.bad && r[0] == "Problem" {
				return Status{theme.BadSign, sentence(r[1], "")}, true
			}
		}
	}
	if look := p.previewed(); look != nil && look.judged && look.verdict.OK() {
		text := "usable as " + s.title(p.field.Slot)
		if p.field.Part == flow.PartKey && look.verdict.Pair.Leaf() != nil {
			text = "the key belongs to the certificate"
		}
		return Status{theme.GoodSign, text + ". enter chooses it."}, true
	}
	if e := p.current(); e != nil && p.likely != "" && e.name == p.likely {
		return Status{theme.NoSign, "Choose the key: " + untrusted.Text(p.likely).Max(60) + " looks right, by its name."}, true
	}
	if p.folder {
		return Status{theme.NoSign, "Choose the folder that every field is filled from."}, true
	}
	return Status{theme.NoSign, "Choose " + s.name(p.field) + "."}, true
}

// title is what a slot is called.
func (s *slotScreen) title(id topology.SlotID) string {
	if slot := s.Flow.Topology().Slot(id); slot != nil {
		return slot.Title
	}
	return string(id)
}

func worstFinding(fs []check.Finding) check.Finding {
	if sorted := sortedFindings(fs); len(sorted) > 0 {
		return sorted[0]
	}
	return check.Finding{}
}

func (s *slotScreen) pasteStatus() Status {
	b := s.paste
	switch {
	case b.tooBig:
		return Status{theme.BadSign, "More than 1 MiB was pasted. Nothing of it was kept."}
	case len(b.data) == 0:
		return Status{theme.NoSign, "Paste " + s.name(b.field) + " now. Nothing pasted is saved, and a key is never shown."}
	case b.settling || b.pending:
		return Status{theme.BusySign, "reading the paste"}
	case !b.whole():
		return Status{theme.BadSign, "The last block has no END line yet. Paste the rest, or clear with ctrl+u."}
	case b.look == nil:
		return Status{theme.BusySign, "reading the paste"}
	}
	if b.sorted != nil {
		text := "It fills " + count(len(b.sorted.fields), "field") + "."
		if n := len(b.sorted.unplaced); n > 0 {
			text += " " + count(n, "block") + " of it would be dropped."
		}
		return Status{theme.GoodSign, text + " enter keeps it."}
	}
	if f := worstFinding(b.look.verdict.Findings); f.Severity == check.Error || f.Severity == check.Warning {
		return Status{findingSign(f), sentence(f.Message, f.Fix)}
	}
	return Status{theme.GoodSign, "usable. enter keeps it. A key is never shown, only its size and type."}
}

// slotStatus is the worst of one slot while it is being filled.
func (s *slotScreen) slotStatus(id topology.SlotID) (Status, bool) {
	v := s.Flow.Verdict(id)
	if v.Pending {
		return Status{theme.BusySign, "checking"}, true
	}
	if f := worstFinding(v.Findings); f.Severity == check.Error || f.Severity == check.Warning {
		return Status{findingSign(f), sentence(f.Message, f.Fix)}, true
	}
	if v.Pair != nil {
		return Status{theme.GoodSign, "nothing stands against it. enter keeps it."}, true
	}
	return Status{}, false
}

func (s *slotScreen) filledStatus() Status {
	result, pending := s.Flow.Filled()
	switch {
	case pending || result == nil:
		return Status{theme.BusySign, "reading the folder"}
	case result.Err != nil:
		return Status{theme.BadSign, sentence(untrusted.Text(result.Err.Error()).String(), "")}
	}
	text := count(len(result.Sources), "field") + " filled"
	if n := len(result.Unplaced); n > 0 {
		text += ", " + count(n, "file") + " placed nowhere"
	}
	return Status{theme.NoSign, text + ". enter closes this list."}
}

var _ interface {
	Screen
	pemTaker
	urgent
	jumper
	helper
} = (*slotScreen)(nil)

// heading is the first row of the screen.
func (s *slotScreen) heading() string {
	switch s.focus {
	case onPaste:
		return "Paste " + s.name(s.paste.field)
	case onFilled:
		return "Fill every field from a folder"
	case onPicker:
		if s.picker.folder {
			return "Fill every field from a folder"
		}
		return s.pickHeading(s.picker.field)
	}
	if s.mode == topology.BringCA {
		return "CAs that you bring"
	}
	return "Certificates that you bring"
}

func (s *slotScreen) pickHeading(f flow.Field) string {
	slot := s.Flow.Topology().Slot(f.Slot)
	if slot == nil {
		return string(f.Slot)
	}
	if slot.Kind == topology.KeyPair {
		return slot.Title + ": private key"
	}
	return slot.Title + ": certificate, then key"
}

// problem is the next row behind the cursor that stands against going on, else
// the next with a warning, else the row itself.
func (s *slotScreen) problem() slotRow {
	rows := s.rows()
	i := s.selected(rows)
	if i < 0 {
		return s.at
	}
	asked := s.asked()
	slots := s.worked().slots
	for _, p := range []struct {
		may func(slot int) bool // told quickly: most of many slots are good
		is  func(flow.Field) bool
	}{
		{asked.Bad, func(f flow.Field) bool { return s.missing(f) || s.sign(f) == theme.BadSign }},
		{asked.Warned, func(f flow.Field) bool { return s.sign(f) == theme.WarnSign }},
	} {
		for n := 1; n <= len(rows); n++ {
			at := (i + n) % len(rows)
			if r := rows[at]; r.kind == fieldRow && (slots[at] < 0 || p.may(slots[at])) && p.is(r.field) {
				return r
			}
		}
	}
	return rows[i]
}

// sign is what is thought of a field.
func (s *slotScreen) sign(f flow.Field) theme.Sign {
	v := s.Flow.Verdict(f.Slot)
	src := s.Flow.Source(f)
	switch {
	case src.Empty() && !s.filledElsewhere(f):
		if s.needed(f) {
			return theme.NoSign
		}
		return theme.AbsentSign
	case v.Pending && len(v.Findings) == 0 && v.Pair == nil:
		return theme.BusySign
	}
	return worstSign(s.about(f, v))
}

// about are the findings of a slot that concern one of its fields.
func (s *slotScreen) about(f flow.Field, v flow.Verdict) []check.Finding {
	var out []check.Finding
	for _, finding := range v.Findings {
		if s.aboutKey(f.Slot, finding) == (f.Part == flow.PartKey) {
			out = append(out, finding)
		}
	}
	return out
}

func worstSign(fs []check.Finding) theme.Sign {
	switch check.Worst(fs) {
	case check.Error:
		return theme.BadSign
	case check.Warning:
		return theme.WarnSign
	}
	return theme.GoodSign
}
