package profiles

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"certwright/assets/yamlfile"
	"certwright/certs/topology"
)

func TestEveryBuiltInProfileIsValid(t *testing.T) {
	names := Names()
	if len(names) == 0 || names[0] != "tectonic" {
		t.Fatalf("got %v, want tectonic first", names)
	}
	for _, name := range names {
		p, err := Load(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Name != name {
			t.Errorf("%s.yaml calls itself %s", name, p.Name)
		}
		if p.Title == "" || p.Summary == "" {
			t.Errorf("%s has no title or summary", name)
		}
		if again, _ := Load(name); again != p {
			t.Errorf("%s was parsed twice", name)
		}
		// What only the person can know has no default; its example stands for it.
		given := map[string]string{}
		for _, f := range p.Facts {
			if f.Default == "" && !f.Optional {
				given[f.Name] = f.Example
			}
		}
		if _, problems := topology.Resolve(p, given); len(problems) > 0 {
			t.Errorf("%s: its own defaults are wrong: %v", name, problems)
		}
		for _, f := range p.Facts {
			if f.Example == "" || f.Help == "" || f.Title == "" {
				t.Errorf("%s: fact %s has no title, help or example", name, f.Name)
			}
			if err := f.Check(f.Example); err != nil {
				t.Errorf("%s: example of fact %s: %v", name, f.Name, err)
			}
		}
	}
}

func TestUnknownNameListsTheNames(t *testing.T) {
	for _, name := range []string{"tectonik", "nothing-like-it", "", "../tectonic", "\x1b[2J"} {
		_, err := Load(name)
		if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "the built-in ones are tectonic") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: got %v", name, err)
		}
		if _, err := Source(name); !errors.Is(err, ErrUnknown) {
			t.Errorf("source of %q: got %v", name, err)
		}
	}
	if _, err := Load("tectonik"); !strings.Contains(err.Error(), "did you mean tectonic?") {
		t.Errorf("got %v", err)
	}
}

func TestIsPath(t *testing.T) {
	for profile, want := range map[string]bool{
		"tectonic": false, "": false, "./mine.yaml": true, "mine.yaml": true, "mine.yml": true, "a/b": true, `a\b`: true, "v1.2": false,
	} {
		if got := IsPath(profile); got != want {
			t.Errorf("%q: got %v", profile, got)
		}
	}
}

func TestParseSaysWhere(t *testing.T) {
	good, err := Source("tectonic")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ why, old, new, want string }{
		{"unknown field", "    kind: ca\n", "    knid: ca\n", `unknown field "knid"; did you mean kind?`},
		{"unknown authority of a component", "authority: kube\n    help: The console's", "authority: cube\n    help: The console's", `components[2].authority: unknown authority "cube"`},
		{"unknown fact", "{cn: \"{{ingress.host}}\"}", "{cn: \"{{ingres.host}}\"}", `subject.cn: unknown fact "ingres.host"`},
		{"path out of the tree", "cert: ca.crt, key", "cert: ../ca.crt, key", `files.cert: must be a relative path of lower-case letters, digits, dots and dashes, not "../ca.crt"`},
		{"two slots in one file", "cert: etcd/peer.crt", "cert: etcd/server.crt", `files.cert: etcd/server and etcd/peer would both be written to "etcd/server.crt"`},
		{"unknown layout", "layouts: [tree", "layouts: [tee, tree", `layouts[0]: unknown layout "tee": use tree, kubeconfig, secrets, terraform, flags, cluster-api, k3s, cert-manager`},
		{"wrong default", "    default: 10.3.0.0/16\n", "    default: 10.3.0.0/30\n", "facts[5].default: 10.3.0.0/30 is too small: it has no address number 15"},
		{"CA key as an output", "name: ca_cert_pem}\n      - {module: modules/tls/kube, name: id", "name: ca_cert_pem, field: key}\n      - {module: modules/tls/kube, name: id", "a CA's key is never an output"},
	} {
		t.Run(c.why, func(t *testing.T) {
			if strings.Count(string(good), c.old) == 0 {
				t.Fatalf("the profile has no %q", c.old)
			}
			offset := strings.Index(string(good), c.old)
			bad := string(good[:offset]) + c.new + string(good[offset+len(c.old):])
			_, err := Parse("mine.yaml", []byte(bad))
			all := yamlfile.All(err)
			if len(all) != 1 || !strings.Contains(all[0].Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			line := 1 + strings.Count(bad[:offset], "\n")
			if all[0].Line < line || all[0].Line > line+strings.Count(c.new, "\n") || all[0].Column == 0 || all[0].File != "mine.yaml" {
				t.Errorf("got %v, want line %d", all[0], line)
			}
		})
	}
	if _, err := Parse("empty.yaml", nil); err == nil || !strings.Contains(err.Error(), "empty.yaml: apiVersion: must be certwright/v1") {
		t.Errorf("empty file: got %v", err)
	}
}

