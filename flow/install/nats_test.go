package install_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
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

	"certwright/certs/issue"
)

// natsServer is one server, told nothing of TLS but by flags/nats-server.json.
type natsServer struct {
	client, route, monitor string // addresses
	log                    *bytes.Buffer
}

// startNATS starts two servers that dial each other, one by name and one by address.
func startNATS(t *testing.T, dir, more string) []natsServer {
	t.Helper()
	program := need(t, "nats-server")
	ports := freePorts(t, 6)
	hosts := []string{"127.0.0.1", "localhost"}
	config := filepath.Join(t.TempDir(), "nats.conf")
	// An include is looked for beside the file that names it.
	if err := os.WriteFile(filepath.Join(filepath.Dir(config), "nats-server.json"), read(t, filepath.Join(dir, "flags/nats-server.json")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte("include ./nats-server.json\n"+more), 0o600); err != nil {
		t.Fatal(err)
	}
	var out []natsServer
	for i := range hosts {
		s := natsServer{
			client: fmt.Sprintf("%s:%d", hosts[i], ports[3*i]), route: fmt.Sprintf("%s:%d", hosts[i], ports[3*i+1]),
			monitor: fmt.Sprintf("127.0.0.1:%d", ports[3*i+2]), log: &bytes.Buffer{},
		}
		cmd := exec.Command(program, "--config", config, "--addr", "127.0.0.1", "--port", fmt.Sprint(ports[3*i]),
			"--cluster", fmt.Sprintf("nats://127.0.0.1:%d", ports[3*i+1]), "--routes", fmt.Sprintf("nats://%s:%d", hosts[1-i], ports[3*(1-i)+1]),
			"--http_port", fmt.Sprint(ports[3*i+2]), "--name", fmt.Sprintf("n%d", i))
		cmd.Stdout, cmd.Stderr = s.log, s.log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		out = append(out, s)
	}
	return out
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// routed polls until the servers have found each other; they decide when that is.
func routed(t *testing.T, servers []natsServer) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for _, s := range servers {
		for {
			var varz struct{ Routes int }
			if r, err := http.Get("http://" + s.monitor + "/varz"); err == nil {
				err = json.NewDecoder(r.Body).Decode(&varz)
				r.Body.Close()
				if err == nil && varz.Routes > 0 {
					break
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("no route:\n%s", s.log)
			}
		}
	}
}

// greet connects as a program does: the server speaks first, in plain, then TLS
// begins. It returns the server's answer to CONNECT and PING.
func greet(address string, files ...string) (string, error) {
	raw, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return "", err
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(20 * time.Second))
	// Byte by byte: what follows the line belongs to TLS.
	for b := make([]byte, 1); b[0] != '\n'; {
		if _, err := io.ReadFull(raw, b); err != nil {
			return "", err
		}
	}
	c, err := secured(raw, address, files)
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, "CONNECT {\"verbose\":false,\"lang\":\"go\",\"version\":\"1\"}\r\nPING\r\n"); err != nil {
		return "", err
	}
	answers := bufio.NewReader(c)
	for {
		line, err := answers.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "INFO") {
			return strings.TrimSpace(line), err
		}
	}
}

// knock connects as another server does: TLS comes first, and who is let in is
// told the server's INFO.
func knock(address string, files ...string) (string, error) {
	raw, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return "", err
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(20 * time.Second))
	c, err := secured(raw, address, files)
	if err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString(' ')
	return strings.TrimSpace(line), err
}

