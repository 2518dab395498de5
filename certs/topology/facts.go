package topology

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"certwright/certs/untrusted"
)

// FactProblem says what is wrong with the value of one fact.
type FactProblem struct {
	Fact    string
	Message string // lower case, no full stop
	Example string // a value that would do
}

func (p *FactProblem) Error() string {
	return untrusted.Text(p.Fact).String() + ": " + p.Text()
}

// Text is the problem without the fact's name: what, and a value that would do.
func (p *FactProblem) Text() string {
	if p.Example == "" {
		return p.Message
	}
	return fmt.Sprintf("%s; write one like %s", p.Message, p.Example)
}

// Facts are the values of the facts of one cluster, given or computed, each as
// a person would type it. Lists are joined by commas.
type Facts struct {
	Values map[string]string // every fact of the profile
	Given  map[string]bool   // which were given, and not computed from the default
	lists  map[string][]string
}

// Get is the value of a fact, "" when it is unknown or wrong.
func (f Facts) Get(name string) string { return f.Values[name] }

// List is the values of a fact that takes a comma list.
func (f Facts) List(name string) []string { return f.lists[name] }

// resolveFacts gives every fact of the profile its value and checks each. A
// problem of one fact does not stop the others.
func resolveFacts(p *Profile, given map[string]string, nodes []Node) (Facts, []*FactProblem) {
	f := Facts{Values: map[string]string{}, Given: map[string]bool{}, lists: map[string][]string{}}
	var problems []*FactProblem
	table := len(nodes) > 0
	values := func(name string) ([]string, bool) {
		if slices.Contains(nodeLists, name) {
			return nodeValues(name, nodeTable(p, f, nodes), nil)
		}
		return f.values(name)
	}
	for _, spec := range p.Facts {
		if spec.PerNode && table {
			continue
		}
		value, isGiven := given[spec.Name]
		value = spec.trim(value)
		if isGiven && value != "" {
			f.Given[spec.Name] = true
		} else {
			t, err := parseTemplate(spec.preset(f.values))
			if err != nil {
				problems = append(problems, &FactProblem{Fact: spec.Name, Message: err.Error()})
				continue
			}
			vs, err := t.eval(values)
			if err != nil {
				continue // the fact that it is computed from is wrong, and reported there
			}
			value = strings.Join(vs, ",")
		}
		list, err := spec.check(value)
		if err != nil {
			problems = append(problems, &FactProblem{Fact: spec.Name, Message: err.Error(), Example: spec.Example})
			f.Values[spec.Name] = value
			continue
		}
		f.Values[spec.Name] = strings.Join(list, ",")
		f.lists[spec.Name] = list
	}
	for name := range given {
		if !slices.ContainsFunc(p.Facts, func(s Fact) bool { return s.Name == name }) {
			problems = append(problems, &FactProblem{Fact: name, Message: fmt.Sprintf("profile %s has no such fact; it has %s", p.Name, strings.Join(p.FactNames(), ", "))})
		}
	}
	slices.SortStableFunc(problems, func(a, b *FactProblem) int { return p.factIndex(a.Fact) - p.factIndex(b.Fact) })
	return f, problems
}

func (f Facts) values(name string) ([]string, bool) {
	vs, ok := f.lists[name]
	return vs, ok
}

// FactNames lists the profile's facts in order.
//
//go:noinline // many callers, none of them hot
func (p *Profile) FactNames() []string {
	names := make([]string, len(p.Facts))
	for i, f := range p.Facts {
		names[i] = f.Name
	}
	return names
}

func (p *Profile) factIndex(name string) int {
	if i := slices.Index(p.FactNames(), name); i >= 0 {
		return i
	}
	return len(p.Facts)
}

// Check says what is wrong with a value of the fact, as it is typed; nil when
// it would do. An empty value is right where there is a default.
func (f Fact) Check(value string) error {
	value = f.trim(value)
	if value == "" && (f.Default != "" || len(f.Defaults) > 0 || f.Optional) {
		return nil
	}
	_, err := f.check(value)
	return err
}

