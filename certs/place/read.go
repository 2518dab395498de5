package place

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"certwright/certs/material"
	"certwright/certs/topology"
)

// cert is one certificate of the pile, however often it lies there.
type cert struct {
	x    *x509.Certificate
	hash [sha256.Size]byte
	at   []where
	key  string // its public key, as keyID writes it

	names   []string // normalized, see nameKey
	parents []string // of its wildcards
	cnWords []string

	issuers  []*cert // of this pile: by key identifier or by signature
	named    []*cert // have its issuer's name, and that is all
	children int
	rank     rank  // of its best place
	home     *file // where a slot took it from
}

// where is one place that a certificate has in the pile.
type where struct {
	file  *file
	index int // in the document
	rank  rank
	chain int // certificates in the same block of the container
}

// rank says what a place makes of a CA, best first.
type rank int

const (
	asFile     rank = iota // it was handed over
	inConfig               // embedded in a kubeconfig, which says what that one trusts
	behindLeaf             // sent along with a leaf
	ranks
)

// held is a private key in a file.
type held struct {
	file  *file
	index int
	id    string // its public key; "" when it could not be read
	used  bool
}

// read lists certificates and keys, each once, with all their places.
func (s *sorter) read() {
	known := map[[sha256.Size]byte]*cert{}
	for _, f := range s.files {
		s.readCerts(f, known)
		for i, k := range f.Doc.Keys {
			h := &held{file: f, index: i}
			s.held = append(s.held, h)
			if k.Signer == nil {
				continue
			}
			if h.id = keyID(k.Signer.Public()); h.id != "" {
				s.keyed[h.id] = append(s.keyed[h.id], h)
			}
		}
		for _, k := range f.Doc.PublicKeys {
			if id := keyID(k); id != "" {
				s.public[id] = append(s.public[id], f)
			}
		}
	}
	parallel(len(s.certs), func(i int) { s.certs[i].describe() })
	for _, c := range s.certs {
		if c.key != "" && s.has[c.key] == nil {
			s.has[c.key] = c
		}
	}
}

func (s *sorter) readCerts(f *file, known map[[sha256.Size]byte]*cert) {
	f.certs = make([]*cert, len(f.Doc.Certificates))
	leaf, count := map[string]bool{}, map[string]int{}
	for _, c := range f.Doc.Certificates {
		count[c.Source]++
		if c.X509 != nil && !c.X509.IsCA {
			leaf[c.Source] = true
		}
	}
	for i, c := range f.Doc.Certificates {
		if c.X509 == nil {
			continue
		}
		hash := sha256.Sum256(c.X509.Raw)
		one := known[hash]
		if one == nil {
			one = &cert{x: c.X509, hash: hash, rank: ranks}
			known[hash] = one
			s.certs = append(s.certs, one)
		}
		w := where{file: f, index: i, chain: count[c.Source]}
		switch {
		case c.X509.IsCA && leaf[c.Source]:
			w.rank = behindLeaf
		case f.kubeconfig():
			w.rank = inConfig
		}
		one.at = append(one.at, w)
		one.rank = min(one.rank, w.rank)
		f.certs[i] = one
	}
}

// keyID tells public keys apart; "" for those of unknown kinds.
func keyID(pub crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return ""
	}
	return string(der)
}

// describe computes what is compared often.
func (c *cert) describe() {
	c.key = keyID(c.x.PublicKey)
	c.cnWords = words(c.x.Subject.CommonName)
	add := func(kind topology.NameKind, value string) {
		if k := nameKey(kind, value); k != "" && !slices.Contains(c.names, k) && len(c.names) < maxNames {
			c.names = append(c.names, k)
			if parent, ok := strings.CutPrefix(k, "d*."); ok {
				c.parents = append(c.parents, parent)
			}
		}
	}
	for _, d := range c.x.DNSNames {
		// What was meant by a malformed name counts: the finding is check's.
		for part := range strings.FieldsFuncSeq(d, func(r rune) bool { return strings.ContainsRune(",; \t\n\x00", r) }) {
			add(topology.DNSName, part)
		}
	}
	for _, ip := range c.x.IPAddresses {
		add(topology.IPAddress, ip.String())
	}
	for _, u := range c.x.URIs {
		add(topology.URIName, u.String())
		if u.Scheme != "spiffe" && u.Hostname() != "" {
			add(topology.DNSName, u.Hostname())
		}
	}
}

// maxNames bounds how many names of one certificate are compared.
const maxNames = 1000

