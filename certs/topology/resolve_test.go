package topology

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestNamesTakeTheirFormFromTheValue(t *testing.T) {
	p := small()
	p.Slots[1].Names = []NameSpec{
		{Host: "{{hosts}}", Required: "dialled"},
		{DNS: "*.svc.example.com"},
		{IP: "{{cidrhost cidr 1}}", Advised: "handy"},
		{URI: "spiffe://example.com/{{name}}"},
		{DNS: "a.example.com", Advised: "again"},
		{IP: "::ffff:10.0.0.1"}, // cidrhost cidr 1, once more
	}
	top := resolved(t, p, map[string]string{"hosts": "a.example.com,fd00::1,10.9.9.9", "cidr": "10.0.0.0/24,fd01::/112"})
	s := top.Slot("main/server")
	equal(t, "names", texts(s.Names), []string{
		"DNS:a.example.com", "IP:fd00::1", "IP:10.9.9.9", "DNS:*.svc.example.com", "IP:10.0.0.1", "IP:fd01::1", "URI:spiffe://example.com/demo",
	})
	equal(t, "required", texts(s.RequiredNames()), []string{"DNS:a.example.com", "IP:fd00::1", "IP:10.9.9.9"})
	equal(t, "DNS", s.IssuedNames(DNSName), []string{"a.example.com", "*.svc.example.com"})
	equal(t, "IP", s.IssuedNames(IPAddress), []string{"fd00::1", "10.9.9.9", "10.0.0.1", "fd01::1"})
	equal(t, "URI", s.IssuedNames(URIName), []string{"spiffe://example.com/demo"})
	for _, n := range s.Names {
		if n.Value == "10.0.0.1" && n.Advised != "handy" {
			t.Errorf("%v is advised for %q", n, n.Advised)
		}
	}
}

func TestANameThatIsRequiredOnceIsRequired(t *testing.T) {
	p := small()
	p.Slots[1].Names = []NameSpec{{DNS: "a"}, {DNS: "a", Required: "dialled", Advised: "handy"}}
	names := resolved(t, p, nil).Slot("main/server").Names
	if len(names) != 1 || names[0].Required != "dialled" || names[0].Advised != "handy" {
		t.Errorf("got %+v", names)
	}
}

func TestANameDialledWithoutReserveMustNotFail(t *testing.T) {
	for _, hosts := range []string{"localhost", "a,localhost"} {
		top := resolved(t, tectonic(t), map[string]string{"etcd.hosts": hosts})
		for _, e := range top.Edges {
			for _, n := range e.Dials {
				if e.ID == "apiserver-etcd" && n.Value == "localhost" && n.Advised != "" {
					t.Errorf("%s: %s may fail for localhost: %s", hosts, e.ID, n.Advised)
				}
			}
		}
	}
}

func TestDualStackCountsInEveryFamily(t *testing.T) {
	top := resolved(t, tectonic(t), map[string]string{"service.cidr": "10.3.0.0/16,fd00:3::/112"})
	ips := top.Slot("kube/apiserver").IssuedNames(IPAddress)
	equal(t, "API server", ips, []string{"10.3.0.1", "fd00:3::1"})
	equal(t, "etcd", top.Slot("etcd/peer").IssuedNames(IPAddress), []string{"10.3.0.15", "fd00:3::f", "10.3.0.20", "fd00:3::14"})
	if n := len(top.Slot("kube/apiserver").RequiredNames()); n != 7 {
		t.Errorf("%d required names", n)
	}
}

func TestHostsOfIPv6(t *testing.T) {
	top := resolved(t, tectonic(t), map[string]string{"api.host": "fd00::1", "etcd.hosts": "fd00::10"})
	if got, want := top.Kubeconfigs[0].Server, "https://[fd00::1]:443"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if run := top.NextSteps[0].Hosts[0].Run[0]; !strings.Contains(run, " --initial-cluster fd00::10=https://[fd00::10]:2380 ") {
		t.Errorf("got %s", run)
	}
	equal(t, "API server", top.Slot("kube/apiserver").IssuedNames(IPAddress), []string{"fd00::1", "10.3.0.1"})
	for _, e := range top.Edges {
		if e.ID == "kubelet-apiserver" && e.Dials[0] != (Name{Kind: IPAddress, Value: "fd00::1"}) {
			t.Errorf("got %+v", e.Dials[0])
		}
	}
}

