//go:build unix

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Where a set lies already, only its name, typed, replaces it; the old one is kept.
func TestStoryAnExistingSetWantsItsName(t *testing.T) {
	t.Parallel()
	dir, scene := place(t, "existing-set")
	before := read(t, dir, "generated/tls/apiserver.crt")
	s := open(t, 80, 24, dir, scene.Args...)
	s.see("[Profile]")
	s.through("Facts", "Components", "Topology")
	s.see("All 8 calls proved")
	s.press("Enter")
	s.see("[Review]", "Type prod to replace what is there", "files would be replaced; the old ones are kept", "overwrite")
	s.press("Enter") // nothing typed, nothing replaced
	s.write("prodigy")
	s.press("Enter")
	s.see("[Review]", "Type prod to")
	if read(t, dir, "generated/tls/apiserver.crt") != before {
		t.Fatal("the set was replaced without its name")
	}
	s.press("BSpace", "BSpace", "BSpace")
	s.see("enter replace")
	s.press("Enter")
	s.see("[Done]", "files written to generated")
	s.press("Enter")
	s.ends(0)

	if read(t, dir, "generated/tls/apiserver.crt") == before {
		t.Error("the set was not replaced")
	}
	kept := false
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == "apiserver.crt" && strings.Contains(path, "backup") {
			b, _ := os.ReadFile(path)
			kept = kept || string(b) == before
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !kept {
		t.Error("the old set was not kept")
	}
	sound(t, dir, "generated")
}
