package wizard

import (
	"bytes"
	"fmt"

	"certwright/certs/material"
	"certwright/certs/place"
	"certwright/certs/topology"
	"certwright/flow"
)

// sortedPaste is a pasted text that holds the material of several slots, sorted
// as a folder is: by what each block holds.
type sortedPaste struct {
	fields   []flow.Field
	data     map[flow.Field][]byte // owned here
	why      map[flow.Field]string
	unplaced []string
}

//go:noinline // many callers, none of them hot
func (p *sortedPaste) clear() {
	if p != nil {
		for _, d := range p.data {
			clear(d)
		}
	}
}

// unit is what is placed as one: a certificate with the issuers behind it, or a key.
type unit struct {
	name string
	data []byte
	doc  *material.Document
	// spare units repeat what stands in another one, so that an issuer behind a
	// certificate can fill the field of its CA too.
	spare bool
}

// maxSorted is how many blocks a paste may have to be sorted: more is a trust
// bundle, and belongs to one field.
const maxSorted = 200

// sortPaste sorts a text into slots; nil when it is about fewer than two.
func sortPaste(data []byte, slots []*topology.Slot) *sortedPaste {
	spans := pemSpans(data)
	if len(spans) < 3 || len(spans) > maxSorted { // two slots have a certificate each, and a key
		return nil
	}
	units := unitsOf(data, spans)
	defer func() {
		for _, u := range units {
			clear(u.data)
		}
	}()
	var files []place.File
	byName := map[string]unit{}
	for _, u := range units {
		files = append(files, place.File{Name: u.name, Doc: u.doc})
		byName[u.name] = u
	}
	result := place.Sort(slots, files)
	out := &sortedPaste{data: map[flow.Field][]byte{}, why: map[flow.Field]string{}}
	in := map[topology.SlotID]bool{}
	for _, p := range result.Placed {
		f := flow.Field{Slot: p.Slot, Part: flow.PartCert}
		if p.Part == place.Key {
			f.Part = flow.PartKey
		}
		in[p.Slot] = true
		out.fields = append(out.fields, f)
		out.data[f], out.why[f] = bytes.Clone(byName[p.File].data), p.Why
	}
	if len(in) < 2 {
		out.clear()
		return nil
	}
	for _, u := range result.Unplaced {
		if !byName[u.File].spare {
			out.unplaced = append(out.unplaced, u.File+": "+u.Why)
		}
	}
	return out
}

// unitsOf cuts a text into units, in its order.
func unitsOf(data []byte, spans []pemSpan) []unit {
	var out []unit
	open := -1 // the unit that issuers belong to
	for i, s := range spans {
		block := append(bytes.Clone(data[s.from:s.to]), '\n')
		d := material.Parse(material.Input{Name: "pasted text", Data: block})
		name := fmt.Sprintf("block %d", i+1)
		certs := d.X509()
		switch {
		case s.private():
			if i > 0 && spans[i-1].label == "EC PARAMETERS" {
				params := data[spans[i-1].from:spans[i-1].to]
				block = append(append(bytes.Clone(params), '\n'), block...)
			}
			out, open = append(out, unit{name: name, data: block, doc: d}), -1
		case s.label == "EC PARAMETERS":
		case len(certs) == 1 && certs[0].IsCA && open >= 0:
			out[open].data = append(out[open].data, block...)
			out = append(out, unit{name: name, data: block, doc: d, spare: true})
		default:
			out = append(out, unit{name: name, data: block, doc: d})
			if len(certs) == 1 && !certs[0].IsCA {
				open = len(out) - 1
			}
		}
	}
	for i := range out {
		if !out[i].spare && len(out[i].doc.Certificates) > 0 { // it may have grown
			out[i].doc = material.Parse(material.Input{Name: "pasted text", Data: out[i].data})
		}
	}
	return out
}