func TestLongCommonNames(t *testing.T) {
	for _, c := range []struct{ why, host, want string }{
		{"fits", strings.Repeat("a", 52) + ".example.com", strings.Repeat("a", 52) + ".example.com"}, // 64
		{"does not fit: its first label", strings.Repeat("a", 53) + ".example.com", strings.Repeat("a", 53)},
		{"a first label of 63", strings.Repeat("a", 63) + ".example.com", strings.Repeat("a", 63)},
	} {
		top := resolved(t, tectonic(t), map[string]string{"ingress.host": c.host})
		s := top.Slot("ingress/server")
		if s.Subject.CN != c.want {
			t.Errorf("%s: CN is %s", c.why, s.Subject.CN)
		}
		equal(t, c.why, texts(s.Names), []string{"DNS:" + c.host}) // the whole name is in the SAN
	}
}

// The API server compares a user whole: of a shorter one it says that the node
// is another, and refuses it.
func TestAUserStaysWholeHoweverLongItIs(t *testing.T) {
	p := small()
	p.Slots[3].Subject = Subject{CN: "system:node:{{first hosts}}"}
	host := "worker-0." + strings.Repeat("department.", 6) + "example.com"
	top := resolved(t, p, map[string]string{"hosts": host})
	if got := top.Slot("guest/client").Subject.CN; got != "system:node:"+host {
		t.Errorf("CN is %s", got)
	}
}

func TestStepsAreFilledInWordByWord(t *testing.T) {
	top := resolved(t, small(), map[string]string{"hosts": "a,fd00::1"})
	each, once := top.NextSteps[0], top.NextSteps[1]
	if each.Run != nil || len(each.Hosts) != 2 {
		t.Fatalf("got %+v", each)
	}
	for i, want := range []HostStep{
		{"a", []string{"daemon a --peers a=https://a:1,fd00::1=https://[fd00::1]:1 $FLAGS"}},
		{"fd00::1", []string{"daemon fd00::1 --peers a=https://a:1,fd00::1=https://[fd00::1]:1 $FLAGS"}},
	} {
		if each.Hosts[i].Host != want.Host || !slices.Equal(each.Hosts[i].Run, want.Run) {
			t.Errorf("got %+v, want %+v", each.Hosts[i], want)
		}
	}
	if once.Text != "All of a, fd00::1." || once.Run[0] != "echo demo" {
		t.Errorf("got %+v", once)
	}
}

func TestDefaultsOfASlot(t *testing.T) {
	top := resolved(t, small(), nil)
	s := top.Slot("main/server")
	if s.Authority != "main" || s.Component != "main" || s.Consumers[0].Field != FieldCert || s.Outputs[0].Field != FieldCert || s.Outputs[1].Field != FieldID {
		t.Errorf("got %+v", s)
	}
	equal(t, "algorithms", s.Algorithms, []string{"ecdsa-p256"})
	if !s.Server() || !s.Client() || top.Slot("guest/client").Server() {
		t.Error("roles are wrong")
	}
	if top.Slot("main/pair").Authority != "" || top.Slot("main/ca").Authority != "main" {
		t.Error("a key pair has an authority, or a CA none")
	}
	if top.Slot("none/such") != nil || top.Component("none") != nil || top.Authority("none") != nil || top.CASlot("none") != nil || top.Due("none", BringCerts) != nil {
		t.Error("unknown names are found")
	}
	a := top.Authority("main")
	if a.Owner != "main" || !slices.Equal(a.Sharers, []ComponentID{"guest"}) || top.CASlot("main").ID != "main/ca" {
		t.Errorf("got %+v", a)
	}
	p := small()
	if top = resolved(t, p, nil); &p.Slots[1].Consumers[0] == &top.Slots[1].Consumers[0] || p.Slots[1].Consumers[0].Field != "" {
		t.Error("the profile itself was changed")
	}
}

func TestIdentifiers(t *testing.T) {
	id := SlotID("kube/kubelet-client@worker-0")
	if id.Component() != "kube" || id.Base() != "kube/kubelet-client" || id.Node() != "worker-0" || id.Name() != "kubelet-client@worker-0" {
		t.Error("the parts of a slot's name are wrong")
	}
	for _, m := range Modes() {
		if back, err := ParseMode(string(m)); err != nil || back != m || m.Letter() == "?" || m.Words() == "" {
			t.Errorf("%s: %v, %v, %s", m, back, err, m.Letter())
		}
	}
	if _, err := ParseMode("g"); err == nil || Mode("g").Letter() != "?" {
		t.Error("an unknown mode is taken")
	}
}

