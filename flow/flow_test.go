package flow_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"certwright/assets/profiles"
	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
)

type builtin struct{}

func (builtin) Names() []string                             { return profiles.Names() }
func (builtin) Load(name string) (*topology.Profile, error) { return profiles.Load(name) }

func start(t testing.TB) (*flow.State, []flow.Effect) {
	t.Helper()
	return startWith(t, "tectonic")
}

func startWith(t testing.TB, profile string, changes ...func(*plan.Plan)) (*flow.State, []flow.Effect) {
	t.Helper()
	p, err := profiles.Load(profile)
	if err != nil {
		t.Fatal(err)
	}
	begin := plan.Default(p)
	for _, change := range changes {
		change(begin)
	}
	s, effects, err := flow.New(builtin{}, begin)
	if err != nil {
		t.Fatal(err)
	}
	return s, effects
}

// good answers an effect as a healthy world would.
func good(e flow.Effect) flow.Event {
	switch e := e.(type) {
	case flow.CheckSlot:
		return flow.Checked{Slot: e.Slot, Gen: e.Gen, Verdict: flow.Verdict{Pair: &certs.Pair{Key: signer{}}}}
	case flow.Prepare:
		return flow.PreparedSet{Gen: e.Gen, Prepared: &flow.Prepared{Topology: e.Answers.Topology, Set: &certs.Set{}}}
	case flow.Write:
		return flow.Wrote{}
	case flow.SortFolder:
		return flow.Filled{Gen: e.Gen, Sources: map[flow.Field]flow.Source{}}
	case flow.Save:
		return flow.Saved{}
	case flow.ReadNodes:
		return flow.NodesRead{Gen: e.Gen, Nodes: twoNodes()}
	}
	return nil
}

func twoNodes() []topology.Node {
	return []topology.Node{
		{Name: "cp-0", Role: topology.ControlPlane, Addresses: []string{"10.0.0.10"}},
		{Name: "worker-0", Role: topology.Worker, Addresses: []string{"10.0.0.20", "fd00::20"}},
	}
}

// settle runs effects until none is left.
func settle(s *flow.State, effects []flow.Effect, answer func(flow.Effect) flow.Event) {
	for len(effects) > 0 {
		e := effects[0]
		effects = effects[1:]
		if ev := answer(e); ev != nil {
			effects = append(effects, s.Apply(ev)...)
		}
	}
}

func do(s *flow.State, e flow.Event) { settle(s, s.Apply(e), good) }

func TestEnterThroughEverythingWrites(t *testing.T) {
	s, effects := start(t)
	settle(s, effects, good)
	var seen []flow.Step
	for range 10 {
		seen = append(seen, s.At())
		do(s, flow.Next{})
	}
	want := []flow.Step{flow.StepProfile, flow.StepFacts, flow.StepModes, flow.StepTopology, flow.StepReview, flow.StepDone}
	if got := slices.Compact(seen); !slices.Equal(got, want) {
		t.Errorf("steps: got %v, want %v", got, want)
	}
	if w := s.Written(); w == nil || w.Err != nil {
		t.Errorf("nothing was written: %+v", w)
	}
}

func TestAWrongFactStopsNextAndNeverBack(t *testing.T) {
	s, _ := start(t)
	do(s, flow.Next{})
	do(s, flow.SetFact{Name: "service.cidr", Value: "10.3.0.1/16"})
	do(s, flow.Next{})
	if s.At() != flow.StepFacts {
		t.Fatalf("Next left the step with %v", s.Blockers(flow.StepFacts))
	}
	b := s.Blockers(flow.StepFacts)
	if len(b) != 1 || b[0].Where != "service.cidr" {
		t.Errorf("blockers: %+v", b)
	}
	do(s, flow.Back{})
	if s.At() != flow.StepProfile {
		t.Errorf("Back was refused")
	}
	if got := s.Plan().Facts["service.cidr"]; got != "10.3.0.1/16" {
		t.Errorf("the answer was lost: %q", got)
	}
}

