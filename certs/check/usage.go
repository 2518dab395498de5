package check

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"certwright/certs/topology"
)

// ekuName is a usage as OpenSSL's configuration writes it.
func ekuName(u topology.Usage) string {
	if u == topology.ServerAuth {
		return "serverAuth"
	}
	return "clientAuth"
}

func extKeyUsage(u topology.Usage) x509.ExtKeyUsage {
	if u == topology.ServerAuth {
		return x509.ExtKeyUsageServerAuth
	}
	return x509.ExtKeyUsageClientAuth
}

// hasUsage says whether a certificate may be used so, as Go judges it: without
// the extension, or with anyExtendedKeyUsage, for everything.
func hasUsage(x *x509.Certificate, u topology.Usage) bool {
	if len(x.ExtKeyUsage) == 0 && len(x.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.Contains(x.ExtKeyUsage, x509.ExtKeyUsageAny) || slices.Contains(x.ExtKeyUsage, extKeyUsage(u))
}

// ekuText lists extended key usages.
func ekuText(x *x509.Certificate) string {
	words := map[x509.ExtKeyUsage]string{
		x509.ExtKeyUsageAny: "anyExtendedKeyUsage", x509.ExtKeyUsageServerAuth: "serverAuth", x509.ExtKeyUsageClientAuth: "clientAuth",
		x509.ExtKeyUsageCodeSigning: "codeSigning", x509.ExtKeyUsageEmailProtection: "emailProtection",
		x509.ExtKeyUsageTimeStamping: "timeStamping", x509.ExtKeyUsageOCSPSigning: "OCSPSigning",
	}
	var out []string
	for _, u := range x.ExtKeyUsage {
		w, ok := words[u]
		if !ok {
			w = fmt.Sprintf("usage %d", u)
		}
		out = append(out, w)
	}
	for _, id := range x.UnknownExtKeyUsage {
		out = append(out, id.String())
	}
	if len(out) == 0 {
		return "no extended key usage"
	}
	return strings.Join(out, ", ")
}

// keyUsageText lists key usages as OpenSSL's configuration writes them.
func keyUsageText(u x509.KeyUsage) string {
	var out []string
	for i, w := range []string{"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"} {
		if u&(1<<i) != 0 {
			out = append(out, w)
		}
	}
	if len(out) == 0 {
		return "no bit set"
	}
	return strings.Join(out, ", ")
}

// usages judges the extended key usage of a leaf.
func (j *judge) usages(n *node, slot *topology.Slot) {
	x, e := n.x, n.extras()
	switch {
	case x.Version < 3:
		return // x509-v1 says it
	case e.ekuEmpty:
		d := detail{message: fmt.Sprintf("%s has an extended key usage extension without any usage", n), has: "an empty list", needs: usagesText(slot.Requires.Usages)}
		if !j.rfc {
			d.severity = Warning
		}
		j.at("eku-empty", n, d)
		return
	case !e.eku:
		if len(slot.Requires.Usages)+len(slot.Requires.Advised) > 0 {
			j.at("eku-missing", n, detail{message: fmt.Sprintf("%s has no extended key usage", n), has: "none", needs: usagesText(slot.Requires.Usages)})
		}
		return
	case slices.Contains(x.ExtKeyUsage, x509.ExtKeyUsageAny):
		for _, u := range slot.Requires.Usages {
			if !slices.Contains(x.ExtKeyUsage, extKeyUsage(u)) {
				j.at("eku-any", n, detail{message: fmt.Sprintf("%s has anyExtendedKeyUsage in place of %s", n, usagesText(slot.Requires.Usages)), has: ekuText(x), needs: usagesText(slot.Requires.Usages)})
				break
			}
		}
		return
	}
	for _, u := range slot.Requires.Usages {
		j.lacksUsage(n, u, Error, slot.Requires.Why)
	}
	for _, u := range slot.Requires.Advised {
		if !slices.Contains(slot.Requires.Usages, u) {
			j.lacksUsage(n, u, Warning, slot.Requires.Advice)
		}
	}
}

func (j *judge) lacksUsage(n *node, u topology.Usage, severity Severity, why string) {
	if hasUsage(n.x, u) {
		return
	}
	rule := "eku-missing-server-auth"
	if u == topology.ClientAuth {
		rule = "eku-missing-client-auth"
	}
	if row, ok := RuleByID(rule); ok && why != "" {
		why += ". " + row.Why
	}
	j.at(rule, n, detail{severity: severity, message: fmt.Sprintf("%s has no %s among its extended key usages", n, ekuName(u)), has: ekuText(n.x), needs: ekuName(u), why: why})
}

func usagesText(us []topology.Usage) string {
	var out []string
	for _, u := range us {
		out = append(out, ekuName(u))
	}
	return strings.Join(out, ", ")
}

const (
	handshakeUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement
	caUsage        = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
)

// keyUsage judges the key usage of a leaf. Go does not look at it; OpenSSL and
// browsers do. Tectonic's own certificates have keyEncipherment alone.
func (j *judge) keyUsage(n *node, server, trusted bool) {
	x, e := n.x, n.extras()
	if !e.keyUsage {
		return
	}
	_, isRSA := x.PublicKey.(*rsa.PublicKey)
	d := detail{has: keyUsageText(x.KeyUsage), needs: "digitalSignature"}
	switch {
	case e.keyUsageEmpty:
		d.message = fmt.Sprintf("%s has a key usage extension without any bit", n)
		d.why = "RFC 5280 4.2.1.3 wants at least one bit; OpenSSL: unsuitable certificate purpose; Go does not look"
		j.at("key-usage-unsuitable", n, d)
	case x.KeyUsage&handshakeUsage == 0 && x.KeyUsage&caUsage != 0:
		d.message = fmt.Sprintf("%s may sign certificates and no handshakes", n)
		if trusted || j.rfc {
			d.severity, d.why = Warning, "Go does not look at a leaf's key usage; OpenSSL says: unsuitable certificate purpose"
		}
		j.at("key-usage-unsuitable", n, d)
	case x.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		d.message = fmt.Sprintf("the key usage of %s lacks digitalSignature", n)
		if isRSA || j.rfc {
			d.severity = Warning
		}
		j.at("key-usage-digital-signature", n, d)
	case isRSA && server && x.KeyUsage&x509.KeyUsageKeyEncipherment == 0 && !j.quiet:
		d.message, d.needs = fmt.Sprintf("the key usage of %s lacks keyEncipherment", n), "nothing today"
		j.at("key-usage-key-encipherment", n, d)
	}
	if x.KeyUsage&handshakeUsage != 0 && x.KeyUsage&x509.KeyUsageCertSign != 0 && !x.IsCA {
		d.message = fmt.Sprintf("%s has keyCertSign without being a CA", n)
		d.why = "RFC 5280 4.2.1.9 forbids it; OpenSSL with -x509_strict refuses it, Go does not look"
		d.severity = Warning
		if j.rfc {
			d.severity = Error
		}
		j.at("key-usage-unsuitable", n, d)
	}
}
