package material

import (
	"fmt"
	"strings"
)

// pkcs7Labels are the labels of PKCS#7 in PEM: OpenSSL's three.
var pkcs7Labels = map[string]bool{"PKCS7": true, "PKCS #7 SIGNED DATA": true, "CMS": true}

// block reads one PEM block by its label.
func (p *parser) block(b block) {
	p.doc.Blocks = append(p.doc.Blocks, b.label)
	if pkcs7Labels[b.label] {
		p.within(p.source, p.at(b.line), func() {
			p.pkcs7(b.der, Problem{Rule: rulePKCS7, Detail: fmt.Sprintf("a PKCS#7 container in a %s block", quote(b.label))})
		})
		return
	}
	if upper := strings.ToUpper(b.label); b.whole && upper != b.label && (upper == "CERTIFICATE" || isKeyLabel(upper)) {
		mixed := b
		mixed.label, mixed.whole = upper, false
		p.doc.Blocks = p.doc.Blocks[:len(p.doc.Blocks)-1]
		p.contained(Problem{
			Rule: ruleMalformedPEM, Line: b.line,
			Detail: fmt.Sprintf("the block is labelled %s; labels are capitals", quote(b.label)),
		}, func() { p.block(mixed) })
		return
	}
	switch b.label {
	case "CERTIFICATE":
		if len(b.headers) > 0 && b.whole {
			p.contained(Problem{
				Rule: ruleHeaders, Line: b.line, Certificate: len(p.doc.Certificates) + 1,
				Detail: "header lines stand inside the certificate's block",
			}, func() { p.certificate(b) })
			return
		}
		p.certificate(b)
	case "X509 CERTIFICATE", "X.509 CERTIFICATE":
		p.contained(Problem{
			Rule: ruleX509Label, Line: b.line, Certificate: len(p.doc.Certificates) + 1,
			Detail: fmt.Sprintf("the block is labelled %s, which readers in Go skip", quote(b.label)),
		}, func() { p.certificate(b) })
	case "TRUSTED CERTIFICATE":
		// OpenSSL writes its trust settings behind the certificate.
		if first, _, ok := element(b.der); ok {
			b.der = first
		}
		p.contained(Problem{
			Rule: ruleTrusted, Line: b.line, Certificate: len(p.doc.Certificates) + 1,
			Detail: `the block is labelled "TRUSTED CERTIFICATE", OpenSSL's own form, which readers in Go skip`,
		}, func() { p.certificate(b) })
	case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
		p.request(b.der)
	case "X509 CRL":
		p.doc.CRLs++
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		p.publicKey(b.der)
	case "OPENSSH PRIVATE KEY":
		p.problem(Problem{Rule: ruleOpenSSH, Line: b.line, Key: len(p.doc.Keys) + 1, Detail: "a private key in OpenSSH's own form"})
		p.doc.Keys = append(p.doc.Keys, Key{Label: b.label, Line: p.at(b.line), Source: p.source})
	case "ENCRYPTED PRIVATE KEY":
		p.encryptedKey(b)
	default:
		if !isKeyLabel(b.label) {
			return
		}
		if b.headers["DEK-Info"] != "" || strings.Contains(b.headers["Proc-Type"], "ENCRYPTED") {
			p.legacyKey(b)
			return
		}
		p.key(b, true)
	}
}

// isKeyLabel is crypto/tls's idea of which blocks are private keys.
func isKeyLabel(label string) bool {
	return label == "PRIVATE KEY" || strings.HasSuffix(label, " PRIVATE KEY")
}

// knownLabel says whether blocks of a label concern certificates and keys.
func knownLabel(label string) bool {
	switch label {
	case "CERTIFICATE", "X509 CERTIFICATE", "X.509 CERTIFICATE", "TRUSTED CERTIFICATE", "CERTIFICATE REQUEST",
		"NEW CERTIFICATE REQUEST", "X509 CRL", "PUBLIC KEY", "RSA PUBLIC KEY", "EC PARAMETERS", "DH PARAMETERS":
		return true
	}
	return pkcs7Labels[label] || isKeyLabel(label) && !strings.HasPrefix(label, "PGP ") && !strings.HasPrefix(label, "SSH2 ")
}
