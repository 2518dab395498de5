package check

import "testing"

func TestGoodSlotHasNoFindings(t *testing.T) {
	p := newPKI(t)
	leaf := sign(p.etcd, "etcd-server", subject("etcd", "etcd"), dns("etcd-0.example.com", "etcd-1.example.com", "localhost"), eku(server, client), ku(sigKU))
	got := Slot(SlotInput{Slot: p.t.Slot("etcd/server"), Topology: p.t, Cert: doc("server.crt", leaf), Key: doc("server.key", leaf.key), CA: doc("ca.crt", p.etcd), Now: clock})
	for _, f := range got {
		t.Errorf("unexpected %+v", f)
	}
}
