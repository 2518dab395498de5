//go:build unix

package cli_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/creack/pty"

	"certwright/assets/profiles"
	"certwright/assets/store"
	"certwright/certs/material"
)

// secret is what must be nowhere but where it belongs, in all its spellings.
type secret struct {
	name    string
	needles [][]byte
}

// spelled are the ways in which bytes get into a text: as they are, in
// hexadecimal, and in base64 at each of the three places they can have there.
func spelled(b []byte) [][]byte {
	out := [][]byte{b, []byte(hex.EncodeToString(b)), []byte(strings.ToUpper(hex.EncodeToString(b)))}
	for offset := range 3 {
		part := b[(3-offset)%3:]
		part = part[:len(part)-len(part)%3]
		out = append(out, []byte(base64.StdEncoding.EncodeToString(part)), []byte(base64.URLEncoding.EncodeToString(part)))
	}
	return out
}

// secretKey is a private key: its numbers, which every encoding of it holds, and
// its PEM, which a Secret holds in base64 once more.
func secretKey(t *testing.T, name string, pemKey []byte) secret {
	t.Helper()
	block, _ := pem.Decode(pemKey)
	if block == nil {
		t.Fatalf("%s holds no PEM", name)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var numbers [][]byte
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		b, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		numbers = [][]byte{b}
	case ed25519.PrivateKey:
		numbers = [][]byte{k.Seed()}
	case *rsa.PrivateKey:
		numbers = [][]byte{k.D.Bytes(), k.Primes[0].Bytes(), k.Primes[1].Bytes()}
	default:
		t.Fatalf("%s is a %T", name, key)
	}
	s := secret{name: name}
	for _, n := range numbers {
		s.needles = append(s.needles, spelled(n)...)
	}
	s.needles = append(s.needles, spelled(bytes.TrimSpace(pemKey))...)
	return s
}

// in says whether a text holds the secret, also broken into lines.
func (s secret) in(text []byte) bool {
	joined := bytes.Map(func(r rune) rune {
		if r == '\n' || r == ' ' || r == '\r' || r == '\t' {
			return -1
		}
		return r
	}, bytes.ReplaceAll(text, []byte(`\n`), nil))
	return slices.ContainsFunc(s.needles, func(n []byte) bool { return bytes.Contains(text, n) || bytes.Contains(joined, n) })
}

// run is one run of certwright in a process of its own, in a directory of its own.
type run struct {
	t       *testing.T
	dir     string
	env     []string
	pid     int // of the process that is or was on a terminal
	mu      sync.Mutex
	streams map[string][]byte // everything that it said, by where
}

func newRun(t *testing.T) *run {
	t.Helper()
	r := &run{t: t, dir: t.TempDir(), streams: map[string][]byte{}}
	r.env = []string{"HOME=" + filepath.Join(r.dir, "home"), "XDG_STATE_HOME=" + filepath.Join(r.dir, "state"), "TMPDIR=" + filepath.Join(r.dir, "tmp"), "TERM=xterm-256color", "LANG=C.UTF-8", "PATH=" + os.Getenv("PATH")}
	for _, d := range []string{"home", "state", "tmp", "work"} {
		if err := os.Mkdir(filepath.Join(r.dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *run) put(name, text string) string {
	r.t.Helper()
	p := filepath.Join(r.dir, "work", name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return p
}

func (r *run) command(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{"certwright"}, args...) // by this name the test binary is the program
	cmd.Dir, cmd.Env = filepath.Join(r.dir, "work"), r.env
	r.say("arguments", []byte(strings.Join(args, " ")))
	r.say("environment", []byte(strings.Join(r.env, "\n")))
	return cmd
}

func (r *run) say(where string, text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.streams[where] = append(r.streams[where], text...)
}

func (r *run) said(where string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.streams[where])
}

// headless runs certwright without a terminal.
func (r *run) headless(args ...string) error {
	cmd := r.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	r.say("standard output", out.Bytes())
	r.say("standard error", errs.Bytes())
	return err
}

// onTerminal runs certwright on a pseudo terminal and hands each piece of what
// it says to react, with all that was said so far.
func (r *run) onTerminal(react func(all string, type_ func(string)), args ...string) error {
	r.t.Helper()
	cmd := r.command(args...)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 120})
	if err != nil {
		r.t.Skipf("no pseudo terminal here: %v", err)
	}
	defer tty.Close()
	r.pid = cmd.Process.Pid
	more := make(chan bool, 1)
	go func() {
		defer close(more)
		buf := make([]byte, 32<<10)
		for {
			n, err := tty.Read(buf)
			r.say("terminal", buf[:n])
			if err != nil {
				return
			}
			select {
			case more <- true:
			default:
			}
		}
	}()
	type_ := func(s string) { _, _ = tty.WriteString(s) }
	limit := time.NewTimer(4 * time.Minute) // it only ends a test that failed
	defer limit.Stop()
	quiet := time.NewTimer(time.Hour)
	for {
		quiet.Reset(150 * time.Millisecond)
		select {
		case _, open := <-more:
			if !open {
				return cmd.Wait()
			}
		case <-quiet.C: // a screen is drawn to its end
			if proc, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid)); err == nil {
				r.say("environment", proc)
			}
			react(r.said("terminal"), type_)
		case <-limit.C:
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			r.t.Fatalf("it does not end; it said %q", tail(r.said("terminal")))
		}
	}
}

