package install

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
)

// gatherer reads the material of one set of answers, each file once.
type gatherer struct {
	w    *World
	a    *flow.Answers
	now  time.Time
	docs map[string]*read // by path, or by field for what was pasted
	cas  *shared          // what others that judge have read of CAs, and verified; nil alone
}

// read is one source: its document, or why there is none.
type read struct {
	doc     *material.Document
	finding *check.Finding
	stamp   *flow.Stamp // nil for pasted material
	path    string
}

func (w *World) gatherer(a *flow.Answers) *gatherer {
	return &gatherer{w: w, a: a, now: w.Now(), docs: map[string]*read{}}
}

// source reads and parses what was handed over for a field; nil when nothing was.
func (g *gatherer) source(f flow.Field) *read {
	src := g.a.Sources[f]
	if src.Empty() {
		return nil
	}
	key := string(f.Slot) + "\x00" + src.Path
	if src.Path == "" {
		key += "\x00" + string(f.Part)
	}
	if r := g.docs[key]; r != nil {
		return r
	}
	from := func() *read { return g.read(f, src) }
	if slot := g.a.Topology.Slot(f.Slot); g.cas != nil && slot != nil && slot.Kind == topology.CA {
		g.docs[key] = g.cas.get(key, from)
	} else {
		g.docs[key] = from()
	}
	return g.docs[key]
}

func (g *gatherer) read(f flow.Field, src flow.Source) *read {
	r, pass := &read{path: src.Path}, g.a.Passphrases[f.Slot]
	if src.Path == "" {
		r.doc = g.w.parse(material.Input{Name: PastedName, Data: src.Pasted, Passphrase: pass})
		return r
	}
	if g.cas != nil && pass == nil {
		if r := g.cas.sorted.take(g.w, src.Path); r != nil {
			return r
		}
	}
	in, info, err := readStat(g.w.Read, g.w.path(src.Path))
	if err != nil {
		r.finding = g.unread(f.Slot, src.Path, err)
		r.stamp = &flow.Stamp{}
		return r
	}
	in.Name, in.Passphrase = src.Path, pass
	r.doc = g.w.parse(in)
	r.stamp = stampOf(info, r.doc)
	return r
}

// stampOf is a file's state when it was opened, so that a change while it was
// read is one since.
func stampOf(info fs.FileInfo, doc *material.Document) *flow.Stamp {
	return &flow.Stamp{Size: int64(doc.Size), SHA256: doc.SHA256, ModTime: info.ModTime(), Mode: info.Mode()}
}

func (g *gatherer) unread(slot topology.SlotID, path string, err error) *check.Finding {
	f := &check.Finding{Rule: "file-unreadable", Severity: check.Error, Slot: slot, File: untrusted.Text(path).String(), Message: untrusted.Text(err.Error()).String()}
	var re *ReadError
	if errors.As(err, &re) {
		f.Rule, f.Message, f.Fix = re.Rule, re.Message, re.Fix
	}
	if rule, ok := check.RuleByID(f.Rule); ok {
		f.Why = rule.Why
	}
	return f
}

// handed is one slot's material.
type handed struct {
	slot      *topology.Slot
	cert, key *material.Document
	findings  []check.Finding // of reading alone
	stamps    map[string]flow.Stamp
}

