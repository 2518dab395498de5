package topology

import (
	"fmt"
	"slices"
	"strings"
)

// Role is what a node does in the cluster.
type Role string

// The roles. A control-plane node is a worker too: it runs a kubelet.
const (
	ControlPlane Role = "control-plane"
	Worker       Role = "worker"
)

// Node is one machine of the cluster.
type Node struct {
	Name      string   `yaml:"name" json:"name"`
	Role      Role     `yaml:"role" json:"role"`
	Addresses []string `yaml:"addresses" json:"addresses"`
}

// Per says of what a profile has one each.
type Per string

// What there can be one of each.
const (
	PerCluster      Per = ""              // one for the cluster
	PerNode         Per = "node"          // one for each node
	PerControlPlane Per = "control-plane" // one for each control-plane node
	PerWorker       Per = "worker"        // one for each node that is no control plane
)

// Names under which templates reach the nodes. Those of one node have values
// only where there is one for each node.
const (
	nodeName          = "node.name"
	nodeAddresses     = "node.addresses"
	allNodeNames      = "nodes.names"
	allNodeAddresses  = "nodes.addresses"
	controlPlaneNames = "control-planes.names"
	controlPlaneAddrs = "control-planes.addresses"
)

var nodeLists = []string{allNodeNames, allNodeAddresses, controlPlaneNames, controlPlaneAddrs}

// HasNodes says whether the profile has certificates for each node.
//
//go:noinline // many callers, none of them hot
func (p *Profile) HasNodes() bool {
	return slices.ContainsFunc(p.Slots, func(s SlotSpec) bool { return s.Per != PerCluster })
}

// MaxNodes bounds a table of nodes.
const MaxNodes = 20_000

// CheckNodes says what is wrong with a table of nodes. Names are lower-cased,
// as the kubelet does, and addresses put into their canonical form, in place.
func CheckNodes(nodes []Node) []*FactProblem {
	_, problems := checkNodes(nodes, true)
	return problems
}

// checkNodes is CheckNodes. A table that is not the caller's own to change is
// copied when something in it has to be; most are in their canonical form, and a
// large one is looked at with every answer.
func checkNodes(nodes []Node, own bool) ([]Node, []*FactProblem) {
	var problems []*FactProblem
	change := func(i int) *Node {
		if !own {
			nodes, own = cloneNodes(nodes), true
		}
		return &nodes[i]
	}
	bad := func(i int, field, format string, args ...any) {
		problems = append(problems, &FactProblem{Fact: fmt.Sprintf("nodes[%d].%s", i, field), Message: fmt.Sprintf(format, args...)})
	}
	if len(nodes) > MaxNodes {
		bad(MaxNodes, "name", "is one of %d nodes, and at most %d are taken", len(nodes), MaxNodes)
		return nodes, problems
	}
	names, owners := make(map[string]int, len(nodes)), make(map[string]int, len(nodes))
	for i := range nodes {
		n := &nodes[i]
		if good := strings.ToLower(strings.TrimSpace(n.Name)); good != n.Name {
			n = change(i)
			n.Name = good
		}
		switch err := CheckDNSName(n.Name); {
		case n.Name == "":
			bad(i, "name", "is empty")
		case err != nil:
			bad(i, "name", "%v", err)
		default:
			if first, taken := names[n.Name]; taken {
				bad(i, "name", "%s is the name of node %d already", n.Name, first+1)
			}
			names[n.Name] = i
		}
		if n.Role == "" {
			n = change(i)
			n.Role = Worker
		}
		if n.Role != ControlPlane && n.Role != Worker {
			bad(i, "role", "must be control-plane or worker, not %q", n.Role)
		}
		if len(n.Addresses) == 0 {
			bad(i, "addresses", "node %s has no address; write at least the one that others reach it under", n.Name)
		}
		for j, a := range n.Addresses {
			good, err := canonicalAddress(strings.TrimSpace(a))
			if err != nil {
				bad(i, fmt.Sprintf("addresses[%d]", j), "%v", err)
				continue
			}
			switch owner, taken := owners[good]; {
			case taken && owner == i:
				bad(i, fmt.Sprintf("addresses[%d]", j), "%s stands there already; remove one of the two", good)
			case taken && nodes[owner].Name != n.Name: // else the name is reported
				bad(i, fmt.Sprintf("addresses[%d]", j), "%s is an address of node %s already", good, nodes[owner].Name)
			}
			owners[good] = i
			if good != a {
				n = change(i)
				n.Addresses[j] = good
			}
		}
	}
	if !slices.ContainsFunc(nodes, func(n Node) bool { return n.Role == ControlPlane }) && len(nodes) > 0 {
		bad(0, "role", "no node is a control plane; give at least one the role control-plane")
	}
	return nodes, problems
}

