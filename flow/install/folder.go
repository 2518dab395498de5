package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/afero"

	"certwright/assets/store"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/certs/place"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
)

// Limits of a folder that is searched for material: a pile of the files of
// 10,000 nodes has some 60,000, of 150 MB together.
const (
	maxFolderFiles = 100_000
	maxFolderBytes = 512 << 20
	maxFolderDepth = 6
	maxSetFiles    = 500_000 // a set of ours: topology.MaxNodes nodes have some 200,000
)

// Folder is what a folder was found to hold.
type Folder struct {
	Files   []place.File     // in the order of their names
	Skipped []place.Unplaced // not read, each with its reason

	configs map[string]*kubeconfig // by file; nil when they are not asked for
	stamps  []*flow.Stamp          // of Files
	limit   int                    // of files
	bytes   int64
	all     bool // files that certwright writes beside certificates are taken too
}

// entry is a file that was found and not read yet.
type entry struct {
	rel    string
	link   bool // a symbolic link
	file   place.File
	stamp  *flow.Stamp
	config *kubeconfig
	why    string // why it was not read
}

// ReadFolder reads every regular file below dir that is small enough to be
// material, several at once. Hidden folders and manifest files of our own are
// left out. Names are relative to dir.
func ReadFolder(ctx context.Context, w *World, dir string) (*Folder, error) {
	return readFolder(ctx, w, dir, map[string]*kubeconfig{})
}

func readFolder(ctx context.Context, w *World, dir string, configs map[string]*kubeconfig) (*Folder, error) {
	root := w.path(dir)
	info, err := w.Read.Stat(root)
	if err != nil {
		return nil, notRead(dir, err)
	}
	if !info.IsDir() {
		return nil, &ReadError{Rule: "not-a-regular-file", Path: dir, Message: fmt.Sprintf("%s is not a folder", untrusted.Text(dir)), Fix: "name the folder that holds the files"}
	}
	f := &Folder{limit: maxFolderFiles, configs: configs}
	if _, err := w.Read.Stat(filepath.Join(root, store.ManifestName)); err == nil {
		f.limit = maxSetFiles
	}
	entries, err := f.read(ctx, w, root)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		switch {
		case e.why != "":
			f.Skipped = append(f.Skipped, place.Unplaced{File: e.rel, Why: e.why})
		default:
			f.Files, f.stamps = append(f.Files, e.file), append(f.stamps, e.stamp)
			if e.config != nil {
				f.configs[e.rel] = e.config
			}
		}
	}
	return f, nil
}

// ListFolder names every file below dir that ReadFolder would read, and those
// that certwright writes beside certificates too, relative to dir. skipped are
// the directories that could not be listed. The error is a *ReadError when dir
// is no folder.
func ListFolder(ctx context.Context, w *World, dir string) (files []string, skipped []place.Unplaced, err error) {
	root := w.path(dir)
	info, err := w.Read.Stat(root)
	if err != nil {
		return nil, nil, notRead(dir, err)
	}
	if !info.IsDir() {
		return nil, nil, &ReadError{Rule: "not-a-regular-file", Path: dir, Message: fmt.Sprintf("%s is not a folder", untrusted.Text(dir)), Fix: "name the folder that holds the files"}
	}
	f := &Folder{limit: maxFolderFiles, all: true}
	entries, err := f.walk(ctx, w, root, func(*entry) {})
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if e.why != "" {
			skipped = append(skipped, place.Unplaced{File: e.rel, Why: e.why})
			continue
		}
		files = append(files, e.rel)
	}
	return files, skipped, nil
}

// read reads the files while the folder is still being listed.
func (f *Folder) read(ctx context.Context, w *World, root string) ([]*entry, error) {
	workers := w.Workers
	if workers <= 0 {
		workers = issue.Cores()
	}
	at := resolved(w.Read, root)
	found := make(chan *entry, 1024)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for e := range found {
				if ctx.Err() == nil {
					e.read(w, root, at, f.configs != nil)
				}
			}
		})
	}
	entries, err := f.walk(ctx, w, root, func(e *entry) { found <- e })
	if err != nil {
		stop(err) // what was found is of no use
	}
	close(found)
	wg.Wait()
	return entries, context.Cause(ctx)
}

