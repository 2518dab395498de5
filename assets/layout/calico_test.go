package layout_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"certwright/assets/layout"
	"certwright/assets/profiles"
	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

func calico(t testing.TB, facts map[string]string) *certs.Set {
	t.Helper()
	p, err := profiles.Load("calico")
	if err != nil {
		t.Fatal(err)
	}
	top, problems := topology.Resolve(p, facts)
	for _, problem := range problems {
		t.Fatal(problem)
	}
	return made(t, issue.Request{Topology: top})
}

// thing is a Secret or a ConfigMap as its readers see it: decoded.
type thing struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Type       string
	Metadata   struct {
		Name, Namespace string
		Labels          map[string]string
	}
	Data map[string]string
}

// things are the objects of a file, by namespace/name, Secrets decoded.
func things(t *testing.T, data []byte) map[string]thing {
	t.Helper()
	out := map[string]thing{}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var o thing
		if err := dec.Decode(&o); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		if o.Kind == "Secret" {
			for k, v := range o.Data {
				plain, err := base64.StdEncoding.DecodeString(v)
				if err != nil {
					t.Fatalf("%s: %s: %v", o.Metadata.Name, k, err)
				}
				o.Data[k] = string(plain)
			}
		}
		out[strings.TrimPrefix(o.Metadata.Namespace+"/"+o.Metadata.Name, "/")] = o
	}
}

// The names, namespaces and keys are those that Calico's code reads, and each
// value is the file of the tree or the text itself.
func TestCalicoObjects(t *testing.T) {
	operator := "manifests/tigera-operator.yaml"
	system := "manifests/kube-system.yaml"
	enterprise := map[string]string{"calico.install": "enterprise-2.3"}
	manifest := map[string]string{"calico.install": "manifest"}
	spiffe := map[string]string{"typha.client-uri": "spiffe://example.org/felix", "typha.server-uri": "spiffe://example.org/typha"}
	for _, c := range []struct {
		why   string
		facts map[string]string
		file  string
		id    string
		want  map[string]string // a file of the tree, or with = in front a text
	}{
		{"the operator's bundle", nil, operator, "tigera-operator/typha-ca", map[string]string{"caBundle": "typha/ca.crt"}},
		{"Typha by CN", nil, operator, "tigera-operator/typha-certs", map[string]string{"tls.crt": "typha/server.crt", "tls.key": "typha/server.key", "common-name": "=typha-server"}},
		{"Felix by CN", nil, operator, "tigera-operator/node-certs", map[string]string{"tls.crt": "typha/client.crt", "tls.key": "typha/client.key", "common-name": "=typha-client"}},
		{"Typha by URI", spiffe, operator, "tigera-operator/typha-certs", map[string]string{"tls.crt": "typha/server.crt", "tls.key": "typha/server.key", "uri-san": "=spiffe://example.org/typha"}},
		{"Felix by both", with(spiffe, "typha.client-cn", "felix"), operator, "tigera-operator/node-certs", map[string]string{"tls.crt": "typha/client.crt", "tls.key": "typha/client.key", "common-name": "=felix", "uri-san": "=spiffe://example.org/felix"}},
		{"the operator's API server", nil, operator, "tigera-operator/calico-apiserver-certs", map[string]string{"tls.crt": "apiserver/apiserver.crt", "tls.key": "apiserver/apiserver.key"}},
		{"the operator's Manager", nil, operator, "tigera-operator/manager-tls", map[string]string{"tls.crt": "manager/manager.crt", "tls.key": "manager/manager.key"}},
		{"the bundle without an operator", manifest, system, "kube-system/calico-typha-ca", map[string]string{"typhaca.crt": "typha/ca.crt"}},
		{"Typha without an operator", manifest, system, "kube-system/calico-typha-certs", map[string]string{"typha.crt": "typha/server.crt", "typha.key": "typha/server.key"}},
		{"Felix without an operator", manifest, system, "kube-system/calico-node-certs", map[string]string{"calico-node.crt": "typha/client.crt", "calico-node.key": "typha/client.key"}},
		{"the manifests' API server", manifest, "manifests/calico-apiserver.yaml", "calico-apiserver/calico-apiserver-certs", map[string]string{"apiserver.crt": "apiserver/apiserver.crt", "apiserver.key": "apiserver/apiserver.key"}},
		{"2.3's API server", enterprise, system, "kube-system/cnx-apiserver-certs", map[string]string{"apiserver.crt": "apiserver/apiserver.crt", "apiserver.key": "apiserver/apiserver.key"}},
		{"2.3's Manager", enterprise, system, "kube-system/cnx-manager-tls", map[string]string{"cert": "manager/manager.crt", "key": "manager/manager.key"}},
		{"etcd", enterprise, system, "kube-system/calico-etcd-secrets", map[string]string{"etcd-ca": "etcd/ca.crt", "etcd-cert": "etcd/client.crt", "etcd-key": "etcd/client.key"}},
		{"etcd's paths", with(enterprise, "etcd.hosts", "10.0.0.1,fd00::1"), system, "kube-system/calico-config", map[string]string{
			"etcd_endpoints": "=https://10.0.0.1:2379,https://[fd00::1]:2379",
			"etcd_ca":        "=/calico-secrets/etcd-ca", "etcd_cert": "=/calico-secrets/etcd-cert", "etcd_key": "=/calico-secrets/etcd-key",
		}},
		{"etcd, each component by itself", with(manifest, "etcd.clients", "each"), system, "kube-system/calico-etcd-secrets-cni", map[string]string{"etcd-ca": "etcd/ca.crt", "etcd-cert": "etcd/cni.crt", "etcd-key": "etcd/cni.key"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			files := render(t, calico(t, c.facts))
			got, ok := things(t, files[c.file].Data)[c.id]
			if !ok {
				t.Fatalf("%s is not in %s:\n%s", c.id, c.file, files[c.file].Data)
			}
			if len(got.Data) != len(c.want) {
				t.Errorf("keys of %s: got %d, want %d", c.id, len(got.Data), len(c.want))
			}
			if got.Metadata.Labels["app.kubernetes.io/managed-by"] != "certwright" || (got.Kind == "ConfigMap") != (got.Type == "") {
				t.Errorf("%s of type %q with labels %v", got.Kind, got.Type, got.Metadata.Labels)
			}
			for key, want := range c.want {
				text, literal := strings.CutPrefix(want, "=")
				if !literal {
					text = string(files["tls/"+want].Data)
				}
				if got.Data[key] != text || text == "" {
					t.Errorf("%s of %s is not %s", key, c.id, want)
				}
				if literal == strings.HasSuffix(text, "\n") {
					t.Errorf("%s of %s: a text has no newline at its end, and a file has one: %q", key, c.id, text[max(0, len(text)-20):])
				}
			}
		})
	}
}

