package diagram_test

import (
	"testing"

	"certwright/ui/diagram"
)

func TestPictureOfAProvedSet(t *testing.T) {
	svg, err := diagram.SVG(diagram.New(proved(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "proved.svg", string(svg))
}
