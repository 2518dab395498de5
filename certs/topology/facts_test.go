package topology

import (
	"strings"
	"testing"
)

func TestFactValues(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, c := range []struct {
		why        string
		typ        FactType
		value      string
		want, fail string // the canonical value, or what the error says
	}{
		{"label", TypeLabel, "demo-1", "demo-1", ""},
		{"label of 63", TypeLabel, long[1:], long[1:], ""},
		{"label of 64", TypeLabel, long, "", "is longer than 63 characters"},
		{"label in upper case", TypeLabel, "Demo", "", "Demo has upper-case letters; write demo"},
		{"label with a dot", TypeLabel, "a.b", "", "a.b has a dot: a name of one label is asked for"},
		{"label with an underscore", TypeLabel, "a_b", "", "a_b may hold only lower-case letters, digits and dashes, no dash first or last"},
		{"label with a dash first", TypeLabel, "-a", "", "no dash first or last"},
		{"label with a dash last", TypeLabel, "a-", "", "no dash first or last"},
		{"label beyond ASCII", TypeLabel, "münchen", "", "may hold only lower-case letters"},
		{"domain", TypeDomain, "Example.COM", "example.com", ""},
		{"domain with a dot at its end", TypeDomain, "example.com.", "", "ends with a dot; certificates hold names without it"},
		{"domain with two dots", TypeDomain, "a..b", "", "has an empty label"},
		{"domain with a dot first", TypeDomain, ".a", "", "has an empty label"},
		{"domain with a wildcard", TypeDomain, "*.a", "", "*.a is not a host name: * may hold only"},
		{"domain too long", TypeDomain, strings.Repeat("a.", 127) + "a", "", "is longer than 253 characters"},
		{"label of a domain too long", TypeDomain, long + ".com", "", "is longer than 63 characters"},
		{"URL for a domain", TypeDomain, "https://a.b", "", "https://a.b is a URL; write the host name alone"},
		{"port behind a domain", TypeDomain, "a.b:443", "", "a.b:443 has a port; write the host name alone"},
		{"host", TypeHost, "API.example.com", "api.example.com", ""},
		{"host that is an address", TypeHost, "10.0.0.1", "10.0.0.1", ""},
		{"host in IPv6", TypeHost, "FD00:0::1", "fd00::1", ""},
		{"host in IPv6 for IPv4", TypeHost, "::ffff:10.0.0.1", "10.0.0.1", ""},
		{"octet over 255", TypeHost, "10.20.0.300", "", "10.20.0.300 is not an IP address: 300 is over 255"},
		{"octet far over 255", TypeHost, "10.20.0.1000", "", "1000 is over 255"},
		{"three octets", TypeHost, "10.0.1", "", "10.0.1 is not an IP address"},
		{"zone", TypeHost, "fe80::1%eth0", "", "fe80::1%eth0 has a zone, and a certificate cannot hold one"},
		{"brackets", TypeHost, "[fd00::1]:443", "", "[fd00::1]:443 has brackets; write fd00::1 alone"},
		{"port behind a host", TypeHost, "a.b:443", "", "a.b:443 has a port; write a.b alone"},
		{"port behind an address", TypeHost, "10.0.0.1:443", "", "10.0.0.1:443 has a port; write 10.0.0.1 alone"},
		{"URL for a host", TypeHost, "https://a.b", "", "https://a.b is a URL; write the host name or address alone"},
		{"comma list for one host", TypeHost, "a,b", "", "is not a host name"},
		{"hosts", TypeHosts, " a.b , 10.0.0.1,FD00::1 ", "a.b,10.0.0.1,fd00::1", ""},
		{"empty member", TypeHosts, "a,,b", "", "has an empty member in its comma list"},
		{"comma at the end", TypeHosts, "a,", "", "has an empty member in its comma list"},
		{"the same twice", TypeHosts, "a,A", "", "names a twice"},
		{"the same address twice", TypeHosts, "fd00::1,fd00:0::1", "", "names fd00::1 twice"},
		{"network", TypeCIDRs, "10.3.0.0/16", "10.3.0.0/16", ""},
		{"two networks", TypeCIDRs, "10.3.0.0/16, FD00::/112", "10.3.0.0/16,fd00::/112", ""},
		{"bits behind the prefix", TypeCIDRs, "10.3.0.1/16", "", "10.3.0.1/16 has bits set behind its prefix; the network is 10.3.0.0/16"},
		{"address for a network", TypeCIDRs, "10.3.0.0", "", "10.3.0.0 is not a network in CIDR form"},
		{"prefix too long", TypeCIDRs, "10.3.0.0/33", "", "is not a network in CIDR form"},
		{"addresses", TypeAddresses, "10.0.0.1,fd00::1", "10.0.0.1,fd00::1", ""},
		{"name for an address", TypeAddresses, "a.b", "", "a.b is not an IP address"},
		{"text", TypeText, "any thing, at all", "any thing, at all", ""},
		{"text with a line end", TypeText, "a\nb", "", "has a control character at position 2"},
		{"text with an escape", TypeText, "a\x1b[2J", "", "has a control character at position 2"},
		{"text that turns direction", TypeText, "a\u202eb", "", "has a control character at position 2"},
		{"text without end", TypeText, strings.Repeat("a", 4097), "", "is longer than 4096 bytes"},
		{"key bytes", TypeText, "-----BEGIN PRIVATE KEY-----MC4", "", "is a PEM block, not a value; it is not shown or kept"},
		{"nothing", TypeText, "", "", "is empty"},
	} {
		t.Run(c.why, func(t *testing.T) {
			f := Fact{Name: "f", Type: c.typ}
			list, err := f.check(strings.TrimSpace(c.value))
			switch got := strings.Join(list, ","); {
			case c.fail == "" && (err != nil || got != c.want):
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			case c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail)):
				t.Errorf("got %q, %v; want %q", got, err, c.fail)
			case err != nil && strings.ContainsAny(err.Error(), "\n\x1b\u202e"):
				t.Errorf("unescaped: %q", err)
			}
			if (f.Check(c.value) == nil) != (err == nil) {
				t.Errorf("Check says %v", f.Check(c.value))
			}
		})
	}
}

