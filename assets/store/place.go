package store

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
)

// place is where a set goes: a directory that exists (name is ""), or one that
// a single rename below the nearest existing parent can make appear.
type place struct {
	dir    string // as the caller named it
	real   string
	anchor string // the directory that is held open
	name   string // what does not exist yet below anchor, first element
	tail   string // the elements below name
}

func (p place) lockPath() string {
	if p.name == "" {
		return lockName
	}
	return "." + p.name + lockName
}

// stagePrefix begins the names of staging directories in the anchor.
func (p place) stagePrefix() string {
	if p.name == "" {
		return txPrefix
	}
	return "." + p.name + txPrefix
}

func locate(fsys FS, dir string) (place, error) {
	if dir == "" {
		return place{}, refused("", "name one with --out", "no destination was given")
	}
	real, err := fsys.Resolve(dir)
	if err != nil {
		return place{}, refused(dir, "choose another directory with --out", "%w", err)
	}
	p := place{dir: dir, real: real, anchor: real}
	for at := real; ; at = filepath.Dir(at) {
		info, err := lstatDir(fsys, at)
		if err != nil {
			return place{}, err
		}
		if info != nil || filepath.Dir(at) == at || at == "." {
			p.anchor = at
			return p, nil
		}
		if p.name != "" {
			p.tail = path.Join(p.name, p.tail)
		}
		p.name = filepath.Base(at)
	}
}

// lock takes the lock of a place, or of a directory below it.
func lock(root Root, p place, below string) (func() error, error) {
	unlock, err := root.Lock(path.Join(below, p.lockPath()))
	switch {
	case err == nil:
		return unlock, nil
	case errors.Is(err, ErrLocked):
		return nil, &Error{Kind: Locked, Path: p.dir, Err: err, State: unchanged, Next: "wait until that run has ended"}
	case errors.Is(err, fs.ErrPermission) || isReadOnly(err):
		return nil, refused(p.dir, "choose a directory that you may write, with --out", "not writable: %w", errors.New(reason(err)))
	}
	return nil, failed("lock", p.dir, err)
}
