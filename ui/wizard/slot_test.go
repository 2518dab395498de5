package wizard

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"software.sslmate.com/src/go-pkcs12"

	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
	"certwright/ui/theme"
)

const allCerts = "etcd=bring-certs kube=bring-certs identity=bring-certs ingress=bring-certs"

// etcdFiles are everything that etcd asks for, under the names of a person.
func etcdFiles(t testing.TB) (map[string][]byte, map[string]*testCert) {
	t.Helper()
	hosts := []string{"demo-etcd-0.example.com", "demo-etcd-1.example.com", "demo-etcd-2.example.com", "localhost"}
	ca := testCA(t, "Corp etcd CA", nil)
	certs := map[string]*testCert{
		"ca":     ca,
		"server": testLeaf(t, "etcd server", ca, hosts, nil, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth),
		"peer":   testLeaf(t, "etcd peer", ca, hosts[:3], nil, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth),
		"client": testLeaf(t, "etcd client", ca, nil, nil, x509.ExtKeyUsageClientAuth),
	}
	files := map[string][]byte{"pki/ca.crt": ca.pem}
	for _, name := range []string{"server", "peer", "client"} {
		files["pki/"+name+".crt"], files["pki/"+name+".key"] = certs[name].pem, certs[name].keyPEM(t)
	}
	return files, certs
}

func TestFramesCA(t *testing.T) {
	d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, corpFiles(t))
	d.press("enter", "down", "down", "down").rest().golden("ca-picker")
	d.press("enter").rest().golden("ca-key")
	d.press("enter").rest().golden("ca-ready")
	d.press("down").golden("ca-intermediate")
}

// wrongServer is the verdict on a certificate that misses much.
func wrongServer(t testing.TB) flow.Verdict {
	t.Helper()
	ca := testCA(t, "Corp Issuing CA 3", nil)
	leaf := testLeaf(t, "www.example.com", ca, []string{"www.example.com"}, nil, x509.ExtKeyUsageServerAuth)
	return flow.Verdict{
		Pair: &certs.Pair{Certificates: []*x509.Certificate{leaf.x509}},
		Facts: [][2]string{
			{"Subject", "O=Corp, CN=www.example.com"},
			{"Issuer", "O=Corp, CN=Corp Issuing CA 3"},
			{"Until", "2027-01-01 (41 days)"},
			{"Key", "RSA 2048"},
			{"Usages", "serverAuth"},
			{"SAN", "DNS:www.example.com"},
			{"SHA-256", "40:27:51:0E:CB:B3:A2:9E:9D:B7:DC:1C:87:EA:0F:83:0A:08:32:8C:0F:91:3C:64:4C:A0:0A:16:1C:1B:2A:C3"},
		},
		Findings: []check.Finding{
			{
				Rule: "ends-soon", Severity: check.Warning, File: "corp/leaf.pem", Message: "ends in 41 days",
				Fix: "renew it before 2027-01-01",
			},
			{
				Rule: "san-missing", Severity: check.Error, File: "corp/leaf.pem",
				Message: "subjectAltName has no demo-etcd-0.example.com",
				Why:     "the API server dials etcd under each of etcd.hosts",
				Has:     "DNS:www.example.com", Needs: "DNS:demo-etcd-0.example.com",
				Fix: "have it issued again with every name",
			},
		},
	}
}

func TestFramesCerts(t *testing.T) {
	d := driveSlots(t, flow.StepCerts, allCerts, setup{}, corpFiles(t)).golden("certs-empty")
	d.says("etcd/server", flow.Verdict{Findings: []check.Finding{{
		Rule: "file-not-found", Severity: check.Error, Message: "corp/corp- does not exist", Fix: "check the path",
	}}})
	d.press("down", "down", "t").write("~/cluster/corp/co").press("tab", "tab").rest().golden("certs-path")
	d.says("etcd/server", wrongServer(t))
	d.press("ctrl+w").write("leaf.pem").rest().press("enter", "up").golden("certs-wrong")
	d.press("tab").golden("certs-verdict")
	d.press("tab", "home", "p")
	f := corpFiles(t)
	d.paste(string(f["corp/corp-issuing-ca.pem"]) + string(f["corp/corp-issuing-ca.key"])).rest().golden("paste")
}