// slot reads what was handed over for a slot. A certificate and its key may
// come in one file, given for either.
func (g *gatherer) slot(id topology.SlotID) *handed {
	h := &handed{slot: g.a.Topology.Slot(id), stamps: map[string]flow.Stamp{}}
	take := func(part flow.Part) *material.Document {
		r := g.source(flow.Field{Slot: id, Part: part})
		if r == nil {
			return nil
		}
		if r.stamp != nil {
			h.stamps[r.path] = *r.stamp
		}
		if r.finding != nil {
			h.findings = append(h.findings, *r.finding)
		}
		return r.doc
	}
	h.cert, h.key = take(flow.PartCert), take(flow.PartKey)
	if h.slot.Kind == topology.Leaf && h.slot.Files.Cert == "" {
		h.cert, h.key = fromKubeconfig(h.cert), fromKubeconfig(h.key)
	}
	switch {
	case h.key == nil && h.cert != nil && len(h.cert.Keys) > 0 && h.slot.Kind != topology.KeyPair:
		h.key = h.cert
	case h.key == nil && h.cert != nil && h.slot.Kind == topology.KeyPair && len(h.cert.Keys) > 0:
		h.key, h.cert = h.cert, nil
	case h.cert == nil && h.key != nil && len(h.key.Certificates) > 0:
		h.cert = h.key
	}
	return h
}

// due says whether the slot is asked for in the component's mode.
func (g *gatherer) due(id topology.SlotID) bool {
	m := g.a.Plan.Mode(id.Component())
	return m != topology.Generate && g.a.Topology.IsDue(id, m)
}

// caDocument is what was handed over as the CA of an authority, nil when it is
// made here or was not given yet.
func (g *gatherer) caDocument(a topology.AuthorityID) *material.Document {
	slot := g.a.Topology.CASlot(a)
	if slot == nil || !g.due(slot.ID) {
		return nil
	}
	return g.slot(slot.ID).cert
}

// judge is the verdict on one slot's material.
func (g *gatherer) judge(id topology.SlotID) flow.Verdict {
	h := g.slot(id)
	v := flow.Verdict{Stamps: h.stamps, Findings: h.findings}
	in := check.SlotInput{
		Slot: h.slot, Topology: g.a.Topology, Cert: h.cert, Key: h.key, Now: g.now, Rewritten: true,
		Others: map[topology.AuthorityID]*x509.Certificate{},
	}
	if g.cas != nil {
		in.Memory = g.cas.memory
	}
	if h.slot.Kind == topology.Leaf {
		in.CA = g.caDocument(h.slot.Authority)
	}
	for _, a := range g.a.Topology.Authorities {
		if a.ID != h.slot.Authority {
			if doc := g.caDocument(a.ID); doc != nil {
				if c := firstCA(doc); c != nil {
					in.Others[a.ID] = c
				}
			}
		}
	}
	if h.cert != nil || h.key != nil {
		v.Findings = append(v.Findings, g.openKeys(h.slot, check.Slot(in))...)
	}
	for _, d := range []*material.Document{h.cert, h.key} {
		if d != nil && d.NeedsPassphrase() {
			v.NeedsPassphrase = true
		}
	}
	v.Pair = pair(in.Memory, h.slot, h.cert, h.key, in.CA)
	v.Facts = describe(v.Pair, g.now)
	return v
}

func firstCA(d *material.Document) *x509.Certificate {
	var first *x509.Certificate
	for _, c := range d.Certificates {
		if c.X509 == nil {
			continue
		}
		if c.X509.IsCA {
			return c.X509
		}
		if first == nil {
			first = c.X509
		}
	}
	return first
}

// pair is the material in the form in which it is used: the slot's own
// certificate first, then its issuers one by one. Nil when there is nothing
// that could be used.
func pair(m *check.Memory, slot *topology.Slot, cert, key, ca *material.Document) *certs.Pair {
	p := &certs.Pair{}
	if key != nil {
		for _, k := range key.Keys {
			if k.Signer != nil {
				p.Key = k.Signer
				break
			}
		}
	}
	if slot.Kind == topology.KeyPair {
		if p.Key == nil {
			return nil
		}
		return p
	}
	if cert == nil {
		return nil
	}
	var all []*x509.Certificate
	for _, c := range cert.Certificates {
		if c.X509 != nil {
			all = append(all, c.X509)
		}
	}
	own := ownCertificate(slot, all, p.Key)
	if own == nil {
		return nil
	}
	pool := slices.Clone(all)
	if ca != nil {
		for _, c := range ca.Certificates {
			if c.X509 != nil {
				pool = append(pool, c.X509)
			}
		}
	}
	p.Certificates = issuers(m, own, pool)
	if last := p.Certificates[len(p.Certificates)-1]; slot.Kind == topology.Leaf && len(p.Certificates) > 1 && selfSigned(m, last) {
		p.Certificates = p.Certificates[:len(p.Certificates)-1] // a server does not send the root
	}
	return p
}

