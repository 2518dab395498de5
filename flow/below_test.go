package flow_test

import (
	"math/rand/v2"
	"testing"

	"certwright/certs/topology"
	"certwright/flow"
)

func typed(slot topology.SlotID, path string) flow.Event {
	return flow.SetSource{Field: flow.Field{Slot: slot, Part: flow.PartCert}, Source: flow.Source{Path: path}}
}

func pasted(slot topology.SlotID, text string) flow.Event {
	return flow.SetSource{Field: flow.Field{Slot: slot, Part: flow.PartCert}, Source: flow.Source{Pasted: []byte(text)}}
}

// checks are the slots that effects have judged.
func checks(effects []flow.Effect) map[topology.SlotID]flow.CheckSlot {
	out := map[topology.SlotID]flow.CheckSlot{}
	for _, e := range effects {
		if c, ok := e.(flow.CheckSlot); ok {
			out[c.Slot] = c
		}
	}
	return out
}

// While a CA's path is typed the slots below it wait for its verdict, and not for each key.
func TestTheSlotsBelowFollowTheVerdictOfACA(t *testing.T) {
	s, _ := start(t)
	do(s, flow.SetMode{Component: "etcd", Mode: topology.BringCerts})
	do(s, typed("etcd/server", "server.crt"))
	var last flow.CheckSlot
	for _, path := range []string{"c", "ca", "ca.crt"} {
		got := checks(s.Apply(typed("etcd/ca", path)))
		if len(got) != 1 || !got["etcd/ca"].Debounced {
			t.Fatalf("typing %q judges %v", path, got)
		}
		if old := last; old.Answers != nil && len(checks(s.Apply(good(old)))) > 0 {
			t.Error("a verdict on what was typed before counts")
		}
		last = got["etcd/ca"]
	}
	got := checks(s.Apply(good(last)))
	if len(got) != 1 || got["etcd/server"].Answers == nil || got["etcd/server"].Debounced {
		t.Fatalf("after the verdict: %v", got)
	}
	if src := got["etcd/server"].Answers.Sources[flow.Field{Slot: "etcd/ca", Part: flow.PartCert}]; src.Path != "ca.crt" {
		t.Errorf("it is judged by %+v", src)
	}
	s.Apply(good(got["etcd/server"]))
	if again := checks(s.Apply(good(last))); len(again) > 0 {
		t.Errorf("the same verdict again judges %v", again)
	}
	// What is not typed is judged at once, and so is what has lost its CA.
	for _, e := range []flow.Event{pasted("etcd/ca", "PEM"), flow.Looked{Changed: []topology.SlotID{"etcd/ca"}}} {
		if got := checks(s.Apply(e)); len(got) != 2 {
			t.Errorf("%T judges %v", e, got)
		}
	}
	if got := checks(s.Apply(typed("etcd/ca", ""))); len(got) != 1 || got["etcd/server"].Answers == nil {
		t.Errorf("without a CA %v are judged", got)
	}
}

// Whatever is typed, pasted and judged in whatever order: in the end each slot
// was judged by the CA that is there.
func TestEachSlotIsJudgedByTheCAThatIsThere(t *testing.T) {
	slots := []topology.SlotID{"etcd/ca", "etcd/server", "etcd/peer", "kube/ca", "kube/kubelet"}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		s, effects := start(t)
		by := map[topology.SlotID]flow.CheckSlot{} // of the verdict that counts
		judge := func(c flow.CheckSlot) {
			before := s.Verdict(c.Slot).Pending
			effects = append(effects, s.Apply(good(c))...)
			if before && !s.Verdict(c.Slot).Pending {
				by[c.Slot] = c
			}
		}
		for range 40 {
			slot := slots[r.IntN(len(slots))]
			switch r.IntN(6) {
			case 0:
				effects = append(effects, s.Apply(flow.SetMode{Component: slot.Component(), Mode: topology.Modes()[r.IntN(3)]})...)
			case 1:
				effects = append(effects, s.Apply(pasted(slot, string(rune('a'+r.IntN(26)))))...)
			case 2:
				effects = append(effects, s.Apply(typed(slot, ""))...)
			case 3:
				effects = append(effects, s.Apply(typed(slot, string(rune('a'+r.IntN(26)))))...)
			default:
				if len(effects) > 0 {
					i := r.IntN(len(effects))
					if c, ok := effects[i].(flow.CheckSlot); ok {
						judge(c)
					}
				}
			}
		}
		for len(effects) > 0 {
			e := effects[0]
			effects = effects[1:]
			if c, ok := e.(flow.CheckSlot); ok {
				judge(c)
			}
		}
		now := s.Answers()
		for _, slot := range s.Due(topology.BringCerts) {
			v := s.Verdict(slot.ID)
			if v.Pending {
				t.Fatalf("seed %d: %s waits for ever", seed, slot.ID)
			}
			if v.Pair == nil {
				continue
			}
			ca := flow.Field{Slot: now.Topology.CASlot(slot.Authority).ID, Part: flow.PartCert}
			if got, want := by[slot.ID].Answers.Sources[ca], now.Sources[ca]; got.Path != want.Path || string(got.Pasted) != string(want.Pasted) {
				t.Fatalf("seed %d: %s was judged by the CA %+v, and there is %+v", seed, slot.ID, got, want)
			}
		}
	}
}

// BenchmarkTypeTheCAOf10000 is a key in the path of the CA that 10,000 nodes' certificates hang on.
func BenchmarkTypeTheCAOf10000(b *testing.B) {
	s, _ := startWith(b, "kubernetes")
	s.Apply(flow.SetNodes{Nodes: manyNodes(10_000)})
	s.Apply(flow.SetMode{Component: "kube", Mode: topology.BringCerts})
	sources := map[flow.Field]flow.Source{}
	for _, slot := range s.Due(topology.BringCerts) {
		sources[flow.Field{Slot: slot.ID, Part: flow.PartCert}] = flow.Source{Path: string(slot.ID) + ".crt"}
	}
	settle(s, s.Apply(flow.FillFrom{Dir: "pki"}), func(e flow.Effect) flow.Event {
		if f, ok := e.(flow.SortFolder); ok {
			return flow.Filled{Gen: f.Gen, Sources: sources}
		}
		return good(e)
	})
	for i := 0; b.Loop(); i++ {
		s.Apply(typed("kube/ca", []string{"ca.cr", "ca.crt"}[i%2]))
	}
}
