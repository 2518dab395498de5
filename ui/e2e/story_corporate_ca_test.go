//go:build unix

package e2e

import (
	"strings"
	"testing"

	"certwright/ui/e2e/internal/scenario"
)

// A company has a CA, whose key is encrypted. It signs what etcd needs; the rest
// is made here.
func TestStoryBringACorporateCA(t *testing.T) {
	t.Parallel()
	dir, scene := place(t, "corporate-ca")
	s := open(t, 80, 24, dir, scene.Args...)
	s.never(scenario.Passphrase)
	s.see("[Profile]")
	s.through("Facts", "Components")
	s.press("c")
	s.seeRow("etcd", "○", "●")
	s.press("Enter")
	s.see("[CA]", "etcd CA: certificate, then key")

	// The folder is on the screen, but they know the path and type it.
	s.press("t", "C-u")
	s.write("corp/ca.crt")
	s.see("O=Corp, CN=Corp Issuing CA")
	s.press("Enter")
	s.see("etcd CA", "key not chosen yet")
	s.press("t")
	s.write("corp/ca.key")
	s.see("encrypted")
	s.press("Enter")
	s.see("the key of etcd CA is encrypted. Type its passphrase.", "press e")
	s.press("e")
	s.see("enter unlock")
	s.write("wrong")
	s.press("Enter")
	s.see("That passphrase did not open the key. Press e to type another.")
	s.press("e")
	s.see("enter unlock")
	s.write(scenario.Passphrase)
	s.press("Enter")
	s.see("1 of 1 ready", "the key belongs to the certificate", "All that this step asks for is usable")

	s.press("Enter")
	s.see("[Topology]", "All 8 calls proved")
	s.seeRow("C etcd CA")
	s.seeRow("C etcd server")
	s.seeRow("G kube CA")
	s.press("Enter")
	s.see("[Review]", "enter writes")
	s.press("Enter")
	s.see("[Done]", "files written to generated")
	s.press("Enter")
	s.ends(0)

	verifies(t, dir, "sslserver", "corp/ca.crt", "generated/tls/etcd/server.crt")
	verifies(t, dir, "sslclient", "corp/ca.crt", "generated/tls/etcd-client.crt")
	if !strings.Contains(certificate(t, dir, "generated/tls/apiserver.crt"), "demo") {
		t.Error("the API server's certificate is not of the CA that was made here")
	}
	holds(t, dir+"/generated/certwright.yaml", "bring-ca", "corp/ca.key")
	if strings.Contains(read(t, dir, "generated/certwright.yaml"), scenario.Passphrase) {
		t.Error("the plan holds the passphrase")
	}
	sound(t, dir, "generated")
}
