package check

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"time"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// The section of the catalogue that speaks of what a CA elsewhere made of a
// signing request. What the role cannot do without is an error by its own rule.
var requestRules = []Rule{
	{"request-other-key", Error, "a certificate for a key that no request was made with", "the key that belongs to it is not here: whoever presents it fails with tls: private key does not match public key", "have the request itself signed, the one that was written last"},
	{"request-subject-changed", Warning, "the CA changed the subject that was asked for", "a component that reads the user from the CN and its groups from O sees other ones", "have it signed again with the subject kept: openssl ca wants preserve = yes and a policy that asks for nothing"},
	{"request-names-changed", Warning, "the CA dropped names that were asked for, or added others", "who dials by a dropped name fails: x509: certificate is valid for ..., not ...", "have it signed again with every name: openssl wants -copy_extensions copyall or the -extfile that lies beside the request"},
	{"request-usages-changed", Warning, "the CA gave other usages than were asked for", "tls: failed to verify certificate: " + incompatibleUsage, "have it signed again with the usages of the request: SIGN.md has the commands for each tool"},
	{"request-life-shortened", Warning, "the CA gave a shorter life than was asked for", "it must be renewed earlier than planned", "have it signed again for the whole life, or note the earlier date"},
}

// ReturnedInput is a certificate that a CA elsewhere made of a request.
type ReturnedInput struct {
	Slot  *topology.Slot
	Cert  *x509.Certificate
	File  string // that it came in
	Asked *x509.CertificateRequest
	Until time.Time // how long it was to last at least; zero: any time
	Now   time.Time
}

// Returned says what the CA altered: subject, names, usages and life. Whether
// the certificate does for its role Slot says.
func Returned(in ReturnedInput) []Finding {
	j := newJudge(in.Slot.ID, in.Now)
	n := newNode(in.Cert, &source{name: in.File}, 1, 1)
	if a, b := subjectSet(in.Asked.Subject.ToRDNSequence().String()), subjectSet(in.Cert.Subject.ToRDNSequence().String()); !slices.Equal(a, b) {
		j.at("request-subject-changed", n, detail{
			message: fmt.Sprintf("the CA changed the subject of %s", n),
			has:     nameText(in.Cert.Subject.String()), needs: nameText(in.Asked.Subject.String()),
		})
	}
	j.returnedNames(n, in.Asked)
	j.returnedUsages(n, in.Asked)
	if end := in.Cert.NotAfter; !in.Until.IsZero() && end.Before(in.Until) {
		j.at("request-life-shortened", n, detail{
			message: fmt.Sprintf("%s ends %d days earlier than asked for", n, int(in.Until.Sub(end).Hours()/24)),
			has:     "notAfter " + day(end), needs: "notAfter " + day(in.Until),
		})
	}
	return j.findings()
}

// subjectSet is a subject without the order of its parts, which nobody reads.
func subjectSet(s string) []string {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == '+' })
	slices.Sort(parts)
	return parts
}

func (j *judge) returnedNames(n *node, asked *x509.CertificateRequest) {
	want := allNames(asked.DNSNames, asked.IPAddresses, asked.URIs, asked.EmailAddresses)
	got := allNames(n.x.DNSNames, n.x.IPAddresses, n.x.URIs, n.x.EmailAddresses)
	without := func(list, other []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
	}
	dropped, added := without(want, got), without(got, want)
	var what []string
	if len(dropped) > 0 {
		what = append(what, "dropped "+list(dropped))
	}
	if len(added) > 0 {
		what = append(what, "added "+list(added))
	}
	if len(what) > 0 {
		j.at("request-names-changed", n, detail{
			message: fmt.Sprintf("the CA changed the names of %s: it %s", n, strings.Join(what, " and ")), has: namesText(n), needs: list(want),
		})
	}
}

// allNames are names of all kinds as they are compared: host names without case.
func allNames[IP, URI fmt.Stringer](dns []string, ips []IP, uris []URI, mails []string) []string {
	var out []string
	for _, d := range dns {
		out = append(out, "DNS:"+strings.ToLower(untrusted.Text(d).Max(260)))
	}
	for _, ip := range ips {
		out = append(out, "IP:"+ip.String())
	}
	for _, u := range uris {
		out = append(out, "URI:"+untrusted.Text(u.String()).Max(260))
	}
	for _, m := range mails {
		out = append(out, "email:"+untrusted.Text(m).Max(260))
	}
	return out
}

