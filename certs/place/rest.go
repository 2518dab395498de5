package place

import (
	"cmp"
	"fmt"
	"slices"
	"sort"

	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// byName gives a slot that is still empty the file which has its own path in
// the layout, whatever that holds: a request, an empty file, a damaged block.
// Check says what is wrong with it.
func (s *sorter) byName() {
	free := map[spot][]*file{}
	for _, f := range s.files {
		if !f.placed {
			for _, at := range s.spots(f) {
				free[at] = append(free[at], f)
			}
		}
	}
	take := func(r *role, part Part, want pathName, doc func(f *file) bool) {
		for _, f := range free[s.spot(r, want)] {
			if f.placed || !s.at(f, r, want) || !doc(f) {
				continue
			}
			f.placed = true
			s.out.Placed = append(s.out.Placed, Placed{Slot: r.slot.ID, Part: part, File: f.Name, Why: "it has this slot's file name, and nothing in it speaks for another"})
			return
		}
	}
	for _, r := range s.roles {
		if r.slot.Kind != topology.KeyPair && s.placed[r] == nil {
			take(r, Cert, r.cert, func(f *file) bool { return ending(f.Name, r.slot.Files.Cert) && !f.readable() })
		}
		if s.out.Find(r.slot.ID, Key) == "" && (r.slot.Kind == topology.KeyPair || s.out.Find(r.slot.ID, Cert) != "") {
			take(r, Key, r.key, func(f *file) bool {
				return ending(f.Name, r.slot.Files.Key) && !f.readable() && !slices.ContainsFunc(f.Doc.Keys, func(k material.Key) bool { return k.Signer != nil })
			})
		}
	}
}

// nodes counts the slots that differ from a role by their node alone.
func (s *sorter) nodes(r *role) int { return s.perNode[r.slot.ID.Base()] }

// readable says whether a certificate of the file could be read.
func (f *file) readable() bool {
	return slices.ContainsFunc(f.certs, func(c *cert) bool { return c != nil })
}

// ending says whether a name ends as another does: .crt, .key, .pub.
func ending(name, want string) bool { return ext(name) == ext(want) }

func ext(name string) string {
	for i := len(name) - 1; i >= 0 && name[i] != '/' && name[i] != '\\'; i-- {
		if name[i] == '.' {
			return name[i:]
		}
	}
	return ""
}

// rest says what is left over and what is missing, and cuts the documents.
func (s *sorter) rest() {
	order := map[topology.SlotID]int{}
	byName := map[string]*file{}
	for _, f := range s.files {
		byName[f.Name] = f
	}
	for _, r := range s.roles {
		order[r.slot.ID] = r.order
	}
	sort.SliceStable(s.out.Placed, func(i, j int) bool {
		a, b := &s.out.Placed[i], &s.out.Placed[j]
		return cmp.Or(order[a.Slot]-order[b.Slot], cmp.Compare(a.Part, b.Part), cmp.Compare(a.File, b.File)) < 0
	})
	s.out.index = nil
	for _, r := range s.roles {
		for _, part := range []Part{Cert, Key} {
			if p := s.out.Of(r.slot.ID, part); p != nil {
				f := byName[p.File]
				kubeconfig := f.kubeconfig() && r.config
				s.out.docs[slotPart{r.slot.ID, part}] = f.view(r, kubeconfig)
			}
		}
		part := Cert
		if r.slot.Kind == topology.KeyPair {
			part = Key
		}
		if s.out.Of(r.slot.ID, part) == nil && !r.slot.Optional {
			s.out.Missing = append(s.out.Missing, r.slot.ID)
		}
	}
	left := slices.Clone(s.files)
	slices.SortFunc(left, func(a, b *file) int { return cmp.Compare(a.Name, b.Name) })
	for _, f := range left {
		if !f.placed {
			why, of := s.unplaced(f)
			s.out.Unplaced = append(s.out.Unplaced, Unplaced{File: f.Name, Why: why, Copy: of})
		}
	}
}

// unplaced says why a file found no slot, and which file it repeats.
func (s *sorter) unplaced(f *file) (why, copyOf string) {
	d := f.Doc
	if c := f.first(); c != nil {
		return s.unplacedCert(f, c)
	}
	switch {
	case len(d.Keys) > 0 && d.Keys[0].Signer != nil:
		return s.unplacedKey(f, keyID(d.Keys[0].Signer.Public()))
	case len(d.Keys) > 0 && d.Keys[0].Encrypted:
		return "an encrypted key: whose it is shows only with its passphrase", ""
	case len(d.Keys) > 0:
		return "a private key that cannot be read", ""
	case d.Requests > 0:
		return "a certificate signing request, not a certificate", ""
	case d.CRLs > 0:
		return "a revocation list", ""
	case len(d.PublicKeys) > 0:
		id := keyID(d.PublicKeys[0])
		if i := slices.IndexFunc(s.public[id], func(o *file) bool { return o.placed }); i >= 0 {
			name := s.public[id][i].Name
			return "the same public key as in " + untrusted.Text(name).String(), name
		}
		return "a public key that belongs to nothing here", ""
	case f.kubeconfig():
		return "a kubeconfig without a certificate in it", ""
	case len(d.Problems) > 0:
		return untrusted.Text(d.Problems[0].Detail).String(), ""
	}
	return fmt.Sprintf("no certificate and no key (%s)", d.Format), ""
}

// first is the first certificate of a file that could be read.
func (f *file) first() *cert {
	for _, c := range f.certs {
		if c != nil {
			return c
		}
	}
	return nil
}

func (s *sorter) unplacedCert(f *file, c *cert) (why, copyOf string) {
	subject := material.Subject(c.x).Max(120)
	if subject == "" {
		subject = "no subject"
	}
	if c.home != nil {
		return "the same certificate as " + untrusted.Text(c.home.Name).String(), c.home.Name
	}
	// Places are in the order of contents and names: the first is nobody's copy.
	if head := c.at[0].file; head != f {
		return "the same certificate as " + untrusted.Text(head.Name).String() + ", which found no slot either", head.Name
	}
	if c.signs() {
		return s.unplacedCA(c, subject), ""
	}
	for _, r := range s.cas {
		if a := s.authority[r.slot.Authority]; a != nil {
			if rel := c.to(a); rel == child || rel == below {
				return fmt.Sprintf("the CA of %s issued it, but no slot that is still empty has its names, usages or subject: %s", r.slot.Authority, subject), ""
			}
		}
	}
	if len(s.authority) > 0 && (len(c.issuers) > 0 || len(c.named) > 0) {
		return "no slot for it, and its issuer is not the CA of any authority here: " + subject, ""
	}
	return "no slot that is asked for has its names, usages or subject: " + subject, ""
}

func (s *sorter) unplacedCA(c *cert, subject string) string {
	var over []string
	for _, r := range s.cas {
		if s.placed[r] != nil && stands(c, s.placed[r]) {
			over = append(over, string(r.slot.ID))
		}
	}
	switch {
	case len(over) > 0:
		return fmt.Sprintf("a CA above %s, which no slot asks for: %s", untrusted.Text(joined(over)), subject)
	case c.children > 0:
		return fmt.Sprintf("a CA that issued %s here, and fits no authority as well as another does: %s", count(c.children, "certificate"), subject)
	}
	return "a CA that issued nothing here: " + subject
}

func joined(items []string) string {
	out := ""
	for i, s := range items {
		switch {
		case i == 0:
		case i == len(items)-1:
			out += " and "
		default:
			out += ", "
		}
		out += s
	}
	return out
}

func (s *sorter) unplacedKey(f *file, id string) (why, copyOf string) {
	for _, h := range s.keyed[id] {
		if h.file != f && h.placed() {
			return "the same private key as in " + untrusted.Text(h.file.Name).String(), h.file.Name
		}
	}
	if c := s.has[id]; c != nil {
		return "the private key of a certificate that found no slot: " + material.Subject(c.x).Max(120), ""
	}
	return "a private key whose certificate is not here", ""
}
