package check

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"certwright/certs/untrusted"
)

// maxComparisons bounds names times constraints on one path. crypto/x509 used
// the same figure until it learnt to sort them; no honest chain comes near.
const maxComparisons = 250_000

// subtrees are one side of a certificate's name constraints.
type subtrees struct {
	dns, uris, emails []string
	ips               []*net.IPNet
	dirs              []asn1.RawValue // directory names
	strange           map[int]int     // how many of each kind that nobody here can check, by tag
}

func (s *subtrees) size() int {
	return len(s.dns) + len(s.uris) + len(s.emails) + len(s.ips) + len(s.dirs) + len(s.strange)
}

// nameConstraints are what one CA permits and excludes.
type nameConstraints struct {
	permitted, excluded subtrees
	per, exc            *matcher // made on demand
}

// matchers are those of both sides. One judgement asks for one kind only.
func (nc *nameConstraints) matchers(rfc bool) (permitted, excluded *matcher) {
	if nc.per == nil {
		nc.per, nc.exc = newMatcher(&nc.permitted, rfc, true), newMatcher(&nc.excluded, rfc, false)
	}
	return nc.per, nc.exc
}

// constraints reads the certificate's name constraints once.
func (n *node) constraints() *nameConstraints {
	if !n.read {
		n.nc, n.read = constraintsOf(n.x), true
	}
	return n.nc
}

// constraintsOf reads a certificate's name constraints, nil when it has none.
func constraintsOf(x *x509.Certificate) *nameConstraints {
	i := slices.IndexFunc(x.Extensions, func(e pkixExtension) bool { return e.Id.Equal(oidNameConstraints) })
	if i < 0 {
		return nil
	}
	nc := &nameConstraints{
		permitted: subtrees{dns: x.PermittedDNSDomains, uris: x.PermittedURIDomains, emails: x.PermittedEmailAddresses, ips: x.PermittedIPRanges},
		excluded:  subtrees{dns: x.ExcludedDNSDomains, uris: x.ExcludedURIDomains, emails: x.ExcludedEmailAddresses, ips: x.ExcludedIPRanges},
	}
	// crypto/x509 leaves directory names out.
	for _, side := range sequence(x.Extensions[i].Value) {
		into := &nc.permitted
		if side.Tag == 1 {
			into = &nc.excluded
		}
		side.FullBytes = retag(side.FullBytes)
		for _, tree := range sequence(side.FullBytes) {
			base := sequence(tree.FullBytes)
			if len(base) == 0 || base[0].Class != asn1.ClassContextSpecific {
				continue
			}
			switch base[0].Tag {
			case 1, 2, 6, 7:
			case 4:
				into.dirs = append(into.dirs, base[0])
			default:
				if into.strange == nil {
					into.strange = map[int]int{}
				}
				into.strange[base[0].Tag]++
			}
		}
	}
	return nc
}

// retag turns an implicitly tagged SEQUENCE OF into a plain one.
func retag(der []byte) []byte {
	out := bytes.Clone(der)
	if len(out) > 0 {
		out[0] = 0x30
	}
	return out
}

// understood says whether the only critical extension that crypto/x509 leaves
// open is one that is checked here: name constraints over kinds of name that it
// does not know. The cluster's own components are Go, and refuse these.
func (c *chainCheck) understood(n *node) bool {
	return c.j.rfc && !slices.ContainsFunc(n.x.UnhandledCriticalExtensions, func(id asn1.ObjectIdentifier) bool { return !id.Equal(oidNameConstraints) })
}

