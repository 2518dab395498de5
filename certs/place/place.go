// Package place sorts a pile of documents into the slots of a topology by what
// they hold: a key to its certificate, a CA to the authority whose leaves it
// signed, a leaf to the slot whose names, usages and subject it has. Start with
// Sort.
//
// It judges nothing: what fits a slot best is put there even when it has a
// defect, so that package check can name the defect.
package place

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"

	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// File is one file of the pile.
type File struct {
	Name string // as it will be named in findings
	Doc  *material.Document
}

// Part is one half of a slot's material.
type Part string

// The parts. The public key of a key pair is Cert.
const (
	Cert Part = "cert"
	Key  Part = "key"
)

// Placed is a file that found its place.
type Placed struct {
	Slot topology.SlotID `json:"slot"`
	Part Part            `json:"part"`
	File string          `json:"file"`
	Why  string          `json:"why"`
}

// Unplaced is a file that found none.
type Unplaced struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

// Result is the sorted pile.
type Result struct {
	Placed   []Placed          `json:"placed"`
	Unplaced []Unplaced        `json:"unplaced"`
	Missing  []topology.SlotID `json:"missing"` // slots that got no certificate (a key pair: no key)
}

// Find is the file of a slot's part, "" when there is none.
func (r *Result) Find(slot topology.SlotID, part Part) string {
	for _, p := range r.Placed {
		if p.Slot == slot && p.Part == part {
			return p.File
		}
	}
	return ""
}

// Sort places files into slots. Both may be in any order; the result depends
// on it only where files are equally good.
func Sort(slots []*topology.Slot, files []File) Result {
	files = slices.Clone(files)
	// Of a certificate that lies there twice, the copy with a slot's own file
	// name is taken.
	slices.SortStableFunc(files, func(a, b File) int { return ownName(slots, b.Name) - ownName(slots, a.Name) })
	s := &sorter{slots: slots, files: files, used: map[string]bool{}, issuer: map[topology.AuthorityID]*x509.Certificate{}}
	s.read()
	s.authorities()
	s.leaves()
	s.keyPairs()
	s.rest()
	return s.out
}

func ownName(slots []*topology.Slot, file string) int {
	for _, s := range slots {
		if named(file, s.Files.Cert) || named(file, s.Files.Key) {
			return 1
		}
	}
	return 0
}

type candidate struct {
	file int
	cert *x509.Certificate
	ca   bool
}

type sorter struct {
	slots  []*topology.Slot
	files  []File
	certs  []candidate // one for each file that begins with a certificate
	used   map[string]bool
	issuer map[topology.AuthorityID]*x509.Certificate
	why    map[int]string
	out    Result
}

// read finds the certificate that each file stands for: its first.
func (s *sorter) read() {
	s.why = map[int]string{}
	seen := map[string]string{}
	for i, f := range s.files {
		var own *x509.Certificate
		for _, c := range f.Doc.Certificates {
			if c.X509 != nil {
				own = c.X509
				break
			}
		}
		if own == nil {
			continue
		}
		if other, ok := seen[string(own.Raw)]; ok {
			s.why[i] = "the same certificate as " + untrusted.Text(other).String()
			continue
		}
		seen[string(own.Raw)] = f.Name
		s.certs = append(s.certs, candidate{file: i, cert: own, ca: own.IsCA})
	}
}

func (s *sorter) place(slot topology.SlotID, part Part, file, why string) {
	s.out.Placed = append(s.out.Placed, Placed{Slot: slot, Part: part, File: file, Why: why})
	s.used[file] = true
}

// authorities gives each CA slot the CA that signed most of what looks like its
// leaves. One CA may be the CA of several.
func (s *sorter) authorities() {
	for _, slot := range s.slots {
		if slot.Kind != topology.CA {
			continue
		}
		best, bestScore, why := -1, 0, ""
		for i, c := range s.certs {
			if !c.ca && !named(s.files[c.file].Name, slot.Files.Cert) {
				continue
			}
			score, because := s.caScore(slot, c)
			if score > bestScore {
				best, bestScore, why = i, score, because
			}
		}
		if best < 0 {
			continue
		}
		c := s.certs[best]
		s.issuer[slot.Authority] = c.cert
		s.place(slot.ID, Cert, s.files[c.file].Name, why)
		s.keyOf(slot, c)
	}
}

