package renew_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"certwright/certs"
	"certwright/certs/topology"
	"certwright/flow/install"
	"certwright/flow/offline"
	"certwright/flow/plan"
	"certwright/flow/renew"
)

// need skips a test without a program, except in CI.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CERTWRIGHT_E2E") == "must" {
				t.Fatalf("%s is not installed, and CI must have it", p)
			}
			t.Skipf("%s is not installed", p)
		}
	}
}

func shell(t *testing.T, dir, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-e")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// signed has a round signed by the commands of its own SIGN.md, with a tool, and
// takes what came back.
func signed(t *testing.T, m *machine, round, tool, key string) map[topology.SlotID]*certs.Pair {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(round, offline.SignFile))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), ", with "+tool)
	_, rest, ok2 := strings.Cut(rest, "```sh\n")
	script, _, ok3 := strings.Cut(rest, "```")
	if !ok || !ok2 || !ok3 {
		t.Fatalf("%s says nothing of %s", offline.SignFile, tool)
	}
	shell(t, round, strings.ReplaceAll(script, "/path/to/its.key", key))
	r, err := offline.Open(t.Context(), m.World, round)
	if err != nil {
		t.Fatal(err)
	}
	// Brought back as the folder that was taken there, requests and all.
	shell(t, m.Dir, "rm -rf stick; mv "+filepath.Join(round, offline.SendDir)+" stick; cp -r stick "+filepath.Join(round, offline.SendDir)+"; rm "+filepath.Join(round, offline.SendDir)+"/etcd/*.crt")
	came, err := r.Gather(t.Context(), []string{"stick"})
	if err != nil {
		t.Fatal(err)
	}
	report, err := r.Take(t.Context(), came)
	if err != nil || !report.Complete() || !report.OK() {
		t.Fatalf("%v %+v", err, report)
	}
	if err := r.Save(t.Context(), report); err != nil {
		t.Fatal(err)
	}
	pairs, err := r.Complete([]byte("passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	if r.State.Renews == "" {
		m.Earlier = nil
		set, err := install.Prepare(t.Context(), m.World, r.Answers, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := install.Commit(t.Context(), m.World, set, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	return pairs
}

func ask(t *testing.T, m *machine, a *offline.Asked, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write(t.Context(), m.World, false); err != nil {
		t.Fatal(err)
	}
}

// A set whose etcd was signed by a CA elsewhere runs a real cluster, and while
// it is renewed member by member old and new clients both reach it.
func TestEtcdRollsOverToCertificatesSignedElsewhere(t *testing.T) {
	need(t, "etcd", "etcdctl", "openssl")
	m := newMachine(t)
	m.Now = time.Now // etcd has no fake clock
	shell(t, m.Dir, "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 3650 -subj '/O=corp/CN=Corp etcd CA' -addext keyUsage=critical,keyCertSign,cRLSign")
	p, err := plan.Parse("plan.yaml", []byte(`apiVersion: certwright/v1
profile: tectonic
facts: {etcd.hosts: "127.0.0.1,localhost"}
components: {etcd: {mode: bring-ca, ca: {cert: ca.crt, offline: true}}}
output: {dir: set, layouts: [tree]}
`))
	if err != nil {
		t.Fatal(err)
	}
	p.Resolve(m.Dir)
	a, err := install.NewAnswers(builtin{}, p)
	if err != nil {
		t.Fatal(err)
	}
	key, set := filepath.Join(m.Dir, "ca.key"), filepath.Join(m.Dir, "set")
	round := filepath.Join(m.Dir, "round")
	asked, err := offline.Ask(t.Context(), m.World, a, offline.Wanted{Dir: round, Passphrase: []byte("passphrase"), Work: 1})
	ask(t, m, asked, err)
	signed(t, m, round, "openssl x509", key)

	c := newCluster(t, filepath.Join(set, "tls"))
	c.healthy(c.client)

	// The CA's key is elsewhere still: a second round renews all of etcd, with new keys.
	j, err := renew.Look(t.Context(), m.World, renew.Options{Dir: set, Slots: []string{"etcd"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(j.Elsewhere) != 3 || len(j.Renew) != 0 {
		t.Fatalf("elsewhere %v, here %v", j.Elsewhere, j.Renew)
	}
	second := filepath.Join(m.Dir, "second")
	asked, err = offline.Ask(t.Context(), m.World, j.Answers, offline.Wanted{
		Dir: second, Passphrase: []byte("passphrase"), Work: 1, Renews: set, Slots: renew.Selected(j.Elsewhere),
		CAs: map[topology.AuthorityID]*x509.Certificate{"etcd": j.CAOf("etcd")},
	})
	ask(t, m, asked, err)
	pairs := signed(t, m, second, "openssl ca", key)
	if _, mixed, err := m.renew(t, renew.Options{Dir: set, Handed: pairs}); err != nil || mixed.Handshakes == 0 {
		t.Fatalf("%v %+v", err, mixed)
	}
	fresh := filepath.Join(m.Dir, "fresh")
	shell(t, m.Dir, "cp -r set/tls fresh")
	for i := range c.members {
		c.restart(i, fresh)
		for _, client := range []string{c.client, fresh} { // the API server's old files, and its new ones
			c.healthy(client)
		}
	}
	if out, err := c.etcdctl(fresh, "put", "rolled", "over"); err != nil {
		t.Errorf("put: %v\n%s", err, out)
	}
}

// cluster is three etcd members on loopback, each with files of its own.
type cluster struct {
	t         *testing.T
	client    string // the files of the client that was there first
	hosts     []string
	ports     []int
	endpoints string
	members   []*exec.Cmd
	data      []string
	logs      []*bytes.Buffer // of each start, to be read when it has ended
}

func newCluster(t *testing.T, tls string) *cluster {
	t.Helper()
	c := &cluster{t: t, client: filepath.Join(t.TempDir(), "old"), hosts: []string{"127.0.0.1", "127.0.0.1", "localhost"}}
	shell(t, filepath.Dir(tls), "cp -r tls "+c.client)
	for range 6 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c.ports = append(c.ports, l.Addr().(*net.TCPAddr).Port)
	}
	var endpoints []string
	for i, h := range c.hosts {
		endpoints = append(endpoints, fmt.Sprintf("https://%s:%d", h, c.ports[2*i+1]))
		c.data = append(c.data, filepath.Join(t.TempDir(), "data"))
	}
	c.endpoints = strings.Join(endpoints, ",")
	c.members = make([]*exec.Cmd, len(c.hosts))
	t.Cleanup(func() {
		for _, cmd := range c.members {
			if cmd != nil {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}
		}
		if t.Failed() {
			for _, log := range c.logs {
				t.Log(log)
			}
		}
	})
	for i := range c.hosts {
		c.restart(i, c.client)
	}
	return c
}

// restart starts a member with files, after it was stopped.
func (c *cluster) restart(i int, tls string) {
	c.t.Helper()
	if old := c.members[i]; old != nil {
		_ = old.Process.Kill()
		_ = old.Wait()
	}
	var initial []string
	for n, h := range c.hosts {
		initial = append(initial, fmt.Sprintf("m%d=https://%s:%d", n, h, c.ports[2*n]))
	}
	at := func(f string) string { return filepath.Join(tls, f) }
	h := c.hosts[i]
	cmd := exec.Command("etcd",
		"--name", fmt.Sprintf("m%d", i), "--data-dir", c.data[i], "--initial-cluster-token", c.t.Name(), "--initial-cluster", strings.Join(initial, ","), "--initial-cluster-state", "new",
		"--listen-peer-urls", fmt.Sprintf("https://127.0.0.1:%d", c.ports[2*i]), "--initial-advertise-peer-urls", fmt.Sprintf("https://%s:%d", h, c.ports[2*i]),
		"--listen-client-urls", fmt.Sprintf("https://127.0.0.1:%d", c.ports[2*i+1]), "--advertise-client-urls", fmt.Sprintf("https://%s:%d", h, c.ports[2*i+1]),
		"--cert-file", at("etcd/server.crt"), "--key-file", at("etcd/server.key"), "--trusted-ca-file", at("etcd-client-ca.crt"), "--client-cert-auth",
		"--peer-cert-file", at("etcd/peer.crt"), "--peer-key-file", at("etcd/peer.key"), "--peer-trusted-ca-file", at("etcd-client-ca.crt"), "--peer-client-cert-auth",
	)
	log := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = log, log
	c.logs = append(c.logs, log)
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.members[i] = cmd
}

func (c *cluster) etcdctl(tls string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "etcdctl", append([]string{
		"--endpoints", c.endpoints, "--cacert", filepath.Join(tls, "etcd-client-ca.crt"),
		"--cert", filepath.Join(tls, "etcd-client.crt"), "--key", filepath.Join(tls, "etcd-client.key"), "--dial-timeout", "2s", "--command-timeout", "2s",
	}, args...)...)
	cmd.Env = append(os.Environ(), "ETCDCTL_API=3")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// healthy polls until all members answer; etcd itself decides when that is.
func (c *cluster) healthy(tls string) {
	c.t.Helper()
	var out string
	var err error
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); {
		if out, err = c.etcdctl(tls, "endpoint", "health"); err == nil {
			return
		}
	}
	c.t.Fatalf("etcd never became healthy: %v\n%s", err, out)
}
