package plan

import (
	"errors"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"certwright/assets/profiles"
	"certwright/assets/yamlfile"
	"certwright/certs/issue"
	"certwright/certs/topology"
)

// complete is Complete with the plan's own topology.
func complete(p *Plan, profile *topology.Profile) error {
	t, _ := p.Outline(profile)
	return p.Complete(t)
}

func tectonic(t interface {
	Helper()
	Fatal(args ...any)
},
) *topology.Profile {
	t.Helper()
	p, err := profiles.Load("tectonic")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// full has every field of the schema, as the documentation shows it.
const full = `apiVersion: certwright/v1
profile: tectonic
facts: {cluster.name: demo, cluster.domain: example.com, service.cidr: 10.3.0.0/16}
keys: {algorithm: ecdsa-p256}          # rsa-2048 rsa-3072 rsa-4096 ecdsa-p256 ecdsa-p384 ed25519
validity: {ca: 87600h, leaf: 8760h}
components:
  etcd:     {mode: generate}
  kube:     {mode: bring-ca, ca: {cert: corp/kube-ca.crt, key: corp/kube-ca.key}}
  identity: {mode: generate}
  ingress:  {mode: bring-certs, certs: {ca: {cert: corp/ca.crt}, server: {cert: www.crt, key: www.key}}}
output: {dir: generated, layouts: [tree, secrets, terraform, flags]}
`

func TestParseReadsEveryField(t *testing.T) {
	p, err := Parse("plan.yaml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	want := &Plan{
		APIVersion: "certwright/v1", Profile: "tectonic",
		Facts:    map[string]string{"cluster.name": "demo", "cluster.domain": "example.com", "service.cidr": "10.3.0.0/16"},
		Keys:     Keys{Algorithm: issue.ECDSAP256},
		Validity: Validity{Duration(87600 * time.Hour), Duration(8760 * time.Hour)},
		Components: map[topology.ComponentID]Component{
			"etcd":     {Mode: topology.Generate},
			"kube":     {Mode: topology.BringCA, CA: &Files{Cert: "corp/kube-ca.crt", Key: "corp/kube-ca.key"}},
			"identity": {Mode: topology.Generate},
			"ingress":  {Mode: topology.BringCerts, Certs: map[string]Files{"ca": {Cert: "corp/ca.crt"}, "server": {Cert: "www.crt", Key: "www.key"}}},
		},
		Output: Output{"generated", []string{"tree", "secrets", "terraform", "flags"}},
	}
	if !p.Equal(want) {
		t.Errorf("got  %+v\nwant %+v", p, want)
	}
	if err := p.Check(tectonic(t)); err != nil {
		t.Error(err)
	}
	if err := complete(p, tectonic(t)); err != nil {
		t.Error(err)
	}
}

// head stands before what a case is about; the case starts in line 3.
const head = "apiVersion: certwright/v1\nprofile: tectonic\n"

func TestWrongPlansAreRefusedWithLineAndColumn(t *testing.T) {
	for _, c := range []struct{ why, text, want string }{
		{"unknown field", head + "fact: {}\n", `plan.yaml:3:1: unknown field "fact"; did you mean facts?`},
		{"unknown field of a component", head + "components: {etcd: {mod: generate}}\n", `plan.yaml:3:21: components.etcd: unknown field "mod"; did you mean mode?`},
		{"duplicate component", head + "components:\n  etcd: {}\n  etcd: {}\n", "plan.yaml:5:3: components.etcd: is set twice, first in line 4; keep one"},
		{"life without a unit", head + "validity: {leaf: 365}\n", `plan.yaml:3:18: validity.leaf: "365" has no unit; write hours, days or years: 8760h, 365d, 1y`},
		{"a fate of CA keys that there is not", head + "keys: {ca-keys: encrypt}\n", `plan.yaml:3:17: keys.ca-keys: "encrypt" is not known; use plain, encrypted or discard`},
		{"life of nothing", head + "validity: {leaf: 0h}\n", `plan.yaml:3:18: validity.leaf: "0h" is not more than zero; write a time like 8760h, 365d or 1y`},
		{"negative life", head + "validity: {ca: -1h}\n", `plan.yaml:3:16: validity.ca: "-1h" is not more than zero; write a time like 8760h, 365d or 1y`},
		{"life of ages", head + "validity: {ca: 101y}\n", `plan.yaml:3:16: validity.ca: "101y" is more than 100 years`},
		{"leaf outlives CA", head + "validity: {ca: 1y, leaf: 366d}\n", "plan.yaml:3:26: validity.leaf: is 8784h, longer than the CA's 8760h, and a certificate must not outlive its CA; lower it or raise validity.ca"},
		{"other version", "apiVersion: certwright/v2\nprofile: tectonic\n", `plan.yaml:1:13: apiVersion: must be certwright/v1, not "certwright/v2"`},
		{"no version", "profile: tectonic\n", "plan.yaml:1:1: apiVersion: is missing; write apiVersion: certwright/v1"},
		{"no profile", "apiVersion: certwright/v1\n", "plan.yaml:1:1: profile: is missing; write profile: tectonic, or another that certwright profiles lists"},
		{"unknown fact", head + "facts: {cluster.nam: x}\n", "plan.yaml:3:22: facts.cluster.nam: profile tectonic has no such fact; did you mean cluster.name?"},
		{"wrong fact", head + "facts:\n  etcd.hosts: a,10.0.0.300\n", "plan.yaml:4:15: facts.etcd.hosts: 10.0.0.300 is not an IP address: 300 is over 255; write one like demo-etcd-0.example.com,demo-etcd-1.example.com"},
		{"network too small", head + "facts: {service.cidr: 10.3.0.0/29}\n", "plan.yaml:3:23: facts.service.cidr: 10.3.0.0/29 is too small: it has no address number 15; write one like 10.3.0.0/16"},
		{"unknown algorithm", head + "keys: {algorithm: rsa2048}\n", `plan.yaml:3:19: keys.algorithm: unknown algorithm "rsa2048"; did you mean rsa-2048?`},
		{"algorithm of the years to come", head + "keys: {algorithm: ml-dsa-65}\n", "plan.yaml:3:19: keys.algorithm: no component of profile tectonic takes ml-dsa-65 yet: such keys need programs built with Go 1.27 or newer, or on OpenSSL 3.5 or newer; use one of ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096"},
		{"algorithm that browsers refuse", head + "keys: {algorithm: ed25519}\n", "plan.yaml:3:19: keys.algorithm: profile tectonic does not take ed25519, because some of its components refuse it; use one of ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096"},
		{"unknown hierarchy", head + "hierarchy: flat\n", `plan.yaml:3:12: hierarchy: must be intermediates (one root above all CAs) or roots (each CA a root of its own), not "flat"`},
		{"unknown component", head + "components: {ectd: {mode: generate}}\n", "plan.yaml:3:20: components.ectd: unknown component; did you mean etcd?"},
		{"unknown mode", head + "components: {etcd: {mode: bringca}}\n", `plan.yaml:3:27: components.etcd.mode: unknown mode "bringca"; did you mean bring-ca?`},
		{"files without a mode", head + "components: {etcd: {ca: {cert: a, key: b}}}\n", "plan.yaml:3:20: components.etcd: has files and no mode; write mode: bring-ca or mode: bring-certs"},
		{"unknown slot", head + "components: {etcd: {mode: bring-certs, certs: {clinet: {cert: a}}}}\n", "plan.yaml:3:56: components.etcd.certs.clinet: etcd has no such slot; did you mean client?"},
		{"intermediate in another mode", head + "components: {etcd: {mode: generate, intermediate: true}}\n", "plan.yaml:3:51: components.etcd.intermediate: is for mode bring-ca alone; remove it, or write mode: bring-ca"},
		{
			"CA for a component without one", head + "components: {identity: {mode: bring-ca}}\n",
			"plan.yaml:3:31: components.identity.mode: identity cannot be set to bring CA: it has no CA of its own, its certificates come from kube's CA; set kube to bring CA, and identity to generate",
		},
		{
			"nothing to issue identity from", head + "components: {kube: {mode: bring-certs}, identity: {mode: generate}}\n",
			"plan.yaml:3:58: components.identity.mode: identity cannot be set to generate: its certificates are signed by kube's CA, and kube is set to bring certs without the CA's key; give the key of kube/ca, or set identity to bring certs",
		},
		{
			"nothing to issue an unnamed identity from", head + "components: {kube: {mode: bring-certs}}\n",
			"plan.yaml:3:13: components.identity.mode: identity cannot be set to generate: its certificates are signed by kube's CA, and kube is set to bring certs without the CA's key; give the key of kube/ca, or set identity to bring certs",
		},
		{"unknown layout", head + "output: {layouts: [tree, tee]}\n", `plan.yaml:3:26: output.layouts[1]: profile tectonic has no layout "tee"; did you mean tree?`},
		{"layout twice", head + "output: {layouts: [tree, tree]}\n", "plan.yaml:3:26: output.layouts[1]: names tree twice"},
		{"nodes", head + "nodes:\n  - {name: cp-0}\n", "plan.yaml:4:3: nodes: profile tectonic has no nodes; remove the field"},
		{"path with an escape", head + "components: {kube: {mode: bring-ca, ca: {cert: \"a\\e[2J\", key: b}}}\n", "plan.yaml:3:48: components.kube.ca.cert: has a control character, and must be a path"},
		{"path without end", head + "output: {dir: " + strings.Repeat("a/", 2048) + "}\n", "plan.yaml:3:15: output.dir: is longer than 4096 bytes, and no path is"},
		{"PEM as a path, escaped", head + `components: {kube: {mode: bring-ca, ca: {cert: "\x2d\x2d\x2d\x2d\x2dBEGIN CERTIFICATE-----", key: b}}}` + "\n", "plan.yaml:3:48: components.kube.ca.cert: is a PEM block, not a path; write it to a file and name the file"},
	} {
		t.Run(c.why, func(t *testing.T) {
			p, err := Parse("plan.yaml", []byte(c.text))
			if err == nil {
				err = p.Check(tectonic(t))
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != c.want {
				t.Errorf("got  %s\nwant %s", err, c.want)
			}
		})
	}
}

func TestSecretsAreRefusedAndNotRepeated(t *testing.T) {
	const body = "MC4CAQAwBQYDK2VwBCIEIH"
	for why, text := range map[string]string{
		"PEM in a path":             head + "components: {kube: {mode: bring-ca, ca: {key: \"-----BEGIN PRIVATE KEY-----\\n" + body + "\"}}}\n",
		"PEM as a block":            head + "facts:\n  cluster.name: |\n    -----BEGIN EC PRIVATE KEY-----\n    " + body + "\n",
		"PEM as a comment":          head + "# -----BEGIN PRIVATE KEY-----\n# " + body + "\n",
		"PEM in base64":             head + "facts: {x: LS0tLS1CRUdJTiBQUklWQVRF" + body + "}\n",
		"passphrase":                head + "components: {kube: {mode: bring-ca, ca: {passphrase: " + body + "}}}\n",
		"password in quotes":        head + "components: {kube: {\"password\": " + body + "}}\n",
		"passphrase, other letters": head + "PassPhrase: " + body + "\n",
		"PEM behind broken YAML":    "a: [\n-----BEGIN PRIVATE KEY-----\n" + body,
	} {
		_, err := Parse("plan.yaml", []byte(text))
		if err == nil {
			t.Errorf("%s: accepted", why)
			continue
		}
		if strings.Contains(err.Error(), body) || strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("%s: repeated: %v", why, err)
		}
		if all := yamlfile.All(err); len(all) != 1 || all[0].Line == 0 {
			t.Errorf("%s: got %v", why, err)
		}
	}
	p := Default(tectonic(t))
	if err := p.Set("cluster.name=-----BEGIN PRIVATE KEY-----" + body); err == nil || strings.Contains(err.Error(), body) {
		t.Errorf("--set: got %v", err)
	}
	if len(p.Facts) != 0 {
		t.Errorf("--set kept %v", p.Facts)
	}
}

func TestSet(t *testing.T) {
	p := Default(tectonic(t))
	for _, a := range []string{"cluster.name=prod", " etcd.hosts = a,b ", "cluster.domain="} {
		if err := p.Set(a); err != nil {
			t.Errorf("%q: %v", a, err)
		}
	}
	want := map[string]string{"cluster.name": "prod", "etcd.hosts": "a,b", "cluster.domain": ""}
	if !maps.Equal(p.Facts, want) {
		t.Errorf("got %v, want %v", p.Facts, want)
	}
	if err := p.Check(tectonic(t)); err != nil {
		t.Error(err)
	}
	for a, want := range map[string]string{
		"cluster.name": `--set "cluster.name": has no =; write --set name=value`,
		"=prod":        `--set "=prod": has no name before the =; write --set cluster.name=demo`,
		"":             `--set "": has no =; write --set name=value`,
	} {
		if err := p.Set(a); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", a, err, want)
		}
	}
	if err := p.Set("api.host=https://x"); err != nil {
		t.Fatal(err)
	}
	want1 := "--set: api.host: https://x is a URL; write the host name or address alone; write one like demo-api.example.com"
	if err := p.Check(tectonic(t)); err == nil || err.Error() != want1 {
		t.Errorf("got  %v\nwant %s", err, want1)
	}
}

