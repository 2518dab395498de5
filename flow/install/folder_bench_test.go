package install_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spf13/afero"

	"certwright/assets/profiles"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/flow/install"
)

// fleetFolder is a folder with the files of n nodes, under names that tell
// nothing, and how many certificates are in it.
func fleetFolder(b testing.TB, n int) (string, *topology.Topology, int) {
	b.Helper()
	profile, err := profiles.Load("kubernetes")
	if err != nil {
		b.Fatal(err)
	}
	var nodes []topology.Node
	for i := range n {
		role := topology.Worker
		if i < 3 {
			role = topology.ControlPlane
		}
		nodes = append(nodes, topology.Node{Name: fmt.Sprintf("node-%05d", i), Role: role, Addresses: []string{fmt.Sprintf("10.1.%d.%d", i>>8, i&255)}})
	}
	topo, problems := topology.ResolveNodes(profile, nil, nodes)
	for _, p := range problems {
		b.Fatal(p)
	}
	set, err := issue.All(b.Context(), issue.Request{Topology: topo, Now: clock}, nil)
	if err != nil {
		b.Fatal(err)
	}
	dir, files := b.TempDir(), 0
	add := func(data []byte, err error) {
		name := filepath.Join(dir, fmt.Sprintf("%03d", files/1000), fmt.Sprintf("%06d", files*7919%1000003))
		files++
		if err == nil {
			err = os.MkdirAll(filepath.Dir(name), 0o700)
		}
		if err == nil {
			err = os.WriteFile(name, data, 0o600)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	certificates := 0
	for id, p := range set.Pairs {
		if topo.Slot(id).Kind == topology.KeyPair {
			add(material.EncodePublicKey(p.Key.Public()))
		} else {
			certificates++
			add(material.EncodeCertificates(p.Certificates...), nil)
		}
		add(material.EncodeKey(p.Key))
	}
	return dir, topo, certificates
}

// BenchmarkLoadFloor sorts and judges a folder of some 10,000 certificates, with
// their keys beside them and without. The floor reads and parses the same files
// and checks one signature of each certificate, on all cores, and nothing else.
func BenchmarkLoadFloor(b *testing.B) {
	nodes := 5000
	if testing.Short() {
		nodes = 300
	}
	for _, keys := range []bool{true, false} {
		dir, topo, certificates := fleetFolder(b, nodes)
		if !keys {
			dropKeys(b, dir)
		}
		w := &install.World{Read: afero.NewOsFs(), Dir: dir, Now: func() time.Time { return clock }, Rand: rand.Reader}
		b.Run(fmt.Sprintf("certificates=%d/keys=%v", certificates, keys), func(b *testing.B) {
			var ours, floor []time.Duration
			for b.Loop() {
				start := time.Now()
				l := load(b, w, dir, topo)
				ours = append(ours, time.Since(start))
				if keys && !l.OK() || len(l.Sorted.Unplaced) > 0 {
					b.Fatalf("missing %v, unplaced %d, %v", l.Sorted.Missing, len(l.Sorted.Unplaced), first(findings(l), 5))
				}
				start = time.Now()
				if n := readAndVerify(b, dir); n != certificates {
					b.Fatalf("%d signatures hold, of %d", n, certificates)
				}
				floor = append(floor, time.Since(start))
			}
			slices.Sort(ours)
			slices.Sort(floor)
			b.ReportMetric(float64(ours[len(ours)/2].Milliseconds()), "load-ms")
			b.ReportMetric(float64(ours[len(ours)/2])/float64(floor[len(floor)/2]), "x/floor")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// dropKeys leaves a folder of certificates alone.
func dropKeys(b *testing.B, dir string) {
	b.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if data, err := os.ReadFile(path); err != nil || bytes.Contains(data, []byte("BEGIN CERTIFICATE")) {
			return err
		}
		return os.Remove(path)
	})
	if err != nil {
		b.Fatal(err)
	}
}

// readAndVerify is the floor: how many certificates of a folder have a good
// signature of a CA in it.
func readAndVerify(b *testing.B, dir string) int {
	b.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	all := func(f func(i int)) {
		var next atomic.Int64
		var wg sync.WaitGroup
		for range issue.Cores() {
			wg.Go(func() {
				for i := int(next.Add(1)) - 1; i < len(names); i = int(next.Add(1)) - 1 {
					f(i)
				}
			})
		}
		wg.Wait()
	}
	found := make([]*x509.Certificate, len(names))
	all(func(i int) {
		data, err := os.ReadFile(names[i])
		if err != nil {
			b.Error(err)
		}
		block, _ := pem.Decode(data)
		switch {
		case block == nil:
		case block.Type == "CERTIFICATE":
			found[i], _ = x509.ParseCertificate(block.Bytes)
		case block.Type == "PRIVATE KEY":
			_, _ = x509.ParsePKCS8PrivateKey(block.Bytes)
		}
	})
	cas := map[string]*x509.Certificate{}
	for _, c := range found {
		if c != nil && c.IsCA {
			cas[string(c.RawSubject)] = c
		}
	}
	var good atomic.Int64
	all(func(i int) {
		if c := found[i]; c != nil && cas[string(c.RawIssuer)] != nil && c.CheckSignatureFrom(cas[string(c.RawIssuer)]) == nil {
			good.Add(1)
		}
	})
	return int(good.Load())
}

// Sorting, the judgement of each slot and that of the whole check a signature
// once between them, and a second copy of the files adds none.
func TestAFolderChecksEachSignatureOnce(t *testing.T) {
	const nodes = 60
	dir, topo, certificates := fleetFolder(t, nodes)
	w := &install.World{Read: afero.NewOsFs(), Dir: dir, Now: func() time.Time { return clock }, Rand: rand.Reader}
	cas := 0
	for _, s := range topo.Slots {
		if s.Kind == topology.CA {
			cas++
		}
	}
	// A root's own signature tells that it is one, and is no link of a chain.
	want := certificates - cas
	for _, copies := range []string{"", "copies"} {
		if copies != "" {
			if err := os.CopyFS(filepath.Join(dir, copies), os.DirFS(filepath.Join(dir, "000"))); err != nil {
				t.Fatal(err)
			}
		}
		l := load(t, w, dir, topo)
		if !l.OK() {
			t.Fatalf("missing %v, %v", l.Sorted.Missing, first(findings(l), 5))
		}
		// Each is asked for by its slot and by the whole.
		if got := l.Signatures; got.Checked != want || got.Recalled < want {
			t.Errorf("copies %q: %+v, of %d certificates below a CA", copies, got, want)
		}
	}
}

func first[T any](s []T, n int) []T { return s[:min(len(s), n)] }
