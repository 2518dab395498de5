package check

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
)

func TestOrphans(t *testing.T) {
	root := sign(nil, "orphans-root", ca, subject("root"))
	etcd := sign(root, "orphans-etcd", ca, subject("etcd CA"))
	again := sign(root, "orphans-etcd", ca, subject("etcd CA")) // renewed: the same name and key
	other := sign(root, "orphans-other", ca, subject("etcd CA"))
	kube := sign(nil, "orphans-kube", ca, subject("kube CA"))
	server := sign(etcd, "orphans-server", subject("server"))
	peer := sign(etcd, "orphans-peer", subject("peer"))
	apiserver := sign(kube, "orphans-apiserver", subject("apiserver"))
	held := func(path string, es ...*entity) Held {
		h := Held{Path: path}
		for _, e := range es {
			h.Certificates = append(h.Certificates, e.cert)
		}
		return h
	}
	cas := func(es ...*entity) (out []*x509.Certificate) { return held("", es...).Certificates }
	for _, c := range []struct {
		why           string
		kept          []Held
		before, after []*x509.Certificate
		want          string
	}{
		{"the CA stays", []Held{held("server", server)}, cas(etcd), cas(etcd), ""},
		{"another CA of the same name", []Held{held("server", server), held("peer", peer)}, cas(etcd), cas(other), "server peer"},
		{"the CA goes and nothing comes", []Held{held("server", server)}, cas(etcd), nil, "server"},
		{"both CAs during a rotation", []Held{held("server", server)}, cas(etcd), cas(other, etcd), ""},
		{"a CA renewed with its key", []Held{held("server", server)}, cas(etcd), cas(again), ""},
		{"a leaf of a CA that is not replaced", []Held{held("apiserver", apiserver), held("peer", peer)}, cas(etcd, kube), cas(other, kube), "peer"},
		{"a leaf that nobody here signed", []Held{held("apiserver", apiserver)}, cas(etcd), cas(other), ""},
		{"the trust is in the root, the intermediate beside the leaf", []Held{held("server", server, etcd)}, cas(root), cas(root), ""},
		{"and the root is replaced", []Held{held("server", server, etcd)}, cas(root), cas(kube), "server"},
		{"a new intermediate under the same root", []Held{held("server", server, etcd)}, cas(etcd, root), cas(other, root), "server"},
		{"a CA is no leaf", []Held{held("ca", etcd)}, cas(root), cas(kube), ""},
		{"one of several leaves in a file", []Held{held("secrets.yaml", apiserver, kube, peer)}, cas(etcd, kube), cas(other, kube), "secrets.yaml"},
		{"nothing kept", nil, cas(etcd), cas(other), ""},
	} {
		var got []string
		for _, h := range Orphans(c.kept, c.before, c.after) {
			got = append(got, h.Path)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: orphans %q, want %q", c.why, s, c.want)
		}
	}
}

// Thousands of CAs of one name beside a leaf cost no more than crypto/x509 would spend.
func TestOrphansOfAFloodAreBounded(t *testing.T) {
	old := sign(nil, "orphans-flood", ca, subject("flood"))
	leaf := sign(old, "orphans-leaf", subject("leaf"))
	flood := Held{Path: "flood", Certificates: []*x509.Certificate{leaf.cert}}
	for range 300 {
		flood.Certificates = append(flood.Certificates, sign(nil, "orphans-imposter", ca, subject("flood")).cert)
	}
	got := Orphans([]Held{flood}, []*x509.Certificate{old.cert}, slices.Clone(flood.Certificates[1:]))
	if len(got) != 1 {
		t.Errorf("%d orphans, want the leaf", len(got))
	}
}
