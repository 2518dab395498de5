package install_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/spf13/afero"

	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// opened counts how often one file is opened.
type opened struct {
	afero.Fs
	name string
	n    *atomic.Int64
}

func (o opened) Open(name string) (afero.File, error) {
	return o.OpenFile(name, os.O_RDONLY, 0)
}

func (o opened) OpenFile(name string, flag int, mode os.FileMode) (afero.File, error) {
	if filepath.Base(name) == o.name {
		o.n.Add(1)
	}
	return o.Fs.OpenFile(name, flag, mode)
}

// etcdSlots are what etcd asks for.
var etcdSlots = []topology.SlotID{"etcd/ca", "etcd/server", "etcd/peer", "etcd/client"}

// handedOver makes the set of a plan and puts its files into dir, as a person
// has them.
func handedOver(t *testing.T, w *install.World, p *plan.Plan, dir string) map[topology.SlotID]plan.Files {
	t.Helper()
	made, err := install.Prepare(t.Context(), w, answers(t, p), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return handed(t, made, dir)
}

// Thousands of slots may be judged with one set of answers: their CA is read
// once for all of them, and anew for the next answers, so that a repair is seen.
func TestACAIsReadOnceForAllThatItSigned(t *testing.T) {
	w, p, dir := world(t), defaults(t), t.TempDir()
	files := handedOver(t, w, p, dir)
	certs := map[string]plan.Files{}
	slots := etcdSlots
	for _, id := range slots {
		certs[id.Name()] = files[id]
	}
	c := p.Components["etcd"]
	c.Mode, c.Certs = topology.BringCerts, certs
	p.Components["etcd"] = c

	var reads atomic.Int64
	w.Read = opened{w.Read, filepath.Base(files["etcd/ca"].Cert), &reads}
	r := &install.Runner{World: w}
	judge := func(a *flow.Answers) (ok int) {
		for i, id := range slots {
			if e, is := r.Run(context.Background(), flow.CheckSlot{Slot: id, Gen: i + 1, Answers: a}, nil).(flow.Checked); is && e.Verdict.OK() {
				ok++
			}
		}
		return ok
	}
	if ok := judge(answers(t, p)); ok != len(slots) || reads.Load() != 1 {
		t.Errorf("%d of %d slots are good, and their CA was read %d times", ok, len(slots), reads.Load())
	}
	if err := os.WriteFile(files["etcd/ca"].Cert, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if ok := judge(answers(t, p)); ok == len(slots) || reads.Load() != 2 {
		t.Errorf("after a change %d of %d slots are good, and their CA was read %d times", ok, len(slots), reads.Load())
	}
}
