package store

import (
	"hash/maphash"
	"path"
	"strings"
)

// names remembers the paths of a set, so that no two of them fall together on a
// file system that ignores case, and no file is another's directory. A fleet has
// 50,000 files in 30,000 directories: their names lie in one piece of text,
// without a pointer that the garbage collector would have to follow.
type names struct {
	given       []byte // the paths
	files, dirs spans
	last        string // directory of the file that was added last
}

func newNames(room int) *names {
	return &names{given: make([]byte, 0, room*averagePath)}
}

// averagePath is how long the path of a fleet's file is, in bytes.
const averagePath = 40

// add remembers a file. Files are numbered in the order in which they come, from
// 0; directories apart from them.
func (n *names) add(p string) error {
	folded := strings.ToLower(p) // the grammar is ASCII
	if i := n.files.find(n.given, folded); i >= 0 {
		other := n.files.at(n.given, i)
		if other == p {
			return invalid(p, "two files have this path")
		}
		return invalid(p, "is the same file as %s where case is ignored", other)
	}
	if i := n.dirs.find(n.given, folded); i >= 0 {
		return invalid(p, "is a directory of another file (%s)", n.dirs.at(n.given, i))
	}
	start := len(n.given)
	n.given = append(n.given, p...)
	dir := path.Dir(p)
	if dir != n.last { // else all of them are known, and will be
		if err := n.parents(p, dir, folded, start); err != nil {
			return err
		}
		n.last = dir
	}
	n.files.put(n.given, folded, span{uint32(start), uint32(len(p))})
	return nil
}

// parents remembers the directories of a path that stands at start in the text.
func (n *names) parents(p, dir, folded string, start int) error {
	for ; dir != "."; dir = path.Dir(dir) {
		f := folded[:len(dir)]
		if i := n.files.find(n.given, f); i >= 0 {
			return invalid(p, "%s is a file, so nothing can lie below it", n.files.at(n.given, i))
		}
		if i := n.dirs.find(n.given, f); i < 0 {
			n.dirs.put(n.given, f, span{uint32(start), uint32(len(dir))})
		} else if given := n.dirs.at(n.given, i); given != dir {
			return invalid(p, "directory %s is the same as %s where case is ignored", dir, given)
		}
	}
	return nil
}

// has says whether a file of this path, in any case, was added.
func (n *names) has(p string) bool { return n.files.find(n.given, strings.ToLower(p)) >= 0 }

// file is the number of the file of exactly this path, -1 when there is none.
func (n *names) file(p string) int { return n.exactly(&n.files, p) }

// dir is the number of a directory of exactly this path, -1 when there is none.
func (n *names) dir(p string) int { return n.exactly(&n.dirs, p) }

func (n *names) exactly(s *spans, p string) int {
	if i := s.find(n.given, strings.ToLower(p)); i >= 0 && string(s.list[i].of(n.given)) == p {
		return i
	}
	return -1
}

// span is a piece of a text.
type span struct{ at, length uint32 }

func (s span) of(text []byte) []byte { return text[s.at : s.at+s.length] }

// spans are pieces of a text that are found again, in any case, by hashing.
type spans struct {
	list  []span
	slots []uint32 // 1 + an index of list, or 0; a power of two of them, at most three quarters full
}

var seed = maphash.MakeSeed()

// slot is where a text is, or would be put.
func (s *spans) slot(text []byte, folded string) int {
	mask := len(s.slots) - 1
	for i := int(maphash.String(seed, folded)) & mask; ; i = (i + 1) & mask {
		if n := s.slots[i]; n == 0 || sameFolded(s.list[n-1].of(text), folded) {
			return i
		}
	}
}

func sameFolded(given []byte, folded string) bool {
	if len(given) != len(folded) {
		return false
	}
	for i, c := range given {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != folded[i] {
			return false
		}
	}
	return true
}

func (s *spans) find(text []byte, folded string) int {
	if len(s.slots) == 0 {
		return -1
	}
	return int(s.slots[s.slot(text, folded)]) - 1
}

func (s *spans) at(text []byte, i int) string { return string(s.list[i].of(text)) }

// put adds a piece of the text that is not there yet.
func (s *spans) put(text []byte, folded string, piece span) {
	if len(s.list) >= len(s.slots)/4*3 {
		s.slots = make([]uint32, max(64, 2*len(s.slots)))
		for i, old := range s.list {
			s.slots[s.slot(text, strings.ToLower(string(old.of(text))))] = uint32(i + 1)
		}
	}
	s.list = append(s.list, piece)
	s.slots[s.slot(text, folded)] = uint32(len(s.list))
}
