package material

import (
	"crypto"
	"errors"
	"slices"
)

// Object identifiers of PKCS#12 (RFC 7292) and of PBMAC1 (RFC 9579).
const (
	oidKeyBag       = "1.2.840.113549.1.12.10.1.1"
	oidShroudedBag  = "1.2.840.113549.1.12.10.1.2"
	oidCertBag      = "1.2.840.113549.1.12.10.1.3"
	oidCRLBag       = "1.2.840.113549.1.12.10.1.4"
	oidSafeBag      = "1.2.840.113549.1.12.10.1.6"
	oidX509CertType = "1.2.840.113549.1.9.22.1"
	oidPBMAC1       = "1.2.840.113549.1.5.14"
)

// pkcs12 takes certificates and keys out of a PKCS#12 container. The reading
// is our own: the libraries for it refuse containers without a key, with two,
// or with more parts than OpenSSL makes, and obey any iteration count.
func (p *parser) pkcs12(data []byte) {
	pr := Problem{Rule: rulePKCS12, Detail: "a PKCS#12 container"}
	c, err := p.openContainer(data)
	if err != nil {
		pr.Err, pr.Detail = class(err), pr.Detail+": "+err.Error()
		p.problem(pr)
		return
	}
	defer c.clear()
	p.contained(pr, func() {
		keys := len(p.doc.Keys)
		for _, k := range c.keys {
			p.containerKey(k)
		}
		certs := len(p.doc.Certificates)
		for _, der := range c.certs {
			p.certificate(block{der: der, line: p.line})
		}
		leafFirst(p.doc.Certificates[certs:], p.doc.Keys[keys:])
	})
	p.doc.CRLs += c.crls
}

// containerKey records a key that came out of a container.
func (p *parser) containerKey(k containerKey) {
	signer, problem := p.readKey(k.der)
	p.doc.Keys = append(p.doc.Keys, Key{Signer: signer, Encrypted: k.encrypted, Line: p.at(0), Source: p.source})
	if signer == nil {
		problem.Key = len(p.doc.Keys)
		p.problem(problem)
	}
}

// leafFirst puts the certificate of the first key first, and behind it the
// chain of its issuers: containers hold them in any order.
func leafFirst(certs []Certificate, keys []Key) {
	var key crypto.Signer
	if len(keys) > 0 {
		key = keys[0].Signer
	}
	place := 0
	take := func(fits func(Certificate) bool) bool {
		i := slices.IndexFunc(certs[place:], func(c Certificate) bool { return c.X509 != nil && fits(c) })
		if i < 0 {
			return false
		}
		c := certs[place+i]
		copy(certs[place+1:place+i+1], certs[place:place+i])
		certs[place] = c
		place++
		return true
	}
	if key == nil || !take(func(c Certificate) bool { return SamePublicKey(c.X509.PublicKey, key.Public()) }) {
		return
	}
	for place < len(certs) {
		last := certs[place-1].X509
		if !take(func(c Certificate) bool { return string(c.X509.RawSubject) == string(last.RawIssuer) }) {
			return
		}
	}
}

// container is the contents of an opened PKCS#12 file.
type container struct {
	certs [][]byte
	keys  []containerKey
	crls  int
	bags  int
}

type containerKey struct {
	der       []byte
	encrypted bool
}

func (c *container) clear() {
	for _, k := range c.keys {
		clear(k.der)
	}
}

// openContainer opens a container with the passphrase or, when none was given,
// with the two forms that an empty one takes.
func (p *parser) openContainer(data []byte) (*container, error) {
	der, err := toDER(data)
	if err != nil {
		return nil, damaged("it is cut short or no ASN.1")
	}
	pfx, err := readPFX(der)
	if err != nil {
		return nil, err
	}
	passwords := []*password{{bmp: []byte{0, 0}}, {}}
	if given := newPassword(p.passphrase); given != nil {
		defer given.clear()
		passwords = []*password{given}
	}
	for _, pw := range passwords {
		var c *container
		if c, err = pfx.open(pw, &p.budget); err == nil {
			return c, nil
		}
		if !errors.Is(err, ErrPassphrase) {
			return nil, err
		}
	}
	if len(p.passphrase) == 0 {
		return nil, ErrNoPassphrase
	}
	return nil, err
}
