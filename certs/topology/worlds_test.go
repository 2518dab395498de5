package topology

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestConditions(t *testing.T) {
	facts := map[string][]string{"v": {"1.36.1"}, "old": {"1.9"}, "install": {"operator"}, "empty": nil, "list": {"a", "b"}}
	values := func(name string) ([]string, bool) { vs, ok := facts[name]; return vs, ok }
	for s, want := range map[string]bool{
		"": true, "v >= 1.36.1": true, "v > 1.36.1": false, "v < 1.37": true, "v >= 1.36": true, "v <= 1.36": false,
		"old < 1.29":          true, // number by number, not letter by letter
		"install == operator": true, "install != operator": false, "empty is set": false, "empty is not set": true, "v is set": true,
		"install == operator and v < 1.29": false, "list == a,b": true, "unknown == x": false, "unknown is not set": false,
	} {
		c, err := parseCondition(s)
		if err != nil {
			t.Errorf("%q: %v", s, err)
		} else if got := c.holds(values); got != want {
			t.Errorf("%q: got %v", s, got)
		}
	}
	for _, s := range []string{"v", "v =", "v = 1", "v < new", "v < 1", "v == ", "and", "v is", "v == 1 or v == 2", "v ~ 1"} {
		if _, err := parseCondition(s); err == nil {
			t.Errorf("%q was read", s)
		}
	}
}

func TestNodeTables(t *testing.T) {
	plane := Node{Name: "cp-0", Role: ControlPlane, Addresses: []string{"10.0.0.1"}}
	for _, c := range []struct {
		name  string
		nodes []Node
		want  string // part of the only problem, "" for none
	}{
		{"good", []Node{plane, {Name: "W-0", Addresses: []string{" 10.0.0.2 ", "FD00::2"}}}, ""},
		{"no address", []Node{plane, {Name: "w-0"}}, "nodes[1].addresses: node w-0 has no address"},
		{"two of one name", []Node{plane, {Name: "CP-0", Addresses: []string{"10.0.0.2"}}}, "nodes[1].name: cp-0 is the name of node 1 already"},
		{"two with one address", []Node{plane, {Name: "w-0", Addresses: []string{"10.0.0.1"}}}, "nodes[1].addresses[0]: 10.0.0.1 is an address of node cp-0 already"},
		{"one with one address twice", []Node{plane, {Name: "w-0", Addresses: []string{"fd00::2", "10.0.0.2", "FD00:0::2"}}}, "nodes[1].addresses[2]: fd00::2 stands there already; remove one of the two"},
		{"one line twice", []Node{plane, plane}, "nodes[1].name: cp-0 is the name of node 1 already"},
		{"an address that is none", []Node{plane, {Name: "w-0", Addresses: []string{"10.0.0.300"}}}, "300 is over 255"},
		{"an unknown role", []Node{plane, {Name: "w-0", Role: "master", Addresses: []string{"10.0.0.2"}}}, "nodes[1].role"},
		{"no name", []Node{plane, {Addresses: []string{"10.0.0.2"}}}, "nodes[1].name: is empty"},
		{"a name with a blank", []Node{plane, {Name: "w 0", Addresses: []string{"10.0.0.2"}}}, "nodes[1].name"},
		{"no control plane", []Node{{Name: "w-0", Addresses: []string{"10.0.0.2"}}}, "no node is a control plane"},
	} {
		problems := CheckNodes(c.nodes)
		switch {
		case c.want == "" && len(problems) > 0:
			t.Errorf("%s: %v", c.name, problems[0])
		case c.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Error(), c.want)):
			t.Errorf("%s: got %v, want %q", c.name, problems, c.want)
		}
		if c.name == "good" && (c.nodes[1].Name != "w-0" || c.nodes[1].Addresses[1] != "fd00::2" || c.nodes[1].Role != Worker) {
			t.Errorf("not put into canonical form: %+v", c.nodes[1])
		}
	}
}

func TestPairs(t *testing.T) {
	nodes := make([]Node, 300)
	var all []*Node
	for i := range nodes {
		nodes[i].Name = fmt.Sprintf("n-%d", i)
		all = append(all, &nodes[i])
	}
	for _, c := range []struct {
		name             string
		clients, servers []*Node
		distinct         bool
		pairs, whole     int
	}{
		{"the cluster's own", []*Node{nil}, []*Node{nil}, false, 1, 1},
		{"one node dials itself", all[:1], all[:1], true, 1, 1},
		{"three members, not themselves", all[:3], all[:3], true, 6, 6},
		{"each with each", all[:4], all[:3], false, 12, 12},
		{"a sample of many", all, all[:3], false, maxPairs, 900},
		{"one to many", []*Node{nil}, all, false, maxPairs, 300},
	} {
		pairs, whole := pairUp(c.clients, c.servers, c.distinct)
		if len(pairs) != c.pairs || whole != c.whole {
			t.Errorf("%s: %d pairs of %d, want %d of %d", c.name, len(pairs), whole, c.pairs, c.whole)
		}
		for _, p := range pairs {
			if c.distinct && p[0] == p[1] && len(c.servers) > 1 {
				t.Errorf("%s: %v dials itself", c.name, p[0])
			}
		}
	}
	// Of a sample every server is tried, and the first and the last client.
	pairs, _ := pairUp(all, all[:3], false)
	var servers []string
	for _, p := range pairs {
		servers = append(servers, p[1].Name)
	}
	slices.Sort(servers)
	if got := slices.Compact(servers); len(got) != 3 || pairs[0][0] != all[0] || pairs[len(pairs)-1][0] != all[299] {
		t.Errorf("servers %v, clients from %v to %v", got, pairs[0][0], pairs[len(pairs)-1][0])
	}
}
