package material

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// trio is a leaf with its key and the two certificates above it.
func trio(t testing.TB) (leaf, intermediate, root *x509.Certificate) {
	t.Helper()
	ca := func(c *x509.Certificate) { c.IsCA, c.KeyUsage, c.DNSNames = true, x509.KeyUsageCertSign, nil }
	root = selfSigned(t, "root", keyFor(t, "p384"), ca)
	template := selfSigned(t, "intermediate", keyFor(t, "other"), ca)
	intermediate = signed(t, template, root, keyFor(t, "other").Public(), keyFor(t, "p384"))
	template = selfSigned(t, "leaf", keyFor(t, "p256"))
	leaf = signed(t, template, intermediate, keyFor(t, "p256").Public(), keyFor(t, "other"))
	return leaf, intermediate, root
}

// TestPKCS12 reads what the known writers of PKCS#12 write.
func TestPKCS12(t *testing.T) {
	leaf, intermediate, root := trio(t)
	key := keyFor(t, "p256")
	dir := t.TempDir()
	text, err := EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "key", text)
	write(t, dir, "leaf", EncodeCertificates(leaf))
	write(t, dir, "chain", EncodeCertificates(root, intermediate))
	write(t, dir, "all", EncodeCertificates(root, leaf, intermediate))
	write(t, dir, "pass", []byte(passphrase))
	write(t, dir, "empty", []byte("\n"))
	encoded := func(e *pkcs12.Encoder, pass string) []byte {
		data, err := e.Encode(key, leaf, []*x509.Certificate{root, intermediate}, pass)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	export := func(args ...string) []byte {
		return openssl(t, dir, append([]string{"pkcs12", "-export"}, args...)...)
	}
	full := []string{"-in", "leaf", "-inkey", "key", "-certfile", "chain", "-passout", "file:pass"}
	trust, err := pkcs12.Modern2023.EncodeTrustStore([]*x509.Certificate{root, intermediate}, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name        string
		data        []byte
		pass        string
		certs, keys int
	}{
		{"modern 2023", encoded(pkcs12.Modern2023, passphrase), passphrase, 3, 1},
		{"modern 2026, PBMAC1", encoded(pkcs12.Modern2026, passphrase), passphrase, 3, 1},
		{"legacy RC2-40", encoded(pkcs12.LegacyRC2, passphrase), passphrase, 3, 1},
		{"legacy triple DES", encoded(pkcs12.LegacyDES, passphrase), passphrase, 3, 1},
		{"without a password", encoded(pkcs12.Passwordless, ""), "", 3, 1},
		{"an empty password", encoded(pkcs12.Modern2023, ""), "", 3, 1},
		{"a trust store", trust, passphrase, 2, 0},
		{"openssl", export(full...), passphrase, 3, 1},
		{"openssl, with indefinite lengths", indefinite(t, export(full...)), passphrase, 3, 1},
		{"openssl, octet strings in pieces", inPieces(t, export(full...)), passphrase, 3, 1},
		{"openssl -legacy", export(append(full, "-legacy")...), passphrase, 3, 1},
		{"openssl -nomac", export(append(full, "-nomac")...), passphrase, 3, 1},
		{"openssl, AES-128 and SHA-1", export(append(full, "-keypbe", "aes-128-cbc", "-certpbe", "aes-192-cbc", "-macalg", "sha1")...), passphrase, 3, 1},
		{"openssl, SHA-384 MAC", export(append(full, "-macalg", "sha384")...), passphrase, 3, 1},
		{"openssl, SHA-512 MAC", export(append(full, "-macalg", "sha512")...), passphrase, 3, 1},
		{"openssl, nothing encrypted", export(append(full, "-keypbe", "NONE", "-certpbe", "NONE")...), passphrase, 3, 1},
		{"openssl, certificates alone", export("-in", "all", "-nokeys", "-passout", "file:pass"), passphrase, 3, 0},
		{"openssl, empty password", export("-in", "leaf", "-inkey", "key", "-passout", "file:empty"), "", 1, 1},
		{"openssl, leaf in the middle", export("-in", "all", "-inkey", "key", "-passout", "file:pass"), passphrase, 3, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Parse(Input{Data: tt.data, Passphrase: []byte(tt.pass)})
			if d.Format != FormatPKCS12 || len(d.X509()) != tt.certs || len(d.Keys) != tt.keys || !d.Convertible || d.NeedsPassphrase() {
				t.Fatalf("got %s, %d certificates, %d keys: %+v", d.Format, len(d.X509()), len(d.Keys), d.Problems)
			}
			if got := found(d); !slices.Equal(got, []string{"pkcs12-not-pem"}) || !d.Problems[0].Rescued {
				t.Errorf("got %+v", d.Problems)
			}
			if tt.keys > 0 {
				signs(t, d.Signer())
				if !SamePublicKey(d.Signer().Public(), key.Public()) {
					t.Error("another key came out")
				}
				if !bytes.Equal(d.X509()[0].Raw, leaf.Raw) {
					t.Errorf("the leaf is not first but %s", Subject(d.X509()[0]))
				}
				if tt.certs == 3 && !bytes.Equal(d.X509()[1].Raw, intermediate.Raw) {
					t.Errorf("the intermediate is not second but %s", Subject(d.X509()[1]))
				}
			}
			wrong := Parse(Input{Data: tt.data, Passphrase: []byte("wrong")})
			if tt.name == "openssl, nothing encrypted" || tt.pass != "" {
				if !errors.Is(wrong.Problems[0].Err, ErrPassphrase) || !wrong.NeedsPassphrase() || len(wrong.Keys) > 0 {
					t.Errorf("with a wrong passphrase: %+v", wrong.Problems)
				}
			}
			none := Parse(Input{Data: tt.data})
			if tt.pass != "" && (!errors.Is(none.Problems[0].Err, ErrNoPassphrase) || !none.NeedsPassphrase()) {
				t.Errorf("without a passphrase: %+v", none.Problems)
			}
		})
	}
}

