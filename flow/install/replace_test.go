package install_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"certwright/assets/store"
	"certwright/certs/topology"
	"certwright/flow/plan"
)

// A set that takes the place of another leaves no certificate of the old one
// under a new CA, where it would no longer verify: what the new set does not
// write goes into the backup.
func TestAReplacedSetKeepsNoCertificateOfTheOld(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(t *testing.T, p *plan.Plan, dir string)
	}{
		{"the same again", func(*testing.T, *plan.Plan, string) {}},
		{"fewer layouts", func(_ *testing.T, p *plan.Plan, _ string) { p.Output.Layouts = []string{"tree"} }},
		{"separate roots", func(_ *testing.T, p *plan.Plan, _ string) { p.Hierarchy = topology.Roots }},
		{"other names", func(t *testing.T, p *plan.Plan, _ string) {
			if err := p.Set("cluster.name=other"); err != nil {
				t.Fatal(err)
			}
		}},
		{"a certificate that somebody put in by hand", func(t *testing.T, _ *plan.Plan, dir string) {
			data, err := os.ReadFile(filepath.Join(dir, "tls/etcd/peer.crt"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "tls/etcd/server.crt"), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.why, func(t *testing.T) {
			w := world(t)
			first := defaults(t)
			first.Output.Layouts = []string{"tree", "secrets", "terraform", "flags"}
			dir, prepared := write(t, w, first, false)
			var old [][]byte // a piece of each certificate, as every file spells it
			for _, pair := range prepared.Set.Pairs {
				for _, cert := range pair.Certificates {
					raw := cert.Raw[len(cert.Raw)-64:] // of the signature, where no two are alike
					for offset := range 3 {
						part := raw[offset : offset+48]
						old = append(old, []byte(base64.StdEncoding.EncodeToString(part)))
					}
				}
			}
			second := defaults(t)
			c.change(t, second, dir)
			write(t, w, second, true)
			m, err := store.ReadManifest(store.OS(), dir)
			if err != nil {
				t.Fatal(err)
			}
			kept := 0
			for name, data := range files(t, dir) {
				if strings.HasPrefix(name, ".certwright-backup-") {
					kept++
					continue
				}
				joined := bytes.ReplaceAll(data, []byte("\n"), nil)
				if slices.ContainsFunc(old, func(o []byte) bool { return bytes.Contains(joined, o) }) {
					t.Errorf("%s holds a certificate of the old set", name)
				}
				if m.Files.Find(name) < 0 && name != store.ManifestName && !strings.HasPrefix(name, ".certwright") {
					t.Errorf("%s is left of the old set", name)
				}
			}
			if kept == 0 {
				t.Error("the old set was not kept")
			}
			again := 0
			for name, data := range files(t, dir) {
				if strings.HasPrefix(name, ".certwright-backup-") && slices.ContainsFunc(old, func(o []byte) bool { return bytes.Contains(bytes.ReplaceAll(data, []byte("\n"), nil), o) }) {
					again++
				}
			}
			if again < 10 {
				t.Errorf("the search finds %d of the old certificates in the backup: it is blind", again)
			}
		})
	}
}