func tail(s string) string { return s[max(0, len(s)-3000):] }

// tree are all files below the run's directory, by their path in it.
func (r *run) tree() map[string][]byte {
	r.t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(r.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(r.dir, p)
		out[filepath.ToSlash(rel)], err = os.ReadFile(p)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// keys are the private keys of the set in work/out, by the file that holds each.
func (r *run) keys() []secret {
	r.t.Helper()
	var out []secret
	for name, data := range r.tree() {
		if strings.HasPrefix(name, "work/out/") && strings.HasSuffix(name, ".key") {
			out = append(out, secretKey(r.t, strings.TrimPrefix(name, "work/out/"), data))
		}
	}
	if len(out) < 9 {
		r.t.Fatalf("only %d keys were found in the set", len(out))
	}
	return out
}

// belongs holds every key of the set against everything that was written and
// said: it lies in the files of its slot, in manifests, modules and kubeconfigs
// for their owner alone, and nowhere else.
func (r *run) belongs(also ...string) {
	r.t.Helper()
	set := filepath.Join(r.dir, "work", "out")
	m, err := store.ReadManifest(store.OS(), set)
	if err != nil {
		r.t.Fatal(err)
	}
	entries := map[string]store.Entry{}
	for _, e := range m.Files.All() {
		entries[e.Path] = e
	}
	tree, found := r.tree(), 0
	for _, s := range r.keys() {
		for where, text := range r.streams {
			if s.in(text) {
				r.t.Errorf("the key of %s is in the %s", s.name, where)
			}
		}
		for path, data := range tree {
			if !s.in(data) {
				continue
			}
			found++
			e, ours := entries[strings.TrimPrefix(path, "work/out/")]
			slot := entries[s.name].Slot
			held := slices.Contains([]string{"secret", "config", "kubeconfig"}, e.Kind) && e.Path != "" && slot != "" && !strings.HasPrefix(e.Path, "ca/")
			switch {
			case slices.Contains(also, path):
			case !ours:
				r.t.Errorf("the key of %s is in %s", s.name, path)
			case e.Path != s.name && e.Slot != slot && !held:
				r.t.Errorf("the key of %s (%s) is in %s, which is of kind %s and slot %q", s.name, slot, path, e.Kind, e.Slot)
			}
			if info, err := os.Stat(filepath.Join(r.dir, path)); err != nil || info.Mode().Perm()&0o077 != 0 {
				r.t.Errorf("%s holds the key of %s, and has mode %v (%v)", path, s.name, info.Mode(), err)
			}
		}
	}
	if found < 15 {
		r.t.Errorf("keys were found in %d places only: the search finds nothing", found)
	}
}

// nowhere holds a passphrase against everything but the files it was given in.
func (r *run) nowhere(what, text string, but ...string) {
	r.t.Helper()
	s := secret{name: what, needles: spelled([]byte(text))}
	for where, said := range r.streams {
		if !slices.Contains(but, where) && s.in(said) {
			r.t.Errorf("%s is in the %s", what, where)
		}
	}
	for path, data := range r.tree() {
		if !slices.Contains(but, path) && s.in(data) {
			r.t.Errorf("%s is in %s", what, path)
		}
	}
}

const secretsPlan = `apiVersion: certwright/v1
profile: tectonic
keys: {algorithm: %s}
output: {dir: out, layouts: [tree, secrets, kubeconfig, terraform, flags]}
`

func TestPrivateKeysAreOnlyWhereTheyBelong(t *testing.T) {
	algorithms := []string{"ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"}
	if !testing.Short() {
		algorithms = append(algorithms, "rsa-3072")
	}
	for _, algorithm := range algorithms {
		t.Run(algorithm, func(t *testing.T) {
			r := newRun(t)
			text := fmt.Sprintf(secretsPlan, algorithm)
			if algorithm == "ed25519" { // which no built-in profile takes
				source, err := profiles.Source("tectonic")
				if err != nil {
					t.Fatal(err)
				}
				// Service accounts' tokens are signed with no such key.
				before, rest, _ := strings.Cut(string(source), "  - id: kube/service-account\n")
				_, after, ok := strings.Cut(rest, "  - id: ")
				if !ok {
					t.Fatal("the profile has no service account keys to leave out")
				}
				r.put("takes-ed25519.yaml", strings.Replace(before+"  - id: "+after, "rsa-4096]", "rsa-4096, ed25519]", 1))
				text = strings.Replace(text, "profile: tectonic", "profile: takes-ed25519.yaml", 1)
			}
			r.put("plan.yaml", text)
			for _, args := range [][]string{
				{"apply", "-f", "plan.yaml"},
				{"apply", "-f", "plan.yaml", "--force", "--dry-run", "-o", "json"},
				{"inspect", "out/tls/ca.key", "out/tls/apiserver.key", "out/tls/auth/kubeconfig"},
				{"inspect", "-o", "json", "out/tls/ca.key", "out/manifests/kustomization.yaml"},
				{"validate", "--profile", "tectonic", "--slot", "kube/apiserver", "--cert", "out/tls/ca.key", "--key", "out/tls/apiserver.key"},
				{"validate", "out"},
				{"prove", "out"},
				{"status", "out", "--all"},
				{"topology", "-f", "out/certwright.yaml"},
			} {
				err := r.headless(args...)
				if err != nil && args[0] != "validate" && args[0] != "inspect" {
					t.Fatalf("%v: %v\n%s", args, err, r.said("standard error"))
				}
			}
			r.belongs()
		})
	}
}

func TestPrivateKeysNeverReachTheTerminalOfTheWizard(t *testing.T) {
	r := newRun(t)
	r.put("plan.yaml", fmt.Sprintf(secretsPlan, "ecdsa-p256"))
	presses := 0
	err := r.onTerminal(func(all string, type_ func(string)) {
		if presses++; presses > 60 {
			type_("\x03y")
			return
		}
		if strings.Contains(all, "NEXT-STEPS.md") && strings.Contains(all, "certwright status") {
			type_("q")
			return
		}
		type_("\r")
	}, "--config", "plan.yaml", "--theme", "dark")
	if err != nil {
		t.Fatalf("%v: %q", err, tail(r.said("terminal")))
	}
	r.belongs()
}

// A key that is pasted, or opened with a typed passphrase, is shown by nobody
// and kept nowhere but as what it was brought for.
func TestBroughtKeysAndPassphrasesAreKeptNowhereElse(t *testing.T) {
	r := newRun(t)
	r.put("first.yaml", strings.Replace(fmt.Sprintf(secretsPlan, "ecdsa-p256"), "dir: out", "dir: first", 1))
	if err := r.headless("apply", "-f", "first.yaml"); err != nil {
		t.Fatal(err)
	}
	const pass = "typed by nobody but me"
	r.put("pass", pass+"\n")
	key, err := os.ReadFile(filepath.Join(r.dir, "work/first/ca/kube.key"))
	if err != nil {
		t.Fatal(err)
	}
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	cmd := exec.Command(openssl, "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "stdin", "-in", filepath.Join(r.dir, "work/first/ca/kube.key"), "-out", filepath.Join(r.dir, "work/kube.enc"))
	cmd.Stdin = strings.NewReader(pass + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(filepath.Join(r.dir, "work/kube.enc"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.put("plan.yaml", fmt.Sprintf(secretsPlan, "ecdsa-p256")+"components:\n  kube: {mode: bring-ca, ca: {cert: first/tls/ca-bundle.crt, key: kube.enc}}\n")
	brought := secretKey(t, "the brought CA", key)
	for _, at := range []string{"with a file", "on a terminal"} {
		if at == "with a file" {
			err = r.headless("apply", "-f", "plan.yaml", "--passphrase-file", "pass")
		} else {
			typed := false
			err = r.onTerminal(func(all string, type_ func(string)) {
				if strings.Contains(all, "Passphrase of") && !typed {
					typed = true
					type_(pass + "\r")
				}
			}, "apply", "-f", "plan.yaml", "--force")
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s%s", at, err, r.said("standard error"), r.said("terminal"))
		}
		r.nowhere("the passphrase", pass, "work/pass")
		for where, text := range r.streams {
			if brought.in(text) {
				t.Errorf("%s: the brought key is in the %s", at, where)
			}
		}
		for path, data := range r.tree() {
			if brought.in(data) && !strings.HasPrefix(path, "work/first/") && path != "work/out/tls/ca.key" && !strings.Contains(path, ".certwright-backup") {
				t.Errorf("%s: the brought key is in %s", at, path)
			}
		}
	}
}

// A key that is pasted into the wizard is drawn by no screen, and saved with no
// answer: the CA's key is where kube-controller-manager reads it.
func TestAPastedKeyIsDrawnByNoScreen(t *testing.T) {
	r := newRun(t)
	r.put("first.yaml", strings.Replace(fmt.Sprintf(secretsPlan, "ecdsa-p256"), "dir: out", "dir: first", 1))
	if err := r.headless("apply", "-f", "first.yaml"); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(r.dir, "work/first", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	key := read("ca/kube.key")
	pasted := secretKey(t, "the pasted CA", []byte(key))
	presses, pasting, done := 0, false, false
	err := r.onTerminal(func(all string, type_ func(string)) {
		presses++
		switch {
		case presses > 60:
			type_("\x03y")
		case strings.Contains(all, "NEXT-STEPS.md") && strings.Contains(all, "certwright status"):
			type_("q")
		case strings.Contains(all, "or p to paste") && !pasting:
			pasting = true
			type_("p")
		case pasting && !done:
			done = true
			type_("\x1b[200~" + read("tls/ca-bundle.crt") + key + "\x1b[201~")
		default:
			type_("\r")
		}
	}, "--config", r.put("plan.yaml", fmt.Sprintf(secretsPlan, "ecdsa-p256")+"components:\n  kube: {mode: bring-ca}\n"), "--theme", "dark")
	if err != nil || !done {
		t.Fatalf("%v, pasted %v: %q", err, done, tail(r.said("terminal")))
	}
	for where, text := range r.streams {
		if pasted.in(text) {
			t.Errorf("the pasted key is in the %s", where)
		}
	}
	for path, data := range r.tree() {
		if pasted.in(data) && !strings.HasPrefix(path, "work/first/") && path != "work/out/tls/ca.key" {
			t.Errorf("the pasted key is in %s", path)
		}
	}
}

// The passphrase of the CAs' keys is shown once, must be typed back, and opens
// every one of them.
func TestThePassphraseOfTheCAKeysIsShownOnceAndTypedBack(t *testing.T) {
	form := regexp.MustCompile(`\n\s+([0-9a-z]{4}(?:-[0-9a-z]{4}){5})\s`)
	for _, c := range []struct {
		why     string
		wrong   int // times that something else is typed
		written bool
	}{{"typed back", 0, true}, {"mistyped once", 1, true}, {"never typed back", 3, false}} {
		t.Run(c.why, func(t *testing.T) {
			r := newRun(t)
			r.put("plan.yaml", fmt.Sprintf(secretsPlan, "ecdsa-p256"))
			pass, asked := "", 0
			err := r.onTerminal(func(all string, type_ func(string)) {
				if n := strings.Count(all, "Type it back:"); n > asked {
					asked = n
					pass = form.FindStringSubmatch(all)[1]
					if n <= c.wrong {
						type_("something else\r")
						return
					}
					type_(pass + "\r")
				}
			}, "apply", "-f", "plan.yaml", "--encrypt-ca-keys")
			said := r.said("terminal")
			if strings.Count(said, pass) != 1 || strings.Contains(said, "something else") {
				t.Errorf("the passphrase is shown %d times, or what is typed is shown: %q", strings.Count(said, pass), tail(said))
			}
			if (err == nil) != c.written {
				t.Fatalf("%v: %q", err, tail(said))
			}
			r.nowhere("the passphrase of the CAs' keys", pass, "terminal")
			if !c.written {
				if _, err := os.Stat(filepath.Join(r.dir, "work/out")); err == nil {
					t.Error("a set was written whose keys nobody can open")
				}
				return
			}
			r.unsealed(pass)
		})
	}
}

// unsealed opens the sealed keys, and holds them against everything else.
func (r *run) unsealed(pass string) {
	id, err := age.NewScryptIdentity(pass)
	if err != nil {
		r.t.Fatal(err)
	}
	tree := r.tree()
	sealed := 0
	for _, path := range slices.Sorted(maps.Keys(tree)) {
		if !strings.HasSuffix(path, ".age") {
			continue
		}
		sealed++
		opened, err := age.Decrypt(bytes.NewReader(tree[path]), id)
		if err != nil {
			r.t.Fatalf("%s: %v", path, err)
		}
		key, err := io.ReadAll(opened)
		if err != nil {
			r.t.Fatal(err)
		}
		if doc := material.Parse(material.Input{Name: path, Data: key}); len(doc.Keys) != 1 {
			r.t.Errorf("%s holds no key", path)
		}
		s := secretKey(r.t, path, key)
		for other, data := range tree {
			if s.in(data) && !(path == "work/out/ca/kube.key.age" && other == "work/out/tls/ca.key") {
				r.t.Errorf("the key in %s is also in %s", path, other)
			}
		}
		for where, text := range r.streams {
			if s.in(text) {
				r.t.Errorf("the key in %s is in the %s", path, where)
			}
		}
	}
	if sealed != 4 {
		r.t.Errorf("%d keys are sealed, want 4", sealed)
	}
}