// TestPKCS12OfJava reads a keystore of the JDK, whose keytool is strict about
// nothing and writes three parts.
func TestPKCS12OfJava(t *testing.T) {
	keytool, err := exec.LookPath("keytool")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	c := exec.CommandContext(t.Context(), keytool, "-genkeypair", "-alias", "a", "-keyalg", "EC", "-dname", "CN=java", "-storetype", "PKCS12",
		"-keystore", "store.p12", "-storepass", "changeit", "-validity", "10")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Skipf("keytool: %v: %s", err, out)
	}
	d := Parse(Input{Data: read(t, dir, "store.p12"), Passphrase: []byte("changeit")})
	if len(d.X509()) != 1 || d.Signer() == nil {
		t.Fatalf("got %+v", d.Problems)
	}
	if got := Subject(d.X509()[0]); got != "CN=java" {
		t.Errorf("subject is %q", got)
	}
}

// TestPKCS12Damaged tells damage from a wrong passphrase where it can be told,
// and never blames nobody.
func TestPKCS12Damaged(t *testing.T) {
	leaf, intermediate, root := trio(t)
	data, err := pkcs12.Modern2023.Encode(keyFor(t, "p256"), leaf, []*x509.Certificate{intermediate, root}, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		edit func([]byte) []byte
		want error
	}{
		{"cut", func(b []byte) []byte { return b[:len(b)/2] }, ErrDamaged},
		{"last byte lost", func(b []byte) []byte { return b[:len(b)-1] }, ErrDamaged},
		{"check sum changed", func(b []byte) []byte {
			i := bytes.LastIndex(b, []byte{0x04, 0x20}) // the digest, before salt and rounds
			b[i+5] ^= 1
			return b
		}, ErrDamaged},
		{"rounds of the check sum", func(b []byte) []byte {
			i := len(b) - 4
			if !bytes.Equal(b[i:], []byte{2, 2, 8, 0}) {
				t.Fatal("the rounds are not where they were")
			}
			return slices.Concat(b[:i], []byte{2, 2, 0xff, 0xff})
		}, ErrDamaged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Parse(Input{Data: tt.edit(slices.Clone(data)), Passphrase: []byte(passphrase)})
			if got := found(d); !slices.Equal(got, []string{"pkcs12-not-pem"}) || !errors.Is(d.Problems[0].Err, tt.want) || d.NeedsPassphrase() {
				t.Errorf("got %+v", d.Problems)
			}
		})
	}
}

