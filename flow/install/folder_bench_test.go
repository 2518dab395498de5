package install_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/afero"

	"certwright/assets/profiles"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/flow/install"
)

// fleetFolder is a folder with the files of n nodes, under names that tell nothing.
func fleetFolder(b *testing.B, n int) (string, *topology.Topology, int) {
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

// Beside it: what parsing these files and checking one signature of each
// certificate takes on all cores, and nothing else.
func BenchmarkLoad10000(b *testing.B) {
	dir, topo, certificates := fleetFolder(b, 5000)
	w := &install.World{Read: afero.NewOsFs(), Dir: dir, Now: func() time.Time { return clock }, Rand: rand.Reader}
	b.ReportMetric(float64(certificates), "certificates")
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if l := load(b, w, dir, topo); !l.OK() || len(l.Sorted.Unplaced) > 0 {
				b.Fatalf("missing %v, unplaced %d, %v", l.Sorted.Missing, len(l.Sorted.Unplaced), first(findings(l), 5))
			}
		}
	})
	b.Run("reading alone", func(b *testing.B) {
		for b.Loop() {
			if _, err := install.ReadFolder(b.Context(), w, dir); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func first[T any](s []T, n int) []T { return s[:min(len(s), n)] }