func TestStepsFollowTheModes(t *testing.T) {
	s, _ := start(t)
	for _, c := range []struct {
		mode topology.Mode
		want bool
		step flow.Step
	}{
		{topology.BringCA, true, flow.StepCA},
		{topology.BringCA, false, flow.StepCerts},
		{topology.BringCerts, true, flow.StepCerts},
		{topology.BringCerts, false, flow.StepCA},
		{topology.Generate, false, flow.StepCA},
		{topology.Generate, false, flow.StepCerts},
	} {
		do(s, flow.SetMode{Component: "etcd", Mode: c.mode})
		if got := slices.Contains(s.Visible(), c.step); got != c.want {
			t.Errorf("etcd in %s: step %s visible %v, want %v", c.mode, c.step, got, c.want)
		}
	}
}

// identity takes its certificates from kube's CA: the sentence is the same on
// screen and headless, because both ask topology.Available.
func TestSharedAuthority(t *testing.T) {
	s, _ := start(t)
	do(s, flow.SetMode{Component: "kube", Mode: topology.BringCerts})
	err := s.Unavailable("identity", topology.Generate)
	var u *topology.Unavailable
	if !errors.As(err, &u) || u.Component != "identity" {
		t.Fatalf("got %v", err)
	}
	if b := s.Blockers(flow.StepModes); len(b) != 0 {
		t.Errorf("the key of kube's CA may still be given in a later step, yet: %+v", b)
	}
	found := slices.ContainsFunc(s.Blockers(flow.StepCerts), func(b flow.Blocker) bool { return b.Where == "identity" && b.Fix == u.Fix })
	if !found {
		t.Errorf("the Certs step does not say that identity needs kube's CA key: %+v", s.Blockers(flow.StepCerts))
	}
	do(s, flow.SetMode{Component: "kube", Mode: topology.Generate})
	do(s, flow.SetMode{Component: "identity", Mode: topology.BringCerts})
	if b := s.Blockers(flow.StepModes); len(b) != 1 || b[0].Where != "identity" {
		t.Errorf("brought identity certificates under a CA that is not made yet: %+v", b)
	}
}

func TestALateVerdictIsDropped(t *testing.T) {
	s, _ := start(t)
	do(s, flow.SetMode{Component: "etcd", Mode: topology.BringCA})
	f := flow.Field{Slot: "etcd/ca", Part: flow.PartCert}
	first := s.Apply(flow.SetSource{Field: f, Source: flow.Source{Path: "old.crt"}})
	second := s.Apply(flow.SetSource{Field: f, Source: flow.Source{Path: "new.crt"}})
	verdict := func(effects []flow.Effect, rule string) flow.Event {
		for _, e := range effects {
			if c, ok := e.(flow.CheckSlot); ok && c.Slot == "etcd/ca" {
				return flow.Checked{Slot: c.Slot, Gen: c.Gen, Verdict: flow.Verdict{Findings: []check.Finding{{Rule: rule}}}}
			}
		}
		t.Fatal("no check was asked for")
		return nil
	}
	s.Apply(verdict(second, "new"))
	s.Apply(verdict(first, "old"))
	v := s.Verdict("etcd/ca")
	if v.Pending || len(v.Findings) != 1 || v.Findings[0].Rule != "new" {
		t.Errorf("got %+v", v)
	}
}

// A file that changes on disk while Topology is shown is judged again, and the
// set made again behind it.
func TestAVerdictAtTopologyLeadsToANewSet(t *testing.T) {
	s, _ := start(t)
	do(s, flow.SetMode{Component: "etcd", Mode: topology.BringCA})
	do(s, flow.SetSource{Field: flow.Field{Slot: "etcd/ca", Part: flow.PartCert}, Source: flow.Source{Path: "ca.crt"}})
	for s.At() != flow.StepTopology {
		before := s.At()
		do(s, flow.Next{})
		if s.At() == before {
			t.Fatalf("stuck at %s: %+v", before, s.Blockers(before))
		}
	}
	if p, _ := s.Prepared(); p == nil {
		t.Fatal("no set was made")
	}
	do(s, flow.Looked{Changed: []topology.SlotID{"etcd/ca"}})
	if p, err := s.Prepared(); p == nil || err != nil {
		t.Errorf("no set was made after the file changed: %v", err)
	}
}

