package layout_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"certwright/assets/layout"
	"certwright/assets/profiles"
	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// threeNodes is a cluster of profile kubernetes with all that differs by node.
var threeNodes = []topology.Node{
	{Name: "cp-0", Role: topology.ControlPlane, Addresses: []string{"10.0.0.10", "fd00::10"}},
	{Name: "cp-1", Role: topology.ControlPlane, Addresses: []string{"10.0.0.11"}},
	{Name: "worker-0", Role: topology.Worker, Addresses: []string{"10.0.0.20"}},
}

func kubernetes(t testing.TB, nodes []topology.Node, facts map[string]string) *certs.Set {
	t.Helper()
	p, err := profiles.Load("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	if nodes == nil {
		facts = with(facts, "node.addresses", "10.0.0.10")
	}
	top, problems := topology.ResolveNodes(p, facts, nodes)
	for _, problem := range problems {
		t.Fatal(problem)
	}
	return made(t, issue.Request{Topology: top})
}

func with(facts map[string]string, name, value string) map[string]string {
	out := map[string]string{name: value}
	for k, v := range facts {
		out[k] = v
	}
	return out
}

// clusters are the sets that the tests below hold against each other.
func clusters(t testing.TB) map[string]*certs.Set {
	t.Helper()
	return map[string]*certs.Set{
		"kubernetes-one":   kubernetes(t, nil, nil),
		"kubernetes-three": kubernetes(t, threeNodes, nil),
		"k3s-three":        cluster(t, "k3s", threeNodes, nil),
		"consul-three":     cluster(t, "consul", threeNodes, nil),
		"consul-one":       cluster(t, "consul", nil, map[string]string{"node.addresses": "10.0.0.10", "consul.clients": "auto-encrypt"}),
		"nats-all":         cluster(t, "nats", nil, map[string]string{"nats.gateways": "here", "nats.leafnodes": "here", "nats.verify": "verify-and-map"}),
	}
}

// cluster is a set of a profile of others than Kubernetes' own people.
func cluster(t testing.TB, profile string, nodes []topology.Node, facts map[string]string) *certs.Set {
	t.Helper()
	p, err := profiles.Load(profile)
	if err != nil {
		t.Fatal(err)
	}
	top, problems := topology.ResolveNodes(p, facts, nodes)
	for _, problem := range problems {
		t.Fatal(problem)
	}
	return made(t, issue.Request{Topology: top})
}

func TestGoldenOfKubernetes(t *testing.T) {
	data, pins := regexp.MustCompile(`(-data: ).*`), regexp.MustCompile(`sha256:[0-9a-f]{64}`)
	for name, set := range clusters(t) {
		files := render(t, set)
		var paths []string
		for p, f := range files {
			paths = append(paths, fmt.Sprintf("%v %s", f.Mode, p))
			switch {
			case f.Kind == layout.KindConfig || p == layout.NextStepsFile:
				golden(t, name+"/"+p, pins.ReplaceAll(f.Data, []byte("sha256:replaced")))
			case slices.Contains([]string{"tls/admin.conf", "nodes/cp-0/controller-manager.conf", "nodes/worker-0/kubelet.conf"}, p):
				golden(t, name+"/"+p, data.ReplaceAll(f.Data, []byte("${1}replaced")))
			}
		}
		slices.SortFunc(paths, func(a, b string) int { return strings.Compare(a[11:], b[11:]) })
		golden(t, name+"/files.txt", []byte(strings.Join(paths, "\n")+"\n"))
	}
}

func TestCAKeysAreOnNoWorker(t *testing.T) {
	files := render(t, clusters(t)["kubernetes-three"], "tree")
	for p, f := range files {
		if f.Kind == layout.KindCAKey && strings.HasPrefix(p, "nodes/worker") {
			t.Errorf("%s is on a worker", p)
		}
	}
	if files["nodes/cp-1/pki/ca.key"].Kind != layout.KindCAKey {
		t.Error("kubeadm finds no CA key on a control plane")
	}
}

