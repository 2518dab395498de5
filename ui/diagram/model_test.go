package diagram_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/issue"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/ui/diagram"
)

// outline is the tree as "mode id" lines, indented.
func outline(m *diagram.Model) string {
	var b strings.Builder
	var walk func(n *diagram.Node, depth int)
	walk = func(n *diagram.Node, depth int) {
		id := n.ID
		if kind, _, ok := strings.Cut(id, "/"); ok && (kind == "above" || kind == "between") {
			id = kind + ":" + n.Title
		}
		b.WriteString(strings.Repeat(" ", depth) + n.Mode.Letter() + " " + id + " " + string(n.State) + "\n")
		for _, c := range n.Children {
			walk(c, depth+1)
		}
	}
	for _, n := range m.Roots {
		walk(n, 0)
	}
	return b.String()
}

func TestWhoStandsUnderWhom(t *testing.T) {
	corp := elsewhere(t, map[string]string{"cluster.name": "corp"})
	one := corp.Pairs["kube/ca"]
	bringKube := map[topology.ComponentID]topology.Mode{"kube": topology.BringCA}
	// What is the same in every case is left out of the answers.
	same := regexp.MustCompile(`(?m)^ *\w (ingress/.*|etcd/peer|etcd/client|identity/client|kube/service-account) .*\n`)
	for name, c := range map[string]struct {
		in   diagram.Input
		want string
	}{
		"a plan that makes everything": {planned(t), `
G root planned
 G etcd/ca planned
  G etcd/server planned
 G kube/ca planned
  G kube/apiserver planned
  G kube/kubelet planned
  G identity/server planned
`},
		"a flat plan": {diagram.Input{Topology: resolve(t, "tectonic", nil), Now: now, Hierarchy: topology.Roots}, `
G etcd/ca planned
 G etcd/server planned
G kube/ca planned
 G kube/apiserver planned
 G kube/kubelet planned
 G identity/server planned
`},
		"a CA to be brought that was not given yet": {diagram.Input{Topology: resolve(t, "tectonic", nil), Now: now, Modes: bringKube}, `
G root planned
 G etcd/ca planned
  G etcd/server planned
C kube/ca missing
 C kube/apiserver planned
 C kube/kubelet planned
 G identity/server planned
`},
		"a CA that was given, with its root": {diagram.Input{
			Topology: resolve(t, "tectonic", nil), Now: now, Modes: bringKube, Brought: map[topology.SlotID]*certs.Pair{"kube/ca": one},
		}, `
G root planned
 G etcd/ca planned
  G etcd/server planned
C above:corp root CA brought
 C kube/ca brought
  C kube/apiserver planned
  C kube/kubelet planned
  G identity/server planned
`},
		"an intermediate of our own, planned": {diagram.Input{
			Topology: resolve(t, "tectonic", nil), Now: now, Modes: bringKube, Brought: map[topology.SlotID]*certs.Pair{"kube/ca": one},
			Subordinate: map[topology.AuthorityID]bool{"kube": true},
		}, `
G root planned
 G etcd/ca planned
  G etcd/server planned
C above:corp root CA brought
 C above:kube-ca brought
  C kube/ca planned
   C kube/apiserver planned
   C kube/kubelet planned
   G identity/server planned
`},
		"an issued set": {proved(t, nil), `
G root made
 G etcd/ca made
  G etcd/server made
 G kube/ca made
  G kube/apiserver made
  G kube/kubelet made
  G identity/server made
`},
	} {
		if got := "\n" + same.ReplaceAllString(outline(diagram.New(c.in)), ""); got != c.want {
			t.Errorf("%s:\ngot:%s\nwant:%s", name, got, c.want)
		}
	}
}

func TestOneRootAboveTwoAuthoritiesIsOneNode(t *testing.T) {
	m := diagram.New(mixed(t))
	for _, n := range m.Roots {
		if n.Title == "corp root CA" && len(n.Children) != 2 {
			t.Errorf("corp root CA has %d authorities below it, want 2", len(n.Children))
		}
	}
	if len(m.Roots) != 3 { // our root, theirs, the key pair
		t.Errorf("%d trees, want 3:\n%s", len(m.Roots), outline(m))
	}
}

func TestOneCAForTwoAuthoritiesIsSaid(t *testing.T) {
	ca := elsewhere(t, nil).Pairs["kube/ca"]
	in := proved(t, func(r *issue.Request) {
		r.Modes = map[topology.ComponentID]topology.Mode{"kube": topology.BringCA, "etcd": topology.BringCA}
		r.Brought = map[topology.SlotID]*certs.Pair{"kube/ca": ca, "etcd/ca": ca}
	})
	n := diagram.New(in).Node("etcd/ca")
	if len(n.Notes) != 1 || !strings.Contains(n.Notes[0], "kube CA") || n.Severity != check.Warning {
		t.Errorf("etcd/ca: notes %q, severity %q: want one that names kube CA, as a warning", n.Notes, n.Severity)
	}
	if n := diagram.New(in).Node("ingress/ca"); len(n.Notes) != 0 {
		t.Errorf("ingress/ca has a CA of its own, and notes %q", n.Notes)
	}
}

