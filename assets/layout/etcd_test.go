package layout_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"certwright/assets/layout"
	"certwright/assets/profiles"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// members are three etcd members, each with the tree of its node and the
// flags as they are written: only where the tree lies is the test's.
type members struct {
	dir       string
	endpoints string
	flags     map[string][]string // of etcdctl, by node
	logs      []*bytes.Buffer
}

func startMembers(t *testing.T, facts map[string]string) *members {
	t.Helper()
	etcd, err := exec.LookPath("etcd")
	if err != nil || testing.Short() {
		t.Skip("etcd is not here")
	}
	p, err := profiles.Load("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	m := &members{dir: t.TempDir(), flags: map[string][]string{}}
	own := *p
	own.Install = []topology.Place{{To: "/PLACE"}}
	var nodes []topology.Node
	var initial, endpoints []string
	for i := range 3 {
		// Three loopback addresses: a member refuses a peer that comes from one that its certificate lacks.
		n := topology.Node{Name: fmt.Sprintf("cp-%d", i), Role: topology.ControlPlane, Addresses: []string{fmt.Sprintf("127.0.0.%d", 11+i)}}
		nodes = append(nodes, n)
		initial = append(initial, fmt.Sprintf("%s=https://%s:%d", n.Name, n.Addresses[0], port(t, n.Addresses[0])))
		endpoints = append(endpoints, fmt.Sprintf("https://%s:%d", n.Addresses[0], port(t, n.Addresses[0])))
	}
	m.endpoints = strings.Join(endpoints, ",")
	top, problems := topology.ResolveNodes(&own, facts, nodes)
	for _, problem := range problems {
		t.Fatal(problem)
	}
	files := render(t, made(t, issue.Request{Topology: top}))
	write(t, m.dir, files)
	at := func(f layout.File, node string) []string {
		text := strings.ReplaceAll(string(f.Data), "/PLACE", filepath.Join(m.dir, "nodes", node))
		return strings.Split(strings.TrimSpace(text), "\n")
	}
	for i, n := range nodes {
		_, peer, _ := strings.Cut(initial[i], "=")
		args := append(at(files["flags/etcd.txt"], n.Name),
			"--name="+n.Name, "--data-dir="+t.TempDir(), "--initial-cluster="+strings.Join(initial, ","), "--initial-cluster-token="+t.Name(),
			"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--listen-client-urls="+endpoints[i], "--advertise-client-urls="+endpoints[i])
		cmd := exec.Command(etcd, args...)
		log := &bytes.Buffer{}
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		m.logs = append(m.logs, log)
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		m.flags[n.Name] = at(files["flags/etcdctl.txt"], n.Name)
	}
	return m
}

func port(t *testing.T, host string) int {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Skip("this machine has one loopback address alone")
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (m *members) etcdctl(t *testing.T, flags []string, args ...string) error {
	t.Helper()
	etcdctl, err := exec.LookPath("etcdctl")
	if err != nil {
		t.Skip("etcdctl is not here")
	}
	args = append(append([]string{"--endpoints", m.endpoints, "--dial-timeout", "2s", "--command-timeout", "2s"}, flags...), args...)
	cmd := exec.Command(etcdctl, args...)
	cmd.Env = append(os.Environ(), "ETCDCTL_API=3")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

func TestEtcdTakesTreesAndFlags(t *testing.T) {
	// The front proxy has an authority of its own in both forms; what else kube
	// signs opens etcd where one authority signs all, and not otherwise.
	for authorities, kubeOpens := range map[string]bool{"separate": false, "one": true} {
		t.Run(authorities, func(t *testing.T) {
			m := startMembers(t, map[string]string{"authorities": authorities})
			deadline, err := time.Now().Add(60*time.Second), error(nil)
			for time.Now().Before(deadline) {
				if err = m.etcdctl(t, m.flags["cp-1"], "endpoint", "health"); err == nil {
					break
				}
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, m.logs[0])
			}
			with := func(name string) []string {
				pki := filepath.Join(m.dir, "nodes/cp-0/pki")
				return []string{"--cacert", filepath.Join(pki, "etcd/ca.crt"), "--cert", filepath.Join(pki, name+".crt"), "--key", filepath.Join(pki, name+".key")}
			}
			for client, opens := range map[string]bool{"apiserver-etcd-client": true, "apiserver-kubelet-client": kubeOpens, "front-proxy-client": false} {
				if err := m.etcdctl(t, with(client), "get", "/registry", "--prefix"); (err == nil) != opens {
					t.Errorf("%s opens etcd: %v, want %v", client, err == nil, opens)
				}
			}
		})
	}
}
