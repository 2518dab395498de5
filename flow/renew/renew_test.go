package renew_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"certwright/assets/profiles"
	"certwright/assets/store"
	"certwright/certs/topology"
	"certwright/flow/install"
	"certwright/flow/plan"
	"certwright/flow/renew"
)

type builtin struct{}

func (builtin) Names() []string                             { return profiles.Names() }
func (builtin) Load(name string) (*topology.Profile, error) { return profiles.Load(name) }

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// machine is a world whose clock can be set.
type machine struct {
	*install.World
	now time.Time
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	m := &machine{now: start}
	m.World = &install.World{
		Read: afero.NewOsFs(), Write: store.OS(), Dir: t.TempDir(), Now: func() time.Time { return m.now },
		Rand: rand.Reader, Version: "test", Catalogue: builtin{},
	}
	return m
}

// apply writes the set of a plan.
func (m *machine) apply(t testing.TB, text string) string {
	t.Helper()
	p, err := plan.Parse("plan.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p.Resolve(m.Dir)
	a, err := install.NewAnswers(builtin{}, p)
	if err != nil {
		t.Fatal(err)
	}
	m.Earlier = nil
	set, err := install.Prepare(t.Context(), m.World, a, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := install.Commit(t.Context(), m.World, set, false, nil); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(m.Dir, "set")
}

const generated = `apiVersion: certwright/v1
profile: tectonic
facts: {cluster.name: demo}
output: {dir: set}
`

// renew looks, prepares and commits.
func (m *machine) renew(t testing.TB, o renew.Options) (*renew.Job, *renew.Mixed, error) {
	t.Helper()
	j, err := renew.Look(t.Context(), m.World, o)
	if err != nil {
		return nil, nil, err
	}
	p, mixed, err := j.Prepare(t.Context(), false, nil)
	if err != nil {
		return j, mixed, err
	}
	_, err = j.Commit(t.Context(), p, nil)
	return j, mixed, err
}

// files are the bytes of a set, by path.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".certwright") {
				return filepath.SkipDir
			}
			return nil
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// changed lists the keys and certificates that differ.
func changed(before, after map[string]string) []string {
	var out []string
	for path, data := range after {
		if before[path] != data && strings.HasPrefix(path, "tls/") || strings.HasPrefix(path, "ca/") && before[path] != data {
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return out
}

func TestRenewsOneAndKeepsTheRest(t *testing.T) {
	m := newMachine(t)
	dir := m.apply(t, generated)
	before := files(t, dir)
	m.now = start.AddDate(0, 2, 0)
	j, mixed, err := m.renew(t, renew.Options{Dir: dir, Within: 30 * 24 * time.Hour, Slots: []string{"etcd/server"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := changed(before, files(t, dir)); !slices.Equal(got, []string{"tls/etcd/server.crt"}) {
		t.Errorf("changed %v, want the certificate alone: the key stays", got)
	}
	if mixed.Handshakes == 0 || mixed.Broken != 0 || len(j.Renew) != 1 {
		t.Errorf("%+v, %+v", mixed, j.Renew)
	}
	before = files(t, dir)
	if _, _, err := m.renew(t, renew.Options{Dir: dir, Slots: []string{"etcd/server"}, Rekey: true}); err != nil {
		t.Fatal(err)
	}
	if got := changed(before, files(t, dir)); !slices.Equal(got, []string{"tls/etcd/server.crt", "tls/etcd/server.key"}) {
		t.Errorf("with a new key %v changed", got)
	}
}

func TestRenewsWhatEndsSoon(t *testing.T) {
	m := newMachine(t)
	dir := m.apply(t, generated)
	m.now = start.AddDate(0, 2, 0)
	if _, _, err := m.renew(t, renew.Options{Dir: dir, Slots: []string{"etcd"}}); err != nil {
		t.Fatal(err)
	}
	j, err := renew.Look(t.Context(), m.World, renew.Options{Dir: dir, Within: 30 * 24 * time.Hour})
	if err != nil || len(j.Renew)+len(j.CAs) != 0 {
		t.Errorf("%v %+v %+v, want nothing to renew", err, j.Renew, j.CAs)
	}
	m.now = start.AddDate(0, 11, 10)
	j, _, err = m.renew(t, renew.Options{Dir: dir, Within: 30 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	got := renew.Selected(j.Renew)
	want := []topology.SlotID{"kube/apiserver", "kube/kubelet", "identity/server", "identity/client", "ingress/server"}
	if !slices.Equal(got, want) {
		t.Errorf("renewed %v, want %v: etcd's were renewed before", got, want)
	}
	m.now = start.AddDate(9, 11, 10)
	j, err = renew.Look(t.Context(), m.World, renew.Options{Dir: dir, Within: 30 * 24 * time.Hour})
	if err != nil || len(j.CAs) != 4 {
		t.Errorf("%v, %+v: want the root and three CAs named", err, j.CAs)
	}
}

// A certificate that has ended and that nothing here can issue is no reason to
// let the others end too, and the files that it came from may be gone.
func TestWhatWasBroughtStandsInNobodysWay(t *testing.T) {
	m := newMachine(t)
	other := m.apply(t, strings.Replace(generated, "dir: set", "dir: set", 1))
	moved := filepath.Join(m.Dir, "corp")
	if err := os.Rename(other, moved); err != nil {
		t.Fatal(err)
	}
	m.now = start.AddDate(0, 6, 0)
	dir := m.apply(t, strings.Replace(generated, "output:", `components:
  ingress: {mode: bring-certs, certs: {ca: {cert: corp/tls/ingress/ca.crt}, server: {cert: corp/tls/ingress/ingress.crt, key: corp/tls/ingress/ingress.key}}}
output:`, 1))
	if err := os.RemoveAll(moved); err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)
	m.now = start.AddDate(1, 5, 20) // ingress ended half a year ago
	j, mixed, err := m.renew(t, renew.Options{Dir: dir, Within: 30 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if len(j.Renew) != 7 || len(j.Brought) != 1 || j.Brought[0].Slot != "ingress/server" || mixed.Broken == 0 || mixed.Still != mixed.Broken {
		t.Errorf("renewed %v, brought %v, %+v", j.Renew, j.Brought, mixed)
	}
	for _, path := range changed(before, files(t, dir)) {
		if strings.Contains(path, "ingress") || strings.HasPrefix(path, "ca/") {
			t.Errorf("%s changed", path)
		}
	}
	if _, _, err := m.renew(t, renew.Options{Dir: dir, Slots: []string{"ingress/server"}}); err == nil || !strings.Contains(err.Error(), "ingress/server was brought") {
		t.Errorf("got %v", err)
	}
}

func TestAllEnded(t *testing.T) {
	m := newMachine(t)
	dir := m.apply(t, generated)
	m.now = start.AddDate(2, 0, 0)
	_, mixed, err := m.renew(t, renew.Options{Dir: dir, Within: 30 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if mixed.Broken == 0 || mixed.Still != 0 {
		t.Errorf("%+v: all was broken, and nothing is any more", mixed)
	}
}

func TestBadInput(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, m *machine, dir string)
		o    renew.Options
		want string
	}{
		{"a CA", nil, renew.Options{Slots: []string{"etcd/ca"}}, "it is a CA, and what trusts it must be told first: certwright rotate-ca etcd"},
		{"keys without a certificate", nil, renew.Options{Slots: []string{"kube/service-account"}}, "does not end"},
		{"misspelled", nil, renew.Options{Slots: []string{"etcd/servr"}}, "did you mean etcd/server?"},
		{"a certificate changed by hand", func(t *testing.T, _ *machine, dir string) {
			appendTo(t, filepath.Join(dir, "tls/etcd/peer.crt"))
		}, renew.Options{Slots: []string{"etcd/server"}}, "tls/etcd/peer.crt was changed since certwright wrote it, and would be replaced"},
		{"a manifest changed by hand", func(t *testing.T, _ *machine, dir string) {
			edit(t, filepath.Join(dir, "manifest.json"), `"sha256":"`, `"sha256":"0`)
		}, renew.Options{Slots: []string{"etcd/server"}}, "manifest.json: files[0]: sha256 is not 64 hexadecimal digits"},
		{"a plan changed by hand", func(t *testing.T, _ *machine, dir string) {
			edit(t, filepath.Join(dir, "certwright.yaml"), "facts:", "facs:")
		}, renew.Options{Slots: []string{"etcd/server"}}, `unknown field "facs"`},
		{"a note in a document", func(t *testing.T, _ *machine, dir string) {
			appendTo(t, filepath.Join(dir, "NEXT-STEPS.md"))
		}, renew.Options{Slots: []string{"etcd/server"}}, "NEXT-STEPS.md was changed since certwright wrote it"},
		{"no set", func(t *testing.T, _ *machine, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}, renew.Options{}, "holds no set that certwright wrote"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			dir := m.apply(t, generated)
			if c.do != nil {
				c.do(t, m, dir)
			}
			var before map[string]string
			if c.name != "no set" {
				before = files(t, dir)
			}
			c.o.Dir = dir
			_, _, err := m.renew(t, c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v\nwant %s", err, c.want)
			}
			if before != nil && len(changed(before, files(t, dir))) > 0 {
				t.Error("something was written")
			}
		})
	}
}

// A CA whose key was not kept signs nothing any more, here or elsewhere.
func TestADiscardedKeySignsNothing(t *testing.T) {
	m := newMachine(t)
	dir := m.apply(t, generated+"keys: {ca-keys: discard}\n")
	_, err := renew.Look(t.Context(), m.World, renew.Options{Dir: dir, Slots: []string{"etcd/server"}})
	if err == nil || !strings.Contains(err.Error(), "the key of etcd/ca was not kept") || !strings.Contains(err.Error(), "rotate-ca etcd") {
		t.Errorf("got %v", err)
	}
	// The controller manager has that of kube's CA.
	if _, _, err := m.renew(t, renew.Options{Dir: dir, Slots: []string{"kube/apiserver"}}); err != nil {
		t.Error(err)
	}
}

func edit(t *testing.T, path, old, new string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), old, new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, "# note\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestClockThatWentBack(t *testing.T) {
	m := newMachine(t)
	dir := m.apply(t, generated)
	m.now = start.Add(-48 * time.Hour)
	before := files(t, dir)
	j, err := renew.Look(t.Context(), m.World, renew.Options{Dir: dir, Slots: []string{"etcd/server"}})
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(j.Notes, "\n")
	for _, want := range []string{"the clock of this machine says 2026-11-19T12:00:00Z, and the set was written on 2026-11-21T12:00:00Z", "is not valid before 2026-11-21T11:55:00Z"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes %s\nwant %s", notes, want)
		}
	}
	if _, _, err := m.renew(t, renew.Options{Dir: dir, Slots: []string{"etcd/server"}}); err == nil || !strings.Contains(err.Error(), "not valid before 2026-11-21") {
		t.Errorf("got %v, want that the CA is not valid yet", err)
	}
	if len(changed(before, files(t, dir))) > 0 {
		t.Error("something was written")
	}
}

// Another run holds the set: the second is refused, whether it begins then or
// has prepared before.
func TestRunningTransaction(t *testing.T) {
	m := newMachine(t)
	dir := m.apply(t, generated)
	o := renew.Options{Dir: dir, Slots: []string{"etcd/server"}}
	j, err := renew.Look(t.Context(), m.World, o)
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := j.Prepare(t.Context(), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := store.Begin(context.Background(), store.OS(), dir, store.Options{Force: true, Now: m.now, Profile: "tectonic"})
	if err != nil {
		t.Fatal(err)
	}
	var se *store.Error
	if _, err := j.Commit(t.Context(), p, nil); !errors.As(err, &se) || se.Kind != store.Locked {
		t.Errorf("commit: %v, want that another run holds the lock", err)
	}
	if _, err := renew.Look(t.Context(), m.World, o); !errors.As(err, &se) || se.Kind != store.Locked {
		t.Errorf("look: %v, want that another run holds the lock", err)
	}
	if err := tx.Abort(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Commit(t.Context(), p, nil); err != nil {
		t.Errorf("after it: %v", err)
	}
	// What was prepared before another run wrote is not written over it.
	if _, err := j.Commit(t.Context(), p, nil); !errors.As(err, &se) || se.Kind != store.Locked || !strings.Contains(err.Error(), "another run has written it since it was read") {
		t.Errorf("again: %v", err)
	}
}

func TestRestartsFollowTheConnections(t *testing.T) {
	m := newMachine(t)
	dir := m.apply(t, generated)
	j, err := renew.Look(t.Context(), m.World, renew.Options{Dir: dir, Within: 2 * 365 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range renew.Restarts(j.Old.Topology, renew.Selected(j.Renew)) {
		got = append(got, r.Program)
		if r.OneByOne != (r.Program == "etcd") {
			t.Errorf("%s one by one: %v", r.Program, r.OneByOne)
		}
	}
	want := []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "identity", "console", "ingress controller"}
	if !slices.Equal(got, want) {
		t.Errorf("restart %v\nwant    %v", got, want)
	}
}
