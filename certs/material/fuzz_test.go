package material

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// rulesKnown is ProblemRules as a set.
var rulesKnown = func() map[string]bool {
	m := map[string]bool{}
	for _, r := range ProblemRules() {
		m[r] = true
	}
	return m
}()

// holds checks what is true of every document, whatever was put in.
func holds(t *testing.T, in Input) *Document {
	t.Helper()
	d := Parse(in)
	if d.Size != len(in.Data) || d.Format == "" {
		t.Errorf("size %d, format %q", d.Size, d.Format)
	}
	seen := map[string]int{}
	for _, p := range d.Problems {
		if !rulesKnown[p.Rule] {
			t.Errorf("rule %q is not listed", p.Rule)
		}
		if p.Detail == "" || len(p.Detail) > 2000 || !utf8.ValidString(p.Detail) || strings.ContainsAny(p.Detail, "\x00\x07\x1b\n\r\u202e") {
			t.Errorf("%s: the detail is not safe to show: %q", p.Rule, p.Detail)
		}
		if p.Line < 0 || p.Line > bytes.Count(in.Data, []byte{'\n'})+bytes.Count(in.Data, []byte{'\r'})+1 {
			t.Errorf("%s: line %d of %d", p.Rule, p.Line, bytes.Count(in.Data, []byte{'\n'})+1)
		}
		if p.Certificate < 0 || p.Certificate > len(d.Certificates) {
			t.Errorf("%s: certificate %d of %d", p.Rule, p.Certificate, len(d.Certificates))
		}
		if p.Key < 0 || p.Key > len(d.Keys) {
			t.Errorf("%s: key %d of %d", p.Rule, p.Key, len(d.Keys))
		}
		seen[p.Rule]++
	}
	for rule, n := range seen {
		if n > maxAlike+1 {
			t.Errorf("%d problems of rule %s", n, rule)
		}
	}
	usable := len(d.X509()) > 0 || d.Signer() != nil
	if d.Convertible && !usable {
		t.Error("convertible, and nothing was read")
	}
	if !usable && len(d.Problems) == 0 && len(d.Blocks) == 0 {
		t.Error("nothing was found, and nothing is said about it")
	}
	if d.NeedsPassphrase() && d.Convertible && d.Signer() == nil && len(d.X509()) == 0 {
		t.Error("needs a passphrase and is convertible")
	}
	for i, k := range d.Keys {
		if k.Signer == nil && !k.Encrypted && len(d.Problems) == 0 {
			t.Errorf("key %d was not read, and nothing is said about it", i)
		}
	}
	for i, c := range d.Certificates {
		if c.X509 == nil && len(d.Problems) == 0 {
			t.Errorf("certificate %d was not read, and nothing is said about it", i)
		}
	}
	// Written anew, all that was read is read again, without a problem.
	if certs := d.X509(); len(certs) > 0 {
		again := Parse(Input{Data: EncodeCertificates(certs...)})
		if len(again.Problems) > 0 || !slices.EqualFunc(certs, again.X509(), func(a, b *x509.Certificate) bool { return bytes.Equal(a.Raw, b.Raw) }) {
			t.Errorf("written anew: %+v", again.Problems)
		}
	}
	if text := Describe(d).Text(); strings.ContainsAny(text, "\x07\x1b\u202e") {
		t.Errorf("the description is not safe to show: %q", text)
	}
	return d
}

// seedCertificate and seedKey are PEM to begin with.
func seedCertificate(t testing.TB) string {
	return string(EncodeCertificates(selfSigned(t, "seed", keyFor(t, "p256"))))
}

func seedKey(t testing.TB) string { return pemOf("PRIVATE KEY", pkcs8(t, keyFor(t, "p256"))) }

func FuzzParse(f *testing.F) {
	c, k := seedCertificate(f), seedKey(f)
	for _, text := range []string{
		c, k, c + k, strings.TrimSpace(c) + c, strings.ReplaceAll(c, "\n", " "), strings.ReplaceAll(c, "\n", `\n`), indent(c, " "),
		"\xef\xbb\xbf" + c, string(utf16Of(k, true, true)), strings.ReplaceAll(c, "-", "–"), c[:len(c)/2], body(c), "<html>", "", "0\x80\x00\x00",
		strings.Replace(c, "-----\n", "-----\na: b\n\n", 1), strings.ReplaceAll(c, "CERTIFICATE", "TRUSTED CERTIFICATE"),
		"-----BEGIN A----------END A----------BEGIN A-----", "\xfe\xed\xfe\xed", "----- begin certificate -----\r\r",
	} {
		f.Add([]byte(text), []byte(nil))
	}
	f.Fuzz(func(t *testing.T, data, pass []byte) { holds(t, Input{Data: data, Passphrase: pass}) })
}

