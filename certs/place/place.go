// Package place sorts a pile of documents into the slots of a topology by what
// they hold: a key to its certificate, a CA to the authority whose leaves it
// signed, a leaf to the slot whose names, usages and subject it has. Start with
// Sort.
//
// Every decision is a sum of named pieces of evidence (evidence.go): authorities
// find their CAs by what their leaves say (authorities.go), then leaves find
// their slots so that the sum over all is largest (assign.go), then keys follow
// their certificates (keys.go). File names count little, and nothing where the
// content decides.
//
// It judges nothing: what fits a slot best is put there even when it has a
// defect, so that package check can name the defect. It opens no file and
// verifies no chain.
package place

import (
	"cmp"
	"slices"

	"certwright/certs/material"
	"certwright/certs/topology"
)

// File is one file of the pile. Names are told apart byte for byte; of two files
// with one name the second is taken for the first.
type File struct {
	Name string // as it will be named in findings
	Doc  *material.Document
}

// Part is one half of a slot's material.
type Part string

// The parts. The public key of a key pair is Cert.
const (
	Cert Part = "cert"
	Key  Part = "key"
)

// Placed is a file that found its place. One file may have several: a
// certificate with its key, a Secret, a pile of blocks.
type Placed struct {
	Slot topology.SlotID `json:"slot"`
	Part Part            `json:"part"`
	File string          `json:"file"`
	Why  string          `json:"why"`
	// Source is the place inside a container, as material.Certificate has it.
	// The names in it are untrusted text.
	Source string `json:"source,omitempty"`
	// Behind says that it is not what the file begins with: who reads the file
	// as a whole does not find it there.
	Behind bool `json:"behind,omitempty"`
}

// Unplaced is a file that found none.
type Unplaced struct {
	File string `json:"file"`
	Why  string `json:"why"`
	// Copy is the file that this one repeats, "" when it is no copy.
	Copy string `json:"copy,omitempty"`
}

// Result is the sorted pile. Every file is in it, either placed or unplaced.
type Result struct {
	Placed   []Placed          `json:"placed"`
	Unplaced []Unplaced        `json:"unplaced"`
	Missing  []topology.SlotID `json:"missing"` // slots that got no certificate (a key pair: no key)

	docs    map[slotPart]*material.Document
	index   map[slotPart]int
	indexed int // placements that index knows
}

type slotPart struct {
	slot topology.SlotID
	part Part
}

// Find is the file of a slot's part, "" when there is none.
func (r *Result) Find(slot topology.SlotID, part Part) string {
	if p := r.Of(slot, part); p != nil {
		return p.File
	}
	return ""
}

// Of is the placement of a slot's part, nil when there is none. It points into
// r.Placed. The first call after a change of that list must not run beside another.
func (r *Result) Of(slot topology.SlotID, part Part) *Placed {
	if r.index == nil || r.indexed > len(r.Placed) {
		r.index, r.indexed = make(map[slotPart]int, len(r.Placed)), 0
	}
	for ; r.indexed < len(r.Placed); r.indexed++ {
		p := &r.Placed[r.indexed]
		if k := (slotPart{p.Slot, p.Part}); !has(r.index, k) {
			r.index[k] = r.indexed
		}
	}
	if i, ok := r.index[slotPart{slot, part}]; ok {
		return &r.Placed[i]
	}
	return nil
}

func has[K comparable, V any](m map[K]V, k K) bool { _, ok := m[k]; return ok }

// Doc is what the slot gets of the file that was placed for its part: the whole
// document, or that of it which belongs to no other slot. Nil when nothing was
// placed there by Sort.
func (r *Result) Doc(slot topology.SlotID, part Part) *material.Document {
	return r.docs[slotPart{slot, part}]
}

// Sort places files into slots. Both may be in any order, and the files may
// have any names: the result depends on names only where contents are equally
// good. Placements are in the order of the slots, the unplaced in that of their names.
func Sort(slots []*topology.Slot, files []File) Result {
	s := newSorter(slots, files)
	s.read()
	s.relate()
	s.authorities()
	s.leaves()
	s.keys()
	s.keyPairs()
	s.byName()
	s.rest()
	return s.out
}

// sorter is the state of one Sort.
type sorter struct {
	roles   []*role                 // one for each slot
	cas     []*role                 // those of CAs
	files   []*file                 // in the order of their contents
	certs   []*cert                 // each certificate once
	pairs   []*role                 // those of key pairs
	perNode map[topology.SlotID]int // how many slots the profile's slot has become
	isNode  map[string]bool         // the names of nodes
	held    []*held                 // every private key, in the order of the files
	keyed   map[string][]*held
	copied  map[string]*copied // of those, the ones with many places; made on demand
	public  map[string][]*file // by public key, of the files that hold it as such
	has     map[string]*cert   // by public key, a certificate with it
	tables  tables
	fits    map[*cert][]fitting // what each leaf fits, its issuer left aside

	authority map[topology.AuthorityID]*cert
	placed    map[*role]*cert // the certificate that each slot got
	where     map[*role]where // and from where
	taken     map[*cert][]*role
	out       Result
}

// file is one file with what of it was placed.
type file struct {
	File
	path   pathName
	certs  []*cert // by position in the document; nil where one did not parse
	placed bool
	claims claims // on certificates
	keys   claims // on keys
}

// claims are the slots that got something of a file, by its position in there.
type claims map[int][]*role

func (c *claims) add(i int, r *role) {
	if *c == nil {
		*c = claims{}
	}
	(*c)[i] = append((*c)[i], r)
}

func (c claims) has(i int, r *role) bool { return slices.Contains(c[i], r) }

func (f *file) kubeconfig() bool { return f.Doc.Format == material.FormatKubeconfig }

func newSorter(slots []*topology.Slot, files []File) *sorter {
	s := &sorter{
		perNode: map[topology.SlotID]int{}, isNode: map[string]bool{}, keyed: map[string][]*held{}, copied: map[string]*copied{}, public: map[string][]*file{}, has: map[string]*cert{}, authority: map[topology.AuthorityID]*cert{},
		placed: map[*role]*cert{}, where: map[*role]where{}, taken: map[*cert][]*role{},
	}
	s.out.docs = map[slotPart]*material.Document{}
	for i, slot := range slots {
		if slot != nil {
			r := newRole(slot, i)
			s.roles = append(s.roles, r)
			s.perNode[slot.ID.Base()]++
			if slot.Node != "" {
				s.isNode[slot.Node] = true
			}
			switch slot.Kind {
			case topology.CA:
				s.cas = append(s.cas, r)
			case topology.KeyPair:
				s.pairs = append(s.pairs, r)
			}
		}
	}
	seen := map[string]bool{}
	for _, f := range files {
		if !seen[f.Name] && f.Doc != nil {
			s.files = append(s.files, &file{File: f, path: newPathName(f.Name)})
		}
		seen[f.Name] = true
	}
	// By content first: a new name must not change what goes where.
	slices.SortFunc(s.files, func(a, b *file) int {
		return cmp.Or(slices.Compare(a.Doc.SHA256[:], b.Doc.SHA256[:]), cmp.Compare(a.Name, b.Name))
	})
	return s
}