// ownCertificate is the certificate of the slot in a file that may hold its
// issuers too: the one that the key belongs to; else, of a CA, the one that
// nothing in the file issued anything under; else the first.
func ownCertificate(slot *topology.Slot, all []*x509.Certificate, key crypto.Signer) *x509.Certificate {
	if len(all) == 0 {
		return nil
	}
	if key != nil {
		for _, c := range all {
			if material.SamePublicKey(c.PublicKey, key.Public()) {
				return c
			}
		}
	}
	return all[0]
}

// maxChain bounds the walk upwards; no cluster has that many CAs in a row.
const maxChain = 10

// issuers is a certificate followed by its issuers, as far as the pool has them.
func issuers(m *check.Memory, own *x509.Certificate, pool []*x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{own}
	for at := own; len(chain) < maxChain && !selfSigned(m, at); {
		var next *x509.Certificate
		for _, c := range pool {
			if string(c.RawSubject) == string(at.RawIssuer) && !slices.ContainsFunc(chain, c.Equal) && m.Issued(c, at) {
				next = c
				break
			}
		}
		if next == nil {
			break
		}
		chain = append(chain, next)
		at = next
	}
	return chain
}

func selfSigned(m *check.Memory, c *x509.Certificate) bool {
	return string(c.RawSubject) == string(c.RawIssuer) && m.Issued(c, c)
}

// describe is what the panes show of a slot's own certificate.
func describe(p *certs.Pair, now time.Time) [][2]string {
	c := p.Leaf()
	if c == nil {
		if p != nil && p.Key != nil {
			return [][2]string{{"Key", material.KeyWords(p.Key.Public())}}
		}
		return nil
	}
	rows := [][2]string{
		{"Subject", material.Subject(c).String()},
		{"Issuer", material.Issuer(c).String()},
		{"Until", until(c, now)},
		{"Key", material.KeyWords(c.PublicKey)},
	}
	if c.IsCA {
		text := "yes"
		if c.MaxPathLen > 0 || c.MaxPathLenZero {
			text = fmt.Sprintf("yes, with at most %d CAs below it", c.MaxPathLen)
		}
		rows = append(rows, [2]string{"CA", text})
	}
	if u := usages(c); u != "" {
		rows = append(rows, [2]string{"Usages", u})
	}
	if names := material.SANs(c); len(names) > 0 {
		var shown []string
		for _, n := range names {
			shown = append(shown, n.String())
		}
		rows = append(rows, [2]string{"SAN", strings.Join(shown, ", ")})
	}
	return append(rows, [2]string{"SHA-256", material.Fingerprint(c)})
}

func until(c *x509.Certificate, now time.Time) string {
	days := int(c.NotAfter.Sub(now).Hours() / 24)
	date := c.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case now.After(c.NotAfter):
		return fmt.Sprintf("%s (ended)", date)
	case now.Before(c.NotBefore):
		return fmt.Sprintf("%s (begins only on %s)", date, c.NotBefore.UTC().Format(time.DateOnly))
	case days == 1:
		return fmt.Sprintf("%s (1 day)", date)
	}
	return fmt.Sprintf("%s (%d days)", date, days)
}

func usages(c *x509.Certificate) string {
	var out []string
	for _, u := range c.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			out = append(out, "serverAuth")
		case x509.ExtKeyUsageClientAuth:
			out = append(out, "clientAuth")
		case x509.ExtKeyUsageAny:
			out = append(out, "any")
		default:
			out = append(out, fmt.Sprintf("use %d", u))
		}
	}
	return strings.Join(out, ", ")
}

