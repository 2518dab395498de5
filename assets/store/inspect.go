package store

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"

	"github.com/spf13/afero"
	"golang.org/x/sync/errgroup"
)

// State is what a destination holds.
type State string

// The states of a destination.
const (
	Absent      State = "absent"      // no such directory
	Empty       State = "empty"       // nothing but what the store keeps for itself
	Ours        State = "ours"        // a set with a manifest
	Foreign     State = "foreign"     // files that certwright did not make
	Interrupted State = "interrupted" // a run was stopped in it: Begin or Recover settles that
)

// Status is how a file compares to the manifest.
type Status string

// The statuses of a file.
const (
	Unchanged Status = "unchanged"
	Modified  Status = "modified" // other bytes, or no longer a regular file
	Loosened  Status = "loosened" // the bytes are right, more people than planned may read or write them
	Missing   Status = "missing"
	Extra     Status = "extra" // not in the manifest
)

// Found is one file of a destination.
type Found struct {
	Path   string
	Mode   fs.FileMode // with its type; 0 when missing
	Size   int64
	Status Status
	Entry  *Entry // of the manifest; nil for an extra file
}

// Existing is what a destination holds. Its zero value is an absent one.
type Existing struct {
	Dir         string // as the caller named it
	State       State
	Manifest    *Manifest // nil when there is none
	ManifestErr error     // why manifest.json could not be read; State is Foreign then
	Backups     []string  // directories of earlier sets, below Dir
	Mounts      []string  // directories below Dir that are file systems of their own

	loose    map[string]bool // directories that every user may write into
	stranded []string        // those of Mounts in which a run left traces

	root   afero.Fs        // to hash extra files on demand
	listed []standing      // of the manifest's files, by their numbers
	sizes  map[int32]int64 // of those of them that have another size than it says
	extra  []Found         // sorted by path; directories and the store's own files are left out
}

// maxWalk bounds an inspection: somebody may name / by mistake.
const maxWalk = 250_000

// Inspect tells what dir holds. It changes nothing. Its error is an Error of
// kind Refused when dir is not a directory or a symbolic link, or Failed.
func Inspect(fsys FS, dir string) (*Existing, error) { return InspectBeside(fsys, dir, nil) }

// InspectBeside is Inspect for who has read the manifest of dir before: what has
// not changed since is held once.
func InspectBeside(fsys FS, dir string, before *Manifest) (*Existing, error) {
	info, err := lstatDir(fsys, dir)
	if err != nil {
		return nil, err
	}
	if info == nil {
		return &Existing{Dir: dir, State: Absent}, nil
	}
	root, err := fsys.OpenRoot(dir)
	if err != nil {
		return nil, failed("open", dir, err)
	}
	defer root.Close()
	e, err := inspect(root, dir, before)
	if err != nil {
		return nil, err
	}
	e.root = &below{fsys, dir} // Changes may be asked long after
	return e, nil
}

// lstatDir describes a directory that may be absent (nil, nil), and refuses
// what is something else.
func lstatDir(fsys FS, dir string) (fs.FileInfo, error) {
	info, err := fsys.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil && (errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrPermission)):
		return nil, refused(dir, "choose another directory with --out", "%w", errors.New(reason(err)))
	case err != nil:
		return nil, failed("examine", dir, err)
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, refused(dir, "name the directory that it points to with --out", "is a symbolic link")
	case !info.IsDir():
		return nil, refused(dir, "choose another directory with --out", "is not a directory")
	}
	return info, nil
}

func inspect(root FS, dir string, before *Manifest) (*Existing, error) {
	e := &Existing{Dir: dir, State: Empty, root: root, sizes: map[int32]int64{}}
	if err := e.readManifest(root, before); err != nil {
		return nil, err
	}
	if e.Manifest != nil {
		e.listed = make([]standing, e.Manifest.Files.Len())
	}
	interrupted, err := e.walk(root, e.note)
	if err != nil {
		return nil, err
	}
	sort.Slice(e.extra, func(i, j int) bool { return e.extra[i].Path < e.extra[j].Path })
	if err := e.compare(root); err != nil {
		return nil, err
	}
	switch {
	case interrupted:
		e.State = Interrupted
	case e.Manifest != nil:
		e.State = Ours
	case len(e.extra) > 0 || e.ManifestErr != nil:
		e.State = Foreign
	}
	return e, nil
}

// note takes a file that was met. One of the manifest counts as changed until
// its content is known.
func (e *Existing) note(p string, info fs.FileInfo) {
	i := e.number(p)
	if i < 0 {
		e.extra = append(e.extra, Found{Path: p, Mode: info.Mode(), Size: info.Size(), Status: Extra})
		return
	}
	e.listed[i] = standing{info.Mode(), isModified}
	if n, _ := e.Manifest.Files.of.line(i); n.size != info.Size() {
		e.sizes[int32(i)] = info.Size()
	}
}

