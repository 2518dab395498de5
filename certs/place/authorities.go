package place

import (
	"fmt"
	"path"
	"slices"

	"certwright/certs/topology"
)

// What speaks for a CA beside its leaves.
const (
	forCACN   = 40      // the CA's common name that we would have issued
	forCAFlag = 5       // it says CA:TRUE
	forNewest = 8       // of several certificates of one CA, the one that lasts longest
	forClose  = 4       // made when the others were, or beside them: only between equals
	caEnough  = 30      // what a CA needs to be thought of
	forOne    = 1 << 20 // that it is anything at all: above every sum of the others
)

// votes are what a CA's leaves say: for each slot the score of the one that fits best.
type votes struct {
	slots  map[*role]int
	direct bool // some of them are its own, not an intermediate's
	leaves int
}

// authorities gives each CA slot the CA whose leaves fit the authority's slots
// best. One CA may be the CA of several, but only where no other comes into
// question for one of them.
func (s *sorter) authorities() {
	s.fits = s.fittings()
	slots := s.cas
	if len(slots) == 0 {
		return
	}
	ballot := s.ballot()
	var cas []*cert
	for _, c := range s.certs {
		if c.signs() || c.x.IsCA || s.named(slots, c) {
			cas = append(cas, c)
		}
	}
	slices.SortFunc(cas, byHash)
	// First what lies there as a CA; what stands behind a leaf only where nothing else does.
	for rank := range ranks {
		var open []*role
		for _, r := range slots {
			if s.placed[r] == nil {
				open = append(open, r)
			}
		}
		s.elect(open, slices.DeleteFunc(slices.Clone(cas), func(c *cert) bool { return c.rank != rank }), ballot)
	}
	s.onlyCA(slots, cas)
}

// named says that a certificate has the file name of a CA slot.
func (s *sorter) named(slots []*role, c *cert) bool {
	return slices.ContainsFunc(slots, func(r *role) bool {
		return slices.ContainsFunc(first(c.at, maxAbove), func(w where) bool { return w.file.path.is(r.cert) })
	})
}

// ballot collects the votes of all leaves, by CA and authority.
func (s *sorter) ballot() map[*cert]map[topology.AuthorityID]*votes {
	out := map[*cert]map[topology.AuthorityID]*votes{}
	for _, c := range s.certs {
		fits := s.fits[c]
		best := 0
		for _, f := range fits {
			if f.identity >= identified {
				best = max(best, f.total)
			}
		}
		if best < plausible {
			continue
		}
		for ca, weight := range c.above() {
			voted := map[topology.AuthorityID]bool{}
			for _, f := range fits {
				// A leaf speaks for the authorities that it fits about best.
				if f.identity < identified || f.total < best-forO {
					continue
				}
				v := vote(out, ca, f.role.slot.Authority)
				v.slots[f.role] = max(v.slots[f.role], f.total*weight/100)
				v.direct = v.direct || weight == 100
				if !voted[f.role.slot.Authority] {
					v.leaves++
				}
				voted[f.role.slot.Authority] = true
			}
		}
	}
	return out
}

func vote(all map[*cert]map[topology.AuthorityID]*votes, ca *cert, a topology.AuthorityID) *votes {
	if all[ca] == nil {
		all[ca] = map[topology.AuthorityID]*votes{}
	}
	if all[ca][a] == nil {
		all[ca][a] = &votes{slots: map[*role]int{}}
	}
	return all[ca][a]
}

// above are the CAs over a certificate, with what its vote counts for each in
// percent: whole for its issuer, less further up, little where only a name says so.
func (c *cert) above() map[*cert]int {
	out := map[*cert]int{}
	if c.selfSigned() {
		out[c] = 100
		return out
	}
	row := c.issuers
	for weight := 100; len(row) > 0 && len(out) < maxAbove; weight = weight / 2 {
		var next []*cert
		for _, p := range row {
			if !has(out, p) {
				out[p] = weight
				next = append(next, first(p.issuers, 2)...)
			}
		}
		row = next
	}
	if len(out) == 0 {
		for _, p := range c.named {
			out[p] = 25
		}
	}
	return out
}

// candidacy is one CA for one authority.
type candidacy struct {
	score  int
	direct bool // it is the issuer, or has the name
	voted  bool // some of the authority's leaves stand under it
	fit    fit
}

func (s *sorter) candidacy(r *role, c *cert, ballot map[*cert]map[topology.AuthorityID]*votes) candidacy {
	out := candidacy{fit: fit{explain: true}}
	f := &out.fit
	if v := ballot[c][r.slot.Authority]; v != nil {
		sum := 0
		for _, points := range v.slots {
			sum += points
		}
		text := "it is the issuer of " + count(v.leaves, "certificate") + " of this authority"
		if !v.direct {
			text = "it stands over " + count(v.leaves, "certificate") + " of this authority"
		}
		f.add(sum, true, text)
		out.direct, out.voted = v.direct, true
	}
	if cn := r.slot.Subject.CN; cn != "" && c.x.Subject.CommonName == cn {
		f.add(forCACN, true, "it has this CA's common name")
		out.direct = true
	}
	best, text := 0, ""
	for _, w := range first(c.at, maxAbove) {
		points, t := r.path(w.file, r.cert)
		if slices.Contains(w.file.path.words, string(r.slot.Authority)) {
			points += forWord
			if t == "" {
				t = "its file name has the authority's name"
			}
		}
		if points > best {
			best, text = points, t
		}
	}
	f.add(best, true, text)
	out.direct = out.direct || best >= forOwnPath
	if c.x.IsCA {
		f.add(forCAFlag, false, "")
	}
	out.score = f.total
	return out
}

