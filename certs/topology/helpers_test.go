package topology

import (
	"os"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

// tectonic is the built-in profile; package profiles, which reads it strictly,
// lies above this one.
func tectonic(t testing.TB) *Profile { return builtIn(t, "tectonic") }

func builtIn(t testing.TB, name string) *Profile {
	t.Helper()
	data, err := os.ReadFile("../../assets/profiles/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := &Profile{}
	if err := yaml.Unmarshal(data, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// small is a profile with one of each part, for tests to break.
func small() *Profile {
	return &Profile{
		APIVersion: "certwright/v1", Kind: "Profile", Name: "small", Title: "Small", Hierarchy: Intermediates,
		Root:       Subject{CN: "{{name}} root"},
		Algorithms: []string{"ecdsa-p256"},
		Facts: []Fact{
			{Name: "name", Type: TypeLabel, Default: "demo", Example: "demo"},
			{Name: "hosts", Type: TypeHosts, Default: "{{name}}-{{range 2}}.example.com", Example: "a,b"},
			{Name: "cidr", Type: TypeCIDRs, Default: "10.0.0.0/24", Example: "10.0.0.0/24"},
			{Name: "note", Type: TypeText, Optional: true},
		},
		Authorities: []AuthoritySpec{{ID: "main", Slot: "main/ca"}},
		Components:  []ComponentSpec{{ID: "main", Authority: "main"}, {ID: "guest", Authority: "main"}},
		Slots: []SlotSpec{
			{ID: "main/ca", Kind: CA, Subject: Subject{CN: "main-ca"}, Files: Files{Cert: "ca.crt", Key: "ca.key", Bundle: "bundle.crt"}},
			{
				ID: "main/server", Kind: Leaf, Subject: Subject{CN: "server", O: []string{"{{name}}"}}, Usages: []Usage{ServerAuth, ClientAuth},
				Names: []NameSpec{{Host: "{{hosts}}", Required: "dialled"}, {IP: "{{cidrhost cidr 1}}"}},
				Files: Files{Cert: "server.crt", Key: "server.key"},
				Consumers: []Consumer{
					{Component: "daemon", As: AsFlag, Name: "--cert"},
					{Component: "daemon", As: AsSecret, Name: "--secret", Secret: "ns/name"},
					{Component: "daemon", As: AsKubeconfig, Name: "--kubeconfig"},
				},
				Outputs: []Output{{Module: "m", Name: "cert"}, {Module: "m", Name: "id", Field: FieldID}},
			},
			{ID: "main/pair", Kind: KeyPair, Files: Files{Key: "pair.key", Public: "pair.pub"}},
			{ID: "guest/client", Kind: Leaf, Usages: []Usage{ClientAuth}, Files: Files{Cert: "guest.crt", Key: "guest.key"}},
		},
		Edges: []EdgeSpec{{
			ID: "guest-main", Client: End{Slot: "guest/client"}, Server: End{Slot: "main/server"},
			Dials: []NameSpec{{Host: "{{hosts}}"}}, ServerCA: "main", ClientCA: "main", Identity: IdentityKubernetes,
		}},
		Kubeconfigs: []Kubeconfig{{File: "kubeconfig", Cluster: "{{name}}", Server: "https://{{first hosts}}", Slot: "main/server", CA: "main"}},
		Secrets: []Secret{{
			Name: "name", Namespace: "ns", Type: "kubernetes.io/tls",
			Data: []SecretItem{{Key: "tls.crt", Slot: "main/server"}, {Key: "tls.key", Slot: "main/server", Field: FieldKey}},
		}},
		NextSteps: []Step{
			{Title: "each", Program: "daemon", Each: "hosts", Run: []string{"daemon {{each}} --peers {{hosts}}=https://{{hostport hosts 1}} $FLAGS"}},
			{Title: "once", Text: "All of {{hosts}}.", Run: []string{"echo {{name}}"}},
		},
	}
}

func resolved(t testing.TB, p *Profile, facts map[string]string) *Topology {
	t.Helper()
	for _, err := range p.Validate() {
		t.Fatal(err)
	}
	top, problems := Resolve(p, facts)
	for _, problem := range problems {
		t.Fatal(problem)
	}
	return top
}

func texts(names []Name) []string {
	var out []string
	for _, n := range names {
		out = append(out, n.String())
	}
	return out
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s\ngot  %q\nwant %q", what, got, want)
	}
}
