package wizard

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io/fs"
	"math/big"
	"net"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// slotRunner judges material for real and fakes everything else.
type slotRunner struct {
	*fakeRunner
	real *install.Runner
	// said are verdicts that are not worked out: for frames, which must not
	// change whenever a rule says its say in better words.
	said map[topology.SlotID]flow.Verdict
}

func (r *slotRunner) Run(ctx context.Context, e flow.Effect, progress func(flow.Event)) flow.Event {
	if e, ok := e.(flow.CheckSlot); ok {
		if v, ok := r.said[e.Slot]; ok {
			return flow.Checked{Slot: e.Slot, Gen: e.Gen, Verdict: v}
		}
	}
	if e, ok := e.(flow.SortFolder); ok && r.filled != nil {
		return r.filled(e)
	}
	switch e.(type) {
	case flow.CheckSlot, flow.LookAtFiles, flow.SortFolder:
		return r.real.Run(ctx, e, progress)
	}
	return r.fakeRunner.Run(ctx, e, progress)
}

// readFs reads without a trace: afero's files in memory take the time of every
// handle that was not opened for reading alone.
type readFs struct{ afero.Fs }

func (f readFs) OpenFile(name string, _ int, _ fs.FileMode) (afero.File, error) { return f.Open(name) }

// driveSlots starts the wizard at a step that asks for material, with modes as
// given: "etcd=bring-ca kube=bring-certs".
func driveSlots(t testing.TB, step flow.Step, modes string, s setup, files map[string][]byte) *driver {
	t.Helper()
	s.plan = func(p *plan.Plan) {
		p.Components = map[topology.ComponentID]plan.Component{}
		for m := range strings.FieldsSeq(modes) {
			id, mode, _ := strings.Cut(m, "=")
			p.Components[topology.ComponentID(id)] = plan.Component{Mode: topology.Mode(mode)}
		}
	}
	d := drive(t, s)
	d.root.env.FS = readFs{d.fs}
	d.root.work.runner = &slotRunner{fakeRunner: d.runner, said: map[topology.SlotID]flow.Verdict{}, real: &install.Runner{
		World: &install.World{Read: d.root.env.FS, Dir: d.root.env.Dir, Now: d.root.env.Now},
	}}
	for name, data := range files {
		d.put(name, data)
	}
	for d.root.env.Flow.At() != step {
		before := d.root.env.Flow.At()
		d.press("enter")
		if d.root.env.Flow.At() == before {
			t.Fatalf("stuck at %s\n%s", before, d.frame())
		}
	}
	return d
}

// says fixes what is thought of a slot from now on.
func (d *driver) says(id topology.SlotID, v flow.Verdict) *driver {
	d.root.work.runner.(*slotRunner).said[id] = v
	return d
}

// put writes a file below the working directory, or at an absolute path.
func (d *driver) put(name string, data []byte) {
	d.t.Helper()
	if !path.IsAbs(name) {
		name = path.Join(d.root.env.Dir, name)
	}
	if err := d.fs.MkdirAll(path.Dir(name), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := afero.WriteFile(d.fs, name, data, 0o600); err != nil {
		d.t.Fatal(err)
	}
	if err := d.fs.Chtimes(name, testNow, testNow); err != nil {
		d.t.Fatal(err)
	}
}

// touch sets a file's time, some minutes after the clock's.
func (d *driver) touch(name string, minutes int) {
	d.t.Helper()
	at := testNow.Add(time.Duration(minutes) * time.Minute)
	if err := d.fs.Chtimes(path.Join(d.root.env.Dir, name), at, at); err != nil {
		d.t.Fatal(err)
	}
}

// slots is the screen under test.
func (d *driver) slots() *slotScreen {
	d.t.Helper()
	s, ok := d.root.screen().(*slotScreen)
	if !ok {
		d.t.Fatalf("the screen of %s is a %T", d.root.at, d.root.screen())
	}
	return s
}

// testKey is a P-256 key that is the same in every run.
func testKey(t testing.TB, name string) *ecdsa.PrivateKey {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// testCert is a certificate that is the same in every run: without randomness
// ECDSA signs as RFC 6979 says.
type testCert struct {
	x509 *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func makeCert(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey, by *testCert) *testCert {
	t.Helper()
	parent, signer := template, key
	if by != nil {
		parent, signer = by.x509, by.key
	}
	template.SerialNumber = big.NewInt(int64(len(template.Subject.CommonName))<<32 + 0x5f1290c4)
	if template.NotBefore.IsZero() {
		template.NotBefore = testNow.AddDate(0, -1, 0)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = testNow.AddDate(0, 0, 365)
	}
	template.BasicConstraintsValid = true
	der, err := x509.CreateCertificate(nil, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &testCert{c, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func testCA(t testing.TB, cn string, by *testCert) *testCert {
	t.Helper()
	return makeCert(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: cn, Organization: []string{"Corp"}}, IsCA: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, NotAfter: testNow.AddDate(3, 0, 0),
	}, testKey(t, cn), by)
}

func testLeaf(t testing.TB, cn string, by *testCert, dns []string, ips []string, usages ...x509.ExtKeyUsage) *testCert {
	t.Helper()
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: cn, Organization: []string{"Corp"}},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: usages, DNSNames: dns,
	}
	for _, ip := range ips {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(ip))
	}
	return makeCert(t, template, testKey(t, cn), by)
}

func (c *testCert) keyPEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// lockedPEM is the key encrypted under a passphrase, in the old form of openssl
// (RFC 1421 headers), which the standard library can still write.
func (c *testCert) lockedPEM(t testing.TB, passphrase string) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(c.key)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 the form is read, so a test has to write it
	b, err := x509.EncryptPEMBlock(bytes.NewReader(make([]byte, 64)), "EC PRIVATE KEY", der, []byte(passphrase), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(b)
}

// corpFiles are a folder as a company hands it over.
func corpFiles(t testing.TB) map[string][]byte {
	t.Helper()
	root := testCA(t, "Corp Root CA", nil)
	issuing := testCA(t, "Corp Issuing CA 3", root)
	leaf := testLeaf(t, "www.example.com", issuing, []string{"www.example.com"}, nil, x509.ExtKeyUsageServerAuth)
	return map[string][]byte{
		"corp/corp-issuing-ca.pem":  bytes.Join([][]byte{issuing.pem, root.pem}, nil),
		"corp/corp-issuing-ca.key":  issuing.keyPEM(t),
		"corp/corp-root.pem":        root.pem,
		"corp/leaf.pem":             leaf.pem,
		"corp/README":               []byte("Ask the PKI team before you use these.\n"),
		"corp/archive/old.pem":      root.pem,
		"corp/intermediate/one.pem": issuing.pem,
		"corp/.cache/x":             []byte("x"),
	}
}

// secretsOf are the pieces of private keys that no frame may show.
func secretsOf(keys ...[]byte) []string {
	var out []string
	for _, k := range keys {
		for l := range strings.Lines(string(k)) {
			if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "-----") {
				out = append(out, l[:min(len(l), 12)], l[max(0, len(l)-12):])
			}
		}
	}
	return out
}

// rest lets the clocks run until they stand still, except those that never do.
func (d *driver) rest() *driver {
	d.t.Helper()
	d.root.looking = true // the look at files has its own test
	for range 5 {
		d.advance()
	}
	return d
}