// nameKey writes a name so that two which mean the same host are one: an address
// is an address in a DNS name too, and scheme, port and outer dots are dropped.
func nameKey(kind topology.NameKind, value string) string {
	if kind == topology.URIName {
		return "u" + value
	}
	v := strings.ToLower(strings.TrimSpace(value))
	if _, rest, ok := strings.Cut(v, "://"); ok {
		v = rest
	}
	v, _, _ = strings.Cut(v, "/")
	if a, err := netip.ParseAddr(strings.Trim(v, "[]")); err == nil {
		return "i" + a.Unmap().WithZone("").String()
	}
	if strings.Count(v, ":") == 1 {
		v, _, _ = strings.Cut(v, ":")
		if a, err := netip.ParseAddr(v); err == nil {
			return "i" + a.Unmap().String()
		}
	}
	if v = strings.Trim(v, "."); v == "" {
		return ""
	}
	return "d" + v
}

// words cuts a name into lower-case words.
func words(s string) []string {
	var out []string
	for w := range strings.FieldsFuncSeq(strings.ToLower(s), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}) {
		if !slices.Contains(out, w) && len(out) < 32 {
			out = append(out, w)
		}
	}
	return out
}

// common counts the words of a that b has too.
func common(a, b []string) int {
	n := 0
	for _, w := range a {
		if slices.Contains(b, w) {
			n++
		}
	}
	return n
}

// view is the document that a slot gets of a file: all of it but what other
// slots got.
func (f *file) view(r *role, kubeconfig bool) *material.Document {
	foreign := func(c claims, i int) bool { return len(c[i]) > 0 && !c.has(i, r) }
	keepCert, keepKey := f.keep(r, foreign)
	out := *f.Doc
	if len(keepCert) == len(f.Doc.Certificates) && len(keepKey) == len(f.Doc.Keys) && !kubeconfig {
		return f.Doc
	}
	certAt, keyAt := map[int]int{}, map[int]int{}
	out.Certificates, out.Keys, out.Problems = nil, nil, nil
	for _, i := range keepCert {
		out.Certificates = append(out.Certificates, f.Doc.Certificates[i])
		certAt[i+1] = len(out.Certificates)
	}
	for _, i := range keepKey {
		out.Keys = append(out.Keys, f.Doc.Keys[i])
		keyAt[i+1] = len(out.Keys)
	}
	for _, p := range f.Doc.Problems {
		if p.Certificate > 0 && certAt[p.Certificate] == 0 || p.Key > 0 && keyAt[p.Key] == 0 || kubeconfig && p.Rule == "kubeconfig-not-pem" {
			continue
		}
		p.Certificate, p.Key = certAt[p.Certificate], keyAt[p.Key]
		out.Problems = append(out.Problems, p)
	}
	return &out
}

// keep lists the positions of the certificates and keys that a role gets.
func (f *file) keep(r *role, foreign func(claims, int) bool) (certs, keys []int) {
	var own *cert
	mine := -1
	for i := range f.Doc.Certificates {
		if f.claims.has(i, r) && (mine < 0 || own == nil) {
			mine, own = i, f.certs[i]
		}
	}
	ca := r.slot.Kind == topology.CA && own != nil
	shared := false // another slot has a part of the file
	for i := range f.Doc.Certificates {
		shared = shared || foreign(f.claims, i) && !stands(f.certs[i], own)
	}
	mixed := slices.ContainsFunc(f.certs, func(c *cert) bool { return ca && c != nil && !c.x.IsCA && c != own })
	for i, c := range f.Doc.Certificates {
		switch {
		case f.claims.has(i, r):
		case foreign(f.claims, i) && !stands(f.certs[i], own):
			continue
		case mine >= 0 && c.Source != f.Doc.Certificates[mine].Source:
			continue // another entry of a Secret or kubeconfig
		case (mixed || shared && own != nil && f.certs[i] != nil) && !stands(f.certs[i], own):
			continue
		}
		certs = append(certs, i)
	}
	if ca && len(certs) < len(f.Doc.Certificates) {
		// Who gets a CA out of a pile gets it first; a file of its own stays as it is.
		sort.SliceStable(certs, func(i, j int) bool { return f.certs[certs[i]] == own && f.certs[certs[j]] != own })
	}
	for i, k := range f.Doc.Keys {
		if foreign(f.keys, i) || ca && mixed && !f.keys.has(i, r) {
			continue
		}
		if mine >= 0 && !f.keys.has(i, r) && container(k.Source) != container(f.Doc.Certificates[mine].Source) {
			continue
		}
		keys = append(keys, i)
	}
	return certs, keys
}

// container is the holder of an entry: the user of a kubeconfig, the data of a Secret.
func container(source string) string {
	if i := strings.LastIndexByte(source, '/'); i >= 0 {
		return source[:i]
	}
	return ""
}

// stands says whether a certificate stands above another one.
func stands(above, own *cert) bool {
	if own == nil || above == nil {
		return false
	}
	for range maxAbove {
		if len(own.issuers) == 0 {
			return false
		}
		if slices.Contains(own.issuers, above) {
			return true
		}
		own = own.issuers[0]
	}
	return false
}
