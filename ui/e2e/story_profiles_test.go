//go:build unix

package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// kubeadm's PKI: the node's address is the one thing that nobody can guess.
func TestStoryKubernetesWithANodesAddress(t *testing.T) {
	t.Parallel()
	dir, scene := place(t, "kubernetes")
	s := open(t, 80, 24, dir, scene.Args...)
	s.see("[Profile]", "▸ Kubernetes")
	s.press("Enter")
	s.see("[Facts]", "Node addresses")
	s.press("Enter") // it does not go on without one
	s.seeRow("▸", "Node addresses")
	s.write("10.0.0.10")
	s.seeRow("Node addresses", "10.0.0.10", "✓")
	s.through("Components", "Topology")
	s.see("calls proved")
	s.press("Enter")
	s.see("[Review]", "enter writes")
	s.press("Enter")
	s.see("[Done]", "files written to generated")
	s.press("Enter")
	s.ends(0)
	verifies(t, dir, "sslserver", "generated/tls/pki/ca.crt", "generated/tls/pki/apiserver.crt")
	if !strings.Contains(certificate(t, dir, "generated/tls/pki/apiserver.crt"), "IP Address:10.0.0.10") {
		t.Error("the API server does not answer to its node's address")
	}
	has(t, dir, "generated/tls/admin.conf", "generated/tls/kubelet.conf")
	sound(t, dir, "generated")
}

// Calico, with Felix known by a SPIFFE URI instead of a common name.
func TestStoryCalicoWithASPIFFEURI(t *testing.T) {
	t.Parallel()
	const uri = "spiffe://example.org/felix"
	dir, scene := place(t, "calico-spiffe")
	s := open(t, 80, 30, dir, scene.Args...)
	s.see("[Profile]", "▸ Calico")
	s.press("Enter")
	s.see("[Facts]", "Felix's URI")
	for !strings.Contains(rowWith(s.frame(), "▸"), "Felix's URI") {
		at := rowWith(s.frame(), "▸")
		s.press("Down")
		s.until("the next field", func(f string) bool { return rowWith(f, "▸") != at })
	}
	s.write("spiffe://Example.org/felix?x") // not a SPIFFE ID
	s.seeRow("Felix's URI", "✗")
	s.press("C-w")
	s.press("C-e", "C-a", "C-k")
	s.write(uri)
	s.seeRow("Felix's URI", uri, "✓")
	s.through("Components", "Topology")
	s.see("calls proved")
	s.press("Enter")
	s.see("[Review]", "enter writes")
	s.press("Enter")
	s.see("[Done]", "files written to generated")
	s.press("Enter")
	s.ends(0)
	if found := certificatesWith(t, dir+"/generated/tls", "URI:"+uri); len(found) == 0 {
		t.Errorf("no certificate has %s", uri)
	}
	sound(t, dir, "generated")
}

// A profile of others: what the wizard wrote, nats-server takes as it is.
func TestStoryNATSTakesItsConfiguration(t *testing.T) {
	t.Parallel()
	dir, scene := place(t, "nats")
	s := open(t, 80, 24, dir, scene.Args...)
	s.see("[Profile]", "▸ NATS")
	s.press("Enter")
	s.see("[Facts]", "Program's user")
	s.through("Components", "Topology")
	s.see("calls proved")
	s.press("Enter")
	s.see("[Review]", "enter writes")
	s.press("Enter")
	s.see("[Done]", "files written to generated")
	s.press("Enter")
	s.ends(0)
	verifies(t, dir, "sslserver", "generated/tls/clients/ca.crt", "generated/tls/clients/server.crt")
	verifies(t, dir, "sslclient", "generated/tls/routes/ca.crt", "generated/tls/routes/server.crt")
	has(t, dir, "generated/tls/clients/client.key", "generated/flags/nats.env")
	sound(t, dir, "generated")
	program, err := exec.LookPath("nats-server")
	if err != nil {
		t.Skip("nats-server is not installed")
	}
	out, err := exec.Command(program, "-t", "--config", filepath.Join(dir, "generated/flags/nats-server.json")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "configuration file") {
		t.Errorf("%v\n%s", err, out)
	}
}
