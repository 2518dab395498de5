package rotate_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"certwright/flow/rotate"
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

// member is an etcd of a cluster, with a directory of its own for its files.
type member struct {
	name, tls, data string
	peerPort, port  int
	initial         string
	cmd             *exec.Cmd
	log             *lockedBuffer
}

// lockedBuffer is written by a process while it is read here.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (m *member) start(t *testing.T) {
	t.Helper()
	at := func(f string) string { return filepath.Join(m.tls, f) }
	m.cmd = exec.Command(need(t, "etcd"),
		"--name", m.name, "--data-dir", m.data, "--initial-cluster-token", "rotation",
		"--initial-cluster", m.initial, "--initial-cluster-state", "new",
		"--listen-peer-urls", fmt.Sprintf("https://127.0.0.1:%d", m.peerPort), "--initial-advertise-peer-urls", fmt.Sprintf("https://127.0.0.1:%d", m.peerPort),
		"--listen-client-urls", m.url(), "--advertise-client-urls", m.url(),
		"--cert-file", at("etcd/server.crt"), "--key-file", at("etcd/server.key"), "--trusted-ca-file", at("etcd-client-ca.crt"), "--client-cert-auth",
		"--peer-cert-file", at("etcd/peer.crt"), "--peer-key-file", at("etcd/peer.key"), "--peer-trusted-ca-file", at("etcd-client-ca.crt"), "--peer-client-cert-auth",
	)
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (m *member) stop() {
	if m.cmd != nil {
		_ = m.cmd.Process.Signal(os.Interrupt)
		_ = m.cmd.Wait()
		m.cmd = nil
	}
}

func (m *member) url() string { return fmt.Sprintf("https://127.0.0.1:%d", m.port) }

// asks runs etcdctl with the client's files of a directory against one member.
func asks(t *testing.T, tls string, m *member, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	at := func(f string) string { return filepath.Join(tls, f) }
	all := append([]string{
		"--endpoints", m.url(), "--cacert", at("etcd-client-ca.crt"), "--cert", at("etcd-client.crt"), "--key", at("etcd-client.key"),
		"--dial-timeout", "10s", "--command-timeout", "20s",
	}, args...)
	cmd := exec.CommandContext(ctx, need(t, "etcdctl"), all...)
	cmd.Env = append(os.Environ(), "ETCDCTL_API=3")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// answers waits until a member serves a client and has a leader.
func answers(t *testing.T, tls string, m *member) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	var out string
	var err error
	for time.Now().Before(deadline) {
		if out, err = asks(t, tls, m, "put", "key", m.name); err == nil {
			return
		}
	}
	t.Fatalf("%s never answered: %v\n%s\n%s", m.name, err, out, m.log)
}

func copyTLS(t *testing.T, from, to string) {
	t.Helper()
	for name, data := range snapshot(t, filepath.Join(from, "tls")) {
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func etcdCluster(t *testing.T, dir string) []*member {
	t.Helper()
	need(t, "etcd")
	need(t, "etcdctl")
	var members []*member
	var initial []string
	for i := range 3 {
		m := &member{name: fmt.Sprintf("m%d", i), tls: t.TempDir(), data: filepath.Join(t.TempDir(), "data"), log: &lockedBuffer{}}
		for _, port := range []*int{&m.peerPort, &m.port} {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			*port = l.Addr().(*net.TCPAddr).Port
			defer l.Close()
		}
		copyTLS(t, dir, m.tls)
		initial = append(initial, fmt.Sprintf("%s=https://127.0.0.1:%d", m.name, m.peerPort))
		members = append(members, m)
	}
	for _, m := range members {
		m.initial = strings.Join(initial, ",")
	}
	return members
}

// An etcd of three members goes through the stages of its CA's exchange, one
// member at a time. After each step every member serves clients that have the
// stage and clients that have the one before, and no log tells of a certificate
// that was refused.
func TestEtcdGoesThroughTheStages(t *testing.T) {
	w := world(t)
	w.Now = time.Now // etcd has no fake clock
	p := defaults(t, "tectonic")
	p.Facts["etcd.hosts"] = "127.0.0.1,localhost"
	dir := installed(t, w, p)
	members := etcdCluster(t, dir)
	for _, m := range members {
		m.start(t)
		t.Cleanup(m.stop)
	}
	for _, m := range members {
		answers(t, filepath.Join(dir, "tls"), m)
	}
	r := request(t, w, dir, "etcd")
	out := prepared(t, w, r)
	if _, err := rotate.Commit(context.Background(), w, out, false, nil); err != nil {
		t.Fatal(err)
	}
	before := dir
	for _, s := range out.Stages {
		now := filepath.Join(r.Out, s.Dir)
		for _, m := range members {
			m.stop()
			copyTLS(t, now, m.tls)
			m.start(t)
			answers(t, filepath.Join(now, "tls"), m)
			for _, other := range members {
				for _, client := range []string{before, now} {
					if text, err := asks(t, filepath.Join(client, "tls"), other, "get", "key"); err != nil {
						t.Errorf("%s, after %s: %s refuses a client with the files of %s: %v\n%s", s.Dir, m.name, other.name, filepath.Base(client), err, text)
					}
				}
			}
		}
		before = now
	}
	for _, m := range members {
		for line := range strings.Lines(m.log.String()) {
			if strings.Contains(line, "x509") || strings.Contains(line, "bad certificate") || strings.Contains(line, "certificate signed by unknown") {
				t.Errorf("%s: %s", m.name, line)
			}
		}
	}
	if text, err := asks(t, filepath.Join(dir, "tls"), members[0], "get", "key"); err == nil {
		t.Errorf("at the end a client of the old CA is let in:\n%s", text)
	}
	if !strings.Contains(members[0].log.String(), "unknown authority") && !strings.Contains(members[0].log.String(), "bad certificate") {
		t.Error("the search for refusals in the logs is blind: none is seen where there is one")
	}
}
