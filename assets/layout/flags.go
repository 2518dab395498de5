package layout

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

const flagsDir = "flags/"

// parameter is one setting of a program, with its value.
type parameter struct {
	name, value string
	as          topology.As
	when        string // set it only then
	file        string // of the set, below treeDir; "" when none is named
}

// program is a consumer of files and what it is told.
type program struct {
	name       string
	parameters []parameter
	lacking    []string // parameters whose file the set does not have
}

// programs lists the consumers in the profile's order, each with what its
// machines have in common: of a slot that each node has one of, the file has
// the same place on all.
func (j *job) programs() []*program {
	var out []*program
	of := func(name string) *program {
		at := slices.IndexFunc(out, func(p *program) bool { return p.name == name })
		if at < 0 {
			at, out = len(out), append(out, &program{name: name})
		}
		return out[at]
	}
	seen := map[topology.SlotID]bool{}
	for i := range j.t.Slots {
		s := &j.t.Slots[i]
		if seen[s.ID.Base()] {
			continue
		}
		seen[s.ID.Base()] = true
		for _, c := range s.Consumers {
			p := of(c.Component)
			for _, v := range j.parameters(s, c) {
				if v.value == "" {
					p.lacking = append(p.lacking, v.name)
				} else if !slices.Contains(p.parameters, v) {
					p.parameters = append(p.parameters, v)
				}
			}
		}
	}
	for _, s := range j.t.Settings {
		p := of(s.Component)
		p.parameters = append(p.parameters, parameter{name: s.Name, value: s.Value, as: s.As})
	}
	return out
}

// parameters are what a consumer is told of a slot: one parameter, or one for
// each kubeconfig. The value of one whose file the set lacks is "".
func (j *job) parameters(s *topology.Slot, c topology.Consumer) []parameter {
	p := parameter{name: c.Name, as: c.As, when: c.When}
	switch c.As {
	case topology.AsManifest:
		return nil
	case topology.AsSecret:
		p.value = c.Secret
		return []parameter{p}
	case topology.AsKubeconfig:
		var out []parameter
		for _, k := range j.confs[s.ID] {
			p.file, p.value = k.File, j.deployed(k.File)
			out = append(out, p)
		}
		return out
	}
	if (c.Field == topology.FieldKey || c.Needs == topology.FieldKey) && j.set.Pairs[s.ID].Key == nil {
		return []parameter{p}
	}
	p.file = s.Files.Name(c.Field)
	if signs(c) && j.signsApart(s) {
		p.file = signerFile(p.file)
	}
	p.value = j.deployed(p.file)
	return []parameter{p}
}

// flags writes for each program what to tell it, in its own form: flags one a
// line for xargs -a, variables for an environment file, keys of a YAML or JSON config.
// These files hold no comments, so that they can be used as they are.
func flags(j *job) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		for _, p := range j.programs() {
			for _, form := range []struct {
				ending string
				write  func([]parameter) ([]byte, error)
				wants  func(parameter) bool
			}{
				{".txt", flagLines, func(v parameter) bool { return v.flag() && v.when == "" }},
				{".env", flagLines, func(v parameter) bool { return v.as == topology.AsEnv && v.when == "" }},
				{".yaml", configYAML, func(v parameter) bool { return v.as == topology.AsConfig && v.when == "" }},
				{".json", configJSON, func(v parameter) bool { return v.as == topology.AsJSON && v.when == "" }},
				{".optional.txt", conditional, func(v parameter) bool { return v.when != "" }},
			} {
				var list []parameter
				for _, v := range p.parameters {
					if form.wants(v) {
						list = append(list, v)
					}
				}
				if len(list) == 0 {
					continue
				}
				data, err := form.write(list)
				if err != nil {
					err = fmt.Errorf("render the parameters of %s: %w", p.name, err)
				}
				f := File{Path: flagsDir + fileName(p.name) + form.ending, Data: data, Mode: modePublic, Kind: KindConfig}
				if !yield(f, err) || err != nil {
					return
				}
			}
		}
	}
}

// fileName is a program's name as a file's: "ingress controller" is ingress-controller.
func fileName(program string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, strings.ToLower(program))
}

// flag says whether the parameter stands on a start line. A kubeconfig that a
// program finds by its place has a name and no flag.
func (v parameter) flag() bool {
	return v.as == topology.AsFlag || strings.HasPrefix(v.name, "-") && (v.as == topology.AsSecret || v.as == topology.AsKubeconfig)
}

func (v parameter) line() string { return v.name + "=" + untrusted.Text(v.value).ShellArg() }

func flagLines(list []parameter) ([]byte, error) {
	var b strings.Builder
	for _, v := range list {
		b.WriteString(v.line() + "\n")
	}
	return []byte(b.String()), nil
}

// conditional writes parameters that would do harm where their condition does
// not hold; hence not among the others.
func conditional(list []parameter) ([]byte, error) {
	var b strings.Builder
	for _, v := range list {
		fmt.Fprintf(&b, "# only when %s\n%s\n", v.when, v.line())
	}
	return []byte(b.String()), nil
}

func configYAML(list []parameter) ([]byte, error) {
	root, err := configTree(list)
	if err != nil {
		return nil, err
	}
	return toYAML(root)
}

func configJSON(list []parameter) ([]byte, error) {
	root, err := configTree(list)
	if err != nil {
		return nil, err
	}
	return toJSON(root)
}

// configTree turns grpc.tlsCert into a key within a key.
func configTree(list []parameter) (map[string]any, error) {
	root := map[string]any{}
	for _, v := range list {
		at, keys := root, strings.Split(v.name, ".")
		for _, k := range keys[:len(keys)-1] {
			next, ok := at[k].(map[string]any)
			if !ok {
				if at[k] != nil {
					return nil, fmt.Errorf("%s stands below a parameter that has a value", v.name)
				}
				next = map[string]any{}
				at[k] = next
			}
			at = next
		}
		last := keys[len(keys)-1]
		if _, taken := at[last]; taken {
			return nil, fmt.Errorf("%s is set twice", v.name)
		}
		at[last] = scalar(v.value)
	}
	return root, nil
}

// scalar is a switch where the value is one: the programs' YAML is typed.
func scalar(value string) any {
	switch value {
	case "true":
		return true
	case "false":
		return false
	}
	return value
}

// files lists what a program reads, below treeDir, in order.
func (p *program) files() []string {
	seen := map[string]bool{}
	for _, v := range p.parameters {
		if v.file != "" {
			seen[v.file] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