// TestPKCS12Cost: the library for it obeys two thousand million rounds.
func TestPKCS12Cost(t *testing.T) {
	leaf, _, _ := trio(t)
	data, err := pkcs12.Modern2023.Encode(keyFor(t, "p256"), leaf, nil, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	// The rounds stand in four octets' worth of INTEGER: 02 02 08 00. Each
	// occurrence is made 02 04 7f ff ff ff by rebuilding the lengths around it.
	spoiled := replaceIntegers(t, data, []byte{8, 0}, []byte{0x7f, 0xff, 0xff, 0xff})
	d := Parse(Input{Data: spoiled, Passphrase: []byte(passphrase)})
	if len(d.Problems) != 1 || !errors.Is(d.Problems[0].Err, ErrCost) {
		t.Errorf("got %+v", d.Problems)
	}
}

// replaceIntegers rewrites DER with other values of some INTEGERs, going into
// octet strings that hold DER.
func replaceIntegers(t testing.TB, der, from, to []byte) []byte {
	t.Helper()
	var out []byte
	for len(der) > 0 {
		h, rest, err := readBERHeader(der)
		if err != nil {
			t.Fatal(err)
		}
		content := rest[:h.length]
		der = rest[h.length:]
		switch {
		case h.constructed:
			content = replaceIntegers(t, content, from, to)
		case h.tag[0] == 2 && bytes.Equal(content, from):
			content = to
		case h.tag[0] == 4 && len(content) > 16 && content[0] == 0x30 && complete(content):
			if _, rest, _ := element(content); len(rest) == 0 {
				content = replaceIntegers(t, content, from, to)
			}
		}
		out = appendElement(out, h.tag, content)
	}
	return out
}

// TestPKCS7 reads certificates out of .p7b files, DER, PEM and BER.
func TestPKCS7(t *testing.T) {
	leaf, intermediate, root := trio(t)
	dir := t.TempDir()
	write(t, dir, "all", EncodeCertificates(leaf, intermediate, root))
	der := openssl(t, dir, "crl2pkcs7", "-nocrl", "-certfile", "all", "-outform", "DER")
	text := openssl(t, dir, "crl2pkcs7", "-nocrl", "-certfile", "all")
	for _, tt := range []struct {
		name  string
		data  []byte
		certs int
	}{
		{"DER", der, 3},
		{"PEM", text, 3},
		{"PEM, other label", bytes.ReplaceAll(text, []byte("PKCS7"), []byte("PKCS #7 SIGNED DATA")), 3},
		{"PEM, CMS", bytes.ReplaceAll(text, []byte("PKCS7"), []byte("CMS")), 3},
		{"base64 without markers", []byte(base64.StdEncoding.EncodeToString(der)), 3},
		{"BER with indefinite lengths", indefinite(t, der), 3},
		{"no certificates", openssl(t, dir, "crl2pkcs7", "-nocrl", "-outform", "DER"), 0},
		{"cut", der[:len(der)-100], 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Parse(Input{Data: tt.data})
			if d.Format != FormatPKCS7 || len(d.X509()) != tt.certs || d.Convertible != (tt.certs > 0) {
				t.Fatalf("got %s, %d certificates: %+v", d.Format, len(d.X509()), d.Problems)
			}
			if got := found(d); !slices.Equal(got, []string{"pkcs7-not-pem"}) {
				t.Errorf("got %+v", d.Problems)
			}
		})
	}
}

