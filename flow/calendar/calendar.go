// Package calendar says when what ends: every certificate of a set that
// certwright wrote, of a machine's /etc/kubernetes, of kubeconfigs, manifests
// of Secrets and folders, in one list. Start with Read.
//
// It reads certificates alone, looks at no private key, changes nothing and
// prints nothing: rendering belongs to the user interface.
package calendar

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"certwright/assets/store"
	"certwright/certs/material"
	"certwright/certs/untrusted"
	"certwright/flow/install"
)

// Kind is what a source was found to be.
type Kind string

// The kinds of source.
const (
	Set     Kind = "set"        // what certwright wrote, with its manifest
	Kubeadm Kind = "kubernetes" // kubeadm's tree: /etc/kubernetes, or its pki
	K3s     Kind = "k3s"        // the server/tls of k3s
	Folder  Kind = "folder"
	File    Kind = "file"
)

// Source is one argument.
type Source struct {
	Path  string // as typed; untrusted text
	Kind  Kind
	Drift *store.Drift // of a set
}

// Entry is one certificate. Its texts are escaped, but for Path and Copies,
// which are untrusted text.
type Entry struct {
	Path       string   // of the file: below the source when there is one, else with it
	At         string   // the place inside the file: users/admin/client-certificate-data
	Slot       string   // in a set
	Subject    string   // "" when the file could not be read and only the manifest knows
	Issuer     string   // as Subject
	Names      []string // its subject alternative names
	Serial     string
	SHA256     string // of the certificate, in hex; "" when only the manifest knows
	CA         bool
	SelfSigned bool
	NotBefore  time.Time // zero when only the manifest knows
	NotAfter   time.Time
	// Renewal says who renews it, or that nobody does, where that is known for
	// sure, in a clause: "renewed by the kubelet"; "" elsewhere.
	Renewal string
	// Superseded names the file that took this one's place; what is superseded
	// may end.
	Superseded string
	Copies     []string // other files that hold the same certificate

	issuerKey string
	rank      int
}

// Ends says whether the certificate is gone, or will be at the time given, and
// somebody should care.
func (e *Entry) Ends(by time.Time) bool { return e.Superseded == "" && e.NotAfter.Before(by) }

// Early says whether the certificate is not valid yet.
func (e *Entry) Early(now time.Time) bool { return e.NotBefore.After(now) }

// Days is what is left of it, in whole days; negative once it has ended.
func (e *Entry) Days(now time.Time) int {
	left := e.NotAfter.Sub(now)
	if days := int(left / (24 * time.Hour)); left >= 0 || left%(24*time.Hour) == 0 {
		return days
	}
	return int(left/(24*time.Hour)) - 1
}

