package topology

import (
	"errors"
	"strings"
	"testing"
)

func TestGoodProfilesAreValid(t *testing.T) {
	for _, p := range []*Profile{small(), tectonic(t)} {
		for _, err := range p.Validate() {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

func TestEachMistakeInAProfileIsNamed(t *testing.T) {
	for _, c := range []struct {
		why   string
		spoil func(*Profile)
		want  string
	}{
		{"version", func(p *Profile) { p.APIVersion = "v2" }, `apiVersion: must be certwright/v1, not "v2"`},
		{"kind", func(p *Profile) { p.Kind = "Plan" }, `kind: must be Profile, not "Plan"`},
		{"name", func(p *Profile) { p.Name = "../x" }, `name: must be lower-case letters, digits, dots and dashes, not "../x"`},
		{"hierarchy", func(p *Profile) { p.Hierarchy = "flat" }, `hierarchy: must be intermediates or roots, not "flat"`},
		{"root's CN", func(p *Profile) { p.Root.CN = "{{nam}}" }, `root.cn: unknown fact "nam"`},
		{"root's O", func(p *Profile) { p.Root.O = []string{"x", "{{"} }, "root.o[1]: {{ without }} behind it"},
		{"algorithm", func(p *Profile) { p.Algorithms = []string{"rsa-1024"} }, `algorithms[0]: unknown algorithm "rsa-1024": use ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096, ed25519, ml-dsa-44, ml-dsa-65, ml-dsa-87`},
		{"fact's name", func(p *Profile) { p.Facts[0].Name = "Name" }, `facts[0].name: must be lower-case letters, digits, dots and dashes, not "Name"`},
		{"fact twice", func(p *Profile) { p.Facts[3].Name = "cidr" }, `facts[3].name: fact "cidr" is defined twice`},
		{"fact called each", func(p *Profile) { p.Facts[3].Name = "each" }, `facts[3].name: each stands for the host of a step; choose another name`},
		{"fact's type", func(p *Profile) { p.Facts[0].Type = "string" }, `facts[0].type: unknown type "string": use label, domain, host, hosts, cidrs, addresses, text, node, version or spiffe`},
		{"default from below", func(p *Profile) { p.Facts[0].Default = "{{note}}" }, `facts[0].default: uses fact "note", which is not defined above it`},
		{"default from itself", func(p *Profile) { p.Facts[0].Default = "{{name}}" }, `facts[0].default: uses fact "name", which is not defined above it`},
		{"authority's name", func(p *Profile) { p.Authorities = append(p.Authorities, AuthoritySpec{ID: "A", Slot: "main/ca"}) }, `authorities[1].id: must be lower-case letters, digits, dots and dashes, not "A"`},
		{"authority twice", func(p *Profile) { p.Authorities = append(p.Authorities, p.Authorities[0]) }, `authorities[1].id: authority "main" is defined twice`},
		{"authority called root", func(p *Profile) { p.Authorities = append(p.Authorities, AuthoritySpec{ID: "root", Slot: "main/ca"}) }, `authorities[1].id: root is the name of the CA above all authorities; choose another`},
		{"two authorities with one certificate", func(p *Profile) { p.Authorities = append(p.Authorities, AuthoritySpec{ID: "b", Slot: "main/ca"}) }, `authorities[1].slot: slot "main/ca" is authority "main" already`},
		{"authority without a slot", func(p *Profile) { p.Authorities[0].Slot = "main/xx" }, `authorities[0].slot: unknown slot "main/xx"`},
		{"authority with a leaf", func(p *Profile) { p.Authorities[0].Slot = "main/server" }, `authorities[0].slot: slot "main/server" has kind "leaf", and an authority needs kind ca`},
		{"no authorities", func(p *Profile) { p.Authorities = nil }, "authorities: a profile needs at least one authority"},
		{"component's name", func(p *Profile) { p.Components[1].ID = "a/b" }, `components[1].id: must be lower-case letters, digits, dots and dashes, not "a/b"`},
		{"component twice", func(p *Profile) { p.Components[1].ID = "main" }, `components[1].id: component "main" is defined twice`},
		{"component's authority", func(p *Profile) { p.Components[1].Authority = "mane" }, `components[1].authority: unknown authority "mane"`},
		{"no components", func(p *Profile) { p.Components = nil }, "components: a profile needs at least one component"},
		{"component without slots", func(p *Profile) { p.Components = append(p.Components, ComponentSpec{ID: "idle", Authority: "main"}) }, `components[2].id: component "idle" has no slot`},
		{"slot's name", func(p *Profile) { p.Slots[3].ID = "guest" }, `slots[3].id: must be component/name in lower case, not "guest"`},
		{"slot twice", func(p *Profile) { p.Slots[3].ID = "main/server" }, `slots[3].id: slot "main/server" is defined twice`},
		{"slot of nobody", func(p *Profile) { p.Slots[3].ID = "gast/client" }, `slots[3].id: unknown component "gast"`},
		{"slot's kind", func(p *Profile) { p.Slots[3].Kind = "server" }, `slots[3].kind: must be leaf, ca or keypair, not "server"`},
		{"CA that no authority names", func(p *Profile) { p.Slots[3].Kind = CA }, `slots[3].kind: is ca, and no authority names slot "guest/client"`},
		{"leaf without usages", func(p *Profile) { p.Slots[3].Usages = nil }, "slots[3].usages: a leaf needs server auth, client auth or both"},
		{"usage", func(p *Profile) { p.Slots[3].Usages = []Usage{"any"} }, `slots[3].usages[0]: must be server auth or client auth, not "any"`},
		{"required usage", func(p *Profile) { p.Slots[3].Requires.Usages = []Usage{"any"} }, `slots[3].requires.usages[0]: must be server auth or client auth, not "any"`},
		{"advised usage", func(p *Profile) { p.Slots[3].Requires.Advised = []Usage{"any"} }, `slots[3].requires.advised[0]: must be server auth or client auth, not "any"`},
		{"slot's authority", func(p *Profile) { p.Slots[3].Authority = "b" }, `slots[3].authority: is "b", and component "guest" belongs to authority "main"`},
		{"slot's CN", func(p *Profile) { p.Slots[3].Subject.CN = "{{x}}" }, `slots[3].subject.cn: unknown fact "x"`},
		{"slot's O", func(p *Profile) { p.Slots[3].Subject.O = []string{"{{x}}"} }, `slots[3].subject.o[0]: unknown fact "x"`},
		{"required CN", func(p *Profile) { p.Slots[3].Requires.CN = "{{x}}" }, `slots[3].requires.cn: unknown fact "x"`},
		{"each outside of a step", func(p *Profile) { p.Slots[3].Subject.CN = "{{each}}" }, `slots[3].subject.cn: unknown fact "each"`},
		{"name of two forms", func(p *Profile) { p.Slots[1].Names[0].DNS = "x" }, "slots[1].names[0]: needs exactly one of host, dns, ip and uri"},
		{"name of no form", func(p *Profile) { p.Slots[1].Names[0] = NameSpec{} }, "slots[1].names[0]: needs exactly one of host, dns, ip and uri"},
		{"cidrhost of hosts", func(p *Profile) { p.Slots[1].Names[1].IP = "{{cidrhost hosts 1}}" }, `slots[1].names[1].ip: cidrhost takes a fact of type cidrs, and "hosts" is of type hosts`},
		{"slot's algorithm", func(p *Profile) { p.Slots[1].Algorithms = []string{"dsa"} }, `slots[1].algorithms[0]: unknown algorithm "dsa": use ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096, ed25519, ml-dsa-44, ml-dsa-65, ml-dsa-87`},
		{"file above the tree", func(p *Profile) { p.Slots[3].Files.Cert = "../guest.crt" }, `slots[3].files.cert: must be a relative path of lower-case letters, digits, dots and dashes, not "../guest.crt"`},
		{"absolute file", func(p *Profile) { p.Slots[3].Files.Key = "/etc/shadow" }, `slots[3].files.key: must be a relative path of lower-case letters, digits, dots and dashes, not "/etc/shadow"`},
		{"file of two slots", func(p *Profile) { p.Slots[3].Files.Cert = "server.crt" }, `slots[3].files.cert: main/server and guest/client would both be written to "server.crt"`},
		{"file and directory", func(p *Profile) { p.Slots[3].Files.Cert = "server.crt/guest.crt" }, `slots[3].files.cert: "server.crt" is a file of main/server, and cannot be a directory too`},
		{"directory and file", func(p *Profile) { p.Slots[1].Files.Cert, p.Slots[3].Files.Cert = "x/server.crt", "x" }, `slots[3].files.cert: "x" is the directory of a file of main/server, and cannot be a file too`},
		{"name that Windows keeps", func(p *Profile) { p.Slots[3].Files.Cert = "tls/nul.crt" }, `slots[3].files.cert: "nul.crt" is a device on Windows; choose another name`},
		{"dot at a name's end", func(p *Profile) { p.Slots[3].Files.Cert = "guest." }, `slots[3].files.cert: must not end with a dot, which Windows drops: "guest."`},
		{"consumer without a program", func(p *Profile) { p.Slots[1].Consumers[0].Component = "" }, "slots[1].consumers[0].component: is empty; name the program that takes the file"},
		{"consumer without a parameter", func(p *Profile) { p.Slots[1].Consumers[0].Name = "" }, "slots[1].consumers[0].name: is empty; name the parameter that takes the file"},
		{"consumer's form", func(p *Profile) { p.Slots[1].Consumers[0].As = "arg" }, `slots[1].consumers[0].as: must be flag, env, config, json, secret, kubeconfig or manifest, not "arg"`},
		{"consumer's field", func(p *Profile) { p.Slots[1].Consumers[0].Field = "pem" }, `slots[1].consumers[0].field: must be cert, key, public or bundle, not "pem"`},
		{"consumer's need", func(p *Profile) { p.Slots[1].Consumers[0].Needs = "pem" }, `slots[1].consumers[0].needs: must be cert, key, public or bundle, not "pem"`},
		{"consumer of a file that is not written", func(p *Profile) { p.Slots[1].Consumers[0].Field = FieldBundle }, `slots[1].consumers[0].field: --cert takes the bundle of slot "main/server", and its files name none`},
		{"consumer of an id", func(p *Profile) { p.Slots[1].Consumers[0].Field = FieldID }, `slots[1].consumers[0].field: must be cert, key, public or bundle, not "id"`},
		{"Secret without a namespace", func(p *Profile) { p.Slots[1].Consumers[1].Secret = "name" }, `slots[1].consumers[1].secret: must be namespace/name of the Secret, not "name"`},
		{"kubeconfig that is not made", func(p *Profile) { p.Kubeconfigs = nil }, `slots[1].consumers[2].as: is kubeconfig, and no kubeconfig is made of slot "main/server"`},
		{"output's field", func(p *Profile) { p.Slots[1].Outputs[0].Field = "pem" }, `slots[1].outputs[0].field: must be cert, key, public, bundle or id, not "pem"`},
		{"output of a CA's key", func(p *Profile) { p.Slots[0].Outputs = []Output{{Module: "m", Name: "k", Field: FieldKey}} }, "slots[0].outputs[0].field: a CA's key is never an output: Terraform's state is plain text"},
		{"output twice", func(p *Profile) { p.Slots[1].Outputs[1].Name = "cert" }, `slots[1].outputs[1].name: module "m" has an output "cert" already`},
		{"output's name", func(p *Profile) { p.Slots[1].Outputs[0].Name = "a b" }, `slots[1].outputs[0].name: must be letters, digits and underscores, not "a b"`},
		{"output's module", func(p *Profile) { p.Slots[1].Outputs[0].Module = "../m" }, `slots[1].outputs[0].module: must be a relative path of lower-case letters, digits, dots and dashes, not "../m"`},
		{"edge's name", func(p *Profile) { p.Edges[0].ID = "A B" }, `edges[0].id: must be lower-case letters, digits, dots and dashes, not "A B"`},
		{"edge twice", func(p *Profile) { p.Edges = append(p.Edges, p.Edges[0]) }, `edges[1].id: edge "guest-main" is defined twice`},
		{"edge's client", func(p *Profile) { p.Edges[0].Client.Slot = "guest/x" }, `edges[0].client.slot: unknown slot "guest/x"`},
		{"edge's client that is none", func(p *Profile) { p.Slots[3].Usages = []Usage{ServerAuth} }, `edges[0].client.slot: slot "guest/client" has no client auth`},
		{"edge's server", func(p *Profile) { p.Edges[0].Server.Slot = "" }, `edges[0].server.slot: unknown slot ""`},
		{"edge's server that is none", func(p *Profile) { p.Edges[0].Server.Slot = "guest/client" }, `edges[0].server.slot: slot "guest/client" has no server auth`},
		{"edge to a key pair", func(p *Profile) { p.Edges[0].Server.Slot = "main/pair" }, `edges[0].server.slot: slot "main/pair" has no server auth`},
		{"edge's CA for the server", func(p *Profile) { p.Edges[0].ServerCA = "x" }, `edges[0].serverCA: unknown authority "x"`},
		{"edge's CA for the client", func(p *Profile) { p.Edges[0].ClientCA = "x" }, `edges[0].clientCA: unknown authority "x"`},
		{"client CA without a client", func(p *Profile) { p.Edges[0].Client.Slot = "" }, "edges[0].client.slot: is needed: the server asks for a client certificate"},
		{"edge's identity", func(p *Profile) { p.Edges[0].Identity = "uri" }, `edges[0].identity: must be kubernetes, etcd-peer, typha, front-proxy, name or left out, not "uri"`},
		{"edge that asks for no name", func(p *Profile) { p.Edges[0].Identity = IdentityName }, "edges[0].from: is empty: with identity name the server wants one of these names in the client's certificate"},
		{"slot's per", func(p *Profile) { p.Slots[1].Per = "nowhere" }, `slots[1].per: must be node, control-plane, worker or left out, not "nowhere"`},
		{"slot's on", func(p *Profile) { p.Slots[1].On = "master" }, `slots[1].on: must be node, control-plane, worker, nowhere or left out, not "master"`},
		{"edge's dials", func(p *Profile) { p.Edges[0].Dials[0].Host = "{{x}}" }, `edges[0].dials[0].host: unknown fact "x"`},
		{"kubeconfig's slot", func(p *Profile) {
			p.Slots[1].Consumers = nil
			p.NextSteps = nil
			p.Kubeconfigs[0].Slot = "x/y"
		}, `kubeconfigs[0].slot: unknown slot "x/y"`},
		{"kubeconfig of a server", func(p *Profile) { p.Slots[1].Usages = []Usage{ServerAuth} }, `kubeconfigs[0].slot: slot "main/server" has no client auth`},
		{"kubeconfig's CA", func(p *Profile) { p.Kubeconfigs[0].CA = "x" }, `kubeconfigs[0].ca: unknown authority "x"`},
		{"kubeconfig's file", func(p *Profile) { p.Kubeconfigs[0].File = "A" }, `kubeconfigs[0].file: must be a relative path of lower-case letters, digits, dots and dashes, not "A"`},
		{"kubeconfig over a slot's file", func(p *Profile) { p.Kubeconfigs[0].File = "guest.crt" }, `kubeconfigs[0].file: guest/client and main/server would both be written to "guest.crt"`},
		{"kubeconfig's server", func(p *Profile) { p.Kubeconfigs[0].Server = "{{x}}" }, `kubeconfigs[0].server: unknown fact "x"`},
		{"kubeconfig without a file", func(p *Profile) { p.Kubeconfigs[0].File = "" }, "kubeconfigs[0].file: is empty"},
		{"Secret's name", func(p *Profile) { p.Secrets[0].Name = "A" }, `secrets[0].name: namespace and name must be lower-case letters, digits and dashes, not "ns/A"`},
		{"Secret twice", func(p *Profile) { p.Secrets = append(p.Secrets, p.Secrets[0]) }, `secrets[1].name: Secret "ns/name" is defined twice`},
		{"Secret of nothing", func(p *Profile) { p.Secrets[0].Data = nil }, "secrets[0].data: a Secret needs at least one key"},
		{"Secret's key", func(p *Profile) { p.Secrets[0].Data[0].Key = "a/b" }, `secrets[0].data[0].key: must be letters, digits, dots, dashes and underscores, not "a/b"`},
		{"Secret's key twice", func(p *Profile) { p.Secrets[0].Data[1].Key = "tls.crt" }, `secrets[0].data[1].key: key "tls.crt" is there already`},
		{"TLS Secret without a key", func(p *Profile) { p.Secrets[0].Data[1].Key = "key" }, "secrets[0].data: a Secret of type kubernetes.io/tls needs the key tls.key"},
		{"Secret's slot", func(p *Profile) { p.Secrets[0].Data[0].Slot = "x/y" }, `secrets[0].data[0].slot: unknown slot "x/y"`},
		{"Secret's field", func(p *Profile) { p.Secrets[0].Data[0].Field = "pem" }, `secrets[0].data[0].field: must be cert, key, public or bundle, not "pem"`},
		{"CA's key in a Secret", func(p *Profile) { p.Secrets[0].Data[1].Slot = "main/ca" }, "secrets[0].data[1].field: a CA's key is never put into a Secret"},
		{"certificate of a key pair", func(p *Profile) { p.Secrets[0].Data[0].Slot = "main/pair" }, `secrets[0].data[0].field: slot "main/pair" is a key pair and has no certificate`},
		{"public key of a leaf", func(p *Profile) { p.Secrets[0].Data[0].Field = FieldPublic }, `secrets[0].data[0].field: slot "main/server" is no key pair; its public key is in its certificate`},
		{"step's text", func(p *Profile) { p.NextSteps[1].Text = "}}" }, "nextSteps[1].text: }} without {{ before it"},
		{"step's command", func(p *Profile) { p.NextSteps[1].Run[0] = "{{each}}" }, `nextSteps[1].run[0]: unknown fact "each"`},
		{"command with an open part", func(p *Profile) { p.NextSteps[1].Run[0] = "echo {{name x" }, "nextSteps[1].run[0]: {{ without }} behind it"},
		{"step's hosts", func(p *Profile) { p.NextSteps[0].Each = "x" }, `nextSteps[0].each: unknown fact "x"`},
		{"step's one host", func(p *Profile) { p.NextSteps[0].Each = "name" }, `nextSteps[0].each: fact "name" is of type label, and one that lists several values is needed`},
		{"step's program", func(p *Profile) { p.NextSteps[0].Program = "x" }, `nextSteps[0].program: no slot has a consumer "x"`},
	} {
		t.Run(c.why, func(t *testing.T) {
			p := small()
			c.spoil(p)
			errs := p.Validate()
			var got []string
			found := false
			for _, err := range errs {
				if fe := (*FieldError)(nil); !errors.As(err, &fe) || fe.Path == "" {
					t.Errorf("%v is no FieldError", err)
				}
				got = append(got, err.Error())
				found = found || err.Error() == c.want
			}
			if !found {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), c.want)
			}
		})
	}
}
