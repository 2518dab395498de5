package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/version"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is one Go file of the module.
type source struct {
	path    string // slash-separated, from the top
	imports []string
	file    *ast.File
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s := source{path: filepath.ToSlash(p), file: f}
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, name)
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 50 {
		t.Fatalf("only %d Go files were found: the walk is wrong", len(out))
	}
	return out
}

// The way of the imports: main -> ui -> flow -> {assets, certs}, assets -> certs.
func TestImportsRunOneWay(t *testing.T) {
	may := map[string][]string{
		"":       {"ui", "flow", "assets", "certs"},
		"ui":     {"ui", "flow", "assets", "certs"},
		"flow":   {"flow", "assets", "certs"},
		"assets": {"assets", "certs"},
		"certs":  {"certs"},
	}
	// Packages of others that belong to one room alone.
	only := map[string][]string{
		"github.com/charmbracelet/": {"ui"},
		"github.com/spf13/cobra":    {"ui"},
		"golang.org/x/term":         {"ui"},
		"github.com/spf13/afero":    {"", "ui", "flow", "assets"},
	}
	for _, s := range sources(t) {
		room, _, _ := strings.Cut(s.path, "/")
		if !strings.Contains(s.path, "/") {
			room = ""
		}
		allowed, known := may[room]
		if !known {
			t.Errorf("%s: no Go package stands at the top beside ui, flow, certs and assets", s.path)
			continue
		}
		for _, i := range s.imports {
			if rest, ours := strings.CutPrefix(i, "certwright/"); ours {
				to, _, _ := strings.Cut(rest, "/")
				if !slices.Contains(allowed, to) {
					t.Errorf("%s imports %s: %s may import only %v", s.path, i, room, allowed)
				}
			}
			for prefix, rooms := range only {
				if strings.HasPrefix(i, prefix) && !slices.Contains(rooms, room) {
					t.Errorf("%s imports %s, which belongs to %v alone", s.path, i, rooms)
				}
			}
		}
	}
}

// Only assets/store writes files that a person keeps, and nothing below main
// ends the process.
func TestOnlyStoreWritesAndOnlyMainExits(t *testing.T) {
	writes := map[string][]string{
		"os":    {"WriteFile", "Create", "OpenFile", "Rename", "Remove", "RemoveAll", "Mkdir", "MkdirAll", "Chmod", "Symlink", "Link"},
		"afero": {"WriteFile", "WriteReader", "SafeWriteReader"},
	}
	for _, s := range sources(t) {
		if strings.HasSuffix(s.path, "_test.go") || strings.Contains(s.path, "/internal/") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			if slices.Contains(writes[pkg.Name], sel.Sel.Name) && path.Dir(s.path) != "assets/store" {
				t.Errorf("%s uses %s.%s: only assets/store writes files", s.path, pkg.Name, sel.Sel.Name)
			}
			if s.path != "main.go" && (pkg.Name == "os" && sel.Sel.Name == "Exit" || pkg.Name == "log" && strings.HasPrefix(sel.Sel.Name, "Fatal")) {
				t.Errorf("%s uses %s.%s: errors rise to main, and only main ends the process", s.path, pkg.Name, sel.Sel.Name)
			}
			return true
		})
	}
}

// Each package says in its first sentence what it is for.
// The libraries that open files below a directory and parse certificates had
// holes that Go 1.26.6 was the first to be without (CVE-2026-39822,
// GO-2026-5972): nothing older may build this.
func TestTheToolchainIsNotOlderThanItsRepairs(t *testing.T) {
	data, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if floor, ok := strings.CutPrefix(strings.TrimSpace(line), "go "); ok {
			if version.Compare("go"+floor, "go1.26.6") < 0 {
				t.Errorf("go.mod lets Go %s build this", floor)
			}
			return
		}
	}
	t.Error("go.mod names no version of Go")
}

func TestEveryPackageHasADoc(t *testing.T) {
	has := map[string]bool{}
	for _, s := range sources(t) {
		dir := path.Dir(s.path)
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		has[dir] = has[dir] || s.file.Doc != nil
	}
	for dir, ok := range has {
		if !ok {
			t.Errorf("package %s has no doc comment", dir)
		}
	}
}

// Only what the design names stands at the top.
func TestTheTopHoldsNothingElse(t *testing.T) {
	known := []string{"ui", "flow", "certs", "assets", "docs", "main.go", "main_test.go", "go.mod", "go.sum", "Taskfile.yml", "README.md", "LICENSE", "testdata"}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(known, e.Name()) && !slices.Contains([]string{"generated", "dist", "certwright"}, e.Name()) {
			t.Errorf("%s stands at the top, and the design does not name it", e.Name())
		}
	}
}

// The README shows the topology screen as it is today.
func TestTheREADMEShowsARealFrame(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	frame, err := os.ReadFile(filepath.FromSlash("ui/wizard/testdata/topology.80x24.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(strings.TrimRight(string(frame), "\n ")) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	if !strings.Contains(string(readme), strings.Join(lines, "\n")) {
		t.Error("README.md shows another topology screen than ui/wizard/testdata/topology.80x24.txt")
	}
}
