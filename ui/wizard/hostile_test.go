package wizard

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
	"certwright/ui/theme"
)

// evil clears the screen, sets the title, forges a line, turns the text round
// and puts a C1 control in between.
const evil = "x\x1b[2J\x1b]0;pwn\x07\r\n\u202eevil\u009b1m\u2066"

// tame asserts that a frame has nothing in it that a terminal acts on.
func (d *driver) tame() {
	d.t.Helper()
	for _, size := range [][2]int{{80, 24}, {120, 40}, {60, 16}} {
		d.size(size[0], size[1]).whole()
		if i := strings.IndexFunc(d.frame(), func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) }); i >= 0 {
			d.t.Errorf("at %s, %dx%d: %q is in the window", d.root.at, size[0], size[1], d.frame()[i:min(len(d.frame()), i+20)])
		}
	}
}

func TestTextOfOthersStaysText(t *testing.T) {
	d := drive(t, setup{
		theme:     theme.Options{Profile: theme.None},
		resumable: &Resumable{Path: evil, Note: evil, Open: func() (*flow.State, []flow.Effect, error) { return nil, nil, errors.New(evil) }},
		plan: func(p *plan.Plan) {
			p.Facts["api.host"] = evil
			p.Facts["etcd.hosts"] = evil
			p.Output.Dir = evil
		},
	})
	d.tame()
	d.press("end").tame()
	d.press("enter").tame()
	d.press("home", "enter").at(flow.StepFacts).tame()
	for range 8 {
		d.press("down").tame()
	}
	d.press("f1").tame()
	d.press("esc")
	d.run(d.root.do(flow.SetFact{Name: "api.host"}))
	d.run(d.root.do(flow.SetFact{Name: "etcd.hosts"}))
	d.runner.prepare = func(e flow.Prepare) (*flow.Prepared, error) {
		p := prepared(e.Answers)
		p.Survey.Existing = evil
		p.Notes = []string{evil}
		for i := range p.Survey.Changes {
			p.Survey.Changes[i].Path += evil
			p.Survey.Changes[i].What = flow.Overwrite
		}
		return p, nil
	}
	d.press("enter", "enter").at(flow.StepTopology)
	d.press("enter").at(flow.StepReview)
	for range 5 {
		d.press("down").tame()
	}
	d.press("o").tame()
	d.press("esc", "ctrl+c").tame()
	d.press("esc")
	d.runner.prepare = func(flow.Prepare) (*flow.Prepared, error) { return nil, errors.New(evil) }
	d.run(d.root.do(flow.SetMode{Component: "etcd", Mode: topology.Generate}))
	d.tame()
	d.runner.prepare = nil
	d.run(d.root.do(flow.SetMode{Component: "etcd", Mode: topology.Generate}))
	d.press("enter").at(flow.StepDone).tame()
	for _, l := range doneText(d.root.env, 80) {
		if strings.ContainsFunc(l, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("the normal screen gets %q", l)
		}
	}
}
