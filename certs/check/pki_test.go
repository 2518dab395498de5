package check

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"certwright/certs/material"
	"certwright/certs/topology"
)

// The clock of all tests.
var clock = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const year = 365 * 24 * time.Hour

var (
	keyMutex sync.Mutex
	keyCache = map[string]crypto.Signer{}
)

// key makes a key once for each name; what stands before a colon is its
// algorithm, ECDSA P-256 when there is none: "etcd", "rsa:etcd", "rsa1024:old".
func key(name string) crypto.Signer {
	keyMutex.Lock()
	defer keyMutex.Unlock()
	if k, ok := keyCache[name]; ok {
		return k
	}
	k, err := makeKey(name)
	if err != nil {
		panic(err)
	}
	keyCache[name] = k
	return k
}

func makeKey(name string) (crypto.Signer, error) {
	kind, _, _ := bytes.Cut([]byte(name), []byte(":"))
	switch string(kind) {
	case "rsa":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "rsa1024":
		return rsa.GenerateKey(rand.Reader, 1024)
	case "ed25519":
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return k, err
	case "p224":
		return ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	case "p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// entity is a certificate with its key and what signed it.
type entity struct {
	cert   *x509.Certificate
	key    crypto.Signer
	issuer *entity
}

// edit changes a certificate before it is signed.
type edit func(*x509.Certificate)

var serial int64 = 1000

// sign makes a certificate. A nil issuer signs itself.
func sign(issuer *entity, keyName string, edits ...edit) *entity {
	keyMutex.Lock()
	serial++
	number := serial
	keyMutex.Unlock()
	t := &x509.Certificate{
		SerialNumber: big.NewInt(number), NotBefore: clock.Add(-24 * time.Hour), NotAfter: clock.Add(year),
		BasicConstraintsValid: true,
	}
	for _, e := range edits {
		e(t)
	}
	e := &entity{key: key(keyName), issuer: issuer}
	parent, signer := t, e.key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, e.key.Public(), signer)
	if err != nil {
		panic(err)
	}
	return e.parse(der)
}

func (e *entity) parse(der []byte) *entity {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		panic(fmt.Sprintf("%v\n%x", err, der))
	}
	return &entity{c, e.key, e.issuer}
}

func subject(cn string, orgs ...string) edit {
	return func(t *x509.Certificate) { t.Subject = pkix.Name{CommonName: cn, Organization: orgs} }
}

func ca(t *x509.Certificate) {
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	t.NotAfter = clock.Add(10 * year)
	t.MaxPathLen = -1
}

func dns(names ...string) edit {
	return func(t *x509.Certificate) { t.DNSNames = append(t.DNSNames, names...) }
}

func ips(addresses ...string) edit {
	return func(t *x509.Certificate) {
		for _, a := range addresses {
			t.IPAddresses = append(t.IPAddresses, net.ParseIP(a))
		}
	}
}

func uri(s string) edit {
	return func(t *x509.Certificate) {
		u, err := url.Parse(s)
		if err != nil {
			panic(err)
		}
		t.URIs = append(t.URIs, u)
	}
}

func eku(us ...x509.ExtKeyUsage) edit { return func(t *x509.Certificate) { t.ExtKeyUsage = us } }
func ku(u x509.KeyUsage) edit         { return func(t *x509.Certificate) { t.KeyUsage = u } }

func network(cidr string) *net.IPNet {
	_, n, err := net.ParseCIDR(cidr)
	if err != nil {
		panic(err)
	}
	return n
}

func dates(from, to time.Duration) edit {
	return func(t *x509.Certificate) { t.NotBefore, t.NotAfter = clock.Add(from), clock.Add(to) }
}

const (
	server = x509.ExtKeyUsageServerAuth
	client = x509.ExtKeyUsageClientAuth
	anyUse = x509.ExtKeyUsageAny
	sigKU  = x509.KeyUsageDigitalSignature
	encKU  = x509.KeyUsageKeyEncipherment
)

// doc writes certificates and keys into one document, as a file would hold them.
func doc(name string, parts ...any) *material.Document {
	return material.Parse(material.Input{Name: name, Data: pemOf(parts...)})
}

func pemOf(parts ...any) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		switch v := p.(type) {
		case *entity:
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: v.cert.Raw})
		case crypto.Signer:
			der, err := x509.MarshalPKCS8PrivateKey(v)
			if err != nil {
				panic(err)
			}
			_ = pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
		case *pem.Block:
			_ = pem.Encode(&b, v)
		case string:
			b.WriteString(v)
		case []byte:
			b.Write(v)
		default:
			panic(fmt.Sprintf("%T", p))
		}
	}
	return b.Bytes()
}

// pki is the good material of a cluster.
type pki struct {
	t                           *topology.Topology
	root, etcd, kube, ingress   *entity
	otherRoot, otherEtcd, inter *entity
}

func newPKI(t testing.TB) *pki {
	t.Helper()
	return thePKI()
}

var thePKI = sync.OnceValue(func() *pki {
	p := &pki{t: testTopology()}
	p.root = sign(nil, "root", subject("demo root CA", "acme"), ca)
	p.etcd = sign(nil, "etcd-ca", subject("etcd-ca", "etcd"), ca)
	p.kube = sign(nil, "kube-ca", subject("kube-ca", "bootkube"), ca)
	p.ingress = sign(nil, "ingress-ca", subject("ingress-ca", "tectonic"), ca)
	p.inter = sign(p.root, "inter", subject("demo intermediate CA", "acme"), ca)
	p.otherEtcd = sign(nil, "other-etcd-ca", subject("etcd-ca", "etcd"), ca)
	p.otherRoot = sign(nil, "corp", subject("Corp CA", "corp"), ca)
	return p
})
