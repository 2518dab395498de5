package install

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/assets/yamlfile"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/plan"
)

// Refer reads what a plan only points to: the file of its nodes, and the CAs
// that it takes out of sets written earlier. Its paths must be resolved. The
// plan is complete where it can be, even with an error; a CA that was not found
// keeps the paths where certwright would have written it, so that a check of
// them says what is missing.
func Refer(w *World, p *plan.Plan) error {
	errs := yamlfile.All(ReadNodes(w, p))
	p.CAs(func(id topology.ComponentID, field string, f *plan.Files) {
		if f.Cert != "" {
			return
		}
		err := takeCA(w, p, id, f, strings.HasSuffix(field, ".ca") && !strings.Contains(field, ".certs.") && !f.Offline)
		if err != nil {
			errs = append(errs, yamlfile.All(p.Fault(field+".from", err.Error()))...)
		}
	})
	return yamlfile.Join(errs...)
}

// ReadNodes reads the file of the plan's nodes, if it names one. The error is a
// yamlfile.Errors.
func ReadNodes(w *World, p *plan.Plan) error {
	if p.NodesFrom == "" || len(p.Nodes) > 0 {
		return nil
	}
	nodes, _, err := readNodes(w, p.NodesFrom)
	if err != nil && yamlfile.All(err) == nil {
		err = p.Fault("nodes.from", err.Error())
	}
	p.Nodes = nodes
	return err
}

// readNodes reads a table of nodes from a file.
func readNodes(w *World, path string) ([]topology.Node, flow.Stamp, error) {
	data, err := ReadFile(w.Read, w.path(path), plan.MaxNodesFile)
	if err != nil {
		return nil, flow.Stamp{}, err
	}
	stamp := flow.Stamp{Size: int64(len(data)), SHA256: sha256.Sum256(data)}
	if info, err := w.Read.Stat(w.path(path)); err == nil {
		stamp.ModTime = info.ModTime()
	}
	nodes, err := plan.ParseNodes(path, data)
	return nodes, stamp, err
}

// takeCA finds the CA of an authority in the set in f.From: its certificate, with
// all above it where the set has such a file, and its key. The key is needed to
// sign, and else taken along where it is.
func takeCA(w *World, p *plan.Plan, id topology.ComponentID, f *plan.Files, needKey bool) error {
	want := f.Authority
	if want == "" {
		want = authorityOf(w, p, id)
	}
	f.Cert = filepath.Join(f.From, "ca", string(want)+".crt")
	if needKey {
		f.Key = filepath.Join(f.From, "ca", string(want)+".key")
	}
	dir := untrusted.Text(f.From)
	m, err := store.ReadManifest(w.Read, w.path(f.From))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s holds no set that certwright wrote: there is no %s in it; name the directory of a set, or the files themselves as cert and key", dir, store.ManifestName)
	case err != nil:
		return fmt.Errorf("the set in %s cannot be read: %w", dir, err)
	}
	slots, err := setAuthorities(w, f.From)
	if err != nil {
		return err
	}
	slot, known := slots[want]
	if !known {
		return fmt.Errorf("the set in %s has no authority %s, and authority says which of its CAs to take; %s", dir, untrusted.Text(string(want)).Max(64), oneOf(slots))
	}
	cert := find(m, slot, layout.KindBundle, layout.KindCA)
	if cert == "" {
		return fmt.Errorf("the set in %s has no certificate of authority %s; name it as cert and key", dir, want)
	}
	f.Cert = filepath.Join(f.From, filepath.FromSlash(cert))
	return takeKey(w, m, f, slot, want, needKey)
}

// ageEnding is what the name of a key that was sealed with age ends with.
const ageEnding = ".age"

func takeKey(w *World, m *store.Manifest, f *plan.Files, slot topology.SlotID, want topology.AuthorityID, needKey bool) error {
	f.Key = ""
	var listed string
	for _, e := range candidates(m, slot, layout.KindCAKey, layout.KindKey) {
		listed = e
		if strings.HasSuffix(e, ageEnding) {
			continue
		}
		path := filepath.Join(f.From, filepath.FromSlash(e))
		if _, err := w.Read.Stat(w.path(path)); err == nil {
			f.Key = path
			return nil
		}
	}
	dir := untrusted.Text(f.From)
	switch {
	case !needKey:
		return nil
	case strings.HasSuffix(listed, ageEnding):
		f.Key = filepath.Join(f.From, "ca", string(want)+".key")
		return fmt.Errorf("the key of authority %s is sealed with age in %s, and is not opened here; open it with age -d, and name the files: {cert: …, key: …}", want, untrusted.Text(filepath.Join(f.From, listed)).Max(200))
	case listed != "":
		f.Key = filepath.Join(f.From, filepath.FromSlash(listed))
		return fmt.Errorf("the key of authority %s is not in %s any more (%s was written there), and without it nothing can be signed; bring it back, or name its file: {cert: …, key: …}", want, dir, listed)
	}
	f.Key = filepath.Join(f.From, "ca", string(want)+".key")
	return fmt.Errorf("the set in %s never kept the key of authority %s: that CA was brought to it, or its key was not written; without it nothing can be signed; name the CA's own files: {cert: …, key: …}", dir, want)
}

// authorityOf is the authority of a component of the plan's own profile.
func authorityOf(w *World, p *plan.Plan, id topology.ComponentID) topology.AuthorityID {
	if profile, err := w.Catalogue.Load(p.Profile); err == nil {
		t, _ := p.Topology(profile)
		if c := t.Component(id); c != nil {
			return c.Authority
		}
	}
	return topology.AuthorityID(id) // Check says what is wrong with the component
}

// setAuthorities are the authorities of a set by its own plan, each with the
// slot of its certificate.
func setAuthorities(w *World, dir string) (map[topology.AuthorityID]topology.SlotID, error) {
	shown := untrusted.Text(dir)
	q, err := PlanOf(w, dir)
	if err != nil {
		return nil, err
	}
	if q == nil {
		return nil, fmt.Errorf("the set in %s has no %s, which says what its CAs are; name the files themselves as cert and key", shown, PlanFile)
	}
	profile, err := w.Catalogue.Load(q.Profile)
	if err != nil {
		return nil, fmt.Errorf("the set in %s is of a profile that cannot be read: %w", shown, err)
	}
	out := map[topology.AuthorityID]topology.SlotID{}
	t, _ := q.Topology(profile)
	for _, a := range t.Authorities {
		out[a.ID] = a.Slot
	}
	return out, nil
}

func oneOf(slots map[topology.AuthorityID]topology.SlotID) string {
	var names []string
	for _, a := range slices.Sorted(maps.Keys(slots)) {
		names = append(names, string(a))
	}
	return "it has " + strings.Join(names, ", ")
}

// find is the best file of a slot in a set: of the first kind that it has one of.
func find(m *store.Manifest, slot topology.SlotID, kinds ...layout.Kind) string {
	if all := candidates(m, slot, kinds...); len(all) > 0 {
		return all[0]
	}
	return ""
}

// candidates are the files of a slot, the kinds in order, and of each kind the
// CAs' own directory first: it is not deployed, and stays longest.
func candidates(m *store.Manifest, slot topology.SlotID, kinds ...layout.Kind) []string {
	var out []string
	for _, kind := range kinds {
		for _, own := range []bool{true, false} {
			for _, e := range m.Files.OfSlot(string(slot)) {
				if e.Kind == string(kind) && strings.HasPrefix(e.Path, "ca/") == own {
					out = append(out, e.Path)
				}
			}
		}
	}
	return out
}
