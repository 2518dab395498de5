package material

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"certwright/certs/untrusted"
)

// maxDepth bounds containers in containers: base64 of a Secret that holds
// base64 of PEM is the deepest that was met.
const maxDepth = 4

// Parse reads one input, whatever its form. It never fails: what is wrong with
// the form is in the Document's Problems, each with the rule that it breaks,
// root cause first. The passphrase is used on what turns out to be encrypted,
// and not kept.
func Parse(in Input) *Document {
	p := &parser{
		doc:        &Document{Name: in.Name, Size: len(in.Data), SHA256: sha256.Sum256(in.Data), Mode: in.Mode},
		passphrase: in.Passphrase,
		budget:     budget{left: maxWork},
		counts:     map[string]int{},
	}
	if len(in.Data) > MaxCertificates {
		p.doc.Format = FormatUnknown
		p.problem(Problem{Rule: ruleTooLarge, Detail: fmt.Sprintf("%s, of which at most %s are read",
			untrusted.Size(len(in.Data)), untrusted.Size(MaxCertificates))})
		return p.doc
	}
	p.doc.Format = p.document(in.Data)
	p.finish(in.Data)
	return p.doc
}

// parser is the state of one Parse.
type parser struct {
	doc        *Document
	passphrase []byte
	budget     budget
	counts     map[string]int // problems met of each rule, listed or not
	keys       int            // private keys read, and their size
	keyBytes   int
	depth      int
	source     string
	// inside says that the text being read is not lines of the input: what is
	// found in it stands at line, the container's, or nowhere when that is 0.
	inside bool
	line   int
}

// document reads the outermost form and returns which it is.
func (p *parser) document(data []byte) Format {
	if p.depth++; p.depth > maxDepth {
		p.problem(Problem{Rule: ruleNoBlock, Detail: "containers within containers, too deep to follow"})
		return FormatUnknown
	}
	defer func() { p.depth-- }()

	if text, ok := fromUTF16(data); ok {
		format := FormatUnknown
		p.contained(Problem{Rule: ruleUTF16, Detail: "UTF-16 text, two bytes for each character"}, func() {
			format = p.document(text)
		})
		return format
	}
	if len(bytes.TrimSpace(bytes.TrimPrefix(data, utf8BOM))) == 0 {
		detail := "white space alone"
		if len(data) == 0 {
			detail = "no bytes at all"
		}
		p.problem(Problem{Rule: ruleEmpty, Detail: detail})
		return FormatEmpty
	}
	if format, ok := p.binary(data); ok {
		return format
	}
	return p.text(data)
}

// problem records a problem and returns its place in the list, -1 when it was
// only counted.
func (p *parser) problem(pr Problem) int {
	p.counts[pr.Rule]++
	pr.Line = p.at(pr.Line)
	limit := maxAlike
	if onceOnly[pr.Rule] {
		limit = 1
	}
	if p.counts[pr.Rule] > limit {
		p.widen(pr)
		return -1
	}
	p.doc.Problems = append(p.doc.Problems, pr)
	return len(p.doc.Problems) - 1
}

// widen takes the position off the one listed problem of a rule when a second
// one is about something of another kind.
func (p *parser) widen(pr Problem) {
	i := p.listed(pr.Rule)
	if i < 0 || !onceOnly[pr.Rule] {
		return
	}
	if first := &p.doc.Problems[i]; (first.Key > 0) != (pr.Key > 0) || (first.Certificate > 0) != (pr.Certificate > 0) {
		first.Key, first.Certificate = 0, 0
	}
}

// listed is the place of the first problem of a rule, -1 when there is none.
func (p *parser) listed(rule string) int {
	return slices.IndexFunc(p.doc.Problems, func(pr Problem) bool { return pr.Rule == rule })
}

// at is the line of the input for a line of the text being read.
func (p *parser) at(line int) int {
	if p.inside {
		return p.line
	}
	return line
}

// within reads what stood encoded at a line of the input.
func (p *parser) within(source string, line int, read func()) {
	was := *p
	p.source, p.line, p.inside = source, line, true
	read()
	p.source, p.line, p.inside = was.source, was.line, was.inside
}

// contained records the problem of a container, reads what it holds, and marks
// the problem as rescued when something came of it.
func (p *parser) contained(pr Problem, read func()) {
	i := p.problem(pr)
	before := p.usable()
	read()
	if i >= 0 {
		p.doc.Problems[i].Rescued = p.usable() > before
		return
	}
	if p.usable() == before {
		p.spoil(pr.Rule)
	}
}

