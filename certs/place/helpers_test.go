package place_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	mrand "math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/certs/place"
	"certwright/certs/topology"
)

// now is the clock of all tests here.
var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func profile(t testing.TB, name string) *topology.Profile {
	t.Helper()
	data, err := os.ReadFile("../../assets/profiles/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var p topology.Profile
	if err := yaml.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	for i := range p.Slots {
		if p.Slots[i].Kind == "" {
			p.Slots[i].Kind = topology.Leaf
		}
	}
	return &p
}

func resolve(t testing.TB, name string, facts map[string]string, nodes []topology.Node) *topology.Topology {
	t.Helper()
	topo, problems := topology.ResolveNodes(profile(t, name), facts, nodes)
	for _, p := range problems {
		t.Fatal(p)
	}
	return topo
}

func pointers(topo *topology.Topology) []*topology.Slot {
	var out []*topology.Slot
	for i := range topo.Slots {
		out = append(out, &topo.Slots[i])
	}
	return out
}

// world is a cluster with its whole set.
type world struct {
	name string
	topo *topology.Topology
	set  *certs.Set
}

func newWorld(t testing.TB, name string, topo *topology.Topology) *world {
	t.Helper()
	return newWorldAt(t, name, topo, now)
}

func newWorldAt(t testing.TB, name string, topo *topology.Topology, at time.Time) *world {
	t.Helper()
	set, err := issue.All(t.Context(), issue.Request{Topology: topo, Now: at}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &world{name, topo, set}
}

var fleet = []topology.Node{
	{Name: "cp-0", Role: topology.ControlPlane, Addresses: []string{"10.0.0.10"}},
	{Name: "cp-1", Role: topology.ControlPlane, Addresses: []string{"10.0.0.11"}},
	{Name: "worker-0", Role: topology.Worker, Addresses: []string{"10.0.0.20", "fd00::20"}},
	{Name: "worker-1", Role: topology.Worker, Addresses: []string{"10.0.0.21"}},
	{Name: "worker-10", Role: topology.Worker, Addresses: []string{"10.0.0.30"}},
}

var (
	worldsOnce sync.Once
	allWorlds  []*world
)

// worlds are clusters of all built-in profiles, made once: nothing changes them.
func worlds(t testing.TB) []*world {
	t.Helper()
	worldsOnce.Do(func() {
		for _, w := range []struct {
			name, profile string
			facts         map[string]string
			nodes         []topology.Node
		}{
			{"tectonic", "tectonic", nil, nil},
			{"tectonic with addresses", "tectonic", map[string]string{"etcd.hosts": "10.1.0.1,10.1.0.2", "api.host": "10.1.0.9"}, nil},
			{"kubernetes", "kubernetes", map[string]string{"node.addresses": "10.0.0.10"}, nil},
			{"kubernetes 1.28", "kubernetes", map[string]string{"node.addresses": "10.0.0.10", "kubernetes.version": "1.28"}, nil},
			{"kubernetes with nodes", "kubernetes", nil, fleet},
			{"calico", "calico", nil, nil},
			{"calico with a certificate for each", "calico", map[string]string{"etcd.clients": "each", "typha.client-uri": "spiffe://example.org/felix"}, nil},
			{"k3s", "k3s", map[string]string{"node.addresses": "10.0.0.10"}, nil},
			{"k3s with nodes", "k3s", nil, fleet},
			{"consul", "consul", map[string]string{"node.addresses": "10.0.0.10"}, nil},
			{"consul with nodes", "consul", nil, fleet},
			{"nats", "nats", nil, nil},
			{"nats with all", "nats", map[string]string{"nats.gateways": "here", "nats.leafnodes": "here"}, nil},
			{"calico, enterprise", "calico", map[string]string{"calico.install": "enterprise-2.3"}, nil},
		} {
			allWorlds = append(allWorlds, newWorld(t, w.name, resolve(t, w.profile, w.facts, w.nodes)))
		}
	})
	return allWorlds
}

func (w *world) pair(t testing.TB, id topology.SlotID) *certs.Pair {
	t.Helper()
	p := w.set.Pairs[id]
	if p == nil {
		t.Fatalf("%s has no %s", w.name, id)
	}
	return p
}

// item is what one file of a pile holds and where it belongs.
type item struct {
	data []byte
	slot topology.SlotID
	part place.Part // "" for a file that holds both
	name string
}

// items are a set as single files, without names. Slots that live in a
// kubeconfig alone come as one.
func (w *world) items(t testing.TB) []item {
	t.Helper()
	var out []item
	for i := range w.topo.Slots {
		slot := &w.topo.Slots[i]
		p := w.pair(t, slot.ID)
		switch {
		case slot.Kind == topology.KeyPair:
			out = append(out, item{data: keyPEM(t, p.Key), slot: slot.ID, part: place.Key}, item{data: publicPEM(t, p.Key.Public()), slot: slot.ID, part: place.Cert})
		case slot.Kind == topology.Leaf && slot.Files.Cert == "":
			out = append(out, item{data: w.kubeconfig(t, slot.ID), slot: slot.ID})
		case slot.Kind == topology.CA:
			out = append(out, item{data: material.EncodeCertificates(p.Leaf()), slot: slot.ID, part: place.Cert}, item{data: keyPEM(t, p.Key), slot: slot.ID, part: place.Key})
		default:
			out = append(out, item{data: material.EncodeCertificates(p.Certificates...), slot: slot.ID, part: place.Cert}, item{data: keyPEM(t, p.Key), slot: slot.ID, part: place.Key})
		}
	}
	return out
}

func (w *world) kubeconfig(t testing.TB, id topology.SlotID) []byte {
	t.Helper()
	p := w.pair(t, id)
	ca := w.set.Anchor(w.topo.Slot(id).Authority)
	return kubeconfig(p.Leaf().Subject.CommonName, material.EncodeCertificates(p.Certificates...), keyPEM(t, p.Key), material.EncodeCertificates(ca))
}

func kubeconfig(user string, cert, key, ca []byte) []byte {
	b64 := base64.StdEncoding.EncodeToString
	return []byte(fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: demo
  cluster: {server: "https://demo-api.example.com:6443", certificate-authority-data: %s}
contexts:
- name: c
  context: {cluster: demo, user: %q}
current-context: c
users:
- name: %q
  user: {client-certificate-data: %s, client-key-data: %s}
`, b64(ca), user, user, b64(cert), b64(key)))
}

func keyPEM(t testing.TB, k crypto.Signer) []byte {
	t.Helper()
	b, err := material.EncodeKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func publicPEM(t testing.TB, k crypto.PublicKey) []byte {
	t.Helper()
	b, err := material.EncodePublicKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pile gives items that have no name a random one and shuffles them.
func pile(items []item, seed uint64) ([]place.File, map[string]item) {
	r := mrand.New(mrand.NewPCG(seed, 7))
	names := map[string]item{}
	var files []place.File
	for _, it := range items {
		name := it.name
		for name == "" || names[name].data != nil {
			name = fmt.Sprintf("%s/%08x.%s", []string{"a", "b", "x/y"}[r.IntN(3)], r.Uint32(), []string{"pem", "txt", "crt", "key"}[r.IntN(4)])
		}
		it.name = name
		names[name] = it
		files = append(files, place.File{Name: name, Doc: material.Parse(material.Input{Name: name, Data: it.data})})
	}
	r.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	return files, names
}

// twin writes a slot so that two which nothing in a certificate tells apart are
// the same: kubeadm's etcd server and peer have the same names, subject and usages.
func twin(topo *topology.Topology, id topology.SlotID) topology.SlotID {
	s := topo.Slot(id)
	for i := range topo.Slots {
		o := &topo.Slots[i]
		same := func(a, b topology.Name) bool { return a.String() == b.String() }
		if o.Kind == s.Kind && o.Authority == s.Authority && o.Subject.String() == s.Subject.String() && slices.EqualFunc(o.Names, s.Names, same) && slices.Equal(o.Usages, s.Usages) {
			return o.ID
		}
	}
	return id
}

// expect holds a result against where each file belongs.
func expect(t *testing.T, w *world, r place.Result, names map[string]item) {
	t.Helper()
	got := map[string][]place.Placed{}
	for _, p := range r.Placed {
		got[p.File] = append(got[p.File], p)
		if p.Why == "" {
			t.Errorf("%s is placed without a reason", p.File)
		}
	}
	for name, it := range names {
		if it.slot == "" {
			if len(got[name]) > 0 {
				t.Errorf("%s is in %s (%s), and belongs nowhere", name, got[name][0].Slot, got[name][0].Why)
			}
			continue
		}
		ok := slices.ContainsFunc(got[name], func(p place.Placed) bool {
			return twin(w.topo, p.Slot) == twin(w.topo, it.slot) && (it.part == "" || p.Part == it.part)
		})
		if !ok {
			t.Errorf("%s of %s is placed as %v", it.part, it.slot, got[name])
			for _, u := range r.Unplaced {
				if u.File == name {
					t.Errorf("  unplaced: %s", u.Why)
				}
			}
		}
	}
	for _, u := range r.Unplaced {
		if names[u.File].slot != "" {
			t.Errorf("%s %s is unplaced: %s", names[u.File].slot, names[u.File].part, u.Why)
		}
	}
}

// outcome is a result with contents in the place of names, to compare two.
func outcome(r place.Result, names map[string]item) string {
	var lines []string
	for _, p := range r.Placed {
		lines = append(lines, fmt.Sprintf("%s %s %x", p.Slot, p.Part, material.Parse(material.Input{Data: names[p.File].data}).SHA256[:4]))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// sign issues a template under a CA, with a key.
func sign(t testing.TB, template *x509.Certificate, ca *certs.Pair, key crypto.Signer) *x509.Certificate {
	t.Helper()
	parent, signer := template, key
	if ca != nil {
		parent, signer = ca.Leaf(), ca.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// again is a template like a certificate, to be changed and signed anew.
func again(c *x509.Certificate) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: new(big.Int).Add(c.SerialNumber, big.NewInt(1)), Subject: c.Subject,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, KeyUsage: c.KeyUsage, ExtKeyUsage: c.ExtKeyUsage,
		BasicConstraintsValid: c.BasicConstraintsValid, IsCA: c.IsCA, MaxPathLen: c.MaxPathLen, MaxPathLenZero: c.MaxPathLenZero,
		DNSNames: slices.Clone(c.DNSNames), IPAddresses: slices.Clone(c.IPAddresses), URIs: slices.Clone(c.URIs),
	}
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := issue.NewKeys(1).Key(t.Context(), issue.ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func newSerial() *big.Int { return big.NewInt(mrand.Int64()) }
