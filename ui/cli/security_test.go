//go:build unix

package cli_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const top = "../.."

// testsOfTheTree are the names of all tests, fuzz targets and scripts.
func testsOfTheTree(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2 {
			return filepath.SkipDir
		}
		if strings.HasSuffix(p, ".txtar") {
			out[d.Name()] = true
		}
		if !strings.HasSuffix(p, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				out[f.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil || len(out) < 300 {
		t.Fatalf("%d tests were found, %v", len(out), err)
	}
	return out
}

// docs/security.md names a test for each threat, or says that none holds it;
// and each test that it names is there.
func TestEveryThreatHasItsTestOrItsReason(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(top, "docs/security.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := testsOfTheTree(t)
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+|[a-z]+\\.txtar)`")
	row := regexp.MustCompile(`(?m)^\| (\d+) \|.*\| (.*) \|$`)
	for _, m := range named.FindAllStringSubmatch(string(data), -1) {
		if !tests[m[1]] {
			t.Errorf("docs/security.md names %s, and there is no such test", m[1])
		}
	}
	seen := map[int]bool{}
	for _, m := range row.FindAllStringSubmatch(string(data), -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil || seen[n] {
			t.Errorf("row %s is there twice", m[1])
		}
		seen[n] = true
		if !named.MatchString(m[2]) && !strings.HasPrefix(m[2], "Not held") {
			t.Errorf("row %d names no test and does not say why: %s", n, m[2])
		}
	}
	for n := 1; n <= 98; n++ {
		if !seen[n] {
			t.Errorf("threat %d has no row", n)
		}
	}
	if len(seen) != 98 {
		t.Errorf("%d rows, want 98", len(seen))
	}
}

// Main hardens the process before anything else, and has TERM back before it
// reads the environment.
func TestMainHardensTheProcessFirst(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(top, "main.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != "main" {
			continue
		}
		for _, s := range f.Body.List[:2] {
			if e, ok := s.(*ast.ExprStmt); ok {
				if c, ok := e.X.(*ast.CallExpr); ok {
					if sel, ok := c.Fun.(*ast.SelectorExpr); ok {
						calls = append(calls, sel.X.(*ast.Ident).Name+"."+sel.Sel.Name)
					}
				}
			}
		}
	}
	if got := strings.Join(calls, " "); got != "cli.Harden quiet.Restore" {
		t.Errorf("main begins with %q", got)
	}
}
