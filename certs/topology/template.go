package topology

import (
	"fmt"
	"iter"
	"maps"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// A template is text with {{ }} parts, each a call or a fact:
//
//	{{cluster.name}}            the fact; one that lists several values yields each
//	{{cidrhost service.cidr 1}} the n-th address of each network of the fact
//	{{range 3}}                 0, 1, 2
//	{{first etcd.hosts}}        the first value of a fact
//	{{hostport api.host 443}}   each value with a port, an IPv6 address in brackets
//
// Parts that yield several values multiply the text: "a-{{range 2}}" is a-0 and a-1.
// A fact that stands in a text twice has the same value in both places.
type template []part

type part struct {
	text     string // literal text when function and fact are empty
	function string // "", cidrhost, range, first, hostport
	fact     string
	n        int
}

func parseTemplate(s string) (template, error) {
	var t template
	for s != "" {
		before, rest, found := strings.Cut(s, "{{")
		if before != "" {
			t = append(t, part{text: before})
		}
		if !found {
			if strings.Contains(before, "}}") {
				return nil, fmt.Errorf("}} without {{ before it")
			}
			return t, nil
		}
		inside, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return nil, fmt.Errorf("{{ without }} behind it")
		}
		p, err := parsePart(inside)
		if err != nil {
			return nil, err
		}
		t, s = append(t, p), after
	}
	return t, nil
}

func parsePart(inside string) (part, error) {
	words := strings.Fields(inside)
	number := func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > 1<<20 {
			return 0, fmt.Errorf("{{%s}}: %q is not a number from 0 to %d", strings.TrimSpace(inside), s, 1<<20)
		}
		return n, nil
	}
	switch {
	case len(words) == 1:
		return part{fact: words[0]}, nil
	case len(words) == 2 && words[0] == "first":
		return part{function: "first", fact: words[1]}, nil
	case len(words) == 2 && words[0] == "range":
		n, err := number(words[1])
		if err == nil && (n < 1 || n > 1000) {
			err = fmt.Errorf("{{%s}}: a range has 1 to 1000 members", strings.TrimSpace(inside))
		}
		return part{function: "range", n: n}, err
	case len(words) == 3 && words[0] == "cidrhost":
		n, err := number(words[2])
		return part{function: "cidrhost", fact: words[1], n: n}, err
	case len(words) == 3 && words[0] == "hostport":
		n, err := number(words[2])
		if err == nil && n > 65535 {
			err = fmt.Errorf("{{%s}}: a port is at most 65535", strings.TrimSpace(inside))
		}
		return part{function: "hostport", fact: words[1], n: n}, err
	}
	return part{}, fmt.Errorf("{{%s}}: write a fact, or cidrhost FACT N, range N, first FACT, hostport FACT PORT", strings.TrimSpace(inside))
}

// splitWords cuts a text at the spaces outside of {{ }}.
func splitWords(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start := 0
		for i := 0; i < len(s); i++ {
			if strings.HasPrefix(s[i:], "{{") {
				if end := strings.Index(s[i:], "}}"); end > 0 {
					i += end + 1
				}
			} else if s[i] == ' ' {
				if !yield(s[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(s[start:])
	}
}

// maxValues bounds what one template may yield: {{range 1000}}{{range 1000}}
// in a user's profile must not take the memory of the machine.
const maxValues = 10_000

// eval yields every value of the template. values gives the values of a fact,
// and whether they are good; a bad or unknown fact makes the whole text bad.
func (t template) eval(values func(fact string) ([]string, bool)) ([]string, error) {
	type partial struct {
		text string
		at   map[string]int // which value of a fact was taken
	}
	out := []partial{{}}
	for _, p := range t {
		vs, err := p.eval(values)
		if err != nil {
			return nil, err
		}
		var next []partial
		for _, before := range out {
			if i, taken := before.at[p.key()]; taken && i < len(vs) {
				next = append(next, partial{before.text + vs[i], before.at})
				continue
			}
			if len(next)+len(vs) > maxValues {
				return nil, fmt.Errorf("yields more than %d values", maxValues)
			}
			for i, v := range vs {
				at := before.at
				if k := p.key(); k != "" && len(vs) > 1 {
					if at = maps.Clone(at); at == nil {
						at = map[string]int{}
					}
					at[k] = i
				}
				next = append(next, partial{before.text + v, at})
			}
		}
		out = next
	}
	texts := make([]string, len(out))
	for i := range out {
		texts[i] = out[i].text
	}
	return texts, nil
}

// key is the fact whose values the part walks through, "" when it walks through none.
func (p part) key() string {
	if p.function == "first" || p.function == "range" {
		return ""
	}
	return p.fact
}

// errBadFact stands for a fact whose own problem is reported elsewhere.
var errBadFact = fmt.Errorf("a fact it uses is wrong")

func (p part) eval(values func(string) ([]string, bool)) ([]string, error) {
	if p.function == "range" {
		out := make([]string, p.n)
		for i := range out {
			out[i] = strconv.Itoa(i)
		}
		return out, nil
	}
	if p.fact == "" {
		return []string{p.text}, nil
	}
	vs, ok := values(p.fact)
	if !ok {
		return nil, errBadFact
	}
	switch p.function {
	case "first":
		return vs[:min(1, len(vs))], nil
	case "hostport":
		var out []string
		for _, v := range vs {
			out = append(out, net.JoinHostPort(v, strconv.Itoa(p.n)))
		}
		return out, nil
	case "cidrhost":
		var out []string
		for _, v := range vs {
			a, err := CIDRHost(v, p.n)
			if err != nil {
				return nil, &FactProblem{Fact: p.fact, Message: err.Error()}
			}
			out = append(out, a.String())
		}
		return out, nil
	}
	return vs, nil
}

// CIDRHost is the n-th address of a network, the network's own address being
// number 0, as Terraform's cidrhost counts.
func CIDRHost(cidr string, n int) (netip.Addr, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q is not a network like 10.3.0.0/16", cidr)
	}
	prefix = prefix.Masked()
	raw := prefix.Addr().AsSlice()
	for i, carry := len(raw)-1, n; i >= 0 && carry > 0; i-- {
		sum := int(raw[i]) + carry
		raw[i], carry = byte(sum), sum>>8
	}
	addr, _ := netip.AddrFromSlice(raw)
	if n < 0 || !prefix.Contains(addr) {
		return netip.Addr{}, fmt.Errorf("%s is too small: it has no address number %d", cidr, n)
	}
	return addr, nil
}
