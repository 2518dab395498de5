package diagram

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// xmlText is text inside an element or an attribute of XML 1.0. Characters that
// XML has no way to write become U+FFFD.
func xmlText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '\'':
			b.WriteString("&#39;")
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff || r == utf8.RuneError:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// textWidth is how wide text is at a font size, in pixels. A viewer's own font
// decides; this errs to the wide side (DejaVu Sans and Verdana, the widest that
// are common), so that text stays in its box.
func textWidth(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case ansi.StringWidth(string(r)) == 2:
			w += 1.05
		case strings.ContainsRune("iljI.,:;|!'`", r):
			w += 0.34
		case strings.ContainsRune("ftr()[]{}/\\ -\"", r):
			w += 0.41
		case strings.ContainsRune("mwMW@%", r):
			w += 0.95
		case r >= 'A' && r <= 'Z':
			w += 0.70
		default:
			w += 0.62
		}
	}
	return w * size
}

// fit cuts text to a width in pixels.
func fit(s string, size, width float64) string {
	if textWidth(s, size) <= width {
		return s
	}
	runes := []rune(s)
	for n := len(runes) - 1; n > 0; n-- {
		if t := string(runes[:n]) + "…"; textWidth(t, size) <= width {
			return t
		}
	}
	return "…"
}

// fill breaks text into lines of a width in pixels.
func fill(s string, size, width float64) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		with := strings.TrimSpace(line + " " + word)
		if line != "" && textWidth(with, size) > width {
			lines = append(lines, line)
			with = word
		}
		line = with
	}
	if line != "" {
		lines = append(lines, line)
	}
	for i := range lines {
		lines[i] = fit(lines[i], size, width)
	}
	return lines
}
