package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"certwright/flow/calendar"
)

// iCalendar writes the calendar as RFC 5545 has it: one event for each end,
// with an alarm before it. An event keeps its identifier when the certificate
// is renewed in its place, so that calendars move it instead of keeping both.
func iCalendar(cal *calendar.Calendar, now time.Time, before time.Duration) string {
	w := &icsWriter{}
	w.line("BEGIN", "VCALENDAR")
	w.line("VERSION", "2.0")
	w.line("PRODID", "-//certwright//status//EN")
	w.line("CALSCALE", "GREGORIAN")
	w.text("X-WR-CALNAME", "Certificates")
	seen := map[string]int{}
	for i := range cal.Entries {
		e := &cal.Entries[i]
		if e.Superseded != "" {
			continue
		}
		uid := e.Key()
		if seen[uid]++; seen[uid] > 1 { // an old and a new one in one bundle
			uid = fmt.Sprintf("%s-%d", uid, seen[uid])
		}
		name := eventName(e)
		w.line("BEGIN", "VEVENT")
		w.line("UID", uid+"@certwright")
		w.line("DTSTAMP", icsTime(now))
		w.line("DTSTART", icsTime(e.NotAfter))
		w.line("TRANSP", "TRANSPARENT")
		w.text("SUMMARY", name+" ends")
		w.text("DESCRIPTION", strings.Join(eventText(e), "\n"))
		w.line("CATEGORIES", "CERTIFICATE")
		if before > 0 {
			w.line("BEGIN", "VALARM")
			w.line("ACTION", "DISPLAY")
			w.text("DESCRIPTION", name+" ends soon")
			w.line("TRIGGER", "-"+icsDuration(before))
			w.line("END", "VALARM")
		}
		w.line("END", "VEVENT")
	}
	w.line("END", "VCALENDAR")
	return w.String()
}

// eventName is what a person calls the certificate: its slot, or its subject.
func eventName(e *calendar.Entry) string {
	name := "certificate"
	if e.CA {
		name = "CA"
	}
	switch {
	case e.Slot != "":
		return e.Slot + " (" + shown(e.Path) + ")"
	case e.Subject != "":
		return name + " " + e.Subject + " (" + shown(e.Path) + ")"
	}
	return name + " " + shown(e.Path)
}

func eventText(e *calendar.Entry) []string {
	var out []string
	for _, row := range [][2]string{
		{"File", shown(e.Path)},
		{"In it", e.At},
		{"Slot", e.Slot},
		{"Subject", e.Subject},
		{"Issuer", e.Issuer},
		{"Names", strings.Join(e.Names[:min(len(e.Names), maxNames)], ", ")},
		{"Serial", e.Serial},
		{"SHA-256", e.SHA256},
		{"Renewal", e.Renewal},
	} {
		if row[1] != "" {
			out = append(out, row[0]+": "+row[1])
		}
	}
	for _, c := range e.Copies[:min(len(e.Copies), maxNames)] {
		out = append(out, "Also in: "+shown(c))
	}
	return out
}

// maxNames bounds the names and the copies that one event lists.
const maxNames = 50

func icsTime(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// icsDuration is RFC 5545's form: whole days where it is days, else seconds.
func icsDuration(d time.Duration) string {
	if day := 24 * time.Hour; d%day == 0 {
		return fmt.Sprintf("P%dD", d/day)
	}
	return fmt.Sprintf("PT%dS", int64(d/time.Second))
}

// icsWriter writes content lines: at most 75 octets each, the rest folded onto
// lines that begin with a blank, no character cut in two (RFC 5545, 3.1).
type icsWriter struct{ strings.Builder }

const icsOctets = 75

func (w *icsWriter) line(name, value string) {
	rest, room := name+":"+value, icsOctets
	for len(rest) > room {
		cut := room
		for cut > 0 && !utf8.RuneStart(rest[cut]) {
			cut--
		}
		w.WriteString(rest[:cut] + "\r\n ")
		rest, room = rest[cut:], icsOctets-1 // the blank counts
	}
	w.WriteString(rest + "\r\n")
}

// text writes a value of type TEXT.
func (w *icsWriter) text(name, value string) {
	w.line(name, strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`).Replace(value))
}

// prometheus writes the text format for node_exporter's textfile collector.
// That collector refuses a whole file in which two series are the same, so
// each is written once, with the sooner end.
func prometheus(cal *calendar.Calendar, s statusJSON, now time.Time) string {
	m := &metrics{seen: map[string]bool{}}
	m.head("certwright_certificate_not_after_timestamp_seconds", "When the certificate ends, in seconds since 1970.")
	labels := func(e *calendar.Entry) []string {
		ca := "false"
		if e.CA {
			ca = "true"
		}
		return []string{"path", shown(e.Path), "at", e.At, "slot", e.Slot, "subject", e.Subject, "serial", e.Serial, "ca", ca}
	}
	for i := range cal.Entries {
		if e := &cal.Entries[i]; e.Superseded == "" {
			m.value(e.NotAfter.Unix(), labels(e)...)
		}
	}
	m.head("certwright_certificate_not_before_timestamp_seconds", "From when on the certificate is valid, in seconds since 1970.")
	for i := range cal.Entries {
		if e := &cal.Entries[i]; e.Superseded == "" && !e.NotBefore.IsZero() {
			m.value(e.NotBefore.Unix(), labels(e)...)
		}
	}
	m.head("certwright_set_drift_files", "Files of a written set that differ from its manifest, by how.")
	for _, src := range cal.Sources {
		if src.Drift == nil {
			continue
		}
		for _, d := range []struct {
			what string
			n    int
		}{{"changed", len(src.Drift.Changed)}, {"missing", len(src.Drift.Missing)}, {"loosened", len(src.Drift.Loosened)}} {
			m.value(int64(d.n), "dir", shown(src.Path), "what", d.what)
		}
	}
	m.head("certwright_status_notes", "What the list of certificates does not know: files that could not be read, and the like.")
	m.value(int64(len(s.Notes)))
	m.head("certwright_status_timestamp_seconds", "When this was written, in seconds since 1970.")
	m.value(now.Unix())
	return m.String()
}

// metrics writes families of gauges; one without a value is left out.
type metrics struct {
	strings.Builder
	name, help string
	open       bool // its head is written
	seen       map[string]bool
}

func (m *metrics) head(name, help string) { m.name, m.help, m.open = name, help, false }

// value writes one series. labels are names and values in turn; empty ones are
// left out, as Prometheus takes them for absent.
func (m *metrics) value(v int64, labels ...string) {
	var pairs []string
	for pair := range slices.Chunk(labels, 2) {
		if pair[1] != "" {
			pairs = append(pairs, pair[0]+`="`+strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(pair[1])+`"`)
		}
	}
	series := m.name
	if len(pairs) > 0 {
		series += "{" + strings.Join(pairs, ",") + "}"
	}
	if m.seen[series] {
		return
	}
	m.seen[series] = true
	if !m.open {
		m.open = true
		fmt.Fprintf(m, "# HELP %s %s\n# TYPE %s gauge\n", m.name, m.help, m.name)
	}
	fmt.Fprintf(m, "%s %d\n", series, v)
}