// trim takes the blanks off that a person typed by accident. Text is compared
// byte for byte by what reads it, so blanks in it are reported and not guessed at.
func (f Fact) trim(value string) string {
	if trimmed := strings.TrimSpace(value); f.Type != TypeText || trimmed == "" {
		return trimmed
	}
	return value
}

func (f Fact) check(value string) ([]string, error) {
	if value == "" {
		if f.Optional {
			return nil, nil
		}
		return nil, fmt.Errorf("is empty")
	}
	if strings.Contains(value, "-----BEGIN") {
		return nil, fmt.Errorf("is a PEM block, not a value; it is not shown or kept")
	}
	if len(value) > 4096 {
		return nil, fmt.Errorf("is longer than 4096 bytes")
	}
	if i := strings.IndexFunc(value, func(r rune) bool { return unicode.IsControl(r) || !unicode.IsPrint(r) }); i >= 0 {
		return nil, fmt.Errorf("has a control character at position %d", i+1)
	}
	if len(f.Choices) > 0 && !slices.Contains(f.Choices, value) {
		return nil, fmt.Errorf("must be one of %s", strings.Join(f.Choices, ", "))
	}
	items := []string{value}
	if f.Lists() {
		items = strings.Split(value, ",")
	}
	out := make([]string, 0, len(items))
	for _, item := range items {
		item = strings.TrimSpace(item)
		if item == "" {
			return nil, fmt.Errorf("has an empty member in its comma list")
		}
		good, err := f.one(item)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, good) {
			return nil, fmt.Errorf("names %s twice", good)
		}
		out = append(out, good)
	}
	return out, nil
}

// Lists says whether the fact takes a comma list.
func (f Fact) Lists() bool {
	return f.Type == TypeHosts || f.Type == TypeCIDRs || f.Type == TypeAddresses
}

func (f Fact) one(v string) (string, error) {
	switch f.Type {
	case TypeText:
		if strings.TrimSpace(v) != v {
			return "", fmt.Errorf("%q begins or ends with a blank, and it is compared byte for byte", v)
		}
		return v, nil
	case TypeLabel:
		return v, CheckLabel(v)
	case TypeDomain:
		v = strings.ToLower(v)
		return v, CheckDNSName(v)
	case TypeHost, TypeHosts:
		if looksLikeAddress(v) {
			return canonicalAddress(v)
		}
		v = strings.ToLower(v)
		return v, CheckDNSName(v)
	case TypeAddresses:
		return canonicalAddress(v)
	case TypeNode:
		v = strings.ToLower(v)
		return v, CheckDNSName(v)
	case TypeVersion:
		if !isVersion(v) {
			return "", fmt.Errorf("%s is not a version", v)
		}
		v = strings.TrimPrefix(v, "v")
		if f.Min != "" && compareVersions(v, f.Min) < 0 || f.Max != "" && compareVersions(minor(v), f.Max) > 0 {
			return "", fmt.Errorf("version %s is not known here; %s to %s are", v, f.Min, f.Max)
		}
		return v, nil
	case TypeSPIFFE:
		return v, checkSPIFFE(v)
	case TypeCIDRs:
		prefix, err := netip.ParsePrefix(v)
		if err != nil {
			return "", fmt.Errorf("%s is not a network in CIDR form", v)
		}
		if prefix.Masked() != prefix {
			return "", fmt.Errorf("%s has bits set behind its prefix; the network is %s", v, prefix.Masked())
		}
		return prefix.String(), nil
	}
	return v, nil
}

// preset is the fact's default under the conditions that hold.
func (f Fact) preset(values func(string) ([]string, bool)) string {
	for _, d := range f.Defaults {
		if c, err := parseCondition(d.When); err == nil && c.holds(values) {
			return d.Value
		}
	}
	return f.Default
}

