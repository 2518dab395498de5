package install

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/certs/check"
	"certwright/certs/material"
	"certwright/certs/untrusted"
)

// Orphaned refuses a write that puts another CA above certificates that stay:
// they would no longer verify. staying are the paths of the files in existing
// that remain beside those that are written. Its error is a *store.Error of kind
// Refused with the count, and nil when every CA stays, which is known without
// reading what stays.
//
// Force does not lift it: the files that stay are not the set's to replace, so a
// person has to move them away or issue them anew.
func Orphaned(w *World, existing *store.Existing, files []layout.File, staying []string) error {
	if len(staying) == 0 {
		return nil
	}
	before := replacedCAs(w, existing, files, staying)
	if len(before) == 0 {
		return nil
	}
	var after []*x509.Certificate
	for _, f := range files {
		if trust(string(f.Kind)) {
			after = append(after, certificatesIn(material.Input{Name: f.Path, Data: f.Data})...)
		}
	}
	var kept []check.Held
	for _, p := range staying {
		held := heldAt(w, existing.Dir, p)
		if len(held.Certificates) == 0 {
			continue
		}
		kept = append(kept, held)
		if e := existing.Entry(p); e != nil && trust(e.Kind) { // a CA that is kept goes on being trusted; one that somebody left there need not be
			after = append(after, held.Certificates...)
		}
	}
	broken := check.Orphans(kept, before, after)
	if len(broken) == 0 {
		return nil
	}
	return orphansError(existing.Dir, broken)
}

// orphansError counts what would break and names the first of it.
func orphansError(dir string, broken []check.Held) error {
	var named []string
	for _, h := range broken[:min(len(broken), maxPlaces)] {
		named = append(named, untrusted.Text(h.Path).String())
	}
	more, verb := "", "certificate that stays would"
	if len(broken) > 1 {
		verb = "certificates that stay would"
	}
	if n := len(broken) - len(named); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return &store.Error{
		Kind: store.Refused, Path: dir, State: "nothing was changed",
		Err:  fmt.Errorf("%d %s no longer verify under the new CA: %s%s", len(broken), verb, strings.Join(named, ", "), more),
		Next: "keep the CA (bring it with its key), or move these files away and issue them anew, or write to another directory with --out",
	}
}

// replacedCAs are the CAs in files that give way to other bytes or are removed.
func replacedCAs(w *World, existing *store.Existing, files []layout.File, staying []string) []*x509.Certificate {
	planned := make([]store.Planned, len(files))
	for i, f := range files {
		planned[i] = storeFile(f).Planned()
	}
	stays := make(map[string]bool, len(staying))
	for _, p := range staying {
		stays[p] = true
	}
	var cas []*x509.Certificate
	for c := range existing.Changes(planned) {
		if c.What != store.Overwrite && c.What != store.Takeover && c.What != store.Remove {
			continue
		}
		if e := existing.Entry(c.Path); stays[c.Path] || e != nil && !trust(e.Kind) {
			continue
		}
		certs := heldAt(w, existing.Dir, c.Path).Certificates
		if !slices.ContainsFunc(certs, func(c *x509.Certificate) bool { return !c.IsCA }) { // not the chain beside a leaf
			cas = append(cas, certs...)
		}
	}
	return cas
}

// trust says whether files of a kind hold CAs that something trusts.
func trust(kind string) bool {
	return kind == string(layout.KindCA) || kind == string(layout.KindBundle)
}

// heldAt reads the certificates in a file of the destination. One that cannot be
// read holds none that anything could use.
func heldAt(w *World, dir, path string) check.Held {
	held := check.Held{Path: path}
	in, err := ReadInput(w.Write, filepath.Join(dir, filepath.FromSlash(path)))
	if err != nil {
		return held
	}
	defer clear(in.Data)
	held.Certificates = certificatesIn(in)
	return held
}

// markers begin a certificate: in PEM, in the base64 of PEM, in DER.
var markers = [][]byte{[]byte("BEGIN CERTIFICATE"), []byte("BEGIN TRUSTED"), []byte("LS0tLS1CRUdJTi"), {0x30, 0x82}}

func certificatesIn(in material.Input) []*x509.Certificate {
	if !slices.ContainsFunc(markers, func(m []byte) bool { return bytes.Contains(in.Data, m) }) {
		return nil // spares the parser what is surely no certificate
	}
	var out []*x509.Certificate
	for _, c := range material.Parse(in).Certificates {
		if c.X509 != nil {
			out = append(out, c.X509)
		}
	}
	return out
}
