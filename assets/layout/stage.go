package layout

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"certwright/certs"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// Stage is one state of a cluster on its way from one set to the next.
type Stage struct {
	Number, Of int
	Title      string // "trust the old CA and the new one"
	// Holds says what a trust file of this stage has in it: "the old CA and the new one".
	Holds string
	// Before is the set that the machines have until now.
	Before *certs.Set
	About  []string // paragraphs: what the stage is for, what was proved
	First  []string // what to do before anything is copied
	Check  []string // what must be so before the next stage begins
	Back   string   // how to go back
}

// StageSteps is the NEXT-STEPS.md of a stage: which files differ from those
// that the machines have, how they get there, what is restarted in which order,
// and how to see that all of it happened. The request is that of the stage's set.
func StageSteps(r Request, s Stage) ([]byte, error) {
	j, err := newJob(r)
	if err != nil {
		return nil, err
	}
	before := r
	before.Set = s.Before
	was, err := newJob(before)
	if err != nil {
		return nil, err
	}
	changed, err := j.differs(was)
	if err != nil {
		return nil, err
	}
	p := &page{}
	fmt.Fprintf(p, "# Stage %d of %d: %s\n", s.Number, s.Of, s.Title)
	p.text("%s: %s, written by certwright %s on %s.", j.t.Profile.Title, code(j.t.Facts.Get("cluster.name")), j.Version, j.Now.UTC().Format("2006-01-02"))
	for _, text := range s.About {
		p.text("%s", text)
	}
	if len(s.First) > 0 {
		p.section("Before anything is copied")
		p.list(s.First)
	}
	j.stageFiles(p, changed, s)
	j.stageCopies(p, changed)
	j.stageRestarts(p, changed, was)
	if s.Number < s.Of {
		p.section("Before the next stage")
	} else {
		p.section("When it is done")
	}
	j.stageSums(p, changed)
	p.list(s.Check)
	if s.Back != "" {
		p.section("Going back")
		p.text("%s", s.Back)
	}
	return p.Bytes(), nil
}

func (p *page) list(items []string) {
	if len(items) > 0 {
		p.text("- %s", strings.Join(items, "\n- "))
	}
}

// change is a file of the tree that a stage has anew, once for all nodes.
type change struct {
	name string // below the tree
	slot *topology.Slot
	what string
	node bool // each node has one of its own
}

// differs lists what of the tree is not as in the set before.
func (j *job) differs(was *job) ([]change, error) {
	var out []change
	seen := map[string]bool{}
	add := func(c change) {
		if !seen[c.name] {
			seen[c.name] = true
			out = append(out, c)
		}
	}
	for i := range j.t.Slots {
		s := &j.t.Slots[i]
		for _, field := range fields {
			if len(namesOf(s, field)) == 0 {
				continue
			}
			now, ok, err := j.content(s, field)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			old, had, err := was.content(s, field)
			if err != nil {
				return nil, err
			}
			if had && bytes.Equal(now.Data, old.Data) {
				continue
			}
			for _, name := range namesOf(s, field) {
				add(change{name: name, slot: s, what: fieldWords(s, field), node: s.Node != ""})
			}
		}
		if j.signsApart(s) && (!was.signsApart(s) || !j.set.Anchor(s.Authority).Equal(was.set.Anchor(s.Authority))) {
			add(change{name: signerFile(s.Files.Cert), slot: s, what: "the one CA that signs"})
		}
	}
	for _, k := range j.t.Kubeconfigs {
		now, err := j.kubeconfig(k)
		if err != nil {
			return nil, err
		}
		old, err := was.kubeconfig(k)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(now.Data, old.Data) {
			add(change{name: k.File, slot: j.t.Slot(k.Slot), what: "kubeconfig, with what is in it", node: k.Node != ""})
		}
	}
	return out, nil
}

func (j *job) stageFiles(p *page, changed []change, s Stage) {
	p.section("What is new")
	if len(changed) == 0 {
		p.text("No file of the tree differs from the stage before.")
		return
	}
	var rows [][]string
	for _, c := range changed {
		dir := treeDir
		if c.node && j.several() {
			dir = nodesDir + "*/"
		}
		what := c.what
		if c.slot != nil && c.slot.Kind == topology.CA && (c.name == c.slot.Files.Cert || slices.ContainsFunc(c.slot.Also, func(f topology.Files) bool { return f.Cert == c.name })) {
			what = s.Holds
		}
		rows = append(rows, []string{code(dir + c.name), what, strings.Join(j.readersOf(c.name), ", ")})
	}
	p.table([]string{"file", "holds", "read by"}, rows)
	p.text("All other files are as they were; the directory holds them too, so that a machine has everything when it has this tree.")
}

// readersOf are the programs that read a file of the tree.
func (j *job) readersOf(name string) []string {
	var out []string
	for _, p := range j.programs() {
		if slices.Contains(p.files(), name) {
			out = append(out, p.name)
		}
	}
	return out
}

func (j *job) stageCopies(p *page, changed []change) {
	p.section("Copy")
	switch {
	case !j.has("tree"):
		p.text("The set has no tree: what programs read is in the layouts named below.")
	case j.moved():
		j.distribute(p)
	default:
		p.text("On the machines the files take the place of those of the same names in %s, so that no parameter changes but those named here.", code(j.home()))
		for _, prog := range j.programs() {
			var files []string
			for _, c := range changed {
				if slices.Contains(prog.files(), c.name) {
					files = append(files, c.name)
				}
			}
			if len(files) == 0 {
				continue
			}
			slices.Sort(files)
			fmt.Fprintf(p, "\nTo each machine that runs %s:\n", prog.name)
			p.commands(j.copyTo("NODE", files))
		}
	}
	if j.has("secrets") {
		j.secretsSteps(p)
	}
	if j.has("terraform") {
		p.text("%s holds the modules of this stage, with the outputs that they always had: copy the directories over those of your configuration.", code(terraformDir))
	}
}

