package diagram_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"certwright/certs"
	"certwright/certs/check"
	"certwright/certs/issue"
	"certwright/certs/topology"
	"certwright/ui/diagram"
)

// made keeps the inputs: the sets behind them cost signatures and handshakes.
var made map[string]diagram.Input

// inputs are the states that every drawing must survive.
func inputs(t testing.TB) map[string]diagram.Input {
	t.Helper()
	if made == nil {
		made = makeInputs(t)
	}
	return made
}

func makeInputs(t testing.TB) map[string]diagram.Input {
	t.Helper()
	hostile := proved(t, nil)
	const evil = "\x1b[2J</text><script>alert(1)</script>\"]; click n0 \"x\" %%{init}%% \\N \u202e\x00 & 'q' `"
	topo := *hostile.Topology
	hostile.Topology = &topo
	topo.Slots = append([]topology.Slot(nil), topo.Slots...)
	topo.Edges = append([]topology.Edge(nil), topo.Edges...)
	for i := range topo.Slots {
		topo.Slots[i].Title, topo.Slots[i].Purpose = evil+fmt.Sprint(i), evil
	}
	for i := range topo.Edges {
		topo.Edges[i].Client.Name, topo.Edges[i].Server.Name, topo.Edges[i].Title = evil, evil+"2", evil
	}
	hostile.Findings = []check.Finding{{Rule: "x", Severity: check.Error, Slot: "etcd/server", Message: evil, Fix: evil}}
	empty := planned(t)
	none := *empty.Topology
	none.Slots, none.Edges, none.Authorities, none.Components = nil, nil, nil, nil
	empty.Topology = &none
	unfinished := planned(t)
	unfinished.Modes = map[topology.ComponentID]topology.Mode{"etcd": topology.BringCA, "kube": topology.BringCerts, "identity": topology.BringCerts}
	unfinished.Set = &certs.Set{Topology: unfinished.Topology, Pairs: map[topology.SlotID]*certs.Pair{}}
	return map[string]diagram.Input{
		"plan": planned(t), "proved": proved(t, nil), "flat": proved(t, func(r *issue.Request) { r.Hierarchy = topology.Roots }),
		"mixed": mixed(t), "failed": failing(t), "hostile": hostile, "empty": empty, "unfinished": unfinished, "fleet": fleet(t, 200),
	}
}

func wellFormed(data []byte) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict = true
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "script" {
			return errors.New("it has a script")
		}
	}
}

func TestSVGIsWellFormedAndTheSameEachTime(t *testing.T) {
	for name, in := range inputs(t) {
		first, err := diagram.SVG(diagram.New(in))
		if err != nil {
			t.Fatal(err)
		}
		if err := wellFormed(first); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if second, _ := diagram.SVG(diagram.New(in)); !bytes.Equal(first, second) {
			t.Errorf("%s is drawn otherwise the second time", name)
		}
		if bytes.Contains(first, []byte("NaN")) || bytes.Contains(first, []byte("Inf")) {
			t.Errorf("%s has a length that is no number", name)
		}
	}
}

func TestSVGIsReadByAnotherProgram(t *testing.T) {
	tool, err := exec.LookPath("rsvg-convert")
	if err != nil {
		t.Skip("rsvg-convert is not installed")
	}
	for name, in := range inputs(t) {
		svg, err := diagram.SVG(diagram.New(in))
		if err != nil {
			t.Fatal(err)
		}
		run(t, name, tool, svg, "--format", "svg")
	}
}

func TestDOTIsReadByGraphviz(t *testing.T) {
	tool, err := exec.LookPath("dot")
	if err != nil {
		t.Skip("graphviz is not installed")
	}
	for name, in := range inputs(t) {
		run(t, name, tool, []byte(diagram.DOT(diagram.New(in))), "-Tsvg")
	}
}

func run(t *testing.T, name, tool string, stdin []byte, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Errorf("%s: %s: %v: %s", name, tool, err, stderr.String())
	}
}

// mermaidLine are the only lines that a chart may have.
var mermaidLine = regexp.MustCompile(`^( *(n\d+(more)?(\[|\{\{|\(\[)"[^"]*"(\]|\}\}|\]\))|p\d+\(\("[^"]*"\)\)|n\d+ (---|==>) n\d+(more)?|[np]\d+ -\.->\|"[^"]*"\| n\d+|subgraph gn\d+\["[^"]*"\]|direction TB|end|classDef \w+ [\w#:,. -]+|class [nmore\d,]+ \w+|linkStyle \d+ [\w#:,-]+)|%% [^%{}]*|flowchart TB)$`)

func TestMermaidHasNothingButItsOwnSyntax(t *testing.T) {
	for name, in := range inputs(t) {
		for i, line := range strings.Split(strings.TrimSuffix(diagram.Mermaid(diagram.New(in)), "\n"), "\n") {
			if !mermaidLine.MatchString(line) {
				t.Errorf("%s: line %d is no Mermaid of ours: %q", name, i+1, line)
			}
		}
	}
}

func TestMermaidColoursTheCallsThatFail(t *testing.T) {
	text := diagram.Mermaid(diagram.New(failing(t)))
	links := 0
	failed := map[int]bool{}
	for _, line := range strings.Split(text, "\n") {
		if !strings.Contains(line, "---") && !strings.Contains(line, "==>") && !strings.Contains(line, "-.->") {
			continue
		}
		if strings.Contains(line, "✗") {
			failed[links] = true
		}
		links++
	}
	if len(failed) != 2 {
		t.Fatalf("%d links fail, want 2:\n%s", len(failed), text)
	}
	for i := range failed {
		if !strings.Contains(text, fmt.Sprintf("linkStyle %d ", i)) {
			t.Errorf("link %d fails and is not coloured", i)
		}
	}
}

