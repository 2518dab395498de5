package rotate_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"certwright/assets/layout"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
	"certwright/flow/rotate"
)

func file(t testing.TB, s *rotate.Stage, path string) []byte {
	t.Helper()
	for _, f := range s.Files {
		if f.Path == path {
			return f.Data
		}
	}
	t.Fatalf("%s has no %s", s.Dir, path)
	return nil
}

// inFile are the certificates of a file.
func inFile(t testing.TB, data []byte) []*x509.Certificate {
	t.Helper()
	var out []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

func TestStagesHoldWhatTheyAreCalled(t *testing.T) {
	w := world(t)
	dir := installed(t, w, defaults(t, "kubernetes"))
	out := prepared(t, w, request(t, w, dir, "kube"))
	oldCA, newCA := out.Old.Anchor("kube"), out.Stages[2].Set.Anchor("kube")
	if oldCA.Equal(newCA) {
		t.Fatal("the CA is not exchanged")
	}
	want := [][]*x509.Certificate{{oldCA, newCA}, {newCA, oldCA}, {newCA}}
	for i, s := range out.Stages {
		got := inFile(t, file(t, s, "tls/pki/ca.crt"))
		if len(got) != len(want[i]) {
			t.Fatalf("%s: ca.crt holds %d certificates", s.Dir, len(got))
		}
		for n := range got {
			if !got[n].Equal(want[i][n]) {
				t.Errorf("%s: certificate %d of ca.crt is of %s", s.Dir, n+1, got[n].Subject)
			}
		}
		config := string(file(t, s, "tls/admin.conf"))
		_, data, _ := strings.Cut(config, "certificate-authority-data: ")
		data, _, _ = strings.Cut(data, "\n")
		ca, err := base64.StdEncoding.DecodeString(data)
		if err != nil || len(inFile(t, ca)) != len(want[i]) {
			t.Errorf("%s: the kubeconfig embeds %d CAs, %v", s.Dir, len(inFile(t, ca)), err)
		}
	}
	// The controller manager signs with one certificate, and with its key.
	for i, signer := range []*x509.Certificate{oldCA, newCA} {
		s := out.Stages[i]
		got := inFile(t, file(t, s, "nodes/cp-0/pki/ca-signing.crt"))
		if len(got) != 1 || !got[0].Equal(signer) {
			t.Errorf("%s: ca-signing.crt holds %d certificates", s.Dir, len(got))
		}
		if flags := string(file(t, s, "flags/kube-controller-manager.txt")); !strings.Contains(flags, "--cluster-signing-cert-file=/etc/kubernetes/pki/ca-signing.crt") || !strings.Contains(flags, "--root-ca-file=/etc/kubernetes/pki/ca.crt") {
			t.Errorf("%s: %s", s.Dir, flags)
		}
		key := file(t, s, "nodes/cp-0/pki/ca.key")
		block, _ := pem.Decode(key)
		k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil || !material.SamePublicKey(signer.PublicKey, k.(crypto.Signer).Public()) {
			t.Errorf("%s: ca.key is not the key of ca-signing.crt: %v", s.Dir, err)
		}
	}
	if flags := string(file(t, out.Stages[2], "flags/kube-controller-manager.txt")); !strings.Contains(flags, "--cluster-signing-cert-file=/etc/kubernetes/pki/ca.crt") {
		t.Errorf("the last stage: %s", flags)
	}
	untouched(t, w, dir, out)
}

// untouched holds what is not exchanged against the set that is there: leaves
// until stage 2, other authorities and the service account keys for ever.
func untouched(t *testing.T, w *install.World, dir string, out *rotate.Rotation) {
	t.Helper()
	for i, s := range out.Stages {
		same := []string{"tls/pki/etcd/ca.crt", "nodes/cp-0/pki/etcd/server.key", "tls/pki/sa.key", "tls/pki/sa.pub", "tls/pki/front-proxy-client.crt", "ca/etcd.key"}
		if i == 0 {
			same = append(same, "nodes/cp-0/pki/apiserver.crt", "nodes/worker-0/kubelet/kubelet.key")
		}
		for _, name := range same {
			if strings.HasPrefix(name, "ca/") && i < 2 {
				continue
			}
			was, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(was, file(t, s, name)) {
				t.Errorf("%s changes %s", s.Dir, name)
			}
		}
	}
	old, err := os.ReadFile(filepath.Join(dir, "ca/kube.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range out.Stages[1:] {
		for _, f := range s.Files {
			if bytes.Contains(f.Data, old) {
				t.Errorf("%s holds the key of the old CA", f.Path)
			}
		}
	}
}

func TestOpenSSLAgreesWithTheStages(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	w := world(t)
	dir := installed(t, w, defaults(t, "tectonic"))
	r := request(t, w, dir, "etcd")
	out := prepared(t, w, r)
	if _, err := rotate.Commit(context.Background(), w, out, false, nil); err != nil {
		t.Fatal(err)
	}
	sets := []string{dir}
	for _, s := range out.Stages {
		sets = append(sets, filepath.Join(r.Out, s.Dir))
	}
	for leaf := range sets {
		for trust := range sets {
			cmd := exec.Command(openssl, "verify", "-x509_strict", "-partial_chain", "-purpose", "sslserver",
				"-CAfile", filepath.Join(sets[trust], "tls/etcd-client-ca.crt"), filepath.Join(sets[leaf], "tls/etcd/server.crt"))
			text, err := cmd.CombinedOutput()
			good := leaf < 2 && trust < 3 || leaf >= 2 && trust > 0
			if (err == nil) != good {
				t.Errorf("a certificate of stage %d by the trust of stage %d: %v\n%s", leaf, trust, err, text)
			}
		}
	}
}

func TestWhereTheNewCAComesFrom(t *testing.T) {
	w := world(t)
	p := defaults(t, "tectonic")
	dir := installed(t, w, p)
	root := inFile(t, read(t, dir, "ca/root.crt"))[0]
	r := request(t, w, dir, "etcd")

	kept := prepared(t, w, r).Stages[2].Set.Anchor("etcd")
	if err := kept.CheckSignatureFrom(root); err != nil {
		t.Errorf("the new CA is not under the root that stays: %v", err)
	}
	// Neither the old CA's key nor any other is needed, but the root's.
	for _, name := range []string{"ca/etcd.key", "ca/kube.key", "ca/ingress.key", "ca/etcd.crt"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	prepared(t, w, r)
	if err := os.Rename(filepath.Join(dir, "ca/root.key"), filepath.Join(dir, "root.key.away")); err != nil {
		t.Fatal(err)
	}
	if _, err := rotate.Prepare(context.Background(), w, r, nil); err == nil || !strings.Contains(err.Error(), "--flat") || !strings.Contains(err.Error(), "ca/root.key") {
		t.Errorf("without the root's key: %v", err)
	}
	r.Flat = true
	out := prepared(t, w, r)
	if !issue.SelfSigned(out.Stages[2].Set.Anchor("etcd")) {
		t.Error("--flat makes no root")
	}
	r.Flat, r.Target = false, rotate.Root
	out = prepared(t, w, r)
	if len(out.Rotated) != 3 {
		t.Errorf("the root takes %v with it", out.Rotated)
	}
	newRoot := inFile(t, file(t, out.Stages[2], "ca/root.crt"))[0]
	for _, a := range out.Rotated {
		if err := out.Stages[2].Set.Anchor(a).CheckSignatureFrom(newRoot); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	if page := string(file(t, out.Stages[0], "NEXT-STEPS.md")); !strings.Contains(page, "browser") {
		t.Error("stage 1 does not say that browsers need the new root")
	}
}

func read(t testing.TB, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestASealedRootSignsTheNewCA(t *testing.T) {
	w := world(t)
	w.CAKeys = install.CAKeys{Fate: plan.CAKeysEncrypted, Passphrase: []byte("correct horse battery"), Work: 10}
	dir := installed(t, w, defaults(t, "tectonic"))
	r := request(t, w, dir, "ingress")
	out := prepared(t, w, r)
	for _, f := range out.Stages[2].Files {
		if strings.HasPrefix(f.Path, "ca/") && f.Kind == layout.KindCAKey && !strings.HasSuffix(f.Path, ".age") {
			t.Errorf("%s is not sealed", f.Path)
		}
	}
	file(t, out.Stages[2], "ca/root.key.age")
	file(t, out.Stages[2], "ca/ingress.key.age")
	w.CAKeys.Passphrase = nil
	if _, err := rotate.Prepare(context.Background(), w, r, nil); err == nil || !strings.Contains(err.Error(), "--ca-passphrase-file") {
		t.Errorf("without the passphrase: %v", err)
	}
	w.CAKeys.Passphrase = []byte("another one entirely")
	if _, err := rotate.Prepare(context.Background(), w, r, nil); err == nil || !strings.Contains(err.Error(), "not opened") {
		t.Errorf("with another passphrase: %v", err)
	}
}

func TestAnExpiredSetIsRefusedWithItsEdge(t *testing.T) {
	w := world(t)
	dir := installed(t, w, defaults(t, "tectonic"))
	w.Now = func() time.Time { return clock.AddDate(2, 0, 0) }
	_, err := rotate.Prepare(context.Background(), w, request(t, w, dir, "etcd"), nil)
	var refusal *rotate.Refusal
	if !errors.As(err, &refusal) || len(refusal.Handshakes) == 0 {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "(etcd-peers)") || !strings.Contains(err.Error(), "expired") {
		t.Errorf("the error does not name the edge: %v", err)
	}
}

func TestRotationRefuses(t *testing.T) {
	w := world(t)
	dir := installed(t, w, defaults(t, "tectonic"))
	other := installed(t, world(t), defaults(t, "tectonic"))
	for _, c := range []struct {
		why    string
		change func(*rotate.Request)
		want   string
	}{
		{"an unknown authority", func(r *rotate.Request) { r.Target = "etdc" }, "it has etcd, kube, ingress, root, kube/service-account"},
		{"a leaf", func(r *rotate.Request) { r.Target = "etcd/server" }, "nothing that can be rotated"},
		{"the CA that is there", func(r *rotate.Request) {
			r.Cert, r.Key = filepath.Join(dir, "ca/etcd.crt"), filepath.Join(dir, "ca/etcd.key")
		}, "nothing to rotate to"},
		{"a key without its certificate", func(r *rotate.Request) { r.Key = filepath.Join(dir, "ca/etcd.key") }, "--cert"},
		{"a leaf for a CA", func(r *rotate.Request) {
			r.Cert, r.Key = filepath.Join(other, "tls/etcd/server.crt"), filepath.Join(other, "tls/etcd/server.key")
		}, "CA"},
		{"another CA's key", func(r *rotate.Request) {
			r.Cert, r.Key = filepath.Join(other, "ca/etcd.crt"), filepath.Join(other, "ca/kube.key")
		}, "key"},
		{"a file that is not there", func(r *rotate.Request) { r.Cert, r.Key = "nowhere.crt", "nowhere.key" }, "does not exist"},
		{"into the set itself", func(r *rotate.Request) { r.Out = filepath.Join(dir, "next") }, "in one another"},
		{"a key pair with a certificate", func(r *rotate.Request) { r.Target, r.Flat = "kube/service-account", true }, "leave --cert and --flat out"},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := request(t, w, dir, "etcd")
			c.change(&r)
			_, err := rotate.Prepare(context.Background(), w, r, nil)
			var findings *install.Refusal
			text := ""
			if err != nil {
				text = err.Error()
			}
			if errors.As(err, &findings) {
				for _, f := range findings.Findings {
					text += f.Message
				}
			}
			if !strings.Contains(text, c.want) {
				t.Errorf("got %q, want %q in it", text, c.want)
			}
		})
	}
	if err := os.Remove(filepath.Join(dir, "tls/etcd/peer.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := rotate.Prepare(context.Background(), w, request(t, w, dir, "etcd"), nil); err == nil || !strings.Contains(err.Error(), "the key of etcd/peer") {
		t.Errorf("a set without a key: %v", err)
	}
}

func TestABroughtCATakesOver(t *testing.T) {
	w := world(t)
	dir := installed(t, w, defaults(t, "tectonic"))
	other := installed(t, world(t), defaults(t, "tectonic"))
	r := request(t, w, dir, "kube")
	r.Cert, r.Key = filepath.Join(other, "tls/ca-bundle.crt"), filepath.Join(other, "ca/kube.key")
	out := prepared(t, w, r)
	if !out.Stages[2].Set.Anchor("kube").Equal(inFile(t, read(t, other, "tls/ca.crt"))[0]) {
		t.Error("another CA than the one that was brought")
	}
	for _, f := range out.Stages[2].Files {
		if f.Path == "ca/kube.key" {
			t.Error("the key of a CA that was brought is copied into ca/")
		}
	}
	if text := string(file(t, out.Stages[2], "certwright.yaml")); !strings.Contains(text, "bring-ca") {
		t.Errorf("the last stage's plan does not say that the CA was brought:\n%s", text)
	}
}

func TestCommitLeavesTheSetAndStopsAtAChange(t *testing.T) {
	w := world(t)
	dir := installed(t, w, defaults(t, "tectonic"))
	before := snapshot(t, dir)
	r := request(t, w, dir, "kube/service-account")
	out := prepared(t, w, r)
	if err := os.WriteFile(filepath.Join(dir, "tls/etcd/server.crt"), read(t, dir, "tls/etcd/peer.crt"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := rotate.Commit(context.Background(), w, out, false, nil); err == nil || !strings.Contains(err.Error(), "changed since") {
		t.Errorf("a set that changed under it: %v", err)
	}
	if _, err := os.Stat(r.Out); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tls/etcd/server.crt"), before["tls/etcd/server.crt"], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := rotate.Commit(context.Background(), w, out, false, func(flow.Progress) {}); err != nil {
		t.Fatal(err)
	}
	after := snapshot(t, dir)
	if len(after) != len(before) {
		t.Errorf("the set had %d files and has %d", len(before), len(after))
	}
	for name, data := range before {
		if !bytes.Equal(after[name], data) {
			t.Errorf("%s was changed", name)
		}
	}
	for i, want := range []int{2, 2, 1} {
		pub := read(t, r.Out, out.Stages[i].Dir+"/tls/service-account.pub")
		if got := strings.Count(string(pub), "BEGIN PUBLIC KEY"); got != want {
			t.Errorf("stage %d has %d public keys, want %d", i+1, got, want)
		}
	}
}

func snapshot(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		out[rel], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Whatever holds a private key, in whatever spelling, is for its owner alone.
func TestKeysOfStagesAreForTheirOwnerAlone(t *testing.T) {
	w := world(t)
	dir := installed(t, w, defaults(t, "tectonic"))
	out := prepared(t, w, request(t, w, dir, "kube"))
	private := 0
	for _, f := range out.Files {
		holds := bytes.Contains(f.Data, []byte("PRIVATE KEY")) || bytes.Contains(f.Data, []byte("LS0tLS1CRUdJTiBQUklWQVRF"))
		if holds {
			private++
		}
		if holds != (f.Mode.Perm() == 0o600) {
			t.Errorf("%s has mode %04o, and holds a key: %v", f.Path, f.Mode.Perm(), holds)
		}
	}
	if private < 30 {
		t.Errorf("%d files with keys were seen: the search is blind", private)
	}
}
