package plan

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"certwright/assets/yamlfile"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

// origin is the file that a plan was read from, for the positions of errors
// that Check finds.
type origin struct {
	file string
	data []byte
}

// document is a plan as its file has it.
type document struct {
	APIVersion string                             `yaml:"apiVersion"`
	Profile    string                             `yaml:"profile"`
	Facts      map[string]string                  `yaml:"facts"`
	Nodes      nodesField                         `yaml:"nodes"`
	Keys       Keys                               `yaml:"keys"`
	Validity   Validity                           `yaml:"validity"`
	Hierarchy  topology.Hierarchy                 `yaml:"hierarchy"`
	Components map[topology.ComponentID]Component `yaml:"components"`
	Output     Output                             `yaml:"output"`
	Awaiting   string                             `yaml:"awaiting"`
}

// Parse reads a plan. The error is a yamlfile.Errors with line and column.
// Check, with the profile that the plan names, finds what is wrong beyond the form.
func Parse(name string, data []byte) (*Plan, error) {
	if err := refuseSecrets(name, data); err != nil {
		return nil, err
	}
	var d document
	if err := yamlfile.Decode(name, data, &d); err != nil {
		return nil, err
	}
	p := &Plan{
		APIVersion: d.APIVersion, Profile: d.Profile, Facts: d.Facts, Keys: d.Keys, Validity: d.Validity,
		Hierarchy: d.Hierarchy, Components: d.Components, Output: d.Output, Awaiting: d.Awaiting, origin: &origin{name, data},
	}
	r := p.report()
	d.Nodes.take(p, r)
	switch p.APIVersion {
	case APIVersion:
	case "":
		r.Bad("apiVersion", "is missing; write apiVersion: "+APIVersion)
	default:
		r.Bad("apiVersion", "must be "+APIVersion+", not "+yamlfile.Quote(p.APIVersion))
	}
	if p.Profile == "" {
		r.Bad("profile", "is missing; write profile: tectonic, or another that certwright profiles lists")
	}
	p.eachPath(func(at, path string) string {
		if err := checkPath(path); err != nil {
			r.Bad(at, err.Error())
		}
		return path
	})
	p.eachFiles(func(at string, f *Files) {
		checkStepCA(at, f, r)
		switch {
		case f.From != "" && (f.Cert != "" || f.Key != ""):
			r.Bad(at+".from", "takes the CA and its key out of a set; remove cert and key, or from")
		case f.Offline && f.Key != "":
			r.Bad(at+".offline", "says that the key of this CA is elsewhere, and key names it; remove one of them")
		case f.Offline && f.Cert == "" && f.From == "":
			r.Bad(at+".offline", "needs the certificate of the CA whose key is elsewhere; name it: {cert: FILE, offline: true}")
		case f.Offline && !strings.HasSuffix(at, ".ca") || f.Offline && strings.Contains(at, ".certs."):
			r.Bad(at+".offline", "is for the CA of a component in mode bring-ca; what is brought ready is not signed any more")
		case f.From == "" && f.Authority != "":
			r.Bad(at+".authority", "is the authority of another set; name that set's directory too: {from: DIR, authority: "+untrusted.Text(string(f.Authority)).Max(64)+"}")
		}
	})
	if err := yamlfile.Join(r.Errors...); err != nil {
		return nil, err
	}
	return p, nil
}

// eachFiles visits what was handed over for each slot, in order.
func (p *Plan) eachFiles(visit func(at string, f *Files)) {
	for _, id := range slices.Sorted(maps.Keys(p.Components)) {
		c := p.Components[id]
		if c.CA != nil {
			visit(fmt.Sprintf("components.%s.ca", id), c.CA)
		}
		for _, name := range slices.Sorted(maps.Keys(c.Certs)) {
			f := c.Certs[name]
			visit(fmt.Sprintf("components.%s.certs.%s", id, name), &f)
			c.Certs[name] = f
		}
	}
}

// CAs visits each CA that the plan takes out of a set written earlier. visit
// may set Cert and Key, the files that it found.
func (p *Plan) CAs(visit func(component topology.ComponentID, field string, f *Files)) {
	p.eachFiles(func(at string, f *Files) {
		if f.From != "" {
			id, _, _ := strings.Cut(strings.TrimPrefix(at, "components."), ".")
			visit(topology.ComponentID(id), at, f)
		}
	})
}

// Fault is an error about a field of the plan, with the position that the field
// has in the plan's file. It is a yamlfile.Errors.
func (p *Plan) Fault(field, message string) error {
	r := p.report()
	r.Bad(field, message)
	return yamlfile.Join(r.Errors...)
}

// report gathers errors at the positions of the file that the plan came from.
func (p *Plan) report() *yamlfile.Report {
	if p.origin == nil {
		return &yamlfile.Report{File: "plan"}
	}
	return &yamlfile.Report{File: p.origin.file, Locate: yamlfile.Locator(p.origin.data)}
}

// secret finds what must not stand in a plan, whatever field it is in: the
// begin of a PEM block, plain or in base64, and the name of a passphrase.
var secret = regexp.MustCompile(`(?i)-{4,5}BEGIN|LS0tLS1CRUdJTi|\b(pass-?phrase|password|passwd)["']?[ \t]*:`)

// words are those of which every secret holds one, in capitals.
var words = [][]byte{[]byte("BEGIN"), []byte("LS0TLS1CRUDJTI"), []byte("PASS")}

// findSecret is where the first secret stands, nil for none. A table of thousands
// of nodes takes the expression longer than all that comes after it, so it looks
// only where there is a word to be found.
func findSecret(data []byte) []int {
	capitals := bytes.ToUpper(data)
	defer clear(capitals)
	if !slices.ContainsFunc(words, func(w []byte) bool { return bytes.Contains(capitals, w) }) {
		return nil
	}
	return secret.FindIndex(data)
}

