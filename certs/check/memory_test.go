package check

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// A signature is checked once, however many ask at the same time.
func TestMemoryChecksEachSignatureOnce(t *testing.T) {
	m := NewMemory()
	child, parent := &node{hash: [32]byte{1}}, &node{hash: [32]byte{2}}
	var checks atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			v, _ := m.verdict(child, parent, func() verdict { checks.Add(1); return sigWeak })
			if v != sigWeak {
				t.Errorf("got %v", v)
			}
		})
	}
	wg.Wait()
	if checks.Load() != 1 || !m.has(child, parent) || m.has(parent, child) {
		t.Errorf("%d checks", checks.Load())
	}
	var none *Memory
	if v, checked := none.verdict(child, parent, func() verdict { return sigGood }); v != sigGood || !checked || none.has(child, parent) {
		t.Error("without a memory nothing is known")
	}
}

// A key or a serial number that two parts of a set share is found.
func TestSeenComparesParts(t *testing.T) {
	slot := topology.Slot{ID: "kube/server@a", Kind: topology.Leaf, Node: "a", Authority: "kube", Component: "kube", Usages: []topology.Usage{topology.ServerAuth}, Subject: topology.Subject{CN: "a"}, Names: []topology.Name{{Kind: topology.DNSName, Value: "a"}}}
	ca := topology.Slot{ID: "kube/ca", Kind: topology.CA, Authority: "kube", Component: "kube", Subject: topology.Subject{CN: "kube-ca"}}
	profile := &topology.Profile{Name: "small"}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	key, err := issue.NewKeys(1).Key(t.Context(), issue.ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	root, err := issue.SelfSign(t.Context(), ca.ID, ca.Subject, key, issue.Terms{Now: now, Life: 48 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	rootPair := &certs.Pair{Certificates: root.Certificates, Key: key}
	by, err := issue.NewCA(ca.ID, rootPair, now)
	if err != nil {
		t.Fatal(err)
	}
	leafKey, err := issue.NewKeys(1).Key(t.Context(), issue.ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	seen := NewSeen()
	judge := func() []string {
		leaf, err := issue.SignLeaf(t.Context(), &slot, leafKey.Public(), by, issue.Terms{Now: now, Life: 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		part := &topology.Topology{Profile: profile, Slots: []topology.Slot{slot}, Here: []topology.Node{{Name: "a"}}, Partial: true}
		set := &certs.Set{Topology: part, Pairs: map[topology.SlotID]*certs.Pair{slot.ID: {Certificates: leaf.Certificates, Key: leafKey, Made: true}}}
		var rules []string
		for _, f := range Set(SetInput{Set: set, Now: now, Seen: seen}) {
			if f.Rule == "key-reused" || f.Rule == "duplicate-serial" {
				rules = append(rules, f.Rule)
			}
		}
		return rules
	}
	if got := judge(); len(got) > 0 {
		t.Errorf("the first part: %v", got)
	}
	if got := judge(); len(got) != 1 || got[0] != "key-reused" {
		t.Errorf("a part with the key of another: %v", got)
	}
}