// secured is TLS over a connection, with a CA's file and, where they are given,
// those of a certificate and its key.
func secured(raw net.Conn, address string, files []string) (*tls.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	config := &tls.Config{ServerName: host, RootCAs: x509.NewCertPool()}
	pem, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	config.RootCAs.AppendCertsFromPEM(pem)
	if len(files) == 3 {
		pair, err := tls.LoadX509KeyPair(files[1], files[2])
		if err != nil {
			return nil, err
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	c := tls.Client(raw, config)
	return c, c.Handshake()
}

// insist tries until somebody is let in: a server that is busy gives up a
// handshake after two seconds, which is no refusal.
func insist(want string, try func() (string, error)) (answer string, err error) {
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); {
		if answer, err = try(); err == nil && answer == want {
			return answer, nil
		}
	}
	return answer, err
}

func TestNATSStartsWithTheSet(t *testing.T) {
	need(t, "nats-server")
	for _, c := range []struct {
		name, verify, algorithm, config string
	}{
		{"generate", "verify", "ecdsa-p256", ""},
		{"Ed25519", "verify", "ed25519", ""},
		{"users from certificates", "verify-and-map", "rsa-2048", "authorization { users = [ {user: \"CN=app\"} ] }\n"},
		{"another user", "verify-and-map", "ecdsa-p256", "authorization { users = [ {user: \"CN=somebody\"} ] }\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			w.Now = time.Now // nats-server has no fake clock
			p := defaultPlan(t, "nats")
			p.Facts["nats.hosts"] = "127.0.0.1,localhost"
			p.Facts["nats.verify"] = c.verify
			p.Keys.Algorithm = issue.Algorithm(c.algorithm)
			dir, _ := write(t, w, p, false)
			servers := startNATS(t, dir, c.config)
			routed(t, servers)
			at := func(f string) string { return filepath.Join(dir, "tls", f) }
			program := []string{at("clients/ca.crt"), at("clients/client.crt"), at("clients/client.key")}
			for _, s := range servers {
				want := "PONG"
				if c.name == "another user" {
					want = "-ERR 'Authorization Violation'"
				}
				answer, err := insist(want, func() (string, error) { return greet(s.client, program...) })
				if answer != want {
					t.Errorf("%s answers a program with %q, %v; want %s\n%s", s.client, answer, err, want, s.log)
				}
				for what, files := range map[string][]string{
					"no certificate":                         program[:1],
					"a route's":                              {program[0], at("routes/server.crt"), at("routes/server.key")},
					"the server's own":                       {program[0], at("clients/server.crt"), at("clients/server.key")},
					"the right one, wrong CA for the server": {at("routes/ca.crt"), program[1], program[2]},
				} {
					if answer, err := greet(s.client, files...); err == nil && answer == "PONG" {
						t.Errorf("%s lets %s in", s.client, what)
					}
				}
				if answer, err := insist("INFO", func() (string, error) {
					return knock(s.route, at("routes/ca.crt"), at("routes/server.crt"), at("routes/server.key"))
				}); answer != "INFO" {
					t.Errorf("a server is refused at %s: %q, %v", s.route, answer, err)
				}
				if answer, err := knock(s.route, at("routes/ca.crt"), program[1], program[2]); err == nil {
					t.Errorf("a program's certificate opens a route: %q", answer)
				}
			}
		})
	}
}

// A server of another cluster's CA is no server of this one.
func TestNATSRefusesARouteOfAnotherCA(t *testing.T) {
	need(t, "nats-server")
	set := func() string {
		w := world(t)
		w.Now = time.Now
		p := defaultPlan(t, "nats")
		p.Facts["nats.hosts"] = "127.0.0.1,localhost"
		dir, _ := write(t, w, p, false)
		return dir
	}
	mine, theirs := set(), set()
	servers := startNATS(t, mine, "")
	routed(t, servers)
	at := func(dir, f string) string { return filepath.Join(dir, "tls/routes", f) }
	if answer, err := knock(servers[0].route, at(mine, "ca.crt"), at(theirs, "server.crt"), at(theirs, "server.key")); err == nil {
		t.Errorf("a foreign route is let in: %q", answer)
	}
	if _, err := knock(servers[0].route, at(theirs, "ca.crt"), at(theirs, "server.crt"), at(theirs, "server.key")); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("a foreign server takes this one for its own: %v", err)
	}
}
