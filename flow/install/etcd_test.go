package install_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"certwright/certs/topology"
	"certwright/flow/plan"
)

// need is the path of a program; without it the test is skipped, except in CI.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("CERTWRIGHT_E2E") == "must" {
			t.Fatalf("%s is not installed, and CI must have it", program)
		}
		t.Skipf("%s is not installed", program)
	}
	return path
}

// cluster is three etcd members on loopback with peer and client mTLS.
type cluster struct {
	tls       string
	endpoints string
	logs      []*bytes.Buffer
}

func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func startEtcd(t *testing.T, dir string) *cluster {
	t.Helper()
	etcd := need(t, "etcd")
	c := &cluster{tls: filepath.Join(dir, "tls")}
	at := func(f string) string { return filepath.Join(c.tls, f) }
	ports := freePorts(t, 6)
	// Two members are dialled by address and one by name, as hosts of a cluster may be.
	hosts := []string{"127.0.0.1", "127.0.0.1", "localhost"}
	var initial, endpoints []string
	for i, h := range hosts {
		initial = append(initial, fmt.Sprintf("m%d=https://%s:%d", i, h, ports[2*i]))
		endpoints = append(endpoints, fmt.Sprintf("https://%s:%d", h, ports[2*i+1]))
	}
	c.endpoints = strings.Join(endpoints, ",")
	for i, h := range hosts {
		cmd := exec.Command(etcd,
			"--name", fmt.Sprintf("m%d", i), "--data-dir", filepath.Join(t.TempDir(), "data"), "--initial-cluster-token", t.Name(),
			"--initial-cluster", strings.Join(initial, ","), "--initial-cluster-state", "new",
			"--listen-peer-urls", fmt.Sprintf("https://127.0.0.1:%d", ports[2*i]), "--initial-advertise-peer-urls", fmt.Sprintf("https://%s:%d", h, ports[2*i]),
			"--listen-client-urls", fmt.Sprintf("https://127.0.0.1:%d", ports[2*i+1]), "--advertise-client-urls", endpoints[i],
			"--cert-file", at("etcd/server.crt"), "--key-file", at("etcd/server.key"), "--trusted-ca-file", at("etcd-client-ca.crt"), "--client-cert-auth",
			"--peer-cert-file", at("etcd/peer.crt"), "--peer-key-file", at("etcd/peer.key"), "--peer-trusted-ca-file", at("etcd-client-ca.crt"), "--peer-client-cert-auth",
		)
		var log bytes.Buffer
		cmd.Stdout, cmd.Stderr = &log, &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		c.logs = append(c.logs, &log)
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
	return c
}

func (c *cluster) etcdctl(t *testing.T, files []string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	args = append([]string{"--endpoints", c.endpoints, "--cacert", filepath.Join(c.tls, "etcd-client-ca.crt"), "--dial-timeout", "2s", "--command-timeout", "2s"}, args...)
	for i, flag := range []string{"--cert", "--key"} {
		if i < len(files) {
			args = append(args, flag, filepath.Join(c.tls, files[i]))
		}
	}
	cmd := exec.CommandContext(ctx, need(t, "etcdctl"), args...)
	cmd.Env = append(os.Environ(), "ETCDCTL_API=3")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// healthy polls until all members answer; etcd itself decides when that is.
func (c *cluster) healthy(t *testing.T) {
	t.Helper()
	client := []string{"etcd-client.crt", "etcd-client.key"}
	deadline := time.Now().Add(60 * time.Second)
	var out string
	var err error
	for time.Now().Before(deadline) {
		if out, err = c.etcdctl(t, client, "endpoint", "health"); err == nil {
			return
		}
	}
	for i, l := range c.logs {
		t.Logf("etcd m%d:\n%s", i, l)
	}
	t.Fatalf("etcd never became healthy: %v\n%s", err, out)
}

func TestEtcdStartsWithTheSet(t *testing.T) {
	need(t, "etcd")
	hand := t.TempDir()
	for _, c := range []struct {
		name      string
		component func(t *testing.T) plan.Component
	}{
		{"generate", func(*testing.T) plan.Component { return plan.Component{Mode: topology.Generate} }},
		{"bring-ca made by openssl", func(t *testing.T) plan.Component {
			handMade(t, hand, "127.0.0.1")
			return plan.Component{Mode: topology.BringCA, CA: &plan.Files{Cert: filepath.Join(hand, "ca.crt"), Key: filepath.Join(hand, "ca.key")}}
		}},
		{"bring-certs made by openssl", func(*testing.T) plan.Component {
			at := func(f string) string { return filepath.Join(hand, f) }
			return plan.Component{Mode: topology.BringCerts, Certs: map[string]plan.Files{
				"ca": {Cert: at("ca.crt")}, "server": {Cert: at("server.crt"), Key: at("server.key")},
				"peer": {Cert: at("peer.crt"), Key: at("peer.key")}, "client": {Cert: at("client.crt"), Key: at("client.key")},
			}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world(t)
			w.Now = time.Now // etcd has no fake clock
			p := defaults(t)
			p.Facts["etcd.hosts"] = "127.0.0.1,localhost"
			p.Components["etcd"] = c.component(t)
			dir, _ := write(t, w, p, false)
			e := startEtcd(t, dir)
			e.healthy(t)
			if out, err := e.etcdctl(t, nil, "endpoint", "health"); err == nil {
				t.Errorf("etcd let a client in without a certificate:\n%s", out)
			}
			if out, err := e.etcdctl(t, []string{"kubelet.crt", "kubelet.key"}, "endpoint", "health"); err == nil {
				t.Errorf("etcd let the kubelet's certificate in:\n%s", out)
			}
			if out, err := e.etcdctl(t, []string{"etcd-client.crt", "etcd-client.key"}, "put", "key", "value"); err != nil {
				t.Errorf("put: %v\n%s", err, out)
			}
		})
	}
}