func (s *sorter) caScore(slot *topology.Slot, ca candidate) (int, string) {
	score, why := 0, ""
	signed := 0
	for _, leaf := range s.certs {
		if leaf.cert == ca.cert || !issued(ca.cert, leaf.cert) {
			continue
		}
		for _, other := range s.slots {
			if other.Kind == topology.Leaf && other.Authority == slot.Authority {
				if own, _ := leafScore(other, s.files[leaf.file].Name, leaf.cert); own >= strong && !s.fitsOther(other.Authority, leaf, own) {
					signed++
					break
				}
			}
		}
	}
	if signed > 0 {
		score += 10 + min(signed, 10)
		why = fmt.Sprintf("it signed %s of this authority", count(signed, "certificate"))
	}
	if named(s.files[ca.file].Name, slot.Files.Cert) {
		score += 6
		if why == "" {
			why = "it has the slot's own file name"
		}
	}
	if ca.cert.Subject.CommonName == slot.Subject.CN && slot.Subject.CN != "" {
		score += 4
		if why == "" {
			why = "it has the slot's common name"
		}
	}
	if ca.ca && strings.Contains(strings.ToLower(s.files[ca.file].Name), string(slot.Authority)) {
		score += 2
		if why == "" {
			why = "its file name has the authority's name"
		}
	}
	if ca.ca && score == 0 && s.onlyCA() {
		return 1, "it is the only CA here"
	}
	return score, why
}

// fitsOther says that a leaf fits a slot of another authority better.
func (s *sorter) fitsOther(a topology.AuthorityID, leaf candidate, than int) bool {
	for _, other := range s.slots {
		if other.Kind == topology.Leaf && other.Authority != a {
			if score, _ := leafScore(other, s.files[leaf.file].Name, leaf.cert); score > than {
				return true
			}
		}
	}
	return false
}

func (s *sorter) onlyCA() bool {
	n := 0
	for _, c := range s.certs {
		if c.ca {
			n++
		}
	}
	return n == 1
}

func issued(ca, leaf *x509.Certificate) bool {
	return string(ca.RawSubject) == string(leaf.RawIssuer) && leaf.CheckSignatureFrom(ca) == nil
}

// strong is the score from which a leaf may be said to be of a slot.
const strong = 6

// leaves places each leaf in the slot that it fits best, the best fits first.
func (s *sorter) leaves() {
	type fit struct {
		score     int
		slot      *topology.Slot
		candidate candidate
		why       string
	}
	var fits []fit
	for _, slot := range s.slots {
		if slot.Kind != topology.Leaf {
			continue
		}
		for _, c := range s.certs {
			if s.used[s.files[c.file].Name] {
				continue
			}
			score, why := leafScore(slot, s.files[c.file].Name, c.cert)
			if ca := s.issuer[slot.Authority]; ca != nil {
				if issued(ca, c.cert) {
					score += 6
				} else if s.ofAnotherAuthority(slot.Authority, c.cert) {
					score -= 6
				}
			}
			if score > 0 {
				fits = append(fits, fit{score, slot, c, why})
			}
		}
	}
	slices.SortStableFunc(fits, func(a, b fit) int { return b.score - a.score })
	done := map[topology.SlotID]bool{}
	for _, f := range fits {
		name := s.files[f.candidate.file].Name
		if done[f.slot.ID] || s.used[name] {
			continue
		}
		done[f.slot.ID] = true
		s.place(f.slot.ID, Cert, name, f.why)
		s.keyOf(f.slot, f.candidate)
	}
}

