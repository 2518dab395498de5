package cli

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// A fleet's certificates that say the same are one line; what differs, and what
// few nodes have, is told by name.
func TestStatusOfAFleetIsShort(t *testing.T) {
	end := time.Date(2027, 11, 21, 9, 0, 0, 0, time.UTC)
	var s statusJSON
	for i := range manyNodes + 4 {
		node := fmt.Sprintf("node-%02d", i)
		x := expiryJSON{Path: "nodes/" + node + "/kubelet.conf", Slot: "kube/kubelet-client@" + node, NotAfter: end, Days: 364}
		if i == 7 {
			x.NotAfter, x.Days = end.AddDate(0, 0, -360), 4
			s.Expiring = append(s.Expiring, x)
		}
		s.Expiry = append(s.Expiry, x)
		if i < 3 {
			s.Expiry = append(s.Expiry, expiryJSON{Path: "nodes/" + node + "/pki/apiserver.crt", Slot: "kube/apiserver@" + node, NotAfter: end, Days: 364})
		}
	}
	want := []string{
		"ok    2027-11-21   364 days  nodes/*/kubelet.conf  kube/kubelet-client  of 19 nodes",
		"ok    2027-11-21   364 days  nodes/node-00/pki/apiserver.crt  kube/apiserver@node-00",
		"ok    2027-11-21   364 days  nodes/node-01/pki/apiserver.crt  kube/apiserver@node-01",
		"ok    2027-11-21   364 days  nodes/node-02/pki/apiserver.crt  kube/apiserver@node-02",
		"ends  2026-11-26     4 days  nodes/node-07/kubelet.conf  kube/kubelet-client@node-07",
	}
	if got := statusRows(s, false); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := statusRows(s, true); len(got) != len(s.Expiry) {
		t.Errorf("--all names %d of %d certificates", len(got), len(s.Expiry))
	}
}
