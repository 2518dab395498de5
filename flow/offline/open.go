package offline

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"certwright/assets/store"
	"certwright/certs"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// Round is a round that was written earlier.
type Round struct {
	Dir     string // absolute
	State   State
	Answers *flow.Answers
	// Notes are what a person should know: a clock that went back.
	Notes []string

	w        *install.World
	requests []asked
	byKey    map[string]int // of requests, by public key
	back     map[topology.SlotID]*returned
	existing *store.Existing
}

// Refused says that a round cannot be gone on with, and why. Nothing was changed.
type Refused struct{ Reason, Fix string }

func (r *Refused) Error() string { return r.Reason + "; " + r.Fix }

// maxState bounds requests.json: 10,000 nodes have some 40,000 requests.
const maxState = 16 << 20

// Open reads a round, and holds it against its manifest: a file of it that was
// edited is named, for its keys and its requests belong together. A run that was
// stopped in it is settled first.
func Open(ctx context.Context, w *install.World, dir string) (*Round, error) {
	r := &Round{Dir: absolute(w, dir), w: w, byKey: map[string]int{}, back: map[topology.SlotID]*returned{}}
	if _, err := store.Recover(ctx, w.Write, r.Dir, false); err != nil {
		var se *store.Error
		if errors.As(err, &se) && (se.Kind == store.Locked || se.Kind == store.NeedsPerson) {
			return nil, err
		}
	}
	existing, err := store.Inspect(w.Write, r.Dir)
	if err != nil {
		return nil, err
	}
	if r.existing = existing; existing.ManifestErr != nil {
		return nil, existing.ManifestErr
	}
	shown := untrusted.Text(dir)
	if existing.Manifest == nil || !listed(existing, StateFile) {
		return nil, &Refused{fmt.Sprintf("%s holds no signing requests that certwright wrote: there is no %s in it", shown, StateFile), "name the directory that certwright csr wrote"}
	}
	if err := r.untouched(); err != nil {
		return nil, err
	}
	if err := r.readState(); err != nil {
		return nil, err
	}
	if err := r.readPlan(); err != nil {
		return nil, err
	}
	if err := r.readRequests(); err != nil {
		return nil, err
	}
	if now := w.Now(); now.Before(r.State.Created.Add(-time.Minute)) {
		r.Notes = append(r.Notes, fmt.Sprintf("the clock of this machine says %s, and the requests were written on %s: one of the two was wrong, and what is valid is judged by the clock", now.UTC().Format(time.RFC3339), r.State.Created.UTC().Format(time.RFC3339)))
	}
	r.readBack()
	return r, nil
}

func listed(e *store.Existing, p string) bool {
	return e.Manifest.Files.Find(p) >= 0
}

// untouched names the file of the round that somebody changed. What came back is
// judged anew whenever it is read, and does not count.
func (r *Round) untouched() error {
	for f := range r.existing.Files() {
		matters := f.Path == StateFile || f.Path == PlanFile || f.Path == KeysFile || strings.HasSuffix(f.Path, ".csr") || strings.HasSuffix(f.Path, "/"+caFile)
		if f.Entry == nil || !matters {
			continue
		}
		path := untrusted.Text(filepath.Join(r.Dir, filepath.FromSlash(f.Path)))
		switch {
		case f.Status == store.Modified:
			return &Refused{
				fmt.Sprintf("%s was changed since certwright wrote it (%s has its checksum), and the requests, the keys and the plan belong together", path, store.ManifestName),
				"put the written file back; what came back already is kept",
			}
		case f.Status == store.Missing && f.Path != KeysFile: // the keys may be kept elsewhere until they are needed
			return &Refused{fmt.Sprintf("%s is missing", path), "put the written file back; what came back already is kept"}
		}
	}
	return nil
}

func (r *Round) read(p string, limit int) ([]byte, error) {
	return install.ReadFile(r.w.Read, filepath.Join(r.Dir, filepath.FromSlash(p)), limit)
}

func (r *Round) readState() error {
	data, err := r.read(StateFile, maxState)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err = d.Decode(&r.State); err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("something follows it")
		}
	}
	path := untrusted.Text(filepath.Join(r.Dir, StateFile))
	switch {
	case err != nil:
		return &Refused{fmt.Sprintf("%s cannot be read: %s", path, untrusted.Text(err.Error()).Max(200)), "put the written file back"}
	case r.State.APIVersion != plan.APIVersion || r.State.Kind != kind:
		return &Refused{fmt.Sprintf("%s is of another version of certwright", path), "import with the version that wrote it"}
	}
	return nil
}

func (r *Round) readPlan() error {
	p, err := install.PlanOf(r.w, r.Dir)
	if err != nil {
		return err
	}
	if p == nil {
		return &Refused{fmt.Sprintf("%s is missing", untrusted.Text(filepath.Join(r.Dir, PlanFile))), "put the written file back"}
	}
	profile, err := r.w.Catalogue.Load(p.Profile)
	if err != nil {
		return err
	}
	referErr := install.Refer(r.w, p)
	if err := p.Check(profile); err != nil {
		return err
	}
	if referErr != nil {
		return referErr
	}
	r.Answers, err = install.NewAnswers(r.w.Catalogue, p)
	return err
}

