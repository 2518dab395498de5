package wizard

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/cryptotest"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/spf13/afero"

	"certwright/assets/profiles"
	"certwright/assets/store"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
	"certwright/ui/diagram"
	"certwright/ui/picture"
	"certwright/ui/theme"
)

// realWizard is the wizard over the real pipeline, on a disk in memory and with
// nothing random, so that its frames can be golden.
func realWizard(t *testing.T, style theme.Options, change func(*plan.Plan, afero.Fs)) *driver {
	t.Helper()
	cryptotest.SetGlobalRandom(t, 1)
	disk := afero.NewMemMapFs()
	p, err := profiles.Load("tectonic")
	if err != nil {
		t.Fatal(err)
	}
	answers := plan.Default(p)
	if change != nil {
		change(answers, disk)
	}
	state, effects, err := flow.New(catalogueOfAll{}, answers)
	if err != nil {
		t.Fatal(err)
	}
	w := &install.World{
		Read: disk, Write: store.Memory(disk), Memory: true, Dir: "/home/ann/cluster", Now: func() time.Time { return testNow },
		Rand: rand.NewChaCha8([32]byte{}), Workers: 1, Version: "test", Catalogue: catalogueOfAll{},
	}
	d := &driver{t: t, fs: disk}
	env := &Env{
		Flow: state, Theme: theme.New(style), FS: disk, Dir: w.Dir, Home: "/home/ann", Now: w.Now, PlanPath: "certwright.yaml",
		Tick: func(_ time.Duration, msg tea.Msg) tea.Cmd { return func() tea.Msg { return tickedMsg{msg} } },
		Copy: func(string) tea.Cmd { return nil },
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	k := newWork(ctx, &install.Runner{World: w}, newWriter(ctx))
	k.wait = func(ctx context.Context, _ time.Duration) bool { return ctx.Err() == nil }
	var start tea.Cmd
	d.root, start = newRoot(env, k, effects)
	d.run(start)
	return d.size(100, 30)
}

type catalogueOfAll struct{}

func (catalogueOfAll) Names() []string                             { return profiles.Names() }
func (catalogueOfAll) Load(name string) (*topology.Profile, error) { return profiles.Load(name) }

// The pictures of the README are frames of this program, so they cannot age:
// when a screen changes, this test fails until they are drawn anew (-update).
func TestThePicturesOfTheREADME(t *testing.T) {
	style := theme.Options{Profile: theme.ANSI256, Dark: true, Name: theme.Dark}
	d := realWizard(t, style, nil)
	d.press("enter", "enter", "enter").at(flow.StepTopology)
	d.press("down", "down")
	compare(t, "wizard-topology.svg", picture.SVG(d.root.View(), "certwright: the topology, every call proved", 100, 30))

	d = realWizard(t, style, func(p *plan.Plan, disk afero.Fs) { handMade(t, disk) })
	d.press("enter", "enter", "down", "down", "down", "b", "enter").at(flow.StepCerts)
	d.press("d", "down", "down", "enter", "home", "enter", "enter", "n")
	compare(t, "wizard-certs.svg", picture.SVG(d.root.View(), "certwright: a certificate that was brought, judged", 100, 30))

	m := diagram.New(diagram.FromPrepared(pictureSet(t), plan.Default(tectonicProfile(t)), testNow))
	svg, err := diagram.SVG(m)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "topology.svg", svg)
}

func tectonicProfile(t *testing.T) *topology.Profile {
	t.Helper()
	p, err := profiles.Load("tectonic")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// pictureSet is the Tectonic set with every default.
func pictureSet(t *testing.T, facts ...string) *flow.Prepared {
	t.Helper()
	p := plan.Default(tectonicProfile(t))
	p.Hierarchy = topology.Intermediates
	for _, f := range facts {
		if err := p.Set(f); err != nil {
			t.Fatal(err)
		}
	}
	a, err := install.NewAnswers(catalogueOfAll{}, p)
	if err != nil {
		t.Fatal(err)
	}
	disk := afero.NewMemMapFs()
	out, err := install.Prepare(t.Context(), &install.World{
		Read: disk, Write: store.Memory(disk), Memory: true, Dir: "/", Now: func() time.Time { return testNow },
		Rand: rand.NewChaCha8([32]byte{1}), Workers: 1, Catalogue: catalogueOfAll{},
	}, a, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// handMade lays out a set for ingress whose certificate is for another cluster.
func handMade(t *testing.T, disk afero.Fs) {
	t.Helper()
	set := pictureSet(t, "ingress.host=console.example.com").Set
	for _, f := range []struct {
		name string
		slot topology.SlotID
	}{{"ca", "ingress/ca"}, {"ingress", "ingress/server"}} {
		write(t, disk, "/home/ann/cluster/handmade/"+f.name+".crt", material.EncodeCertificates(set.Pairs[f.slot].Certificates...))
		if f.name == "ingress" {
			key, err := material.EncodeKey(set.Pairs[f.slot].Key)
			if err != nil {
				t.Fatal(err)
			}
			write(t, disk, "/home/ann/cluster/handmade/"+f.name+".key", key)
		}
	}
}

func write(t *testing.T, disk afero.Fs, name string, data []byte) {
	t.Helper()
	f, err := disk.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
}

func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("..", "..", "docs", "pictures", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the program shows today; draw it anew with -update and look at it", file)
	}
}
