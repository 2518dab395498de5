package topology

import (
	"fmt"
	"slices"
	"strings"
)

// FieldError says which field of a profile is wrong. Path is in YAML's terms
// ("slots[3].authority"), so that the reader of the file can add the line.
type FieldError struct {
	Path    string
	Message string
}

func (e *FieldError) Error() string { return e.Path + ": " + e.Message }

var idPattern = word{lowers + digits, lowers + digits + ".-", 63}

// Algorithms are the key algorithms that a profile or a plan may name, the
// default first. Those of ML-DSA are taken only where a profile lists them: no
// component of today does.
func Algorithms() []string {
	return append(Usual(), "ml-dsa-44", "ml-dsa-65", "ml-dsa-87")
}

// Usual are the algorithms of a profile that lists none.
func Usual() []string {
	return []string{"ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096", "ed25519"}
}

// Takes are the algorithms of the profile's components, the default first.
func (p *Profile) Takes() []string {
	if len(p.Algorithms) > 0 {
		return p.Algorithms
	}
	return Usual()
}

// Takes says whether the slot's components take keys of the algorithm.
func (s *Slot) Takes(algorithm string) bool {
	if len(s.Algorithms) > 0 {
		return slices.Contains(s.Algorithms, algorithm)
	}
	return slices.Contains(Usual(), algorithm)
}

// Validate checks that the profile hangs together: each name that is used is
// defined, once, and each expression can be read. It returns every error, each
// a *FieldError.
func (p *Profile) Validate() []error {
	v := &validator{p: p}
	v.head()
	v.facts()
	v.parts()
	v.slots()
	v.edges()
	v.rest()
	return v.errs
}

type validator struct {
	p    *Profile
	errs []error

	files   map[string]SlotID // the slot of each file name
	dirs    map[string]SlotID // a slot with a file in each directory
	outputs map[string]bool   // "module name"
	each    bool              // {{each}} is a fact here
}

