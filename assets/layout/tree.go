package layout

import (
	"iter"
	"path"
	"slices"
	"strings"

	"certwright/certs/topology"
)

// The layout "tree" lies in treeDir. Where there are several nodes, treeDir
// holds what is the cluster's, and each node has a tree of its own in nodesDir,
// ready to be copied to it.
const (
	treeDir  = "tls/"
	nodesDir = "nodes/"
)

// nodesFile lists the nodes for the commands of NEXT-STEPS.md: name, address
// and role, the control planes first.
const nodesFile = "nodes.txt"

var fields = []topology.Field{topology.FieldCert, topology.FieldBundle, topology.FieldKey, topology.FieldPublic}

// tree writes each slot under the profile's own file names, and kubeconfigs.
// A file that several nodes need is made once and yielded for each.
func tree(j *job) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		for i := range j.t.Slots {
			s := &j.t.Slots[i]
			if s.Node == "" && j.t.Partial && s.On == topology.PerCluster {
				continue
			}
			for _, field := range fields {
				names := namesOf(s, field)
				if len(names) == 0 {
					continue
				}
				f, ok, err := j.content(s, field)
				if err == nil && !ok {
					continue
				}
				caKey := s.Kind == topology.CA && field == topology.FieldKey
				if field == topology.FieldCert && j.signsApart(s) {
					if !j.signers(s, yield) {
						return
					}
				}
				for home := range j.homes(s.Node, s.On, caKey) {
					for _, name := range names {
						if f.Path = home + name; !yield(f, err) || err != nil {
							return
						}
					}
				}
			}
		}
		for _, k := range j.t.Kubeconfigs {
			var on topology.Per
			if s := j.t.Slot(k.Slot); s != nil {
				on = s.On
			}
			if k.Node == "" && j.t.Partial && on == topology.PerCluster {
				continue
			}
			f, err := j.kubeconfig(k)
			for home := range j.homes(k.Node, on, false) {
				if f.Path = home + k.File; !yield(f, err) || err != nil {
					return
				}
			}
		}
		if j.several() && !j.t.Partial {
			yield(File{Path: nodesFile, Data: j.nodeLines(), Mode: modePublic, Kind: KindConfig}, nil)
		}
	}
}

// signsApart says whether a CA that is exchanged needs a file of its own for
// those who sign with it: ca.crt holds two certificates meanwhile, and the
// controller manager's signer takes no more than one.
//
//go:noinline // many callers, none of them hot
func (j *job) signsApart(s *topology.Slot) bool {
	return s.Kind == topology.CA && s.Files.Cert != "" && len(j.set.Also[s.Authority]) > 0 && slices.ContainsFunc(s.Consumers, signs)
}

// signs says whether a consumer of a CA's certificate signs with it.
func signs(c topology.Consumer) bool {
	return c.Field == topology.FieldCert && c.Needs == topology.FieldKey
}

// signerFile is where the one certificate lies that signs: pki/ca-signing.crt.
func signerFile(cert string) string {
	ending := path.Ext(cert)
	return strings.TrimSuffix(cert, ending) + "-signing" + ending
}

func (j *job) signers(s *topology.Slot, yield func(File, error) bool) bool {
	f, _, err := pairFile(j.set.Pairs[s.ID], s.Kind, topology.FieldCert)
	f.Slot = s.ID
	for home := range j.homes(s.Node, s.On, true) {
		if f.Path = home + signerFile(s.Files.Cert); !yield(f, err) || err != nil {
			return false
		}
	}
	return true
}

// namesOf are the names under which a field of a slot is written.
//
//go:noinline // many callers, none of them hot
func namesOf(s *topology.Slot, field topology.Field) []string {
	var out []string
	for _, f := range append([]topology.Files{s.Files}, s.Also...) {
		if name := f.Name(field); name != "" {
			out = append(out, name)
		}
	}
	return out
}

// several says whether there are trees for nodes beside the cluster's.
func (j *job) several() bool { return len(j.t.Nodes) > 1 }

// here are the nodes whose trees are written now: of an outline or a part of a
// large cluster, those that it has.
func (j *job) here() []topology.Node {
	if j.t.Here != nil {
		return j.t.Here
	}
	return j.t.Nodes
}

// trees are the nodes that have a tree: for some a profile has nothing, as k3s'
// for agents. What one node of a role has, all of the role have.
func (j *job) trees() []topology.Node {
	roles := map[string]topology.Role{}
	for _, n := range j.t.Nodes {
		roles[n.Name] = n.Role
	}
	own, shared := map[topology.Role]bool{}, map[topology.Per]bool{}
	for i := range j.t.Slots {
		s := &j.t.Slots[i]
		switch written := s.Files != (topology.Files{}) || len(j.confs[s.ID]) > 0; {
		case written && s.Node != "":
			own[roles[s.Node]] = true
		case written:
			shared[s.On] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(j.t.Nodes), func(n topology.Node) bool {
		if own[n.Role] {
			return false
		}
		for on := range shared {
			if on.Copied(n) {
				return false
			}
		}
		return true
	})
}

// homes are the directories that a file is written to: its node's tree, or for
// a file of the cluster treeDir and the trees of the nodes that need a copy. A
// CA's key is copied to control planes alone, whatever the profile says.
func (j *job) homes(node string, on topology.Per, caKey bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		if node != "" {
			yield(nodesDir + node + "/")
			return
		}
		if !j.t.Partial && !yield(treeDir) || !j.several() {
			return
		}
		for _, n := range j.here() {
			if !on.Copied(n) || caKey && n.Role != topology.ControlPlane {
				continue
			}
			if !yield(nodesDir + n.Name + "/") {
				return
			}
		}
	}
}

func (j *job) nodeLines() []byte {
	var out []byte
	for _, role := range []topology.Role{topology.ControlPlane, topology.Worker} {
		for _, n := range j.trees() {
			if n.Role == role && len(n.Addresses) > 0 {
				out = append(out, n.Name+" "+n.Addresses[0]+" "+string(role)+"\n"...)
			}
		}
	}
	return out
}
