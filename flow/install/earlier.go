package install

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/issue"
	"certwright/certs/prove"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
)

// Earlier is a set that certwright wrote before, to be carried on: what its
// manifest proves unchanged, and what would be made the same today, is kept
// byte for byte, and only the rest is issued. This is how nodes are added, how
// some certificates are renewed, and how certificates that another CA signed
// come into a set:
//
//	e, err := install.OpenEarlier(w, dir)        // the set as it is
//	e.Anew = func(s *topology.Slot) bool { … }   // renew: these are made anew all the same
//	e.Handed = map[topology.SlotID]*certs.Pair{} // import: these take the place of what is there
//	w.Earlier = e
//	p, err := install.Prepare(ctx, w, answers, nil, progress)
//	receipt, err := install.Commit(ctx, w, p, force, progress)
//
// The answers are those of the plan that lies in the set (PlanOf), or changed
// ones. Afterwards p.Kept counts the slots that stayed and p.Anew lists those
// that were there and did not, with the reason. Commit without force adds files
// and replaces documents, and refuses (exit status 3) to replace or remove a
// file that holds a key or a certificate: renewing needs force. What is
// replaced is kept in a backup.
//
// The keys of CAs are looked for in the set and opened with
// World.CAKeys.Passphrase where they are sealed; they are needed only when
// something is signed with them.
type Earlier struct {
	Dir      string // as it was opened, absolute
	Manifest *store.Manifest
	// Anew says which slots are made anew though they could stay; nil: none.
	Anew func(*topology.Slot) bool
	// Handed are pairs that take the place of the earlier ones.
	Handed map[topology.SlotID]*certs.Pair
	// Excuse says which findings and failed handshakes the set has already, in
	// what stays: they are no reason to refuse the rest. Nil: none.
	Excuse *Excuse
	// Within makes certificates anew that end within it; 0: those that ended.
	Within time.Duration

	w     *World
	slots map[topology.SlotID]slotFiles
	kept  map[topology.SlotID]bool // CAs, "" being the root
}

// Excuse is what a set that is carried on may have wrong with it as before.
type Excuse struct {
	Finding   func(check.Finding) bool
	Handshake func(prove.Handshake) bool
}

// unexcused is what remains to be held against the new set.
func (e *Earlier) unexcused(failed []prove.Handshake, findings []check.Finding) ([]prove.Handshake, bool) {
	bad := func(f check.Finding) bool { return f.Severity == check.Error }
	if e == nil || e.Excuse == nil {
		return failed, slices.ContainsFunc(findings, bad)
	}
	failed = slices.DeleteFunc(slices.Clone(failed), e.Excuse.Handshake)
	return failed, slices.ContainsFunc(findings, func(f check.Finding) bool { return bad(f) && !e.Excuse.Finding(f) })
}

// still says, under the lock, whether the set is the one that was read: another
// run may have written it meanwhile, and what it issued must not be undone.
func (e *Earlier) still(now *store.Existing) error {
	if e == nil {
		return nil
	}
	same := now.Manifest != nil && now.Manifest.Created.Equal(e.Manifest.Created) &&
		slices.EqualFunc(now.Manifest.Files, e.Manifest.Files, func(a, b store.Entry) bool { return a.Path == b.Path && a.SHA256 == b.SHA256 })
	if same {
		return nil
	}
	return &store.Error{
		Kind: store.Locked, Path: e.Dir, Err: errors.New("another run has written it since it was read"),
		State: "nothing was changed", Next: "run again",
	}
}

// manifest is that of the set, nil when there is none.
func (e *Earlier) manifest() *store.Manifest {
	if e == nil {
		return nil
	}
	return e.Manifest
}

// slotFiles are the entries of the manifest that hold a slot's pair; -1 for none.
type slotFiles struct{ cert, key, config int32 }

