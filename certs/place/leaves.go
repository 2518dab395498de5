package place

import (
	"cmp"
	"fmt"
	"slices"

	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// fitting is one slot that a certificate may be thought of for, its issuer left aside.
type fitting struct {
	role            *role
	identity, total int
}

// Slots that a profile has once for each node are looked up by what names the
// node; below this number all are compared.
const (
	fewNodes  = 16
	maxAlikes = 64 // slots that share a name: beyond, the name tells nothing
)

// index finds the slots that a certificate may belong to.
type index struct {
	always []*role
	by     map[string][]*role
}

func newIndex(roles []*role) *index {
	ix := &index{by: map[string][]*role{}}
	count := map[topology.SlotID]int{}
	for _, r := range roles {
		count[r.slot.ID.Base()]++
	}
	for _, r := range roles {
		if r.slot.Kind != topology.Leaf {
			continue
		}
		if count[r.slot.ID.Base()] <= fewNodes {
			ix.always = append(ix.always, r)
			continue
		}
		keys := []string{"c" + r.slot.Subject.CN, "n" + r.slot.Node}
		for k := range r.names {
			keys = append(keys, k)
		}
		for _, k := range keys {
			ix.by[k] = append(ix.by[k], r)
		}
	}
	return ix
}

// roles are the slots worth comparing with a certificate.
func (ix *index) roles(c *cert) []*role {
	if len(ix.by) == 0 {
		return ix.always
	}
	var more []*role
	add := func(key string) {
		if list := ix.by[key]; len(list) <= maxAlikes {
			more = append(more, list...)
		}
	}
	add("c" + c.x.Subject.CommonName)
	for _, k := range first(c.names, maxAlikes) {
		add(k)
	}
	for _, w := range first(c.at, maxAbove) {
		for _, part := range w.file.path.parts {
			add("n" + part)
		}
	}
	slices.SortFunc(more, func(a, b *role) int { return cmp.Compare(a.order, b.order) })
	return append(slices.Clip(ix.always), slices.Compact(more)...)
}

// fittings compares every certificate that may be a leaf with the slots that
// come into question.
func (s *sorter) fittings() map[*cert][]fitting {
	ix := newIndex(s.roles)
	lists := make([][]fitting, len(s.certs))
	parallel(len(s.certs), func(i int) {
		c := s.certs[i]
		if c.signs() && !c.servesOrDials() {
			return
		}
		for _, r := range ix.roles(c) {
			if f := r.fit(c, false); f.identity > 0 {
				lists[i] = append(lists[i], fitting{r, f.identity, f.total})
			}
		}
	})
	out := make(map[*cert][]fitting, len(s.certs))
	for i, l := range lists {
		if len(l) > 0 {
			out[s.certs[i]] = l
		}
	}
	return out
}

// byIssuer is what a certificate's issuer says for and against a slot.
func (s *sorter) byIssuer(r *role, c *cert) int {
	ca := s.authority[r.slot.Authority]
	rel := c.to(ca)
	if rel == child || rel == below {
		return forIssuer
	}
	for a, other := range s.authority {
		if a != r.slot.Authority && other != ca {
			if to := c.to(other); to == child || to == below {
				return -againstOther
			}
		}
	}
	switch {
	case rel == namesake:
		return forNamesake
	case len(c.issuers) > 0:
		return -againstStranger
	}
	return 0
}

// leaves gives each slot the certificate with which the sum over all is largest.
func (s *sorter) leaves() {
	var free []*cert
	for _, c := range s.certs {
		if len(s.taken[c]) == 0 {
			free = append(free, c)
		}
	}
	slices.SortFunc(free, byHash)
	fits, newer := s.fits, recency(free)
	lists := make([][]edge, len(free))
	row := map[*role]int{}
	for i, r := range s.roles {
		row[r] = i
	}
	parallel(len(free), func(col int) {
		c := free[col]
		for _, f := range fits[c] {
			if f.identity < identified {
				continue
			}
			if score := f.total + s.byIssuer(f.role, c); score >= plausible {
				if len(s.keyed[c.key]) > 0 {
					score += forKey
				}
				lists[col] = append(lists[col], edge{row[f.role], col, score*fine + newer[col]})
			}
		}
	})
	found := assign(len(s.roles), len(free), slices.Concat(lists...))
	for i, r := range s.roles {
		if col, ok := found[i]; ok {
			s.place(r, free[col], s.leafReasons(r, free[col]))
		}
	}
	s.lastOnes(free)
	s.itsOwnCA()
	s.copies()
}

// copies fills empty slots with certificates that are in another slot already,
// and lie there a second time: etcd's server and peer often have one between
// them. A copy under the slot's own file name is meant for it, whatever it is;
// any other must do for the slot.
func (s *sorter) copies() {
	named := map[string][]*role{}
	for _, r := range s.roles {
		if r.slot.Kind == topology.Leaf && s.placed[r] == nil && r.cert.base != "" {
			named[r.cert.base] = append(named[r.cert.base], r)
		}
	}
	for _, c := range s.certs {
		if len(s.taken[c]) == 0 || len(c.at) < 2 {
			continue
		}
		for _, w := range c.at {
			if w.file.placed || w.index > 0 {
				continue
			}
			for _, r := range first(named[w.file.path.base], maxAlikes) {
				if s.placed[r] == nil && s.at(w.file, r, r.cert) {
					s.placeAt(r, c, w, "it has this slot's file name; it is the certificate of "+string(s.taken[c][0].slot.ID)+" too")
					break
				}
			}
			for _, f := range s.fits[c] {
				if w.file.placed || s.placed[f.role] != nil || f.identity < identified || f.total+s.byIssuer(f.role, c) < plausible || !f.role.does(c) {
					continue
				}
				s.placeAt(f.role, c, w, s.leafReasons(f.role, c)+"; it is the certificate of "+string(s.taken[c][0].slot.ID)+" too")
			}
		}
	}
}

// does says whether a certificate has all that a slot requires of names and usages.
func (r *role) does(c *cert) bool {
	required := 0
	for _, k := range c.names {
		if r.names[k] {
			required++
		}
	}
	return required == r.required && r.usable(c)
}

// at says whether a file has the path of a slot's file, in its node's folder
// where there are several nodes.
func (s *sorter) at(f *file, r *role, want pathName) bool {
	return f.path.is(want) && (r.slot.Node == "" || slices.Contains(f.path.parts, r.slot.Node) || s.nodes(r) == 1)
}

// fine divides a point of evidence, for what counts only between equals.
const fine = 1024

// recency ranks certificates by their end, below fine: of one that was renewed
// and its successor the successor is meant.
func recency(certs []*cert) []int {
	var ends []int64
	for _, c := range certs {
		ends = append(ends, c.x.NotAfter.Unix())
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	out := make([]int, len(certs))
	for i, c := range certs {
		at, _ := slices.BinarySearch(ends, c.x.NotAfter.Unix())
		out[i] = (at + 1) * (fine - 1) / len(ends)
	}
	return out
}

// leafReasons says why a leaf is in its slot.
func (s *sorter) leafReasons(r *role, c *cert) string {
	f := r.fit(c, true)
	f.reasons = first(f.reasons, 1)
	if why := s.issuerWords(r, c); why != "" {
		return f.why() + "; " + why
	}
	return f.why()
}

func (s *sorter) issuerWords(r *role, c *cert) string {
	ca := s.authority[r.slot.Authority]
	switch c.to(ca) {
	case child:
		return fmt.Sprintf("its issuer is the CA of %s", r.slot.Authority)
	case below:
		return fmt.Sprintf("it stands under the CA of %s", r.slot.Authority)
	case namesake:
		return fmt.Sprintf("its issuer has the name of the CA of %s, and another key", r.slot.Authority)
	}
	return ""
}

// lastOnes fills slots with certificates that nothing but their issuer and their
// usages speak for: a client of etcd may bear any name. It does so only where as
// many are left as slots that they can be in, so that none is chosen over another.
func (s *sorter) lastOnes(free []*cert) {
	var open []*role
	for _, r := range s.roles {
		if r.slot.Kind == topology.Leaf && s.placed[r] == nil && s.authority[r.slot.Authority] != nil {
			open = append(open, r)
		}
	}
	left := slices.DeleteFunc(slices.Clone(free), func(c *cert) bool { return len(s.taken[c]) > 0 || c.signs() })
	if len(open)*len(left) > maxLast {
		return
	}
	var edges []edge
	for i, r := range open {
		for j, c := range left {
			if rel := c.to(s.authority[r.slot.Authority]); (rel == child || rel == below) && r.usable(c) {
				f := r.fit(c, false)
				edges = append(edges, edge{i, j, max(1, maxLast+f.total)})
			}
		}
	}
	for _, part := range parts(len(open), len(left), edges) {
		rows, cols := positions(part, func(e edge) int { return e.row }), positions(part, func(e edge) int { return e.col })
		if len(rows) != len(cols) {
			continue
		}
		why := "the last certificate under the CA of %s, for the last empty slot"
		if len(rows) > 1 {
			why = "one of the last certificates under the CA of %s, for the last empty slots; any would do as well"
		}
		found := assign(len(open), len(left), part)
		for _, i := range rows {
			if j, ok := found[i]; ok {
				s.place(open[i], left[j], fmt.Sprintf(why, open[i].slot.Authority))
			}
		}
	}
}

// maxLast bounds the pairs of what is left; beyond, much more is wrong with a
// pile than one certificate.
const maxLast = 10_000

// usable says whether a certificate has the slot's usages: without a likeness
// of names and subjects that is all there is to go by.
func (r *role) usable(c *cert) bool {
	f := fit{}
	r.byUsages(&f, c)
	return f.total > 0
}

// itsOwnCA lets a certificate that signed itself be both: Calico's documented
// API server certificate is its own CA.
func (s *sorter) itsOwnCA() {
	for _, r := range s.roles {
		ca := s.authority[r.slot.Authority]
		if r.slot.Kind != topology.Leaf || s.placed[r] != nil || ca == nil || !ca.selfSigned() || len(ca.names) == 0 {
			continue
		}
		if f := r.fit(ca, true); f.identity >= forRequired {
			s.place(r, ca, f.why()+"; it is its own CA")
		}
	}
}

// place gives a slot a certificate, in the place of it that suits the slot best.
func (s *sorter) place(r *role, c *cert, why string) {
	s.placeAt(r, c, s.bestPlace(r, c), why)
}

func (s *sorter) placeAt(r *role, c *cert, w where, why string) {
	if w.rank == behindLeaf {
		why += fmt.Sprintf("; it stands behind another certificate in %s", untrusted.Text(w.file.Name))
	}
	s.placed[r], s.where[r], c.home = c, w, w.file
	s.taken[c] = append(s.taken[c], r)
	w.file.placed = true
	w.file.claims.add(w.index, r)
	s.out.Placed = append(s.out.Placed, Placed{
		Slot: r.slot.ID, Part: Cert, File: w.file.Name, Why: why,
		Source: w.file.Doc.Certificates[w.index].Source, Behind: w.index > 0 && w.file.certs[0] != nil,
	})
}

// bestPlace chooses among the places of one certificate: the slot's own file
// name, then a form that components read, then what brings its chain or, where
// none is needed, brings nothing else.
func (s *sorter) bestPlace(r *role, c *cert) where {
	ca := s.authority[r.slot.Authority]
	chain := 1 // more is better
	if r.slot.Kind == topology.CA || c.to(ca) == child {
		chain = -1
	}
	cost := func(w where) int {
		n := 0
		if p, _ := r.path(w.file, r.cert); p < forOwnPath {
			n += 100
		}
		switch {
		case w.file.kubeconfig() && r.slot.Files.Cert == "" && r.config:
			n -= 1000
		case w.file.Doc.Format == material.FormatPEM:
		case w.file.kubeconfig():
			n += 1000
		default:
			n += 200
		}
		if w.rank == behindLeaf {
			n += 500
		}
		if w.index > 0 {
			n += 20
		}
		if len(w.file.claims[w.index]) > 0 {
			n += 50 // another slot has it from here
		}
		return n - chain*min(w.chain, 9)
	}
	// Of equals the first counts, by content and then by name.
	return slices.MinFunc(c.at, func(a, b where) int { return cmp.Compare(cost(a), cost(b)) })
}
