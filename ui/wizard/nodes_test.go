package wizard

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/spf13/afero"

	"certwright/assets/profiles"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
)

// driveNodes starts on the facts of a profile with nodes.
func driveNodes(t testing.TB, s setup) *driver {
	t.Helper()
	d := drive(t, s)
	p, err := profiles.Load("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	answers := plan.Default(p)
	if s.plan != nil {
		s.plan(answers)
	}
	state, effects, err := flow.New(withNodes{}, answers)
	if err != nil {
		t.Fatal(err)
	}
	d.root.env.Flow, d.root.screens, d.root.at = state, map[flow.Step]Screen{}, ""
	d.run(d.root.work.start(effects))
	d.run(d.root.arrive())
	return d.press("enter").at(flow.StepFacts)
}

// withNodes is a catalogue of one profile with nodes, and one without.
type withNodes struct{}

func (withNodes) Names() []string { return []string{"kubernetes", "tectonic"} }
func (withNodes) Load(name string) (*topology.Profile, error) {
	return profiles.Load(name)
}

// toNodes moves to the row of the nodes, from wherever the cursor is.
func (d *driver) toNodes() *driver {
	d.t.Helper()
	s := d.root.screen().(*factsScreen)
	for range s.fields {
		if s.fields[s.cursor].id == fieldNodes {
			return d
		}
		d.press("down")
	}
	d.t.Fatal("no field is called Nodes")
	return d
}

func (d *driver) nodes() []topology.Node {
	table, _ := d.root.env.Flow.Nodes()
	return table
}

const threeNodes = "name,role,addresses\ncp-0,control-plane,10.0.0.10\ncp-1,control-plane,10.0.0.11 fd00::11\nworker-0,worker,10.0.0.20\n"

func TestFramesNodes(t *testing.T) {
	d := driveNodes(t, setup{}).toNodes().shows("1 node, above")
	d.golden("nodes-facts-one")
	d.press("enter").golden("nodes-empty")
	d.paste(threeNodes).shows("3 nodes added")
	d.press("down").golden("nodes")
	d.press("a").write("Worker-1").press("enter").write("10.0.0.300").golden("nodes-wrong")
	d.press("esc", "esc").shows("2 control planes, 2 workers").golden("nodes-facts")
}

func TestNodesAreTyped(t *testing.T) {
	d := driveNodes(t, setup{}).toNodes().press("right")
	d.press("a").write("CP-0").press("enter").write("10.0.0.10, fd00:0::10").press("enter")
	d.press("a").write("w-0").press("enter").write("10.0.0.20").press("enter")
	got := d.nodes()
	if len(got) != 2 || got[0].Name != "cp-0" || got[0].Role != topology.ControlPlane || joinAddresses(got[0]) != "10.0.0.10 fd00::10" || got[1].Role != topology.Worker {
		t.Fatalf("nodes are %+v", got)
	}
	d.press("r")
	if got := d.nodes()[1].Role; got != topology.ControlPlane {
		t.Errorf("r made the role %s", got)
	}
	d.press("enter").write("9").press("tab", "space", "tab").press("ctrl+u").write("10.0.0.21").press("enter")
	if got := d.nodes()[1]; got.Name != "w-09" || got.Role != topology.Worker || joinAddresses(got) != "10.0.0.21" {
		t.Errorf("the node became %+v", got)
	}
	d.press("x").shows("Node w-09 is gone")
	if d.press("u"); len(d.nodes()) != 2 {
		t.Error("u did not bring the node back")
	}
	d.press("esc").shows("1 control plane, 1 worker").hides("Node name", "Node addresses").at(flow.StepFacts)
	d.press("enter", "x", "x")
	if len(d.nodes()) != 0 {
		t.Error("the table is not empty")
	}
	d.press("esc").shows("Node name", "1 node, above")
}

func TestTheSingleNodeIsTakenIntoTheTable(t *testing.T) {
	d := driveNodes(t, setup{plan: func(p *plan.Plan) { p.Facts["node.addresses"] = "10.0.0.10" }}).toNodes()
	d.press("enter", "a").write("w-0").press("enter").write("10.0.0.20").press("enter")
	if got := d.nodes(); len(got) != 2 || got[0].Name != "demo-cp-0" || got[0].Role != topology.ControlPlane {
		t.Errorf("nodes are %+v", got)
	}
}

func TestEscKeepsTheRowThatIsTyped(t *testing.T) {
	d := driveNodes(t, setup{}).toNodes().press("enter", "a").write("half").press("esc")
	if got := d.nodes(); len(got) != 1 || got[0].Name != "half" {
		t.Fatalf("nodes are %+v", got)
	}
	d.shows("node half has no address", "write at least").press("esc").press("esc").at(flow.StepProfile)
	d.press("enter").at(flow.StepFacts).shows("node 1: node half has no address")
	d.press("enter").at(flow.StepFacts) // and forwards it goes to what is wrong
	if s := d.root.screen().(*factsScreen); !s.table() {
		t.Error("enter did not go to the node that is wrong")
	}
	d.press("esc").press("enter", "a", "esc")
	if len(d.nodes()) != 1 {
		t.Error("a new row without a word was kept")
	}
}

func TestNodesThatAreWrongAreFound(t *testing.T) {
	d := driveNodes(t, setup{}).toNodes().press("enter")
	d.paste("cp-0,control-plane,10.0.0.10\nw-0,wurker,10.0.0.20\nw-1,worker,10.0.0.21\nW-1,worker,10.0.0.10\n")
	d.press("home").shows("2 nodes of 4 cannot be taken", "must be control-plane or worker")
	d.press("n").shows("Node 2: role must be", "Press r to").press("n").shows("Node 4:", "is the name of node 3 already").press("n").shows("Node 2:")
	d.press("r").hides("wurker")
}

func TestPastesThatAreNoNodes(t *testing.T) {
	key := "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n-----END PRIVATE KEY-----\n"
	body := "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
	for name, text := range map[string]string{"a key": key, "the body of a key": body, "two of its lines": body + "\n" + body, "prose": "what is this\nand that", "one column": "cp-0", "quotes": "a,\"b,c\nd", "nothing": "\n\n"} {
		for _, cell := range []bool{false, true} {
			d := driveNodes(t, setup{}).toNodes().press("enter")
			if cell {
				if name == "one column" {
					continue // a value
				}
				d.press("a")
			}
			d.paste(text).hides("MC4CAQ", "what is this")
			if len(d.nodes()) != 0 {
				t.Errorf("%s: nodes are %+v", name, d.nodes())
			}
			if name != "nothing" && name != "prose" {
				d.shows("✗")
			}
			d.press("esc", "esc").hides("MC4CAQ")
		}
	}
}

func TestATypedPasteOfNodesPressesNoKeys(t *testing.T) {
	d := driveNodes(t, setup{}).toNodes().press("enter")
	typed := func(text string) { d.msg(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(text)}).press("enter") }
	typed("cp-0,control-plane,10.0.0.10")
	typed("worker-0,worker,10.0.0.20")
	d.advance()
	if got := d.nodes(); len(got) != 2 || got[1].Name != "worker-0" {
		t.Errorf("nodes are %+v", got)
	}
}

