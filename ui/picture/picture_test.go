package picture

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

func TestFramesAreReadAsATerminalDoes(t *testing.T) {
	rows := read("a\x1b[1;31mb\x1b[0mc\n\x1b[38;5;196mx\x1b[48;2;1;2;3my\x1b[7mz\x1b[m世!")
	if len(rows) != 2 || len(rows[0]) != 3 || len(rows[1]) != 6 {
		t.Fatalf("%d rows of %d and %d cells", len(rows), len(rows[0]), len(rows[1]))
	}
	if c := rows[0][1]; !c.bold || c.fg != colours[1] || c.text != "b" {
		t.Errorf("bold red: %+v", c)
	}
	if c := rows[0][2]; c.style != (style{}) {
		t.Errorf("after a reset: %+v", c)
	}
	if c := rows[1][0]; c.fg != "#ff0000" {
		t.Errorf("colour 196: %+v", c)
	}
	if fg, bg := rows[1][2].colours(); fg != "#010203" || bg != "#ff0000" {
		t.Errorf("reversed: %s on %s", fg, bg)
	}
	if rows[1][3].text != "世" || rows[1][4].text != "" || rows[1][5].text != "!" {
		t.Errorf("a wide character: %+v", rows[1][3:])
	}
}

func TestTheSVGIsWellFormed(t *testing.T) {
	svg := SVG("╭─╮\n│<&\"│\n╰─╯ \x1b[2mfaint\x1b[0m", `a "title" & more`, 20, 3)
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v\n%s", err, svg)
		}
	}
	if n := strings.Count(string(svg), "<path"); n != 8 {
		t.Errorf("%d lines of the box, want 8", n)
	}
}
