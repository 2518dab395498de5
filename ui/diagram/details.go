package diagram

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"certwright/certs/check"
	"certwright/ui/theme"
)

// labelWidth is the column of labels in a details pane.
const labelWidth = 9

// pane collects rows of labels and wrapped text.
type pane struct {
	width int
	g     *glyphs
	rows  []Row
}

// Details are what is known of a node, in rows of at most that many cells. The
// problems come first: a pane may be too short for everything.
func Details(n *Node, width int, onlyASCII bool) []Row {
	if n == nil || width < labelWidth+8 {
		return nil
	}
	p := &pane{width: width, g: glyphsFor(onlyASCII)}
	p.head(n)
	p.problems(n)
	p.opens(n)
	p.certificate(n)
	p.place(n)
	p.field("purpose", theme.Faint, n.Purpose)
	if n.Serial != "" {
		p.field("serial", theme.Faint, n.Serial)
		p.field("SHA-256", theme.Faint, n.Fingerprint)
	}
	return p.rows
}

func (p *pane) row(role theme.Role, text string) {
	var r Row
	r.add(role, cut(text, p.width, p.g.ellipsis))
	p.rows = append(p.rows, r)
}

func (p *pane) gap() {
	if len(p.rows) > 0 {
		p.rows = append(p.rows, Row{})
	}
}

// field writes a label and its text, wrapped below itself.
func (p *pane) field(label string, role theme.Role, text string) {
	if text == "" {
		return
	}
	for i, line := range wrap(text, p.width-labelWidth) {
		var r Row
		if i == 0 {
			r.add(theme.Faint, label)
		}
		r.to(labelWidth)
		r.add(role, line)
		p.rows = append(p.rows, r)
	}
}

// list writes a label and one item in each row, the first many of them.
func (p *pane) list(label string, role theme.Role, items []string, most int) {
	for i, it := range items {
		if i == most && len(items) > most+1 {
			p.field(label, theme.Faint, fmt.Sprintf("%s %d more", p.g.ellipsis, len(items)-most))
			return
		}
		p.field(label, role, it)
		label = ""
	}
}

// marked writes a sign and wrapped text beside it.
func (p *pane) marked(sign string, role theme.Role, text string) {
	if text == "" {
		return
	}
	for i, line := range wrap(text, p.width-2) {
		var r Row
		if i == 0 {
			r.add(role, sign)
		}
		r.to(2)
		r.add(role, line)
		p.rows = append(p.rows, r)
	}
}

func (p *pane) head(n *Node) {
	letter := n.Mode.Letter()
	p.field("mode", theme.RoleOf(letter), letter+"  "+n.Mode.Words())
	switch n.State {
	case Planned:
		p.field("state", theme.Faint, "will be made")
	case Missing:
		p.field("state", theme.Warn, "not given yet")
	case Pending:
		p.field("state", theme.Busy, "being checked")
	}
	if n.NotWritten {
		p.field("state", theme.Faint, "not written: shown for the chain")
	}
}

func (p *pane) problems(n *Node) {
	before := len(p.rows)
	p.gap()
	for _, f := range n.Findings {
		sign, role := severity(f.Severity, p.g)
		p.marked(sign, role, f.Message)
		p.marked("", theme.Plain, f.Fix)
	}
	for _, c := range n.calls {
		if c.Proof == Failed && (c.client == n || c.server == n) {
			p.marked(p.g.bad, theme.Bad, c.From+" "+p.g.arrow+" "+c.To+": "+c.Problem)
			p.marked("", theme.Plain, c.Fix)
		}
	}
	for _, note := range n.Notes {
		p.marked(p.g.warn, theme.Warn, note)
	}
	switch {
	case n.NotAfter == nil:
	case n.Days < 0:
		p.marked(p.g.bad, theme.Bad, fmt.Sprintf("ended %d days ago", -n.Days))
	case n.EndsSoon():
		p.marked(p.g.warn, theme.Warn, fmt.Sprintf("renew within %s", plural(n.Days, "day")))
	}
	if len(p.rows) == before+1 {
		p.rows = p.rows[:before]
		return
	}
	p.gap()
}