func (r *Round) readRequests() error {
	for _, e := range r.State.Requests {
		slot := r.Answers.Topology.Slot(e.Slot)
		if slot == nil {
			return &Refused{fmt.Sprintf("%s was asked for, and the profile has no such slot any more", untrusted.Text(string(e.Slot)).Max(200)), "import with the profile that the requests were made with, or make them anew with certwright csr"}
		}
		if e.File != requestFile(slot) || e.Authority != slot.Authority {
			return &Refused{fmt.Sprintf("%s names another file or another authority for %s than certwright wrote", untrusted.Text(filepath.Join(r.Dir, StateFile)), slot.ID), "put the written file back"}
		}
		data, err := r.read(e.File, material.MaxKey)
		if err != nil {
			return err
		}
		doc := material.Parse(material.Input{Name: e.File, Data: data})
		if len(doc.CSRs) != 1 {
			return &Refused{fmt.Sprintf("%s holds no signing request", untrusted.Text(filepath.Join(r.Dir, filepath.FromSlash(e.File)))), "put the written file back"}
		}
		csr := doc.CSRs[0]
		r.byKey[material.PublicKeyFingerprint(csr.PublicKey)] = len(r.requests)
		r.requests = append(r.requests, asked{e, slot, csr})
	}
	if r.State.Renews != "" {
		return nil // only some slots of a set are renewed
	}
	for _, s := range Due(r.Answers) {
		if !slices.ContainsFunc(r.requests, func(a asked) bool { return a.Slot == s.ID }) {
			return &Refused{fmt.Sprintf("%s has to be signed elsewhere too, and no request asks for it: the profile was changed since", s.ID), "make the requests anew with certwright csr"}
		}
	}
	return nil
}

// readBack reads what came back earlier. What cannot be read any more is
// missing again.
func (r *Round) readBack() {
	for _, q := range r.requests {
		data, err := r.read(backFile(q.File), material.MaxCertificates)
		if err != nil {
			continue
		}
		chain := material.Parse(material.Input{Name: backFile(q.File), Data: data}).X509()
		if len(chain) > 0 && material.SamePublicKey(chain[0].PublicKey, q.csr.PublicKey) {
			r.back[q.Slot] = &returned{chain: chain, file: backFile(q.File)}
		}
	}
}

// returned is a certificate that came back, with those above it.
type returned struct {
	chain []*x509.Certificate
	file  string
}

// bench judges against the CAs that the plan names, or that the set has which is
// renewed.
func (r *Round) bench() *install.Bench {
	b := install.NewBench(r.w, r.Answers)
	if r.State.Renews == "" {
		return b
	}
	for _, q := range r.requests {
		name := home(q.Authority) + caFile
		if data, err := r.read(name, material.MaxCertificates); err == nil {
			b.Trust(q.Authority, material.Parse(material.Input{Name: name, Data: data}))
		}
	}
	return b
}

// Sealed says whether the keys are here to be opened.
func (r *Round) Sealed() error {
	if _, err := r.read(KeysFile, maxKeys); err != nil {
		return fmt.Errorf("the sealed keys: %w", err)
	}
	return nil
}

// maxKeys bounds the sealed keys: 40,000 RSA keys of 4096 bits.
const maxKeys = 256 << 20

// Complete opens the keys and puts what came back into the answers, so that the
// pipeline makes the set: Answers.Signed, or what takes the place of the old in
// the set that is renewed. It is for a round of which nothing is missing.
func (r *Round) Complete(passphrase []byte) (map[topology.SlotID]*certs.Pair, error) {
	sealed, err := r.read(KeysFile, maxKeys)
	if err != nil {
		return nil, fmt.Errorf("the sealed keys: %w", err)
	}
	shown := untrusted.Text(filepath.Join(r.Dir, KeysFile))
	all, err := install.Unseal(sealed, passphrase)
	defer clear(all)
	switch {
	case errors.Is(err, install.ErrPassphrase):
		return nil, &Refused{fmt.Sprintf("%s: %v", shown, err), "give the one that was shown or read when the requests were made; what came back is kept"}
	case err != nil:
		return nil, &Refused{fmt.Sprintf("%s is damaged: %s", shown, untrusted.Text(err.Error()).Max(200)), "bring a copy of it back"}
	}
	keys := map[string]crypto.Signer{}
	for b, rest := pem.Decode(all); b != nil; b, rest = pem.Decode(rest) {
		key, err := x509.ParsePKCS8PrivateKey(b.Bytes)
		clear(b.Bytes)
		if signer, ok := key.(crypto.Signer); err == nil && ok {
			keys[material.PublicKeyFingerprint(signer.Public())] = signer
		}
	}
	bench, out := r.bench(), map[topology.SlotID]*certs.Pair{}
	for _, q := range r.requests {
		back := r.back[q.Slot]
		key := keys[material.PublicKeyFingerprint(q.csr.PublicKey)]
		switch {
		case back == nil:
			return nil, fmt.Errorf("%s: its certificate has not come back yet", q.Slot)
		case key == nil:
			return nil, &Refused{fmt.Sprintf("%s holds no key for the request of %s", shown, q.Slot), "bring back the file that was written with the requests"}
		}
		pair, findings := bench.Judge(q.slot, back.chain, back.file, key)
		if pair == nil {
			return nil, &install.Refusal{Findings: findings}
		}
		out[q.Slot] = pair
	}
	r.Answers.Plan.Awaiting = ""
	if r.State.Renews == "" {
		r.Answers.Signed = out
	}
	return out, nil
}
