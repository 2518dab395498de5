package store_test

import (
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"certwright/assets/store"
	"certwright/assets/store/crashfs"

	"github.com/spf13/afero"
)

// Phases of a commit, as seen from the file system.
const (
	staging   = iota // the journal has no name yet
	committed        // it has
	renaming         // and something is in its place
	done             // the staging directory has its last name
	cleaned          // the journal is gone
)

// mutant is the store with one sync left out or one step moved: the crash test
// must notice.
type mutant struct {
	*crashfs.FS
	phase    int
	skipFile func(m *mutant, name string) bool
	skipDir  func(m *mutant, name string) bool
	skipAll  bool
	rename   func(m *mutant, from, to string) (handled bool)
	held     string
}

func (m *mutant) OpenRoot(dir string) (store.Root, error) { return store.Below(m, dir) }

func (m *mutant) SyncAll(dir string) error {
	if m.skipAll {
		return nil
	}
	return m.FS.SyncAll(dir)
}

func (m *mutant) SyncDir(name string) error {
	if m.skipDir != nil && m.skipDir(m, name) {
		return nil
	}
	return m.FS.SyncDir(name)
}

func (m *mutant) Rename(from, to string) error {
	if m.rename != nil && m.rename(m, from, to) {
		return nil
	}
	if err := m.FS.Rename(from, to); err != nil {
		return err
	}
	switch {
	case strings.HasSuffix(to, ".certwright-journal"):
		m.phase = committed
	case strings.Contains(path.Base(to), ".certwright-done-"):
		m.phase = done
	case m.phase == committed:
		m.phase = renaming
	}
	return nil
}

func (m *mutant) Remove(name string) error {
	if strings.HasSuffix(name, ".certwright-journal") {
		m.phase = cleaned
	}
	return m.FS.Remove(name)
}

func (m *mutant) Open(name string) (afero.File, error) { return m.OpenFile(name, os.O_RDONLY, 0) }

func (m *mutant) OpenFile(name string, flag int, perm fs.FileMode) (afero.File, error) {
	f, err := m.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &mutantFile{f, m, name}, nil
}

type mutantFile struct {
	afero.File
	m    *mutant
	name string
}

func (f *mutantFile) Sync() error {
	if f.m.skipFile != nil && f.m.skipFile(f.m, f.name) {
		return nil
	}
	return f.File.Sync()
}

func (f *mutantFile) Chmod(mode fs.FileMode) error {
	return f.File.(interface{ Chmod(fs.FileMode) error }).Chmod(mode)
}

// dirIn skips syncs of the destination in one phase.
func dirIn(phase int) func(*mutant, string) bool {
	return func(m *mutant, name string) bool {
		return m.phase == phase && !strings.Contains(name, ".certwright")
	}
}

// mountIn skips syncs of the mount points in one phase.
func mountIn(phase int) func(*mutant, string) bool {
	return func(m *mutant, name string) bool {
		return m.phase == phase && (strings.HasSuffix(name, mountPoints[0]) || strings.HasSuffix(name, mountPoints[1]))
	}
}

// inMount knows the staged files and directories of the mounts.
func inMount(_ *mutant, name string) bool {
	return strings.Contains(name, mountPoints[0]+"/") && strings.Contains(name, ".certwright-tx-")
}

func staged(_ *mutant, name string) bool {
	return strings.Contains(name, ".certwright-tx-") && !strings.Contains(name, "/old")
}