// constraints holds every name below each issuer against that issuer's
// constraints, the root's included.
func (c *chainCheck) constraints(p path) []defect {
	var out []defect
	budget := maxComparisons
	for i := len(p) - 1; i > 0; i-- {
		nc := p[i].constraints()
		if nc == nil {
			continue
		}
		if c.j.rfc && len(p[i].x.UnhandledCriticalExtensions) > 0 && c.understood(p[i]) {
			out = append(out, defect{"unknown-critical-extension", p[i], detail{
				severity: Warning,
				message:  fmt.Sprintf("%s has critical constraints over kinds of name that Go does not know", p[i]),
				why:      "OpenSSL checks them; Go refuses the whole chain: x509: unhandled critical extension",
			}})
		}
		if dotted := slices.Concat(nc.permitted.dns, nc.excluded.dns); c.j.rfc && slices.ContainsFunc(dotted, func(d string) bool { return strings.HasPrefix(d, ".") }) {
			out = append(out, defect{"name-constraint", p[i], detail{
				severity: Warning, message: fmt.Sprintf("%s has a DNS constraint with a leading dot", p[i]), has: list(dotted), needs: "the domain without the dot",
				why: "RFC 5280 4.2.1.10 knows no leading dot for DNS names; Go and OpenSSL take it for the names below the domain (errata 5997)",
			}})
		}
		for k := range i {
			n := p[k]
			names := namesOf(n)
			if budget -= names.size() * (nc.permitted.size() + nc.excluded.size()); budget < 0 {
				return append(out, defect{"name-constraint", p[i], detail{message: fmt.Sprintf("%s has more name constraints than can be held against the names below it", p[i]), has: fmt.Sprintf("%d constraints and %d names", nc.permitted.size()+nc.excluded.size(), names.size()), needs: fmt.Sprintf("at most %d comparisons", maxComparisons)}})
			}
			for _, d := range c.violations(p[i], n, nc, names) {
				if c.j.rfc && k > 0 && n.selfIssued() {
					d.d.severity, d.d.why = Warning, "RFC 5280 6.1.3 exempts self-issued intermediates, and OpenSSL accepts the chain; Go does not exempt them"
				}
				out = append(out, d)
			}
		}
	}
	return out
}

// certNames are the names of a certificate that constraints speak of.
type certNames struct {
	dns    []string
	ips    []net.IP
	emails []string
	uris   []*url.URL
	dirs   [][]byte     // subject and directory names
	cn     string       // only where OpenSSL takes it for a host name
	kinds  map[int]bool // the tags of all general names
}

func (n *certNames) size() int {
	return len(n.dns) + len(n.ips) + len(n.emails) + len(n.uris) + len(n.dirs)
}

func namesOf(n *node) *certNames {
	out := &certNames{kinds: map[int]bool{}, dns: n.x.DNSNames, ips: n.x.IPAddresses, emails: n.x.EmailAddresses, uris: n.x.URIs}
	if !emptyName(n.x.RawSubject) {
		out.dirs = append(out.dirs, n.x.RawSubject)
	}
	for _, v := range n.extras().names {
		out.kinds[v.Tag] = true
		if v.Class == asn1.ClassContextSpecific && v.Tag == 4 {
			out.dirs = append(out.dirs, v.Bytes)
		}
	}
	if cn := n.x.Subject.CommonName; len(n.x.DNSNames) == 0 && strings.Contains(cn, ".") && hostPattern(cn) {
		out.cn = cn
	}
	return out
}

