package wizard

import (
	"strconv"
	"strings"
	"time"

	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// stages are those of the pipeline in their order, and what each has done when
// it is over.
var stages = []struct{ id, title, did string }{
	{"issue", "issue", "keys made, certificates signed"},
	{"check", "check", "judged by the rules"},
	{"prove", "prove", "handshakes tried"},
	{"render", "render", "files made in memory"},
	{"stage", "stage", "files written beside their place"},
	{"verify", "verify", "read back and compared"},
	{"rename", "swap", "put in place by renaming"},
}

// writeStages is where in stages the disk begins.
const writeStages = 4

// pace is how fast a stage goes, for the time that is left.
type pace struct {
	stage string
	since time.Time
	last  flow.Progress
	did   map[string]int // how many each stage that is over did
}

// note takes a report.
func (p *pace) note(now time.Time, r flow.Progress) {
	if p.stage != r.Stage {
		if p.did == nil || stageIndex(r.Stage) < stageIndex(p.stage) { // it began anew
			p.did = map[string]int{}
		} else {
			p.did[p.stage] = p.last.Total
		}
		p.stage, p.since = r.Stage, now
	}
	p.last = r
}

// left is how long the stage still takes at the pace so far, and how many it
// does in a second; false while it is too early to say.
func (p *pace) left(now time.Time) (left time.Duration, rate float64, known bool) {
	spent := now.Sub(p.since)
	if p.last.Done <= 0 || p.last.Total <= p.last.Done || spent < time.Second {
		return 0, 0, false
	}
	left = spent / time.Duration(p.last.Done) * time.Duration(p.last.Total-p.last.Done)
	return left, float64(p.last.Done) / spent.Seconds(), true
}

// perSecond is a rate as one reads it: "410/s", "0.7/s".
func perSecond(rate float64) string {
	if rate < 9.95 {
		return strconv.FormatFloat(rate, 'f', 1, 64) + "/s"
	}
	return number(int(rate+0.5)) + "/s"
}

func stageIndex(id string) int {
	switch id {
	case "keys": // they are made as the certificates need them
		id = "issue"
	case "nodes": // of many, made as they are written
		id = "stage"
	case "seal": // the keys of CAs, encrypted
		id = "render"
	}
	for i, s := range stages {
		if s.id == id {
			return i
		}
	}
	return -1
}

// bar is a progress bar of w cells.
func bar(th *theme.Theme, done, total, w int) string {
	full := 0
	if total > 0 {
		full = max(0, min(w, w*done/total))
	}
	b := th.Border()
	return th.Render(theme.Good, strings.Repeat(b.Full, full)) + th.Render(theme.Faint, strings.Repeat(b.Empty, max(0, w-full)))
}

// progressLines are the bar and the stages of a long effect, in w cells.
func (e *Env) progressLines(w int, writing bool) []string {
	th := e.Theme
	p, busy := e.Flow.Preparing()
	at := stageIndex(p.Stage)
	var lines []string
	if busy {
		text := ""
		if p.Total > 0 {
			text = number(p.Done) + " of " + number(p.Total)
		}
		if left, rate, known := e.Pace.left(e.Now()); known {
			text += ", " + perSecond(rate) + ", about " + roughly(left) + " left"
		}
		const room = len("12345 of 12345, 1234/s, about 120 s left") // so that the bar keeps its length
		lines = append(lines, bar(th, p.Done, p.Total, max(8, min(60, w-room-2)))+"  "+th.Render(theme.Plain, th.Cut(text, room)), "")
	}
	for i, s := range stages {
		if i >= writeStages && !writing {
			break
		}
		l := th.Line()
		switch {
		case i < at || !busy && !writing:
			l.Mark(theme.GoodSign).Plain(" ").Col(theme.Plain, s.title, 9).Add(theme.Faint, strings.TrimSpace(e.stageCount(s.id)+" "+s.did))
		case i == at && busy:
			item := untrusted.Text(p.Item).Max(120)
			if p.Stage == "nodes" {
				item = "node " + item + ": issued, checked, written beside its place"
			}
			l.Add(theme.Cursor, th.Mark(theme.CursorSign)).Plain(" ").Col(theme.Bold, s.title, 9).Plain(item)
		default:
			l.Mark(theme.InheritSign).Plain(" ").Col(theme.Faint, s.title, 9).Add(theme.Faint, s.did)
		}
		lines = append(lines, l.Fit(w))
	}
	return lines
}

// stageCount is how many a stage that is over did.
func (e *Env) stageCount(stage string) string {
	if n := e.Pace.did[stage]; n > 0 {
		return number(n)
	}
	return ""
}

// roughly is a time to wait, as one says it.
func roughly(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return number(int(d.Seconds())+1) + " s"
	case d < 2*time.Minute:
		return number(int(d.Seconds()+9)/10*10) + " s"
	}
	return number(int(d.Minutes()+0.5)) + " min"
}
