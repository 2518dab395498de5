package calendar

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/certs/material"
	"certwright/flow/install"
)

// maxExtra bounds the files of a set's directory that are not its own and are
// looked into; more than that is somebody else's directory.
const maxExtra = 10_000

// set is a source with a manifest. What counts is the certificate in the file,
// where it can be read, and not what the manifest says of it.
func (r *reader) set(drift *store.Drift) error {
	r.source.Kind, r.source.Drift = Set, drift
	files := make([]store.Entry, 0, drift.Manifest.Files.Len())
	for _, e := range drift.Manifest.Files.All() {
		files = append(files, e)
	}
	if !r.all {
		files = originals(files)
	}
	files = slices.DeleteFunc(files, func(e store.Entry) bool { return e.NotAfter == nil })
	entries := make([]Entry, len(files))
	notes := make([]string, len(files))
	err := each(r.ctx, len(files), func(i int) {
		entries[i], notes[i] = r.planned(files[i], slices.Contains(drift.Missing, files[i].Path))
	})
	if err != nil {
		return err
	}
	r.entries = r.distinct(entries)
	for i, text := range notes {
		if text != "" {
			r.note(files[i].Path, text)
		}
	}
	if now := r.w.Now(); drift.Manifest.Created.After(now.Add(clockSlack)) {
		r.note(store.ManifestName, "was written "+drift.Manifest.Created.UTC().Format(time.RFC3339)+", which is still to come: this machine's clock is behind, or the manifest was changed")
	}
	return r.extras(drift)
}

// distinct leaves out a manifest or a module that holds nothing but copies of
// the slots' certificates.
func (r *reader) distinct(entries []Entry) []Entry {
	known := map[string]bool{}
	for _, e := range entries {
		known[e.SHA256] = known[e.SHA256] || e.Slot != ""
	}
	if r.all {
		return entries
	}
	return slices.DeleteFunc(entries, func(e Entry) bool { return e.Slot == "" && e.SHA256 != "" && known[e.SHA256] })
}

// clockSlack is how far two machines' clocks may be apart before it is said.
const clockSlack = 5 * time.Minute

// planned is a file of the manifest, as it lies there now.
func (r *reader) planned(f store.Entry, missing bool) (Entry, string) {
	known := Entry{Path: r.name(f.Path), Slot: f.Slot, Serial: f.Serial, NotAfter: *f.NotAfter}
	if missing {
		return known, ""
	}
	in, err := install.ReadInput(r.w.Read, r.at(f.Path))
	if err != nil {
		return known, "could not be read; the dates are those of the manifest"
	}
	held := contents(r.w, filepath.Dir(r.at(f.Path)), in).certificates
	i := slices.IndexFunc(held, func(h holding) bool { return sameSerial(material.Serial(h.cert.SerialNumber), f.Serial) })
	if i < 0 && len(held) > 0 {
		i = 0 // it was changed since: what is there now comes first
	}
	if i < 0 {
		return known, "holds no certificate any more; the dates are those of the manifest"
	}
	e := entryOf(held[i].cert)
	e.Path, e.Slot = known.Path, f.Slot
	if sameSerial(e.Serial, f.Serial) {
		e.Serial = f.Serial
		if !e.NotAfter.Equal(known.NotAfter) {
			return e, "the manifest says that it ends " + known.NotAfter.UTC().Format(time.RFC3339) + "; the certificate itself is right, and the manifest was changed"
		}
	}
	return e, ""
}

// sameSerial compares serial numbers in hexadecimal, with or without colons.
func sameSerial(a, b string) bool {
	plain := func(s string) string { return strings.TrimLeft(strings.ToLower(strings.ReplaceAll(s, ":", "")), "0") }
	return plain(a) == plain(b)
}

// extras are certificates that somebody put into the set's directory.
func (r *reader) extras(drift *store.Drift) error {
	extra := slices.DeleteFunc(slices.Clone(drift.Extra), func(p string) bool { return strings.HasPrefix(path.Base(p), ".") })
	if len(extra) > maxExtra {
		r.note(".", "holds many more files than the set's; they were not looked into")
		return nil
	}
	known := map[string]bool{}
	for _, e := range r.entries {
		known[e.SHA256] = true
	}
	own := r.entries
	r.entries = nil
	if err := r.files(extra); err != nil {
		return err
	}
	r.settle()
	for _, e := range r.entries {
		if r.all || !known[e.SHA256] {
			own = append(own, e)
		}
	}
	r.entries = own
	return nil
}

// originals leaves out the copies of a slot's certificate: the deployed file
// stands for it, then the CA's own, then whatever else holds it. It works in files itself.
func originals(files []store.Entry) []store.Entry {
	type certificate struct{ slot, serial string }
	rank := func(e store.Entry) int {
		plain := e.Kind == string(layout.KindCertificate) || e.Kind == string(layout.KindCA)
		switch {
		case plain && strings.HasPrefix(e.Path, "tls/"):
			return 0
		case plain && strings.HasPrefix(e.Path, "nodes/"):
			return 1
		case plain:
			return 2
		case strings.HasPrefix(e.Path, "tls/"): // a client that lives in a kubeconfig alone
			return 3
		}
		return 4
	}
	best := map[certificate]store.Entry{}
	for _, e := range files {
		c := certificate{e.Slot, e.Serial}
		if known, ok := best[c]; !ok || rank(e) < rank(known) {
			best[c] = e
		}
	}
	return slices.DeleteFunc(files, func(e store.Entry) bool {
		return e.Slot != "" && e.Serial != "" && best[certificate{e.Slot, e.Serial}].Path != e.Path
	})
}