// walk shows the files, and says whether a run was stopped here.
func (e *Existing) walk(root FS, show func(p string, info fs.FileInfo)) (interrupted bool, err error) {
	seen, mounts := 0, map[string]bool{}
	e.loose = map[string]bool{}
	if info, err := root.Lstat("."); err == nil && loose(root, info) {
		e.loose["."] = true
	}
	dirs := []string{"."}
	for len(dirs) > 0 {
		dir := dirs[len(dirs)-1]
		dirs = dirs[:len(dirs)-1]
		infos, err := readDir(root, dir)
		if err != nil {
			return false, failed("list", filepath.Join(e.Dir, dir), err)
		}
		for _, info := range infos {
			if seen++; seen > maxWalk {
				return false, refused(e.Dir, "choose another directory with --out", "holds more than %d files", maxWalk)
			}
			p := path.Join(dir, info.Name())
			if (dir == "." || mounts[dir]) && strings.HasPrefix(info.Name(), ownPrefix) {
				pending := isPending(info.Name())
				if (pending || info.Name() == lockName) && dir != "." && !slices.Contains(e.stranded, dir) {
					e.stranded = append(e.stranded, dir)
				}
				switch {
				case pending:
					interrupted = true
				case strings.HasPrefix(info.Name(), backupPrefix):
					e.Backups = append(e.Backups, p)
				}
				continue
			}
			if info.IsDir() {
				if loose(root, info) {
					e.loose[p] = true
				}
				if mounted, err := root.MountPoint(p); err == nil && mounted {
					mounts[p] = true
					e.Mounts = append(e.Mounts, p)
				}
				dirs = append(dirs, p)
				continue
			}
			if p != ManifestName {
				show(p, info)
			}
		}
	}
	slices.Sort(e.Backups)
	slices.Sort(e.Mounts)
	slices.Sort(e.stranded)
	return interrupted, nil
}

// isPending knows the traces of a run that did not end.
func isPending(name string) bool {
	return name == journalName || name == journalTemp || name == pointerName || strings.HasPrefix(name, txPrefix) || strings.HasPrefix(name, donePrefix)
}

func readDir(fsys afero.Fs, dir string) ([]fs.FileInfo, error) {
	open := fsys.Open
	if o, ok := fsys.(interface {
		openDir(name string) (afero.File, error)
	}); ok {
		open = o.openDir
	}
	d, err := open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	infos, err := d.Readdir(-1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return infos, nil
}

func (e *Existing) readManifest(root FS, before *Manifest) error {
	info, err := root.Lstat(ManifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !info.Mode().IsRegular() {
		bad := invalid(filepath.Join(e.Dir, ManifestName), "is %s, not a regular file", typeName(info.Mode()))
		bad.Next = "move it away"
		e.ManifestErr = bad
		return nil
	}
	m, err := readManifest(root, ".", before)
	if err == nil {
		e.Manifest = m
		return nil
	}
	var bad *Error
	if !errors.As(err, &bad) {
		return failed("read", filepath.Join(e.Dir, ManifestName), err)
	}
	bad.Path = filepath.Join(e.Dir, ManifestName)
	e.ManifestErr = bad
	return nil
}

// compare finds out which files of the manifest are as they were written.
func (e *Existing) compare(root FS) error {
	var group errgroup.Group
	group.SetLimit(8)
	for start := 0; start < len(e.listed); start += batch {
		group.Go(func() error {
			for i := start; i < min(start+batch, len(e.listed)); i++ {
				if err := e.compareOne(root, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (e *Existing) compareOne(root FS, i int) error {
	f := &e.listed[i]
	if _, other := e.sizes[int32(i)]; other || f.status == isMissing || !f.mode.IsRegular() {
		return nil
	}
	of := e.Manifest.Files.of
	want, _ := of.line(i)
	same, err := holds(root, of.path(i), want)
	if err != nil {
		return failed("read", filepath.Join(e.Dir, of.path(i)), err)
	}
	switch {
	case same && f.mode.Perm()&^fs.FileMode(want.mode) != 0:
		f.status = isLoosened
	case same:
		f.status = isUnchanged
	}
	return nil
}

// holds says whether a file has the content that a line of the manifest says.
func holds(root FS, name string, want *line) (bool, error) {
	if q, ok := root.(direct); ok {
		if is, known := q.image(name); known && is.size == want.size {
			return is.sum == want.sum, nil
		}
	}
	sum, err := hashFile(root, name)
	return want.sumIs(sum), err
}