func (j *judge) returnedUsages(n *node, asked *x509.CertificateRequest) {
	want, err := requestedUsages(asked)
	if err != nil {
		return // not one of ours: nothing is known of what it asked for
	}
	var has, needs []string
	if a, b := usageSet(n.x.ExtKeyUsage), usageSet(want.ExtKeyUsage); !slices.Equal(a, b) || len(n.x.UnknownExtKeyUsage) > 0 {
		has, needs = append(has, "extended key usage "+ekuText(n.x)), append(needs, "extended key usage "+ekuText(want))
	}
	if n.x.KeyUsage != want.KeyUsage {
		has, needs = append(has, "key usage "+keyUsageText(n.x.KeyUsage)), append(needs, "key usage "+keyUsageText(want.KeyUsage))
	}
	if n.x.IsCA != want.IsCA || want.IsCA && (n.x.MaxPathLen != want.MaxPathLen) {
		has, needs = append(has, basicText(n.x)+pathLenText(n.x)), append(needs, basicText(want)+pathLenText(want))
	}
	if len(has) > 0 {
		j.at("request-usages-changed", n, detail{message: fmt.Sprintf("the CA changed what %s may be used for", n), has: strings.Join(has, "; "), needs: strings.Join(needs, "; ")})
	}
}

func pathLenText(x *x509.Certificate) string {
	if x.IsCA && (x.MaxPathLen > 0 || x.MaxPathLenZero) {
		return fmt.Sprintf(", path length %d", x.MaxPathLen)
	}
	return ""
}

func usageSet(us []x509.ExtKeyUsage) []x509.ExtKeyUsage {
	out := slices.Clone(us)
	slices.Sort(out)
	return out
}

// requestedUsages reads the usages that a request asks for, into a certificate
// that has them.
func requestedUsages(asked *x509.CertificateRequest) (*x509.Certificate, error) {
	out := &x509.Certificate{Version: 3}
	for _, e := range asked.Extensions {
		switch e.Id.String() {
		case "2.5.29.15":
			var bits asn1.BitString
			if _, err := asn1.Unmarshal(e.Value, &bits); err != nil {
				return nil, err
			}
			for i := range 9 {
				out.KeyUsage |= x509.KeyUsage(bits.At(i) << i)
			}
		case "2.5.29.37":
			var ids []asn1.ObjectIdentifier
			if _, err := asn1.Unmarshal(e.Value, &ids); err != nil {
				return nil, err
			}
			for _, id := range ids {
				switch id.String() {
				case "1.3.6.1.5.5.7.3.1":
					out.ExtKeyUsage = append(out.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
				case "1.3.6.1.5.5.7.3.2":
					out.ExtKeyUsage = append(out.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
				default:
					out.UnknownExtKeyUsage = append(out.UnknownExtKeyUsage, id)
				}
			}
		case "2.5.29.19":
			var basic struct {
				IsCA       bool `asn1:"optional"`
				MaxPathLen int  `asn1:"optional,default:-1"`
			}
			if _, err := asn1.Unmarshal(e.Value, &basic); err != nil {
				return nil, err
			}
			out.BasicConstraintsValid, out.IsCA, out.MaxPathLen = true, basic.IsCA, basic.MaxPathLen
			out.MaxPathLenZero = basic.MaxPathLen == 0
		}
	}
	return out, nil
}

// OtherKey is the finding about a certificate that came back for a key of no
// request. slot is the one that its names are of, nil when they are of none.
func OtherKey(x *x509.Certificate, file string, slot *topology.Slot, now time.Time) Finding {
	var id topology.SlotID
	d := detail{message: "it is for a key that no request was made with, and its subject is of none either"}
	if slot != nil {
		id = slot.ID
		d.message = fmt.Sprintf("by its subject and its names it is %s, and it is for another key than the request of %s", slot.ID, slot.ID)
	}
	j := newJudge(id, now)
	n := newNode(x, &source{name: file}, 1, 1)
	d.message = fmt.Sprintf("%s: %s", n, d.message)
	d.has = keyText(x.PublicKey) + " " + pubFingerprint(x.PublicKey)
	j.at("request-other-key", n, d)
	return j.findings()[0]
}
