package topology

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// full is the small profile with all that layouts are made of.
func full() *Profile {
	p := small()
	p.Facts = append(p.Facts, Fact{Name: "kind", Type: TypeText, Default: "a", Choices: []string{"a", "b"}})
	p.Install = []Place{{To: "/etc/main"}, {From: "sub", To: "/var/lib/sub"}}
	p.Slots[3].Files = Files{Cert: "sub/guest.crt", Key: "sub/guest.key"}
	p.Settings = []Setting{{Component: "daemon", As: AsEnv, Name: "NOTE", Value: "{{note}}"}, {Component: "daemon", As: AsFlag, Name: "--name", Value: "{{name}}"}}
	p.Secrets = append(p.Secrets, Secret{
		Kind: KindConfigMap, Name: "trust", Namespace: "{{name}}-system", When: "kind == a",
		Data: []SecretItem{{Key: "ca", Slot: "main/ca"}, {Key: "name", Value: "{{note}}"}, {Key: "kind", Value: "{{kind}}", When: "kind == b"}},
	})
	p.APIServices = []APIService{{Name: "v1.example.org", Slot: "main/ca", When: "kind == a"}}
	for _, as := range ExportRoles(ExportClusterAPI) {
		slot := SlotID("main/ca")
		if as == "sa" {
			slot = "main/pair"
		}
		p.Exports = append(p.Exports, Export{Layout: ExportClusterAPI, As: as, Slot: slot})
	}
	p.Layouts, p.Offers = []string{"tree"}, []string{ExportClusterAPI}
	return p
}