// Key is the same for a certificate and for what renews it: its place, its
// names and the key of the CA above it. It is the stable part of an identifier.
func (e *Entry) Key() string {
	h := sha256.New()
	for _, part := range append([]string{e.Path, e.At, e.Slot, e.Subject, e.issuerKey}, e.Names...) {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Note says what the calendar does not know, and why.
type Note struct {
	Path string // untrusted text
	Text string // escaped
}

// Calendar is everything that ends, the soonest first.
type Calendar struct {
	Sources []Source
	Entries []Entry
	Notes   []Note
}

// Read reads sets, folders and files. all lists every file that holds a
// certificate by itself, and what is superseded; without it a certificate that
// lies in several files of a source is one entry, with its copies. The error
// is about a path that cannot be read, or holds no certificate; what cannot be
// read below a folder is in Notes.
func Read(ctx context.Context, w *install.World, paths []string, all bool) (*Calendar, error) {
	c := &Calendar{}
	for _, p := range paths {
		r := &reader{ctx: ctx, w: w, source: Source{Path: p}, all: all, prefix: len(paths) > 1}
		if err := r.read(); err != nil {
			return nil, err
		}
		c.Sources = append(c.Sources, r.source)
		c.Entries = append(c.Entries, r.entries...)
		c.Notes = append(c.Notes, r.notes...)
	}
	sort.SliceStable(c.Entries, func(i, j int) bool {
		a, b := &c.Entries[i], &c.Entries[j]
		return cmp.Or(a.NotAfter.Compare(b.NotAfter), strings.Compare(a.Path, b.Path), strings.Compare(a.At, b.At)) < 0
	})
	return c, nil
}

// reader reads one source.
type reader struct {
	ctx     context.Context
	w       *install.World
	source  Source
	all     bool
	prefix  bool // name files with their source
	entries []Entry
	notes   []Note
}

func (r *reader) read() error {
	info, err := r.w.Read.Stat(r.at("."))
	if err != nil || !info.IsDir() {
		return r.file() // it says what is wrong with a path that is not there
	}
	drift, err := store.Check(r.w.Write, r.at("."))
	var se *store.Error
	switch {
	case err == nil:
		return r.set(drift)
	case errors.As(err, &se) && se.Kind == store.Invalid && errors.Is(err, fs.ErrNotExist):
		return r.folder() // no manifest: it is not a set
	case errors.As(err, &se) && se.Kind == store.Refused && r.linked():
		return r.folder()
	}
	return err
}

// linked says whether the source is a symbolic link to a directory, which the
// store takes no set in, and people have their certificates in.
func (r *reader) linked() bool {
	info, err := r.w.Write.Lstat(r.at("."))
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// at is where a file of the source lies.
func (r *reader) at(rel string) string {
	p := filepath.Join(r.source.Path, rel)
	if filepath.IsAbs(p) || r.w.Dir == "" {
		return p
	}
	return filepath.Join(r.w.Dir, p)
}

// name is what a file of the source is called.
func (r *reader) name(rel string) string {
	if r.prefix {
		return filepath.Join(r.source.Path, rel)
	}
	return rel
}

func (r *reader) note(rel, text string) {
	r.notes = append(r.notes, Note{Path: r.name(rel), Text: text})
}

// file is a source that is one file.
func (r *reader) file() error {
	r.source.Kind = File
	in, err := install.ReadInput(r.w.Read, r.at("."))
	if err != nil {
		var re *install.ReadError
		if errors.As(err, &re) && r.source.Path != re.Path {
			in := *re
			in.Message = strings.ReplaceAll(in.Message, untrusted.Text(re.Path).String(), untrusted.Text(r.source.Path).String())
			return &in
		}
		return err
	}
	held := contents(r.w, filepath.Dir(r.at(".")), in)
	r.take(r.source.Path, held)
	if len(r.entries) == 0 {
		return fmt.Errorf("%s holds no certificate; certwright inspect says what it holds", untrusted.Text(r.source.Path))
	}
	r.settle()
	return nil
}

// take makes entries of what a file holds. path is what the file is called.
func (r *reader) take(path string, held found) {
	for _, h := range held.certificates {
		e := entryOf(h.cert)
		e.Path, e.At, e.Renewal, e.rank = path, h.at, h.renewal, h.rank
		r.entries = append(r.entries, e)
	}
	for _, why := range held.problems {
		r.notes = append(r.notes, Note{Path: path, Text: why})
	}
}

func entryOf(c *x509.Certificate) Entry {
	sum := sha256.Sum256(c.Raw)
	e := Entry{
		Subject: material.Subject(c).String(), Issuer: material.Issuer(c).String(), Serial: material.Serial(c.SerialNumber),
		SHA256: hex.EncodeToString(sum[:]), CA: c.IsCA, SelfSigned: string(c.RawSubject) == string(c.RawIssuer),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, issuerKey: hex.EncodeToString(c.AuthorityKeyId),
	}
	for _, n := range material.SANs(c) {
		e.Names = append(e.Names, n.String())
	}
	return e
}

// settle joins the copies of a certificate into one entry: that of the plainest file.
func (r *reader) settle() {
	if r.all {
		return
	}
	r.entries = slices.DeleteFunc(r.entries, func(e Entry) bool { return e.Superseded != "" })
	sort.SliceStable(r.entries, func(i, j int) bool {
		a, b := &r.entries[i], &r.entries[j]
		return cmp.Or(a.rank-b.rank, strings.Count(a.Path, "/")-strings.Count(b.Path, "/"), strings.Compare(a.Path, b.Path)) < 0
	})
	first := map[string]int{}
	var out []Entry
	for _, e := range r.entries {
		i, known := first[e.SHA256]
		if !known || e.SHA256 == "" {
			first[e.SHA256] = len(out)
			out = append(out, e)
			continue
		}
		if o := &out[i]; o.Path != e.Path && !slices.Contains(o.Copies, e.Path) {
			o.Copies = append(o.Copies, e.Path)
		}
		out[i].Renewal = cmp.Or(out[i].Renewal, e.Renewal)
	}
	r.entries = out
}
