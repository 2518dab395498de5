package offline_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	"pgregory.net/rapid"

	"certwright/assets/profiles"
	"certwright/assets/store"
	"certwright/certs"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/flow/install"
	"certwright/flow/offline"
	"certwright/flow/plan"
)

type builtin struct{}

func (builtin) Names() []string                             { return profiles.Names() }
func (builtin) Load(name string) (*topology.Profile, error) { return profiles.Load(name) }

var (
	start      = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	passphrase = []byte("correct-horse-battery")
)

func world(dir string) *install.World {
	return &install.World{
		Read: afero.NewOsFs(), Write: store.OS(), Dir: dir, Now: func() time.Time { return start },
		Rand: rand.Reader, Version: "test", Catalogue: builtin{},
	}
}

// corp is the CA whose key is elsewhere.
type corp struct {
	pair *certs.Pair
	ca   *issue.CA
}

func newCorp(t fataler, name string) *corp {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	out, err := issue.SelfSign(context.Background(), "corp/ca", topology.Subject{CN: name}, key, issue.Terms{Now: start, Life: issue.DefaultCALife})
	check(t, err)
	pair := &certs.Pair{Certificates: out.Certificates, Key: key}
	ca, err := issue.NewCA("corp/ca", pair, start)
	check(t, err)
	return &corp{pair, ca}
}

type fataler interface{ Fatal(...any) }

func check(t fataler, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// sign is what a good CA makes of a request; change may spoil it.
func (c *corp) sign(t fataler, csr *x509.CertificateRequest, slot *topology.Slot, change func(*x509.Certificate)) *x509.Certificate {
	tmpl, err := issue.Template(slot, csr.PublicKey, c.pair.Leaf())
	check(t, err)
	tmpl.SerialNumber, err = issue.NewSerial(nil)
	check(t, err)
	tmpl.NotBefore, tmpl.NotAfter = start.Add(-time.Hour), start.Add(issue.DefaultLeafLife)
	if change != nil {
		change(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, c.pair.Leaf(), csr.PublicKey, c.pair.Key)
	check(t, err)
	x, err := x509.ParseCertificate(der)
	check(t, err)
	return x
}

const kubePlan = `apiVersion: certwright/v1
profile: tectonic
facts: {cluster.name: demo}
components: {kube: {mode: bring-ca, ca: {cert: corp.crt, offline: true}}}
output: {dir: set, layouts: [tree]}
`

// round writes a round, and reads its requests.
func round(t fataler, w *install.World, c *corp, text string) (*offline.Round, map[topology.SlotID]*x509.CertificateRequest) {
	check(t, os.WriteFile(filepath.Join(w.Dir, "corp.crt"), issue.PEM(c.pair.Leaf()), 0o644))
	p, err := plan.Parse("plan.yaml", []byte(text))
	check(t, err)
	p.Resolve(w.Dir)
	a, err := install.NewAnswers(builtin{}, p)
	check(t, err)
	asked, err := offline.Ask(context.Background(), w, a, offline.Wanted{Dir: "round", Passphrase: passphrase, Work: 1})
	check(t, err)
	_, err = asked.Write(context.Background(), w, false)
	check(t, err)
	csrs := map[topology.SlotID]*x509.CertificateRequest{}
	for _, e := range asked.State.Requests {
		data, err := os.ReadFile(filepath.Join(asked.Dir, e.File))
		check(t, err)
		b, _ := pem.Decode(data)
		csrs[e.Slot], err = x509.ParseCertificateRequest(b.Bytes)
		check(t, err)
	}
	return open(t, w), csrs
}

func open(t fataler, w *install.World) *offline.Round {
	r, err := offline.Open(context.Background(), w, "round")
	check(t, err)
	return r
}

func came(docs ...[]byte) []offline.Came {
	var out []offline.Came
	for i, d := range docs {
		out = append(out, offline.Came{Named: true, Doc: material.Parse(material.Input{Name: fmt.Sprintf("back-%d", i), Data: d})})
	}
	return out
}

// take is an import: what came, judged and kept.
func take(t fataler, r *offline.Round, docs ...[]byte) *offline.Report {
	rep, err := r.Take(context.Background(), came(docs...))
	check(t, err)
	check(t, r.Save(context.Background(), rep))
	return rep
}

// However the certificates come back, in which order, how many at a time and in
// which form, all of them arrive, and nothing that does not belong does any harm.
func TestAnyOrderAnyForm(t *testing.T) {
	c, evil := newCorp(t, "Corp CA"), newCorp(t, "Corp CA")
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		check(rt, err)
		w := world(dir)
		r, csrs := round(rt, w, c, kubePlan)
		var pile []*x509.Certificate
		for id, csr := range csrs {
			slot := r.Answers.Topology.Slot(id)
			pile = append(pile, c.sign(rt, csr, slot, nil))
			if rapid.Bool().Draw(rt, "wrong CA too") {
				pile = append(pile, evil.sign(rt, csr, slot, nil))
			}
		}
		pile = append(pile, c.pair.Leaf())
		slices.SortFunc(pile, func(a, b *x509.Certificate) int { return bytes.Compare(a.RawSubject, b.RawSubject) })
		pile = rapid.Permutation(pile).Draw(rt, "order")
		for len(pile) > 0 {
			n := rapid.IntRange(1, len(pile)).Draw(rt, "at a time")
			data := issue.PEM(pile[:n]...)
			if n == 1 && rapid.Bool().Draw(rt, "DER") {
				data = pile[0].Raw
			}
			take(rt, open(rt, w), data) // each time as in a run of its own
			pile = pile[n:]
		}
		r = open(rt, w)
		rep := take(rt, r)
		if !rep.Complete() || rep.Count(offline.Kept) != len(csrs) {
			rt.Fatalf("%+v", rep.Results)
		}
		pairs, err := r.Complete(passphrase)
		check(rt, err)
		for id, csr := range csrs {
			if pub := csr.PublicKey.(*ecdsa.PublicKey); !pub.Equal(pairs[id].Key.Public()) || pairs[id].Leaf().CheckSignatureFrom(c.pair.Leaf()) != nil {
				rt.Fatalf("%s has another's pair", id)
			}
		}
	})
}

