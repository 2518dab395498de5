package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"certwright/certs/material"
	"certwright/certs/untrusted"
)

// part says what a document was handed over as.
type part int

const (
	asCertificate part = iota // a leaf, with its intermediates
	asKey
	asCA
	asPublicKey
)

// form reports the defects of a document's form. Of a document that holds keys
// and certificates only what is read of it counts: components take the key from
// its own file where one is given. key is that file, nil when there is none.
func (j *judge) form(doc *material.Document, src *source, as part, rewritten bool, key *material.Document) {
	for _, p := range doc.Problems {
		switch {
		case as == asKey && p.Certificate > 0 && len(doc.Keys) > 0:
			continue
		case as != asKey && p.Key > 0 && len(doc.Certificates) > 0 && (as == asCA || key != nil):
			continue
		}
		d := detail{message: p.Detail}
		if d.message == "" {
			row, _ := RuleByID(p.Rule)
			d.message = row.Title
		}
		if p.Line > 0 && !strings.HasPrefix(d.message, "line ") {
			d.message = fmt.Sprintf("line %d: %s", p.Line, d.message)
		}
		switch {
		case rewritten && p.Rescued && readable(doc, as):
			if as == asCA && j.role != asCA {
				continue // of the CA that a leaf is held against; the CA's own slot says it
			}
			d.severity = Info
			d.why = "it was read, and will be written as PEM"
			d.fix = "none needed"
		case p.Rule == "pem-headers" && as != asCA:
			// crypto/tls reads a certificate with headers; only CA pools skip it.
			d.severity = Warning
		case p.Rule == "der-not-pem" && (as == asKey || len(doc.Certificates) == 0 && len(doc.Keys) > 0):
			d.fix = "$ openssl pkey -inform DER -in {file} -out fixed.key"
		case p.Rule == "explicit-ec-params" && as != asKey:
			d.fix = "make a key on a named curve, and have the certificate issued again"
		case errors.Is(p.Err, material.ErrPassphrase):
			d.fix = "type the passphrase that it was encrypted with"
		case errors.Is(p.Err, material.ErrNoPassphrase) && rewritten:
			d.fix = "type its passphrase; it is written without one"
		}
		j.report(p.Rule, src, 0, d)
	}
	if rewritten {
		return
	}
	if as == asCertificate && key != nil && key != doc {
		return
	}
	for _, k := range doc.Keys {
		if k.Encrypted && k.Signer != nil && doc.Format == material.FormatPEM && !hasProblem(doc, "encrypted-key") && as != asCA {
			j.report("encrypted-key", src, 0, detail{message: "the key is encrypted; components ask nobody for a passphrase"})
		}
	}
}

// readable says whether what is due could be taken out of the document.
func readable(doc *material.Document, as part) bool {
	if as == asKey {
		return len(keyList(doc)) > 0
	}
	return len(doc.Certificates) > 0 || len(doc.PublicKeys) > 0
}

func hasProblem(doc *material.Document, rules ...string) bool {
	return slices.ContainsFunc(doc.Problems, func(p material.Problem) bool { return slices.Contains(rules, p.Rule) })
}

// unread says whether a document has a defect that may hide a certificate, so
// that a gap in the chain would only follow from it.
func unread(doc *material.Document) bool {
	if doc == nil {
		return false
	}
	if slices.ContainsFunc(doc.Certificates, func(c material.Certificate) bool { return c.X509 == nil }) {
		return true
	}
	return slices.ContainsFunc(doc.Problems, func(p material.Problem) bool {
		row, ok := RuleByID(p.Rule)
		return !p.Rescued && (!ok || row.Severity == Error) && !slices.Contains([]string{"encrypted-key", "malformed-key", "openssh-key"}, p.Rule)
	})
}

// blocked says whether a defect of the form explains why nothing was found.
//
//go:noinline // many callers, none of them hot
func blocked(doc *material.Document) bool {
	return slices.ContainsFunc(doc.Problems, func(p material.Problem) bool {
		row, ok := RuleByID(p.Rule)
		return !p.Rescued && (!ok || row.Severity == Error)
	})
}