// walk lists the files to read, and hands each over when it is found.
func (f *Folder) walk(ctx context.Context, w *World, root string, found func(*entry)) ([]*entry, error) {
	var entries []*entry
	add := func(e *entry) {
		entries = append(entries, e)
		found(e)
	}
	err := afero.Walk(w.Read, root, func(path string, info fs.FileInfo, err error) error {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		rel, relErr := filepath.Rel(root, path)
		if relErr != nil || rel == "." {
			return err
		}
		if err != nil {
			add(&entry{rel: rel, why: notRead(rel, err).Error()})
			return nil
		}
		if info.IsDir() {
			if strings.HasPrefix(info.Name(), ".") || strings.Count(rel, string(filepath.Separator)) >= maxFolderDepth {
				return filepath.SkipDir
			}
			return nil
		}
		// Hidden names are not material: editors' copies, and the ..data links that a
		// mounted Secret keeps beside the links with the names that count.
		if !f.all && ownFile(rel) || strings.HasPrefix(info.Name(), ".") {
			return nil
		}
		if len(entries) >= f.limit {
			return fmt.Errorf("%s holds more than %d files; name the folder that holds the certificates alone", untrusted.Text(root), f.limit)
		}
		if f.bytes += min(info.Size(), material.MaxCertificates); f.bytes > maxFolderBytes && f.limit < maxSetFiles {
			return fmt.Errorf("%s holds more than %s; name the folder that holds the certificates alone", untrusted.Text(root), untrusted.Size(maxFolderBytes))
		}
		add(&entry{rel: rel, link: info.Mode()&fs.ModeSymlink != 0})
		return nil
	})
	return entries, err
}

// read reads and parses one file of the folder, which lies at.
func (e *entry) read(w *World, root, at string, configs bool) {
	if e.why != "" {
		return
	}
	// The walk follows no links, so that only a file which is one itself can lie elsewhere.
	path := filepath.Join(root, e.rel)
	if at = filepath.Join(at, e.rel); e.link {
		at = resolved(w.Read, path)
	}
	in, info, err := readInput(w.Read, path, at)
	if err != nil {
		e.why = err.Error()
		var re *ReadError
		if errors.As(err, &re) {
			e.why = re.Message
		}
		return
	}
	in.Name, in.Passphrase = e.rel, w.Passphrase
	e.file = place.File{Name: e.rel, Doc: material.Parse(in)}
	e.stamp = stampOf(info, e.file.Doc)
	if configs && e.file.Doc.Format == material.FormatKubeconfig {
		e.config = parseKubeconfig(in.Data)
	}
}

// each runs f for 0 … n-1 on the given number of goroutines, 0 for one per
// core, and returns when all have ended. It stops early with the cause when ctx ends.
func each(ctx context.Context, workers, n int, f func(int)) error {
	if workers <= 0 {
		workers = issue.Cores()
	}
	var next atomic.Int64
	loop := func() {
		for context.Cause(ctx) == nil {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			f(i)
		}
	}
	var wg sync.WaitGroup
	for range min(workers, n) - 1 {
		wg.Go(loop)
	}
	loop()
	wg.Wait()
	return context.Cause(ctx)
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
	folder, err := readFolder(ctx, r.World, e.Dir, nil)
	if err != nil {
		return flow.Filled{Gen: e.Gen, Err: err}
	}
	var slots []*topology.Slot
	seen := map[topology.SlotID]bool{}
	for _, f := range e.Fields {
		if s := e.Answers.Topology.Slot(f.Slot); s != nil && !seen[f.Slot] {
			slots = append(slots, s)
		}
		seen[f.Slot] = true
	}
	sorted := place.Sort(slots, folder.Files)
	out := flow.Filled{Gen: e.Gen, Sources: map[flow.Field]flow.Source{}}
	for _, p := range sorted.Placed {
		if slot := e.Answers.Topology.Slot(p.Slot); p.Behind && p.Part == place.Cert && slot.Kind == topology.CA {
			// The file as a whole is what is taken, and it begins with something else.
			out.Unplaced = append(out.Unplaced, fmt.Sprintf("%s: %s's certificate stands behind another one in it; give it in a file of its own", untrusted.Text(p.File), p.Slot))
			continue
		}
		part := flow.PartCert
		if p.Part == place.Key {
			part = flow.PartKey
		}
		out.Sources[flow.Field{Slot: p.Slot, Part: part}] = flow.Source{Path: filepath.Join(e.Dir, p.File), Why: p.Why}
	}
	for _, u := range append(sorted.Unplaced, folder.Skipped...) {
		out.Unplaced = append(out.Unplaced, untrusted.Text(u.File).String()+": "+u.Why)
	}
	r.keep(newSorted(e.Dir, folder, out.Sources))
	return out
}
