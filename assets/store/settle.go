package store

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"time"
)

// and joins what was found in several file systems of one destination.
func (r *Recovery) and(o *Recovery) *Recovery {
	if r == nil || o == nil {
		return cmp.Or(r, o)
	}
	both := *r
	both.Paths = slices.Concat(r.Paths, o.Paths)
	if o.Outcome == KeptNew {
		both.Outcome = KeptNew
	}
	return &both
}

// settleIn settles a destination that exists, and before it the run that a
// pointer in it leads to; nil when there was nothing.
func settleIn(ctx context.Context, fsys FS, root Root, p place, now time.Time, dryRun bool) (*Recovery, error) {
	ptr, err := readPointer(root, ".")
	if err != nil {
		return nil, failed("read", shownIn(p.dir, pointerName), err)
	}
	var theirs *Recovery
	if ptr != nil {
		if theirs, err = ptr.follow(ctx, fsys, root, p.dir, now, dryRun); err != nil || theirs != nil && dryRun {
			return theirs, err
		}
	}
	ours, err := recoverIn(ctx, root, p.dir, now, dryRun)
	return theirs.and(ours), err
}

// strandedIn lists the mounts below a destination in which a run left traces.
func strandedIn(root Root, dir string) ([]string, error) {
	e := &Existing{Dir: dir}
	_, err := e.walk(root, func(string, fs.FileInfo) {})
	return e.stranded, err
}

// settleMounts settles what runs left in mounts below a destination whose own
// journal was settled before. One that another run has locked is that run's.
func settleMounts(ctx context.Context, fsys FS, root Root, p place, mounts []string, now time.Time, dryRun bool) (*Recovery, error) {
	// The journal may have gone a moment ago, before a kill: it must not come back
	// when the pointers have gone.
	if len(mounts) > 0 && !dryRun {
		if err := syncNames(root, "."); err != nil {
			return nil, failed("sync", p.dir, err)
		}
	}
	var all *Recovery
	for _, m := range mounts {
		r, err := settleMount(ctx, fsys, root, p, m, now, dryRun)
		if err != nil {
			return nil, err
		}
		if r != nil {
			for i := range r.Paths {
				r.Paths[i] = path.Join(m, r.Paths[i])
			}
			r.Dir = p.dir
		}
		all = all.and(r)
	}
	return all, nil
}

func settleMount(ctx context.Context, fsys FS, root Root, p place, mount string, now time.Time, dryRun bool) (*Recovery, error) {
	below := place{dir: shownIn(p.dir, mount)}
	at, err := root.OpenRoot(mount)
	if err != nil {
		return nil, failed("open", below.dir, err)
	}
	defer at.Close()
	if !dryRun {
		unlock, err := lock(root, below, mount)
		var e *Error
		if errors.As(err, &e) && e.Kind == Locked {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	if ptr, err := readPointer(at, "."); err == nil && ptr != nil && ptr.Dir == p.real {
		return recoverIn(ctx, at, below.dir, now, dryRun) // its journal was asked already
	}
	return settleIn(ctx, fsys, at, below, now, dryRun)
}
