package stepca_test

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"certwright/assets/profiles"
	"certwright/assets/store"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/flow/install"
	"certwright/flow/plan"
	"certwright/flow/renew"
	"certwright/flow/stepca"
)

type builtin struct{}

func (builtin) Names() []string                             { return profiles.Names() }
func (builtin) Load(name string) (*topology.Profile, error) { return profiles.Load(name) }

// set makes the set of a plan whose authorities ask the CA at url, as the
// command line does.
func set(t *testing.T, dir, url, fingerprint, profile string, authorities ...topology.ComponentID) (*install.World, []string, error) {
	t.Helper()
	p, err := profiles.Load(profile)
	if err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(provisionerPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	answers := plan.Default(p)
	for _, id := range authorities {
		answers.Components[id] = plan.Component{Mode: topology.BringCA, CA: &plan.Files{StepCA: plan.StepCA{
			URL: url, Fingerprint: fingerprint, Provisioner: provisionerName, PasswordFile: password,
		}}}
	}
	w := &install.World{
		Read: afero.NewOsFs(), Write: store.OS(), Dir: dir, Now: time.Now, Rand: rand.Reader, Version: "test", Catalogue: builtin{},
		StepCA: func(ctx context.Context, c plan.StepCA, password []byte) (issue.Source, error) {
			return stepca.Connect(ctx, stepca.Config{URL: c.URL, Fingerprint: c.Fingerprint, Provisioner: c.Provisioner, Password: password, Now: time.Now})
		},
	}
	a, err := install.NewAnswers(builtin{}, answers)
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := install.Prepare(context.Background(), w, a, nil, nil)
	if err != nil {
		return w, nil, err
	}
	for _, h := range prove.Failed(prepared.Handshakes) {
		t.Errorf("%+v", h)
	}
	if _, err := install.Commit(context.Background(), w, prepared, false, nil); err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, f := range prepared.Files {
		if strings.HasPrefix(f.Path, "tls/") && !strings.HasSuffix(f.Path, "bundle.crt") {
			files = append(files, f.Path)
		}
	}
	slices.Sort(files)
	return w, files, nil
}

func TestASetOfARealStepCA(t *testing.T) {
	s := start(t, year, map[string]any{"x509": map[string]any{"template": theTemplate(t)}})
	dir := t.TempDir()
	_, files, err := set(t, dir, s.url, s.fingerprint, "tectonic", "etcd", "ingress")
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	_, generated, err := set(t, t.TempDir(), s.url, s.fingerprint, "tectonic")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(files, generated) {
		t.Errorf("a set whose CA is asked has other files than a generated one:\n%v\n%v", files, generated)
	}
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	at := func(f string) string { return filepath.Join(dir, "generated/tls", f) }
	for _, f := range []string{"etcd/server.crt", "etcd/peer.crt", "etcd-client.crt"} {
		if out, err := exec.Command(openssl, "verify", "-x509_strict", "-partial_chain", "-CAfile", at("etcd-client-ca.crt"), at(f)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", f, err, out)
		}
	}
}

func TestASetIsRefusedWhereTheTemplateDropsWhatIsRead(t *testing.T) {
	s := start(t, year, nil)
	dir := t.TempDir()
	_, _, err := set(t, dir, s.url, s.fingerprint, "tectonic", "kube")
	if err == nil || !strings.Contains(err.Error(), "options.x509.template") || !strings.Contains(err.Error(), "is read there") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "generated")); !os.IsNotExist(err) {
		t.Error("something was written")
	}
}

func TestNothingIsAskedWithoutANetwork(t *testing.T) {
	f := newFake(t)
	dir := t.TempDir()
	if _, _, err := set(t, dir, f.server.URL, strings.Repeat("0", 64), "tectonic", "etcd"); err == nil || !strings.Contains(err.Error(), "component etcd: step-ca "+f.server.URL) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "generated")); !os.IsNotExist(err) {
		t.Error("something was written")
	}
}

func TestASetOfARealStepCAIsRenewedThere(t *testing.T) {
	s := start(t, year, map[string]any{"x509": map[string]any{"template": theTemplate(t)}})
	dir := t.TempDir()
	w, _, err := set(t, dir, s.url, s.fingerprint, "tectonic", "etcd")
	if err != nil {
		t.Fatal(err)
	}
	j, err := renew.Look(context.Background(), w, renew.Options{Dir: filepath.Join(dir, "generated"), Slots: []string{"etcd/server"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(j.Renew) != 1 || len(j.Elsewhere) != 0 {
		t.Fatalf("renewed here %v, elsewhere %v", j.Renew, j.Elsewhere)
	}
	p, mixed, err := j.Prepare(context.Background(), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	old, now := j.Old.Pairs["etcd/server"], p.Set.Pairs["etcd/server"]
	if old.Leaf().Equal(now.Leaf()) || !material.SamePublicKey(old.Key.Public(), now.Key.Public()) || mixed.Handshakes == 0 {
		t.Error("the certificate is the old one, or the key is not")
	}
	if peer := p.Set.Pairs["etcd/peer"]; !peer.Leaf().Equal(j.Old.Pairs["etcd/peer"].Leaf()) {
		t.Error("what was not asked for was renewed too")
	}
}
