package install_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"certwright/assets/profiles"
	"certwright/certs/check"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// kubernetesTree writes kubeadm's tree as somebody would bring it: without a
// manifest, and with nothing of ours beside it.
func kubernetesTree(t testing.TB, w *install.World) (string, *topology.Topology) {
	t.Helper()
	profile, err := profiles.Load("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Default(profile)
	p.Facts["node.addresses"] = "10.0.0.10"
	dir, prepared := write(t, w, p, false)
	return filepath.Join(dir, "tls"), prepared.Topology
}

func load(t testing.TB, w *install.World, dir string, topo *topology.Topology) *install.Loaded {
	t.Helper()
	l, err := install.Load(context.Background(), w, dir, topo)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// findings are all of a folder, as "slot rule severity".
func findings(l *install.Loaded) []string {
	var out []string
	for id, s := range l.Slots {
		for _, f := range s.Findings {
			out = append(out, fmt.Sprintf("%s %s %s", id, f.Rule, f.Severity))
		}
	}
	for _, f := range l.Findings {
		out = append(out, fmt.Sprintf("set %s %s", f.Rule, f.Severity))
	}
	slices.Sort(out)
	return out
}

func TestKubeadmsTreeNeedsNoManifest(t *testing.T) {
	w := world(t)
	dir, topo := kubernetesTree(t, w)
	l := load(t, w, dir, topo)
	if fs := findings(l); !l.OK() || len(fs) > 0 || len(l.Sorted.Missing)+len(l.Sorted.Unplaced) > 0 {
		t.Errorf("findings %q, missing %v, unplaced %v", fs, l.Sorted.Missing, l.Sorted.Unplaced)
	}
	for slot, file := range map[topology.SlotID]string{"kube/admin": "admin.conf", "kube/scheduler": "scheduler.conf", "kube/kubelet-client": "kubelet.conf", "etcd/server": "pki/etcd/server.crt"} {
		if got := l.Slots[slot]; got == nil || got.CertFile != file {
			t.Errorf("%s: got %+v, want %s", slot, got, file)
		}
		if l.Set.Pairs[slot].Leaf() == nil || l.Set.Pairs[slot].Key == nil {
			t.Errorf("%s has no pair for the proof", slot)
		}
	}
}

// edit changes a file of a tree; flat says that the file gets a new name too.
func edit(t *testing.T, file string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := change(data)
	if bytes.Equal(data, changed) {
		t.Fatalf("nothing changed in %s:\n%s", file, data)
	}
	if err := os.WriteFile(file, changed, 0o600); err != nil {
		t.Fatal(err)
	}
}

func replace(old, new string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(old), []byte(new)) }
}

// field replaces the value of one field of a kubeconfig; "" takes it out.
func field(name, value string) func([]byte) []byte {
	return func(b []byte) []byte {
		var out []string
		for _, line := range strings.Split(string(b), "\n") {
			if before, _, ok := strings.Cut(line, name+": "); ok {
				if value == "" {
					continue
				}
				line = before + name + ": " + value
			}
			out = append(out, line)
		}
		return []byte(strings.Join(out, "\n"))
	}
}

