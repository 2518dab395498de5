package wizard

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/topology"
	"certwright/flow"
)

// pasteDriver is at an empty CA field with the paste pane open.
func pasteDriver(t testing.TB) *driver {
	t.Helper()
	d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, corpFiles(t))
	return d.press("p")
}

var (
	caCert = flow.Field{Slot: "etcd/ca", Part: flow.PartCert}
	caKey  = flow.Field{Slot: "etcd/ca", Part: flow.PartKey}
)

func (d *driver) pasted(f flow.Field) string { return string(d.root.env.Flow.Source(f).Pasted) }

// typeRaw sends a text as a terminal without bracketed paste does, in pieces
// that hang together as its reads happen to fall.
func (d *driver) typeRaw(text string, piece int) *driver {
	for line := range strings.SplitAfterSeq(text, "\n") {
		end := strings.HasSuffix(line, "\n")
		line = strings.TrimSuffix(line, "\n")
		for len(line) > 0 {
			n := min(piece, len(line))
			d.msg(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(line[:n])})
			line = line[n:]
		}
		if end {
			d.msg(tea.KeyMsg{Type: tea.KeyEnter})
		}
	}
	return d
}

func TestPasteInAnyForm(t *testing.T) {
	files := corpFiles(t)
	text := string(files["corp/corp-issuing-ca.pem"]) + string(files["corp/corp-issuing-ca.key"])
	oneLine := strings.ReplaceAll(text, "\n", " ")
	for _, c := range []struct {
		name string
		do   func(*driver)
	}{
		{"bracketed", func(d *driver) { d.paste(text) }},
		{"bracketed, CRLF", func(d *driver) { d.paste(strings.ReplaceAll(text, "\n", "\r\n")) }},
		{"bracketed, CR alone", func(d *driver) { d.paste(strings.ReplaceAll(text, "\n", "\r")) }},
		{"one line", func(d *driver) { d.paste(oneLine) }},
		{"in two pastes", func(d *driver) { d.paste(text[:300]); d.paste(text[300:]) }},
		{"unbracketed, in large pieces", func(d *driver) { d.typeRaw(text, 256) }},
		{"unbracketed, in small pieces", func(d *driver) { d.typeRaw(text, 3) }},
		{"text before and behind", func(d *driver) { d.paste("Dear Ann,\n" + text + "Regards\n") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := pasteDriver(t)
			c.do(d)
			d.rest().shows("2 certificates, 1 private key", "not shown", "usable")
			d.press("enter")
			if got := len(pemSpans([]byte(d.pasted(caCert)))); got != 2 {
				t.Errorf("the certificate's field has %d blocks, want 2", got)
			}
			if got := d.pasted(caKey); !strings.Contains(got, "PRIVATE KEY") || strings.Contains(got, "BEGIN CERTIFICATE") {
				t.Error("the key's field does not hold the key alone")
			}
			d.rest().shows("✓ etcd CA", "✓   key", "1 of 1 ready")
		})
	}
}

func TestEnterDuringAnUnbracketedPasteIsALineEnd(t *testing.T) {
	d := pasteDriver(t)
	b := d.slots().paste
	b.press(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("-----BEGIN CERTIFICATE-----")})
	b.press(tea.KeyMsg{Type: tea.KeyEnter})
	b.press(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("AAAA")})
	b.press(tea.KeyMsg{Type: tea.KeyEnter})
	b.press(tea.KeyMsg{Type: tea.KeyCtrlJ})
	b.press(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("-----END CERTIFICATE-----")})
	if keep, _ := b.press(tea.KeyMsg{Type: tea.KeyEnter}); keep {
		t.Error("the last line end of a paste kept it")
	}
	if got, want := string(b.data), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.update(settledMsg{b, b.gen})
	if keep, _ := b.press(tea.KeyMsg{Type: tea.KeyEnter}); !keep {
		t.Error("enter does not keep a paste that is whole")
	}
}

func TestAPasteThatIsNotWhole(t *testing.T) {
	d := pasteDriver(t)
	key := string(corpFiles(t)["corp/corp-issuing-ca.key"])
	d.paste(key[:120]).shows("no END line yet", "BEGIN PRIVATE KEY").press("enter").rest().shows("no END line yet")
	if d.slots().focus != onPaste {
		t.Error("half a paste was kept")
	}
	d.press("ctrl+u").shows("Paste the certificate of etcd CA now")
	d.press("esc")
	if d.slots().focus != onList || d.pasted(caKey) != "" {
		t.Error("esc did not cancel")
	}
}

