package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"certwright/certs/material"
	"certwright/certs/topology"
)

func mldsaDoc(t testing.TB, names ...string) *material.Document {
	t.Helper()
	var data []byte
	for _, n := range names {
		one, err := os.ReadFile(filepath.Join("..", "material", "testdata", "mldsa", n))
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, one...)
	}
	return material.Parse(material.Input{Name: names[0], Data: data})
}

// An ML-DSA CA is one mistake, not four, and it is named wherever it stands.
func TestPostQuantumMaterialIsExplained(t *testing.T) {
	topo := testTopology()
	slot := topo.Slot("etcd/ca")
	for _, set := range []string{"ml-dsa-44", "ml-dsa-65", "ml-dsa-87"} {
		for name, in := range map[string]SlotInput{
			"the CA":                   {Slot: slot, Topology: topo, Cert: mldsaDoc(t, set+"-ca.crt"), Now: clock},
			"the CA with its key":      {Slot: slot, Topology: topo, Cert: mldsaDoc(t, set+"-ca.crt"), Key: mldsaDoc(t, set+".key"), Now: clock},
			"a leaf":                   {Slot: topo.Slot("etcd/server"), Topology: topo, Cert: mldsaDoc(t, "ml-dsa-44-leaf.crt"), CA: mldsaDoc(t, "ml-dsa-44-ca.crt"), Now: clock},
			"an ECDSA leaf under it":   {Slot: topo.Slot("etcd/server"), Topology: topo, Cert: mldsaDoc(t, "ml-dsa-44-signed.crt"), CA: mldsaDoc(t, "ml-dsa-44-ca.crt"), Now: clock},
			"an ECDSA leaf and the CA": {Slot: topo.Slot("etcd/server"), Topology: topo, Cert: doc("server.crt", newPKI(t).etcdServer()), CA: mldsaDoc(t, set+"-ca.crt"), Now: clock},
		} {
			found := false
			for _, f := range Slot(in) {
				if f.Rule == "unsupported-key-algorithm" || strings.Contains(f.Message, "unknown algorithm") {
					t.Errorf("%s, %s: %s: %s", set, name, f.Rule, f.Message)
				}
				if f.Rule == postQuantumRule {
					found = true
					fired(f)
					if f.Severity != Error || !strings.Contains(f.Message, "ML-DSA-") || !strings.Contains(f.Why, "Go 1.27") {
						t.Errorf("%s, %s: %+v", set, name, f)
					}
				}
			}
			// A CA that has signed nothing here is a stranger in its file, and no more.
			if !found && name != "an ECDSA leaf and the CA" {
				t.Errorf("%s, %s: not found", set, name)
			}
		}
	}
	for _, f := range Chain(ChainInput{Leaf: mldsaDoc(t, "ml-dsa-44-ca.crt"), Anchors: mldsaDoc(t, "ml-dsa-44-ca.crt"), At: clock}) {
		if f.Rule == postQuantumRule && !strings.Contains(f.Message, "no component of a cluster") {
			t.Errorf("without a profile: %s", f.Message)
		}
	}
}

// Where the profile's components take it, it is fine; where this build cannot
// prove it, that is said instead.
func TestAProfileMayTakePostQuantumKeys(t *testing.T) {
	j := newJudge("", clock)
	j.takes = []string{"ecdsa-p256", "ml-dsa-65"}
	for _, c := range []struct {
		set    string
		usable bool
		want   string
	}{
		{"ML-DSA-65", true, ""},
		{"ML-DSA-65", false, "-tags mldsa"},
		{"ML-DSA-44", true, "openssl genpkey"},
	} {
		d := j.postQuantum("it is", c.set, c.usable)
		switch rule, _ := RuleByID(postQuantumRule); {
		case (d == nil) != (c.want == ""):
			t.Errorf("%+v: got %+v", c, d)
		case d != nil && !strings.Contains(d.fix+rule.Fix, c.want):
			t.Errorf("%+v: fix %q", c, d.fix)
		}
	}
	slot := &topology.Slot{Algorithms: []string{"ml-dsa-87"}}
	if !slot.Takes("ml-dsa-87") || slot.Takes("ecdsa-p256") || (&topology.Slot{}).Takes("ml-dsa-44") || !(&topology.Slot{}).Takes("ed25519") {
		t.Error("what a slot takes is not what its profile lists")
	}
}