func TestEachMistakeInWhatLayoutsAreMadeOfIsNamed(t *testing.T) {
	for _, err := range full().Validate() {
		t.Errorf("without a mistake: %v", err)
	}
	for _, c := range []struct {
		why   string
		spoil func(*Profile)
		want  string
	}{
		{"place of no file", func(p *Profile) { p.Install[1].From = "nowhere" }, `install[1].from: no file of the tree lies in "nowhere"`},
		{"place twice", func(p *Profile) { p.Install[1].From = "" }, `install[1].from: "" has a place already`},
		{"place above the tree", func(p *Profile) { p.Install[1].From = "../sub" }, `install[1].from: must be a relative path of lower-case letters, digits, dots and dashes, not "../sub"`},
		{"place that is relative", func(p *Profile) { p.Install[0].To = "etc" }, `install[0].to: must be an absolute path without . and .. in it, not "etc"`},
		{"place that climbs", func(p *Profile) { p.Install[0].To = "/etc/../root" }, `install[0].to: must be an absolute path without . and .. in it, not "/etc/../root"`},
		{"the root directory", func(p *Profile) { p.Install[0].To = "/" }, `install[0].to: must be an absolute path without . and .. in it, not "/"`},
		{"place for a part alone", func(p *Profile) { p.Install = p.Install[1:] }, "install: names places for parts of the tree and none for the rest; add one without from"},
		{"setting of nobody", func(p *Profile) { p.Settings[0].Component = "" }, "settings[0].component: is empty; name the program"},
		{"setting without a name", func(p *Profile) { p.Settings[0].Name = "" }, "settings[0].name: is empty; name the parameter"},
		{"setting without a value", func(p *Profile) { p.Settings[0].Value = "" }, "settings[0].value: is empty; write the value"},
		{"setting's value", func(p *Profile) { p.Settings[0].Value = "{{x}}" }, `settings[0].value: unknown fact "x"`},
		{"setting's form", func(p *Profile) { p.Settings[0].As = AsSecret }, `settings[0].as: must be flag, env, config or json, not "secret"`},
		{"setting's condition", func(p *Profile) { p.Settings[0].When = "kind == c" }, `settings[0].when: fact "kind" is never "c"; it is one of [a b]`},
		{"object's kind", func(p *Profile) { p.Secrets[1].Kind = "Pod" }, `secrets[1].kind: must be Secret or ConfigMap, not "Pod"`},
		{"ConfigMap with a type", func(p *Profile) { p.Secrets[1].Type = "Opaque" }, "secrets[1].type: is of a Secret; a ConfigMap has none"},
		{"ConfigMap with a key", func(p *Profile) { p.Secrets[1].Data[0] = SecretItem{Key: "k", Slot: "main/server", Field: FieldKey} }, "secrets[1].data[0].field: a ConfigMap is no place for a private key: many may read it; write kind: Secret"},
		{"object's namespace", func(p *Profile) { p.Secrets[1].Namespace = "{{x}}" }, `secrets[1].namespace: unknown fact "x"`},
		{"object's condition", func(p *Profile) { p.Secrets[1].When = "x == a" }, `secrets[1].when: unknown fact "x"`},
		{"value and file", func(p *Profile) { p.Secrets[1].Data[1].Slot = "main/ca" }, `secrets[1].data[1].value: key "name" takes a value or a slot's file, not both`},
		{"value's fact", func(p *Profile) { p.Secrets[1].Data[1].Value = "{{x}}" }, `secrets[1].data[1].value: unknown fact "x"`},
		{"item's condition", func(p *Profile) { p.Secrets[1].Data[1].When = "x is set" }, `secrets[1].data[1].when: unknown fact "x"`},
		{"APIService's name", func(p *Profile) { p.APIServices[0].Name = "v1" }, `apiServices[0].name: must be VERSION.GROUP in lower case, like v3.projectcalico.org, not "v1"`},
		{"APIService's slot", func(p *Profile) { p.APIServices[0].Slot = "x/y" }, `apiServices[0].slot: unknown slot "x/y"`},
		{"APIService of a key pair", func(p *Profile) { p.APIServices[0].Slot = "main/pair" }, `apiServices[0].slot: slot "main/pair" is a key pair and has no certificate`},
		{"export's layout", func(p *Profile) { p.Exports[0].Layout = "talos" }, `exports[0].layout: must be cluster-api or k3s, not "talos"`},
		{"export's role", func(p *Profile) { p.Exports[0].As = "kube" }, `exports[0].as: cluster-api has no "kube"; it has ca, etcd, proxy, sa`},
		{"export twice", func(p *Profile) { p.Exports[1].As = "ca" }, "exports[1].as: ca of cluster-api is there already"},
		{"export's slot", func(p *Profile) { p.Exports[0].Slot = "x/y" }, `exports[0].slot: unknown slot "x/y"`},
		{"export of a leaf as a CA", func(p *Profile) { p.Exports[0].Slot = "main/server" }, `exports[0].slot: slot "main/server" has kind "leaf", and ca needs kind ca`},
		{"layout that lacks a part", func(p *Profile) { p.Exports = p.Exports[:3] }, "exports: layout cluster-api needs a slot as sa, and no export names one"},
		{"offer of what is written", func(p *Profile) { p.Offers = append(p.Offers, "tree") }, "offers: tree is in layouts already, and written without being asked for"},
		{"consumer's form", func(p *Profile) { p.Slots[1].Consumers[0].As = "toml" }, `slots[1].consumers[0].as: must be flag, env, config, json, secret, kubeconfig or manifest, not "toml"`},
		{"variant's file above the tree", func(p *Profile) {
			p.Slots[3].Variants = []SlotVariant{{When: "kind == b", Files: &Files{Cert: "../../x.crt"}}}
		}, `slots[3].variants[0].files.cert: must be a relative path of lower-case letters, digits, dots and dashes, not "../../x.crt"`},
		{"variant's further file", func(p *Profile) {
			p.Slots[3].Variants = []SlotVariant{{When: "kind == b", Also: []Files{{}, {Key: "/x.key"}}}}
		}, `slots[3].variants[0].also[1].key: must be a relative path of lower-case letters, digits, dots and dashes, not "/x.key"`},
		{"variant's consumer", func(p *Profile) {
			p.Slots[3].Variants = []SlotVariant{{When: "kind == b", Consumers: []Consumer{{Component: "d", As: AsFlag, Name: "--x", Field: FieldPublic}}}}
		}, `slots[3].variants[0].consumers[0].field: --x takes the public of slot "guest/client", and its files name none`},
		{"step's layout", func(p *Profile) { p.NextSteps[1].Layout = "k3s" }, `nextSteps[1].layout: layout "k3s" is neither in layouts nor in offers`},
		{"step's nodes", func(p *Profile) { p.NextSteps[1].For = "master" }, `nextSteps[1].for: must be control-plane, worker or left out, not "master"`},
		{"step's CA", func(p *Profile) { p.NextSteps[1].Pin = "x" }, `nextSteps[1].pin: unknown authority "x"`},
		{"step's condition", func(p *Profile) { p.NextSteps[1].When = "x is set" }, `nextSteps[1].when: unknown fact "x"`},
	} {
		t.Run(c.why, func(t *testing.T) {
			p := full()
			c.spoil(p)
			var got []string
			for _, err := range p.Validate() {
				got = append(got, err.Error())
			}
			if !slices.Contains(got, c.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), c.want)
			}
		})
	}
}

