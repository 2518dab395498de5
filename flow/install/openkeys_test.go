//go:build unix

package install_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"certwright/certs/check"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// bringing is a plan that takes kube's CA out of a set that was written, and
// the path of that CA's key.
func bringing(t *testing.T, w *install.World) (*plan.Plan, string) {
	t.Helper()
	first := defaults(t)
	first.Output.Dir = "first"
	dir, _ := write(t, w, first, false)
	p := defaults(t)
	key := filepath.Join(dir, "ca", "kube.key")
	p.Components["kube"] = plan.Component{Mode: topology.BringCA, CA: &plan.Files{Cert: filepath.Join(dir, "tls", "ca-bundle.crt"), Key: key}}
	return p, key
}

func TestTheKeyOfACAThatOthersMayReadIsRefused(t *testing.T) {
	w := world(t)
	p, key := bringing(t, w)
	for _, c := range []struct {
		why     string
		mode    os.FileMode
		force   bool
		refused bool
	}{
		{"for its owner alone", 0o600, false, false},
		{"read-only for its owner", 0o400, false, false},
		{"the group may read it", 0o640, false, true},
		{"everybody may read it", 0o644, false, true},
		{"everybody may read it, and that was accepted", 0o644, true, false},
	} {
		if err := os.Chmod(key, c.mode); err != nil {
			t.Fatal(err)
		}
		w.OpenKeys = c.force
		prepared, err := install.Prepare(context.Background(), w, answers(t, p), nil, nil)
		var refusal *install.Refusal
		if got := errors.As(err, &refusal); got != c.refused || !got && err != nil {
			t.Errorf("%s: %v", c.why, err)
		}
		i := slices.IndexFunc(prepared.Findings, func(f check.Finding) bool { return f.Rule == "key-permissions" })
		switch {
		case i < 0 && c.mode&0o077 != 0:
			t.Errorf("%s: no finding", c.why)
		case c.refused && (prepared.Findings[i].Severity != check.Error || !strings.Contains(prepared.Findings[i].Fix, "chmod 600")):
			t.Errorf("%s: %+v", c.why, prepared.Findings[i])
		}
	}
}

func TestTheKeyOfALeafThatOthersMayReadIsAWarning(t *testing.T) {
	w := world(t)
	first := defaults(t)
	first.Output.Dir = "first"
	dir, _ := write(t, w, first, false)
	tls := filepath.Join(dir, "tls", "ingress")
	if err := os.Chmod(filepath.Join(tls, "ingress.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := defaults(t)
	p.Components["ingress"] = plan.Component{Mode: topology.BringCerts, Certs: map[string]plan.Files{
		"ca":     {Cert: filepath.Join(tls, "ca.crt")},
		"server": {Cert: filepath.Join(tls, "ingress.crt"), Key: filepath.Join(tls, "ingress.key")},
	}}
	prepared, err := install.Prepare(context.Background(), w, answers(t, p), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(prepared.Findings, func(f check.Finding) bool { return f.Rule == "key-permissions" && f.Severity == check.Warning }) {
		t.Errorf("no warning: %+v", prepared.Findings)
	}
}

// The modes of a file system in memory mean nothing, so a demo is not refused.
func TestModesInMemoryAreNotJudged(t *testing.T) {
	w := world(t)
	p, _ := bringing(t, w)
	memory := afero.NewMemMapFs()
	for _, f := range []string{p.Components["kube"].CA.Cert, p.Components["kube"].CA.Key} {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := afero.WriteFile(memory, f, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.Read = memory
	if _, err := install.Prepare(context.Background(), w, answers(t, p), nil, nil); err != nil {
		t.Error(err)
	}
}

// A person who runs chmod in another window sees the finding go.
func TestAChangeOfModeIsSeen(t *testing.T) {
	w := world(t)
	p, key := bringing(t, w)
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	r := &install.Runner{World: w}
	a := answers(t, p)
	checked, ok := r.Run(context.Background(), flow.CheckSlot{Slot: "kube/ca", Gen: 1, Answers: a}, nil).(flow.Checked)
	if !ok || checked.Verdict.OK() {
		t.Fatalf("the open key was taken: %+v", checked)
	}
	look := flow.LookAtFiles{Slots: map[topology.SlotID]map[string]flow.Stamp{"kube/ca": checked.Verdict.Stamps}}
	if e := r.Run(context.Background(), look, nil); e != nil {
		t.Errorf("nothing changed, and it was seen: %+v", e)
	}
	info, err := os.Stat(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(key, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if looked, ok := r.Run(context.Background(), look, nil).(flow.Looked); !ok || !slices.Contains(looked.Changed, "kube/ca") {
		t.Errorf("chmod was not seen: %+v", looked)
	}
}