// indefinite rewrites DER with indefinite lengths, as Bouncy Castle does, down
// to the certificates.
func indefinite(t testing.TB, der []byte) []byte {
	t.Helper()
	var out []byte
	for len(der) > 0 {
		h, rest, err := readBERHeader(der)
		if err != nil {
			t.Fatal(err)
		}
		content := rest[:h.length]
		whole := der[:len(der)-len(rest)+h.length]
		der = rest[h.length:]
		if !h.constructed || kindOf(whole) == kindCertificate {
			out = append(out, whole...)
			continue
		}
		out = append(out, h.tag...)
		out = append(out, 0x80)
		out = append(out, indefinite(t, content)...)
		out = append(out, 0, 0)
	}
	return out
}

// inPieces rewrites the octet strings of DER as BER allows, in two pieces.
func inPieces(t testing.TB, der []byte) []byte {
	t.Helper()
	var out []byte
	for len(der) > 0 {
		h, rest, err := readBERHeader(der)
		if err != nil {
			t.Fatal(err)
		}
		content := rest[:h.length]
		der = rest[h.length:]
		switch {
		case h.constructed:
			out = appendElement(out, h.tag, inPieces(t, content))
		case h.tag[0] == 4:
			half := len(content) / 2
			out = append(out, 0x24, 0x80)
			out = appendElement(out, []byte{4}, content[:half])
			out = appendElement(out, []byte{4}, content[half:])
			out = append(out, 0, 0)
		default:
			out = appendElement(out, h.tag, content)
		}
	}
	return out
}

// TestKubernetesYAML takes material out of Secrets and kubeconfigs.
func TestKubernetesYAML(t *testing.T) {
	leaf, _, root := trio(t)
	key := keyFor(t, "p256")
	k, err := EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c, ca := EncodeCertificates(leaf), EncodeCertificates(root)
	b64 := base64.StdEncoding.EncodeToString
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata:\n  ca.crt: " + b64(ca) + "\n  tls.crt: " + b64(c) + "\n  tls.key: " + b64(k) + "\n"
	config := "apiVersion: v1\nkind: Config\ncurrent-context: main\ncontexts:\n- {name: main, context: {cluster: a, user: admin}}\n" +
		"clusters:\n- name: a\n  cluster: {server: https://x, certificate-authority-data: " + b64(ca) + "}\n" +
		"- name: b\n  cluster: {certificate-authority-data: " + b64(c) + "}\n" +
		"users:\n- name: other\n  user: {token: x}\n- name: admin\n  user:\n    client-certificate-data: " + b64(c) + "\n    client-key-data: " + b64(k) + "\n"
	tests := []struct {
		name    string
		text    string
		format  Format
		sources string
		keys    int
		rules   string
	}{
		{"a Secret", secret, FormatSecret, "data/tls.crt data/ca.crt", 1, "kubeconfig-not-pem"},
		{"a Secret as JSON", `{"apiVersion":"v1","kind":"Secret","data":{"tls.crt":"` + b64(c) + `","tls.key":"` + b64(k) + `"}}`, FormatSecret, "data/tls.crt", 1, "kubeconfig-not-pem"},
		{
			"stringData", "apiVersion: v1\nkind: Secret\nstringData:\n  tls.crt: |\n" + indent(string(c), "    ") + "  tls.key: |\n" + indent(string(k), "    "),
			FormatSecret, "stringData/tls.crt", 1, "kubeconfig-not-pem",
		},
		{
			"a ConfigMap of authorities", "apiVersion: v1\nkind: ConfigMap\ndata:\n  ca-bundle.crt: |\n" + indent(string(ca), "    ") + "  note: hello\n",
			FormatSecret, "data/ca-bundle.crt", 0, "kubeconfig-not-pem",
		},
		{"other names", "apiVersion: v1\nkind: Secret\ndata: {cert: " + b64(c) + ", key: " + b64(k) + ", password: aGVsbG8=}\n", FormatSecret, "data/cert", 1, "kubeconfig-not-pem"},
		{"two documents", secret + "---\n" + secret, FormatSecret, "data/tls.crt data/tls.crt data/ca.crt data/ca.crt", 2, "kubeconfig-not-pem"},
		{"a List", "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(secret), "\n", "\n  ") + "\n", FormatSecret, "data/tls.crt data/ca.crt", 1, "kubeconfig-not-pem"},
		{"a kubeconfig", config, FormatKubeconfig, "users/admin/client-certificate-data clusters/a/certificate-authority-data", 1, "kubeconfig-not-pem"},
		{
			"a kubeconfig without a context", strings.Replace(config, "current-context: main\n", "", 1), FormatKubeconfig,
			"users/admin/client-certificate-data clusters/a/certificate-authority-data clusters/b/certificate-authority-data", 1, "kubeconfig-not-pem",
		},
		{"a kubeconfig that names files", "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user: {client-certificate: /x.crt}\n", FormatKubeconfig, "", 0, "kubeconfig-not-pem"},
		{"DER in a Secret", "apiVersion: v1\nkind: Secret\ndata: {tls.crt: " + b64(leaf.Raw) + "}\n", FormatSecret, "data/tls.crt", 0, "kubeconfig-not-pem der-not-pem"},
		{"base64 twice", "apiVersion: v1\nkind: Secret\ndata: {tls.crt: " + b64([]byte(b64(c))) + "}\n", FormatSecret, "data/tls.crt", 0, "kubeconfig-not-pem base64-of-pem"},
		{"no base64", "apiVersion: v1\nkind: Secret\ndata: {tls.crt: '***', tls.key: " + b64(k) + "}\n", FormatSecret, "", 1, "kubeconfig-not-pem bad-base64"},
		{"a Deployment", "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 1}\n", FormatUnknown, "", 0, "no-pem-block"},
		{"a Deployment with PEM in it", "apiVersion: apps/v1\nkind: Deployment\nspec:\n  cert: |\n" + indent(string(c), "    "), FormatPEM, "", 0, "indented-pem"},
		{"aliases without end", "apiVersion: v1\nkind: Secret\na: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\ndata: *c\n", FormatSecret, "", 0, "kubeconfig-not-pem"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Parse(Input{Data: []byte(tt.text)})
			var sources []string
			for _, c := range d.Certificates {
				if c.X509 != nil && c.Source != "" {
					sources = append(sources, c.Source)
				}
			}
			keys := 0
			for _, k := range d.Keys {
				if k.Signer != nil {
					keys++
				}
			}
			if d.Format != tt.format || strings.Join(sources, " ") != tt.sources || keys != tt.keys || strings.Join(found(d), " ") != tt.rules {
				t.Errorf("got  %s %q %d %q\nwant %s %q %d %q\n%+v", d.Format, sources, keys, found(d), tt.format, tt.sources, tt.keys, tt.rules, d.Problems)
			}
		})
	}
}

