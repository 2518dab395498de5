package install_test

import (
	"bytes"
	"context"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// fixed is a world in which nothing is random.
func fixed(t *testing.T, seed uint64) *install.World {
	w := world(t)
	cryptotest.SetGlobalRandom(t, seed)
	w.Workers = 1
	var s [32]byte
	s[0] = byte(seed)
	w.Rand = rand.NewChaCha8(s)
	return w
}

// wizard drives the state machine as the screens do, until it is done.
func wizard(t *testing.T, w *install.World, p *plan.Plan) {
	t.Helper()
	s, effects, err := flow.New(builtin{}, p)
	if err != nil {
		t.Fatal(err)
	}
	r := &install.Runner{World: w}
	settle := func(effects []flow.Effect) {
		for len(effects) > 0 {
			e := effects[0]
			effects = effects[1:]
			if ev := r.Run(context.Background(), e, nil); ev != nil {
				effects = append(effects, s.Apply(ev)...)
			}
		}
	}
	settle(effects)
	for range 12 {
		if s.At() == flow.StepDone {
			return
		}
		settle(s.Apply(flow.Next{}))
	}
	t.Fatalf("the wizard ended at %s: %+v", s.At(), s.Blockers(s.At()))
}

func tree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		out[filepath.ToSlash(rel)] = data
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// One plan through the wizard's state machine and through apply's pipeline
// yields the same files to the byte.
func TestWizardAndApplyWriteTheSame(t *testing.T) {
	hand := t.TempDir()
	opensslPKI(t, hand)
	at := func(f string) string { return filepath.Join(hand, f) }
	for name, change := range map[string]func(*plan.Plan){
		"every default": func(*plan.Plan) {},
		"separate roots": func(p *plan.Plan) {
			p.Hierarchy = topology.Roots
			p.Facts["cluster.name"] = "prod"
		},
		"a CA is brought": func(p *plan.Plan) {
			p.Components["etcd"] = plan.Component{Mode: topology.BringCA, CA: &plan.Files{Cert: at("ca.crt"), Key: at("ca.key")}, Intermediate: true}
		},
		"certificates are brought": func(p *plan.Plan) {
			p.Components["etcd"] = plan.Component{Mode: topology.BringCerts, Certs: map[string]plan.Files{
				"ca": {Cert: at("ca.crt")}, "server": {Cert: at("server.crt"), Key: at("server.key")},
				"peer": {Cert: at("peer.crt"), Key: at("peer.key")}, "client": {Cert: at("client.crt"), Key: at("client.key")},
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := defaults(t)
			change(p)
			later := clock.AddDate(0, 1, 0) // after the certificates of openssl, which has no fake clock

			a := fixed(t, 7)
			a.Now = func() time.Time { return later }
			written, _ := write(t, a, p.Clone(), false)
			want := tree(t, written)
			if err := os.RemoveAll(written); err != nil {
				t.Fatal(err)
			}

			b := fixed(t, 7)
			b.Now, b.Dir = a.Now, a.Dir // the destination's path is in the documents
			wizard(t, b, p.Clone())
			got := tree(t, written)
			for f, data := range want {
				if !bytes.Equal(got[f], data) {
					t.Errorf("%s differs:\n%s", f, difference(string(data), string(got[f])))
				}
			}
			if len(want) != len(got) || len(want) < 30 {
				t.Errorf("%d files by apply, %d by the wizard", len(want), len(got))
			}
		})
	}
}

// difference is the first line that two texts do not share; keys are not shown.
func difference(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(la), len(lb)) {
		if la[i] != lb[i] {
			if strings.Contains(a, "PRIVATE KEY") {
				return "(a private key)"
			}
			return "apply:  " + la[i] + "\nwizard: " + lb[i]
		}
	}
	return "one is longer"
}
