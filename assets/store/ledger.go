package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"iter"
	"slices"
	"time"
)

// ledger is what a transaction knows of the files of its set. Like names, whose
// numbers it shares, it holds no pointers: a collector that walks through the
// files of a fleet time and again takes longer than their keys.
type ledger struct {
	*names
	lines []line
	text  []byte // slot, kind and serial of each
	order []int32
}

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
	end   int64  // NotAfter in seconds since 1970, as far as nanos is not none
	at    uint32 // in the ledger's text
	nanos int32
	// lengths there
	slot, kind, serial uint16
	mode               uint16
	state              state
}

// averageText is how long the rest of a fleet's file is, in bytes.
const averageText = 64

// none are the nanoseconds of a file without NotAfter.
const none = -1

func newLedger(files int) *ledger {
	return &ledger{names: newNames(files), lines: make([]line, 0, files), text: make([]byte, 0, files*averageText)}
}

// put notes a file whose path was just added to the names.
func (l *ledger) put(e Entry, s state) error {
	n := line{size: e.Size, nanos: none, at: uint32(len(l.text)), mode: uint16(e.Mode.Perm()), state: s}
	for _, part := range []struct {
		text string
		len  *uint16
	}{{e.Slot, &n.slot}, {e.Kind, &n.kind}, {e.Serial, &n.serial}} {
		if len(part.text) > 1<<16-1 {
			return invalid(e.Path, "its slot, kind or serial number is %d bytes long", len(part.text))
		}
		*part.len = uint16(len(part.text))
		l.text = append(l.text, part.text...)
	}
	if _, err := hex.Decode(n.sum[:], []byte(e.SHA256)); err != nil && s&unlisted == 0 {
		return invalid(e.Path, "its checksum is malformed: %w", err)
	}
	if e.NotAfter != nil {
		n.end, n.nanos = e.NotAfter.Unix(), int32(e.NotAfter.Nanosecond())
	}
	for len(l.lines) < len(l.files.list)-1 { // a file whose path was taken and that was refused then
		l.lines = append(l.lines, line{nanos: none, state: unlisted})
	}
	l.lines = append(l.lines, n)
	return nil
}

func (l *ledger) path(i int) string { return l.files.at(l.given, i) }

// entry is a file's line of the manifest.
func (l *ledger) entry(i int) Entry {
	n := &l.lines[i]
	slot := int(n.slot)
	kind := slot + int(n.kind)
	text := string(l.text[n.at:][:kind+int(n.serial)])
	e := Entry{
		Path: l.path(i), Mode: fs.FileMode(n.mode), ModeText: modeText(fs.FileMode(n.mode)),
		SHA256: hex.EncodeToString(n.sum[:]), Size: n.size,
		Slot: text[:slot], Kind: text[slot:kind], Serial: text[kind:],
	}
	if n.nanos != none {
		end := time.Unix(n.end, int64(n.nanos)).UTC()
		e.NotAfter = &end
	}
	return e
}

// sorted are the numbers of all files by path. They are put in order once, when
// no more files come.
func (l *ledger) sorted() []int32 {
	if len(l.order) != len(l.lines) {
		l.order = make([]int32, len(l.lines))
		for i := range l.order {
			l.order[i] = int32(i)
		}
		text := l.given
		slices.SortFunc(l.order, func(a, b int32) int {
			return bytes.Compare(l.files.list[a].of(text), l.files.list[b].of(text))
		})
	}
	return l.order
}

// with are the numbers of the files in a state, by path.
func (l *ledger) with(s state) []int32 {
	var out []int32
	for _, i := range l.sorted() {
		if l.lines[i].state&s != 0 {
			out = append(out, i)
		}
	}
	return out
}

func (l *ledger) count(s state) int {
	n := 0
	for i := range l.lines {
		if l.lines[i].state&s != 0 {
			n++
		}
	}
	return n
}

// in says whether a file of exactly this path is in a state.
func (l *ledger) in(p string, s state) bool {
	i := l.file(p)
	return i >= 0 && i < len(l.lines) && l.lines[i].state&s != 0
}

// entries are the lines of the manifest, by path.
func (l *ledger) entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, i := range l.sorted() {
			if l.lines[i].state&unlisted == 0 && !yield(l.entry(int(i))) {
				return
			}
		}
	}
}
