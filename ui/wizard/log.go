package wizard

import (
	"sync"
	"time"

	"certwright/certs/untrusted"
	"certwright/flow"
	"certwright/ui/theme"
)

// logSize is how many steps of long work are remembered.
const logSize = 500

// progressLog is what long work did last, step by step: names of slots and
// files, never what is in them. Effects write to it from their own goroutines.
type progressLog struct {
	mu      sync.Mutex
	entries []logEntry // a ring
	n       int        // how many there ever were
}

type logEntry struct {
	at   time.Time
	what flow.Progress
}

// note takes a step. Those that name nothing are seen in the bar.
func (l *progressLog) note(now time.Time, p flow.Progress) {
	if p.Item == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) < logSize {
		l.entries = append(l.entries, logEntry{now, p})
	} else {
		l.entries[l.n%logSize] = logEntry{now, p}
	}
	l.n++
}

// last are the newest steps, oldest first: h of them, ended back before the end.
func (l *progressLog) last(h, back int) (out []logEntry, all int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all = len(l.entries)
	end := max(0, all-back)
	for i := max(0, end-h); i < end; i++ {
		out = append(out, l.entries[(l.n-all+i)%logSize])
	}
	return out, all
}

// logRows are the newest steps in at most h rows.
func (s *writeScreen) logRows(w, h int) (rows []string, all int) {
	th := s.Theme
	entries, all := s.Log.last(h, s.back)
	for _, e := range entries {
		l := th.Line().Add(theme.Faint, e.at.Format("15:04:05.000")).Plain("  ").Col(theme.Plain, e.what.Stage, 8)
		rows = append(rows, l.Plain(th.CutMiddle(untrusted.Text(e.what.Item).Max(200), w-l.Width())).Fit(w))
	}
	return rows, all
}
