package topology

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// values gives the values of a fact, and of {{each}}.
func (r *resolver) values(fact string) ([]string, bool) {
	if fact == "each" && r.each != "" {
		return []string{r.each}, true
	}
	if r.node != nil || slices.Contains(nodeLists, fact) {
		if vs, ok := nodeValues(fact, r.nodes, r.node); ok {
			return vs, true
		}
	}
	return r.t.Facts.values(fact)
}

// words fills in each word by itself: a word that yields several values becomes
// a comma list, as programs take them, and the words around it stay as they are.
func (r *resolver) words(s string) string {
	var words []string
	for word := range splitWords(s) {
		words = append(words, r.one(word))
	}
	return strings.Join(words, " ")
}

// prose fills in each part by itself, so that a list stands in its sentence
// as a list.
func (r *resolver) prose(s string) string {
	t, err := parseTemplate(s)
	if err != nil {
		return "" // Validate has refused such a profile
	}
	var b strings.Builder
	for i := range t {
		b.WriteString(strings.Join(r.eval(t[i:i+1]), ", "))
	}
	return b.String()
}

func (r *resolver) step(s Step) Step {
	s.Text = r.prose(s.Text)
	run := s.Run
	fill := func() []string {
		out := make([]string, len(run))
		for i := range run {
			out[i] = r.words(run[i])
		}
		return out
	}
	if s.Each == "" {
		s.Run = fill()
		return s
	}
	s.Run = nil
	hosts, _ := r.values(s.Each)
	for _, host := range hosts {
		r.each = host
		s.Hosts = append(s.Hosts, HostStep{host, fill()})
	}
	r.each = ""
	return s
}

// all evaluates an expression; a problem is noted once.
func (r *resolver) all(s string) []string {
	t, err := parseTemplate(s)
	if err != nil {
		return nil // Validate has refused such a profile
	}
	return r.eval(t)
}

func (r *resolver) eval(t template) []string {
	vs, err := t.eval(r.values)
	var fp *FactProblem
	if errors.As(err, &fp) && !slices.ContainsFunc(r.problems, func(o *FactProblem) bool { return *o == *fp }) {
		if i := r.t.Profile.factIndex(fp.Fact); i < len(r.t.Profile.Facts) {
			fp.Example = r.t.Profile.Facts[i].Example
		}
		if !slices.ContainsFunc(r.problems, func(o *FactProblem) bool { return o.Fact == fp.Fact }) {
			r.problems = append(r.problems, fp)
		}
	}
	return vs
}

func (r *resolver) one(s string) string { return strings.Join(r.all(s), ",") }

// maxCN is the upper bound of a common name (RFC 5280 appendix A.1, ub-common-name).
const maxCN = 64

func (r *resolver) subject(s Subject) Subject {
	out := Subject{CN: r.one(s.CN)}
	if len(out.CN) > maxCN && CheckDNSName(out.CN) == nil {
		// A host name may be longer than a common name. The names are in the
		// SAN; the CN is for people, and its first label tells them enough. A
		// user such as system:node:NAME is compared whole, and stays: Kubernetes
		// itself makes such certificates, whatever their length.
		out.CN, _, _ = strings.Cut(out.CN, ".")
		out.CN = out.CN[:min(len(out.CN), maxCN)]
	}
	for _, o := range s.O {
		out.O = append(out.O, r.all(o)...)
	}
	return out
}

// names fills in the names of a slot. One that several entries yield keeps
// every reason.
func (r *resolver) names(specs []NameSpec) []Name {
	return r.merged(specs, func(known *Name, n Name) {
		if known.Required == "" {
			known.Required = n.Required
		}
		if known.Advised == "" {
			known.Advised = n.Advised
		}
	})
}

// dials fills in the names of an edge. One that some entry dials without
// reserve must not fail.
func (r *resolver) dials(specs []NameSpec) []Name {
	return r.merged(specs, func(known *Name, n Name) {
		if n.Advised == "" {
			known.Advised = ""
		}
	})
}

func (r *resolver) merged(specs []NameSpec, merge func(known *Name, n Name)) []Name {
	var out []Name
	add := func(n Name) {
		for i := range out {
			if out[i].Kind == n.Kind && out[i].Value == n.Value {
				merge(&out[i], n)
				return
			}
		}
		out = append(out, n)
	}
	for _, s := range specs {
		switch {
		case s.DNS != "":
			for _, v := range r.all(s.DNS) {
				add(Name{DNSName, v, s.Required, s.Advised})
			}
		case s.IP != "":
			for _, v := range r.all(s.IP) {
				if a, err := netip.ParseAddr(v); err == nil {
					add(Name{IPAddress, a.Unmap().String(), s.Required, s.Advised})
				}
			}
		case s.URI != "":
			for _, v := range r.all(s.URI) {
				if u, err := url.Parse(v); err == nil && v != "" {
					add(Name{URIName, u.String(), s.Required, s.Advised})
				}
			}
		default:
			for _, v := range r.all(s.Host) {
				if a, err := netip.ParseAddr(v); err == nil {
					add(Name{IPAddress, a.Unmap().String(), s.Required, s.Advised})
				} else {
					add(Name{DNSName, v, s.Required, s.Advised})
				}
			}
		}
	}
	return out
}
