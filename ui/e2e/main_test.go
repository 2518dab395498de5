//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"certwright/ui/e2e/internal/scenario"
)

// program is the certwright that the tests drive.
var program string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	if given := os.Getenv("CERTWRIGHT_E2E_BINARY"); given != "" {
		var err error
		if program, err = filepath.Abs(given); err != nil {
			return 0, err
		}
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "certwright-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "certwright")
	build := exec.Command("go", "build", "-o", program, "certwright")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build certwright: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// need skips a test without a tool, or fails it where all must run.
func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("CERTWRIGHT_E2E") == "must" {
			t.Fatalf("%s is not installed, and CERTWRIGHT_E2E=must", tool)
		}
		t.Skipf("%s is not installed", tool)
	}
}

// place is a directory with the files of a scenario, and the scenario.
func place(t *testing.T, name string) (string, scenario.Scenario) {
	t.Helper()
	s, known := scenario.Named(name)
	if !known {
		t.Fatalf("no scenario %q", name)
	}
	need(t, "openssl")
	dir := t.TempDir()
	if err := s.Set(dir, program); err != nil {
		t.Fatal(err)
	}
	return dir, s
}

// environment is a person's: small, the same everywhere, with a home of its own.
func environment(home string, more ...string) []string {
	path := filepath.Dir(program) + string(filepath.ListSeparator) + os.Getenv("PATH")
	return append([]string{"HOME=" + home, "PATH=" + path, "LANG=C.UTF-8", "TERM=xterm-256color", "SHELL=/bin/sh"}, more...)
}

// command is certwright with arguments, not yet started.
func command(dir, home string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = dir, environment(home)
	return cmd
}

// headless runs certwright without a terminal.
func headless(t *testing.T, dir string, args ...string) (status int, out string) {
	t.Helper()
	cmd := command(dir, t.TempDir(), args...)
	b, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

// slowness is how many times slower than an idle machine this one is now, at
// least 1: certwright version takes less than 50 ms on an idle one.
var slowness = sync.OnceValue(func() float64 {
	began := time.Now()
	for range 5 {
		_ = exec.Command(program, "version").Run() // what it says is another test's
	}
	return max(1, float64(time.Since(began))/float64(5*50*time.Millisecond))
})

// within is a limit for an idle machine, made longer where this one is slower.
func within(limit time.Duration) time.Duration { return time.Duration(float64(limit) * slowness()) }

// has fails unless dir holds each of the files.
func has(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, f := range files {
		if _, err := os.Stat(filepath.Join(dir, f)); err != nil {
			t.Errorf("%s is not there: %v", f, err)
		}
	}
}

// hasNot fails if dir holds one of the files.
func hasNot(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, f)); err == nil {
			t.Errorf("%s is there", f)
		}
	}
}

func read(t *testing.T, elements ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// holds fails unless a file has each of the texts in it.
func holds(t *testing.T, file string, texts ...string) {
	t.Helper()
	got := read(t, file)
	for _, text := range texts {
		if !strings.Contains(got, text) {
			t.Errorf("%s has no %q:\n%s", file, text, got)
		}
	}
}

// verifies asks openssl whether a certificate chains to an anchor for a purpose.
func verifies(t *testing.T, dir, purpose, anchor, cert string) {
	t.Helper()
	cmd := exec.Command("openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", anchor, "-untrusted", cert, cert)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("openssl verify %s: %v: %s", cert, err, out)
	}
}

// certificate is what openssl says about a certificate.
func certificate(t *testing.T, elements ...string) string {
	t.Helper()
	out, err := exec.Command("openssl", "x509", "-noout", "-text", "-nameopt", "RFC2253", "-in", filepath.Join(elements...)).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl x509: %v: %s", err, out)
	}
	return string(out)
}

// sound fails unless a directory is one whole set: the manifest agrees with the
// files, and every handshake works.
func sound(t *testing.T, dir, set string) {
	t.Helper()
	for _, command := range [][]string{{"status", set}, {"validate", set}, {"prove", set}} {
		if code, out := headless(t, dir, command...); code != 0 {
			t.Errorf("certwright %s %s: status %d\n%s", command[0], set, code, out)
		}
	}
}
