package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/afero"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func options(force bool) Options {
	return Options{Force: force, Version: "1.0", Profile: "tectonic", Now: now}
}

func file(path, data string, mode fs.FileMode, kind string) File {
	return File{Path: path, Data: []byte(data), Mode: mode, Kind: kind, Slot: "s/" + kind}
}

func set(tag string) []File {
	return []File{
		file("tls/ca.crt", "ca "+tag, 0o644, "ca"),
		file("tls/server.crt", "crt "+tag, 0o644, "certificate"),
		file("tls/server.key", "key "+tag, 0o600, "key"),
		file("tls/etcd/peer.key", "peer "+tag, 0o600, "key"),
		file("flags/etcd.txt", "flags "+tag, 0o644, "config"),
		file("NEXT-STEPS.md", "read me", 0o644, "document"),
	}
}

func write(t *testing.T, fsys FS, dir string, o Options, files []File) (*Result, error) {
	t.Helper()
	tx, err := Begin(t.Context(), fsys, dir, o)
	if err != nil {
		return nil, err
	}
	defer tx.Abort()
	for _, f := range files {
		if err := tx.Add(f); err != nil {
			return nil, err
		}
	}
	return tx.Commit(t.Context())
}

func mustWrite(t *testing.T, fsys FS, dir string, o Options, files []File) *Result {
	t.Helper()
	r, err := write(t, fsys, dir, o, files)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func status(t *testing.T, err error, want Kind) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != want {
		t.Fatalf("got error %v, want kind %d", err, want)
	}
	return e
}

// A set is written, refused, replaced with a backup, and left alone when same.
func TestLife(t *testing.T) {
	for name, where := range map[string]func(t *testing.T) (FS, string){
		"disk":          func(t *testing.T) (FS, string) { return OS(), filepath.Join(t.TempDir(), "a", "generated") },
		"memory":        func(*testing.T) (FS, string) { return Memory(afero.NewMemMapFs()), "generated" },
		"memory nested": func(*testing.T) (FS, string) { return Memory(afero.NewMemMapFs()), "/out/generated" },
	} {
		t.Run(name, func(t *testing.T) {
			fsys, dir := where(t)
			r := mustWrite(t, fsys, dir, options(false), set("1"))
			if r.New != 6 || r.Backup != "" {
				t.Fatalf("first write: %+v", r)
			}
			e, err := Inspect(fsys, dir)
			if err != nil || e.State != Ours || len(e.With(Unchanged)) != 6 {
				t.Fatalf("inspect: %+v %v", e, err)
			}
			_, err = write(t, fsys, dir, options(false), set("2"))
			t.Log(err)
			status(t, err, Refused)
			r = mustWrite(t, fsys, dir, options(true), set("2")[1:])
			if r.New != 0 || r.Overwritten != 4 || r.Same != 1 || r.Removed != 1 || r.Backup == "" {
				t.Fatalf("second write: %+v", r)
			}
			old, err := afero.ReadFile(fsys, filepath.Join(r.Backup, "tls/server.key"))
			if err != nil || string(old) != "key 1" {
				t.Fatalf("backup: %q %v", old, err)
			}
			d, err := Check(fsys, dir)
			if err != nil || !d.Clean() || len(d.Extra) != 0 {
				t.Fatalf("check: %+v %v", d, err)
			}
			r = mustWrite(t, fsys, dir, options(true), set("2")[1:])
			if r.Same != 5 || r.New+r.Overwritten+r.Removed != 0 {
				t.Fatalf("same write: %+v", r)
			}
			if infos, _ := readDir(fsys, filepath.Dir(dir)); len(infos) != 1 {
				t.Errorf("traces beside the destination: %v", infos)
			}
		})
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "generated")
	tx, err := Begin(t.Context(), OS(), dir, options(false))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Begin(t.Context(), OS(), dir, options(false)); err == nil {
		t.Fatal("a second run was let in")
	} else {
		t.Log(err)
		status(t, err, Locked)
	}
	if err := tx.Add(set("1")[0]); err != nil {
		t.Fatal(err)
	}
	if err := tx.Abort(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(parent); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
}
