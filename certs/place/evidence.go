package place

import (
	"crypto/x509"
	"fmt"
	"path"
	"slices"
	"strings"

	"certwright/certs/topology"
)

// What each piece of evidence counts. The scale is that of names: 100 for a
// certificate with exactly the names that we would have issued. The order of
// the weights is what the tests hold; the figures may move.
const (
	forNames     = 100 // × what cert and slot have in common / what either has
	forRequired  = 60  // × required names that are covered / required names
	forNameless  = 20  // no names, where the slot has none
	forCNAsName  = 30  // a required name stands in the common name alone
	forCN        = 60  // the exact common name
	forCNWords   = 25  // × common words / all words
	forGroups    = 40  // the groups that the component reads
	forO         = 10  // the organization that we would have issued
	forUsages    = 20  // every required usage
	forExact     = 10  // the very usages that we would have issued
	forAnyUsage  = 10  // no extended key usage: fit for all
	forIssuer    = 50  // under the authority's CA
	forNamesake  = 20  // names the authority's CA, another key signed it
	forOwnPath   = 50  // the slot's path in the layout
	forOwnBase   = 15  // its last element alone
	forNodePath  = 25  // the slot's node is a folder of the path
	forWord      = 8   // × words of the slot's name in the path, at most two
	forKey       = 6   // its private key lies here
	forContainer = 10  // it comes in the form that the slot is used in

	againstNames    = 10 // for each name where the slot has none, at most three
	againstUsage    = 10 // a required usage is missing
	againstUsages   = 40 // all of them are
	againstGroups   = 10 // not in the groups that the component reads
	againstCN       = 20 // not the common name that a component reads
	againstCA       = 40 // CA:TRUE on a leaf
	againstStranger = 30 // under a CA of this pile that is not the authority's
	againstOther    = 40 // under the CA of another authority

	identified = 25 // what names, subject and file must yield before a slot is thought of
	plausible  = 40 // what all together must
)

// role is a slot with what is compared often.
type role struct {
	slot     *topology.Slot
	order    int
	names    map[string]bool // by nameKey: whether it is required
	required int
	cnWords  []string
	words    []string // of the slot's name
	config   bool     // it is used as a kubeconfig
	cert     pathName // of its files in the layout
	key      pathName
	public   pathName
}

func newRole(slot *topology.Slot, order int) *role {
	r := &role{slot: slot, order: order, names: map[string]bool{}, cnWords: words(slot.Subject.CN), words: words(slot.ID.Base().Name())}
	r.cert, r.key, r.public = newPathName(slot.Files.Cert), newPathName(slot.Files.Key), newPathName(slot.Files.Public)
	for _, n := range slot.Names {
		if k := nameKey(n.Kind, n.Value); k != "" {
			r.names[k] = r.names[k] || n.Required != ""
		}
	}
	for _, required := range r.names {
		if required {
			r.required++
		}
	}
	r.config = slices.ContainsFunc(slot.Consumers, func(c topology.Consumer) bool { return c.As == topology.AsKubeconfig })
	return r
}

// fit is how well a certificate fits a slot.
type fit struct {
	identity int // of names, subject and file
	total    int
	explain  bool     // reasons are wanted: most fits are only compared
	reasons  []reason // the best first
}

// reason is one piece of evidence, in words for a person.
type reason struct {
	points int
	words  string
}

func (f *fit) add(points int, identity bool, words string) {
	f.total += points
	if identity {
		f.identity += points
	}
	if f.explain && words != "" && points > 0 {
		f.reasons = append(f.reasons, reason{points, words})
		for i := len(f.reasons) - 1; i > 0 && f.reasons[i-1].points < points; i-- {
			f.reasons[i-1], f.reasons[i] = f.reasons[i], f.reasons[i-1]
		}
	}
}

// why is the best reason, and the next one where both are short.
func (f *fit) why() string {
	rs := f.reasons
	switch {
	case len(rs) == 0:
		return "it fits this slot better than any other"
	case len(rs) > 1 && len(rs[0].words)+len(rs[1].words) < 60:
		return rs[0].words + " and " + strings.TrimPrefix(rs[1].words, "it ")
	}
	return rs[0].words
}

// fit compares a certificate with a slot, its issuer left aside.
func (r *role) fit(c *cert, explain bool) fit {
	f := fit{explain: explain}
	r.byNames(&f, c)
	r.bySubject(&f, c)
	r.byUsages(&f, c)
	r.byPath(&f, c)
	if c.x.IsCA {
		f.total -= againstCA
	}
	return f
}

func (r *role) byNames(f *fit, c *cert) {
	if len(r.names) == 0 {
		if len(c.names) == 0 {
			f.add(forNameless, false, "")
		} else {
			f.total -= againstNames * min(3, len(c.names))
		}
		return
	}
	covered, required := 0, 0
	take := func(k string) {
		covered++
		if r.names[k] {
			required++
		}
	}
	for _, k := range c.names {
		if has(r.names, k) {
			take(k)
		}
	}
	for _, parent := range c.parents { // each name of a slot that a wildcard covers
		for k := range r.names {
			if _, rest, ok := strings.Cut(k, "."); ok && rest == parent && k[0] == 'd' && !slices.Contains(c.names, k) && !strings.HasPrefix(k, "d*") {
				take(k)
			}
		}
	}
	covered, required = min(covered, len(r.names)), min(required, r.required)
	all := len(r.names) + max(0, len(c.names)-covered)
	text := ""
	if required > 0 {
		if f.explain {
			text = "it has " + share(required, r.required, "name", "that is dialled", "that are dialled")
		}
		f.add(forRequired*required/r.required, true, text)
		text = ""
	} else if covered > 0 && f.explain {
		text = "it has " + share(covered, len(r.names), "name", "of this slot", "of this slot")
	}
	f.add(forNames*covered/all, true, text)
	if len(c.names) == 0 && c.x.Subject.CommonName != "" && r.names[nameKey(topology.DNSName, c.x.Subject.CommonName)] {
		f.add(forCNAsName, true, "its common name is a name that is dialled")
	}
}

