package place

import (
	"cmp"
	"slices"

	"certwright/certs/topology"
)

// keys places private keys: each with the certificates of its public key, then
// what is left with a certificate that it plainly was handed over for, so that
// check can say that it does not match.
func (s *sorter) keys() {
	var open []*role
	for _, r := range s.roles {
		c := s.placed[r]
		if c == nil {
			continue
		}
		if h := s.keyFor(r, c); h != nil {
			s.placeKey(r, h, "its public key is the certificate's")
		} else if r.slot.Kind == topology.Leaf {
			open = append(open, r)
		}
	}
	loose := s.looseKeys()
	lying := s.lying(loose)
	open = slices.DeleteFunc(open, func(r *role) bool {
		h, why := s.besideCert(r, lying)
		if h != nil {
			s.placeKey(r, h, why+", though its public key is another")
		}
		return h != nil
	})
	// One certificate without a key, and one key without a certificate.
	if len(open) == 1 {
		loose = slices.DeleteFunc(loose, func(h *held) bool { return h.placed() || s.ofKeyPair(h) })
		if len(loose) == 1 && !s.wantsKeyPair() {
			s.placeKey(open[0], loose[0], "it is the only private key left, and this the only certificate without one")
		}
	}
}

// keyFor finds the key with a certificate's public key: under the slot's own
// name, in the certificate's own file, then one that no other slot has.
func (s *sorter) keyFor(r *role, c *cert) *held {
	own := s.where[r].file
	list := s.keysLike(r, c.key, own)
	if c.key == "" || len(list) == 0 {
		return nil
	}
	cost := func(h *held) int {
		n := 0
		if !s.at(h.file, r, r.key) {
			n += 4
		}
		if h.file != own {
			n += 2
		}
		if h.used {
			n++
		}
		return n
	}
	return slices.MinFunc(list, func(a, b *held) int { return cmp.Compare(cost(a), cost(b)) })
}

//go:noinline // many callers, none of them hot
func (s *sorter) placeKey(r *role, h *held, why string) {
	h.used, h.file.placed = true, true
	h.file.keys.add(h.index, r)
	s.out.Placed = append(s.out.Placed, Placed{
		Slot: r.slot.ID, Part: Key, File: h.file.Name, Why: why,
		Source: h.file.Doc.Keys[h.index].Source, Behind: h.index > 0,
	})
}

// looseKeys are the keys that no certificate of the pile has, the encrypted
// ones among them, in the order of their contents. A key that lies there twice counts once.
func (s *sorter) looseKeys() []*held {
	seen := map[string]bool{}
	var out []*held
	for _, h := range s.held {
		if h.placed() || h.id != "" && (s.has[h.id] != nil || seen[h.id]) {
			continue
		}
		if h.id != "" {
			seen[h.id] = true
		}
		out = append(out, h)
	}
	return out
}

// besideCert finds a key that was plainly meant for the slot's certificate: in
// the same file, under the slot's own name, or under the certificate's.
func (s *sorter) besideCert(r *role, loose lying) (*held, string) {
	own := s.where[r].file
	if own == nil {
		return nil, ""
	}
	free := func(h *held) bool { return !h.placed() }
	if i := slices.IndexFunc(loose.in[own], free); i >= 0 {
		return loose.in[own][i], "it lies in the certificate's file"
	}
	at := loose.at[s.spot(r, r.key)]
	if i := slices.IndexFunc(at, func(h *held) bool { return free(h) && s.at(h.file, r, r.key) }); i >= 0 {
		return at[i], "it has this slot's file name"
	}
	if i := slices.IndexFunc(loose.called[own.path.stem], free); i >= 0 {
		return loose.called[own.path.stem][i], "it has the certificate's file name"
	}
	return nil, ""
}

// ofKeyPair says whether a loose key is that of a key pair: its public key lies
// there, or it has the pair's name.
func (s *sorter) ofKeyPair(h *held) bool {
	for _, r := range s.pairs {
		if r.key.base != "" && h.file.path.base == r.key.base {
			return true
		}
	}
	return len(s.public[h.id]) > 0
}

// wantsKeyPair says whether a key pair is asked for that no name and no public
// key leads to, so that a loose key may as well be its.
func (s *sorter) wantsKeyPair() bool {
	return len(s.pairs) > 0 && !slices.ContainsFunc(s.looseKeys(), s.ofKeyPair)
}

// keyPairs gives the keys that are left to the slots without a certificate.
func (s *sorter) keyPairs() {
	for _, r := range s.pairs {
		h, why := s.pairKey(r)
		if h != nil {
			s.placeKey(r, h, why)
		}
		if f, why := s.pairPublic(r, h); f != nil {
			f.placed = true
			s.out.Placed = append(s.out.Placed, Placed{Slot: r.slot.ID, Part: Cert, File: f.Name, Why: why})
		}
	}
}

func (s *sorter) pairKey(r *role) (*held, string) {
	loose := s.looseKeys()
	pick := func(why string, ok func(h *held) bool) (*held, string) {
		if i := slices.IndexFunc(loose, ok); i >= 0 {
			return loose[i], why
		}
		return nil, ""
	}
	matched := func(h *held) bool {
		return slices.ContainsFunc(s.public[h.id], func(f *file) bool { return !f.placed })
	}
	if h, why := pick("it has this slot's file name, and its public key lies here", func(h *held) bool { return h.file.path.is(r.key) && matched(h) }); h != nil {
		return h, why
	}
	if h, why := pick("its public key lies here, and no certificate", matched); h != nil {
		return h, why
	}
	if h, why := pick("it has this slot's file name", func(h *held) bool { return h.file.path.is(r.key) }); h != nil {
		return h, why
	}
	if h, why := pick("it has this slot's file name", func(h *held) bool { return r.key.base != "" && h.file.path.base == r.key.base }); h != nil {
		return h, why
	}
	if len(loose) == 1 {
		return loose[0], "it is the only key here without a certificate"
	}
	return nil, ""
}

// pairPublic finds the public key of a pair; h is its private key, nil when
// there is none. One that does not match is taken where nothing else can be meant.
func (s *sorter) pairPublic(r *role, h *held) (*file, string) {
	var free []*file
	for _, f := range s.files {
		if len(f.Doc.PublicKeys) > 0 && (!f.placed || h != nil && f == h.file) {
			free = append(free, f)
		}
	}
	find := func(ok func(f *file) bool) *file {
		if i := slices.IndexFunc(free, ok); i >= 0 {
			return free[i]
		}
		return nil
	}
	if h != nil {
		for _, named := range []bool{true, false} {
			if f := find(func(f *file) bool { return slices.Contains(s.public[h.id], f) && (!named || f.path.is(r.public)) }); f != nil {
				return f, "it is the public key of the pair"
			}
		}
	}
	if f := find(func(f *file) bool { return f.path.is(r.public) }); f != nil {
		return f, "it has this slot's file name"
	}
	if len(free) == 1 {
		return free[0], "it is the only public key here"
	}
	return nil, ""
}
