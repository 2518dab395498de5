package layout

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"

	"certwright/certs"
	"certwright/certs/material"
	"certwright/certs/topology"
)

// The modes of files: what holds a private key is for its owner alone.
const (
	modePublic  fs.FileMode = 0o644
	modePrivate fs.FileMode = 0o600
)

// certificates are PEM blocks named CERTIFICATE without headers: others are
// skipped without a word by Go's readers of CA files.
func certificates(list ...*x509.Certificate) []byte {
	size := 0
	for _, c := range list {
		size += sizePEM("CERTIFICATE", c.Raw)
	}
	b := make([]byte, 0, size)
	for _, c := range list {
		b = appendPEM(b, "CERTIFICATE", c.Raw)
	}
	return b
}

// lineOfPEM is how many bytes a line of PEM holds, in 64 characters.
const lineOfPEM = 48

func sizePEM(label string, der []byte) int {
	n := base64.StdEncoding.EncodedLen(len(der))
	return len("-----BEGIN -----\n-----END -----\n") + 2*len(label) + n + (n+63)/64
}

// appendPEM is pem.Encode without the buffers that it makes for each block: a
// fleet's files have 80,000 of them.
func appendPEM(b []byte, label string, der []byte) []byte {
	b = append(append(append(b, "-----BEGIN "...), label...), "-----\n"...)
	for line := range slices.Chunk(der, lineOfPEM) {
		b = append(base64.StdEncoding.AppendEncode(b, line), '\n')
	}
	return append(append(append(b, "-----END "...), label...), "-----\n"...)
}

// privateKey is PKCS#8, which every component was seen to read.
func privateKey(key crypto.Signer) ([]byte, error) {
	der, err := material.PKCS8(key)
	if err != nil {
		return nil, fmt.Errorf("encode the private key: %w", err)
	}
	defer clear(der)
	return appendPEM(make([]byte, 0, sizePEM("PRIVATE KEY", der)), "PRIVATE KEY", der), nil
}

func publicKeyPEM(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the public key: %w", err)
	}
	return appendPEM(nil, "PUBLIC KEY", der), nil
}

// content is a field of a slot as a file without a path. It is false when the
// pair does not have it: a CA whose key was not handed over.
func (j *job) content(s *topology.Slot, field topology.Field) (f File, ok bool, err error) {
	f, ok, err = pairFile(j.set.Pairs[s.ID], s.Kind, field)
	f.Slot = s.ID
	if err == nil {
		err = j.also(&f, s, field)
	}
	if err != nil {
		err = fmt.Errorf("render %s: %w", s.ID, err)
	}
	return f, ok, err
}

// also appends what is trusted beside a slot's own, while it is exchanged.
func (j *job) also(f *File, s *topology.Slot, field topology.Field) error {
	switch {
	case s.Kind == topology.CA && (field == topology.FieldCert || field == topology.FieldBundle):
		f.Data = append(f.Data, certificates(j.set.Also[s.Authority]...)...)
	case s.Kind == topology.KeyPair && field == topology.FieldPublic:
		for _, key := range j.set.AlsoPublic[s.ID] {
			block, err := publicKeyPEM(key)
			if err != nil {
				return err
			}
			f.Data = append(f.Data, block...)
		}
	}
	return nil
}

func pairFile(p *certs.Pair, kind topology.Kind, field topology.Field) (f File, ok bool, err error) {
	f.Mode = modePublic
	switch field {
	case topology.FieldCert:
		f.Kind, f.Data = KindCertificate, certificates(p.Certificates...)
		if kind == topology.CA {
			// One certificate: the controller manager's signer takes no more.
			f.Kind, f.Data = KindCA, certificates(p.Leaf())
		}
	case topology.FieldBundle:
		f.Kind, f.Data = KindBundle, certificates(p.Certificates...)
	case topology.FieldKey:
		if p.Key == nil {
			return f, false, nil
		}
		f.Kind, f.Mode = KindKey, modePrivate
		if kind == topology.CA {
			f.Kind = KindCAKey
		}
		f.Data, err = privateKey(p.Key)
	case topology.FieldPublic:
		f.Kind = KindPublicKey
		f.Data, err = publicKeyPEM(p.Key.Public())
	default:
		return f, false, fmt.Errorf("unknown field %q", field)
	}
	if c := p.Leaf(); c != nil && (field == topology.FieldCert || field == topology.FieldBundle) {
		f.dated(c)
	}
	return f, true, err
}

// dated notes the certificate that a file starts with.
func (f *File) dated(c *x509.Certificate) {
	f.NotAfter = c.NotAfter
	if c.SerialNumber != nil {
		f.Serial = hex.EncodeToString(c.SerialNumber.Bytes())
	}
}
