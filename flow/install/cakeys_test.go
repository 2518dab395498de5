package install_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"certwright/assets/profiles"
	"certwright/assets/store"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// files are those of a set by their path below it.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		out[filepath.ToSlash(rel)] = data
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func unseal(t *testing.T, data []byte, pass string) []byte {
	t.Helper()
	id, err := age.NewScryptIdentity(pass)
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(data), id)
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEncryptedCAKeysOpenWithAgeAndBelongToTheirCAs(t *testing.T) {
	for _, hierarchy := range []topology.Hierarchy{"", topology.Roots} {
		w := world(t)
		w.CAKeys = install.CAKeys{Fate: plan.CAKeysEncrypted, Passphrase: []byte("a passphrase of the test")}.Quick()
		p := defaults(t)
		p.Hierarchy = hierarchy
		dir, prepared := write(t, w, p, false)
		all := files(t, dir)
		sealed := 0
		for name, data := range all {
			if !strings.HasPrefix(name, "ca/") {
				continue
			}
			if strings.HasSuffix(name, ".key") {
				t.Errorf("%s is there in plain", name)
			}
			cert, isKey := strings.CutSuffix(name, ".key.age")
			if !isKey {
				continue
			}
			sealed++
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
			}
			doc := material.Parse(material.Input{Name: "k", Data: unseal(t, data, "a passphrase of the test")})
			of := material.Parse(material.Input{Name: "c", Data: all[cert+".crt"]})
			if len(doc.Keys) != 1 || !material.SamePublicKey(doc.Keys[0].Signer.Public(), of.Certificates[0].X509.PublicKey) {
				t.Errorf("%s does not hold the key of %s.crt", name, cert)
			}
		}
		if sealed < 3 {
			t.Errorf("%d keys were sealed", sealed)
		}
		if _, ok := all["tls/ca.key"]; !ok {
			t.Error("kube-controller-manager has lost its tls/ca.key")
		}
		if !slices.ContainsFunc(prepared.Notes, func(n string) bool {
			return strings.Contains(n, "tls/ca.key") && strings.Contains(n, "kube-controller-manager") && strings.Contains(n, "plain")
		}) {
			t.Errorf("nothing says that tls/ca.key stays plain: %q", prepared.Notes)
		}
		next := string(all["NEXT-STEPS.md"])
		if !strings.Contains(next, "age -d -o /dev/shm/") || strings.Contains(next, "gpg") || regexp.MustCompile(`ca/[a-z]+\.key[^.]`).MatchString(strings.ReplaceAll(next, "tls/ca.key", "")) {
			t.Errorf("NEXT-STEPS.md does not say how the keys are opened:\n%s", next)
		}
		if !strings.Contains(next, "`tls/ca.key` is a CA's key too") {
			t.Error("NEXT-STEPS.md no longer speaks of tls/ca.key")
		}
		for name := range all {
			if m := regexp.MustCompile(`age -d -o \S+ (\S+)`).FindStringSubmatch(next); m == nil || m[1] != filepath.Join(dir, "ca", filepath.Base(m[1])) || all["ca/"+filepath.Base(m[1])] == nil {
				t.Fatalf("the command opens a file that is not there: %v (%s)", m, name)
			}
		}
		if drift, err := store.Check(store.OS(), dir); err != nil || !drift.Clean() {
			t.Errorf("drift: %+v, %v", drift, err)
		}
	}
}

func TestDiscardedCAKeysAreNowhereButWhereAProgramReadsThem(t *testing.T) {
	w := world(t)
	w.CAKeys = install.CAKeys{Fate: plan.CAKeysDiscard}
	dir, prepared := write(t, w, defaults(t), false)
	all := files(t, dir)
	for name := range all {
		if strings.HasPrefix(name, "ca/") && strings.Contains(name, ".key") {
			t.Errorf("%s was written", name)
		}
	}
	if all["tls/ca.key"] == nil || all["ca/root.crt"] == nil {
		t.Error("more than the keys was left out")
	}
	if next := string(all["NEXT-STEPS.md"]); !strings.Contains(next, "were not kept") || strings.Contains(next, "gpg") {
		t.Errorf("NEXT-STEPS.md:\n%s", next)
	}
	for _, c := range prepared.Survey.Changes {
		if strings.HasPrefix(c.Path, "ca/") && strings.HasSuffix(c.Path, ".key") {
			t.Errorf("the review lists %s", c.Path)
		}
	}
}

