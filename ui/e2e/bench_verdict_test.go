//go:build unix

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// typingPause is the wizard's own: it waits so long after the last key of a path
// before it looks at the file.
const typingPause = 150 * time.Millisecond

// bundleOf is a CA with n-1 certificates that it signed behind it.
func bundleOf(b *testing.B, n int) string {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	var out strings.Builder
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: "kube-ca"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	for i := range n {
		c := ca
		if i > 0 {
			c = &x509.Certificate{Subject: pkix.Name{CommonName: fmt.Sprint("leaf ", i)}, DNSNames: []string{fmt.Sprintf("n%d.example.com", i)}}
		}
		c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(int64(1000+i)), time.Now().Add(-time.Hour), time.Now().Add(1000*time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, c, ca, key.Public(), key)
		if err != nil {
			b.Fatal(err)
		}
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return out.String()
}

// certsStep is a wizard at the certificates that kube brings, with its CA under
// the cursor.
func certsStep(b *testing.B, dir string, args ...string) *meter {
	m := measure(b, 80, 24, false, dir, nil, append([]string{program}, args...)...)
	for _, step := range []string{"[Profile]", "[Facts]", "[Components]"} {
		m.until(step)
		m.quiet(50 * time.Millisecond)
		if step != "[Components]" {
			m.send("\r")
		}
	}
	m.send("\x1b[Bb")
	m.quiet(50 * time.Millisecond)
	m.send("\r")
	m.until("[Certs]")
	m.quiet(50 * time.Millisecond)
	return m
}

// BenchmarkPtyVerdict takes the time from the last key of a path, or from a
// paste, to the verdict on the screen. Of a path it also says what remains
// without the pause after which the wizard looks at it.
func BenchmarkPtyVerdict(b *testing.B) {
	for _, n := range []int{1, 1000} {
		bundle := bundleOf(b, n)
		b.Run(fmt.Sprintf("paste/certificates=%d", n), func(b *testing.B) {
			m := certsStep(b, b.TempDir())
			m.send("p")
			m.until("saved")
			var took []time.Duration
			for range b.N {
				m.quiet(50 * time.Millisecond)
				from := m.send("\x1b[200~" + bundle + "\x1b[201~")
				took = append(took, m.until("usable").Sub(from))
				m.quiet(50 * time.Millisecond)
				m.send("\x15") // ctrl+u empties it
				m.until("saved")
			}
			m.end()
			spread(b, "verdict", took)
		})
		b.Run(fmt.Sprintf("path/certificates=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "bundle.pem"), []byte(bundle), 0o644); err != nil {
				b.Fatal(err)
			}
			m := certsStep(b, dir)
			m.send("t")
			m.quiet(50 * time.Millisecond)
			m.send("bundle.pe")
			m.until("exist")
			var took, bare []time.Duration
			for i := range b.N {
				m.quiet(time.Duration(50+i%9) * time.Millisecond) // at any moment of the frame
				from := m.send("m")
				d := m.until("stands").Sub(from)
				took, bare = append(took, d), append(bare, d-typingPause)
				m.quiet(50 * time.Millisecond)
				m.send("\x7f")
				m.until("exist")
			}
			m.end()
			spread(b, "verdict", took)
			spread(b, "without-pause", bare)
		})
	}
}
