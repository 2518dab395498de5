package untrusted_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// names are the fields of a certificate that hold what its maker wrote.
var names = []string{
	"CommonName", "DNSNames", "EmailAddresses", "URIs", "Organization", "OrganizationalUnit", "Locality", "Province", "StreetAddress",
	"PermittedDNSDomains", "ExcludedDNSDomains", "CRLDistributionPoints", "OCSPServer", "IssuingCertificateURL",
}

// gates are the calls that make text safe to be shown, by the folder that has them.
var gates = map[string][]string{
	"":           {"untrusted.Text"},
	"ui/diagram": {"safe"},
	"ui/wizard":  {"text"},
}

// gated are the functions that may handle such text as it is, and who puts it
// through the gate.
var gated = map[string]string{
	"assets/layout/nextsteps.go subject": "code() and ShellArg take what it returns",
	"ui/cli/cli.go complain":             "this is the gate of the command line's errors",
	"ui/cli/cli.go Error":                "complain and the JSON printer take it",
	"ui/cli/apply.go appliedSummary":     "the JSON printer escapes",
	"ui/cli/csr.go askedSummary":         "the JSON printer escapes",
	"ui/cli/import.go imported":          "the JSON printer escapes",
	"ui/cli/renew.go renewed":            "the JSON printer escapes",

	"flow/offline/take.go stray":         "it compares, and shows nothing",
	"flow/offline/tools.go stepTemplate": "JSON, in a file for step",
	"flow/offline/tools.go authority":    "code() is a gate",

	"ui/wizard/facts.go":       "a screen's lines are cut and cleaned where they are drawn",
	"ui/wizard/picker_look.go": "the error is our own",
	"ui/wizard/effects.go":     "the panes clean findings where they are drawn",

	"assets/profiles/profiles.go": "complain takes the errors of a profile",
	"assets/store/fs_os.go":       "the error is our own, the holder was cleaned",
	"assets/yamlfile/errors.go":   "complain takes the errors of a plan",
	"flow/blockers.go":            "the screens clean blockers where they are drawn",
	"flow/nodes.go":               "the screens clean problems where they are drawn",
	"flow/plan/parse.go":          "complain takes the errors of a plan",
	"flow/plan/nodes.go":          "complain takes the errors of a plan",
	"flow/install/commit.go":      "a store.Error is cleaned, and notes are where they are shown",
	"flow/install/refer.go":       "complain takes the errors of a plan",
	"flow/install/runner.go":      "the error is our own",
	"flow/install/folder.go":      "a ReadError is cleaned",
}

// reads says what of an expression is text of others: a field of a name, or an
// error's words; "" when it is neither.
func reads(n ast.Expr) string {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		if slices.Contains(names, n.Sel.Name) {
			return "." + n.Sel.Name
		}
	case *ast.CallExpr:
		sel, ok := n.Fun.(*ast.SelectorExpr)
		if !ok {
			return ""
		}
		if sel.Sel.Name == "Error" && len(n.Args) == 0 {
			return ".Error()"
		}
		if x, ok := sel.X.(*ast.SelectorExpr); ok && sel.Sel.Name == "String" && (x.Sel.Name == "Subject" || x.Sel.Name == "Issuer") {
			return "." + x.Sel.Name + ".String()"
		}
	}
	return ""
}

func isGate(dir string, call *ast.CallExpr) bool {
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			name = x.Name + "." + f.Sel.Name
		}
	}
	return slices.Contains(gates[""], name) || slices.Contains(gates[dir], name)
}

// leaks are the places in a file where text of others is read outside of a gate.
func leaks(dir string, file *ast.File, fset *token.FileSet, report func(function, what string, at token.Position)) {
	for _, d := range file.Decls {
		function := "a declaration"
		if f, ok := d.(*ast.FuncDecl); ok {
			function = f.Name.Name
		}
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if isGate(dir, n) {
					return false
				}
				// len(c.DNSNames) and the like show nothing.
				if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "len" {
					return false
				}
			case *ast.CompositeLit:
				// The wizard's status line is cleaned where it is drawn.
				if f, ok := n.Type.(*ast.Ident); ok && f.Name == "Status" && dir == "ui/wizard" {
					return false
				}
			case *ast.BinaryExpr:
				if n.Op == token.EQL || n.Op == token.NEQ {
					return false
				}
			}
			if e, ok := n.(ast.Expr); ok {
				if what := reads(e); what != "" {
					report(function, what, fset.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

// Above certs, what a certificate's maker wrote and what an error quotes goes
// through the gate where it is read, or where the list above says.
func TestNoTextOfACertificatePassesTheGate(t *testing.T) {
	top := filepath.Join("..", "..")
	used := map[string]bool{}
	seen := 0
	for _, room := range []string{"ui", "flow", "assets"} {
		err := filepath.WalkDir(filepath.Join(top, room), func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "testdata" || d.Name() == "internal" || d.Name() == "crashfs") {
				return filepath.SkipDir
			}
			if d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
				return nil
			}
			seen++
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, p, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(top, p)
			rel = filepath.ToSlash(rel)
			leaks(filepath.ToSlash(filepath.Dir(rel)), file, fset, func(function, what string, at token.Position) {
				for _, key := range []string{rel + " " + function, rel} {
					if gated[key] != "" {
						used[key] = true
						return
					}
				}
				t.Errorf("%s:%d: %s reads %s as it is: put untrusted.Text around it", rel, at.Line, function, what)
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 100 {
		t.Fatalf("only %d files were looked at", seen)
	}
	for key := range gated {
		if _, err := os.Stat(filepath.Join(top, strings.Fields(key)[0])); err == nil && !used[key] {
			t.Errorf("%s reads no such text any more: strike it from the list", key)
		}
	}
}

// The search itself finds what it is for.
func TestTheLintFindsALeak(t *testing.T) {
	const src = `package p
func f() {
	fmt.Printf("%s", c.Subject.CommonName)
	fmt.Println(c.Subject.String(), c.DNSNames)
	fmt.Println(err.Error())
	_ = untrusted.Text(c.Subject.CommonName).String() + untrusted.Text(err.Error()).Max(3)
	if c.Subject.CommonName == "" || len(c.DNSNames) > 0 {
	}
}`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	leaks("ui/x", file, fset, func(function, what string, _ token.Position) { got = append(got, function+what) })
	if want := []string{"f.CommonName", "f.Subject.String()", "f.DNSNames", "f.Error()"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
