// Package picture turns a frame of the terminal into an SVG image, for the
// README. Start with SVG. It is used by tests alone, so that the pictures are
// golden files and cannot age; the program does not link it.
package picture

import (
	"fmt"
	"html"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// The size of a cell and the look of the window, in pixels of the image.
const (
	cellW, cellH = 8.4, 18.0
	fontSize     = 14
	padding      = 16.0
	barH         = 30.0
)

// colours are a terminal's sixteen, chosen to be read on background.
var colours = [16]string{
	"#1d2430", "#ff7b72", "#56d364", "#e3b341", "#6cb6ff", "#d2a8ff", "#56d4dd", "#c9d1d9",
	"#8b949e", "#ffa198", "#7ee787", "#f2cc60", "#96d0ff", "#e2c5ff", "#8be9f0", "#f0f6fc",
}

const (
	background = "#11161f"
	foreground = "#d7dee8"
)

// style is what SGR sequences have set.
type style struct {
	fg, bg               string
	bold, faint, reverse bool
}

type cell struct {
	text string
	style
}

// SVG draws a frame of w columns and h rows, as a terminal would show it.
// title is the alternative text and stands in the window's bar.
func SVG(frame, title string, w, h int) []byte {
	rows := read(frame)
	width, height := float64(w)*cellW+2*padding, float64(h)*cellH+2*padding+barH
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="%s">`+"\n", width, height, width, height, html.EscapeString(title))
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" rx="10" fill="%s"/>`+"\n", width, height, background)
	for i, c := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="%.0f" r="6" fill="%s"/>`+"\n", 20+i*20, barH/2+3, c)
	}
	fmt.Fprintf(&b, `<text x="%.0f" y="%.0f" text-anchor="middle" font-family="ui-sans-serif,system-ui,sans-serif" font-size="13" fill="#8b949e">%s</text>`+"\n", width/2, barH/2+8, html.EscapeString(title))
	fmt.Fprintf(&b, `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="%d" xml:space="preserve">`+"\n", fontSize)
	for y := range min(h, len(rows)) {
		drawRow(&b, rows[y], y, w)
	}
	b.WriteString("</g>\n</svg>\n")
	return []byte(b.String())
}

// drawRow draws one row: backgrounds, then lines of boxes as paths (glyphs
// leave gaps between rows), then the text, each cell with a place of its own,
// because fonts differ in width.
func drawRow(b *strings.Builder, row []cell, y, w int) {
	top := padding + barH + float64(y)*cellH
	for x := 0; x < min(w, len(row)); x++ {
		c := row[x]
		fg, bg := c.colours()
		left := padding + float64(x)*cellW
		if bg != "" {
			fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", left, top, cellW+0.2, cellH+0.2, bg)
		}
		if d := boxPath(c.text, left, top); d != "" {
			fmt.Fprintf(b, `<path d="%s" stroke="%s" fill="none" stroke-width="1.2"%s/>`+"\n", d, fg, faintly(c.style))
		}
	}
	for x := 0; x < min(w, len(row)); {
		c := row[x]
		if strings.TrimSpace(c.text) == "" || boxPath(c.text, 0, 0) != "" {
			x++
			continue
		}
		var xs []string
		var text strings.Builder
		start := c.style
		for x < min(w, len(row)) && row[x].style == start && boxPath(row[x].text, 0, 0) == "" {
			if row[x].text != "" {
				xs = append(xs, strconv.FormatFloat(padding+float64(x)*cellW, 'f', 1, 64))
				text.WriteString(row[x].text)
			}
			x++
		}
		fg, _ := c.colours()
		weight := ""
		if c.bold {
			weight = ` font-weight="bold"`
		}
		fmt.Fprintf(b, `<text x="%s" y="%.1f" fill="%s"%s%s>%s</text>`+"\n", strings.Join(xs, " "), top+cellH*0.74, fg, weight, faintly(c.style), html.EscapeString(text.String()))
	}
}

func faintly(s style) string {
	if s.faint {
		return ` opacity="0.65"`
	}
	return ""
}

// colours are the colours that are drawn; bg is "" where it is the window's own.
func (s style) colours() (fg, bg string) {
	fg, bg = s.fg, s.bg
	if fg == "" {
		fg = foreground
	}
	if s.reverse {
		if bg == "" {
			bg = background
		}
		fg, bg = bg, fg
	}
	return fg, bg
}

// boxPath is the path of a box-drawing character in its cell, "" for others.
func boxPath(s string, left, top float64) string {
	cx, cy, right, bottom := left+cellW/2, top+cellH/2, left+cellW, top+cellH
	line := func(x1, y1, x2, y2 float64) string { return fmt.Sprintf("M%.1f %.1fL%.1f %.1f", x1, y1, x2, y2) }
	bend := func(x1, y1, x2, y2 float64) string {
		return fmt.Sprintf("M%.1f %.1fQ%.1f %.1f %.1f %.1f", x1, y1, cx, cy, x2, y2)
	}
	switch s {
	case "─":
		return line(left, cy, right, cy)
	case "│":
		return line(cx, top, cx, bottom)
	case "╭":
		return bend(right, cy, cx, bottom)
	case "╮":
		return bend(left, cy, cx, bottom)
	case "╰":
		return bend(right, cy, cx, top)
	case "╯":
		return bend(left, cy, cx, top)
	case "├":
		return line(cx, top, cx, bottom) + line(cx, cy, right, cy)
	case "└":
		return line(cx, top, cx, cy) + line(cx, cy, right, cy)
	case "┤":
		return line(cx, top, cx, bottom) + line(left, cy, cx, cy)
	}
	return ""
}

// read takes a frame apart into cells.
func read(frame string) [][]cell {
	var rows [][]cell
	var now style
	for line := range strings.SplitSeq(frame, "\n") {
		var row []cell
		var state byte
		for len(line) > 0 {
			seq, width, n, next := ansi.DecodeSequence(line, state, nil)
			state, line = next, line[n:]
			if width == 0 {
				if params, ok := strings.CutPrefix(seq, "\x1b["); ok && strings.HasSuffix(params, "m") {
					now = now.set(strings.TrimSuffix(params, "m"))
				}
				continue
			}
			row = append(row, cell{seq, now})
			for range width - 1 {
				row = append(row, cell{"", now})
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// set applies the parameters of one SGR sequence.
func (s style) set(params string) style {
	codes := strings.Split(params, ";")
	for i := 0; i < len(codes); i++ {
		n, _ := strconv.Atoi(codes[i]) // an empty parameter is 0
		switch {
		case n == 0:
			s = style{}
		case n == 1:
			s.bold = true
		case n == 2:
			s.faint = true
		case n == 7:
			s.reverse = true
		case n == 22:
			s.bold, s.faint = false, false
		case n == 27:
			s.reverse = false
		case n >= 30 && n <= 37:
			s.fg = colours[n-30]
		case n == 39:
			s.fg = ""
		case n >= 40 && n <= 47:
			s.bg = colours[n-40]
		case n == 49:
			s.bg = ""
		case n >= 90 && n <= 97:
			s.fg = colours[n-82]
		case n >= 100 && n <= 107:
			s.bg = colours[n-92]
		case (n == 38 || n == 48) && i+1 < len(codes):
			c, used := extended(codes[i+1:])
			if i += used; n == 38 {
				s.fg = c
			} else {
				s.bg = c
			}
		}
	}
	return s
}

// extended reads 5;N or 2;R;G;B and says how many parameters that took.
func extended(codes []string) (colour string, used int) {
	num := func(i int) int {
		if i >= len(codes) {
			return 0
		}
		n, _ := strconv.Atoi(codes[i])
		return max(0, min(255, n))
	}
	switch codes[0] {
	case "5":
		return indexed(num(1)), 2
	case "2":
		return fmt.Sprintf("#%02x%02x%02x", num(1), num(2), num(3)), 4
	}
	return "", 1
}

// indexed is a colour of the 256: sixteen, a cube of six steps, and greys.
func indexed(n int) string {
	switch {
	case n < 16:
		return colours[n]
	case n >= 232:
		v := 8 + (n-232)*10
		return fmt.Sprintf("#%02x%02x%02x", v, v, v)
	}
	step := func(v int) int {
		if v == 0 {
			return 0
		}
		return 55 + v*40
	}
	n -= 16
	return fmt.Sprintf("#%02x%02x%02x", step(n/36), step(n/6%6), step(n%6))
}
