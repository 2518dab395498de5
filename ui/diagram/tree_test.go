package diagram_test

import (
	"testing"

	"certwright/ui/diagram"
)

func TestTreeOfAPlan(t *testing.T) {
	golden(t, "plan.tree.txt", diagram.Tree(diagram.New(planned(t)), 120, false))
}

func TestTreeOfAProvedSet(t *testing.T) {
	m := diagram.New(proved(t, nil))
	golden(t, "proved.tree.txt", diagram.Tree(m, 120, false))
	golden(t, "proved.60.ascii.txt", diagram.Tree(m, 60, true))
	golden(t, "proved.mmd", diagram.Mermaid(m))
	golden(t, "proved.dot", diagram.DOT(m))
}
