package material

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// utf16Of encodes text as UTF-16, little end first when little is set.
func utf16Of(text string, little, mark bool) []byte {
	units := utf16.Encode([]rune(text))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	var out []byte
	for _, u := range units {
		if little {
			out = append(out, byte(u), byte(u>>8))
		} else {
			out = append(out, byte(u>>8), byte(u))
		}
	}
	return out
}

// TestParseForms has a case for each form that an input takes, acceptable or
// not, and says what must be found in it.
func TestParseForms(t *testing.T) {
	key := keyFor(t, "p256")
	cert, second := selfSigned(t, "one", key), selfSigned(t, "two", keyFor(t, "other"))
	c, c2, k := string(EncodeCertificates(cert)), string(EncodeCertificates(second)), pemOf("PRIVATE KEY", pkcs8(t, key))
	oneLine := strings.ReplaceAll(c, "\n", " ")
	escaped := strings.ReplaceAll(c, "\n", `\n`)
	lines := strings.SplitAfter(c, "\n")
	edit := func(line int, f func(string) string) string {
		l := slices.Clone(lines)
		l[line-1] = f(l[line-1])
		return strings.Join(l, "")
	}
	tests := []struct {
		name   string
		in     string
		format Format
		certs  int // that parse
		keys   int // that parse
		rules  string
	}{
		{"a certificate", c, FormatPEM, 1, 0, ""},
		{"a chain", c + c2, FormatPEM, 2, 0, ""},
		{"a key", k, FormatPEM, 0, 1, ""},
		{"key and certificate in one file", k + c, FormatPEM, 1, 1, ""},
		{"CRLF", strings.ReplaceAll(c+c2, "\n", "\r\n"), FormatPEM, 2, 0, ""},
		{"no final newline", strings.TrimSpace(c), FormatPEM, 1, 0, ""},
		{"trailing spaces", strings.ReplaceAll(c, "\n", "  \t\n"), FormatPEM, 1, 0, ""},
		{"blank lines within", strings.ReplaceAll(c, "\n", "\n\n"), FormatPEM, 1, 0, ""},
		{"76 columns", "-----BEGIN CERTIFICATE-----\n" + wrap(body(c), 76) + "-----END CERTIFICATE-----\n", FormatPEM, 1, 0, ""},
		{"one column of base64", "-----BEGIN CERTIFICATE-----\n" + body(c) + "\n-----END CERTIFICATE-----\n", FormatPEM, 1, 0, ""},
		{"text before and between", "Bag Attributes\n  friendlyName: x\nsubject=/CN=one\n" + c + "\nissuer: y\n" + c2 + "done\n", FormatPEM, 2, 0, ""},
		{"a mention of BEGIN in a comment", "# put the -----BEGIN CERTIFICATE----- of the CA here\n" + c, FormatPEM, 1, 0, ""},
		{"a commented block beside a good one", indent(c2, "# ") + c, FormatPEM, 1, 0, ""},
		{"byte order mark before text", "\xef\xbb\xbfsubject: x\n" + c, FormatPEM, 1, 0, ""},
		{"DH parameters beside", c + pemOf("DH PARAMETERS", []byte{0x30, 0}), FormatPEM, 1, 0, ""},
		{"EC parameters first", pemOf("EC PARAMETERS", []byte{6, 0}) + k, FormatPEM, 0, 1, ""},

		{"lines of dashes around BEGIN and END", "--- BEGIN CHAIN ---\n" + c + c2 + "--- END CHAIN ---\n", FormatPEM, 2, 0, ""},
		{"control characters before", "0\x01\x02\n" + c, FormatPEM, 1, 0, ""},
		{"PGP beside", "-----BEGIN PGP SIGNATURE-----\nVersion: x\n\nAAAA\n=abcd\n-----END PGP SIGNATURE-----\n" + c, FormatPEM, 1, 0, ""},
		{"PGP alone", "-----BEGIN PGP SIGNATURE-----\nVersion: x\n\nAAAA\n=abcd\n-----END PGP SIGNATURE-----\n", FormatUnknown, 0, 0, "no-pem-block"},
		{"lines of dashes alone", "--- BEGIN CHAIN ---\nnothing\n--- END CHAIN ---\n", FormatUnknown, 0, 0, "no-pem-block"},

		{"no bytes", "", FormatEmpty, 0, 0, "empty-file"},
		{"white space", " \r\n\t", FormatEmpty, 0, 0, "empty-file"},
		{"byte order mark alone", "\xef\xbb\xbf\n", FormatEmpty, 0, 0, "empty-file"},
		{"words", "hello\n", FormatUnknown, 0, 0, "no-pem-block"},
		{"an OpenSSH public key", "ssh-ed25519 AAAAC3Nz me@here\n", FormatUnknown, 0, 0, "no-pem-block"},
		{"random bytes", "\x00\x01\x02\x03" + strings.Repeat("\x7f\x00\x55", 40), FormatUnknown, 0, 0, "no-pem-block"},
		{"a login page", "<!DOCTYPE html>\n<html><body>Sign in</body></html>", FormatHTML, 0, 0, "html-not-pem"},
		{"an error of an object store", "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", FormatHTML, 0, 0, "html-not-pem"},

		{"byte order mark", "\xef\xbb\xbf" + c, FormatPEM, 1, 0, "utf8-bom"},
		{"byte order mark in the middle", c + "\xef\xbb\xbf" + c2, FormatPEM, 2, 0, "utf8-bom"},
		{"UTF-16, little end first", string(utf16Of(c, true, true)), FormatPEM, 1, 0, "utf16"},
		{"UTF-16, big end first", string(utf16Of(c+k, false, true)), FormatPEM, 1, 1, "utf16"},
		{"UTF-16 without mark", string(utf16Of(c, true, false)), FormatPEM, 1, 0, "utf16"},
		{"UTF-16 of words", string(utf16Of("hello, this is no PEM", true, true)), FormatUnknown, 0, 0, "utf16 no-pem-block"},
		{"indented by spaces", indent(c, "    "), FormatPEM, 1, 0, "indented-pem"},
		{"indented by a tab", indent(c+c2, "\t"), FormatPEM, 2, 0, "indented-pem"},
		{"quoted by mail", indent(c, "> "), FormatPEM, 1, 0, "indented-pem"},
		{"only END indented", edit(len(lines)-1, func(s string) string { return " " + s }), FormatPEM, 1, 0, "indented-pem"},
		{"YAML block scalar", "cert: |\n" + indent(c, "  "), FormatPEM, 1, 0, "indented-pem"},
		{"on one line", oneLine, FormatPEM, 1, 0, "one-line-pem"},
		{"a chain on one line", oneLine + strings.ReplaceAll(c2, "\n", " "), FormatPEM, 2, 0, "one-line-pem"},
		{"on one line, without spaces", strings.ReplaceAll(c, "\n", ""), FormatPEM, 1, 0, "one-line-pem"},
		{"carriage returns alone", strings.ReplaceAll(c+c2, "\n", "\r"), FormatPEM, 2, 0, "one-line-pem"},
		{"backslash n", escaped, FormatPEM, 1, 0, "escaped-newlines"},
		{"backslash n in quotes", `"` + escaped + `"` + "\n", FormatPEM, 1, 0, "escaped-newlines"},
		{"backslash r backslash n", strings.ReplaceAll(c, "\n", `\r\n`), FormatPEM, 1, 0, "escaped-newlines"},
		{"backslash n twice escaped", strings.ReplaceAll(c, "\n", `\\n`), FormatPEM, 1, 0, "escaped-newlines"},
		{"cfssl's JSON", `{"cert":"` + escaped + `","csr":"","key":"` + strings.ReplaceAll(k, "\n", `\n`) + `"}`, FormatPEM, 1, 1, "escaped-newlines"},
		{"JSON with escaped slashes", `{"cert":"` + strings.ReplaceAll(escaped, "/", `\/`) + `"}`, FormatPEM, 1, 0, "escaped-newlines"},
		{"JSON with unicode escapes", `{"cert":"` + strings.NewReplacer("+", `\u002b`, "=", `\u003d`).Replace(escaped) + `"}`, FormatPEM, 1, 0, "escaped-newlines"},
		{"em dashes", strings.ReplaceAll(c, "-----", "—-—-—"), FormatPEM, 1, 0, "unicode-dashes"},
		{"two em dashes for four hyphens", strings.ReplaceAll(c, "-----", "——-"), FormatPEM, 1, 0, "unicode-dashes"},
		{"en dashes", strings.ReplaceAll(c, "-", "–"), FormatPEM, 1, 0, "unicode-dashes"},
		{"em dashes of Windows-1252", strings.ReplaceAll(c, "-----", "-\x97\x97"), FormatPEM, 1, 0, "unicode-dashes"},
		{"run together", strings.TrimSpace(c) + c2, FormatPEM, 2, 0, "blocks-run-together"},
		{"three run together", strings.TrimSpace(c) + strings.TrimSpace(c2) + k, FormatPEM, 2, 1, "blocks-run-together"},
		{"run together with a space", strings.TrimSpace(c) + " " + c2, FormatPEM, 2, 0, "blocks-run-together"},
		{"indented by no-break spaces", indent(c, "\u00a0"), FormatPEM, 1, 0, "indented-pem"},
		{"a zero-width space before BEGIN", "\u200b" + c, FormatPEM, 1, 0, "indented-pem"},
		{"a zero-width space within", edit(3, func(s string) string { return "\u200b" + s }), FormatPEM, 1, 0, "bad-base64"},
		{"carriage returns doubled", strings.ReplaceAll(c, "\n", "\r\r\n"), FormatPEM, 1, 0, "malformed-pem"},
		{"label misspelt in BEGIN", strings.Replace(c, "BEGIN CERTIFICATE", "BEGIN CERTIFCATE", 1), FormatPEM, 1, 0, "malformed-pem"},
		{"commented out", indent(c, "# "), FormatPEM, 0, 0, "malformed-pem"},
		{"four dashes", strings.Replace(c, "-----BEGIN", "----BEGIN", 1), FormatPEM, 1, 0, "malformed-pem"},
		{"a dash lost at the end", strings.TrimSuffix(c, "-\n") + "\n", FormatPEM, 1, 0, "malformed-pem"},
		{"no dashes behind the label", strings.Replace(c, "CERTIFICATE-----", "CERTIFICATE", 1), FormatPEM, 1, 0, "malformed-pem"},
		{"small letters", strings.ReplaceAll(strings.ReplaceAll(c, "BEGIN CERTIFICATE", "begin certificate"), "END CERTIFICATE", "end certificate"), FormatPEM, 1, 0, "malformed-pem"},
		{"small letters in the label", strings.ReplaceAll(c, "CERTIFICATE", "Certificate"), FormatPEM, 1, 0, "malformed-pem"},
		{"spaces inside the markers", strings.ReplaceAll(strings.ReplaceAll(c, "-----BEGIN", "----- BEGIN"), "-----END", "----- END"), FormatPEM, 1, 0, "malformed-pem"},
		{"wrong END", strings.Replace(c, "END CERTIFICATE", "END PRIVATE KEY", 1), FormatPEM, 1, 0, "malformed-pem"},
		{"text behind END", strings.TrimSpace(c) + " # the CA\n", FormatPEM, 1, 0, "malformed-pem"},
		{"text behind BEGIN", edit(1, func(s string) string { return strings.TrimSpace(s) + " x\n" }), FormatPEM, 0, 0, "malformed-pem"},
		{"END alone", strings.Join(lines[1:], ""), FormatPEM, 0, 0, "malformed-pem"},
		{"no END, content whole", strings.Join(lines[:len(lines)-2], ""), FormatPEM, 1, 0, "truncated-pem"},
		{"no END, content cut", strings.Join(lines[:4], ""), FormatPEM, 0, 0, "truncated-pem"},
		{"cut in the middle of a line", c[:len(c)/2], FormatPEM, 0, 0, "truncated-pem"},
		{"no END, then another", strings.Join(lines[:len(lines)-2], "") + c2, FormatPEM, 2, 0, "truncated-pem"},
		{"second cut", c + c2[:len(c2)/2], FormatPEM, 1, 0, "truncated-pem"},
		{"a foreign character", edit(3, func(s string) string { return s[:9] + "!" + s[10:] }), FormatPEM, 0, 0, "bad-base64"},
		{"a character lost", edit(3, func(s string) string { return s[:9] + s[10:] }), FormatPEM, 0, 0, "bad-base64"},
		{"padding lost", strings.Replace(padded(t, key), "=", "", -1), FormatPEM, 1, 0, "bad-base64"},
		{"a line lost", edit(3, func(string) string { return "" }), FormatPEM, 0, 0, "malformed-der"},
		{"bad in the middle of a chain", c + edit(3, func(s string) string { return "*" + s[1:] }) + c2, FormatPEM, 2, 0, "bad-base64"},
		{"headers", strings.Replace(c, "-----\n", "-----\nfriendlyName: x\n\n", 1), FormatPEM, 1, 0, "pem-headers"},
		{"many headers", strings.Replace(c, "-----\n", "-----\n"+manyHeaders(40)+"\n", 1), FormatPEM, 0, 0, "malformed-pem"},

		{"base64 of PEM", base64.StdEncoding.EncodeToString([]byte(c)), FormatBase64PEM, 1, 0, "base64-of-pem"},
		{"base64 of PEM, wrapped", wrap(base64.StdEncoding.EncodeToString([]byte(c+k)), 76), FormatBase64PEM, 1, 1, "base64-of-pem"},
		{"base64 of base64 of PEM", base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(c)))), FormatBase64PEM, 1, 0, "base64-of-pem base64-of-pem"},
		{"base64 without markers", wrap(body(c), 64), FormatDER, 1, 0, "no-pem-block"},
		{"DER", string(cert.Raw), FormatDER, 1, 0, "der-not-pem"},
		{"two certificates as DER", string(cert.Raw) + string(second.Raw), FormatDER, 2, 0, "der-not-pem"},
		{"a key as DER", string(pkcs8(t, key)), FormatDER, 0, 1, "der-not-pem"},
		{"DER, cut", string(cert.Raw[:len(cert.Raw)-9]), FormatDER, 0, 0, "der-not-pem malformed-der"},
		{"a Java keystore", "\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x01", FormatJKS, 0, 0, "jks-not-pem"},
		{"an OpenSSH key", pemOf("OPENSSH PRIVATE KEY", []byte("openssh-key-v1\x00")), FormatPEM, 0, 0, "openssh-key"},
		{"TRUSTED CERTIFICATE", pemOf("TRUSTED CERTIFICATE", append(slices.Clone(cert.Raw), 0x30, 0)), FormatPEM, 1, 0, "trusted-certificate"},
		{"X509 CERTIFICATE", pemOf("X509 CERTIFICATE", cert.Raw), FormatPEM, 1, 0, "x509-label"},
		{"a chain with one X509 CERTIFICATE", c + pemOf("X509 CERTIFICATE", second.Raw), FormatPEM, 2, 0, "x509-label"},
		{"PKCS#8 under RSA PRIVATE KEY", pemOf("RSA PRIVATE KEY", pkcs8(t, key)), FormatPEM, 0, 1, "key-label-mismatch"},
		{"an odd label of a key", pemOf("ED25519 PRIVATE KEY", pkcs8(t, keyFor(t, "ed25519"))), FormatPEM, 0, 1, "key-label-mismatch"},
		{"key cut", pemOf("PRIVATE KEY", pkcs8(t, key)[:50]), FormatPEM, 0, 0, "malformed-key"},
		{"a certificate as a key", pemOf("PRIVATE KEY", cert.Raw), FormatPEM, 0, 0, "malformed-key"},
		{"a key as a certificate", pemOf("CERTIFICATE", pkcs8(t, key)), FormatPEM, 0, 0, "malformed-der"},
		{"an empty block", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", FormatPEM, 0, 0, "malformed-der"},
		{"bytes behind the certificate", pemOf("CERTIFICATE", append(slices.Clone(cert.Raw), 0, 0)), FormatPEM, 1, 0, "trailing-data"},
		{"bytes behind the key, which Go ignores", pemOf("PRIVATE KEY", append(pkcs8(t, key), 0, 0)), FormatPEM, 0, 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Parse(Input{Name: "x", Data: []byte(tt.in)})
			keys := 0
			for _, k := range d.Keys {
				if k.Signer != nil {
					keys++
				}
			}
			rules := strings.Join(found(d), " ")
			if d.Format != tt.format || len(d.X509()) != tt.certs || keys != tt.keys || rules != tt.rules {
				t.Errorf("got  %s, %d certificates, %d keys, %q\nwant %s, %d certificates, %d keys, %q\n%+v",
					d.Format, len(d.X509()), keys, rules, tt.format, tt.certs, tt.keys, tt.rules, d.Problems)
			}
			// What has no problem is what Go finds; what has one hides something
			// from Go, but for labels that only client-go minds.
			switch seen := seenByGo([]byte(tt.in)); {
			case tt.rules == "" && seen != tt.certs+tt.keys:
				t.Errorf("Go finds %d certificates and keys", seen)
			case tt.rules != "" && tt.rules != "key-label-mismatch" && seen > 0 && seen >= len(d.Certificates)+len(d.Keys):
				t.Errorf("Go finds all %d certificates and keys", seen)
			}
			whole := tt.certs+tt.keys > 0 && tt.rules != ""
			if d.Convertible != whole && tt.name != "second cut" && tt.name != "bad in the middle of a chain" {
				t.Errorf("Convertible is %v, want %v", d.Convertible, whole)
			}
			if len(d.X509()) > 0 && !bytes.Equal(d.X509()[0].Raw, cert.Raw) && tt.name != "padding lost" {
				t.Error("the first certificate is not the first of the input")
			}
		})
	}
}

