package layout

import (
	"iter"

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
			f, err := j.kubeconfig(k)
			var on topology.Per
			if s := j.t.Slot(k.Slot); s != nil {
				on = s.On
			}
			for home := range j.homes(k.Node, on, false) {
				if f.Path = home + k.File; !yield(f, err) || err != nil {
					return
				}
			}
		}
		if j.several() {
			yield(File{Path: nodesFile, Data: j.nodeLines(), Mode: modePublic, Kind: KindConfig}, nil)
		}
	}
}

// namesOf are the names under which a field of a slot is written.
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

// homes are the directories that a file is written to: its node's tree, or for
// a file of the cluster treeDir and the trees of the nodes that need a copy. A
// CA's key is copied to control planes alone, whatever the profile says.
func (j *job) homes(node string, on topology.Per, caKey bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		if node != "" {
			yield(nodesDir + node + "/")
			return
		}
		if !yield(treeDir) || !j.several() {
			return
		}
		for _, n := range j.t.Nodes {
			if n.Role != topology.ControlPlane && (on != topology.PerNode || caKey) {
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
		for _, n := range j.t.Nodes {
			if n.Role == role && len(n.Addresses) > 0 {
				out = append(out, n.Name+" "+n.Addresses[0]+" "+string(role)+"\n"...)
			}
		}
	}
	return out
}