// What several nodes share is the same file on each, and each has its own of
// the rest.
func TestTreesOfNodesShareWhatIsTheClusters(t *testing.T) {
	files := render(t, clusters(t)["kubernetes-three"], "tree")
	for p, f := range files {
		rest, ok := strings.CutPrefix(p, "nodes/cp-0/")
		if !ok {
			continue
		}
		other := files["nodes/cp-1/"+rest]
		own := f.Slot.Node() != "" || rest == "controller-manager.conf" || rest == "scheduler.conf"
		if len(other.Data) == 0 || bytes.Equal(f.Data, other.Data) == own {
			t.Errorf("%s and cp-1's: the same %v, of its own %v", p, bytes.Equal(f.Data, other.Data), own)
		}
		if shared := files["tls/"+rest]; !own && !bytes.Equal(shared.Data, f.Data) {
			t.Errorf("%s is not tls/%s", p, rest)
		}
	}
}

func TestOneAuthority(t *testing.T) {
	set := kubernetes(t, threeNodes, map[string]string{"authorities": "one"})
	files := render(t, set, "tree", "flags", "cluster-api", "k3s")
	for _, end := range []string{".crt", ".key"} {
		for _, at := range []string{"tls/", "nodes/cp-0/"} {
			if kube := files[at+"pki/ca"+end].Data; len(kube) == 0 || !bytes.Equal(kube, files[at+"pki/etcd/ca"+end].Data) {
				t.Errorf("kubeadm looks for etcd's CA in %spki/etcd/ca%s", at, end)
			}
		}
		if !bytes.Equal(files["k3s/server/tls/etcd/peer-ca"+end].Data, files["tls/pki/ca"+end].Data) {
			t.Errorf("k3s has another CA for etcd: %s", end)
		}
	}
	for file, want := range map[string]string{
		"flags/etcd.txt":           "--trusted-ca-file=/etc/kubernetes/pki/ca.crt\n--peer-trusted-ca-file=/etc/kubernetes/pki/ca.crt\n",
		"flags/kube-apiserver.txt": "--etcd-cafile=/etc/kubernetes/pki/ca.crt\n",
	} {
		if got := string(files[file].Data); !strings.Contains(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", file, got, want)
		}
	}
	objects := things(t, files["cluster-api/demo.yaml"].Data)
	if len(objects) != 4 || objects["demo-etcd"].Data["tls.key"] != objects["demo-ca"].Data["tls.key"] {
		t.Errorf("%d objects, or another CA for etcd", len(objects))
	}
}

func TestClusterAPIObjects(t *testing.T) {
	files := render(t, kubernetes(t, nil, nil), "tree", "cluster-api")
	f := files["cluster-api/demo.yaml"]
	objects := things(t, f.Data)
	for name, want := range map[string][2]string{
		"demo-ca":    {"pki/ca.crt", "pki/ca.key"},
		"demo-etcd":  {"pki/etcd/ca.crt", "pki/etcd/ca.key"},
		"demo-proxy": {"pki/front-proxy-ca.crt", "pki/front-proxy-ca.key"},
		"demo-sa":    {"pki/sa.pub", "pki/sa.key"},
	} {
		o := objects[name]
		if o.Type != "cluster.x-k8s.io/secret" || o.Metadata.Labels["cluster.x-k8s.io/cluster-name"] != "demo" || o.Metadata.Namespace != "" || len(o.Data) != 2 {
			t.Errorf("%s: type %s, labels %v", name, o.Type, o.Metadata.Labels)
		}
		if o.Data["tls.crt"] != string(files["tls/"+want[0]].Data) || o.Data["tls.key"] != string(files["tls/"+want[1]].Data) {
			t.Errorf("%s is not %v", name, want)
		}
	}
	if len(objects) != 4 || f.Mode != 0o600 || f.Kind != layout.KindSecret || f.NotAfter.IsZero() {
		t.Errorf("%d objects in a file of mode %v", len(objects), f.Mode)
	}
}

