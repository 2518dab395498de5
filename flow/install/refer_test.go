package install_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"certwright/assets/profiles"
	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// writeSet makes a set of a profile in dir.
func writeSet(t *testing.T, w *install.World, p *plan.Plan, dir string) {
	t.Helper()
	p.Output.Dir = dir
	a, err := install.NewAnswers(builtin{}, p)
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := install.Prepare(context.Background(), w, a, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := install.Commit(context.Background(), w, prepared, false, nil); err != nil {
		t.Fatal(err)
	}
}

func defaultsOf(t *testing.T, profile string) *plan.Plan {
	t.Helper()
	p, err := profiles.Load(profile)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Default(p)
}

func writeText(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A calico plan takes its etcd CA out of a kubernetes set, and no key is copied.
func TestACAComesOutOfAnEarlierSet(t *testing.T) {
	w := world(t)
	dir := t.TempDir()
	k8s := defaultsOf(t, "kubernetes")
	k8s.Facts["node.addresses"] = "10.0.0.10"
	writeSet(t, w, k8s, filepath.Join(dir, "k8s"))

	p := defaultsOf(t, "calico")
	p.Components["etcd"] = plan.Component{Mode: topology.BringCA, CA: &plan.Files{From: filepath.Join(dir, "k8s")}}
	if err := install.Refer(w, p); err != nil {
		t.Fatal(err)
	}
	if f := *p.Components["etcd"].CA; f.Key != filepath.Join(dir, "k8s", "ca", "etcd.key") || !strings.HasPrefix(f.Cert, filepath.Join(dir, "k8s")) {
		t.Errorf("taken: %+v", f)
	}
	out := filepath.Join(dir, "calico")
	writeSet(t, w, p, out)
	for file := range tree(t, out) {
		if strings.Contains(file, "ca/etcd") {
			t.Errorf("the CA's key was copied: %s", file)
		}
	}
	saved, err := install.PlanOf(w, out)
	if err != nil {
		t.Fatal(err)
	}
	if f := *saved.Components["etcd"].CA; f.From != filepath.Join(dir, "k8s") || f.Cert != "" {
		t.Errorf("the set's own plan names %+v", f)
	}

	// Through the wizard's state machine the plan still says where the CA is from.
	s, _, err := flow.New(builtin{}, p)
	if err != nil {
		t.Fatal(err)
	}
	s.Apply(flow.SetFact{Name: "cluster.name", Value: "x"})
	s.Apply(flow.SetMode{Component: "typha", Mode: topology.Generate})
	if got := s.Plan().Components["etcd"].CA.From; got != filepath.Join(dir, "k8s") {
		t.Errorf("the wizard lost where the CA is from: %q", got)
	}

	// For a component whose certificates are brought the key is taken where it is.
	brought := defaultsOf(t, "calico")
	brought.Components["etcd"] = plan.Component{Mode: topology.BringCerts, Certs: map[string]plan.Files{"ca": {From: filepath.Join(dir, "k8s"), Authority: "kube"}}}
	if err := install.Refer(w, brought); err != nil {
		t.Fatal(err)
	}
	if f := brought.Components["etcd"].Certs["ca"]; f.Key != filepath.Join(dir, "k8s", "ca", "kube.key") {
		t.Errorf("taken: %+v", f)
	}
}

func TestWhatASetCannotGive(t *testing.T) {
	w := world(t)
	dir := t.TempDir()
	at := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	first := defaultsOf(t, "tectonic")
	writeSet(t, w, first, at("first"))
	second := defaultsOf(t, "tectonic")
	second.Components["etcd"] = plan.Component{Mode: topology.BringCA, CA: &plan.Files{From: at("first")}}
	if err := install.Refer(w, second); err != nil {
		t.Fatal(err)
	}
	writeSet(t, w, second, at("second"))
	writeSet(t, w, defaultsOf(t, "tectonic"), at("moved"))
	if err := os.Rename(at("moved", "ca", "etcd.key"), at("etcd.key")); err != nil {
		t.Fatal(err)
	}
	writeSet(t, w, defaultsOf(t, "tectonic"), at("planless"))
	if err := os.Remove(at("planless", install.PlanFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(at("empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		why       string
		files     string
		what, fix string
	}{
		{"no such directory", "{from: nothing}", "holds no set that certwright wrote", "name the directory of a set"},
		{"no set in it", "{from: empty}", "holds no set that certwright wrote", "name the directory of a set"},
		{"no such authority", "{from: first, authority: front-proxy}", "has no authority front-proxy", "it has etcd, kube, ingress"},
		{"the key was moved away", "{from: moved}", "the key of authority etcd is not in", "bring it back, or name its file"},
		{"a CA that was brought there", "{from: second}", "never kept the key of authority etcd", "name the CA's own files"},
		{"no plan in it", "{from: planless}", "has no certwright.yaml", "name the files themselves"},
	} {
		t.Run(c.why, func(t *testing.T) {
			p, err := plan.Parse("plan.yaml", []byte("apiVersion: certwright/v1\nprofile: tectonic\ncomponents: {etcd: {mode: bring-ca, ca: "+c.files+"}}\n"))
			if err != nil {
				t.Fatal(err)
			}
			p.Resolve(dir)
			err = install.Refer(w, p)
			if err == nil {
				t.Fatal("accepted")
			}
			text := err.Error()
			if !strings.HasPrefix(text, "plan.yaml:3:48: components.etcd.ca.from: ") {
				t.Errorf("not at the field: %s", text)
			}
			for _, part := range strings.Split(c.fix, ", ") {
				if !strings.Contains(text, c.what) || !strings.Contains(text, part) {
					t.Errorf("got %s", text)
				}
			}
			if p.Components["etcd"].CA.Cert == "" {
				t.Error("the wizard has no path to show as missing")
			}
		})
	}
}

func TestNodesComeOutOfAFile(t *testing.T) {
	w := world(t)
	dir := t.TempDir()
	w.Dir = dir
	file := filepath.Join(dir, "nodes.csv")
	writeText(t, file, "name,role,addresses\ncp-0,control-plane,10.0.0.10\nw-0,worker,10.0.0.300\n")
	r := &install.Runner{World: w}
	s, effects, err := flow.New(builtin{}, defaultsOf(t, "kubernetes"))
	if err != nil {
		t.Fatal(err)
	}
	settle := func(effects []flow.Effect) {
		for len(effects) > 0 {
			e := effects[0]
			effects = effects[1:]
			if ev := r.Run(context.Background(), e, nil); ev != nil {
				effects = append(effects, s.Apply(ev)...)
			}
		}
	}
	settle(effects)
	settle(s.Apply(flow.LoadNodes{Path: "nodes.csv"}))
	b := s.Blockers(flow.StepFacts)
	if len(b) != 1 || !strings.HasPrefix(b[0].Message, "nodes.csv:3:12: ") {
		t.Fatalf("blockers: %+v", b)
	}
	writeText(t, file, "name,role,addresses\ncp-0,control-plane,10.0.0.10\nw-0,worker,10.0.0.20\n")
	if err := os.Chtimes(file, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	settle(s.Apply(flow.Look{}))
	if b := s.Blockers(flow.StepFacts); len(b) > 0 {
		t.Errorf("after it was mended: %+v", b)
	}

	// A plan that names the file makes a set whose own plan holds the table.
	p, err := plan.Parse("plan.yaml", []byte("apiVersion: certwright/v1\nprofile: kubernetes\nnodes: {from: nodes.csv}\n"))
	if err != nil {
		t.Fatal(err)
	}
	p.Resolve(dir)
	if err := install.Refer(w, p); err != nil {
		t.Fatal(err)
	}
	writeSet(t, w, p, filepath.Join(dir, "out"))
	saved, err := install.PlanOf(w, filepath.Join(dir, "out"))
	if err != nil || len(saved.Nodes) != 2 || saved.NodesFrom != "" {
		t.Errorf("%v, %+v", err, saved)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	p.Nodes = nil
	if err := install.Refer(w, p); err == nil || !strings.HasPrefix(err.Error(), "plan.yaml:3:15: nodes.from: ") || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a file that is gone: %v", err)
	}
}

func TestKeysMadeAheadAreUsed(t *testing.T) {
	w := world(t)
	ahead := issue.NewAhead(1)
	defer ahead.Close()
	w.Keys = ahead
	r := &install.Runner{World: w, Ahead: ahead}
	if ev := r.Run(context.Background(), flow.MakeKeys{Algorithm: issue.ECDSAP256, N: 3}, nil); ev != nil {
		t.Errorf("answered with %T", ev)
	}
	var made [3]any
	for i := range made { // takes those that are ready or in the making
		k, err := ahead.Key(context.Background(), issue.ECDSAP256)
		if err != nil {
			t.Fatal(err)
		}
		made[i] = k.Public()
	}
	if made[0] == made[1] || ahead.Ready() != 0 {
		t.Errorf("a key was handed out twice, or %d are left over", ahead.Ready())
	}
	if ev := (&install.Runner{World: w}).Run(context.Background(), flow.MakeKeys{Algorithm: issue.ECDSAP256, N: 3}, nil); ev != nil {
		t.Errorf("without a maker: %T", ev)
	}
}

// Answers are saved with paths that mean the same from wherever they are read.
func TestSavedAnswersNameTheSameFiles(t *testing.T) {
	w := world(t)
	w.Dir = t.TempDir()
	save := filepath.Join(t.TempDir(), "answers.yaml")
	p := defaultsOf(t, "tectonic")
	p.Components["etcd"] = plan.Component{Mode: topology.BringCA, CA: &plan.Files{Cert: "corp/ca.crt", Key: "corp/ca.key"}}
	r := &install.Runner{World: w, SavePath: save}
	if ev := r.Run(context.Background(), flow.Save{Plan: p}, nil).(flow.Saved); ev.Err != nil {
		t.Fatal(ev.Err)
	}
	data, err := os.ReadFile(save)
	if err != nil {
		t.Fatal(err)
	}
	back, err := plan.Parse(save, data)
	if err != nil {
		t.Fatal(err)
	}
	back.Resolve(filepath.Dir(save))
	if got, want := back.Components["etcd"].CA.Cert, filepath.Join(w.Dir, "corp", "ca.crt"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What a plan points to is read alike by the wizard, which asks for it with
// effects, and by apply.
func TestWizardAndApplyPointToTheSame(t *testing.T) {
	dir := t.TempDir()
	w := world(t)
	w.Now = func() time.Time { return clock.AddDate(0, 0, -1) }
	k8s := defaultsOf(t, "kubernetes")
	k8s.Facts["node.addresses"] = "10.0.0.10"
	writeSet(t, w, k8s, filepath.Join(dir, "k8s"))
	writeText(t, filepath.Join(dir, "nodes.csv"), "name,role,addresses\ncp-0,control-plane,10.0.0.10\nw-0,worker,10.0.0.20\n")

	p := defaultsOf(t, "kubernetes")
	p.NodesFrom = filepath.Join(dir, "nodes.csv")
	p.Components["etcd"] = plan.Component{Mode: topology.BringCA, CA: &plan.Files{From: filepath.Join(dir, "k8s")}}

	a := fixed(t, 7)
	byApply := p.Clone()
	if err := install.Refer(a, byApply); err != nil {
		t.Fatal(err)
	}
	written, _ := write(t, a, byApply, false)
	want := tree(t, written)
	if err := os.RemoveAll(written); err != nil {
		t.Fatal(err)
	}

	b := fixed(t, 7)
	b.Dir = a.Dir
	byWizard := byApply.Clone()
	byWizard.Nodes = nil // its state machine asks for them
	wizard(t, b, byWizard)
	got := tree(t, written)
	for f, data := range want {
		if !bytes.Equal(got[f], data) {
			t.Errorf("%s differs:\n%s", f, difference(string(data), string(got[f])))
		}
	}
	if len(want) != len(got) || want["nodes/w-0/kubelet.conf"] == nil {
		t.Errorf("%d files by apply, %d by the wizard", len(want), len(got))
	}
}
