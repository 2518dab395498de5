package check

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"certwright/certs/material"
	"certwright/certs/topology"
)

// files are what is handed over for a slot.
type files struct {
	cert, key, ca *material.Document
	rewritten     bool
	others        map[topology.AuthorityID]*x509.Certificate
}

// slotCase is one case: what is handed over, and the rules that must be found,
// no more and no fewer. A rule bears "w:" as a warning and "i:" as information.
type slotCase struct {
	name string
	slot topology.SlotID
	make func(p *pki) files
	want string
}

func runSlotCases(t *testing.T, cases []slotCase) {
	t.Helper()
	p := newPKI(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := c.make(p)
			got := Slot(SlotInput{Slot: p.t.Slot(c.slot), Topology: p.t, Cert: f.cert, Key: f.key, CA: f.ca, Now: clock, Rewritten: f.rewritten, Others: f.others})
			compare(t, got, c.want)
		})
	}
}

// codes writes findings as a case does, sorted.
func codes(findings []Finding) []string {
	var out []string
	for _, f := range findings {
		prefix := map[Severity]string{Error: "", Warning: "w:", Info: "i:"}[f.Severity]
		out = append(out, prefix+f.Rule)
	}
	slices.Sort(out)
	return out
}

func compare(t *testing.T, got []Finding, want string) {
	t.Helper()
	wanted := strings.Fields(want)
	slices.Sort(wanted)
	if have := codes(got); !slices.Equal(have, wanted) {
		t.Errorf("got  %s\nwant %s", strings.Join(have, " "), strings.Join(wanted, " "))
		for _, f := range got {
			t.Logf("%s %s: %s [%s] has %q needs %q", f.Severity, f.Rule, f.Message, f.File, f.Has, f.Needs)
		}
	}
	for i, f := range got {
		fired(f)
		if f.Message == "" || f.Fix == "" || strings.Contains(f.Fix, "{file}") || strings.HasSuffix(f.Message, ".") {
			t.Errorf("%s lacks a text: %+v", f.Rule, f)
		}
		if i > 0 && got[i-1].Severity.rank() > f.Severity.rank() {
			t.Errorf("not sorted: %s before %s", got[i-1].Severity, f.Severity)
		}
	}
}

// The good leaves, each open to edits.

func (p *pki) etcdServer(edits ...edit) *entity {
	return sign(p.etcd, "etcd-server", slices.Concat([]edit{subject("etcd", "etcd"), dns("etcd-0.example.com", "etcd-1.example.com", "localhost"), eku(server, client), ku(sigKU)}, edits)...)
}

func (p *pki) etcdClient(edits ...edit) *entity {
	return sign(p.etcd, "etcd-client", slices.Concat([]edit{subject("etcd-client"), eku(client), ku(sigKU)}, edits)...)
}

func (p *pki) apiserver(edits ...edit) *entity {
	return sign(p.kube, "apiserver", slices.Concat([]edit{
		subject("kube-apiserver", "kube-master"), eku(server, client), ku(sigKU), ips("10.3.0.1"),
		dns("api.example.com", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"),
	}, edits)...)
}

func (p *pki) kubelet(edits ...edit) *entity {
	return sign(p.kube, "kubelet", slices.Concat([]edit{subject("kubelet", "system:masters"), eku(client), ku(sigKU)}, edits)...)
}

func (p *pki) web(issuer *entity, edits ...edit) *entity {
	return sign(issuer, "ingress", slices.Concat([]edit{subject("demo.example.com"), dns("demo.example.com"), eku(server), ku(sigKU)}, edits)...)
}

func (p *pki) typha(edits ...edit) *entity {
	return sign(p.otherRoot, "typha-client", slices.Concat([]edit{subject("typha-client"), eku(client), ku(sigKU)}, edits)...)
}

// etcd and the like hand a leaf over with its key and the CA of its slot.
func (p *pki) with(ca *entity, leaf *entity, more ...*entity) files {
	parts := []any{leaf}
	for _, m := range more {
		parts = append(parts, m)
	}
	return files{cert: doc("cert.pem", parts...), key: doc("key.pem", leaf.key), ca: doc("ca.pem", ca)}
}

func noNames(t *x509.Certificate) { t.DNSNames, t.IPAddresses = nil, nil }
func onlyNames(names ...string) edit {
	return func(t *x509.Certificate) { t.DNSNames, t.IPAddresses = names, nil }
}
func notCA(t *x509.Certificate) { t.IsCA = false }
func noBasic(t *x509.Certificate) {
	t.BasicConstraintsValid, t.IsCA = false, false
}

func pathLen(n int) edit {
	return func(t *x509.Certificate) { t.MaxPathLen, t.MaxPathLenZero = n, n == 0 }
}
