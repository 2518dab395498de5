package plain_test

import (
	"context"
	"testing"

	"certwright/assets/profiles"
	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// demoCA is a root that could sign for etcd.
func demoCA(t *testing.T) *certs.Pair {
	t.Helper()
	p, err := profiles.Load("tectonic")
	if err != nil {
		t.Fatal(err)
	}
	topo, _ := topology.Resolve(p, map[string]string{"cluster.name": "corp"})
	set, err := issue.All(context.Background(), issue.Request{Topology: topo, Now: now, Hierarchy: topology.Roots}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return set.Pairs["etcd/ca"]
}
