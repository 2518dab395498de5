package issue_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// now is the clock of all tests here.
var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func tectonicProfile(t testing.TB) *topology.Profile { return profile(t, "tectonic") }

// profile is one of those that are built in.
func profile(t testing.TB, name string) *topology.Profile {
	t.Helper()
	data, err := os.ReadFile("../../assets/profiles/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var p topology.Profile
	if err := yaml.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	for i := range p.Slots {
		if p.Slots[i].Kind == "" {
			p.Slots[i].Kind = topology.Leaf
		}
	}
	return &p
}

// tectonic is the Tectonic topology. Every algorithm is allowed in it, so that
// each can be tried.
func tectonic(t testing.TB, facts map[string]string) *topology.Topology {
	t.Helper()
	p := tectonicProfile(t)
	p.Algorithms = nil
	topo, problems := topology.Resolve(p, facts)
	for _, problem := range problems {
		t.Fatal(problem)
	}
	return topo
}

func request(topo *topology.Topology) issue.Request {
	return issue.Request{Topology: topo, Now: now}
}

func all(t testing.TB, r issue.Request) *certs.Set {
	t.Helper()
	set, err := issue.All(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// ca builds a CA as a person would bring it. change may spoil the template;
// parent is nil for a root.
func ca(t testing.TB, name string, key crypto.Signer, parent *certs.Pair, change func(*x509.Certificate)) *certs.Pair {
	t.Helper()
	if key == nil {
		key = newKey(t)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano() + int64(len(name))),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(5, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if change != nil {
		change(template)
	}
	issuer, signer := template, key
	pair := &certs.Pair{Key: key}
	if parent != nil {
		issuer, signer = parent.Leaf(), parent.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pair.Certificates = []*x509.Certificate{cert}
	if parent != nil {
		pair.Certificates = append(pair.Certificates, parent.Certificates...)
	}
	return pair
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// weakKey is an RSA key of 1024 bits, which Go makes only when told to.
func weakKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	return rsaKey(t, 1024)
}