func TestAFailedWriteCanBeTriedAgain(t *testing.T) {
	s, _ := start(t)
	for range 4 {
		do(s, flow.Next{})
	}
	effects := s.Apply(flow.Next{})
	settle(s, effects, func(e flow.Effect) flow.Event {
		if _, ok := e.(flow.Write); ok {
			return flow.Wrote{Written: flow.Written{Err: errors.New("disk full")}}
		}
		return good(e)
	})
	if s.At() != flow.StepWrite || s.Written() == nil || s.Written().Err == nil {
		t.Fatalf("at %s, written %+v", s.At(), s.Written())
	}
	do(s, flow.Back{})
	if s.At() != flow.StepReview {
		t.Fatalf("Back from a failed write led to %s", s.At())
	}
	do(s, flow.Next{})
	if s.At() != flow.StepDone {
		t.Errorf("the second try ended at %s", s.At())
	}
}

func TestAWriteIsNotLeft(t *testing.T) {
	s, _ := start(t)
	for range 4 {
		do(s, flow.Next{})
	}
	s.Apply(flow.Next{})
	if !s.Writing() {
		t.Fatalf("not writing, at %s", s.At())
	}
	before := s.Plan()
	for _, e := range []flow.Event{flow.Back{}, flow.Goto{Step: flow.StepFacts}, flow.SetFact{Name: "cluster.name", Value: "other"}, flow.Next{}, flow.Stop{}} {
		s.Apply(e)
	}
	if s.At() != flow.StepWrite || !before.Equal(s.Plan()) {
		t.Errorf("at %s", s.At())
	}
}

func TestExistingFilesWantTheClusterName(t *testing.T) {
	s, _ := start(t)
	answer := func(e flow.Effect) flow.Event {
		if p, ok := e.(flow.Prepare); ok {
			return flow.PreparedSet{Gen: p.Gen, Prepared: &flow.Prepared{Survey: flow.Survey{Changes: []flow.Change{{Path: "tls/ca.crt", What: flow.Overwrite}}}}}
		}
		return good(e)
	}
	for range 4 {
		settle(s, s.Apply(flow.Next{}), answer)
	}
	settle(s, s.Apply(flow.Next{}), answer)
	if s.At() != flow.StepReview {
		t.Fatalf("files were replaced unasked: at %s", s.At())
	}
	settle(s, s.Apply(flow.Confirm{Typed: "dem"}), answer)
	settle(s, s.Apply(flow.Next{}), answer)
	if s.At() != flow.StepReview {
		t.Fatal("half a name was taken for a confirmation")
	}
	settle(s, s.Apply(flow.Confirm{Typed: "demo"}), answer)
	settle(s, s.Apply(flow.Next{}), answer)
	if s.At() != flow.StepDone {
		t.Errorf("at %s", s.At())
	}
}