// tools are consumers that people start: they read their files anew each time.
var tools = []string{"kubectl", "kubeadm", "etcdctl", "calicoctl"}

// stageRestarts lists who has to read the new files, servers before those who
// dial them.
func (j *job) stageRestarts(p *page, changed []change, was *job) {
	p.section("Restart, in this order")
	names := map[string]bool{}
	for _, c := range changed {
		names[c.name] = true
	}
	n := 0
	for _, prog := range j.inOrder() {
		if slices.Contains(tools, prog.name) {
			continue
		}
		var files []string
		for _, f := range prog.files() {
			if names[f] {
				files = append(files, code(f))
			}
		}
		flags := prog.otherFlags(was.programs())
		bySecret := j.readsChanged(prog.name, changed)
		if len(files) == 0 && len(flags) == 0 && !bySecret {
			continue
		}
		n++
		why := "it reads " + strings.Join(files, ", ")
		if len(files) == 0 {
			why = "it reads them out of Secrets or other objects"
		}
		fmt.Fprintf(p, "\n%d. **%s**: %s.\n", n, prog.name, why)
		for _, f := range flags {
			fmt.Fprintf(p, "   - Its parameter is now %s.\n", code(f))
		}
	}
	p.text("One machine after the other: the next one when the last answers again. Running programs keep what they read at their start; " +
		"where one is known to read a file again by itself, the restart does no harm.")
	for _, s := range j.t.NextSteps {
		if s.Title == "after new certificates" {
			p.commands(s.Run...)
		}
	}
}

// readsChanged says whether a program has a changed slot through an object of
// the cluster.
func (j *job) readsChanged(name string, changed []change) bool {
	for _, c := range changed {
		if c.slot == nil {
			continue
		}
		for _, consumer := range c.slot.Consumers {
			if consumer.Component == name && (consumer.As == topology.AsSecret || consumer.As == topology.AsManifest) {
				return true
			}
		}
	}
	return false
}

// otherFlags are the parameters that differ from those before.
func (p *program) otherFlags(was []*program) []string {
	at := slices.IndexFunc(was, func(o *program) bool { return o.name == p.name })
	if at < 0 {
		return nil
	}
	var out []string
	for _, v := range p.parameters {
		if !slices.Contains(was[at].parameters, v) {
			out = append(out, v.line())
		}
	}
	return out
}

// inOrder are the programs, each behind those that it dials; of those that dial
// each other the one first that most others dial.
func (j *job) inOrder() []*program {
	left := j.programs()
	dials := j.dials()
	waits := func(p *program) (dialled, diallers int) {
		for _, o := range left {
			if o.name != p.name && dials[p.name][o.name] {
				dialled++
			}
			if o.name != p.name && dials[o.name][p.name] {
				diallers++
			}
		}
		return dialled, diallers
	}
	var out []*program
	for len(left) > 0 {
		best := slices.MinFunc(left, func(a, b *program) int {
			dialsA, dialledA := waits(a)
			dialsB, dialledB := waits(b)
			return cmp.Or(dialsA-dialsB, dialledB-dialledA)
		})
		out = append(out, best)
		left = slices.DeleteFunc(left, func(p *program) bool { return p == best })
	}
	return out
}

// dials says of each program which ones it dials, by the certificates that
// they read; who has a certificate in a kubeconfig is a client with it.
func (j *job) dials() map[string]map[string]bool {
	holders := func(id topology.SlotID, server bool) []string {
		var out []string
		if s := j.t.Slot(id); s != nil {
			for _, c := range s.Consumers {
				if !server || c.Field == topology.FieldKey && c.As != topology.AsKubeconfig {
					out = append(out, c.Component)
				}
			}
		}
		return out
	}
	out := map[string]map[string]bool{}
	for _, e := range j.t.Edges {
		for _, client := range holders(e.Client.Slot, false) {
			for _, server := range holders(e.Server.Slot, true) {
				if out[client] == nil {
					out[client] = map[string]bool{}
				}
				out[client][server] = true
			}
		}
	}
	return out
}

// stageSums compares what arrived with what was sent.
func (j *job) stageSums(p *page, changed []change) {
	if !j.has("tree") || len(changed) == 0 {
		return
	}
	p.text("Each line must end in OK, on every machine that has the file:")
	place := j.places()[0]
	var names []string
	for _, c := range changed {
		if place.From == "" && place.Holds(c.name) && !elsewhere(j.places(), place, c.name) {
			names = append(names, c.name)
		}
	}
	from := untrusted.Text(j.abs(path.Clean(treeDir))).ShellArg()
	if j.several() {
		from = untrusted.Text(j.abs(path.Clean(nodesDir))).ShellArg() + "/NAME"
	}
	remote := fmt.Sprintf("cd %s && sha256sum --check --ignore-missing -", untrusted.Text(place.To).ShellArg())
	p.commands(fmt.Sprintf("(cd %s && sha256sum %s 2>/dev/null) |\n  ssh root@NODE %s", from, strings.Join(names, " "), untrusted.Text(remote).ShellArg()))
}

// elsewhere says whether a more exact place than this one takes a file.
func elsewhere(places []topology.Place, this topology.Place, name string) bool {
	return slices.ContainsFunc(places, func(o topology.Place) bool { return o != this && o.From != "" && o.Holds(name) })
}
