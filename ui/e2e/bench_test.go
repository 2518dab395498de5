//go:build unix

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// These benchmarks look at the wizard from outside, through a pseudo terminal,
// beside a bare program of the same libraries. Run them alone on the machine:
//
//	go test -run '^$' -bench Pty -benchtime 50x ./ui/e2e
//
// They print milliseconds and judge none.

// bareProgram is built once, when the first benchmark asks for it, beside the
// certwright that is removed with its directory when the tests end.
var bareProgram = sync.OnceValues(func() (string, error) {
	path := program + "-bare"
	out, err := exec.Command("go", "build", "-o", path, "certwright/ui/e2e/internal/bare").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// meter is a program on a pseudo terminal, with the time of everything it writes.
type meter struct {
	b      *testing.B
	cmd    *exec.Cmd
	master *os.File
	chunks chan chunk
	began  time.Time
	mute   bool // the terminal answers no question
}

type chunk struct {
	at   time.Time
	data []byte
}

// measure starts a program. The terminal answers the questions that terminals
// answer, unless mute.
func measure(b *testing.B, w, h int, mute bool, dir string, env []string, args ...string) *meter {
	b.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		b.Skipf("no pseudo terminal here: %v", err)
	}
	if err := pty.Setsize(master, &pty.Winsize{Rows: uint16(h), Cols: uint16(w)}); err != nil {
		b.Fatal(err)
	}
	m := &meter{b: b, master: master, chunks: make(chan chunk, 1<<16), mute: mute}
	m.cmd = exec.Command(args[0], args[1:]...)
	m.cmd.Dir, m.cmd.Env = dir, append(environment(b.TempDir()), env...)
	m.cmd.Stdin, m.cmd.Stdout, m.cmd.Stderr = slave, slave, slave
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	m.began = time.Now()
	if err := m.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	slave.Close()
	go m.read()
	return m
}

func (m *meter) read() {
	defer close(m.chunks)
	for {
		buf := make([]byte, 64<<10)
		n, err := m.master.Read(buf)
		if n > 0 {
			now := time.Now()
			if !m.mute && bytes.Contains(buf[:n], []byte("\x1b]11;?")) {
				_, _ = m.master.WriteString("\x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?62;22c") // a write that fails shows as silence
			}
			if !m.mute && bytes.Contains(buf[:n], []byte("\x1b[6n")) {
				_, _ = m.master.WriteString("\x1b[1;1R")
			}
			m.chunks <- chunk{now, buf[:n]}
		}
		if err != nil {
			return
		}
	}
}

// until waits for a text, across the chunks from here on, and says when it came.
func (m *meter) until(text string) time.Time {
	m.b.Helper()
	var all []byte
	limit := time.After(patience)
	for {
		select {
		case c, open := <-m.chunks:
			if !open {
				m.b.Fatalf("the program ended without %q: %q", text, all)
			}
			all = append(all, c.data...)
			if strings.Contains(style.ReplaceAllString(string(all), ""), text) {
				return c.at
			}
		case <-limit:
			m.b.Fatalf("no %q: %q", text, all)
		}
	}
}

// quiet reads until nothing came for a while, and counts the bytes.
func (m *meter) quiet(d time.Duration) (n int) {
	for {
		select {
		case c, open := <-m.chunks:
			if !open {
				return n
			}
			n += len(c.data)
		case <-time.After(d):
			return n
		}
	}
}

func (m *meter) send(text string) time.Time {
	now := time.Now()
	if _, err := m.master.WriteString(text); err != nil {
		m.b.Fatal(err)
	}
	return now
}

// key presses a key and gives the time to the first byte that it brings, and how
// many come.
func (m *meter) key(press string) (time.Duration, int) {
	m.b.Helper()
	from := m.send(press)
	select {
	case c := <-m.chunks:
		return c.at.Sub(from), len(c.data) + m.quiet(25*time.Millisecond)
	case <-time.After(5 * time.Second):
		m.b.Fatalf("%q brings nothing", press)
	}
	return 0, 0
}

// end kills the program and gives the CPU time that it took and its largest
// resident size in bytes.
func (m *meter) end() (cpu time.Duration, peak int64) {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait() // killed
	m.master.Close()
	usage, _ := m.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if usage == nil {
		return 0, 0
	}
	return m.cmd.ProcessState.UserTime() + m.cmd.ProcessState.SystemTime(), usage.Maxrss << 10
}

// resident is how much memory the program has now, in bytes.
func (m *meter) resident() float64 {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(m.cmd.Process.Pid) + "/statm")
	fields := strings.Fields(string(data))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize())
}

