package install

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/place"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// folderJudge judges a folder that was sorted.
type folderJudge struct {
	l      *Loaded
	folder *Folder
	docs   map[string]*material.Document // by file
	slots  []*topology.Slot
	now    time.Time

	memory *check.Memory // each signature is checked once, for its slot and for the whole
	others map[topology.AuthorityID]*x509.Certificate
	cas    map[topology.AuthorityID]*material.Document
	roots  map[[sha256.Size]byte]bool // CAs that signed themselves
}

// absent lists the optional certificates that the folder does not hold: what
// would need them is no part of the set.
func (j *folderJudge) absent() []topology.SlotID {
	var out []topology.SlotID
	for _, s := range j.slots {
		if s.Optional && s.Kind == topology.Leaf && j.l.Sorted.Find(s.ID, place.Cert) == "" {
			out = append(out, s.ID)
		}
	}
	return out
}

// run judges each slot, several at once, then what shows between them.
func (j *folderJudge) run(ctx context.Context, workers int) error {
	l := j.l
	l.Set = &certs.Set{Topology: l.Topology.Without(j.absent()...), Modes: map[topology.ComponentID]topology.Mode{}, Pairs: map[topology.SlotID]*certs.Pair{}}
	for _, c := range l.Topology.Components {
		l.Set.Modes[c.ID] = topology.BringCerts
	}
	j.authorities()
	judged := make([]judgedSlot, len(j.slots))
	l.Sorted.Of("", "") // its index is made before it is read from several sides
	if err := each(ctx, workers, len(j.slots), func(i int) { judged[i] = j.read(j.slots[i]) }); err != nil {
		return err
	}
	for i, o := range judged {
		if o.loaded != nil {
			l.Slots[j.slots[i].ID] = o.loaded
		}
		if o.pair != nil {
			l.Set.Pairs[j.slots[i].ID] = o.pair
		}
	}
	// The whole is judged beside its slots: neither looks at what the other finds.
	var whole []check.Finding
	var wg sync.WaitGroup
	wg.Go(func() { whole = j.whole() })
	err := each(ctx, workers, len(j.slots), func(i int) {
		if judged[i].loaded != nil {
			judged[i].loaded.Findings = check.Slot(judged[i].in)
		}
	})
	wg.Wait()
	if err != nil {
		return err
	}
	anyKey := slices.ContainsFunc(judged, func(o judgedSlot) bool {
		return o.loaded != nil && o.in.Slot.Kind == topology.Leaf && o.loaded.KeyFile != ""
	})
	for i, o := range judged {
		if o.loaded != nil {
			o.loaded.Findings = append(o.loaded.Findings, j.halves(j.slots[i], o, anyKey)...)
		}
	}
	j.merge(whole)
	j.configs()
	l.Signatures = j.memory.Count()
	return nil
}

// judgedSlot is one slot's verdict.
type judgedSlot struct {
	loaded *LoadedSlot
	in     check.SlotInput
	pair   *certs.Pair
}

// doc is what a slot gets of the file that was placed for it.
func (j *folderJudge) doc(slot *topology.Slot, part place.Part) *material.Document {
	if d := j.l.Sorted.Doc(slot.ID, part); d != nil {
		return d
	}
	d := j.docs[j.l.Sorted.Find(slot.ID, part)]
	if slot.Kind == topology.Leaf && slot.Files.Cert == "" {
		return fromKubeconfig(d)
	}
	return d
}

// fromKubeconfig is the identity in a kubeconfig as if it stood in a file of its
// own: the certificate of a client that has no other file is at home there, and
// the CA beside it is for the server's.
func fromKubeconfig(d *material.Document) *material.Document {
	if d == nil || d.Format != material.FormatKubeconfig {
		return d
	}
	own := *d
	own.Convertible = false
	own.Certificates = slices.DeleteFunc(slices.Clone(d.Certificates), func(c material.Certificate) bool { return strings.HasPrefix(c.Source, "clusters/") })
	own.Problems = slices.DeleteFunc(slices.Clone(d.Problems), func(p material.Problem) bool { return p.Rule == "kubeconfig-not-pem" && p.Rescued })
	return &own
}