func TestFramesFilled(t *testing.T) {
	files, certs := etcdFiles(t)
	d := driveSlots(t, flow.StepCerts, "etcd=bring-certs", setup{}, files)
	d.press("d").golden("certs-folder")
	d.runner.filled = func(e flow.SortFolder) flow.Filled {
		out := flow.Filled{Gen: e.Gen, Sources: map[flow.Field]flow.Source{}, Unplaced: []string{"notes.txt: no certificate and no key"}}
		for _, f := range e.Fields {
			switch name := f.Slot.Name(); {
			case f.Part == flow.PartCert:
				out.Sources[f] = flow.Source{Path: "pki/" + name + ".crt", Why: "it has the names and usages of the slot"}
			case name != "ca":
				out.Sources[f] = flow.Source{Path: "pki/" + name + ".key", Why: "its public key is the certificate's"}
			}
		}
		return out
	}
	for _, name := range []string{"ca", "server", "peer", "client"} {
		c := certs[name]
		v := flow.Verdict{Pair: goodPair(), Facts: [][2]string{
			{"Subject", "O=Corp, CN=" + c.x509.Subject.CommonName},
			{"Issuer", "O=Corp, CN=Corp etcd CA"},
			{"Until", "2027-11-21 (365 days)"},
			{"Key", "ECDSA P-256"},
		}}
		v.Pair.Certificates, v.Pair.Key = []*x509.Certificate{c.x509}, c.key
		d.says(topology.SlotID("etcd/"+name), v)
	}
	d.press("enter").rest().golden("certs-filled")
	d.press("enter").golden("certs-ready")
}

func TestBringingACorporateCA(t *testing.T) {
	d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, corpFiles(t))
	d.press("enter").press("/").write("issuing pem").rest().shows("usable as etcd CA").press("enter")
	d.shows("Choose the key", "looks right").rest().shows("looks right", "the key belongs to the certificate").press("enter")
	d.rest().shows("1 of 1 ready")
	if got := d.root.env.Flow.Source(caKey).Path; got != "corp/corp-issuing-ca.key" {
		t.Errorf("the key's path is %q", got)
	}
	d.press("i").shows("●").press("i").hides("●")
	d.press("enter").at(flow.StepTopology).press("esc").at(flow.StepCA).shows("1 of 1 ready")
}

func TestAFolderFillsEveryField(t *testing.T) {
	files, _ := etcdFiles(t)
	d := driveSlots(t, flow.StepCerts, "etcd=bring-certs", setup{}, files)
	d.press("d").shows("take this folder").press("/").write("pk").press("enter").rest().shows("take this folder")
	d.press("enter").rest().shows("etcd CA: pki/ca.crt", "etcd client: pki/client.crt and pki/client.key", "7 fields filled")
	d.press("enter").shows("4 of 4 ready").press("enter").at(flow.StepTopology)
}

func TestATypedPathIsJudgedOnEachKey(t *testing.T) {
	files, _ := etcdFiles(t)
	d := driveSlots(t, flow.StepCerts, "etcd=bring-certs", setup{}, files)
	d.press("down", "down", "t").write("pki/ser").rest().shows("pki/ser does not exist")
	d.write("ver.crt").rest().shows("key not chosen yet").hides("does not exist")
	d.press("backspace").rest().shows("does not exist").press("tab").rest().hides("does not exist")
	d.press("ctrl+w").rest()
	if got := d.slots().path.in.Value(); got != "pki/" {
		t.Errorf("ctrl+w left %q", got)
	}
	d.press("enter").rest().shows("client.crt") // a folder: the picker goes on in it
	if s := d.slots(); s.focus != onPicker || s.picker.dir != "/home/ann/cluster/pki" {
		t.Errorf("enter on a folder left the focus at %d in %s", s.focus, s.picker.dir)
	}
}

func TestHowATypedPathIsKept(t *testing.T) {
	for typed, want := range map[string]string{
		"pki/server.crt":           "pki/server.crt",
		"~/cluster/pki/server.crt": "pki/server.crt",
		"~/other.crt":              "/home/ann/other.crt",
		"/etc/x.crt":               "/etc/x.crt",
		"~bob/x.crt":               "~bob/x.crt",
	} {
		d := driveSlots(t, flow.StepCerts, "etcd=bring-certs", setup{}, nil)
		d.press("t").write(typed).press("enter")
		if got := d.root.env.Flow.Source(caCert).Path; got != want {
			t.Errorf("%s is kept as %q, want %q", typed, got, want)
		}
	}
}