// spoil takes back that the one listed problem of a rule is rescued, because
// another of its kind could not be.
func (p *parser) spoil(rule string) {
	if i := p.listed(rule); i >= 0 {
		p.doc.Problems[i].Rescued = false
	}
}

// usable counts the certificates that were read and the keys that were read
// or wait for their passphrase.
func (p *parser) usable() int {
	n := len(p.doc.PublicKeys) + p.doc.Requests
	for _, c := range p.doc.Certificates {
		if c.X509 != nil {
			n++
		}
	}
	for _, k := range p.doc.Keys {
		if k.Signer != nil || k.Encrypted {
			n++
		}
	}
	return n
}

// finish adds what only the whole can tell.
func (p *parser) finish(data []byte) {
	d := p.doc
	if d.Format == FormatPEM && len(d.Blocks) == 1 && pkcs7Labels[d.Blocks[0]] {
		d.Format = FormatPKCS7
	}
	if len(data) > MaxKey && len(d.Keys) > 0 && len(d.Certificates) == 0 {
		p.problem(Problem{Rule: ruleTooLarge, Detail: fmt.Sprintf("%s for a private key, which needs at most %s",
			untrusted.Size(len(data)), untrusted.Size(MaxKey))})
	}
	for i, pr := range d.Problems {
		if onceOnly[pr.Rule] && p.counts[pr.Rule] > 1 {
			d.Problems[i].Detail += fmt.Sprintf(" (%d times in this file)", p.counts[pr.Rule])
		}
	}
	for _, rule := range ProblemRules() {
		if n := p.counts[rule]; !onceOnly[rule] && n > maxAlike {
			d.Problems = append(d.Problems, Problem{Rule: rule, Detail: fmt.Sprintf("and %d more of the same kind", n-maxAlike)})
		}
	}
	rescued := slices.ContainsFunc(d.Problems, func(pr Problem) bool { return pr.Rescued })
	d.Convertible = rescued && (len(d.X509()) > 0 || d.Signer() != nil)
}

var (
	utf8BOM    = []byte("\xef\xbb\xbf")
	utf16LEBOM = []byte("\xff\xfe")
	utf16BEBOM = []byte("\xfe\xff")
)

// fromUTF16 gives the text of data as UTF-8 when data is UTF-16: by its byte
// order mark or, without one, because every second byte of the beginning is 0.
func fromUTF16(data []byte) ([]byte, bool) {
	var big bool
	switch {
	case bytes.HasPrefix(data, utf16LEBOM):
		data = data[2:]
	case bytes.HasPrefix(data, utf16BEBOM):
		data, big = data[2:], true
	default:
		head := data[:min(len(data), 64)&^1]
		if len(head) < 16 {
			return nil, false
		}
		var even, odd int
		for i, b := range head {
			switch {
			case b != 0:
			case i%2 == 0:
				even++
			default:
				odd++
			}
		}
		switch len(head) / 2 {
		case odd:
			if even > 0 {
				return nil, false
			}
		case even:
			if odd > 0 {
				return nil, false
			}
			big = true
		default:
			return nil, false
		}
	}
	units := make([]uint16, 0, len(data)/2)
	for pair := range slices.Chunk(data, 2) {
		if len(pair) < 2 {
			break
		}
		if big {
			units = append(units, uint16(pair[0])<<8|uint16(pair[1]))
		} else {
			units = append(units, uint16(pair[1])<<8|uint16(pair[0]))
		}
	}
	return []byte(string(utf16.Decode(units))), true
}

// binary reads the forms that are not text; ok is false for text.
func (p *parser) binary(data []byte) (format Format, ok bool) {
	switch {
	case bytes.HasPrefix(data, []byte("\xfe\xed\xfe\xed")), bytes.HasPrefix(data, []byte("\xce\xce\xce\xce")):
		p.problem(Problem{Rule: ruleJKS, Detail: "a Java keystore"})
		return FormatJKS, true
	case data[0] == 0x30 && !isText(data) && (kindOf(data) != kindUnknown || !bytes.Contains(data, []byte("-----BEGIN "))):
		return p.derDocument(data), true
	}
	return "", false
}

// isText says whether the beginning of data has no control characters but the
// usual ones. DER that looks like text does not exist in practice: its
// lengths and tags are control characters.
func isText(data []byte) bool {
	return !slices.ContainsFunc(data[:min(len(data), 512)], func(b byte) bool {
		return b < ' ' && !strings.ContainsRune("\t\n\r\f\v\x1b", rune(b))
	})
}
