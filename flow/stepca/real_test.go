package stepca_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/flow/stepca"
)

// A provisioner's key as step made it, sealed with a password that is no secret.
const (
	provisionerName     = "admin"
	provisionerPassword = "provisioner password"
	provisionerPublic   = `{"use":"sig","kty":"EC","kid":"cV_2ixVx14OjjuaVx-ImNyZSlNxd4AKE0LQKVk__fpU","crv":"P-256","alg":"ES256","x":"twdOQm8TeJIq4h175Rs57wa8mHw_W6aHrlsFqohfWWo","y":"CnepyjDDKW0VFitRPAGDLE3SaA3urMi9Uf9W5k82V_w"}`
	provisionerSealed   = "eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJjdHkiOiJqd2sranNvbiIsImVuYyI6IkEyNTZHQ00iLCJwMmMiOjYwMDAwMCwicDJzIjoieTlHX0xDVjBGLXR0ajJMVjdKSlZidyJ9.l1Af3sVC-VXd2P--d2EmWBQxHq-_IyBEylAALG7Xz-pWwNcL1KVXuQ.VvTrkDsOPmx-FCFD.7WzdpGDvt31w97065OR226RqgRxSZu5O-11ioqNhKv1ftkvf3uBnCWLaMMb6kBtxtdawQDmyC7itCUK5w8u0Eo5iS1HXiFbS5E3_rKAh1GPoirN4wntMGvCHPsE2MPUYoH7WAtInIk9BJFcgQ9jK6JQ6j244aZMRK9hOh6vHKzFU9CAfQu7welFOU1u_YTsDgQaX3eAb0Ho13yhxiD069q3gmmiR_PirlO1XP85eCDCC24iwC79B4l7S8mMOkZ3OSVcfW80qx-1YCu2vPE9v14WyPxiIMXe70aSnuh-vAiBWIjNWvhPyh2QxEmPZJoPgrwwYWIg9KRrOtvPf5q0.4-405sVh9cwLeGtwkdrmpA"
)

// server is a step-ca on loopback.
type server struct {
	url, fingerprint, root string
	log                    *log
}

type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func caCert(t testing.TB, cn string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: cn}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if parent == nil {
		parent, signer = tmpl, key
	} else {
		tmpl.MaxPathLenZero = true
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

func writePEM(t testing.TB, file, kind string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// start runs a real step-ca; without the program the test is skipped. options
// are those of its provisioner, such as a template.
func start(t *testing.T, claims, options map[string]any) *server {
	t.Helper()
	program := os.Getenv("CERTWRIGHT_STEP_CA")
	if program == "" {
		var err error
		if program, err = exec.LookPath("step-ca"); err != nil {
			t.Skip("step-ca is not installed; CERTWRIGHT_STEP_CA may name it")
		}
	}
	dir := t.TempDir()
	root, rootKey := caCert(t, "Test Root", nil, nil)
	sub, subKey := caCert(t, "Test Intermediate", root, rootKey)
	subDER, err := x509.MarshalECPrivateKey(subKey)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	provisioner := map[string]any{"type": "JWK", "name": provisionerName, "key": json.RawMessage(provisionerPublic), "encryptedKey": provisionerSealed, "claims": claims}
	if options != nil {
		provisioner["options"] = options
	}
	config := map[string]any{
		"root":    writePEM(t, filepath.Join(dir, "root.crt"), "CERTIFICATE", root.Raw),
		"crt":     writePEM(t, filepath.Join(dir, "sub.crt"), "CERTIFICATE", sub.Raw),
		"key":     writePEM(t, filepath.Join(dir, "sub.key"), "EC PRIVATE KEY", subDER),
		"address": address, "dnsNames": []string{"127.0.0.1", "localhost"}, "logger": map[string]any{"format": "text"},
		"db": map[string]any{"type": "badgerv2", "dataSource": filepath.Join(dir, "db")},
		"authority": map[string]any{"provisioners": []any{
			map[string]any{"type": "ACME", "name": "acme"}, provisioner,
		}},
	}
	data, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ca.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(root.Raw)
	s := &server{url: "https://" + address, fingerprint: hex.EncodeToString(sum[:]), root: filepath.Join(dir, "root.crt"), log: &log{}}
	cmd := exec.Command(program, file)
	cmd.Env = append(os.Environ(), "STEPPATH="+dir, "HOME="+dir)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	deadline := time.Now().Add(time.Minute)
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("step-ca never listened: %v\n%s", err, s.log)
		}
	}
}

func (s *server) config() stepca.Config {
	return stepca.Config{URL: s.url, Fingerprint: s.fingerprint, Provisioner: provisionerName, Password: []byte(provisionerPassword), Now: time.Now}
}

var (
	serverSlot = &topology.Slot{
		ID: "etcd/server", Kind: topology.Leaf, Subject: topology.Subject{CN: "etcd-0.example.com", O: []string{"certwright"}},
		Names:  []topology.Name{{Kind: topology.DNSName, Value: "etcd-0.example.com"}, {Kind: topology.IPAddress, Value: "10.0.0.10"}, {Kind: topology.IPAddress, Value: "fd00::1"}, {Kind: topology.URIName, Value: "spiffe://example.org/etcd"}},
		Usages: []topology.Usage{topology.ServerAuth, topology.ClientAuth},
	}
	clientSlot = &topology.Slot{
		ID: "kube/kubelet-client", Kind: topology.Leaf, Subject: topology.Subject{CN: "system:node:worker-0", O: []string{"system:nodes"}},
		Usages: []topology.Usage{topology.ClientAuth},
	}
	plainSlot = &topology.Slot{
		ID: "etcd/plain", Kind: topology.Leaf, Subject: topology.Subject{CN: "etcd-0.example.com"},
		Names: []topology.Name{{Kind: topology.DNSName, Value: "etcd-0.example.com"}}, Usages: []topology.Usage{topology.ServerAuth},
	}
)

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func terms(life time.Duration) issue.Terms { return issue.Terms{Now: time.Now(), Life: life} }

