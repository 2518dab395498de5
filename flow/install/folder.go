package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/afero"

	"certwright/assets/store"
	"certwright/certs/material"
	"certwright/certs/place"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
)

// Limits of a folder that is searched for material.
const (
	maxFolderFiles = 10000
	maxFolderDepth = 6
	maxSetFiles    = 500_000 // a set of ours: topology.MaxNodes nodes have some 200,000
)

// Folder is what a folder was found to hold.
type Folder struct {
	Files   []place.File
	Skipped []place.Unplaced // not read, each with its reason

	limit int // of files
}

// ReadFolder reads every regular file below dir that is small enough to be
// material. Hidden folders and manifest files of our own are left out. Names
// are relative to dir.
func ReadFolder(ctx context.Context, w *World, dir string) (*Folder, error) {
	root := w.path(dir)
	info, err := w.Read.Stat(root)
	if err != nil {
		return nil, notRead(dir, err)
	}
	if !info.IsDir() {
		return nil, &ReadError{Rule: "not-a-regular-file", Path: dir, Message: fmt.Sprintf("%s is not a folder", untrusted.Text(dir)), Fix: "name the folder that holds the files"}
	}
	f := &Folder{limit: maxFolderFiles}
	if _, err := w.Read.Stat(filepath.Join(root, store.ManifestName)); err == nil {
		f.limit = maxSetFiles
	}
	err = afero.Walk(w.Read, root, func(path string, info fs.FileInfo, err error) error {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		rel, relErr := filepath.Rel(root, path)
		if relErr != nil || rel == "." {
			return err
		}
		if err != nil {
			f.Skipped = append(f.Skipped, place.Unplaced{File: rel, Why: notRead(rel, err).Error()})
			return nil
		}
		if info.IsDir() {
			if strings.HasPrefix(info.Name(), ".") || strings.Count(rel, string(filepath.Separator)) >= maxFolderDepth {
				return filepath.SkipDir
			}
			return nil
		}
		return f.add(w, root, rel, info)
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Folder) add(w *World, root, rel string, info fs.FileInfo) error {
	if len(f.Files)+len(f.Skipped) >= f.limit {
		return fmt.Errorf("%s holds more than %d files; name the folder that holds the certificates alone", untrusted.Text(root), f.limit)
	}
	// Hidden names are not material: editors' copies, and the ..data links that a
	// mounted Secret keeps beside the links with the names that count.
	if ownFile(rel) || strings.HasPrefix(info.Name(), ".") {
		return nil
	}
	in, err := ReadInput(w.Read, filepath.Join(root, rel))
	var re *ReadError
	if errors.As(err, &re) {
		f.Skipped = append(f.Skipped, place.Unplaced{File: rel, Why: re.Message})
		return nil
	}
	in.Name = rel
	f.Files = append(f.Files, place.File{Name: rel, Doc: material.Parse(in)})
	return nil
}

// ownFile says that certwright wrote the file beside the certificates.
func ownFile(rel string) bool {
	switch filepath.ToSlash(rel) {
	case "manifest.json", "certwright.yaml", "NEXT-STEPS.md", "topology.svg", "topology.mmd":
		return true
	}
	first, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
	return slices.Contains([]string{"flags", "terraform", "manifests"}, first)
}

// sort runs a SortFolder.
func (r *Runner) sort(ctx context.Context, e flow.SortFolder) flow.Event {
	folder, err := ReadFolder(ctx, r.World, e.Dir)
	if err != nil {
		return flow.Filled{Gen: e.Gen, Err: err}
	}
	var slots []*topology.Slot
	for _, f := range e.Fields {
		if s := e.Answers.Topology.Slot(f.Slot); s != nil && !slices.Contains(slots, s) {
			slots = append(slots, s)
		}
	}
	sorted := place.Sort(slots, folder.Files)
	out := flow.Filled{Gen: e.Gen, Sources: map[flow.Field]flow.Source{}}
	for _, p := range sorted.Placed {
		part := flow.PartCert
		if p.Part == place.Key {
			part = flow.PartKey
		}
		out.Sources[flow.Field{Slot: p.Slot, Part: part}] = flow.Source{Path: filepath.Join(e.Dir, p.File), Why: p.Why}
	}
	for _, u := range append(sorted.Unplaced, folder.Skipped...) {
		out.Unplaced = append(out.Unplaced, untrusted.Text(u.File).String()+": "+u.Why)
	}
	return out
}
