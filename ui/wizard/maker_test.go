package wizard

import (
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"pgregory.net/rapid"

	"certwright/certs"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
)

// makeSlowly has everything that may take long made in commands.
func makeSlowly(t *testing.T) {
	was := slowFrom
	slowFrom = -1
	t.Cleanup(func() { slowFrom = was })
}

// driveBrought is a wizard at the Certs step of a set that is brought, with a
// folder that fills every field.
func driveBrought(t *testing.T, s setup) *driver {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.plan = func(p *plan.Plan) {
		p.Components = map[topology.ComponentID]plan.Component{}
		for _, c := range []topology.ComponentID{"etcd", "kube", "identity", "ingress"} {
			p.Components[c] = plan.Component{Mode: topology.BringCerts}
		}
	}
	d := drive(t, s)
	d.runner.filled = func(e flow.SortFolder) flow.Filled {
		out := flow.Filled{Gen: e.Gen, Sources: map[flow.Field]flow.Source{}}
		for _, f := range e.Fields {
			out.Sources[f] = flow.Source{Path: "pki/" + f.Slot.Name() + "." + string(f.Part)}
			d.runner.verdicts[f.Slot] = flow.Verdict{Pair: &certs.Pair{Key: key}}
		}
		return out
	}
	return d.press("enter", "enter", "enter").at(flow.StepCerts)
}

// hold hands a message to the root and gives what it leads to, not run yet.
func (d *driver) hold(m tea.Msg) tea.Cmd {
	_, cmd := d.root.Update(m)
	return cmd
}

// event runs commands until one answers with an event of that kind.
func event[E flow.Event](d *driver, cmd tea.Cmd) (doneMsg, bool) {
	if cmd == nil {
		return doneMsg{}, false
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		for _, c := range msg {
			if m, ok := event[E](d, c); ok {
				return m, true
			}
		}
	case doneMsg:
		_, ok := msg.event.(E)
		return msg, ok
	}
	return doneMsg{}, false
}

func TestAListOfManyFieldsIsMadeAwayFromTheScreen(t *testing.T) {
	makeSlowly(t)
	d := driveBrought(t, setup{}).press("d", "t", "ctrl+u").write("pki")
	filled, ok := event[flow.Filled](d, d.hold(keyOf(t, "enter")))
	if !ok {
		t.Fatal("nothing was filled")
	}
	making := d.hold(filled)
	d.shows("listing what went where", "fields filled")
	d.hold(keyOf(t, "down"))
	d.run(making)
	d.shows("pki/ca.cert").hides("listing")
	d.size(120, 40)
	if got := d.slots().filled.width; got != inner(120) {
		t.Errorf("after a resize the list is made for %d columns", got)
	}
	d.press("enter").at(flow.StepCerts).hides("pki/ca.cert and")
}

func TestATopologyOfManyCertificatesIsMadeAwayFromTheScreen(t *testing.T) {
	d := driveBrought(t, setup{}).press("d", "t", "ctrl+u").write("pki").press("enter", "enter")
	makeSlowly(t)
	making := d.hold(keyOf(t, "enter"))
	d.at(flow.StepTopology)
	for _, k := range strings.Fields("down right / n m i v f e space ? esc ctrl+u home") { // nothing is there for them yet
		d.hold(keyOf(t, k))
		d.shows("Topology")
	}
	d.golden("topology-drawing")
	d.hold(keyOf(t, "esc"))
	d.at(flow.StepCerts)
	again := d.hold(keyOf(t, "enter"))
	d.at(flow.StepTopology).shows("drawing who signs whom")
	d.run(making) // the screen was left since: of that time nothing is taken
	d.run(again)
	d.shows("etcd CA").hides("drawing")
	line := d.press("down", "down").root.screen().(*topologyScreen).lineID()
	d.press("esc", "enter").shows("etcd CA")
	if got := d.root.screen().(*topologyScreen).lineID(); got != line {
		t.Errorf("the cursor went from %s to %s", line, got)
	}
}

// Whatever is pressed while something is made: nobody is stranded, and what comes
// late harms nothing.
func TestAnyKeysWhileSomethingIsMade(t *testing.T) {
	makeSlowly(t)
	rapid.Check(t, func(rt *rapid.T) {
		d := driveBrought(t, setup{})
		d.press("d", "t", "ctrl+u").write("pki").press("enter", "enter")
		var late []tea.Cmd
		for _, k := range rapid.SliceOfN(rapid.SampledFrom(mashed), 0, 30).Draw(rt, "keys") {
			late = append(late, d.hold(keyOf(t, k)))
			if d.frame(); rapid.IntRange(0, 3).Draw(rt, "waits") == 0 {
				for _, cmd := range late {
					d.run(cmd)
				}
				late = nil
			}
			if d.quit || d.root.env.Flow.At() == flow.StepDone {
				return
			}
		}
		for _, cmd := range late {
			d.run(cmd)
		}
		d.frame()
	})
}

// Nobody waits for keys where none are made.
func TestASetThatIsBroughtBeginsWithItsChecks(t *testing.T) {
	d := driveBrought(t, setup{}).press("d", "t", "ctrl+u").write("pki").press("enter", "enter")
	d.hold(keyOf(t, "enter"))
	d.at(flow.StepTopology).shows("Checking the set").hides("Making keys")
}
