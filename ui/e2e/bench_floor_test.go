//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"certwright/assets/store"
)

// run is what one process took.
type run struct {
	wall, cpu time.Duration
	peak      int64 // of resident memory, KiB
}

func timed(b *testing.B, dir, name string, args ...string) run {
	b.Helper()
	c := exec.Command(name, args...)
	c.Dir = dir
	start := time.Now()
	out, err := c.CombinedOutput()
	r := run{wall: time.Since(start)}
	if err != nil {
		b.Fatalf("%s %v: %v\n%s", filepath.Base(name), args, err, out)
	}
	r.cpu = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	if u, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.peak = u.Maxrss
	}
	return r
}

// buildFloor builds the program that certwright is held against.
func buildFloor(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "floor")
	if out, err := exec.Command("go", "build", "-o", path, "./internal/floor").CombinedOutput(); err != nil {
		b.Fatalf("build the floor: %v\n%s", err, out)
	}
	return path
}

func median[T int64 | time.Duration](list []run, of func(run) T) T {
	var out []T
	for _, r := range list {
		out = append(out, of(r))
	}
	slices.Sort(out)
	return out[len(out)/2]
}

func wall(r run) time.Duration { return r.wall }
func cpu(r run) time.Duration  { return r.cpu }
func peak(r run) int64         { return r.peak }

// turns runs both in turns, so that a busy machine bears on both alike, always
// into directories that were never there: ext4 is slow where something was just
// deleted. It reports our figures and their ratios to the floor's.
func turns(b *testing.B, ours, floor func(dir string) run) (mine []run) {
	b.Helper()
	dir := b.TempDir()
	var theirs []run
	for n := 0; b.Loop(); n++ {
		theirs = append(theirs, floor(filepath.Join(dir, "floor"+strconv.Itoa(n))))
		mine = append(mine, ours(filepath.Join(dir, "ours"+strconv.Itoa(n))))
	}
	b.ReportMetric(float64(median(mine, wall))/float64(median(theirs, wall)), "wall/floor")
	b.ReportMetric(float64(median(mine, cpu))/float64(median(theirs, cpu)), "cpu/floor")
	b.ReportMetric(float64(median(mine, cpu).Milliseconds()), "cpu-ms")
	b.ReportMetric(float64(median(mine, peak))/1024, "peak-MiB")
	return mine
}

func writePlan(b *testing.B, name, text string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkFloorSet is the whole process: read the plan, make, check, prove and
// durably write the Tectonic set. The goals: RSA-2048 at most 1.3 of the
// floor's wall time, P-256 at most 60 ms of CPU.
func BenchmarkFloorSet(b *testing.B) {
	floor := buildFloor(b)
	for _, alg := range []string{"ecdsa-p256", "rsa-2048"} {
		plan := writePlan(b, "plan.yaml", "apiVersion: certwright/v1\nprofile: tectonic\nfacts: {cluster.name: demo}\nkeys: {algorithm: "+alg+"}\n")
		b.Run("alg="+alg, func(b *testing.B) {
			turns(b, func(dir string) run { return timed(b, "", program, "apply", "-f", plan, "--out", dir) },
				func(dir string) run { return timed(b, "", floor, "set", "-alg", alg, "-out", dir) })
		})
	}
}

// nodesPlan is the plan of a Kubernetes cluster of n nodes.
func nodesPlan(b *testing.B, n int) string {
	var table strings.Builder
	table.WriteString("name,role,addresses\n")
	for i := range n {
		role := "worker"
		if i < 3 {
			role = "control-plane"
		}
		fmt.Fprintf(&table, "node-%05d,%s,10.%d.%d.%d\n", i, role, i>>16, i>>8&255, i&255)
	}
	return writePlan(b, "plan.yaml", "apiVersion: certwright/v1\nprofile: kubernetes\nfacts: {cluster.name: demo}\nnodes: {from: "+writePlan(b, "nodes.csv", table.String())+"}\n")
}

// BenchmarkFloorNodes is a Kubernetes cluster, 1,000 and 10,000 nodes; with
// -short 300. The goals: at most 1.25 of the floor, under 64 MiB, and for ten
// times the nodes at most 1.2 times the memory. Of 10,000 it is 1.1, of 1,000 1.2:
// starting, proving a sample and drawing take as long for both.
func BenchmarkFloorNodes(b *testing.B) {
	floor := buildFloor(b)
	sizes := []int{1000, 10_000}
	if testing.Short() {
		sizes = []int{300}
	}
	for _, n := range sizes {
		plan := nodesPlan(b, n)
		b.Run("nodes="+strconv.Itoa(n), func(b *testing.B) {
			turns(b, func(dir string) run { return timed(b, "", program, "apply", "-f", plan, "--out", dir) },
				func(dir string) run { return timed(b, "", floor, "nodes", "-n", strconv.Itoa(n), "-out", dir) })
		})
	}
}

// BenchmarkFloorNodesAdded is a second run into a set of 10,000 nodes, with -short
// 300, of a plan with 100 nodes more: it reads the whole set back, and issues for
// the new ones alone. Its floor is our own first run.
func BenchmarkFloorNodesAdded(b *testing.B) {
	n := 10_000
	if testing.Short() {
		n = 300
	}
	first, more := nodesPlan(b, n), nodesPlan(b, n+100)
	kept := ""
	turns(b, func(dir string) run {
		dir = strings.Replace(dir, "ours", "floor", 1)
		r := timed(b, "", program, "apply", "-f", more, "--out", dir)
		m, err := store.ReadManifest(store.OS(), dir)
		if err != nil {
			b.Fatal(err)
		}
		if now := keyOf(m, "nodes/node-00100/"); now == "" || now != kept {
			b.Fatal("a key of a node that was there is another one now")
		}
		return r
	}, func(dir string) run {
		r := timed(b, "", program, "apply", "-f", first, "--out", dir)
		m, err := store.ReadManifest(store.OS(), dir)
		if err != nil {
			b.Fatal(err)
		}
		kept = keyOf(m, "nodes/node-00100/")
		return r
	})
}

// keyOf is the digest of a key below a directory of a set.
func keyOf(m *store.Manifest, dir string) string {
	for _, f := range m.Files.All() {
		if strings.HasPrefix(f.Path, dir) && f.Kind == "key" {
			return f.SHA256
		}
	}
	return ""
}
