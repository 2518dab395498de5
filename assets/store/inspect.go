package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
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
	Files       []Found   // sorted by path; directories and the store's own files are left out
	Backups     []string  // directories of earlier sets, below Dir
	Mounts      []string  // directories below Dir that are file systems of their own

	loose    map[string]bool // directories that every user may write into
	stranded []string        // those of Mounts in which a run left traces

	root  afero.Fs // to hash extra files on demand
	index map[string]*Found
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
	e := &Existing{Dir: dir, State: Empty, root: root, index: map[string]*Found{}}
	interrupted, err := e.walk(root)
	if err != nil {
		return nil, err
	}
	if err := e.readManifest(root, before); err != nil {
		return nil, err
	}
	sort.Slice(e.Files, func(i, j int) bool { return e.Files[i].Path < e.Files[j].Path })
	for i := range e.Files {
		e.index[e.Files[i].Path] = &e.Files[i]
	}
	if err := e.compare(root); err != nil {
		return nil, err
	}
	switch {
	case interrupted:
		e.State = Interrupted
	case e.Manifest != nil:
		e.State = Ours
	case len(e.Files) > 0 || e.ManifestErr != nil:
		e.State = Foreign
	}
	return e, nil
}

// walk lists the files, and says whether a run was stopped here.
func (e *Existing) walk(root FS) (interrupted bool, err error) {
	seen, mounts := 0, map[string]bool{}
	e.loose = map[string]bool{}
	if info, err := root.Lstat("."); err == nil {
		e.loose["."] = loose(root, info)
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
				e.loose[p] = loose(root, info)
				if mounted, err := root.MountPoint(p); err == nil && mounted {
					mounts[p] = true
					e.Mounts = append(e.Mounts, p)
				}
				dirs = append(dirs, p)
				continue
			}
			if p == ManifestName {
				continue
			}
			e.Files = append(e.Files, Found{Path: p, Mode: info.Mode(), Size: info.Size(), Status: Extra})
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

// compare sets the status of each file of the manifest.
func (e *Existing) compare(root FS) error {
	if e.Manifest == nil {
		return nil
	}
	var missing []Found
	var group errgroup.Group
	group.SetLimit(8)
	for i := range e.Manifest.Files {
		entry := &e.Manifest.Files[i]
		f := e.index[entry.Path]
		if f == nil {
			missing = append(missing, Found{Path: entry.Path, Status: Missing, Entry: entry})
			continue
		}
		f.Path, f.Entry, f.Status = entry.Path, entry, Modified
		e.index[entry.Path] = f // the path is held once, as the key too
		if !f.Mode.IsRegular() || f.Size != entry.Size {
			continue
		}
		group.Go(func() error {
			sum, err := hashFile(root, f.Path)
			if err != nil {
				return failed("read", filepath.Join(e.Dir, f.Path), err)
			}
			if sum != entry.SHA256 {
				return nil
			}
			f.Status = Unchanged
			if f.Mode.Perm()&^entry.Mode != 0 {
				f.Status = Loosened
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	e.Files = append(e.Files, missing...)
	sort.Slice(e.Files, func(i, j int) bool { return e.Files[i].Path < e.Files[j].Path })
	for i := range e.Files {
		e.index[e.Files[i].Path] = &e.Files[i]
	}
	return nil
}

// hashFile is the SHA-256 of a file that nobody waits in (oNonblock).
func hashFile(fsys afero.Fs, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return hashOf(f)
}

// buffers are for reading: a fleet has 40,000 files, and each may be a key, so
// a buffer goes back empty.
var buffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

func hashOf(r io.Reader) (string, error) {
	sum, err := digestOf(r, -1)
	return hex.EncodeToString(sum[:]), err
}

// digestOf is the SHA-256 of all that there is to read, or of as many bytes as are
// known to be there: a read that only finds the end is saved.
func digestOf(r io.Reader, size int64) (sum [sha256.Size]byte, err error) {
	buf := buffers.Get().(*[16 << 10]byte)
	used := 0
	defer func() {
		clear(buf[:used])
		buffers.Put(buf)
	}()
	h := sha256.New()
	for size != 0 {
		part := buf[:]
		if size > 0 {
			part = buf[:min(size, int64(len(buf)))]
		}
		n, err := r.Read(part)
		used = max(used, n)
		h.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return sum, err
		}
		if size > 0 {
			size -= int64(n)
		}
	}
	h.Sum(sum[:0])
	return sum, nil
}

// With lists the files of one status.
//
//go:noinline // many callers, none of them hot
func (e *Existing) With(status Status) []string {
	var paths []string
	for _, f := range e.Files {
		if f.Status == status {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// Entry is what the manifest says of a file, nil when it is not in there.
func (e *Existing) Entry(path string) *Entry {
	if f := e.index[path]; f != nil {
		return f.Entry
	}
	return nil
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
func (e *Existing) Half() bool { return len(e.With(Missing)) > 0 }

// Summary is one line for a person: "a set of 23 files (profile tectonic), 1 modified".
func (e *Existing) Summary() string {
	switch {
	case e.Manifest != nil:
		s := fmt.Sprintf("a set of %d files (profile %s)", len(e.Manifest.Files), e.Manifest.Profile)
		for _, status := range []Status{Modified, Loosened, Missing, Extra} {
			if n := len(e.With(status)); n > 0 {
				s += fmt.Sprintf(", %d %s", n, status)
			}
		}
		return s
	case len(e.Files) > 0:
		return fmt.Sprintf("%d files that certwright did not make", len(e.Files))
	case e.ManifestErr != nil:
		return "a manifest.json that cannot be read"
	case e.State == Absent || e.State == "":
		return "no such directory"
	}
	return "an empty directory"
}