func TestKubeconfigsAreJudged(t *testing.T) {
	w := world(t)
	key, err := issue.NewKeys(1).Key(t.Context(), issue.ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := material.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	read := func(dir, file string) string {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(data)
	}
	tree, topo := kubernetesTree(t, w)
	for _, tc := range []struct {
		name, file string
		change     func([]byte) []byte
		want       []string
	}{
		{"a server that no certificate covers", "admin.conf", field("server", "https://elsewhere.example.com:6443"), []string{"kube/admin san-missing error"}},
		{"an address that no certificate covers", "scheduler.conf", field("server", "https://10.9.9.9:6443"), []string{"kube/scheduler san-missing-ip error"}},
		{"another name for the same server", "admin.conf", field("server", "https://kubernetes.default.svc:443"), nil},
		{"plain http", "admin.conf", field("server", "http://demo-api.example.com:6443"), []string{"kube/admin kubeconfig-server error"}},
		{"a server name beside the address", "admin.conf", func(b []byte) []byte {
			return replace("      server: ", "      tls-server-name: kubernetes\n      server: ")(field("server", "https://203.0.113.1:6443")(b))
		}, nil},
		{"the CA of etcd", "controller-manager.conf", field("certificate-authority-data", read(tree, "pki/etcd/ca.crt")), []string{"kube/controller-manager wrong-authority error"}},
		{"no CA", "controller-manager.conf", field("certificate-authority-data", ""), []string{"kube/controller-manager unknown-authority error"}},
		{"two CAs", "admin.conf", field("certificate-authority-data", base64.StdEncoding.EncodeToString(slices.Concat(decode(t, read(tree, "pki/etcd/ca.crt")), decode(t, read(tree, "pki/ca.crt"))))), nil},
		{"no current context", "scheduler.conf", field("current-context", ""), []string{"kube/scheduler kubeconfig-context error"}},
		{"no current context, for kubectl", "admin.conf", field("current-context", ""), []string{"kube/admin kubeconfig-context warning"}},
		{"a context that is not there", "kubelet.conf", field("current-context", "nobody"), []string{"kube/kubelet-client kubeconfig-context error"}},
		{"another key", "admin.conf", field("client-key-data", base64.StdEncoding.EncodeToString(keyPEM)), []string{"kube/admin key-mismatch error"}},
		{"no key", "scheduler.conf", field("client-key-data", ""), []string{"kube/scheduler kubeconfig-user error", "kube/scheduler material-missing error"}},
		{"no client certificate", "scheduler.conf", func(b []byte) []byte {
			return field("client-key-data", "")(field("client-certificate-data", "")(b))
		}, []string{"kube/scheduler kubeconfig-user error"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(tree)); err != nil {
				t.Fatal(err)
			}
			private(t, dir)
			edit(t, filepath.Join(dir, tc.file), tc.change)
			l := load(t, w, dir, topo)
			if got := findings(l); !slices.Equal(got, tc.want) {
				t.Errorf("got  %q\nwant %q", got, tc.want)
				for _, s := range l.Slots {
					for _, f := range s.Findings {
						t.Logf("%+v", f)
					}
				}
			}
			for _, s := range l.Slots {
				for _, f := range s.Findings {
					if f.File != tc.file || f.Why == "" || f.Fix == "" || strings.Contains(f.Fix, "{file}") {
						t.Errorf("%+v", f)
					}
				}
			}
			if wantOK := !slices.ContainsFunc(tc.want, func(s string) bool { return strings.HasSuffix(s, "error") }); l.OK() != wantOK {
				t.Errorf("ok %v, want %v", l.OK(), wantOK)
			}
		})
	}
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// private takes the rights of others away, which a copy gave them.
func private(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = os.Chmod(path, 0o600)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// signed issues a leaf of the set again, with a key and a CA of the set.
func signed(t *testing.T, l *install.Loaded, slot, key, ca topology.SlotID, change func(c *x509.Certificate)) []byte {
	t.Helper()
	was, by := l.Set.Pairs[slot].Leaf(), l.Set.Pairs[ca]
	c := &x509.Certificate{
		SerialNumber: big.NewInt(4711), Subject: was.Subject, NotBefore: was.NotBefore, NotAfter: was.NotAfter, KeyUsage: was.KeyUsage,
		ExtKeyUsage: was.ExtKeyUsage, BasicConstraintsValid: true, DNSNames: was.DNSNames, IPAddresses: was.IPAddresses,
	}
	change(c)
	der, err := x509.CreateCertificate(rand.Reader, c, by.Leaf(), l.Set.Pairs[key].Key.Public(), by.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// What shows only between files names them as they are called here.
func TestFindingsOfTheWholeNameTheFiles(t *testing.T) {
	w := world(t)
	tree, topo := kubernetesTree(t, w)
	good := load(t, w, tree, topo)
	file := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(tree, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	same := func(*x509.Certificate) {}
	for _, tc := range []struct {
		name    string
		changed map[string][]byte
		want    string
		file    string // where the finding must point, in the tree's names
	}{
		{
			"a key used twice",
			map[string][]byte{"pki/etcd/healthcheck-client.crt": signed(t, good, "etcd/healthcheck-client", "etcd/apiserver-client", "etcd/ca", same), "pki/etcd/healthcheck-client.key": file("pki/apiserver-etcd-client.key")},
			"set key-reused warning", "pki/etcd/healthcheck-client.crt",
		},
		{
			"one CA for kube and the front proxy",
			map[string][]byte{"pki/front-proxy-client.crt": signed(t, good, "front-proxy/client", "front-proxy/client", "kube/ca", same), "pki/front-proxy-ca.crt": nil, "pki/front-proxy-ca.key": nil},
			"front-proxy/ca ca-shared-between-roles warning", "pki/ca.crt",
		},
		{
			"a leaf that outlives its CA",
			map[string][]byte{"pki/apiserver-etcd-client.crt": signed(t, good, "etcd/apiserver-client", "etcd/apiserver-client", "etcd/ca", func(c *x509.Certificate) { c.NotAfter = clock.AddDate(40, 0, 0) })},
			"etcd/apiserver-client ca-expires-before-leaf warning", "pki/apiserver-etcd-client.crt",
		},
		{
			"two serial numbers alike",
			map[string][]byte{
				"pki/apiserver-etcd-client.crt":   signed(t, good, "etcd/apiserver-client", "etcd/apiserver-client", "etcd/ca", same),
				"pki/etcd/healthcheck-client.crt": signed(t, good, "etcd/healthcheck-client", "etcd/healthcheck-client", "etcd/ca", same),
			},
			"set duplicate-serial warning", "pki/etcd/healthcheck-client.crt",
		},
		{
			"a service account key of another pair",
			map[string][]byte{"pki/sa.pub": publicOf(t, good, "kube/admin")},
			"kube/sa key-mismatch error", "pki/sa.pub",
		},
		{"no public service account key", map[string][]byte{"pki/sa.pub": nil}, "kube/sa material-missing warning", "pki/sa.key"},
		{"a key left out", map[string][]byte{"pki/apiserver.key": nil}, "kube/apiserver material-missing error", "pki/apiserver.crt"},
		{
			"the front proxy under kube's CA, beside its own",
			map[string][]byte{"pki/front-proxy-client.crt": signed(t, good, "front-proxy/client", "front-proxy/client", "kube/ca", same)},
			"front-proxy/client wrong-authority error", "pki/front-proxy-client.crt",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, names := t.TempDir(), map[string]string{}
			err := filepath.WalkDir(tree, func(path string, d os.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				rel, _ := filepath.Rel(tree, path)
				rel = filepath.ToSlash(rel)
				data, changed := tc.changed[rel]
				if changed && data == nil {
					return nil
				}
				if !changed {
					data = file(rel)
				}
				names[rel] = fmt.Sprintf("file-%02d", len(names))
				return os.WriteFile(filepath.Join(dir, names[rel]), data, 0o600)
			})
			if err != nil {
				t.Fatal(err)
			}
			l := load(t, w, dir, topo)
			if got := findings(l); !slices.Contains(got, tc.want) {
				t.Errorf("got %q, want %q among them", got, tc.want)
			}
			all := slices.Clone(l.Findings)
			for _, s := range l.Slots {
				all = append(all, s.Findings...)
			}
			rule := strings.Fields(tc.want)[1]
			if !slices.ContainsFunc(all, func(f check.Finding) bool { return f.Rule == rule && f.File == names[tc.file] }) {
				t.Errorf("%s does not point to %s: %+v", rule, names[tc.file], all)
			}
			for _, f := range all {
				if strings.Contains(f.Message, "pki/") {
					t.Errorf("%s speaks of a file that is not here: %s", f.Rule, f.Message)
				}
			}
		})
	}
}

func publicOf(t *testing.T, l *install.Loaded, slot topology.SlotID) []byte {
	t.Helper()
	out, err := material.EncodePublicKey(l.Set.Pairs[slot].Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A folder of certificates alone misses no key.
func TestAFolderWithoutKeysIsOneOfCertificates(t *testing.T) {
	w := world(t)
	dir, prepared := write(t, w, defaults(t), false)
	tree := filepath.Join(dir, "tls")
	err := filepath.WalkDir(tree, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) != ".crt" {
			err = os.Remove(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	l := load(t, w, tree, prepared.Topology)
	if fs := findings(l); len(fs) > 0 || !l.OK() {
		t.Errorf("findings %q, missing %v", fs, l.Sorted.Missing)
	}
}

func TestReadingAFolderEndsWithItsContext(t *testing.T) {
	w := world(t)
	dir, topo := kubernetesTree(t, w)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if _, err := install.Load(ctx, w, dir, topo); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}