func TestARepairedFileTurnsGreen(t *testing.T) {
	files, _ := etcdFiles(t)
	good := files["pki/client.crt"]
	d := driveSlots(t, flow.StepCerts, "etcd=bring-certs", setup{}, files)
	d.press("d", "enter", "enter").rest().shows("4 of 4 ready")
	d.put("pki/client.crt", good[:200])
	d.touch("pki/client.crt", 1)
	d.msg(lookMsg{})
	d.shows("✗ etcd client", "3 of 4 ready")
	d.slots().goToField(flow.Field{Slot: "etcd/client", Part: flow.PartCert})
	d.put("pki/client.crt", good)
	d.touch("pki/client.crt", 2)
	d.msg(lookMsg{})
	d.shows("✓ etcd client", "changed on disk, checked again", "4 of 4 ready")
	d.slots().goToField(flow.Field{Slot: "etcd/server", Part: flow.PartCert})
	d.hides("changed on disk")
}

func TestAnEncryptedKeyAsksForItsPassphrase(t *testing.T) {
	files := corpFiles(t)
	ca := testCA(t, "Corp Issuing CA 3", nil)
	files["ca.pem"], files["ca.key"] = ca.pem, ca.lockedPEM(t, "correct horse")
	d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, files)
	d.slots()
	d.press("/").write("ca.pem").press("enter").rest().press("enter").rest()
	d.shows("encrypted", "press e").press("enter").shows("Passphrase of the key of etcd CA")
	d.write("wrong one").shows("*********").hides("wrong").press("enter").rest()
	if d.root.env.Flow.Verdict("etcd/ca").OK() {
		t.Fatal("a wrong passphrase opened the key")
	}
	d.shows("That passphrase did not open the key")
	d.press("e").shows("the one before did not open it").write("correcx").press("backspace").write("t horse").hides("correct", "horse").press("enter").rest()
	d.shows("1 of 1 ready").hides("horse")
	if p := d.slots().secret; len(bytes.Trim(p.data[:cap(p.data)], "\x00")) != 0 {
		t.Error("the prompt still holds the passphrase")
	}
}

func TestAPassphrasePrompt(t *testing.T) {
	p := &secretPrompt{}
	p.press(keyOf(t, "a"))
	p.add([]rune("two\nlines"))
	if len(p.data) != 0 || p.note == "" {
		t.Errorf("several lines were taken: %d bytes, note %q", len(p.data), p.note)
	}
	p.add([]rune(strings.Repeat("ä", 600)))
	if len(p.data) != 0 || p.note == "" {
		t.Errorf("1200 bytes were taken: %d bytes, note %q", len(p.data), p.note)
	}
	p.add([]rune("größe\n"))
	p.press(keyOf(t, "backspace"))
	if string(p.data) != "größ" {
		t.Errorf("got %q", p.data)
	}
}

func TestEnterLeadsToWhatIsMissing(t *testing.T) {
	files, _ := etcdFiles(t)
	delete(files, "pki/client.key")
	d := driveSlots(t, flow.StepCerts, "etcd=bring-certs", setup{}, files)
	d.press("d", "enter", "enter").rest()
	d.shows("3 of 4 ready").press("enter")
	if f, _ := d.slots().field(); f != (flow.Field{Slot: "etcd/client", Part: flow.PartKey}) {
		t.Errorf("enter went to %v\n%s", f, d.frame())
	}
	d.press("home", "n")
	if f, _ := d.slots().field(); f.Slot != "etcd/client" {
		t.Errorf("n went to %v", f)
	}
	d.at(flow.StepCerts)
}

func TestEscClosesInnermostFirst(t *testing.T) {
	d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, corpFiles(t))
	d.press("/").write("corp").press("esc").shows("corp/").press("esc")
	for _, open := range []string{"o", "p", "t", "d", "tab"} {
		d.press("esc").at(flow.StepModes).press("enter").at(flow.StepCA)
		d.press(open)
		if d.slots().focus == onList {
			t.Errorf("%s opened nothing", open)
		}
		d.press("esc").at(flow.StepCA)
		if d.slots().focus != onList {
			t.Errorf("esc did not close what %s opened", open)
		}
	}
}

