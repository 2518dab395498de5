package install

import (
	"cmp"
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"certwright/assets/layout"
	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
)

// rest makes the certificates and files of the nodes that an outline leaves
// out, some nodes at a time: issue, check, render, hand over, forget. What the
// memory holds does not grow with the cluster. It is a flow.Rest.
type rest struct {
	w     *World
	a     *flow.Answers
	t     *topology.Topology // the outline
	req   issue.Request      // for a part but its topology; Kept holds the cluster's pairs
	seen  *check.Seen
	nodes []topology.Node

	files  layout.Request      // for a part but its set
	names  map[string]nodeFile // by pattern: what the nodes will have
	total  int                 // files
	bytes  int64
	left   map[string]bool // the nodes, by name
	whole  layout.Request  // of the outline, for the document that comes last
	finish func(layout.File) layout.File

	mu   sync.Mutex
	ends map[topology.SlotID]map[string]layout.End
	kept int
	anew []flow.Anew
}

// partNodes is how many nodes are worked on together: enough that what is done
// once for each part does not count, few enough for the memory. RSA keys take so
// long that with as many nodes nothing could be said of the pace for seconds.
func partNodes(alg issue.Algorithm) int {
	switch {
	case alg == issue.RSA2048:
		return 2
	case alg.RSA():
		return 1
	}
	return 32
}

// Nodes is how many nodes are not in memory.
func (r *rest) Nodes() int { return len(r.nodes) }

// Files is how many files they have.
func (r *rest) Files() int { return r.total }

// nodeFile is a file that many nodes have.
type nodeFile struct {
	layout.File     // without its bytes
	size, count int // bytes of one, and how many
}

func (r *rest) has(node string) bool {
	if r.left == nil {
		r.left = make(map[string]bool, len(r.nodes))
		for _, n := range r.nodes {
			r.left[n.Name] = true
		}
	}
	return r.left[node]
}

// outline turns the answers for a cluster of many nodes into those for its
// outline, where everything that a node needs is made here.
func outline(a *flow.Answers) *flow.Answers {
	if len(a.Topology.Nodes) <= plan.Many || len(a.Signed) > 0 {
		return a
	}
	for i := range a.Topology.Slots {
		if s := &a.Topology.Slots[i]; s.Node != "" && a.Plan.Mode(s.Component) == topology.BringCerts {
			return a
		}
	}
	out := *a
	out.Topology = a.Topology.Outline()
	return &out
}

// newRest is nil when nothing is left out. set is that of the outline.
func newRest(w *World, a *flow.Answers, req issue.Request, set *certs.Set, seen *check.Seen) *rest {
	nodes := req.Topology.Rest()
	if len(nodes) == 0 {
		return nil
	}
	r := &rest{w: w, a: a, t: req.Topology, req: req, seen: seen, nodes: nodes}
	r.req.Workers, r.req.Kept, r.req.KeptRoot, r.req.Opened = 1, map[topology.SlotID]*certs.Pair{}, set.Root, &issue.Opened{}
	if r.req.Keys == nil {
		r.req.Keys = issue.NewKeys(0)
	}
	for i := range r.t.Slots {
		if s := &r.t.Slots[i]; s.Node == "" && set.Pairs[s.ID] != nil {
			r.req.Kept[s.ID] = set.Pairs[s.ID]
		}
	}
	return r
}

// rendered tells in which layouts the files are wanted, and reads off those of
// the outline's nodes what the others will have.
func (r *rest) rendered(whole layout.Request, files []layout.File, finish func(layout.File) layout.File) {
	r.whole, r.files, r.finish = whole, whole, finish
	r.files.Set, r.files.Plan = nil, nil
	r.names, r.total, r.bytes = map[string]nodeFile{}, 0, 0
	for _, role := range []topology.Role{topology.ControlPlane, topology.Worker} {
		count := 0
		for _, n := range r.nodes {
			if n.Role == role {
				count++
			}
		}
		i := slices.IndexFunc(r.t.Here, func(n topology.Node) bool { return n.Role == role })
		if count == 0 || i < 0 {
			continue
		}
		for _, f := range files {
			if nodeOf(f.Path) != r.t.Here[i].Name {
				continue
			}
			r.total += count
			r.bytes += int64(count) * int64(len(f.Data))
			pattern := patternOf(f.Path, r.t.Here[i].Name)
			all := r.names[pattern]
			all.size, all.count, all.File = len(f.Data), all.count+count, f
			all.Data = nil
			r.names[pattern] = all
		}
	}
}

// nodeOf is the node in whose directory a file lies, "" when in none.
func nodeOf(path string) string {
	const dir = "nodes/"
	if !strings.HasPrefix(path, dir) {
		i := strings.Index(path, "/"+dir)
		if i < 0 {
			return ""
		}
		path = path[i+1:]
	}
	name, _, below := strings.Cut(strings.TrimPrefix(path, dir), "/")
	if !below {
		name = strings.TrimSuffix(name, ".yaml")
	}
	return name
}

