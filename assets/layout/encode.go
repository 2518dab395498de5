package layout

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io/fs"

	"certwright/certs"
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
	var b bytes.Buffer
	for _, c := range list {
		// Writing to a buffer cannot fail, and the block has no headers to be wrong.
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return b.Bytes()
}

// privateKey is PKCS#8, which every component was seen to read.
func privateKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func publicKeyPEM(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
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
