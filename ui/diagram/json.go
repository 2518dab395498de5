package diagram

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// JSON is the whole model: the tree with every certificate, and the calls.
func JSON(m *Model) ([]byte, error) {
	if m.rest != nil {
		m = m.rest.all(m)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("write the topology as JSON: %w", err)
	}
	return b.Bytes(), nil
}
