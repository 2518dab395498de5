package crashfs

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
)

// States yields what a crash now may leave on the disk, each as a file system
// of its own with nothing pending: every subset of the names that were not
// synced, with every file that was not synced as before, torn or whole. Above
// limit combinations it takes limit random ones, and always the two extremes.
// Equal disks are yielded once. It may be called from an After hook.
func (f *FS) States(limit int, random *rand.Rand) iter.Seq[*FS] {
	return func(yield func(*FS) bool) {
		v := f.choices()
		seen := map[[32]byte]bool{}
		try := func(pick []int) bool {
			state := f.after(v, pick)
			f.Considered++
			if state == nil {
				return true
			}
			sum := state.Sum()
			if seen[sum] {
				return true
			}
			seen[sum] = true
			return yield(state)
		}
		if total := v.total(limit); total <= limit {
			for n := range total {
				if !try(v.pick(n)) {
					return
				}
			}
			return
		}
		low, high := make([]int, len(v.sizes)), make([]int, len(v.sizes))
		for i, size := range v.sizes {
			high[i] = size - 1
		}
		if !try(low) || !try(high) {
			return
		}
		for range limit {
			pick := make([]int, len(v.sizes))
			for i, size := range v.sizes {
				pick[i] = random.IntN(size)
			}
			if !try(pick) {
				return
			}
		}
	}
}

// choices are the things that a crash decides: for each unsynced name whether
// it is there, for each dirty inode what it holds.
type choices struct {
	log   []*change
	dirty []*inode
	sizes []int
}

// What a crash leaves of a dirty file.
const (
	asBefore = iota // the last synced bytes and mode
	torn            // half of the new bytes
	modeOnly        // the new mode and the old bytes
	whole
	fates
)

func (f *FS) choices() choices {
	v := choices{log: f.log}
	seen := map[*inode]bool{}
	visit := func(i *inode) {
		if i.dirty {
			v.dirty = append(v.dirty, i)
		}
	}
	f.root.each(seen, visit)
	for _, c := range f.log { // removed, and perhaps still on the disk
		if c.to != nil {
			c.to.each(seen, visit)
		}
	}
	slices.SortFunc(v.dirty, func(a, b *inode) int { return int(a.ino) - int(b.ino) })
	for range v.log {
		v.sizes = append(v.sizes, 2)
	}
	for range v.dirty {
		v.sizes = append(v.sizes, fates)
	}
	return v
}

func (v choices) total(limit int) int {
	total := 1
	for _, size := range v.sizes {
		if total *= size; total > limit {
			return limit + 1
		}
	}
	return total
}

func (v choices) pick(n int) []int {
	pick := make([]int, len(v.sizes))
	for i, size := range v.sizes {
		pick[i], n = n%size, n/size
	}
	return pick
}

// after is the disk after a crash; nil when the choice is not possible.
func (f *FS) after(v choices, pick []int) *FS {
	chosen := map[*change]bool{}
	for i, c := range v.log {
		chosen[c] = pick[i] == 1
	}
	byDir := map[*inode][]*change{}
	for _, c := range v.log {
		if !chosen[c] {
			continue
		}
		if need, pending := chosen[c.needs]; c.needs != nil && pending && !need {
			return nil
		}
		byDir[c.dir] = append(byDir[c.dir], c)
	}
	fate := map[*inode]int{}
	for i, d := range v.dirty {
		fate[d] = pick[len(v.log)+i]
	}
	out := &FS{locks: map[string]bool{}, inos: f.inos, devs: f.devs, Umask: f.Umask, Whole: f.Whole, NoLinks: f.NoLinks}
	made := map[*inode]*inode{}
	var build func(i *inode) *inode
	build = func(i *inode) *inode {
		if n := made[i]; n != nil {
			n.links++
			return n
		}
		n := &inode{ino: i.ino, dev: i.dev, mount: i.mount, dir: i.dir, links: 1, mode: i.durMode}
		made[i] = n
		if what, ok := fate[i]; ok {
			if what == modeOnly || what == whole {
				n.mode = i.mode
			}
			n.data = i.durData
			switch what {
			case whole:
				n.data = i.data
			case torn:
				n.data = i.data[:len(i.data)/2]
			}
		} else {
			n.data = i.durData
		}
		n.durMode, n.durData = n.mode, n.data
		if i.dir {
			kids := maps.Clone(i.durKids)
			for _, c := range byDir[i] {
				if c.to == nil {
					delete(kids, c.name)
				} else {
					kids[c.name] = c.to
				}
			}
			n.kids, n.durKids = map[string]*inode{}, map[string]*inode{}
			for name, k := range kids {
				b := build(k)
				n.kids[name], n.durKids[name] = b, b
			}
		}
		return n
	}
	out.root = build(f.root)
	return out
}

// Live is a copy of what is visible now, all of it durable: what a process
// finds after a kill.
func (f *FS) Live() *FS {
	out := &FS{locks: map[string]bool{}, inos: f.inos, devs: f.devs, Umask: f.Umask, Whole: f.Whole, NoLinks: f.NoLinks}
	made := map[*inode]*inode{}
	var build func(i *inode) *inode
	build = func(i *inode) *inode {
		if n := made[i]; n != nil {
			n.links++
			return n
		}
		n := &inode{ino: i.ino, dev: i.dev, mount: i.mount, dir: i.dir, links: 1, mode: i.mode, durMode: i.mode, data: i.data, durData: i.data}
		made[i] = n
		if i.dir {
			n.kids, n.durKids = map[string]*inode{}, map[string]*inode{}
			for name, k := range i.kids {
				b := build(k)
				n.kids[name], n.durKids[name] = b, b
			}
		}
		return n
	}
	out.root = build(f.root)
	return out
}

// Settle makes everything durable, as an hour of idling does.
func (f *FS) Settle() {
	f.syncNames(func(c *change) bool { c.lost = false; return true })
	f.root.each(map[*inode]bool{}, func(i *inode) { i.lost = false; i.sync() })
}

// Sum is a digest of the visible tree: names, modes, bytes and inodes.
func (f *FS) Sum() [32]byte {
	h := sha256.New()
	f.root.print(h, "/")
	return [32]byte(h.Sum(nil))
}

func (i *inode) print(w io.Writer, at string) {
	fmt.Fprintf(w, "%s %v %o %d %d\n", at, i.dir, i.mode, i.ino, len(i.data))
	w.Write(i.data)
	for _, name := range slices.Sorted(maps.Keys(i.kids)) {
		i.kids[name].print(w, path.Join(at, name))
	}
}

// Node is one name of a tree.
type Node struct {
	Dir  bool
	Mode uint32
	Ino  uint64
	Data string
}

// Tree lists what is visible below a directory, by relative path.
func (f *FS) Tree(dir string) map[string]Node {
	out := map[string]Node{}
	i, err := f.find(dir)
	if err != nil {
		return out
	}
	var walk func(i *inode, at string)
	walk = func(i *inode, at string) {
		for name, k := range i.kids {
			p := path.Join(at, name)
			out[p] = Node{k.dir, uint32(k.mode), k.ino, string(bytes.Clone(k.data))}
			walk(k, p)
		}
	}
	walk(i, "")
	return out
}