// seenByGo counts the certificates that a CertPool takes out of PEM, and the
// keys that crypto/tls does.
func seenByGo(data []byte) (n int) {
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			return n
		}
		switch {
		case b.Type == "CERTIFICATE" && len(b.Headers) == 0:
			if _, err := x509.ParseCertificate(b.Bytes); err == nil {
				n++
			}
		case b.Type == "PRIVATE KEY" || strings.HasSuffix(b.Type, " PRIVATE KEY"):
			_, err1 := x509.ParsePKCS1PrivateKey(b.Bytes)
			_, err2 := x509.ParsePKCS8PrivateKey(b.Bytes)
			_, err3 := x509.ParseECPrivateKey(b.Bytes)
			if err1 == nil || err2 == nil || err3 == nil {
				n++
			}
		}
	}
}

// indent puts a prefix before each line.
func indent(text, prefix string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(prefix + line)
	}
	return b.String()
}

// wrap breaks text into lines of n characters.
func wrap(text string, n int) string {
	var b strings.Builder
	for len(text) > n {
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	b.WriteString(text + "\n")
	return b.String()
}

func manyHeaders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "h%d: x\n", i)
	}
	return b.String()
}

// padded is a certificate whose base64 ends with padding.
func padded(t *testing.T, key crypto.Signer) string {
	t.Helper()
	for i := range 32 {
		c := string(EncodeCertificates(selfSigned(t, "padded"+strings.Repeat("x", i), key)))
		if strings.Contains(c, "=") {
			return c
		}
	}
	t.Fatal("no certificate with padding")
	return ""
}