// authorities reads the CAs, once for all that they signed.
func (j *folderJudge) authorities() {
	j.others, j.cas, j.roots = map[topology.AuthorityID]*x509.Certificate{}, map[topology.AuthorityID]*material.Document{}, map[[sha256.Size]byte]bool{}
	for _, a := range j.l.Topology.Authorities {
		slot := j.l.Topology.Slot(a.Slot)
		if slot == nil {
			continue
		}
		doc := j.doc(slot, place.Cert)
		if doc == nil {
			continue
		}
		j.cas[a.ID] = doc
		if c := firstCA(doc); c != nil {
			j.others[a.ID] = c
		}
		for _, c := range doc.X509() {
			if h := sha256.Sum256(c.Raw); !j.roots[h] && selfSigned(nil, c) {
				j.roots[h] = true
				j.memory.Verified(c, c)
			}
		}
	}
}

// read gathers what a slot is judged by.
func (j *folderJudge) read(slot *topology.Slot) judgedSlot {
	s := &LoadedSlot{CertFile: j.l.Sorted.Find(slot.ID, place.Cert), KeyFile: j.l.Sorted.Find(slot.ID, place.Key)}
	if s.CertFile == "" && s.KeyFile == "" {
		return judgedSlot{}
	}
	in := check.SlotInput{Slot: slot, Topology: j.l.Topology, Cert: j.doc(slot, place.Cert), Key: j.doc(slot, place.Key), Now: j.now, Memory: j.memory, Others: map[topology.AuthorityID]*x509.Certificate{}}
	for a, c := range j.others {
		if a != slot.Authority {
			in.Others[a] = c
		}
	}
	if slot.Kind == topology.Leaf {
		in.CA = j.cas[slot.Authority]
	}
	return judgedSlot{loaded: s, in: in, pair: j.pair(slot, in)}
}

// pair is the material as it is used, like the pipeline's own; but a CA's
// signature on itself is checked once for all leaves, and who issued whom is
// told by key identifiers where both have them: check verifies it anyway.
func (j *folderJudge) pair(slot *topology.Slot, in check.SlotInput) *certs.Pair {
	if slot.Kind != topology.Leaf || in.Cert == nil {
		return pair(j.memory, slot, in.Cert, in.Key, in.CA)
	}
	p := &certs.Pair{}
	if in.Key != nil {
		p.Key = in.Key.Signer()
	}
	pool := in.Cert.X509()
	own := ownCertificate(slot, pool, p.Key)
	if own == nil {
		return nil
	}
	if in.CA != nil {
		pool = slices.Concat(pool, in.CA.X509())
	}
	p.Certificates = []*x509.Certificate{own}
	for at := own; len(p.Certificates) < maxChain && !j.root(at); {
		i := slices.IndexFunc(pool, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, at.RawIssuer) && !slices.ContainsFunc(p.Certificates, c.Equal) && j.issued(c, at)
		})
		if i < 0 {
			break
		}
		at = pool[i]
		if j.root(at) {
			break // a server does not send the root
		}
		p.Certificates = append(p.Certificates, at)
	}
	return p
}

// root says whether a certificate signed itself.
func (j *folderJudge) root(c *x509.Certificate) bool {
	return bytes.Equal(c.RawSubject, c.RawIssuer) && (j.roots[sha256.Sum256(c.Raw)] || selfSigned(j.memory, c))
}

func (j *folderJudge) issued(ca, c *x509.Certificate) bool {
	if len(c.AuthorityKeyId) > 0 && len(ca.SubjectKeyId) > 0 && bytes.Equal(c.AuthorityKeyId, ca.SubjectKeyId) {
		return true
	}
	return j.memory.Issued(ca, c)
}

// halves says that half of a slot's material is not there. A folder without a
// single key of a leaf is one of certificates alone, and misses none.
func (j *folderJudge) halves(slot *topology.Slot, o judgedSlot, anyKey bool) []check.Finding {
	rule, _ := check.RuleByID("material-missing")
	f := check.Finding{Rule: rule.ID, Severity: rule.Severity, Slot: slot.ID, Why: rule.Why, File: untrusted.Text(o.loaded.CertFile).String()}
	unread := o.loaded.CertFile != "" && slices.ContainsFunc(o.loaded.Findings, func(f check.Finding) bool { return f.Rule == "encrypted-key" || f.Rule == "malformed-key" })
	switch {
	case slot.Kind == topology.Leaf && o.loaded.KeyFile == "" && anyKey && !unread:
		f.Message, f.Has, f.Needs = "the private key of this certificate is not in the folder", "the certificate alone", "its key"
		f.Fix = "put the key beside it; it is the one that the request for this certificate was made with"
	case slot.Kind == topology.KeyPair && o.loaded.CertFile == "" && slot.Files.Public != "":
		f.File = untrusted.Text(o.loaded.KeyFile).String()
		f.Severity = check.Warning
		f.Message, f.Has, f.Needs = "the public key of this pair is not in the folder", "the private key alone", slot.Files.Public
		f.Fix = fmt.Sprintf("$ openssl pkey -in %s -pubout -out fixed.pub", untrusted.Text(o.loaded.KeyFile).ShellArg())
	default:
		return nil
	}
	return []check.Finding{f}
}

