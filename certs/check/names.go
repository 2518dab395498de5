package check

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// lack is a name that a certificate does not cover, and why it needs to.
type lack struct {
	topology.Name
	why string
	san string // the name in the certificate that was meant for it, if any
}

// names judges the subject alternative names against those that are needed. A
// missing name is reported under the rule that says why it is missing, all
// names of one rule in one finding.
func (j *judge) names(n *node, needed []topology.Name) {
	missing := map[string][]lack{}
	for _, want := range needed {
		if want.Kind == topology.URIName || covers(n, want) {
			continue
		}
		rule, san := whyMissing(n, want)
		missing[rule] = append(missing[rule], lack{want, want.Required, san})
	}
	if len(missing["cn-only"]) > 0 && !n.extras().san {
		// Without any name the cause of all is one: they were never written.
		for _, rule := range []string{"san-missing", "san-missing-ip"} {
			missing["cn-only"] = append(missing["cn-only"], missing[rule]...)
			delete(missing, rule)
		}
	}
	for _, rule := range []string{"cn-only", "malformed-san", "wildcard-misuse", "ip-in-dns-san", "san-missing", "san-missing-ip"} {
		if len(missing[rule]) > 0 {
			j.missingNames(rule, n, missing[rule])
		}
	}
	j.strangeNames(n)
}

// covers says whether a dialled name is covered, as Go matches names.
func covers(n *node, want topology.Name) bool { return n.x.VerifyHostname(want.Value) == nil }

// whyMissing finds the rule for a missing name: what was written in its place.
func whyMissing(n *node, want topology.Name) (rule, san string) {
	x, cn := n.x, n.x.Subject.CommonName
	if want.Kind == topology.IPAddress {
		for _, d := range x.DNSNames {
			if sameAddress(bareHost(d), want.Value) {
				return "ip-in-dns-san", d
			}
		}
		if !n.extras().san && sameAddress(cn, want.Value) {
			return "cn-only", ""
		}
		return "san-missing-ip", ""
	}
	for _, d := range x.DNSNames {
		switch {
		case strings.Contains(d, "*"):
			if meantBy(d, want.Value) {
				return "wildcard-misuse", d
			}
		case malformed(d) && slices.ContainsFunc(hostsIn(d), func(h string) bool { return strings.EqualFold(h, want.Value) }):
			return "malformed-san", d
		}
	}
	for _, u := range x.URIs {
		if strings.EqualFold(u.Hostname(), want.Value) {
			return "malformed-san", u.String()
		}
	}
	if len(x.DNSNames) == 0 && hostMatch(cn, want.Value) {
		return "cn-only", ""
	}
	return "san-missing", ""
}

func sameAddress(a, b string) bool {
	x, err1 := netip.ParseAddr(strings.Trim(a, "[]"))
	y, err2 := netip.ParseAddr(b)
	return err1 == nil && err2 == nil && x.Unmap() == y.Unmap()
}

func hostMatch(pattern, host string) bool {
	if strings.EqualFold(pattern, host) {
		return true
	}
	_, rest, ok := strings.Cut(host, ".")
	return ok && strings.EqualFold(pattern, "*."+rest)
}

// meantBy says whether a wildcard that does not cover a host was likely meant
// to: for the domain itself, for deeper names, or with the star elsewhere than
// as the whole first label.
func meantBy(pattern, host string) bool {
	pattern, host = strings.ToLower(strings.TrimSuffix(pattern, ".")), strings.ToLower(host)
	if pattern == "*" {
		return true
	}
	if base, ok := strings.CutPrefix(pattern, "*."); ok && !strings.Contains(base, "*") {
		return host == base || strings.HasSuffix(host, "."+base)
	}
	return glob(pattern, host)
}

// glob matches with * for any text, in time linear in the product of the lengths.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, last)
}

// malformed says whether a DNS name can never match a host that is dialled.
func malformed(d string) bool {
	return d == "" || !hostPattern(d)
}

// hostPattern says whether s can be a host name or a wildcard, as Go takes it:
// underscores are found in clusters and allowed.
func hostPattern(s string) bool {
	for i, label := range strings.Split(s, ".") {
		if label == "" || i > 0 && label == "*" {
			return false
		}
		if i == 0 && label == "*" && len(s) > 1 {
			continue
		}
		for k, c := range label {
			switch {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-' && k > 0:
			default:
				return false
			}
		}
	}
	return true
}

