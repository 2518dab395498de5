package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// kubernetesPile writes kubeadm's tree as a person would bring it.
func kubernetesPile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	plan := "apiVersion: certwright/v1\nprofile: kubernetes\nfacts: {node.addresses: 10.0.0.10}\n"
	if err := os.WriteFile(filepath.Join(dir, "plan.yaml"), []byte(plan), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, status := in(t, dir, "apply", "-f", "plan.yaml"); status != 0 {
		t.Fatalf("apply: status %d, %s", status, out)
	}
	return filepath.Join(dir, "generated", "tls")
}

func rewrite(t *testing.T, file, old, now string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s has no %q", file, old)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(data), old, now)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The verdict on a folder tells, slot by slot, what went where and why, then the
// rest, and ends with all of it in one line.
func TestTheVerdictOnAFolderReads(t *testing.T) {
	pile := kubernetesPile(t)
	args := []string{"validate", "--profile", "kubernetes", "--set", "node.addresses=10.0.0.10", "--set", "node.name=demo-cp-0", pile}
	out, status := in(t, pile, args...)
	if last := lastLine(out); status != 0 || !regexp.MustCompile(`^acceptable: no error, no warning, 0 missing, 0 unplaced; (\d+) of \d+ slots acceptable$`).MatchString(last) {
		t.Errorf("status %d: %s", status, out)
	}
	rewrite(t, filepath.Join(pile, "admin.conf"), "demo-api.example.com", "other.example.com")
	for _, f := range []string{"pki/etcd/peer.crt", "pki/etcd/peer.key"} {
		if err := os.Remove(filepath.Join(pile, f)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(pile, "notes\x1b[31m.txt"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(pile, "pki/ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.crt", "b.crt", "c.crt", "d.crt", "e.crt"} {
		if err := os.WriteFile(filepath.Join(pile, name), ca, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, status = in(t, pile, args...)
	if status != 1 {
		t.Errorf("status %d", status)
	}
	at := 0
	for _, want := range []string{
		`(?m)^kube/ca +ok$`,
		`(?m)^  cert      pki/ca.crt$`,
		`(?m)^            it is the issuer of \d+ certificates of this authority$`,
		`(?m)^kube/admin +not acceptable: 1 error$`,
		`(?m)^  cert, key admin.conf$`,
		`(?m)^  error   san-missing  kube/admin  admin.conf$`,
		`(?m)^  public    pki/sa.pub$`,
		`(?m)^unplaced$`,
		`(?m)^  a.crt, b.crt, c.crt and 2 more\n +copies of what is in pki/ca.crt$`,
		`(?m)^  notes\\u\{1b\}\[31m.txt$`,
		`(?m)^missing\n  etcd/peer +etcd peer$`,
		`(?m)^not acceptable: 1 error, 1 missing, 1 unplaced, 5 copies; 16 of 17 slots acceptable$`,
	} {
		m := regexp.MustCompile(want).FindStringIndex(out[at:])
		if m == nil {
			t.Fatalf("no %s after %q in\n%s", want, out[max(0, at-60):at], out)
		}
		at += m[1]
	}
	if strings.Contains(out, "\x1b") {
		t.Error("an escape character of a file name reaches the terminal")
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

func TestTheJSONOfAFolderNamesCopies(t *testing.T) {
	pile := kubernetesPile(t)
	ca, err := os.ReadFile(filepath.Join(pile, "pki/ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pile, "copy"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	out, status := in(t, pile, "validate", "--profile", "kubernetes", "--set", "node.addresses=10.0.0.10", "--set", "node.name=demo-cp-0", pile, "-o", "json")
	var got folderJSON
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if status != 0 || !got.OK || len(got.Unplaced) != 1 || got.Unplaced[0].File != "copy" || got.Unplaced[0].Copy != filepath.FromSlash("pki/ca.crt") {
		t.Errorf("status %d, %+v", status, got.Unplaced)
	}
	if s := got.Slots["kube/admin"]; !s.OK || s.Cert != "admin.conf" || s.Key != "admin.conf" || s.Why == "" {
		t.Errorf("kube/admin: %+v", s)
	}
}