func TestDueIsWhatAPersonHandsOver(t *testing.T) {
	top := resolved(t, tectonic(t), nil)
	for _, c := range []struct {
		component ComponentID
		mode      Mode
		want      []string
	}{
		{"kube", Generate, nil},
		{"kube", BringCA, []string{"kube/ca"}},
		{"kube", BringCerts, []string{"kube/ca", "kube/apiserver", "kube/kubelet", "kube/service-account"}},
		{"identity", BringCerts, []string{"identity/server", "identity/client"}},
		{"identity", BringCA, nil},
	} {
		var got []string
		for _, s := range top.Due(c.component, c.mode) {
			got = append(got, string(s.ID))
		}
		equal(t, string(c.component)+" "+string(c.mode), got, c.want)
	}
	for _, comp := range top.Components {
		for _, m := range []Mode{Generate, BringCA, BringCerts} {
			due := map[SlotID]bool{}
			for _, s := range top.Due(comp.ID, m) {
				due[s.ID] = true
			}
			for _, s := range top.Slots {
				if s.ID.Component() == comp.ID && top.IsDue(s.ID, m) != due[s.ID] {
					t.Errorf("%s in mode %s: IsDue and Due do not agree", s.ID, m)
				}
			}
		}
	}
	if top.IsDue("none/such", BringCerts) {
		t.Error("a slot that is not there is due")
	}
	equal(t, "modes", modes(top, "identity"), []string{"generate", "bring-certs"})
	equal(t, "modes", modes(top, "etcd"), []string{"generate", "bring-ca", "bring-certs"})
}

func modes(t *Topology, id ComponentID) []string {
	var out []string
	for _, m := range t.Component(id).Modes() {
		out = append(out, string(m))
	}
	return out
}

func TestSharedAuthority(t *testing.T) {
	top := resolved(t, tectonic(t), nil)
	for _, c := range []struct {
		why      string
		kube     Choice
		identity Mode
		want     string
	}{
		{"both generated", Choice{Mode: Generate}, Generate, ""},
		{"nothing chosen", Choice{}, Generate, ""},
		{"from a brought CA", Choice{Mode: BringCA}, Generate, ""},
		{"from an intermediate under a brought CA", Choice{Mode: BringCA, Intermediate: true}, Generate, ""},
		{"from brought certificates with the CA's key", Choice{Mode: BringCerts, CAKey: true}, Generate, ""},
		{"brought beside brought", Choice{Mode: BringCerts}, BringCerts, ""},
		{"brought under a brought CA", Choice{Mode: BringCA}, BringCerts, ""},
		{
			"no key to issue from",
			Choice{Mode: BringCerts},
			Generate,
			"identity cannot be set to generate: its certificates are signed by kube's CA, and kube is set to bring certs without the CA's key; give the key of kube/ca, or set identity to bring certs",
		},
		{
			"no CA of its own",
			Choice{Mode: BringCA},
			BringCA,
			"identity cannot be set to bring CA: it has no CA of its own, its certificates come from kube's CA; set kube to bring CA, and identity to generate",
		},
		{
			"brought under a CA that does not exist yet",
			Choice{Mode: Generate},
			BringCerts,
			"identity cannot be set to bring certs: its certificates must chain to kube's CA, and kube is set to generate, so that CA does not exist before the set is made; set kube to bring CA or bring certs, or identity to generate",
		},
		{
			"brought under an intermediate that does not exist yet",
			Choice{Mode: BringCA, Intermediate: true},
			BringCerts,
			"identity cannot be set to bring certs: its certificates must chain to kube's CA, and kube gets a new intermediate, which does not exist before the set is made; let kube's CA sign directly, or set identity to generate",
		},
	} {
		err := top.Available("identity", c.identity, map[ComponentID]Choice{"kube": c.kube})
		got := ""
		if err != nil {
			got = err.Error()
			if u := (*Unavailable)(nil); !errors.As(err, &u) || u.Component != "identity" || u.Mode != c.identity {
				t.Errorf("%s: %#v", c.why, err)
			}
		}
		if got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.why, got, c.want)
		}
		for _, m := range Modes() {
			if err := top.Available("kube", m, map[ComponentID]Choice{"kube": c.kube, "identity": {Mode: c.identity}}); err != nil {
				t.Errorf("kube owns its CA: %v", err)
			}
		}
	}
	if err := top.Available("ident", Generate, nil); err == nil || err.Error() != `profile tectonic has no component "ident"; it has etcd, kube, identity, ingress` {
		t.Errorf("got %v", err)
	}
}
