package issue_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// tester is what testing.T and rapid.T have in common here.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
}

// judge holds every certificate of a set against the certificate profile.
func judge(t tester, set *certs.Set) {
	t.Helper()
	serials := map[string]topology.SlotID{}
	subjects := map[string]topology.SlotID{}
	one := func(id topology.SlotID, pair *certs.Pair) {
		t.Helper()
		c := pair.Leaf()
		if c == nil || !pair.Made {
			return
		}
		common(t, id, pair)
		if other, taken := serials[c.SerialNumber.String()]; taken {
			t.Errorf("%q and %q share a serial number", id, other)
		}
		serials[c.SerialNumber.String()] = id
		if c.IsCA {
			if other, taken := subjects[string(c.RawSubject)]; taken {
				t.Errorf("%q and %q share a subject", id, other)
			}
			subjects[string(c.RawSubject)] = id
		}
	}
	if set.Root != nil {
		one("", set.Root)
		if len(set.Root.Certificates) != 1 {
			t.Errorf("the root's pair has %d certificates", len(set.Root.Certificates))
		}
	}
	for i := range set.Topology.Slots {
		slot := &set.Topology.Slots[i]
		pair := set.Pairs[slot.ID]
		if pair == nil || pair.Key == nil && pair.Made {
			t.Errorf("%s: no pair or no key", slot.ID)
			continue
		}
		one(slot.ID, pair)
		switch {
		case slot.Kind == topology.KeyPair && pair.Leaf() != nil:
			t.Errorf("%s: a key pair has a certificate", slot.ID)
		case slot.Kind == topology.Leaf && pair.Made:
			leaf(t, set, slot, pair)
		}
	}
	for id, pair := range set.Pairs {
		if c := pair.Leaf(); c != nil && !c.IsCA {
			if other, taken := subjects[string(c.RawSubject)]; taken {
				t.Errorf("leaf %s has the subject of CA %q", id, other)
			}
		}
	}
}

// common is what every certificate has, CA or leaf.
func common(t tester, id topology.SlotID, pair *certs.Pair) {
	t.Helper()
	c := pair.Leaf()
	if got := len(c.SerialNumber.Bytes()); c.SerialNumber.Sign() <= 0 || got > 16 {
		t.Errorf("%s: serial number %v of %d bytes", id, c.SerialNumber, got)
	}
	if len(c.SubjectKeyId) != 20 || len(c.AuthorityKeyId) == 0 {
		t.Errorf("%s: key ids %x and %x", id, c.SubjectKeyId, c.AuthorityKeyId)
	}
	if !c.BasicConstraintsValid || c.Version != 3 {
		t.Errorf("%s: basic constraints %v, version %d", id, c.BasicConstraintsValid, c.Version)
	}
	for _, e := range c.Extensions {
		critical := e.Id.String() == "2.5.29.15" || e.Id.String() == "2.5.29.19" || e.Id.String() == "2.5.29.17" && c.Subject.String() == ""
		if e.Critical != critical {
			t.Errorf("%s: extension %v critical %v", id, e.Id, e.Critical)
		}
	}
	if !c.PublicKey.(interface{ Equal(crypto.PublicKey) bool }).Equal(pair.Key.Public()) {
		t.Errorf("%s: the key is not the certificate's", id)
	}
	issuer := c
	if len(pair.Certificates) > 1 {
		issuer = pair.Certificates[1]
		if !bytes.Equal(c.RawIssuer, issuer.RawSubject) || !bytes.Equal(c.AuthorityKeyId, issuer.SubjectKeyId) {
			t.Errorf("%s: the next certificate is not its issuer", id)
		}
	}
	if c.NotBefore.Before(issuer.NotBefore) || c.NotAfter.After(issuer.NotAfter) {
		t.Errorf("%s: %v to %v is not within its issuer's %v to %v", id, c.NotBefore, c.NotAfter, issuer.NotBefore, issuer.NotAfter)
	}
	if c.IsCA {
		if c.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || len(c.ExtKeyUsage) > 0 {
			t.Errorf("%s: key usage %b, extended %v", id, c.KeyUsage, c.ExtKeyUsage)
		}
		if self := len(pair.Certificates) == 1; self != (c.MaxPathLen == -1) || !self && !c.MaxPathLenZero {
			t.Errorf("%s: path length %d (zero %v), a root %v", id, c.MaxPathLen, c.MaxPathLenZero, self)
		}
		if c.Subject.SerialNumber == "" {
			t.Errorf("%s: nothing tells its subject from another cluster's", id)
		}
	}
}

