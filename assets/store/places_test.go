package store_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"certwright/assets/store"
)

// noSyncDir is a file system that cannot make names durable, such as CIFS.
type noSyncDir struct{ store.FS }

type noSyncDirRoot struct{ store.Root }

func (n noSyncDir) OpenRoot(dir string) (store.Root, error) {
	r, err := n.FS.OpenRoot(dir)
	return noSyncDirRoot{r}, err
}

func (noSyncDir) SyncDir(string) error { return store.ErrUnsupported }
func (noSyncDirRoot) SyncDir(string) error {
	return fmt.Errorf("%w: invalid argument", store.ErrUnsupported)
}
func (noSyncDirRoot) SyncAll() error { return store.ErrUnsupported }

func (n noSyncDirRoot) OpenRoot(dir string) (store.Root, error) {
	return noSyncDir{n.Root}.OpenRoot(dir)
}

// Where directories cannot be synced a set is written, and what that means is
// said, once.
func TestNamesThatTheDiskDoesNotConfirm(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	for _, force := range []bool{false, true} { // a first install, then over it
		files := newSet()
		files[0].Data = fmt.Append(nil, force)
		r, err := commit(t.Context(), noSyncDir{store.OS()}, dir, force, files)
		if err != nil {
			t.Fatal(err)
		}
		if w := strings.Join(r.Warnings, "\n"); r.Durable || strings.Count(w, "cannot confirm that new names survive a power failure") != 1 {
			t.Errorf("durable %t, warnings %q", r.Durable, w)
		}
	}
	if r, err := commit(t.Context(), store.OS(), dir, true, newSet()); err != nil || !r.Durable {
		t.Errorf("%+v %v", r, err)
	}
}

// share is a disk that a server keeps.
type share struct{ store.FS }

func (s share) Volume(dir string) (store.Volume, error) {
	v, err := s.FS.Volume(dir)
	v.Kind, v.Network = "nfs", true
	return v, err
}

// On a network share a warning says what locks are worth.
func TestANetworkShareIsWarnedOf(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	warnings, err := store.Preflight(share{store.OS()}, dir, store.Options{})
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "is on a nfs file system: its server decides whether locks and syncs hold") {
		t.Errorf("%q %v", warnings, err)
	}
	r, err := commit(t.Context(), share{store.OS()}, dir, false, newSet())
	if err != nil || len(r.Warnings) != 1 {
		t.Errorf("%+v %v", r, err)
	}
}