func TestCallsTellTheirProof(t *testing.T) {
	call := func(m *diagram.Model, id string) *diagram.Call {
		i := slices.IndexFunc(m.Calls, func(c *diagram.Call) bool { return c.ID == id })
		return m.Calls[i]
	}
	if got := call(diagram.New(planned(t)), "apiserver-etcd").Proof; got != diagram.Unproved {
		t.Errorf("before anything is made: %s", got)
	}
	waiting := planned(t)
	waiting.Proving = true
	if got := diagram.New(waiting).Proof; got != diagram.Proving {
		t.Errorf("while it is made: %s", got)
	}
	m := diagram.New(proved(t, nil))
	if m.Proof != diagram.Proved || m.Node("etcd/server").Proof != diagram.Proved {
		t.Errorf("a good set: %s, etcd/server %s", m.Proof, m.Node("etcd/server").Proof)
	}
	m = diagram.New(failing(t))
	c := call(m, "apiserver-etcd")
	if c.Proof != diagram.Failed || !strings.Contains(c.Needs, "demo-etcd-0") || c.Fix == "" || strings.Contains(c.Problem, c.Fix) {
		t.Errorf("a failing call: %+v", c)
	}
	if got := m.Problems()[0].ID; got != "etcd/server" {
		t.Errorf("the first problem is %s, want etcd/server", got)
	}
	if n := m.Node("kube/apiserver"); n.Severity != "" {
		t.Errorf("kube/apiserver is blamed for etcd: %s", n.Severity)
	}
}

func TestANameThatIsOnlyAdvisedFailsNoCall(t *testing.T) {
	in := proved(t, nil)
	for i := range in.Handshakes {
		if h := &in.Handshakes[i]; h.Name == "localhost" {
			*h = prove.Handshake{Edge: h.Edge, Client: h.Client, Server: h.Server, Name: h.Name, Version: h.Version, Advised: "etcdctl dials it", Problem: "no"}
		}
	}
	m := diagram.New(in)
	if m.Proof != diagram.Proved {
		t.Errorf("the set is %s, want proved", m.Proof)
	}
}

func TestMastersAreSaidLoudly(t *testing.T) {
	m := diagram.New(proved(t, nil))
	loud := map[string]bool{}
	for _, n := range m.Nodes() {
		for _, o := range n.Opens {
			if o.Loud {
				loud[n.ID] = true
			}
		}
	}
	if len(loud) != 1 || !loud["kube/kubelet"] {
		t.Errorf("loud are %v, want kube/kubelet alone", loud)
	}
	var text []string
	for _, r := range diagram.Details(m.Node("kube/kubelet"), 80, false) {
		text = append(text, r.Text())
	}
	if !strings.Contains(strings.Join(text, "\n"), "! API server as kubelet in system:masters") {
		t.Errorf("the details of kubelet do not say it:\n%s", strings.Join(text, "\n"))
	}
}

func TestJSONHasTheTreeAndTheCalls(t *testing.T) {
	data, err := diagram.JSON(diagram.New(failing(t)))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Profile string
		Counts  struct{ Authorities, Certificates int }
		Tree    []struct {
			ID       string
			Children []struct{ ID string }
		}
		Calls []struct{ ID, Proof, Problem string }
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Profile != "tectonic" || got.Counts.Authorities != 3 || got.Counts.Certificates != 11 || len(got.Calls) != len(failing(t).Topology.Edges) {
		t.Errorf("got %+v", got)
	}
	if got.Calls[1].ID != "apiserver-etcd" || got.Calls[1].Proof != "failed" || got.Calls[1].Problem == "" {
		t.Errorf("the failing call is %+v", got.Calls[1])
	}
	if strings.Contains(string(data), "PRIVATE") {
		t.Error("JSON holds a private key")
	}
}

func TestWhatWasMadeForAShortLifeIsNoWarning(t *testing.T) {
	in := proved(t, func(r *issue.Request) { r.LeafLife = 30 * 24 * 3600e9 })
	if got := diagram.New(in).Problems(); len(got) != 0 {
		t.Errorf("a set made for 30 days warns of %d certificates", len(got))
	}
	in.Now = now.AddDate(0, 0, 25)
	if n := diagram.New(in).Node("etcd/server"); n.Severity != check.Warning || n.Days != 5 {
		t.Errorf("25 days later: %d days, %q", n.Days, n.Severity)
	}
	in.Now = now.AddDate(0, 0, 45)
	if n := diagram.New(in).Node("etcd/server"); n.Days != -15 {
		t.Errorf("15 days after its end: %d days", n.Days)
	}
}
