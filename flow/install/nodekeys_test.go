package install_test

import (
	"os"
	"path/filepath"
	"testing"

	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/flow/plan"
)

// Keys of nodes are made ahead where they will be used, and nowhere else.
func TestKeysAhead(t *testing.T) {
	if issue.Cores() < 2 {
		t.Skip("one core makes none ahead")
	}
	for name, c := range map[string]struct {
		change func(*plan.Plan)
		nodes  int
		lies   bool // something at the destination
		want   bool
	}{
		"many nodes":                   {nodes: manyNodes, want: true},
		"few nodes":                    {nodes: plan.Many},
		"RSA":                          {nodes: manyNodes, change: func(p *plan.Plan) { p.Keys.Algorithm = issue.RSA2048 }},
		"nodes' certificates brought":  {nodes: manyNodes, change: func(p *plan.Plan) { p.Components["kube"] = plan.Component{Mode: topology.BringCerts} }},
		"a profile that does not load": {nodes: manyNodes, change: func(p *plan.Plan) { p.Profile = "none.yaml" }},
		"a set lies there":             {nodes: manyNodes, lies: true},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := world(t), fleetPlan(t, c.nodes)
			if c.change != nil {
				c.change(p)
			}
			if c.lies {
				if err := os.MkdirAll(filepath.Join(w.Dir, p.Output.Dir), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			stop := w.KeysAhead(p)
			if got := w.Keys != nil; got != c.want {
				t.Errorf("keys are made ahead: %t", got)
			}
			if w.Keys != nil {
				if _, err := w.Keys.Key(t.Context(), p.Keys.Algorithm); err != nil {
					t.Error(err)
				}
			}
			stop()
			if w.Keys != nil {
				t.Error("they are handed out after the end")
			}
		})
	}
}