// spread reports the median and the 99th percentile.
func spread(b *testing.B, what string, ds []time.Duration) {
	slices.Sort(ds)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(ds[len(ds)/2]), what+"-p50-ms")
	b.ReportMetric(ms(ds[min(len(ds)-1, len(ds)*99/100)]), what+"-p99-ms")
	b.ReportMetric(0, "ns/op")
}

// subjects are the wizard and what it is held against.
func subjects(b *testing.B) map[string][]string {
	bare, err := bareProgram()
	if err != nil {
		b.Fatal(err)
	}
	return map[string][]string{"bare": {bare}, "wizard": {program}}
}

func firstText(subject string) string {
	if subject == "bare" {
		return "row 9"
	}
	return "leave" // in the last line
}

func BenchmarkPtyStart(b *testing.B) {
	for _, mute := range []bool{false, true} {
		for _, name := range []string{"bare", "wizard"} {
			if mute && name == "bare" {
				continue // the library alone waits for 5 s
			}
			args := subjects(b)[name]
			b.Run(fmt.Sprintf("%s/mute=%v", name, mute), func(b *testing.B) {
				var took []time.Duration
				var cpu time.Duration
				for range b.N {
					m := measure(b, 80, 24, mute, b.TempDir(), nil, args...)
					took = append(took, m.until(firstText(name)).Sub(m.began))
					m.quiet(30 * time.Millisecond)
					c, _ := m.end()
					cpu += c
				}
				b.ReportMetric(float64(cpu.Microseconds())/1000/float64(b.N), "cpu-ms")
				spread(b, "first-text", took)
			})
		}
	}
}

