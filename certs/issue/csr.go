package issue

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/bits"

	"certwright/certs/topology"
)

// NewCSR asks a CA elsewhere for the slot's certificate: a signing request, as
// DER, with the subject, the names and the usages that SignLeaf or SignCA would
// give it, signed by the slot's key. by is the CA that will be asked.
func NewCSR(slot *topology.Slot, key crypto.Signer, by *x509.Certificate) ([]byte, error) {
	t, err := Template(slot, key.Public(), by)
	if err != nil {
		return nil, err
	}
	asked, err := requested(t)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", slot.ID, err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: t.Subject, DNSNames: t.DNSNames, IPAddresses: t.IPAddresses, URIs: t.URIs, ExtraExtensions: asked,
	}, key)
	if err != nil {
		return nil, fmt.Errorf("%s: make the signing request: %w", slot.ID, err)
	}
	return der, nil
}

// Template is what the slot's certificate is to hold beside its life, its serial
// number and its key identifiers, when by signs it.
func Template(slot *topology.Slot, pub crypto.PublicKey, by *x509.Certificate) (*x509.Certificate, error) {
	var t *x509.Certificate
	var err error
	if slot.Kind == topology.CA {
		if t, err = authority(slot.Subject, pub); err == nil {
			t.MaxPathLenZero = true
		}
	} else {
		t, err = leafTemplate(slot, pub)
	}
	if err != nil {
		return nil, err
	}
	if t.SubjectKeyId, err = KeyID(pub); err != nil {
		return nil, fmt.Errorf("%s: %w", slot.ID, err)
	}
	if by != nil {
		distinguish(t, by)
	}
	return t, nil
}

// CSRPEM is a signing request as files hold it.
func CSRPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// The extensions of RFC 5280, section 4.2.1, that crypto/x509 writes into
// certificates and not into requests.
var (
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidExtKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidServerAuth       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
	oidClientAuth       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
)

// requested are the extensions of a template that a request states: whoever
// signs may copy them.
func requested(t *x509.Certificate) ([]pkix.Extension, error) {
	var out []pkix.Extension
	add := func(id asn1.ObjectIdentifier, critical bool, value any) error {
		der, err := asn1.Marshal(value)
		out = append(out, pkix.Extension{Id: id, Critical: critical, Value: der})
		return err
	}
	if err := add(oidKeyUsage, true, keyUsageBits(t.KeyUsage)); err != nil {
		return nil, err
	}
	if len(t.ExtKeyUsage) > 0 {
		var ids []asn1.ObjectIdentifier
		for _, u := range t.ExtKeyUsage {
			switch u {
			case x509.ExtKeyUsageServerAuth:
				ids = append(ids, oidServerAuth)
			case x509.ExtKeyUsageClientAuth:
				ids = append(ids, oidClientAuth)
			default:
				return nil, fmt.Errorf("extended key usage %d cannot be asked for", u)
			}
		}
		if err := add(oidExtKeyUsage, false, ids); err != nil {
			return nil, err
		}
	}
	var err error
	if t.IsCA {
		err = add(oidBasicConstraints, true, struct {
			IsCA       bool
			MaxPathLen int
		}{true, t.MaxPathLen})
	} else {
		err = add(oidBasicConstraints, true, struct{}{})
	}
	return out, err
}

// keyUsageBits writes the bits as X.509 does, the first one leftmost and none
// behind the last that is set.
func keyUsageBits(u x509.KeyUsage) asn1.BitString {
	b := []byte{bits.Reverse8(byte(u)), bits.Reverse8(byte(u >> 8))}
	n := bits.Len16(uint16(u))
	return asn1.BitString{Bytes: b[:(n+7)/8], BitLength: n}
}
