package install_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"certwright/assets/store"
	"certwright/certs/check"
	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// The nodes of these tests are enough to be made part by part.
const manyNodes = plan.Many + 44

// What is made part by part has every file that a set in memory has, of the
// same mode, and each certificate passes and proves.
func TestManyNodesAreMadeInPartsAndWhole(t *testing.T) {
	w := world(t)
	p := fleetPlan(t, manyNodes)
	p.Output.Layouts = []string{"tree", "flags", "kubeconfig", "cert-manager"}
	var stages []string
	prepared, err := install.Prepare(t.Context(), w, answers(t, p), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if prepared.Rest == nil || prepared.Rest.Nodes() == 0 || len(prepared.Set.Pairs) >= len(answers(t, p).Topology.Slots) {
		t.Fatalf("all of %d pairs are in memory", len(prepared.Set.Pairs))
	}
	last := 0
	r, err := install.Commit(t.Context(), w, prepared, false, func(p flow.Progress) {
		if !slices.Contains(stages, p.Stage) {
			stages = append(stages, p.Stage)
		}
		if p.Stage == "nodes" {
			if p.Done < last || p.Done > p.Total || p.Total != prepared.Rest.Nodes() {
				t.Errorf("%+v after %d", p, last)
			}
			last = p.Done
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Written != prepared.Count() || last != prepared.Rest.Nodes() || strings.Join(stages, " ") != "nodes verify" {
		t.Errorf("%d files written, %d announced; %d nodes; %v", r.Written, prepared.Count(), last, stages)
	}
	dir := filepath.Join(w.Dir, p.Output.Dir)
	whole, problems := p.Topology(prepared.Topology.Profile)
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	l, err := install.Load(t.Context(), w, dir, whole)
	if err != nil || !l.OK() || len(l.Sorted.Missing) > 0 {
		t.Errorf("%+v %v %v", l.Findings, l.Sorted.Missing, err)
	}
	if len(l.Set.Pairs) != len(whole.Slots) {
		t.Errorf("%d of %d slots", len(l.Set.Pairs), len(whole.Slots))
	}
	for _, s := range l.Slots {
		for _, f := range s.Findings {
			t.Errorf("%+v", f)
		}
	}
	m, err := store.ReadManifest(store.OS(), dir)
	if err != nil {
		t.Fatal(err)
	}
	perNode := map[string]int{}
	for _, e := range m.Files.All() {
		if strings.HasPrefix(e.Path, "nodes/node-00") {
			perNode[strings.Split(e.Path, "/")[1]]++
		}
	}
	if len(perNode) != manyNodes || perNode["node-00299"] != perNode["node-00100"] || perNode["node-00100"] != 5 {
		t.Errorf("%d nodes, %d and %d files", len(perNode), perNode["node-00100"], perNode["node-00299"])
	}
	doc, err := os.ReadFile(filepath.Join(dir, "NEXT-STEPS.md"))
	if err != nil || !strings.Contains(string(doc), fmt.Sprintf("kubelet server of %d nodes", manyNodes)) {
		t.Errorf("the calendar does not count %d nodes: %v", manyNodes, err)
	}
	changes := 0
	for _, c := range prepared.Survey.Changes {
		changes += max(1, c.Count)
	}
	if changes != prepared.Count() || len(prepared.Survey.Changes) > 150 {
		t.Errorf("%d lines for %d files, %d files in all", len(prepared.Survey.Changes), changes, prepared.Count())
	}
	again100 := fleetPlan(t, manyNodes+20)
	again100.Output.Layouts = p.Output.Layouts
	made := 0
	carried := *w
	carried.Workers, carried.Keys = 1, keyCount{func() { made++ }}
	before := files(t, dir)
	_, _, err = again(t, &carried, again100, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	added, other := changed(before, files(t, dir))
	if made != 40 || slices.ContainsFunc(other, func(o string) bool { return strings.Contains(o, "nodes/") }) {
		t.Errorf("%d keys for 20 nodes; changed %v", made, other)
	}
	for _, name := range added {
		if !strings.Contains(name, "nodes/node-003") {
			t.Errorf("%s was added", name)
		}
	}
}

// broken makes one key twice, or none after some.
type broken struct {
	after int
	made  []crypto.Signer
	stop  context.CancelFunc
	fail  bool
}

func (b *broken) Key(ctx context.Context, a issue.Algorithm) (crypto.Signer, error) {
	if len(b.made) == b.after {
		switch {
		case b.stop != nil:
			b.stop()
		case b.fail:
			return nil, errors.New("no more keys")
		default:
			return b.made[0], nil
		}
	}
	k, err := issue.NewKeys(1).Key(ctx, a)
	b.made = append(b.made, k)
	return k, err
}

// Whatever ends a run in the middle of its nodes, the destination is as before,
// and nothing of ours lies beside it.
func TestManyNodesLeaveNothingWhenTheyEnd(t *testing.T) {
	for _, c := range []struct {
		why  string
		keys func(stop context.CancelFunc) *broken
		want func(error) bool
	}{
		{"a key comes twice", func(context.CancelFunc) *broken { return &broken{after: 500} }, func(err error) bool {
			var r *install.Refusal
			return errors.As(err, &r) && slices.ContainsFunc(r.Findings, func(f check.Finding) bool { return f.Rule == "key-reused" })
		}},
		{"a key cannot be made", func(context.CancelFunc) *broken { return &broken{after: 500, fail: true} }, func(err error) bool { return strings.Contains(err.Error(), "no more keys") }},
		{"ctrl+c", func(stop context.CancelFunc) *broken { return &broken{after: 500, stop: stop} }, func(err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		for _, existing := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, existing %v", c.why, existing), func(t *testing.T) {
				w := world(t)
				p := fleetPlan(t, manyNodes)
				dir := filepath.Join(w.Dir, p.Output.Dir)
				if existing {
					write(t, w, fleetPlan(t, 3), false)
				}
				before := files(t, w.Dir)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				w.Workers, w.Keys = 1, c.keys(stop)
				prepared, err := install.Prepare(ctx, w, answers(t, p), nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := install.Commit(ctx, w, prepared, true, nil); err == nil || !c.want(err) {
					t.Errorf("got %v", err)
				}
				after := files(t, w.Dir)
				if added, other := changed(before, after); len(added)+len(other) > 0 || len(after) != len(before) {
					t.Errorf("left behind: %v %v", added, other)
				}
				entries, err := os.ReadDir(w.Dir)
				if err != nil || !existing && len(entries) > 0 {
					t.Errorf("%v %v", entries, err)
				}
				if _, err := os.Stat(dir); (err == nil) != existing {
					t.Errorf("%s: %v", dir, err)
				}
			})
		}
	}
}

func TestRehearseMakesAllAndWritesNothing(t *testing.T) {
	w := world(t)
	made := 0
	w.Workers, w.Keys = 1, keyCount{func() { made++ }}
	prepared, err := install.Prepare(t.Context(), w, answers(t, fleetPlan(t, manyNodes)), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := install.Rehearse(t.Context(), prepared, func(flow.Progress) {}); err != nil {
		t.Fatal(err)
	}
	if made < 2*manyNodes {
		t.Errorf("%d keys", made)
	}
	if entries, err := os.ReadDir(w.Dir); err != nil || len(entries) > 0 {
		t.Errorf("%v %v", entries, err)
	}
}

// Certificates that are handed over for nodes are all read, however many.
func TestManyNodesThatAreBroughtStayWhole(t *testing.T) {
	p := fleetPlan(t, manyNodes)
	p.Components["kube"] = plan.Component{Mode: topology.BringCerts}
	profile, err := builtin{}.Load(p.Profile)
	if err != nil {
		t.Fatal(err)
	}
	outline, err := p.Checked(profile)
	if a := install.AnswersOf(profile, p, outline); err != nil || a.Topology.Here != nil {
		t.Errorf("an outline of what is brought: %v", err)
	}
}
