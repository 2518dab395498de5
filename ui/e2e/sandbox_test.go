//go:build unix

package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"certwright/ui/e2e/internal/scenario"
)

// Every scenario that a person may ask for can be set up, and opens the wizard.
func TestEveryScenarioOpensTheWizard(t *testing.T) {
	t.Parallel()
	for _, scene := range scenario.All() {
		t.Run(scene.Name, func(t *testing.T) {
			dir, s := place(t, scene.Name)
			if s.About == "" || s.Try == "" {
				t.Error("it does not say what there is and what to try")
			}
			p := attach(t, dir, s.Args...)
			p.see("[Profile]")
			p.send("\x03\x03")
			if got := p.ended(); got != 130 {
				t.Errorf("status %d", got)
			}
		})
	}
}

// The sandbox hands the wizard to whoever sits at the terminal.
func TestTheSandboxHandsOverTheKeyboard(t *testing.T) {
	t.Parallel()
	need(t, "openssl")
	sandbox := t.TempDir() + "/sandbox"
	if out, err := exec.Command("go", "build", "-o", sandbox, "./internal/sandbox").CombinedOutput(); err != nil {
		t.Fatalf("build the sandbox: %v: %s", err, out)
	}
	list, err := exec.Command(sandbox).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, scene := range scenario.All() {
		if !strings.Contains(string(list), scene.Name) {
			t.Errorf("the list has no %s:\n%s", scene.Name, list)
		}
	}
	env := []string{"TMPDIR=" + t.TempDir(), "CERTWRIGHT_E2E_BINARY=" + program}
	s := openWith(t, 80, 24, t.TempDir(), env, sandbox, "-scenario", "corporate-ca")
	s.see("corporate-ca: corp/ca.crt and corp/ca.key", scenario.Passphrase, "Enter starts certwright.")
	s.press("Enter")
	s.see("[Profile]")
	s.through("Facts", "Components")
	s.press("c")
	s.seeRow("etcd", "○", "●")
	s.press("Enter")
	s.see("[CA]", "corp/")
	s.press("C-c", "C-c")
	s.ends(0)
	s.printed("certwright ended with status 130")
}
