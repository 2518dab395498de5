package diagram

import (
	"bytes"
	"slices"
	"sort"
	"strings"

	"certwright/certs/topology"
)

// rest are the certificates of the nodes that an outline leaves out
// (topology.Outline). A large cluster has tens of thousands, each like those
// that stand for it, so that they are counted here, and one is made when
// somebody looks at it.
type rest struct {
	b     *builder
	t     *topology.Topology
	here  []bool // of the table, which nodes are in the tree
	kinds []*restKind
	ready []restChunk // what was made last, the newest behind
}

// restKind is a slot of the profile that those nodes have.
type restKind struct {
	spec  *topology.SlotSpec
	first *Node // one of those in the tree
	under *Node // what signs them, nil at the top
	count int
	texts []restText // what a search looks at, made when there is one
}

// Nodes are made some at a time, and the last chunks are kept: moving over a
// list makes each once.
const (
	restNodes  = 32
	restChunks = 16
)

type restChunk struct {
	at    int // of the first node in the table
	nodes map[string]*Node
}

// leftOut looks what the outline leaves out; nothing, when it is none.
func (b *builder) leftOut() {
	t := b.in.Topology
	if t.Here == nil {
		return
	}
	r := &rest{b: b, t: t, here: make([]bool, len(t.Nodes))}
	here := make(map[string]bool, len(t.Here))
	for _, n := range t.Here {
		here[n.Name] = true
	}
	for i := range t.Nodes {
		r.here[i] = here[t.Nodes[i].Name]
	}
	for i := range t.Slots {
		s := &t.Slots[i]
		base := s.ID.Base()
		if s.Node == "" || slices.ContainsFunc(r.kinds, func(k *restKind) bool { return k.spec.ID == base }) {
			continue
		}
		k := &restKind{spec: b.m.grouping.slots[base], first: b.m.byID[safe(string(s.ID))]}
		if k.spec == nil || k.first == nil {
			continue
		}
		if k.first.Kind == Leaf {
			k.under = b.signer(s)
		}
		for j := range t.Nodes {
			if r.has(k, j) {
				k.count++
			}
		}
		b.m.grouping.copies[base] += k.count
		r.kinds = append(r.kinds, k)
	}
	b.m.rest = r
}

// has says whether a node of the table has the slot and is not in the tree.
func (r *rest) has(k *restKind, i int) bool {
	return !r.here[i] && k.spec.Per.Copied(r.t.Nodes[i])
}

// below counts what is left out directly below a node; nil is the top.
func (r *rest) below(n *Node) int {
	count := 0
	for _, k := range r.of(n) {
		count += k.count
	}
	return count
}

// of are the kinds directly below a node.
func (r *rest) of(n *Node) []*restKind {
	if r == nil {
		return nil
	}
	var out []*restKind
	for _, k := range r.kinds {
		if k.under == n && k.count > 0 {
			out = append(out, k)
		}
	}
	return out
}

// kind is the kind of a node that has others like it, nil when it has none.
func (r *rest) kind(id topology.SlotID) *restKind {
	if r == nil || id.Node() == "" {
		return nil
	}
	for _, k := range r.kinds {
		if k.spec.ID == id.Base() && k.count > 0 {
			return k
		}
	}
	return nil
}

// id is the name of a slot of a node of the table.
func (r *rest) id(k *restKind, i int) string {
	return safe(string(k.spec.ID.At(r.t.Nodes[i].Name)))
}

// node makes the node of a slot of a node of the table.
func (r *rest) node(k *restKind, i int) *Node {
	return r.chunk(i / restNodes * restNodes).nodes[r.id(k, i)]
}

// find is the node of that id, nil when nothing that is left out has it.
func (r *rest) find(id string) *Node {
	k := r.kind(topology.SlotID(id))
	if k == nil {
		return nil
	}
	i := r.place(topology.SlotID(id))
	if i < 0 || !r.has(k, i) {
		return nil
	}
	return r.node(k, i)
}

// place is where the node of a slot stands in the table, -1 when nowhere.
func (r *rest) place(id topology.SlotID) int {
	name := id.Node()
	return slices.IndexFunc(r.t.Nodes, func(n topology.Node) bool { return n.Name == name })
}

// total is how many nodes the whole tree has.
func (m *Model) total() int {
	n := len(m.nodes)
	if m.rest != nil {
		for _, k := range m.rest.kinds {
			n += k.count
		}
	}
	return n
}

func (r *rest) chunk(at int) restChunk {
	if i := slices.IndexFunc(r.ready, func(c restChunk) bool { return c.at == at }); i >= 0 {
		c := r.ready[i]
		r.ready = append(slices.Delete(r.ready, i, i+1), c)
		return c
	}
	var some []topology.Node
	for i := at; i < min(at+restNodes, len(r.t.Nodes)); i++ {
		if !r.here[i] {
			some = append(some, r.t.Nodes[i])
		}
	}
	c := restChunk{at, r.make(some)}
	if len(r.ready) >= restChunks {
		r.ready = slices.Delete(r.ready, 0, 1)
	}
	r.ready = append(r.ready, c)
	return c
}

// make makes the nodes of the tree for nodes of the cluster.
func (r *rest) make(some []topology.Node) map[string]*Node {
	part := r.t.Part(some)
	out := map[string]*Node{}
	for i := range part.Slots {
		s := &part.Slots[i]
		k := r.kind(s.ID)
		if s.Node == "" || k == nil {
			continue
		}
		n := r.b.node(s, k.first.Kind)
		n.Mode, n.rest, n.parent = k.first.Mode, true, k.under
		if k.under != nil {
			n.depth = k.under.depth + 1
		}
		if r.b.in.Files != nil {
			n.Files = r.files(s, k, some)
		}
		out[n.ID] = n
	}
	return out
}

