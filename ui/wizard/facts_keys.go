package wizard

import "github.com/charmbracelet/bubbles/key"

func (s *factsScreen) Keys() []key.Binding {
	if s.table() {
		return s.nodes.keys()
	}
	if s.fields[s.cursor].id == fieldNodes {
		return []key.Binding{keyField, keyNodes}
	}
	return append([]key.Binding{keyField, keyStep}, s.passing()...)
}

// Passing are the keys of the field under the cursor.
func (s *factsScreen) Passing() int {
	if s.table() || s.fields[s.cursor].id == fieldNodes {
		return 0
	}
	return len(s.passing())
}

func (s *factsScreen) passing() []key.Binding {
	switch f := s.fields[s.cursor]; {
	case f.in == nil:
		return []key.Binding{keyPick}
	case s.given(f):
		return []key.Binding{keyDefault}
	}
	return nil
}

// given says that the person changed the field.
func (s *factsScreen) given(f *factField) bool {
	return s.Flow.Topology().Facts.Given[f.id]
}
