package material

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"certwright/certs/untrusted"
)

// attributeNames are the short names of the attributes of a name, as openssl
// and RFC 4514 have them.
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
	"2.5.4.9": "street", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title", "2.5.4.17": "postalCode",
	"2.5.4.42": "GN", "2.5.4.43": "initials", "2.5.4.44": "generationQualifier", "2.5.4.46": "dnQualifier",
	"2.5.4.65": "pseudonym", "2.5.4.97": "organizationIdentifier", "1.2.840.113549.1.9.1": "emailAddress",
	"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
}

// Subject is the certificate's subject in the order in which it is encoded,
// as openssl prints it: "O=system:nodes, CN=system:node:a". "" when it is empty.
func Subject(c *x509.Certificate) untrusted.Text { return nameText(c.RawSubject) }

// Issuer is the certificate's issuer, written as Subject is.
func Issuer(c *x509.Certificate) untrusted.Text { return nameText(c.RawIssuer) }

// maxNameParts bounds what is written of one name.
const maxNameParts = 64

// nameText writes a DER Name; what it cannot read it leaves out.
func nameText(raw []byte) untrusted.Text {
	in := cryptobyte.String(raw)
	var rdns cryptobyte.String
	if !in.ReadASN1(&rdns, cbasn1.SEQUENCE) {
		return ""
	}
	var parts []string
	for !rdns.Empty() && len(parts) < maxNameParts {
		var set cryptobyte.String
		if !rdns.ReadASN1(&set, cbasn1.SET) {
			break
		}
		var values []string
		for !set.Empty() && len(values) < maxNameParts {
			var pair, value cryptobyte.String
			var oid asn1.ObjectIdentifier
			var tag cbasn1.Tag
			if !set.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1ObjectIdentifier(&oid) || !pair.ReadAnyASN1(&value, &tag) {
				break
			}
			name, ok := attributeNames[oid.String()]
			if !ok {
				name = oid.String()
			}
			values = append(values, name+"="+escapeValue(stringValue(value, tag)))
		}
		parts = append(parts, strings.Join(values, " + "))
	}
	return untrusted.Text(strings.Join(parts, ", "))
}

// stringValue decodes one of ASN.1's string types; of others it gives hex
// behind "#", as RFC 4514 does.
func stringValue(value []byte, tag cbasn1.Tag) string {
	switch tag {
	case cbasn1.UTF8String, cbasn1.PrintableString, cbasn1.IA5String, cbasn1.Tag(18): // 18: NumericString
		return string(value)
	case cbasn1.T61String:
		if utf8.Valid(value) {
			return string(value)
		}
		runes := make([]rune, len(value))
		for i, b := range value {
			runes[i] = rune(b) // read as Latin-1, as everybody does
		}
		return string(runes)
	case cbasn1.Tag(30): // BMPString
		units := make([]uint16, len(value)/2)
		for i := range units {
			units[i] = uint16(value[2*i])<<8 | uint16(value[2*i+1])
		}
		return string(utf16.Decode(units))
	}
	return "#" + hex.EncodeToString(value[:min(len(value), 64)])
}

var structure = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `+`, `\+`)

// escapeValue escapes what would be taken for structure.
func escapeValue(s string) string {
	s = structure.Replace(s)
	if strings.HasPrefix(s, " ") {
		s = `\` + s
	}
	return s
}

// malformedURI says what is wrong with a URI name that crypto/x509 refuses.
func malformedURI(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "the URI " + quote(s) + " in the subjectAltName does not parse"
	}
	if u.Host != "" && strings.ContainsAny(u.Hostname(), "_ \x00") {
		return "the URI " + quote(s) + " in the subjectAltName has a host that is no domain name"
	}
	return ""
}

// SANs lists the certificate's subject alternative names with their kinds:
// "DNS:a.example", "IP:10.0.0.1", "URI:spiffe://a/b", "email:a@b.example".
func SANs(c *x509.Certificate) []untrusted.Text {
	var out []untrusted.Text
	for _, n := range c.DNSNames {
		out = append(out, untrusted.Text("DNS:"+n))
	}
	for _, ip := range c.IPAddresses {
		out = append(out, untrusted.Text("IP:"+ip.String()))
	}
	for _, u := range c.URIs {
		out = append(out, untrusted.Text("URI:"+u.String()))
	}
	for _, e := range c.EmailAddresses {
		out = append(out, untrusted.Text("email:"+e))
	}
	return out
}

// quote writes untrusted text into a Detail: as %q does, no more than a line,
// and without the towers of marks that strconv takes for graphic.
func quote(s string) string {
	const limit = 200
	cut := ""
	if len(s) > limit {
		s, cut = s[:limit], "…"
	}
	return untrusted.Text(strconv.Quote(s)).Max(8*limit) + cut
}
