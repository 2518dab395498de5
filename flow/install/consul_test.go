package install_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"certwright/certs/topology"
)

// agent is one agent of Consul, told nothing of TLS but by its file of flags/.
type agent struct {
	node       string
	rpc, https string
	tree       string
	log        *bytes.Buffer
}

func startAgent(t *testing.T, program, dir, node, role string, ports []int, args ...string) *agent {
	t.Helper()
	a := &agent{
		node: node, tree: filepath.Join(dir, "nodes", node), log: &bytes.Buffer{},
		rpc: fmt.Sprintf("127.0.0.1:%d", ports[0]), https: fmt.Sprintf("127.0.0.1:%d", ports[1]),
	}
	// The file names the places where the tree will lie.
	config := bytes.ReplaceAll(read(t, filepath.Join(dir, "flags", role+".json")), []byte("/etc/consul.d/tls"), []byte(a.tree))
	file := filepath.Join(t.TempDir(), "tls.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{
		"agent", "-node", node, "-bind", "127.0.0.1", "-data-dir", t.TempDir(), "-config-file", file, "-log-level", "warn",
		"-server-port", fmt.Sprint(ports[0]), "-https-port", fmt.Sprint(ports[1]), "-serf-lan-port", fmt.Sprint(ports[2]), "-serf-wan-port", "-1",
		"-http-port", "-1", "-dns-port", "-1", "-grpc-port", "-1", "-grpc-tls-port", "-1",
	}, args...)...)
	cmd.Stdout, cmd.Stderr = a.log, a.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return a
}

// ask calls the API as the command line does.
func (a *agent) ask(t *testing.T, path string, pair ...string) (string, error) {
	t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(read(t, filepath.Join(a.tree, "consul-api-ca.pem")))
	if len(pair) == 2 {
		c, err := tls.LoadX509KeyPair(pair[0], pair[1])
		if err != nil {
			t.Fatal(err)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}, Timeout: 20 * time.Second}
	r, err := client.Get("https://" + a.https + path)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", r.Status, body)
	}
	return string(body), err
}

// Consul is not in Debian, so that this runs where somebody has put it.
func TestConsulStartsWithTheSet(t *testing.T) {
	program, err := exec.LookPath("consul")
	if err != nil {
		t.Skip("consul is not installed")
	}
	for _, clients := range []string{"files", "auto-encrypt"} {
		t.Run(clients, func(t *testing.T) {
			w := world(t)
			w.Now = time.Now // consul has no fake clock
			p := defaultPlan(t, "consul")
			delete(p.Facts, "node.addresses")
			delete(p.Facts, "node.name")
			p.Facts["consul.clients"] = clients
			p.Nodes = []topology.Node{
				{Name: "s-0", Role: topology.ControlPlane, Addresses: []string{"127.0.0.1"}},
				{Name: "c-0", Role: topology.Worker, Addresses: []string{"127.0.0.2"}},
			}
			dir, _ := write(t, w, p, false)
			ports := freePorts(t, 6)
			server := startAgent(t, program, dir, "s-0", "consul-server", ports[:3], "-server", "-bootstrap-expect", "1")
			// A client agent dials the servers' RPC at the port that it would have itself.
			client := startAgent(t, program, dir, "c-0", "consul-client", []int{ports[0], ports[4], ports[5]}, "-retry-join", fmt.Sprintf("127.0.0.1:%d", ports[2]), "-retry-interval", "1s")
			cli := []string{filepath.Join(dir, "tls/cli.pem"), filepath.Join(dir, "tls/cli-key.pem")}
			// The client agent knows the catalogue from the server alone, by RPC.
			deadline := time.Now().Add(60 * time.Second)
			for {
				nodes, err := client.ask(t, "/v1/catalog/nodes", cli...)
				if err == nil && strings.Contains(nodes, `"s-0"`) && strings.Contains(nodes, `"c-0"`) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("the client agent knows %q, %v\n%s\n%s", nodes, err, server.log, client.log)
				}
			}
			if out, err := server.ask(t, "/v1/status/leader"); err == nil {
				t.Errorf("the API takes a caller without a certificate: %s", out)
			}
			pair := []string{filepath.Join(server.tree, "server.pem"), filepath.Join(server.tree, "server-key.pem")}
			if out, err := server.ask(t, "/v1/status/leader", pair...); err == nil {
				t.Errorf("the API takes an agent's certificate: %s", out)
			}
			if server.takesRPC(t, cli...) {
				t.Error("the command line's certificate opens the agents' RPC")
			}
			if !server.takesRPC(t, pair...) {
				t.Error("a server's certificate does not open the agents' RPC")
			}
		})
	}
}

// takesRPC says whether a server speaks to the holder of a certificate.
func (a *agent) takesRPC(t *testing.T, pair ...string) bool {
	t.Helper()
	raw, err := net.DialTimeout("tcp", a.rpc, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := raw.Write([]byte{3}); err != nil { // Consul's mark of a connection in TLS (agent/pool, RPCTLS)
		t.Fatal(err)
	}
	c, err := tls.LoadX509KeyPair(pair[0], pair[1])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(read(t, filepath.Join(a.tree, "consul-agent-ca.pem")))
	conn := tls.Client(raw, &tls.Config{
		ServerName: "server.dc1.consul", RootCAs: pool,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil },
	})
	if err := conn.Handshake(); err != nil {
		return false
	}
	// In TLS 1.3 the server's verdict comes with the first byte read: an alert,
	// or nothing until the deadline, since it waits for a call.
	_, err = conn.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}
