package plan

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"certwright/certs/topology"
)

// A table that is written without the encoder is what the encoder writes.
func TestATableOfNodesIsWhatTheEncoderWrites(t *testing.T) {
	if !plainNode(topology.Node{Name: "node-00001", Role: topology.Worker, Addresses: []string{"10.0.0.1", "10.1.0.1"}}) {
		t.Error("what most nodes are takes the slow way")
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.StringMatching(`[a-z][a-z0-9.-]{0,12}`), rapid.String(), rapid.SampledFrom([]string{"false", "falsehood", "1e1000", "nulls.", "infinity"}))
		address := rapid.OneOf(rapid.StringMatching(`(10|1)\.[0-9]{1,3}\.0\.[0-9]{1,3}`), rapid.SampledFrom([]string{"fd00::1", "", "1.2", "::ffff:1.2.3.4"}))
		nodes := []topology.Node{{
			Name:      name.Draw(t, "name"),
			Role:      rapid.SampledFrom([]topology.Role{topology.ControlPlane, topology.Worker, "", "other"}).Draw(t, "role"),
			Addresses: rapid.SliceOfN(address, 0, 3).Draw(t, "addresses"),
		}}
		var want bytes.Buffer
		err := encodeNodes(&want, nodes)
		got, gotErr := nodeTable(nodes)
		if (err != nil) != (gotErr != nil) || err == nil && !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("got\n%s\nwant\n%s%v %v", got, want.Bytes(), gotErr, err)
		}
	})
}
