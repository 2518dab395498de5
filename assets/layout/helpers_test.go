package layout_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"certwright/assets/layout"
	"certwright/assets/profiles"
	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

var update = flag.Bool("update", false, "write the golden files anew")

// now is the clock of all tests here.
var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func tectonic(t testing.TB, facts map[string]string) *topology.Topology {
	t.Helper()
	p, err := profiles.Load("tectonic")
	if err != nil {
		t.Fatal(err)
	}
	top, problems := topology.Resolve(p, facts)
	for _, problem := range problems {
		t.Fatal(problem)
	}
	return top
}

func made(t testing.TB, r issue.Request) *certs.Set {
	t.Helper()
	r.Now = now
	set, err := issue.All(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func render(t testing.TB, set *certs.Set, layouts ...string) map[string]layout.File {
	t.Helper()
	files, err := layout.Render(request(set, layouts...))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]layout.File{}
	for _, f := range files {
		out[f.Path] = f
	}
	return out
}

func request(set *certs.Set, layouts ...string) layout.Request {
	return layout.Request{
		Set: set, Layouts: layouts, Dir: "/srv/pki/generated", Plan: []byte("apiVersion: certwright/v1\nprofile: tectonic\n"),
		Now: now, Version: "v1.0.0",
	}
}

// sets are sets in every mode; each is made anew.
func sets(t testing.TB) map[string]*certs.Set {
	t.Helper()
	top := tectonic(t, nil)
	generate := made(t, issue.Request{Topology: top})
	modes := func(m topology.Mode) map[topology.ComponentID]topology.Mode {
		out := map[topology.ComponentID]topology.Mode{}
		for _, c := range top.Components {
			if out[c.ID] = m; m == topology.BringCA && !c.OwnsCA {
				out[c.ID] = topology.Generate
			}
		}
		return out
	}
	root := ca(t, "Corp Root", nil)
	brought, all := map[topology.SlotID]*certs.Pair{}, map[topology.SlotID]*certs.Pair{}
	for _, a := range top.Authorities {
		brought[a.Slot] = ca(t, "Corp "+string(a.ID), root)
	}
	for id, p := range generate.Pairs {
		c := *p
		if c.Made = false; top.Slot(id).Kind == topology.CA {
			c.Key = nil
		}
		all[id] = &c
	}
	return map[string]*certs.Set{
		"generate":     generate,
		"flat":         made(t, issue.Request{Topology: top, Hierarchy: topology.Roots}),
		"bring-ca":     made(t, issue.Request{Topology: top, Modes: modes(topology.BringCA), Brought: brought}),
		"intermediate": made(t, issue.Request{Topology: top, Modes: modes(topology.BringCA), Brought: brought, Subordinate: map[topology.AuthorityID]bool{"kube": true}}),
		"bring-certs":  made(t, issue.Request{Topology: top, Modes: modes(topology.BringCerts), Brought: all}),
	}
}

// ca is a CA as a person brings it.
func ca(t testing.TB, name string, parent *certs.Pair) *certs.Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(4096 + len(name))), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(5, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	pair := &certs.Pair{Key: key}
	issuer, signer := template, pair.Key
	if parent != nil {
		issuer, signer = parent.Leaf(), parent.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pair.Certificates = []*x509.Certificate{c}
	if parent != nil {
		pair.Certificates = append(pair.Certificates, parent.Certificates...)
	}
	return pair
}

// golden compares with a file of testdata, or writes it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs; run the test with -update and read the difference\ngot\n%s", name, got)
	}
}

// write puts the files on the disk.
func write(t *testing.T, dir string, files map[string]layout.File) {
	t.Helper()
	for _, f := range files {
		at := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, f.Data, f.Mode); err != nil {
			t.Fatal(err)
		}
	}
}
