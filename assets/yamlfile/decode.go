package yamlfile

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoder fills values from nodes and gathers what is wrong. yaml/v3's own
// decoder stops at types, knows no column and takes "yes" for true.
type decoder struct {
	errs []*Error
}

//go:noinline // many callers, none of them hot
func (d *decoder) bad(n *yaml.Node, path, format string, args ...any) {
	d.errs = append(d.errs, &Error{Line: n.Line, Column: n.Column, Path: path, Message: fmt.Sprintf(format, args...)})
}

func (d *decoder) result(name string) error {
	for _, e := range d.errs {
		e.File = name
	}
	return Join(d.errs...)
}

// Either is a field that a file writes as a list or as a map. Part returns a
// pointer to what takes that form; it is called only for a field that has a value.
type Either interface {
	Part(list bool) any
}

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string, depth int) {
	switch {
	case depth > maxDepth:
		d.bad(n, path, "is nested more than %d levels deep", maxDepth)
		return
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.bad(n, path, "anchors and aliases are not taken; write the value out")
		return
	case n.Style&yaml.TaggedStyle != 0:
		d.bad(n, path, "tags are not taken; remove %s", Quote(n.Tag))
		return
	}
	if e, ok := v.Addr().Interface().(Either); ok {
		if n.Tag != "!!null" {
			d.value(n, reflect.ValueOf(e.Part(n.Kind == yaml.SequenceNode)).Elem(), path, depth)
		}
		return
	}
	if v.Kind() == reflect.Pointer {
		if n.Tag == "!!null" {
			return
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if text, ok := d.text(n, path); ok {
			if err := u.UnmarshalText([]byte(text)); err != nil {
				d.bad(n, path, "%v", err)
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path, depth)
	case reflect.Map:
		d.mapping(n, v, path, depth)
	case reflect.Slice:
		d.list(n, v, path, depth)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.String:
		if text, ok := d.text(n, path); ok {
			v.SetString(text)
		}
	case reflect.Bool:
		// YAML 1.1 has 22 spellings of two values; we take YAML 1.2's.
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
			d.bad(n, path, "must be true or false, not %s", describe(n))
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int, reflect.Int64:
		i, err := strconv.ParseInt(n.Value, 10, v.Type().Bits())
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil {
			d.bad(n, path, "must be a whole number, not %s", describe(n))
			return
		}
		v.SetInt(i)
	default:
		d.bad(n, path, "cannot be set in a file")
	}
}

// text is the scalar as it was typed: 1.30 stays 1.30 and no stays no. Only
// true, false and null are refused, because one may mean them.
func (d *decoder) text(n *yaml.Node, path string) (string, bool) {
	switch {
	case n.Kind == yaml.SequenceNode:
		d.bad(n, path, "must be text, not a list; write the members in one text, with commas")
	case n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0:
		d.bad(n, path, `must be text, not a map; a value that starts with { needs quotes: "{{…}}"`)
	case n.Kind != yaml.ScalarNode:
		d.bad(n, path, "must be text, not %s", describe(n))
	case n.Tag == "!!null":
		d.bad(n, path, "has no value; write one, or leave the field out")
	case n.Tag == "!!bool":
		d.bad(n, path, "must be text, not %s; put it in quotes if it is meant as text", describe(n))
	default:
		return n.Value, true
	}
	return "", false
}

// describe says what a node is, for an error.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.Tag == "!!null" {
		return "nothing"
	}
	return Quote(n.Value)
}

// keys calls field for each entry of a map whose key is text and new.
func (d *decoder) keys(n *yaml.Node, path string, field func(key, value *yaml.Node, at string)) {
	if n.Kind != yaml.MappingNode {
		if n.Tag != "!!null" {
			d.bad(n, path, "must be a map of fields, not %s", describe(n))
		}
		return
	}
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := join(path, key.Value)
		switch first, twice := seen[key.Value]; {
		case key.Kind == yaml.AliasNode || key.Anchor != "" || key.Tag == "!!merge":
			d.bad(key, path, "anchors, aliases and << are not taken; write the fields out")
			continue
		case key.Kind != yaml.ScalarNode || key.Tag == "!!null" || key.Style&yaml.TaggedStyle != 0:
			d.bad(key, path, "a field's name must be text")
			continue
		case twice:
			d.bad(key, shownPath(path, key.Value), "is set twice, first in line %d; keep one", first)
			continue
		}
		seen[key.Value] = key.Line
		field(key, value, at)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// shownPath is join for a key that may be anything, even a pasted PEM block.
func shownPath(path, key string) string {
	if strings.HasPrefix(Quote(key), "(") {
		return path
	}
	return join(path, key)
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string, depth int) {
	fields := fieldsOf(v.Type())
	d.keys(n, path, func(key, value *yaml.Node, at string) {
		i, ok := fields.index[key.Value]
		if !ok {
			d.bad(key, path, "unknown field %s; %s", Quote(key.Value), fields.suggest(key.Value))
			return
		}
		d.value(value, v.Field(i), at, depth+1)
	})
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string, depth int) {
	t := v.Type()
	if t.Key().Kind() != reflect.String {
		d.bad(n, path, "cannot be set in a file")
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(t))
	}
	d.keys(n, path, func(key, value *yaml.Node, _ string) {
		element := reflect.New(t.Elem()).Elem()
		d.value(value, element, shownPath(path, key.Value), depth+1)
		v.SetMapIndex(reflect.ValueOf(key.Value).Convert(t.Key()), element)
	})
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string, depth int) {
	if n.Kind != yaml.SequenceNode {
		if n.Tag != "!!null" {
			d.bad(n, path, "must be a list, not %s; write [%s]", describe(n), "…")
		}
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		d.value(c, out.Index(i), fmt.Sprintf("%s[%d]", path, i), depth+1)
	}
	v.Set(out)
}