func TestDefaultIsCompleteAndRight(t *testing.T) {
	profile := tectonic(t)
	p := Default(profile)
	if err := p.Check(profile); err != nil {
		t.Error(err)
	}
	if err := complete(p, profile); err != nil {
		t.Error(err)
	}
	if p.Keys.Algorithm != issue.ECDSAP256 || p.Output.Dir != "generated" || len(p.Components) != 4 {
		t.Errorf("got %+v", p)
	}
}

func TestCompleteNamesWhatIsMissing(t *testing.T) {
	for _, c := range []struct{ why, text, want string }{
		{"CA", "components: {etcd: {mode: bring-ca}}\n", "f:3:20: components.etcd.ca: etcd is set to bring CA, which needs the cert and the key of etcd/ca; name the file, or write mode: generate"},
		{"an empty CA", "components: {etcd: {mode: bring-ca, ca: {}}}\n", "f:3:41: components.etcd.ca: etcd is set to bring CA, which needs the cert and the key of etcd/ca; name the file, or write mode: generate"},
		{"a leaf", "components: {ingress: {mode: bring-certs, certs: {ca: {cert: a}}}}\n", "f:3:50: components.ingress.certs.server: ingress is set to bring certs, which needs the cert and the key of ingress/server; name the file, or write mode: generate"},
		{"a CA's certificate", "components: {ingress: {mode: bring-certs, certs: {server: {cert: a}}}}\n", "f:3:50: components.ingress.certs.ca: ingress is set to bring certs, which needs the cert of ingress/ca; name the file, or write mode: generate"},
	} {
		p, err := Parse("f", []byte(head+c.text))
		if err != nil {
			t.Fatal(err)
		}
		if err := complete(p, tectonic(t)); err == nil || err.Error() != c.want {
			t.Errorf("%s\ngot  %v\nwant %s", c.why, err, c.want)
		}
	}
	kube := head + "components: {kube: {mode: bring-certs, certs: {ca: {cert: a, key: b}, apiserver: {cert: both.pem}, kubelet: {cert: e, key: f}}}}\n"
	p, err := Parse("f", []byte(kube))
	if err != nil {
		t.Fatal(err)
	}
	if err := complete(p, tectonic(t)); err != nil {
		t.Errorf("service account keys are optional, and a key may stand in the file of its certificate: %v", err)
	}
}

