package place_test

import (
	"context"
	"crypto"
	"fmt"
	"strings"
	"sync"
	"testing"

	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/certs/place"
	"certwright/certs/topology"
)

// nodesOf is a cluster of n nodes, three of them control planes.
func nodesOf(n int) []topology.Node {
	var out []topology.Node
	for i := range n {
		role := topology.Worker
		if i < 3 {
			role = topology.ControlPlane
		}
		out = append(out, topology.Node{Name: fmt.Sprintf("node-%05d", i), Role: role, Addresses: []string{fmt.Sprintf("10.%d.%d.%d", 1+i>>16, i>>8&255, i&255)}})
	}
	return out
}

// manyFiles are the certificates of a fleet, and their keys: 10,000
// certificates are those of 5,000 nodes.
func manyFiles(tb testing.TB, nodes int) (*world, []place.File) {
	tb.Helper()
	topo := resolve(tb, "kubernetes", nil, nodesOf(nodes))
	set, err := issue.All(tb.Context(), issue.Request{Topology: topo, Now: now}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	w := &world{"fleet", topo, set}
	var files []place.File
	add := func(data []byte) {
		name := fmt.Sprintf("%06x", len(files)*7919%1000003)
		files = append(files, place.File{Name: name, Doc: material.Parse(material.Input{Name: name, Data: data})})
	}
	for id, p := range set.Pairs {
		if topo.Slot(id).Kind == topology.KeyPair {
			continue
		}
		add(material.EncodeCertificates(p.Leaf()))
		add(keyPEM(tb, p.Key))
	}
	return w, files
}

func TestAFleetIsSorted(t *testing.T) {
	w, files := manyFiles(t, 300)
	r := place.Sort(pointers(w.topo), files)
	if len(r.Unplaced) > 0 {
		t.Errorf("%d of %d unplaced, the first: %+v", len(r.Unplaced), len(files), r.Unplaced[0])
	}
	docs := map[string]*material.Document{}
	for _, f := range files {
		docs[f.Name] = f.Doc
	}
	for _, p := range r.Placed {
		if c := docs[p.File].X509(); p.Part == place.Cert && twin(w.topo, p.Slot) == p.Slot && !c[0].Equal(w.set.Pairs[p.Slot].Leaf()) && p.Slot.Component() != "etcd" {
			t.Errorf("%s got %s", p.Slot, c[0].Subject)
		}
	}
}

func BenchmarkSort10000(b *testing.B) {
	w, files := manyFiles(b, 5000)
	slots := pointers(w.topo)
	b.ReportAllocs()
	for b.Loop() {
		if r := place.Sort(slots, files); len(r.Unplaced) > 0 {
			b.Fatalf("%d unplaced", len(r.Unplaced))
		}
	}
}

// Ten thousand certificates that are all alike to a cluster of eleven slots.
func BenchmarkSortStrangers10000(b *testing.B) {
	_, files := manyFiles(b, 5000)
	slots := pointers(resolve(b, "tectonic", nil, nil))
	b.ReportAllocs()
	for b.Loop() {
		place.Sort(slots, files)
	}
}

// Of keys that match nothing, each goes with the certificate in its node's own
// folder, and finding it is not a search through those of all nodes.
func TestKeysOfAnotherFleetStayWithTheirNodes(t *testing.T) {
	const nodes = 40
	w, _ := manyFiles(t, nodes)
	other, _ := manyFiles(t, nodes)
	var files []place.File
	add := func(name string, data []byte) {
		files = append(files, place.File{Name: name, Doc: material.Parse(material.Input{Name: name, Data: data})})
	}
	for id, p := range w.set.Pairs {
		slot := w.topo.Slot(id)
		if slot.Node == "" || slot.Files.Cert == "" || slot.Files.Key == slot.Files.Cert {
			continue
		}
		add("nodes/"+slot.Node+"/"+slot.Files.Cert, material.EncodeCertificates(p.Leaf()))
		add("nodes/"+slot.Node+"/"+slot.Files.Key, keyPEM(t, other.set.Pairs[id].Key))
	}
	r := place.Sort(pointers(w.topo), files)
	found := 0
	for _, p := range r.Placed {
		if node := p.Slot.Node(); p.Part == place.Key {
			if found++; !strings.Contains(p.File, "/"+node+"/") {
				t.Errorf("%s got the key %s", p.Slot, p.File)
			}
		}
	}
	if found < nodes {
		t.Errorf("%d keys were placed; unplaced %+v", found, r.Unplaced)
	}
}

// One key that all nodes share, with a copy in each node's folder: each slot has
// its own folder's copy.
func TestAKeyOfAllNodesIsTakenFromEachsFolder(t *testing.T) {
	const nodes = 40
	topo := resolve(t, "kubernetes", nil, nodesOf(nodes))
	set, err := issue.All(t.Context(), issue.Request{Topology: topo, Now: now, Keys: &oneKey{Keys: issue.NewKeys(1)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var files []place.File
	want := map[topology.SlotID]string{}
	add := func(name string, data []byte) {
		files = append(files, place.File{Name: name, Doc: material.Parse(material.Input{Name: name, Data: data})})
	}
	for id, p := range set.Pairs {
		if slot := topo.Slot(id); slot.Node != "" && slot.Files.Cert != "" && slot.Files.Key != slot.Files.Cert {
			want[id] = "nodes/" + slot.Node + "/" + slot.Files.Key
			add("nodes/"+slot.Node+"/"+slot.Files.Cert, material.EncodeCertificates(p.Leaf()))
			add(want[id], keyPEM(t, p.Key))
		}
	}
	r := place.Sort(pointers(topo), files)
	for id, file := range want {
		if got := r.Find(id, place.Key); got != file {
			t.Errorf("%s has the key %q, want %q", id, got, file)
		}
	}
}

// oneKey makes one key for all that ask.
type oneKey struct {
	*issue.Keys
	once sync.Once
	key  crypto.Signer
	err  error
}

func (k *oneKey) Key(ctx context.Context, a issue.Algorithm) (crypto.Signer, error) {
	k.once.Do(func() { k.key, k.err = k.Keys.Key(ctx, a) })
	return k.key, k.err
}
