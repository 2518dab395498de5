package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/spf13/afero"
	"github.com/spf13/cobra"

	"certwright/assets/store"
	"certwright/certs"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/flow/install"
	"certwright/flow/plan"
	"certwright/ui/diagram"
)

// demoDir is where the demo's files lie, in memory. In corp/ is a good CA, in
// handmade/ a set with one fault to be found.
const demoDir = "/demo"

// demoNow is the demo's clock, so that every showing looks the same.
var demoNow = time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)

func (a *app) demoCommand() *cobra.Command {
	var f wizardFlags
	var onlyPrint bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show the wizard and the topology in memory: nothing touches the disk",
		Long: `demo is a tour to show to others: the whole wizard on files in memory, with a clock that
stands still. Enter leads through it. etcd brings a CA from corp/; in handmade/ lies a set for
ingress with one fault, for whoever wants to see it found (set ingress to bring certs, then
fill from that folder). --print prints the tree, the handshakes and the reach instead.`,
		Example: "  certwright demo\n  certwright demo --print",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if onlyPrint {
				return a.printDemo(c.Context(), &f)
			}
			return a.wizard(c, &f, true)
		},
	}
	f.add(c, true)
	c.Flags().BoolVar(&onlyPrint, "print", false, "print the tree, the handshakes and the reach, and end")
	return c
}

// demoWorld is a world in memory with sample material, and the answers that the
// demo begins with.
func (a *app) demoWorld(ctx context.Context, f *wizardFlags) (*install.World, *plan.Plan, error) {
	w := a.world()
	disk := afero.NewMemMapFs()
	w.Read, w.Write, w.Memory = disk, store.Memory(disk), true
	w.StepCA = nil // nothing is reached from a demo
	w.Dir, w.Now = demoDir, func() time.Time { return demoNow }
	p, err := a.plan(&planFlags{profile: f.profile, set: f.set})
	if err != nil {
		return nil, nil, err
	}
	profile, err := w.Catalogue.Load(p.Profile)
	if err != nil {
		return nil, nil, err
	}
	for _, fact := range profile.Facts { // nothing is asked that has no default
		if _, given := p.Facts[fact.Name]; !given && fact.Default == "" && !fact.Optional {
			p.Facts[fact.Name] = fact.Example
		}
	}
	if err := demoMaterial(ctx, w, disk, p); err != nil {
		return nil, nil, fmt.Errorf("make the demo's material: %w", err)
	}
	return w, p, nil
}

// demoMaterial lays a good CA out for the first component, and for the last one
// a set whose names are those of another cluster. It sets the plan to the CA.
func demoMaterial(ctx context.Context, w *install.World, disk afero.Fs, p *plan.Plan) error {
	good, err := demoSet(ctx, w, p, "corp")
	if err != nil {
		return err
	}
	faulty, err := demoSet(ctx, w, p, "staging")
	if err != nil {
		return err
	}
	put := func(file string, data []byte) error {
		f, err := disk.Create(path.Join(demoDir, file))
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return errors.Join(err, f.Close())
	}
	first := good.Topology.Components[0]
	ca := good.Topology.CASlot(first.Authority)
	name := "corp/" + string(first.Authority) + "-ca"
	if err := putPair(put, name, good.Pairs[ca.ID]); err != nil {
		return err
	}
	last := faulty.Topology.Components[len(faulty.Topology.Components)-1]
	for _, id := range last.Slots {
		if err := putPair(put, "handmade/"+id.Name(), faulty.Pairs[id]); err != nil {
			return err
		}
	}
	if first.OwnsCA && first.ID != last.ID {
		p.Components[first.ID] = plan.Component{Mode: topology.BringCA, CA: &plan.Files{Cert: name + ".crt", Key: name + ".key"}}
	}
	return nil
}

// demoSet makes a set of the plan's profile for a cluster of another name.
func demoSet(ctx context.Context, w *install.World, p *plan.Plan, cluster string) (*certs.Set, error) {
	p = p.Clone()
	p.Hierarchy = topology.Roots
	if err := p.Set("cluster.name=" + cluster); err != nil {
		return nil, err
	}
	ans, err := install.NewAnswers(w.Catalogue, p)
	if err != nil {
		return nil, err
	}
	prepared, err := install.Prepare(ctx, w, ans, nil, nil)
	if err != nil {
		return nil, err
	}
	return prepared.Set, nil
}

func putPair(put func(string, []byte) error, name string, pair *certs.Pair) error {
	if pair.Leaf() != nil {
		if err := put(name+".crt", material.EncodeCertificates(pair.Certificates...)); err != nil {
			return err
		}
	}
	key, err := material.EncodeKey(pair.Key)
	if err != nil {
		return err
	}
	return put(name+".key", key)
}

// printDemo is the tour on paper.
func (a *app) printDemo(ctx context.Context, f *wizardFlags) error {
	w, p, err := a.demoWorld(ctx, f)
	if err != nil {
		return err
	}
	ans, err := install.NewAnswers(w.Catalogue, p)
	if err != nil {
		return &usageError{err}
	}
	prepared, err := install.Prepare(ctx, w, ans, nil, nil)
	if err != nil {
		return err
	}
	a.printf("%s\n\nHandshakes\n\n", diagram.Tree(diagram.New(diagram.FromPrepared(prepared, p, demoNow)), 100, f.ascii))
	a.printMatrix(prepared.Topology, matrixJSON{Handshakes: prepared.Handshakes, Reach: prepared.Openings})
	return nil
}