// TestEncodeReadsBack holds the way back: what Encode writes, Parse, openssl
// and encoding/pem read.
func TestEncodeReadsBack(t *testing.T) {
	dir := t.TempDir()
	for _, kind := range []string{"rsa", "p256", "p384", "p521", "ed25519"} {
		key := keyFor(t, kind)
		text, err := EncodeKey(key)
		if err != nil {
			t.Fatal(err)
		}
		d := Parse(Input{Data: text})
		if len(d.Problems) > 0 || !SamePublicKey(d.Signer().Public(), key.Public()) {
			t.Errorf("%s: %+v", kind, d.Problems)
		}
		pub, err := EncodePublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if d := Parse(Input{Data: pub}); len(d.Problems) > 0 || len(d.PublicKeys) != 1 || !SamePublicKey(d.PublicKeys[0], key.Public()) {
			t.Errorf("%s: public key: %+v", kind, d.Problems)
		}
		write(t, dir, kind, text)
		if got := openssl(t, dir, "pkey", "-in", kind, "-pubout"); !bytes.Equal(got, pub) {
			t.Errorf("%s: openssl has another public key", kind)
		}
		if b, _ := pem.Decode(pub); PublicKeyFingerprint(key.Public()) != hexSum(b.Bytes) {
			t.Errorf("%s: fingerprint %s", kind, PublicKeyFingerprint(key.Public()))
		}
	}
	if _, err := EncodeKey(nil); err == nil {
		t.Error("no key was encoded")
	}
	if _, err := EncodePublicKey(nil); err == nil {
		t.Error("no public key was encoded")
	}
}