func TestKindOfSlotDefaultsToLeaf(t *testing.T) {
	data, err := Source("tectonic")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse("mine.yaml", []byte(strings.ReplaceAll(string(data), "    kind: leaf\n", "")))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(p.Slots, func(s topology.SlotSpec) bool { return s.Kind == topology.Leaf }) {
		t.Error("no leaf")
	}
}

// row is a line of the document that the profile implements.
type row struct {
	kind, authority, subject, names, usages, files string
}

// TestTectonicIsTheTable compares the profile with the TLS topology of
// Tectonic, written down by hand, for the default facts.
func TestTectonicIsTheTable(t *testing.T) {
	const (
		hosts    = "DNS:demo-etcd-0.example.com DNS:demo-etcd-1.example.com DNS:demo-etcd-2.example.com"
		service  = "DNS:*.kube-etcd.kube-system.svc.cluster.local DNS:kube-etcd-client.kube-system.svc.cluster.local"
		reserved = "IP:10.3.0.15 IP:10.3.0.20"
		api      = "DNS:demo-api.example.com DNS:kubernetes DNS:kubernetes.default DNS:kubernetes.default.svc DNS:kubernetes.default.svc.cluster.local IP:10.3.0.1"
		identity = "tectonic-identity-api.tectonic-system.svc.cluster.local"
		both     = "server auth, client auth"
	)
	want := map[string]row{
		"etcd/ca":              {"ca", "etcd", "O=etcd, CN=etcd-ca", "", "", "etcd-client-ca.crt"},
		"etcd/server":          {"leaf", "etcd", "O=etcd, CN=etcd", hosts + " DNS:localhost " + service + " IP:127.0.0.1 IP:::1 " + reserved, both, "etcd/server.crt etcd/server.key"},
		"etcd/peer":            {"leaf", "etcd", "O=etcd, CN=etcd", hosts + " " + service + " " + reserved, both, "etcd/peer.crt etcd/peer.key"},
		"etcd/client":          {"leaf", "etcd", "O=etcd, CN=etcd", "", "client auth", "etcd-client.crt etcd-client.key"},
		"kube/ca":              {"ca", "kube", "O=bootkube, CN=kube-ca", "", "", "ca.crt ca.key"},
		"kube/apiserver":       {"leaf", "kube", "O=kube-master, CN=kube-apiserver", api, both, "apiserver.crt apiserver.key"},
		"kube/kubelet":         {"leaf", "kube", "O=system:masters, CN=kubelet", "", both, "kubelet.crt kubelet.key"},
		"kube/service-account": {"keypair", "", "", "", "", "service-account.key service-account.pub"},
		"identity/server":      {"leaf", "kube", "CN=" + identity, "DNS:" + identity, "server auth", "identity/identity-server.crt identity/identity-server.key"},
		"identity/client":      {"leaf", "kube", "CN=" + identity, "", "client auth", "identity/identity-client.crt identity/identity-client.key"},
		"ingress/ca":           {"ca", "ingress", "O=tectonic, CN=ingress-ca", "", "", "ingress/ca.crt"},
		"ingress/server":       {"leaf", "ingress", "CN=demo.example.com", "DNS:demo.example.com", both, "ingress/ingress.crt ingress/ingress.key"},
	}
	top := resolved(t)
	got := map[string]row{}
	for _, s := range top.Slots {
		var names, usages []string
		for _, n := range s.Names {
			names = append(names, n.String())
		}
		for _, u := range s.Usages {
			usages = append(usages, string(u))
		}
		files := strings.Join(strings.Fields(s.Files.Cert+" "+s.Files.Key+" "+s.Files.Public), " ")
		got[string(s.ID)] = row{string(s.Kind), string(s.Authority), s.Subject.String(), strings.Join(names, " "), strings.Join(usages, ", "), files}
	}
	for id, w := range want {
		if got[id] != w {
			t.Errorf("%s\ngot  %+v\nwant %+v", id, got[id], w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d slots, want %d", len(got), len(want))
	}
}

func TestTectonicConsumers(t *testing.T) {
	want := map[string]string{
		"etcd/ca cert":                "etcd --peer-trusted-ca-file, etcd --trusted-ca-file, kube-apiserver --etcd-cafile",
		"etcd/peer cert":              "etcd --peer-cert-file",
		"etcd/peer key":               "etcd --peer-key-file",
		"etcd/server cert":            "etcd --cert-file",
		"etcd/server key":             "etcd --key-file",
		"etcd/client cert":            "kube-apiserver --etcd-certfile",
		"etcd/client key":             "kube-apiserver --etcd-keyfile",
		"kube/ca cert":                "admission controllers certificate-authority, identity grpc.tlsClientCA, kube-apiserver --client-ca-file, kube-apiserver --kubelet-certificate-authority, kube-controller-manager --cluster-signing-cert-file, kube-controller-manager --root-ca-file, kubelet --client-ca-file",
		"kube/ca key":                 "kube-controller-manager --cluster-signing-key-file",
		"kube/apiserver cert":         "kube-apiserver --kubelet-client-certificate, kube-apiserver --tls-cert-file",
		"kube/apiserver key":          "kube-apiserver --kubelet-client-key, kube-apiserver --tls-private-key-file",
		"kube/kubelet cert":           "kube-controller-manager --kubeconfig, kube-scheduler --kubeconfig, kubelet --kubeconfig",
		"kube/service-account public": "kube-apiserver --service-account-key-file",
		"kube/service-account key":    "kube-apiserver --service-account-signing-key-file, kube-controller-manager --service-account-private-key-file",
		"identity/client cert":        "console BRIDGE_DEX_CLIENT_CERT_FILE",
		"identity/client key":         "console BRIDGE_DEX_CLIENT_KEY_FILE",
		"identity/server cert":        "identity grpc.tlsCert",
		"identity/server key":         "identity grpc.tlsKey",
		"ingress/ca cert":             "console BRIDGE_CA_FILE, kube-apiserver --oidc-ca-file",
		"ingress/server cert":         "ingress controller --default-ssl-certificate",
		"ingress/server key":          "ingress controller --default-ssl-certificate",
	}
	got := map[string][]string{}
	for _, s := range resolved(t).Slots {
		for _, c := range s.Consumers {
			k := fmt.Sprintf("%s %s", s.ID, c.Field)
			got[k] = append(got[k], c.Component+" "+c.Name)
		}
	}
	compare(t, got, want)
}

func TestTectonicOutputs(t *testing.T) {
	want := map[string]string{
		"modules/tls/etcd":     "etcd_ca_crt_pem, etcd_client_crt_pem, etcd_client_key_pem, etcd_peer_crt_pem, etcd_peer_key_pem, etcd_server_crt_pem, etcd_server_key_pem, id",
		"modules/tls/kube":     "apiserver_cert_pem, apiserver_key_pem, ca_cert_pem, id, kubelet_cert_pem, kubelet_key_pem",
		"modules/tls/identity": "client_cert_pem, client_key_pem, server_cert_pem, server_key_pem",
		"modules/tls/ingress":  "ca_cert_pem, cert_pem, key_pem",
	}
	got := map[string][]string{}
	for _, s := range resolved(t).Slots {
		for _, o := range s.Outputs {
			got[o.Module] = append(got[o.Module], o.Name)
			if isKey := strings.Contains(o.Name, "_key_") || strings.HasPrefix(o.Name, "key_"); isKey != (o.Field == topology.FieldKey) {
				t.Errorf("%s of %s is field %s", o.Name, s.ID, o.Field)
			}
		}
	}
	compare(t, got, want)
}

func TestTectonicEdges(t *testing.T) {
	const hosts = "demo-etcd-0.example.com demo-etcd-1.example.com demo-etcd-2.example.com"
	want := map[string]string{
		"etcd/peer -> etcd/peer":             hosts,
		"etcd/client -> etcd/server":         hosts + " localhost",
		"kube/kubelet -> kube/apiserver":     "demo-api.example.com kubernetes kubernetes.default kubernetes.default.svc kubernetes.default.svc.cluster.local 10.3.0.1",
		"kube/apiserver -> kube/kubelet":     "",
		"identity/client -> identity/server": "tectonic-identity-api.tectonic-system.svc.cluster.local",
		" -> ingress/server":                 "demo.example.com",
		"etcd/server -> etcd/server":         "localhost", // etcd's own gateway
	}
	got := map[string]string{}
	for _, e := range resolved(t).Edges {
		var dials []string
		for _, d := range e.Dials {
			dials = append(dials, d.Value)
		}
		got[fmt.Sprintf("%s -> %s", e.Client.Slot, e.Server.Slot)] = strings.Join(dials, " ")
	}
	for k, w := range want {
		if got[k] != w {
			t.Errorf("%s\ngot  %s\nwant %s", k, got[k], w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
}

func resolved(t *testing.T) *topology.Topology {
	t.Helper()
	p, err := Load("tectonic")
	if err != nil {
		t.Fatal(err)
	}
	top, problems := topology.Resolve(p, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return top
}

func compare(t *testing.T, got map[string][]string, want map[string]string) {
	t.Helper()
	for k, w := range want {
		slices.Sort(got[k])
		if g := strings.Join(got[k], ", "); g != w {
			t.Errorf("%s\ngot  %s\nwant %s", k, g, w)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s is in the profile and not in the table: %v", k, got[k])
		}
	}
}
