package material

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"unicode"
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
	if der == nil {
		p.unread(b)
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
	case b.label == "CERTIFICATE":
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

// diagnose says why encoding/pem does not take the block between two markers,
// as far as the markers and line ends show it.
func diagnose(data []byte, begin marker, end *marker, body []byte) Problem {
	pr := Problem{Line: begin.line}
	prefix := lineBefore(data, begin)
	var endPrefix, endSuffix []byte
	if end != nil {
		endPrefix = lineBefore(data, *end)
		endSuffix = restOfLine(data[end.tip:])
	}
	sameLine := end != nil && end.line == begin.line
	switch {
	case begin.typeset || end != nil && end.typeset:
		pr.Rule, pr.Detail = ruleDashes, "the BEGIN or END line has typographic dashes in place of hyphens"
	case bytes.Contains(body, []byte(`\n`)) || bytes.Contains(body, []byte(`\r`)):
		pr.Rule, pr.Detail = ruleEscaped, `line ends are written as backslash and n`
	case bytes.IndexByte(body, '\r') >= 0 && bytes.IndexByte(body, '\n') < 0:
		pr.Rule, pr.Detail = ruleOneLine, "line ends are bare carriage returns, so that the block is one line"
	case sameLine:
		pr.Rule, pr.Detail = ruleOneLine, "BEGIN, content and END are one line"
	case endsWithEnd(prefix) || begin.left >= 10 || end != nil && (end.right >= 10 || startsWithBegin(endSuffix)):
		pr.Rule, pr.Detail = ruleRunTogether, "an END line and the next BEGIN line are one line"
		if end != nil && (end.right >= 10 || startsWithBegin(endSuffix)) && begin.left < 10 && !endsWithEnd(prefix) {
			pr.Line = end.line
		}
	case bytes.Equal(prefix, utf8BOM):
		pr.Rule, pr.Detail = ruleBOM, "the byte order mark EF BB BF stands before BEGIN"
	case end == nil:
		pr.Rule, pr.Detail = ruleTruncated, fmt.Sprintf("the END line of %q is missing", begin.label)
	case onlyQuoting(prefix) || onlyQuoting(endPrefix):
		pr.Rule, pr.Detail = ruleIndented, "BEGIN or END does not stand at the start of its line"
	case bytes.Contains(body, []byte("\r\r")):
		pr.Rule, pr.Detail = ruleMalformedPEM, "each line ends with two carriage returns"
	case begin.label != end.label:
		pr.Rule, pr.Line = ruleMalformedPEM, end.line
		pr.Detail = fmt.Sprintf("BEGIN says %q and END says %q", begin.label, end.label)
	default:
		malformedMarker(&pr, data, begin, *end, prefix, endPrefix, endSuffix)
	}
	return pr
}

// malformedMarker fills in what is wrong with one of the markers, if anything.
func malformedMarker(pr *Problem, data []byte, begin, end marker, prefix, endPrefix, endSuffix []byte) {
	for _, m := range []marker{begin, end} {
		if m.left != 5 || m.right != 5 {
			pr.Rule, pr.Line = ruleMalformedPEM, m.line
			pr.Detail = fmt.Sprintf("the %s line has %d and %d dashes, not 5 and 5", m.word(), m.left, m.right)
			return
		}
		if m.loose {
			pr.Rule, pr.Line = ruleMalformedPEM, m.line
			pr.Detail = fmt.Sprintf("the %s line is not written as -----%s %s-----", m.word(), m.word(), m.label)
			return
		}
	}
	beside := func(before, after []byte) bool { return len(before) > 0 || len(bytes.Trim(after, " \t\r")) > 0 }
	switch {
	case beside(prefix, restOfLine(data[begin.tip:])):
		pr.Rule, pr.Detail = ruleMalformedPEM, "the BEGIN line has other text beside it"
	case beside(endPrefix, endSuffix):
		pr.Rule, pr.Line, pr.Detail = ruleMalformedPEM, end.line, "the END line has other text beside it"
	}
}

func (m *marker) word() string {
	if m.end {
		return "END"
	}
	return "BEGIN"
}

// besideMarker is how much of a line is looked at before and after a marker. A
// whole file may be one line, and it is looked at for each of its markers.
const besideMarker = 256

// lineBefore is the end of what stands before the marker on its line.
func lineBefore(data []byte, m marker) []byte {
	return data[max(m.lineStart, m.start-besideMarker):m.start]
}

// restOfLine is the beginning of data up to its first line end.
func restOfLine(data []byte) []byte {
	data = data[:min(len(data), besideMarker)]
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return data[:i]
	}
	return data
}

// endsWithEnd says that the text before a BEGIN is the marker of an END.
func endsWithEnd(prefix []byte) bool {
	prefix = bytes.TrimRight(prefix, " \t-")
	i := bytes.LastIndex(prefix, []byte("END "))
	return i > 0 && prefix[i-1] == '-' && bytes.IndexByte(prefix[i:], '-') < 0
}

// startsWithBegin says that a BEGIN follows an END on its line.
func startsWithBegin(suffix []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(suffix, " \t-"), []byte("BEGIN "))
}

// onlyQuoting says that the text before a marker is indentation, or what mail
// programs and YAML put there.
func onlyQuoting(prefix []byte) bool {
	return len(prefix) > 0 && len(bytes.TrimFunc(prefix, func(r rune) bool { return r == '>' || r == '|' || blank(r) })) == 0
}

// blank knows what looks like nothing or like a space: tabs, the no-break
// space of web pages, the zero-width characters of chats.
func blank(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }

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

// bodyProblem says what is wrong with the base64 between two good markers. It
// names lines and the one character that does not belong, never others: the
// rest may be a key.
func bodyProblem(body []byte, begin int, bad bool) Problem {
	pr := Problem{Rule: ruleBase64, Line: begin}
	number := begin - 1
	for line := range bytes.Lines(body) {
		number++
		if number == begin {
			continue // the rest of the BEGIN line
		}
		line = bytes.Trim(line, " \t\r\n")
		if bytes.IndexByte(line, ':') >= 0 {
			continue
		}
		for _, r := range string(bytes.TrimRight(line, "=")) {
			if !base64Rune(r) && r != ' ' && r != '\t' {
				pr.Line = number
				pr.Detail = fmt.Sprintf("the character %q is not base64", string(r))
				return pr
			}
		}
	}
	if bad {
		pr.Detail = "the number of base64 characters is no multiple of four: some were lost"
		return pr
	}
	return Problem{Rule: ruleMalformedPEM, Line: begin, Detail: "the block is not put together as PEM"}
}