func (s *sorter) ofAnotherAuthority(a topology.AuthorityID, leaf *x509.Certificate) bool {
	for other, ca := range s.issuer {
		if other != a && issued(ca, leaf) {
			return true
		}
	}
	return false
}

// leafScore says how well a certificate fits a slot, and the best reason.
func leafScore(slot *topology.Slot, file string, c *x509.Certificate) (int, string) {
	score, why := 0, ""
	because := func(points int, reason string) {
		score += points
		if why == "" {
			why = reason
		}
	}
	if c.IsCA {
		score -= 4
	}
	if named(file, slot.Files.Cert) {
		because(5, "it has the slot's own file name")
	}
	if names := len(slot.Names); names > 0 {
		covered, required := 0, 0
		for _, n := range slot.Names {
			if covers(c, n) {
				covered++
				if n.Required != "" {
					required++
				}
			}
		}
		if total := len(slot.RequiredNames()); total > 0 && required > 0 {
			because(2+8*required/total, fmt.Sprintf("it answers to %d of the %d names that are dialled", required, total))
		}
		score += 4 * covered / names
		score -= min(3, max(0, len(c.DNSNames)+len(c.IPAddresses)+len(c.URIs)-covered))
	} else if len(c.DNSNames)+len(c.IPAddresses) > 0 {
		score -= 2
	}
	if slot.Subject.CN != "" && c.Subject.CommonName == slot.Subject.CN || slot.Requires.CN != "" && c.Subject.CommonName == slot.Requires.CN {
		because(4, "it has the slot's common name")
	}
	for _, group := range slot.Requires.Groups {
		if !slices.ContainsFunc(group, func(o string) bool { return !slices.Contains(c.Subject.Organization, o) }) {
			because(5, "it is in group "+strings.Join(group, ", "))
			break
		}
	}
	return score + usageScore(slot, c), why
}

func usageScore(slot *topology.Slot, c *x509.Certificate) int {
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return 1
	}
	score := 0
	for _, u := range []struct {
		usage topology.Usage
		bit   x509.ExtKeyUsage
	}{{topology.ServerAuth, x509.ExtKeyUsageServerAuth}, {topology.ClientAuth, x509.ExtKeyUsageClientAuth}} {
		has, issued := slices.Contains(c.ExtKeyUsage, u.bit), slices.Contains(slot.Usages, u.usage)
		switch {
		case has && issued:
			score += 2
		case !has && slices.Contains(slot.Requires.Usages, u.usage):
			score -= 3
		case has != issued:
			score--
		}
	}
	return score
}

func covers(c *x509.Certificate, n topology.Name) bool {
	switch n.Kind {
	case topology.IPAddress:
		ip := net.ParseIP(n.Value)
		return slices.ContainsFunc(c.IPAddresses, ip.Equal)
	case topology.URIName:
		for _, u := range c.URIs {
			if u.String() == n.Value {
				return true
			}
		}
		return false
	}
	if strings.HasPrefix(n.Value, "*.") {
		return slices.Contains(c.DNSNames, n.Value)
	}
	return c.VerifyHostname(n.Value) == nil
}

