package plain_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/spf13/afero"

	"certwright/assets/profiles"
	"certwright/assets/store"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
	"certwright/ui/plain"
)

var update = flag.Bool("update", false, "write the golden files anew")

type builtin struct{}

func (builtin) Names() []string                             { return profiles.Names() }
func (builtin) Load(name string) (*topology.Profile, error) { return profiles.Load(name) }

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// session runs the questions on a disk in memory and returns what was printed,
// with each answer behind its question as a person would see it.
func session(t *testing.T, disk afero.Fs, secret string, input ...string) (string, error) {
	t.Helper()
	w := &install.World{Read: disk, Write: store.Memory(disk), Memory: true, Dir: "/work", Now: func() time.Time { return now }, Rand: rand.Reader, Version: "test", Catalogue: builtin{}, CAKeys: install.CAKeys{Work: 4}}
	p, err := profiles.Load("tectonic")
	if err != nil {
		t.Fatal(err)
	}
	s, effects, err := flow.New(builtin{}, plan.Default(p))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	in := &typist{out: &out, lines: input}
	err = plain.Run(context.Background(), plain.Options{
		State: s, Effects: effects, Runner: &install.Runner{World: w}, In: in, Out: &out, Home: "/home/me",
		Secret:        func() ([]byte, error) { return []byte(secret), nil },
		NewPassphrase: func() []byte { return []byte(passphrase) },
	})
	return out.String(), err
}

// typist types one line for each question, and lets it be seen.
type typist struct {
	out   *bytes.Buffer
	lines []string
}

func (r *typist) Read(p []byte) (int, error) {
	if len(r.lines) == 0 {
		return 0, errors.New("nothing more is typed")
	}
	line := r.lines[0] + "\n"
	r.lines = r.lines[1:]
	r.out.WriteString("«" + strings.TrimSuffix(line, "\n") + "»\n")
	return copy(p, line), nil
}

func enter(n int) []string { return make([]string, n) }

// steady takes out what differs from run to run.
func steady(s string) string {
	s = regexp.MustCompile(`serialNumber=[0-9a-f]+|SERIALNUMBER=[0-9a-f]+`).ReplaceAllString(s, "serialNumber=…")
	return s
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and read the difference\n%s", file, got)
	}
}

// Nothing that a screen reader or a line terminal cannot take: no escape
// sequence, no box, no sign that stands for a word.
func speakable(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || r >= 0x2500 && r <= 0x25ff || strings.ContainsRune("✓✗▸…·→│", r)) {
			if r == '…' {
				continue
			}
			t.Errorf("%q is printed", r)
		}
	}
}

func TestEnterAcceptsEverything(t *testing.T) {
	for _, c := range []struct {
		profile string
		input   []string
	}{
		{"tectonic", enter(40)},
		{"calico", append([]string{"3"}, enter(60)...)},
		{"kubernetes", append([]string{"2", "", "", "", "", "", "", "", "10.0.0.10"}, enter(60)...)},
		{"k3s", append([]string{"4", "", "", "", "", "", "", "10.0.0.10"}, enter(60)...)},
		{"consul", append([]string{"5", "", "", "", "", "", "", "", "", "10.0.0.10"}, enter(60)...)},
		{"nats", append([]string{"6"}, enter(60)...)},
	} {
		t.Run(c.profile, func(t *testing.T) {
			disk := afero.NewMemMapFs()
			text, err := session(t, disk, "", c.input...)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			speakable(t, strings.NewReplacer("«", "", "»", "").Replace(text))
			golden(t, c.profile, steady(text))
			if ok, _ := afero.Exists(disk, "/work/generated/manifest.json"); !ok {
				t.Error("nothing was written")
			}
		})
	}
}