func BenchmarkPtyVersion(b *testing.B) {
	var cpu time.Duration
	for range b.N {
		cmd := exec.Command(program, "version")
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	b.ReportMetric(float64(cpu.Microseconds())/1000/float64(b.N), "cpu-ms")
}

// fleet is a directory with a plan of n nodes.
func fleet(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	var csv strings.Builder
	csv.WriteString("name,role,addresses\ncp-0,control-plane,10.0.0.10\n")
	for i := range n - 1 {
		fmt.Fprintf(&csv, "node-%05d,worker,10.%d.%d.%d\n", i, 1+i>>16, i>>8&255, i&255)
	}
	plan := "apiVersion: certwright/v1\nprofile: kubernetes\nfacts: {cluster.name: demo}\nnodes: {from: nodes.csv}\n"
	for name, text := range map[string]string{"nodes.csv": csv.String(), "plan.yaml": plan} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// BenchmarkPtyKeys moves up and down on each screen, with as many nodes.
func BenchmarkPtyKeys(b *testing.B) {
	const down, up = "\x1b[B", "\x1b[A"
	b.Run("bare", func(b *testing.B) {
		m := measure(b, 80, 24, false, b.TempDir(), nil, subjects(b)["bare"]...)
		m.until(firstText("bare"))
		m.keys(b, down, up)
	})
	for _, n := range []int{1, 10_000} {
		dir := fleet(b, n)
		for _, s := range []struct{ name, wait string }{{"Profile", "Profile"}, {"Facts", "Facts"}, {"Components", "Components"}, {"Topology", "proved"}, {"Review", "Checked, and"}} {
			b.Run(fmt.Sprintf("%s/nodes=%d", s.name, n), func(b *testing.B) {
				m := measure(b, 80, 24, false, dir, nil, program, "--config", "plan.yaml")
				m.until("[Profile]")
				for _, step := range []string{"Facts", "Components", "Topology", "Review"} {
					if s.name == "Profile" {
						break
					}
					m.quiet(100 * time.Millisecond)
					m.send("\r")
					if step != s.name {
						m.until("[" + step + "]")
						continue
					}
					m.until(s.wait)
					break
				}
				m.quiet(300 * time.Millisecond)
				m.keys(b, down, up)
			})
		}
	}
}

// keys presses two keys in turn, and reports.
func (m *meter) keys(b *testing.B, a, other string) {
	b.Helper()
	var took []time.Duration
	var sizes []int
	for i := range max(b.N, 2) {
		press := a
		if i%2 == 1 {
			press = other
		}
		d, n := m.key(press)
		took, sizes = append(took, d), append(sizes, n)
		time.Sleep(time.Duration(i%9) * time.Millisecond) // at any moment of the frame
	}
	slices.Sort(sizes)
	b.ReportMetric(float64(sizes[len(sizes)/2]), "bytes-p50")
	if !testing.Short() {
		if along := m.walk(a, other); len(along) > 0 {
			b.ReportMetric(float64(along[len(along)/2]), "bytes-walk-p50")
		}
	}
	b.ReportMetric(m.resident()/(1<<20), "MiB")
	_, peak := m.end()
	b.ReportMetric(float64(peak)/(1<<20), "MiB-peak")
	spread(b, "repaint", took)
}

// walk goes along a list and back, and gives the bytes of each step, sorted;
// presses at its ends, which bring nothing, are not among them.
func (m *meter) walk(there, back string) []int {
	var sizes []int
	for i := range 20 {
		press := there
		if i >= 10 {
			press = back
		}
		m.send(press)
		if n := m.quiet(50 * time.Millisecond); n > 0 {
			sizes = append(sizes, n)
		}
	}
	slices.Sort(sizes)
	return sizes
}

// BenchmarkPtyPaste pastes into a slot, to the moment when a key works again.
func BenchmarkPtyPaste(b *testing.B) {
	for _, size := range []int{64 << 10, 1<<20 - 4096, 10 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			block := "-----BEGIN CERTIFICATE-----\n" + strings.Repeat(strings.Repeat("A", 64)+"\n", 12) + "-----END CERTIFICATE-----\n"
			text := "\x1b[200~" + strings.Repeat(block, size/len(block)) + "\x1b[201~"
			var took []time.Duration
			for range b.N {
				m := certsStep(b, b.TempDir())
				m.send("p")
				m.until("Paste")
				m.quiet(50 * time.Millisecond)
				from := m.send(text)
				m.send("\x1bOP") // f1: help is drawn when keys are read again
				took = append(took, m.until("close help").Sub(from))
				m.end()
			}
			spread(b, "settled", took)
		})
	}
}

// BenchmarkPtyWrite rests on Review for ten seconds, as a person does who reads
// it, and takes the time from Enter to Done. The keys are made meanwhile; the
// first of the metrics is what a key press takes while they are.
func BenchmarkPtyWrite(b *testing.B) {
	for _, alg := range []string{"ecdsa-p256", "rsa-2048", "rsa-3072", "rsa-4096"} {
		b.Run(alg, func(b *testing.B) {
			var took, keys []time.Duration
			for range b.N {
				dir := b.TempDir()
				plan := "apiVersion: certwright/v1\nprofile: tectonic\nfacts: {cluster.name: demo}\nkeys: {algorithm: " + alg + "}\n"
				if err := os.WriteFile(filepath.Join(dir, "plan.yaml"), []byte(plan), 0o644); err != nil {
					b.Fatal(err)
				}
				m := measure(b, 80, 24, false, dir, nil, program, "--config", "plan.yaml")
				for _, step := range []string{"[Profile]", "[Facts]", "[Components]"} {
					m.until(step)
					m.quiet(50 * time.Millisecond)
					if step != "[Components]" {
						m.send("\r")
					}
				}
				for i := range 20 { // keys are being made from here on
					d, _ := m.key([]string{"\x1b[B", "\x1b[A"}[i%2])
					keys = append(keys, d)
				}
				m.send("\r")
				m.until("proved")
				m.send("\r")
				m.until("[Review]")
				m.quiet(10 * time.Second)
				from := m.send("\r")
				took = append(took, m.until("[Done]").Sub(from))
				m.end()
			}
			spread(b, "repaint-busy", keys)
			spread(b, "write-to-done", took)
		})
	}
}
