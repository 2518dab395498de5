package place

import "slices"

// spot is what the path of a file in a slot's place has to end with: the slot's
// own file name, and somewhere the folder of its node where there are several.
// With it a slot finds its files among those of ten thousand nodes at once.
type spot struct{ base, node string }

// spots are those of a file.
func (s *sorter) spots(f *file) []spot {
	out := []spot{{f.path.base, ""}}
	for _, part := range f.path.parts {
		if s.isNode[part] && out[len(out)-1].node != part {
			out = append(out, spot{f.path.base, part})
		}
	}
	return out
}

// spot is where the file of a slot lies that at says yes to.
func (s *sorter) spot(r *role, want pathName) spot {
	if r.slot.Node == "" || s.nodes(r) == 1 {
		return spot{want.base, ""}
	}
	return spot{want.base, r.slot.Node}
}

// lying are private keys by where they lie, each list in the order of their contents.
type lying struct {
	in     map[*file][]*held
	called map[string][]*held // by the path without its ending
	at     map[spot][]*held
}

func (s *sorter) lying(keys []*held) lying {
	out := lying{map[*file][]*held{}, map[string][]*held{}, map[spot][]*held{}}
	for _, h := range keys {
		out.in[h.file] = append(out.in[h.file], h)
		out.called[h.file.path.stem] = append(out.called[h.file.path.stem], h)
		for _, at := range s.spots(h.file) {
			out.at[at] = append(out.at[at], h)
		}
	}
	return out
}

// placed says whether a slot has the key from this very place.
func (h *held) placed() bool { return len(h.file.keys[h.index]) > 0 }

// fewCopies is how many places of one key are all looked at for each slot.
const fewCopies = 16

// copied is a key that lies in many places, as one does that all nodes share.
type copied struct {
	lying
	used int // places, from the first, that slots have
}

// keysLike are the places of a key that come into question for a slot whose
// certificate lies in own: all, or of many the slot's own, those in own and the
// first that no slot has.
func (s *sorter) keysLike(r *role, id string, own *file) []*held {
	list := s.keyed[id]
	if len(list) <= fewCopies {
		return list
	}
	c := s.copied[id]
	if c == nil {
		c = &copied{lying: s.lying(list)}
		s.copied[id] = c
	}
	for c.used < len(list)-1 && list[c.used].used {
		c.used++
	}
	return slices.Concat(c.at[s.spot(r, r.key)], c.in[own], list[c.used:c.used+1])
}
