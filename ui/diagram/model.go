package diagram

import (
	"time"

	"certwright/certs/check"
	"certwright/certs/topology"
)

// Kind is what a node of the tree is.
type Kind string

// The kinds of node.
const (
	Root         Kind = "root"         // a CA above the profile's authorities
	Authority    Kind = "authority"    // the CA of one of them
	Intermediate Kind = "intermediate" // a CA between an authority and a leaf that was brought
	Leaf         Kind = "leaf"
	KeyPair      Kind = "keypair"
)

// State is how far a node is.
type State string

// The states.
const (
	Planned State = "planned" // it will be made
	Missing State = "missing" // it is to be handed over, and was not yet
	Named   State = "named"   // a file was named for it, and is not read or not usable yet
	Pending State = "pending" // it was handed over and is being checked
	Made    State = "made"    // it was made here
	Brought State = "brought" // it was handed over
)

// Model is a topology ready to be drawn. All its text is escaped. Of an outline
// (topology.Outline) it counts every node and makes those that are left out when
// they are looked at: it is drawn by one goroutine at a time.
type Model struct {
	Profile string    `json:"profile"`
	Title   string    `json:"title"`
	Cluster string    `json:"cluster,omitempty"`
	Now     time.Time `json:"at"`
	Counts  Counts    `json:"counts"`
	Proof   Proof     `json:"proof"`
	Roots   []*Node   `json:"tree"`
	Calls   []*Call   `json:"calls"`

	nodes    []*Node // in the order of the tree
	rest     *rest   // what an outline leaves out; nil when nothing
	byID     map[string]*Node
	problems []*Node
	alike    bool    // calls were proved by others of their kind
	groups   []*Call // the calls, those of one edge of the profile together
	grouping *grouping
	lanes    []topology.AuthorityID // in the profile's order
	titles   map[topology.AuthorityID]string
}

// Counts are the numbers of a title.
type Counts struct {
	Authorities  int                   `json:"authorities"`
	Certificates int                   `json:"certificates"` // of slots, those of authorities among them
	KeyPairs     int                   `json:"keyPairs"`
	Modes        map[topology.Mode]int `json:"modes"`    // certificates in each mode
	Errors       int                   `json:"errors"`   // nodes with one
	Warnings     int                   `json:"warnings"` // nodes with nothing worse
}

// Proof says how far the calls are proved.
type Proof string

// The proofs, of a call and of all calls together.
const (
	Unproved Proof = "unproved"
	Proving  Proof = "proving"
	Proved   Proof = "proved"
	Failed   Proof = "failed"
	// Advised says that it failed, but only under names for which that is no
	// error: it is good to have.
	Advised Proof = "advised"
)

// Node is one certificate or key pair.
type Node struct {
	ID        string               `json:"id"`
	Kind      Kind                 `json:"kind"`
	Slot      topology.SlotID      `json:"slot,omitempty"`
	Component topology.ComponentID `json:"component,omitempty"`
	Authority topology.AuthorityID `json:"authority,omitempty"`
	Mode      topology.Mode        `json:"mode"`
	State     State                `json:"state"`
	Title     string               `json:"title"`
	Purpose   string               `json:"purpose,omitempty"`
	Role      string               `json:"role,omitempty"` // server, client or both
	// NotWritten says that the node is shown only to explain the chain.
	NotWritten bool `json:"notWritten,omitempty"`
	// SelfSigned says that nothing stands above it.
	SelfSigned bool `json:"selfSigned,omitempty"`

	Subject     string     `json:"subject,omitempty"`
	Issuer      string     `json:"issuer,omitempty"`
	Serial      string     `json:"serial,omitempty"`
	Key         string     `json:"key,omitempty"`
	Fingerprint string     `json:"sha256,omitempty"`
	Names       []string   `json:"names,omitempty"` // subject alternative names
	Usages      []string   `json:"usages,omitempty"`
	NotBefore   *time.Time `json:"notBefore,omitempty"`
	NotAfter    *time.Time `json:"notAfter,omitempty"`
	Days        int        `json:"days"` // left; of a planned certificate its whole life

	From      string          `json:"from,omitempty"`
	Files     []File          `json:"files,omitempty"`
	Consumers []Consumer      `json:"consumers,omitempty"`
	Findings  []check.Finding `json:"findings,omitempty"`
	// Opens is what the holder of the key can open, and Protects, of a CA, what
	// the holder of its key could sign a way into.
	Opens    []Opens  `json:"opens,omitempty"`
	Protects string   `json:"protects,omitempty"`
	Notes    []string `json:"notes,omitempty"` // what is lost in isolation

	Severity check.Severity `json:"severity,omitempty"` // the worst of findings and calls
	Proof    Proof          `json:"proof,omitempty"`    // of all calls that present it
	Children []*Node        `json:"children,omitempty"`

	parent *Node
	depth  int
	rest   bool // left out of the outline, and made to be looked at
	leaves int  // certificates below it
	calls  []*Call
	worst  check.Severity        // of all below it
	modes  map[topology.Mode]int // of the certificates below it
}