// configs judges every kubeconfig whose client is in a slot: there may be one on
// each node, with one certificate and addresses of their own.
func (j *folderJudge) configs() {
	if len(j.folder.configs) == 0 {
		return
	}
	slots := map[string]*topology.Slot{}
	for _, slot := range j.slots {
		if leaf := j.l.Set.Pairs[slot.ID].Leaf(); leaf != nil && slot.Kind == topology.Leaf {
			slots[string(leaf.Raw)] = slot
		}
	}
	c := &configJudge{set: j.l.Set, doors: doorsOf(j.l.Topology), now: j.now}
	seen := map[[sha256.Size]byte]bool{}
	for _, f := range j.folder.Files {
		k := j.folder.configs[f.Name]
		if k == nil || seen[f.Doc.SHA256] {
			continue
		}
		seen[f.Doc.SHA256] = true
		c.file, c.slot = f.Name, nil
		for _, x := range f.Doc.Certificates {
			if x.X509 != nil && strings.HasPrefix(x.Source, "users/") && slots[string(x.X509.Raw)] != nil {
				c.slot = slots[string(x.X509.Raw)]
				break
			}
		}
		if c.slot == nil {
			c.slot = j.named(f)
		}
		if c.slot == nil {
			continue
		}
		s := j.l.Slots[c.slot.ID]
		if s == nil {
			s = &LoadedSlot{CertFile: f.Name}
			j.l.Slots[c.slot.ID] = s
		}
		s.Findings = append(s.Findings, c.judge(k, f.Doc, s.CertFile == f.Name)...)
	}
}

// named is the slot whose kubeconfig has that name, for one without a client
// certificate in it that could tell: a kubelet's names a file of the node.
func (j *folderJudge) named(f place.File) *topology.Slot {
	if slices.ContainsFunc(f.Doc.Certificates, func(x material.Certificate) bool { return strings.HasPrefix(x.Source, "users/") }) {
		return nil
	}
	name := "/" + strings.ReplaceAll(f.Name, `\`, "/")
	for _, k := range j.l.Topology.Kubeconfigs {
		if strings.HasSuffix(name, "/"+k.File) && (k.Node == "" || strings.Contains(name, "/"+k.Node+"/")) {
			j.l.Sorted.Unplaced = slices.DeleteFunc(j.l.Sorted.Unplaced, func(u place.Unplaced) bool { return u.File == f.Name })
			return j.l.Topology.Slot(k.Slot)
		}
	}
	return nil
}

// whole judges the set. Its findings name files by their slots, so the slots
// are given the names that the files have here.
func (j *folderJudge) whole() []check.Finding {
	t := *j.l.Topology
	t.Slots = slices.Clone(t.Slots)
	for i := range t.Slots {
		if own := j.l.Slots[t.Slots[i].ID]; own != nil {
			t.Slots[i].Files.Cert, t.Slots[i].Files.Key = own.CertFile, own.KeyFile
		}
	}
	set := *j.l.Set
	set.Topology = &t
	return check.Set(check.SetInput{Set: &set, Now: j.now, Memory: j.memory})
}

// merge takes over what the whole has to say beyond its slots.
func (j *folderJudge) merge(whole []check.Finding) {
	for _, f := range whole {
		own := j.l.Slots[f.Slot]
		if own != nil && slices.ContainsFunc(own.Findings, func(o check.Finding) bool { return o.Rule == f.Rule }) {
			continue
		}
		if own != nil && f.File == "" {
			f.File = untrusted.Text(own.CertFile).String()
		}
		j.l.Findings = append(j.l.Findings, f)
	}
}
