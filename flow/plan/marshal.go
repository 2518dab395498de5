package plan

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"certwright/certs/topology"
)

const header = `# The answers of one installation. "certwright apply -f FILE" makes a set from them.
# It names files and holds no key. Relative paths start from this file's directory.
`

const awaitingHeader = `#
# AWAITING CERTIFICATES: CAs elsewhere sign the requests in the directory that "awaiting" names.
# "certwright import DIR FILE" takes what comes back, and completes the set.
`

// Marshal writes the plan: the same plan gives the same bytes, and Parse reads
// it back. Maps are in the order of their keys, lives in hours.
func (p *Plan) Marshal() ([]byte, error) {
	doc := &node{}
	doc.text("apiVersion", p.APIVersion)
	doc.text("profile", p.Profile)
	facts := &node{}
	for _, name := range slices.Sorted(maps.Keys(p.Facts)) {
		facts.set(name, p.Facts[name])
	}
	doc.add("facts", facts)
	switch {
	case p.NodesFrom != "":
		from := &node{flow: true}
		from.text("from", p.NodesFrom)
		doc.add("nodes", from)
	case len(p.Nodes) > 0:
		doc.set("nodes", nodesMark)
	}
	keys := &node{flow: true}
	keys.text("algorithm", string(p.Keys.Algorithm))
	keys.text("ca-keys", string(p.Keys.CAKeys))
	doc.add("keys", keys)
	validity := &node{flow: true}
	if p.Validity.CA != 0 {
		validity.set("ca", p.Validity.CA.String())
	}
	if p.Validity.Leaf != 0 {
		validity.set("leaf", p.Validity.Leaf.String())
	}
	doc.add("validity", validity)
	doc.text("hierarchy", string(p.Hierarchy))
	components := &node{}
	for _, id := range slices.Sorted(maps.Keys(p.Components)) {
		components.keep(string(id), component(p.Components[id]))
	}
	doc.add("components", components)
	output := &node{flow: true}
	output.text("dir", p.Output.Dir)
	if len(p.Output.Layouts) > 0 {
		output.value("layouts", list(p.Output.Layouts))
	}
	doc.add("output", output)
	doc.text("awaiting", p.Awaiting)

	var b bytes.Buffer
	b.WriteString(header)
	if p.Awaiting != "" {
		b.WriteString(awaitingHeader)
	}
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(doc.yaml()); err != nil {
		return nil, fmt.Errorf("write the plan: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write the plan: %w", err)
	}
	before, after, marked := bytes.Cut(b.Bytes(), []byte("\nnodes: "+nodesMark+"\n"))
	if !marked || p.NodesFrom != "" || len(p.Nodes) == 0 {
		return b.Bytes(), nil
	}
	table, err := nodeTable(p.Nodes)
	if err != nil {
		return nil, fmt.Errorf("write the plan: %w", err)
	}
	return slices.Concat(before, []byte("\nnodes:\n"), table, after), nil
}

// nodesMark stands where the table of nodes will.
const nodesMark = "NODES"

func component(c Component) *node {
	out := &node{flow: true}
	out.text("mode", string(c.Mode))
	if c.CA != nil {
		out.keep("ca", files(*c.CA))
	}
	if c.Intermediate {
		out.value("intermediate", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
	}
	if len(c.Certs) > 0 {
		out.flow = false
		certs := &node{}
		for _, name := range slices.Sorted(maps.Keys(c.Certs)) {
			certs.keep(name, files(c.Certs[name]))
		}
		out.add("certs", certs)
	}
	return out
}

// nodeTable is a line for each node.
func nodeTable(nodes []topology.Node) ([]byte, error) {
	var out bytes.Buffer
	for some := range slices.Chunk(nodes, 64) {
		if slices.ContainsFunc(some, func(n topology.Node) bool { return !plainNode(n) }) {
			if err := encodeNodes(&out, some); err != nil {
				return nil, err
			}
			continue
		}
		for _, n := range some {
			fmt.Fprintf(&out, "  - {name: %s, role: %s, addresses: [%s]}\n", n.Name, n.Role, strings.Join(n.Addresses, ", "))
		}
	}
	return out.Bytes(), nil
}

// encodeNodes takes a few at a time: the trees of yaml take a hundred times the
// memory of what they say.
func encodeNodes(out *bytes.Buffer, nodes []topology.Node) error {
	table := &yaml.Node{Kind: yaml.SequenceNode}
	for _, n := range nodes {
		one := &node{flow: true}
		one.set("name", n.Name)
		one.text("role", string(n.Role))
		one.value("addresses", list(n.Addresses))
		table.Content = append(table.Content, one.yaml())
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(table), enc.Close()); err != nil {
		return err
	}
	for line := range bytes.Lines(b.Bytes()) {
		out.WriteString("  ")
		out.Write(line)
	}
	return nil
}

// plainNode says whether a node's line needs no encoder, which takes longer for
// a table than all else that is written beside the keys: its name begins with a
// letter and is no word of YAML's, and its addresses are of IPv4.
func plainNode(n topology.Node) bool {
	letter := func(s string) bool { return len(s) > len("false") && s[0] >= 'a' && s[0] <= 'z' }
	if scalar(n.Name).Style != 0 || !letter(n.Name) || n.Role != topology.ControlPlane && n.Role != topology.Worker || len(n.Addresses) == 0 {
		return false
	}
	return !slices.ContainsFunc(n.Addresses, func(a string) bool {
		ip, err := netip.ParseAddr(a)
		return err != nil || !ip.Is4()
	})
}

func list(words []string) *yaml.Node {
	out := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, w := range words {
		out.Content = append(out.Content, scalar(w))
	}
	return out
}

func files(f Files) *node {
	f = f.Written()
	out := &node{flow: true}
	out.text("cert", f.Cert)
	out.text("key", f.Key)
	out.text("from", f.From)
	out.text("authority", string(f.Authority))
	if f.Offline {
		out.value("offline", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
	}
	if f.StepCA != (StepCA{}) {
		out.keep("step-ca", stepCA(f.StepCA))
	}
	return out
}

// node builds a map of YAML in a fixed order.
type node struct {
	flow    bool
	content []*yaml.Node
}

func (n *node) value(key string, v *yaml.Node) {
	n.content = append(n.content, scalar(key), v)
}

func (n *node) set(key, value string) { n.value(key, scalar(value)) }

// text sets a field unless it is empty.
func (n *node) text(key, value string) {
	if value != "" {
		n.set(key, value)
	}
}

// add sets a map unless it is empty; keep sets it always.
func (n *node) add(key string, m *node) {
	if len(m.content) > 0 {
		n.keep(key, m)
	}
}

func (n *node) keep(key string, m *node) { n.value(key, m.yaml()) }

func (n *node) yaml() *yaml.Node {
	out := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: n.content}
	if n.flow || len(n.content) == 0 {
		out.Style = yaml.FlowStyle
	}
	return out
}

// scalar is a text in quotes wherever a reader of YAML could take it for
// something else, or a terminal for a command.
func scalar(s string) *yaml.Node {
	out := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._/-", r)
	}
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) || strings.HasPrefix(s, "-") {
		out.Style = yaml.DoubleQuotedStyle
	}
	return out
}