func TestExplicitWritesEveryAnswer(t *testing.T) {
	profile := tectonic(t)
	p, err := Parse("f", []byte(head+"facts: {cluster.name: prod}\n"))
	if err != nil {
		t.Fatal(err)
	}
	e := p.Explicit(profile)
	if got := e.Facts["api.host"]; got != "prod-api.example.com" {
		t.Errorf("api.host is %q", got)
	}
	if len(e.Facts) != len(profile.Facts) || len(e.Components) != 4 || e.Hierarchy != topology.Intermediates ||
		e.Keys.Algorithm == "" || e.Validity.CA == 0 || e.Validity.Leaf == 0 || e.Output.Dir == "" || len(e.Output.Layouts) == 0 {
		t.Errorf("got %+v", e)
	}
	if len(p.Facts) != 1 || p.Components != nil {
		t.Errorf("the plan itself changed: %+v", p)
	}
	if err := e.Check(profile); err != nil {
		t.Error(err)
	}
	if !e.Explicit(profile).Equal(e) {
		t.Error("twice explicit is something else")
	}
}

func TestMarshalIsStable(t *testing.T) {
	p, err := Parse("f", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	want := header + `apiVersion: certwright/v1
profile: tectonic
facts:
  cluster.domain: example.com
  cluster.name: demo
  service.cidr: 10.3.0.0/16
keys: {algorithm: ecdsa-p256}
validity: {ca: 87600h, leaf: 8760h}
components:
  etcd: {mode: generate}
  identity: {mode: generate}
  ingress:
    mode: bring-certs
    certs:
      ca: {cert: corp/ca.crt}
      server: {cert: www.crt, key: www.key}
  kube: {mode: bring-ca, ca: {cert: corp/kube-ca.crt, key: corp/kube-ca.key}}
output: {dir: generated, layouts: [tree, secrets, terraform, flags]}
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// plans generates plans with hard texts in every place that takes one.
func plans() *rapid.Generator[*Plan] {
	text := rapid.OneOf(
		rapid.SampledFrom([]string{"no", "true", "1.30", "~", "null", "", " a ", "a: b", "#x", "- x", "{{x}}", "2026-11-21", "0x1f", "a\"b", "a\\b", "ä€𝄞", "&a", "*a", "!!str x", "%", "@", "`", "'", "=", "<<"}),
		rapid.StringOfN(rapid.RuneFrom(nil, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Zs), 0, 12, -1),
	)
	path := text.Filter(func(s string) bool { return !secret.MatchString(s) })
	fileOf := rapid.Custom(func(t *rapid.T) Files {
		if from := path.Draw(t, "from"); from != "" && rapid.Bool().Draw(t, "isFrom") {
			return Files{From: from, Authority: topology.AuthorityID(path.Draw(t, "authority"))}
		}
		return Files{Cert: path.Draw(t, "cert"), Key: path.Draw(t, "key")}
	})
	life := rapid.Map(rapid.Int64Range(1, int64(MaxValidity)), func(n int64) Duration { return Duration(n) })
	key := rapid.StringMatching(`[a-z][a-z.-]{0,8}`)
	comp := rapid.Custom(func(t *rapid.T) Component {
		c := Component{Mode: rapid.SampledFrom(topology.Modes()).Draw(t, "mode"), Intermediate: rapid.Bool().Draw(t, "intermediate")}
		if rapid.Bool().Draw(t, "hasCA") {
			f := fileOf.Draw(t, "ca")
			c.CA = &f
		}
		c.Certs = rapid.MapOfN(key, fileOf, 0, 3).Draw(t, "certs")
		return c
	})
	return rapid.Custom(func(t *rapid.T) *Plan {
		p := &Plan{APIVersion: APIVersion, Profile: rapid.SampledFrom([]string{"tectonic", "./a b.yaml", "no"}).Draw(t, "profile")}
		p.Facts = rapid.MapOfN(key, path, 0, 4).Draw(t, "facts")
		p.Keys.Algorithm = issue.Algorithm(rapid.SampledFrom([]string{"", "rsa-2048"}).Draw(t, "algorithm"))
		if rapid.Bool().Draw(t, "lives") {
			p.Validity = Validity{life.Draw(t, "caLife"), life.Draw(t, "leafLife")}
		}
		p.Hierarchy = rapid.SampledFrom([]topology.Hierarchy{"", topology.Roots, topology.Intermediates}).Draw(t, "hierarchy")
		for id, c := range rapid.MapOfN(key, comp, 0, 4).Draw(t, "components") {
			if p.Components == nil {
				p.Components = map[topology.ComponentID]Component{}
			}
			p.Components[topology.ComponentID(id)] = c
		}
		p.Nodes = tables().Draw(t, "nodes")
		if rapid.Bool().Draw(t, "fromFile") {
			p.Nodes, p.NodesFrom = nil, path.Draw(t, "nodesFrom")
		}
		p.Output.Dir = path.Draw(t, "dir")
		p.Output.Layouts = rapid.SliceOfN(path, 0, 3).Draw(t, "layouts")
		return p
	})
}

func TestParseReadsWhatMarshalWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := plans().Draw(t, "plan")
		data, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse("f", data)
		if err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if !back.Equal(p) {
			t.Fatalf("got  %+v\nwant %+v\n%s", back, p, data)
		}
		again, err := back.Marshal()
		if err != nil || !slices.Equal(again, data) {
			t.Fatalf("written twice, it differs: %v\n%s\n%s", err, data, again)
		}
	})
}

func TestCloneSharesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := plans().Draw(t, "plan")
		before, _ := p.Marshal()
		c := p.Clone()
		if !c.Equal(p) {
			t.Fatal("the clone differs")
		}
		c.Resolve(filepath.FromSlash("/elsewhere"))
		for name := range c.Facts {
			c.Facts[name] = "changed"
		}
		for i := range c.Nodes {
			c.Nodes[i].Name = "changed"
			for j := range c.Nodes[i].Addresses {
				c.Nodes[i].Addresses[j] = "changed"
			}
		}
		if after, _ := p.Marshal(); !slices.Equal(before, after) {
			t.Fatalf("the plan changed with its clone\n%s\n%s", before, after)
		}
	})
}

func TestPathsAreRelativeToThePlan(t *testing.T) {
	p := &Plan{
		APIVersion: APIVersion, Profile: "mine.yaml",
		Components: map[topology.ComponentID]Component{
			"kube":    {Mode: topology.BringCA, CA: &Files{Cert: "corp/ca.crt", Key: "/abs/ca.key"}},
			"ingress": {Mode: topology.BringCerts, Certs: map[string]Files{"server": {Cert: "../www.crt"}}},
		},
		Output: Output{Dir: "generated"},
	}
	p.Resolve("/home/jane/pki")
	want := &Plan{
		APIVersion: APIVersion, Profile: "/home/jane/pki/mine.yaml",
		Components: map[topology.ComponentID]Component{
			"kube":    {Mode: topology.BringCA, CA: &Files{Cert: "/home/jane/pki/corp/ca.crt", Key: "/abs/ca.key"}},
			"ingress": {Mode: topology.BringCerts, Certs: map[string]Files{"server": {Cert: "/home/jane/www.crt"}}},
		},
		Output: Output{Dir: "/home/jane/pki/generated"},
	}
	if !p.Equal(want) {
		t.Fatalf("got  %+v\nwant %+v", p, want)
	}
	rel := p.Relative("/home/jane/pki/generated")
	want = &Plan{
		APIVersion: APIVersion, Profile: "../mine.yaml",
		Components: map[topology.ComponentID]Component{
			"kube":    {Mode: topology.BringCA, CA: &Files{Cert: "../corp/ca.crt", Key: "../../../../abs/ca.key"}},
			"ingress": {Mode: topology.BringCerts, Certs: map[string]Files{"server": {Cert: "../../www.crt"}}},
		},
		Output: Output{Dir: "."},
	}
	if !rel.Equal(want) {
		t.Errorf("got  %+v\nwant %+v", rel, want)
	}
	builtIn := &Plan{Profile: "tectonic", Output: Output{Dir: "out"}}
	builtIn.Resolve("/x")
	if builtIn.Profile != "tectonic" {
		t.Errorf("the name of a built-in profile became %s", builtIn.Profile)
	}
	if got := builtIn.Relative("relative").Output.Dir; got != "/x/out" {
		t.Errorf("what cannot be relative became %s", got)
	}
}