// files are the files of a node's slot once those of the outline are known:
// they have the same names in the directory of their own node.
func (r *rest) files(s *topology.Slot, k *restKind, some []topology.Node) []File {
	role := some[slices.IndexFunc(some, func(n topology.Node) bool { return n.Name == s.Node })].Role
	i := slices.IndexFunc(r.t.Here, func(n topology.Node) bool { return n.Role == role })
	if i < 0 {
		return nil
	}
	alike := r.t.Here[i].Name
	var out []File
	for _, f := range r.b.files[k.spec.ID.At(alike)] {
		out = append(out, File{Path: ofNode(f.Path, alike, safe(s.Node)), Private: f.Private})
	}
	return out
}

// ofNode is the path of another node's file: below nodes/ stands its name.
func ofNode(path, was, name string) string {
	parts := strings.Split(path, "/")
	for i := 1; i < len(parts); i++ {
		if after, found := strings.CutPrefix(parts[i], was); found && parts[i-1] == "nodes" && (after == "" || after[0] == '.') {
			parts[i] = name + after
		}
	}
	return strings.Join(parts, "/")
}

// restText is a text of a kind, in lower case, with marks where the node's name
// and its addresses stand.
type restText string

const (
	markName    = '\x00'
	markAddress = '\x01'
)

// What stands for a node's name and address where texts are made into marks: a
// name and an address of the discard prefix (RFC 6666) that no cluster has.
const (
	anyName    = "any-node-7c1e5b90"
	anyAddress = "100::7c1e:5b90"
)

// searched are the texts of a kind that a search looks at, as Node.matches does.
func (r *rest) searched(k *restKind) []restText {
	if k.texts != nil {
		return k.texts
	}
	role := topology.Worker
	if !k.spec.Per.Copied(topology.Node{Role: role}) {
		role = topology.ControlPlane
	}
	marks := strings.NewReplacer(anyName, string(markName), anyAddress, string(markAddress))
	for _, n := range r.make([]topology.Node{{Name: anyName, Role: role, Addresses: []string{anyAddress}}}) {
		if n.Slot.Base() != k.spec.ID {
			continue
		}
		for _, text := range append([]string{n.Title, n.ID, n.Subject}, n.Names...) {
			k.texts = append(k.texts, restText(marks.Replace(strings.ToLower(text))))
		}
	}
	sort.Slice(k.texts, func(i, j int) bool { return len(k.texts[i]) > len(k.texts[j]) })
	for i := len(k.texts) - 1; i >= 0; i-- { // what another holds it finds too
		if slices.ContainsFunc(k.texts[:i], func(t restText) bool { return strings.Contains(string(t), string(k.texts[i])) }) {
			k.texts = slices.Delete(k.texts, i, i+1)
		}
	}
	return k.texts
}

// hits are the nodes of a kind that a search finds, as a test of their place in
// the table, and how many they are.
func (r *rest) hits(k *restKind, find string) (hit func(i int) bool, n int) {
	texts := r.searched(k)
	for _, t := range texts {
		for part := range strings.FieldsFuncSeq(string(t), func(c rune) bool { return c == markName || c == markAddress }) {
			if strings.Contains(part, find) { // what all of them have
				return func(int) bool { return true }, k.count
			}
		}
	}
	found := make([]bool, len(r.t.Nodes))
	var buf []byte
	for i := range found {
		if !r.has(k, i) {
			continue
		}
		for _, t := range texts {
			if found[i], buf = t.holds(find, &r.t.Nodes[i], buf); found[i] {
				n++
				break
			}
		}
	}
	return func(i int) bool { return found[i] }, n
}

// mark is where the first mark stands, -1 when there is none.
func mark(text string) int {
	for i := range len(text) {
		if text[i] <= markAddress {
			return i
		}
	}
	return -1
}

// holds says whether the text of a node holds another, which has no marks. buf
// is what it may work in.
func (t restText) holds(find string, n *topology.Node, buf []byte) (bool, []byte) {
	addresses := n.Addresses
	if len(addresses) == 0 || strings.IndexByte(string(t), markAddress) < 0 {
		addresses = []string{""}
	}
	for _, a := range addresses {
		buf = buf[:0]
		rest := string(t)
		for i := mark(rest); i >= 0; i = mark(rest) {
			buf = append(buf, rest[:i]...)
			if rest[i] == markName {
				buf = append(buf, n.Name...)
			} else {
				buf = append(buf, a...)
			}
			rest = rest[i+1:]
		}
		buf = append(buf, rest...)
		if bytes.Contains(buf, []byte(find)) {
			return true, buf
		}
	}
	return false, buf
}

// all is a copy of the model with every node in its tree.
func (r *rest) all(m *Model) *Model {
	out := *m
	var whole func(parent *Node, children []*Node) []*Node
	whole = func(parent *Node, children []*Node) []*Node {
		var nodes []*Node
		for _, l := range (&lister{m: m}).siblings(parent, children) {
			n := *l.Node()
			n.Children = whole(l.Node(), n.Children)
			nodes = append(nodes, &n)
		}
		return nodes
	}
	out.Roots = whole(nil, m.Roots)
	return &out
}
