package material

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// secretsOf are the private numbers of a key, as bytes.
func secretsOf(t testing.TB, k crypto.Signer) [][]byte {
	t.Helper()
	switch k := k.(type) {
	case *rsa.PrivateKey:
		return [][]byte{k.D.Bytes(), k.Primes[0].Bytes(), k.Primes[1].Bytes(), k.Precomputed.Dp.Bytes()}
	case *ecdsa.PrivateKey:
		raw, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return [][]byte{raw}
	case ed25519.PrivateKey:
		return [][]byte{k.Seed()}
	}
	t.Fatalf("secrets of %T", k)
	return nil
}

// leak says how a text gives part of a secret away, "" when it does not. Eight
// octets in a row, in any of the usual writings, are a leak.
func leak(text string, secrets [][]byte) string {
	for _, secret := range secrets {
		for at := 0; at+8 <= len(secret); at++ {
			piece := secret[at : at+8]
			for _, written := range []string{
				string(piece), hex.EncodeToString(piece), strings.ToUpper(hex.EncodeToString(piece)), colons(piece),
				base64.RawStdEncoding.EncodeToString(piece)[:10], new(big.Int).SetBytes(piece).String(),
				strings.Trim(fmt.Sprint(piece), "[]"), fmt.Sprintf("%q", piece),
			} {
				if strings.Contains(text, written) {
					return written
				}
			}
		}
	}
	return ""
}

// base64Pieces cuts the base64 of PEM into pieces that no message may have.
func base64Pieces(text string) (out []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "-") {
			continue
		}
		for at := 0; at+12 <= len(line); at += 4 {
			out = append(out, line[at:at+12])
		}
	}
	return out
}

// TestNoKeyBytesInMessages hides keys in every form, good and spoiled, and
// looks for their bytes in everything that a document says about itself.
func TestNoKeyBytesInMessages(t *testing.T) {
	cert := selfSigned(t, "leaf", keyFor(t, "p256"))
	for _, kind := range []string{"rsa", "p256", "p384", "ed25519"} {
		key := keyFor(t, kind)
		secrets := secretsOf(t, key)
		text, err := EncodeKey(key)
		if err != nil {
			t.Fatal(err)
		}
		pieces := base64Pieces(string(text))
		if leak(fmt.Sprintf("%x", secrets[0]), secrets) == "" || !strings.Contains(body(string(text)), pieces[0]) {
			t.Fatal("this test would see no leak")
		}
		for name, data := range hidden(t, key, string(text), cert) {
			d := Parse(Input{Name: "x", Data: data, Passphrase: []byte(passphrase)})
			encoded, err := json.Marshal(Describe(d))
			if err != nil {
				t.Fatal(err)
			}
			said := string(encoded) + Describe(d).Text() + fmt.Sprintf("%+v", d.Problems) + strings.Join(d.Blocks, " ")
			if l := leak(said, secrets); l != "" {
				t.Errorf("%s, %s: the private number is said: %q", kind, name, l)
			}
			if i := slices.IndexFunc(pieces, func(p string) bool { return strings.Contains(said, p) }); i >= 0 {
				t.Errorf("%s, %s: base64 of the key is said: %q in %s", kind, name, pieces[i], said)
			}
			if strings.Contains(said, passphrase) {
				t.Errorf("%s, %s: the passphrase is said", kind, name)
			}
		}
	}
}

// hidden puts a key into every form and spoils each in several ways.
func hidden(t testing.TB, key crypto.Signer, text string, cert *x509.Certificate) map[string][]byte {
	t.Helper()
	der := pkcs8(t, key)
	forms := map[string]string{
		"PEM":                text,
		"PEM, wrong label":   strings.ReplaceAll(text, "PRIVATE KEY", "RSA PRIVATE KEY"),
		"as a certificate":   strings.ReplaceAll(text, "PRIVATE KEY", "CERTIFICATE"),
		"as PKCS#7":          strings.ReplaceAll(text, "PRIVATE KEY", "PKCS7"),
		"as encrypted":       strings.ReplaceAll(text, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
		"as OpenSSH":         strings.ReplaceAll(text, "PRIVATE KEY", "OPENSSH PRIVATE KEY"),
		"as legacy":          strings.Replace(text, "-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1),
		"in DEK-Info":        strings.Replace(text, "-----\n", "-----\nDEK-Info: x,"+body(text)+"\n\n", 1),
		"one line":           strings.ReplaceAll(text, "\n", " "),
		"escaped":            strings.ReplaceAll(text, "\n", `\n`),
		"indented":           indent(text, "  "),
		"BOM":                "\xef\xbb\xbf" + text,
		"UTF-16":             string(utf16Of(text, true, true)),
		"dashes":             strings.ReplaceAll(text, "-", "–"),
		"no END":             text[:len(text)*2/3],
		"no BEGIN":           text[40:],
		"BEGIN joined":       strings.Replace(text, "-----\n", "-----", 1),
		"END joined":         strings.Replace(text, "\n-----END", "-----END", 1),
		"dash lost":          strings.Replace(text, "-----BEGIN", "----BEGIN", 1),
		"base64":             base64.StdEncoding.EncodeToString([]byte(text)),
		"bare base64":        body(text),
		"DER":                string(der),
		"Secret":             "apiVersion: v1\nkind: Secret\ndata: {tls.key: " + base64.StdEncoding.EncodeToString([]byte(text)) + "}\n",
		"stringData":         "apiVersion: v1\nkind: Secret\nstringData:\n  tls.key: |\n" + indent(text, "    "),
		"key of a Secret":    "apiVersion: v1\nkind: Secret\ndata:\n  tls.crt: '" + body(text) + "*'\n",
		"in front of BEGIN":  body(text) + text,
		"behind END":         strings.TrimSpace(text) + body(text),
		"a character wrong":  strings.Replace(text, "M", "!", 2),
		"a character lost":   text[:60] + text[61:],
		"beside certificate": string(EncodeCertificates(cert)) + text,
	}
	store, err := pkcs12.Modern2023.Encode(key, cert, nil, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	forms["PKCS#12"] = string(store)
	out := map[string][]byte{}
	for name, form := range forms {
		out[name] = []byte(form)
		for _, cut := range []int{3, 5, 7} {
			out[fmt.Sprintf("%s, cut at %d/8", name, cut)] = []byte(form[:len(form)*cut/8])
		}
		for i := range 6 {
			at := len(form) * (i + 1) / 7
			out[fmt.Sprintf("%s, byte %d changed", name, at)] = []byte(form[:at] + string(form[at]^0x15) + form[at+1:])
		}
	}
	return out
}