func TestMistakesAreSaidAndAskedAgain(t *testing.T) {
	disk := afero.NewMemMapFs()
	text, err := session(t, disk, "", append([]string{"9", "1", "", "", "", "", "10.0.0.1", "help", "back", "", "a_b"}, enter(40)...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, want := range []string{"Error: type a number from 1 to", "Help: the names in the certificates", "Error:"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said:\n%s", want, text)
		}
	}
}

// A CA is brought with an encrypted key; a wrong path and a pasted key are
// refused in between.
func TestBringACA(t *testing.T) {
	disk := afero.NewMemMapFs()
	ca := demoCA(t)
	cert := material.EncodeCertificates(ca.Certificates...)
	key, err := material.EncodeKey(ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) {
		f, err := disk.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	write("/work/corp/ca.crt", cert)
	write("/work/corp/ca.key", key)
	input := append(enter(9), "2", "", "", "") // profile, 7 facts, keys; etcd brings a CA
	input = append(input, "corp/nothing.crt", "corp/ca.key")
	input = append(input, strings.Split(strings.TrimSpace(string(cert)), "\n")...)
	for line := range strings.SplitSeq(strings.TrimSpace(string(key)), "\n") {
		input = append(input, line)
	}
	input = append(input, "", "corp/ca.key")
	text, err := session(t, disk, "", append(input, enter(12)...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, want := range []string{"nothing.crt does not exist", "a private key is read from a file only", "Good: etcd CA is usable"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said:\n%s", want, text)
		}
	}
	got, err := afero.ReadFile(disk, "/work/generated/tls/etcd-client-ca.crt")
	if err != nil || !bytes.Equal(got, cert) {
		t.Errorf("the CA that was brought is not the one that was written: %v", err)
	}
}

func TestLeaving(t *testing.T) {
	for name, input := range map[string][]string{"quit": {"", "quit"}, "the input ends": {"", ""}} {
		disk := afero.NewMemMapFs()
		text, err := session(t, disk, "", input...)
		if !errors.Is(err, plain.ErrLeft) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
		if ok, _ := afero.Exists(disk, "/work/generated"); ok {
			t.Errorf("%s: something was written", name)
		}
	}
}

// Back goes back one question, and one step from the first.
func TestBackGoesBack(t *testing.T) {
	text, err := session(t, afero.NewMemMapFs(), "", append([]string{"", "prod", "back", "", "back", "back", "", ""}, enter(40)...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if strings.Count(text, "Cluster name [prod]") < 2 {
		t.Errorf("the name was lost, or not asked again:\n%s", text)
	}
}

// Three nodes are typed, with mistakes on the way; a fourth is begun, and ended
// with Enter.
func TestNodesAreTyped(t *testing.T) {
	disk := afero.NewMemMapFs()
	input := []string{
		"2", "", "", "", "", "", // profile, five facts
		"3",
		"CP_0", "CP-0", "", "10.0.0.300", "10.0.0.10 fd00:0::10",
		"cp-0", "cp-1", "back", "cp-1", "1", "10.0.0.10", "10.0.0.11",
		"worker-0", "help", "", "back", "2", "10.0.0.20",
		"",
	}
	text, err := session(t, disk, "", append(input, enter(60)...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	speakable(t, strings.NewReplacer("«", "", "»", "").Replace(text))
	golden(t, "kubernetes-nodes", steady(text))
	got, err := afero.ReadFile(disk, "/work/generated/certwright.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Parse("certwright.yaml", got)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Nodes) != 3 || p.Nodes[0].Name != "cp-0" || p.Nodes[1].Role != topology.ControlPlane || p.Nodes[2].Role != topology.Worker || p.Nodes[0].Addresses[1] != "fd00::10" {
		t.Errorf("the plan has %+v", p.Nodes)
	}
}

func TestNodesFromAFile(t *testing.T) {
	disk := afero.NewMemMapFs()
	for name, text := range map[string]string{
		"bad.csv":   "name,role,addresses\ncp-0,control-plane,10.0.0.10\nw-0,worker,10.0.0.10\n",
		"nodes.csv": "name,role,addresses\ncp-0,control-plane,10.0.0.10\nw-0,worker,10.0.0.20\n",
	} {
		if err := afero.WriteFile(disk, "/work/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	input := []string{"2", "", "", "", "", "", "2", "none.csv", "2", "bad.csv", "", "back", "", "nodes.csv"}
	text, err := session(t, disk, "", append(input, enter(60)...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, want := range []string{"none.csv", "does not exist", "bad.csv:3:12", "10.0.0.10 is an address of node cp-0 already", "Good: nodes 2, control planes 1, workers 1."} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said:\n%s", want, text)
		}
	}
	if strings.Contains(text, "Node name") {
		t.Error("the facts of a single node are asked although there is a table")
	}
}

// Back and forth between the three ways, and a table offered again.
func TestNodesAreOfferedAgain(t *testing.T) {
	input := []string{
		"2", "", "", "", "", "",
		"3", "cp-0", "", "10.0.0.10", "w-0", "", "10.0.0.20", "", // two are typed
		"back", "", "", "", "10.0.0.11", "-", "", // the first gets another address, the second goes
		"back", "1", "", "10.0.0.30", // one node after all
		"back", "back", "back", "3", "", "", "back", "back", "back", "1",
	}
	text, err := session(t, afero.NewMemMapFs(), "", append(input, enter(60)...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, want := range []string{"Name of node 1 (- leaves it out) [cp-0]", "Addresses of cp-0, blanks between them [10.0.0.10]", "Good: nodes 1, control planes 1, workers 0.", "Node addresses [10.0.0.30]"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said:\n%s", want, text)
		}
	}
}

// A key that is pasted where a value is asked answers nothing and is repeated
// nowhere.
func TestAPastedKeyIsNoValue(t *testing.T) {
	key := []string{"-----BEGIN PRIVATE KEY-----", "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f", "-----END PRIVATE KEY-----"}
	input := append([]string{"2"}, key...)
	input = append(input, "", "", "", "", "", "3")
	input = append(append(input, key...), "cp-0", "")
	input = append(append(input, key...), "10.0.0.10", "")
	text, err := session(t, afero.NewMemMapFs(), "", append(input, enter(60)...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	text = regexp.MustCompile(`«[^»]*»`).ReplaceAllString(text, "") // what the terminal itself showed
	if n := strings.Count(text, "a private key is read from a file only"); n != 3 {
		t.Errorf("a key was refused %d times, want 3:\n%s", n, text)
	}
	if strings.Contains(strings.ToLower(text), "mc4caqaw") {
		t.Errorf("a line of the key is repeated:\n%s", text)
	}
}