// minor is a version without its patch number.
func minor(v string) string {
	parts := strings.Split(v, ".")
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// checkSPIFFE says what is wrong with a SPIFFE ID (SPIFFE-ID standard, section 2).
func checkSPIFFE(v string) error {
	if strings.HasSuffix(v, "/") {
		return fmt.Errorf("%s ends with a slash, which no SPIFFE ID does; Typha compares byte for byte", v)
	}
	if _, err := spiffeid.FromString(v); err != nil {
		return fmt.Errorf("%s is not a SPIFFE ID: %w", v, err)
	}
	return nil
}

// looksLikeAddress tells what a person meant: 10.20.0.300 is a wrong address,
// not a host name.
func looksLikeAddress(v string) bool {
	if strings.Contains(v, ":") {
		return true
	}
	return strings.Trim(v, "0123456789.") == "" && strings.Contains(v, ".")
}

func canonicalAddress(v string) (string, error) {
	a, err := netip.ParseAddr(v)
	if err != nil {
		if inside, _, found := strings.Cut(strings.TrimPrefix(v, "["), "]"); found && strings.HasPrefix(v, "[") {
			return "", fmt.Errorf("%s has brackets; write %s alone", v, inside)
		}
		if strings.Contains(v, "://") {
			return "", fmt.Errorf("%s is a URL; write the host name or address alone", v)
		}
		if host, _, found := strings.Cut(v, ":"); found && strings.Count(v, ":") == 1 && CheckDNSName(host) == nil {
			return "", fmt.Errorf("%s has a port; write %s alone", v, host)
		}
		if looksLikeAddress(v) {
			for octet := range strings.SplitSeq(v, ".") {
				if len(octet) >= 3 && octet > "255" || len(octet) > 3 {
					return "", fmt.Errorf("%s is not an IP address: %s is over 255", v, octet)
				}
			}
		}
		return "", fmt.Errorf("%s is not an IP address", v)
	}
	if a.Zone() != "" {
		return "", fmt.Errorf("%s has a zone, and a certificate cannot hold one", v)
	}
	var buf [48]byte
	good := a.Unmap().AppendTo(buf[:0])
	if string(good) == v {
		return v, nil
	}
	return string(good), nil
}

var labelPattern = label{word{lowers + digits, lowers + digits + "-", 63}}

// CheckLabel says what is wrong with an RFC 1123 label.
func CheckLabel(v string) error {
	if labelPattern.MatchString(v) {
		return nil
	}
	switch {
	case len(v) > 63:
		return fmt.Errorf("%s is longer than 63 characters", untrusted.Text(v).Max(20))
	case strings.ToLower(v) != v && labelPattern.MatchString(strings.ToLower(v)):
		return fmt.Errorf("%s has upper-case letters; write %s", v, strings.ToLower(v))
	case strings.Contains(v, "."):
		return fmt.Errorf("%s has a dot: a name of one label is asked for", v)
	}
	return fmt.Errorf("%s may hold only lower-case letters, digits and dashes, no dash first or last", v)
}

// CheckDNSName says what is wrong with a host name (RFC 1123), lower-cased.
func CheckDNSName(v string) error {
	switch {
	case strings.Contains(v, "://"):
		return fmt.Errorf("%s is a URL; write the host name alone", v)
	case strings.Contains(v, ":"):
		return fmt.Errorf("%s has a port; write the host name alone", v)
	case strings.HasSuffix(v, "."):
		return fmt.Errorf("%s ends with a dot; certificates hold names without it", v)
	case len(v) > 253:
		return fmt.Errorf("%s is longer than 253 characters", untrusted.Text(v).Max(20))
	}
	for label := range strings.SplitSeq(v, ".") {
		if label == "" {
			return fmt.Errorf("%s has an empty label: two dots in a row, or one in front", v)
		}
		if !labelPattern.MatchString(label) {
			return fmt.Errorf("%s is not a host name: %w", v, CheckLabel(label))
		}
	}
	return nil
}