// refuseSecrets repeats nothing of what it found: an error may end in a log.
func refuseSecrets(name string, data []byte) error {
	at := findSecret(data)
	if at == nil || len(data) > yamlfile.MaxBytes {
		return nil
	}
	before := data[:at[0]]
	e := &yamlfile.Error{
		File: name, Line: 1 + bytes.Count(before, []byte("\n")), Column: at[0] - bytes.LastIndexByte(before, '\n'),
		Message: "a PEM block stands in the plan, which holds no keys and no certificates; write the path of a file instead",
	}
	if strings.HasSuffix(string(data[at[0]:at[1]]), ":") {
		e.Message = "a passphrase stands in the plan, which holds no secrets; remove it: it is asked for on the terminal, or read with --passphrase-file"
	}
	return yamlfile.Join(e)
}

// eachPath replaces each path that is set by what change returns.
func (p *Plan) eachPath(change func(at, path string) string) {
	do := func(at string, path *string) {
		if *path != "" {
			*path = change(at, *path)
		}
	}
	if isPath(p.Profile) {
		do("profile", &p.Profile)
	}
	do("nodes.from", &p.NodesFrom)
	p.eachFiles(func(at string, f *Files) {
		do(at+".cert", &f.Cert)
		do(at+".key", &f.Key)
		do(at+".from", &f.From)
		do(at+".step-ca.root", &f.StepCA.Root)
		do(at+".step-ca.password-file", &f.StepCA.PasswordFile)
	})
	do("output.dir", &p.Output.Dir)
	do("awaiting", &p.Awaiting)
}

// maxPath is Linux's PATH_MAX, in bytes.
const maxPath = 4096

func checkPath(path string) error {
	switch {
	case strings.Contains(path, "-----BEGIN"):
		return fmt.Errorf("is a PEM block, not a path; write it to a file and name the file")
	case len(path) >= maxPath:
		return fmt.Errorf("is longer than %d bytes, and no path is", maxPath)
	case strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("has a control character, and must be a path")
	}
	return nil
}

// Set takes an assignment as --set gives it: name=value, of a fact. Whether the
// fact exists and the value is right, Check says.
func (p *Plan) Set(assignment string) error {
	name, value, found := strings.Cut(assignment, "=")
	name = strings.TrimSpace(name)
	switch {
	case secret.MatchString(assignment):
		return fmt.Errorf("--set: is a secret, and facts hold none; give keys as files")
	case !found:
		return fmt.Errorf("--set %s: has no =; write --set name=value", yamlfile.Quote(assignment))
	case name == "":
		return fmt.Errorf("--set %s: has no name before the =; write --set cluster.name=demo", yamlfile.Quote(assignment))
	}
	if p.Facts == nil {
		p.Facts = map[string]string{}
	}
	p.Facts[name] = strings.TrimSpace(value)
	if p.fromFlag == nil {
		p.fromFlag = map[string]bool{}
	}
	p.fromFlag[name] = true
	return nil
}

// Default is the plan that accepts every default of the profile. Its facts are
// empty, so that they follow one another (a new cluster.name changes api.host);
// Explicit writes them out.
func Default(profile *topology.Profile) *Plan {
	p := &Plan{
		APIVersion: APIVersion, Profile: profile.Name, Facts: map[string]string{},
		Components: map[topology.ComponentID]Component{},
		Validity:   Validity{CA: DefaultCALife, Leaf: DefaultLeafLife},
		Hierarchy:  profile.Hierarchy,
		Output:     Output{Dir: DefaultDir, Layouts: slices.Clone(profile.Layouts)},
	}
	p.Keys.Algorithm = Algorithms(profile)[0]
	for _, c := range profile.Components {
		p.Components[c.ID] = Component{Mode: topology.Generate}
	}
	return p
}

// Explicit is the plan with every answer written out that it leaves to a
// default, so that no later version's defaults change what it makes. Facts that
// are wrong stay as they are.
func (p *Plan) Explicit(profile *topology.Profile) *Plan {
	out, d := p.Clone(), Default(profile)
	if out.Facts == nil {
		out.Facts = map[string]string{}
	}
	t, problems := p.Outline(profile)
	wrong := func(name string) bool {
		return slices.ContainsFunc(problems, func(fp *topology.FactProblem) bool { return fp.Fact == name })
	}
	for name, value := range t.Facts.Values {
		if value != "" && !wrong(name) && !(p.HasTable() && perNode(profile, name)) {
			out.Facts[name] = value
		}
	}
	if len(p.Nodes) > 0 && len(t.Nodes) == len(p.Nodes) {
		// The table itself, even if it came from a file: that may change or go.
		out.Nodes, out.NodesFrom = cloneNodes(t.Nodes), ""
	}
	if out.Components == nil {
		out.Components = map[topology.ComponentID]Component{}
	}
	for id := range d.Components {
		if t.Component(id) == nil && len(problems) == 0 {
			delete(out.Components, id) // these facts leave it out
			continue
		}
		c := out.Components[id]
		c.Mode = p.Mode(id)
		out.Components[id] = c
	}
	out.Keys.Algorithm = p.Algorithm(profile)
	if out.Validity.CA == 0 {
		out.Validity.CA = d.Validity.CA
	}
	if out.Validity.Leaf == 0 {
		out.Validity.Leaf = d.Validity.Leaf
	}
	if out.Hierarchy == "" {
		out.Hierarchy = d.Hierarchy
	}
	if out.Output.Dir == "" {
		out.Output.Dir = d.Output.Dir
	}
	if len(out.Output.Layouts) == 0 {
		out.Output.Layouts = d.Output.Layouts
	}
	return out
}
