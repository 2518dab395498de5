package yamlfile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

type kind string

type level struct{ n int }

func (l *level) UnmarshalText(text []byte) error {
	if string(text) != "high" {
		return fmt.Errorf("must be high")
	}
	l.n = 3
	return nil
}

type part struct {
	ID    string   `yaml:"id"`
	Kind  kind     `yaml:"kind"`
	Names []string `yaml:"names"`
}

type document struct {
	APIVersion string            `yaml:"apiVersion"`
	Count      int               `yaml:"count"`
	On         bool              `yaml:"on"`
	Level      level             `yaml:"level"`
	Facts      map[string]string `yaml:"facts"`
	Slots      []part            `yaml:"slots"`
	CA         *part             `yaml:"ca"`
	Nested     map[kind]part     `yaml:"nested"`
	hidden     string
}

func TestDecodeReadsWhatPeopleWrite(t *testing.T) {
	var got document
	err := Decode("plan.yaml", []byte(`
apiVersion: v1   # a comment
count: 3
on: true
level: high
facts: {cluster.name: demo, version: 1.30, answer: no, day: 2026-11-21, "empty": ""}
slots:
  - {id: a, kind: leaf, names: [x, "y"]}
  - id: b
ca: {id: root}
nested:
  etcd: {id: etcd}
  kube:
`), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := document{
		APIVersion: "v1", Count: 3, On: true, Level: level{3},
		// 1.30 is no number and no is no boolean where text is due.
		Facts:  map[string]string{"cluster.name": "demo", "version": "1.30", "answer": "no", "day": "2026-11-21", "empty": ""},
		Slots:  []part{{ID: "a", Kind: "leaf", Names: []string{"x", "y"}}, {ID: "b"}},
		CA:     &part{ID: "root"},
		Nested: map[kind]part{"etcd": {ID: "etcd"}, "kube": {}},
	}
	if g, w := fmt.Sprintf("%+v %+v", got, *got.CA), fmt.Sprintf("%+v %+v", want, *want.CA); normal(g) != normal(w) {
		t.Errorf("got  %s\nwant %s", g, w)
	}
	if got.hidden != "" {
		t.Error("an unexported field was set")
	}
}

// normal drops the addresses that %+v prints for pointers.
func normal(s string) string {
	before, rest, found := strings.Cut(s, "CA:0x")
	if !found {
		return s
	}
	_, after, _ := strings.Cut(rest, " ")
	return before + after
}

func TestDecodeTakesEmptyDocuments(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# only a comment\n", "---\n", "\ufeffcount: 1\n"} {
		var got document
		if err := Decode("f", []byte(text), &got); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

const pemLine = "-----BEGIN PRIVATE KEY-----"

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct{ why, text, want string }{
		{"misspelt field", "apiversion: x\n", `f:1:1: unknown field "apiversion"; did you mean apiVersion?`},
		{"field of nothing near", "zzzzzz: x\n", `f:1:1: unknown field "zzzzzz"; the fields here are apiVersion, count, on, level, facts, slots, ca, nested`},
		{"misspelt field inside", "slots:\n  - {id: a, knid: b}\n", `f:2:13: slots[0]: unknown field "knid"; did you mean kind?`},
		{"duplicate key", "count: 1\non: true\ncount: 2\n", "f:3:1: count: is set twice, first in line 1; keep one"},
		{"duplicate fact", "facts: {a: b, a: c}\n", "f:1:15: facts.a: is set twice, first in line 1; keep one"},
		{"text for a number", "count: many\n", `f:1:8: count: must be a whole number, not "many"`},
		{"number too large", "count: 99999999999999999999\n", `f:1:8: count: must be a whole number, not "99999999999999999999"`},
		{"yes for a boolean", "on: yes\n", `f:1:5: on: must be true or false, not "yes"`},
		{"boolean for text", "apiVersion: true\n", `f:1:13: apiVersion: must be text, not "true"; put it in quotes if it is meant as text`},
		{"nothing for text", "apiVersion:\n", "f:1:12: apiVersion: has no value; write one, or leave the field out"},
		{"null for a fact", "facts: {a: ~}\n", "f:1:12: facts.a: has no value; write one, or leave the field out"},
		{"list for text", "facts: {a: [b, c]}\n", "f:1:12: facts.a: must be text, not a list; write the members in one text, with commas"},
		{"unquoted template", "apiVersion: {{x}}\n", `f:1:13: apiVersion: must be text, not a map; a value that starts with { needs quotes: "{{…}}"`},
		{"map for text", "apiVersion:\n  a: b\n", "f:2:3: apiVersion: must be text, not a map"},
		{"text for a list", "slots: a\n", `f:1:8: slots: must be a list, not "a"; write […]`},
		{"text for a map", "facts: a\n", `f:1:8: facts: must be a map of fields, not "a"`},
		{"list as the document", "- a\n", "f:1:1: must be a map of fields, not a list"},
		{"text unmarshaler", "level: low\n", "f:1:8: level: must be high"},
		{"anchor", "apiVersion: &a x\n", "f:1:13: apiVersion: anchors and aliases are not taken; write the value out"},
		{"alias", "facts: &a {b: c}\nnested: *a\n", "f:1:8: facts: anchors and aliases are not taken; write the value out\nf:2:9: nested: anchors and aliases are not taken; write the value out"},
		{"unknown alias", "count: 1\nfacts: {a: *nobody}\n", "f:2:12: anchors and aliases are not taken; write the value out, or quote a text that starts with *"},
		{"merge key", "facts:\n  <<: {a: b}\n", "f:2:3: facts: anchors, aliases and << are not taken; write the fields out"},
		{"tag", "apiVersion: !!binary aGk=\n", `f:1:13: apiVersion: tags are not taken; remove "!!binary"`},
		{"own tag", "count: !thing 3\n", `f:1:8: count: tags are not taken; remove "!thing"`},
		{"key that is a list", "facts: {[a]: b}\n", "f:1:9: facts: a field's name must be text"},
		{"second document", "count: 1\n---\ncount: 2\n", "f:2:1: a second document starts; one file holds one"},
		{"tab", "facts:\n\ta: b\n", "f:2:1: a character that cannot start a value; indent with spaces and not with tabs, and quote values that start with @, `, % or {"},
		{"not UTF-8", "count: 1\nfacts: {a: \xff}\n", "f:2:12: is not UTF-8 text; save it as UTF-8"},
		{"UTF-16", "\xff\xfec\x00", "f:1:1: is not UTF-8 text; save it as UTF-8"},
		{"control character", "apiVersion: a\x07\n", "f: a control character; remove it"},
		{"columns count characters", "facts: {ä: b, ä: c}\n", "f:1:15: facts.ä: is set twice, first in line 1; keep one"},
		{"terminal escape in a key", "\"\\e[31m\": x\n", `f:1:1: unknown field "\u{1b}[31m"; the fields here are apiVersion, count, on, level, facts, slots, ca, nested`},
		{"key bytes as a field", pemLine + ": x\n", `f:1:1: unknown field (a text of 27 B, not shown); the fields here are apiVersion, count, on, level, facts, slots, ca, nested`},
		{"key bytes as a number", "count: " + pemLine + "\n", `f:1:8: count: must be a whole number, not (a text of 27 B, not shown)`},
		{"key bytes as a fact's name", "facts: {" + pemLine + ": [a]}\n", "f:1:38: facts: must be text, not a list; write the members in one text, with commas"},
	} {
		t.Run(c.why, func(t *testing.T) {
			var got document
			err := Decode("f", []byte(c.text), &got)
			if err == nil {
				t.Fatalf("accepted as %+v", got)
			}
			if err.Error() != c.want {
				t.Errorf("got  %s\nwant %s", err, c.want)
			}
		})
	}
}

func TestDecodeHasCaps(t *testing.T) {
	for _, c := range []struct{ why, text, want string }{
		{"size", strings.Repeat("#", MaxBytes+1), "f: is 1.0 MB long; at most 1 MiB is read"},
		{"brackets", strings.Repeat("[", 100_000), "nested too deeply"},
		{"indents", strings.Repeat("- ", 5_000) + "a", "must be a map of fields"},
		{"aliases", bomb(), "anchors and aliases are not taken"},
	} {
		t.Run(c.why, func(t *testing.T) {
			err := Decode("f", []byte(c.text), &document{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
	type deep struct {
		Next *deep `yaml:"next"`
	}
	err := Decode("f", []byte(strings.Repeat("{next: ", 40)+"{}"+strings.Repeat("}", 40)), &deep{})
	if err == nil || !strings.Contains(err.Error(), "is nested more than 20 levels deep") {
		t.Errorf("recursive target: got %v", err)
	}
}

// bomb is nine levels of nine aliases each.
func bomb() string {
	text := "facts:\n  a0: &a0 x\n"
	for i := range 9 {
		text += fmt.Sprintf("  a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 9), ","))
	}
	return text
}

func TestErrorsAreGatheredAndCapped(t *testing.T) {
	text := ""
	for i := range 25 {
		text += fmt.Sprintf("wrong%02d: x\n", i)
	}
	err := Decode("dir/f.yaml", []byte(text), &document{})
	all := All(err)
	if len(all) != 11 {
		t.Fatalf("got %d errors, want 10 and a last line: %v", len(all), err)
	}
	if got, want := all[10].Error(), "dir/f.yaml: 15 more errors; mend these first"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var first *Error
	if !errors.As(err, &first) || first.Line != 1 {
		t.Errorf("errors.As found %+v", first)
	}
	if All(errors.New("other")) != nil || All(nil) != nil {
		t.Error("All found errors where there are none")
	}
}

func TestFileNameIsEscaped(t *testing.T) {
	err := Decode("evil\x1b[2J\n.yaml", []byte("x: y"), &document{})
	if s := err.Error(); strings.ContainsAny(s, "\x1b\n") {
		t.Errorf("%q", s)
	}
}

func TestLocate(t *testing.T) {
	data := []byte(`# comment
name: demo
facts:
  etcd.hosts: a,b
  etcd: c
slots:
  - id: etcd/ca
    files: {cert: a, key: b}
  - id: etcd/server
    names:
      - {dns: localhost}
      - {dns: other, ip: x}
components:
  ingress:
`)
	for _, c := range []struct {
		path      string
		line, col int
	}{
		{"name", 2, 7},
		{"facts.etcd.hosts", 4, 15},
		{"facts.etcd", 5, 9},
		{"slots[1].names[1].ip", 12, 26},
		{"slots[0].files.key", 8, 27},
		{"slots[1]", 9, 5},
		{"slots[1].authority", 9, 5},       // not in the file: the part
		{"slots[7].id", 7, 3},              // no such part: the list
		{"components.ingress.mode", 14, 3}, // without a value: its key
		{"", 2, 1},
		{"nowhere.at[all", 2, 1},
		{"name[0]", 2, 7},
		{"slots[x", 7, 3},
	} {
		if line, col := Locate(data, c.path); line != c.line || col != c.col {
			t.Errorf("%q: got %d:%d, want %d:%d", c.path, line, col, c.line, c.col)
		}
	}
	if line, col := Locate([]byte("a: [\n"), "a"); line != 0 || col != 0 {
		t.Errorf("broken file: got %d:%d", line, col)
	}
	if line, col := Locate(nil, "a"); line != 0 || col != 0 {
		t.Errorf("empty file: got %d:%d", line, col)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"generate", "bring-ca", "bring-certs"}
	for _, c := range []struct{ word, want string }{
		{"generat", "generate"},
		{"Generate", "generate"},
		{"bringca", "bring-ca"},
		{"birng-ca", "bring-ca"},
		{"bring-cert", "bring-certs"},
		{"nothing", ""},
		{"", ""},
		{strings.Repeat("x", 1000), ""},
	} {
		if got := Nearest(c.word, names); got != c.want {
			t.Errorf("%s: got %q, want %q", c.word, got, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nfacts: {a: b}\nslots:\n  - {id: x}\n"))
	f.Add([]byte("a: &a [*a]\n<<: {b: c}\n"))
	f.Add([]byte("---\n---\n"))
	f.Add([]byte("? [a, b]\n: c\n!!map {}: |\n  x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		err := Decode("f", data, &document{})
		for _, e := range All(err) {
			if strings.ContainsAny(e.Error(), "\x1b\n\r\u202e") {
				t.Errorf("unescaped: %q", e)
			}
			if e.Line > 1+strings.Count(string(data), "\n")+strings.Count(string(data), "\r")+strings.Count(string(data), "\u2028")+strings.Count(string(data), "\u2029")+strings.Count(string(data), "\u0085") {
				t.Errorf("line %d is behind the end", e.Line)
			}
		}
		Locate(data, "slots[0].id")
		Locate(data, "facts.a")
	})
}

func BenchmarkDecode(b *testing.B) {
	var text strings.Builder
	text.WriteString("slots:\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "  - {id: slot-%d, kind: leaf, names: [a, b, c]}\n", i)
	}
	data := []byte(text.String())
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := Decode("f", data, &document{}); err != nil {
			b.Fatal(err)
		}
	}
}