//go:noinline // many callers, none of them hot
func (v *validator) bad(path, format string, args ...any) {
	v.errs = append(v.errs, &FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (v *validator) head() {
	p := v.p
	if p.APIVersion != "certwright/v1" {
		v.bad("apiVersion", "must be certwright/v1, not %q", p.APIVersion)
	}
	if p.Kind != "Profile" {
		v.bad("kind", "must be Profile, not %q", p.Kind)
	}
	if !idPattern.MatchString(p.Name) {
		v.bad("name", "must be lower-case letters, digits, dots and dashes, not %q", p.Name)
	}
	if p.Hierarchy != Intermediates && p.Hierarchy != Roots {
		v.bad("hierarchy", "must be intermediates or roots, not %q", p.Hierarchy)
	}
	v.expr("root.cn", p.Root.CN)
	for i, o := range p.Root.O {
		v.expr(fmt.Sprintf("root.o[%d]", i), o)
	}
	v.algorithms("algorithms", p.Algorithms)
}

func (v *validator) algorithms(path string, list []string) {
	for i, a := range list {
		if !slices.Contains(Algorithms(), a) {
			v.bad(fmt.Sprintf("%s[%d]", path, i), "unknown algorithm %q: use %s", a, strings.Join(Algorithms(), ", "))
		}
	}
}

func (v *validator) facts() {
	types := []FactType{TypeLabel, TypeDomain, TypeHost, TypeHosts, TypeCIDRs, TypeAddresses, TypeText, TypeNode, TypeVersion, TypeSPIFFE}
	seen := map[string]bool{}
	for i, f := range v.p.Facts {
		path := fmt.Sprintf("facts[%d]", i)
		switch {
		case !idPattern.MatchString(f.Name):
			v.bad(path+".name", "must be lower-case letters, digits, dots and dashes, not %q", f.Name)
		case seen[f.Name]:
			v.bad(path+".name", "fact %q is defined twice", f.Name)
		case f.Name == "each":
			v.bad(path+".name", "each stands for the host of a step; choose another name")
		}
		if !slices.Contains(types, f.Type) {
			v.bad(path+".type", "unknown type %q: use label, domain, host, hosts, cidrs, addresses, text, node, version or spiffe", f.Type)
		}
		// A default may use only facts defined above it, so that defaults cannot turn in a circle.
		for _, used := range v.expr(path+".default", f.Default) {
			if !seen[used] && !slices.Contains(nodeLists, used) {
				v.bad(path+".default", "uses fact %q, which is not defined above it", used)
			}
		}
		for j, d := range f.Defaults {
			at := fmt.Sprintf("%s.defaults[%d]", path, j)
			v.when(at+".when", d.When)
			for _, used := range v.expr(at+".value", d.Value) {
				if !seen[used] && !slices.Contains(nodeLists, used) {
					v.bad(at+".value", "uses fact %q, which is not defined above it", used)
				}
			}
		}
		for _, bound := range []struct{ field, value string }{{"min", f.Min}, {"max", f.Max}} {
			if bound.value != "" && (f.Type != TypeVersion || !isVersion(bound.value)) {
				v.bad(path+"."+bound.field, "bounds a version, and %q of a fact of type %s is none", bound.value, f.Type)
			}
		}
		seen[f.Name] = true
	}
}

// expr checks one expression and returns the facts that it uses.
func (v *validator) expr(path, s string) []string {
	t, err := parseTemplate(s)
	if err != nil {
		v.bad(path, "%v", err)
		return nil
	}
	var used []string
	for _, part := range t {
		if part.fact == "" || part.fact == "each" && v.each {
			continue
		}
		used = append(used, part.fact)
		if slices.Contains(nodeLists, part.fact) && v.p.HasNodes() {
			continue
		}
		if v.fact(part.fact) == nil {
			v.bad(path, "unknown fact %q", part.fact)
		} else if part.function == "cidrhost" && v.fact(part.fact).Type != TypeCIDRs {
			v.bad(path, "cidrhost takes a fact of type cidrs, and %q is of type %s", part.fact, v.fact(part.fact).Type)
		}
	}
	return used
}

func (v *validator) fact(name string) *Fact {
	for i := range v.p.Facts {
		if v.p.Facts[i].Name == name {
			return &v.p.Facts[i]
		}
	}
	return nil
}

func (v *validator) parts() {
	seenA := map[AuthorityID]bool{}
	for i, a := range v.p.Authorities {
		path := fmt.Sprintf("authorities[%d]", i)
		if !idPattern.MatchString(string(a.ID)) {
			v.bad(path+".id", "must be lower-case letters, digits, dots and dashes, not %q", a.ID)
		} else if seenA[a.ID] {
			v.bad(path+".id", "authority %q is defined twice", a.ID)
		} else if a.ID == "root" {
			v.bad(path+".id", "root is the name of the CA above all authorities; choose another")
		}
		seenA[a.ID] = true
		v.when(path+".when", a.When)
		if s := v.slot(a.Slot); s == nil {
			v.bad(path+".slot", "unknown slot %q", a.Slot)
		} else if s.Kind != CA {
			v.bad(path+".slot", "slot %q has kind %q, and an authority needs kind ca", a.Slot, s.Kind)
		} else if other := slices.IndexFunc(v.p.Authorities, func(b AuthoritySpec) bool { return b.Slot == a.Slot }); other < i {
			if first := v.p.Authorities[other]; first.ID != a.ID {
				v.bad(path+".slot", "slot %q is authority %q already", a.Slot, first.ID)
			}
		}
	}
	if len(v.p.Authorities) == 0 {
		v.bad("authorities", "a profile needs at least one authority")
	}
	seenC := map[ComponentID]bool{}
	for i, c := range v.p.Components {
		path := fmt.Sprintf("components[%d]", i)
		if !idPattern.MatchString(string(c.ID)) {
			v.bad(path+".id", "must be lower-case letters, digits, dots and dashes, not %q", c.ID)
		} else if seenC[c.ID] {
			v.bad(path+".id", "component %q is defined twice", c.ID)
		} else if !slices.ContainsFunc(v.p.Slots, func(s SlotSpec) bool { return s.ID.Component() == c.ID }) {
			v.bad(path+".id", "component %q has no slot", c.ID)
		}
		seenC[c.ID] = true
		v.when(path+".when", c.When)
		for j, o := range c.Variants {
			at := fmt.Sprintf("%s.variants[%d]", path, j)
			v.when(at+".when", o.When)
			if !seenA[o.Authority] {
				v.bad(at+".authority", "unknown authority %q", o.Authority)
			}
		}
		if !seenA[c.Authority] {
			v.bad(path+".authority", "unknown authority %q", c.Authority)
		}
	}
	if len(v.p.Components) == 0 {
		v.bad("components", "a profile needs at least one component")
	}
}

func (v *validator) slot(id SlotID) *SlotSpec {
	for i := range v.p.Slots {
		if v.p.Slots[i].ID == id {
			return &v.p.Slots[i]
		}
	}
	return nil
}

func (v *validator) hasAuthority(id AuthorityID) bool {
	return slices.ContainsFunc(v.p.Authorities, func(a AuthoritySpec) bool { return a.ID == id })
}

func (v *validator) component(id ComponentID) *ComponentSpec {
	for i := range v.p.Components {
		if v.p.Components[i].ID == id {
			return &v.p.Components[i]
		}
	}
	return nil
}

func (v *validator) slots() {
	seen := map[SlotID]bool{}
	v.files, v.dirs, v.outputs = map[string]SlotID{}, map[string]SlotID{}, map[string]bool{}
	for i, s := range v.p.Slots {
		path := fmt.Sprintf("slots[%d]", i)
		comp, name, ok := strings.Cut(string(s.ID), "/")
		if !ok || !idPattern.MatchString(comp) || !idPattern.MatchString(name) {
			v.bad(path+".id", "must be component/name in lower case, not %q", s.ID)
		} else if seen[s.ID] {
			v.bad(path+".id", "slot %q is defined twice", s.ID)
		}
		seen[s.ID] = true
		c := v.component(s.ID.Component())
		if c == nil {
			v.bad(path+".id", "unknown component %q", s.ID.Component())
		}
		switch s.Kind {
		case Leaf:
			if len(s.Usages) == 0 {
				v.bad(path+".usages", "a leaf needs server auth, client auth or both")
			}
			if c != nil && s.Authority != "" && s.Authority != c.Authority && len(c.Variants) == 0 {
				v.bad(path+".authority", "is %q, and component %q belongs to authority %q", s.Authority, c.ID, c.Authority)
			}
		case CA:
			if !slices.ContainsFunc(v.p.Authorities, func(a AuthoritySpec) bool { return a.Slot == s.ID }) {
				v.bad(path+".kind", "is ca, and no authority names slot %q", s.ID)
			}
		case KeyPair:
		default:
			v.bad(path+".kind", "must be leaf, ca or keypair, not %q", s.Kind)
		}
		v.expr(path+".subject.cn", s.Subject.CN)
		for j, o := range s.Subject.O {
			v.expr(fmt.Sprintf("%s.subject.o[%d]", path, j), o)
		}
		v.conditions(path, s)
		v.names(path+".names", s.Names)
		v.usages(path+".usages", s.Usages)
		v.usages(path+".requires.usages", s.Requires.Usages)
		v.usages(path+".requires.advised", s.Requires.Advised)
		v.expr(path+".requires.cn", s.Requires.CN)
		v.algorithms(path+".algorithms", s.Algorithms)
		for _, f := range []struct{ field, name string }{
			{"cert", s.Files.Cert}, {"key", s.Files.Key}, {"public", s.Files.Public}, {"bundle", s.Files.Bundle},
		} {
			v.file(path+".files."+f.field, f.name, s.ID)
		}
		for j, u := range s.Consumers {
			v.consumer(fmt.Sprintf("%s.consumers[%d]", path, j), s, u)
		}
		for j, o := range s.Outputs {
			v.output(fmt.Sprintf("%s.outputs[%d]", path, j), s, o)
		}
	}
}

func (v *validator) field(path string, f Field) {
	if f != "" && !slices.Contains([]Field{FieldCert, FieldKey, FieldPublic, FieldBundle}, f) {
		v.bad(path, "must be cert, key, public or bundle, not %q", f)
	}
}

var secretPattern = words{each: []word{{lowers + digits, lowers + digits + "-", 63}, {lowers + digits, lowers + digits + ".-", 253}}}

func (v *validator) consumer(path string, s SlotSpec, u Consumer) {
	if u.Component == "" {
		v.bad(path+".component", "is empty; name the program that takes the file")
	}
	if u.Name == "" {
		v.bad(path+".name", "is empty; name the parameter that takes the file")
	}
	v.field(path+".field", u.Field)
	v.field(path+".needs", u.Needs)
	field := u.Field
	if field == "" {
		field = FieldCert
	}
	switch u.As {
	case AsFlag, AsEnv, AsConfig, AsJSON:
		if s.Files.Name(field) == "" {
			v.bad(path+".field", "%s takes the %s of slot %q, and its files name none", u.Name, field, s.ID)
		}
	case AsSecret:
		if !secretPattern.MatchString(u.Secret) {
			v.bad(path+".secret", "must be namespace/name of the Secret, not %q", u.Secret)
		}
	case AsKubeconfig:
		if !slices.ContainsFunc(v.p.Kubeconfigs, func(k Kubeconfig) bool { return k.Slot == s.ID }) {
			v.bad(path+".as", "is kubeconfig, and no kubeconfig is made of slot %q", s.ID)
		}
	case AsManifest:
	default:
		v.bad(path+".as", "must be flag, env, config, json, secret, kubeconfig or manifest, not %q", u.As)
	}
}

func (v *validator) usages(path string, list []Usage) {
	for i, u := range list {
		if u != ServerAuth && u != ClientAuth {
			v.bad(fmt.Sprintf("%s[%d]", path, i), "must be server auth or client auth, not %q", u)
		}
	}
}

func (v *validator) names(path string, list []NameSpec) {
	for i, n := range list {
		at, set := fmt.Sprintf("%s[%d]", path, i), 0
		for _, f := range []struct{ field, value string }{{"host", n.Host}, {"dns", n.DNS}, {"ip", n.IP}, {"uri", n.URI}} {
			if f.value != "" {
				set++
				v.expr(at+"."+f.field, f.value)
			}
		}
		if set != 1 {
			v.bad(at, "needs exactly one of host, dns, ip and uri")
		}
	}
}
