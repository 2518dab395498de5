package wizard

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// keyPlaces are where the bindings of a file work, in the order of the page. A
// binding in a file that is not listed fails the test.
var keyPlaces = []struct{ file, place string }{
	{"root_keys.go", "Everywhere"},
	{"help.go", "Help"},
	{"leave.go", "Leaving"},
	{"profile.go", "Profile"},
	{"facts.go", "Facts"},
	{"nodes.go", "Nodes"},
	{"modes.go", "Components"},
	{"slot_keys.go", "CA and certificates"},
	{"slot_edit.go", "A path or a passphrase"},
	{"picker.go", "File picker"},
	{"paste.go", "Paste"},
	{"slot_filled.go", "A folder's files"},
	{"topology.go", "Topology"},
	{"topology_export.go", "Topology"},
	{"review.go", "Review"},
	{"review_full.go", "Review"},
	{"review_cakeys.go", "Keys of CAs"},
	{"review_forms.go", "Forms"},
	{"write.go", "Write"},
	{"done.go", "Done"},
	{"outline.go", ""}, // stands in for a screen that is not there
}

// boundKey is one binding that has a help text.
type boundKey struct {
	key, does string
	all       []string
}

// bindingsOf reads the bindings of a file out of its source: all of them, also
// those that hardly ever work.
func bindingsOf(t *testing.T, file string) (out []boundKey) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	texts := func(c *ast.CallExpr) (out []string) {
		for _, a := range c.Args {
			if l, ok := a.(*ast.BasicLit); ok {
				s, err := strconv.Unquote(l.Value)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, s)
			}
		}
		return out
	}
	ast.Inspect(f, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if f, ok := c.Fun.(*ast.Ident); !ok || f.Name != "bind" {
			return true
		}
		var k boundKey
		if said := texts(c); len(said) > 2 {
			k.key, k.does, k.all = said[0], said[1], said[2:]
		}
		if k.key != "" {
			out = append(out, k)
		}
		return true
	})
	return out
}

// keyTable is the page's table of keys.
func keyTable(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		known := slices.ContainsFunc(keyPlaces, func(p struct{ file, place string }) bool { return p.file == file })
		if !known && !strings.HasSuffix(file, "_test.go") && len(bindingsOf(t, file)) > 0 {
			t.Errorf("%s has keys, and docs/wizard.md no place for them", file)
		}
	}
	var b strings.Builder
	b.WriteString("| where | key | does |\n|---|---|---|\n")
	for _, p := range keyPlaces {
		if p.place == "" {
			continue
		}
		seen := map[boundKeyID]bool{}
		for _, k := range bindingsOf(t, p.file) {
			if id := (boundKeyID{k.key, k.does}); seen[id] {
				continue
			} else {
				seen[id] = true
			}
			var also []string
			for _, a := range k.all {
				if a == " " {
					a = "space"
				}
				if !strings.Contains(" "+k.key+" ", " "+a+" ") && !arrows(k.key, a) {
					also = append(also, "`"+a+"`")
				}
			}
			place := p.place
			if k.key == "1 to 9" {
				place, also = keyPlaces[0].place, nil // help.go only lists them
			}
			b.WriteString("| " + place + " | `" + k.key + "`")
			if len(also) > 0 {
				b.WriteString(" (" + strings.Join(also, " ") + ")")
			}
			b.WriteString(" | " + k.does + " |\n")
		}
	}
	return b.String()
}

// arrows says that the key shown stands for a movement key already.
func arrows(shown, name string) bool {
	return strings.ContainsAny(shown, "↑←") && slices.Contains([]string{"up", "down", "left", "right", "tab", "shift+tab"}, name)
}

type boundKeyID struct{ key, does string }

func TestTheDocumentedKeysAreTheBindings(t *testing.T) {
	const page, begin, end = "../../docs/wizard.md", "<!-- keys: go test ./ui/wizard -run Doc -update -->\n", "<!-- end of keys -->"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(strings.ReplaceAll(string(data), "\r\n", "\n"), begin)
	got, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no table of keys", page)
	}
	want := keyTable(t)
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("the keys in %s are not those of the program; write them anew with -update\ngot:\n%s\nwant:\n%s", page, got, want)
	}
	if err := os.WriteFile(page, []byte(head+begin+want+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
