package install_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/install"
)

// What a folder was sorted from is judged as it was read, under the name that
// the field has; a file that was changed between is read again.
func TestWhatWasSortedIsNotReadTwice(t *testing.T) {
	w, p, dir := world(t), defaults(t), t.TempDir()
	files := handedOver(t, w, p, dir)
	slots := etcdSlots
	c := p.Components["etcd"]
	c.Mode = topology.BringCerts
	p.Components["etcd"] = c
	a := answers(t, p)
	for _, change := range []bool{false, true} {
		var reads atomic.Int64
		own := *w
		own.Read = opened{w.Read, filepath.Base(files["etcd/server"].Cert), &reads}
		r := &install.Runner{World: &own}
		var fields []flow.Field
		for _, id := range slots {
			fields = append(fields, flow.Field{Slot: id, Part: flow.PartCert}, flow.Field{Slot: id, Part: flow.PartKey})
		}
		filled, _ := r.Run(t.Context(), flow.SortFolder{Gen: 1, Dir: dir, Answers: a, Fields: fields}, nil).(flow.Filled)
		if filled.Err != nil || filled.Sources[flow.Field{Slot: "etcd/server", Part: flow.PartCert}].Path != files["etcd/server"].Cert {
			t.Fatalf("sorted into %+v", filled)
		}
		if reads.Load() != 1 {
			t.Fatalf("sorting read a file %d times", reads.Load())
		}
		if change {
			if err := os.WriteFile(files["etcd/server"].Cert, []byte("no certificate any more"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		next := *a
		next.Sources = filled.Sources
		want := int64(1)
		if change {
			want = 2
		}
		for i, id := range slots {
			e, _ := r.Run(t.Context(), flow.CheckSlot{Slot: id, Gen: i + 1, Answers: &next}, nil).(flow.Checked)
			if bad := change && id == "etcd/server"; e.Verdict.OK() == bad {
				t.Errorf("changed %v: %s is good: %v, %+v", change, id, e.Verdict.OK(), e.Verdict.Findings)
			} else if bad && !strings.HasSuffix(e.Verdict.Findings[0].File, files[id].Cert) {
				t.Errorf("the finding is about %q", e.Verdict.Findings[0].File)
			}
			if got := e.Verdict.Stamps[files[id].Cert]; got.Size == 0 || got.SHA256 == [32]byte{} || got.ModTime.IsZero() {
				t.Errorf("%s: stamp %+v", id, got)
			}
		}
		if reads.Load() != want {
			t.Errorf("changed %v: sorting and judging read a file %d times", change, reads.Load())
		}
		// Judged again, it is read again: what it was sorted as is given once.
		if r.Run(t.Context(), flow.CheckSlot{Slot: "etcd/server", Gen: 9, Answers: &next}, nil); reads.Load() != want+1 {
			t.Errorf("judged again, it was read %d times in all", reads.Load())
		}
	}
}

// A chain that is judged and used has each of its signatures checked once.
func TestAChainAndItsJudgementShareSignatures(t *testing.T) {
	w := world(t)
	made, err := install.Prepare(context.Background(), w, answers(t, defaults(t)), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for id, pair := range made.Set.Pairs {
		if len(pair.Certificates) < 2 {
			continue
		}
		m := check.NewMemory()
		leaf, ca := pair.Certificates[0], pair.Certificates[1]
		for range 2 {
			if !m.Issued(ca, leaf) {
				t.Errorf("%s: its CA did not issue it", id)
			}
		}
		if c := m.Count(); c.Checked != 1 || c.Recalled != 1 {
			t.Errorf("%s: %+v", id, c)
		}
		if m.Issued(leaf, ca) {
			t.Errorf("%s issued its own CA", id)
		}
		return
	}
	t.Fatal("no chain")
}
