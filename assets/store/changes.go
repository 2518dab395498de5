package store

import (
	"io/fs"
	"iter"
	"path"
	"path/filepath"
	"slices"
	"sort"
)

// What is what would happen to a file.
type What string

// What may happen to a file.
const (
	New       What = "new"
	Same      What = "same"      // identical bytes and mode: not touched
	Overwrite What = "overwrite" // a file of an earlier set; the old one is kept in a backup
	Takeover  What = "foreign"   // a file that certwright did not make is in its place; kept in a backup
	Remove    What = "remove"    // of the earlier set and not of this one; kept in a backup
	Blocked   What = "blocked"   // a directory, a link or the like is in its place: Begin or Add refuses
)

// Change is one line of the review.
type Change struct {
	Path     string
	What     What
	Mode     fs.FileMode // as planned; 0 for Remove
	Size     int64
	OldMode  fs.FileMode // with its type; 0 for New
	OldSize  int64
	Modified bool // somebody changed the old file since it was written
}

// Changes tells what writing the files would do, by path. manifest.json is not
// among them. Of the files of a fleet few may be planned yet, and all the others
// would be removed: they are told one at a time.
func (e *Existing) Changes(files []Planned) iter.Seq[Change] {
	planned := slices.Clone(files)
	sort.SliceStable(planned, func(i, j int) bool { return planned[i].Path < planned[j].Path })
	return func(yield func(Change) bool) {
		next := 0
		until := func(p string) bool { // the planned ones up to a path
			for ; next < len(planned) && planned[next].Path <= p; next++ {
				if !yield(e.change(planned[next])) {
					return false
				}
			}
			return true
		}
		for _, i := range e.numbers() {
			p := e.Manifest.Files.of.path(int(i))
			before := next
			if !until(p) {
				return
			}
			if next > before && planned[next-1].Path == p || e.listed[i].status == isMissing {
				continue
			}
			f := e.found(int(i))
			if !yield(Change{Path: p, What: Remove, OldMode: f.Mode, OldSize: f.Size, Modified: f.Status == Modified}) {
				return
			}
		}
		for _, p := range planned[next:] {
			if !yield(e.change(p)) {
				return
			}
		}
	}
}

// change is what would happen to a planned file.
func (e *Existing) change(p Planned) Change {
	c := Change{Path: p.Path, What: e.what(p), Mode: p.Mode, Size: p.Size}
	if f := e.find(p.Path); f != nil && f.Status != Missing {
		c.OldMode, c.OldSize, c.Modified = f.Mode, f.Size, f.Status == Modified
	}
	return c
}

// what compares one planned file to what is in its place.
func (e *Existing) what(p Planned) What {
	for dir := path.Dir(p.Path); dir != "."; dir = path.Dir(dir) {
		if e.there(dir) {
			return Blocked // a file or a link where a directory is needed
		}
	}
	f := e.find(p.Path)
	switch {
	case f == nil || f.Status == Missing:
		if e.root != nil && e.State != Absent {
			if info, err := e.root.Stat(p.Path); err == nil && info.IsDir() {
				return Blocked
			}
		}
		return New
	case !f.Mode.IsRegular():
		return Blocked
	}
	sum := ""
	switch {
	case f.Status == Unchanged || f.Status == Loosened:
		sum = f.Entry.SHA256
	case f.Size == p.Size:
		sum, _ = hashFile(e.root, f.Path) // unreadable counts as different
	}
	if sum == p.SHA256 && f.Mode.Perm() == p.Mode.Perm() {
		return Same
	}
	if f.Entry == nil {
		return Takeover
	}
	return Overwrite
}

// Drift is how far a set has moved from its manifest.
type Drift struct {
	Manifest *Manifest
	Changed  []string
	Missing  []string
	Loosened []string // files, and directories that every user may write into
	Extra    []string
	Backups  []string // directories with the files of earlier sets, the oldest first
	Pending  bool     // a run was stopped here: certwright recover settles it

	kept  map[string]string // where a backup has the right bytes of a file that differs
	noDir map[string]bool   // directories of such files that are gone
}

// Clean says whether all is as it was written; extra files do not matter.
func (d *Drift) Clean() bool {
	return len(d.Changed)+len(d.Missing)+len(d.Loosened) == 0 && !d.Pending
}

// Check compares a written set to its manifest. Its error says why there is
// nothing to compare.
func Check(fsys FS, dir string) (*Drift, error) {
	e, err := Inspect(fsys, dir)
	if err != nil {
		return nil, err
	}
	if e.ManifestErr != nil {
		return nil, e.ManifestErr
	}
	if e.Manifest == nil {
		return nil, &Error{
			Kind: Invalid, Path: filepath.Join(dir, ManifestName), Err: fs.ErrNotExist,
			Next: "name a directory that certwright has written",
		}
	}
	d := &Drift{
		Manifest: e.Manifest, Changed: e.With(Modified), Missing: e.With(Missing),
		Loosened: e.With(Loosened), Extra: e.With(Extra), Backups: e.Backups, Pending: e.State == Interrupted,
	}
	for _, f := range e.Manifest.Files.All() {
		for dir := path.Dir(f.Path); len(e.loose) > 0; dir = path.Dir(dir) {
			if e.loose[dir] {
				d.Loosened = append(d.Loosened, dir)
				delete(e.loose, dir)
			}
			if dir == "." {
				break
			}
		}
	}
	slices.Sort(d.Loosened)
	d.lookForKept(fsys, dir)
	return d, nil
}
