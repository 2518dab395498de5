package diagram_test

import (
	"testing"

	"certwright/ui/diagram"
)

func TestPictures(t *testing.T) {
	for name, in := range map[string]diagram.Input{"plan": planned(t), "proved": proved(t, nil), "mixed": mixed(t), "failed": failing(t)} {
		svg, err := diagram.SVG(diagram.New(in))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".svg", string(svg))
	}
}
