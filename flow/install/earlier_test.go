package install_test

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"certwright/assets/profiles"
	"certwright/assets/store"
	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// fleetPlan is the plan of a cluster with that many nodes, three of them control planes.
func fleetPlan(t testing.TB, nodes int) *plan.Plan {
	t.Helper()
	profile, err := profiles.Load("kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Default(profile)
	for i := range nodes {
		role := topology.Worker
		if i < 3 {
			role = topology.ControlPlane
		}
		p.Nodes = append(p.Nodes, topology.Node{Name: fmt.Sprintf("node-%05d", i), Role: role, Addresses: []string{fmt.Sprintf("10.1.%d.%d", i>>8, i&255)}})
	}
	return p
}

// again carries the set of a plan on and commits it.
func again(t *testing.T, w *install.World, p *plan.Plan, force bool, change func(*install.Earlier)) (*flow.Prepared, flow.Receipt, error) {
	t.Helper()
	carried := *w
	a := answers(t, p)
	var err error
	if carried.Earlier, err = install.Carry(t.Context(), w, a); err != nil || carried.Earlier == nil {
		t.Fatalf("carry: %v %v", carried.Earlier, err)
	}
	if change != nil {
		change(carried.Earlier)
	}
	prepared, err := install.Prepare(t.Context(), &carried, a, nil, nil)
	if err != nil {
		return prepared, flow.Receipt{}, err
	}
	r, err := install.Commit(context.Background(), &carried, prepared, force, nil)
	return prepared, r, err
}

// changed lists the files that are new or other than before, backups left out.
func changed(before, after map[string][]byte) (added, other []string) {
	for _, name := range slices.Sorted(maps.Keys(after)) {
		switch old, was := before[name]; {
		case strings.HasPrefix(name, ".certwright"):
		case !was:
			added = append(added, name)
		case !bytes.Equal(old, after[name]):
			other = append(other, name)
		}
	}
	return added, other
}

func TestTheSameAgainWritesNothing(t *testing.T) {
	for _, p := range []*plan.Plan{defaults(t), fleetPlan(t, 5)} {
		w := world(t)
		dir, first := write(t, w, p, false)
		before := files(t, dir)
		prepared, r, err := again(t, w, p, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(prepared.Anew) > 0 || prepared.Kept != len(first.Topology.Slots) || r.Written != 0 || r.Backup != "" {
			t.Errorf("%s: kept %d of %d, anew %v, %+v", p.Profile, prepared.Kept, len(first.Topology.Slots), prepared.Anew, r)
		}
		if added, other := changed(before, files(t, dir)); len(added)+len(other) > 0 {
			t.Errorf("%s: %v %v", p.Profile, added, other)
		}
	}
}

func TestNodesAreAddedWithoutForce(t *testing.T) {
	w := world(t)
	dir, _ := write(t, w, fleetPlan(t, 4), false)
	before := files(t, dir)
	var made []topology.SlotID
	w.Keys = keyCount{func() { made = append(made, "") }}
	w.Workers = 1
	prepared, r, err := again(t, w, fleetPlan(t, 6), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(made) != 4 || len(prepared.Anew) > 0 { // a client and a server certificate for each
		t.Errorf("%d keys were made for 2 nodes; anew: %v", len(made), prepared.Anew)
	}
	after := files(t, dir)
	added, other := changed(before, after)
	for _, name := range added {
		if !strings.HasPrefix(name, "nodes/node-00004/") && !strings.HasPrefix(name, "nodes/node-00005/") {
			t.Errorf("%s was added", name)
		}
	}
	if want := []string{"NEXT-STEPS.md", "certwright.yaml", "manifest.json", "nodes.txt", "topology.mmd", "topology.svg"}; len(added) != 10 || slices.ContainsFunc(other, func(o string) bool { return !slices.Contains(want, o) }) {
		t.Errorf("added %v, changed %v", added, other)
	}
	if r.Written == 0 || r.Unchanged == 0 {
		t.Errorf("%+v", r)
	}
	drift, err := store.Check(store.OS(), dir)
	if err != nil || !drift.Clean() {
		t.Errorf("%+v %v", drift, err)
	}
	// One fewer: that removes keys, which is asked for.
	_, _, err = again(t, w, fleetPlan(t, 5), false, nil)
	if store.ExitStatus(err) != 3 {
		t.Errorf("a node was removed unasked: %v", err)
	}
	if _, other := changed(after, files(t, dir)); len(other) > 0 {
		t.Errorf("a refusal changed %v", other)
	}
	_, r, err = again(t, w, fleetPlan(t, 5), true, nil)
	if err != nil || r.Backup == "" {
		t.Errorf("%+v %v", r, err)
	}
	if added, other := changed(after, files(t, dir)); len(added) > 0 || slices.ContainsFunc(other, func(o string) bool { return strings.HasPrefix(o, "nodes/") }) {
		t.Errorf("force replaced more than it had to: %v", other)
	}
}

// keyCount counts the keys that are made.
type keyCount struct{ tell func() }

func (k keyCount) Key(ctx context.Context, a issue.Algorithm) (crypto.Signer, error) {
	k.tell()
	return issue.NewKeys(1).Key(ctx, a)
}

func TestWhatDiffersIsMadeAnewWhenAsked(t *testing.T) {
	ca := func(files map[string][]byte) []byte { return files["ca/etcd.crt"] }
	for _, c := range []struct {
		why    string
		change func(t *testing.T, p *plan.Plan, dir string)
		early  func(e *install.Earlier)
		slot   topology.SlotID // that is made anew
		reason string
		ca     bool // stays
	}{
		{"another name", func(t *testing.T, p *plan.Plan, _ string) {
			if err := p.Set("etcd.hosts=10.0.0.1"); err != nil {
				t.Fatal(err)
			}
		}, nil, "etcd/server", "its names lack IP:10.0.0.1 and have DNS:", true},
		{"asked for", nil, func(e *install.Earlier) {
			e.Anew = func(s *topology.Slot) bool { return s.ID == "etcd/peer" }
		}, "etcd/peer", "it was asked for", true},
		{"about to end", nil, func(e *install.Earlier) { e.Within = 366 * 24 * time.Hour }, "etcd/peer", "its certificate ends on", true},
		{"another kind of key", func(_ *testing.T, p *plan.Plan, _ string) { p.Keys.Algorithm = issue.ECDSAP384 }, nil, "etcd/ca", "its key is not ECDSA P-384", false},
		{"separate roots", func(_ *testing.T, p *plan.Plan, _ string) { p.Hierarchy = topology.Roots }, nil, "etcd/ca", "a root of its own", false},
		{"a key of another", func(t *testing.T, _ *plan.Plan, dir string) {
			data, err := os.ReadFile(filepath.Join(dir, "tls/etcd/peer.key"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "tls/etcd/server.key"), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}, nil, "etcd/server", "changed since it was written", true},
		{"a lost certificate", func(t *testing.T, _ *plan.Plan, dir string) {
			if err := os.Remove(filepath.Join(dir, "tls/etcd/server.crt")); err != nil {
				t.Fatal(err)
			}
		}, nil, "etcd/server", "is not there", true},
	} {
		t.Run(c.why, func(t *testing.T) {
			w := world(t)
			p := defaults(t)
			p.Output.Layouts = []string{"tree"}
			dir, _ := write(t, w, p, false)
			if c.change != nil {
				c.change(t, p, dir)
			}
			before := files(t, dir)
			prepared, _, err := again(t, w, p, false, c.early)
			if store.ExitStatus(err) != 3 {
				t.Errorf("without force: %v", err)
			}
			if prepared == nil || !slices.ContainsFunc(prepared.Anew, func(a flow.Anew) bool { return a.Slot == c.slot && strings.Contains(a.Why, c.reason) }) {
				t.Fatalf("anew: %+v", prepared.Anew)
			}
			if added, other := changed(before, files(t, dir)); len(added)+len(other) > 0 {
				t.Errorf("a refusal changed %v %v", added, other)
			}
			if _, _, err := again(t, w, p, true, c.early); err != nil {
				t.Fatal(err)
			}
			after := files(t, dir)
			if stays := bytes.Equal(ca(before), ca(after)); stays != c.ca {
				t.Errorf("the CA stays: %v, want %v", stays, c.ca)
			}
			l, err := install.Load(t.Context(), w, dir, prepared.Topology)
			if err != nil || !l.OK() {
				t.Errorf("the set is not whole: %+v %v", l.Findings, err)
			}
		})
	}
}

func TestKeysOfCAsThatWereTakenAwayOrSealed(t *testing.T) {
	w := world(t)
	w.CAKeys = install.CAKeys{Fate: plan.CAKeysEncrypted, Passphrase: []byte("long enough to be one"), Work: 10}
	p := defaults(t)
	dir, _ := write(t, w, p, false)
	before := files(t, dir)
	anew := func(e *install.Earlier) { e.Anew = func(s *topology.Slot) bool { return s.ID == "ingress/server" } }
	// Nothing is signed: no passphrase is needed, and the sealed keys stay.
	without := *w
	without.CAKeys.Passphrase = nil
	if _, r, err := again(t, &without, p, false, nil); err != nil || r.Written != 0 {
		t.Errorf("%+v %v", r, err)
	}
	if _, _, err := again(t, &without, p, true, anew); err == nil || !strings.Contains(err.Error(), "the key of ingress/ca") {
		t.Errorf("signed without the passphrase: %v", err)
	}
	if _, _, err := again(t, w, p, true, anew); err != nil {
		t.Fatal(err)
	}
	_, other := changed(before, files(t, dir))
	if slices.ContainsFunc(other, func(o string) bool { return strings.HasPrefix(o, "ca/") }) || !slices.Contains(other, "tls/ingress/ingress.crt") {
		t.Errorf("changed: %v", other)
	}
	// Taken away, as NEXT-STEPS.md says.
	if err := os.RemoveAll(filepath.Join(dir, "ca")); err != nil {
		t.Fatal(err)
	}
	for _, force := range []bool{false, true} {
		if _, _, err := again(t, w, p, force, nil); err == nil || !strings.Contains(err.Error(), "of the root ca/root.crt is not there") {
			t.Errorf("without ca/ the root is not there: %v", err)
		}
	}
	// CAs without a root above them lie in tls/ too, kube's with its key.
	fleet, w := fleetPlan(t, 3), world(t)
	dir, _ = write(t, w, fleet, false)
	if err := os.RemoveAll(filepath.Join(dir, "ca")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := again(t, w, fleetPlan(t, 4), false, nil); err != nil {
		t.Error(err)
	}
}
