package install

import (
	"errors"
	"slices"
	"sort"
	"strings"

	"certwright/assets/layout"
	"certwright/assets/store"
	"certwright/flow"
)

// survey holds what would be written against what stands at the destination.
func survey(w *World, typed, dir string, p *flow.Prepared) (flow.Survey, error) {
	s := flow.Survey{Dir: typed}
	if w.Unseen {
		return s, nil
	}
	// Found when the directory is named, not when the files are ready.
	_, err := store.Preflight(w.Write, dir, store.Options{Force: true, Bytes: total(p)})
	var existing *store.Existing
	if err == nil {
		existing, err = store.InspectBeside(w.Write, dir, w.Earlier.manifest())
	}
	if err != nil {
		var se *store.Error
		if errors.As(err, &se) && (se.Kind == store.Refused || se.Kind == store.NeedsPerson || se.Kind == store.Failed) {
			s.Refused = err
			return s, nil
		}
		return s, err
	}
	s.Existing, s.Backups = existing.Summary(), existing.Backups
	s.Foreign = existing.State == store.Foreign && len(existing.With(store.Extra)) > 0
	planned := make([]store.Planned, len(p.Files))
	byPath := map[string]layout.File{}
	for i, f := range p.Files {
		planned[i] = storeFile(f).Planned()
		byPath[f.Path] = f
	}
	// Told on the review too, not only when everything is staged.
	s.Refused = Orphaned(w, existing, p.Files, slices.Concat(existing.Staying(planned), p.Carried))
	lines := &lines{rest: restOf(p), carried: w.Earlier != nil, at: map[string]int{}}
	for c := range existing.Changes(planned) {
		f, made := byPath[c.Path]
		if !made && slices.Contains(p.Carried, c.Path) {
			c.What = store.Same
		}
		lines.add(flow.Change{
			Path: c.Path, What: flow.What(c.What), Mode: f.Mode, Size: len(f.Data), Kind: f.Kind, Slot: f.Slot,
			OldSize: int(c.OldSize), Modified: c.Modified,
		})
	}
	s.Changes = lines.all()
	return s, nil
}

// lines are the changes as a person reads them. Of many nodes, whose files are
// made only while they are written, one line stands for all files of a name.
type lines struct {
	rest    *rest // nil: a line for each file
	carried bool
	list    []flow.Change
	at      map[string]int
	there   map[string]int // files of nodes that are not in memory, that exist already, by pattern
}

func (l *lines) add(c flow.Change) {
	node := ""
	if l.rest != nil {
		node = nodeOf(c.Path)
	}
	if node == "" {
		l.list = append(l.list, c)
		return
	}
	pattern := patternOf(c.Path, node)
	if c.What == flow.Remove && l.rest.has(node) {
		if _, made := l.rest.names[pattern]; made {
			// It is made again: whether it differs is known when it is.
			if l.there == nil {
				l.there = map[string]int{}
			}
			l.there[pattern]++
			return
		}
	}
	c.Path, c.Slot = pattern, c.Slot.Base()
	l.count(c, 1)
}

func (l *lines) count(c flow.Change, n int) {
	if n == 0 {
		return
	}
	key := c.Path + "\x00" + string(c.What)
	i, known := l.at[key]
	if !known {
		i = len(l.list)
		l.at[key] = i
		c.Count = 0
		l.list = append(l.list, c)
	}
	l.list[i].Count += n
	l.list[i].Modified = l.list[i].Modified || c.Modified
}

// all are the lines in the order of their paths.
func (l *lines) all() []flow.Change {
	if l.rest != nil {
		for pattern, f := range l.rest.names {
			c := flow.Change{Path: pattern, Mode: f.Mode, Size: f.size, Kind: f.Kind, Slot: f.Slot.Base()}
			there := l.there[pattern]
			if c.What = flow.Overwrite; l.carried {
				c.What = flow.Same
			}
			l.count(c, there)
			c.What = flow.Added
			l.count(c, f.count-there)
		}
		sort.SliceStable(l.list, func(i, j int) bool {
			a, b := &l.list[i], &l.list[j]
			return a.Path < b.Path || a.Path == b.Path && a.What < b.What
		})
	}
	return l.list
}

// patternOf is a path with a star for the node's name.
func patternOf(path, node string) string {
	return strings.Replace(path, "nodes/"+node, "nodes/*", 1)
}