func TestEmptyFacts(t *testing.T) {
	for _, c := range []struct {
		fact Fact
		ok   bool
	}{
		{Fact{Type: TypeLabel, Default: "demo"}, true},
		{Fact{Type: TypeLabel, Optional: true}, true},
		{Fact{Type: TypeLabel}, false},
	} {
		if err := c.fact.Check("  "); (err == nil) != c.ok {
			t.Errorf("%+v: got %v", c.fact, err)
		}
	}
}

func TestChoices(t *testing.T) {
	f := Fact{Type: TypeText, Choices: []string{"operator", "manifest"}}
	if err := f.Check("manifest"); err != nil {
		t.Error(err)
	}
	if err := f.Check("helm"); err == nil || err.Error() != "must be one of operator, manifest" {
		t.Errorf("got %v", err)
	}
}

func TestFactsFollowOneAnother(t *testing.T) {
	top := resolved(t, tectonic(t), map[string]string{"cluster.name": " prod ", "cluster.domain": "Corp.Example", "etcd.hosts": ""})
	for name, want := range map[string]string{
		"cluster.name": "prod", "cluster.domain": "corp.example", "api.host": "prod-api.corp.example", "ingress.host": "prod.corp.example",
		"etcd.hosts": "prod-etcd-0.corp.example,prod-etcd-1.corp.example,prod-etcd-2.corp.example", "service.cidr": "10.3.0.0/16", "dns.domain": "cluster.local",
	} {
		if got := top.Facts.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
		if given := name == "cluster.name" || name == "cluster.domain"; top.Facts.Given[name] != given {
			t.Errorf("%s: given is %v", name, top.Facts.Given[name])
		}
	}
	if len(top.Facts.List("etcd.hosts")) != 3 {
		t.Errorf("got %v", top.Facts.List("etcd.hosts"))
	}
}

func TestFactProblemsComeInTheProfilesOrderAndOnce(t *testing.T) {
	_, problems := Resolve(tectonic(t), map[string]string{
		"service.cidr": "10.3.0.0/30", "cluster.name": "Demo", "etcd.hosts": "10.0.0.300", "zzz\x1b": "x",
	})
	var got []string
	for _, p := range problems {
		got = append(got, p.Error())
	}
	equal(t, "problems", got, []string{
		"cluster.name: Demo has upper-case letters; write demo; write one like demo",
		"etcd.hosts: 10.0.0.300 is not an IP address: 300 is over 255; write one like demo-etcd-0.example.com,demo-etcd-1.example.com",
		`zzz\u{1b}: profile tectonic has no such fact; it has cluster.name, cluster.domain, api.host, ingress.host, etcd.hosts, service.cidr, dns.domain`,
		"service.cidr: 10.3.0.0/30 is too small: it has no address number 15; write one like 10.3.0.0/16",
	})
}

func TestResolveStillYieldsAPreviewWhenFactsAreWrong(t *testing.T) {
	top, problems := Resolve(tectonic(t), map[string]string{"cluster.name": "-"})
	if len(problems) != 1 || len(top.Slots) != 12 || len(top.Edges) == 0 {
		t.Errorf("%d problems, %d slots, %d edges", len(problems), len(top.Slots), len(top.Edges))
	}
	// What does not depend on the wrong fact is there.
	equal(t, "names", texts(top.Slot("identity/server").Names), []string{"DNS:tectonic-identity-api.tectonic-system.svc.cluster.local"})
}

func FuzzFacts(f *testing.F) {
	f.Add("demo", "10.3.0.0/16,fd00::/112", "a.b,10.0.0.1,fd00::1")
	f.Add("-----BEGIN", "::ffff:10.0.0.0/104", "[fd00::1]:443")
	profile := tectonic(f)
	f.Fuzz(func(t *testing.T, name, cidr, hosts string) {
		given := map[string]string{"cluster.name": name, "service.cidr": cidr, "etcd.hosts": hosts, "api.host": hosts}
		top, problems := Resolve(profile, given)
		for _, p := range problems {
			if strings.ContainsAny(p.Error(), "\n\r\x1b\u202e\u2066") {
				t.Errorf("unescaped: %q", p.Error())
			}
		}
		if len(problems) > 0 {
			return
		}
		// What was taken is taken again, and means the same.
		again, problems := Resolve(profile, top.Facts.Values)
		if len(problems) > 0 {
			t.Fatalf("%v is refused the second time: %v", top.Facts.Values, problems[0])
		}
		for k, v := range top.Facts.Values {
			if again.Facts.Get(k) != v {
				t.Errorf("%s: %q became %q", k, v, again.Facts.Get(k))
			}
		}
		for _, s := range top.Slots {
			if len(s.Subject.CN) > maxCN && CheckDNSName(s.Subject.CN) == nil {
				t.Errorf("%s: CN of %d", s.ID, len(s.Subject.CN))
			}
		}
	})
}
