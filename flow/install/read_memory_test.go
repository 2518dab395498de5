package install_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/afero"

	"certwright/flow/install"
)

// TestFilesInMemory: /dev/shm lies below /dev, and its files are a person's.
func TestFilesInMemory(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "certwright-test-")
	if err != nil {
		t.Skip("no file system in memory:", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file, link, away := filepath.Join(dir, "ca.crt"), filepath.Join(t.TempDir(), "link"), filepath.Join(dir, "away")
	if err := errors.Join(os.WriteFile(file, []byte("bytes"), 0o600), os.Symlink(file, link), os.Symlink("/proc/self/environ", away)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link} {
		if in, err := install.ReadInput(afero.NewOsFs(), path); err != nil || string(in.Data) != "bytes" {
			t.Errorf("%s: %q, %v", path, in.Data, err)
		}
	}
	for _, path := range []string{away, "/dev/null", "/dev/shm", "/dev/shm/../null", "/proc/self/environ"} {
		var refused *install.ReadError
		if _, err := install.ReadInput(afero.NewOsFs(), path); !errors.As(err, &refused) || refused.Rule != "not-a-regular-file" {
			t.Errorf("%s: %v, want a refusal", path, err)
		}
	}
}
