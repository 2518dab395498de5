package profiles_test

import (
	"strings"
	"testing"

	"certwright/assets/profiles"
	"certwright/assets/yamlfile"
	"certwright/certs/topology"
)

// FuzzProfile changes one line of a profile, or gives all of it: whatever a user
// writes is a profile that resolves, or mistakes with a place, each on one line.
func FuzzProfile(f *testing.F) {
	names := profiles.Names()
	for i := range names {
		f.Add(uint8(i), uint16(0), "apiVersion: certwright/v1")
		f.Add(uint8(i), uint16(12), "  - {id: x, authority: x, kind: ca, names: [\"${fact.cluster.name}\"]}")
	}
	f.Add(uint8(255), uint16(0), "apiVersion: certwright/v1\nname: x\nauthorities: [{id: a}]\ncomponents: [{id: c, authority: a}]\nslots: [{id: c/ca, kind: ca}]\n")
	f.Fuzz(func(t *testing.T, which uint8, line uint16, with string) {
		text := with
		if which != 255 {
			source, err := profiles.Source(names[int(which)%len(names)])
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(string(source), "\n")
			lines[int(line)%len(lines)] = with
			text = strings.Join(lines, "\n")
		}
		p, err := profiles.Parse("profile.yaml", []byte(text))
		if err != nil {
			for _, e := range yamlfile.All(err) {
				if strings.ContainsAny(e.Error(), "\x1b\r\n\u202e\u009b") || len(e.Error()) > 2000 {
					t.Errorf("not a clean line: %q", e)
				}
			}
			return
		}
		given := map[string]string{}
		for _, fact := range p.FactNames() {
			given[fact] = "10.0.0.1"
		}
		for _, facts := range []map[string]string{nil, given} {
			if resolved, problems := topology.Resolve(p, facts); resolved == nil && len(problems) == 0 {
				t.Error("neither a topology nor a reason")
			}
		}
	})
}
