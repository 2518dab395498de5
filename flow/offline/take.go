package offline

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/certs/check"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow/install"
	"certwright/flow/plan"
)

// What became of a request.
const (
	Missing = "missing" // nothing came back for it
	Taken   = "taken"   // its certificate has come now
	Kept    = "kept"    // its certificate came earlier
	Bad     = "refused" // what came back does not do
)

// Result is what is known of one request.
type Result struct {
	Slot     topology.SlotID `json:"slot"`
	What     string          `json:"what"`
	Request  string          `json:"request"`
	File     string          `json:"file,omitempty"` // where the certificate came from
	NotAfter *time.Time      `json:"notAfter,omitempty"`
	Findings []check.Finding `json:"findings"`
}

// Report is what an import found out.
type Report struct {
	Results []Result // one for each request, in their order
	// Strays are about certificates that belong to no request, and files that
	// hold none.
	Strays []check.Finding

	taken map[topology.SlotID]*returned
}

// Count is how many requests ended so.
func (r *Report) Count(what string) int {
	n := 0
	for _, x := range r.Results {
		if x.What == what {
			n++
		}
	}
	return n
}

// Complete says that every request has its certificate.
func (r *Report) Complete() bool { return r.Count(Missing)+r.Count(Bad) == 0 }

// OK says that nothing that came back is wrong, whatever is still missing.
func (r *Report) OK() bool { return r.Count(Bad) == 0 && check.OK(r.Strays) }

// found is one certificate of the pile, and where it was.
type found struct {
	x    *x509.Certificate
	file string
}

// Came is a document that came back.
type Came struct {
	Doc *material.Document
	// Named says that a person named this file, and did not only name the folder
	// that it lies in.
	Named bool
}

// Gather reads what was handed over, files and folders, and what lies beside the
// requests. Encrypted containers are opened with World.Passphrase.
func (r *Round) Gather(ctx context.Context, sources []string) ([]Came, error) {
	var out []Came
	folder := func(dir string) error {
		f, err := install.ReadFolder(ctx, r.w, dir)
		if err != nil {
			return err
		}
		for _, file := range f.Files {
			doc := *file.Doc
			doc.Name = filepath.Join(dir, file.Name)
			out = append(out, Came{Doc: &doc})
		}
		return nil
	}
	for _, s := range sources {
		at := absolute(r.w, s)
		if info, err := r.w.Read.Stat(at); err == nil && info.IsDir() {
			if err := folder(s); err != nil {
				return nil, err
			}
			continue
		}
		in, err := install.ReadInput(r.w.Read, at)
		if err != nil {
			return nil, err
		}
		in.Name, in.Passphrase = s, r.w.Passphrase
		out = append(out, Came{Doc: material.Parse(in), Named: true})
	}
	return out, folder(filepath.Join(r.Dir, SendDir))
}

// Take finds out what came back: documents in any form and order. Nothing is
// changed before Save.
func (r *Round) Take(ctx context.Context, came []Came) (*Report, error) {
	rep := &Report{taken: map[topology.SlotID]*returned{}}
	var all []found
	var pool []*x509.Certificate
	seen := map[string]bool{}
	for _, c := range came {
		rep.unreadable(c)
		for _, x := range c.Doc.X509() {
			if seen[string(x.Raw)] {
				continue
			}
			seen[string(x.Raw)] = true
			all = append(all, found{x, c.Doc.Name})
			if x.IsCA {
				pool = append(pool, x)
			}
		}
	}
	answers := map[int][]found{}
	for _, f := range all {
		if i, ok := r.byKey[material.PublicKeyFingerprint(f.x.PublicKey)]; ok {
			answers[i] = append(answers[i], f)
		} else if s, stray := r.stray(f.x); stray {
			rep.Strays = append(rep.Strays, check.OtherKey(f.x, f.file, s, r.w.Now()))
		}
	}
	bench := r.bench()
	for i, q := range r.requests {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		res, took := r.settle(bench, q, answers[i], pool)
		if took != nil {
			rep.taken[q.Slot] = took
		}
		rep.Results = append(rep.Results, res)
	}
	return rep, nil
}

// settle chooses among what came back for a request and what came earlier.
func (r *Round) settle(bench *install.Bench, q asked, came []found, pool []*x509.Certificate) (Result, *returned) {
	res := Result{Slot: q.Slot, What: Missing, Request: q.File, Findings: []check.Finding{}}
	var best *returned
	if kept := r.back[q.Slot]; kept != nil {
		if findings := r.judge(bench, q, kept); check.OK(findings) {
			best, res.What, res.Findings = kept, Kept, findings
		} else {
			res.What, res.Findings = Bad, findings
		}
		res.about(kept)
	}
	var took *returned
	for _, f := range came {
		back := &returned{chain: install.Issuers(f.x, pool), file: f.file}
		if best != nil && best.chain[0].Equal(f.x) && len(back.chain) <= len(best.chain) {
			continue
		}
		findings := r.judge(bench, q, back)
		switch {
		case !check.OK(findings) && best == nil:
			res.What, res.Findings = Bad, findings
			res.about(back)
		case !check.OK(findings):
			// A good one is there: another that does not do changes nothing.
		case best == nil || f.x.NotAfter.After(best.chain[0].NotAfter) || best.chain[0].Equal(f.x):
			best, took = back, back
			res.What, res.Findings = Taken, findings
			res.about(back)
		}
	}
	return res, took
}