func connect(t *testing.T, cfg stepca.Config) *stepca.CA {
	t.Helper()
	ca, err := stepca.Connect(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// theTemplate is the one that docs/life.md gives.
func theTemplate(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/life.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(data), "```gotemplate\n")
	text, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("docs/life.md gives no template")
	}
	return text
}

var year = map[string]any{"maxTLSCertDuration": "8784h", "defaultTLSCertDuration": "24h"}

func TestARealStepCASignsWithTheDocumentedTemplate(t *testing.T) {
	s := start(t, year, map[string]any{"x509": map[string]any{"template": theTemplate(t)}})
	byFile := s.config()
	root, err := os.ReadFile(s.root)
	if err != nil {
		t.Fatal(err)
	}
	byFile.Root, byFile.Fingerprint = root, ""
	for name, cfg := range map[string]stepca.Config{"by fingerprint": s.config(), "by file": byFile} {
		ca := connect(t, cfg)
		if ca.Chain()[0].Subject.CommonName != "Test Intermediate" || ca.Chain()[1].Subject.CommonName != "Test Root" {
			t.Errorf("%s: the chain is %v", name, ca.Chain())
		}
		for _, slot := range []*topology.Slot{serverSlot, clientSlot, plainSlot} {
			key := newKey(t)
			out, err := ca.Leaf(context.Background(), slot, key, terms(8760*time.Hour))
			if err != nil {
				t.Errorf("%s %s: %v\n%s", name, slot.ID, err, s.log)
				continue
			}
			leaf := out.Certificates[0]
			if len(out.Notes) > 0 || len(out.Certificates) != 2 || leaf.Subject.CommonName != slot.Subject.CN || fmt.Sprint(leaf.Subject.Organization) != fmt.Sprint(slot.Subject.O) ||
				len(leaf.ExtKeyUsage) != len(slot.Usages) || len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.URIs) != len(slot.Names) || leaf.NotAfter.Before(time.Now().Add(8759*time.Hour)) {
				t.Errorf("%s %s: %v, notes %v", name, slot.ID, leaf.Subject, out.Notes)
			}
		}
	}
}

func TestARealStepCAWithItsOwnTemplate(t *testing.T) {
	s := start(t, year, nil)
	ca := connect(t, s.config())
	for _, c := range []struct {
		slot *topology.Slot
		want string // in the error, or in the note when there is none
	}{
		{clientSlot, `options.x509.template`},
		{serverSlot, `its subject is "CN=etcd-0.example.com", and "O=certwright, CN=etcd-0.example.com" is read there`},
		{plainSlot, "may be used as a certificate for clientAuth, which was not asked for"},
	} {
		out, err := ca.Leaf(context.Background(), c.slot, newKey(t), terms(time.Hour))
		text := fmt.Sprint(err)
		if err == nil {
			text = strings.Join(out.Notes, "\n")
		}
		if !strings.Contains(text, c.want) {
			t.Errorf("%s: got %s, want %s", c.slot.ID, text, c.want)
		}
	}
}

func TestARealStepCARefuses(t *testing.T) {
	s := start(t, nil, nil) // a day at most
	ca := connect(t, s.config())
	if _, err := ca.Leaf(context.Background(), plainSlot, newKey(t), terms(8760*time.Hour)); err == nil || !strings.Contains(err.Error(), "--x509-max-dur=8760h") {
		t.Errorf("a life beyond the provisioner's: %v", err)
	}
	if _, err := ca.Leaf(context.Background(), plainSlot, newKey(t), terms(12*time.Hour)); err != nil {
		t.Errorf("a short life: %v", err)
	}
	for _, c := range []struct {
		why    string
		change func(*stepca.Config)
		want   string
	}{
		{"another password", func(c *stepca.Config) { c.Password = []byte("no") }, "the password does not open"},
		{"no password", func(c *stepca.Config) { c.Password = nil }, "password-file"},
		{"an unknown provisioner", func(c *stepca.Config) { c.Provisioner = "adnim" }, `use one of "acme, admin"`},
		{"a provisioner of another type", func(c *stepca.Config) { c.Provisioner = "acme" }, "is of type"},
		{"another root", func(c *stepca.Config) { c.Fingerprint = strings.Repeat("ab", 32) }, "no root of the fingerprint"},
		{"another root in a file", func(c *stepca.Config) {
			other, _ := caCert(t, "Another Root", nil, nil)
			c.Fingerprint, c.Root = "", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Raw})
		}, "not of the root that is pinned"},
		{"a port where nothing listens", func(c *stepca.Config) { c.URL = "https://127.0.0.1:1" }, "cannot be reached"},
	} {
		cfg := s.config()
		c.change(&cfg)
		if _, err := stepca.Connect(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", c.why, err, c.want)
		}
	}
	behind := s.config()
	clock := time.Now
	behind.Now = func() time.Time { return clock() }
	ca = connect(t, behind)
	clock = func() time.Time { return time.Now().Add(-time.Hour) }
	if _, err := ca.Leaf(context.Background(), plainSlot, newKey(t), terms(time.Hour)); err == nil || !strings.Contains(err.Error(), "clocks of both machines") {
		t.Errorf("a clock that is behind: %v", err)
	}
}
