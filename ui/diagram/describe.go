package diagram

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"certwright/certs"
	"certwright/certs/material"
	"certwright/certs/topology"
)

// describe fills in what a certificate says.
func (b *builder) describe(n *Node, pair *certs.Pair) {
	c := pair.Leaf()
	if c == nil {
		if pair.Key != nil {
			n.Key = keyWords(pair.Key.Public())
		}
		return
	}
	n.Subject, n.Issuer = material.Subject(c).String(), material.Issuer(c).String()
	n.SelfSigned = bytes.Equal(c.RawSubject, c.RawIssuer)
	if c.SerialNumber != nil {
		n.Serial = c.SerialNumber.Text(16)
	}
	sum := sha256.Sum256(c.Raw)
	n.Fingerprint = hex.EncodeToString(sum[:])
	n.Key = keyWords(c.PublicKey)
	n.Names = safeAll(material.SANs(c))
	n.Usages = usages(c)
	from, to := c.NotBefore.UTC(), c.NotAfter.UTC()
	n.NotBefore, n.NotAfter, n.Days = &from, &to, daysLeft(to, b.in.Now)
}

// daysLeft is whole days until the end. An hour is forgiven, so that what was
// just issued for 365 days shows as 365 and not as 364.
func daysLeft(end, now time.Time) int {
	left := end.Sub(now) + time.Hour
	if end.Before(now) {
		return -max(1, int(now.Sub(end)/(24*time.Hour)))
	}
	return int(left / (24 * time.Hour))
}

func keyWords(pub any) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	case nil:
		return ""
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", pub), "*")
}

func usages(c *x509.Certificate) []string {
	var out []string
	for _, u := range c.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			out = append(out, string(topology.ServerAuth))
		case x509.ExtKeyUsageClientAuth:
			out = append(out, string(topology.ClientAuth))
		case x509.ExtKeyUsageAny:
			out = append(out, "any")
		default:
			out = append(out, fmt.Sprintf("usage %d", int(u)))
		}
	}
	if c.KeyUsage&x509.KeyUsageCertSign != 0 {
		out = append(out, "cert sign")
	}
	if c.KeyUsage&x509.KeyUsageCRLSign != 0 {
		out = append(out, "crl sign")
	}
	return out
}