// File is one file of a node.
type File struct {
	Path    string `json:"path"`
	Private bool   `json:"private,omitempty"`
}

// Consumer is one parameter that takes a file of a node.
type Consumer struct {
	Program   string `json:"program"`
	As        string `json:"as"`
	Parameter string `json:"parameter"`
	Field     string `json:"field"` // cert, key or public
	When      string `json:"when,omitempty"`
}

// Opens is one server that the holder of a key can open.
type Opens struct {
	Server  topology.SlotID `json:"server"`
	Title   string          `json:"title"`
	As      string          `json:"as,omitempty"`
	Allowed bool            `json:"allowed"` // a call asks for it
	// Loud says that the holder would be system:masters: every right there is.
	Loud bool `json:"loud,omitempty"`
}

// Call is one TLS connection of the running cluster.
type Call struct {
	ID       string               `json:"id"`
	Edge     string               `json:"edge"`            // the profile's name for it
	Pairs    int                  `json:"pairs,omitempty"` // how many pairs of nodes the cluster has of it
	Title    string               `json:"title"`
	From     string               `json:"from"` // the programs
	To       string               `json:"to"`
	Client   topology.SlotID      `json:"client,omitempty"`
	Server   topology.SlotID      `json:"server"`
	Mutual   bool                 `json:"mutual"`
	ServerCA topology.AuthorityID `json:"serverCA,omitempty"` // that the client trusts; "" when it verifies nothing
	ClientCA topology.AuthorityID `json:"clientCA,omitempty"` // that the server trusts
	Dials    []Dial               `json:"dials,omitempty"`
	Proof    Proof                `json:"proof"`
	Problem  string               `json:"problem,omitempty"` // of the first that failed: what
	Has      string               `json:"has,omitempty"`     // what the certificate has
	Needs    string               `json:"needs,omitempty"`   // what it would need
	Fix      string               `json:"fix,omitempty"`
	Error    string               `json:"error,omitempty"` // the component's own message
	User     string               `json:"user,omitempty"`
	Groups   []string             `json:"groups,omitempty"`
	Note     string               `json:"note,omitempty"`

	client, server *Node
	lane           topology.AuthorityID
	programs       [2]string // From and To without their nodes
	members        []*Call   // of a group, those that it stands for
	failed         int       // of them
}

// Dial is one name or address that a client uses.
type Dial struct {
	Name    string `json:"name"`
	Proof   Proof  `json:"proof"`
	Advised string `json:"advised,omitempty"` // it may fail: who dials it
	Problem string `json:"problem,omitempty"`
}

// Node is the node of that id, nil when there is none. The id of a slot's node
// is the slot's own.
func (m *Model) Node(id string) *Node {
	if n := m.byID[id]; n != nil {
		return n
	}
	return m.rest.find(id)
}

// Below is how many nodes stand directly below one.
func (m *Model) Below(n *Node) int { return len(n.Children) + m.rest.below(n) }

// Nodes are the nodes in the order of the tree, of an outline those in it.
func (m *Model) Nodes() []*Node { return m.nodes }

// Problems are the nodes with something wrong: errors first, then warnings,
// each in the order of the tree.
func (m *Model) Problems() []*Node { return m.problems }

// Parent is the node that signed this one, nil at the top.
func (n *Node) Parent() *Node { return n.parent }

// CallsOf are the calls in which a node is presented or trusted.
func (n *Node) CallsOf() []*Call { return n.calls }

// ClientNode and ServerNode are what the two sides present; the client's is nil
// when it has no certificate.
func (c *Call) ClientNode() *Node { return c.client }

// ServerNode is what the server presents.
func (c *Call) ServerNode() *Node { return c.server }

// CA says whether the node signs others.
func (n *Node) CA() bool { return n.Kind == Root || n.Kind == Authority || n.Kind == Intermediate }

// soon is how many days before its end a certificate is shown as ending.
const soon = 60

// EndsSoon says that the certificate ends within 60 days, or has ended. One that
// was made here does so only when two thirds of its life are gone: a person who
// asked for 30 days is not warned of them.
func (n *Node) EndsSoon() bool {
	if n.NotAfter == nil || n.Days >= soon {
		return false
	}
	if n.State == Brought || n.Days < 0 {
		return true
	}
	return time.Duration(n.Days)*24*time.Hour < n.NotAfter.Sub(*n.NotBefore)/3
}