func TestNodesFromAFile(t *testing.T) {
	d := driveNodes(t, setup{})
	table, err := plan.ParseNodes("nodes.csv", []byte(threeNodes))
	if err != nil {
		t.Fatal(err)
	}
	if err := afero.WriteFile(d.fs, "/home/ann/cluster/nodes.csv", []byte(threeNodes), 0o644); err != nil {
		t.Fatal(err)
	}
	d.runner.nodes = func(e flow.ReadNodes) flow.NodesRead {
		if e.Path != "nodes.csv" {
			_, err := plan.ParseNodes(e.Path, []byte("name,role,addresses\ncp-0,boss,10.0.0.10\n"))
			return flow.NodesRead{Gen: e.Gen, Err: err}
		}
		return flow.NodesRead{Gen: e.Gen, Nodes: table}
	}
	d.toNodes().press("enter", "f").write("no").press("tab").shows("nodes.csv").golden("nodes-file").size(80, 24)
	d.press("enter").shows("2 control planes, 1 worker from nodes.csv", "worker-0")
	d.press("esc").shows("2 control planes, 1 worker from nodes.csv").hides("Node name")
	d.press("enter", "f", "ctrl+u").write("bad.csv").press("enter").shows("bad.csv:2:6", "control-plane")
	d.golden("nodes-file-wrong").size(80, 24)
	if d.press("u").shows("worker-0"); len(d.nodes()) != 3 {
		t.Errorf("nodes are %+v", d.nodes())
	}
	d.press("r").hides("from nodes.csv") // a change leaves the file
	if _, from := d.root.env.Flow.Nodes(); from != "" {
		t.Errorf("the table still comes from %q", from)
	}
	d.press("f", "esc").press("esc").at(flow.StepFacts)
}

