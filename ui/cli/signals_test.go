//go:build unix

package cli_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A signal while the keys are made leaves the disk as it was, and the status
// tells which signal it was.
func TestASignalEndsApplyBeforeAnythingIsWritten(t *testing.T) {
	for sig, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		t.Run(sig.String(), func(t *testing.T) {
			if signal.Ignored(sig) {
				t.Skip("these tests run under nohup, which certwright heeds")
			}
			r := newRun(t)
			r.put("plan.yaml", fmt.Sprintf(secretsPlan, "rsa-4096")) // which takes long enough
			cmd := r.command("apply", "-f", "plan.yaml")
			errs, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }).Stop() // it only ends a test that failed
			buf := make([]byte, 4096)
			n, err := errs.Read(buf) // "making keys and certificates"
			if err != nil || !strings.Contains(string(buf[:n]), "making keys") {
				t.Fatalf("%q, %v", buf[:n], err)
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != want {
				t.Errorf("exit status %d, want %d", got, want)
			}
			left, err := os.ReadDir(filepath.Join(r.dir, "work"))
			if err != nil || len(left) != 1 {
				t.Errorf("it left %v, %v", left, err)
			}
		})
	}
}

// A person who has no passphrase at hand can leave: ctrl+c ends the question, and
// the terminal shows again what is typed.
func TestCtrlCLeavesThePassphraseQuestion(t *testing.T) {
	r := newRun(t)
	r.put("plan.yaml", fmt.Sprintf(secretsPlan, "ecdsa-p256"))
	asked := false
	err := r.onTerminal(func(all string, type_ func(string)) {
		if strings.Contains(all, "Type it back") && !asked {
			asked = true
			type_("half of it\x03")
		}
	}, "apply", "-f", "plan.yaml", "--encrypt-ca-keys")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("got %v, want exit status 130: %q", err, tail(r.said("terminal")))
	}
	if left, err := os.ReadDir(filepath.Join(r.dir, "work")); err != nil || len(left) != 1 {
		t.Errorf("it left %v, %v", left, err)
	}
}
