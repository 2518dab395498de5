package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"certwright/assets/profiles"
	"certwright/assets/yamlfile"
	"certwright/certs/issue"
	"certwright/certs/material"
	"certwright/certs/topology"
	"certwright/certs/untrusted"
)

func isPath(profile string) bool { return profiles.IsPath(profile) }

// Algorithms are those that a plan for the profile may name, the default first:
// what the profile's components take and this build can make. Of a profile that
// takes nothing that this build can make, it is all that it takes, and Check
// says so.
func Algorithms(profile *topology.Profile) []issue.Algorithm {
	var out []issue.Algorithm
	for _, n := range profile.Takes() {
		if a := issue.Algorithm(n); a.CanMake() == nil {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		for _, n := range profile.Takes() {
			out = append(out, issue.Algorithm(n))
		}
	}
	return out
}

// Algorithm is the kind of the keys that are made: the plan's, or the profile's
// default.
func (p *Plan) Algorithm(profile *topology.Profile) issue.Algorithm {
	if p.Keys.Algorithm != "" {
		return p.Keys.Algorithm
	}
	return Algorithms(profile)[0]
}

// Check holds the plan against its profile: facts, components, modes, slots,
// key algorithm, lives and layouts. The error is a yamlfile.Errors, with line
// and column when the plan came from a file. What is still to be handed over
// is no error here; Complete says that.
func (p *Plan) Check(profile *topology.Profile) error {
	_, err := p.Checked(profile)
	return err
}

// Checked is Check, and the Outline of a plan that passes it.
func (p *Plan) Checked(profile *topology.Profile) (*topology.Topology, error) {
	c := &checker{p: p, profile: profile, r: p.report()}
	c.facts()
	c.keys()
	c.components()
	c.output()
	return c.t, yamlfile.Join(c.r.Errors...)
}

type checker struct {
	p       *Plan
	profile *topology.Profile
	t       *topology.Topology
	r       *yamlfile.Report
}

func (c *checker) bad(path, format string, args ...any) { c.r.Bad(path, fmt.Sprintf(format, args...)) }

func (c *checker) facts() {
	var problems []*topology.FactProblem
	c.t, problems = c.p.Outline(c.profile)
	for _, fp := range problems {
		text := fp.Text()
		if fp.Fact == "nodes" || strings.HasPrefix(fp.Fact, "nodes[") {
			c.bad(fp.Fact, "%s", untrusted.Text(text).Max(400))
			continue
		}
		if near := yamlfile.Nearest(fp.Fact, c.profile.FactNames()); near != "" && !slices.Contains(c.profile.FactNames(), fp.Fact) {
			text = fmt.Sprintf("profile %s has no such fact; did you mean %s?", c.profile.Name, near)
		}
		if c.p.fromFlag[fp.Fact] {
			c.r.Errors = append(c.r.Errors, &yamlfile.Error{File: "--set", Path: fp.Fact, Message: untrusted.Text(text).Max(400)})
			continue
		}
		c.bad("facts."+fp.Fact, "%s", untrusted.Text(text).Max(400))
	}
}

func (c *checker) keys() {
	switch f := c.p.Keys.CAKeys; f {
	case "", CAKeysPlain, CAKeysEncrypted, CAKeysDiscard:
	default:
		c.bad("keys.ca-keys", "%q is not known; use plain, encrypted or discard", string(f))
	}
	allowed := Algorithms(c.profile)
	if a := c.p.Keys.Algorithm; a != "" && (!slices.Contains(allowed, a) || a.CanMake() != nil) {
		words := make([]string, len(allowed))
		for i := range allowed {
			words[i] = string(allowed[i])
		}
		switch near := yamlfile.Nearest(string(a), words); {
		case slices.Contains(c.profile.Takes(), string(a)):
			c.bad("keys.algorithm", "%v", a.CanMake())
		case a.PostQuantum():
			c.bad("keys.algorithm", "no component of profile %s takes %s yet: such keys need %s; use one of %s", c.profile.Name, a, material.PostQuantumNeeds, strings.Join(words, ", "))
		case slices.Contains(topology.Algorithms(), string(a)):
			c.bad("keys.algorithm", "profile %s does not take %s, because some of its components refuse it; use one of %s", c.profile.Name, a, strings.Join(words, ", "))
		case near != "":
			c.bad("keys.algorithm", "unknown algorithm %s; did you mean %s?", yamlfile.Quote(string(a)), near)
		default:
			c.bad("keys.algorithm", "unknown algorithm %s; use one of %s", yamlfile.Quote(string(a)), strings.Join(words, ", "))
		}
	}
	v := c.p.Validity
	for _, f := range []struct {
		at   string
		life Duration
	}{{"validity.ca", v.CA}, {"validity.leaf", v.Leaf}} {
		if f.life < 0 || time.Duration(f.life) > MaxValidity {
			c.bad(f.at, "is %s; it must be more than zero and at most 100 years", f.life)
		}
	}
	if ca, leaf := v.CA.Or(DefaultCALife), v.Leaf.Or(DefaultLeafLife); leaf > ca {
		c.bad("validity.leaf", "is %s, longer than the CA's %s, and a certificate must not outlive its CA; lower it or raise validity.ca", Duration(leaf), Duration(ca))
	}
	if h := c.p.Hierarchy; h != "" && h != topology.Intermediates && h != topology.Roots {
		c.bad("hierarchy", "must be intermediates (one root above all CAs) or roots (each CA a root of its own), not %s", yamlfile.Quote(string(h)))
	}
}

func (c *checker) components() {
	choices := c.p.Choices()
	ids := slices.Sorted(maps.Keys(c.p.Components))
	for _, known := range c.t.Components {
		if !slices.Contains(ids, known.ID) {
			ids = append(ids, known.ID) // generated by default, and that may be what cannot be
		}
	}
	for _, id := range ids {
		at, comp := "components."+string(id), c.p.Components[id]
		known := c.t.Component(id)
		if known == nil {
			c.absent(at, id, comp)
			continue
		}
		if comp.Mode == "" && (comp.CA != nil || len(comp.Certs) > 0) {
			c.bad(at, "has files and no mode; write mode: bring-ca or mode: bring-certs")
		}
		if comp.Mode != "" && !slices.Contains(topology.Modes(), comp.Mode) {
			names := []string{string(topology.Generate), string(topology.BringCA), string(topology.BringCerts)}
			c.bad(at+".mode", "unknown mode %s; %s", yamlfile.Quote(string(comp.Mode)), suggestion(string(comp.Mode), names))
			continue
		}
		if err := c.t.Available(id, c.p.Mode(id), choices); err != nil {
			c.bad(at+".mode", "%v", err)
		}
		if comp.CA != nil && comp.CA.Offline && comp.Mode != topology.BringCA {
			c.bad(at+".ca.offline", "is for mode bring-ca alone; remove it, or write mode: bring-ca")
		}
		if comp.CA != nil && comp.CA.StepCA != (StepCA{}) {
			switch {
			case comp.Mode != topology.BringCA:
				c.bad(at+".ca.step-ca", "is for mode bring-ca alone; remove it, or write mode: bring-ca")
			case comp.Intermediate:
				c.bad(at+".intermediate", "a step-ca signs the certificates itself, and no intermediate of ours; remove intermediate")
			}
		}
		if comp.Intermediate && comp.Mode != topology.BringCA {
			c.bad(at+".intermediate", "is for mode bring-ca alone; remove it, or write mode: bring-ca")
		}
		for _, name := range slices.Sorted(maps.Keys(comp.Certs)) {
			slot := c.t.Slot(topology.SlotID(string(id) + "/" + name))
			switch {
			case slot == nil:
				c.bad(at+".certs."+name, "%s has no such slot; %s", id, suggestion(name, slotNames(known)))
			case comp.Certs[name].From != "" && slot.Kind != topology.CA:
				c.bad(at+".certs."+name+".from", "takes a CA out of another set, and %s is none; name its cert and key", slot.ID)
			}
		}
	}
}

// absent judges the answers for a component that the cluster does not have. One
// that the profile has under other facts may be said to be generated: nothing is,
// and plans that were written beside sets say so.
func (c *checker) absent(at string, id topology.ComponentID, comp Component) {
	i := slices.IndexFunc(c.profile.Components, func(known topology.ComponentSpec) bool { return known.ID == id })
	switch {
	case i < 0:
		c.bad(at, "unknown component; %s", suggestion(string(id), componentNames(c.t)))
	case !comp.equal(Component{}) && !comp.equal(Component{Mode: topology.Generate}):
		c.bad(at, "is there only when %s; set the fact so, or remove the component", c.profile.Components[i].When)
	}
}

func componentNames(t *topology.Topology) []string {
	out := make([]string, len(t.Components))
	for i := range t.Components {
		out[i] = string(t.Components[i].ID)
	}
	return out
}

func slotNames(c *topology.Component) []string {
	out := make([]string, len(c.Slots))
	for i := range c.Slots {
		out[i] = c.Slots[i].Name()
	}
	return out
}

func suggestion(word string, names []string) string {
	if near := yamlfile.Nearest(word, names); near != "" {
		return "did you mean " + near + "?"
	}
	const many = 30 // a profile with nodes has thousands
	if len(names) > many {
		return fmt.Sprintf("use one of %s … (%d in all)", strings.Join(names[:many], ", "), len(names))
	}
	return "use one of " + strings.Join(names, ", ")
}

func (c *checker) output() {
	known := slices.Concat(c.profile.Layouts, c.profile.Offers)
	for i, l := range c.p.Output.Layouts {
		at := fmt.Sprintf("output.layouts[%d]", i)
		switch {
		case !slices.Contains(known, l):
			c.bad(at, "profile %s has no layout %s; %s", c.profile.Name, yamlfile.Quote(l), suggestion(l, known))
		case slices.Contains(c.p.Output.Layouts[:i], l):
			c.bad(at, "names %s twice", l)
		}
	}
}

// Complete says what a plan that passed Check leaves unanswered: slots that its
// modes ask for and of which it names no file. A plan of the wizard may lack
// them where something was pasted. Where it names one file of two, the other
// half may be in it: only reading says. The topology is that of the plan. The error
// is a yamlfile.Errors.
func (p *Plan) Complete(t *topology.Topology) error {
	r := p.report()
	for _, c := range t.Components {
		mode := p.Mode(c.ID)
		for _, s := range t.Due(c.ID, mode) {
			at, files := fmt.Sprintf("components.%s.certs.%s", c.ID, s.ID.Name()), p.Components[c.ID].Certs[s.ID.Name()]
			if mode == topology.BringCA {
				at, files = fmt.Sprintf("components.%s.ca", c.ID), Files{}
				if ca := p.Components[c.ID].CA; ca != nil {
					files = *ca
				}
			}
			if missing := missingFiles(s, mode, files); missing != "" {
				r.Bad(at, fmt.Sprintf("%s is set to %s, which needs %s; name the file, or write mode: generate", c.ID, mode.Words(), missing))
			}
		}
	}
	return yamlfile.Join(r.Errors...)
}

// missingFiles names what is due of a slot of which no file is named.
func missingFiles(s *topology.Slot, mode topology.Mode, f Files) string {
	if s.Optional || f != (Files{}) {
		return ""
	}
	needsCert := s.Kind != topology.KeyPair // the public key comes out of the private one
	needsKey := s.Kind != topology.CA || mode == topology.BringCA
	var missing []string
	if needsCert {
		missing = append(missing, "cert")
	}
	if needsKey {
		missing = append(missing, "key")
	}
	return fmt.Sprintf("the %s of %s", strings.Join(missing, " and the "), s.ID)
}