// k3s takes chains, and the controller manager of a Cluster API node does not.
func TestChainsOfCAsThatAnotherSigned(t *testing.T) {
	p, err := profiles.Load("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	top, _ := topology.Resolve(p, map[string]string{"node.addresses": "10.0.0.10"})
	root := ca(t, "Corp Root", nil)
	modes, brought := map[topology.ComponentID]topology.Mode{}, map[topology.SlotID]*certs.Pair{}
	for _, a := range top.Authorities {
		modes[a.Owner], brought[a.Slot] = topology.BringCA, ca(t, "Corp "+string(a.ID), root)
	}
	files := render(t, made(t, issue.Request{Topology: top, Modes: modes, Brought: brought}), "k3s", "cluster-api", "cert-manager")
	for file, want := range map[string]int{"k3s/server/tls/server-ca.crt": 2, "k3s/server/tls/etcd/peer-ca.crt": 2} {
		if got := len(chain(t, files[file].Data)); got != want {
			t.Errorf("%s: %d certificates, want %d", file, got, want)
		}
	}
	if got := len(chain(t, []byte(things(t, files["cluster-api/demo.yaml"].Data)["demo-ca"].Data["tls.crt"]))); got != 1 {
		t.Errorf("Cluster API's CA: %d certificates", got)
	}
	if got := len(chain(t, []byte(things(t, files["cert-manager/issuers.yaml"].Data)["cert-manager/demo-kube-ca"].Data["tls.crt"]))); got != 2 {
		t.Errorf("cert-manager's CA: %d certificates", got)
	}
}

// kubeadm's external-CA mode: all is there but the CAs' keys.
func TestExternalCA(t *testing.T) {
	whole := kubernetes(t, threeNodes, nil)
	modes, all := map[topology.ComponentID]topology.Mode{}, map[topology.SlotID]*certs.Pair{}
	for _, c := range whole.Topology.Components {
		modes[c.ID] = topology.BringCerts
	}
	for id, p := range whole.Pairs {
		c := *p
		if c.Made = false; whole.Topology.Slot(id).Kind == topology.CA {
			c.Key = nil
		}
		all[id] = &c
	}
	set := made(t, issue.Request{Topology: whole.Topology, Modes: modes, Brought: all})
	files, complete := render(t, set), render(t, whole)
	for p, f := range complete {
		if _, there := files[p]; there == (f.Kind == layout.KindCAKey || strings.HasPrefix(p, "ca/")) {
			t.Errorf("%s: there %v", p, there)
		}
	}
	if len(files) >= len(complete) {
		t.Errorf("%d files", len(files))
	}
	if got := string(files["flags/kube-controller-manager.txt"].Data); strings.Contains(got, "cluster-signing") {
		t.Errorf("the controller manager signs without a key:\n%s", got)
	}
	golden(t, "kubernetes-external/"+layout.NextStepsFile, regexp.MustCompile(`sha256:[0-9a-f]{64}`).ReplaceAll(files[layout.NextStepsFile].Data, []byte("sha256:replaced")))
	for l, want := range map[string]string{
		"cluster-api":  "render the layout cluster-api: it needs the key of kube/ca, which was not handed over; hand it over, or leave the layout out",
		"k3s":          "render the layout k3s: it needs the key of kube/ca, which was not handed over; hand it over, or leave the layout out",
		"cert-manager": "render the layout cert-manager: it needs a CA's key, and none was made or handed over; leave the layout out",
	} {
		if _, err := layout.Render(request(set, l)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", l, err, want)
		}
	}
}

func TestLayoutThatTheProfileHasNothingFor(t *testing.T) {
	for _, l := range []string{"cluster-api", "k3s"} {
		want := "render: profile tectonic does not say what the layout " + l + " is made of; leave it out"
		if _, err := layout.Render(request(sets(t)["generate"], l)); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestCertificatesForCertManager(t *testing.T) {
	set := made(t, issue.Request{Topology: tectonic(t, nil), Algorithm: issue.RSA2048, LeafLife: 24 * time.Hour})
	files := render(t, set, "cert-manager")
	type certificate struct {
		Metadata struct{ Name, Namespace string }
		Spec     struct {
			SecretName  string        `yaml:"secretName"`
			RenewBefore time.Duration `yaml:"renewBefore"`
			Duration    time.Duration
			DNSNames    []string `yaml:"dnsNames"`
			IPAddresses []string `yaml:"ipAddresses"`
			Usages      []string
			PrivateKey  struct {
				Algorithm string
				Size      int
			} `yaml:"privateKey"`
			IssuerRef struct{ Name, Kind string } `yaml:"issuerRef"`
		}
	}
	got := map[string]certificate{}
	dec := yaml.NewDecoder(bytes.NewReader(files["cert-manager/certificates.yaml"].Data))
	for {
		var raw struct {
			certificate `yaml:",inline"`
		}
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		got[raw.Metadata.Name] = raw.certificate
	}
	leaves := 0
	for i := range set.Topology.Slots {
		s := &set.Topology.Slots[i]
		if s.Kind != topology.Leaf {
			continue
		}
		leaves++
		c, ok := got["demo-"+strings.ReplaceAll(string(s.ID), "/", "-")]
		want := []string{"digital signature", "key encipherment"}
		for _, u := range s.Usages {
			want = append(want, string(u))
		}
		if !ok || !slices.Equal(c.Spec.Usages, want) || c.Spec.IssuerRef.Name != "demo-"+string(s.Authority)+"-ca" ||
			!slices.Equal(c.Spec.DNSNames, s.IssuedNames(topology.DNSName)) || !slices.Equal(c.Spec.IPAddresses, s.IssuedNames(topology.IPAddress)) {
			t.Errorf("%s: %+v", s.ID, c)
		}
		if c.Spec.PrivateKey.Algorithm != "RSA" || c.Spec.PrivateKey.Size != 2048 {
			t.Errorf("%s: %+v", s.ID, c.Spec.PrivateKey)
		}
	}
	if len(got) != leaves {
		t.Errorf("%d Certificates for %d slots", len(got), leaves)
	}
	// A Secret that the profile mounts, and that holds what cert-manager writes, is renewed in its place.
	if c := got["demo-ingress-server"]; c.Metadata.Namespace != "tectonic-system" || c.Spec.SecretName != "tectonic-ingress-tls-secret" {
		t.Errorf("got %+v", c)
	}
	if c := got["demo-etcd-peer"]; c.Spec.Duration != 24*time.Hour || c.Spec.RenewBefore != 8*time.Hour {
		t.Errorf("of a day: %v, %v", c.Spec.Duration, c.Spec.RenewBefore)
	}
}

func TestIPv6Only(t *testing.T) {
	set := kubernetes(t, nil, map[string]string{"api.host": "fd00::1", "service.cidr": "fd01::/108"})
	nodes := []topology.Node{{Name: "a", Role: topology.ControlPlane, Addresses: []string{"fd00::10"}}, {Name: "b", Addresses: []string{"fd00::20"}}}
	for name, files := range map[string]map[string]layout.File{
		"one": render(t, set), "two": render(t, kubernetes(t, nodes, map[string]string{"api.host": "fd00::1", "service.cidr": "fd01::/108"})),
	} {
		steps := string(files[layout.NextStepsFile].Data)
		if want := "--control-plane-endpoint [fd00::1]:6443 "; !strings.Contains(steps, want) {
			t.Errorf("%s: %s is not in\n%s", name, want, steps)
		}
		if got := string(files["tls/admin.conf"].Data); !strings.Contains(got, "server: https://[fd00::1]:6443\n") {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func TestOldVersionsHaveNoSuperAdmin(t *testing.T) {
	for p, f := range render(t, kubernetes(t, nil, map[string]string{"kubernetes.version": "1.28"})) {
		if strings.Contains(p, "super-admin") || bytes.Contains(f.Data, []byte("super-admin")) {
			t.Errorf("%s knows a super admin", p)
		}
	}
}

// A profile of nodes that names no places has each tree where the cluster's
// lies, on every machine alike.
func TestNodesWithoutPlaces(t *testing.T) {
	p, err := profiles.Load("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	own := *p
	own.Install = nil
	top, _ := topology.ResolveNodes(&own, nil, threeNodes)
	files := render(t, made(t, issue.Request{Topology: top}))
	if got, want := string(files["flags/etcd.txt"].Data), "--cert-file=/srv/pki/generated/tls/pki/etcd/server.crt\n"; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	steps := string(files[layout.NextStepsFile].Data)
	if want := "'mkdir -p /srv/pki/generated/tls && tar -C /srv/pki/generated/tls --no-same-owner -xpf -'\ndone </srv/pki/generated/nodes.txt"; !strings.Contains(steps, want) {
		t.Errorf("%s is not in\n%s", want, steps)
	}
}

func TestStepOfAProgramWithoutFlags(t *testing.T) {
	set := kubernetes(t, nil, nil)
	set.Topology.NextSteps = []topology.Step{{Title: "x", Program: "nobody", Run: []string{"nobody $FLAGS -c x"}}}
	if steps := string(render(t, set, "tree")[layout.NextStepsFile].Data); !strings.Contains(steps, "\nnobody -c x\n") {
		t.Errorf("got %s", steps)
	}
}
