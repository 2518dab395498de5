package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"certwright/certs/untrusted"
)

// Error is one thing that is wrong with a file.
type Error struct {
	File    string // as the caller named it; untrusted text, escaped by Error
	Line    int    // from 1; 0 when the error belongs to the whole file
	Column  int    // from 1, in characters
	Path    string // the field in YAML's terms: slots[3].authority; "" when there is none
	Message string // what and how to mend it; lower case, safe to show
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(untrusted.Text(e.File).String())
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, max(e.Column, 1))
	}
	b.WriteString(": ")
	if e.Path != "" {
		b.WriteString(untrusted.Text(e.Path).Max(maxShownPath) + ": ")
	}
	b.WriteString(e.Message)
	return b.String()
}

const maxShownPath = 160

// Errors is everything that is wrong with a file, in the file's order.
type Errors []*Error

func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the errors to errors.Is and errors.As.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// All is every Error in err, nil when there is none.
func All(err error) Errors {
	var es Errors
	if errors.As(err, &es) {
		return es
	}
	var e *Error
	if errors.As(err, &e) {
		return Errors{e}
	}
	return nil
}

// Join puts the errors in the file's order, cuts them to ten and says how many
// were cut. It returns nil when there are none.
func Join(list ...*Error) error {
	if len(list) == 0 {
		return nil
	}
	es := Errors(slices.Clone(list))
	slices.SortStableFunc(es, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	if more := len(es) - maxErrors; more > 0 {
		es = append(es[:maxErrors:maxErrors], &Error{
			File: es[0].File, Message: fmt.Sprintf("%d more errors; mend these first", more),
		})
	}
	return es
}

// Report gathers errors about fields of one file, each at the position that the
// field has there.
type Report struct {
	File   string
	Locate func(path string) (line, col int) // nil: no positions
	Errors Errors
}

// Bad adds an error about a field.
func (e *Report) Bad(path, message string) {
	err := &Error{File: e.File, Path: path, Message: message}
	if e.Locate != nil {
		err.Line, err.Column = e.Locate(path)
	}
	e.Errors = append(e.Errors, err)
}

// Quote shows a word of the file in an error: escaped, cut, and not at all when
// it looks like a part of a PEM block.
func Quote(s string) string {
	if strings.Contains(s, "-----") || strings.Contains(s, "PRIVATE KEY") || len(s) > 64 && !strings.Contains(s, " ") {
		return fmt.Sprintf("(a text of %s, not shown)", untrusted.Size(len(s)))
	}
	return `"` + strings.ReplaceAll(untrusted.Text(s).Max(64), `"`, `\"`) + `"`
}

var (
	yamlLine    = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	yamlUnknown = regexp.MustCompile(`^(?:yaml: )?unknown anchor '([^']*)' referenced`)
)

// advice for those messages of yaml/v3 that name a symptom and no cause.
var advice = []struct{ has, message string }{
	{"that cannot start any token", "a character that cannot start a value; indent with spaces and not with tabs, and quote values that start with @, `, % or {"},
	{"did not find expected key", "a key was expected; check the indentation of this line and the one above"},
	{"mapping values are not allowed", "a colon where no key can stand; quote the value, or mend the indentation"},
	{"could not find expected ':'", "a colon is missing behind a key"},
	{"did not find expected ',' or", "a list or map in brackets does not end; close it"},
	{"found unexpected end of stream", "a quoted text does not end; close its quote"},
	{"control characters are not allowed", "a control character; remove it"},
	{"exceeded max depth", "nested too deeply"},
	{"did not find expected '-' indicator", "a member of the list was expected; check the indentation"},
}

// syntaxError turns an error of yaml/v3, which knows no column, into ours. Its
// texts never repeat a value of the file; names of anchors they do.
func syntaxError(data []byte, err error) *Error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlUnknown.FindStringSubmatch(text); m != nil {
		line, col := position(data, max(bytes.Index(data, []byte("*"+m[1])), 0))
		return &Error{Line: line, Column: col, Message: "anchors and aliases are not taken; write the value out, or quote a text that starts with *"}
	}
	e := &Error{}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Column, text = firstColumn(data, e.Line), m[2]
	}
	e.Message = "is not YAML: " + untrusted.Text(text).Max(160)
	for _, a := range advice {
		if strings.Contains(text, a.has) {
			e.Message = a.message
		}
	}
	return e
}

// firstColumn is where the text of a line starts.
func firstColumn(data []byte, line int) int {
	for range line - 1 {
		_, rest, found := bytes.Cut(data, []byte("\n"))
		if !found {
			return 1
		}
		data = rest
	}
	text, _, _ := bytes.Cut(data, []byte("\n"))
	return 1 + len(text) - len(bytes.TrimLeft(text, " "))
}