func FuzzEncryptedKey(f *testing.F) {
	s := sealed{
		kdf: oidPBKDF2, prf: "1.2.840.113549.2.9", cipher: "2.16.840.1.101.3.4.1.42", salt: make([]byte, 8),
		rounds: []byte{8, 0}, iv: make([]byte, 16), data: make([]byte, 64),
	}
	f.Add(s.der(f), []byte("x"))
	s.kdf, s.rounds, s.prf, s.scrypt = oidScrypt, nil, "", [][]byte{{4, 0}, {8}, {1}}
	f.Add(s.der(f), []byte("x"))
	f.Fuzz(func(t *testing.T, der, pass []byte) {
		if signer, err := Decrypt(der, pass); (signer == nil) != (err != nil) || err != nil && class(err) == nil {
			t.Errorf("a key: %v, error %v", signer != nil, err)
		}
		holds(t, Input{Data: []byte(pemOf("ENCRYPTED PRIVATE KEY", der)), Passphrase: pass})
		legacy := fmt.Sprintf("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,%x\n\n%s\n-----END RSA PRIVATE KEY-----\n",
			pass, body(pemOf("X", der)))
		holds(t, Input{Data: []byte(legacy), Passphrase: pass})
	})
}

func FuzzPKCS12(f *testing.F) {
	cert := selfSigned(f, "x", keyFor(f, "p256"))
	for _, e := range []*pkcs12.Encoder{pkcs12.Modern2023, pkcs12.Modern2026, pkcs12.LegacyRC2, pkcs12.LegacyDES} {
		data, err := e.WithIterations(1).Encode(keyFor(f, "p256"), cert, nil, "x")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, []byte("x"))
	}
	f.Fuzz(func(t *testing.T, data, pass []byte) {
		holds(t, Input{Data: data, Passphrase: pass})
		// The same behind its check sum, where a fuzzer does not get by itself.
		if f, err := readPFX(data); err == nil {
			f.hasMAC = false
			_, _ = f.open(newPassword(append(pass, 'x')), &budget{left: 100_000})
		}
	})
}

func FuzzPKCS7(f *testing.F) {
	// SignedData without signers, with one element in its certificates.
	inner := slices.Concat(tlv(2, 1), tlv(0x31), tlv(0x30, []byte{6, 1, 1}...), tlv(0xa0, tlv(0x30, 1)...), tlv(0x31))
	f.Add(tlv(0x30, slices.Concat([]byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2}, tlv(0xa0, tlv(0x30, inner...)...))...))
	f.Add([]byte{0x30, 0x80, 0x24, 0x80, 4, 1, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		holds(t, Input{Data: []byte(pemOf("PKCS7", data))})
		if der, err := toDER(data); err == nil {
			if again, err := toDER(der); err != nil || !bytes.Equal(der, again) && len(der) == len(again) {
				t.Errorf("%x became %x and then %x", data, der, again)
			}
		}
	})
}

func FuzzYAMLForms(f *testing.F) {
	k := seedKey(f)
	f.Add("apiVersion: v1\nkind: Secret\ndata: {tls.crt: LS0tLS1CRUdJTi==}\nstringData:\n  tls.key: |\n" + indent(k, "    "))
	f.Add("apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {user: u, cluster: c}}]\nusers: [{name: u, user: {client-key-data: AAAA}}]\n")
	f.Add("apiVersion: v1\nkind: List\nitems: [{kind: ConfigMap, data: {ca.crt: x}}]\n---\na: &a [*a]\n")
	f.Add(`{"apiVersion":"v1","kind":"Secret","data":{"tls.crt":"\u0000"}}`)
	f.Fuzz(func(t *testing.T, text string) { holds(t, Input{Data: []byte(text)}) })
}
