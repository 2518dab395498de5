package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// buildUnsynced builds the program without the two syncs that a first run of many
// files makes, and with nothing else changed: no such switch is in the program.
func buildUnsynced(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	source, err := filepath.Abs("../../assets/store/fs_linux.go")
	if err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(source)
	if err != nil {
		b.Fatal(err)
	}
	text := string(data)
	for _, sync := range [][2]string{
		{"return unix.Syncfs(int(dir.Fd()))", "return nil"}, // of all files
		{"err := d.Sync()", "var err error"},                // of the directory that the set appears in
	} {
		if strings.Count(text, sync[0]) != 1 {
			b.Fatalf("%s: %q is not there once", source, sync[0])
		}
		text = strings.Replace(text, sync[0], sync[1], 1)
	}
	changed, overlay := filepath.Join(dir, "fs_linux.go"), filepath.Join(dir, "overlay.json")
	rules, err := json.Marshal(map[string]any{"Replace": map[string]string{source: changed}})
	if err != nil {
		b.Fatal(err)
	}
	for path, data := range map[string]string{changed: text, overlay: string(rules)} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	path := filepath.Join(dir, "unsynced")
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", path, "certwright").CombinedOutput(); err != nil {
		b.Fatalf("build without syncs: %v\n%s", err, out)
	}
	return path
}

// BenchmarkFloorSync is the whole first run of a Kubernetes cluster of 10,000
// nodes, with -short 300, beside the same run of the same program without its
// syncs. The goal: at most 1.3 times as long. What the run before has left in
// memory goes to the disk first: a sync is of the whole file system, and one run
// must not pay for the other.
func BenchmarkFloorSync(b *testing.B) {
	n := 10_000
	if testing.Short() {
		n = 300
	}
	plan, unsynced, dir := nodesPlan(b, n), buildUnsynced(b), b.TempDir()
	apply := func(name, out string) run {
		d, err := os.Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		defer d.Close()
		if err := unix.Syncfs(int(d.Fd())); err != nil {
			b.Fatal(err)
		}
		return timed(b, "", name, "apply", "-f", plan, "--out", out)
	}
	var durable, not []run
	for i := 0; b.Loop(); i++ {
		not = append(not, apply(unsynced, filepath.Join(dir, "not"+strconv.Itoa(i))))
		durable = append(durable, apply(program, filepath.Join(dir, "durable"+strconv.Itoa(i))))
	}
	b.ReportMetric(float64(median(durable, wall))/float64(median(not, wall)), "run-sync/floor")
	b.ReportMetric(float64(median(durable, cpu))/float64(median(not, cpu)), "run-sync-cpu/floor")
}
