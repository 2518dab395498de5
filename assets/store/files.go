package store

import (
	"bytes"
	"iter"
	"sort"
	"strings"
	"sync"
)

// Files are the entries of a manifest. Those of a fleet are 50,000, so they are
// held without a pointer for each, and an Entry is made when it is asked for. Each
// has a number, by which it is found again. The zero value has none.
type Files struct{ of *fileTable }

// fileTable may be read by several goroutines at once.
type fileTable struct {
	*ledger
	slots struct {
		once  sync.Once
		order []int32 // by slot, then by path
	}
}

// newFiles are the entries that a ledger has, when no more come.
func newFiles(l *ledger) Files {
	l.sorted()
	return Files{&fileTable{ledger: l}}
}

// ledger is nil where there are no files.
func (f Files) ledger() *ledger {
	if f.of == nil {
		return nil
	}
	return f.of.ledger
}

// Len is how many there are. Their numbers are those below it.
func (f Files) Len() int {
	if f.of == nil {
		return 0
	}
	return len(f.of.refs)
}

// At is the entry of a number.
func (f Files) At(i int) Entry { return f.of.entry(i) }

// Find is the number of a path, -1 where there is none.
func (f Files) Find(path string) int {
	if f.of == nil {
		return -1
	}
	return f.of.file(path)
}

// numbers are those of all entries, by path.
func (f Files) numbers() []int32 {
	if f.of == nil {
		return nil
	}
	return f.of.sorted()
}

// All are the entries by path, each with its number.
func (f Files) All() iter.Seq2[int, Entry] {
	return func(yield func(int, Entry) bool) {
		f.each(f.numbers(), yield)
	}
}

func (f Files) each(numbers []int32, yield func(int, Entry) bool) {
	for _, i := range numbers {
		if !yield(int(i), f.of.entry(int(i))) {
			return
		}
	}
}

// OfSlot are the entries of one slot, by path, each with its number; "" is for
// those that are of none.
func (f Files) OfSlot(slot string) iter.Seq2[int, Entry] {
	return func(yield func(int, Entry) bool) {
		if f.of == nil {
			return
		}
		of := func(i int32) []byte {
			n, text := f.of.line(int(i))
			return n.slot.of(text)
		}
		f.of.slots.once.Do(func() {
			f.of.slots.order = append(f.of.slots.order, f.of.sorted()...)
			order := f.of.slots.order
			sort.SliceStable(order, func(a, b int) bool { return bytes.Compare(of(order[a]), of(order[b])) < 0 })
		})
		order := f.of.slots.order
		first := sort.Search(len(order), func(i int) bool { return strings.Compare(string(of(order[i])), slot) >= 0 })
		last := first
		for last < len(order) && string(of(order[last])) == slot {
			last++
		}
		f.each(order[first:last], yield)
	}
}

// Same says whether both have the same paths with the same content.
func (f Files) Same(o Files) bool {
	if f.of == o.of {
		return true
	}
	if f.Len() != o.Len() {
		return false
	}
	for i, e := range f.All() {
		n := o.Find(e.Path)
		if n < 0 {
			return false
		}
		a, _ := f.of.line(i)
		b, _ := o.of.line(n)
		if a.sum != b.sum {
			return false
		}
	}
	return true
}