func TestWhatCameBackOtherwise(t *testing.T) {
	c, evil := newCorp(t, "Corp CA"), newCorp(t, "Corp CA")
	w := world(t.TempDir())
	r, csrs := round(t, w, c, kubePlan)
	slot := r.Answers.Topology.Slot("kube/apiserver")
	csr := csrs["kube/apiserver"]
	for _, x := range []struct {
		name string
		cert *x509.Certificate
		what string
		rule string
	}{
		{"another CA of the same name", evil.sign(t, csr, slot, nil), offline.Bad, "unknown-authority"},
		{"names dropped", c.sign(t, csr, slot, func(x *x509.Certificate) { x.DNSNames = x.DNSNames[:2] }), offline.Bad, "request-names-changed"},
		{"addresses dropped", c.sign(t, csr, slot, func(x *x509.Certificate) { x.IPAddresses = nil }), offline.Bad, "san-missing-ip"},
		{"no clientAuth", c.sign(t, csr, slot, func(x *x509.Certificate) { x.ExtKeyUsage = x.ExtKeyUsage[:1] }), offline.Bad, "eku-missing-client-auth"},
		{"ended", c.sign(t, csr, slot, func(x *x509.Certificate) { x.NotAfter = start.Add(-time.Minute) }), offline.Bad, "expired"},
		{"shorter", c.sign(t, csr, slot, func(x *x509.Certificate) { x.NotAfter = start.AddDate(0, 6, 0) }), offline.Taken, "request-life-shortened"},
		{"other subject", c.sign(t, csr, slot, func(x *x509.Certificate) {
			x.Subject = pkix.Name{CommonName: "kube-apiserver", Organization: []string{"corp"}}
		}), offline.Taken, "request-subject-changed"},
	} {
		t.Run(x.name, func(t *testing.T) {
			rep, err := open(t, w).Take(t.Context(), came(issue.PEM(x.cert)))
			check(t, err)
			res := rep.Results[0]
			found := false
			for _, f := range res.Findings {
				found = found || f.Rule == x.rule
			}
			if res.Slot != "kube/apiserver" || res.What != x.what || !found {
				t.Errorf("%s %s %+v, want %s with %s", res.Slot, res.What, res.Findings, x.what, x.rule)
			}
		})
	}
	// A good one is not given up for one that does not do, and only for a longer one.
	short := c.sign(t, csr, slot, func(x *x509.Certificate) { x.NotAfter = start.AddDate(0, 6, 0) })
	take(t, open(t, w), issue.PEM(short))
	rep := take(t, open(t, w), issue.PEM(evil.sign(t, csr, slot, nil)))
	if rep.Results[0].What != offline.Kept {
		t.Errorf("after a bad one: %+v", rep.Results[0])
	}
	rep = take(t, open(t, w), issue.PEM(c.sign(t, csr, slot, nil)))
	if rep.Results[0].What != offline.Taken {
		t.Errorf("a longer one: %+v", rep.Results[0])
	}
	rep = take(t, open(t, w), issue.PEM(short))
	if rep.Results[0].What != offline.Kept || len(rep.Results[0].Findings) > 0 {
		t.Errorf("the shorter one again: %+v", rep.Results[0])
	}
}