// Random events: never a panic, never a step that is not asked, Back always
// goes back, answers survive, and good answers always lead to the end.
func TestRandomEvents(t *testing.T) {
	n := 2000
	if testing.Short() {
		n = 200
	}
	if v := os.Getenv("CERTWRIGHT_WALKS"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			t.Fatalf("CERTWRIGHT_WALKS: %v", err)
		}
	}
	workers := runtime.GOMAXPROCS(0)
	for shard := range workers {
		t.Run(strconv.Itoa(shard), func(t *testing.T) {
			t.Parallel()
			for seed := shard; seed < n; seed += workers {
				walk(t, rand.New(rand.NewPCG(uint64(seed), 1)), 60)
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
	t.Logf("%d sequences of 60 events", n)
}

func FuzzApply(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) { walk(t, rand.New(rand.NewPCG(a, b)), 80) })
}

func walk(t *testing.T, r *rand.Rand, steps int) {
	t.Helper()
	s, pending := startWith(t, []string{"tectonic", "tectonic", "kubernetes"}[r.IntN(3)])
	answer := func(e flow.Effect) flow.Event {
		if r.IntN(4) > 0 {
			return good(e)
		}
		switch e := e.(type) {
		case flow.CheckSlot:
			severity := []check.Severity{check.Error, check.Error, check.Warning}[r.IntN(3)]
			return flow.Checked{Slot: e.Slot, Gen: e.Gen, Verdict: flow.Verdict{NeedsPassphrase: r.IntN(2) == 0, Findings: []check.Finding{{Rule: "expired", Severity: severity}}}}
		case flow.Prepare:
			return flow.PreparedSet{Gen: e.Gen - r.IntN(2), Prepared: &flow.Prepared{}, Err: errors.New("no")}
		case flow.Write:
			return flow.Wrote{Written: flow.Written{Err: errors.New("disk full")}}
		case flow.ReadNodes:
			return flow.NodesRead{Gen: e.Gen - r.IntN(2), Err: errors.New("gone")}
		}
		return nil
	}
	for range steps {
		if len(pending) > 0 && r.IntN(2) == 0 { // effects end late, in any order
			i := r.IntN(len(pending))
			e := pending[i]
			pending = slices.Delete(pending, i, i+1)
			if ev := answer(e); ev != nil {
				pending = append(pending, s.Apply(ev)...)
			}
		}
		before, answers := s.At(), s.Plan()
		e := event(r, s)
		writing := s.Writing()
		pending = append(pending, s.Apply(e)...)
		if _, back := e.(flow.Back); back && !writing && before != flow.StepDone {
			if before != flow.StepProfile && slices.Index(flow.Steps(), s.At()) >= slices.Index(flow.Steps(), before) {
				t.Fatalf("Back led from %s to %s", before, s.At())
			}
			if !answers.Equal(s.Plan()) {
				t.Fatalf("Back changed an answer")
			}
		}
		if s.Writing() && !writing && s.SealDue() {
			t.Fatal("a write began although the keys of CAs have no passphrase")
		}
		if s.At() != flow.StepDone && before == flow.StepDone {
			t.Fatalf("left Done by %T", e)
		}
		askedAgrees(t, s)
		s.Confirmation()
		s.Choices()
		if p := s.Plan(); p.HasTable() {
			for _, f := range s.Profile().Facts {
				if f.PerNode && (p.Facts[f.Name] != "" || slices.ContainsFunc(s.Facts(), func(o topology.Fact) bool { return o.Name == f.Name })) {
					t.Fatalf("%s is asked beside a table of nodes", f.Name)
				}
			}
		}
	}
	saved, err := s.Plan().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Parse("answers", saved); err != nil && !strings.Contains(string(saved), "BEGIN") {
		t.Fatalf("the saved answers are refused: %v\n%s", err, saved)
	}
	finish(t, s, pending)
}

func hasMaterial(s *flow.State, id topology.SlotID) bool {
	return !s.Source(flow.Field{Slot: id, Part: flow.PartCert}).Empty() || !s.Source(flow.Field{Slot: id, Part: flow.PartKey}).Empty()
}

// askedAgrees holds what is kept of the slots, verdict by verdict, against what
// is said of each when it is asked anew.
func askedAgrees(t *testing.T, s *flow.State) {
	t.Helper()
	for _, step := range flow.Steps() {
		all := s.Blockers(step)
		b, blocked := s.Worst(step)
		if blocked != (len(all) > 0) || blocked && b != all[0] {
			t.Fatalf("the worst of %s is %+v, and its blockers are %+v", step, b, all)
		}
	}
	for step, m := range map[flow.Step]topology.Mode{flow.StepCA: topology.BringCA, flow.StepCerts: topology.BringCerts} {
		a := s.Asked(m)
		against := map[topology.SlotID]bool{}
		for _, b := range s.Blockers(step) {
			against[b.Slot] = true
		}
		ready, all := 0, 0
		var warned *topology.Slot
		for _, slot := range s.Due(m) {
			v := s.Verdict(slot.ID)
			for _, f := range v.Findings {
				if f.Severity == check.Warning && warned == nil {
					warned = slot
				}
			}
			if !check.OK(v.Findings) && !a.Bad(a.Index(slot.ID)) && hasMaterial(s, slot.ID) {
				t.Fatalf("%s is wrong and not listed as such: %+v", slot.ID, v)
			}
			if slot.Optional && !hasMaterial(s, slot.ID) {
				continue
			}
			all++
			if !against[slot.ID] {
				ready++
			}
		}
		if r, n := a.Ready(""); r != ready || n != all {
			t.Fatalf("%s: %d of %d are ready, and %d of %d are counted", m, ready, all, r, n)
		}
		if got := a.FirstWarned(); got != warned {
			t.Fatalf("%s: the first warning is about %v, and %v is named", m, warned, got)
		}
	}
}

// finish gives good answers from wherever the walk ended.
func finish(t *testing.T, s *flow.State, pending []flow.Effect) {
	t.Helper()
	settle(s, pending, good)
	if s.At() == flow.StepDone {
		return
	}
	for range 20 {
		do(s, flow.Back{})
	}
	if s.At() != flow.StepProfile {
		t.Fatalf("Back ended at %s", s.At())
	}
	for _, f := range s.Profile().FactNames() {
		do(s, flow.SetFact{Name: f})
	}
	do(s, flow.SetNodes{Nodes: twoNodes()})
	do(s, flow.SetMode{All: true, Mode: topology.Generate})
	do(s, flow.SetCAKeys{Fate: plan.CAKeysEncrypted, Passphrase: []byte("seal me")})
	do(s, flow.SetOutput{Dir: "other"})
	for range 12 {
		do(s, flow.Next{})
	}
	if s.At() != flow.StepDone {
		t.Fatalf("good answers ended at %s: %+v", s.At(), s.Blockers(s.At()))
	}
}

func event(r *rand.Rand, s *flow.State) flow.Event {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	comp := topology.ComponentID(pick("etcd", "kube", "identity", "ingress", "front-proxy", "nobody"))
	slots := s.Topology().Slots
	field := flow.Field{Slot: slots[r.IntN(len(slots))].ID, Part: flow.Part(pick("cert", "key"))}
	switch r.IntN(23) {
	case 22:
		return flow.SetCAKeys{Fate: plan.CAKeyFate(pick("plain", "encrypted", "discard", "nonsense")), Passphrase: [][]byte{nil, []byte("seal me")}[r.IntN(2)]}
	case 20:
		return flow.SetNodes{Nodes: [][]topology.Node{nil, twoNodes(), {{Name: "x"}}, {{Name: "cp-0"}, {Name: "cp-0", Role: "boss", Addresses: []string{"a"}}}}[r.IntN(4)]}
	case 21:
		return flow.LoadNodes{Path: pick("", "nodes.csv", "other.csv")}
	case 0, 1, 2, 3, 4:
		return flow.Next{}
	case 5, 6:
		return flow.Back{}
	case 7:
		return flow.Goto{Step: flow.Steps()[r.IntN(len(flow.Steps()))]}
	case 8:
		return flow.SetFact{Name: pick("cluster.name", "service.cidr", "etcd.hosts", "node.name", "node.addresses", "nonsense"), Value: pick("", "demo", "10.0.0.0/8", "10.3.0.0/30", "a,b", "-----BEGIN", "\x1b[2J")}
	case 9, 10:
		return flow.SetMode{Component: comp, Mode: topology.Modes()[r.IntN(3)], All: r.IntN(8) == 0}
	case 11:
		return flow.SetIntermediate{Component: comp, On: r.IntN(2) == 0}
	case 12, 13, 14:
		if r.IntN(3) == 0 {
			return flow.SetSource{Field: field, Source: flow.Source{Pasted: []byte("x")}}
		}
		return flow.SetSource{Field: field, Source: flow.Source{Path: pick("", "a.pem", "b.pem")}}
	case 15:
		return flow.SetPassphrase{Slot: field.Slot, Passphrase: []byte("secret")}
	case 16:
		return flow.FillFrom{Dir: "pki"}
	case 17:
		return flow.SetOutput{Dir: pick("generated", "other")}
	case 18:
		return flow.Confirm{Typed: pick("demo", "no")}
	}
	return []flow.Event{flow.Look{}, flow.Stop{}, flow.SetLayouts{Layouts: []string{"tree"}}, flow.ChooseProfile{Name: pick("tectonic", "kubernetes")}, flow.Wrote{}, flow.Saved{}}[r.IntN(6)]
}
