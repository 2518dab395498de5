package topology

import (
	"slices"
	"strings"
	"testing"
)

var testFacts = map[string][]string{
	"one": {"a"}, "two": {"b", "c"}, "none": nil, "v4": {"10.3.0.0/16"}, "dual": {"10.3.0.0/16", "fd00:3::/112"}, "hosts": {"h.example.com", "fd00::1", "10.0.0.1"}, "tiny": {"10.0.0.0/30"},
}

func testValues(fact string) ([]string, bool) {
	vs, ok := testFacts[fact]
	return vs, ok
}

func TestTemplates(t *testing.T) {
	for _, c := range []struct {
		why, text string
		want      []string
	}{
		{"text alone", "plain", []string{"plain"}},
		{"nothing", "", []string{""}},
		{"a fact", "x-{{one}}-y", []string{"x-a-y"}},
		{"blanks inside", "{{  one  }}", []string{"a"}},
		{"a list", "{{two}}", []string{"b", "c"}},
		{"an empty list", "x{{none}}", []string{}},
		{"range", "m{{range 3}}", []string{"m0", "m1", "m2"}},
		{"lists multiply", "{{two}}{{range 2}}", []string{"b0", "b1", "c0", "c1"}},
		{"two lists multiply", "{{two}}/{{dual}}", []string{"b/10.3.0.0/16", "b/fd00:3::/112", "c/10.3.0.0/16", "c/fd00:3::/112"}},
		{"the same fact twice is one value", "{{two}}={{two}}", []string{"b=b", "c=c"}},
		{"also through functions", "{{hosts}}=https://{{hostport hosts 2380}}", []string{"h.example.com=https://h.example.com:2380", "fd00::1=https://[fd00::1]:2380", "10.0.0.1=https://10.0.0.1:2380"}},
		{"first", "{{first two}}", []string{"b"}},
		{"first beside all", "{{first two}}{{two}}", []string{"bb", "bc"}},
		{"first of none", "{{first none}}", []string{}},
		{"cidrhost", "{{cidrhost v4 1}}", []string{"10.3.0.1"}},
		{"cidrhost carries", "{{cidrhost v4 256}}", []string{"10.3.1.0"}},
		{"cidrhost of both families", "{{cidrhost dual 10}}", []string{"10.3.0.10", "fd00:3::a"}},
		{"the last address", "{{cidrhost tiny 3}}", []string{"10.0.0.3"}},
		{"hostport of a name", "https://{{hostport one 443}}", []string{"https://a:443"}},
	} {
		tmpl, err := parseTemplate(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		got, err := tmpl.eval(testValues)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v; want %q", c.why, got, err, c.want)
		}
	}
}

func TestTemplatesThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"{{one":                                "{{ without }} behind it",
		"one}}":                                "}} without {{ before it",
		"{{}}":                                 "write a fact, or cidrhost FACT N",
		"{{one two}}":                          "write a fact, or cidrhost FACT N",
		"{{cidrhost v4}}":                      "write a fact, or cidrhost FACT N",
		"{{cidrhost v4 x}}":                    `"x" is not a number from 0 to 1048576`,
		"{{cidrhost v4 -1}}":                   `"-1" is not a number`,
		"{{cidrhost v4 99999999999999999999}}": "is not a number",
		"{{range 0}}":                          "a range has 1 to 1000 members",
		"{{range 1001}}":                       "a range has 1 to 1000 members",
		"{{hostport one two}}":                 `"two" is not a number`,
		"{{hostport one 65536}}":               "a port is at most 65535",
	} {
		if _, err := parseTemplate(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestTemplatesThatYieldNothing(t *testing.T) {
	for text, want := range map[string]string{
		"{{unknown}}":                "a fact it uses is wrong",
		"{{cidrhost tiny 4}}":        "tiny: 10.0.0.0/30 is too small: it has no address number 4",
		"{{cidrhost one 1}}":         `one: "a" is not a network like 10.3.0.0/16`,
		"{{range 1000}}{{range 11}}": "yields more than 10000 values",
		"{{range 1000}}{{range 1000}}{{range 1000}}{{range 1000}}": "yields more than 10000 values",
	} {
		tmpl, err := parseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.eval(testValues); err == nil || err.Error() != want {
			t.Errorf("%s: got %d values, %v; want %s", text, len(got), err, want)
		}
	}
}

func TestCIDRHost(t *testing.T) {
	for _, c := range []struct {
		cidr string
		n    int
		want string
	}{
		{"10.3.0.0/16", 0, "10.3.0.0"},
		{"10.3.0.0/16", 65535, "10.3.255.255"},
		{"10.3.7.9/16", 1, "10.3.0.1"}, // counted from the network, not from the address
		{"10.96.0.0/12", 10, "10.96.0.10"},
		{"0.0.0.0/0", 1 << 20, "0.16.0.0"},
		{"fd00::/120", 255, "fd00::ff"},
		{"::/0", 1, "::1"},
		{"255.255.255.255/32", 0, "255.255.255.255"},
	} {
		if got, err := CIDRHost(c.cidr, c.n); err != nil || got.String() != c.want {
			t.Errorf("%s %d: got %v, %v", c.cidr, c.n, got, err)
		}
	}
	for _, c := range []struct {
		cidr string
		n    int
		want string
	}{
		{"10.3.0.0/16", 65536, "10.3.0.0/16 is too small: it has no address number 65536"},
		{"255.255.255.255/32", 1, "255.255.255.255/32 is too small: it has no address number 1"},
		{"255.255.255.0/24", 256, "255.255.255.0/24 is too small: it has no address number 256"},
		{"fd00::/128", 1, "fd00::/128 is too small: it has no address number 1"},
		{"10.3.0.0", 1, `"10.3.0.0" is not a network like 10.3.0.0/16`},
		{"", 1, `"" is not a network like 10.3.0.0/16`},
		{"10.3.0.0/16", -1, "10.3.0.0/16 is too small: it has no address number -1"},
	} {
		if got, err := CIDRHost(c.cidr, c.n); err == nil || err.Error() != c.want {
			t.Errorf("%s %d: got %v, %v; want %s", c.cidr, c.n, got, err, c.want)
		}
	}
}

func TestSplitWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                      {""},
		"a b":                   {"a", "b"},
		"a {{first x}} {{y}}z":  {"a", "{{first x}}", "{{y}}z"},
		"a  b":                  {"a", "", "b"},
		"{{open a b":            {"{{open", "a", "b"},
		"x{{hostport h 1}},y z": {"x{{hostport h 1}},y", "z"},
	} {
		equal(t, text, slices.Collect(splitWords(text)), want)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"{{one}}", "a{{range 3}}-{{cidrhost dual 2}}", "{{", "}}", "{{first two}}{{hostport hosts 1}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tmpl, err := parseTemplate(s)
		if err != nil {
			return
		}
		vs, err := tmpl.eval(testValues)
		if err == nil && len(vs) > maxValues {
			t.Errorf("%d values", len(vs))
		}
		if !strings.Contains(s, "{{") && (len(vs) != 1 || vs[0] != s) {
			t.Errorf("text alone became %q", vs)
		}
	})
}