// hostsIn are the hosts that somebody may have meant by a malformed name.
func hostsIn(d string) []string {
	var out []string
	for _, part := range strings.FieldsFunc(d, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == 0 || r == '\n' || r == '\t' }) {
		part = strings.TrimPrefix(strings.TrimPrefix(part, "DNS:"), "dns:")
		out = append(out, bareHost(part))
	}
	return out
}

// bareHost takes scheme, port, path and outer dots off.
func bareHost(s string) string {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	s, _, _ = strings.Cut(s, "/")
	if strings.Count(s, ":") == 1 {
		s, _, _ = strings.Cut(s, ":")
	}
	for strings.Contains(s, "..") {
		s = strings.ReplaceAll(s, "..", ".")
	}
	return strings.Trim(s, ".")
}

// missingNames reports all names missing under one rule.
func (j *judge) missingNames(rule string, n *node, missing []lack) {
	var needs, why, sans []string
	for _, m := range missing {
		needs = append(needs, m.String())
		if m.why != "" && !slices.Contains(why, m.why) {
			why = append(why, m.why)
		}
		if m.san != "" && !slices.Contains(sans, m.san) {
			sans = append(sans, m.san)
		}
	}
	d := detail{has: namesText(n), needs: list(needs)}
	count := fmt.Sprintf("%d %s", len(needs), plural(len(needs), "name", "names"))
	if len(needs) <= 3 {
		count = list(needs)
	}
	switch rule {
	case "cn-only":
		d.message = fmt.Sprintf("%s has its name only in the common name, which Go does not read: %s %s not covered", n, count, plural(len(needs), "is", "are"))
		d.has = "CN=" + untrusted.Text(n.x.Subject.CommonName).String() + ", no subject alternative name"
	case "ip-in-dns-san":
		d.message = fmt.Sprintf("%s has %s as a DNS name; an address counts only as IP", n, list(sans))
	case "wildcard-misuse":
		d.message = fmt.Sprintf("%s has %s, which does not cover %s", n, list(sans), count)
	case "malformed-san":
		d.message = fmt.Sprintf("%s has %s, which can never match, and lacks %s", n, list(sans), count)
	default:
		d.message = fmt.Sprintf("%s does not cover %s", n, count)
	}
	if len(why) > 0 {
		row, _ := RuleByID(rule)
		d.why = list(why) + ". " + row.Why
	}
	d.fix = namesFix(rule, needs)
	j.at(rule, n, d)
}

// namesFix names every missing name in the form of openssl's -addext.
func namesFix(rule string, needs []string) string {
	row, _ := RuleByID(rule)
	safe := make([]string, 0, len(needs))
	for _, s := range needs {
		safe = append(safe, untrusted.Text(s).String())
	}
	return row.Fix + ", as with -addext " + untrusted.Text("subjectAltName="+strings.Join(safe, ",")).ShellArg()
}

// namesText lists the certificate's own names.
func namesText(n *node) string {
	var out []string
	for _, d := range n.x.DNSNames {
		out = append(out, "DNS:"+d)
	}
	for _, ip := range n.x.IPAddresses {
		out = append(out, "IP:"+ip.String())
	}
	for _, u := range n.x.URIs {
		out = append(out, "URI:"+u.String())
	}
	for _, e := range n.x.EmailAddresses {
		out = append(out, "email:"+e)
	}
	if len(out) == 0 {
		return "no names"
	}
	return list(out)
}

