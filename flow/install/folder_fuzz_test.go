package install_test

import (
	"testing"
	"time"

	"github.com/spf13/afero"

	"certwright/assets/profiles"
	"certwright/certs/topology"
	"certwright/flow/install"
)

// Whatever lies in a folder under a kubeconfig's name, reading it ends, and each
// file is accounted for: in a slot, or unplaced with a reason.
func FuzzLoad(f *testing.F) {
	profile, err := profiles.Load("kubernetes")
	if err != nil {
		f.Fatal(err)
	}
	topo, _ := topology.Resolve(profile, map[string]string{"node.addresses": "10.0.0.10"})
	f.Add([]byte("apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://[::1]:6443', certificate-authority-data: AAAA}}]\nusers: [{name: u, user: {client-certificate-data: AAAA, client-key-data: AAAA}}]\n"))
	f.Add([]byte("apiVersion: v1\nkind: Config\ncurrent-context: [x]\nusers: {a: b}\n"))
	f.Add([]byte("apiVersion: v1\nkind: Config\na: &a [*a]\nusers: [{name: u, user: *a}]\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fs := afero.NewMemMapFs()
		for _, name := range []string{"/d/admin.conf", "/d/x"} {
			if err := afero.WriteFile(fs, name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w := &install.World{Read: fs, Dir: "/", Now: func() time.Time { return clock }, Workers: 1}
		l, err := install.Load(t.Context(), w, "d", topo)
		if err != nil {
			t.Fatal(err)
		}
		if l.OK() {
			t.Error("two files are a whole cluster")
		}
		known := map[string]bool{}
		for _, s := range l.Slots {
			known[s.CertFile], known[s.KeyFile] = true, true
		}
		for _, u := range l.Sorted.Unplaced {
			known[u.File] = true
			if u.Why == "" {
				t.Errorf("%+v", u)
			}
		}
		if !known["admin.conf"] || !known["x"] {
			t.Errorf("a file is lost: %v, %+v", known, l.Sorted)
		}
		for _, s := range l.Slots {
			for _, f := range s.Findings {
				if f.Rule == "" || f.Severity == "" || f.Message == "" || f.Fix == "" {
					t.Errorf("%+v", f)
				}
			}
		}
	})
}
