package install_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"certwright/assets/profiles"
	"certwright/assets/store"
	"certwright/certs/check"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

type builtin struct{}

func (builtin) Names() []string                             { return profiles.Names() }
func (builtin) Load(name string) (*topology.Profile, error) { return profiles.Load(name) }

var clock = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func world(t testing.TB) *install.World {
	t.Helper()
	return &install.World{
		Read: afero.NewOsFs(), Write: store.OS(), Dir: t.TempDir(), Now: func() time.Time { return clock },
		Rand: rand.Reader, Version: "test", Catalogue: builtin{},
	}
}

func defaults(t testing.TB) *plan.Plan {
	t.Helper()
	p, err := profiles.Load("tectonic")
	if err != nil {
		t.Fatal(err)
	}
	return plan.Default(p)
}

func answers(t testing.TB, p *plan.Plan) *flow.Answers {
	t.Helper()
	a, err := install.NewAnswers(builtin{}, p)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// write prepares and commits a plan, and returns the destination.
func write(t testing.TB, w *install.World, p *plan.Plan, replace bool) (string, *flow.Prepared) {
	t.Helper()
	prepared, err := install.Prepare(context.Background(), w, answers(t, p), nil, nil)
	if err != nil {
		if prepared != nil {
			for _, f := range prepared.Findings {
				t.Logf("%+v", f)
			}
			for _, h := range prove.Failed(prepared.Handshakes) {
				t.Logf("%+v", h)
			}
		}
		t.Fatalf("prepare: %v", err)
	}
	if _, err := install.Commit(context.Background(), w, prepared, replace, nil); err != nil {
		t.Fatalf("commit: %v", err)
	}
	return filepath.Join(w.Dir, p.Output.Dir), prepared
}

func TestDefaultsMakeASetWithoutAFinding(t *testing.T) {
	w := world(t)
	dir, p := write(t, w, defaults(t), false)
	for _, f := range p.Findings {
		t.Errorf("a generated set has a finding: %+v", f)
	}
	for _, h := range p.Handshakes {
		if !h.OK {
			t.Errorf("handshake: %+v", h)
		}
	}
	for _, o := range p.Openings {
		// Within one authority a key opens more than an edge asks for; across
		// authorities it must open nothing.
		apart := p.Topology.Slot(o.Client).Authority != p.Topology.Slot(o.Server).Authority
		if o.Allowed && !o.Open || apart && o.Open {
			t.Errorf("reach: %+v", o)
		}
	}
	for _, f := range []string{"certwright.yaml", "manifest.json", "NEXT-STEPS.md", "tls/ca.crt", "tls/etcd/server.key", "tls/auth/kubeconfig", "ca/root.crt"} {
		if _, err := os.Stat(filepath.Join(dir, f)); err != nil {
			t.Error(err)
		}
	}
	drift, err := store.Check(store.OS(), dir)
	if err != nil || !drift.Clean() {
		t.Errorf("drift right after the write: %+v, %v", drift, err)
	}
}

func TestTheWrittenSetLoadsAndProves(t *testing.T) {
	w := world(t)
	p := defaults(t)
	dir, prepared := write(t, w, p, false)
	for _, ours := range []bool{true, false} {
		if !ours {
			if err := os.Remove(filepath.Join(dir, "manifest.json")); err != nil {
				t.Fatal(err)
			}
		}
		l, err := install.Load(context.Background(), w, dir, prepared.Topology)
		if err != nil {
			t.Fatal(err)
		}
		if l.Ours != ours {
			t.Errorf("ours: got %v, want %v", l.Ours, ours)
		}
		for id, s := range l.Slots {
			for _, f := range s.Findings {
				t.Errorf("ours %v, %s (%s): %+v", ours, id, s.CertFile, f)
			}
			if ours == false {
				if want := prepared.Topology.Slot(id).Files.Cert; want != "" && !strings.HasSuffix(s.CertFile, want) {
					t.Errorf("%s was found in %s, want %s", id, s.CertFile, want)
				}
			}
		}
		if len(l.Sorted.Missing) > 0 || len(l.Findings) > 0 || !l.OK() {
			t.Errorf("ours %v: missing %v, findings %+v", ours, l.Sorted.Missing, l.Findings)
		}
		hs, err := prove.Edges(context.Background(), prove.Input{Set: l.Set, Now: clock})
		if err != nil || len(prove.Failed(hs)) > 0 {
			t.Errorf("ours %v: %+v %v", ours, prove.Failed(hs), err)
		}
	}
}

func TestAnExistingSetIsNotReplacedUnasked(t *testing.T) {
	for _, unseen := range []bool{false, true} {
		w := world(t)
		dir, _ := write(t, w, defaults(t), false)
		before, err := os.ReadFile(filepath.Join(dir, "tls/ca.crt"))
		if err != nil {
			t.Fatal(err)
		}
		w.Unseen = unseen
		p, err := install.Prepare(context.Background(), w, answers(t, defaults(t)), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if said := p.Survey.Confirm() != ""; said == unseen {
			t.Errorf("the survey says that files would be replaced: %t, unseen: %t", said, unseen)
		}
		_, err = install.Commit(context.Background(), w, p, false, nil)
		if got := store.ExitStatus(err); got != 3 {
			t.Errorf("exit status %d for %v", got, err)
		}
		if after, _ := os.ReadFile(filepath.Join(dir, "tls/ca.crt")); string(after) != string(before) {
			t.Error("the old set was touched")
		}
		r, err := install.Commit(context.Background(), w, p, true, nil)
		if err != nil || r.Backup == "" {
			t.Errorf("with consent: %+v %v", r, err)
		}
	}
}

func openssl(t testing.TB, dir string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	c := exec.Command("openssl", args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestOpenSSLAcceptsTheSet(t *testing.T) {
	for _, hierarchy := range []topology.Hierarchy{topology.Intermediates, topology.Roots} {
		w := world(t)
		p := defaults(t)
		p.Hierarchy = hierarchy
		dir, prepared := write(t, w, p, false)
		for _, s := range prepared.Topology.Slots {
			if s.Kind != topology.Leaf {
				continue
			}
			ca := prepared.Topology.CASlot(s.Authority)
			for _, u := range s.Usages {
				purpose := map[topology.Usage]string{topology.ServerAuth: "sslserver", topology.ClientAuth: "sslclient"}[u]
				openssl(t, filepath.Join(dir, "tls"), "verify", "-x509_strict", "-purpose", purpose, "-CAfile", ca.Files.Bundle, s.Files.Cert)
			}
		}
	}
}

// opensslPKI makes a CA and the certificates of etcd with the openssl command
// line, as people do by hand.
func opensslPKI(t testing.TB, dir string) {
	handMade(t, dir, "demo-etcd-0.example.com", "demo-etcd-1.example.com", "demo-etcd-2.example.com")
}

func handMade(t testing.TB, dir string, names ...string) {
	t.Helper()
	run := func(args ...string) { openssl(t, dir, args...) }
	run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key")
	run("req", "-x509", "-new", "-key", "ca.key", "-days", "3650", "-subj", "/CN=Corp etcd CA", "-out", "ca.crt",
		"-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
	var sans []string
	for _, n := range names {
		if net.ParseIP(n) != nil {
			sans = append(sans, "IP:"+n)
		} else {
			sans = append(sans, "DNS:"+n)
		}
	}
	hosts := "subjectAltName=DNS:localhost," + strings.Join(sans, ",")
	for _, c := range []struct{ name, ext string }{
		{"server", hosts + "\nextendedKeyUsage=serverAuth,clientAuth"},
		{"peer", hosts + "\nextendedKeyUsage=serverAuth,clientAuth"},
		{"client", "extendedKeyUsage=clientAuth"},
	} {
		ext := filepath.Join(dir, c.name+".ext")
		if err := os.WriteFile(ext, []byte(c.ext+"\nkeyUsage=critical,digitalSignature,keyEncipherment\nbasicConstraints=CA:FALSE\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		run("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", c.name+".key", "-subj", "/CN=etcd-"+c.name, "-out", c.name+".csr")
		run("x509", "-req", "-in", c.name+".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "365", "-sha256", "-extfile", c.name+".ext", "-out", c.name+".crt")
	}
}

// Files made by openssl go through bring-ca and bring-certs, and all three
// modes yield the same slots, files and outputs.
func TestThreeModesYieldTheSameFiles(t *testing.T) {
	hand := t.TempDir()
	opensslPKI(t, hand)
	at := func(f string) string { return filepath.Join(hand, f) }
	bringCA := plan.Component{Mode: topology.BringCA, CA: &plan.Files{Cert: at("ca.crt"), Key: at("ca.key")}}
	bring := plan.Component{Mode: topology.BringCerts, Certs: map[string]plan.Files{
		"ca":     {Cert: at("ca.crt")},
		"server": {Cert: at("server.crt"), Key: at("server.key")},
		"peer":   {Cert: at("peer.crt"), Key: at("peer.key")},
		"client": {Cert: at("client.crt"), Key: at("client.key")},
	}}
	sub := bringCA
	sub.Intermediate = true
	var first []string
	for name, c := range map[string]plan.Component{"generate": {Mode: topology.Generate}, "bring-ca": bringCA, "bring-ca with an intermediate": sub, "bring-certs": bring} {
		t.Run(name, func(t *testing.T) {
			w := world(t)
			w.Now = time.Now // openssl has no fake clock
			p := defaults(t)
			p.Components["etcd"] = c
			dir, prepared := write(t, w, p, false)
			var files []string
			for _, f := range prepared.Files {
				if !strings.HasPrefix(f.Path, "ca/") {
					files = append(files, f.Path)
				}
			}
			if first == nil {
				first = files
			} else if got, want := strings.Join(files, "\n"), strings.Join(first, "\n"); got != want {
				t.Errorf("files differ: got\n%s\nwant\n%s", got, want)
			}
			if !check.OK(prepared.Findings) {
				t.Errorf("findings: %+v", prepared.Findings)
			}
			if c.Mode == topology.BringCerts {
				want, _ := os.ReadFile(at("server.key"))
				got, _ := os.ReadFile(filepath.Join(dir, "tls/etcd/server.key"))
				if len(got) == 0 || string(got) != string(want) {
					t.Errorf("the key that was brought is not the one that was written")
				}
			}
		})
	}
}

func TestAFailedEdgeStopsTheWrite(t *testing.T) {
	hand := t.TempDir()
	opensslPKI(t, hand)
	at := func(f string) string { return filepath.Join(hand, f) }
	w := world(t)
	p := defaults(t)
	p.Facts["etcd.hosts"] = "elsewhere.example.com"
	p.Components["etcd"] = plan.Component{Mode: topology.BringCerts, Certs: map[string]plan.Files{
		"ca": {Cert: at("ca.crt")}, "server": {Cert: at("server.crt"), Key: at("server.key")},
		"peer": {Cert: at("peer.crt"), Key: at("peer.key")}, "client": {Cert: at("client.crt"), Key: at("client.key")},
	}}
	_, err := install.Prepare(context.Background(), w, answers(t, p), nil, nil)
	var r *install.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("got %v", err)
	}
	rules := map[string]bool{}
	for _, f := range r.Findings {
		rules[f.Rule] = true
	}
	if !rules["san-missing"] {
		t.Errorf("findings: %+v", r.Findings)
	}
}

func TestAnInputThatChangedStopsTheWrite(t *testing.T) {
	hand := t.TempDir()
	opensslPKI(t, hand)
	w := world(t)
	w.Now = time.Now
	p := defaults(t)
	p.Components["etcd"] = plan.Component{Mode: topology.BringCA, CA: &plan.Files{Cert: filepath.Join(hand, "ca.crt"), Key: filepath.Join(hand, "ca.key")}}
	prepared, err := install.Prepare(context.Background(), w, answers(t, p), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(hand, "ca.crt"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = install.Commit(context.Background(), w, prepared, false, nil)
	if err == nil || !strings.Contains(err.Error(), "changed since it was checked") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(w.Dir, "generated")); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
}