func TestAPasteIsForgotten(t *testing.T) {
	key := corpFiles(t)["corp/corp-issuing-ca.key"]
	for _, end := range []string{"ctrl+u", "esc", "enter"} {
		d := pasteDriver(t)
		d.paste(string(key))
		b := d.slots().paste
		held := b.data[:cap(b.data)]
		d.press(end)
		if len(bytes.Trim(held, "\x00")) != 0 {
			t.Errorf("after %s the bytes are still there", end)
		}
	}
	d := pasteDriver(t)
	d.paste(string(key)).press("enter")
	held := d.root.env.Flow.Source(caKey).Pasted
	d.slots().goToField(caKey)
	d.press("x")
	if len(bytes.Trim(held, "\x00")) != 0 {
		t.Error("clearing the field left the bytes in memory")
	}
}

func TestATooLargePaste(t *testing.T) {
	d := pasteDriver(t)
	b := d.slots().paste
	for range 5 {
		b.press(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(strings.Repeat("A", maxPaste/4)), Paste: true})
	}
	d.shows("1 MiB")
	if len(b.data) != 0 {
		t.Errorf("%d bytes were kept", len(b.data))
	}
	d.press("ctrl+u")
	b.press(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(strings.Repeat("A", maxPaste)), Paste: true})
	if len(b.data) != maxPaste {
		t.Errorf("a paste of 1 MiB was not taken: %d", len(b.data))
	}
	_ = d.frame()
}

func TestWhereAPasteIsFiled(t *testing.T) {
	files := corpFiles(t)
	cert, key := files["corp/leaf.pem"], files["corp/corp-issuing-ca.key"]
	all := bytes.Join([][]byte{cert, key}, nil)
	none := func(flow.Field) bool { return false }
	both := func(flow.Field) bool { return true }
	for _, c := range []struct {
		name  string
		data  []byte
		at    flow.Field
		taken func(flow.Field) bool
		want  []flow.Field
	}{
		{"both", all, caCert, both, []flow.Field{caCert, caKey}},
		{"both, pasted for the key", all, caKey, none, []flow.Field{caCert, caKey}},
		{"a key pasted for the certificate goes to the key", key, caCert, none, []flow.Field{caKey}},
		{"but replaces no key", key, caCert, both, []flow.Field{caCert}},
		{"a certificate pasted for the key goes to the certificate", cert, caKey, none, []flow.Field{caCert}},
		{"but replaces no certificate", cert, caKey, both, []flow.Field{caKey}},
		{"what is neither stays where it was pasted", []byte("hello"), caCert, none, []flow.Field{caCert}},
	} {
		got := splitPaste(c.data).place(c.at, c.taken)
		for _, f := range c.want {
			if len(got[f]) == 0 {
				t.Errorf("%s: nothing in %s", c.name, f.Part)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %d fields, want %d", c.name, len(got), len(c.want))
		}
	}
}

func TestEveryPlaceWhereAPasteIsWelcome(t *testing.T) {
	files := corpFiles(t)
	both := string(files["corp/corp-issuing-ca.pem"]) + string(files["corp/corp-issuing-ca.key"])
	for _, c := range []struct {
		name string
		keys []string
	}{
		{"in the picker", nil},
		{"in the list", []string{"esc"}},
		{"in the verdict", []string{"esc", "tab"}},
		{"while a path is typed", []string{"esc", "t"}},
	} {
		d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, files)
		d.press(c.keys...).paste(both).press("enter").rest()
		if v := d.root.env.Flow.Verdict("etcd/ca"); !v.OK() {
			t.Errorf("%s: not filed\n%s", c.name, d.frame())
		}
	}
	d := driveSlots(t, flow.StepCA, "etcd=bring-ca", setup{}, files)
	d.paste("'/home/ann/cluster/corp/corp-issuing-ca.pem'\n").press("enter")
	if got := d.root.env.Flow.Source(caCert).Path; got != "/home/ann/cluster/corp/corp-issuing-ca.pem" {
		t.Errorf("a dropped file became %q", got)
	}
}

