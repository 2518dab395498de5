package check

import (
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Where a warning says that OpenSSL takes a chain otherwise than Go, both are
// asked.
func TestOpenSSLDisagreesAsWeSay(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	chain := func(leaf, root *entity, between ...*entity) chainOf { return chainOf{leaf, between, []*entity{root}} }
	// OpenSSL tells a self-issued certificate from a self-signed one by its key identifiers.
	by := func(issuer *entity) edit {
		return func(t *x509.Certificate) { t.AuthorityKeyId = issuer.cert.SubjectKeyId }
	}
	for _, c := range []struct {
		name, rule string
		make       func() chainOf
		says       string // what openssl says; "" when it accepts
	}{
		{"leaf and CA share a subject", "w:same-subject-as-ca", func() chainOf {
			r := root()
			return chain(end(r, subject("chain root")), r)
		}, "self-signed certificate"},
		{"the key identifier does not fit", "w:aki-mismatch", func() chainOf {
			r := root()
			other := *r.cert
			other.SubjectKeyId = []byte{1, 2, 3}
			return chain(end(&entity{cert: &other, key: r.key}), r)
		}, "unable to get local issuer certificate"},
		{"any usage", "w:eku-any", func() chainOf { r := root(); return chain(end(r, eku(anyUse)), r) }, "certificate purpose"},
		{"the CN is no permitted name", "w:name-constraint", func() chainOf {
			r := root(permitted("corp.example"))
			return chain(end(r, noNames, ips("192.0.2.1"), subject("example.com")), r)
		}, "permitted subtree violation"},
		{"only certificates may be signed with it", "w:key-usage-unsuitable", func() chainOf {
			r := root()
			return chain(end(r, ku(x509.KeyUsageCertSign), func(t *x509.Certificate) { t.IsCA = true }), r)
		}, "certificate purpose"},
		{"self-issued certificates and path length", "w:pathlen-exceeded", func() chainOf {
			r := root(pathLen(1))
			a := sign(r, "len-a", subject("chain root"), ca, by(r))
			b := sign(a, "len-b", subject("B"), ca)
			return chain(end(b), r, a, b)
		}, ""},
		{"directory names", "w:unknown-critical-extension", func() chainOf {
			r := root()
			i := inter(r, subtreesOf(0, directory("foo")))
			return chain(end(i, cn("foo")), r, i)
		}, ""},
		{"a self-issued intermediate is exempt", "w:name-constraint", func() chainOf {
			r := root(permitted("example.com"))
			i := sign(r, "chain-inter", subject("chain root"), ca, dns("ca.corp.example"), by(r))
			return chain(end(i), r, i)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := c.make()
			dir := t.TempDir()
			write := func(name string, es ...*entity) string {
				path := filepath.Join(dir, name)
				var data []byte
				for _, e := range es {
					data = append(data, pemOf(e)...)
				}
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			args := []string{"verify", "-attime", fmt.Sprint(clock.Unix()), "-purpose", "sslserver", "-CAfile", write("root.pem", w.root...)}
			if len(w.between) > 0 {
				args = append(args, "-untrusted", write("inter.pem", w.between...))
			}
			out, err := exec.Command(openssl, append(args, write("leaf.pem", w.leaf))...).CombinedOutput()
			if (err == nil) != (c.says == "") || !strings.Contains(string(out), c.says) {
				t.Errorf("openssl says %v: %s, want %q", err, out, c.says)
			}
			got := codes(Chain(ChainInput{Leaf: doc("l", w.leaf), Intermediates: docOf("i", w.between), Anchors: docOf("r", w.root), Usage: "server auth", At: clock}))
			if !strings.Contains(" "+strings.Join(got, " ")+" ", " "+c.rule+" ") {
				t.Errorf("we say %v, want %s", got, c.rule)
			}
		})
	}
}