func TestSettingAComponentToAnotherModeHere(t *testing.T) {
	d := driveSlots(t, flow.StepCerts, "etcd=bring-certs ingress=bring-certs", setup{}, nil)
	d.press("g").at(flow.StepCerts).shows("etcd is set to generate", "0 of 2 ready").hides("etcd CA ")
	if f, _ := d.slots().field(); f.Slot.Component() != "ingress" {
		t.Errorf("the cursor is on %v", f)
	}
	d.press("c").at(flow.StepCA) // nothing is left to ask for here, and there is
}

func TestAModeThatCannotBeHad(t *testing.T) {
	d := driveSlots(t, flow.StepCerts, "kube=bring-certs identity=bring-certs", setup{}, nil)
	d.slots().goToField(flow.Field{Slot: "identity/server", Part: flow.PartCert})
	d.press("g").shows("identity cannot be set to generate")
	d.press("c") // identity has no CA of its own
	if m := d.root.env.Flow.Plan().Mode("identity"); m != topology.BringCerts {
		t.Errorf("identity is %s", m)
	}
}

// TestNoPrivateByteIsEverShown goes through every pane with keys in files, in
// pastes and encrypted, at several sizes, and reads every frame.
func TestNoPrivateByteIsEverShown(t *testing.T) {
	files, certs := etcdFiles(t)
	locked := certs["ca"].lockedPEM(t, "s3cret-passphrase")
	files["pki/ca.key"] = locked
	files["corp.p8"] = certs["server"].keyPEM(t)
	var secrets []string
	for _, c := range certs {
		secrets = append(secrets, secretsOf(c.keyPEM(t))...)
	}
	secrets = append(append(secrets, secretsOf(locked)...), "s3cret-passphrase")
	script := []string{"enter", "down", "up", "o", "p", "t", "d", "tab", "x", "n", "e", "esc", "home", "end", "/", "k", "left", "pgdown", "ctrl+r", ".", "ctrl+u", "i", "PASTE", "LOCKED", "PASS", "REST"}
	rng := rand.New(rand.NewPCG(1, 2))
	sizes := [][2]int{{60, 16}, {80, 24}, {120, 40}, {200, 60}}
	runs := 60
	if testing.Short() {
		runs = 10
	}
	for run := range runs {
		modes, step := "etcd=bring-certs", flow.StepCerts
		if run%2 == 0 {
			modes, step = "etcd=bring-ca", flow.StepCA
		}
		d := driveSlots(t, step, modes, setup{}, files)
		size := sizes[run%len(sizes)]
		d.size(size[0], size[1])
		for range 60 {
			if d.root.env.Flow.At() != step {
				break
			}
			k := script[rng.IntN(len(script))]
			switch k {
			case "PASTE":
				d.paste(string(certs["peer"].pem) + string(certs["peer"].keyPEM(t)))
			case "LOCKED":
				d.paste(string(locked))
			case "PASS":
				d.write("s3cret-passphrase")
				if s, ok := d.root.screen().(*slotScreen); ok && s.focus != onSecret {
					d.press("ctrl+u", "esc") // typed into the open: it is a path or a name then
					d = driveSlots(t, step, modes, setup{width: size[0], height: size[1]}, files)
				}
			case "REST":
				d.rest()
			default:
				d.press(k)
			}
			frame := d.root.View()
			if rows := strings.Split(frame, "\n"); len(rows) != size[1] || slices.ContainsFunc(rows, func(r string) bool { return ansi.StringWidth(r) > size[0] }) {
				t.Fatalf("after %s the frame is not %dx%d:\n%s", k, size[0], size[1], frame)
			}
			for _, s := range secrets {
				if s != "s3cret-passphrase" && strings.Contains(frame, s) {
					t.Fatalf("a frame shows %q", s)
				}
			}
			if s, ok := d.root.screen().(*slotScreen); ok && s.focus == onSecret && strings.Contains(frame, "s3cret") {
				t.Fatalf("the prompt shows the passphrase")
			}
		}
		for n := 0; d.root.env.Flow.At() == step; n++ {
			if n > 3 {
				t.Fatalf("esc does not lead out:\n%s", d.frame())
			}
			d.press("esc")
		}
	}
}

func TestAFileThatIsTooLarge(t *testing.T) {
	files := map[string][]byte{"huge.pem": bytes.Repeat([]byte("A"), material.MaxCertificates+1)}
	d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, files)
	d.rest().shows("at most 4.2 MB are read").press("enter").rest().shows("at most 4.2 MB", "✗ etcd CA")
}