func (res *Result) about(b *returned) {
	end := b.chain[0].NotAfter.UTC()
	res.File, res.NotAfter = untrusted.Text(b.file).String(), &end
}

// judge holds a certificate against the request and against the role.
func (r *Round) judge(bench *install.Bench, q asked, back *returned) []check.Finding {
	life := r.Answers.Plan.Validity.Leaf.Or(plan.DefaultLeafLife)
	if q.slot.Kind == topology.CA {
		life = r.Answers.Plan.Validity.CA.Or(plan.DefaultCALife)
	}
	_, findings := bench.Judge(q.slot, back.chain, back.file, nil)
	altered := check.Returned(check.ReturnedInput{
		Slot: q.slot, Cert: back.chain[0], File: back.file, Asked: q.csr, Now: r.w.Now(),
		Until: r.State.Created.Add(life - slack),
	})
	return append(findings, altered...)
}

// slack is how much earlier than asked for a certificate may end without a word:
// tools count in days, and some begin a few minutes back.
const slack = 24 * time.Hour

// stray says whether a certificate should have belonged to a request, and to
// which by its subject. CAs may come along.
func (r *Round) stray(x *x509.Certificate) (*topology.Slot, bool) {
	var same []*topology.Slot
	for _, q := range r.requests {
		if bytes.Equal(q.csr.RawSubject, x.RawSubject) || q.csr.Subject.String() == x.Subject.String() {
			if slices.Equal(q.csr.DNSNames, x.DNSNames) && len(q.csr.IPAddresses) == len(x.IPAddresses) {
				return q.slot, true
			}
			same = append(same, q.slot)
		}
	}
	switch {
	case len(same) == 1:
		return same[0], true
	case x.IsCA && len(same) == 0:
		return nil, false
	}
	return nil, true
}

// certificateEndings are names that promise certificates.
var certificateEndings = []string{".crt", ".cer", ".cert", ".pem", ".der", ".p7b", ".p7c", ".p12", ".pfx"}

// unreadable reports a file that should hold certificates and has none: one that
// was named, or that has the name of one. A folder may hold anything else.
func (rep *Report) unreadable(c Came) {
	d := c.Doc
	promises := func(e string) bool { return strings.HasSuffix(strings.ToLower(d.Name), e) }
	if len(d.X509()) > 0 || !c.Named && (d.Requests > 0 || !slices.ContainsFunc(certificateEndings, promises)) {
		return
	}
	f := check.Finding{
		Rule: "no-pem-block", Severity: check.Error, File: untrusted.Text(d.Name).String(),
		Message: "no certificate was found in it", Fix: "give the file that the CA made of the request",
	}
	if d.NeedsPassphrase() {
		f.Rule, f.Message, f.Fix = "encrypted-key", "it is encrypted, and no passphrase opened it", "give its passphrase with --key-passphrase-file"
	} else if len(d.Problems) > 0 {
		p := d.Problems[0]
		f.Rule, f.Message = p.Rule, "no certificate was found in it: "+untrusted.Text(p.Detail).Max(300)
	}
	if rule, ok := check.RuleByID(f.Rule); ok {
		f.Why = rule.Why
	}
	rep.Strays = append(rep.Strays, f)
}

// Save keeps what is good, in one transaction beside all that the round holds.
// It is nil when there is nothing new. Errors are *store.Error.
func (r *Round) Save(ctx context.Context, rep *Report) error {
	if len(rep.taken) == 0 {
		return nil
	}
	tx, err := store.Begin(ctx, r.w.Write, r.Dir, store.Options{Force: true, Version: r.w.Version, Profile: r.Answers.Profile.Name, Now: r.w.Now()})
	if err != nil {
		return err
	}
	defer tx.Abort() // does nothing after a commit
	added := map[string]bool{}
	for _, q := range r.requests {
		back := rep.taken[q.Slot]
		if back == nil {
			continue
		}
		leaf := back.chain[0]
		f := layout.File{
			Path: backFile(q.File), Data: issue.PEM(back.chain...), Mode: 0o644, Kind: layout.KindCertificate, Slot: q.Slot,
			Serial: fmt.Sprintf("%x", leaf.SerialNumber), NotAfter: leaf.NotAfter,
		}
		added[f.Path] = true
		if err := tx.Add(storeFile(f)); err != nil {
			return err
		}
	}
	for f := range tx.Existing().Files() {
		if f.Entry != nil && f.Status != store.Missing && !added[f.Path] {
			if err := tx.Keep(f.Path); err != nil {
				return err
			}
		}
	}
	if _, err := tx.Commit(ctx); err != nil {
		return err
	}
	for slot, back := range rep.taken {
		r.back[slot] = back
	}
	return nil
}
