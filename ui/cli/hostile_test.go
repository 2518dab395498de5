//go:build unix

package cli_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/afero"

	"certwright/assets/profiles"
	"certwright/assets/store"
	"certwright/ui/cli"
)

const forged = "acceptable: no error, no warning, 0 missing, 0 unplaced"

// payloads are what somebody puts into a name to act on the terminal of whoever
// looks at it, or to be read as something else.
var payloads = []struct{ name, text string }{
	{"clear the screen", "x\x1b[2J\x1b[H"},
	{"title by OSC 0", "x\x1b]0;pwned\x07"},
	{"clipboard by OSC 52", "x\x1b]52;c;cm0gLXJmIC8=\x07"},
	{"link by OSC 8", "\x1b]8;;http://evil.example\x1b\\here\x1b]8;;\x1b\\"},
	{"OSC without an end", "x\x1b]0;the rest of the line is gone"},
	{"DCS", "x\x1bP$q\"p\x1b\\"},
	{"APC", "x\x1b_Gf=100;AAAA\x1b\\"},
	{"answer back", "x\x1b[c\x1b[6n\x05"},
	{"hidden text", "x\x1b[8mhidden\x1b[0m"},
	{"scroll region", "\x1b[1;1r\x1b7\x1b8"},
	{"lone ESC at the end", "x\x1b"},
	{"C1 CSI", "x\u009b2J\u009b31m"},
	{"C1 OSC", "x\u009d0;pwned\u009c"},
	{"C1 DCS, SOS, PM, APC", "\u0090\u0098\u009e\u009f\u009c"},
	{"carriage return over the line", "evil\rgood"},
	{"backspaces", "evil\b\b\b\bgood"},
	{"bell, tab, vertical tab, form feed", "a\a\tb\v\f"},
	{"NUL and DEL", "a\x00b\x7f"},
	{"a line of its own", "x\n" + forged + "\n"},
	{"line and paragraph separators", "x\u2028" + forged + "\u2029\u0085"},
	{"right to left override", "gpj.\u202eexe\u202c"},
	{"isolates and marks", "\u2066a\u2067b\u2068c\u2069\u200e\u200f\u061c"},
	{"zero width", "pay\u200bpal\u200c\u200d\u2060\ufeff"},
	{"tag characters", "a\U000e0041\U000e0042\U000e007f"},
	{"a tower of marks", "e" + strings.Repeat("\u0301\u0489", 300)},
	{"box and signs", "│ ✓ ok │\n└────┘"},
	{"a megabyte", strings.Repeat("M", 1<<20)},
}

// tame says what a text has that a terminal acts on, or that forges a line; ""
// for one that is only text.
func tame(s string) string {
	if !utf8.ValidString(s) {
		return "bytes that are not UTF-8"
	}
	marks := 0
	for i, r := range s {
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029') || marks > 4 {
			return fmt.Sprintf("%U in %q", r, s[max(0, i-60):min(len(s), i+20)])
		}
	}
	for line := range strings.Lines(s) {
		if strings.HasPrefix(strings.TrimSpace(line), forged) {
			return "a forged line"
		}
	}
	if len(s) > 400_000 {
		return fmt.Sprintf("%d bytes", len(s))
	}
	return ""
}

// hostile is one directory of material that says the payload wherever a
// certificate, a file name, a plan or a profile can.
type hostile struct {
	t   *testing.T
	dir string
	now time.Time
}

