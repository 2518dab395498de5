package wizard

import (
	"bytes"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"certwright/certs/topology"
	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// settleTime is how long no key comes before a text without paste brackets
// counts as whole: until then an enter is one of its line ends. Over a slow
// line such a text comes in pieces.
const settleTime = 200 * time.Millisecond

// pasteBox takes pasted PEM. What it holds is shown by its armour lines alone:
// never a byte of a block's body, private or not, and no text outside blocks,
// which may be a key whose armour was lost.
type pasteBox struct {
	*Env
	judge *judge
	field flow.Field

	data     []byte // owned here, cleared when it is dropped
	blocks   []pemSpan
	drawn    []string // blocks, tight
	cut      bool     // blocks are those of data
	tooBig   bool
	settling bool // keys of a text without brackets are still coming
	cr       bool // the last key was a return: a line feed behind it is the same line end
	gen      int

	look    *preview
	sorted  *sortedPaste // when it is about several slots
	pending bool
}

type (
	settledMsg struct {
		to  *pasteBox
		gen int
	}
	pasteLookedMsg struct {
		to     *pasteBox
		gen    int
		look   *preview
		sorted *sortedPaste
	}
)

func newPasteBox(env *Env, j *judge) *pasteBox { return &pasteBox{Env: env, judge: j} }

// open starts an empty paste for a field.
func (b *pasteBox) open(f flow.Field) {
	b.drop()
	b.field = f
}

// drop forgets everything that was pasted.
//
//go:noinline // many callers, none of them hot
func (b *pasteBox) drop() {
	clear(b.data[:cap(b.data)])
	b.sorted.clear()
	b.sorted = nil
	b.data, b.tooBig, b.settling, b.cr, b.look, b.pending = b.data[:0], false, false, false, nil, false
	b.cut = false
	b.gen++
}

// add appends to the text. The old bytes are cleared when it moves.
func (b *pasteBox) add(piece []byte) {
	if b.tooBig || len(b.data)+len(piece) > maxPaste {
		b.drop()
		b.tooBig = true
		return
	}
	if need := len(b.data) + len(piece); need > cap(b.data) {
		grown := make([]byte, len(b.data), max(need, 2*cap(b.data), 8<<10))
		copy(grown, b.data)
		clear(b.data[:cap(b.data)])
		b.data = grown
	}
	b.data = append(b.data, piece...)
	b.cut = false
}

// spans are the blocks of the text, found once for each change of it.
func (b *pasteBox) spans() []pemSpan {
	if !b.cut {
		b.blocks, b.drawn, b.cut = pemSpans(b.data), nil, true
	}
	return b.blocks
}

// addRunes appends text and forgets the runes that it came in.
func (b *pasteBox) addRunes(runes []rune) {
	piece := make([]byte, 0, len(runes)+8)
	for _, r := range runes {
		piece = utf8.AppendRune(piece, r)
	}
	piece = bytes.ReplaceAll(piece, []byte("\r\n"), []byte("\n"))
	for i, c := range piece {
		if c == '\r' {
			piece[i] = '\n'
		}
	}
	b.add(piece)
	clear(piece)
	clear(runes)
}

// Keys of the paste pane.
var pasteKeys = struct{ keep, empty, file key.Binding }{
	keep:  bind("enter", "keep", "enter"),
	empty: bind("ctrl+u", "clear", "ctrl+u"),
	file:  bind("ctrl+o", "from a file", "ctrl+o"),
}

func (b *pasteBox) keys() []key.Binding {
	if !b.whole() {
		return []key.Binding{pasteKeys.empty, pasteKeys.file}
	}
	return []key.Binding{pasteKeys.keep, pasteKeys.empty, pasteKeys.file}
}

// whole says that something was pasted and no block of it is still open.
func (b *pasteBox) whole() bool {
	if b.settling || len(bytes.TrimSpace(b.data)) == 0 {
		return false
	}
	spans := b.spans()
	return len(spans) == 0 || spans[len(spans)-1].closed
}

// update takes a key or a message of its own; keep says that the person wants
// what was pasted to be filed.
func (b *pasteBox) update(msg tea.Msg) (keep bool, cmd tea.Cmd) {
	switch msg := msg.(type) {
	case settledMsg:
		if msg.to == b && msg.gen == b.gen {
			b.settling = false
			return false, b.examine()
		}
	case pasteLookedMsg:
		if msg.to == b && msg.gen == b.gen {
			b.look, b.sorted, b.pending = msg.look, msg.sorted, false
		} else {
			msg.sorted.clear()
		}
	case tea.KeyMsg:
		return b.press(msg)
	}
	return false, nil
}

func (b *pasteBox) press(msg tea.KeyMsg) (keep bool, cmd tea.Cmd) {
	wasCR := b.cr
	b.cr = false
	switch {
	case msg.Paste:
		b.addRunes(msg.Runes)
		b.gen++
		b.settling = false
		return false, b.examine()
	case msg.Type == tea.KeyRunes || msg.Type == tea.KeySpace:
		if !msg.Alt {
			b.addRunes(msg.Runes)
		}
		return false, b.settle()
	case msg.Type == tea.KeyTab:
		b.add([]byte{'\t'})
		return false, b.settle()
	case key.Matches(msg, pasteKeys.keep):
		if b.whole() {
			return true, nil
		}
		b.cr = true
		b.newline()
		return false, b.settle()
	case msg.Type == tea.KeyCtrlJ:
		if !wasCR {
			b.newline()
		}
		return false, b.settle()
	case key.Matches(msg, pasteKeys.empty):
		b.drop()
	}
	return false, nil
}

func (b *pasteBox) newline() {
	if len(b.data) > 0 {
		b.add([]byte{'\n'})
	}
}

// settle waits for the rest of a text that comes as keys.
func (b *pasteBox) settle() tea.Cmd {
	b.gen++
	b.forgetLook()
	b.settling = true
	gen := b.gen
	return b.Tick(settleTime, settledMsg{b, gen})
}

func (b *pasteBox) forgetLook() {
	b.sorted.clear()
	b.look, b.sorted, b.pending = nil, nil, false
}

// examine has a whole text judged as if it were filed already.
func (b *pasteBox) examine() tea.Cmd {
	b.forgetLook()
	if !b.whole() {
		return nil
	}
	b.pending = true
	sources := map[flow.Field]flow.Source{}
	parts := splitPaste(b.data)
	for f, data := range parts.place(b.field, b.taken) {
		sources[f] = flow.Source{Pasted: data}
	}
	whole := b.data
	if len(parts.key) == 0 {
		whole = parts.cert // what is filed, to the byte: it is parsed once
	}
	gen, look := b.gen, b.judge.pasted(bytes.Clone(whole), sources, b.field.Slot)
	parts.clear()
	data, slots := bytes.Clone(b.data), b.freeSlots()
	return func() tea.Msg {
		m := pasteLookedMsg{to: b, gen: gen, look: look()}
		sort := safely(func() *preview { m.sorted = sortPaste(data, slots); return nil })
		sort()
		clear(data)
		return m
	}
}

// freeSlots are the slots that a paste may fill: the one it was made for, and
// those that have nothing yet.
func (b *pasteBox) freeSlots() []*topology.Slot {
	var out []*topology.Slot
	for _, m := range []topology.Mode{topology.BringCA, topology.BringCerts} {
		for _, slot := range b.Flow.Due(m) {
			if slot.ID == b.field.Slot || !b.taken(flow.Field{Slot: slot.ID, Part: flow.PartCert}) && !b.taken(flow.Field{Slot: slot.ID, Part: flow.PartKey}) {
				out = append(out, slot)
			}
		}
	}
	return out
}

func (b *pasteBox) taken(f flow.Field) bool { return !b.Flow.Source(f).Empty() }

// file hands what was pasted to the flow, each part for its field, and forgets it.
func (b *pasteBox) file() (events []flow.SetSource) {
	if p := b.sorted; p != nil {
		for _, f := range p.fields {
			events = append(events, flow.SetSource{Field: f, Source: flow.Source{Pasted: p.data[f], Why: p.why[f]}})
		}
		b.sorted = nil // the flow owns the bytes from here on
		b.drop()
		return events
	}
	placed := splitPaste(b.data).place(b.field, b.taken)
	for _, part := range []flow.Part{flow.PartCert, flow.PartKey} {
		f := flow.Field{Slot: b.field.Slot, Part: part}
		if data := placed[f]; len(data) > 0 {
			events = append(events, flow.SetSource{Field: f, Source: flow.Source{Pasted: data}})
		}
	}
	b.drop()
	return events
}

// title is how much was pasted: paste · 1 block, 12 lines, 0.7K.
func (b *pasteBox) title() string {
	if len(b.data) == 0 {
		return "paste"
	}
	n := bytes.Count(bytes.TrimRight(b.data, "\n"), []byte("\n")) + 1
	size := untrusted.Size(len(b.data))
	return "paste " + b.Theme.Border().Separator + " " + count(len(b.spans()), "block") + ", " + count(n, "line") + ", " + size
}

// lines are the text as it may be shown.
func (b *pasteBox) lines(w, h int) []string {
	th := b.Theme
	if b.tooBig {
		return styled(th, theme.Bad, wrap("more than 1 MiB was pasted, so nothing was kept; give the file's path instead: esc, then t", w))
	}
	spans := b.spans()
	var out []string
	if len(spans) < h {
		out = b.armour(spans, false)
	}
	if len(spans) >= h || len(out)+1 > h {
		if b.drawn == nil {
			b.drawn = b.armour(spans, true)
		}
		out = b.drawn
	}
	if most := h - 1; len(out) > most && most > 1 { // the end is where the next key goes
		hidden := len(out) - (most - 1)
		out = slices.Concat([]string{th.Line().Add(theme.Faint, "… "+count(hidden, "line")+" above").String()}, out[hidden:])
	}
	return append(slices.Clip(out), th.Line().Add(theme.Cursor, "█").String())
}

// armour are the armour lines of the text, with how much stands between them;
// tight, one line for each block.
func (b *pasteBox) armour(spans []pemSpan, tight bool) []string {
	th := b.Theme
	var out []string
	at := 0
	other := func(text []byte) {
		if text = bytes.TrimSpace(text); len(text) > 0 {
			out = append(out, th.Line().Add(theme.Faint, "… "+count(bytes.Count(text, []byte("\n"))+1, "line")+" of other text, not shown").String())
		}
	}
	for _, s := range spans {
		other(b.data[at:s.from])
		at = s.to
		label := orElse(s.label, "(another label)")
		middle := ""
		switch {
		case s.private():
			middle = "… not shown"
		case s.lines > 0:
			middle = "… " + count(s.lines, "line")
		}
		begin := th.Line().Plain("-----BEGIN " + label + "-----")
		if tight {
			if !s.closed {
				middle += ", no END yet"
			}
			out = append(out, begin.Plain(" ").Add(theme.Faint, middle).String())
			continue
		}
		out = append(out, begin.String())
		if middle != "" {
			out = append(out, th.Line().Add(theme.Faint, middle).String())
		}
		if s.closed {
			out = append(out, th.Line().Plain("-----END "+label+"-----").String())
		}
	}
	other(b.data[at:])
	return out
}