// OpenEarlier reads the manifest of the set in dir. Its error is fs.ErrNotExist
// when there is none, and a *store.Error when it cannot be read. A run that was
// stopped in it must have been settled (store.Recover): until then files and
// manifest may be of two sets.
func OpenEarlier(w *World, dir string) (*Earlier, error) {
	dir = w.path(dir)
	m, err := store.ReadManifest(w.Read, dir)
	if err != nil {
		return nil, err
	}
	e := &Earlier{Dir: dir, Manifest: m, w: w, slots: map[topology.SlotID]slotFiles{}}
	for i, f := range m.Files {
		id := topology.SlotID(f.Slot)
		if id == "" && f.Path != rootCert && f.Path != rootKey {
			continue
		}
		s, known := e.slots[id]
		if !known {
			s = slotFiles{-1, -1, -1}
		}
		switch layout.Kind(f.Kind) {
		case layout.KindCertificate, layout.KindCA:
			e.better(&s.cert, i)
		case layout.KindKey, layout.KindCAKey:
			e.better(&s.key, i)
		case layout.KindKubeconfig:
			e.better(&s.config, i)
		}
		e.slots[id] = s
	}
	return e, nil
}

// The root's files; no slot is its own.
const (
	rootCert = "ca/root.crt"
	rootKey  = "ca/root.key"
)

// better prefers a file that is in plain, and of several the first by path,
// which for a CA is the one in ca/.
func (e *Earlier) better(at *int32, i int) {
	sealed := func(n int32) bool { return strings.HasSuffix(e.Manifest.Files[n].Path, sealedEnding) }
	if *at < 0 || sealed(*at) && !sealed(int32(i)) {
		*at = int32(i)
	}
}

// has says whether the set had the slot at all.
func (e *Earlier) has(id topology.SlotID) bool { _, ok := e.slots[id]; return ok }

// Pair reads a slot's pair out of the set, "" being the root. why says what is
// wrong with it when the pair is nil; a CA may come without its key. Of a CA
// only its own certificate is returned, of a leaf what its server sends.
func (e *Earlier) Pair(id topology.SlotID) (p *certs.Pair, why string) {
	s, ok := e.slots[id]
	if !ok {
		return nil, "the set has none"
	}
	p = &certs.Pair{Made: true}
	switch {
	case s.cert >= 0:
		data, why := e.read(s.cert)
		if why != "" {
			return nil, why
		}
		if p.Certificates, why = parseCertificates(data); why != "" {
			return nil, why
		}
	case s.config >= 0:
		return e.fromConfig(s.config)
	}
	if s.key < 0 {
		return p, ""
	}
	data, why := e.read(s.key)
	defer func() { clear(data) }()
	if strings.HasSuffix(e.Manifest.Files[s.key].Path, sealedEnding) && why == "" {
		if data = e.open(data); data == nil {
			return p, "" // sealed, and not opened: as if it were elsewhere
		}
	}
	if why != "" {
		if layout.Kind(e.Manifest.Files[s.key].Kind) == layout.KindCAKey {
			return p, "" // taken away from here, as NEXT-STEPS.md says
		}
		return nil, why
	}
	if p.Key = parseKey(data); p.Key == nil {
		return nil, unreadableKey
	}
	return p, ""
}

const unreadableKey = "its key cannot be read"

// parseKey reads a key as we write it: PKCS#8 in PEM. It is nil for another.
func parseKey(data []byte) crypto.Signer {
	b, _ := pem.Decode(data)
	if b == nil {
		return nil
	}
	defer clear(b.Bytes)
	key, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		return nil
	}
	signer, _ := key.(crypto.Signer)
	return signer
}

func (e *Earlier) open(sealed []byte) []byte {
	if len(e.w.CAKeys.Passphrase) == 0 {
		return nil
	}
	key, err := OpenSealed(sealed, e.w.CAKeys.Passphrase)
	if err != nil {
		clear(key)
		return nil
	}
	return key
}

// read is a file as the manifest has it: one that was changed is not ours. Where
// it is not there another copy of the set's does; NEXT-STEPS.md has people take ca/ away.
func (e *Earlier) read(i int32) (data []byte, why string) {
	f := &e.Manifest.Files[i]
	if data, why = e.readOne(f); why == "" {
		return data, ""
	}
	for n := range e.Manifest.Files {
		if o := &e.Manifest.Files[n]; o.Slot == f.Slot && o.Kind == f.Kind && o.SHA256 == f.SHA256 && o != f {
			if data, bad := e.readOne(o); bad == "" {
				return data, ""
			}
		}
	}
	return nil, why
}

