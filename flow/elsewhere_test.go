package flow_test

import (
	"strings"
	"testing"

	"certwright/certs/topology"
	"certwright/flow"
)

// The key of a CA may be elsewhere: then the set waits, and nothing but that is
// in its way.
func TestTheKeyOfACAIsElsewhere(t *testing.T) {
	s, _ := start(t)
	s.Apply(flow.SetMode{Component: "kube", Mode: topology.BringCA})
	if s.CanBeElsewhere("kube") || s.CanBeElsewhere("etcd") || s.CanBeElsewhere("identity") {
		t.Error("a CA of which nothing was given can have its key elsewhere")
	}
	cert, key := flow.Field{Slot: "kube/ca", Part: flow.PartCert}, flow.Field{Slot: "kube/ca", Part: flow.PartKey}
	s.Apply(flow.SetSource{Field: cert, Source: flow.Source{Path: "ca.crt"}})
	if !s.CanBeElsewhere("kube") {
		t.Fatal("its certificate was given, and no key")
	}
	s.Apply(flow.SetElsewhere{Component: "kube", On: true})
	if !s.KeyElsewhere("kube") || !s.Plan().Offline("kube") || len(s.Elsewhere()) != 1 {
		t.Fatalf("%+v", s.Plan().Components["kube"])
	}
	found := false
	for _, b := range s.Blockers(flow.StepTopology) {
		found = found || strings.Contains(b.Message, "the key of the CA of kube is elsewhere") && b.Step == flow.StepTopology
	}
	if !found {
		t.Errorf("blockers %+v", s.Blockers(flow.StepTopology))
	}

	// It is found after all.
	s.Apply(flow.SetSource{Field: key, Source: flow.Source{Path: "ca.key"}})
	if s.KeyElsewhere("kube") || s.CanBeElsewhere("kube") {
		t.Error("the key was given, and is elsewhere still")
	}
	s.Apply(flow.SetElsewhere{Component: "kube", On: true})
	if s.KeyElsewhere("kube") {
		t.Error("a key that was given cannot be elsewhere")
	}
	// Pasted, a certificate is not there any more when one comes back in weeks.
	s.Apply(flow.SetSource{Field: key})
	s.Apply(flow.SetSource{Field: cert, Source: flow.Source{Pasted: []byte("-----BEGIN CERTIFICATE-----")}})
	if s.CanBeElsewhere("kube") {
		t.Error("a pasted certificate lasts for weeks")
	}
}
