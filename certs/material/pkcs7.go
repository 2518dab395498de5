package material

import (
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// pkcs7 takes the certificates out of a SignedData, which is what .p7b files
// are (RFC 5652 section 5.1). Its signature, if it has one, is of no concern.
func (p *parser) pkcs7(data []byte, pr Problem) {
	certs, crls, fault := signedData(data)
	if fault != "" {
		pr.Detail += ", " + fault
	}
	p.contained(pr, func() {
		for _, der := range certs {
			p.certificate(block{der: der, line: p.line})
		}
	})
	p.doc.CRLs += crls
}

// signedData lists the certificates of a SignedData. fault says why there are
// none.
func signedData(data []byte) (certs [][]byte, crls int, fault string) {
	const broken = "which is damaged"
	der, err := toDER(data)
	if err != nil {
		return nil, 0, broken
	}
	in := cryptobyte.String(der)
	var info, wrapped, signed cryptobyte.String
	var oid asn1.ObjectIdentifier
	explicit := cbasn1.Tag(0).ContextSpecific().Constructed()
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1ObjectIdentifier(&oid) {
		return nil, 0, broken
	}
	if !oid.Equal(oidSignedData) {
		return nil, 0, "which is encrypted or holds no certificates"
	}
	if !info.ReadASN1(&wrapped, explicit) || !wrapped.ReadASN1(&signed, cbasn1.SEQUENCE) ||
		!signed.SkipASN1(cbasn1.INTEGER) || !signed.SkipASN1(cbasn1.SET) || !signed.SkipASN1(cbasn1.SEQUENCE) {
		return nil, 0, broken
	}
	var list cryptobyte.String
	var present bool
	if !signed.ReadOptionalASN1(&list, &present, explicit) {
		return nil, 0, broken
	}
	for !list.Empty() {
		var one cryptobyte.String
		var tag cbasn1.Tag
		if !list.ReadAnyASN1Element(&one, &tag) {
			return certs, 0, broken
		}
		if tag == cbasn1.SEQUENCE { // others are attribute certificates
			certs = append(certs, one)
		}
	}
	if signed.ReadOptionalASN1(&list, &present, cbasn1.Tag(1).ContextSpecific().Constructed()) && present {
		for !list.Empty() && list.SkipASN1(cbasn1.SEQUENCE) {
			crls++
		}
	}
	if len(certs) == 0 {
		fault = "which holds no certificates"
	}
	return certs, crls, fault
}
