package check

import (
	"crypto/x509"
	"slices"
)

// Held is a file with certificates, in any order: leaves, what stands above
// them, or CAs alone.
type Held struct {
	Path         string
	Certificates []*x509.Certificate
}

// Orphans lists the kept files with a leaf whose CA is among before and, by name
// and key, not among after: what a new CA would break. Its CA is the nearest one
// of before that it chains to; intermediates may stand beside it. That one
// counts and not a root above it, because trust of one component is its own
// issuing CA. A leaf that had no CA among before is not counted: the exchange
// takes nothing from it. Dates and usages are other rules' business.
func Orphans(kept []Held, before, after []*x509.Certificate) []Held {
	old, next := bySubject(before), bySubject(after)
	return slices.DeleteFunc(slices.Clone(kept), func(h Held) bool {
		beside := bySubject(h.Certificates)
		return !slices.ContainsFunc(h.Certificates, func(c *x509.Certificate) bool {
			return !c.IsCA && orphaned(c, beside, old, next)
		})
	})
}

// bySubject indexes the CAs among certificates, each once.
func bySubject(certs []*x509.Certificate) map[string][]*x509.Certificate {
	out := map[string][]*x509.Certificate{}
	for _, c := range certs {
		name := string(c.RawSubject)
		if c.IsCA && !slices.ContainsFunc(out[name], c.Equal) {
			out[name] = append(out[name], c)
		}
	}
	return out
}

// orphaned walks up from a leaf to the first certificate that a CA of before has
// signed, and says whether none of after has. Each intermediate is looked at
// once, and no more signatures are checked than crypto/x509 would.
func orphaned(leaf *x509.Certificate, beside, before, after map[string][]*x509.Certificate) bool {
	checks := 0
	signed := func(child *x509.Certificate) func(*x509.Certificate) bool {
		return func(parent *x509.Certificate) bool {
			if checks++; checks > maxChecks {
				return false
			}
			v := checkSignature(child, parent)
			return v == sigGood || v == sigWeak
		}
	}
	seen := map[*x509.Certificate]bool{}
	todo := []*x509.Certificate{leaf}
	for len(todo) > 0 {
		c := todo[0]
		todo = todo[1:]
		if slices.ContainsFunc(before[string(c.RawIssuer)], signed(c)) {
			return !slices.ContainsFunc(after[string(c.RawIssuer)], signed(c))
		}
		for _, i := range beside[string(c.RawIssuer)] {
			if !seen[i] && signed(c)(i) {
				seen[i] = true
				todo = append(todo, i)
			}
		}
	}
	return false
}