func TestOneFileWithBothAsksForNoKey(t *testing.T) {
	files := corpFiles(t)
	files = map[string][]byte{"both.pem": append(files["corp/corp-issuing-ca.pem"], files["corp/corp-issuing-ca.key"]...)}
	d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, files)
	d.press("enter").rest().shows("in the same file", "1 of 1 ready").press("enter").at(flow.StepTopology)
}

func TestAPKCS12FileIsOpened(t *testing.T) {
	ca := testCA(t, "Corp CA", nil)
	p12, err := pkcs12.Modern.Encode(ca.key, ca.x509, nil, "open sesame")
	if err != nil {
		t.Fatal(err)
	}
	d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, map[string][]byte{"ca.p12": p12})
	d.rest().press("enter").rest().shows("press e")
	d.press("enter").write("open sesame").press("enter").rest().shows("in the same file", "1 of 1 ready")
}

func TestServiceAccountKeysAreAKeyPair(t *testing.T) {
	ca := testCA(t, "any", nil)
	d := driveSlots(t, flow.StepCerts, "kube=bring-certs", setup{}, map[string][]byte{"sa.key": ca.keyPEM(t)})
	d.slots().goToField(flow.Field{Slot: "kube/service-account", Part: flow.PartKey})
	d.press("o").shows("service account keys: private key").rest().press("enter").rest()
	d.shows("✓ service account").hides("key not chosen", "certificate not chosen")
	if v := d.root.env.Flow.Verdict("kube/service-account"); !v.OK() {
		t.Errorf("not usable: %+v\n%s", v.Findings, d.frame())
	}
}

func TestCopyingTheFix(t *testing.T) {
	d := driveSlots(t, flow.StepCerts, "etcd=bring-certs", setup{}, nil)
	d.press("t").write("nowhere.pem").press("enter", "up", "y").shows("copied: ls -l")
	if !strings.HasPrefix(d.copied, "ls -l") {
		t.Errorf("copied %q", d.copied)
	}
}

func TestADroppedFolderFillsTheFields(t *testing.T) {
	files, _ := etcdFiles(t)
	d := driveSlots(t, flow.StepCerts, "etcd=bring-certs", setup{}, files)
	d.press("d").paste("'/home/ann/cluster/pki' ").shows("Folder that every field is filled from").press("enter").rest().shows("7 fields filled")
}

func TestHostileTextIsEscapedEverywhere(t *testing.T) {
	evil := "evil\x1b[2J\x1b]0;pwn\x07\u202e"
	ca := testCA(t, evil, nil)
	files := map[string][]byte{"a" + evil + ".pem": ca.pem, "a" + evil + ".key": ca.keyPEM(t)}
	d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, files)
	check := func() {
		t.Helper()
		if raw := d.root.View(); strings.ContainsAny(raw, "\x07\u202e") || strings.Contains(raw, "\x1b[2J") || strings.Contains(raw, "\x1b]") {
			t.Fatalf("hostile text reached the terminal: %q", raw)
		}
	}
	for _, k := range []string{"enter", "enter", "tab", "tab", "down", "t", "tab", "esc", "d", "enter", "enter", "p"} {
		d.press(k).rest()
		check()
	}
	d.paste(string(ca.pem)).rest()
	check()
}

func TestTheListIsDrawnInEverySize(t *testing.T) {
	files, _ := etcdFiles(t)
	d := driveSlots(t, flow.StepCerts, allCerts, setup{}, files)
	for _, open := range []string{"", "o", "esc", "t", "esc", "p", "esc", "tab", "tab", "d"} {
		if open != "" {
			d.press(open).rest()
		}
		for w := minWidth; w <= 200; w += 7 {
			for h := minHeight; h <= 60; h += 5 {
				d.size(w, h)
				if rows := strings.Count(d.root.View(), "\n") + 1; rows != h {
					t.Fatalf("%d rows in a window of %dx%d", rows, w, h)
				}
			}
		}
	}
}

