package wizard

import (
	"path"
	"slices"
	"strings"

	"certwright/flow"
)

const (
	foldAt  = 60    // from how many files on a set is shown folded
	mainDir = "tls" // what people look for first; it stays open unless it is large itself
)

// fileRow is one row of the tree: a directory, or a file.
type fileRow struct {
	dir    string // its path, "" for a file
	name   string
	prefix string       // the tree's branches before the name
	change *flow.Change // nil for a directory
	files  int          // of a directory, below it
	what   flow.What    // of a directory: what happens to most that is worth a word below it
	folded bool
}

// fileNode is the tree while rows are made.
type fileNode struct {
	name     string
	path     string
	dirs     map[string]*fileNode
	children []*fileNode
	change   *flow.Change
	files    int
	replaced int
}

// build makes the rows that are to be seen. The set does not change under it,
// so that drawing looks at the visible ones alone.
func (s *reviewScreen) build() {
	s.rows = nil
	if s.of == nil {
		return
	}
	root := &fileNode{dirs: map[string]*fileNode{}}
	changes := s.of.Survey.Changes
	for i := range changes {
		root.put(strings.Split(changes[i].Path, "/"), &changes[i])
	}
	s.walk(root, "", len(changes) > foldAt)
	s.cursor = max(0, min(s.cursor, len(s.rows)-1))
}

func (n *fileNode) put(parts []string, c *flow.Change) {
	n.files += c.Files()
	if c.What != flow.Added && c.What != flow.Same {
		n.replaced += c.Files()
	}
	if len(parts) == 1 {
		n.children = append(n.children, &fileNode{name: parts[0], path: path.Join(n.path, parts[0]), change: c})
		return
	}
	d := n.dirs[parts[0]]
	if d == nil {
		d = &fileNode{name: parts[0], path: path.Join(n.path, parts[0]), dirs: map[string]*fileNode{}}
		n.dirs[parts[0]] = d
		n.children = append(n.children, d)
	}
	d.put(parts[1:], c)
}

// walk adds the rows below a directory. Of a large set only the directories in
// which something is replaced start unfolded.
func (s *reviewScreen) walk(n *fileNode, prefix string, large bool) {
	b := s.Theme.Border()
	for i, c := range n.children {
		branch, below := b.Branch, b.Vertical+" "
		if i == len(n.children)-1 {
			branch, below = b.Last, "  "
		}
		row := fileRow{name: c.name, prefix: prefix + branch + " ", change: c.change, files: c.files}
		if c.change != nil {
			s.rows = append(s.rows, row)
			continue
		}
		row.dir = c.path
		row.folded = s.folded[c.path] || large && c.replaced == 0 && !s.unfolded[c.path] && !(c.files <= foldAt && strings.HasPrefix(c.path+"/", mainDir+"/"))
		if c.replaced > 0 {
			row.what = flow.Overwrite
		}
		s.rows = append(s.rows, row)
		if !row.folded {
			s.walk(c, prefix+below, large)
		}
	}
}

// dirUnderCursor is the directory that ←/→ folds, "" on a file.
func (s *reviewScreen) dirUnderCursor() string {
	if s.cursor >= len(s.rows) {
		return ""
	}
	return s.rows[s.cursor].dir
}

// hasDirs says that there is something to fold.
func (s *reviewScreen) hasDirs() bool {
	return slices.ContainsFunc(s.rows, func(r fileRow) bool { return r.dir != "" })
}

// fold folds or unfolds the directory under the cursor. From a file, and from a
// directory that is folded, left goes to the directory that it lies in.
func (s *reviewScreen) fold(pressed string) {
	dir := s.dirUnderCursor()
	left := pressed == "left" || pressed == "h"
	if left && s.cursor < len(s.rows) && (dir == "" || s.rows[s.cursor].folded) {
		s.toParent()
		return
	}
	if dir == "" {
		return
	}
	on := !s.rows[s.cursor].folded
	switch pressed {
	case "left", "h":
		on = true
	case "right", "l":
		on = false
	}
	s.folded[dir], s.unfolded[dir] = on, !on
	s.build()
}

// toParent moves to the directory that the row under the cursor lies in.
func (s *reviewScreen) toParent() {
	r := s.rows[s.cursor]
	name := r.dir
	if r.change != nil {
		name = r.change.Path
	}
	parent := path.Dir(name)
	if i := slices.IndexFunc(s.rows, func(r fileRow) bool { return r.dir == parent }); i >= 0 {
		s.cursor = i
	}
}

// show unfolds every directory above a file and moves to it.
func (s *reviewScreen) show(file string) {
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		s.folded[dir], s.unfolded[dir] = false, true
	}
	s.build()
	for i, r := range s.rows {
		if r.change != nil && r.change.Path == file {
			s.cursor = i
		}
	}
}
