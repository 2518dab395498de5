package material

import (
	"bytes"
	"fmt"
	"unicode"
)

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
