package material

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

// TestBounds holds the caps on what one input may hold.
func TestBounds(t *testing.T) {
	c, k := seedCertificate(t), seedKey(t)
	encoded := c
	for range 6 {
		encoded = base64.StdEncoding.EncodeToString([]byte(encoded))
	}
	for _, tt := range []struct {
		name  string
		data  string
		certs int
		rules []string
	}{
		{"as large as may be", c + strings.Repeat("\n", MaxCertificates-len(c)), 1, []string{}},
		{"one byte more", c + strings.Repeat("\n", MaxCertificates-len(c)+1), 0, []string{"file-too-large"}},
		{"zeros", strings.Repeat("\x00", 10<<20), 0, []string{"file-too-large"}},
		{"a thousand certificates", strings.Repeat(c, 1000), 1000, []string{}},
		{"too many blocks", strings.Repeat("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", MaxBlocks+1), 0, []string{"file-too-large"}},
		{"too many mangled blocks", c + strings.Repeat("-----BEGIN CERTIFICATE-----\n", MaxBlocks+1), 1, slices.Repeat([]string{"truncated-pem"}, maxAlike)},
		{"a large file of keys", k + strings.Repeat(" \n", MaxKey), 0, []string{"file-too-large"}},
		{"too many keys", c + strings.Repeat(k, maxKeys+5), 1, []string{"file-too-large"}},
		{"a large Secret", "apiVersion: v1\nkind: Secret\ndata: {}\n" + strings.Repeat("#\n", maxYAML/2), 0, []string{"file-too-large"}},
		{"containers in containers", encoded, 0, []string{"no-pem-block"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Parse(Input{Data: []byte(tt.data)})
			if got := found(d); len(d.X509()) != tt.certs || len(got) < len(tt.rules) || !slices.Equal(got[:len(tt.rules)], tt.rules) || len(got) > len(tt.rules)+2 {
				t.Errorf("got %d certificates, %q, want %d, %q", len(d.X509()), got, tt.certs, tt.rules)
			}
		})
	}
}

// TestOwnCopies: what Parse returns does not change with the caller's buffer,
// which it may clear.
func TestOwnCopies(t *testing.T) {
	key := keyFor(t, "p256")
	cert := selfSigned(t, "x", key)
	for _, data := range [][]byte{EncodeCertificates(cert), slices.Clone(cert.Raw)} {
		d := Parse(Input{Data: data})
		clear(data)
		if len(d.X509()) != 1 || !bytes.Equal(d.X509()[0].Raw, cert.Raw) {
			t.Error("the certificate went with the input")
		}
	}
}

func BenchmarkParse(b *testing.B) {
	c, k := seedCertificate(b), seedKey(b)
	for _, bb := range []struct{ name, data string }{
		{"certificate", c},
		{"key", k},
		{"thousand", strings.Repeat(c, 1000)},
		{"thousand-indented", indent(strings.Repeat(c, 1000), "  ")},
		{"too-large", strings.Repeat("x", 10<<20)},
	} {
		data := []byte(bb.data)
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				Parse(Input{Data: data})
			}
		})
	}
}