func TestDuration(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
	}{
		{"87600h", 87600 * time.Hour},
		{"365d", 8760 * time.Hour},
		{"10y", 87600 * time.Hour},
		{"1y6d12h", (8760 + 6*24 + 12) * time.Hour},
		{"90m", 90 * time.Minute},
		{"1h30m", 90 * time.Minute},
		{"100y", 876000 * time.Hour},
	} {
		if d, err := ParseDuration(c.text); err != nil || time.Duration(d) != c.want {
			t.Errorf("%s: got %v, %v", c.text, d, err)
		}
	}
	for _, text := range []string{"", "0", "0h", "-1y", "-3h", "365", "1.5y", "y", "d", "1d1y", "1y1y", "h", "1 y", "101y", "99999999999y", "876001h", "100y1h", "9999999999h", "x", "1y\x1b[2J", "+1y"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q: accepted as %v", text, d)
		} else if strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: unescaped", text)
		}
	}
	for d, want := range map[Duration]string{
		DefaultCALife: "10 years", DefaultLeafLife: "1 year", Duration(90 * day): "90 days", Duration(36 * time.Hour): "36 hours", Duration(90 * time.Minute): "1h30m0s",
	} {
		if got := d.Words(); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(head + "nodes: {from: nodes.csv}\n"))
	f.Add([]byte(head + "validity: {ca: 1y2d3h, leaf: -1}\ncomponents: {kube: {mode: bring-certs}}\n"))
	profile := tectonic(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("f", data)
		if err != nil {
			if p != nil {
				t.Error("a plan beside an error")
			}
			return
		}
		_ = complete(p, profile)
		if p.Check(profile) != nil {
			return
		}
		out, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse("f", out)
		if err != nil || !back.Equal(p) {
			t.Errorf("%v\n%q\n%s", err, data, out)
		}
	})
}