func TestMutantsAreCaught(t *testing.T) {
	journal := func(_ *mutant, name string) bool { return strings.Contains(name, ".certwright-journal") }
	all := scenarios()
	mountFleetScenario := all[len(all)-1]
	over, first, fleetOver := all[0], all[1], all[6]
	for _, test := range []struct {
		name string
		s    scenario
		m    mutant
	}{
		{"staged files are not synced", over, mutant{skipFile: staged}},
		{"staged directories are not synced", over, mutant{skipDir: staged}},
		{"undo directories are not synced", over, mutant{skipDir: func(_ *mutant, name string) bool {
			return strings.Contains(name, ".certwright-tx-") && strings.Contains(name, "/old")
		}}},
		{"the staging directory's name is not synced", over, mutant{skipDir: dirIn(staging)}},
		{"the journal is not synced", over, mutant{skipFile: journal}},
		{"the journal's name is not synced", over, mutant{skipDir: dirIn(committed)}},
		{"the renames are not synced", over, mutant{skipDir: dirIn(renaming)}},
		{"the backup is not synced", over, mutant{skipDir: dirIn(done)}},
		{"the journal's removal is not synced", over, mutant{skipDir: dirIn(cleaned)}},
		{"the journal comes after the first rename", over, mutant{rename: func(m *mutant, from, to string) bool {
			if strings.HasSuffix(to, ".certwright-journal") {
				m.held, m.phase = from, committed
				return true
			}
			if m.held != "" {
				held := m.held
				m.held = ""
				m.FS.Rename(from, to)
				m.FS.Rename(held, strings.TrimSuffix(held, ".tmp"))
				return true
			}
			return false
		}}},
		{"the journal goes before the renames", over, mutant{rename: func(m *mutant, from, _ string) bool {
			if m.phase == committed {
				m.FS.Remove(from[:strings.Index(from, ".certwright-tx-")] + ".certwright-journal")
			}
			return false
		}}},
		{"a key is copied over the old one in place", over, mutant{rename: func(m *mutant, from, to string) bool {
			if !strings.HasSuffix(to, "/server.key") || m.phase < committed {
				return false
			}
			data, _ := afero.ReadFile(m.FS, from)
			afero.WriteFile(m.FS, to, data, 0o600) // in place, as most tools do
			m.FS.Remove(from)
			return true
		}}},
		{"first install: files are not synced", first, mutant{skipFile: staged}},
		{"first install: directories are not synced", first, mutant{skipDir: staged}},
		{"first install: the parent is not synced", first, mutant{skipDir: func(_ *mutant, name string) bool { return name == "/etc" }}},
		{"fleet: syncfs is left out", fleetOver, mutant{skipAll: true}},
		{"several file systems: syncfs of one is taken for all", mountFleetScenario, mutant{skipFile: inMount, skipDir: func(m *mutant, name string) bool {
			return m.phase == staging && inMount(m, name)
		}}},
		{"several file systems: the pointers are not synced", mountScenario(), mutant{skipFile: func(_ *mutant, name string) bool {
			return strings.HasSuffix(name, ".certwright-pointer")
		}}},
		{"several file systems: the names of the pointers are not synced", mountScenario(), mutant{skipDir: mountIn(staging)}},
		{"several file systems: the renames in a mount are not synced", mountScenario(), mutant{skipDir: mountIn(renaming)}},
		{"several file systems: the backup in a mount is not synced", mountScenario(), mutant{skipDir: mountIn(done)}},
		{"several file systems: the pointers go before the journal has gone for good", mountScenario(), mutant{skipDir: func(m *mutant, name string) bool {
			return m.phase == cleaned && strings.HasSuffix(name, dest)
		}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			limit := 60
			if strings.HasSuffix(test.name, "renames in a mount are not synced") { // it takes two losses at once
				limit = 160
			}
			if len(test.s.files) > 20 {
				limit = 10
			}
			c := crashes(test.s, test.s.oracle(t), limit, 1, 0, func(f store.FS) store.FS {
				m := test.m
				m.FS = f.(*crashfs.FS)
				return &m
			})
			if len(c.bad) == 0 {
				t.Fatalf("not noticed in %d crash states", c.states)
			}
			t.Logf("noticed in %d of %d crash states, such as %.200s", len(c.bad), c.states, c.bad[0])
		})
	}
}
