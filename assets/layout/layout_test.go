package layout_test

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"certwright/assets/layout"
	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// deployed are the paths of what is deployed: without the CAs made here.
func deployed(files map[string]layout.File) []string {
	var out []string
	for p := range files {
		if !strings.HasPrefix(p, "ca/") {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

func TestSameFilesAndOutputsWhateverTheMode(t *testing.T) {
	all := sets(t)
	want := render(t, all["generate"])
	for name, set := range all {
		got := render(t, set)
		expected := deployed(want)
		if name == "bring-certs" { // kube's CA came without its key
			expected = slices.DeleteFunc(expected, func(p string) bool { return p == "tls/ca.key" })
		}
		if g := deployed(got); !slices.Equal(g, expected) {
			t.Errorf("%s\ngot  %v\nwant %v", name, g, expected)
		}
		for p, f := range got {
			w := want[p]
			switch {
			case strings.HasPrefix(p, "ca/") || p == layout.NextStepsFile:
				continue
			case f.Mode != w.Mode || f.Kind != w.Kind || f.Slot != w.Slot:
				t.Errorf("%s: %s is %v %s of %s, want %v %s of %s", name, p, f.Mode, f.Kind, f.Slot, w.Mode, w.Kind, w.Slot)
			case f.Kind == layout.KindConfig && p != "flags/kube-controller-manager.txt" && !bytes.Equal(f.Data, w.Data):
				t.Errorf("%s: %s differs\ngot  %s\nwant %s", name, p, f.Data, w.Data)
			}
		}
	}
}

func TestFileNamesOfTheTree(t *testing.T) {
	want := strings.Fields(`ca.crt ca.key ca-bundle.crt apiserver.crt apiserver.key kubelet.crt kubelet.key
		etcd-client-ca.crt etcd-client-ca-bundle.crt etcd-client.crt etcd-client.key etcd/server.crt etcd/server.key etcd/peer.crt etcd/peer.key
		identity/identity-server.crt identity/identity-server.key identity/identity-client.crt identity/identity-client.key
		ingress/ca.crt ingress/ca-bundle.crt ingress/ingress.crt ingress/ingress.key
		service-account.key service-account.pub auth/kubeconfig`)
	for i := range want {
		want[i] = "tls/" + want[i]
	}
	slices.Sort(want)
	got := slices.Sorted(maps.Keys(render(t, sets(t)["generate"], "tree")))
	got = slices.DeleteFunc(got, func(p string) bool { return !strings.HasPrefix(p, "tls/") })
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestCADirectoryHoldsWhatWasMadeHere(t *testing.T) {
	all := sets(t)
	for name, want := range map[string]string{
		"generate":     "ca/etcd.crt ca/etcd.key ca/ingress.crt ca/ingress.key ca/kube.crt ca/kube.key ca/root.crt ca/root.key",
		"flat":         "ca/etcd.crt ca/etcd.key ca/ingress.crt ca/ingress.key ca/kube.crt ca/kube.key",
		"bring-ca":     "",
		"intermediate": "ca/kube.crt ca/kube.key",
		"bring-certs":  "",
	} {
		var got []string
		for p, f := range render(t, all[name]) {
			if strings.HasPrefix(p, "ca/") {
				got = append(got, p)
				if private := strings.HasSuffix(p, ".key"); private != (f.Kind == layout.KindCAKey) {
					t.Errorf("%s: %s is a %s", name, p, f.Kind)
				}
			}
		}
		slices.Sort(got)
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s\ngot  %s\nwant %s", name, g, want)
		}
	}
}

func TestPrivateKeysStandInPrivateFilesAlone(t *testing.T) {
	inBase64 := regexp.MustCompile(`[A-Za-z0-9+/=]{40,}`)
	for name, set := range sets(t) {
		files := render(t, set)
		for p, f := range files {
			text := string(f.Data)
			for _, part := range inBase64.FindAllString(text, -1) {
				if plain, err := base64.StdEncoding.DecodeString(part); err == nil {
					text += string(plain)
				}
			}
			if has := strings.Contains(text, "PRIVATE KEY"); has != f.Private() {
				t.Errorf("%s: %s (%s): holds a key: %v", name, p, f.Kind, has)
			}
			if want := fs.FileMode(0o644); !f.Private() && f.Mode != want || f.Private() && f.Mode != 0o600 {
				t.Errorf("%s: %s has mode %v", name, p, f.Mode)
			}
		}
	}
}

func chain(t *testing.T, data []byte) []*x509.Certificate {
	t.Helper()
	var out []*x509.Certificate
	for len(data) > 0 {
		block, rest := pem.Decode(data)
		if block == nil {
			t.Fatalf("no PEM in %q", data)
		}
		if block.Type != "CERTIFICATE" || len(block.Headers) > 0 {
			t.Fatalf("block %s with %d headers", block.Type, len(block.Headers))
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		out, data = append(out, c), rest
	}
	return out
}

func TestCertificateFilesReadAsComponentsReadThem(t *testing.T) {
	for name, set := range sets(t) {
		files := render(t, set)
		for i := range set.Topology.Slots {
			s := &set.Topology.Slots[i]
			cert, key := files["tls/"+s.Files.Cert], files["tls/"+s.Files.Key]
			switch s.Kind {
			case topology.Leaf:
				pair, err := tls.X509KeyPair(cert.Data, key.Data)
				if err != nil {
					t.Errorf("%s: %s: %v", name, s.ID, err)
					continue
				}
				list := chain(t, cert.Data)
				roots, above := x509.NewCertPool(), x509.NewCertPool()
				roots.AddCert(chain(t, files["tls/"+set.Topology.CASlot(s.Authority).Files.Cert].Data)[0])
				for _, c := range list[1:] {
					above.AddCert(c)
				}
				if _, err := list[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: above, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
					t.Errorf("%s: %s does not verify against its CA file: %v", name, s.ID, err)
				}
				if pair.Leaf.SerialNumber.Cmp(list[0].SerialNumber) != 0 || cert.NotAfter != list[0].NotAfter || cert.Serial == "" {
					t.Errorf("%s: %s: serial %s, until %v", name, s.ID, cert.Serial, cert.NotAfter)
				}
			case topology.CA:
				if n := len(chain(t, cert.Data)); n != 1 {
					t.Errorf("%s: the CA file of %s holds %d certificates", name, s.ID, n)
				}
				list := chain(t, files["tls/"+s.Files.Bundle].Data)
				for i := range list[1:] {
					if err := list[i].CheckSignatureFrom(list[i+1]); err != nil {
						t.Errorf("%s: bundle of %s, certificate %d: %v", name, s.ID, i, err)
					}
				}
			case topology.KeyPair:
				private, _ := pem.Decode(key.Data)
				public, _ := pem.Decode(files["tls/"+s.Files.Public].Data)
				k, err := x509.ParsePKCS8PrivateKey(private.Bytes)
				if err != nil {
					t.Fatal(err)
				}
				pub, err := x509.ParsePKIXPublicKey(public.Bytes)
				if err != nil || public.Type != "PUBLIC KEY" {
					t.Fatal(public.Type, err)
				}
				if !k.(crypto.Signer).Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(pub) {
					t.Errorf("%s: %s is not one pair", name, s.ID)
				}
			}
		}
	}
}

func TestTerraformHoldsTheBytesOfTheTree(t *testing.T) {
	for name, set := range sets(t) {
		files := render(t, set)
		for i := range set.Topology.Slots {
			s := &set.Topology.Slots[i]
			for _, o := range s.Outputs {
				dir := "terraform/" + o.Module + "/"
				var module struct {
					Output map[string]struct {
						Value     string
						Sensitive bool
					}
				}
				if err := json.Unmarshal(files[dir+"main.tf.json"].Data, &module); err != nil {
					t.Fatal(err)
				}
				out, ok := module.Output[o.Name]
				if !ok || out.Sensitive != (o.Field == topology.FieldKey) {
					t.Errorf("%s: %s of %s: there %v, sensitive %v", name, o.Name, o.Module, ok, out.Sensitive)
				}
				if o.Field == topology.FieldID {
					continue
				}
				file, found := strings.CutPrefix(out.Value, `${file("${path.module}/`)
				file, closed := strings.CutSuffix(file, `")}`)
				if !found || !closed {
					t.Fatalf("%s: value %s", o.Name, out.Value)
				}
				if got, want := files[dir+file].Data, files["tls/"+s.Files.Name(o.Field)].Data; len(got) == 0 || !bytes.Equal(got, want) {
					t.Errorf("%s: %s%s is not %s", name, dir, file, s.Files.Name(o.Field))
				}
			}
		}
	}
}

func TestGolden(t *testing.T) {
	all := sets(t)
	data := regexp.MustCompile(`(-data: ).*`)
	for p, f := range render(t, all["generate"]) {
		switch {
		case f.Kind == layout.KindConfig || p == layout.NextStepsFile:
			golden(t, "generate/"+p, f.Data)
		case f.Kind == layout.KindKubeconfig:
			golden(t, "generate/"+p, data.ReplaceAll(f.Data, []byte("${1}replaced")))
		case p == layout.PlanFile:
			if string(f.Data) != string(request(nil).Plan) {
				t.Errorf("the plan became %s", f.Data)
			}
		}
	}
	for _, mode := range []string{"flat", "bring-ca", "bring-certs", "intermediate"} {
		golden(t, mode+"/"+layout.NextStepsFile, render(t, all[mode])[layout.NextStepsFile].Data)
	}
}

func TestKubeconfigIsReadByKubectl(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not here")
	}
	dir := t.TempDir()
	write(t, dir, render(t, sets(t)["generate"], "tree"))
	out, err := exec.Command(kubectl, "--kubeconfig", filepath.Join(dir, "tls/auth/kubeconfig"), "config", "view", "--minify", "-o", "jsonpath={.current-context} {.clusters[0].cluster.server} {.users[0].name}").CombinedOutput()
	if want := "kubelet@demo https://demo-api.example.com:443 kubelet"; err != nil || string(out) != want {
		t.Errorf("got %s, %v; want %s", out, err, want)
	}
}

func TestKubeconfigEmbedsItsFiles(t *testing.T) {
	files := render(t, sets(t)["generate"], "tree")
	var config struct {
		Clusters []struct {
			Cluster map[string]string
		}
		Users []struct {
			User map[string]string
		}
	}
	if err := yaml.Unmarshal(files["tls/auth/kubeconfig"].Data, &config); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string][2]string{
		"ca.crt":      {config.Clusters[0].Cluster["certificate-authority-data"]},
		"kubelet.crt": {config.Users[0].User["client-certificate-data"]},
		"kubelet.key": {config.Users[0].User["client-key-data"]},
	} {
		got, err := base64.StdEncoding.DecodeString(want[0])
		if err != nil || !bytes.Equal(got, files["tls/"+key].Data) {
			t.Errorf("%s is not embedded: %v", key, err)
		}
	}
}

// The commands of NEXT-STEPS.md must work as they stand, in a directory with a
// name that a shell takes apart.
func TestOpensslCommandsOfNextSteps(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not here")
	}
	all := sets(t)
	maps.Copy(all, clusters(t))
	all["calico"] = calico(t, nil)
	for name, set := range all {
		dir := filepath.Join(t.TempDir(), "it's a $DIR")
		r := request(set)
		r.Dir = dir
		list, err := layout.Render(r)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]layout.File{}
		for _, f := range list {
			files[f.Path] = f
		}
		write(t, dir, files)
		commands := 0
		for line := range strings.Lines(string(files[layout.NextStepsFile].Data)) {
			if !strings.HasPrefix(line, "openssl verify") {
				continue
			}
			commands++
			line = strings.Replace(line, "openssl verify", "openssl verify -attime 1795348800", 1) // 2026-11-22
			if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil || !strings.Contains(string(out), "OK") {
				t.Errorf("%s: %s%s %v", name, line, out, err)
			}
		}
		leaves := map[topology.SlotID]bool{}
		for _, s := range set.Topology.Slots {
			if s.Kind == topology.Leaf && s.Files.Cert != "" {
				leaves[s.ID.Base()] = true
			}
		}
		if commands < len(leaves) || commands == 0 {
			t.Errorf("%s: %d commands", name, commands)
		}
	}
}