func TestAPasteForSeveralSlots(t *testing.T) {
	files, certs := etcdFiles(t)
	var text []byte
	for _, name := range []string{"server", "client", "peer"} {
		text = append(append(append(text, certs[name].pem...), certs["ca"].pem...), files["pki/"+name+".key"]...)
	}
	d := driveSlots(t, flow.StepCerts, "etcd=bring-certs", setup{}, nil)
	d.press("p").paste(string(text)).rest().shows("It fills 7 fields", "etcd client: certificate and key")
	d.press("enter").rest().shows("7 fields filled from the paste", "4 of 4 ready")
	for name, slot := range map[string]topology.SlotID{"client": "etcd/client", "ca": "etcd/ca"} {
		v := d.root.env.Flow.Verdict(slot)
		if !v.Pair.Leaf().Equal(certs[name].x509) {
			t.Errorf("%s holds another certificate", slot)
		}
	}
	if got := len(pemSpans([]byte(d.pasted(flow.Field{Slot: "etcd/client", Part: flow.PartCert})))); got != 2 {
		t.Errorf("the client's field has %d certificates: its issuer was lost", got)
	}
}

func TestAPasteFillsNoFieldThatIsFull(t *testing.T) {
	files, certs := etcdFiles(t)
	d := driveSlots(t, flow.StepCerts, "etcd=bring-certs", setup{}, files)
	d.press("d", "enter", "enter").rest().shows("4 of 4 ready")
	var text []byte
	for _, name := range []string{"server", "client", "peer"} {
		text = append(append(text, certs[name].pem...), files["pki/"+name+".key"]...)
	}
	d.press("end", "p").paste(string(text)).rest()
	if d.slots().paste.sorted != nil {
		t.Error("a paste would replace what other fields hold")
	}
}

func TestPemSpans(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       string // label, closed or open, lines
	}{
		{"one", "-----BEGIN CERTIFICATE-----\nA\nB\n-----END CERTIFICATE-----\n", "CERTIFICATE+2"},
		{"open", "-----BEGIN CERTIFICATE-----\nA\nB", "CERTIFICATE-2"},
		{"armour cut short", "-----BEGIN CERTIF", "-0"},
		{"END cut short", "-----BEGIN CERTIFICATE-----\nA\n-----END CERT", "CERTIFICATE-0"},
		{"a block that never ends before the next", "-----BEGIN PRIVATE KEY-----\nA\n-----BEGIN CERTIFICATE-----\nB\n-----END CERTIFICATE-----", "PRIVATE KEY-0 CERTIFICATE+1"},
		{"a label that may be a key", "-----BEGIN MIGHAgEAMBMGByqGSM49-----\nA\n-----END X-----", "+1"},
		{"none", "hello", ""},
	} {
		var got []string
		for _, s := range pemSpans([]byte(c.text)) {
			sign := "-"
			if s.closed {
				sign = "+"
			}
			got = append(got, s.label+sign+strconv.Itoa(s.lines))
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s: got %q, want %q", c.name, g, c.want)
		}
	}
}

func FuzzPaste(f *testing.F) {
	f.Add("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nQUJDREVGR0hJSktMTU5PUFFSU1RVVg==\n-----END PRIVATE KEY-----\n")
	f.Add("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n-----BEGIN EC PRIVATE KEY-----\nAAAA")
	f.Add("-----BEGIN -----BEGIN RSA PRIVATE KEY-----END PRIVATE KEY-----")
	d := pasteDriver(f)
	b := d.slots().paste
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 10_000 {
			return
		}
		b.open(caCert)
		b.press(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(text), Paste: true})
		data := bytes.Clone(b.data)
		at := 0
		for _, s := range pemSpans(data) {
			if s.from < at || s.to < s.from || s.to > len(data) {
				t.Fatalf("blocks overlap or run over: %+v", s)
			}
			at = s.to
		}
		parts := splitPaste(data)
		for _, s := range pemSpans(parts.cert) {
			if s.private() && len(pemSpans(parts.key)) > 0 {
				t.Fatalf("a private key was filed with the certificates: %q", parts.cert)
			}
		}
		sortPaste(data, b.freeSlots()).clear()
		shown := strings.Join(b.lines(200, 1000), "\n")
		for _, word := range strings.FieldsFunc(string(data), func(r rune) bool { return r <= ' ' || r == '-' }) {
			if len(word) >= 16 && strings.Contains(shown, word) {
				t.Fatalf("%q is shown:\n%s", word, shown)
			}
		}
	})
}

func TestPastedWords(t *testing.T) {
	files := corpFiles(t)
	both := append(bytes.Clone(files["corp/corp-issuing-ca.pem"]), files["corp/corp-issuing-ca.key"]...)
	for _, c := range []struct {
		data []byte
		want string
	}{
		{both, "2 certificates, 1 private key"},
		{files["corp/corp-root.pem"], "1 certificate"},
		{[]byte("hello"), "5 of text"},
	} {
		if got := pastedWords(c.data); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
