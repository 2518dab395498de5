package install_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"certwright/assets/profiles"
	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/flow"
	"certwright/flow/plan"
)

// defaultPlan is a profile's plan with what nobody can guess.
func defaultPlan(t testing.TB, name string) *plan.Plan {
	t.Helper()
	profile, err := profiles.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Default(profile)
	for _, f := range profile.Facts {
		if f.Default == "" && !f.Optional {
			p.Facts[f.Name] = f.Example
		}
	}
	return p
}

// handed writes what a set holds as files of their own, as somebody hands them over.
func handed(t testing.TB, prepared *flow.Prepared, dir string) (files map[topology.SlotID]plan.Files) {
	t.Helper()
	files = map[topology.SlotID]plan.Files{}
	for i := range prepared.Topology.Slots {
		s := &prepared.Topology.Slots[i]
		pair := prepared.Set.Pairs[s.ID]
		var f plan.Files
		save := func(ending string, data []byte) string {
			name := filepath.Join(dir, strings.ReplaceAll(string(s.ID), "/", "-")+ending)
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
			return name
		}
		if len(pair.Certificates) > 0 {
			f.Cert = save(".crt", material.EncodeCertificates(pair.Certificates...))
		}
		if pair.Key != nil {
			data, err := material.EncodeKey(pair.Key)
			if err != nil {
				t.Fatal(err)
			}
			f.Key = save(".key", data)
		}
		files[s.ID] = f
	}
	return files
}

// deployed are the files of a set, but for the CAs that were made here.
func deployed(prepared *flow.Prepared) string {
	var out []string
	for _, f := range prepared.Files {
		if !strings.HasPrefix(f.Path, "ca/") {
			out = append(out, fmt.Sprintf("%v %s", f.Mode, f.Path))
		}
	}
	return strings.Join(out, "\n")
}

// Every built-in profile yields the same slots and files in all three modes,
// proved, without a finding, and as OpenSSL wants certificates to be.
func TestEveryProfileInEveryMode(t *testing.T) {
	for _, name := range profiles.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			p := defaultPlan(t, name)
			p.Hierarchy = topology.Roots
			_, made := write(t, w, p, false)
			proved(t, made)
			strict(t, made.Set)
			hand := handed(t, made, t.TempDir())
			for _, mode := range []topology.Mode{topology.BringCA, topology.BringCerts} {
				w := world(t)
				p := defaultPlan(t, name)
				for _, c := range made.Topology.Components {
					own := plan.Component{Mode: mode}
					switch ca := hand[made.Topology.CASlot(c.Authority).ID]; {
					case mode == topology.BringCA && !c.OwnsCA:
						own.Mode = topology.Generate
					case mode == topology.BringCA:
						own.CA = &ca
					default:
						own.Certs = map[string]plan.Files{}
						for _, id := range c.Slots {
							own.Certs[id.Name()] = hand[id]
						}
					}
					p.Components[c.ID] = own
				}
				_, brought := write(t, w, p, false)
				proved(t, brought)
				if got, want := deployed(brought), deployed(made); got != want {
					t.Errorf("%s writes other files\ngot\n%s\nwant\n%s", mode, got, want)
				}
			}
		})
	}
}

func proved(t *testing.T, prepared *flow.Prepared) {
	t.Helper()
	if failed := prove.Failed(prepared.Handshakes); len(failed) > 0 || len(prepared.Handshakes) == 0 {
		t.Errorf("%d handshakes, failed: %+v", len(prepared.Handshakes), failed)
	}
	for _, f := range prepared.Findings {
		if f.Severity != check.Info {
			t.Errorf("%s %s: %s", f.Rule, f.Slot, f.Message)
		}
	}
}

// strict has OpenSSL verify every certificate of a set for what it is used for.
func strict(t *testing.T, set *certs.Set) {
	t.Helper()
	dir := t.TempDir()
	save := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range set.Topology.Slots {
		if s.Kind != topology.Leaf {
			continue
		}
		pair := set.Pairs[s.ID]
		save("leaf.pem", material.EncodeCertificates(pair.Leaf()))
		save("ca.pem", material.EncodeCertificates(set.Anchor(s.Authority)))
		for _, u := range s.Usages {
			purpose := map[topology.Usage]string{topology.ServerAuth: "sslserver", topology.ClientAuth: "sslclient"}[u]
			openssl(t, dir, "verify", "-x509_strict", "-purpose", purpose, "-attime", fmt.Sprint(clock.Unix()), "-CAfile", "ca.pem", "leaf.pem")
		}
	}
}
