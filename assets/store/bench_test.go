package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"certwright/assets/store"
)

// fleetFiles is what a cluster of so many nodes has: four files of 1 KB each.
func fleetFiles(nodes int) []store.File {
	data := strings.Repeat("x", 1000)
	var files []store.File
	for i := range nodes {
		for _, name := range []string{"kubelet-client.crt", "kubelet-client.key", "kubelet.conf", "kubelet.crt"} {
			mode := os.FileMode(0o644)
			if name != "kubelet.crt" {
				mode = 0o600
			}
			files = append(files, store.File{
				Path: fmt.Sprintf("nodes/node-%05d/%s", i, name),
				Data: fmt.Appendf(nil, "%s %d", data, i), Mode: mode, Kind: "certificate",
			})
		}
	}
	return files
}

// BenchmarkCommit writes whole sets to a fresh directory, beside a floor that
// writes the same files and neither syncs nor checks.
func BenchmarkCommit(b *testing.B) {
	for _, nodes := range []int{6, scale(1000, 10_000)} {
		files := fleetFiles(nodes)
		b.Run(fmt.Sprintf("files=%d/floor", len(files)), func(b *testing.B) {
			for b.Loop() {
				dir := b.TempDir()
				for _, f := range files {
					p := filepath.Join(dir, f.Path)
					must(os.MkdirAll(filepath.Dir(p), 0o700))
					must(os.WriteFile(p, f.Data, f.Mode))
				}
			}
		})
		b.Run(fmt.Sprintf("files=%d/store", len(files)), func(b *testing.B) {
			for b.Loop() {
				if _, err := commit(b.Context(), store.OS(), filepath.Join(b.TempDir(), "out"), false, files); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("files=%d/over", len(files)), func(b *testing.B) {
			dir := filepath.Join(b.TempDir(), "out")
			if _, err := commit(b.Context(), store.OS(), dir, false, files[4:]); err != nil {
				b.Fatal(err)
			}
			n := 0
			for b.Loop() {
				n++
				files[0].Data = fmt.Append(nil, "another ", n)
				if _, err := commit(b.Context(), store.OS(), dir, true, files); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
