// Package yamlfile reads the YAML that people write (a plan, a profile) and
// says with file, line and column what is wrong with it. Start with Decode;
// Locate gives the position of a field whose value turns out wrong later.
//
// It takes less than YAML allows: one document, no anchors, aliases, tags or
// merge keys, no field that the target lacks, no field twice. It opens no
// files and never repeats a private key in an error.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"certwright/certs/untrusted"
)

// The caps. yaml/v3 needs 4.5 s and 1.3 GB for a scalar of 50 MB, so the size
// is looked at first; 20 levels are three times what a profile has.
const (
	MaxBytes  = 1 << 20
	maxDepth  = 20
	maxErrors = 10
)

// Decode reads one YAML document into the struct or map that into points to.
// Fields take their names from the yaml tags; a type with UnmarshalText reads
// its scalar itself. The error is an Errors: everything that is wrong, at most
// ten of them. name is what the errors call the file.
//
// An empty document leaves into as it is. After an error into holds those parts
// that could be read.
func Decode(name string, data []byte, into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("decode %s: into is a %T, and a pointer is needed", untrusted.Text(name), into)
	}
	root, perr := parse(data)
	if perr != nil {
		perr.File = name
		return Errors{perr}
	}
	d := &decoder{}
	if root != nil {
		d.value(root, target.Elem(), "", 0)
	}
	return d.result(name)
}

// parse reads the only document of data; nil when there is none.
func parse(data []byte) (root *yaml.Node, perr *Error) {
	if len(data) > MaxBytes {
		return nil, &Error{Message: fmt.Sprintf("is %s long; at most 1 MiB is read", untrusted.Size(len(data)))}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if i := invalidUTF8(data); i >= 0 {
		line, col := position(data, i)
		return nil, &Error{Line: line, Column: col, Message: "is not UTF-8 text; save it as UTF-8"}
	}
	// yaml/v3 reports its errors by panicking and recovers its own kind only.
	defer func() {
		if recover() != nil {
			root, perr = nil, &Error{Message: "is not YAML that can be read"}
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, syntaxError(data, err)
	}
	if err := dec.Decode(&second); err == nil {
		return nil, &Error{Line: second.Line, Column: max(second.Column, 1), Message: "a second document starts; one file holds one"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(data, err)
	}
	if len(doc.Content) == 0 || isEmpty(doc.Content[0]) {
		return nil, nil
	}
	return doc.Content[0], nil
}

func isEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Value == ""
}

func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return -1
}

// position is the line and column of the byte at offset, both from 1; columns
// count characters.
func position(data []byte, offset int) (line, col int) {
	before := data[:min(offset, len(data))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(before[start:])
}
