package install_test

import (
	"context"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"certwright/flow"
	"certwright/flow/install"
)

// Every file of a set that is replaced can be compared with the one that is
// there, and no byte of either key is in what is told.
func TestADifferenceTellsNamesAndKeysWithoutAByteOfAKey(t *testing.T) {
	w := world(t)
	p := defaults(t)
	dir, first := write(t, w, p, false)
	p.Facts = map[string]string{"cluster.name": "demo", "service.cidr": "10.99.0.0/16"}
	p.Output.Dir = dir
	second, err := install.Prepare(context.Background(), w, answers(t, p), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var secrets []string
	for _, set := range []*flow.Prepared{first, second} {
		for _, f := range set.Files {
			if block, _ := pem.Decode(f.Data); block != nil && strings.Contains(block.Type, "PRIVATE KEY") {
				for _, line := range strings.Split(strings.TrimSpace(string(f.Data)), "\n") {
					if !strings.HasPrefix(line, "-----") {
						secrets = append(secrets, line)
					}
				}
			}
		}
	}
	if len(secrets) < 20 {
		t.Fatalf("only %d lines of keys", len(secrets))
	}
	texts := map[string]string{}
	for _, c := range second.Survey.Changes {
		if c.What != flow.Overwrite {
			continue
		}
		d := install.Compare(w, second, c.Path)
		text := d.Note
		for _, r := range d.Rows {
			text += "\n" + r.Label + "|" + r.Now + "|" + r.Then
		}
		for _, l := range d.Lines {
			text += "\n" + string(l.Sign) + l.Text
		}
		if texts[c.Path] = text; strings.TrimSpace(text) == "" {
			t.Errorf("%s: nothing is told", c.Path)
		}
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Fatalf("%s: the difference has a line of a key", c.Path)
			}
		}
	}
	for path, want := range map[string]string{
		"tls/apiserver.crt": "\n-IP:10.3.0.1", "tls/apiserver.key": "two different keys",
		"tls/ca.crt": "\nserial|", "certwright.yaml": "\n+  service.cidr: 10.99.0.0/16",
	} {
		if !strings.Contains(texts[path], want) {
			t.Errorf("%s: got %q, want %q in it", path, texts[path], want)
		}
	}
	if err := os.Remove(filepath.Join(dir, "tls", "ca.crt")); err != nil {
		t.Fatal(err)
	}
	if d := install.Compare(w, second, "tls/ca.crt"); !strings.Contains(d.Note, "cannot be read") {
		t.Errorf("a file that is gone: %+v", d)
	}
	if d := install.Compare(w, second, "../../etc/passwd"); !strings.Contains(d.Note, "no such file") {
		t.Errorf("a path outside of the set: %+v", d)
	}
}