func TestTerraformTakesTheModules(t *testing.T) {
	tool := ""
	for _, name := range []string{"tofu", "terraform"} {
		if path, err := exec.LookPath(name); err == nil && tool == "" {
			tool = path
		}
	}
	if tool == "" || testing.Short() {
		t.Skip("neither tofu nor terraform is here")
	}
	dir := t.TempDir()
	files := render(t, sets(t)["generate"], "terraform")
	write(t, dir, files)
	module := filepath.Join(dir, "terraform/modules/tls/etcd")
	for _, args := range [][]string{{"init", "-input=false"}, {"apply", "-input=false", "-auto-approve"}} {
		cmd := exec.Command(tool, append([]string{"-chdir=" + module}, args...)...)
		cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1") // it would ask for news
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	out, err := exec.Command(tool, "-chdir="+module, "output", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]struct {
		Value     string
		Sensitive bool
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got["etcd_server_key_pem"].Value != string(files["terraform/modules/tls/etcd/etcd_server_key.pem"].Data) || !got["etcd_server_key_pem"].Sensitive {
		t.Error("the key's output is not the file, or not sensitive")
	}
	if len(got["id"].Value) != 64 || got["id"].Sensitive || len(got) != 8 {
		t.Errorf("%d outputs, id %q", len(got), got["id"].Value)
	}
}

func TestSecretsHoldTheBytesOfTheTree(t *testing.T) {
	for name, set := range sets(t) {
		files := render(t, set)
		f := files["manifests/tectonic-system.yaml"]
		dec := yaml.NewDecoder(bytes.NewReader(f.Data))
		for _, s := range []string{"tectonic-ca-cert-secret", "tectonic-identity-grpc-client-secret", "tectonic-identity-grpc-server-secret", "tectonic-ingress-tls-secret"} {
			var got struct {
				Metadata struct{ Name, Namespace string }
				Type     string
				Data     map[string]string
			}
			if err := dec.Decode(&got); err != nil {
				t.Fatal(err)
			}
			if got.Metadata.Name != s || got.Metadata.Namespace != "tectonic-system" {
				t.Errorf("%s: got %s, want %s", name, got.Metadata.Name, s)
			}
			for _, d := range set.Topology.Secrets[slices.IndexFunc(set.Topology.Secrets, func(o topology.Secret) bool { return o.Name == s })].Data {
				data, err := base64.StdEncoding.DecodeString(got.Data[d.Key])
				if want := files["tls/"+set.Topology.Slot(d.Slot).Files.Name(d.Field)].Data; err != nil || len(want) == 0 || !bytes.Equal(data, want) {
					t.Errorf("%s: %s of %s is not %s of %s: %v", name, d.Key, s, d.Field, d.Slot, err)
				}
			}
		}
		if leaf := set.Pairs["ingress/server"].Leaf(); !f.NotAfter.Equal(leaf.NotAfter) {
			t.Errorf("%s: until %v", name, f.NotAfter)
		}
	}
}

func TestKustomizationIsReadByKubectl(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not here")
	}
	for name, c := range map[string]struct {
		set     *certs.Set
		secrets int
		maps    int
	}{
		"tectonic": {sets(t)["generate"], 4, 0},
		"operator": {calico(t, nil), 4, 1},
		"2.3":      {calico(t, map[string]string{"calico.install": "enterprise-2.3"}), 5, 2},
	} {
		dir := t.TempDir()
		write(t, dir, render(t, c.set, "secrets"))
		out, err := exec.Command(kubectl, "kustomize", filepath.Join(dir, "manifests")).CombinedOutput()
		if n, m := strings.Count(string(out), "kind: Secret"), strings.Count(string(out), "kind: ConfigMap"); err != nil || n != c.secrets || m != c.maps {
			t.Errorf("%s: %d Secrets, %d ConfigMaps, %v\n%.500s", name, n, m, err, out)
		}
	}
}

func TestAddressesOfBothFamilies(t *testing.T) {
	top := tectonic(t, map[string]string{"etcd.hosts": "fd00::10,10.0.0.11", "api.host": "fd00::1", "service.cidr": "fd01::/108,10.3.0.0/16"})
	files := render(t, made(t, issue.Request{Topology: top}))
	steps := string(files[layout.NextStepsFile].Data)
	for _, want := range []string{
		"--initial-cluster fd00::10=https://[fd00::10]:2380,10.0.0.11=https://10.0.0.11:2380 ",
		"--initial-advertise-peer-urls https://[fd00::10]:2380 ", "ssh root@fd00::10 ",
		"--service-cluster-ip-range fd01::/108,10.3.0.0/16 ",
	} {
		if !strings.Contains(steps, want) {
			t.Errorf("%s is not in\n%s", want, steps)
		}
	}
	if k := string(files["tls/auth/kubeconfig"].Data); !strings.Contains(k, "server: https://[fd00::1]:443\n") {
		t.Errorf("got %s", k)
	}
}

func TestHostileSubjectsStayText(t *testing.T) {
	top := tectonic(t, nil)
	evil := ca(t, "a`|b\x1b[2J\u202e\n# forged", nil)
	set := made(t, issue.Request{
		Topology: top, Modes: map[topology.ComponentID]topology.Mode{"ingress": topology.BringCA},
		Brought: map[topology.SlotID]*certs.Pair{"ingress/ca": evil},
	})
	steps := string(render(t, set)[layout.NextStepsFile].Data)
	for _, bad := range []string{"\x1b", "\u202e", "\n# forged", "a`|"} {
		if strings.Contains(steps, bad) {
			t.Errorf("%q is in the document", bad)
		}
	}
}

func TestRenderRefusesWhatIsIncomplete(t *testing.T) {
	set := sets(t)["generate"]
	without := func(id topology.SlotID, p *certs.Pair) *certs.Set {
		c := *set
		c.Pairs = maps.Clone(set.Pairs)
		if c.Pairs[id] = p; p == nil {
			delete(c.Pairs, id)
		}
		return &c
	}
	for _, c := range []struct {
		why  string
		r    layout.Request
		want string
	}{
		{"no set", layout.Request{}, "render: no set was given"},
		{"a slot without a pair", request(without("etcd/peer", nil)), "render etcd/peer: the set has no certificate for it"},
		{"an empty CA", request(without("kube/ca", &certs.Pair{})), "render kube/ca: the set has no certificate for it"},
		{"a leaf without a key", request(without("etcd/client", &certs.Pair{Certificates: set.Pairs["etcd/client"].Certificates})), "render etcd/client: the set has no key for it"},
		{"a key pair without a key", request(without("kube/service-account", &certs.Pair{})), "render kube/service-account: the set has no key for it"},
		{"an unknown layout", request(set, "tre"), `render: unknown layout "tre"; there are tree, kubeconfig, secrets, terraform, flags, cluster-api, k3s, cert-manager, kubelet-csr`},
	} {
		if _, err := layout.Render(c.r); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.why, err, c.want)
		}
	}
}