// strangeNames warns of names that nobody can match, where no needed name hangs
// on them: then they do no harm but mislead.
func (j *judge) strangeNames(n *node) {
	if j.has("malformed-san", "wildcard-misuse", "ip-in-dns-san") {
		return
	}
	const looked = 200 // nobody reads more
	var bad, wild, addresses []string
	for _, d := range n.x.DNSNames[:min(len(n.x.DNSNames), looked)] {
		switch _, err := netip.ParseAddr(d); {
		case err == nil:
			if !slices.ContainsFunc(n.x.IPAddresses, func(ip net.IP) bool { return sameAddress(ip.String(), d) }) {
				addresses = append(addresses, d)
			}
		case strings.Contains(d, "*") && malformed(d):
			wild = append(wild, d)
		case malformed(d):
			bad = append(bad, d)
		}
	}
	for _, s := range []struct {
		rule, what string
		names      []string
	}{
		{"malformed-san", "can never match a host", bad},
		{"wildcard-misuse", "matches no host: a wildcard is one whole label, the leftmost", wild},
		{"ip-in-dns-san", "is an address as a DNS name, and counts only as IP", addresses},
	} {
		if len(s.names) > 0 {
			j.at(s.rule, n, detail{severity: Warning, message: fmt.Sprintf("%s has %s, which %s", n, list(s.names), s.what), has: namesText(n)})
		}
	}
}

// uris judges the URI names against those required. Where a common name is
// accepted in their place, cnOK says that it fits.
func (j *judge) uris(n *node, slot *topology.Slot, cnOK bool) {
	required := requiredURIs(slot)
	have := make([]string, 0, len(n.x.URIs))
	for _, u := range n.x.URIs {
		have = append(have, u.String())
	}
	fits := len(required) == 0 || slices.ContainsFunc(have, func(u string) bool { return slices.Contains(required, u) })
	if !fits && !cnOK {
		d := detail{message: fmt.Sprintf("%s lacks the URI that is read by %s", n, readerText(slot)), has: namesText(n), needs: "URI:" + list(required)}
		if slot.Requires.CN != "" {
			d.needs += " or CN=" + slot.Requires.CN
		}
		j.at("uri-san-mismatch", n, readBy(slot, "uri-san-mismatch", d))
	}
	for _, u := range n.x.URIs[:min(len(n.x.URIs), maxAlike)] {
		if problem := spiffeProblem(u); problem != "" {
			d := detail{message: fmt.Sprintf("%s has %s, which is no SPIFFE ID: %s", n, untrusted.Text(u.String()), problem), has: "URI:" + untrusted.Text(u.String()).String(), needs: "spiffe://trust-domain/path"}
			if len(required) == 0 || fits || cnOK {
				d.severity = Warning
			}
			j.at("spiffe-malformed", n, d)
		}
	}
	if len(have) > 1 {
		j.at("multiple-uri-san", n, detail{message: fmt.Sprintf("%s has %d URIs", n, len(have)), has: list(have), needs: "one"})
	}
}

// requiredURIs are the URIs of which a component wants one.
func requiredURIs(slot *topology.Slot) []string {
	var out []string
	if slot.Requires.URI != "" {
		out = append(out, slot.Requires.URI)
	}
	for _, name := range slot.RequiredNames() {
		if name.Kind == topology.URIName && !slices.Contains(out, name.Value) {
			out = append(out, name.Value)
		}
	}
	return out
}

// readerText names the component that reads the subject.
func readerText(slot *topology.Slot) string {
	if who, _, _ := strings.Cut(slot.Requires.Reader, ","); who != "" {
		return who
	}
	return "the other side"
}

// spiffeProblem says why a URI that means to be a SPIFFE ID is none, "" when it
// is one or does not mean to be.
func spiffeProblem(u *url.URL) string {
	if !strings.HasPrefix(strings.ToLower(u.String()), "spiffe:") {
		return ""
	}
	domain, path := u.Host, u.EscapedPath()
	switch {
	case len(u.String()) > 2048:
		return "it is longer than 2048 bytes"
	case !strings.HasPrefix(u.String(), "spiffe://"):
		return "it must begin with spiffe://"
	case domain == "" || len(domain) > 255:
		return "it names no trust domain"
	case u.User != nil || u.Port() != "" || strings.HasSuffix(domain, ":"):
		return "it has a port or a user"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "it has a query or a fragment"
	case strings.Trim(domain, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "":
		return "its trust domain may hold lower-case letters, digits, dots, dashes and underscores only"
	case path == "":
		return ""
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "" || segment == "." || segment == ".." || strings.Trim(segment, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != "" {
			return "its path has an empty or illegal segment"
		}
	}
	return ""
}
