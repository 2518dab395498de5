package material

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
)

// maxHeaders is how many RFC 1421 header lines a block may have: encoding/pem
// puts them in a map, which costs a second and 170 MB for a file of them.
const maxHeaders = 32

// block is one PEM block of the input.
type block struct {
	label   string
	headers map[string]string
	der     []byte
	line    int
	whole   bool // encoding/pem takes it, so that components do
}

// text reads text: PEM as components take it, PEM that they do not take, and
// the other forms that are text.
func (p *parser) text(data []byte) Format {
	taken, ok := p.accepted(data)
	if !ok {
		return FormatPEM
	}
	if len(taken) == 0 {
		if format, ok := p.yaml(data); ok {
			return format
		}
	}
	marks := markers(data)
	if len(taken) == 0 && (len(marks) == 0 || looksLikeHTML(data)) {
		return p.unmarked(data)
	}
	if format := p.pem(data, taken, marks); format != "" {
		return format
	}
	return p.unmarked(data)
}

// span is a block that encoding/pem takes, and where it stands.
type span struct {
	start, end int
	block      *pem.Block
}

// accepted finds the blocks that encoding/pem takes: it is what every
// component in Go reads with, so it has the last word on what is PEM.
func (p *parser) accepted(data []byte) ([]span, bool) {
	if line := headerFlood(data); line > 0 {
		p.problem(Problem{Rule: ruleMalformedPEM, Line: line, Detail: fmt.Sprintf("a block with more than %d header lines", maxHeaders)})
		return nil, false
	}
	var out []span
	for rest := data; ; {
		b, after := pem.Decode(rest)
		if b == nil {
			return out, true
		}
		if len(out) == MaxBlocks {
			p.problem(Problem{Rule: ruleTooLarge, Detail: fmt.Sprintf("more than %d PEM blocks", MaxBlocks)})
			return nil, false
		}
		from, to := len(data)-len(rest), len(data)-len(after)
		out = append(out, span{from + bytes.LastIndex(data[from:to], []byte("-----BEGIN ")), to, b})
		rest = after
	}
}

// headerFlood gives the line of a BEGIN that more than maxHeaders lines with
// colons follow; 0 when there is none.
func headerFlood(data []byte) int {
	n, line, begin, headers := 0, 0, 0, -1
	for n < len(data) {
		line++
		l := data[n:]
		if i := bytes.IndexByte(l, '\n'); i >= 0 {
			l = l[:i]
		}
		n += len(l) + 1
		switch {
		case bytes.Contains(l, []byte("-----BEGIN ")):
			begin, headers = line, 0
		case headers >= 0 && bytes.IndexByte(l, ':') >= 0:
			if headers++; headers > maxHeaders {
				return begin
			}
		default:
			headers = -1
		}
	}
	return 0
}

// pem reads the blocks of data in their order: those that were taken, and
// those that only their markers show. It returns "" when there was neither.
func (p *parser) pem(data []byte, taken []span, marks []marker) Format {
	found := len(taken) > 0
	lines := lineCounter{data: data}
	for len(taken) > 0 || len(marks) > 0 {
		if len(p.doc.Blocks) > MaxBlocks {
			p.problem(Problem{Rule: ruleTooLarge, Detail: fmt.Sprintf("more than %d PEM blocks", MaxBlocks)})
			break
		}
		if len(taken) > 0 && (len(marks) == 0 || marks[0].start >= taken[0].start) {
			t := taken[0]
			taken = taken[1:]
			p.block(block{t.block.Type, t.block.Headers, t.block.Bytes, lines.at(t.start), true})
			for len(marks) > 0 && marks[0].start < t.end {
				marks = marks[1:]
			}
			continue
		}
		limit := len(data)
		if len(taken) > 0 {
			limit = taken[0].start
		}
		used := p.mangled(data, marks, limit, found)
		found = found || used > 0
		marks = marks[max(1, used):]
	}
	if !found {
		return ""
	}
	return FormatPEM
}

// lineCounter turns offsets, asked for in ascending order, into line numbers.
type lineCounter struct {
	data     []byte
	from, nl int
}

func (l *lineCounter) at(offset int) int {
	l.nl += bytes.Count(l.data[l.from:offset], []byte{'\n'})
	l.from = offset
	return l.nl + 1
}

