package install_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/spf13/afero"

	"certwright/assets/store"
	"certwright/flow/install"
)

// wrapped is the disk as the store sees it through a file system that is not its
// own, on which it takes the longer way to each file. Both sides of the
// comparison are.
type wrapped struct {
	store.FS
	root func(store.Root) store.Root
}

func (w wrapped) OpenRoot(dir string) (store.Root, error) {
	r, err := w.FS.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return w.root(r), nil
}

// syncedRoot has every sync of the disk.
type syncedRoot struct{ store.Root }

// unsynced is the disk without its syncs: what durability costs shows beside it.
type unsynced struct{ wrapped }

func (unsynced) SyncDir(string) error { return nil }

type unsyncedRoot struct{ store.Root }

func (u unsyncedRoot) SyncDir(string) error { return nil }

func (u unsyncedRoot) SyncAll() error { return nil }

func (u unsyncedRoot) OpenRoot(dir string) (store.Root, error) {
	r, err := u.Root.OpenRoot(dir)
	return unsyncedRoot{r}, err
}

func (u unsyncedRoot) Open(name string) (afero.File, error) {
	return u.OpenFile(name, os.O_RDONLY, 0)
}

func (u unsyncedRoot) OpenFile(name string, flag int, perm fs.FileMode) (afero.File, error) {
	f, err := u.Root.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

type unsyncedFile struct{ afero.File }

func (unsyncedFile) Sync() error { return nil }

func (f unsyncedFile) Chmod(mode fs.FileMode) error {
	return f.File.(interface{ Chmod(fs.FileMode) error }).Chmod(mode)
}

// flush has the disk take what the run before left in memory: a sync is of the
// whole file system, and one run must not pay for the other.
func flush(b *testing.B, dir string) {
	r, err := store.OS().OpenRoot(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	if err := r.SyncAll(); err != nil && !errors.Is(err, store.ErrUnsupported) {
		b.Fatal(err)
	}
}

// BenchmarkFloorSyncWrite is the write of a cluster of 10,000 nodes, with -short
// 300, as it is and on the same disk without a single sync, in turns and into
// fresh directories. It does not count what is done before the write, the answers
// and the proof; the whole run is BenchmarkFloorSync of ui/e2e.
func BenchmarkFloorSyncWrite(b *testing.B) {
	nodes := 10_000
	if testing.Short() {
		nodes = manyNodes
	}
	p := fleetPlan(b, nodes)
	commit := func(disk store.FS, dir string) time.Duration {
		w := world(b)
		w.Write = disk
		p := p.Clone()
		p.Output.Dir = dir
		prepared, err := install.Prepare(b.Context(), w, answers(b, p), nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		flush(b, filepath.Dir(dir))
		start := time.Now()
		if _, err := install.Commit(b.Context(), w, prepared, false, nil); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	dir := b.TempDir()
	var durable, not []time.Duration
	for n := 0; b.Loop(); n++ {
		without := wrapped{store.OS(), func(r store.Root) store.Root { return unsyncedRoot{r} }}
		not = append(not, commit(unsynced{without}, dir+"/not"+strconv.Itoa(n)))
		with := wrapped{store.OS(), func(r store.Root) store.Root { return syncedRoot{r} }}
		durable = append(durable, commit(with, dir+"/durable"+strconv.Itoa(n)))
	}
	slices.Sort(durable)
	slices.Sort(not)
	b.ReportMetric(float64(durable[len(durable)/2])/float64(not[len(not)/2]), "write-sync/floor")
}
