package layout

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
	"time"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// documents writes what is for people and for the next run.
func documents(j *job) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		if j.Plan != nil {
			if !yield(File{Path: PlanFile, Data: j.Plan, Mode: modePublic, Kind: KindDocument}, nil) {
				return
			}
		}
		yield(File{Path: NextStepsFile, Data: j.nextSteps(), Mode: modePublic, Kind: KindDocument}, nil)
	}
}

// page is a Markdown document that is being written.
type page struct {
	bytes.Buffer
	sections int
}

//go:noinline // many callers, none of them hot
func (p *page) section(title string) {
	p.sections++
	fmt.Fprintf(p, "\n## %d. %s\n", p.sections, title)
}

//go:noinline // many callers, none of them hot
func (p *page) text(format string, args ...any) { fmt.Fprintf(p, "\n"+format+"\n", args...) }

func (p *page) commands(lines ...string) {
	fmt.Fprintf(p, "\n```sh\n%s\n```\n", strings.Join(lines, "\n"))
}

func (p *page) table(head []string, rows [][]string) {
	fmt.Fprintf(p, "\n| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, r := range rows {
		fmt.Fprintf(p, "| %s |\n", strings.Join(r, " | "))
	}
}

// code shows text as it is, whoever wrote it: also within a table.
func code(s string) string {
	return "`" + strings.NewReplacer("`", "'", "|", `\|`).Replace(untrusted.Text(s).String()) + "`"
}

// NextSteps is the document alone, as Files has it.
func NextSteps(r Request) (File, error) {
	j, err := newJob(r)
	if err != nil {
		return File{}, err
	}
	return File{Path: NextStepsFile, Data: j.nextSteps(), Mode: modePublic, Kind: KindDocument}, nil
}

func (j *job) nextSteps() []byte {
	p := &page{}
	fmt.Fprintf(p, "# Next steps for %s\n", code(j.t.Facts.Get("cluster.name")))
	p.text("%s, written into %s by certwright %s on %s.", j.t.Profile.Title, code(j.abs("")), j.Version, j.Now.UTC().Format(time.DateOnly))
	j.modes(p)
	j.takeAway(p)
	if j.has("tree") {
		j.putInPlace(p)
		j.caFiles(p)
		j.verify(p)
	}
	j.otherLayouts(p)
	j.calendar(p)
	j.again(p)
	return p.Bytes()
}

func (j *job) mode(id topology.ComponentID) topology.Mode {
	if m := j.set.Modes[id]; m != "" {
		return m
	}
	return topology.Generate
}

func (j *job) modes(p *page) {
	var rows [][]string
	for _, c := range j.t.Components {
		anchor := j.set.Anchor(c.Authority)
		rows = append(rows, []string{string(c.ID), j.mode(c.ID).Words(), code(subject(anchor)), c.Help})
	}
	p.table([]string{"component", "mode", "CA", "what it secures"}, rows)
}

// takeAway says which keys have no business on this machine.
func (j *job) takeAway(p *page) {
	p.section("What must leave this machine")
	var rows [][]string
	for name, m := range j.madeCAs() {
		protects := "everything below it: it can make a new CA for each component"
		for _, a := range j.t.Authorities {
			if a.Slot == m.slot {
				protects = a.Protects
			}
		}
		rows = append(rows, []string{code(caDir + name + ".key"), protects})
	}
	if len(rows) == 0 {
		p.text("No CA was made here, so there is no %s. Keep the keys of the CAs that you brought where you keep them.", code(caDir))
	} else {
		p.text("%s holds the keys of the CAs that were made here. Nothing that runs reads it; it is needed to issue more later. Whoever has a key of it has:", code(caDir))
		p.table([]string{"key", "opens"}, rows)
		archive := "ca-" + fileName(j.t.Facts.Get("cluster.name")) + ".tar.gpg"
		p.text("Encrypt it, check the copy, store that away from here, then remove the original:")
		p.commands(
			fmt.Sprintf("tar -C %s -cf - ca | gpg --symmetric --output %s", j.dir(), archive),
			fmt.Sprintf("gpg --decrypt %s | tar -tf -", archive),
			fmt.Sprintf("rm -r %s", untrusted.Text(j.abs("ca")).ShellArg()),
		)
	}
	if j.has("tree") {
		j.caKeys(p)
	}
	for _, l := range []struct{ layout, file string }{
		{"cluster-api", clusterAPIDir + j.clusterName() + ".yaml"}, {"k3s", k3sDir}, {"cert-manager", certManagerDir + "issuers.yaml"},
	} {
		if j.has(l.layout) {
			p.text("%s holds keys of CAs too, for whoever signs with them there. Remove it from here once it has arrived.", code(l.file))
		}
	}
}