func TestEqualIgnoresWhereAPlanCameFrom(t *testing.T) {
	a, err := Parse("a", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Parse("b", []byte("# other\n"+full))
	if err != nil {
		t.Fatal(err)
	}
	if !a.Equal(b) {
		t.Error("the same answers differ")
	}
	b.Facts["cluster.name"] = "other"
	if a.Equal(b) || reflect.DeepEqual(a.Facts, b.Facts) {
		t.Error("other answers are equal")
	}
}

// The key of a CA may be elsewhere: then nothing but its certificate is named.
func TestPlanOfAnOfflineCA(t *testing.T) {
	const text = `apiVersion: certwright/v1
profile: tectonic
components:
  kube: {mode: bring-ca, ca: {cert: kube-ca.crt, offline: true}}
awaiting: ../requests
`
	p, err := Parse("plan.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(tectonic(t)); err != nil {
		t.Error(err)
	}
	if !p.Offline("kube") || p.Offline("etcd") || p.Awaiting != "../requests" {
		t.Errorf("%+v", p)
	}
	data, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("again.yaml", data)
	if err != nil || !again.Equal(p) {
		t.Errorf("%v\n%s", err, data)
	}
	p.Resolve("/srv/plans")
	if p.Awaiting != "/srv/requests" {
		t.Errorf("awaiting %s", p.Awaiting)
	}
	for _, c := range []struct{ edit, want string }{
		{"cert: kube-ca.crt, key: kube-ca.key, offline: true", "plan.yaml:4:77: components.kube.ca.offline: says that the key of this CA is elsewhere, and key names it"},
		{"offline: true", "components.kube.ca.offline: needs the certificate of the CA"},
		{"cert: kube-ca.crt, offline: yes please", "plan.yaml:4:"},
	} {
		_, err := Parse("plan.yaml", []byte(strings.Replace(text, "cert: kube-ca.crt, offline: true", c.edit, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.edit, err, c.want)
		}
	}
	brought := strings.Replace(text, "mode: bring-ca, ca: {cert: kube-ca.crt, offline: true}", "mode: bring-certs, certs: {ca: {cert: kube-ca.crt, offline: true}}", 1)
	if _, err := Parse("plan.yaml", []byte(brought)); err == nil || !strings.Contains(err.Error(), "certs.ca.offline: is for the CA of a component in mode bring-ca") {
		t.Errorf("got %v", err)
	}
}

// Whatever the letters, what the expression finds is found.
func TestSecretsAreFound(t *testing.T) {
	part := rapid.OneOf(
		rapid.SampledFrom([]string{
			"-----BEGIN", "----begin", "-----beGIN ", "LS0tLS1CRUdJTi", "ls0tls1crudjti", "Lſ0tLS1CRUdJTi", "pass-phrase:", "passphrase :", "PASSWORD':", "paſſwd:", "paſsword\t:", "password",
			"passwd", "begin", "BEG\u0130N", "-", "\xff", "pa", "ss", "\n", ":",
		}),
		rapid.StringN(0, 3, -1),
	)
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		data := []byte(strings.Join(rapid.SliceOfN(part, 0, 6).Draw(t, "parts"), ""))
		want := secret.FindIndex(data)
		if want != nil {
			found++
		}
		if got := findSecret(data); !slices.Equal(got, want) {
			t.Fatalf("%q: got %v, want %v", data, got, want)
		}
	})
	if found == 0 {
		t.Error("nothing was a secret")
	}
}

