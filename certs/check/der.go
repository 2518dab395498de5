package check

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
)

// The extensions that are read here from their bytes, where crypto/x509 drops
// what a rule needs.
var (
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidNameConstraints  = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidExtKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidSCTPoison        = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 3}
)

// extras is what a certificate's bytes say beyond its parsed fields.
type extras struct {
	san, keyUsage, eku, basic bool
	names                     []asn1.RawValue // every general name of the SAN
	ekuEmpty                  bool
	keyUsageEmpty             bool
}

// extras reads the certificate once.
func (n *node) extras() *extras {
	if n.der == nil {
		n.der = readExtras(n.x)
	}
	return n.der
}

func readExtras(x *x509.Certificate) *extras {
	e := &extras{}
	for _, ext := range x.Extensions {
		switch {
		case ext.Id.Equal(oidSubjectAltName):
			e.san = true
			e.names = sequence(ext.Value)
		case ext.Id.Equal(oidKeyUsage):
			e.keyUsage = true
			var bits asn1.BitString
			_, err := asn1.Unmarshal(ext.Value, &bits)
			e.keyUsageEmpty = err == nil && !slices.ContainsFunc(bits.Bytes, func(b byte) bool { return b != 0 })
		case ext.Id.Equal(oidExtKeyUsage):
			e.eku = true
			e.ekuEmpty = len(sequence(ext.Value)) == 0
		case ext.Id.Equal(oidBasicConstraints):
			e.basic = true
		}
	}
	return e
}

// sequence reads the members of a SEQUENCE, nil when it is none.
func sequence(der []byte) []asn1.RawValue {
	var seq asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &seq); err != nil || len(rest) > 0 || seq.Tag != asn1.TagSequence || !seq.IsCompound {
		return nil
	}
	var out []asn1.RawValue
	for in := seq.Bytes; len(in) > 0; {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(in, &v)
		if err != nil {
			return out
		}
		out, in = append(out, v), rest
	}
	return out
}

// sameName says whether two names are equal but for the encoding of their
// strings (RFC 5280 7.1 compares them so; Go compares bytes).
func sameName(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	as, bs := sequence(a), sequence(b)
	if len(as) != len(bs) || len(as) == 0 {
		return false
	}
	for i := range as {
		x, y := attributes(as[i]), attributes(bs[i])
		if len(x) == 0 || !slices.Equal(x, y) {
			return false
		}
	}
	return true
}

// attributes are the members of a relative name, each as its type and folded value.
func attributes(set asn1.RawValue) []string {
	if set.Tag != asn1.TagSet {
		return nil
	}
	var out []string
	for in := set.Bytes; len(in) > 0; {
		var a struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		rest, err := asn1.Unmarshal(in, &a)
		if err != nil {
			return nil
		}
		out, in = append(out, a.Type.String()+"="+foldName(a.Value)), rest
	}
	slices.Sort(out)
	return out
}

// foldName is a name's text without case and needless spaces.
func foldName(v asn1.RawValue) string {
	text := v.Bytes
	if v.Tag == asn1.TagBMPString {
		var s string
		if _, err := asn1.Unmarshal(v.FullBytes, &s); err == nil {
			text = []byte(s)
		}
	}
	return string(bytes.Join(bytes.Fields(bytes.ToLower(text)), []byte(" ")))
}

// maxSerial is the largest serial number that RFC 5280 4.1.2.2 allows: 20 octets.
var maxSerial = new(big.Int).Lsh(big.NewInt(1), 159)