func TestEncryptionWithoutAPassphraseWritesNothing(t *testing.T) {
	w := world(t)
	w.CAKeys = install.CAKeys{Fate: plan.CAKeysEncrypted}
	_, err := install.Prepare(context.Background(), w, answers(t, defaults(t)), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "--ca-passphrase-file") {
		t.Errorf("got %v", err)
	}
}

func TestASetThatIsRenderedAgainIsSealedAgain(t *testing.T) {
	w := world(t)
	w.CAKeys = install.CAKeys{Fate: plan.CAKeysEncrypted, Passphrase: []byte("a passphrase of the test")}.Quick()
	a := answers(t, defaults(t))
	first, err := install.Prepare(context.Background(), w, a, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := install.Prepare(context.Background(), w, a, first, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(second.Files) != len(first.Files) || len(second.Notes) != len(first.Notes) {
		t.Errorf("%d files and %d notes, then %d and %d", len(first.Files), len(first.Notes), len(second.Files), len(second.Notes))
	}
	for _, f := range second.Files {
		if strings.HasPrefix(f.Path, "ca/") && strings.HasSuffix(f.Path, ".key") {
			t.Errorf("%s is plain the second time", f.Path)
		}
	}
}

// Whatever the layouts are: a key that also lies elsewhere in plain is told of.
func TestWhatStaysPlainIsToldForEveryLayout(t *testing.T) {
	for _, c := range []struct {
		profile string
		layouts []string
		want    []string
	}{
		{"tectonic", []string{"tree"}, []string{"tls/ca.key"}},
		{"kubernetes", []string{"tree"}, []string{"tls/pki/ca.key"}},
		{"kubernetes", []string{"cluster-api"}, []string{"cluster-api/"}},
		{"kubernetes", []string{"cert-manager"}, []string{"cert-manager/issuers.yaml"}},
		{"kubernetes", []string{"k3s"}, []string{"k3s/"}},
	} {
		t.Run(c.profile+" "+c.layouts[0], func(t *testing.T) {
			w := world(t)
			w.CAKeys = install.CAKeys{Fate: plan.CAKeysDiscard}
			profile, err := profiles.Load(c.profile)
			if err != nil {
				t.Fatal(err)
			}
			p := plan.Default(profile)
			p.Output.Layouts = c.layouts
			for name, value := range map[string]string{"api.host": "api.example.com", "node.name": "cp-0", "node.addresses": "10.0.0.10"} {
				if c.profile == "kubernetes" {
					if err := p.Set(name + "=" + value); err != nil {
						t.Fatal(err)
					}
				}
			}
			prepared, err := install.Prepare(context.Background(), w, answers(t, p), nil, nil)
			var refusal *install.Refusal
			if errors.As(err, &refusal) || err != nil {
				t.Fatal(err)
			}
			all := strings.Join(prepared.Notes, "\n")
			for _, want := range c.want {
				if !strings.Contains(all, want) {
					t.Errorf("no note names %s: %q", want, prepared.Notes)
				}
			}
		})
	}
}

func TestPassphrasesAreRandomAndTypable(t *testing.T) {
	form := regexp.MustCompile(`^([0-9a-hjkmnp-tv-z]{4}-){5}[0-9a-hjkmnp-tv-z]{4}$`)
	seen := map[string]bool{}
	for range 1000 {
		p := string(install.NewPassphrase())
		if !form.MatchString(p) || seen[p] {
			t.Fatalf("passphrase of the wrong form, or seen before")
		}
		seen[p] = true
	}
}