// A CA that could not sign what is asked for is found before anybody travels.
func TestCAThatCannotSign(t *testing.T) {
	c := newCorp(t, "Corp CA")
	w := world(t.TempDir())
	w.Now = func() time.Time { return start.AddDate(11, 0, 0) }
	check(t, os.WriteFile(filepath.Join(w.Dir, "corp.crt"), issue.PEM(c.pair.Leaf()), 0o644))
	p, err := plan.Parse("plan.yaml", []byte(kubePlan))
	check(t, err)
	p.Resolve(w.Dir)
	a, err := install.NewAnswers(builtin{}, p)
	check(t, err)
	var refused *install.Refusal
	if _, err := offline.Ask(t.Context(), w, a, offline.Wanted{Dir: "round", Passphrase: passphrase, Work: 1}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v", err)
	}
}

func TestEditedRoundIsNamed(t *testing.T) {
	c := newCorp(t, "Corp CA")
	w := world(t.TempDir())
	_, csrs := round(t, w, c, kubePlan)
	at := func(f string) string { return filepath.Join(w.Dir, "round", f) }
	for _, f := range []string{"requests.json", "certwright.yaml", "keys.age", "to-sign/kube/kube-apiserver.csr"} {
		data, err := os.ReadFile(at(f))
		check(t, err)
		check(t, os.WriteFile(at(f), append(bytes.Clone(data), ' '), 0o600))
		var refused *offline.Refused
		if _, err := offline.Open(t.Context(), w, "round"); !errors.As(err, &refused) || !strings.Contains(err.Error(), f+" was changed since certwright wrote it") {
			t.Errorf("%s: %v", f, err)
		}
		check(t, os.WriteFile(at(f), data, 0o600))
	}
	w.Now = func() time.Time { return start.Add(-time.Hour) }
	if r := open(t, w); len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "the clock of this machine says 2026-11-21T11:00:00Z") {
		t.Errorf("notes %v", r.Notes)
	}
	w.Now = func() time.Time { return start }
	r := open(t, w)
	var docs [][]byte
	for id, csr := range csrs {
		docs = append(docs, issue.PEM(c.sign(t, csr, r.Answers.Topology.Slot(id), nil)))
	}
	take(t, r, docs...)
	if _, err := r.Complete([]byte("another passphrase")); err == nil || !strings.Contains(err.Error(), "the passphrase is not the one that it was sealed with") {
		t.Errorf("got %v", err)
	}
	if _, err := r.Complete(passphrase); err != nil {
		t.Error(err)
	}
}

// No key of a round lies anywhere in plain.
func TestNoKeyInPlain(t *testing.T) {
	c := newCorp(t, "Corp CA")
	w := world(t.TempDir())
	r, csrs := round(t, w, c, kubePlan)
	var docs [][]byte
	for id, csr := range csrs {
		docs = append(docs, issue.PEM(c.sign(t, csr, r.Answers.Topology.Slot(id), nil)))
	}
	take(t, r, docs...)
	pairs, err := r.Complete(passphrase)
	check(t, err)
	var secrets [][]byte
	for _, p := range pairs {
		secrets = append(secrets, scalar(t, p.Key))
	}
	check(t, filepath.WalkDir(filepath.Join(w.Dir, "round"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, s := range secrets {
			if bytes.Contains(data, s) || bytes.Contains(data, []byte("PRIVATE KEY")) {
				t.Errorf("%s holds a key", path)
			}
		}
		return err
	}))
}

func scalar(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	k, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("%T", key)
	}
	b, err := k.Bytes()
	check(t, err)
	if new(big.Int).SetBytes(b).Sign() == 0 {
		t.Fatal("no scalar")
	}
	return b
}

// A state file that points elsewhere is not followed, even with a manifest made
// to fit.
func TestStateThatPointsElsewhere(t *testing.T) {
	c := newCorp(t, "Corp CA")
	w := world(t.TempDir())
	round(t, w, c, kubePlan)
	state := filepath.Join(w.Dir, "round", offline.StateFile)
	data, err := os.ReadFile(state)
	check(t, err)
	forged := bytes.Replace(data, []byte("to-sign/kube/kube-apiserver.csr"), []byte("../../../../etc/passwd"), 1)
	check(t, os.WriteFile(state, forged, 0o644))
	manifest := filepath.Join(w.Dir, "round", store.ManifestName)
	list, err := os.ReadFile(manifest)
	check(t, err)
	list = bytes.ReplaceAll(list, []byte(digest(data)), []byte(digest(forged)))
	list = bytes.ReplaceAll(list, fmt.Appendf(nil, `"size":%d,"kind":"config"}`, len(data)), fmt.Appendf(nil, `"size":%d,"kind":"config"}`, len(forged)))
	check(t, os.WriteFile(manifest, list, 0o644))
	if _, err := offline.Open(t.Context(), w, "round"); err == nil || !strings.Contains(err.Error(), "names another file or another authority for kube/apiserver") {
		t.Errorf("got %v", err)
	}
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
