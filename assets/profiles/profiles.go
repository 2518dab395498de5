// Package profiles holds the built-in profiles as YAML and reads those that
// users write. Start with Load for a built-in one, with Parse for a user's.
//
// It opens no files: the built-in ones are in the binary, and callers pass the
// bytes of others.
package profiles

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"

	"certwright/assets/layout"
	"certwright/assets/yamlfile"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

//go:embed *.yaml
var files embed.FS

// Names lists the built-in profiles: the mission's own first, in the order in
// which people look for them, then others by name.
func Names() []string {
	entries, _ := files.ReadDir(".") // an embedded directory can always be read
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	sort.Slice(names, func(i, j int) bool {
		return cmp.Or(rank(names[i])-rank(names[j]), strings.Compare(names[i], names[j])) < 0
	})
	return names
}

var order = []string{"tectonic", "kubernetes", "calico", "k3s", "consul", "nats"}

func rank(name string) int {
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	return len(order)
}

var (
	mu     sync.Mutex
	loaded = map[string]*topology.Profile{}
)

// Load is the built-in profile of that name. It is parsed once and shared:
// callers must not change it. The error for an unknown name lists the names.
func Load(name string) (*topology.Profile, error) {
	mu.Lock()
	defer mu.Unlock()
	if p := loaded[name]; p != nil {
		return p, nil
	}
	data, err := Source(name)
	if err != nil {
		return nil, err
	}
	p, err := Parse(name+".yaml", data)
	if err != nil {
		return nil, err
	}
	loaded[name] = p
	return p, nil
}

// Source is the YAML of the built-in profile of that name.
func Source(name string) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, unknown(name)
	}
	return files.ReadFile(name + ".yaml")
}

// ErrUnknown is what the error for a name that is not built in wraps.
var ErrUnknown = errors.New("unknown profile")

func unknown(name string) error {
	names := Names()
	hint := "the built-in ones are " + strings.Join(names, ", ")
	if near := yamlfile.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return fmt.Errorf("%w %s; %s; write ./FILE for a profile of your own", ErrUnknown, yamlfile.Quote(name), hint)
}

// IsPath says whether what a person gave as a profile is a file of their own
// and not the name of a built-in one: it has a slash or ends in .yaml.
func IsPath(profile string) bool {
	return strings.ContainsAny(profile, `/\`) || slices.Contains([]string{".yaml", ".yml"}, path.Ext(profile))
}

// maxMessage cuts a message that quotes what the file says, in bytes.
const maxMessage = 400

// Parse reads a profile that a user wrote. The error is a yamlfile.Errors:
// everything that is wrong, each with line and column.
func Parse(file string, data []byte) (*topology.Profile, error) {
	p := &topology.Profile{}
	if err := yamlfile.Decode(file, data, p); err != nil {
		return nil, err
	}
	for i := range p.Slots {
		if p.Slots[i].Kind == "" {
			p.Slots[i].Kind = topology.Leaf
		}
	}
	report := yamlfile.Report{File: file, Locate: yamlfile.Locator(data)}
	for _, err := range p.Validate() {
		var fe *topology.FieldError
		if !errors.As(err, &fe) {
			fe = &topology.FieldError{Message: err.Error()}
		}
		report.Bad(fe.Path, untrusted.Text(fe.Message).Max(maxMessage))
	}
	for field, list := range map[string][]string{"layouts": p.Layouts, "offers": p.Offers} {
		for i, l := range list {
			if !slices.Contains(layout.Names(), l) {
				report.Bad(fmt.Sprintf("%s[%d]", field, i), fmt.Sprintf("unknown layout %s: use %s", yamlfile.Quote(l), strings.Join(layout.Names(), ", ")))
			}
		}
	}
	if len(report.Errors) == 0 {
		// The defaults must hang together too: a plan may be empty but for the profile's name.
		_, problems := topology.Resolve(p, nil)
		for _, fp := range problems {
			i := slices.Index(p.FactNames(), fp.Fact)
			if p.Facts[i].Default != "" { // one without a default is asked for
				report.Bad(fmt.Sprintf("facts[%d].default", i), untrusted.Text(fp.Text()).Max(maxMessage))
			}
		}
	}
	if err := yamlfile.Join(report.Errors...); err != nil {
		return nil, err
	}
	return p, nil
}
