package store

import (
	"bytes"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawEntries are those of a manifest, by path.
func drawEntries(t *rapid.T) []Entry {
	byPath := map[string]bool{}
	var list []Entry
	for range rapid.IntRange(0, 12).Draw(t, "files") {
		path := "d" + rapid.StringMatching(`[a-e]{1,2}`).Draw(t, "dir") + "/" + rapid.StringMatching(`[a-c]{1,2}`).Draw(t, "name")
		if byPath[path] {
			continue
		}
		byPath[path] = true
		f := File{
			Path: path, Data: []byte(rapid.StringMatching(`[xy]`).Draw(t, "data")), Mode: rapid.SampledFrom([]fs.FileMode{0o600, 0o644}).Draw(t, "mode"),
			Slot: rapid.SampledFrom([]string{"", "a/b", "a/c"}).Draw(t, "slot"), Kind: rapid.SampledFrom([]string{"key", "certificate"}).Draw(t, "kind"), Serial: rapid.SampledFrom([]string{"", "0a"}).Draw(t, "serial"),
		}
		if rapid.Bool().Draw(t, "ends") {
			f.NotAfter = now
		}
		list = append(list, f.entry(f.Planned()))
	}
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// A manifest that is read beside an earlier one is the same as when it is read
// alone, whatever they have in common, and whatever the order of its lines.
func TestManifestBesideAnEarlierOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parse := func(list []Entry, before *Manifest) *Manifest {
			var b bytes.Buffer
			m := &Manifest{Version: "1", Profile: "p", Created: now}
			if err := m.write(&b, slices.Values(list)); err != nil {
				t.Fatal(err)
			}
			m, err := parseManifest(&b, before, rapid.IntRange(0, 20).Draw(t, "room"))
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		old := drawEntries(t)
		want := slices.Clone(old)
		switch rapid.IntRange(0, 4).Draw(t, "now") {
		case 0: // as it was
		case 1:
			want = drawEntries(t)
		case 2:
			want = want[:rapid.IntRange(0, len(want)).Draw(t, "shorter")]
		case 3:
			want = append(want, File{Path: "z", Mode: 0o644}.entry(Planned{Mode: 0o644, SHA256: digest(nil)}))
		case 4:
			if n := len(want); n > 0 {
				want[rapid.IntRange(0, n-1).Draw(t, "which")].Size++
			}
		}
		before := parse(old, nil)
		mixed := rapid.Permutation(want).Draw(t, "order")
		for _, list := range [][]Entry{want, mixed} {
			m := parse(list, before)
			if got := slices.Collect(entriesOf(m)); !slices.EqualFunc(got, want, sameEntry) || m.Files.Len() != len(want) {
				t.Fatalf("got %+v\nwant %+v\nbeside %+v", got, want, old)
			}
			for _, e := range want {
				if i := m.Files.Find(e.Path); i < 0 || !sameEntry(m.Files.At(i), e) || m.Files.Find(strings.ToUpper(e.Path)) >= 0 {
					t.Fatalf("%s is not found", e.Path)
				}
			}
			sums := func(a, b Entry) bool { return a.Path == b.Path && a.SHA256 == b.SHA256 }
			if same := slices.EqualFunc(want, old, sums); m.Files.Same(before.Files) != same || before.Files.Same(m.Files) != same {
				t.Fatalf("%+v and %+v: the same is %t", want, old, !same)
			}
			of := map[string][]Entry{}
			for _, e := range want {
				of[e.Slot] = append(of[e.Slot], e)
			}
			for _, slot := range []string{"", "a/b", "a/c", "no"} {
				var got []Entry
				for _, e := range m.Files.OfSlot(slot) {
					got = append(got, e)
				}
				if !slices.EqualFunc(got, of[slot], sameEntry) {
					t.Fatalf("slot %q: got %+v\nwant %+v", slot, got, of[slot])
				}
			}
		}
	})
}