// nodeTable is the nodes of a resolution: the table, or the one node that the
// facts describe.
func nodeTable(p *Profile, facts Facts, table []Node) []Node {
	if len(table) > 0 || !p.HasNodes() {
		return table
	}
	name := facts.lists[nodeName]
	if len(name) == 0 {
		return nil
	}
	return []Node{{Name: name[0], Role: ControlPlane, Addresses: facts.lists[nodeAddresses]}}
}

// nodeValues gives the values that a template takes of nodes.
func nodeValues(name string, nodes []Node, node *Node) ([]string, bool) {
	switch name {
	case nodeName:
		if node != nil {
			return []string{node.Name}, true
		}
	case nodeAddresses:
		if node != nil {
			return node.Addresses, true
		}
	case allNodeNames, controlPlaneNames, allNodeAddresses, controlPlaneAddrs:
		var out []string
		for _, n := range nodes {
			if n.Role != ControlPlane && (name == controlPlaneNames || name == controlPlaneAddrs) {
				continue
			}
			if name == allNodeNames || name == controlPlaneNames {
				out = append(out, n.Name)
			} else {
				out = append(out, n.Addresses...)
			}
		}
		return out, len(out) > 0
	}
	return nil, false
}

// instances are the nodes that there is one of something for; a nil node
// stands for the cluster. Only with several nodes do names tell them apart.
func instances(per Per, nodes []Node) []*Node {
	if per == PerCluster {
		return []*Node{nil}
	}
	var out []*Node
	for i := range nodes {
		if per.has(&nodes[i]) {
			out = append(out, &nodes[i])
		}
	}
	return out
}

// PerNowhere is, of a file of the cluster, that no node's tree holds a copy: it
// is for people.
const PerNowhere Per = "nowhere"

// has says whether there is one on a node; of what is the cluster's there is none.
//
//go:noinline // many callers, none of them hot
func (p Per) has(n *Node) bool {
	switch p {
	case PerNode:
		return true
	case PerControlPlane:
		return n.Role == ControlPlane
	case PerWorker:
		return n.Role != ControlPlane
	}
	return false
}

// Copied says whether a node's tree holds a copy of a file that is the
// cluster's: where the profile is silent, a control plane's does.
func (p Per) Copied(n Node) bool {
	if p == PerCluster {
		p = PerControlPlane
	}
	return p.has(&n)
}

// At is the slot's name on a node.
func (s SlotID) At(node string) SlotID {
	if node == "" {
		return s
	}
	return s + SlotID("@"+node)
}

// maxPairs is how many pairs of a client's and a server's node an edge is
// tried for; of more a sample is taken, evenly spaced.
const maxPairs = 64

// pairUp pairs the nodes of clients with those of servers: each with each where
// that is few, else each client with some server and each server with some
// client, and of those an even sample. whole is how many pairs there are in the
// running cluster.
func pairUp(clients, servers []*Node, distinct bool) (pairs [][2]*Node, whole int) {
	for _, c := range clients {
		for _, s := range servers {
			if !distinct || c == nil || s == nil || c != s || len(servers) == 1 {
				whole++
				if len(clients)*len(servers) <= maxPairs {
					pairs = append(pairs, [2]*Node{c, s})
				}
			}
		}
		if len(clients)*len(servers) > maxPairs && len(servers) > maxPairs {
			break // whole is computed below; the product may be large
		}
	}
	if len(clients)*len(servers) <= maxPairs {
		return pairs, whole
	}
	whole = len(clients) * len(servers)
	n := max(len(clients), len(servers))
	take := min(n, maxPairs)
	for i := range take {
		j := i * (n - 1) / max(1, take-1)
		c, s := clients[j%len(clients)], servers[j%len(servers)]
		if distinct && c == s && c != nil {
			s = servers[(j+1)%len(servers)]
		}
		pairs = append(pairs, [2]*Node{c, s})
	}
	return pairs, whole
}

// within pairs each node with itself, or of many nodes an even sample.
func within(nodes []*Node) (pairs [][2]*Node, whole int) {
	take := min(len(nodes), maxPairs)
	for i := range take {
		n := nodes[i*(len(nodes)-1)/max(1, take-1)]
		pairs = append(pairs, [2]*Node{n, n})
	}
	return pairs, len(nodes)
}
