//go:build unix

package quiet_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// With CERTWRIGHT_QUIET_ENV the test binary prints its environment.
func init() {
	if os.Getenv("CERTWRIGHT_QUIET_ENV") != "" {
		_, _ = os.Stdout.WriteString(strings.Join(os.Environ(), "\n"))
		os.Exit(0)
	}
}

func TestVariablesThatTraceTheScreenAreGoneAtTheStart(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(self)
	cmd.Dir = dir
	cmd.Env = []string{"CERTWRIGHT_QUIET_ENV=1", "TEA_TRACE=" + dir + "/trace", "TEA_DEBUG=1", "BASH_COMP_DEBUG_FILE=" + dir + "/comp", "TEAPOT=stays", "HOME=" + dir}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"TEA_TRACE", "TEA_DEBUG", "BASH_COMP_DEBUG_FILE"} {
		if strings.Contains(string(out), gone+"=") {
			t.Errorf("%s is still set", gone)
		}
	}
	if !strings.Contains(string(out), "TEAPOT=stays") || !strings.Contains(string(out), "HOME=") {
		t.Errorf("more is gone than should be: %s", out)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}