// named says that a file has the name that the layout gives the slot, with its
// folder where the layout has one.
func named(file, want string) bool {
	if want == "" {
		return false
	}
	stem := func(p string) string {
		return strings.TrimSuffix(strings.TrimSuffix(path.Clean(strings.ReplaceAll(p, `\`, "/")), path.Ext(p)), ".crt")
	}
	f, w := stem(file), stem(want)
	return f == w || strings.HasSuffix(f, "/"+w)
}

// keyOf places the key of a certificate: the one with its public key; else one
// of the same file name, which check will say does not match.
func (s *sorter) keyOf(slot *topology.Slot, c candidate) {
	for _, f := range s.files {
		for _, k := range f.Doc.Keys {
			if k.Signer != nil && material.SamePublicKey(k.Signer.Public(), c.cert.PublicKey) {
				s.place(slot.ID, Key, f.Name, "its public key is the certificate's")
				return
			}
		}
	}
	if slot.Kind == topology.CA {
		return // a CA comes without its key as often as not
	}
	own := s.files[c.file].Name
	stem := strings.TrimSuffix(own, path.Ext(own))
	for _, f := range s.files {
		if len(f.Doc.Keys) > 0 && f.Name != own && !s.used[f.Name] && (strings.TrimSuffix(f.Name, path.Ext(f.Name)) == stem || named(f.Name, slot.Files.Key)) {
			s.place(slot.ID, Key, f.Name, "it has the certificate's file name")
			return
		}
	}
}

// keyPairs gives what keys are left to the slots without a certificate.
func (s *sorter) keyPairs() {
	for _, slot := range s.slots {
		if slot.Kind != topology.KeyPair {
			continue
		}
		var public crypto.PublicKey
		for _, byName := range []bool{true, false} {
			for _, f := range s.files {
				if s.used[f.Name] || len(f.Doc.Keys) == 0 || len(f.Doc.Certificates) > 0 || byName && !named(f.Name, slot.Files.Key) || public != nil {
					continue
				}
				if !byName && len(s.looseKeys()) != 1 {
					continue
				}
				why := "it has the slot's own file name"
				if !byName {
					why = "it is the only key here without a certificate"
				}
				s.place(slot.ID, Key, f.Name, why)
				if k := f.Doc.Keys[0].Signer; k != nil {
					public = k.Public()
				} else {
					public = struct{}{}
				}
			}
		}
		for _, f := range s.files {
			if s.used[f.Name] || len(f.Doc.PublicKeys) == 0 {
				continue
			}
			if public != nil && material.SamePublicKey(f.Doc.PublicKeys[0], public) || named(f.Name, slot.Files.Public) {
				s.place(slot.ID, Cert, f.Name, "it is the public key of the pair")
				break
			}
		}
	}
}

func (s *sorter) looseKeys() []string {
	var out []string
	for _, f := range s.files {
		if !s.used[f.Name] && len(f.Doc.Keys) > 0 && len(f.Doc.Certificates) == 0 {
			out = append(out, f.Name)
		}
	}
	return out
}

// rest says what is left over and what is missing.
func (s *sorter) rest() {
	for i, f := range s.files {
		if s.used[f.Name] {
			continue
		}
		s.out.Unplaced = append(s.out.Unplaced, Unplaced{File: f.Name, Why: s.unplaced(i, f)})
	}
	for _, slot := range s.slots {
		part := Cert
		if slot.Kind == topology.KeyPair {
			part = Key
		}
		if s.out.Find(slot.ID, part) == "" && !slot.Optional {
			s.out.Missing = append(s.out.Missing, slot.ID)
		}
	}
}

func (s *sorter) unplaced(i int, f File) string {
	d := f.Doc
	switch {
	case s.why[i] != "":
		return s.why[i]
	case len(d.Certificates) > 0 && d.Certificates[0].X509 != nil && d.Certificates[0].X509.IsCA:
		return "a CA that signed nothing which is asked for: " + material.Subject(d.Certificates[0].X509).String()
	case len(d.Certificates) > 0 && d.Certificates[0].X509 != nil:
		return "no slot that is asked for has its names, usages or subject: " + material.Subject(d.Certificates[0].X509).String()
	case len(d.Keys) > 0 && d.Keys[0].Encrypted && d.Keys[0].Signer == nil:
		return "an encrypted key: whose it is shows only with its passphrase"
	case len(d.Keys) > 0:
		return "a private key whose certificate is not here"
	case d.Requests > 0:
		return "a certificate signing request, not a certificate"
	case d.CRLs > 0:
		return "a revocation list"
	case len(d.PublicKeys) > 0:
		return "a public key that belongs to nothing here"
	case len(d.Problems) > 0:
		return d.Problems[0].Detail
	}
	return fmt.Sprintf("no certificate and no key (%s)", d.Format)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