func (h *hostile) write(name string, data []byte) string {
	h.t.Helper()
	p := filepath.Join(h.dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(p, data, 0o600); err != nil {
		h.t.Fatal(err)
	}
	return p
}

// run runs one command in this process, and holds all that it says.
func (h *hostile) run(args ...string) (int, string) {
	h.t.Helper()
	var out, errs bytes.Buffer
	status := cli.Main(cli.World{
		Args: args, Out: &out, Err: &errs, Getenv: func(string) string { return "" },
		Disk: afero.NewOsFs(), Store: store.OS(), Dir: h.dir, Now: func() time.Time { return h.now }, Rand: rand.Reader,
	})
	for stream, text := range map[string]string{"standard output": out.String(), "standard error": errs.String()} {
		if why := tame(text); why != "" {
			h.t.Errorf("%.60q: %s of certwright %.120q", why, stream, args)
		}
	}
	if status == 70 {
		h.t.Errorf("certwright %.120q is a bug: %s", args, errs.String())
	}
	return status, out.String() + errs.String()
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// sans is a subjectAltName of raw names, which x509 would not all make.
func sans(payload string) pkix.Extension {
	var names []asn1.RawValue
	for _, tag := range []int{1, 2, 6} { // email, DNS, URI
		names = append(names, asn1.RawValue{Class: 2, Tag: tag, Bytes: []byte(payload)})
	}
	names = append(names, asn1.RawValue{Class: 2, Tag: 2, Bytes: []byte("demo.example.com")})
	value, _ := asn1.Marshal(names)
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}
}

// material makes a CA and a leaf with a payload in every field, the next one in
// each; one of a megabyte stands in the common name alone, since more would not
// be read.
func (h *hostile) material(payloads ...string) (ca, caKey, leaf, leafKey []byte) {
	h.t.Helper()
	n := -1
	next := func() string {
		n++
		p := payloads[n%len(payloads)]
		if n > 0 && len(p) > 2000 {
			return "x"
		}
		return p + " payload"
	}
	name := pkix.Name{
		CommonName: next(), Organization: []string{next()}, OrganizationalUnit: []string{next(), next()}, Country: []string{next()},
		Province: []string{next()}, Locality: []string{next()}, StreetAddress: []string{next()}, PostalCode: []string{next()}, SerialNumber: next(),
		ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Value: next()}},
	}
	key := func() (*ecdsa.PrivateKey, []byte) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			h.t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			h.t.Fatal(err)
		}
		return k, encode("PRIVATE KEY", der)
	}
	ck, caKey := key()
	root := &x509.Certificate{
		SerialNumber: new(big.Int).Lsh(big.NewInt(0x1b5b324a), 100), Subject: name, NotBefore: h.now.Add(-time.Hour), NotAfter: h.now.AddDate(2, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, ck.Public(), ck)
	if err != nil {
		h.t.Fatal(err)
	}
	parent, err := x509.ParseCertificate(der)
	if err != nil {
		h.t.Fatal(err)
	}
	lk, leafKey := key()
	own := name
	own.CommonName = "leaf " + name.CommonName
	payload := next()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(0x1b5b), Subject: own, NotBefore: h.now.Add(-time.Hour), NotAfter: h.now.AddDate(1, 0, 0),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtraExtensions:       []pkix.Extension{sans(payload)},
		CRLDistributionPoints: []string{"http://" + strings.Map(ascii, payload)}, OCSPServer: []string{strings.Map(ascii, payload)},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, tmpl, parent, lk.Public(), ck)
	if err != nil {
		h.t.Fatal(err)
	}
	return encode("CERTIFICATE", der), caKey, encode("CERTIFICATE", leafDER), leafKey
}

func ascii(r rune) rune {
	if r > 0x7e {
		return -1
	}
	return r
}