func (e *Earlier) readOne(f *store.Entry) (data []byte, why string) {
	shown := untrusted.Text(f.Path)
	in, err := ReadInput(e.w.Read, filepath.Join(e.Dir, filepath.FromSlash(f.Path)))
	if err != nil {
		return nil, fmt.Sprintf("%s is not there or cannot be read", shown)
	}
	sum := sha256.Sum256(in.Data)
	if hex.EncodeToString(sum[:]) != f.SHA256 {
		clear(in.Data)
		return nil, fmt.Sprintf("%s was changed since it was written", shown)
	}
	return in.Data, ""
}

func parseCertificates(data []byte) (out []*x509.Certificate, why string) {
	for b, rest := pem.Decode(data); b != nil; b, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, "its certificate cannot be read"
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, "its certificate cannot be read"
	}
	return out, ""
}

// fromConfig is the pair that a kubeconfig of ours embeds. Its bytes are those
// that were written, so that its lines need no parser.
func (e *Earlier) fromConfig(i int32) (*certs.Pair, string) {
	data, why := e.read(i)
	if why != "" {
		return nil, why
	}
	defer clear(data)
	field := func(name string) []byte {
		_, rest, ok := bytes.Cut(data, []byte(name+": "))
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		out, err := base64.StdEncoding.DecodeString(string(line))
		if !ok || err != nil {
			return nil
		}
		return out
	}
	p := &certs.Pair{Made: true}
	if p.Certificates, why = parseCertificates(field("client-certificate-data")); why != "" {
		return nil, why
	}
	key := field("client-key-data")
	defer clear(key)
	if p.Key = parseKey(key); p.Key == nil {
		return nil, unreadableKey
	}
	return p, ""
}

// Sealed says whether keys of CAs lie sealed in the set.
func (e *Earlier) Sealed() bool {
	return slices.ContainsFunc(e.Manifest.Files, func(f store.Entry) bool { return strings.HasSuffix(f.Path, sealedEnding) })
}

// carryKeys leaves the keys of kept CAs as they lie: sealed ones are not sealed
// anew, and what was not opened is not lost. It names them in p.Carried.
func (e *Earlier) carryKeys(p *flow.Prepared) {
	p.Carried = nil
	for _, f := range e.Manifest.Files {
		plain, sealed := strings.CutSuffix(f.Path, sealedEnding)
		if f.Kind != string(layout.KindCAKey) || !sealed || !e.kept[topology.SlotID(f.Slot)] {
			continue
		}
		if _, err := e.w.Read.Stat(filepath.Join(e.Dir, filepath.FromSlash(f.Path))); err != nil {
			continue
		}
		p.Carried = append(p.Carried, f.Path)
		p.Files = slices.DeleteFunc(p.Files, func(made layout.File) bool { return made.Path == plain })
	}
}