func TestWhatLayoutsAreMadeOfIsFilledIn(t *testing.T) {
	p := full()
	for _, c := range []struct {
		why   string
		facts map[string]string
		want  string
	}{
		{"a value that comes out empty is not there", nil, "--name=demo; Secret ns/name tls.crt tls.key; ConfigMap demo-system/trust ca; v1.example.org"},
		{"a value that is given", map[string]string{"note": "x y"}, "NOTE=x y; --name=demo; Secret ns/name tls.crt tls.key; ConfigMap demo-system/trust ca name=x y; v1.example.org"},
		{"a condition that fails takes the object away", map[string]string{"kind": "b"}, "--name=demo; Secret ns/name tls.crt tls.key"},
	} {
		top, problems := Resolve(p, c.facts)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		var got []string
		for _, s := range top.Settings {
			got = append(got, s.Name+"="+s.Value)
		}
		for _, s := range top.Secrets {
			text := fmt.Sprintf("%s %s/%s", s.Kind, s.Namespace, s.Name)
			for _, d := range s.Data {
				if text += " " + d.Key; d.Value != "" {
					text += "=" + d.Value
				}
			}
			got = append(got, text)
		}
		for _, a := range top.APIServices {
			got = append(got, a.Name)
		}
		if g := strings.Join(got, "; "); g != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.why, g, c.want)
		}
	}
}

func TestInstalled(t *testing.T) {
	p := full()
	for file, want := range map[string]string{
		"server.crt": "/etc/main/server.crt", "sub/guest.crt": "/var/lib/sub/guest.crt", "subs/x": "/etc/main/subs/x", "a/b": "/etc/main/a/b",
	} {
		if got, ok := p.Installed(file); !ok || got != want {
			t.Errorf("%s: got %s, want %s", file, got, want)
		}
	}
	if at, ok := small().Installed("server.crt"); ok {
		t.Errorf("a profile without places has one: %s", at)
	}
}

// noded is a profile with a certificate and a kubeconfig for each node.
func noded() *Profile {
	p := small()
	p.Facts = append(p.Facts, Fact{Name: nodeName, Type: TypeNode, Default: "n", PerNode: true}, Fact{Name: nodeAddresses, Type: TypeAddresses, Default: "10.0.0.1", PerNode: true})
	p.Slots[1].Per, p.Slots[1].Outputs = PerNode, nil
	p.Secrets = nil
	p.Kubeconfigs[0].Per, p.Kubeconfigs[0].Server = PerNode, "https://{{hostport node.addresses 6443}}"
	p.NextSteps = []Step{{Title: "all"}, {Title: "more control planes", For: ControlPlane}, {Title: "workers", For: Worker}}
	return p
}

func TestStepsForFurtherNodes(t *testing.T) {
	p := noded()
	for _, err := range p.Validate() {
		t.Error(err)
	}
	node := func(name string, role Role) Node {
		return Node{Name: name, Role: role, Addresses: []string{fmt.Sprintf("10.0.0.%d", 1+name[0]-'a')}}
	}
	for _, c := range []struct {
		nodes []Node
		want  string
	}{
		{nil, "all"},
		{[]Node{node("a", ControlPlane), node("b", Worker)}, "all, workers"},
		{[]Node{node("a", ControlPlane), node("b", ControlPlane)}, "all, more control planes"},
	} {
		top, problems := ResolveNodes(p, nil, c.nodes)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		var got []string
		for _, s := range top.NextSteps {
			got = append(got, s.Title)
		}
		if g := strings.Join(got, ", "); g != c.want {
			t.Errorf("%d nodes: got %s, want %s", len(c.nodes), g, c.want)
		}
	}
}

// A kubeconfig has one server, also on a node of two address families.
func TestKubeconfigHasOneServer(t *testing.T) {
	top, problems := Resolve(noded(), map[string]string{nodeAddresses: "fd00::1,10.0.0.1"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := top.Kubeconfigs[0].Server; got != "https://[fd00::1]:6443" {
		t.Errorf("got %s", got)
	}
}

func TestSecretOfWhatEachNodeHas(t *testing.T) {
	p := noded()
	p.Secrets = []Secret{{Name: "x", Namespace: "ns", Data: []SecretItem{{Key: "crt", Slot: "main/server"}}}}
	want := `secrets[0].data[0].slot: there is one "main/server" for each node, and a Secret is the cluster's`
	if errs := p.Validate(); len(errs) != 1 || errs[0].Error() != want {
		t.Errorf("got %v, want %s", errs, want)
	}
}

func TestOutputOfWhatEachNodeHas(t *testing.T) {
	p := noded()
	p.Slots[1].Outputs = []Output{{Module: "m", Name: "cert"}}
	want := `slots[1].outputs[0]: there is one "main/server" for each node, and a module has each output once`
	if errs := p.Validate(); len(errs) != 1 || errs[0].Error() != want {
		t.Errorf("got %v, want %s", errs, want)
	}
}
