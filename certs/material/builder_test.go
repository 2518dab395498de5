package material

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// clock is when every certificate of these tests is made.
var clock = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// keyFor gives one key of each kind; keys are made once for all tests.
func keyFor(t testing.TB, kind string) crypto.Signer {
	t.Helper()
	keysLock.Lock()
	defer keysLock.Unlock()
	if k, ok := keysMade[kind]; ok {
		return k
	}
	var k crypto.Signer
	var err error
	switch kind {
	case "rsa":
		k, err = rsa.GenerateKey(rand.Reader, 2048)
	case "p256", "other":
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "p521":
		k, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed25519":
		_, k, err = ed25519.GenerateKey(rand.Reader)
	default:
		t.Fatalf("no key of kind %q", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	keysMade[kind] = k
	return k
}

var (
	keysLock sync.Mutex
	keysMade = map[string]crypto.Signer{}
)

// selfSigned makes a certificate that its own key signs.
func selfSigned(t testing.TB, cn string, key crypto.Signer, edit ...func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x5f1290), Subject: pkix.Name{Organization: []string{"test"}, CommonName: cn},
		NotBefore: clock, NotAfter: clock.AddDate(1, 0, 0), DNSNames: []string{cn + ".example.com"},
		SubjectKeyId: []byte{1, 2, 3, 4}, BasicConstraintsValid: true,
	}
	for _, e := range edit {
		e(template)
	}
	return signed(t, template, template, key.Public(), key)
}

// signed signs a template.
func signed(t testing.TB, template, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pemOf writes a block.
func pemOf(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

// pkcs8 encodes a key.
func pkcs8(t testing.TB, k crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// body is the base64 of PEM without its markers.
func body(text string) string {
	b, _ := pem.Decode([]byte(text))
	return base64.StdEncoding.EncodeToString(b.Bytes)
}

// parts are the fields of a certificate's signed part, each whole.
type parts struct {
	version, serial, algorithm, issuer, validity, subject, key []byte
	extensions                                                 []pkix.Extension
	outer                                                      []byte
	tail                                                       []byte // put behind the certificate
}

// rebuilt takes a certificate apart, lets edit spoil it, and puts it together
// again. The signature no longer fits, which nothing here looks at.
func rebuilt(t testing.TB, c *x509.Certificate, edit func(*parts)) []byte {
	t.Helper()
	in := cryptobyte.String(c.RawTBSCertificate)
	var tbs cryptobyte.String
	if !in.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		t.Fatal("no TBSCertificate")
	}
	var p parts
	for _, field := range []*[]byte{&p.version, &p.serial, &p.algorithm, &p.issuer, &p.validity, &p.subject, &p.key} {
		var element cryptobyte.String
		var tag cbasn1.Tag
		if !tbs.ReadAnyASN1Element(&element, &tag) {
			t.Fatal("a field of the certificate is missing")
		}
		*field = slices.Clone(element)
	}
	p.extensions = slices.Clone(c.Extensions)
	p.outer = p.algorithm
	edit(&p)
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, field := range [][]byte{p.version, p.serial, p.algorithm, p.issuer, p.validity, p.subject, p.key} {
				b.AddBytes(field)
			}
			if len(p.extensions) == 0 {
				return
			}
			b.AddASN1(cbasn1.Tag(3).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, e := range p.extensions {
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddASN1ObjectIdentifier(e.Id)
							if e.Critical {
								b.AddASN1Boolean(true)
							}
							b.AddASN1OctetString(e.Value)
						})
					}
				})
			})
		})
		b.AddBytes(p.outer)
		b.AddASN1BitString(c.Signature)
	})
	der, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return append(der, p.tail...)
}

// element writes one DER element.
func tlv(tag byte, content ...byte) []byte { return appendElement(nil, []byte{tag}, content) }

// found lists the rules of a document's problems in order.
func found(d *Document) []string {
	rules := []string{}
	for _, p := range d.Problems {
		rules = append(rules, p.Rule)
	}
	return rules
}

// errNoOpenSSL skips; see openssl.
var errNoOpenSSL = errors.New("openssl is not installed")

// openssl runs the command line tool in a directory of the test, and skips the
// test where there is none.
func openssl(t testing.TB, dir string, args ...string) []byte {
	t.Helper()
	out, err := tryOpenSSL(t, dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryOpenSSL(t testing.TB, dir string, args ...string) ([]byte, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip(errNoOpenSSL)
	}
	c := exec.CommandContext(t.Context(), path, args...)
	c.Dir = dir
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return nil, errors.New("openssl " + strings.Join(args, " ") + ": " + stderr.String())
	}
	return out, nil
}

// signs shows that a key can still sign: what it was decrypted into is wiped.
func signs(t testing.TB, key crypto.Signer) {
	t.Helper()
	made := selfSigned(t, "signs", key)
	if err := made.CheckSignature(made.SignatureAlgorithm, made.RawTBSCertificate, made.Signature); err != nil {
		t.Errorf("the key does not sign: %v", err)
	}
}

// write puts a file into a directory of the test.
func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read gives a file of a directory of the test.
func read(t testing.TB, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
