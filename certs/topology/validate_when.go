package topology

import (
	"fmt"
	"slices"
)

// when checks a condition and the facts that it reads.
func (v *validator) when(path, s string) {
	c, err := parseCondition(s)
	if err != nil {
		v.bad(path, "%v", err)
		return
	}
	for _, cl := range c {
		f := v.fact(cl.fact)
		switch {
		case f == nil:
			v.bad(path, "unknown fact %q", cl.fact)
		case slices.Contains([]string{"<", "<=", ">", ">="}, cl.op) && f.Type != TypeVersion:
			v.bad(path, "%s compares versions, and fact %q is of type %s", cl.op, cl.fact, f.Type)
		case len(f.Choices) > 0 && (cl.op == "==" || cl.op == "!=") && !slices.Contains(f.Choices, cl.value):
			v.bad(path, "fact %q is never %q; it is one of %v", cl.fact, cl.value, f.Choices)
		}
	}
}

// pers are what there can be one each of.
var pers = []Per{PerCluster, PerNode, PerControlPlane, PerWorker}

// conditions checks what a slot is there for, and how it differs.
func (v *validator) conditions(path string, s SlotSpec) {
	v.when(path+".when", s.When)
	if !slices.Contains(pers, s.Per) {
		v.bad(path+".per", "must be node, control-plane, worker or left out, not %q", s.Per)
	}
	if s.On != PerNowhere && !slices.Contains(pers, s.On) {
		v.bad(path+".on", "must be node, control-plane, worker, nowhere or left out, not %q", s.On)
	}
	if s.Per != PerCluster && (v.fact(nodeName) == nil || v.fact(nodeAddresses) == nil) {
		v.bad(path+".per", "needs the facts node.name and node.addresses, for the cluster of one node")
	}
	if s.Per != PerCluster && s.Kind == CA {
		v.bad(path+".per", "a CA is the cluster's, and there cannot be one for each node")
	}
	v.expr(path+".requires.uri", s.Requires.URI)
	for i, o := range s.Variants {
		at := fmt.Sprintf("%s.variants[%d]", path, i)
		v.when(at+".when", o.When)
		if o.When == "" {
			v.bad(at+".when", "is empty: a variant is there under a condition")
		}
		if o.Subject != nil {
			v.expr(at+".subject.cn", o.Subject.CN)
			for j, org := range o.Subject.O {
				v.expr(fmt.Sprintf("%s.subject.o[%d]", at, j), org)
			}
		}
		v.variantFiles(at, s, o)
		v.names(at+".names", o.Names)
		v.usages(at+".usages", o.Usages)
		if o.Requires != nil {
			v.expr(at+".requires.cn", o.Requires.CN)
			v.expr(at+".requires.uri", o.Requires.URI)
		}
	}
}

// variantFiles checks what a variant writes and who takes it. Variants exclude
// one another and may use each other's names, so that two slots with one name
// are found when the set is written.
func (v *validator) variantFiles(at string, s SlotSpec, o SlotVariant) {
	names := func(at string, f Files) {
		for _, field := range []Field{FieldCert, FieldKey, FieldPublic, FieldBundle} {
			if name := f.Name(field); name != "" {
				v.localPath(fmt.Sprintf("%s.%s", at, field), name)
			}
		}
	}
	if o.Files != nil {
		names(at+".files", *o.Files)
	}
	for i, f := range o.Also {
		names(fmt.Sprintf("%s.also[%d]", at, i), f)
	}
	for i, c := range o.Consumers {
		v.consumer(fmt.Sprintf("%s.consumers[%d]", at, i), s.as(o), c)
	}
}