// TestProblemRulesAreListed holds every rule that a case of these tests finds
// against the list that package check builds its catalogue on.
func TestProblemRulesAreListed(t *testing.T) {
	rules := map[string]int{}
	for _, r := range ProblemRules() {
		rules[r]++
	}
	for _, r := range slices.Sorted(maps.Keys(rules)) {
		if rules[r] != 1 {
			t.Errorf("%s is listed %d times", r, rules[r])
		}
	}
	for r := range onceOnly {
		if rules[r] == 0 {
			t.Errorf("%s is in onceOnly and not in ProblemRules", r)
		}
	}
}

// TestProblemsNameTheirSubject: package check leaves out what is wrong with a
// key where only certificates are read.
func TestProblemsNameTheirSubject(t *testing.T) {
	key := keyFor(t, "p256")
	c, k := string(EncodeCertificates(selfSigned(t, "x", key))), pemOf("PRIVATE KEY", pkcs8(t, key))
	cut := pemOf("PRIVATE KEY", pkcs8(t, key)[:40])
	for _, tt := range []struct {
		name             string
		in               string
		certificate, key int
	}{
		{"a key that does not parse", c + cut, 0, 1},
		{"a certificate that does not parse", c + c + pemOf("CERTIFICATE", []byte{0x30, 1}) + k, 3, 0},
		{"an indented key", c + k + indent(k, " "), 0, 2},
		{"an indented certificate", k + c + indent(c, " "), 2, 0},
		{"both indented", indent(k+c, " "), 0, 0},
		{"two certificates indented", indent(c+c, " "), 1, 0},
		{"a wrong label", c + strings.ReplaceAll(k, "PRIVATE", "EC PRIVATE"), 0, 1},
		{"an encrypted key", c + k + strings.ReplaceAll(k, "PRIVATE", "ENCRYPTED PRIVATE"), 0, 2},
		{"a key without END", c + k[:100], 0, 1},
		{"a bad character in a key", c + strings.Replace(k, "M", "!", 1), 0, 1},
		{"the whole", base64.StdEncoding.EncodeToString([]byte(k)), 0, 0},
	} {
		d := Parse(Input{Data: []byte(tt.in)})
		if len(d.Problems) != 1 || d.Problems[0].Certificate != tt.certificate || d.Problems[0].Key != tt.key {
			t.Errorf("%s: got %+v, want certificate %d, key %d", tt.name, d.Problems, tt.certificate, tt.key)
		}
	}
}
