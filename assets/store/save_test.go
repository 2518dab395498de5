package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"certwright/assets/store"
	"certwright/assets/store/crashfs"
)

// A plan is saved over an old one: crash or fail anywhere, it is one of them.
func TestSave(t *testing.T) {
	start := func() *crashfs.FS {
		f := crashfs.New()
		put(f, "/home/plan.yaml", "old", 0o644)
		f.Settle()
		return f
	}
	plan := func(f *crashfs.FS) string {
		n := f.Tree("/home")["plan.yaml"]
		return fmt.Sprintf("%s %o", n.Data, n.Mode)
	}
	random := rand.New(rand.NewPCG(7, 8))
	f := start()
	states := 0
	f.After = func(op crashfs.Op) error {
		for state := range f.States(1000, random) {
			states++
			if got := plan(state); got != "old 644" && got != "new 600" {
				t.Errorf("after %s: %s", op.Name, got)
			}
		}
		return nil
	}
	if err := store.Save(f, "/home/plan.yaml", []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.After = nil
	for state := range f.States(1000, random) {
		if got := plan(state); got != "new 600" {
			t.Errorf("after success: %s", got)
		}
	}
	for n := 1; n <= f.Ops(); n++ {
		f := start()
		first := f.Ops()
		f.Before = func(op crashfs.Op) error {
			if op.N == first+n {
				return syscall.EIO
			}
			return nil
		}
		err := store.Save(f, "/home/plan.yaml", []byte("new"), 0o600)
		var e *store.Error
		switch got := plan(f); {
		case err == nil && got != "new 600":
			t.Errorf("operation %d: success, and it is %s", n, got)
		case errors.As(err, &e) && e.Kind == store.Failed && got != "old 644":
			t.Errorf("operation %d: %v, and it is %s", n, err, got)
		}
	}
	t.Logf("%d crash states", states)
}

// Nobody else writes files: only this package stages, syncs and renames. Who
// needs a single file written calls Save.
func TestOnlyStoreWrites(t *testing.T) {
	writes := regexp.MustCompile(`\b(os|afero|ioutil)\.(WriteFile|Create|CreateTemp|TempFile|TempDir|MkdirTemp|OpenFile|Mkdir|MkdirAll|Rename|Remove|RemoveAll|Chmod|Link|Symlink|Truncate|WriteReader|SafeWriteReader)\(`)
	// What may stand elsewhere, and why.
	allowed := map[string]string{
		"flow/install/runner.go": "saves the answers of a run that goes on, which a crash may lose",
	}
	root := filepath.Join("..", "..")
	seen := 0
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(p, root+string(filepath.Separator)))
		// ui/e2e sets up what tests and people try the program on; the program does not link it.
		if d.IsDir() && (rel == "assets/store" || rel == "ui/e2e" || rel != root && strings.HasPrefix(d.Name(), ".") && d.Name() != "..") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		seen++
		source, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(source), "\n") {
			code, _, _ := strings.Cut(line, "//")
			if writes.MatchString(code) && allowed[rel] == "" {
				t.Errorf("%s:%d writes a file by itself: use store.Begin or store.Save: %s", rel, i+1, strings.TrimSpace(line))
			}
		}
		return nil
	})
	if err != nil || seen < 20 {
		t.Fatalf("%d files, %v", seen, err)
	}
}
