package wizard

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
	"certwright/ui/theme"
)

// realSet makes and proves the set that the answers ask for, with what was
// brought. Serial numbers come from a fixed source, so that frames repeat.
func realSet(t testing.TB, a *flow.Answers, brought map[topology.SlotID]*certs.Pair) *flow.Prepared {
	t.Helper()
	r := issue.Request{Topology: a.Topology, Modes: map[topology.ComponentID]topology.Mode{}, Brought: brought, Now: testNow, Rand: mathrand.NewChaCha8([32]byte{7}), Keys: &countedKeys{}, Workers: 1}
	for _, c := range a.Topology.Components {
		r.Modes[c.ID] = a.Plan.Mode(c.ID)
	}
	set, err := issue.All(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := prepared(a)
	p.Set = set
	in := prove.Input{Set: set, Now: testNow}
	if p.Handshakes, err = prove.Edges(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if p.Openings, err = prove.Reach(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	return p
}

// countedKeys makes the same keys each time: the subject of a CA has a number
// made of its key.
type countedKeys struct{ n byte }

func (c *countedKeys) Key(context.Context, issue.Algorithm) (crypto.Signer, error) {
	c.n++
	sum := sha256.Sum256([]byte{c.n})
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), sum[:])
}

// signed makes a certificate as somebody else would have made it.
func signed(t testing.TB, serial int64, subject pkix.Name, by *certs.Pair, change func(*x509.Certificate)) *certs.Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: subject, NotBefore: testNow.AddDate(-1, 0, 0), NotAfter: testNow.AddDate(2, 0, 0),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	parent, signer := template, crypto.Signer(key)
	if by != nil {
		parent, signer = by.Leaf(), by.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	out := &certs.Pair{Certificates: []*x509.Certificate{c}, Key: key}
	if by != nil {
		out.Certificates = append(out.Certificates, by.Certificates...)
	}
	return out
}

func asCA(c *x509.Certificate) {
	c.IsCA, c.KeyUsage, c.ExtKeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil
}

// mixed is a plan with every mode: kube under a corporate CA, the ingress with a
// certificate of its own that ends soon.
func mixed(t testing.TB, change func(map[topology.SlotID]*certs.Pair)) setup {
	t.Helper()
	root := signed(t, 11, pkix.Name{CommonName: "Corp Root CA", Organization: []string{"Corp"}}, nil, asCA)
	kube := signed(t, 12, pkix.Name{CommonName: "Corp Issuing CA 3", Organization: []string{"Corp"}}, root, func(c *x509.Certificate) {
		asCA(c)
		c.NotAfter = testNow.AddDate(0, 0, 466)
	})
	web := signed(t, 13, pkix.Name{CommonName: "Web CA"}, nil, asCA)
	server := signed(t, 14, pkix.Name{CommonName: "demo.example.com"}, web, func(c *x509.Certificate) {
		c.DNSNames, c.NotAfter = []string{"demo.example.com"}, testNow.AddDate(0, 0, 41)
	})
	server.Certificates = server.Certificates[:1]
	brought := map[topology.SlotID]*certs.Pair{"kube/ca": kube, "ingress/ca": web, "ingress/server": server}
	if change != nil {
		change(brought)
	}
	run := newFakeRunner()
	for id, p := range brought {
		run.verdicts[id] = flow.Verdict{Pair: p}
	}
	run.prepare = func(e flow.Prepare) (*flow.Prepared, error) {
		p := realSet(t, e.Answers, brought)
		warned(p, "ingress/server", "demo.example.com ends in 41 days", "renew it before 2027-01-01")
		return p, nil
	}
	return setup{runner: run, plan: func(p *plan.Plan) {
		p.Components = map[topology.ComponentID]plan.Component{
			"kube": {Mode: topology.BringCA, CA: &plan.Files{Cert: "corp/kube-ca.crt", Key: "corp/kube-ca.key"}},
			"ingress": {Mode: topology.BringCerts, Certs: map[string]plan.Files{
				"ca": {Cert: "corp/web.crt"}, "server": {Cert: "corp/www.crt", Key: "corp/www.key"},
			}},
		}
	}}
}

// toTopology drives to the screen.
func toTopology(t testing.TB, s setup) *driver {
	t.Helper()
	if s.runner == nil {
		s.runner = newFakeRunner()
		s.runner.prepare = func(e flow.Prepare) (*flow.Prepared, error) { return realSet(t, e.Answers, nil), nil }
	}
	d := drive(t, s)
	for range 6 {
		if d.root.env.Flow.At() == flow.StepTopology {
			break
		}
		d.press("enter")
	}
	return d.at(flow.StepTopology)
}

func topologyOf(d *driver) *topologyScreen { return d.root.screen().(*topologyScreen) }

var fingerprints = regexp.MustCompile(`([0-9a-f]{2}:){8}`)

// topologyGolden compares the screen at four sizes; fingerprints are new each time.
func topologyGolden(d *driver, name string) {
	d.t.Helper()
	for _, size := range [][2]int{{80, 24}, {120, 40}, {60, 16}, {200, 60}} {
		d.size(size[0], size[1])
		frame := fingerprints.ReplaceAllString(d.frame(), "00:11:22:33:44:55:66:77:") + "\n"
		path := filepath.Join("testdata", name+"."+strconv.Itoa(size[0])+"x"+strconv.Itoa(size[1])+".txt")
		if *update {
			if err := os.WriteFile(path, []byte(frame), 0o644); err != nil {
				d.t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			d.t.Error(err)
		} else if frame != string(want) {
			d.t.Errorf("%s differs.\ngot:\n%s\nwant:\n%s", path, frame, want)
		}
	}
}

func TestTopologyFrames(t *testing.T) {
	topologyGolden(toTopology(t, setup{}), "topology")
}

func TestTopologyFramesOfAllModes(t *testing.T) {
	d := toTopology(t, mixed(t, nil))
	d.press("n").shows("demo.example.com ends in 41", "renew it before")
	topologyGolden(d, "topology-mixed")
}

func TestTopologyFramesOfASetThatFails(t *testing.T) {
	s := mixed(t, func(brought map[topology.SlotID]*certs.Pair) {
		// A certificate for another name: browsers refuse it.
		web := brought["ingress/ca"]
		server := signed(t, 15, pkix.Name{CommonName: "www.example.com"}, web, func(c *x509.Certificate) { c.DNSNames = []string{"www.example.com"} })
		server.Certificates = server.Certificates[:1]
		brought["ingress/server"] = server
	})
	d := toTopology(t, s)
	d.press("enter").at(flow.StepTopology)
	if got := topologyOf(d).node(); got == nil || got.ID != "ingress/server" {
		t.Errorf("enter on a set that fails goes to %v, want ingress/server", got)
	}
	topologyGolden(d, "topology-failed")
}

func TestTopologyWhileTheSetIsMade(t *testing.T) {
	d := drive(t, setup{})
	d.press("enter", "enter").at(flow.StepModes)
	d.root.Update(keyOf(t, "enter")) // its command never ends here
	d.at(flow.StepTopology).shows("etcd CA", "…")
	topologyGolden(d, "topology-proving")
	d.press("v").size(60, 20)
	d.shows("proving")
}

func TestTopologyInASCIIAndWithoutColour(t *testing.T) {
	d := toTopology(t, setup{theme: theme.Options{Profile: theme.None, ASCII: true}})
	for i, r := range d.frame() {
		if r > 0x7e {
			t.Fatalf("byte %d of the frame is %q:\n%s", i, r, d.frame())
		}
	}
	d.golden1("topology.ascii.80x24.txt")
	plain := toTopology(t, setup{theme: theme.Options{NoColor: true}})
	if strings.Contains(plain.root.View(), "\x1b[3") {
		t.Error("NO_COLOR frame sets a colour")
	}
	if !strings.Contains(plain.frame(), "▸") {
		t.Error("without colour nothing shows the chosen row")
	}
}

func TestTopologyFrameHasTheWindowsSize(t *testing.T) {
	d := toTopology(t, mixed(t, nil))
	for _, key := range []string{"down", "v", "i", "down", "i", "/", "k", "u", "enter", "esc", "f", "f", "n", "m", "left", "right"} {
		d.press(key)
		for _, size := range [][2]int{{60, 16}, {61, 17}, {75, 19}, {76, 20}, {80, 24}, {109, 30}, {110, 29}, {120, 40}, {200, 60}, {240, 70}} {
			d.size(size[0], size[1])
			body := topologyOf(d).View(size[0], size[1]-6)
			rows := strings.Split(body, "\n")
			if len(rows) != size[1]-6 {
				t.Errorf("after %q at %v the body has %d rows", key, size, len(rows))
			}
			for _, r := range rows {
				if n := ansi.StringWidth(r); n > size[0] {
					t.Errorf("after %q at %v a row has %d cells: %q", key, size, n, r)
				}
			}
		}
	}
}

func TestTopologyKeys(t *testing.T) {
	d := toTopology(t, mixed(t, nil))
	s := topologyOf(d)
	at := func(id string) {
		t.Helper()
		if got := s.lineID(); got != id {
			t.Errorf("the cursor is on %q, want %q\n%s", got, id, d.frame())
		}
	}
	d.press("home")
	first := s.lineID()
	d.press("right")
	at("etcd/ca")
	d.press("left")
	if s.lineID() != first && !s.view.Closed["etcd/ca"] {
		t.Error("left on an open CA does not close it")
	}
	d.press("right", "right")
	at("etcd/server")
	d.press("left")
	at("etcd/ca")
	d.press("/").write("dex nothing").shows("0 found").press("esc")
	d.press("/").write("identity cl")
	at("identity/client")
	d.press("enter", "esc") // the first esc ends the search, not the step
	d.at(flow.StepTopology)
	at("identity/client")
	d.press("f", "f", "f").shows("only bring certs")
	at("ingress/ca")
	d.press("esc").hides("only bring certs")
	d.press("n")
	at("ingress/server")
	d.press("i", "end").shows("serial").press("esc").at(flow.StepTopology)
	d.press("esc")
	if d.root.env.Flow.At() == flow.StepTopology {
		t.Error("esc with nothing open does not go back")
	}
}

func TestTopologyChangesAModeAndStays(t *testing.T) {
	d := toTopology(t, setup{})
	mode := func() topology.Mode { return d.root.env.Flow.Choices()["etcd"].Mode }
	d.press("down", "m").at(flow.StepTopology)
	if mode() != topology.BringCA {
		t.Errorf("m sets etcd to %s, want bring CA", mode())
	}
	d.shows("etcd is set to bring CA", "missing")
	d.press("m", "m").at(flow.StepTopology)
	if mode() != topology.Generate {
		t.Errorf("three times m leaves etcd at %s, want generate", mode())
	}
	d.press("down", "up").shows("calls proved by real handshakes").press("home", "m").shows("belongs to no component")
}

func TestTopologyIsDrawnFromOneModelForAStateOfTheFlow(t *testing.T) {
	d := toTopology(t, setup{})
	s := topologyOf(d)
	d.frame()
	before := s.model
	d.press("down", "down", "v")
	d.frame()
	if s.model != before {
		t.Error("moving the cursor makes the model anew")
	}
	d.press("m")
	d.frame()
	if s.model == before {
		t.Error("a changed mode does not show")
	}
}

func TestTopologyShowsNoSequenceOfACertificate(t *testing.T) {
	s := mixed(t, func(brought map[topology.SlotID]*certs.Pair) {
		evil := signed(t, 16, pkix.Name{CommonName: "evil\x1b[2J\x1b]0;pwn\x07\u202e", Organization: []string{"\u009b31m"}}, nil, asCA)
		brought["kube/ca"] = evil
	})
	d := toTopology(t, s)
	d.size(200, 60)
	for range 20 {
		if view := d.root.View(); strings.ContainsAny(view, "\x07\u202e\u009b") || strings.Contains(view, "\x1b[2J") {
			t.Fatalf("a frame holds what the certificate says raw: %q", view)
		}
		d.press("down")
	}
}

func TestTopologyStatusNamesWhatEndsSoon(t *testing.T) {
	toTopology(t, mixed(t, nil)).shows("1 certificate ends within 60 days", "ingress server")
}

func TestTopologySurvivesAnyKeys(t *testing.T) {
	keys := []string{
		"up", "down", "left", "right", "v", "i", "/", "f", "n", "m", "esc", "home", "end", "pgup", "pgdown", "x", "k", "?", "enter", "space", "1", "4",
	}
	for seed := range uint64(4) {
		r := mathrand.New(mathrand.NewPCG(seed, 9))
		d := toTopology(t, mixed(t, nil))
		var pressed []string
		for range 80 {
			pressed = append(pressed, keys[r.IntN(len(keys))])
			d.press(pressed[len(pressed)-1])
			if r.IntN(5) == 0 {
				d.size(60+r.IntN(160), 16+r.IntN(50))
			}
			d.frame()
			if d.root.crash != nil {
				t.Fatalf("after %q: %v", pressed, d.root.crash)
			}
		}
	}
}
