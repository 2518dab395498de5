package flow_test

import (
	"bytes"
	"testing"

	"certwright/assets/layout"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
)

func TestKeysOfCAsAreNotWrittenBeforeTheirPassphraseIsThere(t *testing.T) {
	s, effects := start(t)
	rendered := func(e flow.Effect) flow.Event {
		if p, ok := good(e).(flow.PreparedSet); ok {
			p.Prepared.Files = []layout.File{{Path: "ca/root.key"}}
			return p
		}
		return good(e)
	}
	settle(s, effects, rendered)
	for s.At() != flow.StepReview {
		settle(s, s.Apply(flow.Next{}), rendered)
	}
	settle(s, s.Apply(flow.SetCAKeys{Fate: plan.CAKeysEncrypted}), rendered)
	if b := s.Blockers(flow.StepReview); len(b) != 1 || b[0].Where != flow.WhereCAKeys {
		t.Fatalf("without a passphrase Review is stopped by %+v", b)
	}
	if do(s, flow.Next{}); s.At() != flow.StepReview {
		t.Fatalf("without a passphrase Next led to %s", s.At())
	}
	if a := s.Answers(); !a.SealLater || a.CAPassphrase != nil {
		t.Errorf("the set to look at would be sealed: %+v", a.SealLater)
	}
	pass := []byte("seal me")
	effects = s.Apply(flow.SetCAKeys{Fate: plan.CAKeysEncrypted, Passphrase: pass})
	if len(effects) == 0 {
		t.Fatal("a passphrase makes no new set")
	}
	if p, ok := effects[0].(flow.Prepare); !ok || p.Keep == nil || p.Answers.SealLater || !bytes.Equal(p.Answers.CAPassphrase, pass) {
		t.Fatalf("a passphrase asks for %+v", effects[0])
	}
	settle(s, effects, good)
	if text, err := s.Plan().Marshal(); err != nil || bytes.Contains(text, pass) || !bytes.Contains(text, []byte("encrypted")) {
		t.Errorf("the plan is %v\n%s", err, text)
	}
	do(s, flow.ChooseProfile{Name: "kubernetes"})
	if s.CAKeys() != plan.CAKeysEncrypted || s.SealDue() {
		t.Error("another profile forgets what becomes of the keys of CAs")
	}
	s.Forget()
	if bytes.Contains(pass, []byte("seal")) {
		t.Error("the passphrase outlives the flow")
	}
}

func TestAPassphraseThatSealsNothingIsForgotten(t *testing.T) {
	s, effects := start(t)
	settle(s, effects, good)
	pass := []byte("seal me")
	do(s, flow.SetCAKeys{Fate: plan.CAKeysEncrypted, Passphrase: pass})
	do(s, flow.SetCAKeys{Fate: plan.CAKeysDiscard})
	if bytes.Contains(pass, []byte("seal")) || s.Plan().Keys.CAKeys != plan.CAKeysDiscard {
		t.Error("discard keeps the passphrase")
	}
	do(s, flow.SetCAKeys{Fate: plan.CAKeysEncrypted})
	do(s, flow.SetMode{All: true, Mode: topology.BringCerts})
	do(s, flow.SetMode{Component: "identity", Mode: topology.Generate})
	if s.SealDue() {
		t.Error("a passphrase is asked for although no CA is made here")
	}
	if do(s, flow.SetCAKeys{Fate: plan.CAKeysPlain}); s.Plan().Keys.CAKeys != "" {
		t.Error("plain is not what a plan leaves out")
	}
}
