package install_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/flow/install"
)

// A new CA under certificates that stay is refused, with the count of what would
// break, forced or not, before a file is touched.
func TestANewCAUnderKeptLeavesIsRefusedWithTheCount(t *testing.T) {
	w := world(t)
	dir, _ := write(t, w, defaults(t), false)
	copied := func(from, to string) {
		data, err := os.ReadFile(filepath.Join(dir, from))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// Somebody has certificates of these CAs lie here that are not of the set.
	copied("tls/etcd/peer.crt", "tls/mine.crt")
	copied("tls/auth/kubeconfig", "admin.conf")
	copied("NEXT-STEPS.md", "notes.md")
	before := files(t, dir)
	p, err := install.Prepare(t.Context(), w, answers(t, defaults(t)), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, cerr := install.Commit(t.Context(), w, p, true, nil)
	for what, err := range map[string]error{"review": p.Survey.Refused, "commit": cerr} {
		if store.ExitStatus(err) != 3 || !strings.Contains(err.Error(), "2 certificates that stay would no longer verify under the new CA: admin.conf, tls/mine.crt") || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if after := files(t, dir); len(after) != len(before) || !bytes.Equal(after["tls/ca.crt"], before["tls/ca.crt"]) {
		t.Error("something was changed")
	}
	for _, name := range []string{"tls/mine.crt", "admin.conf"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if p, err = install.Prepare(t.Context(), w, answers(t, defaults(t)), nil, nil); err != nil || p.Survey.Refused != nil {
		t.Fatal(err, p.Survey.Refused)
	}
	if _, err := install.Commit(t.Context(), w, p, true, nil); err != nil {
		t.Error(err)
	}
}

// What a command that renews a part asks: which of the leaves that it leaves
// alone would break under these CAs.
func TestOrphanedOfAPart(t *testing.T) {
	w := world(t)
	dir, old := write(t, w, defaults(t), false)
	fresh, err := install.Prepare(t.Context(), w, answers(t, defaults(t)), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	existing, err := store.Inspect(store.OS(), dir)
	if err != nil {
		t.Fatal(err)
	}
	of := func(set []layout.File, slots ...string) []layout.File {
		return slices.DeleteFunc(slices.Clone(set), func(f layout.File) bool { return !slices.Contains(slots, string(f.Slot)) })
	}
	leaves := []string{"tls/etcd/peer.crt", "tls/etcd/server.crt", "tls/etcd-client.crt", "tls/apiserver.crt"}
	keys := []string{"tls/etcd/peer.key", "tls/etcd/server.key", "tls/apiserver.key"}
	for _, c := range []struct {
		why   string
		files []layout.File
		stay  []string
		want  string
	}{
		{"leaves alone are exchanged", of(fresh.Files, "kube/apiserver"), slices.Concat(leaves[:3], keys), ""},
		{"the same CA is written again", of(old.Files, "etcd/ca"), leaves, ""},
		{"a new etcd CA, its leaves stay", of(fresh.Files, "etcd/ca"), slices.Concat(leaves, keys), "3 certificates"},
		{"a new etcd CA with one leaf of three", of(fresh.Files, "etcd/ca", "etcd/server"), []string{leaves[0], leaves[2], leaves[3]}, "2 certificates"},
		{"a new etcd CA with all of its leaves", of(fresh.Files, "etcd/ca", "etcd/server", "etcd/peer", "etcd/client"), leaves[3:], ""},
	} {
		err := install.Orphaned(w, existing, c.files, append(c.stay, others(existing, c.files, c.stay)...))
		var se *store.Error
		switch {
		case c.want == "" && err != nil, c.want != "" && (!errors.As(err, &se) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.why, err, c.want)
		}
	}
}

// others are the files without a leaf, which stay too.
func others(e *store.Existing, written []layout.File, stay []string) []string {
	var out []string
	for f := range e.Files() {
		leaf := f.Entry.Kind == string(layout.KindCertificate) || f.Entry.Kind == string(layout.KindKubeconfig) || f.Entry.Kind == string(layout.KindSecret) || f.Entry.Kind == string(layout.KindConfig)
		new := slices.ContainsFunc(written, func(w layout.File) bool { return w.Path == f.Path })
		if !leaf && !new && !slices.Contains(stay, f.Path) {
			out = append(out, f.Path)
		}
	}
	return out
}