// readers says who reads a file of a slot: "kube-controller-manager reads it".
func (j *job) readers(s *topology.Slot, f topology.Field) string {
	var names []string
	for _, c := range s.Consumers {
		if c.Field == f && !slices.Contains(names, c.Component) {
			names = append(names, c.Component)
		}
	}
	switch len(names) {
	case 0:
		return "the profile asks for it, and no program is named"
	case 1:
		return names[0] + " reads it; copy it to no machine that does not run it"
	}
	return strings.Join(names, " and ") + " read it; copy it to no machine that runs neither"
}

// dir is the output directory as one word of a shell.
func (j *job) dir() string { return untrusted.Text(j.abs("")).ShellArg() }

// putInPlace writes the profile's steps with the files and the flags of the
// program that each is about.
func (j *job) putInPlace(p *page) {
	p.section("Put the files in place")
	if j.moved() {
		j.distribute(p)
	} else {
		p.text("The copies keep their paths, so that the flags hold on every machine. They belong to root there: " +
			"give those of a program that runs as another user to that user.")
	}
	programs := j.programs()
	for _, s := range j.t.NextSteps {
		if s.Layout != "" && !j.has(s.Layout) {
			continue
		}
		fmt.Fprintf(p, "\n### %s\n", s.Title)
		p.text("%s", s.Text)
		prog := &program{}
		if i := slices.IndexFunc(programs, func(o *program) bool { return o.name == s.Program }); i >= 0 {
			prog = programs[i]
		}
		j.step(p, s, prog)
	}
}

func (j *job) step(p *page, s topology.Step, prog *program) {
	files := prog.files()
	if len(files) > 0 {
		fmt.Fprintf(p, "\nFiles for %s:\n\n", prog.name)
		for _, f := range files {
			if j.moved() {
				fmt.Fprintf(p, "- %s\n", code(j.deployed(f)))
				continue
			}
			fmt.Fprintf(p, "- %s\n", code(treeDir+f))
		}
	}
	pinned := strings.NewReplacer("$PIN", "$PIN")
	if s.Pin != "" {
		pinned = strings.NewReplacer("$PIN", pin(j.set.Anchor(s.Pin)))
	}
	for _, h := range s.Hosts {
		fmt.Fprintf(p, "\nOn %s:\n", code(h.Host))
		p.commands(pinned.Replace(strings.Join(j.stepCommands(h.Host, files, h.Run, prog), "\n")))
	}
	if len(s.Hosts) == 0 && len(s.Run) > 0 {
		p.commands(pinned.Replace(strings.Join(j.stepCommands("NODE", files, s.Run, prog), "\n")))
	}
	for _, v := range prog.parameters {
		if v.when != "" {
			p.text("Only when %s: %s.", v.when, code(v.line()))
		}
	}
	if len(prog.lacking) > 0 {
		p.text("Left out, because the key for it was not handed over: %s.", code(strings.Join(prog.lacking, " ")))
	}
}

// stepCommands are the copy to a host and the commands of the profile, filled in.
func (j *job) stepCommands(host string, files, run []string, prog *program) []string {
	var out []string
	// A program that is started with flags reads files of its own machine; the
	// others get theirs through a Secret.
	if len(files) > 0 && !j.moved() && slices.ContainsFunc(run, func(r string) bool { return strings.Contains(r, "$FLAGS") }) {
		out = append(out, j.copyTo(host, files))
	}
	for _, r := range run {
		out = append(out, j.command(r, prog))
	}
	return out
}