func severity(s check.Severity, g *glyphs) (string, theme.Role) {
	switch s {
	case check.Error:
		return g.bad, theme.Bad
	case check.Warning:
		return g.warn, theme.Warn
	}
	return g.dot, theme.Faint
}

// opens says what a thief of the key can open, the worst of it loudly.
func (p *pane) opens(n *Node) {
	label := "opens"
	for _, o := range n.Opens {
		text := o.Title
		if o.As != "" {
			text += " as " + o.As
		}
		role := theme.Plain
		switch {
		case o.Loud:
			role, text = theme.Bad, p.g.warn+" "+text
		case !o.Allowed:
			role, text = theme.Warn, text+" (no call asks for it)"
		}
		p.field(label, role, text)
		label = ""
	}
	if n.Protects != "" {
		p.field("its key", theme.Warn, "opens "+n.Protects)
	}
}

func (p *pane) certificate(n *Node) {
	p.field("subject", theme.Plain, n.Subject)
	if n.Issuer != "" && !n.SelfSigned {
		p.field("issuer", theme.Plain, n.Issuer)
	}
	if n.SelfSigned && n.CA() {
		p.field("issuer", theme.Faint, "itself: a root")
	}
	p.field("key", theme.Plain, n.Key)
	role := theme.Plain
	if n.EndsSoon() {
		role = theme.Bad
	}
	switch {
	case n.NotAfter == nil && n.Days > 0:
		p.field("lasts", theme.Plain, plural(n.Days, "day"))
	case n.NotAfter != nil && p.width >= 46:
		p.field("validity", role, fmt.Sprintf("%s %s %s UTC, %s left", n.NotBefore.Format("2006-01-02"), p.g.arrow, n.NotAfter.Format("2006-01-02"), plural(n.Days, "day")))
	case n.NotAfter != nil:
		p.field("until", role, fmt.Sprintf("%s, %s", n.NotAfter.Format("2006-01-02"), plural(n.Days, "day")))
	}
	p.field("usages", theme.Plain, strings.Join(n.Usages, ", "))
	p.list("names", theme.Plain, n.Names, 12)
	if n.CA() && n.leaves > 0 {
		p.field("below it", theme.Plain, plural(n.leaves, "certificate"))
	}
}

func (p *pane) place(n *Node) {
	label := "calls"
	for _, c := range n.calls {
		if c.client != n && c.server != n {
			continue
		}
		mark, role := proofMark(c, p.g)
		text := p.g.arrow + " " + c.To
		if c.client != n {
			text = "from " + c.From
		}
		var r Row
		r.add(theme.Faint, label)
		r.to(labelWidth)
		r.add(role, mark)
		r.add(theme.Plain, " "+cut(text, p.width-labelWidth-2, p.g.ellipsis))
		p.rows = append(p.rows, r)
		label = ""
	}
	label = "files"
	for _, f := range n.Files {
		mode := "0644"
		if f.Private {
			mode = "0600"
		}
		room := p.width - labelWidth - len(mode) - 1
		var r Row
		r.add(theme.Faint, label)
		r.to(labelWidth)
		r.add(theme.Plain, cutMiddle(f.Path, room, p.g.ellipsis))
		r.to(p.width - len(mode))
		r.add(theme.Faint, mode)
		p.rows = append(p.rows, r)
		label = ""
	}
	p.field("from", theme.Plain, n.From)
	label, program := "used by", ""
	for _, c := range n.Consumers {
		text := "  " + c.Parameter
		if c.Program != program {
			p.field(label, theme.Plain, c.Program)
			label, program = "", c.Program
		}
		if c.When != "" {
			text += " (when " + c.When + ")"
		}
		p.field("", theme.Faint, text)
	}
}

// wrap breaks text into lines of at most that many cells.
func wrap(text string, width int) []string {
	if width < 1 {
		return nil
	}
	lines := strings.Split(ansi.Wrap(text, width, "-/.,:"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(cut(lines[i], width, ""), " ")
	}
	return lines
}
