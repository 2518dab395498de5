package layout

import (
	"cmp"
	"fmt"
	"iter"
	"path"
	"slices"
	"sort"
	"strings"

	"certwright/certs"
	"certwright/certs/topology"
)

// maker yields the files of one layout.
type maker func(*job) iter.Seq2[File, error]

// layouts are those that a person may ask for, in the order in which they are offered.
var layouts = []struct {
	name    string
	files   maker
	perNode bool // has files of each node
}{
	{"tree", tree, true},
	{"kubeconfig", kubeconfigs, true},
	{"secrets", secrets, false},
	{"terraform", terraform, false},
	{"flags", flags, false},
	{"cluster-api", clusterAPI, false},
	{"k3s", k3s, false},
	{"cert-manager", certManager, true},
	{"kubelet-csr", kubeletCSR, false},
}

// Names lists the layouts that there are.
func Names() []string {
	out := make([]string, len(layouts))
	for i := range layouts {
		out[i] = layouts[i].name
	}
	return out
}

// The files that are written whatever the layouts are.
const (
	PlanFile      = "certwright.yaml"
	NextStepsFile = "NEXT-STEPS.md"
)

// Render makes all files, in the order of their paths. The set must be
// complete: what is missing is an error that names the slot.
func Render(r Request) ([]File, error) {
	var out []File
	for f, err := range Files(r) {
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	for i := 1; i < len(out); i++ {
		if out[i].Path == out[i-1].Path {
			return nil, fmt.Errorf("render %s: two layouts write it; leave one of %s out", out[i].Path, strings.Join(r.Layouts, ", "))
		}
	}
	return out, nil
}

// Files makes one file after the other, so that a large set need not be held
// in memory. It ends at the first error. Of a topology.Part it makes the files
// of that part's nodes and no other, and the set need hold no more than they need.
func Files(r Request) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		j, err := newJob(r)
		if err != nil {
			yield(File{}, err)
			return
		}
		for _, m := range j.makers() {
			for f, err := range m(j) {
				if !yield(f, err) || err != nil {
					return
				}
			}
		}
	}
}

// job is one call of Files.
type job struct {
	Request
	set   *certs.Set
	t     *topology.Topology
	names []string                                  // of the layouts
	confs map[topology.SlotID][]topology.Kubeconfig // made of each slot, one for each file name

	configs  map[madeConfig]File             // kubeconfigs that are the same on every node
	embedded map[topology.AuthorityID]string // what anchors has made
}

func newJob(r Request) (*job, error) {
	if r.Set == nil || r.Set.Topology == nil {
		return nil, fmt.Errorf("render: no set was given")
	}
	j := &job{Request: r, set: r.Set, t: r.Set.Topology, names: slices.Clone(r.Layouts), confs: map[topology.SlotID][]topology.Kubeconfig{}, configs: map[madeConfig]File{}, embedded: map[topology.AuthorityID]string{}}
	for _, k := range j.t.Kubeconfigs {
		if known := j.confs[k.Slot]; !slices.ContainsFunc(known, func(o topology.Kubeconfig) bool { return o.File == k.File }) {
			j.confs[k.Slot] = append(known, k)
		}
	}
	if len(j.names) == 0 {
		j.names = slices.Clone(j.t.Profile.Layouts)
	}
	for _, n := range j.names {
		if !slices.Contains(Names(), n) {
			return nil, fmt.Errorf("render: unknown layout %q; there are %s", n, strings.Join(Names(), ", "))
		}
	}
	// Flags name the files of the tree, so they never come alone.
	if slices.Contains(j.names, "flags") && !slices.Contains(j.names, "tree") {
		j.names = append(j.names, "tree")
	}
	for i := range j.t.Slots {
		s := &j.t.Slots[i]
		p := j.set.Pairs[s.ID]
		switch {
		case j.t.Partial && s.Node == "": // complete in the outline
		case p == nil, s.Kind != topology.KeyPair && p.Leaf() == nil:
			return nil, fmt.Errorf("render %s: the set has no certificate for it", s.ID)
		case s.Kind != topology.CA && p.Key == nil:
			return nil, fmt.Errorf("render %s: the set has no key for it", s.ID)
		}
	}
	return j, nil
}

//go:noinline // many callers, none of them hot
func (j *job) has(layout string) bool { return slices.Contains(j.names, layout) }

func (j *job) makers() []maker {
	out := []maker{documents, authorities}
	if j.t.Partial {
		out = nil
	}
	for _, l := range layouts {
		if j.has(l.name) && (!j.t.Partial || l.perNode) {
			out = append(out, l.files)
		}
	}
	return out
}

// deployed is where a file of the tree lies on the machines that use it: where
// the profile says, or else at the same place as here.
func (j *job) deployed(name string) string {
	if at, ok := j.t.Profile.Installed(name); ok {
		return at
	}
	return path.Join(j.home(), treeDir+name)
}

// home is the directory on the machines that corresponds to Dir here.
func (j *job) home() string { return slash(cmp.Or(j.Home, j.Dir)) }

// abs is where a file of the set will lie.
func (j *job) abs(name string) string { return path.Join(slash(j.Dir), name) }

// slash writes a path of Windows with slashes, which its programs read too.
func slash(dir string) string { return strings.ReplaceAll(dir, `\`, "/") }
