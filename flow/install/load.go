package install

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"certwright/assets/store"
	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/place"
	"certwright/certs/topology"
	"certwright/flow/plan"
)

// PlanFile is the name under which a set keeps its plan.
const PlanFile = "certwright.yaml"

// Loaded is a folder of certificates, sorted into the slots of a topology and
// judged: a set that certwright wrote, or a pile of hand-made files.
type Loaded struct {
	Topology *topology.Topology
	Sorted   place.Result
	Ours     bool // sorted by the manifest of a set of ours
	Slots    map[topology.SlotID]*LoadedSlot
	// Set has a pair for each slot whose material could be read.
	Set *certs.Set
	// Findings are those of the whole; each slot has its own.
	Findings []check.Finding
	// Signatures counts those that were checked for all judgements together:
	// each certificate's by its issuer once, in however many files and slots it is.
	Signatures check.Count
}

// LoadedSlot is one slot of a Loaded.
type LoadedSlot struct {
	CertFile, KeyFile string
	Findings          []check.Finding
}

// OK says that every slot has its material and nothing stands against any of it.
func (l *Loaded) OK() bool {
	for _, s := range l.Slots {
		if !check.OK(s.Findings) {
			return false
		}
	}
	return len(l.Sorted.Missing) == 0 && check.OK(l.Findings)
}

// PlanOf is the plan that a set of ours keeps, nil when there is none.
func PlanOf(w *World, dir string) (*plan.Plan, error) {
	file := filepath.Join(w.path(dir), PlanFile)
	if _, err := w.Read.Stat(file); err != nil {
		return nil, nil //nolint:nilerr // a folder without a plan is a hand-made one
	}
	data, err := ReadFile(w.Read, file, 1<<20)
	if err != nil {
		return nil, err
	}
	p, err := plan.Parse(filepath.Join(dir, PlanFile), data)
	if err != nil {
		return nil, err
	}
	p.Resolve(w.path(dir))
	return p, nil
}

// Load reads a folder, sorts it into the slots of the topology and judges each
// slot and the whole.
func Load(ctx context.Context, w *World, dir string, t *topology.Topology) (*Loaded, error) {
	return LoadFor(ctx, w, dir, func() (*topology.Topology, error) { return t, nil })
}

// LoadFor is Load with a topology that is made while the folder is read. Its
// error, which comes first, is returned as it is.
func LoadFor(ctx context.Context, w *World, dir string, resolve func() (*topology.Topology, error)) (*Loaded, error) {
	var folder *Folder
	var unread error
	var reading sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	reading.Go(func() { folder, unread = ReadFolder(ctx, w, dir) })
	t, err := resolve()
	if err != nil {
		stop()
	}
	reading.Wait()
	if err = cmp.Or(err, unread); err != nil {
		return nil, err
	}
	l := &Loaded{Topology: t, Slots: map[topology.SlotID]*LoadedSlot{}}
	var slots []*topology.Slot
	for i := range t.Slots {
		slots = append(slots, &t.Slots[i])
	}
	// Sorting goes on in one place most of the time: meanwhile signatures are
	// checked that the judgement will ask for.
	memory := check.NewMemory()
	done := checkAhead(ctx, memory, folder.Files, w.Workers)
	if m, err := store.ReadManifest(w.Read, w.path(dir)); err == nil && m != nil {
		l.Ours = true
		l.Sorted = byManifest(slots, folder.Files, m)
	} else {
		l.Sorted = place.Sort(slots, folder.Files)
	}
	done()
	for _, s := range folder.Skipped {
		l.Sorted.Unplaced = append(l.Sorted.Unplaced, place.Unplaced{File: s.File, Why: s.Why})
	}
	// What may be left out of material that is brought is not missed here either.
	l.Sorted.Missing = slices.DeleteFunc(l.Sorted.Missing, func(id topology.SlotID) bool { return t.Slot(id).Optional })
	j := &folderJudge{l: l, folder: folder, now: w.Now(), docs: map[string]*material.Document{}, slots: slots, memory: memory}
	for _, f := range folder.Files {
		j.docs[f.Name] = f.Doc
	}
	return l, j.run(ctx, w.Workers)
}

// byManifest places the files of a set of ours where they were written, so that
// two which somebody exchanged are found and not sorted back.
func byManifest(slots []*topology.Slot, files []place.File, m *store.Manifest) place.Result {
	var out place.Result
	kubeconfigOnly := map[topology.SlotID]bool{}
	for _, s := range slots {
		kubeconfigOnly[s.ID] = s.Kind == topology.Leaf && s.Files.Cert == ""
	}
	placed := map[place.Placed]bool{}
	// What is the cluster's lies in tls/, with copies in the trees of its nodes.
	files = slices.Clone(files)
	sort.SliceStable(files, func(i, j int) bool { return inTree(files[i].Name) > inTree(files[j].Name) })
	for _, f := range files {
		n := m.Files.Find(filepath.ToSlash(f.Name))
		if n < 0 {
			out.Unplaced = append(out.Unplaced, place.Unplaced{File: f.Name, Why: "not in the manifest"})
			continue
		}
		e := m.Files.At(n)
		// ca/ keeps the CAs' own copies, and bundles repeat what lies beside them.
		slot := topology.SlotID(e.Slot)
		if slot == "" || e.Kind == "bundle" || e.Kind == "kubeconfig" && !kubeconfigOnly[slot] || inTree(f.Name) == 0 {
			continue
		}
		parts := []place.Part{place.Cert}
		switch e.Kind {
		case "key", "ca-key":
			parts = []place.Part{place.Key}
		case "kubeconfig":
			parts = []place.Part{place.Cert, place.Key}
		}
		for _, part := range parts {
			if one := (place.Placed{Slot: slot, Part: part}); !placed[one] {
				placed[one] = true
				out.Placed = append(out.Placed, place.Placed{Slot: slot, Part: part, File: f.Name, Why: "the manifest says so"})
			}
		}
	}
	for _, s := range slots {
		part := place.Cert
		if s.Kind == topology.KeyPair {
			part = place.Key
		}
		if out.Find(s.ID, part) == "" {
			out.Missing = append(out.Missing, s.ID)
		}
	}
	return out
}

// inTree ranks a file of a set: 2 in the cluster's tree, 1 in that of a node, 0
// elsewhere.
func inTree(name string) int {
	switch first, _, _ := strings.Cut(filepath.ToSlash(name), "/"); first {
	case "tls":
		return 2
	case "nodes":
		return 1
	}
	return 0
}
