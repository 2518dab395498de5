// Package material turns the bytes that a person handed over into certificates
// and keys, whatever form they came in, and says which form that was. Start
// with Parse. What it cannot use it still recognises and names; nothing that
// it is given makes it panic, hang or use more memory than its caps allow.
//
// It opens no files (callers pass bytes and the file's mode), judges no
// certificate against a role (package check does) and never puts a byte of a
// private key into a message.
package material

import (
	"crypto"
	"crypto/x509"
	"errors"
	"io/fs"
	"slices"
)

// The caps on what is read, in bytes, and on what is taken from it.
const (
	MaxCertificates = 4 << 20  // a file or paste of certificates
	MaxKey          = 64 << 10 // a file that holds keys alone
	MaxBlocks       = 20000    // PEM blocks in one input
	MaxRSABits      = 8192     // as crypto/tls; larger keys are refused before any use
)

// Input is one thing that was handed over.
type Input struct {
	// Name is what messages call it: a path as typed, or "pasted text". It is
	// untrusted text; whoever shows it escapes it.
	Name string
	Data []byte
	// Mode is the file's mode, 0 when there is no file.
	Mode fs.FileMode
	// Passphrase opens an encrypted key or container; nil when none was given.
	// The caller owns it and clears it.
	Passphrase []byte
}

// Format is the outermost form of an input.
type Format string

// The forms that are recognised.
const (
	FormatPEM        Format = "PEM"
	FormatDER        Format = "DER"
	FormatPKCS12     Format = "PKCS#12"
	FormatPKCS7      Format = "PKCS#7"
	FormatJKS        Format = "JKS"
	FormatOpenSSH    Format = "OpenSSH"
	FormatHTML       Format = "HTML"
	FormatKubeconfig Format = "kubeconfig"
	FormatSecret     Format = "Kubernetes Secret"
	FormatBase64PEM  Format = "base64 of PEM"
	FormatEmpty      Format = "empty"
	FormatUnknown    Format = "unknown"
)

// Document is what an input was found to hold. Its lists are in the order of
// the input; of a kubeconfig or a Secret the certificates for serving or for
// the client come first, and those of CAs last.
type Document struct {
	Name         string
	Size         int
	SHA256       [32]byte
	Mode         fs.FileMode // the file's mode as Input gave it, 0 when there was no file
	Format       Format
	Certificates []Certificate
	Keys         []Key
	Requests     int                        // certificate signing requests
	CSRs         []*x509.CertificateRequest // those of them that parse
	CRLs         int                        // revocation lists
	PublicKeys   []crypto.PublicKey
	Blocks       []string // the types of all PEM blocks, in order
	// Problems are defects of the form alone, each under its rule's id
	// (package check has the catalogue). A document may have problems and
	// still have certificates: those that a reader could rescue.
	Problems []Problem
	// Convertible says that Certificates or Keys were taken out of a form that
	// components do not read (DER, PKCS#12, base64 of PEM, a Secret …), so that
	// writing them anew as PEM mends it.
	Convertible bool
}

// Certificate is one certificate of a document.
type Certificate struct {
	X509  *x509.Certificate // nil when it did not parse: Problems say why
	Label string            // PEM type: CERTIFICATE, TRUSTED CERTIFICATE …; "" outside PEM
	Line  int               // line of its BEGIN, from 1; 0 outside PEM
	// Headers says that the block has RFC 1421 headers: readers of CA files
	// skip it without a word, those of a server's own chain take it.
	Headers bool
	// Source is the place inside a container: "data/tls.crt" of a Secret,
	// "users/admin/client-certificate-data" of a kubeconfig. "" elsewhere. The
	// names in it are untrusted text.
	Source string
}

// Key is one private key of a document.
type Key struct {
	Signer    crypto.Signer // nil when it could not be read: Problems say why
	Label     string        // PEM type
	Line      int
	Encrypted bool   // it stood encrypted; Signer is set when the passphrase opened it
	Source    string // as Certificate.Source
}

// Problem is a defect of an input's form.
type Problem struct {
	Rule   string // the rule's id, one of ProblemRules
	Line   int    // 0 when unknown
	Detail string // what was found, in words, free of key bytes; untrusted text in it is quoted with %q
	// Certificate is the position, from 1, in Document.Certificates of the one
	// that the problem is about; 0 when it is about no certificate in the list.
	Certificate int
	// Key is the same for Document.Keys. What is wrong with a key is of no
	// concern where only the certificates of an input are read, and the other
	// way round.
	Key int
	// Rescued says that what the problem hides from components was read all the
	// same, so that writing it anew as PEM mends it.
	Rescued bool
	// Err is the class of a problem with an encrypted key or container, for
	// errors.Is: ErrNoPassphrase, ErrPassphrase, ErrUnsupported, ErrDamaged or
	// ErrCost. Nil for everything else and for what the passphrase opened.
	Err error
}

// NeedsPassphrase says that something in the document stayed shut because no
// passphrase was given, or not the right one.
func (d *Document) NeedsPassphrase() bool {
	return slices.ContainsFunc(d.Problems, func(p Problem) bool {
		return errors.Is(p.Err, ErrNoPassphrase) || errors.Is(p.Err, ErrPassphrase)
	})
}

// X509 lists the certificates that could be read.
//
//go:noinline // many callers, none of them hot
func (d *Document) X509() []*x509.Certificate {
	var out []*x509.Certificate
	for _, c := range d.Certificates {
		if c.X509 != nil {
			out = append(out, c.X509)
		}
	}
	return out
}

// Signer is the first private key that could be read, nil when there is none.
func (d *Document) Signer() crypto.Signer {
	for _, k := range d.Keys {
		if k.Signer != nil {
			return k.Signer
		}
	}
	return nil
}