// copyTo keeps the modes of the files and their place.
func (j *job) copyTo(host string, files []string) string {
	words := make([]string, len(files))
	for i, f := range files {
		words[i] = treeDir + f // validated: no character that a shell reads
	}
	home := untrusted.Text(j.home()).ShellArg()
	remote := fmt.Sprintf("mkdir -p %s && tar -C %s --no-same-owner -xpf -", home, home)
	return fmt.Sprintf("tar -C %s -cf - %s |\n  ssh root@%s %s", j.dir(), strings.Join(words, " "), untrusted.Text(host).ShellArg(), untrusted.Text(remote).ShellArg())
}

// command fills $FLAGS and $DIR in and puts a long line's options on lines of
// their own.
func (j *job) command(run string, prog *program) string {
	const width = 100
	var lines []string
	for _, v := range prog.parameters {
		if v.when == "" && v.flag() {
			lines = append(lines, v.line())
		}
	}
	if len(lines) == 0 {
		run = strings.ReplaceAll(run, " $FLAGS", "") // a program may take files in its configuration alone
	}
	const mark = "\x00"
	if len(run)+len(strings.Join(lines, " ")) > width {
		run = strings.ReplaceAll(run, " --", mark+"--")
		run = strings.ReplaceAll(run, " $FLAGS", mark+strings.Join(lines, mark))
	}
	run = strings.ReplaceAll(run, "$FLAGS", strings.Join(lines, " "))
	run = strings.ReplaceAll(run, "$DIR", j.dir())
	return strings.ReplaceAll(run, mark, " \\\n  ")
}

// again names the headless twin of this run.
func (j *job) again(p *page) {
	if j.Plan == nil {
		return
	}
	p.section("The same again")
	p.text("%s holds the answers and no key. With the same answers, into another directory:", code(PlanFile))
	p.commands(fmt.Sprintf("certwright apply -f %s --out %s",
		untrusted.Text(j.abs(PlanFile)).ShellArg(), untrusted.Text(j.abs("")+"-new").ShellArg()))
	for _, c := range j.t.Components {
		if m := j.mode(c.ID); m != topology.Generate {
			p.text("It reads again the files that were handed over (%s is set to %s); what was pasted is asked for again.", c.ID, m.Words())
			break
		}
	}
}

type expiry struct {
	at   time.Time
	what string
	file string
}

// calendar lists what ends when, the first to end on top.
func (j *job) calendar(p *page) {
	p.section("What expires when")
	var list []expiry
	for name, m := range j.madeCAs() {
		if m.slot == "" {
			list = append(list, expiry{m.pair.Leaf().NotAfter, "root CA", caDir + name + ".crt"})
		}
	}
	for _, l := range j.kinds() {
		for _, e := range j.due(l) {
			if j.has("tree") {
				e.file = j.shownFile(l)
			}
			list = append(list, e)
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].at.Before(list[j].at) })
	rows := make([][]string, len(list))
	for i, e := range list {
		days := int(e.at.Sub(j.Now).Hours() / 24)
		rows[i] = []string{e.at.UTC().Format(time.DateOnly), fmt.Sprintf("%d", days), e.what, ""}
		if e.file != "" {
			rows[i][3] = code(e.file)
		}
	}
	p.table([]string{"until (UTC)", "days", "what", "file"}, rows)
	p.text("%s says at any time what is left, and fails when something ends within 30 days.", code("certwright status "+j.dir()))
}

// subject is a subject without the serial number that tells two CAs of one
// name apart.
func subject(c *x509.Certificate) string {
	if s := (topology.Subject{CN: c.Subject.CommonName, O: c.Subject.Organization}).String(); s != "" {
		return s
	}
	return c.Subject.String()
}

// isRoot says whether a certificate signed itself.
func isRoot(c *x509.Certificate) bool {
	return c != nil && bytes.Equal(c.RawSubject, c.RawIssuer) && c.CheckSignatureFrom(c) == nil
}