// elect decides for the open CA slots among the candidates.
func (s *sorter) elect(open []*role, cas []*cert, ballot map[*cert]map[topology.AuthorityID]*votes) {
	table := make([][]candidacy, len(open))
	for i, r := range open {
		for _, c := range cas {
			table[i] = append(table[i], s.candidacy(r, c, ballot))
		}
		// Who stands above the issuer is no candidate beside it.
		if slices.ContainsFunc(table[i], func(k candidacy) bool { return k.direct && k.score >= caEnough }) {
			for j := range table[i] {
				if !table[i][j].direct && ballot[cas[j]][r.slot.Authority] != nil {
					table[i][j].score = 0
				}
			}
		}
	}
	newest := map[string]*cert{} // by name and key
	for _, c := range cas {
		if id := string(c.x.RawSubject) + c.key; newest[id] == nil || c.x.NotAfter.After(newest[id].x.NotAfter) {
			newest[id] = c
		}
	}
	for j, c := range cas {
		for i := range open {
			if table[i][j].score >= caEnough && newest[string(c.x.RawSubject)+c.key] == c {
				table[i][j].score += forNewest
			}
		}
	}
	s.neighbours(open, cas, table)
	var edges []edge
	for i := range open {
		for j := range cas {
			if table[i][j].score >= caEnough {
				// A CA that nobody else is asks to be somebody, however many of its
				// leaves another has signed: first as many CAs as can be, then the best.
				edges = append(edges, edge{i, j, forOne + table[i][j].score})
			}
		}
	}
	found := assign(len(open), len(cas), edges)
	settle := func(i, j int) {
		s.authority[open[i].slot.Authority] = cas[j]
		s.place(open[i], cas[j], table[i][j].fit.why())
	}
	for i := range open {
		if j, ok := found[i]; ok {
			settle(i, j)
		}
	}
	for i, r := range open {
		if has(found, i) {
			continue
		}
		best := -1 // shared with another authority
		for j, c := range cas {
			if k := table[i][j]; k.score >= caEnough && (k.voted || s.spare(r, c)) && (best < 0 || k.score > table[i][best].score) {
				best = j
			}
		}
		if best >= 0 {
			settle(i, best)
		}
	}
}

// spare says whether a certificate lies under the slot's own file name where no
// other slot took it from: one that was copied there is meant for both.
func (s *sorter) spare(r *role, c *cert) bool {
	return slices.ContainsFunc(c.at, func(w where) bool { return w.file.path.is(r.cert) && len(w.file.claims[w.index]) == 0 })
}

// neighbours decides between CAs of one authority that are equally good, as
// those of two clusters are where no fact is in them: for what lies beside the
// CA that was decided most clearly, or was made at the time nearest to it.
func (s *sorter) neighbours(open []*role, cas []*cert, table [][]candidacy) {
	var anchor *cert
	clearest := forClose
	for i := range open {
		best, second := -1, 0
		for j := range cas {
			switch {
			case best < 0 || table[i][j].score > table[i][best].score:
				if best >= 0 {
					second = table[i][best].score
				}
				best = j
			default:
				second = max(second, table[i][j].score)
			}
		}
		if best >= 0 && second >= caEnough && table[i][best].score-second > clearest {
			clearest, anchor = table[i][best].score-second, cas[best]
		}
	}
	if anchor == nil {
		return
	}
	distance := func(c *cert) int64 {
		d := c.x.NotBefore.Unix() - anchor.x.NotBefore.Unix()
		return max(d, -d)
	}
	for i := range open {
		nearest := int64(-1)
		for j, c := range cas {
			if table[i][j].score >= caEnough && (nearest < 0 || distance(c) < nearest) {
				nearest = distance(c)
			}
		}
		for j, c := range cas {
			if table[i][j].score < caEnough {
				continue
			}
			if distance(c) == nearest {
				table[i][j].score += forClose - 1
			}
			if together(c, anchor) {
				table[i][j].score++
			}
		}
	}
}

// together says whether two certificates lie in one folder.
func together(a, b *cert) bool {
	return slices.ContainsFunc(first(a.at, maxAbove), func(w where) bool {
		return slices.ContainsFunc(first(b.at, maxAbove), func(o where) bool {
			return path.Dir(w.file.path.stem) == path.Dir(o.file.path.stem)
		})
	})
}

// onlyCA takes the only CA there is for the only authority that is asked for.
func (s *sorter) onlyCA(slots []*role, cas []*cert) {
	cas = slices.DeleteFunc(slices.Clone(cas), func(c *cert) bool { return !c.x.IsCA || c.rank == behindLeaf })
	if len(slots) == 1 && len(cas) == 1 && s.placed[slots[0]] == nil {
		s.authority[slots[0].slot.Authority] = cas[0]
		s.place(slots[0], cas[0], "it is the only CA here")
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
