package topology

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Names of files and modules come from a profile that anybody may have
// written, and end up on the disk: one grammar for each element, no way up, no
// absolute path, no name that Windows keeps for itself or changes.
var (
	filePattern   = words{[]word{{lowers + digits, lowers + digits + "._-", 63}}, true}
	outputPattern = word{lowers + uppers + "_", lowers + uppers + digits + "_", 63}
	devicePattern = regexp.MustCompile(`^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)
)

// file checks the name of a file that a slot is written to, "" for none.
func (v *validator) file(at, name string, id SlotID) {
	if name == "" || !v.localPath(at, name) {
		return
	}
	if other, taken := v.files[name]; taken {
		v.bad(at, "%s and %s would both be written to %q", other, id, name)
	}
	if other, taken := v.dirs[name]; taken {
		v.bad(at, "%q is the directory of a file of %s, and cannot be a file too", name, other)
	}
	v.files[name] = id
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if other, taken := v.files[dir]; taken {
			v.bad(at, "%q is a file of %s, and cannot be a directory too", dir, other)
		}
		v.dirs[dir] = id
	}
}

func (v *validator) localPath(at, name string) bool {
	if !filePattern.MatchString(name) {
		v.bad(at, "must be a relative path of lower-case letters, digits, dots and dashes, not %q", name)
		return false
	}
	for element := range strings.SplitSeq(name, "/") {
		switch {
		case devicePattern.MatchString(element):
			v.bad(at, "%q is a device on Windows; choose another name", element)
			return false
		case strings.HasSuffix(element, "."):
			v.bad(at, "must not end with a dot, which Windows drops: %q", element)
			return false
		}
	}
	return true
}

func (v *validator) output(at string, s SlotSpec, o Output) {
	v.localPath(at+".module", o.Module)
	if !outputPattern.MatchString(o.Name) {
		v.bad(at+".name", "must be letters, digits and underscores, not %q", o.Name)
	}
	key := o.Module + " " + o.Name
	if v.outputs[key] {
		v.bad(at+".name", "module %q has an output %q already", o.Module, o.Name)
	}
	v.outputs[key] = true
	switch {
	case o.Field != "" && !slices.Contains([]Field{FieldCert, FieldKey, FieldPublic, FieldBundle, FieldID}, o.Field):
		v.bad(at+".field", "must be cert, key, public, bundle or id, not %q", o.Field)
	case s.Per != PerCluster:
		v.bad(at, "there is one %q for each node, and a module has each output once", s.ID)
	case s.Kind == CA && o.Field == FieldKey:
		v.bad(at+".field", "a CA's key is never an output: Terraform's state is plain text")
	}
}