// mangled reads the block at marks[0], which encoding/pem does not take. What
// follows lies before limit. It returns how many markers belong to the block:
// 0 when it is only a mention in a sentence.
func (p *parser) mangled(data []byte, marks []marker, limit int, others bool) int {
	begin := marks[0]
	if begin.end {
		return p.strayEnd(data, begin, others)
	}
	stop, used := limit, 1
	var end *marker
	if len(marks) > 1 && marks[1].start < limit {
		stop = marks[1].start
		if marks[1].end {
			end, used = &marks[1], 2
		}
	}
	headers, body := splitBody(data[begin.tip:stop])
	der, bad := decodeBody(body, end == nil)
	if !knownLabel(begin.label) && (end == nil || !knownLabel(end.label)) {
		return p.foreign(begin, der, used)
	}
	if others && !bareLine(data, begin) && kindOf(der) == kindUnknown {
		return 0
	}
	problem := diagnose(data, begin, end, data[begin.tip:stop])
	if problem.Rule == "" {
		problem = bodyProblem(data[begin.tip:stop], begin.line, bad)
	}
	b := block{label: begin.label, headers: headers, der: der, line: begin.line}
	if !knownLabel(b.label) {
		b.label = end.label
	}
	switch {
	case isKeyLabel(b.label):
		problem.Key = len(p.doc.Keys) + 1
	case strings.HasSuffix(b.label, "CERTIFICATE"):
		problem.Certificate = len(p.doc.Certificates) + 1
	}
	usable := complete(der) || b.label == "OPENSSH PRIVATE KEY"
	if headers["DEK-Info"] != "" {
		usable = der != nil && end != nil
	}
	if !usable {
		p.unread(b) // what is wrong with the content follows from the form
		if i := p.problem(problem); i < 0 {
			p.spoil(problem.Rule)
		}
		return used
	}
	p.contained(problem, func() { p.block(b) })
	return used
}

// foreign takes note of a block of another kind, whose form is of no concern
// here. Lines like "--- BEGIN CHAIN ---" are comments.
func (p *parser) foreign(begin marker, der []byte, used int) int {
	if der == nil || begin.left != 5 || begin.right != 5 {
		return 0
	}
	p.doc.Blocks = append(p.doc.Blocks, begin.label)
	return used
}

// unread lists a block whose content cannot be had at all.
func (p *parser) unread(b block) {
	p.doc.Blocks = append(p.doc.Blocks, b.label)
	switch {
	case strings.HasSuffix(b.label, "CERTIFICATE"):
		p.doc.Certificates = append(p.doc.Certificates, Certificate{Label: b.label, Line: p.at(b.line), Source: p.source})
	case isKeyLabel(b.label):
		p.doc.Keys = append(p.doc.Keys, Key{
			Label: b.label, Line: p.at(b.line), Source: p.source,
			Encrypted: b.label == "ENCRYPTED PRIVATE KEY",
		})
	}
}

// strayEnd reports an END that no BEGIN stands before.
func (p *parser) strayEnd(data []byte, end marker, others bool) int {
	if !knownLabel(end.label) || others && !bareLine(data, end) {
		return 0
	}
	p.problem(Problem{
		Rule: ruleMalformedPEM, Line: end.line,
		Detail: fmt.Sprintf("the END line of %q has no BEGIN line before it", end.label),
	})
	return 1
}

// bareLine says that nothing but marks of quotation stand before the marker on
// its line.
func bareLine(data []byte, m marker) bool {
	return len(bytes.TrimFunc(lineBefore(data, m), func(r rune) bool { return strings.ContainsRune(`>|"'`, r) || blank(r) })) == 0
}

// unescape turns what JSON and shells make of line ends and of base64's own
// characters back. The order matters not: no output is another's input.
var unescape = strings.NewReplacer(`\\n`, "\n", `\\r`, "\n", `\n`, "\n", `\r`, "\n", `\t`, " ", `\/`, "/",
	`\u002b`, "+", `\u002B`, "+", `\u003d`, "=", `\u003D`, "=", `\u002f`, "/", `\u002F`, "/")

// splitBody takes the header lines off what stands between two markers.
func splitBody(body []byte) (map[string]string, []byte) {
	text := strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r != '\n' && blank(r):
			return ' '
		}
		return r
	}, unescape.Replace(string(body)))
	headers := map[string]string{}
	var rest strings.Builder
	for line := range strings.Lines(text) {
		line = strings.Trim(line, " \t\n>|")
		if key, value, ok := strings.Cut(line, ":"); ok && rest.Len() == 0 && len(headers) < maxHeaders {
			headers[strings.TrimSpace(key)] = strings.TrimSpace(value)
			continue
		}
		rest.WriteString(line)
		if line != "" {
			rest.WriteByte('\n')
		}
	}
	return headers, []byte(strings.Trim(rest.String(), "\"', \n"))
}

// decodeBody decodes base64 whatever its padding, its line ends and the spaces
// in it. It returns nil, and whether padding alone is amiss, when that fails.
// A body that no END closes ends where base64 ends.
func decodeBody(body []byte, open bool) (der []byte, bad bool) {
	if open {
		if i := bytes.IndexFunc(body, func(r rune) bool { return !base64Rune(r) && !strings.ContainsRune("= \t\n", r) }); i >= 0 {
			body = body[:i]
		}
	}
	packed := make([]byte, 0, len(body))
	for _, b := range body {
		if b != ' ' && b != '\t' && b != '\n' {
			packed = append(packed, b)
		}
	}
	bare := bytes.TrimRight(packed, "=")
	if open && len(bare)%4 == 1 {
		bare = bare[:len(bare)-1]
	}
	der = make([]byte, base64.RawStdEncoding.DecodedLen(len(bare)))
	n, err := base64.RawStdEncoding.Decode(der, bare)
	if err != nil || n == 0 {
		return nil, true
	}
	return der[:n], len(packed)%4 != 0 || len(packed)-len(bare) > 2
}

func base64Rune(r rune) bool {
	return 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '+' || r == '/'
}
