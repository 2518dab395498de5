package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"certwright/certs/untrusted"
)

// pointer lies in each mount that a run into several file systems writes to. It
// is durable before the journal is, and goes after it has gone, so a run that is
// started in the mount alone finds out what was decided.
type pointer struct {
	Format string `json:"certwright"` // pointerFormat
	Tx     string `json:"tx"`         // name of the staging directories
	Dir    string `json:"dir"`        // the destination, which has the journal
	Mount  string `json:"mount"`      // where below it the pointer lies
}

const (
	pointerFormat = "pointer/1"
	maxPointer    = 64 << 10
)

func (p pointer) text() []byte {
	line, _ := json.Marshal(p) // strings alone
	line = append(line, '\n')
	return append(line, `{"sha256":"`+digest(line)+"\"}\n"...)
}

// parsePointer takes nothing but a whole pointer.
func parsePointer(data []byte) (*pointer, bool) {
	var p pointer
	line, _, _ := bytes.Cut(data, []byte("\n"))
	if strict(line, &p) != nil || p.Format != pointerFormat || string(p.text()) != string(data) {
		return nil, false
	}
	if !ownName(p.Tx, txPrefix) || !filepath.IsAbs(p.Dir) || CheckPath(p.Mount) != nil {
		return nil, false
	}
	return &p, true
}

// readPointer returns nil where there is none, or one that is torn: a run stops
// at its journal before every pointer is whole on the disk.
func readPointer(root FS, mount string) (*pointer, error) {
	name := path.Join(mount, pointerName)
	if info, err := root.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%s is in the way", typeName(info.Mode()))}
	}
	data, err := readAll(root, name, maxPointer)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, errTooBig) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, _ := parsePointer(data)
	return p, nil
}

// dropPointer removes a pointer for good, before the staging directory beside it
// goes: that one's name says how the run ended.
func dropPointer(root FS, mount string) error {
	name := path.Join(mount, pointerName)
	if gone(root, name) {
		return nil
	}
	if err := discard(root, name); err != nil {
		return err
	}
	return syncNames(root, mount)
}

// follow settles the run that the pointer in here leads to, when that run had
// come to its journal; nil when it had not, and what it left here may go.
func (p *pointer) follow(ctx context.Context, fsys FS, here Root, dir string, now time.Time, dryRun bool) (*Recovery, error) {
	lost := func(why string) error {
		return &Error{
			Kind: NeedsPerson, Path: filepath.Join(dir, pointerName), Err: errors.New(why), State: unchanged,
			Next: "mount all as it was and run certwright recover " + untrusted.Text(p.Dir).ShellArg() + ", or remove this file if that run does not matter any more",
		}
	}
	theirs, err := fsys.Lstat(filepath.Join(p.Dir, p.Mount))
	if err != nil {
		return nil, lost("a run that also wrote here was interrupted, and its destination " + p.Dir + " cannot be read: " + reason(err))
	}
	ours, err := here.Lstat(".")
	if err != nil {
		return nil, failed("examine", dir, err)
	}
	a, ok := fsys.Identity(theirs)
	if b, _ := here.Identity(ours); ok && (a.Dev != b.Dev || a.Ino != b.Ino) {
		return nil, lost("a run that also wrote here was interrupted, and its destination " + p.Dir + " is mounted otherwise now")
	}
	root, err := fsys.OpenRoot(p.Dir)
	if err != nil {
		return nil, failed("open", p.Dir, err)
	}
	defer root.Close()
	if !dryRun {
		unlock, err := lock(root, place{dir: p.Dir}, ".")
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	j, err := readJournal(root)
	if err == nil && (j == nil || j.Tx != p.Tx) {
		if dryRun {
			return nil, nil
		}
		// It may have gone a moment ago, before a kill: it must not come back
		// when the pointer has gone.
		if err := syncNames(root, "."); err != nil {
			return nil, failed("sync", p.Dir, err)
		}
		return nil, nil
	}
	return recoverIn(ctx, root, p.Dir, now, dryRun) // a torn journal is judged there too
}
