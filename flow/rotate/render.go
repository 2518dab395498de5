package rotate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/certs"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// render makes the files of all stages.
func (m *maker) render(ctx context.Context) error {
	m.progress(flow.Progress{Stage: "render"})
	m.out.Out = m.r.Out
	if m.out.Out == "" {
		m.out.Out = strings.TrimRight(m.r.Dir, `/\`) + "-rotate-" + strings.ReplaceAll(m.r.Target, "/", "-")
	}
	out, home := m.abs(m.out.Out), m.abs(m.r.Dir)
	if inside(out, home) || inside(home, out) {
		return fmt.Errorf("%s and %s lie in one another; name another directory with --out, so that the set that the machines have stays as it is",
			untrusted.Text(m.out.Out), untrusted.Text(m.r.Dir))
	}
	layouts := m.layouts()
	before := m.out.Old
	last, err := m.files(m.out.Old, layouts, home, m.r.Plan)
	if err != nil {
		return err
	}
	for i, s := range m.out.Stages {
		answers := m.final
		if i == 0 {
			answers = m.r.Plan
		}
		dir := filepath.Join(out, s.Dir)
		if s.Files, err = m.files(s.Set, layouts, dir, answers); err != nil {
			return err
		}
		s.Changed = changed(last, s.Files)
		page, err := layout.StageSteps(m.request(s.Set, layouts, dir, nil), m.page(i, before))
		if err != nil {
			return err
		}
		s.set(layout.NextStepsFile, page)
		if i == len(m.out.Stages)-1 {
			if err := m.keys(ctx, s, dir); err != nil {
				return err
			}
		}
		if err := m.manifest(s); err != nil {
			return err
		}
		last, before = s.Files, s.Set
		for _, f := range s.Files {
			f.Path = s.Dir + "/" + f.Path
			m.out.Files = append(m.out.Files, f)
		}
	}
	m.out.Files = append(m.out.Files, layout.File{Path: layout.NextStepsFile, Data: m.overview(out), Mode: 0o644, Kind: layout.KindDocument})
	return nil
}

// layouts are those of the set that can be had for a stage. The others hand the
// CAs themselves over to a system that exchanges them by itself.
func (m *maker) layouts() []string {
	list := m.r.Plan.Output.Layouts
	if len(list) == 0 {
		list = m.out.Topology.Profile.Layouts
	}
	var out, left []string
	for _, l := range list {
		switch l {
		case "cluster-api", "k3s", "cert-manager", "kubelet-csr":
			left = append(left, l)
		default:
			out = append(out, l)
		}
	}
	if len(left) > 0 {
		m.note("the layouts %s are left out: what they hand the CAs to exchanges them in its own way", strings.Join(left, ", "))
	}
	if len(out) == 0 {
		out = []string{"tree"}
	}
	return out
}

func (m *maker) request(set *certs.Set, layouts []string, dir string, answers []byte) layout.Request {
	return layout.Request{Set: set, Layouts: layouts, Dir: dir, Home: m.abs(m.r.Dir), Plan: answers, Now: m.now, Version: m.w.Version}
}

func (m *maker) files(set *certs.Set, layouts []string, dir string, answers *plan.Plan) ([]layout.File, error) {
	saved := answers.Explicit(m.out.Topology.Profile)
	saved.Output.Dir, saved.Output.Layouts = dir, layouts
	text, err := saved.Relative(dir).Marshal()
	if err != nil {
		return nil, err
	}
	return layout.Render(m.request(set, layouts, dir, text))
}

// changed lists the files of the trees that differ.
func changed(before, after []layout.File) []string {
	was := map[string]string{}
	for _, f := range before {
		was[f.Path] = string(f.Data)
	}
	var out []string
	for _, f := range after {
		if tree := strings.HasPrefix(f.Path, "tls/") || strings.HasPrefix(f.Path, "nodes/"); tree && was[f.Path] != string(f.Data) {
			out = append(out, f.Path)
		}
	}
	return out
}

// set puts other bytes in the place of a file's.
func (s *Stage) set(path string, data []byte) {
	for i := range s.Files {
		if s.Files[i].Path == path {
			s.Files[i].Data = data
		}
	}
}

// keys completes the ca/ of the set that stays: the new CAs' keys as they were
// asked to be kept, those of the others as they lie in the old set.
func (m *maker) keys(ctx context.Context, s *Stage, dir string) error {
	p := &flow.Prepared{Topology: m.out.Topology, Files: s.Files}
	if m.seal {
		if err := m.w.CAKeys.Protect(ctx, m.final, p, dir, m.progress); err != nil {
			return err
		}
	}
	s.Files = p.Files
	m.out.Notes = append(m.out.Notes, p.Notes...)
	kept, err := m.kept(s.Files)
	if err != nil {
		return err
	}
	s.Files = append(s.Files, kept...)
	sort.Slice(s.Files, func(i, j int) bool { return s.Files[i].Path < s.Files[j].Path })
	return nil
}

// kept are the files of the old set's ca/ that still count, as they lie there.
func (m *maker) kept(have []layout.File) ([]layout.File, error) {
	manifest, err := store.ReadManifest(m.w.Read, m.abs(m.r.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a folder that certwright did not write has no ca/
	}
	if err != nil {
		return nil, err
	}
	var out []layout.File
	for _, e := range manifest.Files.All() {
		slot := m.out.Topology.Slot(topology.SlotID(e.Slot))
		isRoot := e.Slot == ""
		switch {
		case !strings.HasPrefix(e.Path, "ca/"):
			continue
		case isRoot && m.r.Target == Root, slot != nil && m.rotated(slot.Authority):
			continue
		case slices.ContainsFunc(have, func(f layout.File) bool { return f.Path == e.Path }):
			continue
		}
		data, err := install.ReadFile(m.w.Read, filepath.Join(m.abs(m.r.Dir), filepath.FromSlash(e.Path)), 1<<20)
		if errors.Is(err, fs.ErrNotExist) {
			continue // taken away from here, as NEXT-STEPS.md asks for
		}
		if err != nil {
			return nil, err
		}
		f := layout.File{Path: e.Path, Data: data, Mode: e.Mode, Kind: layout.Kind(e.Kind), Slot: topology.SlotID(e.Slot), Serial: e.Serial}
		if e.NotAfter != nil {
			f.NotAfter = *e.NotAfter
		}
		out = append(out, f)
	}
	return out, nil
}

// manifest makes the stage a set of its own, for certwright status and prove.
func (m *maker) manifest(s *Stage) error {
	var files []store.File
	for _, f := range s.Files {
		files = append(files, store.File{Path: f.Path, Data: f.Data, Mode: f.Mode, Slot: string(f.Slot), Kind: string(f.Kind), Serial: f.Serial, NotAfter: f.NotAfter})
	}
	data, err := store.ManifestOf(files, m.w.Version, m.out.Topology.Profile.Name, m.now)
	if err != nil {
		return err
	}
	s.Files = append(s.Files, layout.File{Path: store.ManifestName, Data: data, Mode: 0o644, Kind: layout.KindDocument})
	return nil
}

func (m *maker) abs(dir string) string {
	dir = m.at(dir)
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}

// inside says whether a directory is another or lies below it.
func inside(dir, above string) bool {
	rel, err := filepath.Rel(above, dir)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
