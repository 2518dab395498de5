package install_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"certwright/assets/profiles"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// own is a catalogue with one profile of a user's.
type own struct{ p *topology.Profile }

func (o own) Names() []string                        { return []string{o.p.Name} }
func (o own) Load(string) (*topology.Profile, error) { return o.p, nil }

// The profile that docs/profiles.md builds makes a set, proved and written.
func TestTheProfileOfTheDocumentation(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "profiles.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(doc), "```yaml\n")
	text, _, closed := strings.Cut(text, "\n```")
	if !found || !closed {
		t.Fatal("docs/profiles.md has no YAML block")
	}
	p, err := profiles.Parse("my-nats.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	w := world(t)
	w.Catalogue = own{p}
	answers, err := install.NewAnswers(w.Catalogue, plan.Default(p))
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := install.Prepare(t.Context(), w, answers, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(prepared.Findings) > 0 || len(prove.Passed(prepared.Handshakes)) != len(prepared.Handshakes) || len(prepared.Handshakes) < 12 {
		t.Errorf("findings %+v, handshakes %d", prepared.Findings, len(prepared.Handshakes))
	}
	for _, o := range prepared.Openings {
		if o.Open && o.Client == "clients/client" && o.Server != "clients/server" {
			t.Errorf("a program's key opens %s", o.Server)
		}
	}
	if _, err := install.Commit(t.Context(), w, prepared, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(w.Dir, "generated", "tls", "routes", "server.key")); err != nil {
		t.Error(err)
	}
}