// leaf verifies a leaf as a component does: with what is sent and its own
// authority alone, for each name and each usage of its slot.
func leaf(t tester, set *certs.Set, slot *topology.Slot, pair *certs.Pair) {
	t.Helper()
	c := pair.Leaf()
	roots, sent := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(set.Anchor(slot.Authority))
	for _, above := range pair.Certificates[1:] {
		sent.AddCert(above)
		if issue.SelfSigned(above) {
			t.Errorf("%s: the root is sent", slot.ID)
		}
	}
	for _, u := range slot.Usages {
		usage := map[topology.Usage]x509.ExtKeyUsage{topology.ServerAuth: x509.ExtKeyUsageServerAuth, topology.ClientAuth: x509.ExtKeyUsageClientAuth}[u]
		if _, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: sent, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
			t.Errorf("%s for %s: %v", slot.ID, u, err)
		}
	}
	if len(c.ExtKeyUsage) != len(slot.Usages) {
		t.Errorf("%s: extended key usages %v, want %v", slot.ID, c.ExtKeyUsage, slot.Usages)
	}
	want := x509.KeyUsageDigitalSignature
	if c.PublicKeyAlgorithm == x509.RSA {
		want |= x509.KeyUsageKeyEncipherment
	}
	if c.KeyUsage != want {
		t.Errorf("%s: key usage %b, want %b", slot.ID, c.KeyUsage, want)
	}
	for _, n := range slot.Names {
		switch host := strings.Replace(n.Value, "*", "any", 1); n.Kind {
		case topology.DNSName, topology.IPAddress:
			if err := c.VerifyHostname(host); err != nil {
				t.Errorf("%s: %v", slot.ID, err)
			}
		case topology.URIName:
			if !slices.ContainsFunc(c.URIs, func(u *url.URL) bool { return u.String() == n.Value }) {
				t.Errorf("%s: no URI %s", slot.ID, n.Value)
			}
		}
	}
	if got := len(c.DNSNames) + len(c.IPAddresses) + len(c.URIs); got != len(slot.Names) {
		t.Errorf("%s: %d names, want %d", slot.ID, got, len(slot.Names))
	}
	if c.Subject.CommonName != slot.Subject.CN || !slices.Equal(c.Subject.Organization, slot.Subject.O) {
		t.Errorf("%s: subject %s, want %s", slot.ID, c.Subject, slot.Subject)
	}
}

// opensslVerify asks openssl about every certificate of a set, strictly: with
// its own CA alone as the anchor, and up to the root where there is one.
func opensslVerify(t testing.TB, set *certs.Set) {
	t.Helper()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Log("no openssl: not judged by it")
		return
	}
	dir := t.TempDir()
	file := func(name string, cs ...*x509.Certificate) string {
		path := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
		if err := os.WriteFile(path, issue.PEM(cs...), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	verify := func(what string, args ...string) {
		t.Helper()
		args = append([]string{"verify", "-x509_strict", "-attime", fmt.Sprint(now.Unix()), "-no-CAfile", "-no-CApath", "-no-CAstore"}, args...)
		if out, err := exec.Command(openssl, args...).CombinedOutput(); err != nil {
			t.Errorf("%s: openssl %s: %v\n%s", what, strings.Join(args, " "), err, out)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(set.Pairs)) {
		pair, slot := set.Pairs[id], set.Topology.Slot(id)
		if pair.Leaf() == nil {
			continue
		}
		cert := file(string(id)+".crt", pair.Leaf())
		anchor := set.Anchor(slot.Authority)
		ca := set.Pairs[set.Topology.CASlot(slot.Authority).ID]
		top := ca.Certificates[len(ca.Certificates)-1]
		if slot.Kind == topology.CA {
			if issue.SelfSigned(top) {
				args := []string{"-trusted", file("top.crt", top), cert}
				if len(ca.Certificates) > 2 {
					args = append([]string{"-untrusted", file("above.crt", ca.Certificates[1:]...)}, args...)
				}
				verify(string(id)+" to the root", args...)
			}
			continue
		}
		purposes := map[topology.Usage]string{topology.ServerAuth: "sslserver", topology.ClientAuth: "sslclient"}
		for _, u := range slot.Usages {
			args := []string{"-purpose", purposes[u], "-trusted", file("anchor.crt", anchor), cert}
			if !issue.SelfSigned(anchor) {
				args = append([]string{"-partial_chain"}, args...)
			}
			verify(string(id)+" to its CA", args...)
			if issue.SelfSigned(top) && !issue.SelfSigned(anchor) {
				verify(string(id)+" to the root", "-purpose", purposes[u], "-untrusted", file("sent.crt", pair.Certificates...), "-trusted", file("top.crt", top), cert)
			}
		}
		for _, n := range slot.Names {
			flag := map[topology.NameKind]string{topology.DNSName: "-verify_hostname", topology.IPAddress: "-verify_ip"}[n.Kind]
			if flag == "" || strings.Contains(n.Value, "*") {
				continue
			}
			args := []string{flag, n.Value, "-trusted", file("anchor.crt", anchor), cert}
			if !issue.SelfSigned(anchor) {
				args = append([]string{"-partial_chain"}, args...)
			}
			verify(string(id)+" for "+n.Value, args...)
		}
	}
}