// A folder may fill thousands of fields: a page is as many as are in view.
func TestTheListGoesByPages(t *testing.T) {
	files, _ := etcdFiles(t)
	d := driveSlots(t, flow.StepCerts, allCerts, setup{}, files).size(80, 24).shows("etcd CA")
	first, tall, last := d.slots().at, d.slots().tall, len(d.slots().rows())-1
	at := func() int { return d.slots().selected(d.slots().rows()) }
	start := at()
	if last <= tall {
		t.Fatalf("all %d rows are in view", last+1)
	}
	if d.press("pgdown"); at() < start+tall-2 || at() > start+tall {
		t.Errorf("a page of %d rows led from row %d to %d", tall, start, at())
	}
	if d.press("pgdown", "pgdown", "pgdown"); at() != last {
		t.Errorf("the last page ends at row %d of %d", at(), last)
	}
	if d.press("pgup", "pgup", "pgup", "pgup"); d.slots().at != first {
		t.Errorf("back at row %d, want the first field", at())
	}
	d.press("?").shows("pgup/pgdn")
}

// TestLooksRunBesideTheLoop runs previews while the answers change under them,
// for the race detector to watch.
func TestLooksRunBesideTheLoop(t *testing.T) {
	files := corpFiles(t)
	key := files["corp/corp-issuing-ca.key"]
	d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, files)
	j, f := d.slots().judge, d.root.env.Flow
	path := "/home/ann/cluster/corp/corp-issuing-ca.pem"
	f.Apply(flow.SetSource{Field: caKey, Source: flow.Source{Pasted: bytes.Clone(key)}})
	f.Apply(flow.SetPassphrase{Slot: "etcd/ca", Passphrase: []byte("one")})
	looks := []func() *preview{
		j.file(path, entry{name: "corp-issuing-ca.pem", kind: fileEntry}, &caCert),
		j.pasted(bytes.Clone(key), map[flow.Field]flow.Source{caKey: {Pasted: bytes.Clone(key)}}, "etcd/ca"),
	}
	done := make(chan *preview, len(looks))
	for _, look := range looks {
		go func() { done <- look() }()
	}
	f.Apply(flow.SetSource{Field: caKey, Source: flow.Source{Pasted: []byte("another")}})
	f.Apply(flow.SetPassphrase{Slot: "etcd/ca", Passphrase: []byte("two")})
	for range looks {
		if p := <-done; p == nil || p.bad {
			t.Errorf("a look failed: %+v", p)
		}
	}
}

func TestCutPath(t *testing.T) {
	th := theme.New(theme.Options{Profile: theme.None})
	for _, c := range []struct {
		path string
		w    int
		want string
	}{
		{"gen/tls/ca.crt", 20, "gen/tls/ca.crt"},
		{"gen/tls/etcd/server.crt", 18, "…/etcd/server.crt"},
		{"gen/tls/etcd/server.crt", 13, "…/server.crt"},
		{"gen/tls/etcd/server.crt", 9, "serv….crt"},
		{"pasted, 2 certificates", 12, "pasted…cates"},
		{"~/größe/größe.crt", 12, "…/größe.crt"},
		{"/", 0, ""},
	} {
		if got := cutPath(th, c.path, c.w); got != c.want {
			t.Errorf("%s in %d: got %q, want %q", c.path, c.w, got, c.want)
		}
	}
}

// Of thousands of fields of one name it is the node that tells them apart.
func TestEachNodesFieldNamesItsNode(t *testing.T) {
	for _, size := range [][2]int{{60, 20}, {80, 24}, {120, 40}} {
		d := driveNodes(t, setup{width: size[0], height: size[1], plan: func(p *plan.Plan) {
			p.Components = map[topology.ComponentID]plan.Component{"kube": {Mode: topology.BringCerts}}
			p.Nodes = []topology.Node{{Name: "cp-0", Role: topology.ControlPlane, Addresses: []string{"10.0.0.1"}}}
			for i := range 9 {
				p.Nodes = append(p.Nodes, topology.Node{Name: fmt.Sprintf("node-%05d", i), Role: topology.Worker, Addresses: []string{fmt.Sprintf("10.0.1.%d", i)}})
			}
			p.Nodes = append(p.Nodes, topology.Node{Name: "a-node-of-a-very-long-name.rack-7.west.example.com", Role: topology.Worker, Addresses: []string{"10.0.2.1"}})
		}}).press("enter", "enter").at(flow.StepCerts)
		seen := d.frame()
		for range 20 {
			seen += d.press("pgdown").frame()
		}
		for i := range 9 {
			if name := fmt.Sprintf(" node-%05d ", i); strings.Count(seen, name) < 2 {
				t.Errorf("%v: no two fields end in %q\n%s", size, name, seen)
			}
		}
		if !strings.Contains(seen, "e.com ") {
			t.Errorf("%v: the end of a long name is cut", size)
		}
	}
}
