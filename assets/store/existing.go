package store

import (
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"sort"
)

// standing is how a file of the manifest lies there. The zero value is missing.
type standing struct {
	mode   fs.FileMode
	status uint8 // in statuses
}

var statuses = [...]Status{isMissing: Missing, isUnchanged: Unchanged, isModified: Modified, isLoosened: Loosened}

const (
	isMissing uint8 = iota
	isUnchanged
	isModified
	isLoosened
)

// number is that of a file of the manifest, -1 for others.
func (e *Existing) number(p string) int {
	if e.Manifest == nil {
		return -1
	}
	return e.Manifest.Files.Find(p)
}

// numbers are those of the manifest's files, by path.
func (e *Existing) numbers() []int32 {
	if e.Manifest == nil {
		return nil
	}
	return e.Manifest.Files.numbers()
}

// found describes a file of the manifest.
func (e *Existing) found(i int) Found {
	entry := e.Manifest.Files.At(i)
	f := Found{Path: entry.Path, Mode: e.listed[i].mode, Size: entry.Size, Status: statuses[e.listed[i].status], Entry: &entry}
	if size, other := e.sizes[int32(i)]; other {
		f.Size = size
	}
	if f.Status == Missing {
		f.Size = 0
	}
	return f
}

// find describes a file, nil when there is none and the manifest has none.
func (e *Existing) find(p string) *Found {
	if i := e.number(p); i >= 0 {
		f := e.found(i)
		return &f
	}
	i := sort.Search(len(e.extra), func(i int) bool { return e.extra[i].Path >= p })
	if i == len(e.extra) || e.extra[i].Path != p {
		return nil
	}
	return &e.extra[i]
}

// there says whether find would find a file that is not missing.
func (e *Existing) there(p string) bool {
	if i := e.number(p); i >= 0 {
		return e.listed[i].status != isMissing
	}
	return e.find(p) != nil
}

// Files are what was found and what is missing, by path.
func (e *Existing) Files() iter.Seq[Found] {
	return func(yield func(Found) bool) {
		extra := e.extra
		for _, i := range e.numbers() {
			f := e.found(int(i))
			for len(extra) > 0 && extra[0].Path < f.Path {
				if !yield(extra[0]) {
					return
				}
				extra = extra[1:]
			}
			if !yield(f) {
				return
			}
		}
		for _, f := range extra {
			if !yield(f) {
				return
			}
		}
	}
}

// With lists the files of one status.
//
//go:noinline // many callers, none of them hot
func (e *Existing) With(status Status) []string {
	var paths []string
	if status == Extra {
		for i := range e.extra {
			paths = append(paths, e.extra[i].Path)
		}
		return paths
	}
	for _, i := range e.numbers() {
		if statuses[e.listed[i].status] == status {
			paths = append(paths, e.Manifest.Files.of.path(int(i)))
		}
	}
	return paths
}

// count is how many files have a status.
func (e *Existing) count(status Status) int {
	if status == Extra {
		return len(e.extra)
	}
	n := 0
	for i := range e.listed {
		if statuses[e.listed[i].status] == status {
			n++
		}
	}
	return n
}

// Entry is what the manifest says of a file, nil when it is not in there.
func (e *Existing) Entry(path string) *Entry {
	i := e.number(path)
	if i < 0 {
		return nil
	}
	entry := e.Manifest.Files.At(i)
	return &entry
}

// Staying lists the files that certwright did not make and that files leaves
// where they are.
func (e *Existing) Staying(files []Planned) []string {
	planned := map[string]bool{}
	for _, p := range files {
		planned[p.Path] = true
	}
	return slices.DeleteFunc(e.With(Extra), func(p string) bool { return planned[p] })
}

// Half says whether files of the set are missing.
func (e *Existing) Half() bool { return e.count(Missing) > 0 }

// Summary is one line for a person: "a set of 23 files (profile tectonic), 1 modified".
func (e *Existing) Summary() string {
	switch {
	case e.Manifest != nil:
		s := fmt.Sprintf("a set of %d files (profile %s)", e.Manifest.Files.Len(), e.Manifest.Profile)
		for _, status := range []Status{Modified, Loosened, Missing, Extra} {
			if n := e.count(status); n > 0 {
				s += fmt.Sprintf(", %d %s", n, status)
			}
		}
		return s
	case len(e.extra) > 0:
		return fmt.Sprintf("%d files that certwright did not make", len(e.extra))
	case e.ManifestErr != nil:
		return "a manifest.json that cannot be read"
	case e.State == Absent || e.State == "":
		return "no such directory"
	}
	return "an empty directory"
}