// manyNodes are n lines of a table.
func manyNodes(n int) string {
	var b strings.Builder
	b.WriteString("cp-0,control-plane,10.200.0.1\n")
	for i := 1; i < n; i++ {
		b.WriteString("worker-" + strconv.Itoa(i) + ",worker,10." + strconv.Itoa(i>>16&255) + "." + strconv.Itoa(i>>8&255) + "." + strconv.Itoa(i&255) + "\n")
	}
	return b.String()
}

func TestTenThousandNodes(t *testing.T) {
	d := driveNodes(t, setup{}).toNodes().press("enter").paste(manyNodes(10_000)).shows("10,000 nodes added")
	if len(d.nodes()) != 10_000 {
		t.Fatalf("%d nodes", len(d.nodes()))
	}
	d.press("end").shows("worker-9999").press("home").shows("cp-0").press("pgdown", "pgdown").shows("worker-20")
	for _, size := range goldenSizes {
		d.size(size[0], size[1])
		for _, k := range []string{"end", "up", "pgup", "home", "down", "enter", "tab", "tab", "esc"} {
			d.press(k).whole()
		}
	}
	d.paste(manyNodes(10_001)).shows("more than 20000 nodes")
	if len(d.nodes()) != 10_000 {
		t.Errorf("%d nodes", len(d.nodes()))
	}
	d.press("esc").shows("1 control plane, 9,999 workers")
}

// Of many nodes a sample of the connections is tried, and Review says so.
func TestReviewSaysThatTheProofIsASample(t *testing.T) {
	d := driveNodes(t, setup{}).toNodes().press("enter").paste(manyNodes(20)).press("esc", "up", "enter").at(flow.StepModes)
	d.press("enter").at(flow.StepTopology).press("enter").at(flow.StepReview)
	d.shows("connections proved, evenly spread. enter writes").hides("every connection proved")
}

func TestNodesOfOthersStayText(t *testing.T) {
	d := driveNodes(t, setup{}).toNodes().press("enter")
	d.paste("\"" + evil + "\",worker," + evil + "\n")
	for range 3 {
		d.tame()
		d.press("down")
	}
	d.run(d.root.do(flow.SetNodes{Nodes: []topology.Node{{Name: evil, Role: topology.Role(evil), Addresses: []string{evil}}}}))
	d.tame()
	d.press("enter").tame()
	d.press("tab").tame()
	d.press("tab").tame()
	d.press("esc").tame()
	d.press("x").tame()
	d.press("u", "esc").tame()
}

func TestAProfileWithoutNodesHasNoSuchRow(t *testing.T) {
	d := driveNodes(t, setup{}).toNodes().press("enter").paste(threeNodes).press("esc", "esc").at(flow.StepProfile)
	d.press("down", "enter").at(flow.StepFacts).shows("Ingress host").hides("Nodes  ")
	d.press("esc", "up", "enter").at(flow.StepFacts).shows("2 control planes, 1 worker")
}

func BenchmarkNodesView(b *testing.B) {
	d := driveNodes(b, setup{}).toNodes().press("enter").paste(manyNodes(10_000)).press("end")
	d.size(200, 60)
	b.Run("draw", func(b *testing.B) {
		for b.Loop() {
			d.frame()
		}
	})
	b.Run("type", func(b *testing.B) {
		d.press("enter")
		for b.Loop() {
			d.press("9").frame()
			d.press("backspace").frame()
		}
		d.press("esc")
	})
	b.Run("accept", func(b *testing.B) {
		for b.Loop() {
			d.press("r").frame()
		}
	})
	d.press("esc")
	b.Run("facts", func(b *testing.B) {
		for b.Loop() {
			d.frame()
		}
	})
}

