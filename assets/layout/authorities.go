package layout

import (
	"iter"

	"certwright/certs"
	"certwright/certs/topology"
)

// caDir holds what must not be deployed: the keys that can sign.
const caDir = "ca/"

// rootName is the root's file name in caDir, without its ending. No authority
// may have it: topology.Validate takes care of that.
const rootName = "root"

// authorities writes the root and every CA that was made here. What a person
// brought is theirs to keep, and is not copied.
func authorities(j *job) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		for name, m := range j.madeCAs() {
			for _, field := range []topology.Field{topology.FieldCert, topology.FieldKey} {
				f, ok, err := pairFile(m.pair, topology.CA, field)
				if err == nil && !ok {
					continue
				}
				f.Slot, f.Path = m.slot, caDir+name+".crt"
				if field == topology.FieldKey {
					f.Path = caDir + name + ".key"
				}
				if !yield(f, err) || err != nil {
					return
				}
			}
		}
	}
}

type madeCA struct {
	slot topology.SlotID // "" for the root
	pair *certs.Pair
}

// madeCAs are the CAs that were made here, the root first, by file name.
func (j *job) madeCAs() iter.Seq2[string, madeCA] {
	return func(yield func(string, madeCA) bool) {
		if r := j.set.Root; r != nil && !yield(rootName, madeCA{"", r}) {
			return
		}
		for _, a := range j.t.Authorities {
			if p := j.set.Pairs[a.Slot]; p.Made && !yield(string(a.ID), madeCA{a.Slot, p}) {
				return
			}
		}
	}
}