// wantCertificates says whether a document holds certificates, and reports what
// it holds in their place. key is what was handed over beside it.
func (j *judge) wantCertificates(doc *material.Document, src *source, as part, key *material.Document) bool {
	if len(doc.Certificates) > 0 {
		return true
	}
	due := "a certificate"
	if as == asCA {
		due = "a CA's certificate"
	}
	types := "blocks: " + list(doc.Blocks)
	switch {
	case len(doc.Keys) > 0 && key != nil && len(key.Certificates) > 0 && len(key.Keys) == 0:
		j.report("swapped-cert-and-key", src, 0, detail{message: fmt.Sprintf("this is the private key, and %s is the certificate: the two are exchanged", untrusted.Text(key.Name)), has: "a private key", needs: due})
	case len(doc.Keys) > 0:
		j.report("key-in-cert-slot", src, 0, detail{message: fmt.Sprintf("this is a private key, and %s is due", due), has: "a private key", needs: due})
	case doc.Requests > 0:
		j.report("csr-not-certificate", src, 0, detail{message: fmt.Sprintf("this is a certificate signing request: it waits for the CA to sign it, and %s is due", due), has: types, needs: due})
	case doc.CRLs > 0:
		j.report("crl-not-certificate", src, 0, detail{message: fmt.Sprintf("this is a revocation list, and %s is due", due), has: types, needs: due})
	case len(doc.PublicKeys) > 0:
		j.report("public-key", src, 0, detail{message: fmt.Sprintf("this is a public key alone, and %s is due", due), has: types, needs: due})
	case blocked(doc):
	case len(doc.Blocks) > 0:
		j.report("wrong-block-type", src, 0, detail{message: fmt.Sprintf("there is no CERTIFICATE block, and %s is due", due), has: types, needs: "CERTIFICATE"})
	default:
		j.report("no-pem-block", src, 0, detail{message: "there is no PEM block in it", has: string(doc.Format), needs: due})
	}
	return false
}

// wantKey says whether a document holds a private key, and reports what it
// holds in its place. cert is what was handed over beside it.
func (j *judge) wantKey(doc *material.Document, src *source, cert *material.Document) bool {
	if len(doc.Keys) > 0 {
		return len(keyList(doc)) > 0
	}
	types := "blocks: " + list(doc.Blocks)
	d := detail{has: types, needs: "a private key"}
	switch {
	case len(doc.Certificates) > 0 && cert != nil && len(cert.Certificates) == 0 && len(cert.Keys) > 0:
		// The certificate's file says it: swapped-cert-and-key.
	case len(doc.Certificates) > 0:
		d.message = "this is a certificate, and a private key is due"
		j.report("cert-in-key-slot", src, 0, d)
	case len(doc.PublicKeys) > 0:
		d.message = "this is the public key alone, and the private key is due"
		j.report("public-key", src, 0, d)
	case slices.Contains(doc.Blocks, "EC PARAMETERS") && !blocked(doc):
		d.message = "there are only EC PARAMETERS in it, no key"
		j.report("key-missing", src, 0, d)
	case doc.Requests > 0 || doc.CRLs > 0:
		d.message = "there is no private key in it"
		j.report("wrong-block-type", src, 0, d)
	case blocked(doc):
	case len(doc.Blocks) > 0:
		d.message = "there is no private key in it"
		j.report("key-missing", src, 0, d)
	default:
		d.message = "there is no PEM block in it"
		j.report("no-pem-block", src, 0, d)
	}
	return false
}

// permissions warns of a key that others can read.
func (j *judge) permissions(doc *material.Document, src *source) {
	if doc == nil || len(doc.Keys) == 0 || doc.Mode.Perm()&0o077 == 0 {
		return
	}
	j.report("key-permissions", src, 0, detail{message: "the key can be read by others than its owner", has: fmt.Sprintf("mode %04o", doc.Mode.Perm()), needs: "mode 0600"})
}
