package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"certwright/assets/store"
)

// in runs one command in a folder and returns its standard output and status.
func in(t *testing.T, dir string, args ...string) (string, int) {
	t.Helper()
	var out, errs bytes.Buffer
	status := run(context.Background(), World{
		Args: args, Out: &out, Err: &errs, Getenv: func(string) string { return "" },
		Disk: afero.NewOsFs(), Store: store.OS(), Dir: dir, Now: time.Now, Rand: rand.Reader,
	})
	if status == exitBug {
		t.Fatalf("%v: %s", args, errs.String())
	}
	return out.String(), status
}

// documented lists the fields that docs/validation.md gives in a table.
func documented(t *testing.T, heading string) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "validation.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(data), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("docs/validation.md has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	out := map[string]bool{}
	for line := range strings.Lines(section) {
		if cells := strings.Split(line, "|"); strings.HasPrefix(line, "| `") {
			for field := range strings.SplitSeq(cells[1], ",") {
				field = strings.Trim(strings.TrimSpace(field), "`")
				out[strings.TrimPrefix(field, "findings[].")] = true
			}
		}
	}
	return out
}

func fields(t *testing.T, text string, at ...string) map[string]any {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if d.More() {
		t.Fatalf("more than one JSON value in %s", text)
	}
	for _, key := range at {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			if len(x) == 0 {
				t.Fatalf("nothing at %v in %s", at, text)
			}
			v = x[0]
		}
	}
	m, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("no object at %v in %s", at, text)
	}
	return m
}

// The JSON has the fields that the documentation names, and no other.
func TestTheJSONIsWhatTheDocumentationSays(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plan.yaml"), []byte("apiVersion: certwright/v1\nprofile: tectonic\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, status := in(t, dir, "apply", "-f", "plan.yaml", "-o", "json"); status != 0 {
		t.Fatalf("apply: status %d", status)
	}
	known := documented(t, "One slot")
	if len(known) < 10 {
		t.Fatalf("the documentation names only %v", known)
	}
	bad, status := in(t, dir, "validate", "--profile", "tectonic", "--slot", "etcd/server", "--cert", "generated/tls/etcd/server.crt", "--set", "etcd.hosts=other.example.com", "-o", "json")
	if status != 1 {
		t.Errorf("status %d for a certificate without the name", status)
	}
	for name := range fields(t, bad) {
		if !known[name] {
			t.Errorf("field %q is not documented", name)
		}
	}
	finding := fields(t, bad, "findings", "0")
	for name := range finding {
		if !known[name] {
			t.Errorf("field findings[].%q is not documented", name)
		}
	}
	for _, must := range []string{"rule", "severity", "message", "fix"} {
		if s, ok := finding[must].(string); !ok || s == "" {
			t.Errorf("field findings[].%s is %v", must, finding[must])
		}
	}
	good, status := in(t, dir, "validate", "--profile", "tectonic", "--slot", "etcd/server", "--cert", "generated/tls/etcd/server.crt", "-o", "json")
	if f, ok := fields(t, good)["findings"].([]any); !ok || len(f) != 0 || status != 0 {
		t.Errorf("a good certificate: status %d, %s", status, good)
	}

	folder, status := in(t, dir, "validate", "--profile", "tectonic", "generated", "-o", "json")
	if status != 0 {
		t.Errorf("a written set: status %d, %s", status, folder)
	}
	known = documented(t, "A folder")
	for name := range fields(t, folder) {
		if !known[name] {
			t.Errorf("field %q of a folder is not documented", name)
		}
	}
	for _, array := range []string{"unplaced", "missing", "findings"} {
		if _, ok := fields(t, folder)[array].([]any); !ok {
			t.Errorf("%s is no array: %s", array, folder)
		}
	}
}
