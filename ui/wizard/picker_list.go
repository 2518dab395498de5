package wizard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/afero"

	"certwright/certs/untrusted"
)

// Limits of a folder that is listed. Reading goes in batches so that leaving
// the folder ends it soon.
const (
	pickerMaxEntries = 100_000
	pickerBatch      = 2048
)

// entryKind is what a row of the picker is.
type entryKind int

const (
	upEntry    entryKind = iota // the folder above
	hereEntry                   // this folder itself, where a folder is asked for
	dirEntry                    // a folder, or a link to one
	fileEntry                   // a regular file, or a link to one
	otherEntry                  // FIFO, socket, device: listed, never read
	lostEntry                   // a link that leads nowhere
)

// entry is one row of a folder.
type entry struct {
	name  string // as the disk has it: untrusted text
	lower string // for the filter
	kind  entryKind
	what  string // of otherEntry and lostEntry: why it cannot be chosen
	link  string // where a symbolic link points, "" for none: untrusted text
	size  int64
	mod   time.Time
}

func (e *entry) hidden() bool { return e.name[0] == '.' }

// folder is a folder as it was read once.
type folder struct {
	dir     string
	entries []entry // folders first, then the rest, each by name
	cut     bool    // more than pickerMaxEntries
	err     error   // why it could not be read, or not to its end
}

// readFolder lists a folder. What vanishes meanwhile is left out, links are
// followed to say what they are. It returns what it has when ctx ends.
func readFolder(ctx context.Context, fsys afero.Fs, dir string) *folder {
	l := &folder{dir: dir}
	f, err := fsys.Open(dir)
	if err != nil {
		l.err = err
		return l
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		l.err = err
		return l
	}
	if !info.IsDir() {
		l.err = &fs.PathError{Op: "list", Path: dir, Err: syscall.ENOTDIR}
		return l
	}
	for ctx.Err() == nil {
		infos, err := f.Readdir(pickerBatch)
		for _, info := range infos {
			if info.Name() == "" {
				continue
			}
			if len(l.entries) == pickerMaxEntries {
				l.cut = true
				break
			}
			l.entries = append(l.entries, newEntry(fsys, dir, info))
		}
		if err != nil && !errors.Is(err, io.EOF) {
			l.err = err
		}
		if err != nil || len(infos) == 0 || l.cut {
			break
		}
	}
	sort.Slice(l.entries, func(i, j int) bool {
		a, b := &l.entries[i], &l.entries[j]
		return cmp.Or(a.rank()-b.rank(), cmp.Compare(a.lower, b.lower), cmp.Compare(a.name, b.name)) < 0
	})
	return l
}

func (e *entry) rank() int {
	if e.kind == dirEntry {
		return 0
	}
	return 1
}

func newEntry(fsys afero.Fs, dir string, info fs.FileInfo) entry {
	e := entry{name: info.Name(), lower: strings.ToLower(info.Name()), size: info.Size(), mod: info.ModTime()}
	if info.Mode()&fs.ModeSymlink != 0 {
		path := filepath.Join(dir, e.name)
		e.link = "?"
		if r, ok := fsys.(afero.LinkReader); ok {
			if target, err := r.ReadlinkIfPossible(path); err == nil && target != "" {
				e.link = target
			}
		}
		target, err := fsys.Stat(path)
		if err != nil {
			e.kind, e.what = lostEntry, "its target "+reason(err)
			return e
		}
		e.size, e.mod, info = target.Size(), target.ModTime(), target
	}
	mode := info.Mode()
	switch {
	case mode.IsDir():
		e.kind = dirEntry
	case mode.IsRegular():
		e.kind = fileEntry
	default:
		e.kind, e.what = otherEntry, "not a regular file"
		switch {
		case mode&fs.ModeNamedPipe != 0:
			e.what = "a FIFO (named pipe)"
		case mode&fs.ModeSocket != 0:
			e.what = "a socket"
		case mode&fs.ModeDevice != 0:
			e.what = "a device"
		}
	}
	return e
}

// rows are the indexes of the entries to show, for hidden files shown or not
// and a filter. Every word of the filter must be in the name; who types a dot
// first means the hidden ones.
func (l *folder) rows(hidden bool, filter string) []int {
	words := strings.Fields(strings.ToLower(filter))
	hidden = hidden || strings.HasPrefix(filter, ".")
	rows := make([]int, 0, len(l.entries))
next:
	for i := range l.entries {
		e := &l.entries[i]
		if !hidden && e.hidden() {
			continue
		}
		for _, w := range words {
			if !strings.Contains(e.lower, w) {
				continue next
			}
		}
		rows = append(rows, i)
	}
	return rows
}

// total says how many files and folders are listed, for the foot of the pane.
func (l *folder) total(rows []int) string {
	files, dirs := 0, 0
	for _, i := range rows {
		if l.entries[i].kind == dirEntry {
			dirs++
		} else {
			files++
		}
	}
	var parts []string
	if files > 0 || dirs == 0 {
		parts = append(parts, count(files, "file"))
	}
	if dirs > 0 {
		parts = append(parts, count(dirs, "folder"))
	}
	return strings.Join(parts, ", ")
}

// reason is why a path cannot be used, in a person's words and without the path.
func reason(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, fs.ErrNotExist):
		return "does not exist"
	case errors.Is(err, fs.ErrPermission):
		return "may not be read: permission denied"
	case errors.Is(err, syscall.ENOTDIR):
		return "is not a folder"
	case errors.Is(err, syscall.ELOOP):
		return "leads round in a circle of symbolic links"
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return "cannot be read: " + untrusted.Text(err.Error()).String()
}

// shortSize is a size in a narrow column: 227, 2.1K, 14M.
func shortSize(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	f := float64(n)
	for _, unit := range []string{"K", "M", "G", "T"} {
		f /= 1000
		if f < 9.95 {
			return fmt.Sprintf("%.1f%s", f, unit)
		}
		if f < 999.5 || unit == "T" {
			return fmt.Sprintf("%.0f%s", f, unit)
		}
	}
	return ""
}
