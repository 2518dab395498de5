package plan

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"certwright/assets/profiles"
	"certwright/assets/yamlfile"
	"certwright/certs/topology"
)

func kubernetes(t testing.TB) *topology.Profile {
	t.Helper()
	p, err := profiles.Load("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// khead stands before what a case is about; the case starts in line 3.
const khead = "apiVersion: certwright/v1\nprofile: kubernetes\n"

const table = `nodes:
  - {name: CP-0, role: control-plane, addresses: [10.0.0.10]}
  - {name: worker-0, role: worker, addresses: [10.0.0.20, "fd00::20"]}
`

func TestANodesTableFillsTheTopology(t *testing.T) {
	p, err := Parse("plan.yaml", []byte(khead+table))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(kubernetes(t)); err != nil {
		t.Fatal(err)
	}
	topo, problems := p.Topology(kubernetes(t))
	if len(problems) > 0 || topo.Slot("kube/kubelet-server@worker-0") == nil || topo.Slot("kube/apiserver@cp-0") == nil {
		t.Fatalf("got %v and %d slots", problems, len(topo.Slots))
	}
	e := p.Explicit(kubernetes(t))
	if e.Nodes[0].Name != "cp-0" || e.Facts["node.name"] != "" || e.Facts["node.addresses"] != "" {
		t.Errorf("explicit: %+v, %v", e.Nodes[0], e.Facts)
	}
	if err := e.Check(kubernetes(t)); err != nil {
		t.Errorf("the explicit plan is refused: %v", err)
	}
	if p.Nodes[0].Name != "CP-0" {
		t.Error("Explicit changed the plan itself")
	}
}

func TestWrongNodesAreRefusedWithLineAndColumn(t *testing.T) {
	for _, c := range []struct{ why, text, want string }{
		{"no address", khead + "nodes:\n  - {name: cp-0, role: control-plane, addresses: []}\n", "plan.yaml:4:50: nodes[0].addresses: node cp-0 has no address; write at least the one that others reach it under"},
		{"no address field", khead + "nodes:\n  - {name: cp-0, role: control-plane}\n", "plan.yaml:4:5: nodes[0].addresses: node cp-0 has no address; write at least the one that others reach it under"},
		{"a wrong address", khead + "nodes:\n  - {name: cp-0, role: control-plane, addresses: [10.0.0.1, 10.0.0.300]}\n", "plan.yaml:4:61: nodes[0].addresses[1]: 10.0.0.300 is not an IP address: 300 is over 255"},
		{"an unknown role", khead + table + "  - {name: x, role: master, addresses: [10.0.0.3]}\n", "plan.yaml:6:21: nodes[2].role: must be control-plane or worker, not \"master\""},
		{"one name twice, in other letters", khead + table + "  - {name: cp-0, role: worker, addresses: [10.0.0.3]}\n", "plan.yaml:6:12: nodes[2].name: cp-0 is the name of node 1 already"},
		{"one address twice", khead + table + "  - {name: x, role: worker, addresses: [10.0.0.10]}\n", "plan.yaml:6:41: nodes[2].addresses[0]: 10.0.0.10 is an address of node cp-0 already"},
		{"no control plane", khead + "nodes:\n  - {name: w, role: worker, addresses: [10.0.0.3]}\n", "plan.yaml:4:21: nodes[0].role: no node is a control plane; give at least one the role control-plane"},
		{"an empty table", khead + "nodes: []\n", "plan.yaml:3:8: nodes: is empty; list the nodes, or leave the field out"},
		{"a file without a name", khead + "nodes: {}\n", "plan.yaml:3:8: nodes: names no file; write nodes: {from: nodes.csv}, or list the nodes"},
		{"an unknown field", khead + "nodes:\n  - {nmae: a}\n", `plan.yaml:4:6: nodes[0]: unknown field "nmae"; did you mean name?`},
		{"an unknown form", khead + "nodes: {form: a}\n", `plan.yaml:3:9: nodes: unknown field "form"; did you mean from?`},
		{"text", khead + "nodes: nodes.csv\n", `plan.yaml:3:8: nodes: must be a map of fields, not "nodes.csv"`},
		{"a node by facts too", khead + "facts: {node.name: cp-0}\n" + table, "plan.yaml:3:20: facts.node.name: describes a single node, and the plan has a table of nodes; remove one of the two"},
		{"a profile without nodes", head + "nodes: {from: nodes.csv}\n", "plan.yaml:3:8: nodes: profile tectonic has no nodes; remove the field"},
		{"a file that nobody read", khead + "nodes: {from: nodes.csv}\n", "plan.yaml:3:8: nodes: nodes.csv was not read yet"},
		{"a control character in the file's name", khead + "nodes: {from: \"a\\e[2J\"}\n", "plan.yaml:3:15: nodes.from: has a control character, and must be a path"},
		{"no node at all", khead, "plan.yaml:1:1: facts.node.addresses: is empty; write one like 10.0.0.10"},
		{"from beside files", khead + "components: {etcd: {mode: bring-ca, ca: {from: a, key: b}}}\n", "plan.yaml:3:48: components.etcd.ca.from: takes the CA and its key out of a set; remove cert and key, or from"},
		{"authority without from", khead + "components: {etcd: {mode: bring-ca, ca: {authority: kube}}}\n", "plan.yaml:3:53: components.etcd.ca.authority: is the authority of another set; name that set's directory too: {from: DIR, authority: kube}"},
		{"from for a leaf", khead + "facts: {node.addresses: 10.0.0.1}\ncomponents: {etcd: {mode: bring-certs, certs: {server: {from: a}}}}\n", "plan.yaml:4:63: components.etcd.certs.server.from: takes a CA out of another set, and etcd/server is none; name its cert and key"},
	} {
		t.Run(c.why, func(t *testing.T) {
			p, err := Parse("plan.yaml", []byte(c.text))
			if err == nil {
				profile := kubernetes(t)
				if p.Profile == "tectonic" {
					profile = tectonic(t)
				}
				err = p.Check(profile)
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != c.want {
				t.Errorf("got  %s\nwant %s", err, c.want)
			}
		})
	}
}

func TestParseNodes(t *testing.T) {
	want := []topology.Node{
		{Name: "cp-0", Role: topology.ControlPlane, Addresses: []string{"10.0.0.10"}},
		{Name: "worker-0", Role: topology.Worker, Addresses: []string{"10.0.0.20", "fd00::20"}},
	}
	for _, c := range []struct{ why, name, text string }{
		{"plain", "nodes.csv", "name,role,addresses\ncp-0,control-plane,10.0.0.10\nworker-0,worker,10.0.0.20 fd00::20\n"},
		{"a spreadsheet's", "nodes.csv", "\ufeffName, Role, Addresses\r\n\"CP-0\", control-plane, 10.0.0.10\r\n\r\nworker-0,worker,\"10.0.0.20; FD00::20\"\r\n"},
		{"other order and a comment", "n", "addresses,name,role\n# the first\n10.0.0.10,cp-0,control-plane\n10.0.0.20;fd00:0::20,worker-0,\n"},
		{"YAML", "nodes.yaml", "- {name: cp-0, role: control-plane, addresses: [10.0.0.10]}\n- {name: worker-0, addresses: [10.0.0.20, 'fd00::20']}\n"},
	} {
		got, err := ParseNodes(c.name, []byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		if len(got) != len(want) || !sameNode(got[0], want[0]) || !sameNode(got[1], want[1]) {
			t.Errorf("%s: got %+v", c.why, got)
		}
	}
}

func TestWrongFilesOfNodes(t *testing.T) {
	const first = "name,role,addresses\ncp-0,control-plane,10.0.0.10\n"
	var many strings.Builder
	many.WriteString(first)
	for i := range topology.MaxNodes {
		fmt.Fprintf(&many, "w-%d,worker,10.%d.%d.%d\n", i, 1+i>>16, i>>8&255, i&255)
	}
	for _, c := range []struct{ why, name, text, want string }{
		{"empty", "n.csv", "", "n.csv: is empty; its first line must be name,role,addresses"},
		{"header alone", "n.csv", "name,role,addresses\n", "n.csv: holds no node; write one line for each: cp-0,control-plane,10.0.0.10"},
		{"no header", "n.csv", "cp-0,control-plane,10.0.0.10\n", `n.csv:1:1: the first line must be name,role,addresses, not "cp-0,control-plane,10.0.0.10"; of several addresses of a node, separate each by a blank or a semicolon`},
		{"addresses with commas", "n.csv", first + "w,worker,10.0.0.1,10.0.0.2\n", "n.csv:3:1: has 4 fields, and name,role,addresses are 3; separate the addresses of a node by blanks or semicolons"},
		{"no address", "n.csv", first + "w,worker,\n", "n.csv:3:10: nodes[1].addresses: node w has no address; write at least the one that others reach it under"},
		{"wrong address", "n.csv", first + "w,worker,10.0.0.300\n", "n.csv:3:10: nodes[1].addresses[0]: 10.0.0.300 is not an IP address: 300 is over 255"},
		{"one address twice", "n.csv", first + "w,worker,::1 0::1\n", "n.csv:3:10: nodes[1].addresses[1]: ::1 stands there already; remove one of the two"},
		{"one name twice, behind an empty line", "n.csv", first + "\nCP-0,worker,10.0.0.2\n", "n.csv:4:1: nodes[1].name: cp-0 is the name of node 1 already"},
		{"unknown role", "n.csv", first + "w,boss,10.0.0.2\n", `n.csv:3:3: nodes[1].role: must be control-plane or worker, not "boss"`},
		{"a quote that does not end", "n.csv", first + "\"w,worker,10.0.0.2\n", "n.csv:3:20: is not CSV: extraneous or missing \" in quoted-field; write name,role,addresses without quotes, a line for each node"},
		{"not UTF-8", "n.csv", first + "\xff,worker,10.0.0.2\n", "n.csv:3:1: is not UTF-8 text; save it as UTF-8"},
		{"a key", "n.csv", "-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n", "n.csv:1:1: holds a secret, and a table of nodes holds none; name another file"},
		{"too many", "n.csv", many.String(), "n.csv:20002:1: nodes[20000].name: is one of 20001 nodes, and at most 20000 are taken"},
		{"too long", "n.csv", strings.Repeat("#", MaxNodesFile+1), "n.csv: is 4.2 MB, and at most 4.2 MB of nodes are read"},
		{"YAML, wrong address", "n.yaml", "- {name: cp-0, role: control-plane, addresses: [x]}\n", "n.yaml:1:49: nodes[0].addresses[0]: x is not an IP address"},
		{"YAML, no list", "n.yml", "nodes: []\n", "n.yml:1:1: must be a list, not a map; write […]"},
		{"YAML, empty", "n.yml", "", "n.yml: holds no node; write one line for each: cp-0,control-plane,10.0.0.10"},
		{"a terminal's escape", "n.csv", first + "\x1b[2J,worker,10.0.0.2\n", `n.csv:3:1: nodes[1].name: \u{1b}[2j is not a host name: \u{1b}[2j may hold only lower-case letters, digits and dashes, no dash first or last`},
	} {
		t.Run(c.why, func(t *testing.T) {
			nodes, err := ParseNodes(c.name, []byte(c.text))
			if err == nil || nodes != nil {
				t.Fatalf("accepted, or nodes beside an error: %d, %v", len(nodes), err)
			}
			if err.Error() != c.want {
				t.Errorf("got  %s\nwant %s", err, c.want)
			}
		})
	}
}

// tables generates tables of nodes, right or wrong.
func tables() *rapid.Generator[[]topology.Node] {
	word := rapid.SampledFrom([]string{"cp-0", "w.example.com", "", "no", "1.30", "Ä b", "{{x}}", "a: b", "#", "10.0.0.1", "fd00::1", "::"})
	node := rapid.Custom(func(t *rapid.T) topology.Node {
		return topology.Node{
			Name: word.Draw(t, "name"), Role: topology.Role(word.Draw(t, "role")),
			Addresses: rapid.SliceOfN(word, 0, 3).Draw(t, "addresses"),
		}
	})
	return rapid.SliceOfN(node, 0, 4)
}

func FuzzParseNodes(f *testing.F) {
	f.Add("n.csv", []byte("name,role,addresses\ncp-0,control-plane,10.0.0.10 fd00::1\n"))
	f.Add("n.csv", []byte("role,name,addresses\n\"\",x,;;\n"))
	f.Add("n.csv", []byte("name,role,addresses\ncp-0,control-plane,::1 0::1\n"))
	f.Add("n.yaml", []byte("- {name: cp-0, role: control-plane, addresses: [10.0.0.10]}\n"))
	profile := kubernetes(f)
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		nodes, err := ParseNodes(name, data)
		for _, e := range yamlfile.All(err) {
			if strings.ContainsAny(e.Error(), "\x1b\n\r\u202e") {
				t.Errorf("unescaped: %q", e)
			}
		}
		if err != nil {
			return
		}
		p := &Plan{APIVersion: APIVersion, Profile: "kubernetes", Nodes: nodes}
		if err := p.Check(profile); err != nil {
			t.Fatalf("nodes that were read are refused: %v", err)
		}
		out, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Parse("f", out); err != nil || !back.Equal(p) {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

func BenchmarkParseNodes(b *testing.B) {
	var text strings.Builder
	text.WriteString("name,role,addresses\ncp-0,control-plane,10.255.0.1\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "worker-%d.example.com,worker,10.%d.%d.%d fd00::%x\n", i, i>>16, i>>8&255, i&255, i+1)
	}
	data := []byte(text.String())
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := ParseNodes("nodes.csv", data); err != nil {
			b.Fatal(err)
		}
	}
}

// The plans that the README shows are taken as they stand there.
func TestThePlansOfTheREADME(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if !strings.HasPrefix(block, "apiVersion: "+APIVersion) {
			continue
		}
		n++
		p, err := Parse(fmt.Sprintf("block %d", i), []byte(block))
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		profile, err := profiles.Load(p.Profile)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(p.Check(profile), complete(p, profile)); err != nil {
			t.Error(err)
		}
	}
	if n < 2 {
		t.Errorf("%d plans found", n)
	}
}
