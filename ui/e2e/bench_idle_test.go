//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkPtyIdle rests on a screen, in turns with the bare program on its own,
// and reports the CPU time of the one by the other's, and what is sent meanwhile.
// The goals: at most 1.15, and nothing.
func BenchmarkPtyIdle(b *testing.B) {
	const rest = 10 * time.Second
	dir := fleet(b, 10_000)
	for _, steps := range [][]string{{}, {"Facts", "Components"}, {"Facts", "Components", "Topology"}} {
		name := "Profile"
		if len(steps) > 0 {
			name = steps[len(steps)-1]
		}
		b.Run(name, func(b *testing.B) {
			var ratios []float64
			sent := 0
			for range b.N {
				bare := measure(b, 80, 24, false, b.TempDir(), nil, subjects(b)["bare"]...)
				bare.until(firstText("bare"))
				floor, _ := bare.idle(rest)
				bare.end()
				m := measure(b, 80, 24, false, dir, nil, program, "--config", "plan.yaml")
				m.until("[Profile]")
				for _, step := range steps {
					m.quiet(300 * time.Millisecond)
					m.send("\r")
					m.until("[" + step + "]")
				}
				ours, n := m.idle(rest)
				m.end()
				ratios, sent = append(ratios, float64(ours)/float64(floor)), sent+n
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "idle/floor")
			b.ReportMetric(float64(sent), "idle-bytes")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// idle is the CPU time of a program that nobody touches, once it has come to
// rest, and the bytes that it sends.
func (m *meter) idle(d time.Duration) (time.Duration, int) {
	m.quiet(2 * time.Second)
	before := m.running()
	n := m.quiet(d)
	return m.running() - before, n
}

// running is the CPU time that the program took so far.
func (m *meter) running() (all time.Duration) {
	tasks, _ := filepath.Glob("/proc/" + strconv.Itoa(m.cmd.Process.Pid) + "/task/*/schedstat")
	for _, task := range tasks {
		data, _ := os.ReadFile(task) // a thread may have ended
		first, _, _ := strings.Cut(string(data), " ")
		ns, _ := strconv.ParseInt(first, 10, 64)
		all += time.Duration(ns)
	}
	if all == 0 {
		m.b.Skip("the system tells no CPU time of threads")
	}
	return all
}
