package calendar_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"certwright/assets/store"
	"certwright/certs/material"
	"certwright/flow/calendar"
	"certwright/flow/install"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func world(dir string) *install.World {
	return &install.World{Read: afero.NewOsFs(), Write: store.OS(), Dir: dir, Now: func() time.Time { return now }}
}

var (
	caKey   = ed25519.NewKeyFromSeed(make([]byte, 32))
	leafKey = ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32)))
	serials int64
)

// authority is a CA of that name, ten years long.
func authority(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	serials++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serials), Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, SubjectKeyId: []byte(name),
	}
	return create(t, template, template)
}

// leaf is a certificate that ends after so many days.
func leaf(t testing.TB, ca *x509.Certificate, name string, days int) *x509.Certificate {
	t.Helper()
	serials++
	return create(t, &x509.Certificate{
		SerialNumber: big.NewInt(serials), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"example.com"},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(0, 0, days), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca)
}

func create(t testing.TB, template, parent *x509.Certificate) *x509.Certificate {
	t.Helper()
	pub := leafKey.Public()
	if template.IsCA {
		pub = caKey.Public()
	}
	der, err := x509.CreateCertificate(nil, template, parent, pub, caKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func pems(certs ...*x509.Certificate) string { return string(material.EncodeCertificates(certs...)) }

func coded(certs ...*x509.Certificate) string {
	return base64.StdEncoding.EncodeToString([]byte(pems(certs...)))
}

func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t testing.TB, dir string, all bool, paths ...string) *calendar.Calendar {
	t.Helper()
	c, err := calendar.Read(t.Context(), world(dir), paths, all)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// lines are the entries as "path at|days|subject|renewal".
func lines(c *calendar.Calendar) []string {
	var out []string
	for i := range c.Entries {
		e := &c.Entries[i]
		out = append(out, fmt.Sprintf("%s|%d|%s|%s", strings.TrimSpace(e.Path+" "+e.At), e.Days(now), e.Subject, e.Renewal))
	}
	return out
}

func same(t testing.TB, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAControlPlaneOfKubeadm(t *testing.T) {
	dir := t.TempDir()
	ca, front, etcd := authority(t, "kubernetes"), authority(t, "front-proxy-ca"), authority(t, "etcd-ca")
	node := leaf(t, ca, "system:node:a", 300)
	config := func(user string, c *x509.Certificate) string {
		return fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters: [{name: k, cluster: {certificate-authority-data: %s}}]\nusers: [{name: %s, user: {client-certificate-data: %s}}]\n", coded(ca), user, coded(c))
	}
	kubelet := filepath.Join(dir, "kubelet")
	write(t, dir, map[string]string{
		"k/pki/ca.crt": pems(ca), "k/pki/ca.key": "not looked at", "k/pki/apiserver.crt": pems(leaf(t, ca, "kube-apiserver", 20)),
		"k/pki/front-proxy-ca.crt": pems(front), "k/pki/front-proxy-client.crt": pems(leaf(t, front, "front-proxy-client", 30)),
		"k/pki/etcd/ca.crt": pems(etcd), "k/pki/etcd/ca.key": "", "k/pki/etcd/server.crt": pems(leaf(t, etcd, "a", 40)),
		"k/admin.conf":            config("admin", leaf(t, ca, "kubernetes-admin", 50)),
		"k/kubelet.conf":          fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters: [{name: k, cluster: {certificate-authority-data: %s}}]\nusers: [{name: n, user: {client-certificate: %s/kubelet-client-current.pem}}]\n", coded(ca), kubelet),
		"k/manifests/etcd.yaml":   "apiVersion: v1\nkind: Pod\n",
		"k/pki/picture.png":       "\x89PNG",
		"k/pki/broken.crt":        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"k/pki/apiserver.crt.bak": "",
		"kubelet/kubelet-client-2026-01-01-00-00-00.pem": pems(leaf(t, ca, "system:node:a", -10)),
		"kubelet/kubelet-client-2026-10-01-00-00-00.pem": pems(node),
	})
	if err := os.Symlink("kubelet-client-2026-10-01-00-00-00.pem", filepath.Join(kubelet, "kubelet-client-current.pem")); err != nil {
		t.Skip(err)
	}
	c := read(t, dir, false, "k")
	if c.Sources[0].Kind != calendar.Kubeadm {
		t.Errorf("is a %s", c.Sources[0].Kind)
	}
	same(t, lines(c), []string{
		"pki/apiserver.crt|20|CN=kube-apiserver|renewed by kubeadm upgrade, and by: kubeadm certs renew apiserver",
		"pki/front-proxy-client.crt|30|CN=front-proxy-client|not renewed by kubeadm: pki/front-proxy-ca.key is not here",
		"pki/etcd/server.crt|40|CN=a|renewed by kubeadm upgrade, and by: kubeadm certs renew etcd-server",
		"admin.conf users/admin/client-certificate-data|50|CN=kubernetes-admin|renewed by kubeadm upgrade, and by: kubeadm certs renew admin.conf",
		"kubelet.conf users/n/client-certificate " + kubelet + "/kubelet-client-current.pem|300|CN=system:node:a|renewed by the kubelet",
		"pki/ca.crt|3287|CN=kubernetes|not renewed: kubeadm renews no CA",
		"pki/etcd/ca.crt|3287|CN=etcd-ca|not renewed: kubeadm renews no CA",
		"pki/front-proxy-ca.crt|3287|CN=front-proxy-ca|not renewed: kubeadm renews no CA",
	})
	if len(c.Notes) != 1 || c.Notes[0].Path != "pki/broken.crt" {
		t.Errorf("notes %+v", c.Notes)
	}
	// The one before the current certificate may end.
	same(t, lines(read(t, dir, false, "kubelet")), []string{"kubelet-client-current.pem|300|CN=system:node:a|renewed by the kubelet"})
	all := read(t, dir, true, "kubelet")
	if len(all.Entries) != 3 || all.Entries[0].Superseded == "" || all.Entries[0].Ends(now) || all.Entries[1].Superseded+all.Entries[2].Superseded != "" {
		t.Errorf("%+v", all.Entries)
	}
	// Beside each other, they are told apart by what was typed.
	both := read(t, dir, false, "k", "kubelet")
	if got := lines(both); len(got) != 9 || !strings.HasPrefix(got[0], "k/pki/apiserver.crt|20|") || !strings.HasSuffix(got[0], "renew apiserver") {
		t.Errorf("%q", got)
	}
}

func TestKubeconfigsListEveryUser(t *testing.T) {
	dir := t.TempDir()
	ca, other := authority(t, "one"), authority(t, "two")
	write(t, dir, map[string]string{
		"ca/two.crt": pems(other),
		"config": "apiVersion: v1\nkind: Config\ncurrent-context: one\n" +
			"contexts: [{name: one, context: {cluster: one, user: one}}]\n" +
			"clusters: [{name: one, cluster: {certificate-authority-data: " + coded(ca) + "}}, {name: two, cluster: {certificate-authority: ca/two.crt}}]\n" +
			"users: [{name: one, user: {client-certificate-data: " + coded(leaf(t, ca, "one", 5)) + "}}, {name: two, user: {client-certificate-data: " + coded(leaf(t, other, "two", 3)) + "}}, {name: gone, user: {client-certificate: gone.crt}}, {name: bad, user: {client-certificate-data: '%'}}]\n",
	})
	c := read(t, dir, false, "config")
	same(t, lines(c), []string{
		"config users/two/client-certificate-data|3|CN=two|",
		"config users/one/client-certificate-data|5|CN=one|",
		"config clusters/one/certificate-authority-data|3287|CN=one|",
		"config clusters/two/certificate-authority " + dir + "/ca/two.crt|3287|CN=two|",
	})
	if len(c.Notes) != 2 {
		t.Errorf("notes %+v", c.Notes)
	}
}

func TestSecretsSayWhoRenewsThem(t *testing.T) {
	dir := t.TempDir()
	ca := authority(t, "ca")
	write(t, dir, map[string]string{"secrets.yaml": "apiVersion: v1\nkind: List\nitems:\n" +
		"- {apiVersion: v1, kind: Secret, metadata: {name: web, namespace: shop, annotations: {cert-manager.io/certificate-name: web}}, data: {tls.crt: " + coded(leaf(t, ca, "web", 7)) + ", ca.crt: " + coded(ca) + ", password: c2VjcmV0}}\n" +
		"- {apiVersion: v1, kind: Secret, metadata: {name: other}, data: {tls.crt: " + coded(leaf(t, ca, "other", 9)) + "}}\n"})
	same(t, lines(read(t, dir, false, "secrets.yaml")), []string{
		"secrets.yaml shop/web: tls.crt|7|CN=web|renewed by cert-manager, of the Certificate web",
		"secrets.yaml other: tls.crt|9|CN=other|",
		"secrets.yaml shop/web: ca.crt|3287|CN=ca|renewed by cert-manager, of the Certificate web",
	})
}

func TestACopyIsNamedOnce(t *testing.T) {
	dir := t.TempDir()
	ca := authority(t, "ca")
	c := leaf(t, ca, "web", 7)
	write(t, dir, map[string]string{"d/web.crt": pems(c), "d/chain.pem": pems(c, ca), "d/old/web.crt": pems(c), "d/ca.crt": pems(ca)})
	once := read(t, dir, false, "d")
	same(t, lines(once), []string{"chain.pem|7|CN=web|", "ca.crt|3287|CN=ca|"})
	same(t, once.Entries[0].Copies, []string{"web.crt", "old/web.crt"})
	if all := read(t, dir, true, "d"); len(all.Entries) != 5 {
		t.Errorf("%q", lines(all))
	}
}

// Somebody edits the manifest, renews a file behind our back, loses another,
// puts a third beside them and turns the clock back: all of it is named.
func TestASetThatLivedOn(t *testing.T) {
	dir := t.TempDir()
	ca := authority(t, "ca")
	server, client, gone := leaf(t, ca, "server", 100), leaf(t, ca, "client", 100), leaf(t, ca, "gone", 90)
	var files []store.File
	for name, c := range map[string]*x509.Certificate{"server": server, "client": client, "gone": gone} {
		files = append(files, store.File{
			Path: "tls/" + name + ".crt", Data: []byte(pems(c)), Mode: 0o644, Slot: "web/" + name, Kind: "certificate",
			Serial: material.Serial(c.SerialNumber), NotAfter: c.NotAfter,
		})
	}
	saved(t, filepath.Join(dir, "set"), files)
	manifest := filepath.Join(dir, "set", store.ManifestName)
	data, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(data), client.NotAfter.UTC().Format(time.RFC3339), "2040-01-01T00:00:00Z", 1)
	if edited == string(data) || !json.Valid([]byte(edited)) {
		t.Fatal("the manifest was not edited")
	}
	write(t, dir, map[string]string{"set/manifest.json": edited, "set/tls/server.crt": pems(leaf(t, ca, "server", 300)), "set/mine.crt": pems(leaf(t, ca, "mine", 4))})
	if err := os.Remove(filepath.Join(dir, "set/tls/gone.crt")); err != nil {
		t.Fatal(err)
	}
	c := read(t, dir, false, "set")
	got := lines(c)
	slices.Sort(got)
	one := "tls/client.crt|100|CN=client|"
	if strings.Contains(edited, `"web/client"`) && !slices.Contains(got, one) {
		t.Errorf("%q", got)
	}
	for _, want := range []string{"mine.crt|4|CN=mine|", "tls/gone.crt|90||", "tls/server.crt|300|CN=server|"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	var notes []string
	for _, n := range c.Notes {
		notes = append(notes, n.Path+": "+n.Text)
	}
	if all := strings.Join(notes, "\n"); !strings.Contains(all, "the manifest was changed") || len(notes) != 1 {
		t.Errorf("notes %s", all)
	}
	if d := c.Sources[0].Drift; !slices.Equal(d.Missing, []string{"tls/gone.crt"}) || !slices.Equal(d.Changed, []string{"tls/server.crt"}) {
		t.Errorf("%+v", d)
	}

	past := world(dir)
	past.Now = func() time.Time { return now.AddDate(-5, 0, 0) }
	c, err = calendar.Read(t.Context(), past, []string{"set"}, false)
	if err != nil || !slices.ContainsFunc(c.Notes, func(n calendar.Note) bool { return strings.Contains(n.Text, "clock is behind") }) {
		t.Errorf("%v, %+v", err, c.Notes)
	}
	if i := slices.IndexFunc(c.Entries, func(e calendar.Entry) bool { return e.Path == "mine.crt" }); !c.Entries[i].Early(past.Now()) {
		t.Error("a certificate that is not valid yet is not early")
	}
}

// The identifier stays when the certificate is renewed in its place, and differs
// for another place, another name and another cluster.
func TestKeyOutlivesRenewal(t *testing.T) {
	dir := t.TempDir()
	ca := authority(t, "ca")
	key := func(name string, c *x509.Certificate) string {
		write(t, dir, map[string]string{name: pems(c)})
		return read(t, dir, false, name).Entries[0].Key()
	}
	first := key("a.crt", leaf(t, ca, "web", 5))
	if got := key("a.crt", leaf(t, ca, "web", 300)); got != first {
		t.Error("renewal changed the key")
	}
	for what, got := range map[string]string{
		"another file": key("b.crt", leaf(t, ca, "web", 5)), "another name": key("a.crt", leaf(t, ca, "web2", 5)), "another CA": key("a.crt", leaf(t, authority(t, "cb"), "web", 5)),
	} {
		if got == first {
			t.Errorf("%s has the same key", what)
		}
	}
}

func TestDaysAreWhole(t *testing.T) {
	for left, want := range map[time.Duration]int{0: 0, time.Hour: 0, 24 * time.Hour: 1, 47 * time.Hour: 1, -time.Second: -1, -24 * time.Hour: -1, -25 * time.Hour: -2} {
		e := calendar.Entry{NotAfter: now.Add(left)}
		if got := e.Days(now); got != want {
			t.Errorf("%v: got %d, want %d", left, got, want)
		}
	}
}

func TestWhatHoldsNothingIsAnError(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"empty/.keep": "", "text.txt": "hello", "key.pem": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "bad/manifest.json": "{", "bad/x.crt": "x"})
	for name, want := range map[string]string{
		"empty": "empty holds no certificate; name a directory", "text.txt": "text.txt holds no certificate", "key.pem": "key.pem holds no certificate",
		"gone": "gone does not exist", "bad": "manifest.json",
	} {
		_, err := calendar.Read(t.Context(), world(dir), []string{name}, false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// saved writes files as a set.
func saved(t testing.TB, dir string, files []store.File) {
	t.Helper()
	tx, err := store.Begin(t.Context(), store.OS(), dir, store.Options{Profile: "web", Version: "test", Now: now.AddDate(0, -1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	for _, f := range files {
		if err := tx.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// No bytes make it panic, hang or invent a certificate.
func FuzzFile(f *testing.F) {
	ca := authority(f, "ca")
	f.Add([]byte(pems(ca)))
	f.Add([]byte("apiVersion: v1\nkind: Config\nusers: [{name: a, user: {client-certificate-data: " + coded(ca) + "}}]\n"))
	f.Add([]byte("apiVersion: v1\nkind: Secret\nmetadata: {name: [a]}\ndata: {a: 1, tls.crt: " + coded(ca) + "}\n---\n&a [*a, *a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fs := afero.NewMemMapFs()
		if err := afero.WriteFile(fs, "/w/x", data, 0o600); err != nil {
			t.Fatal(err)
		}
		w := &install.World{Read: fs, Write: store.Memory(fs), Dir: "/w", Now: func() time.Time { return now }}
		c, err := calendar.Read(t.Context(), w, []string{"x"}, false)
		if err == nil && len(c.Entries) == 0 {
			t.Error("neither an error nor an entry")
		}
	})
}