func share(n, of int, what, one, many string) string {
	switch {
	case of == 1:
		return fmt.Sprintf("the %s %s", what, one)
	case n == of:
		return fmt.Sprintf("all %d %ss %s", of, what, many)
	}
	return fmt.Sprintf("%d of the %d %ss %s", n, of, what, many)
}

func (r *role) bySubject(f *fit, c *cert) {
	cn, want := c.x.Subject.CommonName, r.slot.Requires.CN
	switch {
	case cn == "":
	case cn == want || cn == r.slot.Subject.CN:
		f.add(forCN, true, "it has this slot's common name")
	case strings.EqualFold(cn, r.slot.Subject.CN):
		f.add(forCN-10, true, "it has this slot's common name in other letters")
	default:
		if n := common(c.cnWords, r.cnWords); n > 0 {
			f.add(forCNWords*n/(len(c.cnWords)+len(r.cnWords)-n), true, "its common name is like this slot's")
		}
		if want != "" && !r.slot.Requires.Advisory {
			f.total -= againstCN
		}
	}
	if groups := r.slot.Requires.Groups; len(groups) > 0 {
		in := slices.IndexFunc(groups, func(g []string) bool {
			return len(g) > 0 && !slices.ContainsFunc(g, func(o string) bool { return !slices.Contains(c.x.Subject.Organization, o) })
		})
		if in >= 0 {
			f.add(forGroups, true, "it is in the group "+strings.Join(groups[in], ", "))
		} else {
			f.total -= againstGroups
		}
	}
	if o := r.slot.Subject.O; len(o) > 0 && slices.Equal(o, c.x.Subject.Organization) {
		f.add(forO, true, "")
	}
	if want := r.slot.Requires.URI; want != "" && slices.Contains(c.names, "u"+want) {
		f.add(forCN, true, "it has the URI that is asked for")
	}
}

var usages = []struct {
	usage topology.Usage
	bit   x509.ExtKeyUsage
}{{topology.ServerAuth, x509.ExtKeyUsageServerAuth}, {topology.ClientAuth, x509.ExtKeyUsageClientAuth}}

func (r *role) byUsages(f *fit, c *cert) {
	if len(c.x.ExtKeyUsage)+len(c.x.UnknownExtKeyUsage) == 0 || slices.Contains(c.x.ExtKeyUsage, x509.ExtKeyUsageAny) {
		f.add(forAnyUsage, false, "")
		return
	}
	missing, exact := 0, true
	for _, u := range usages {
		has := slices.Contains(c.x.ExtKeyUsage, u.bit)
		if !has && slices.Contains(r.slot.Requires.Usages, u.usage) {
			missing++
		}
		exact = exact && has == slices.Contains(r.slot.Usages, u.usage)
	}
	switch {
	case missing == 0:
		f.add(forUsages, false, "")
	case missing == len(r.slot.Requires.Usages):
		f.total -= againstUsages
	default:
		f.total -= againstUsage * missing
	}
	if exact {
		f.add(forExact, false, "")
	}
}

// byPath counts the best of a certificate's places.
func (r *role) byPath(f *fit, c *cert) {
	best, text := 0, ""
	for _, w := range first(c.at, 8) {
		if p, t := r.path(w.file, r.cert); p > best {
			best, text = p, t
		}
	}
	f.add(best, best >= forOwnBase, text)
	if r.config && r.slot.Files.Cert == "" && slices.ContainsFunc(c.at, func(w where) bool { return w.file.kubeconfig() }) {
		f.add(forContainer, false, "")
	}
}

// pathName is a path without its ending, cut up.
type pathName struct {
	stem  string
	base  string
	parts []string
	words []string
}

func newPathName(p string) pathName {
	if p == "" {
		return pathName{}
	}
	p = path.Clean(strings.ReplaceAll(p, `\`, "/"))
	p = strings.TrimSuffix(strings.TrimSuffix(p, path.Ext(p)), ".crt")
	return pathName{stem: p, base: path.Base(p), parts: strings.Split(p, "/"), words: words(p)}
}

// is says that a file has the path that the layout gives it, wherever the tree begins.
func (p pathName) is(want pathName) bool {
	return want.stem != "" && (p.stem == want.stem || strings.HasSuffix(p.stem, "/"+want.stem))
}

// path says what a file's name tells of a slot.
func (r *role) path(f *file, want pathName) (points int, text string) {
	if n := r.slot.Node; n != "" && slices.Contains(f.path.parts, n) {
		points, text = forNodePath, "it lies in its node's folder"
	}
	switch {
	case f.path.is(want):
		return points + forOwnPath, "it has this slot's file name"
	case want.base != "" && f.path.base == want.base:
		return points + forOwnBase, "it has this slot's file name"
	}
	if n := common(r.words, f.path.words); n > 0 {
		points += forWord * min(n, 2)
	}
	return points, text
}