// violations are the names of n that ca may not sign for, in one defect.
func (c *chainCheck) violations(ca, n *node, nc *nameConstraints, names *certNames) []defect {
	var v violation
	per, exc := nc.matchers(c.j.rfc)
	for tag := range names.kinds {
		if nc.permitted.strange[tag]+nc.excluded.strange[tag] > 0 {
			// RFC 5280 4.2.1.10: process the constraint or reject the certificate.
			v.bad = append(v.bad, fmt.Sprintf("a name of kind [%d]", tag))
		}
	}
	for _, d := range names.dns {
		if !constrainable(d) {
			v.bad = append(v.bad, "DNS:"+d) // Go: x509: cannot parse dnsName
			continue
		}
		v.check("DNS:"+d, len(nc.permitted.dns) > 0, per.dns(d), exc.dns(d))
	}
	for _, ip := range names.ips {
		v.check("IP:"+ip.String(), len(nc.permitted.ips) > 0, per.ip(ip), exc.ip(ip))
	}
	for _, e := range names.emails {
		v.check("email:"+e, len(nc.permitted.emails) > 0, per.email(e), exc.email(e))
	}
	for _, u := range names.uris {
		host, ok := uriHost(u)
		switch {
		case ok:
			v.check("URI:"+u.String(), len(nc.permitted.uris) > 0, per.uri(host), exc.uri(host))
		case !c.j.rfc || len(nc.permitted.uris)+len(nc.excluded.uris) > 0:
			// RFC 5280 4.2.1.10: with URI constraints a URI needs a host name.
			v.bad = append(v.bad, "URI:"+u.String())
		default:
			v.goOnly = append(v.goOnly, "URI:"+u.String())
		}
	}
	if c.j.rfc {
		for _, d := range names.dirs {
			v.check("directory name "+subjectText(n.x), len(nc.permitted.dirs) > 0, per.dir(d), exc.dir(d))
		}
	}
	var out []defect
	if len(v.bad) > 0 {
		out = append(out, defect{"name-constraint", ca, detail{
			message: fmt.Sprintf("%s may not sign for %s of %s", ca, plural(len(v.bad), "a name", "names"), n.in()),
			has:     list(v.bad), needs: nc.String(),
		}})
	}
	if len(v.goOnly) > 0 {
		out = append(out, defect{"name-constraint", ca, detail{
			severity: Warning,
			message:  fmt.Sprintf("%s has URIs without a host name, below the name constraints of %s", n, ca.in()),
			why:      "Go asks for a host name in every URI as soon as there are constraints of any kind, and refuses the chain: URI with empty host cannot be matched against constraints",
			has:      list(v.goOnly), needs: nc.String(),
		}})
	}
	if names.cn != "" && (len(nc.permitted.dns) > 0 && !per.dns(names.cn) || exc.dns(names.cn)) {
		out = append(out, defect{"name-constraint", ca, detail{
			severity: Warning,
			message:  fmt.Sprintf("the common name of %s is a host name that %s may not sign for", n, ca.in()),
			why:      "Go does not look at the common name; OpenSSL refuses the chain: permitted subtree violation",
			has:      "CN=" + untrusted.Text(names.cn).String(), needs: nc.String(),
		}})
	}
	return out
}

type violation struct {
	bad    []string
	goOnly []string // names that only Go refuses
}

// constrainable says whether Go can hold a DNS name against constraints.
func constrainable(d string) bool {
	return !strings.HasPrefix(d, ".") && !strings.HasSuffix(d, ".") && !strings.Contains(d, "..") &&
		!strings.ContainsFunc(d, func(r rune) bool { return r < 33 || r > 126 })
}

func (v *violation) check(name string, bound, permitted, excluded bool) {
	if bound && !permitted || excluded {
		v.bad = append(v.bad, name)
	}
}

func uriHost(u *url.URL) (string, bool) {
	host := u.Hostname()
	return host, host != "" && net.ParseIP(host) == nil
}

// String writes constraints as openssl's configuration does.
func (nc *nameConstraints) String() string {
	var parts []string
	for _, side := range []struct {
		word string
		s    *subtrees
	}{{"permitted", &nc.permitted}, {"excluded", &nc.excluded}} {
		for _, kind := range []struct {
			name   string
			values []string
		}{{"DNS", side.s.dns}, {"email", side.s.emails}, {"URI", side.s.uris}, {"IP", networks(side.s.ips)}} {
			for _, v := range kind.values {
				parts = append(parts, fmt.Sprintf("%s %s:%s", side.word, kind.name, v))
			}
		}
		if n := len(side.s.dirs); n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d %s", side.word, n, plural(n, "directory name", "directory names")))
		}
	}
	return list(parts)
}

func networks(ns []*net.IPNet) []string {
	out := make([]string, len(ns))
	for i, n := range ns {
		out[i] = n.String()
	}
	return out
}