// inName is the payload as far as a file can be called so.
func inName(payload string) string {
	s := strings.NewReplacer("/", "", "\x00", "").Replace(payload)
	for len(s) > 120 {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

func yamlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s[:min(len(s), 2000)] {
		fmt.Fprintf(&b, `\U%08x`, r)
	}
	b.WriteByte('"')
	return b.String()
}

// Whatever a certificate, a file name, a plan or a profile says: every command
// shows it as text, in every format.
func TestTextOfOthersNeverActsOnTheTerminal(t *testing.T) {
	for _, p := range payloads {
		t.Run(p.name, func(t *testing.T) {
			h := &hostile{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
			ca, caKey, leaf, leafKey := h.material(p.text)
			name := inName(p.text)
			files := map[string]string{
				"ca": h.write("in/"+name+"ca.crt", ca), "cakey": h.write("in/"+name+"ca.key", caKey),
				"leaf": h.write("in/"+name+"leaf.crt", leaf), "key": h.write("in/"+name+"leaf.key", leafKey),
				"bad": h.write("in/"+name+"bad.pem", []byte("-----BEGIN "+p.text+"-----\n"+p.text+"\n-----END "+p.text+"-----\n")),
			}
			h.run("inspect", files["ca"], files["leaf"], files["key"], files["bad"], files["ca"]+".not")
			h.run("inspect", "-o", "json", files["ca"], files["leaf"], files["bad"])
			h.run("validate", "--profile", "tectonic", "--slot", "ingress/server", "--cert", files["leaf"], "--key", files["key"], "--ca", files["ca"])
			h.run("validate", "--profile", "tectonic", "--slot", "ingress/server", "--cert", files["leaf"], "--key", files["cakey"], "--ca", files["leaf"], "-o", "json")
			h.run("validate", "--profile", "tectonic", "--slot", "kube/ca", "--cert", files["ca"], "--key", files["key"])
			h.run("validate", "--cert", files["leaf"], "--anchor", files["ca"], "--server-name", name)
			h.run("validate", "--cert", files["bad"], "--anchor", files["leaf"])
			h.run("validate", "--profile", "tectonic", filepath.Join(h.dir, "in"))
			h.run("validate", "--profile", "tectonic", filepath.Join(h.dir, "in"), "-o", "json")
			h.run("prove", "--profile", "tectonic", filepath.Join(h.dir, "in"))
			h.flags(name)
			h.plans(p.text, files)
		})
	}
}

// flags gives the payload as every word of a command line.
func (h *hostile) flags(name string) {
	for _, args := range [][]string{
		{name},
		{"inspect", name},
		{"status", name},
		{"status", name, "-o", name},
		{"recover", name},
		{"prove", name},
		{"apply", "-f", name},
		{"apply", "--" + name},
		{"validate", "--profile", name, "--slot", name, "--cert", name},
		{"validate", "--profile", "tectonic", "--slot", name, "--cert", name},
		{"validate", "--profile", "tectonic", "--slot", "kube/ca", "--cert", name, "--set", name},
		{"validate", "--cert", name, "--anchor", name, "--at", name},
		{"topology", "--profile", name},
		{"topology", "--format", name},
		{"topology", "--set", "cluster.name=" + name},
		{"topology", "--set", name + "=x"},
		{"rules", "show", name},
		{"profiles", "show", name},
		{"completion", name},
		{"status", "--within", name, "x"},
		{"apply", "-f", "x", "-o", name},
		{"apply", "-f", "x", "--ca-key", name},
		{"apply", "-f", "x", "--ca-passphrase-file", name},
		{"demo", "--theme", name},
		{"--config", name},
	} {
		h.run(args...)
	}
}

// plans names the material in a plan that works, and says the payload in plans
// and profiles that may not.
func (h *hostile) plans(payload string, files map[string]string) {
	good := h.write("plan.yaml", fmt.Appendf(nil, `apiVersion: certwright/v1
profile: tectonic
components:
  kube: {mode: bring-ca, ca: {cert: %s, key: %s}}
  ingress: {mode: bring-ca, ca: {cert: %s, key: %s}}
output: {dir: out, layouts: [tree, secrets, terraform, flags]}
`, yamlString(files["ca"]), yamlString(files["cakey"]), yamlString(files["ca"]), yamlString(files["cakey"])))
	for _, format := range []string{"tree", "mermaid", "dot", "svg", "json"} {
		h.run("topology", "-f", good, "--format", format)
	}
	h.run("prove", "-f", good)
	if status, _ := h.run("apply", "-f", good); status == 0 {
		out := filepath.Join(h.dir, "out")
		for _, doc := range []string{"NEXT-STEPS.md", "topology.svg", "topology.mmd"} {
			data, err := os.ReadFile(filepath.Join(out, doc))
			if why := tame(string(data)); err != nil || why != "" {
				h.t.Errorf("%s: %s, %v", doc, why, err)
			}
		}
		_ = os.WriteFile(filepath.Join(out, "tls", inName(payload)+"x"), nil, 0o600)
		h.run("status", out)
		h.run("status", out, "-o", "json", "--all")
		h.run("status", out, files["ca"], "-o", "prometheus")
		h.run("validate", out)
		h.run("prove", out)
	}
	h.run("apply", "-f", good, "--dry-run")
	h.run("apply", "-f", good, "--out", inName(payload), "-o", "json")
	text := yamlString(payload)
	for _, bad := range []string{
		"profile: " + text,
		"profile: tectonic\n" + text + ": x",
		"profile: tectonic\nfacts: {cluster.name: " + text + "}",
		"profile: tectonic\nfacts: {etcd.hosts: " + text + ", service.cidr: " + text + ", " + text + ": x}",
		"profile: tectonic\ncomponents: {" + text + ": {mode: generate}}",
		"profile: tectonic\ncomponents: {kube: {mode: " + text + "}}",
		"profile: tectonic\ncomponents: {kube: {mode: bring-ca, ca: {cert: " + text + ", key: " + text + "}}}",
		"profile: tectonic\ncomponents: {kube: {mode: bring-ca, ca: {from: " + text + ", authority: " + text + "}}}",
		"profile: tectonic\ncomponents: {ingress: {mode: bring-certs, certs: {" + text + ": {cert: " + text + "}}}}",
		"profile: tectonic\nkeys: {algorithm: " + text + "}\nvalidity: {ca: " + text + "}",
		"profile: tectonic\nhierarchy: " + text,
		"profile: tectonic\noutput: {dir: " + text + ", layouts: [" + text + "]}",
		"profile: kubernetes\nnodes: {from: " + text + "}",
		"profile: kubernetes\nnodes: [{name: " + text + ", role: " + text + ", addresses: [" + text + "]}]",
	} {
		h.run("apply", "--dry-run", "-f", h.write("bad.yaml", []byte("apiVersion: certwright/v1\n"+bad+"\n")))
	}
	h.profile(payload)
}

// profile puts the payload in place of each title and text of a profile.
func (h *hostile) profile(payload string) {
	source, err := profiles.Source("tectonic")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, fields := range [][]string{
		{"title:", "summary:"}, {"help:", "purpose:"}, {"note:", "protects:"}, {"text:", "why:"}, {"name:"}, {"cn:", "o:"}, {"label:", "describes:"}, {"id:"},
	} {
		var b strings.Builder
		for line := range strings.Lines(string(source)) {
			bare := strings.TrimLeft(line, " -")
			for _, f := range fields {
				if strings.HasPrefix(bare, f) && !strings.HasPrefix(strings.TrimSpace(bare[len(f):]), "{") && !strings.ContainsAny(bare, "|>") {
					line = line[:len(line)-len(bare)] + f + " " + yamlString(payload[:min(len(payload), 300)]) + "\n"
					break
				}
			}
			b.WriteString(line)
		}
		file := h.write("profile.yaml", []byte(b.String()))
		h.run("topology", "--profile", file)
		h.run("topology", "--profile", file, "--format", "svg")
		h.run("prove", "--profile", file)
	}
}

// The same in the wizard, on a terminal: three CAs hold all payloads between
// them, and every screen is gone through.
func TestTextOfOthersNeverActsOnTheTerminalOfTheWizard(t *testing.T) {
	r := newRun(t)
	h := &hostile{t: t, dir: filepath.Join(r.dir, "work"), now: time.Now()}
	var all []string
	for _, p := range payloads {
		all = append(all, p.text)
	}
	var plan strings.Builder
	plan.WriteString("apiVersion: certwright/v1\nprofile: tectonic\ncomponents:\n")
	for i, component := range []string{"etcd", "kube", "ingress"} {
		ca, key, _, _ := h.material(all[9*i : 9*i+9]...)
		h.write(inName(all[9*i+1])+component+".crt", ca) // for whoever looks around
		h.write(component+".crt", ca)
		h.write(component+".key", key)
		fmt.Fprintf(&plan, "  %s: {mode: bring-ca, ca: {cert: %s.crt, key: %s.key}}\n", component, component, component)
	}
	h.write("plan.yaml", []byte(plan.String()))
	presses := 0
	err := r.onTerminal(func(said string, type_ func(string)) {
		presses++
		switch {
		case presses > 90:
			type_("\x03y")
		case strings.Contains(said, "NEXT-STEPS.md") && strings.Contains(said, "certwright status"):
			type_("q")
		case strings.Contains(said, "[Components]") && presses%4 != 0: // the rows of every screen but the first are looked at
			type_("\x1b[B")
		default:
			type_("\r")
		}
	}, "--config", "plan.yaml", "--theme", "dark")
	said := r.said("terminal")
	if err != nil || !strings.Contains(said, "payload") {
		t.Errorf("%v: %q", err, tail(said))
	}
	for _, p := range payloads {
		i := strings.IndexFunc(p.text, func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) })
		if i < 0 || len(p.text) < 4 { // an ESC alone begins every sequence of our own too
			continue
		}
		if raw := p.text[max(0, i-1):min(len(p.text), i+10)]; strings.Contains(said, strings.ToValidUTF8(raw, "")) {
			t.Errorf("%s: %q is in the stream of the terminal", p.name, raw)
		}
	}
	if i := strings.IndexFunc(said, func(r rune) bool { return r >= 0x80 && unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }); i >= 0 {
		t.Errorf("%q is in the stream of the terminal", said[max(0, i-80):i+4])
	}
}