// Any keys in the table: the window is whole, and esc leads out with the steps
// in order.
func TestNodesSurviveAnyKeys(t *testing.T) {
	keys := []string{
		"a", "enter", "esc", "x", "r", "f", "n", "u", "up", "down", "home", "end", "pgup", "pgdown", "tab", "shift+tab", "left", "right",
		"space", "backspace", "ctrl+u", "ctrl+w", "delete", "?", "f1", "1", "0", ".", ",", "é", "PASTE", "READ",
	}
	rng := rand.New(rand.NewPCG(7, 11))
	rounds := 40
	if testing.Short() {
		rounds = 4
	}
	for round := range rounds {
		d := driveNodes(t, setup{})
		d.runner.nodes = func(e flow.ReadNodes) flow.NodesRead {
			nodes, err := plan.ParseNodes("nodes.csv", []byte(threeNodes))
			if rng.IntN(3) == 0 {
				nodes, err = nil, errors.New("gone")
			}
			return flow.NodesRead{Gen: e.Gen, Nodes: nodes, Err: err}
		}
		d.toNodes().press("enter")
		for range 80 {
			switch k := keys[rng.IntN(len(keys))]; k {
			case "PASTE":
				d.paste([]string{threeNodes, "10.0.0.1", evil, "w,worker,10.9.9.9"}[rng.IntN(4)])
			case "READ": // the file changed under the pane
				d.run(d.root.do(flow.LoadNodes{Path: "nodes.csv"}))
			default:
				d.press(k)
			}
			size := [][2]int{{80, 24}, {60, 16}, {61, 19}, {120, 40}, {200, 60}}[rng.IntN(5)]
			d.size(size[0], size[1]).whole()
		}
		for i := 0; d.root.env.Flow.At() != flow.StepProfile; i++ {
			if i > 6 {
				t.Fatalf("round %d: esc does not lead out\n%s", round, d.frame())
			}
			d.press("esc")
		}
	}
}

// While a row is typed its file changes: the row goes where its name is now.
func TestAFileThatChangesUnderATypedRow(t *testing.T) {
	d := driveNodes(t, setup{})
	text := threeNodes
	d.runner.nodes = func(e flow.ReadNodes) flow.NodesRead {
		nodes, err := plan.ParseNodes("nodes.csv", []byte(text))
		return flow.NodesRead{Gen: e.Gen, Nodes: nodes, Err: err}
	}
	d.toNodes().press("enter", "f").write("nodes.csv").press("enter", "end", "enter", "tab", "tab", "ctrl+u").write("10.0.0.99")
	text = "name,role,addresses\ncp-0,control-plane,10.0.0.10\nworker-0,worker,10.0.0.20\nworker-1,worker,10.0.0.21\n"
	d.run(d.root.do(flow.LoadNodes{Path: "nodes.csv"}))
	d.press("enter")
	if got := d.nodes(); len(got) != 3 || got[1].Name != "worker-0" || joinAddresses(got[1]) != "10.0.0.99" || joinAddresses(got[2]) != "10.0.0.21" {
		t.Errorf("nodes are %+v", got)
	}
}

// Whatever is pasted: all of it becomes nodes or none, an error repeats nothing
// of it, and what was taken can be judged.
func FuzzNodesFromText(f *testing.F) {
	for _, text := range []string{threeNodes, "a\tworker\t10.0.0.1 fd00::1\n", "a,b\n", "\"x\n,\",,\n", "#\n", evil, "a,worker,10.0.0.1,10.0.0.2\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		nodes, err := nodesFromText(text)
		if err != nil {
			if len(nodes) > 0 {
				t.Errorf("%d nodes with an error", len(nodes))
			}
			for field := range strings.FieldsSeq(text) {
				if len(field) > 24 && strings.Contains(err.Error(), field) {
					t.Errorf("the error repeats %q", field)
				}
			}
			return
		}
		if len(nodes) == 0 {
			t.Error("neither nodes nor an error")
		}
		topology.CheckNodes(nodes)
		var j judgedNodes
		for row := range j.judge(nodes, "").problems {
			if row < 0 || row >= max(len(nodes), topology.MaxNodes+1) {
				t.Errorf("a problem of row %d of %d", row, len(nodes))
			}
		}
	})
}
