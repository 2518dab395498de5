package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What is put into a ledger comes out again, by path, and is found by its path.
func TestTheLedgerKeepsWhatItIsGiven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(-1, -1, 40)
		element := rapid.StringMatching(`[a-cA-C]{1,2}`)
		old := drawEntries(t)
		before := newLedger(0, nil)
		for _, e := range old {
			if err := before.take(e); err != nil {
				t.Fatal(err)
			}
		}
		l := newLedger(rapid.IntRange(0, 3).Draw(t, "room"), rapid.SampledFrom([]*ledger{nil, before}).Draw(t, "before"))
		var want []Entry
		for _, e := range old { // as they were, but for some
			if rapid.Bool().Draw(t, "changed") {
				e.Size++
			}
			if err := errors.Join(l.add(e.Path), l.put(e, rapid.SampledFrom([]state{kept, written}).Draw(t, "stays"))); err != nil {
				t.Fatal(err)
			}
			want = append(want, e)
		}
		for range rapid.IntRange(0, 120).Draw(t, "files") {
			path := strings.Join(rapid.SliceOfN(element, 1, 3).Draw(t, "path"), "/")
			if l.add(path) != nil || rapid.IntRange(0, 9).Draw(t, "refused") == 0 {
				continue // as Add does with what may not be written
			}
			f := File{
				Path: path, Data: []byte(path), Mode: rapid.SampledFrom([]fs.FileMode{0o600, 0o644, 0o400}).Draw(t, "mode"), Slot: text.Draw(t, "slot"), Kind: text.Draw(t, "kind"), Serial: text.Draw(t, "serial"),
			}
			if rapid.Bool().Draw(t, "ends") {
				f.NotAfter = time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "end"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos"))
			}
			e := f.entry(f.Planned())
			becomes := rapid.SampledFrom([]state{written, kept, kept | carried | unlisted}).Draw(t, "state")
			if err := l.put(e, becomes); err != nil {
				t.Fatal(err)
			}
			if !l.has(strings.ToUpper(path)) || !l.in(path, becomes) || l.in(strings.ToUpper(path)+"x", becomes) {
				t.Fatalf("%s is not found", path)
			}
			if becomes&unlisted == 0 {
				want = append(want, e)
			}
		}
		slices.SortFunc(want, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
		got := slices.Collect(l.entries())
		if !slices.EqualFunc(got, want, sameEntry) {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
	})
}

func sameEntry(a, b Entry) bool {
	sameEnd := a.NotAfter == nil && b.NotAfter == nil ||
		a.NotAfter != nil && b.NotAfter != nil && a.NotAfter.Equal(*b.NotAfter)
	a.NotAfter, b.NotAfter = nil, nil
	return sameEnd && a == b
}

// Thousands of names are found, and no others.
func TestNamesOfAFleet(t *testing.T) {
	n := newNames(0)
	path := func(i int) string { return fmt.Sprintf("nodes/Node-%04d/pki/ca.crt", i) }
	for i := range 5000 {
		if err := n.add(path(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10_000 {
		if n.has(strings.ToLower(path(i))) != (i < 5000) || (n.file(path(i)) == i) != (i < 5000) {
			t.Fatalf("%s: %d", path(i), n.file(path(i)))
		}
	}
	if len(n.dirs.list) != 10_001 || n.dir("nodes/Node-0042/pki") < 0 || n.dir("nodes/node-0042/pki") >= 0 {
		t.Errorf("%d directories", len(n.dirs.list))
	}
	if n.add("nodes/Node-0042") == nil || n.add("nodes/node-0042/x") == nil || n.add("nodes/Node-0042/pki/CA.crt") == nil {
		t.Error("names that fall together were taken")
	}
}

// A file that is refused leaves no trace in the set that is written without it.
func TestARefusedFileIsNoPartOfTheSet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	mustWrite(t, OS(), dir, options(false), set("1"))
	if err := os.WriteFile(filepath.Join(dir, "foreign"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := options(false)
	o.Update = true
	tx, err := Begin(t.Context(), OS(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	status(t, tx.Add(file("foreign", "ours", 0o644, "document")), Refused)
	for _, f := range append(set("1"), file("more", "more", 0o644, "document")) {
		if err := tx.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	d, err := Check(OS(), dir)
	if err != nil || !d.Clean() || !slices.Equal(d.Extra, []string{"foreign"}) || d.Manifest.Files.Len() != len(set("1"))+1 {
		t.Errorf("%+v %v", d, err)
	}
}
