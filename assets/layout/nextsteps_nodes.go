package layout

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// moved says whether the tree lies elsewhere on the machines than here, so that
// it is copied as a whole and not file by file.
func (j *job) moved() bool { return len(j.t.Profile.Install) > 0 || j.several() }

// places are where the parts of a tree go on a machine; without the profile's
// word for it, to where the cluster's tree lies here.
func (j *job) places() []topology.Place {
	if list := j.t.Profile.Install; len(list) > 0 {
		return list
	}
	return []topology.Place{{To: path.Join(j.home(), path.Clean(treeDir))}}
}

// maxListed is how many nodes the document names one by one.
const maxListed = 50

// distribute says which tree goes to which machine, and how.
func (j *job) distribute(p *page) {
	p.text("%s", j.placesText())
	switch {
	case j.several():
		p.text("Each node takes its own tree and no other's: %s holds the certificates of one node, and copies of what it shares with the others. "+
			"%s holds what is the cluster's, once, for you.", code(nodesDir+"NAME"), code(treeDir))
		j.nodeTable(p)
		p.text("All at once; %s lists names and addresses, the control planes first:", code(nodesFile))
		var lines []string
		for _, c := range j.copyTree(untrusted.Text(j.abs(path.Clean(nodesDir))).ShellArg()+`/"$node"`, `"$address"`) {
			lines = append(lines, "  "+strings.ReplaceAll(c, "\n", "\n  "))
		}
		p.commands("while read -r node address role; do\n" + strings.Join(lines, "\n") + "\ndone <" + untrusted.Text(j.abs(nodesFile)).ShellArg())
	default:
		host := "NODE"
		if len(j.t.Nodes) == 1 {
			fmt.Fprintf(p, "\nOn %s:\n", code(j.t.Nodes[0].Name))
			if a := j.t.Nodes[0].Addresses; len(a) > 0 {
				host = a[0]
			}
		}
		p.commands(j.copyTree(untrusted.Text(j.abs(path.Clean(treeDir))).ShellArg(), untrusted.Text(host).ShellArg())...)
	}
	p.text("Directories are made with the modes of the machine; the files keep theirs, keys for their owner alone. They belong to root.")
	if j.several() {
		p.text("When every node has its tree, %s has done its work. It holds the keys of all of them: keep it as you keep %s.", code(nodesDir), code(caDir))
	}
}

func (j *job) placesText() string {
	var parts []string
	for _, place := range j.places() {
		if place.From == "" {
			parts = append([]string{"a tree lies in " + code(place.To)}, parts...)
		} else {
			parts = append(parts, fmt.Sprintf("its %s in %s", code(place.From+"/"), code(place.To)))
		}
	}
	return "On the machines " + strings.Join(parts, ", ") + "."
}

func (j *job) nodeTable(p *page) {
	var rows [][]string
	trees := j.trees()
	for _, role := range []topology.Role{topology.ControlPlane, topology.Worker} {
		for _, n := range trees {
			if n.Role == role && len(rows) < maxListed {
				rows = append(rows, []string{code(n.Name), strings.Join(n.Addresses, ", "), string(role), code(nodesDir + n.Name)})
			}
		}
	}
	p.table([]string{"node", "addresses", "role", "its tree"}, rows)
	if n := len(trees); n > len(rows) {
		p.text("And %d more, each in its directory.", n-len(rows))
	}
}

// copyTree copies a tree to a host. Only its files are sent: a directory would
// bring its mode with it, and /etc/kubernetes has its own.
func (j *job) copyTree(from, host string) []string {
	var out []string
	places := j.places()
	for _, place := range places {
		src, except := from, ""
		if place.From != "" {
			src += "/" + place.From // validated: no character that a shell reads
		}
		for _, other := range places {
			if other.From != place.From && place.Holds(other.From+"/") {
				except += " ! -path './" + strings.TrimPrefix(strings.TrimPrefix(other.From, place.From), "/") + "/*'"
			}
		}
		out = append(out, j.sendTree(src, except, host, place.To))
	}
	return out
}

// sendTree sends the files of a directory, a word of a shell, to another machine.
func (j *job) sendTree(dir, except, host, to string) string {
	to = untrusted.Text(to).ShellArg()
	remote := fmt.Sprintf("mkdir -p %s && tar -C %s --no-same-owner -xpf -", to, to)
	return fmt.Sprintf("(cd %s && find . -type f%s -print0 | tar --null -T - -cf -) |\n  ssh root@%s %s",
		dir, except, host, untrusted.Text(remote).ShellArg())
}

