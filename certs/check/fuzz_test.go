package check

import (
	"testing"
	"unicode/utf8"

	"certwright/certs/material"
	"certwright/certs/topology"
)

// Whatever is handed over for whatever slot, there is a verdict, its rules are
// in the catalogue, and no text in it acts on a terminal.
func FuzzSlot(f *testing.F) {
	p := newPKI(f)
	leaf := p.web(p.inter)
	f.Add(pemOf(leaf, p.inter), pemOf(leaf.key), pemOf(p.root), byte(0))
	f.Add(pemOf(p.inter, leaf), pemOf(p.root), pemOf(leaf), byte(1))
	f.Add(pemOf(p.etcd), pemOf(p.etcd.key), []byte(nil), byte(2))
	f.Add(leaf.cert.Raw, []byte("x"), pemOf(requestBlock("r")), byte(3))
	f.Fuzz(func(t *testing.T, cert, key, ca []byte, which byte) {
		slot := &p.t.Slots[int(which)%len(p.t.Slots)]
		in := SlotInput{
			Slot: slot, Topology: p.t, Now: clock, Rewritten: which&0x80 != 0,
			Cert: material.Parse(material.Input{Name: "cert\x1b[2J.pem", Data: cert}),
			Key:  material.Parse(material.Input{Name: "-key.pem", Data: key, Mode: 0o644}),
			CA:   material.Parse(material.Input{Name: "ca.pem", Data: ca}),
		}
		all := Slot(in)
		all = append(all, Chain(ChainInput{Leaf: in.Cert, Intermediates: in.Key, Anchors: in.CA, ServerName: "demo.example.com", Usage: topology.ServerAuth, At: clock})...)
		for _, f := range all {
			if _, ok := RuleByID(f.Rule); !ok {
				t.Errorf("%s is in no catalogue", f.Rule)
			}
			for _, s := range []string{f.Message, f.Why, f.Has, f.Needs, f.Fix, f.File} {
				if !utf8.ValidString(s) {
					t.Errorf("%s: not UTF-8: %q", f.Rule, s)
				}
				for _, r := range s {
					if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e {
						t.Errorf("%s: control character %U in %q", f.Rule, r, s)
					}
				}
			}
		}
	})
}
