package place_test

import (
	"fmt"
	"testing"

	"certwright/certs/material"
	"certwright/certs/place"
)

// Whatever documents there are, nothing panics, and each file is in the result
// once: placed or unplaced. The first byte of the input chooses the cluster,
// then each one a piece of some set or, from 0xf0 on, a cut through what follows.
func FuzzSort(f *testing.F) {
	ws := worlds(f)
	var pieces [][]byte
	for _, w := range ws[:3] {
		for _, it := range w.items(f) {
			pieces = append(pieces, it.data)
		}
	}
	f.Add([]byte("\x00\x01\x02\x03\x04"))
	f.Add([]byte("\x01\x10\xf1-----BEGIN CERTIFICATE-----\n"))
	f.Add([]byte("\x02\xf2\x20\x21\xf3\x22\xf0\x23"))
	f.Add([]byte("\x05apiVersion: v1\nkind: Config\nusers: [{}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 || len(data) > 200 {
			return
		}
		w := ws[int(data[0])%len(ws)]
		var fs []place.File
		var open []byte
		flush := func() {
			if len(open) > 0 {
				name := fmt.Sprintf("f%d", len(fs)/2*2) // every second name twice
				fs = append(fs, place.File{Name: name, Doc: material.Parse(material.Input{Name: name, Data: open})})
			}
			open = nil
		}
		for i, b := range data[1:] {
			switch {
			case b >= 0xf8: // pieces in one file
				open = append(open, pieces[int(b)*7%len(pieces)]...)
			case b >= 0xf0:
				p := pieces[(int(b)+i)%len(pieces)]
				open = append(open, p[:len(p)*(int(b)-0xf0)/8]...)
				flush()
			case b < 0x80 && int(b) < len(pieces):
				open = append(open, pieces[b]...)
				flush()
			default:
				open = append(open, data[1+i:]...)
				flush()
			}
		}
		flush()
		r := place.Sort(pointers(w.topo), fs)
		whole(t, r, fs)
		for _, p := range r.Placed {
			if w.topo.Slot(p.Slot) == nil || p.Why == "" {
				t.Errorf("%+v", p)
			}
			if r.Doc(p.Slot, p.Part) == nil {
				t.Errorf("%s %s has no document", p.Slot, p.Part)
			}
		}
	})
}
