package place_test

import (
	"testing"

	"pgregory.net/rapid"

	"certwright/certs/place"
)

func TestWholeSetsUnderRandomNames(t *testing.T) {
	for _, w := range worlds(t) {
		t.Run(w.name, func(t *testing.T) {
			for seed := range uint64(5) {
				files, names := pile(w.items(t), seed)
				r := place.Sort(pointers(w.topo), files)
				expect(t, w, r, names)
				if len(r.Missing)+len(r.Unplaced) > 0 {
					t.Errorf("missing %v, unplaced %v", r.Missing, r.Unplaced)
				}
			}
		})
	}
}

// A new order and new names change nothing.
func TestShuffleAndRenameChangeNothing(t *testing.T) {
	ws := worlds(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := rapid.SampledFrom(ws).Draw(rt, "world")
		items := w.items(t)
		for range rapid.IntRange(0, 6).Draw(rt, "left out") {
			i := rapid.IntRange(0, len(items)-1).Draw(rt, "item")
			items = append(items[:i:i], items[i+1:]...)
		}
		for range rapid.IntRange(0, 6).Draw(rt, "strangers") {
			other := rapid.SampledFrom(ws).Draw(rt, "of")
			of := other.items(t)
			items = append(items, of[rapid.IntRange(0, len(of)-1).Draw(rt, "stranger")])
		}
		a, an := pile(items, rapid.Uint64().Draw(rt, "seed"))
		b, bn := pile(items, rapid.Uint64().Draw(rt, "other seed"))
		ra, rb := place.Sort(pointers(w.topo), a), place.Sort(pointers(w.topo), b)
		if x, y := outcome(ra, an), outcome(rb, bn); x != y {
			rt.Fatalf("one order\n%s\n\nanother\n%s", x, y)
		}
		whole(rt, ra, a)
	})
}

// whole says that each file is in the result: placed, or unplaced once.
func whole(t interface{ Errorf(string, ...any) }, r place.Result, files []place.File) {
	placed, unplaced := map[string]bool{}, map[string]int{}
	for _, p := range r.Placed {
		placed[p.File] = true
	}
	for _, u := range r.Unplaced {
		unplaced[u.File]++
		if u.Why == "" {
			t.Errorf("%s is unplaced without a reason", u.File)
		}
	}
	for _, f := range files {
		if placed[f.Name] == (unplaced[f.Name] > 0) || unplaced[f.Name] > 1 {
			t.Errorf("%s: placed %v, unplaced %d times", f.Name, placed[f.Name], unplaced[f.Name])
		}
	}
}
