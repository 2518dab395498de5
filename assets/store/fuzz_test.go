package store

import (
	"bytes"
	"iter"
	"path/filepath"
	"strings"
	"testing"
)

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"version":"1","profile":"p","created":"2026-11-21T12:00:00Z","files":[{"path":"a/b","mode":"0600","sha256":"` + strings.Repeat("ab", 32) + `","size":1,"kind":"key"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(bytes.NewReader(data), nil, 0)
		if err != nil {
			return
		}
		for _, e := range m.Files.All() {
			if !filepath.IsLocal(e.Path) || e.Mode&^0o777 != 0 || len(e.SHA256) != 64 {
				t.Fatalf("accepted %+v", e)
			}
		}
		var b bytes.Buffer
		if err := m.write(&b, entriesOf(m)); err != nil {
			t.Skip(err) // a year that JSON cannot say
		}
		again, err := parseManifest(&b, nil, 0)
		if err != nil || !again.sameFiles(m, entriesOf(m)) {
			t.Fatalf("reads differently: %v", err)
		}
	})
}

func FuzzJournal(f *testing.F) {
	j := &journal{Format: journalFormat, parts: parts{Tx: txPrefix + "0123", Mounts: []string{"tls", "tls/etcd"}}, Backup: backupPrefix + "20261121T120000Z-0123", Steps: []step{
		{Do: doDir, Path: "tls"},
		{Do: doInside, Path: "tls/ca.crt", New: digest(nil), Mode: "0644"},
		{Do: doFile, Path: ManifestName, New: digest(nil), Old: digest([]byte("x")), Mode: "0644"},
		{Do: doRemove, Path: "old", Old: digest(nil)},
	}}
	var b bytes.Buffer
	if err := j.write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes(), false)
	f.Add(b.Bytes(), true)
	f.Add([]byte("{}\n{}\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal { // a right checksum leads further in
			end := bytes.LastIndexByte(bytes.TrimSuffix(data, []byte("\n")), '\n') + 1
			data = append(data[:end:end], []byte(`{"sha256":"`+digest(data[:end])+"\"}\n")...)
		}
		j, err := parseJournal(data)
		if err != nil {
			return
		}
		if !ownName(j.Tx, txPrefix) {
			t.Fatalf("accepted staging directory %q", j.Tx)
		}
		for _, m := range j.Mounts {
			if !filepath.IsLocal(m) || strings.HasPrefix(m, ownPrefix) {
				t.Fatalf("accepted mount %q", m)
			}
		}
		for _, s := range j.Steps {
			if !filepath.IsLocal(s.Path) || strings.HasPrefix(s.Path, ownPrefix) {
				t.Fatalf("accepted %+v", s)
			}
		}
	})
}

func FuzzPointer(f *testing.F) {
	p := pointer{Format: pointerFormat, Tx: txPrefix + "0123", Dir: "/etc/kubernetes", Mount: "pki/etcd"}
	f.Add(p.text(), true)
	f.Add(p.text()[:40], false)
	f.Add([]byte(`{"certwright":"pointer/1","tx":".certwright-tx-0","dir":"/","mount":"../../etc"}`), true)
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal { // a right checksum leads further in
			line, _, _ := bytes.Cut(data, []byte("\n"))
			line = append(line[:len(line):len(line)], '\n')
			data = append(line, []byte(`{"sha256":"`+digest(line)+"\"}\n")...)
		}
		p, ok := parsePointer(data)
		if !ok {
			return
		}
		if !ownName(p.Tx, txPrefix) || !filepath.IsAbs(p.Dir) || !filepath.IsLocal(p.Mount) {
			t.Fatalf("accepted %+v", p)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"tls/ca.crt", "../x", "con.txt", "a//b", "ä"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if CheckPath(p) != nil {
			return
		}
		if !filepath.IsLocal(p) || filepath.ToSlash(filepath.Clean(p)) != p || strings.ContainsAny(p, "\\:\x00\n ") {
			t.Fatalf("accepted %q", p)
		}
	})
}

// entriesOf are the entries of a manifest, by path.
func entriesOf(m *Manifest) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, e := range m.Files.All() {
			if !yield(e) {
				return
			}
		}
	}
}