func TestLayoutsThatAreChosen(t *testing.T) {
	set := sets(t)["generate"]
	top := func(layouts ...string) string {
		seen := map[string]bool{}
		for p := range render(t, set, layouts...) {
			dir, _, _ := strings.Cut(p, "/")
			seen[dir] = true
		}
		return strings.Join(slices.Sorted(maps.Keys(seen)), " ")
	}
	for layouts, want := range map[string]string{
		"":          "NEXT-STEPS.md ca certwright.yaml flags manifests terraform tls",
		"secrets":   "NEXT-STEPS.md ca certwright.yaml manifests",
		"tree":      "NEXT-STEPS.md ca certwright.yaml tls",
		"terraform": "NEXT-STEPS.md ca certwright.yaml terraform",
		"flags":     "NEXT-STEPS.md ca certwright.yaml flags tls", // flags name the files of the tree
	} {
		if got := top(strings.Fields(layouts)...); got != want {
			t.Errorf("%q: got %s, want %s", layouts, got, want)
		}
	}
}

func TestFilesCanBeLeftEarly(t *testing.T) {
	n := 0
	for _, err := range layout.Files(request(sets(t)["generate"])) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 5 {
			break
		}
	}
	if n != 5 {
		t.Errorf("%d files", n)
	}
}

func BenchmarkRender(b *testing.B) {
	set := made(b, issue.Request{Topology: tectonic(b, nil)})
	for b.Loop() {
		if _, err := layout.Render(request(set)); err != nil {
			b.Fatal(err)
		}
	}
}
