package install

import (
	"path/filepath"
	"sync"

	"certwright/certs/topology"
	"certwright/flow"
)

// sorted are the files that a folder filled fields with, as they were read to
// sort them: the judgements that follow do not read them a second time. Each
// of its slots takes a file once.
type sorted struct {
	mu    sync.Mutex
	files map[string]*sortedFile // by path
}

type sortedFile struct {
	read
	slots int // that have not taken it yet
}

// newSorted are the files that became sources.
func newSorted(dir string, folder *Folder, sources map[flow.Field]flow.Source) *sorted {
	takers := map[string]map[topology.SlotID]bool{}
	for f, src := range sources {
		if takers[src.Path] == nil {
			takers[src.Path] = map[topology.SlotID]bool{}
		}
		takers[src.Path][f.Slot] = true
	}
	s := &sorted{files: make(map[string]*sortedFile, len(takers))}
	for i, file := range folder.Files {
		path := filepath.Join(dir, file.Name)
		if n := len(takers[path]); n > 0 {
			doc := *file.Doc
			doc.Name = path // as the field names it
			s.files[path] = &sortedFile{read{doc: &doc, stamp: folder.stamps[i], path: path}, n}
		}
	}
	return s
}

// take is a file as it was read, nil when it was not or is another by now.
func (s *sorted) take(w *World, path string) *read {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	f := s.files[path]
	if f != nil {
		if f.slots--; f.slots == 0 {
			delete(s.files, path)
		}
	}
	s.mu.Unlock()
	if f == nil || differs(w, path, *f.stamp) {
		return nil
	}
	r := f.read
	return &r
}

// keep has the judgements from now on take the files that were sorted.
func (r *Runner) keep(s *sorted) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sorted = s
}