// pin is what kubeadm join takes for a CA: it outlives a CA's certificate that
// is made again with the same key.
func pin(c *x509.Certificate) string {
	if c == nil {
		return "sha256:HASH"
	}
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// caKeys are the keys of CAs that the trees hold, and those that they would
// hold if they had been handed over.
func (j *job) caKeys(p *page) {
	for i := range j.t.Slots {
		s := &j.t.Slots[i]
		if s.Kind != topology.CA || s.Files.Key == "" {
			continue
		}
		file := code(treeDir + s.Files.Key)
		copies := ""
		if j.several() {
			copies = ", and so is its copy in the tree of each control plane; no worker has one"
		}
		switch {
		case j.set.Pairs[s.ID].Key == nil && s.Files.KeyFor != "":
			p.text("There is no %s: it was not handed over. Where there is one, %s.", file, s.Files.KeyFor)
		case j.set.Pairs[s.ID].Key == nil:
		case s.Files.KeyFor != "":
			p.text("%s is a CA's key too%s. It is there because %s.", file, copies, s.Files.KeyFor)
		default:
			p.text("%s is a CA's key too%s. It is there because %s.", file, copies, j.readers(s, topology.FieldKey))
		}
	}
}

// like groups what each node has one of, for lists that would else repeat it
// for every node.
type like struct {
	slot  *topology.Slot // the first
	nodes int            // how many have one, 0 when it is the cluster's
}

// kinds are the slots without their nodes, in the profile's order.
func (j *job) kinds() []like {
	var out []like
	at := map[topology.SlotID]int{}
	for i := range j.t.Slots {
		s := &j.t.Slots[i]
		base := s.ID.Base()
		if _, known := at[base]; !known {
			at[base] = len(out)
			out = append(out, like{slot: s})
		}
		if s.Node != "" {
			out[at[base]].nodes++
		}
	}
	return out
}

// title is the slot's, without the one node's name.
func (l like) title() string {
	if l.slot.Node == "" {
		return l.slot.Title
	}
	return strings.TrimSuffix(l.slot.Title, " of "+l.slot.Node)
}

// shellFile is a file of the tree for a shell: of what each node has one of, a
// pattern that matches all.
func (j *job) shellFile(l like, name string) string {
	if l.nodes == 0 {
		return untrusted.Text(j.abs(treeDir + name)).ShellArg()
	}
	return untrusted.Text(j.abs(path.Clean(nodesDir))).ShellArg() + "/*/" + name
}

// shownFile is for a person the file that holds the certificate, which may be a
// kubeconfig; "" when none does.
func (j *job) shownFile(l like) string {
	name, perNode := l.slot.Files.Cert, l.nodes > 0
	if name == "" && len(j.confs[l.slot.ID]) > 0 {
		k := j.confs[l.slot.ID][0]
		name, perNode = k.File, k.Node != ""
	}
	switch {
	case name == "":
		return ""
	case perNode:
		return nodesDir + "*/" + name
	}
	return treeDir + name
}

// due are the dates on which the certificates of one kind end, with how many
// end then.
func (j *job) due(l like) []expiry {
	if l.nodes == 0 {
		c := j.set.Pairs[l.slot.ID].Leaf()
		if c == nil {
			return nil
		}
		return []expiry{{at: c.NotAfter, what: l.title()}}
	}
	var out []expiry
	counts := map[string]int{}
	base := l.slot.ID.Base()
	for _, e := range j.Ends[base] {
		counts[e.day()] += e.Count
		out = append(out, expiry{at: e.At, what: e.day()})
	}
	for i := range j.t.Slots {
		s := &j.t.Slots[i]
		if s.ID.Base() != base {
			continue
		}
		at := j.set.Pairs[s.ID].Leaf().NotAfter
		if day := at.UTC().Format(time.DateOnly); counts[day] == 0 {
			counts[day] = 1
			out = append(out, expiry{at: at, what: day})
		} else {
			counts[day]++
		}
	}
	for i := range out {
		out[i].what = fmt.Sprintf("%s of %s", l.title(), nodes(counts[out[i].what]))
	}
	return slices.Clip(out)
}

func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}