// stream makes everything and hands each file to add, from the caller's
// goroutine, those of first while the workers are at the first nodes. It ends at the first error, which is a *Refusal where a check does
// not pass; add must be able to take back what it was given. Last comes
// NEXT-STEPS.md, which counts what was made.
func (r *rest) stream(ctx context.Context, first []layout.File, add func(layout.File) error, progress func(flow.Progress)) error {
	r.ends, r.kept, r.anew = map[topology.SlotID]map[string]layout.End{}, 0, nil
	workers := cmp.Or(r.w.Workers, issue.Cores())
	group, ctx := errgroup.WithContext(ctx)
	parts := make(chan []topology.Node)
	made := make(chan part, workers)
	group.Go(func() error {
		defer close(parts)
		for left := r.nodes; len(left) > 0; {
			// Small ones come last, so that the workers end together.
			n := min(partNodes(r.req.Algorithm), len(left)/(2*workers)+1)
			some := left[:n:n]
			left = left[n:]
			select {
			case parts <- some:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	var running sync.WaitGroup
	running.Add(workers)
	for range workers {
		group.Go(func() error {
			defer running.Done()
			return r.work(ctx, parts, made)
		})
	}
	go func() { running.Wait(); close(made) }()
	err := r.take(ctx, first, made, add, progress)
	if err != nil {
		group.Go(func() error { return err })
		for range made { //nolint:revive // lets the workers end
		}
	}
	if werr := group.Wait(); err == nil {
		err = werr
	}
	if err != nil {
		return err
	}
	doc, err := layout.NextSteps(r.document())
	if err != nil {
		return err
	}
	return add(r.finish(doc))
}

// part is some nodes with their files.
type part struct {
	nodes []topology.Node
	files []layout.File
}

// take hands over what was made.
func (r *rest) take(ctx context.Context, first []layout.File, made <-chan part, add func(layout.File) error, progress func(flow.Progress)) error {
	done := 0
	progress(flow.Progress{Stage: "nodes", Total: len(r.nodes)}) // the pace is counted from here
	for _, f := range first {
		if err := add(f); err != nil {
			return err
		}
	}
	for p := range made {
		for _, f := range p.files {
			if err := add(f); err != nil {
				return err
			}
		}
		done += len(p.nodes)
		progress(flow.Progress{Stage: "nodes", Item: p.nodes[len(p.nodes)-1].Name, Done: done, Total: len(r.nodes)})
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *rest) work(ctx context.Context, parts <-chan []topology.Node, made chan<- part) error {
	for nodes := range parts {
		files, err := r.part(ctx, nodes)
		if err != nil {
			return err
		}
		select {
		case made <- part{nodes, files}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// part is the files of some nodes, issued and checked.
func (r *rest) part(ctx context.Context, nodes []topology.Node) ([]layout.File, error) {
	req, memory := r.req, check.NewMemory()
	req.Topology, req.Kept, req.Verified = r.t.Part(nodes), maps.Clone(r.req.Kept), memory.Verified
	var carried flow.Prepared
	if r.w.Earlier != nil {
		if err := r.w.Earlier.keepPart(ctx, r.a, &req, &carried); err != nil {
			return nil, err
		}
	}
	set, err := issue.All(ctx, req, nil)
	if err != nil {
		return nil, err
	}
	findings := check.Set(check.SetInput{Set: set, Now: req.Now, Memory: memory, Seen: r.seen})
	if !check.OK(findings) {
		return nil, &Refusal{Findings: findings}
	}
	render := r.files
	render.Set = set
	files := make([]layout.File, 0, len(nodes)*8)
	for f, err := range layout.Files(render) {
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	slices.SortStableFunc(files, func(a, b layout.File) int {
		// Of a pair the key comes first: its directory is made for it at once.
		return cmp.Or(strings.Compare(stem(a.Path), stem(b.Path)), cmp.Compare(a.Mode, b.Mode), strings.Compare(a.Path, b.Path))
	})
	r.count(set, &carried)
	return files, nil
}

// stem is a path without its extension.
func stem(p string) string { return strings.TrimSuffix(p, path.Ext(p)) }

// count notes when the certificates of a part end, and what stayed.
func (r *rest) count(set *certs.Set, carried *flow.Prepared) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept += carried.Kept
	r.anew = append(r.anew, carried.Anew[:min(len(carried.Anew), maxReasons+1)]...)
	for i := range set.Topology.Slots {
		s := &set.Topology.Slots[i]
		c := set.Pairs[s.ID].Leaf()
		if s.Node == "" || c == nil {
			continue
		}
		base, day := s.ID.Base(), c.NotAfter.UTC().Format("2006-01-02")
		if r.ends[base] == nil {
			r.ends[base] = map[string]layout.End{}
		}
		r.ends[base][day] = layout.End{At: c.NotAfter, Count: r.ends[base][day].Count + 1}
	}
}

// document is the request for the document over the whole set.
func (r *rest) document() layout.Request {
	out := r.whole
	out.Ends = map[topology.SlotID][]layout.End{}
	for base, days := range r.ends {
		for _, day := range slices.Sorted(maps.Keys(days)) {
			out.Ends[base] = append(out.Ends[base], days[day])
		}
	}
	return out
}

// restOf is the rest of a prepared set, nil when all of it is in memory.
func restOf(p *flow.Prepared) *rest {
	r, _ := p.Rest.(*rest)
	return r
}

// Rehearse makes and checks what a prepared set does not hold in memory, and
// writes nothing: with it a dry run has done all that a run does before the
// write.
func Rehearse(ctx context.Context, p *flow.Prepared, progress func(flow.Progress)) error {
	r := restOf(p)
	if r == nil {
		return nil
	}
	defer spend()()
	return r.stream(ctx, nil, func(layout.File) error { return nil }, progress)
}
