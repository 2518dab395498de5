package cli

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"certwright/assets/store"
	"certwright/flow/calendar"
)

var statusNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// awkward is a calendar with all that its forms must escape.
func awkward() *calendar.Calendar {
	e := calendar.Entry{
		Path: "a;b,c\\d\"e\nf.crt", Subject: `CN=Überlänge; mit, \"allem"` + strings.Repeat("ü€😀", 40), Serial: "01", SHA256: "ab",
		NotBefore: statusNow.AddDate(-1, 0, 0), NotAfter: statusNow.AddDate(0, 0, 10), Names: []string{"DNS:a"}, Renewal: "renewed by the kubelet",
	}
	twin, old := e, e
	old.Superseded, old.Path = "x-current.pem", "old.pem"
	return &calendar.Calendar{
		Sources: []calendar.Source{{Path: "se\"t", Kind: calendar.Set, Drift: &store.Drift{Manifest: &store.Manifest{Profile: "p"}, Changed: []string{"x"}}}},
		Entries: []calendar.Entry{e, twin, old, {Path: "manifest-only.crt", Slot: "a/b", NotAfter: statusNow}},
	}
}

func TestICalendar(t *testing.T) {
	text := iCalendar(awkward(), statusNow, 36*time.Hour)
	if strings.Count(text, "\n") != strings.Count(text, "\r\n") || strings.Count(text, "\r") != strings.Count(text, "\n") {
		t.Error("a line does not end with CRLF")
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if len(line) > 75 || !utf8.ValidString(line) || line == "" {
			t.Errorf("%d octets, or a character cut in two: %q", len(line), line)
		}
	}
	whole := strings.ReplaceAll(text, "\r\n ", "")
	lines := strings.Split(whole, "\r\n")
	open := []string{}
	uids := map[string]bool{}
	fields := map[string]int{}
	for _, l := range lines[:len(lines)-1] {
		name, value, ok := strings.Cut(l, ":")
		if !ok {
			t.Fatalf("not a content line: %q", l)
		}
		fields[name]++
		switch name {
		case "BEGIN":
			open = append(open, value)
		case "END":
			if open[len(open)-1] != value {
				t.Fatalf("END:%s closes %s", value, open[len(open)-1])
			}
			open = open[:len(open)-1]
		case "UID":
			if uids[value] {
				t.Errorf("two events are %s", value)
			}
			uids[value] = true
		case "SUMMARY", "DESCRIPTION":
			if regexp.MustCompile(`(^|[^\\])(\\\\)*[;,]`).MatchString(value) || regexp.MustCompile(`(^|[^\\])(\\\\)*\\[^\\;,n]`).MatchString(value) {
				t.Errorf("not escaped: %s", value)
			}
		}
	}
	if len(open) > 0 || len(uids) != 3 || fields["TRIGGER"] != 3 || fields["DTSTAMP"] != 3 {
		t.Errorf("open %v, %d events, fields %v", open, len(uids), fields)
	}
	for _, want := range []string{"DTSTART:20261202T120000Z", "DTSTAMP:20261122T120000Z", "TRIGGER:-PT129600S", "SUMMARY:a/b (manifest-only.crt) ends", `File: a\;b\,c\\d"e\\u{a}f.crt\n`} {
		if !strings.Contains(whole, want) {
			t.Errorf("no %s in\n%s", want, whole)
		}
	}
	if strings.Contains(whole, "old.pem") {
		t.Error("what is superseded is an event")
	}
	if days := iCalendar(awkward(), statusNow, 30*24*time.Hour); !strings.Contains(days, "TRIGGER:-P30D\r\n") {
		t.Error("thirty days are not P30D")
	}
	// A day later the events are the same ones.
	again := iCalendar(awkward(), statusNow.AddDate(0, 0, 1), 0)
	for uid := range uids {
		if !strings.Contains(again, "UID:"+uid) {
			t.Errorf("%s has changed", uid)
		}
	}
	if strings.Contains(again, "VALARM") {
		t.Error("an alarm at the end itself")
	}
}

func TestPrometheus(t *testing.T) {
	cal := awkward()
	text := prometheus(cal, statusReport(cal, statusNow, 0), statusNow)
	series := regexp.MustCompile(`^[a-z_]+(\{[a-z]+="(?:[^"\\]|\\[\\"n])*"(,[a-z]+="(?:[^"\\]|\\[\\"n])*")*\})? -?[0-9]+$`)
	seen, typed := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ = strings.Cut(name, " ")
			if typed[name] {
				t.Errorf("%s has two types", name)
			}
			typed[name] = true
			continue
		}
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		key := line[:strings.LastIndex(line, " ")]
		name, _, _ := strings.Cut(key, "{")
		if !series.MatchString(line) || seen[key] || !typed[name] {
			t.Errorf("bad, twice or without a type: %s", line)
		}
		seen[key] = true
	}
	for _, want := range []string{
		`path="a;b,c\\d\"e\\u{a}f.crt"`, `certwright_set_drift_files{dir="se\"t",what="changed"} 1`,
		`certwright_certificate_not_after_timestamp_seconds{path="manifest-only.crt",slot="a/b",ca="false"} 1795348800`, "certwright_status_timestamp_seconds 1795348800",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}