// kube-apiserver refuses a caBundle beside insecureSkipTLSVerify, so both are
// changed in one write.
func TestAPIServicePatch(t *testing.T) {
	const file = "manifests/patches/apiservice-v3.projectcalico.org.json"
	files := render(t, calico(t, map[string]string{"calico.install": "manifest"}))
	f := files[file]
	var patch struct {
		Spec map[string]any
	}
	if err := json.Unmarshal(f.Data, &patch); err != nil {
		t.Fatal(err)
	}
	bundle, _ := patch.Spec["caBundle"].(string)
	ca, err := base64.StdEncoding.DecodeString(bundle)
	if err != nil || !bytes.Equal(ca, files["tls/apiserver/ca.crt"].Data) {
		t.Errorf("caBundle is not the CA: %v", err)
	}
	if skip, there := patch.Spec["insecureSkipTLSVerify"]; !there || skip != nil || len(patch.Spec) != 2 {
		t.Errorf("got %v", patch.Spec)
	}
	if f.Private() || f.Mode != 0o644 || f.NotAfter.IsZero() {
		t.Errorf("a public file that ends: %+v", f.Kind)
	}
	if _, there := render(t, calico(t, nil))[file]; there {
		t.Error("the operator writes its APIService itself")
	}
}

func TestGoldenOfCalico(t *testing.T) {
	data := regexp.MustCompile(`(?m)(: |": ")[A-Za-z0-9+/=]{100,}|^ +(?:[A-Za-z0-9+/=]{10,}|-----.*-----)\n`)
	for name, facts := range map[string]map[string]string{
		"calico-operator":   {"typha.client-uri": "spiffe://example.org/felix", "typha.server-uri": "spiffe://example.org/typha"},
		"calico-manifest":   {"calico.install": "manifest", "etcd.clients": "each"},
		"calico-enterprise": {"calico.install": "enterprise-2.3"},
	} {
		for p, f := range render(t, calico(t, facts)) {
			if f.Kind == layout.KindConfig || f.Kind == layout.KindSecret || p == layout.NextStepsFile {
				golden(t, name+"/"+p, data.ReplaceAll(f.Data, []byte("${1}")))
			}
		}
	}
}

// A namespace that a profile takes from a fact becomes a file's name.
func TestNamespaceThatIsNoName(t *testing.T) {
	for why, spoil := range map[string]func(*topology.Secret){
		"a way up":  func(s *topology.Secret) { s.Namespace = "../../etc" },
		"empty":     func(s *topology.Secret) { s.Namespace = "" },
		"bad name":  func(s *topology.Secret) { s.Name = "A B" },
		"a newline": func(s *topology.Secret) { s.Name = "a\nb" },
	} {
		set := calico(t, nil)
		spoil(&set.Topology.Secrets[0])
		if _, err := layout.Render(request(set, "secrets")); err == nil || !strings.HasPrefix(err.Error(), "render ConfigMap ") || strings.Contains(strings.SplitN(err.Error(), ": ", 2)[0], "\n") {
			t.Errorf("%s: got %v", why, err)
		}
	}
}