// all reads every slot that the modes ask for. Findings come with their slots;
// pairs are complete only when no finding is an error.
func (g *gatherer) all(ctx context.Context) (map[topology.SlotID]*certs.Pair, []check.Finding, map[string]flow.Stamp, error) {
	pairs, stamps := map[topology.SlotID]*certs.Pair{}, map[string]flow.Stamp{}
	var findings []check.Finding
	for _, c := range g.a.Topology.Components {
		mode := g.a.Plan.Mode(c.ID)
		if mode == topology.Generate {
			continue
		}
		for _, slot := range g.a.Topology.Due(c.ID, mode) {
			if err := context.Cause(ctx); err != nil {
				return nil, nil, nil, err
			}
			if g.a.Plan.StepCA(c.ID) != nil {
				continue // it is asked, not handed over
			}
			if e := g.w.Earlier; e != nil && e.Handed[slot.ID] != nil && !g.a.Plan.Components[c.ID].Intermediate {
				pairs[slot.ID] = e.Handed[slot.ID] // as the set has it, whatever became of the files it came from
				continue
			}
			given := !g.a.Sources[flow.Field{Slot: slot.ID, Part: flow.PartCert}].Empty() || !g.a.Sources[flow.Field{Slot: slot.ID, Part: flow.PartKey}].Empty()
			if !given {
				if !slot.Optional {
					findings = append(findings, missing(slot, "nothing was", mode))
				}
				continue
			}
			v := g.judge(slot.ID)
			for path, s := range v.Stamps {
				stamps[path] = s
			}
			findings = append(findings, v.Findings...)
			switch {
			case v.Pair == nil && check.OK(v.Findings):
				findings = append(findings, missing(slot, "no certificate was", mode))
			case v.Pair != nil && v.Pair.Key == nil && g.a.Plan.Offline(c.ID):
				if len(g.a.Signed) == 0 && g.w.Earlier == nil {
					findings = append(findings, elsewhere(slot))
				}
				pairs[slot.ID] = v.Pair
			case v.Pair != nil && v.Pair.Key == nil && (slot.Kind != topology.CA || mode == topology.BringCA) && check.OK(v.Findings):
				findings = append(findings, missing(slot, "no private key was", mode))
			case v.Pair != nil:
				pairs[slot.ID] = v.Pair
			}
		}
	}
	return pairs, findings, stamps, nil
}

// elsewhere says that what a CA has to sign must be asked for.
func elsewhere(slot *topology.Slot) check.Finding {
	return check.Finding{
		Rule: "material-missing", Severity: check.Error, Slot: slot.ID,
		Message: fmt.Sprintf("%s: the key of this CA is elsewhere, so nothing can be signed with it here", slot.ID),
		Why:     slot.Purpose,
		Fix:     "write signing requests with certwright csr -f PLAN --out DIR, have them signed where the key is, and bring the certificates back with certwright import",
	}
}

func missing(slot *topology.Slot, what string, mode topology.Mode) check.Finding {
	if mode == topology.BringCA && what == "no private key was" {
		return check.Finding{
			Rule: "material-missing", Severity: check.Error, Slot: slot.ID,
			Message: fmt.Sprintf("%s: no private key was given, and nothing can be signed without it", slot.ID),
			Why:     slot.Purpose,
			Fix:     fmt.Sprintf("name it under components.%s.ca.key, or write offline: true if it is elsewhere: certwright csr then writes signing requests", slot.Component),
		}
	}
	return check.Finding{
		Rule: "material-missing", Severity: check.Error, Slot: slot.ID,
		Message: fmt.Sprintf("%s: %s given, and component %s is set to %s", slot.ID, what, slot.Component, mode.Words()),
		Why:     slot.Purpose,
		Fix:     fmt.Sprintf("name its files in the plan under components.%s, or set %s to generate", slot.Component, slot.Component),
	}
}
