package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"certwright/ui/cli"
)

// With CERTWRIGHT_ABORT the test binary is a process that says what it is
// allowed to leave behind, and aborts.
func init() {
	if os.Getenv("CERTWRIGHT_ABORT") == "" {
		return
	}
	if os.Getenv("HARDEN") != "" {
		cli.Harden()
	}
	var core unix.Rlimit
	_ = unix.Getrlimit(unix.RLIMIT_CORE, &core)
	dumpable, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	fmt.Printf("core %d, dumpable %d\n", core.Cur, dumpable)
	_ = unix.Kill(os.Getpid(), unix.SIGABRT)
	select {}
}

func abort(t *testing.T, env ...string) (string, syscall.WaitStatus) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The soft limit is raised as far as it goes, so that a core would be written.
	cmd := exec.Command("sh", "-c", `ulimit -c "$(ulimit -H -c)" 2>/dev/null; exec "$0"`, self)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"GOTRACEBACK=crash", "PATH=" + os.Getenv("PATH"), "CERTWRIGHT_ABORT=1"}, env...)
	var out strings.Builder
	cmd.Stdout = &out
	_ = cmd.Run()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok {
		t.Fatal("no wait status")
	}
	left, err := os.ReadDir(cmd.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 && len(env) > 0 {
		t.Errorf("the crash left %v", left)
	}
	return out.String(), status
}

func TestACrashLeavesNoCore(t *testing.T) {
	before, status := abort(t)
	if !strings.Contains(before, "dumpable 1") {
		t.Skipf("this process may not be dumped anyway: %s", before)
	}
	if !status.CoreDump() {
		t.Logf("no core would be dumped here anyway (%s): only the settings are tested", strings.TrimSpace(before))
	}
	after, status := abort(t, "HARDEN=1")
	if want := "core 0, dumpable 0\n"; after != want {
		t.Errorf("got %q, want %q", after, want)
	}
	if !status.Signaled() || status.CoreDump() {
		t.Errorf("status %v: a core was dumped, or it did not abort", status)
	}
}

// A run is aborted while it holds a passphrase: no core is left, and nothing that
// it has said or written holds the passphrase but the line that showed it.
func TestAnAbortedRunLeavesNoSecret(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err == nil {
		old := limit
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_CORE, &limit) // as high as it goes; the run inherits it
		defer func() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &old) }()
	}
	form := regexp.MustCompile(`\n\s+([0-9a-z]{4}(?:-[0-9a-z]{4}){5})\s`)
	r := newRun(t)
	r.env = append(r.env, "GOTRACEBACK=crash")
	r.put("plan.yaml", fmt.Sprintf(secretsPlan, "ecdsa-p256"))
	pass := ""
	err := r.onTerminal(func(all string, _ func(string)) {
		if found := form.FindStringSubmatch(all); pass == "" && found != nil && strings.Contains(all, "Type it back:") {
			pass = found[1]
			_ = unix.Kill(r.pid, unix.SIGABRT)
		}
	}, "apply", "-f", "plan.yaml", "--encrypt-ca-keys")
	if err == nil || pass == "" {
		t.Fatalf("it was not aborted: %v %q", err, tail(r.said("terminal")))
	}
	if n := strings.Count(r.said("terminal"), pass); n != 1 {
		t.Errorf("the terminal shows the passphrase %d times", n)
	}
	r.nowhere("the passphrase", pass, "terminal")
	for path := range r.tree() {
		if strings.HasPrefix(filepath.Base(path), "core") {
			t.Errorf("a core was left: %s", path)
		}
	}
	if left, _ := filepath.Glob(fmt.Sprintf("/tmp/core*%d*", r.pid)); len(left) > 0 {
		t.Errorf("a core was left: %v", left)
	}
}