// keep puts what stays into the request: the root, the CAs, then what they
// signed, each held against what would be made today.
func (e *Earlier) keep(ctx context.Context, a *flow.Answers, r *issue.Request, p *flow.Prepared) error {
	r.Kept, e.kept = map[topology.SlotID]*certs.Pair{}, map[topology.SlotID]bool{}
	if r.Hierarchy == topology.Intermediates && e.has("") {
		root, why := e.Pair("")
		if why != "" {
			return e.lost("the root", why)
		}
		if why = issue.DiffersRoot(r.Topology, root, e.wanted(r, nil)); why == "" {
			r.KeptRoot, e.kept[""] = root, true
		} else {
			p.Anew = append(p.Anew, flow.Anew{Why: why})
		}
	}
	for _, kind := range []topology.Kind{topology.CA, topology.Leaf, topology.KeyPair} {
		for i := range r.Topology.Slots {
			if s := &r.Topology.Slots[i]; s.Kind == kind {
				if err := context.Cause(ctx); err != nil {
					return err
				}
				if err := e.keepSlot(a, r, p, s); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// keepPart is keep for the nodes of a part: the CAs and what else is the
// cluster's are in the request already. It may be called from several goroutines.
func (e *Earlier) keepPart(ctx context.Context, a *flow.Answers, r *issue.Request, p *flow.Prepared) error {
	for i := range r.Topology.Slots {
		s := &r.Topology.Slots[i]
		if s.Node == "" {
			continue
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := e.keepSlot(a, r, p, s); err != nil {
			return err
		}
	}
	return nil
}

func (e *Earlier) keepSlot(a *flow.Answers, r *issue.Request, p *flow.Prepared, s *topology.Slot) error {
	mode := a.Plan.Mode(s.Component)
	brought := r.Brought[s.ID] != nil && (s.Kind != topology.CA || !r.Subordinate[s.Authority])
	if pair := e.Handed[s.ID]; pair != nil {
		r.Kept[s.ID] = pair
		return nil
	}
	if brought || r.Signed[s.ID] != nil || mode == topology.BringCerts && !s.Optional || !e.has(s.ID) {
		return nil
	}
	pair, why := e.Pair(s.ID)
	switch {
	case why != "" && s.Kind == topology.CA && (e.Anew == nil || !e.Anew(s)):
		return e.lost(string(s.ID), why)
	case why != "":
	case e.Anew != nil && e.Anew(s):
		why = "it was asked for"
	default:
		by, above := e.issuer(r, s)
		if why = issue.Differs(s, pair, e.wanted(r, by)); why == "" && s.Kind == topology.CA {
			pair.Certificates = append(pair.Certificates[:1:1], above...)
		}
	}
	if why != "" {
		p.Anew = append(p.Anew, flow.Anew{Slot: s.ID, Why: why})
		return nil
	}
	p.Kept++
	r.Kept[s.ID] = pair
	if s.Kind == topology.CA {
		e.kept[s.ID] = true
	}
	return nil
}

// lost is the error of a CA that is not there: making another in its place would
// make anew all that hangs on it, which nobody has asked for.
func (e *Earlier) lost(ca, why string) error {
	return fmt.Errorf("the set in %s cannot be carried on: of %s %s; bring it back, or make everything anew (--anew --force), or name another directory with --out", untrusted.Text(e.Dir), ca, why)
}

func (e *Earlier) wanted(r *issue.Request, by *certs.Pair) issue.Wanted {
	return issue.Wanted{Algorithm: r.Algorithm, By: by, Until: r.Now.Add(e.Within), Verified: r.Verified}
}

// issuer is the CA that signs a slot today, and for a CA all above it. One that
// is made anew is none that an earlier certificate could be issued by.
func (e *Earlier) issuer(r *issue.Request, s *topology.Slot) (by *certs.Pair, above []*x509.Certificate) {
	switch {
	case s.Kind == topology.KeyPair:
		return nil, nil
	case s.Kind == topology.CA && r.Subordinate[s.Authority]:
		by = r.Brought[s.ID]
	case s.Kind == topology.CA && r.Hierarchy == topology.Roots:
		return nil, nil
	case s.Kind == topology.CA:
		by = r.KeptRoot
	default:
		ca := r.Topology.CASlot(s.Authority)
		if ca == nil {
			return &certs.Pair{}, nil
		}
		if by = r.Kept[ca.ID]; by == nil && !r.Subordinate[s.Authority] {
			by = r.Brought[ca.ID]
		}
	}
	if by == nil {
		return &certs.Pair{}, nil
	}
	return by, by.Certificates
}

// Carry opens the set at the destination of the answers, when there is one of
// the same profile: with it in World.Earlier a run only adds. It is nil when
// there is nothing to carry on, and then the store says what it thinks of what
// lies there. A run that was stopped there is settled first.
func Carry(ctx context.Context, w *World, a *flow.Answers) (*Earlier, error) {
	_, dir := destination(w, a)
	if _, err := store.Recover(ctx, w.Write, dir, false); err != nil {
		return nil, nil //nolint:nilerr // Begin meets it too, and says it
	}
	e, err := OpenEarlier(w, dir)
	if err != nil || e.Manifest.Profile != a.Profile.Name {
		return nil, nil //nolint:nilerr // the store names what is wrong with what is there
	}
	return e, nil
}

// maxReasons is how many slots a note names before it counts.
const maxReasons = 3

// anewNote says what does not stay of an earlier set, and why.
func anewNote(list []flow.Anew) string {
	var out []string
	for _, a := range list[:min(len(list), maxReasons)] {
		out = append(out, fmt.Sprintf("%s (%s)", cmp.Or(string(a.Slot), "the root"), a.Why))
	}
	text := strings.Join(out, ", ")
	if n := len(list) - maxReasons; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return "made anew, though the set has it: " + text
}
