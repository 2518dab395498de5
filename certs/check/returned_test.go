package check

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"certwright/certs/issue"
	"certwright/certs/topology"
)

// requestOf is a signing request as certwright writes it.
func requestOf(t *testing.T, slot *topology.Slot, keyName string) *x509.CertificateRequest {
	t.Helper()
	der, err := issue.NewCSR(slot, key(keyName), nil)
	if err != nil {
		t.Fatal(err)
	}
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestReturned(t *testing.T) {
	p := newPKI(t)
	leaf := &topology.Slot{
		ID: "etcd/server", Kind: topology.Leaf, Subject: topology.Subject{CN: "etcd", O: []string{"etcd"}},
		Names:  []topology.Name{{Kind: topology.DNSName, Value: "etcd-0.example.com"}, {Kind: topology.DNSName, Value: "localhost"}, {Kind: topology.IPAddress, Value: "10.0.0.1"}},
		Usages: []topology.Usage{topology.ServerAuth, topology.ClientAuth},
	}
	good := []edit{subject("etcd", "etcd"), dns("localhost", "etcd-0.example.com"), ips("10.0.0.1"), eku(client, server), ku(sigKU)}
	with := func(more ...edit) []edit { return append(append([]edit{}, good...), more...) }
	drop := func(c *x509.Certificate) { c.IPAddresses = nil }
	inter := &topology.Slot{ID: "etcd/ca", Kind: topology.CA, Subject: topology.Subject{CN: "etcd-ca"}}
	interReq := requestOf(t, inter, "sub")
	zero := func(c *x509.Certificate) { c.MaxPathLenZero, c.MaxPathLen = true, 0 }
	named := func(c *x509.Certificate) { c.Subject = interReq.Subject }
	for _, c := range []struct {
		name  string
		slot  *topology.Slot
		edits []edit
		want  string
	}{
		{"as it was asked for, in another order", leaf, good, ""},
		{"other subject", leaf, with(subject("etcd", "corp")), "w:request-subject-changed"},
		{"address dropped", leaf, with(drop), "w:request-names-changed"},
		{"name added", leaf, with(dns("www.example.com")), "w:request-names-changed"},
		{"mail added", leaf, with(func(c *x509.Certificate) { c.EmailAddresses = []string{"a@b.c"} }), "w:request-names-changed"},
		{"client use lost", leaf, with(eku(server)), "w:request-usages-changed"},
		{"every use lost", leaf, with(eku()), "w:request-usages-changed"},
		{"key usage widened", leaf, with(ku(sigKU | encKU)), "w:request-usages-changed"},
		{"made a CA", leaf, with(func(c *x509.Certificate) { c.IsCA, c.MaxPathLen = true, -1 }), "w:request-usages-changed"},
		{"shorter life", leaf, with(dates(-time.Hour, 90*24*time.Hour)), "w:request-life-shortened"},
		{"longer life", leaf, with(dates(-time.Hour, 2*year)), ""},
		{"an intermediate as asked for", inter, []edit{ca, zero, named}, ""},
		{"an intermediate of any path length", inter, []edit{ca, named}, "w:request-usages-changed"},
		{"an intermediate that is none", inter, []edit{named, ku(sigKU)}, "w:request-usages-changed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			keyName := "returned"
			if c.slot == inter {
				keyName = "sub"
			}
			got := sign(p.etcd, keyName, c.edits...)
			compare(t, Returned(ReturnedInput{
				Slot: c.slot, Cert: got.cert, File: "back.pem", Asked: requestOf(t, c.slot, keyName), Until: clock.Add(year), Now: clock,
			}), c.want)
		})
	}
}

// A certificate for another key is told by its names whose it was meant to be.
func TestOtherKey(t *testing.T) {
	p := newPKI(t)
	x := p.etcdServer().cert
	for _, slot := range []*topology.Slot{nil, p.t.Slot("etcd/server")} {
		f := OtherKey(x, "back.pem", slot, clock)
		compare(t, []Finding{f}, "request-other-key")
		if f.File != "back.pem" || slot != nil && (f.Slot != slot.ID || !strings.Contains(f.Message, "etcd/server")) {
			t.Errorf("%+v", f)
		}
	}
}
