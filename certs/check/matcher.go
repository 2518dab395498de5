package check

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"slices"
	"strings"
)

type pkixExtension = pkix.Extension

// matcher says whether a name lies in one side of the constraints.
//
// RFC 5280 4.2.1.10 and Go differ on mail and URI domains: by the RFC the
// constraint example.com means that one host, by Go the hosts below it too.
// Without a profile both must agree that a name is permitted; with one, only
// what Go does counts.
type matcher struct {
	s               *subtrees
	exact           bool // a mail or URI domain means that one host
	permitted       bool
	names           map[string]bool // DNS constraints, lower case
	domains, hosts  map[string]bool // of mail and URI
	wholeMail       map[string]bool
	wildcardParents map[string]bool
}

func newMatcher(s *subtrees, rfc, permitted bool) *matcher {
	m := &matcher{s: s, exact: rfc && permitted, permitted: permitted, names: set(s.dns), hosts: set(s.uris), domains: map[string]bool{}, wholeMail: map[string]bool{}}
	for _, e := range s.emails {
		if local, domain, ok := cutMail(e); ok {
			m.wholeMail[local+"@"+strings.ToLower(domain)] = true
		} else {
			m.domains[strings.ToLower(e)] = true
		}
	}
	if !permitted {
		m.wildcardParents = map[string]bool{}
		for _, d := range s.dns {
			if _, parent, ok := strings.Cut(strings.ToLower(d), "."); ok {
				m.wildcardParents[parent] = true
			}
		}
	}
	return m
}

func set(values []string) map[string]bool {
	out := make(map[string]bool, len(values))
	for _, v := range values {
		out[strings.ToLower(v)] = true
	}
	return out
}

// suffix looks a domain up: itself, and each domain above it. A constraint with
// a leading dot wants at least one label more; an empty one takes everything.
func suffix(constraints map[string]bool, domain string, exact bool) bool {
	if len(constraints) == 0 {
		return false
	}
	domain = strings.ToLower(domain)
	if constraints[""] || constraints[domain] {
		return true
	}
	for rest := domain; ; {
		_, above, ok := strings.Cut(rest, ".")
		if !ok {
			return false
		}
		if constraints["."+above] || !exact && constraints[above] {
			return true
		}
		rest = above
	}
}

func (m *matcher) dns(name string) bool {
	if suffix(m.names, name, false) {
		return true
	}
	// A wildcard that could stand for an excluded name is excluded.
	if parent, ok := strings.CutPrefix(strings.ToLower(name), "*."); ok && !m.permitted {
		return m.wildcardParents[parent]
	}
	return false
}

func (m *matcher) ip(ip net.IP) bool {
	return slices.ContainsFunc(m.s.ips, func(n *net.IPNet) bool { return len(n.IP) == len(ip) && n.Contains(ip) })
}

func (m *matcher) uri(host string) bool { return suffix(m.hosts, host, m.exact) }

func (m *matcher) email(address string) bool {
	if len(m.s.emails) == 0 {
		return false
	}
	local, domain, ok := cutMail(address)
	if !ok {
		return !m.permitted // what is no address is in no permitted tree, and in every excluded one
	}
	return m.wholeMail[local+"@"+strings.ToLower(domain)] || suffix(m.domains, domain, m.exact)
}

func cutMail(s string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return "", "", false
	}
	if local = s[:i]; !strings.HasPrefix(local, `"`) && strings.Contains(local, "@") {
		return "", "", false
	}
	return strings.Trim(local, `"`), s[i+1:], true
}

// dir says whether a name begins with one of the directory names.
func (m *matcher) dir(name []byte) bool {
	subject := sequence(name)
	return slices.ContainsFunc(m.s.dirs, func(tree asn1.RawValue) bool {
		base := sequence(tree.Bytes)
		if len(base) > len(subject) {
			return false
		}
		for i := range base {
			if !slices.Equal(attributes(base[i]), attributes(subject[i])) {
				return false
			}
		}
		return true
	})
}

// addressBytes is an address as a certificate holds it: 4 or 16 bytes.
func addressBytes(s string) net.IP {
	ip := net.ParseIP(s)
	if v4 := ip.To4(); v4 != nil {
		return v4
	}
	return ip
}