// The plan that is written beside a set makes it again, whatever parts of the
// profile the facts leave out.
func TestExplicitPlansPass(t *testing.T) {
	for _, name := range profiles.Names() {
		profile, err := profiles.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		given := map[string]string{}
		choices := []map[string]string{{}} // one fact each that is chosen otherwise
		for _, f := range profile.Facts {
			if f.Default == "" && len(f.Defaults) == 0 && !f.Optional {
				given[f.Name] = f.Example
			}
			for _, c := range f.Choices {
				choices = append(choices, map[string]string{f.Name: c})
			}
		}
		for _, chosen := range choices {
			p := &Plan{APIVersion: APIVersion, Profile: name, Facts: maps.Clone(given)}
			maps.Copy(p.Facts, chosen)
			e := p.Explicit(profile)
			if err := errors.Join(p.Check(profile), e.Check(profile)); err != nil {
				t.Errorf("%s with %v: %v", name, chosen, err)
			}
			// As they were written once, with each component of the profile.
			for _, c := range profile.Components {
				if _, there := e.Components[c.ID]; !there {
					e.Components[c.ID] = Component{Mode: topology.Generate}
				}
			}
			if err := e.Check(profile); err != nil {
				t.Errorf("%s with %v and what the facts leave out: %v", name, chosen, err)
			}
		}
	}
}

func TestAComponentThatTheFactsLeaveOut(t *testing.T) {
	profile, err := profiles.Load("nats")
	if err != nil {
		t.Fatal(err)
	}
	p := Default(profile)
	p.Components["gateways"] = Component{Mode: topology.BringCA, CA: &Files{Cert: "ca.crt", Key: "ca.key"}}
	want := "plan: components.gateways: is there only when nats.gateways == here; set the fact so, or remove the component"
	if err := p.Check(profile); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if e := p.Explicit(profile); e.Check(profile) != nil || len(e.Components) != 2 {
		t.Errorf("%v, %v", e.Components, e.Check(profile))
	}
	p.Facts["nats.gateways"] = "here"
	if err := p.Check(profile); err != nil {
		t.Error(err)
	}
	if e := p.Explicit(profile); len(e.Components) != 3 || e.Components["gateways"].Mode != topology.BringCA {
		t.Errorf("%v", e.Components)
	}
}