func TestPicturesOfBuiltInProfilesHaveNoCrossing(t *testing.T) {
	pictures := map[string]diagram.Input{"tectonic": planned(t), "fleet": fleet(t, 3)}
	for _, name := range []string{"k3s", "consul", "nats"} {
		facts := map[string]string{"node.addresses": "10.0.0.10"}
		if name == "nats" {
			facts = map[string]string{"nats.gateways": "here", "nats.leafnodes": "here"}
		}
		pictures[name] = diagram.Input{Topology: resolve(t, name, facts), Now: now}
	}
	for name, in := range pictures {
		if n := diagram.Crossings(diagram.New(in)); n != 0 {
			t.Errorf("%s has %d crossings", name, n)
		}
	}
}

func TestRowsFitTheirWidth(t *testing.T) {
	for name, in := range inputs(t) {
		m := diagram.New(in)
		lines := m.Lines(diagram.View{All: true})
		lines = lines[:min(len(lines), 60)]
		for width := 24; width < 130; width++ {
			for _, only := range []bool{false, true} {
				rows := diagram.Rows(lines, diagram.RowOptions{Width: width, Cursor: 1, ASCII: only})
				rows = append(rows, diagram.CallRows(m, diagram.CallOptions{Width: width, ASCII: only})...)
				for _, l := range lines[:min(len(lines), 20)] {
					rows = append(rows, diagram.Details(l.Node(), width, only)...)
					rows = append(rows, diagram.Brief(l.Node(), width, only)...)
				}
				for _, r := range rows {
					if r.Width() > width {
						t.Fatalf("%s: a row of %d cells in %d: %q", name, r.Width(), width, r.Text())
					}
					clean(t, name, r.Text())
				}
			}
		}
	}
}

func TestRowsNeverCutTheDays(t *testing.T) {
	m := diagram.New(proved(t, nil))
	for width := 24; width < 130; width++ {
		for _, r := range diagram.Rows(m.Lines(diagram.View{}), diagram.RowOptions{Width: width, Cursor: 0}) {
			if text := r.Text(); !strings.HasSuffix(text, "365d") && !strings.HasSuffix(text, "3650d") && !strings.Contains(text, "serv") {
				t.Errorf("at %d columns: %q", width, text)
			}
		}
	}
}

func TestAWindowDrawsItsHeightOnly(t *testing.T) {
	lines := diagram.New(fleet(t, 500)).Lines(diagram.View{All: true})
	if n := len(diagram.Rows(lines, diagram.RowOptions{Width: 60, Top: 900, Height: 30})); n != 30 {
		t.Errorf("%d rows, want 30", n)
	}
	if n := len(diagram.Rows(lines, diagram.RowOptions{Width: 60, Top: len(lines) + 5, Height: 30})); n != 0 {
		t.Errorf("%d rows behind the end", n)
	}
}

// clean fails when text holds what a terminal acts on.
func clean(t *testing.T, name, text string) {
	t.Helper()
	for _, r := range text {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			t.Fatalf("%s: %q holds %U", name, text, r)
		}
	}
}

func TestTreeIsPlainText(t *testing.T) {
	for name, in := range inputs(t) {
		for _, width := range []int{0, 60, 80, 200} {
			for _, only := range []bool{false, true} {
				for _, line := range strings.Split(diagram.Tree(diagram.New(in), width, only), "\n") {
					clean(t, name, line)
					if n := ansi.StringWidth(line); n > max(width, 60) {
						t.Errorf("%s at %d: %d cells: %q", name, width, n, line)
					}
					if only && strings.IndexFunc(line, func(r rune) bool { return r > 0x7e }) >= 0 {
						t.Errorf("%s: not ASCII: %q", name, line)
					}
				}
			}
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"etcd server", `"]; n0 --> n1`, "</text><script>", "a\x00b\x1b[2J", "\u202e\xff&amp;#35;", `\N\"`, "日本語 · ✗", strings.Repeat("x", 300)} {
		f.Add(s, 20)
	}
	quoted := regexp.MustCompile(`^"(\\\\|\\"|\\n|[^"\\\x00-\x1f\x7f])*"$`)
	f.Fuzz(func(t *testing.T, s string, width int) {
		if err := wellFormed([]byte("<a b=\"" + diagram.XMLText(s) + "\">" + diagram.XMLText(s) + "</a>")); err != nil {
			t.Errorf("XML of %q: %v", s, err)
		}
		if got := diagram.DOTText(s); !quoted.MatchString(got) {
			t.Errorf("DOT of %q: %s", s, got)
		}
		got := diagram.MermaidText(s)
		inside := strings.ReplaceAll(got[1:len(got)-1], "<br/>", "")
		inside = regexp.MustCompile(`#\d+;`).ReplaceAllString(inside, "")
		if strings.ContainsAny(inside, "\"<>&#;`\\{}[]()|%\n\r\x1b\x00") {
			t.Errorf("Mermaid of %q: %s", s, got)
		}
		width = 1 + (width&0xff)%120
		for _, line := range diagram.Wrap(s, width) {
			if n := ansi.StringWidth(line); n > width && utf8.ValidString(s) {
				t.Errorf("%q wrapped to %d: %q has %d cells", s, width, line, n)
			}
		}
		if n := ansi.StringWidth(diagram.CutMiddle(s, width, "…")); n > width && utf8.ValidString(s) && ansi.StringWidth(s) < 1000 {
			t.Errorf("%q cut to %d has %d cells", s, width, n)
		}
	})
}
