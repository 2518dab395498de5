package store

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"iter"
	"slices"
	"time"
)

// ledger is what is known of the files of a set: those of a manifest, or of a
// transaction. Like names, whose numbers it shares, it holds no pointers: a
// collector that walks through the files of a fleet time and again takes longer
// than their keys.
type ledger struct {
	*names
	before *ledger // the set as it was, nil for none: what has not changed is held there
	refs   []ref   // by the numbers of the names
	states []state // likewise
	lines  []line
	text   []byte // what the lines say of slots, kinds and serial numbers
	kinds  map[string]piece
	order  []int32
}

// ref is where the line of a file is: a number of lines, or with inBefore one of
// the lines of the set as it was.
type ref uint32

const inBefore ref = 1 << 31

// state is what becomes of a file.
type state uint8

const (
	written  state = 1 << iota // staged, to be renamed into place
	kept                       // of the old set, and stays as it is
	carried                    // kept because Keep was called for it
	unlisted                   // no line of the manifest
)

// line is one file.
type line struct {
	sum   [sha256.Size]byte
	size  int64
	end   int64 // NotAfter in seconds since 1970, as far as nanos is not none
	nanos int32
	mode  uint16

	slot, kind, serial piece
}

// piece is where a piece of a ledger's text is: its length, as a varint, then it.
// That of a file that was refused is zero.
type piece uint32

func (p piece) of(text []byte) []byte {
	length, n := binary.Uvarint(text[p:])
	return text[int(p)+n:][:length]
}

func (l *ledger) say(text string) piece {
	p := piece(len(l.text))
	l.text = append(binary.AppendUvarint(l.text, uint64(len(text))), text...)
	return p
}

// averageText is how long what a fleet's file adds to the text is, in bytes.
const averageText = 36

// none are the nanoseconds of a file without NotAfter.
const none = -1

// maxKinds is how many kinds are looked for in the text that is there: ours are a
// dozen, but a manifest may say anything.
const maxKinds = 64

// newLedger has room for so many files, of which before, a manifest's, has a part
// as they are. Its text begins with the empty one, which the zero piece is.
func newLedger(files int, before *ledger) *ledger {
	own := files
	if before != nil {
		own = max(0, files-len(before.refs))
	}
	return &ledger{
		names: newNames(files), before: before, kinds: map[string]piece{},
		refs: make([]ref, 0, files), states: make([]state, 0, files),
		lines: make([]line, 0, own), text: make([]byte, 1, 1+own*averageText),
	}
}

// put notes a file whose path was just added to the names.
func (l *ledger) put(e Entry, s state) error {
	for len(l.refs) < len(l.files.list)-1 { // a file whose path was taken and that was refused then
		l.note(line{nanos: none}, unlisted)
	}
	if l.before != nil && s&written == 0 {
		if i := l.before.file(e.Path); i >= 0 && l.before.is(i, &e) {
			l.refs, l.states = append(l.refs, l.before.refs[i]|inBefore), append(l.states, s)
			return nil
		}
	}
	n := line{size: e.Size, nanos: none, mode: uint16(e.Mode.Perm())}
	if _, err := hex.Decode(n.sum[:], []byte(e.SHA256)); err != nil && s&unlisted == 0 {
		return invalid(e.Path, "its checksum is malformed: %w", err)
	}
	if e.NotAfter != nil {
		n.end, n.nanos = e.NotAfter.Unix(), int32(e.NotAfter.Nanosecond())
	}
	if last := len(l.lines) - 1; last >= 0 && string(l.lines[last].slot.of(l.text)) == e.Slot {
		n.slot = l.lines[last].slot // a pair and its kubeconfig are neighbours
	} else {
		n.slot = l.say(e.Slot)
	}
	known := false
	if n.kind, known = l.kinds[e.Kind]; !known {
		if n.kind = l.say(e.Kind); len(l.kinds) < maxKinds {
			l.kinds[e.Kind] = n.kind
		}
	}
	n.serial = l.say(e.Serial)
	l.note(n, s)
	return nil
}

func (l *ledger) note(n line, s state) {
	l.refs, l.states = append(l.refs, ref(len(l.lines))), append(l.states, s)
	l.lines = append(l.lines, n)
}

// line is what is known of a file, and the text that it is a part of.
func (l *ledger) line(i int) (*line, []byte) {
	if r := l.refs[i]; r&inBefore != 0 {
		return &l.before.lines[r&^inBefore], l.before.text
	}
	return &l.lines[l.refs[i]], l.text
}

func (l *ledger) path(i int) string { return l.files.at(l.given, i) }

// entry is a file's line of the manifest.
func (l *ledger) entry(i int) Entry {
	n, text := l.line(i)
	e := Entry{
		Path: l.path(i), Mode: fs.FileMode(n.mode), ModeText: modeText(fs.FileMode(n.mode)),
		SHA256: hex.EncodeToString(n.sum[:]), Size: n.size,
		Slot: string(n.slot.of(text)), Kind: string(n.kind.of(text)), Serial: string(n.serial.of(text)),
	}
	if n.nanos != none {
		end := time.Unix(n.end, int64(n.nanos)).UTC()
		e.NotAfter = &end
	}
	return e
}

// is says whether this is a file's line of the manifest.
func (l *ledger) is(i int, e *Entry) bool {
	n, text := l.line(i)
	if string(l.files.list[i].of(l.given)) != e.Path || fs.FileMode(n.mode) != e.Mode || n.size != e.Size || !n.sumIs(e.SHA256) ||
		string(n.slot.of(text)) != e.Slot || string(n.kind.of(text)) != e.Kind || string(n.serial.of(text)) != e.Serial {
		return false
	}
	if e.NotAfter == nil || n.nanos == none {
		return e.NotAfter == nil && n.nanos == none
	}
	return e.NotAfter.Unix() == n.end && int32(e.NotAfter.Nanosecond()) == n.nanos
}

// sumIs compares with a checksum in hexadecimal.
func (n *line) sumIs(text string) bool {
	var sum [2 * sha256.Size]byte
	hex.Encode(sum[:], n.sum[:])
	return string(sum[:]) == text
}

// sorted are the numbers of all files by path. They are put in order once, when
// no more files come.
func (l *ledger) sorted() []int32 {
	if len(l.order) != len(l.refs) {
		l.order = l.by(func(a, b int32) int {
			return bytes.Compare(l.files.list[a].of(l.given), l.files.list[b].of(l.given))
		})
	}
	return l.order
}

// by are the numbers of all files in an order.
func (l *ledger) by(order func(a, b int32) int) []int32 {
	list := make([]int32, len(l.refs))
	for i := range list {
		list[i] = int32(i)
	}
	slices.SortFunc(list, func(a, b int32) int { return cmp.Or(order(a, b), int(a-b)) })
	return list
}

// with are the numbers of the files in a state, by path.
func (l *ledger) with(s state) []int32 {
	var out []int32
	for _, i := range l.sorted() {
		if l.states[i]&s != 0 {
			out = append(out, i)
		}
	}
	return out
}

func (l *ledger) count(s state) int {
	n := 0
	for _, is := range l.states {
		if is&s != 0 {
			n++
		}
	}
	return n
}

// in says whether a file of exactly this path is in a state.
func (l *ledger) in(p string, s state) bool {
	i := l.file(p)
	return i >= 0 && i < len(l.states) && l.states[i]&s != 0
}

// entries are the lines of the manifest, by path.
func (l *ledger) entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, i := range l.sorted() {
			if l.states[i]&unlisted == 0 && !yield(l.entry(int(i))) {
				return
			}
		}
	}
}
