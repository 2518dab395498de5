//go:build unix

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"filippo.io/age"
)

// The keys of the CAs must not lie about in plain: they are sealed with a
// passphrase that is shown once, and a look back at Review changes nothing.
func TestStorySealTheKeysOfTheCAs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, 80, 24, dir)
	s.see("[Profile]")
	s.through("Facts", "Components", "Topology", "Review")
	s.see("every connection proved", "k CA keys")
	s.press("k")
	s.see("Keys of the CAs", "● plain")
	s.press("Down", "Enter")
	s.see("Write this passphrase down")
	pass := regexp.MustCompile(`[0-9a-z]{4}(-[0-9a-z]{4}){5}`).FindString(s.frame())
	if pass == "" {
		t.Fatalf("no passphrase:\n%s", s.frame())
	}
	s.press("Enter")
	s.see("Type it back")
	s.never(pass) // from here on
	s.write("not this")
	s.press("Enter")
	s.see("that is not it")
	s.write(pass)
	s.press("Enter")
	s.see("every connection proved", "enter writes")
	s.press("Enter")
	s.see("[Done]", "files written to generated")
	s.press("Enter")
	s.ends(0)

	sealed, err := os.ReadFile(filepath.Join(dir, "generated/ca/root.key.age"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := age.NewScryptIdentity(pass)
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), id)
	if err != nil {
		t.Fatalf("the passphrase does not open the key: %v", err)
	}
	head := make([]byte, 27)
	if _, err := r.Read(head); err != nil || string(head) != "-----BEGIN PRIVATE KEY-----" {
		t.Errorf("the sealed key begins with %q, %v", head, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "generated/ca/root.key")); err == nil {
		t.Error("the plain key is there as well")
	}
	holds(t, dir+"/generated/certwright.yaml", "ca-keys: encrypted")
	sound(t, dir, "generated")
}
