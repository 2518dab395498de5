package plan

import (
	"path/filepath"
	"strings"
)

// Resolve makes the plan's relative paths start from dir, the directory of the
// plan's own file: that is what they are relative to.
func (p *Plan) Resolve(dir string) {
	p.eachPath(func(at, path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return keepDot(at, filepath.Join(dir, path))
	})
}

// Relative is a copy whose paths start from the directory to, where they can
// be written so: a relative path cannot be held against an absolute directory,
// and on Windows no path against another drive's. Such paths stay.
func (p *Plan) Relative(to string) *Plan {
	out := p.Clone()
	out.eachPath(func(at, path string) string {
		rel, err := filepath.Rel(to, path)
		if err != nil {
			return path
		}
		return keepDot(at, filepath.ToSlash(rel))
	})
	return out
}

// keepDot keeps the path of a profile a path: without a slash and without
// .yaml at its end it would be taken for the name of a built-in one.
func keepDot(at, path string) string {
	if at == "profile" && !isPath(path) && !strings.HasPrefix(path, ".") {
		return "./" + path
	}
	return path
}
