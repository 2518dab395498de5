package topology

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// layouts checks what the layouts are made of beside the slots.
func (v *validator) layouts() {
	v.install()
	v.settings()
	v.secrets()
	v.apiServices()
	v.exports()
	for _, l := range v.p.Offers {
		if i := slices.Index(v.p.Layouts, l); i >= 0 {
			v.bad("offers", "%s is in layouts already, and written without being asked for", l)
		}
	}
}

// absolute says whether a path is one of a machine that runs Linux, written
// in its shortest form.
func absolute(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

func (v *validator) install() {
	seen := map[string]bool{}
	for i, p := range v.p.Install {
		at := fmt.Sprintf("install[%d]", i)
		if p.From != "" && v.localPath(at+".from", p.From) && v.dirs[p.From] == "" {
			v.bad(at+".from", "no file of the tree lies in %q", p.From)
		}
		if seen[p.From] {
			v.bad(at+".from", "%q has a place already", p.From)
		}
		seen[p.From] = true
		if !absolute(p.To) || p.To == "/" {
			v.bad(at+".to", "must be an absolute path without . and .. in it, not %q", p.To)
		}
	}
	if len(v.p.Install) > 0 && !seen[""] {
		v.bad("install", "names places for parts of the tree and none for the rest; add one without from")
	}
}

func (v *validator) settings() {
	for i, s := range v.p.Settings {
		at := fmt.Sprintf("settings[%d]", i)
		v.when(at+".when", s.When)
		v.expr(at+".value", s.Value)
		if s.Component == "" {
			v.bad(at+".component", "is empty; name the program")
		}
		if s.Name == "" {
			v.bad(at+".name", "is empty; name the parameter")
		}
		if s.Value == "" {
			v.bad(at+".value", "is empty; write the value")
		}
		if !slices.Contains([]As{AsFlag, AsEnv, AsConfig, AsJSON}, s.As) {
			v.bad(at+".as", "must be flag, env, config or json, not %q", s.As)
		}
	}
}

var (
	secretKeyPattern  = word{lowers + uppers + digits + "._-", lowers + uppers + digits + "._-", 253}
	apiServicePattern = word{lowers + digits, lowers + digits + ".-", 253}
)

func (v *validator) secrets() {
	seen := map[string]bool{}
	for i, s := range v.p.Secrets {
		at := fmt.Sprintf("secrets[%d]", i)
		id := s.Namespace + "/" + s.Name
		v.when(at+".when", s.When)
		open := strings.Contains(id, "{{")
		if open {
			v.expr(at+".namespace", s.Namespace)
			v.expr(at+".name", s.Name)
		}
		key := s.Kind + " " + id + " " + s.When
		switch {
		case !open && !secretPattern.MatchString(id):
			v.bad(at+".name", "namespace and name must be lower-case letters, digits and dashes, not %q", id)
		case seen[key]:
			v.bad(at+".name", "Secret %q is defined twice", id)
		}
		seen[key] = true
		switch {
		case !slices.Contains([]string{"", KindSecret, KindConfigMap}, s.Kind):
			v.bad(at+".kind", "must be Secret or ConfigMap, not %q", s.Kind)
		case s.Kind == KindConfigMap && s.Type != "":
			v.bad(at+".type", "is of a Secret; a ConfigMap has none")
		}
		if len(s.Data) == 0 {
			v.bad(at+".data", "a Secret needs at least one key")
		}
		keys := map[string]bool{}
		for j, d := range s.Data {
			v.secretItem(fmt.Sprintf("%s.data[%d]", at, j), s, d, keys)
		}
		for _, key := range []string{"tls.crt", "tls.key"} {
			if s.Type == "kubernetes.io/tls" && !keys[key+" "] {
				v.bad(at+".data", "a Secret of type kubernetes.io/tls needs the key %s", key)
			}
		}
	}
}

func (v *validator) secretItem(at string, in Secret, d SecretItem, keys map[string]bool) {
	id := d.Key + " " + d.When
	switch {
	case !secretKeyPattern.MatchString(d.Key):
		v.bad(at+".key", "must be letters, digits, dots, dashes and underscores, not %q", d.Key)
	case keys[id]:
		v.bad(at+".key", "key %q is there already", d.Key)
	}
	keys[id] = true
	v.when(at+".when", d.When)
	if d.Value != "" {
		v.expr(at+".value", d.Value)
		if d.Slot != "" || d.Field != "" {
			v.bad(at+".value", "key %q takes a value or a slot's file, not both", d.Key)
		}
		return
	}
	v.field(at+".field", d.Field)
	s := v.slot(d.Slot)
	switch {
	case s == nil:
		v.bad(at+".slot", "unknown slot %q", d.Slot)
	case s.Per != PerCluster:
		v.bad(at+".slot", "there is one %q for each node, and a Secret is the cluster's", d.Slot)
	case s.Kind == CA && d.Field == FieldKey:
		v.bad(at+".field", "a CA's key is never put into a Secret")
	case in.Kind == KindConfigMap && d.Field == FieldKey:
		v.bad(at+".field", "a ConfigMap is no place for a private key: many may read it; write kind: Secret")
	case s.Kind == KeyPair && (d.Field == "" || d.Field == FieldCert || d.Field == FieldBundle):
		v.bad(at+".field", "slot %q is a key pair and has no certificate", d.Slot)
	case s.Kind != KeyPair && d.Field == FieldPublic:
		v.bad(at+".field", "slot %q is no key pair; its public key is in its certificate", d.Slot)
	}
}

func (v *validator) apiServices() {
	for i, a := range v.p.APIServices {
		at := fmt.Sprintf("apiServices[%d]", i)
		v.when(at+".when", a.When)
		if !apiServicePattern.MatchString(a.Name) || !strings.Contains(a.Name, ".") {
			v.bad(at+".name", "must be VERSION.GROUP in lower case, like v3.projectcalico.org, not %q", a.Name)
		}
		if s := v.slot(a.Slot); s == nil {
			v.bad(at+".slot", "unknown slot %q", a.Slot)
		} else if s.Kind == KeyPair {
			v.bad(at+".slot", "slot %q is a key pair and has no certificate", a.Slot)
		}
	}
}

// exports checks that the layouts of other systems that the profile offers
// have all their parts.
func (v *validator) exports() {
	known := []string{ExportClusterAPI, ExportK3s}
	have := map[string]bool{}
	for i, e := range v.p.Exports {
		at := fmt.Sprintf("exports[%d]", i)
		v.when(at+".when", e.When)
		roles := ExportRoles(e.Layout)
		if roles == nil {
			v.bad(at+".layout", "must be %s, not %q", strings.Join(known, " or "), e.Layout)
			continue
		}
		if !slices.Contains(roles, e.As) {
			v.bad(at+".as", "%s has no %q; it has %s", e.Layout, e.As, strings.Join(roles, ", "))
		}
		id := e.Layout + " " + e.As
		if have[id+" "+e.When] {
			v.bad(at+".as", "%s of %s is there already", e.As, e.Layout)
		}
		have[id], have[id+" "+e.When] = true, true
		want := CA
		if e.KeyRole() {
			want = KeyPair
		}
		if s := v.slot(e.Slot); s == nil {
			v.bad(at+".slot", "unknown slot %q", e.Slot)
		} else if s.Kind != want {
			v.bad(at+".slot", "slot %q has kind %q, and %s needs kind %s", e.Slot, s.Kind, e.As, want)
		}
	}
	for _, l := range known {
		if !slices.Contains(v.p.AllLayouts(), l) {
			continue
		}
		for _, role := range ExportRoles(l) {
			if !have[l+" "+role] {
				v.bad("exports", "layout %s needs a slot as %s, and no export names one", l, role)
			}
		}
	}
}
