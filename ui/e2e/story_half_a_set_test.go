//go:build unix

package e2e

import "testing"

// A folder holds all that etcd needs but the client's certificate. The status
// line says so, n goes there, and the missing file is named.
func TestStoryHalfASet(t *testing.T) {
	t.Parallel()
	dir, scene := place(t, "half-a-set")
	s := open(t, 80, 24, dir, scene.Args...)
	s.see("[Profile]")
	s.through("Facts", "Components")
	s.press("b", "Enter")
	s.see("[Certs]", "0 of 4 ready")
	s.press("d")
	s.see("Fill every field from a folder", "pki/")
	s.press("t", "C-u")
	s.write("pki")
	s.press("Enter")
	s.see("Filled from", "etcd peer")
	s.press("Enter")
	s.see("3 of 4 ready", "etcd client was not given")
	s.press("Home", "n")
	s.seeRow("▸", "etcd client", "needed")
	s.see("etcd client was not given. Choose a file, or paste it.")

	// Going on is refused, and nothing is lost by trying.
	s.press("t")
	s.write("late/client.crt")
	s.press("Enter")
	s.see("the key of etcd client was not given")
	s.seeRow("▸", "key", "needed")
	s.press("p")
	s.see("paste")
	s.paste("late/client.key")
	s.see("1 private key (PEM)", "not shown")
	s.never("MIGHAgEAMBMG") // how a P-256 key in PKCS#8 begins
	s.press("Enter")
	s.see("4 of 4 ready", "1 private key kept as the key of etcd client")

	s.press("Enter")
	s.see("[Topology]", "All 8 calls proved")
	s.press("Enter")
	s.see("[Review]", "enter writes")
	s.press("Enter")
	s.see("[Done]", "files written to generated")
	s.press("Enter")
	s.ends(0)
	verifies(t, dir, "sslclient", "pki/ca.crt", "generated/tls/etcd-client.crt")
	if read(t, dir, "generated/tls/etcd-client.key") != read(t, dir, "late/client.key") {
		t.Error("another key was written than the one that was pasted")
	}
	sound(t, dir, "generated")
}
