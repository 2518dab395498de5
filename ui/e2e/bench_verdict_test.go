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
	"os/exec"
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

// BenchmarkPtyFolder fills the fields of 5,000 nodes from the folder of a whole
// set, some 10,000 certificates and their keys, and presses keys while it is
// read, sorted and judged. Where time is short there are 300 nodes.
func BenchmarkPtyFolder(b *testing.B) {
	nodes := 5000
	if testing.Short() {
		nodes = 300
	}
	dir := fleet(b, nodes)
	if out, err := exec.Command(program, "apply", "-f", filepath.Join(dir, "plan.yaml"), "--out", filepath.Join(dir, "set")).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	plan := "apiVersion: certwright/v1\nprofile: kubernetes\nfacts: {cluster.name: demo}\nnodes: {from: nodes.csv}\n" +
		"components: {etcd: {mode: bring-certs}, kube: {mode: bring-certs}, front-proxy: {mode: bring-certs}}\n"
	if err := os.WriteFile(filepath.Join(dir, "brought.yaml"), []byte(plan), 0o644); err != nil {
		b.Fatal(err)
	}
	var keys, filled, judged []time.Duration
	var peak int64
	for range b.N {
		m := measure(b, 80, 24, false, dir, nil, program, "--config", "brought.yaml")
		for _, step := range []string{"[Profile]", "[Facts]", "[Components]"} {
			m.until(step)
			m.quiet(100 * time.Millisecond)
			m.send("\r")
		}
		m.until("[Certs]")
		m.quiet(100 * time.Millisecond)
		m.send("dt\x15set")
		m.quiet(200 * time.Millisecond)
		from := m.send("\r")
		m.until("reading")
		took, at := m.keysUntil("fields", "?", "\x1b")
		keys, filled = append(keys, took...), append(filled, at.Sub(from))
		m.send("\r") // closes the list of what went where
		took, at = m.keysUntil("usable.", "?", "\x1b")
		keys, judged = append(keys, took...), append(judged, at.Sub(from))
		_, p := m.end()
		peak = max(peak, p)
	}
	b.ReportMetric(float64(peak)/(1<<20), "MiB-peak")
	spread(b, "repaint-busy", keys)
	spread(b, "filled", filled)
	spread(b, "judged", judged)
}

// pageOfText is less than a page of help takes, and than the page below it: a
// count that moves by itself is shorter, and no answer to a key.
const pageOfText = 500

// keysUntil presses a key that shows a page and one that closes it in turn, each
// when the one before was answered, until a text was shown. It gives what each
// press took, and when the text came.
func (m *meter) keysUntil(text, do, undo string) (took []time.Duration, at time.Time) {
	m.b.Helper()
	presses := []string{do, undo}
	var all strings.Builder
	limit := time.Now().Add(patience)
	for i := 0; ; i++ {
		from := m.send(presses[i%2])
		answered, sent := false, 0
		for wait := time.After(50 * time.Millisecond); ; {
			select {
			case c, open := <-m.chunks:
				if !open || time.Now().After(limit) {
					m.b.Fatalf("no %q", text)
				}
				if sent += len(c.data); !answered && sent > pageOfText {
					took, answered = append(took, c.at.Sub(from)), true
				}
				all.Write(c.data)
				if strings.Contains(style.ReplaceAllString(all.String(), ""), text) {
					if i%2 == 0 {
						m.quiet(100 * time.Millisecond)
						m.send(undo)
						m.quiet(100 * time.Millisecond)
					}
					return took, c.at
				}
				continue
			case <-wait:
				if !answered {
					wait = time.After(50 * time.Millisecond)
					if time.Now().After(limit) {
						m.b.Fatalf("no %q", text)
					}
					continue
				}
			}
			break
		}
	}
}
