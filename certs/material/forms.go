package material

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// unmarked reads text in which no PEM marker means anything.
func (p *parser) unmarked(data []byte) Format {
	if looksLikeHTML(data) {
		p.problem(Problem{Rule: ruleHTML, Detail: "a web page: a login or an error page was saved in place of the file"})
		return FormatHTML
	}
	if format, ok := p.base64(data); ok {
		return format
	}
	p.problem(Problem{Rule: ruleNoBlock, Detail: "no block of a certificate or a key, " + resembles(data)})
	return FormatUnknown
}

// looksLikeHTML knows web pages, and the XML errors of object stores.
func looksLikeHTML(data []byte) bool {
	head := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(data[:min(len(data), 2048)], utf8BOM)))
	if !bytes.HasPrefix(head, []byte("<")) {
		return false
	}
	return slices.ContainsFunc([]string{"<!doctype", "<html", "<head", "<body", "<?xml", "<error", "<title"}, func(tag string) bool {
		return bytes.Contains(head, []byte(tag))
	})
}

// base64 reads base64 without markers: of PEM, as Secrets have it, of DER, or
// of a container.
func (p *parser) base64(data []byte) (Format, bool) {
	inner, ok := plainBase64(data)
	if !ok {
		return "", false
	}
	switch {
	case bytes.Contains(inner, []byte("-----BEGIN ")) || looksLikeBase64PEM(inner):
		p.contained(Problem{Rule: ruleBase64PEM, Detail: "base64 of PEM: it was encoded once more than PEM is"}, func() {
			p.within(p.source, p.line, func() { p.document(inner) })
		})
		return FormatBase64PEM, true
	case inner[0] != 0x30 || isText(inner):
		return "", false
	}
	switch what := kindOf(inner); what {
	case kindUnknown:
		return "", false
	case kindPKCS12:
		p.pkcs12(inner)
		return FormatPKCS12, true
	case kindPKCS7:
		p.pkcs7(inner, Problem{Rule: rulePKCS7, Detail: "a PKCS#7 container as base64 without BEGIN and END lines"})
		return FormatPKCS7, true
	default:
		p.contained(Problem{Rule: ruleNoBlock, Detail: fmt.Sprintf("base64 of %s without its BEGIN and END lines", what)}, func() { p.der(inner) })
		return FormatDER, true
	}
}

// looksLikeBase64PEM knows base64 of PEM in base64: some encode twice.
func looksLikeBase64PEM(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(data), []byte("LS0tLS1CRUdJTi"))
}

// plainBase64 decodes a text that is base64 and nothing else, with quotes
// around it at most.
func plainBase64(data []byte) ([]byte, bool) {
	const least = 32 // octets; less is a word that happens to be base64
	text := bytes.Trim(bytes.TrimPrefix(data, utf8BOM), " \t\r\n\"'")
	packed := make([]byte, 0, len(text))
	for _, b := range text {
		switch {
		case base64Rune(rune(b)):
			packed = append(packed, b)
		case b == '-':
			packed = append(packed, '+')
		case b == '_':
			packed = append(packed, '/')
		case b == '=' || b == ' ' || b == '\t' || b == '\r' || b == '\n':
		default:
			return nil, false
		}
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(packed)))
	n, err := base64.RawStdEncoding.Decode(out, packed)
	return out[:n], err == nil && n >= least
}

// resembles says what a text without markers seems to be.
func resembles(data []byte) string {
	text := strings.TrimSpace(string(data[:min(len(data), 256)]))
	for _, known := range []struct{ prefix, what string }{
		{"ssh-", "but a public key of OpenSSH"},
		{"ecdsa-sha2-", "but a public key of OpenSSH"},
		{"PuTTY-User-Key-File", "but a key in PuTTY's own form"},
		{"age-encryption.org/", "but a file encrypted with age"},
		{"AGE-SECRET-KEY-", "but a key of age"},
		{"Salted__", "but a file encrypted with openssl enc"},
		{"PK\x03\x04", "but a ZIP archive"},
		{"\x1f\x8b", "but gzip"},
		{"-----BEGIN PGP", "but PGP"},
		{"---- BEGIN SSH2", "but a key in SSH2's own form"},
		{"{", "but JSON"},
		{"\x7fELF", "but a program"},
	} {
		if strings.HasPrefix(text, known.prefix) {
			return known.what
		}
	}
	if !isText(data) {
		return "but binary data that is no certificate and no key"
	}
	return "and nothing else that is known"
}
