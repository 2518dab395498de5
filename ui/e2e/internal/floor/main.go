// Command floor is what the machine can do at best: it makes the keys and
// certificates of a set with crypto/x509 and writes the files, on all cores, and
// does nothing else: no rule, no proof, no sync, no manifest. The benchmarks of
// package e2e hold certwright against it.
//
//	floor set   -alg rsa-2048 -out DIR      the Tectonic set
//	floor nodes -n 10000 -out DIR           a Kubernetes cluster, five files a node
package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"flag"
	"fmt"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: floor set|nodes [flags]")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	alg := flags.String("alg", "ecdsa-p256", "ecdsa-p256 or rsa-2048")
	out := flags.String("out", "", "a directory that is not there yet")
	n := flags.Int("n", 1000, "how many nodes")
	must(flags.Parse(os.Args[2:]))
	f := &floor{out: *out, rsa: *alg == "rsa-2048"}
	switch os.Args[1] {
	case "set":
		f.set()
	case "nodes":
		f.nodes(*n)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

type floor struct {
	out string
	rsa bool
}

// signer is a certificate with its key, and both as files hold them.
type signer struct {
	cert         *x509.Certificate
	key          crypto.Signer
	certPEM, pem []byte
}

func (f *floor) key() crypto.Signer {
	if f.rsa {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		must(err)
		return k
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	return k
}

func (f *floor) issue(key crypto.Signer, t *x509.Certificate, by *signer) *signer {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	must(err)
	t.SerialNumber, t.NotBefore, t.NotAfter, t.BasicConstraintsValid = serial, time.Now(), time.Now().Add(8760*time.Hour), true
	parent, with := t, key
	if by != nil {
		parent, with = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), with)
	must(err)
	s := &signer{key: key, certPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	if t.IsCA {
		s.cert, err = x509.ParseCertificate(der)
		must(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	s.pem = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return s
}

func (f *floor) write(name string, data []byte, mode os.FileMode) {
	p := filepath.Join(f.out, name)
	must(os.MkdirAll(filepath.Dir(p), 0o700))
	must(os.WriteFile(p, data, mode))
}

func (f *floor) pair(name string, s *signer) {
	f.write(name+".crt", s.certPEM, 0o644)
	f.write(name+".key", s.pem, 0o600)
}

func authority(name string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, KeyUsage: x509.KeyUsageCertSign}
}

func leaf(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name, Organization: []string{"system:nodes"}}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)},
	}
}

// set is as many keys and certificates as the Tectonic set has: a root, four
// CAs, nine leaves and a key pair.
func (f *floor) set() {
	const cas, leaves = 4, 9
	keys := make([]crypto.Signer, 1+cas+leaves+1)
	spread(len(keys), func(i int) { keys[i] = f.key() })
	root := f.issue(keys[0], authority("root"), nil)
	f.pair("root", root)
	var signers [cas]*signer
	spread(cas, func(i int) {
		signers[i] = f.issue(keys[1+i], authority(fmt.Sprint("ca", i)), root)
		f.pair(fmt.Sprint("ca", i), signers[i])
	})
	spread(leaves, func(i int) {
		f.pair(fmt.Sprint("leaf", i), f.issue(keys[1+cas+i], leaf("leaf"), signers[i%cas]))
	})
}

// nodes is a kubelet's client and server certificate for each node, with the
// files that certwright writes for it.
func (f *floor) nodes(n int) {
	ca := f.issue(f.key(), authority("kubernetes"), nil)
	f.pair("ca", ca)
	proxy := config(ca, f.issue(f.key(), leaf("system:kube-proxy"), ca))
	spread(n, func(i int) {
		dir := fmt.Sprintf("nodes/node-%05d/", i)
		client := f.issue(f.key(), leaf(fmt.Sprint("system:node:", i)), ca)
		server := f.issue(f.key(), leaf(fmt.Sprint("node-", i)), ca)
		f.write(dir+"kubelet.conf", config(ca, client), 0o600)
		f.pair(dir+"kubelet/kubelet", server)
		f.write(dir+"pki/ca.crt", ca.certPEM, 0o644)
		f.write(dir+"kube-proxy.conf", proxy, 0o600)
	})
}

func config(ca, s *signer) []byte {
	var b bytes.Buffer
	enc := base64.StdEncoding.EncodeToString
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Config\nclusters:\n  - name: demo\n    cluster:\n      server: https://demo:6443\n      certificate-authority-data: %s\n", enc(ca.certPEM))
	fmt.Fprintf(&b, "users:\n  - name: node\n    user:\n      client-certificate-data: %s\n      client-key-data: %s\n", enc(s.certPEM), enc(s.pem))
	b.WriteString("contexts:\n  - name: node@demo\n    context:\n      cluster: demo\n      user: node\ncurrent-context: node@demo\n")
	return b.Bytes()
}

// spread runs do for 0 … n-1 on all cores.
func spread(n int, do func(int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}
