//go:build unix

package e2e

import (
	"path/filepath"
	"testing"
)

// The certificate of etcd's server has the wrong name. It is repaired in another
// window while the screen is open, which turns green by itself.
func TestStoryRepairACertificateInAnotherWindow(t *testing.T) {
	t.Parallel()
	dir, scene := place(t, "bad-certificate")
	s := open(t, 80, 24, dir, scene.Args...)
	s.see("[Profile]")
	s.through("Facts", "Components")
	s.press("b", "Enter")
	s.see("[Certs]", "0 of 4 ready")
	s.press("d")
	s.see("Fill every field from a folder", "pki/")
	s.press("Down", "Down")
	s.seeRow("▸", "pki/")
	s.press("Right")
	s.see("take this folder", "server.crt")
	s.press("Enter")
	s.see("Filled from", "enter closes this list")
	s.press("Enter")
	s.see("3 of 4 ready", "does not cover")
	s.press("n")
	s.seeRow("▸ ✗", "etcd server")
	s.see("DNS:demo-etcd-0.example.com", "Fix")

	// In the other window: the CA has issued it again.
	reissued := read(t, dir, "reissued.crt")
	write(t, filepath.Join(dir, "pki", "server.crt"), reissued)
	s.see("4 of 4 ready", "All that this step asks for is usable")
	s.seeRow("✓", "etcd server")

	s.press("Enter")
	s.see("[Topology]", "All 8 calls proved")
	s.seeRow("B etcd server")
	s.press("Enter")
	s.see("[Review]", "enter writes")
	s.press("Enter")
	s.see("[Done]", "files written to generated")
	s.press("Enter")
	s.ends(0)

	if read(t, dir, "generated/tls/etcd/server.crt") != reissued {
		t.Error("what was written is not the certificate that was brought")
	}
	verifies(t, dir, "sslserver", "pki/ca.crt", "generated/tls/etcd/server.crt")
	sound(t, dir, "generated")
}
