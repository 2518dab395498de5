package diagram

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"certwright/ui/theme"
)

// mostCalls is how many calls of one node a details pane lists.
const mostCalls = 12

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
	p.certificate(n)
	p.place(n)
	p.field("purpose", theme.Faint, n.Purpose)
	if n.Serial != "" {
		p.field("serial", theme.Faint, n.Serial)
		p.field("SHA-256", theme.Faint, shortFingerprint(n.Fingerprint)+p.g.ellipsis)
	}
	return p.rows
}

// shortFingerprint is the first eight bytes, as openssl writes them: enough to
// compare by eye. JSON has it whole.
func shortFingerprint(hex string) string {
	var b strings.Builder
	for i := 0; i+2 <= min(len(hex), 16); i += 2 {
		b.WriteString(hex[i:i+2] + ":")
	}
	return b.String()
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
	case Named:
		p.field("state", theme.Faint, "a file is named for it")
	case Pending:
		p.field("state", theme.Busy, "being checked")
	}
	if n.NotWritten {
		p.field("state", theme.Faint, "not written: shown for the chain")
	}
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
}

// left is how long a certificate lasts from now.
func left(days int) string {
	switch {
	case days < 0:
		return "ended"
	case days == 1:
		return "1 day left"
	}
	return strconv.Itoa(days) + " days left"
}

// narrow says that the pane stands beside another; the whole of a node has a
// screen of its own then.
func (p *pane) narrow() bool { return p.width < 46 }

// name is a distinguished name. Of a serial number in it, which is random in the
// CAs that are made here, a narrow pane says only that it is there.
func (p *pane) name(dn string) string {
	words := strings.Split(dn, " ")
	for i, w := range words {
		if strings.HasPrefix(w, "serialNumber=") && p.narrow() {
			words[i] = p.g.ellipsis
		}
	}
	return strings.Join(words, " ")
}

func (p *pane) certificate(n *Node) {
	p.field("subject", theme.Plain, p.name(n.Subject))
	if n.Issuer != "" && !n.SelfSigned {
		p.field("issuer", theme.Plain, p.name(n.Issuer))
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
	case n.NotAfter != nil && !p.narrow():
		p.field("validity", role, fmt.Sprintf("%s %s %s UTC", n.NotBefore.Format(time.DateOnly), p.g.arrow, n.NotAfter.Format(time.DateOnly)))
		p.field("", role, left(n.Days))
	case n.NotAfter != nil:
		p.field("until", role, n.NotAfter.Format(time.DateOnly)+", "+strings.TrimSuffix(left(n.Days), " left"))
	}
	p.field("usages", theme.Plain, strings.Join(n.Usages, ", "))
	p.opens(n)
	p.list("names", theme.Plain, n.Names, 12)
	if n.CA() && n.leaves > 0 {
		p.field("leaves", theme.Plain, theme.Number(n.leaves))
	}
}

func (p *pane) place(n *Node) {
	label := "calls"
	shown := 0
	for _, c := range n.calls {
		if c.client != n && c.server != n {
			continue
		}
		if shown++; shown > mostCalls {
			p.field("", theme.Faint, p.g.ellipsis+" and more: v shows who calls whom")
			break
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
	p.files(n)
	p.field("from", theme.Plain, n.From)
	p.list("used by", theme.Plain, usedBy(n), 16)
}

// files lists where a node is written. What is as long for every CA stands first,
// so that little moves when the cursor goes from one to the next: of its files
// its own two and how many copies, then what its key opens.
func (p *pane) files(n *Node) {
	label := "files"
	for i, f := range n.Files {
		if i == 2 && n.Protects != "" && p.narrow() {
			p.field("copies", theme.Plain, plural(len(n.Files)-i, "file"))
			break
		}
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
	if n.Protects != "" {
		p.gap()
		p.field("its key", theme.Warn, "opens "+n.Protects)
		p.gap()
	}
}

// usedBy lists the parameters that take the node's files. One that takes both
// the certificate and its key is named once.
func usedBy(n *Node) []string {
	var out []string
	for _, c := range n.Consumers {
		text := c.Program + " " + c.Parameter
		if c.When != "" {
			text += " (when " + c.When + ")"
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// wrap breaks text into lines of at most that many cells: between words, and
// within a name only when it is longer than a line, best behind a dot or a slash.
func wrap(text string, width int) []string {
	if width < 1 {
		return nil
	}
	var lines []string
	line, n := "", 0
	for word := range strings.FieldsSeq(text) {
		k := ansi.StringWidth(word)
		if n > 0 && n+1+k <= width {
			line, n = line+" "+word, n+1+k
			continue
		}
		if n > 0 {
			lines = append(lines, line)
		}
		for k > width {
			head := ansi.Truncate(word, width, "")
			if head == "" { // a character wider than the line
				return append(lines, strings.Repeat("?", width))
			}
			if i := strings.LastIndexAny(head, "./,:="); i > width/2 {
				head = head[:i+1]
			}
			lines, word = append(lines, head), word[len(head):]
			k = ansi.StringWidth(word)
		}
		line, n = word, k
	}
	if n > 0 {
		lines = append(lines, line)
	}
	return lines
}

// Brief is a node in two rows, for where there is no room for a pane.
func Brief(n *Node, width int, onlyASCII bool) []Row {
	if n == nil {
		return []Row{{}, {}}
	}
	g := glyphsFor(onlyASCII)
	var first, second Row
	first.add(theme.Bold, cutMiddle(n.Title, width/2, g.ellipsis))
	first.add(theme.RoleOf(n.Mode.Letter()), "  "+n.Mode.Letter()+" "+n.Mode.Words())
	if n.Subject != "" {
		first.add(theme.Plain, "  "+n.Subject)
	}
	if n.Key != "" {
		first.add(theme.Faint, "  "+n.Key)
	}
	p := &pane{width: width, g: g}
	p.problems(n)
	if i := slices.IndexFunc(p.rows, func(r Row) bool { return len(r.Segments) > 0 }); i >= 0 {
		return []Row{clip(first, width, g), clip(p.rows[i], width, g)}
	}
	for _, o := range n.Opens {
		if o.Loud {
			second.add(theme.Bad, g.warn+" opens "+o.Title+" as "+o.As)
			return []Row{clip(first, width, g), clip(second, width, g)}
		}
	}
	var calls []string
	for _, c := range n.calls {
		switch {
		case c.client == n && c.Mutual:
			calls = append(calls, "calls "+c.To)
		case c.server == n:
			calls = append(calls, "called by "+c.From)
		}
	}
	slices.Sort(calls)
	text := strings.Join(slices.Compact(calls), ", ")
	if text == "" {
		text = n.Purpose
	}
	second.add(theme.Faint, text)
	return []Row{clip(first, width, g), clip(second, width, g)}
}
